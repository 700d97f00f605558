//! What the conditions of a role's statement take away from it.

use super::sensitivity::is_baseline_policy;
use crate::{
    Context,
    conditions::{self, Limit, Side, WantedTag},
    document::{Condition, Statement, Version},
};

/// How one condition names what is acted on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Scoping<'d> {
    /// By a tag, which the role may be able to set.
    Tag(WantedTag<'d>),
    /// By names that start with something; with those of other statements they may be all that there are.
    Named {
        /// The condition's key.
        key: &'d str,
        /// Those that have a wildcard, without what every name of the kind has.
        patterns: Vec<String>,
    },
    /// By what nothing else that the role may do changes.
    Fixed,
}

/// What the conditions leave of a grant.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ConditionScope<'d> {
    /// They ask for a key that is never sent, or for a time that has passed: nothing is granted.
    pub(super) dead: bool,
    /// They name what is acted on, by tag, by boundary, by policy: the grant is not broad in effect.
    pub(super) scoped: bool,
    /// How they do, one by one.
    pub(super) by: Vec<Scoping<'d>>,
    /// They name where the call comes from.
    pub(super) limited: bool,
    /// The organisation of what is acted on is fixed.
    pub(super) within_organization: bool,
    /// The namespace that metrics are put into is fixed.
    pub(super) within_namespace: bool,
    /// The only services a role may be passed to.
    pub(super) passed_to: Option<Vec<&'d str>>,
}

impl<'d> ConditionScope<'d> {
    pub(super) fn read(statement: &'d Statement<'_>, version: Version, context: &Context) -> Self {
        if statement.conditions.is_empty() {
            return Self::default();
        }
        let conditions = &statement.conditions;
        let is_source = |limit: &Limit<'_>| match limit {
            // A role's own account, organisation and ARN are a fact about the role and no limit to it.
            Limit::Accounts { of, .. } | Limit::Organizations { of, .. } => *of == Side::Source,
            Limit::Sources { bucket, .. } => !bucket,
            Limit::Addresses(_) | Limit::Networks(_) => true,
            // Conditions of an Allow are never the last two.
            Limit::Identities(_) | Limit::Services | Limit::OneOf(_) => false,
        };
        let fixed = |key: &str| {
            conditions.iter().find(|condition| {
                condition.key.eq_ignore_ascii_case(key) && conditions::is_fixed_text(condition, version)
            })
        };
        let mut by: Vec<Scoping<'d>> = conditions
            .iter()
            .filter_map(|condition| {
                let own = || own_tag(condition, version).filter(|_| context.lambda_alone_assumes);
                scoping(condition, version).or_else(|| own().map(Scoping::Tag))
            })
            .collect();
        // A new share of RAM has whatever name the caller gives it, so that the name alone limits nothing; beside a tag
        // it still does where the role sets the tag
        // (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsresourceaccessmanagerram.html).
        if !by.is_empty() && fixed("ram:ResourceShareName").is_some() {
            by.push(Scoping::Fixed);
        }
        Self {
            dead: conditions::never_sent(statement, None).is_some() || conditions::is_over(statement),
            scoped: !by.is_empty(),
            by,
            limited: conditions::limits(conditions, version).iter().any(is_source),
            within_organization: fixed("aws:ResourceOrgID").is_some(),
            within_namespace: fixed("cloudwatch:namespace").is_some(),
            passed_to: fixed("iam:PassedToService").map(|condition| condition.values.iter().collect()),
        }
    }

    /// Whether nothing broad is left.
    pub(super) fn is_nothing_broad(&self) -> bool {
        self.dead || self.scoped
    }

    /// Whether a role may be passed to this service.
    pub(super) fn may_pass_to(&self, service: &str) -> bool {
        match &self.passed_to {
            None => true,
            Some(services) => services.iter().any(|name| without_partition(name).eq_ignore_ascii_case(service)),
        }
    }
}

/// China's service principals may end in `.cn`.
fn without_partition(service: &str) -> &str {
    service.strip_suffix(".cn").unwrap_or(service)
}

/// The tag of `aws:ResourceTag/team`, `ec2:ResourceTag/team`, and of S3's own name for it.
fn resource_tag(key: &str) -> Option<&str> {
    let (_, rest) = key.split_once(':')?;
    ["ResourceTag/", "ExistingObjectTag/"].iter().find_map(|name| {
        let (start, tag) = rest.split_at_checked(name.len())?;
        start.eq_ignore_ascii_case(name).then_some(tag)
    })
}

/// The tag that what is acted on must have in common with the role. Whoever assumes a role may bring tags of their own
/// along for the session (<https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html>); Lambda brings none,
/// so that the tag is the one on the role.
fn own_tag<'d>(condition: &'d Condition<'_>, version: Version) -> Option<WantedTag<'d>> {
    const OWN_TAG: &str = "${aws:PrincipalTag/";
    let own = |value: &'d str| {
        let (start, rest) = value.split_at_checked(OWN_TAG.len())?;
        let tag = rest.strip_suffix('}').filter(|_| start.eq_ignore_ascii_case(OWN_TAG))?;
        // A comma would bring a value for roles without the tag.
        (!tag.is_empty() && !tag.contains([',', '}', '$', '*', '?'])).then_some(tag)
    };
    let key = resource_tag(&condition.key)?;
    let owns = condition.values.iter().map(own).collect::<Option<Vec<_>>>()?;
    let found = version == Version::V2012 && conditions::is_positive_text(condition);
    let own = owns.first().copied().filter(|_| found)?;
    Some(WantedTag { key, values: condition.values.iter().collect(), own: Some(own) })
}

/// Keys that name what is acted on. A request without the key is refused, so the whole statement is bound by it.
fn scoping<'d>(condition: &'d Condition<'_>, version: Version) -> Option<Scoping<'d>> {
    let key = condition.key.as_ref();
    let fixed = |scopes: bool| scopes.then_some(Scoping::Fixed);
    let named = |names: Option<Vec<String>>| names.map(|patterns| Scoping::Named { key, patterns });
    let is = |name: &str| key.eq_ignore_ascii_case(name);
    let starts = |name: &str| key.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name));
    if let Some(tag) = resource_tag(key) {
        let values = condition.values.iter().collect();
        return conditions::is_fixed_text(condition, version).then_some(Scoping::Tag(WantedTag {
            key: tag,
            values,
            own: None,
        }));
    }
    if is("ec2:AuthorizedService") {
        return fixed(conditions::is_fixed_text(condition, version));
    }
    // S3 needs a pattern in the encryption context, which is the object's ARN where the bucket has no key of its own
    // (https://docs.aws.amazon.com/AmazonS3/latest/userguide/UsingKMSEncryption.html#encryption-context). An access
    // point's ARN comes with every request through it
    // (https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-policies.html).
    if starts("kms:EncryptionContext:") || is("s3:DataAccessPointArn") {
        // What one service keeps in one Region is as narrow as `kms:ViaService`.
        return named(conditions::names_things(condition, version, starts("kms:")));
    }
    if is("iam:PolicyARN") || is("iam:PermissionsBoundary") {
        // AWS has a policy for everything, so that naming one of its policies need not limit anything.
        let is_harmless = |arn: &str| match arn.split_once(":iam::aws:policy/") {
            Some((_, path)) => is_baseline_policy(path.rsplit('/').next().unwrap_or(path)),
            None => true,
        };
        return fixed(conditions::is_fixed_text(condition, version) && condition.values.iter().all(is_harmless));
    }
    if is("kms:ResourceAliases") || is("kms:RequestAlias") {
        // `alias/aws/` is how every key of AWS is called.
        let name = |value: &str| {
            let name = value.strip_prefix("alias/")?;
            Some(name.strip_prefix("aws/").unwrap_or(name).to_owned())
        };
        return named(conditions::names_by(condition, version, name));
    }
    if is("kms:ViaService") {
        // `s3.*.amazonaws.com` leaves the Region open and fixes the service.
        let fixes_service = |value: &str| {
            value.split_once('.').is_some_and(|(service, _)| !service.is_empty() && !service.contains(['*', '?', '$']))
        };
        return fixed(conditions::is_positive_text(condition) && condition.values.iter().all(fixes_service));
    }
    // A secret by itself, or by the function that rotates it: both are in every request for a secret's value
    // (https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecretsmanager.html).
    if is("secretsmanager:SecretId") || is("secretsmanager:resource/AllowRotationLambdaArn") {
        let name = |value: &str| match value.splitn(7, ':').collect::<Vec<&str>>().as_slice() {
            ["arn", .., "secret" | "function", name] => Some((*name).to_owned()),
            // By its name alone; with a wildcard it might fit every ARN.
            _ => None,
        };
        return named(conditions::names_by(condition, version, name));
    }
    // Only AWS services can use such a grant, for the resource they keep for the caller
    // (https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html).
    fixed(
        is("kms:GrantIsForAWSResource")
            && condition.operator.eq_ignore_ascii_case("Bool")
            && condition.values.iter().all(|value| value.eq_ignore_ascii_case("true"))
            && !condition.values.as_slice().is_empty(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Document, Kind};

    #[track_caller]
    fn check(condition: &str, scoped: bool, limited: bool) {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{condition}}}}}"#
        );
        let document = Document::parse(&text, Kind::Identity).unwrap();
        let narrowness = ConditionScope::read(&document.statements[0], document.version, &Context::default());
        assert_eq!((narrowness.scoped, narrowness.limited), (scoped, limited), "{condition}");
    }

    #[test]
    fn the_own_tag_scopes_where_nobody_brings_another() {
        #[track_caller]
        fn check(version: &str, condition: &str, expected: bool) {
            let text = format!(
                r#"{{"Version":"{version}","Statement":{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{condition}}}}}"#
            );
            let document = Document::parse(&text, Kind::Identity).unwrap();
            let scoped = |lambda_alone_assumes: bool| {
                let context = Context { lambda_alone_assumes, ..Context::default() };
                ConditionScope::read(&document.statements[0], document.version, &context).scoped
            };
            assert_eq!((scoped(true), scoped(false)), (expected, false), "{condition}");
        }
        let of = |operator: &str, key: &str, value: &str| format!(r#"{{"{operator}":{{"{key}":"{value}"}}}}"#);
        let now = "2012-10-17";
        check(now, &of("StringEquals", "aws:ResourceTag/till", "${aws:PrincipalTag/till}"), true);
        check(now, &of("StringEqualsIgnoreCase", "ssm:ResourceTag/till", "${AWS:principaltag/shop}"), true);
        check(now, &of("StringLike", "s3:ExistingObjectTag/till", "${aws:PrincipalTag/till}"), true);
        for other in [
            "${aws:PrincipalTag/till, '*'}",
            "${aws:PrincipalTag/till}*",
            "${aws:RequestTag/till}",
            "${aws:PrincipalTag/}",
            "*",
        ] {
            check(now, &of("StringLike", "aws:ResourceTag/till", other), false);
        }
        for operator in ["StringNotEquals", "StringEqualsIfExists", "ForAllValues:StringEquals"] {
            check(now, &of(operator, "aws:ResourceTag/till", "${aws:PrincipalTag/till}"), false);
        }
        check(now, &of("StringEquals", "aws:RequestTag/till", "${aws:PrincipalTag/till}"), false);
        check(
            now,
            r#"{"StringEquals":{"aws:ResourceTag/till":["${aws:PrincipalTag/till}","${aws:username}"]}}"#,
            false,
        );
    }

    #[test]
    fn a_grant_is_dead_when_its_condition_is_on_a_key_of_another_service() {
        #[track_caller]
        fn check(actions: &str, condition: &str, expected: Option<&str>) {
            let text = format!(
                r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":{actions},"Resource":"*","Condition":{condition}}}}}"#
            );
            let document = Document::parse(&text, Kind::Identity).unwrap();
            let scope = ConditionScope::read(&document.statements[0], document.version, &Context::default());
            assert_eq!(scope.dead, expected.is_some(), "{actions} {condition}");
            assert_eq!(conditions::never_sent(&document.statements[0], None), expected, "{actions} {condition}");
        }
        check(
            r#""s3:GetObject""#,
            r#"{"StringEquals":{"kms:ViaService":"s3.us-east-2.amazonaws.com"}}"#,
            Some("kms:ViaService"),
        );
        check(
            r#"["s3:Get*","S3:PutObject"]"#,
            r#"{"StringLike":{"dynamodb:LeadingKeys":"till"}}"#,
            Some("dynamodb:LeadingKeys"),
        );
        check(r#""iam:PassRole""#, r#"{"StringEquals":{"ec2:ResourceTag/till":"1"}}"#, Some("ec2:ResourceTag/till"));
        check(
            r#"["s3:GetObject","kms:Decrypt"]"#,
            r#"{"StringEquals":{"kms:ViaService":"s3.us-east-2.amazonaws.com"}}"#,
            None,
        );
        check(r#""*""#, r#"{"StringEquals":{"kms:ViaService":"s3.us-east-2.amazonaws.com"}}"#, None);
        check(r#""*:GetObject""#, r#"{"StringEquals":{"kms:ViaService":"s3.us-east-2.amazonaws.com"}}"#, None);
        check(r#""s3:GetObject""#, r#"{"StringEqualsIfExists":{"kms:ViaService":"s3.us-east-2.amazonaws.com"}}"#, None);
        check(
            r#""s3:GetObject""#,
            r#"{"ArnEquals":{"lambda:SourceFunctionArn":"arn:aws:lambda:us-east-2:111122223333:function:till"}}"#,
            None,
        );
        check(r#""s3:GetObject""#, r#"{"StringEquals":{"aws:ResourceTag/till":"1"}}"#, None);
        check(r#""ec2-instance-connect:SendSSHPublicKey""#, r#"{"StringEquals":{"ec2:ResourceTag/till":"1"}}"#, None);
        check(r#""s3:GetObject""#, r#"{"StringEquals":{"till:Key":"1"}}"#, None);
    }

    #[test]
    fn what_names_the_resource_scopes() {
        check(r#"{"StringEquals":{"aws:ResourceTag/team":"a"}}"#, true, false);
        check(r#"{"StringLike":{"EC2:resourcetag/team":"a"}}"#, true, false);
        check(r#"{"StringEquals":{"s3:ExistingObjectTag/public":"true"}}"#, true, false);
        check(r#"{"StringLike":{"kms:ViaService":"s3.*.amazonaws.com"}}"#, true, false);
        check(r#"{"ArnEquals":{"iam:PolicyARN":"arn:aws:iam::111122223333:policy/shop"}}"#, true, false);
        check(
            r#"{"ArnEquals":{"iam:PolicyARN":"arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole"}}"#,
            true,
            false,
        );
        check(r#"{"ArnEquals":{"iam:PolicyARN":"arn:aws:iam::aws:policy/AdministratorAccess"}}"#, false, false);
        check(r#"{"ArnLike":{"iam:PolicyARN":"arn:aws:iam::*:policy/*"}}"#, false, false);
        check(r#"{"StringEquals":{"iam:PermissionsBoundary":"arn:aws:iam::111122223333:policy/shop"}}"#, true, false);
        check(
            r#"{"StringEquals":{"iam:PermissionsBoundary":"arn:aws:iam::aws:policy/AdministratorAccess"}}"#,
            false,
            false,
        );
        check(r#"{"ForAnyValue:StringLike":{"kms:ResourceAliases":"alias/shop-*"}}"#, true, false);
        check(r#"{"ForAnyValue:StringLike":{"kms:ResourceAliases":["alias/shop","alias/*"]}}"#, false, false);
        check(r#"{"ForAllValues:StringLike":{"kms:ResourceAliases":"alias/shop"}}"#, false, false);
        check(r#"{"Bool":{"kms:GrantIsForAWSResource":"true"}}"#, true, false);
        check(r#"{"StringLike":{"aws:ResourceTag/team":"*"}}"#, false, false);
        check(r#"{"StringEquals":{"aws:ResourceTag/team":"${aws:PrincipalTag/team}"}}"#, false, false);
        check(r#"{"StringNotEquals":{"aws:ResourceTag/team":"a"}}"#, false, false);
        check(r#"{"StringEqualsIfExists":{"aws:ResourceTag/team":"a"}}"#, false, false);
        check(r#"{"StringLike":{"kms:ViaService":"*.amazonaws.com"}}"#, false, false);
        check(r#"{"StringEquals":{"aws:RequestTag/team":"a"}}"#, false, false);
        check(r#"{"StringEquals":{"aws:ResourceAccount":"111122223333"}}"#, false, false);
    }

    #[test]
    fn the_secret_of_a_rotation_function_scopes() {
        let rotates = "secretsmanager:resource/AllowRotationLambdaArn";
        let turns = "arn:aws:lambda:eu-west-1:111122223333:function:turn-keys";
        let secret = "arn:aws:secretsmanager:eu-west-1:111122223333:secret:shop/db-a1B2c3";
        for (operator, key, value, scoped) in [
            ("StringEquals", rotates, turns, true),
            ("StringEquals", "SecretsManager:Resource/allowrotationlambdaarn", turns, true),
            ("ArnEquals", rotates, turns, true),
            ("StringLike", rotates, "arn:*:lambda:*:*:function:turn-keys", true),
            ("ArnLike", rotates, "arn:aws:lambda:*:111122223333:function:turn-*", true),
            ("StringEquals", "secretsmanager:SecretId", secret, true),
            ("StringLike", "secretsmanager:SecretId", "arn:aws:secretsmanager:*:*:secret:shop/*", true),
            ("StringEquals", "secretsmanager:SecretId", "shop/db", true),
            ("StringLike", "secretsmanager:SecretId", "a*", false),
            ("StringLike", rotates, "*", false),
            ("ArnLike", rotates, "arn:aws:lambda:*:*:function:*", false),
            ("StringLike", rotates, "arn:aws:lambda:eu-west-1:111122223333:*", false),
            ("StringLike", "secretsmanager:SecretId", "arn:aws:secretsmanager:*:111122223333:secret:*", false),
            ("StringLike", "secretsmanager:SecretId", "?*", false),
            ("StringNotEquals", rotates, turns, false),
            ("StringEqualsIfExists", rotates, turns, false),
            ("ForAllValues:StringEquals", rotates, turns, false),
            ("StringEquals", rotates, "${aws:PrincipalTag/rotates}", false),
            ("StringEquals", "secretsmanager:VersionStage", "AWSPENDING", false),
        ] {
            check(&format!(r#"{{"{operator}":{{"{key}":"{value}"}}}}"#), scoped, false);
        }
    }

    #[test]
    fn what_names_the_source_limits() {
        check(r#"{"StringEquals":{"aws:SourceVpce":"vpce-1"}}"#, false, true);
        check(r#"{"IpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#, false, true);
        check(r#"{"IpAddress":{"aws:SourceIp":"0.0.0.0/0"}}"#, false, false);
        // A fact about the role itself.
        check(r#"{"StringEquals":{"aws:PrincipalOrgID":"o-exampleorgid"}}"#, false, false);
        check(r#"{"StringEquals":{"aws:PrincipalAccount":"111122223333"}}"#, false, false);
        check(r#"{"Bool":{"aws:SecureTransport":"true"}}"#, false, false);
    }

    #[test]
    fn what_names_a_thing_by_a_fixed_start_scopes() {
        for (key, fixed, loose) in [
            ("kms:EncryptionContext:aws:s3:arn", "arn:aws:s3:::till-archive/*", "arn:aws:s3:::*"),
            ("kms:EncryptionContext:aws:s3:arn", "arn:aws:s3:::till-*", "arn:aws:s3*"),
            ("KMS:EncryptionContext:tenant", "tui-*", "*"),
            (
                "kms:EncryptionContext:SecretARN",
                "arn:aws:secretsmanager:*:111122223333:secret:till-*",
                "arn:aws:secretsmanager:*:111122223333:secret:*",
            ),
            (
                "kms:EncryptionContext:aws:lambda:FunctionArn",
                "arn:aws:lambda:*:*:function:till",
                "arn:aws:lambda:*:*:*",
            ),
            (
                "kms:EncryptionContext:aws:logs:arn",
                "arn:aws:logs:us-east-2:111122223333:*",
                "arn:aws:logs:*:111122223333:*",
            ),
            (
                "kms:EncryptionContext:aws:logs:arn",
                "arn:aws:logs:us-east-2:111122223333:log-group:*",
                "arn:aws:logs:us-east-2:*:*",
            ),
            (
                "s3:DataAccessPointArn",
                "arn:aws:s3:us-east-1:111122223333:accesspoint/till",
                "arn:aws:s3:us-east-1:111122223333:accesspoint/*",
            ),
            ("s3:DataAccessPointArn", "arn:aws:s3:*:111122223333:accesspoint/till-*", "*"),
        ] {
            let with = |operator: &str, value: &str| format!(r#"{{"{operator}":{{"{key}":{value}}}}}"#);
            check(&with("StringLike", &format!("\"{fixed}\"")), true, false);
            check(&with("ForAnyValue:StringLike", &format!("[\"{fixed}\"]")), true, false);
            check(&with("StringLike", &format!("\"{loose}\"")), false, false);
            check(&with("StringLike", &format!("[\"{fixed}\",\"{loose}\"]")), false, false);
            for operator in ["StringNotLike", "StringLikeIfExists", "ForAllValues:StringLike", "Null"] {
                check(&with(operator, &format!("\"{fixed}\"")), false, false);
            }
            check(&with("StringLike", "\"${aws:PrincipalTag/x}\""), false, false);
        }
        // One letter is a name, the alphabet is not.
        let letters: Vec<String> = ('b'..='z').chain('0'..='9').map(|letter| format!("\"{letter}*\"")).collect();
        let among = |count: usize| {
            format!(r#"{{"StringLike":{{"kms:EncryptionContext:tenant":[{}]}}}}"#, letters[..count].join(","))
        };
        check(&among(1), true, false);
        check(&among(9), true, false);
        check(&among(10), false, false);
        check(&among(35), false, false);
        // What an ARN may start with is none.
        check(r#"{"StringLike":{"kms:EncryptionContext:aws:s3:arn":"ar*"}}"#, false, false);
    }

    #[test]
    fn an_alias_of_one_key_scopes() {
        for fixed in ["alias/aws/kinesis", "alias/aws/ssm", "alias/till", "alias/till-*"] {
            check(&format!(r#"{{"ForAnyValue:StringLike":{{"kms:ResourceAliases":"{fixed}"}}}}"#), true, false);
            check(&format!(r#"{{"ForAnyValue:StringEquals":{{"kms:ResourceAliases":["{fixed}"]}}}}"#), true, false);
        }
        for loose in ["alias/*", "*", "alias/${aws:PrincipalTag/x}", "alias/?*"] {
            check(&format!(r#"{{"ForAnyValue:StringLike":{{"kms:ResourceAliases":"{loose}"}}}}"#), false, false);
        }
        // Every key of AWS.
        check(r#"{"ForAnyValue:StringLike":{"kms:ResourceAliases":"alias/aws/*"}}"#, false, false);
    }

    #[test]
    fn most_of_the_internet_is_no_place_to_come_from() {
        check(r#"{"IpAddress":{"aws:SourceIp":["64.0.0.0/3","8.0.0.0/8"]}}"#, false, false);
        check(r#"{"IpAddress":{"aws:SourceIp":"32.0.0.0/4"}}"#, false, true);
        check(r#"{"ForAnyValue:StringLike":{"aws:SourceOrgPaths":"o-exampleorgid/r-pq12/*"}}"#, false, true);
    }
}
