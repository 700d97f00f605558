//! A policy of a template, ready for the judges.

use crate::{NotJudged, aws_managed, json, node::Node, unknown};
use serde_json::{Value, json};
use std::cell::OnceCell;
use warden_finding::Finding;
use warden_policy::{AccountId, Document, DocumentError, Kind};

/// A policy and where it stands.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    pub(crate) at: String,
    /// Known at once, but of a policy of AWS, whose document is looked up when it is judged.
    text: OnceCell<String>,
    source: Source,
    /// The statements that AWS would accept, when it would not accept all of them.
    accepted: OnceCell<Option<Box<Policy>>>,
}

#[derive(Clone, Debug)]
enum Source {
    /// Text that the template has as it is.
    Text,
    /// Written out from this.
    Node(Node),
    /// Made of a permission.
    Permission,
    /// The document of a managed policy of AWS, which the template only names.
    Aws(String),
    /// Made of a policy template of SAM, which the template only names.
    Template(String),
}

impl Policy {
    fn new(at: String, text: OnceCell<String>, source: Source) -> Self {
        Self { at, text, source, accepted: OnceCell::new() }
    }

    /// A policy that the template has as JSON text.
    pub(crate) fn of_text(at: String, text: String) -> Self {
        Self::new(at, text.into(), Source::Text)
    }

    /// A managed policy of AWS whose document is known here.
    pub(crate) fn of_aws(at: String, name: &str) -> Self {
        Self::new(at, OnceCell::new(), Source::Aws(name.to_owned()))
    }

    /// The same policy as what a policy template of that name makes: its statements do not stand in the template.
    pub(crate) fn of_template(self, name: &str) -> Self {
        Self { source: Source::Template(name.to_owned()), ..self }
    }

    /// Its statements, each with its place.
    pub(crate) fn statements(&self) -> Vec<(String, Value)> {
        let document: Value = serde_json::from_str(self.text()).unwrap_or_default();
        let statements = match document.get("Statement") {
            Some(Value::Array(statements)) => statements.clone(),
            Some(single) => vec![single.clone()],
            None => Vec::new(),
        };
        let place = |index: usize| match &self.source {
            Source::Node(node) => node.place(&format!("Statement[{index}]")),
            Source::Text | Source::Permission | Source::Aws(_) | Source::Template(_) => format!("Statement[{index}]"),
        };
        let placed = statements.into_iter().enumerate();
        placed.map(|(index, statement)| (format!("{}.{}", self.at, place(index)), statement)).collect()
    }

    /// The policy that a permission makes by itself: its only statement stands where the permission does.
    pub(crate) fn of_statement(at: &str, document: &Value) -> Self {
        Self::new(at.to_owned(), document.to_string().into(), Source::Permission)
    }

    /// A policy whose functions have been carried out; none when it is known only at deployment.
    pub(crate) fn of_node(
        at: &str,
        node: &Node,
        own: Option<AccountId>,
        not_judged: &mut Vec<NotJudged>,
    ) -> Option<Self> {
        let mut note = |place: &str, what: &str| {
            not_judged.push(NotJudged { at: place.to_owned(), why: format!("{what} known only at deployment") });
        };
        if let Some(text) = node.text() {
            if unknown::name(text).is_some() {
                note(at, "the policy is");
                return None;
            }
            return Some(Self::of_text(at.to_owned(), text.to_owned()));
        }
        let mut node = node.clone();
        if let Some(statements) = node.get_mut("Statement") {
            let is_unknown = |statement: &Node| statement.text().is_some_and(|text| unknown::name(text).is_some());
            if is_unknown(statements) {
                note(&format!("{at}.Statement"), "the statements are");
                return None;
            }
            match statements {
                Node::List(list) => list.retain_mut(|(index, statement)| {
                    let at = format!("{at}.Statement[{index}]");
                    if is_unknown(statement) {
                        note(&at, "the statement is");
                        return false;
                    }
                    settle(&at, statement, own, &mut note)
                }),
                single @ (Node::Null | Node::Bool(_) | Node::Text(_) | Node::Map(_)) => {
                    if !settle(&format!("{at}.Statement[0]"), single, own, &mut note) {
                        return None;
                    }
                }
            }
        }
        let text = serde_json::to_string(&node).unwrap_or_default();
        Some(Self::new(at.to_owned(), text.into(), Source::Node(node)))
    }

    /// The document; an error of its own place where AWS would not accept it.
    pub(crate) fn parse(&self, kind: Kind) -> Result<Document<'_>, NotJudged> {
        let has_text = matches!(self.source, Source::Text);
        Document::parse(self.text(), kind).map_err(|error| refused(&self.at, &error, has_text))
    }

    /// The policy of those statements that AWS would accept, when it would not accept this one as a whole: what is
    /// wrong with one of them must not hide another.
    pub(crate) fn accepted(&self, kind: Kind) -> Option<&Self> {
        let accepted = self.accepted.get_or_init(|| {
            let mut node = match &self.source {
                Source::Node(node) => node.clone(),
                Source::Text => Node::plain(&json::read(self.text()).ok()?),
                Source::Permission | Source::Aws(_) | Source::Template(_) => return None,
            };
            let Some(Node::List(statements)) = node.get_mut("Statement") else { return None };
            statements.retain(|(_, statement)| {
                let alone = json!({"Version": "2012-10-17", "Statement": [statement]});
                Document::parse(&alone.to_string(), kind).is_ok()
            });
            let text = serde_json::to_string(&node).ok()?;
            Document::parse(&text, kind).ok()?;
            Some(Box::new(Self::new(self.at.clone(), text.into(), Source::Node(node))))
        });
        accepted.as_deref()
    }

    /// Whether Lambda may assume a role with this trust policy, or who may is not known.
    pub(crate) fn lets_lambda_in(&self) -> bool {
        let Ok(document) = serde_json::from_str::<Value>(self.text()) else { return true };
        let Some(statements) = document.get("Statement") else { return true };
        let statements = statements.as_array().map_or_else(|| vec![statements], |list| list.iter().collect());
        statements.into_iter().filter(|statement| statement.get("Effect").is_none_or(|effect| effect == "Allow")).any(
            |statement| match statement.get("Principal") {
                Some(Value::Object(principals)) => principals.iter().any(|(kind, named)| {
                    let text = named.to_string();
                    unknown::is_in(&text) || (kind == "Service" && text.contains("lambda."))
                }),
                Some(_) | None => true,
            },
        )
    }

    /// Whether it is the same policy: one of AWS by whatever place names it.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.source, &other.source) {
            (Source::Aws(name), Source::Aws(other)) => name == other,
            _ => self.content() == other.content(),
        }
    }

    /// Whether AWS wrote it, and nobody else can change it.
    pub(crate) fn is_of_aws(&self) -> bool {
        matches!(self.source, Source::Aws(_))
    }

    /// Whether its statements stand in the template.
    pub(crate) fn stands_here(&self) -> bool {
        !matches!(self.source, Source::Aws(_) | Source::Template(_))
    }

    /// What decides how it is judged, and where.
    pub(crate) fn content(&self) -> [&str; 2] {
        match &self.source {
            Source::Aws(name) => [&self.at, name],
            Source::Text | Source::Node(_) | Source::Permission | Source::Template(_) => [&self.at, self.text()],
        }
    }

    fn text(&self) -> &str {
        self.text.get_or_init(|| match &self.source {
            Source::Aws(name) => aws_managed::document(name).unwrap_or_default(),
            Source::Text | Source::Node(_) | Source::Permission | Source::Template(_) => String::new(),
        })
    }

    /// The finding, with its place in the template.
    pub(crate) fn placed(&self, finding: Finding) -> Finding {
        let (at, message) = match &self.source {
            Source::Text => (format!("{}.{}", self.at, finding.at), finding.message),
            Source::Node(node) => (format!("{}.{}", self.at, node.place(&finding.at)), finding.message),
            Source::Permission => (self.at.clone(), finding.message),
            Source::Aws(name) | Source::Template(name) => (self.at.clone(), format!("{name} {}", finding.message)),
        };
        Finding { at, message, ..finding }
    }
}

/// Says what cannot be judged about a statement, and gives ARNs that are not known yet the form of one: an ARN that
/// names whatever it will be limits a statement, and whether it is somebody else's nobody can say now. Actions that are
/// not known are left out. Whether there is anything left to judge.
fn settle(at: &str, statement: &mut Node, own: Option<AccountId>, note: &mut impl FnMut(&str, &str)) -> bool {
    let is_unknown = |value: &Node| value.text().is_some_and(unknown::is_in);
    for key in ["Action", "NotAction", "Effect"] {
        let values = statement.get(key).map(Node::items).unwrap_or_default();
        if values.iter().any(|(_, value)| is_unknown(value)) {
            note(&format!("{at}.{key}"), "a part of it is");
        }
    }
    if let Some(Node::List(actions)) = statement.get_mut("Action") {
        let had_any = !actions.is_empty();
        actions.retain(|(_, action)| !is_unknown(action));
        if had_any && actions.is_empty() {
            return false;
        }
    }
    if ["Action", "Effect"].iter().any(|key| statement.get(key).is_some_and(is_unknown)) {
        return false;
    }
    let Some(Node::Map(operators)) = statement.get_mut("Condition") else { return true };
    for (_, keys) in operators {
        let Node::Map(keys) = keys else { continue };
        for (key, values) in keys {
            if !["aws:SourceArn", "aws:PrincipalArn"].iter().any(|arn| key.eq_ignore_ascii_case(arn)) {
                continue;
            }
            values.items_mut().into_iter().for_each(|(_, value)| make_arn(value, own));
        }
    }
    true
}

fn make_arn(value: &mut Node, own: Option<AccountId>) {
    let whole = value.text().filter(|text| unknown::name(text).is_some());
    if let (Some(text), Some(own)) = (whole, own) {
        *value = Node::Text(format!("arn:aws:unknown::{own}:{text}"));
    }
}

/// What AWS would not accept. Where the text of a policy was written here, a line and column in it would mean nothing
/// to anybody.
pub(crate) fn refused(at: &str, error: &DocumentError, has_text: bool) -> NotJudged {
    let mut why = error.to_string();
    if let (DocumentError::Malformed { line, column, .. }, false) = (error, has_text) {
        let place = format!(" at line {line} column {column}");
        why.truncate(why.strip_suffix(&place).map_or(why.len(), str::len));
    }
    NotJudged { at: at.to_owned(), why }
}
