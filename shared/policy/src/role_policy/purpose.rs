//! What a broad statement may have been written for: functions that vendors and AWS publish, and that stop when it
//! goes.

use super::grants::selects;
use crate::{Effect, Statement};

/// A kind of function, and the actions that tell it.
struct Purpose {
    /// All of these are granted.
    actions: &'static [&'static str],
    /// Who has them.
    known_for: &'static str,
}

/// The first that fits is the one: those with more actions come before those with fewer.
const PURPOSES: &[Purpose] = &[
    Purpose {
        // https://github.com/alexcasalboni/aws-lambda-power-tuning/blob/master/template.yml
        actions: &["lambda:UpdateFunctionConfiguration", "lambda:PublishVersion", "lambda:CreateAlias"],
        known_for: "AWS Lambda Power Tuning, which tries sizes of memory on other functions",
    },
    Purpose {
        // https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets-required-permissions-function.html
        actions: &[
            "secretsmanager:GetSecretValue",
            "secretsmanager:PutSecretValue",
            "secretsmanager:UpdateSecretVersionStage",
        ],
        known_for: "rotation functions of Secrets Manager",
    },
    Purpose {
        // https://docs.aws.amazon.com/lambda/latest/dg/lambda-rolling-deployments.html
        actions: &["lambda:UpdateFunctionCode"],
        known_for: "functions that deploy other functions",
    },
    Purpose {
        // https://docs.datadoghq.com/serverless/aws_lambda/remote_instrumentation/
        actions: &["lambda:UpdateFunctionConfiguration"],
        known_for: "installers that add a monitoring vendor's layer to other functions",
    },
    Purpose {
        // https://docs.aws.amazon.com/solutions/latest/instance-scheduler-on-aws/
        actions: &["ec2:StartInstances", "kms:CreateGrant"],
        known_for: "schedulers that start and stop instances whose disks are encrypted",
    },
    Purpose {
        // https://docs.aws.amazon.com/ebs/latest/userguide/ebs-modifying-snapshot-permissions.html
        actions: &["ec2:CreateSnapshot", "ec2:ModifySnapshotAttribute"],
        known_for: "backup functions that share snapshots with another account",
    },
    Purpose {
        // https://github.com/DataDog/datadog-serverless-functions/blob/master/aws/logs_monitoring/template.yaml
        actions: &["s3:GetObject"],
        known_for: "log forwarders (Datadog's Forwarder and its like), which read logs from any bucket",
    },
];

/// What a statement is known for, if for anything: whoever takes it away stops that.
pub fn known_for(statement: &Statement<'_>) -> Option<&'static str> {
    let fits = |purpose: &&Purpose| purpose.actions.iter().all(|action| selects(&statement.actions, action));
    // What grants everything was written for nothing in particular.
    let is_anything = selects(&statement.actions, "iam:CreateUser");
    let purpose = PURPOSES.iter().find(fits).filter(|_| statement.effect == Effect::Allow && !is_anything);
    purpose.map(|purpose| purpose.known_for)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Document, Kind, service_table};

    #[track_caller]
    fn check(actions: &str, expected: Option<&str>) {
        let text = format!(r#"{{"Statement":{{"Effect":"Allow","Action":{actions},"Resource":"*"}}}}"#);
        let document = Document::parse(&text, Kind::Identity).unwrap();
        let known = known_for(&document.statements[0]);
        assert_eq!(known.is_some(), expected.is_some(), "{actions}: {known:?}");
        assert!(known.unwrap_or_default().contains(expected.unwrap_or_default()), "{actions}: {known:?}");
    }

    #[test]
    fn published_functions_are_known_by_what_they_may_do() {
        check(
            r#"["lambda:GetAlias","lambda:UpdateFunctionConfiguration","lambda:PublishVersion","lambda:CreateAlias"]"#,
            Some("Power Tuning"),
        );
        check(r#"["lambda:Update*","lambda:List*"]"#, Some("deploy"));
        check(r#"["lambda:UpdateFunctionConfiguration","lambda:ListFunctions"]"#, Some("vendor's layer"));
        check(r#"["s3:Get*","s3:ListBucket"]"#, Some("log forwarders"));
        check(r#"["secretsmanager:*"]"#, Some("rotation"));
        check(r#"["kms:CreateGrant","ec2:StartInstances","ec2:StopInstances"]"#, Some("schedulers"));
        check(r#""*""#, None);
        check(r#"["iam:PassRole","dynamodb:GetItem"]"#, None);
        check(r#""kms:CreateGrant""#, None);
    }

    #[test]
    fn every_action_of_every_purpose_exists() {
        for name in PURPOSES.iter().flat_map(|purpose| purpose.actions) {
            assert_eq!(service_table::action(name).map(service_table::name).as_deref(), Some(*name));
        }
    }
}
