//! Grants that never grant anything.

use super::Judge;
use crate::{Document, conditions, display::quoted, document::Effect};
use warden_finding::{FindingId, Severity};

impl Judge<'_, '_> {
    /// A note on each Allow with a condition on a key that none of its actions is sent with, or on a time that has
    /// passed.
    pub(super) fn dead(&mut self, policies: &[&Document<'_>]) {
        for (policy, document) in policies.iter().enumerate() {
            for (index, statement) in document.statements.iter().enumerate() {
                let why = match conditions::never_sent(statement, None) {
                    _ if statement.effect == Effect::Deny => None,
                    Some(key) => Some(format!(
                        "a condition asks for `{}`, which requests for these actions never have",
                        quoted(key)
                    )),
                    None => {
                        conditions::is_over(statement).then(|| "a condition asks for a time that has passed".to_owned())
                    }
                };
                if let Some(why) = why {
                    let message = format!("{why}: the statement grants nothing");
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

    #[test]
    fn a_grant_for_a_time_that_has_passed_is_dead() {
        let until = |operator: &str, key: &str, time: &str| {
            format!(
                r#"{{"Effect":"Allow","Action":"iam:CreatePolicyVersion","Resource":"*","Condition":{{"{operator}":{{"{key}":{time}}}}}}}"#
            )
        };
        let note = &["wildcard-permissions info"];
        for operator in ["DateLessThan", "DateLessThanEquals", "DateEquals", "datelessthan"] {
            check(&until(operator, "aws:CurrentTime", r#""2018-05-06T07:08:09Z""#), note);
            check(&until(operator, "aws:TokenIssueTime", r#"["2018-05-06","2019-05-06T00:00:00Z"]"#), note);
        }
        check(&until("NumericLessThan", "aws:EpochTime", r#""1525590489""#), note);
        let open = &["wildcard-permissions high", "privilege-escalation critical"];
        for (operator, key, time) in [
            ("DateLessThan", "aws:CurrentTime", r#""2999-01-01T00:00:00Z""#),
            ("DateLessThan", "aws:CurrentTime", r#"["2018-05-06","2999-01-01"]"#),
            ("DateGreaterThan", "aws:CurrentTime", r#""2018-05-06T07:08:09Z""#),
            ("DateNotEquals", "aws:CurrentTime", r#""2018-05-06T07:08:09Z""#),
            ("DateLessThanIfExists", "aws:TokenIssueTime", r#""2018-05-06T07:08:09Z""#),
            ("DateLessThan", "aws:PrincipalTag/until", r#""2018-05-06T07:08:09Z""#),
            ("DateLessThan", "aws:CurrentTime", r#""soon""#),
        ] {
            check(&until(operator, key, time), open);
        }
    }

    #[test]
    fn a_key_that_some_of_the_actions_never_have_grants_the_others() {
        let under = |actions: &str, operator: &str, key: &str| {
            format!(
                r#"{{"Effect":"Allow","Action":{actions},"Resource":"*","Condition":{{"{operator}":{{"{key}":"x"}}}}}}"#
            )
        };
        let note: &[&str] = &["wildcard-permissions info"];
        // Of what is acted on, not of whoever calls.
        for key in ["lambda:FunctionArn", "lambda:Layer", "ec2:Vpc", "ec2:InstanceType", "ec2:ResourceTag/till"] {
            check(&under(r#""s3:GetObject""#, "StringEquals", key), note);
            check(&under(r#"["iam:PassRole","s3:GetObject"]"#, "StringEquals", key), note);
        }
        for key in ["lambda:SourceFunctionArn", "ec2:SourceInstanceARN", "EC2:roledelivery"] {
            check(&under(r#""s3:GetObject""#, "StringEquals", key), &["wildcard-data-read high"]);
        }
        // One by one.
        check(
            &under(r#"["s3:GetObject","ec2:StopInstances"]"#, "StringEquals", "ec2:ResourceTag/till"),
            &["wildcard-write low"],
        );
        check(
            &under(r#"["s3:Get*","kms:Decrypt","iam:PutRolePolicy"]"#, "StringLike", "kms:ViaService"),
            &["wildcard-data-read high"],
        );
        check(
            &under(r#"["kms:Decrypt","s3:GetObject"]"#, "StringNotEquals", "kms:ViaService"),
            &["wildcard-data-read high"],
        );
        check(&under(r#"["sqs:SendMessage","s3:GetObject"]"#, "StringEquals", "iam:PassedToService"), note);
        check(
            &under(r#"["iam:PassRole","s3:GetObject"]"#, "StringEquals", "iam:PassedToService"),
            &["wildcard-pass-role medium"],
        );
        // Within one service.
        for key in ["s3:prefix", "S3:Delimiter", "s3:max-keys"] {
            check(&under(r#""s3:GetObject""#, "StringLike", key), note);
            check(&under(r#"["s3:Get*","s3:PutObjectAcl"]"#, "StringLike", key), note);
            check(&under(r#"["s3:ListBucket","s3:GetObject"]"#, "StringLike", key), &[]);
            check(&under(r#""s3:GetObject""#, "StringNotLike", key), &["wildcard-data-read high"]);
        }
        check(&under(r#""secretsmanager:GetSecretValue""#, "StringLike", "secretsmanager:Name"), note);
        check(
            &under(
                r#"["secretsmanager:GetSecretValue","secretsmanager:CreateSecret"]"#,
                "StringLike",
                "secretsmanager:Name",
            ),
            &["wildcard-write low"],
        );
        // Nothing else of everything takes the key of one service.
        check(
            &under(r#""*""#, "StringEquals", "sqs:Till"),
            &["wildcard-permissions medium", "wildcard-write low", "wildcard-write info"],
        );
    }
}
