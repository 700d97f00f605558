//! Managed policies of AWS that a template names by their ARN. Their documents are not in it.

/// What is known about one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AwsManaged<'a> {
    /// What it grants, as far as the rules ask for it.
    Document(&'a str, &'static str),
    /// It is made for functions and grants no more than writing logs, metrics, traces and network interfaces.
    Harmless,
    /// Its document would have to be read.
    Unknown(&'a str),
}

/// The policies that are known by nature: what they grant is what they are for
/// (<https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html>).
const DOCUMENTS: [(&str, &str); 3] = [
    ("AdministratorAccess", r#"{"Statement":{"Effect":"Allow","Action":"*","Resource":"*"}}"#),
    (
        "PowerUserAccess",
        r#"{"Statement":{"Effect":"Allow","NotAction":["iam:*","organizations:*","account:*"],"Resource":"*"}}"#,
    ),
    ("IAMFullAccess", r#"{"Statement":{"Effect":"Allow","Action":"iam:*","Resource":"*"}}"#),
];

const HARMLESS: [&str; 10] = [
    "service-role/AWSLambdaBasicExecutionRole",
    "service-role/AWSLambdaBasicDurableExecutionRolePolicy",
    "service-role/AWSLambdaDynamoDBExecutionRole",
    "service-role/AWSLambdaKinesisExecutionRole",
    "service-role/AWSLambdaMSKExecutionRole",
    "service-role/AWSLambdaSQSQueueExecutionRole",
    "service-role/AWSLambdaVPCAccessExecutionRole",
    "AWSXRayDaemonWriteAccess",
    "AWSXrayWriteOnlyAccess",
    "CloudWatchLambdaInsightsExecutionRolePolicy",
];

/// What an ARN names, if it is one of a managed policy of AWS: `arn:aws:iam::aws:policy/AdministratorAccess`.
pub(crate) fn policy(arn: &str) -> Option<AwsManaged<'_>> {
    let (_, name) = arn.strip_prefix("arn:")?.split_once(":iam::aws:policy/")?;
    Some(by_name(name))
}

/// The same by name alone, as AWS SAM takes it.
pub(crate) fn by_name(name: &str) -> AwsManaged<'_> {
    let is_it = |known: &&str| known.rsplit('/').next() == name.rsplit('/').next();
    match DOCUMENTS.iter().find(|(known, _)| is_it(known)) {
        Some((_, document)) => AwsManaged::Document(name, document),
        None if HARMLESS.iter().any(is_it) => AwsManaged::Harmless,
        None => AwsManaged::Unknown(name),
    }
}
