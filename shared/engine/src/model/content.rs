//! The content of a surface and its fingerprint.

use crate::{
    model::surface::Surface,
    name::{NameError, as_text, fingerprint::Fingerprint, iam::PolicyArn},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::{collections::BTreeSet, fmt, iter, str::FromStr};
use warden_finding::{Finding, FindingId};

/// The keys of the content of an attachment: which managed policy it is, what that says, and what stands in for it,
/// which is an inline policy of the role or a managed policy of Warden's own.
const POLICY_ARN: &str = "PolicyArn";
const STAND_IN: &str = "StandIn";
const COPY: &str = "Copy";
const DOCUMENT: &str = "Document";
/// The key of a policy's statements.
const STATEMENT: &str = "Statement";

/// What a surface holds: a JSON document, or nothing (no policy, no URL).
///
/// Policies with the same statements in another order are the same content: the order says nothing (IAM user guide,
/// "Policy evaluation logic"), and AddPermission puts back at the end what stood elsewhere.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Content(Option<Value>);

impl PartialEq for Content {
    fn eq(&self, other: &Content) -> bool {
        self.0 == other.0 || self.0.is_some() == other.0.is_some() && self.fingerprint() == other.fingerprint()
    }
}

impl Eq for Content {}

impl Content {
    /// A surface that holds nothing.
    pub const ABSENT: Content = Content(None);

    /// A surface that holds `document`.
    pub fn new(document: Value) -> Content {
        Content(Some(document).filter(|document| !document.is_null()))
    }

    /// What a role's boundary or one of its attachments holds: a managed policy and what it says.
    pub fn of_policy(policy: &PolicyArn, document: &Content) -> Content {
        Content(Some(json!({POLICY_ARN: policy, DOCUMENT: document})))
    }

    /// All that a role's policies, its boundary and its trust policy say, by surface: what stands behind a function's
    /// content, which only names the role.
    pub fn of_role<'a>(surfaces: impl IntoIterator<Item = (&'a Surface, &'a Content)>) -> Content {
        let said = surfaces.into_iter().filter_map(|(surface, content)| {
            // What stands in for a managed policy is on the role as well.
            let said = if surface.attached().is_some() { content.policy_document() } else { content.clone() };
            Some((surface.to_string(), said.0?))
        });
        Content(Some(Value::Object(said.collect())))
    }

    /// The same, with the inline policy that stands in for the managed one where there is one. `attached` is what
    /// `of_policy` makes, or nothing.
    #[must_use]
    pub fn with_stand_in(self, stand_in: &Content) -> Content {
        self.with(STAND_IN, stand_in)
    }

    /// The same, with the copy of Warden's own that stands in for the managed one where it is attached.
    #[must_use]
    pub fn with_copy(self, copy: &Content) -> Content {
        self.with(COPY, copy)
    }

    fn with(self, key: &str, part: &Content) -> Content {
        match (self.0, &part.0) {
            (Some(Value::Object(mut attached)), Some(part)) => {
                attached.insert(key.into(), part.clone());
                Content(Some(attached.into()))
            }
            (None, Some(part)) => Content(Some(json!({key: part}))),
            (attached, _) => Content(attached),
        }
    }

    /// The same, where the managed policy says `document`.
    #[must_use]
    pub(crate) fn saying(mut self, document: &Content) -> Content {
        if let Some(Value::Object(content)) = &mut self.0 {
            content.insert(DOCUMENT.into(), document.0.clone().unwrap_or_default());
        }
        self
    }

    /// The managed policy that this content is about.
    pub fn policy(&self) -> Option<PolicyArn> {
        self.0.as_ref()?.get(POLICY_ARN)?.as_str()?.parse().ok()
    }

    /// The document of the managed policy that this content is about.
    pub fn policy_document(&self) -> Content {
        Content(self.0.as_ref().and_then(|content| content.get(DOCUMENT)).cloned())
    }

    /// The inline policy that stands in for a managed one.
    pub fn stand_in(&self) -> Content {
        Content(self.0.as_ref().and_then(|content| content.get(STAND_IN)).cloned())
    }

    /// The copy of Warden's own that stands in for a managed policy.
    pub fn copy(&self) -> Content {
        Content(self.0.as_ref().and_then(|content| content.get(COPY)).cloned())
    }

    /// The document, if there is one.
    pub fn document(&self) -> Option<&Value> {
        self.0.as_ref()
    }

    /// The document as text; nothing where there is none.
    pub fn text(&self) -> String {
        self.0.as_ref().map(Value::to_string).unwrap_or_default()
    }

    /// Whether the surface holds nothing.
    pub fn is_absent(&self) -> bool {
        self.0.is_none()
    }

    /// The fingerprint of the whole content, whatever the order of a policy's statements.
    pub fn fingerprint(&self) -> Fingerprint {
        let content = self.0.as_ref().unwrap_or(&Value::Null);
        let statements = content.get(STATEMENT).and_then(Value::as_array).filter(|statements| statements.len() > 1);
        let Some(statements) = statements else { return Fingerprint::of(content) };
        let mut ordered = statements.clone();
        ordered.sort_by_cached_key(|statement| Fingerprint::of(statement).to_string());
        let mut content = content.clone();
        if let Some(statements) = content.get_mut(STATEMENT) {
            *statements = ordered.into();
        }
        Fingerprint::of(&content)
    }

    /// The part of the content that a finding's place points at: one statement of a policy, or one setting of a URL.
    pub fn fragment(&self, at: &str) -> Option<&Value> {
        let content = self.0.as_ref()?;
        let (document, at) = match at.split_once('.') {
            Some((key @ (DOCUMENT | STAND_IN | COPY), within)) => (content.get(key)?, within),
            Some(_) | None => (content, at),
        };
        let first = at.split('.').next().unwrap_or(at);
        let Some((name, index)) = first.strip_suffix(']').and_then(|first| first.split_once('[')) else {
            return document.get(first);
        };
        let index: usize = index.parse().ok()?;
        let statements = document.get(name)?;
        match statements.as_array() {
            Some(items) => items.get(index),
            // `"Statement": {...}` is a list of one.
            None => (index == 0).then_some(statements),
        }
    }

    /// The fingerprints of everything that a finding's key can point at: each statement, each setting, and the whole
    /// content.
    pub fn fragments(&self) -> BTreeSet<Fingerprint> {
        // That nothing is there can itself break a rule.
        let Some(document) = &self.0 else { return BTreeSet::from([Fingerprint::of(&Value::Null)]) };
        let parts = |of: &Value| -> BTreeSet<Fingerprint> {
            let parts = || of.as_object().into_iter().flat_map(|of| of.values());
            let items = parts().filter_map(Value::as_array).flatten();
            iter::once(of).chain(parts()).chain(items).map(Fingerprint::of).collect()
        };
        let within = [DOCUMENT, STAND_IN, COPY].into_iter().filter_map(|key| document.get(key)).flat_map(parts);
        parts(document).into_iter().chain(within).collect()
    }

    /// The key of a finding in this content: the rule and what exactly broke it, wherever that stands.
    pub fn finding_key(&self, finding: &Finding) -> FindingKey {
        let fragment = self.fragment(&finding.at).or(self.0.as_ref()).unwrap_or(&Value::Null);
        FindingKey { finding: finding.id, fragment: Fingerprint::of(fragment) }
    }
}

/// Content that may be unknown, in the ledger: a list of one, since that nothing is there is null already.
pub(crate) mod known {
    use super::Content;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(crate) fn serialize<S: Serializer>(known: &Option<Content>, serializer: S) -> Result<S::Ok, S::Error> {
        known.as_slice().serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Content>, D::Error> {
        Ok(Vec::deserialize(deserializer)?.pop())
    }
}

/// By what a finding is recognised again: its rule, and the fingerprint of the statement or setting that breaks it. A
/// statement's index would not do, since it changes when others come and go. Its text is `public-invoke#<sha-256>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FindingKey {
    /// The rule that is broken.
    pub finding: FindingId,
    /// The fingerprint of the part of the content that breaks it.
    pub fragment: Fingerprint,
}

impl fmt::Display for FindingKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}#{}", self.finding, self.fragment)
    }
}

impl FromStr for FindingKey {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let bad = || NameError::new(text, "a finding's key");
        let (finding, fragment) = text.split_once('#').ok_or_else(bad)?;
        Ok(FindingKey { finding: finding.parse().map_err(|_| bad())?, fragment: fragment.parse()? })
    }
}

as_text!(FindingKey);

/// The content of a surface before and after a change.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Diff {
    /// The content before.
    pub before: Content,
    /// The content after; for a plan, what it will be.
    pub after: Content,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;
    use warden_finding::Severity;

    fn key(content: &Content, at: &str) -> FindingKey {
        content.finding_key(&Finding {
            id: FindingId::PublicInvoke,
            severity: Severity::Critical,
            at: at.into(),
            message: String::new(),
        })
    }

    #[test]
    fn neither_white_space_nor_the_order_of_keys_changes_a_fingerprint() {
        let one: Value = serde_json::from_str(r#"{"a":1,"b":[1,2]}"#).unwrap();
        let two: Value = serde_json::from_str("{ \"b\" : [1, 2],\n\"a\":1}").unwrap();
        assert_eq!(Fingerprint::of(&one), Fingerprint::of(&two));
        assert_ne!(Fingerprint::of(&one), Fingerprint::of(&json!({"a": 1, "b": [2, 1]})));
        assert_ne!(Content::ABSENT.fingerprint(), Content::new(json!({})).fingerprint());
    }

    #[test]
    fn a_finding_keeps_its_key_when_its_statement_moves() {
        let bad = json!({"Sid": "bad", "Principal": "*"});
        let alone = Content::new(json!({"Statement": bad}));
        let second = Content::new(json!({"Statement": [{"Sid": "good"}, bad]}));
        assert_eq!(key(&alone, "Statement[0].Principal"), key(&second, "Statement[1].Principal"));
        assert_ne!(key(&second, "Statement[0]"), key(&second, "Statement[1]"));
    }

    #[test]
    fn a_statement_has_the_same_key_in_whatever_policy_it_stands() {
        let bad = json!({"Sid": "bad", "Action": "*"});
        let inline = Content::new(json!({"Statement": [bad]}));
        let attached = Content::new(json!({"PolicyArn": "arn", "Document": {"Statement": [{"Sid": "good"}, bad]}}));
        assert_eq!(key(&inline, "Statement[0]"), key(&attached, "Document.Statement[1]"));
        assert!(attached.fragments().contains(&key(&inline, "Statement[0]").fragment));
        assert!(Content::ABSENT.fragments().contains(&key(&Content::ABSENT, "PolicyArn").fragment));
    }

    #[test]
    fn a_key_is_read_back_from_its_text() {
        let key = key(&Content::new(json!({"AuthType": "NONE"})), "AuthType");
        assert_eq!(key.to_string().parse::<FindingKey>().unwrap(), key);
    }
}
