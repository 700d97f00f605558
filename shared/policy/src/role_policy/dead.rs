//! Grants that never grant anything.

use super::Judge;
use crate::{Document, conditions, display::quoted, document::Effect};
use warden_finding::{FindingId, Severity};

impl Judge<'_, '_> {
    /// A note on each Allow with a condition on a key that none of its actions is sent with.
    pub(super) fn dead(&mut self, policies: &[&Document<'_>]) {
        for (policy, document) in policies.iter().enumerate() {
            for (index, statement) in document.statements.iter().enumerate() {
                let key = conditions::never_sent(statement, None).filter(|_| statement.effect == Effect::Allow);
                if let Some(key) = key {
                    let message = format!(
                        "a condition asks for `{}`, which requests for these actions never have: the statement grants \
                         nothing",
                        quoted(key)
                    );
                    self.report(policy, index, FindingId::WildcardPermissions, Severity::Info, message);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::{Context, Document, Kind, role_policy};

    #[track_caller]
    fn check(statement: &str, expected: &[&str]) {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
        let findings = role_policy::judge(&Document::parse(&text, Kind::Identity).unwrap(), &Context::default());
        let shown: Vec<String> = findings.iter().map(|found| format!("{} {}", found.id, found.severity)).collect();
        assert_eq!(shown, expected, "{statement}");
    }

    #[test]
    fn a_dead_grant_is_a_note_and_nothing_else() {
        let note = &["wildcard-permissions info"];
        let key = r#""Condition":{"StringEquals":{"sqs:ResourceTag/till":"1"}}"#;
        check(&format!(r#"{{"Effect":"Allow","Action":"iam:PassRole","Resource":"*",{key}}}"#), note);
        check(&format!(r#"{{"Effect":"Allow","Action":["s3:*","iam:*"],"Resource":"*",{key}}}"#), note);
        check(&format!(r#"{{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::till/*",{key}}}"#), note);
        check(&format!(r#"{{"Effect":"Deny","Action":"s3:GetObject","Resource":"*",{key}}}"#), &[]);
        check(
            r#"{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"*","Condition":{"StringNotEquals":{"sqs:ResourceTag/till":"1"}}}"#,
            &["wildcard-data-read high"],
        );
    }
}
