//! Who may assume a role since it was opted in. Who beside Lambda might at the opt-in is kept in the ledger for good, so
//! that a line for somebody else neither opens the role nor makes it one that serves others.

use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// What Lambda is called in a trust policy.
const LAMBDA: &str = "lambda.amazonaws.com";

/// A principal in one statement.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Newcomer {
    /// The statement's index.
    pub(crate) index: usize,
    /// `AWS`, `Service`, `Federated`, `CanonicalUser`; none where the principal has no type.
    kind: Option<String>,
    /// Who it is.
    pub(crate) name: String,
}

/// The principals of `document` that were not let in by `first`, or not under fewer conditions.
pub(crate) fn newcomers(document: &Value, first: Option<&Value>) -> Vec<Newcomer> {
    let first = first.map(statements).unwrap_or_default();
    let of_statement = |(index, statement): (usize, &Value)| {
        let came = principals(statement).into_iter().filter(|(kind, name)| {
            !is_lambda(kind.as_deref(), name)
                && !was_deleted(name)
                && !first.iter().any(|before| lets_in(before, kind.as_deref(), name) && is_within(statement, before))
        });
        came.map(|(kind, name)| Newcomer { index, kind, name }).collect::<Vec<_>>()
    };
    let allowed = statements(document).into_iter().enumerate().filter(|(_, statement)| allows(statement));
    allowed.flat_map(of_statement).collect()
}

/// The document without these principals, and without statements that would have none; none where nothing is left.
pub(crate) fn without(document: &Value, out: &BTreeSet<&Newcomer>) -> Option<Value> {
    let is_out = |index: usize, kind: Option<&str>, name: &str| {
        out.iter().any(|newcomer| newcomer.index == index && newcomer.kind.as_deref() == kind && newcomer.name == name)
    };
    let left = statements(document).into_iter().enumerate().filter_map(|(index, statement)| {
        let mut statement = statement.clone();
        if !out.iter().any(|newcomer| newcomer.index == index) {
            return Some(statement);
        }
        let Some(Value::Object(types)) = statement.get_mut("Principal") else { return None };
        let kept: Map<String, Value> = types
            .iter()
            .filter_map(|(kind, names)| {
                let kept: Vec<Value> = each(names)
                    .filter(|name| !is_out(index, Some(kind), name.as_str().unwrap_or_default()))
                    .cloned()
                    .collect();
                match kept.as_slice() {
                    [] => None,
                    [only] => Some((kind.clone(), only.clone())),
                    _ => Some((kind.clone(), kept.into())),
                }
            })
            .collect();
        *types = kept;
        (!types.is_empty()).then_some(statement)
    });
    let left: Vec<Value> = left.collect();
    if left.is_empty() {
        return None;
    }
    let mut document = document.clone();
    *document.get_mut("Statement")? = left.into();
    Some(document)
}

fn statements(document: &Value) -> Vec<&Value> {
    document.get("Statement").map(|statements| each(statements).collect()).unwrap_or_default()
}

/// One value may stand without a list.
fn each(value: &Value) -> impl Iterator<Item = &Value> {
    let list = value.as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter().chain(Some(value).filter(|value| !value.is_array()))
}

fn allows(statement: &Value) -> bool {
    statement.get("Effect").and_then(Value::as_str) == Some("Allow")
}

fn principals(statement: &Value) -> Vec<(Option<String>, String)> {
    let name = |value: &Value| value.as_str().map(str::to_owned);
    match (statement.get("Principal"), statement.get("NotPrincipal")) {
        (Some(Value::Object(types)), _) => types
            .iter()
            .flat_map(|(kind, names)| each(names).filter_map(move |value| Some((Some(kind.clone()), name(value)?))))
            .collect(),
        (Some(anybody), _) => each(anybody).filter_map(name).map(|name| (None, name)).collect(),
        (None, Some(_)) => vec![(None, "everybody but some".to_owned())],
        (None, None) => Vec::new(),
    }
}

fn is_lambda(kind: Option<&str>, name: &str) -> bool {
    kind == Some("Service") && name == LAMBDA
}

/// IAM shows the unique id of a principal that was deleted since: it lets nobody in.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>
fn was_deleted(name: &str) -> bool {
    ["AIDA", "AROA", "AGPA", "ASCA"].iter().any(|prefix| name.starts_with(prefix))
        && name.len() >= 16
        && name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

fn lets_in(statement: &Value, kind: Option<&str>, name: &str) -> bool {
    allows(statement)
        && principals(statement).iter().any(|(its, known)| its.as_deref() == kind && known == name)
        && (kind.is_some() || statement.get("NotPrincipal").is_none())
}

/// Whether the statement allows no more than the one before: the same actions or fewer, and under every condition of
/// that one, with the same values or stricter ones.
fn is_within(statement: &Value, before: &Value) -> bool {
    let (now, then) = (actions(statement), actions(before));
    let acts = now.iter().all(|action| then.contains(action) || then.contains("*") || then.contains("sts:*"));
    let stands = |(operator, key, values): &Condition| {
        conditions(statement).iter().any(|(now, same, limits)| {
            now == operator && same == key && (limits == values || is_stricter(operator, limits, values))
        })
    };
    acts && conditions(before).iter().all(stands)
}

/// Whether values under an operator let in a part of what the others let in.
fn is_stricter(operator: &str, now: &BTreeSet<String>, then: &BTreeSet<String>) -> bool {
    let compares = ["string", "arn", "ipaddress", "notipaddress"].iter().any(|kind| operator.contains(kind));
    match operator.contains("not") {
        _ if !compares => false,
        true => now.is_superset(then),
        false => now.is_subset(then) && !now.is_empty(),
    }
}

/// The actions, in small letters, since they have no case.
fn actions(statement: &Value) -> BTreeSet<String> {
    let Some(actions) = statement.get("Action") else { return BTreeSet::from(["*".to_owned()]) };
    each(actions).filter_map(Value::as_str).map(str::to_ascii_lowercase).collect()
}

/// Operator, key and values.
type Condition = (String, String, BTreeSet<String>);

/// The conditions of a statement. Operators and keys have no case.
fn conditions(statement: &Value) -> BTreeSet<Condition> {
    let operators = statement.get("Condition").and_then(Value::as_object).into_iter().flatten();
    operators
        .flat_map(|(operator, keys)| {
            keys.as_object().into_iter().flatten().map(move |(key, values)| {
                let values = each(values).map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
                (operator.to_ascii_lowercase(), key.to_ascii_lowercase(), values.collect())
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn document(statements: Value) -> Value {
        json!({"Version": "2012-10-17", "Statement": statements})
    }

    fn lambda() -> Value {
        json!({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"})
    }

    fn allow(principal: Value, condition: Value) -> Value {
        json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition})
    }

    #[track_caller]
    fn check(now: Value, first: Value, expected: &[&str]) {
        let came = newcomers(&document(now), Some(&document(first)));
        let names: Vec<&str> = came.iter().map(|newcomer| newcomer.name.as_str()).collect();
        assert_eq!(names, expected);
    }

    #[test]
    fn who_was_let_in_at_the_opt_in_is_none_and_everybody_else_is_one() {
        let user = "arn:aws:iam::111122223333:user/mallory";
        check(json!([lambda()]), json!([lambda()]), &[]);
        check(json!([lambda(), allow(json!({"AWS": user}), json!({}))]), json!([lambda()]), &[user]);
        let both = json!({"Service": ["lambda.amazonaws.com", "ec2.amazonaws.com"]});
        check(json!([allow(both.clone(), json!({}))]), json!([lambda()]), &["ec2.amazonaws.com"]);
        check(json!([allow(both.clone(), json!({}))]), json!([allow(both, json!({}))]), &[]);
        check(json!([allow(json!("*"), json!({}))]), json!([lambda()]), &["*"]);
        // A Deny lets nobody in, and neither does a principal that was deleted.
        let deny = json!({"Effect": "Deny", "Principal": {"AWS": user}, "Action": "sts:AssumeRole"});
        check(json!([lambda(), deny]), json!([lambda()]), &[]);
        check(json!([lambda(), allow(json!({"AWS": "AIDACKCEVSQ6C2EXAMPLE"}), json!({}))]), json!([lambda()]), &[]);
    }

    #[test]
    fn whoever_is_let_in_under_fewer_conditions_is_one_and_under_more_is_none() {
        let provider = json!({"Federated": "arn:aws:iam::111122223333:oidc-provider/token.example.com"});
        let with = |keys: Value| json!([allow(provider.clone(), json!({"StringEquals": keys}))]);
        let both =
            || with(json!({"token.example.com:aud": "sts.amazonaws.com", "token.example.com:sub": "repo:own/pay"}));
        let one = || with(json!({"token.example.com:aud": "sts.amazonaws.com"}));
        check(both(), one(), &[]);
        check(one(), both(), &["arn:aws:iam::111122223333:oidc-provider/token.example.com"]);
        let other = with(json!({"token.example.com:aud": "sts.amazonaws.com", "token.example.com:sub": "repo:evil/x"}));
        check(other, both(), &["arn:aws:iam::111122223333:oidc-provider/token.example.com"]);
        let two = json!({"token.example.com:aud": "sts.amazonaws.com", "token.example.com:sub": ["repo:own/pay", "repo:own/x"]});
        check(both(), with(two.clone()), &[]);
        check(with(two), both(), &["arn:aws:iam::111122223333:oidc-provider/token.example.com"]);
        let spelt =
            with(json!({"Token.Example.com:AUD": ["sts.amazonaws.com"], "token.example.com:sub": "repo:own/pay"}));
        check(spelt, both(), &[]);
    }

    #[test]
    fn whoever_may_do_more_is_one() {
        let tags = |action: Value| json!([{"Effect": "Allow", "Principal": {"AWS": "arn:aws:iam::111122223333:role/ci"}, "Action": action}]);
        check(tags(json!("sts:AssumeRole")), tags(json!(["sts:AssumeRole", "sts:TagSession"])), &[]);
        check(tags(json!("sts:AssumeRole")), tags(json!("sts:TagSession")), &["arn:aws:iam::111122223333:role/ci"]);
    }

    #[test]
    fn newcomers_are_taken_out_and_the_rest_stays() {
        let root = "arn:aws:iam::111122223333:root";
        let now = document(json!([
            allow(json!({"Service": ["lambda.amazonaws.com", "ec2.amazonaws.com"]}), json!({})),
            allow(json!({"AWS": root}), json!({})),
        ]));
        let came = newcomers(&now, Some(&document(json!([lambda()]))));
        let left = without(&now, &came.iter().collect()).unwrap();
        assert_eq!(left, document(json!([allow(json!({"Service": "lambda.amazonaws.com"}), json!({}))])));
        let alone = document(json!([allow(json!({"AWS": root}), json!({}))]));
        let came = newcomers(&alone, None);
        assert_eq!(without(&alone, &came.iter().collect()), None);
    }
}
