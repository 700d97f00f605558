//! Whether a document surely allows one action on one resource.

use crate::{
    document::{Document, Effect, Selection, Values},
    pattern,
};

/// Whether an identity policy or a boundary allows `action` on `resource`, whatever the circumstances of the call: a
/// condition on what allows, or any Deny that could be meant, count as a no. Policy variables are not filled in, so
/// that what hangs on one is a no too.
pub fn surely_allows(document: &Document<'_>, action: &str, resource: &str) -> bool {
    let mut allowed = false;
    for statement in &document.statements {
        let meant = selects(&statement.actions, |pattern| pattern::fits_ignoring_case(pattern, action))
            && statement
                .resources
                .as_ref()
                .is_some_and(|resources| selects(resources, |pattern| pattern::fits(pattern, resource)));
        match statement.effect {
            Effect::Deny if meant => return false,
            Effect::Allow if meant && statement.conditions.is_empty() => allowed = true,
            Effect::Deny | Effect::Allow => {}
        }
    }
    allowed
}

fn selects(selection: &Selection<Values<'_>>, fits: impl Fn(&str) -> bool) -> bool {
    match selection {
        Selection::Only(values) => values.iter().any(fits),
        Selection::Except(values) => !values.iter().any(fits),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Kind;

    #[track_caller]
    fn check(statements: &str, expected: bool) {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statements}]}}"#);
        let document = Document::parse(&text, Kind::Identity).unwrap();
        let secret = "arn:aws:secretsmanager:us-east-1:111122223333:secret:warden/pay-AbCdEf";
        assert_eq!(surely_allows(&document, "secretsmanager:GetSecretValue", secret), expected, "{statements}");
    }

    #[test]
    fn only_what_holds_in_every_circumstance_is_sure() {
        check(r#"{"Effect":"Allow","Action":"*","Resource":"*"}"#, true);
        check(
            r#"{"Effect":"Allow","Action":["logs:*","SecretsManager:Get*"],"Resource":"arn:aws:secretsmanager:us-east-1:111122223333:secret:warden/*"}"#,
            true,
        );
        check(
            r#"{"Effect":"Allow","NotAction":"iam:*","Resource":"*"},{"Effect":"Deny","Action":"iam:*","Resource":"*"}"#,
            true,
        );
        check(r#"{"Effect":"Allow","Action":"logs:*","Resource":"*"}"#, false);
        check(r#"{"Effect":"Allow","Action":"*","Resource":"arn:aws:secretsmanager:*:*:secret:shop/*"}"#, false);
        check(
            r#"{"Effect":"Allow","Action":"*","Resource":"*","Condition":{"Bool":{"aws:MultiFactorAuthPresent":"true"}}}"#,
            false,
        );
        check(
            r#"{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"secretsmanager:*","Resource":"*"}"#,
            false,
        );
        check(
            r#"{"Effect":"Allow","Action":"*","Resource":"*"},{"Effect":"Deny","Action":"*","Resource":"*","Condition":{"Bool":{"aws:ViaAWSService":"false"}}}"#,
            false,
        );
        check(
            r#"{"Effect":"Allow","Action":"*","Resource":"arn:aws:secretsmanager:*:*:secret:${aws:PrincipalTag/team}*"}"#,
            false,
        );
    }
}
