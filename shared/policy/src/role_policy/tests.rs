//! What a role may do that it should not, and what a narrowing leaves of its policies.

use super::*;
use crate::Kind;
use serde_json::{Value, json};
use std::collections::BTreeSet;

fn context() -> Context {
    Context::of_account("111122223333".parse().unwrap())
}

fn policy(statements: Value) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

fn shown(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| format!("{} {} {}", finding.id, finding.severity, finding.at)).collect()
}

/// The findings of one policy.
#[track_caller]
fn check(statements: Value, expected: &[&str]) {
    let text = policy(statements);
    let findings = judge(&Document::parse(&text, Kind::Identity).unwrap(), &context());
    assert_eq!(shown(&findings), expected, "{text}");
}

fn allow(action: Value, resource: Value) -> Value {
    json!({"Effect": "Allow", "Action": action, "Resource": resource})
}

fn under(action: &str, condition: Value) -> Value {
    json!({"Effect": "Allow", "Action": action, "Resource": "*", "Condition": condition})
}

#[test]
fn everything_is_admin_however_it_is_written() {
    let admin: &[&str] = &["wildcard-admin critical Statement[0]"];
    for action in [json!("*"), json!(["*"]), json!("*:*"), json!("**"), json!(["s3:GetObject", "*:?*"])] {
        check(allow(action, json!("*")), admin);
    }
    for resource in ["**", "?*", "*:*", "arn:*"] {
        let text = policy(allow(json!("*"), json!(resource)));
        let findings = judge(&Document::parse(&text, Kind::Identity).unwrap(), &context());
        assert!(findings.iter().any(|finding| finding.severity == Severity::Critical), "{resource}");
    }
    let letters: Vec<String> = ('a'..='z').map(|letter| format!("{letter}*")).collect();
    check(allow(json!(letters), json!("*")), admin);
    // Spread over statements: the widest one stands for all.
    let text = policy(json!([allow(json!(letters[..5]), json!("*")), allow(json!(letters[5..]), json!("*"))]));
    let findings = judge(&Document::parse(&text, Kind::Identity).unwrap(), &context());
    assert!(shown(&findings).contains(&"wildcard-admin critical Statement[1]".to_owned()));
    // Nothing lowers it.
    check(under("*", json!({"StringEquals": {"aws:SourceVpce": "vpce-1"}})), admin);
    check(allow(json!("*"), json!("arn:aws:s3:::bucket")), &[]);
    check(json!({"Effect": "Deny", "Action": "*", "Resource": "*"}), &[]);
}

/// The account is the own one however it is written, and a pattern of accounts is one that fits.
#[test]
fn an_account_that_is_written_otherwise_hides_nothing() {
    let found = |context: &Context, account: &str, role: &str| {
        let resource = json!(format!("arn:aws:iam::{account}:role/{role}"));
        let text = policy(allow(json!("iam:AttachRolePolicy"), resource));
        let findings = judge(&Document::parse(&text, Kind::Identity).unwrap(), context);
        findings.iter().any(|finding| finding.severity >= Severity::High)
    };
    for account in ["${aws:PrincipalAccount}", "${AWS:principalaccount}", "${aws:ResourceAccount}", "*"] {
        assert!(found(&context(), account, "*"), "{account}");
        assert!(found(&Context::default(), account, "*"), "{account}");
        assert!(!found(&context(), account, "shop"), "{account}");
    }
    for account in ["1*", "*3", "????????????", "11112222333?", "444455556666"] {
        assert!(found(&Context::default(), account, "*"), "{account}");
    }
    // Nobody's account, and not in the place of an account.
    assert!(!found(&Context::default(), "1234*567890123", "*"));
    check(allow(json!("s3:GetObject"), json!("arn:aws:s3:::logs-${aws:PrincipalAccount}/*")), &[]);
}

#[test]
fn not_action_and_not_resource() {
    let except =
        |actions: Value, resource: &str| json!({"Effect": "Allow", "NotAction": actions, "Resource": resource});
    check(except(json!("iam:*"), "*"), &["wildcard-not-action critical Statement[0]"]);
    check(except(json!(["iam:*", "organizations:*"]), "arn:*"), &["wildcard-not-action critical Statement[0]"]);
    check(except(json!("s3:DeleteBucket"), "arn:aws:s3:::bucket"), &["wildcard-not-action info Statement[0]"]);
    check(
        json!({"Effect": "Allow", "Action": "*", "NotResource": "arn:aws:s3:::bucket"}),
        &["wildcard-admin critical Statement[0]", "wildcard-not-resource critical Statement[0]"],
    );
    check(json!({"Effect": "Deny", "NotAction": "s3:*", "NotResource": "arn:aws:s3:::bucket"}), &[]);
}

#[test]
fn not_resource_is_as_serious_as_what_it_grants() {
    let except = |actions: Value| json!({"Effect": "Allow", "Action": actions, "NotResource": "arn:aws:s3:::shop/*"});
    check(except(json!("s3:ListBucket")), &["wildcard-not-resource info Statement[0]"]);
    check(
        except(json!(["ec2:CreateTags", "logs:PutLogEvents"])),
        &[
            "wildcard-write low Statement[0]",
            "wildcard-write info Statement[0]",
            "wildcard-not-resource low Statement[0]",
        ],
    );
    check(
        except(json!("sns:AddPermission")),
        &["wildcard-permissions medium Statement[0]", "wildcard-not-resource medium Statement[0]"],
    );
    check(
        except(json!("s3:GetObject")),
        &["wildcard-data-read high Statement[0]", "wildcard-not-resource high Statement[0]"],
    );
    check(
        except(json!("lambda:UpdateFunctionCode")),
        &[
            "wildcard-write low Statement[0]",
            "privilege-escalation critical Statement[0]",
            "wildcard-not-resource high Statement[0]",
        ],
    );
    let nothing = json!({"Effect": "Allow", "Action": "s3:GetObject", "NotResource": "*"});
    check(nothing, &[]);
}

#[test]
fn passing_and_assuming_roles() {
    check(allow(json!("iam:PassRole"), json!("*")), &["wildcard-pass-role high Statement[0]"]);
    check(allow(json!("IAM:passrole"), json!("arn:aws:iam::*:role/*")), &["wildcard-pass-role high Statement[0]"]);
    check(allow(json!("iam:PassRole"), json!("arn:aws:iam::111122223333:role/app-*")), &[]);
    check(
        under("iam:PassRole", json!({"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}})),
        &["wildcard-pass-role medium Statement[0]"],
    );
    for open in [
        json!({"StringLike": {"iam:PassedToService": "*"}}),
        json!({"StringEqualsIfExists": {"iam:PassedToService": "lambda.amazonaws.com"}}),
        json!({"Bool": {"aws:SecureTransport": "true"}}),
    ] {
        check(under("iam:PassRole", open), &["wildcard-pass-role high Statement[0]"]);
    }
    check(allow(json!("sts:AssumeRole"), json!("*")), &["wildcard-assume-role high Statement[0]"]);
    check(
        under("sts:AssumeRole", json!({"StringEquals": {"aws:ResourceOrgID": "o-exampleorgid"}})),
        &["wildcard-assume-role medium Statement[0]"],
    );
    check(allow(json!("sts:AssumeRole"), json!("arn:aws:iam::111122223333:role/app")), &[]);
}

#[test]
fn reading_data() {
    for action in [
        "secretsmanager:GetSecretValue",
        "ssm:GetParameter",
        "ssm:GetParameters*",
        "kms:Decrypt",
        "s3:GetObject",
        "dynamodb:Scan",
    ] {
        check(allow(json!(action), json!("*")), &["wildcard-data-read high Statement[0]"]);
    }
    check(
        under("kms:Decrypt", json!({"StringEquals": {"kms:ViaService": "s3.eu-west-1.amazonaws.com"}})),
        &["wildcard-data-read medium Statement[0]"],
    );
    check(
        under("secretsmanager:GetSecretValue", json!({"StringEquals": {"aws:ResourceTag/team": "shop"}})),
        &["wildcard-data-read medium Statement[0]"],
    );
    check(allow(json!("s3:GetObject"), json!("arn:aws:s3:::bucket/*")), &[]);
    check(
        allow(json!("s3:GetObject"), json!(["arn:aws:s3:::bucket/*", "arn:aws:s3:::*"])),
        &["wildcard-data-read high Statement[0]"],
    );
}

#[test]
fn a_rotation_function_keeps_its_secrets() {
    // What SAM's policy template AWSSecretsManagerRotationPolicy grants
    // (https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/serverless-policy-template-list.html).
    let mut rotate = allow(
        json!(["secretsmanager:DescribeSecret", "secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"]),
        json!("arn:aws:secretsmanager:eu-west-1:111122223333:secret:*"),
    );
    let function = "arn:aws:lambda:eu-west-1:111122223333:function:turn-keys";
    rotate["Condition"] = json!({"StringEquals": {"secretsmanager:resource/AllowRotationLambdaArn": function}});
    let random = allow(json!("secretsmanager:GetRandomPassword"), json!("*"));
    check(json!([rotate, random]), &["wildcard-data-read medium Statement[0]", "wildcard-write low Statement[0]"]);
    rotate["Condition"] = json!({"StringLike": {"secretsmanager:resource/AllowRotationLambdaArn": "arn:aws:lambda:*"}});
    check(json!(rotate), &["wildcard-data-read high Statement[0]", "wildcard-write low Statement[0]"]);
}

#[test]
fn whole_services() {
    check(allow(json!("polly:*"), json!("*")), &["wildcard-service medium Statement[0]"]);
    let ids = |statements: Value| -> Vec<String> {
        let text = policy(statements);
        shown(&judge(&Document::parse(&text, Kind::Identity).unwrap(), &context()))
    };
    for service in [
        "iam",
        "sts",
        "organizations",
        "kms",
        "secretsmanager",
        "ssm",
        "lambda",
        "s3",
        "dynamodb",
        "ec2",
        "cloudformation",
        "sso",
    ] {
        let found = ids(allow(json!(format!("{service}:*")), json!("*")));
        assert!(found.contains(&"wildcard-sensitive-service high Statement[0]".to_owned()), "{service}: {found:?}");
    }
    let found = ids(allow(json!("s3:?*"), json!("arn:aws:s3:::*")));
    assert!(found.contains(&"wildcard-sensitive-service high Statement[0]".to_owned()), "{found:?}");
    check(allow(json!("s3:*"), json!(["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"])), &[]);
}

#[test]
fn other_rules() {
    check(allow(json!("s3:PutBucketPolicy"), json!("*")), &["wildcard-permissions high Statement[0]"]);
    check(allow(json!("lambda:InvokeFunction"), json!("*")), &["wildcard-invoke medium Statement[0]"]);
    check(
        allow(json!("lambda:InvokeFunction"), json!("arn:aws:lambda:*:*:function:*")),
        &["wildcard-invoke medium Statement[0]"],
    );
    check(allow(json!("sns:Publish"), json!("*")), &["wildcard-write low Statement[0]"]);
    check(allow(json!("logs:PutLogEvents"), json!("*")), &["wildcard-write info Statement[0]"]);
    // Nothing to scope it to, and nothing it changes.
    check(allow(json!("ec2:DescribeInstances"), json!("*")), &[]);
    check(allow(json!("s3:ListBucket"), json!("*")), &[]);
}

#[test]
fn what_is_not_known_grants_nothing_and_is_worth_a_note() {
    let note: &[&str] = &["wildcard-permissions info Statement[0]"];
    for misspelt in
        ["s3:GetObjects", "s3:MadeUpToday", "s3:PutObject;s3:GetObject", "lamda:Invoke*", "s3-Get", "dynamo:*Item"]
    {
        check(allow(json!(misspelt), json!("*")), note);
    }
    check(allow(json!(["newservice:Do", "newservice:Undo*"]), json!("*")), note);
    // It may be one that AWS has added since.
    check(allow(json!("newservice:*"), json!("*")), &["wildcard-service low Statement[0]"]);
    check(allow(json!("newservice:Do"), json!("arn:aws:newservice:*:*:thing/*")), &[]);
    check(allow(json!("newservice:Do"), json!("arn:aws:newservice:*:*:*")), note);
    check(allow(json!("newservice:Do"), json!("arn:aws:newservice:eu-west-1:111122223333:thing/a")), &[]);
    // It changes nothing about what stands beside it.
    check(
        allow(json!(["s3:GetObjects", "s3:GetObject"]), json!("*")),
        &["wildcard-data-read high Statement[0]", note[0]],
    );
    // Whitespace matches nothing, known or not.
    check(allow(json!([" iam:PassRole", "newservice:Do ", "s3:Get Object"]), json!("*")), &[]);
    check(
        json!([allow(json!("newservice:Do"), json!("*")),
            {"Effect": "Deny", "Action": "newservice:*", "Resource": "*"}]),
        &[],
    );
}

#[test]
fn whitespace_in_an_action_matches_nothing() {
    for action in [" iam:PassRole", "iam:PassRole ", "iam: PassRole", "iam:Pass Role", "\tiam:*", "* ", " *"] {
        check(allow(json!(action), json!("*")), &[]);
        let denied =
            json!([allow(json!("iam:PassRole"), json!("*")), {"Effect": "Deny", "Action": action, "Resource": "*"}]);
        check(denied, &["wildcard-pass-role high Statement[0]"]);
    }
}

#[test]
fn not_action_on_one_service_is_looked_at_action_by_action() {
    let text = policy(json!({"Effect": "Allow", "NotAction": "s3:GetObject", "Resource": "arn:aws:iam::*:*"}));
    let found = shown(&judge(&Document::parse(&text, Kind::Identity).unwrap(), &context()));
    assert!(found.contains(&"privilege-escalation critical Statement[0]".to_owned()), "{found:?}");
    assert!(found.contains(&"wildcard-pass-role high Statement[0]".to_owned()), "{found:?}");
}

#[test]
fn a_condition_that_names_a_policy_of_aws_hides_no_escalation() {
    let attach = |key: &str, arn: &str| under("iam:AttachRolePolicy", json!({"ArnEquals": {key: arn}}));
    for key in ["iam:PolicyARN", "iam:PermissionsBoundary"] {
        check(
            attach(key, "arn:aws:iam::aws:policy/AdministratorAccess"),
            &["wildcard-permissions high Statement[0]", "privilege-escalation critical Statement[0]"],
        );
        check(attach(key, "arn:aws:iam::111122223333:policy/shop"), &["wildcard-permissions medium Statement[0]"]);
    }
}

#[test]
fn what_gives_nobody_a_permission_is_a_write_or_nothing() {
    check(
        allow(json!(["ec2:CreateNetworkInterfacePermission", "kms:RevokeGrant"]), json!("*")),
        &["wildcard-write low Statement[0]"],
    );
    check(allow(json!("glue:GetQuery"), json!("*")), &[]);
    check(allow(json!("backup:ListIndexedRecoveryPointsForSearch"), json!("*")), &[]);
    // Taking away a policy takes away its Denies.
    check(allow(json!("s3:DeleteBucketPolicy"), json!("*")), &["wildcard-permissions high Statement[0]"]);
    check(allow(json!("kms:CreateGrant"), json!("*")), &["wildcard-permissions high Statement[0]"]);
    check(
        under("kms:CreateGrant", json!({"Bool": {"kms:GrantIsForAWSResource": "true"}})),
        &["wildcard-permissions medium Statement[0]"],
    );
}

#[test]
fn only_an_unconditional_deny_of_everything_takes_away() {
    let pass = allow(json!("iam:PassRole"), json!("*"));
    let deny = |action: &str, resource: &str, condition: Value| json!({"Effect": "Deny", "Action": action, "Resource": resource, "Condition": condition});
    check(json!([pass, deny("iam:*", "*", json!({}))]), &[]);
    check(json!([deny("IAM:Pass*", "*", json!({})), pass]), &[]);
    check(json!([pass, {"Effect": "Deny", "NotAction": "s3:*", "Resource": "*"}]), &[]);
    let open: &[&str] = &["wildcard-pass-role high Statement[0]"];
    check(json!([pass, deny("iam:*", "arn:aws:iam::111122223333:role/admin", json!({}))]), open);
    check(json!([pass, deny("iam:*", "*", json!({"Bool": {"aws:SecureTransport": "false"}}))]), open);
    check(json!([pass, deny("s3:*", "*", json!({}))]), open);
    check(json!([pass, {"Effect": "Deny", "Action": "iam:*", "NotResource": "arn:aws:iam::111122223333:*"}]), open);
}

#[test]
fn every_documented_path_is_found_when_broad_and_not_when_scoped() {
    for route in ROUTES.iter() {
        let names: Vec<String> = route.needs.iter().map(|action| service_table::name(*action)).collect();
        let escalates = |statements: Value| {
            let text = policy(statements);
            judge(&Document::parse(&text, Kind::Identity).unwrap(), &context())
                .iter()
                .any(|finding| finding.id == FindingId::PrivilegeEscalation)
        };
        assert!(escalates(allow(json!(names), json!("*"))), "{names:?}");
        let apart: Vec<Value> = names.iter().map(|name| allow(json!(name), json!("*"))).collect();
        assert!(escalates(json!(apart)), "{names:?}");
        let fixed = "arn:aws:iam::111122223333:role/app";
        assert!(!escalates(allow(json!(names), json!(fixed))), "{names:?}");
        // One step on something fixed closes the way.
        let mut scoped = apart;
        scoped[0]["Resource"] = json!(fixed);
        if names.len() > 1 && !names.contains(&"sts:AssumeRole".to_owned()) {
            let alone: Vec<&Value> = scoped[1..].iter().collect();
            assert_eq!(escalates(json!(scoped)), escalates(json!(alone)), "{names:?}");
        }
    }
}

#[test]
fn a_role_passed_to_one_service_does_not_help_with_another() {
    let with = |service: &str| {
        json!([
            under("iam:PassRole", json!({"StringEquals": {"iam:PassedToService": service}})),
            allow(json!(["lambda:CreateFunction", "lambda:InvokeFunction"]), json!("*")),
        ])
    };
    let others = [
        "wildcard-pass-role medium Statement[0]",
        "wildcard-invoke medium Statement[1]",
        "wildcard-write low Statement[1]",
    ];
    check(with("ec2.amazonaws.com"), &others);
    let [pass, rest @ ..] = others;
    check(with("lambda.amazonaws.com"), &[&[pass, "privilege-escalation critical Statement[0]"], &rest[..]].concat());
}

#[test]
fn a_command_needs_an_instance_and_a_document() {
    let critical: &[&str] = &["wildcard-write low Statement[0]", "privilege-escalation critical Statement[0]"];
    let write: &[&str] = &["wildcard-write low Statement[0]"];
    let any_instance = "arn:aws:ec2:*:*:instance/*";
    let send = |resources: Value| allow(json!("ssm:SendCommand"), resources);
    check(send(json!("*")), critical);
    check(send(json!([any_instance, "arn:aws:ssm:*:*:document/*"])), critical);
    // What AWS's own documents run is what the caller says.
    check(send(json!([any_instance, "arn:aws:ssm:eu-west-1::document/AWS-RunShellScript"])), critical);
    check(send(json!([any_instance, "arn:aws:ssm:*:*:document/AWS-Run*"])), critical);
    check(json!([send(json!(any_instance)), send(json!("arn:aws:ssm:*::document/AWS-RunShellScript"))]), critical);
    // A document of one's own does what it was written for.
    check(send(json!([any_instance, "arn:aws:ssm:*:111122223333:document/deploy-shop"])), write);
    check(send(json!("arn:aws:ssm:*:*:document/*")), write);
    check(send(json!(["arn:aws:ec2:*:*:instance/i-1", "arn:aws:ssm:*:*:document/*"])), write);
    // A session needs no document.
    check(allow(json!("ssm:StartSession"), json!(any_instance)), critical);
    check(allow(json!("ssm:StartSession"), json!("arn:aws:ssm:*:*:document/*")), write);
}

#[test]
fn conditions_that_name_the_resource_scope_an_escalation() {
    check(
        under(
            "iam:PutRolePolicy",
            json!({"ArnEquals": {"iam:PermissionsBoundary": "arn:aws:iam::111122223333:policy/b"}}),
        ),
        &["wildcard-permissions medium Statement[0]"],
    );
    let open: &[&str] = &["wildcard-permissions medium Statement[0]", "privilege-escalation critical Statement[0]"];
    check(under("iam:PutRolePolicy", json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}})), open);
    check(
        under("iam:PutRolePolicy", json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}})),
        &["wildcard-permissions high Statement[0]", "privilege-escalation critical Statement[0]"],
    );
}

#[test]
fn a_role_is_judged_as_a_whole_and_within_its_boundary() {
    let one = policy(allow(json!("iam:PassRole"), json!("*")));
    let two = policy(allow(json!(["lambda:CreateFunction", "lambda:InvokeFunction"]), json!("*")));
    let parse = |text: &'static str| Document::parse(text, Kind::Identity).unwrap();
    let (one, two): (&'static str, &'static str) = (one.leak(), two.leak());
    let (one, two) = (parse(one), parse(two));
    let check = |boundary: Option<&str>, expected: &[(usize, &str)]| {
        let boundary = boundary.map(|text| Document::parse(text, Kind::Identity).unwrap());
        let found: Vec<(usize, String)> = judge_role(&[&two, &one], boundary.as_ref(), &context())
            .iter()
            .map(|found| (found.policy, format!("{} {}", found.finding.id, found.finding.severity)))
            .collect();
        let expected: Vec<(usize, String)> =
            expected.iter().map(|(policy, text)| (*policy, (*text).to_owned())).collect();
        assert_eq!(found, expected);
    };
    let invoke = [(0, "wildcard-invoke medium"), (0, "wildcard-write low")];
    let pass = [(1, "wildcard-pass-role high"), (1, "privilege-escalation critical")];
    check(None, &[invoke, pass].concat());
    check(Some(&policy(allow(json!("*"), json!("*")))), &[invoke, pass].concat());
    check(Some(&policy(allow(json!("lambda:*"), json!("*")))), &invoke);
    check(Some(&policy(allow(json!("*"), json!("arn:aws:s3:::bucket")))), &[]);
    check(
        Some(&policy(json!([allow(json!("*"), json!("*")), {"Effect": "Deny", "Action": "iam:*", "Resource": "*"}]))),
        &invoke,
    );
}

/// A role, its attached policy and its boundary, and Warden's own.
fn known() -> Itself {
    let own = |arn: &str| arn.to_owned();
    Itself {
        arn: Some(own("arn:aws:iam::111122223333:role/shop/orders")),
        names: BTreeSet::new(),
        policies: [own("arn:aws:iam::111122223333:policy/shop-data"), own("arn:aws:iam::aws:policy/ReadOnlyAccess")]
            .into(),
        boundary: Some(own("arn:aws:iam::111122223333:policy/limits")),
        warden: [
            own("arn:aws:dynamodb:eu-west-1:111122223333:table/w-ledger"),
            own("arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555"),
            own("arn:aws:secretsmanager:*:111122223333:secret:warden/*"),
            own("arn:aws:lambda:eu-west-1:111122223333:function:w-role-guard"),
        ]
        .into(),
    }
}

#[track_caller]
fn check_known(statements: Value, escalates: bool) {
    let text = policy(statements);
    let document = Document::parse(&text, Kind::Identity).unwrap();
    let found = judge_known_role(&[&document], None, &known(), &context());
    let critical: Vec<&RoleFinding> =
        found.iter().filter(|found| found.finding.severity == Severity::Critical).collect();
    assert_eq!(critical.len(), usize::from(escalates), "{text}: {found:?}");
    assert!(critical.iter().all(|found| found.finding.id == FindingId::PrivilegeEscalation));
}

#[test]
fn a_role_that_may_write_its_own_policies_escalates() {
    let role = "arn:aws:iam::111122223333:role/shop/orders";
    for action in
        ["iam:PutRolePolicy", "iam:AttachRolePolicy", "iam:Put*", "iam:*", "iam:DeleteRolePermissionsBoundary"]
    {
        check_known(allow(json!(action), json!(role)), true);
    }
    for resource in [
        "arn:aws:iam::111122223333:role/shop/*",
        "arn:aws:iam::*:role/shop/ord*",
        "arn:aws:iam::111122223333:role/*/orders",
    ] {
        check_known(allow(json!("iam:PutRolePolicy"), json!(["arn:aws:iam::111122223333:role/else", resource])), true);
    }
    for (action, resource) in [
        ("iam:PutRolePolicy", "arn:aws:iam::111122223333:role/shop/prices"),
        ("iam:PutRolePolicy", "arn:aws:iam::111122223333:role/orders"),
        ("iam:PutRolePolicy", "arn:aws:iam::999999999999:role/shop/orders"),
        ("iam:GetRolePolicy", role),
        ("iam:PassRole", role),
        ("iam:TagRole", role),
    ] {
        check_known(allow(json!(action), json!(resource)), false);
    }
    let mut bounded = allow(json!("iam:AttachRolePolicy"), json!(role));
    bounded["Condition"] = json!({"ArnEquals": {"iam:PolicyARN": "arn:aws:iam::111122223333:policy/shop-data"}});
    check_known(bounded, false);
    let deny = |resource: &str| json!({"Effect": "Deny", "Action": "iam:Put*", "Resource": resource});
    check_known(json!([allow(json!("iam:PutRolePolicy"), json!(role)), deny("arn:aws:iam::*:role/shop/*")]), false);
    check_known(json!([allow(json!("iam:PutRolePolicy"), json!(role)), deny("arn:aws:iam::*:role/else")]), true);
    // Nothing is known of a role by its policies alone.
    check(allow(json!("iam:PutRolePolicy"), json!(role)), &[]);
}

#[test]
fn a_role_that_may_rewrite_a_policy_that_it_has_escalates() {
    for policy in ["shop-data", "shop-*", "*-data", "limits", "lim???"] {
        let arn = format!("arn:aws:iam::111122223333:policy/{policy}");
        check_known(allow(json!("iam:CreatePolicyVersion"), json!(arn)), true);
        check_known(allow(json!(["iam:GetPolicy", "iam:SetDefaultPolicyVersion"]), json!(arn)), true);
        check_known(allow(json!("iam:DeletePolicyVersion"), json!(arn)), false);
    }
    check_known(allow(json!("iam:CreatePolicyVersion"), json!("arn:aws:iam::111122223333:policy/ci-*")), false);
    check_known(allow(json!("iam:CreatePolicyVersion"), json!("arn:aws:iam::aws:policy/Read*")), false);
}

#[test]
fn what_is_wardens_is_in_nobody_elses_hands() {
    for (action, resource) in [
        ("dynamodb:PutItem", "arn:aws:dynamodb:eu-west-1:111122223333:table/w-ledger"),
        ("dynamodb:*", "arn:aws:dynamodb:*:*:table/w-*"),
        ("kms:GenerateMac", "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555"),
        ("secretsmanager:PutSecretValue", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:warden/*"),
        ("secretsmanager:Delete*", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:warden/orders-a1B2c3"),
        ("secretsmanager:UpdateSecret", "arn:aws:secretsmanager:*:*:secret:w*"),
        ("lambda:InvokeFunction", "arn:aws:lambda:eu-west-1:111122223333:function:w-role-guard"),
        ("lambda:UpdateFunctionCode", "arn:aws:lambda:*:111122223333:function:w-*"),
    ] {
        check_known(allow(json!(action), json!(resource)), true);
    }
    for (action, resource) in [
        // Reading harms nothing, and a function reads its own secret.
        ("dynamodb:GetItem", "arn:aws:dynamodb:eu-west-1:111122223333:table/w-ledger"),
        ("secretsmanager:GetSecretValue", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:warden/orders-a1B2c3"),
        ("kms:VerifyMac", "arn:aws:kms:eu-west-1:111122223333:key/11111111-2222-3333-4444-555555555555"),
        ("secretsmanager:PutSecretValue", "arn:aws:secretsmanager:eu-west-1:111122223333:secret:orders/*"),
        ("lambda:InvokeFunction", "arn:aws:lambda:eu-west-1:111122223333:function:orders"),
        // On everything it is what other rules say it is.
        ("dynamodb:PutItem", "*"),
        ("dynamodb:PutItem", "arn:aws:dynamodb:*:111122223333:table/*"),
        ("lambda:InvokeFunction", "arn:aws:lambda:*:*:function:*"),
    ] {
        check_known(allow(json!(action), json!(resource)), false);
    }
}

/// `arn:aws:iam::111122223333:role/a*`, and so on through some letters.
fn each(before: &str, letters: std::ops::RangeInclusive<char>, after: &str) -> Vec<String> {
    letters.map(|letter| format!("{before}{letter}{after}")).collect()
}

#[test]
fn patterns_that_add_up_to_everything_are_everything() {
    let roles = "arn:aws:iam::111122223333:role/";
    let pass: &[&str] = &["wildcard-pass-role high Statement[0]"];
    check(allow(json!("iam:PassRole"), json!(each(roles, 'a'..='z', "*"))), pass);
    check(allow(json!("iam:PassRole"), json!(each("arn:aws:iam::*:role/", 'A'..='Z', "*"))), pass);
    check(allow(json!("iam:PassRole"), json!(each("arn:aws:iam::*:role/*", 'a'..='j', ""))), pass);
    check(allow(json!("iam:PassRole"), json!(each("*", 'a'..='z', ""))), pass);
    check(allow(json!("iam:PassRole"), json!(each("*ole/", 'a'..='z', "*"))), pass);
    // A quarter of the letters, digits and the dash is ten of them.
    check(allow(json!("iam:PassRole"), json!(each(roles, 'a'..='j', "*"))), pass);
    check(allow(json!("iam:PassRole"), json!(each(roles, 'a'..='i', "*"))), &[]);
    check(allow(json!("iam:PassRole"), json!(each(roles, 'a'..='a', "*"))), &[]);
    check(
        allow(json!("iam:PassRole"), json!([vec![format!("{roles}a*"); 40], vec![format!("{roles}b*")]].concat())),
        &[],
    );
    // Names that begin alike are one application's.
    check(allow(json!("iam:PassRole"), json!(each(&format!("{roles}shop-"), 'a'..='z', "*"))), &[]);
    check(allow(json!("iam:PassRole"), json!(each("arn:aws:iam::999999999999:role/", 'a'..='z', "*"))), &[]);
    check(allow(json!("iam:PassRole"), json!(each("arn:aws:s3:::", 'a'..='z', "*"))), &[]);
    // One length is few names, all of them are all.
    let lengths = |longest: usize| (1..=longest).map(|many| format!("{roles}{}", "?".repeat(many))).collect::<Vec<_>>();
    check(allow(json!("iam:PassRole"), json!(lengths(64))), pass);
    check(allow(json!("iam:PassRole"), json!(lengths(4))), &[]);
    // In other services, whose names stand in one or two places.
    check(
        allow(json!("s3:GetObject"), json!(each("arn:aws:s3:::", 'a'..='z', "*"))),
        &["wildcard-data-read high Statement[0]"],
    );
    check(
        allow(json!("s3:GetObject"), json!(each("arn:aws:s3:::", 'a'..='z', "*/*"))),
        &["wildcard-data-read high Statement[0]"],
    );
    check(allow(json!("s3:GetObject"), json!(each("arn:aws:s3:::shop-data/", 'a'..='z', "*"))), &[]);
    check(
        allow(
            json!("secretsmanager:Get*"),
            json!(each("arn:aws:secretsmanager:*:111122223333:secret:", 'a'..='p', "*")),
        ),
        &["wildcard-data-read high Statement[0]"],
    );
    check(
        allow(json!("lambda:*"), json!(each("arn:aws:lambda:eu-west-1:111122223333:function:", 'a'..='z', "*"))),
        &[
            "wildcard-permissions high Statement[0]",
            "wildcard-invoke medium Statement[0]",
            "wildcard-write low Statement[0]",
            "privilege-escalation critical Statement[0]",
        ],
    );
    // What is not serious on everything is not in parts.
    check(allow(json!("sqs:SendMessage"), json!(each("arn:aws:sqs:eu-west-1:111122223333:", 'a'..='z', "*"))), &[]);
}

/// Of a name that AWS gives, one digit has sixteen values: four of them are a quarter.
#[test]
fn patterns_of_given_names_add_up_sooner() {
    let read: &[&str] = &["wildcard-data-read high Statement[0]"];
    let keys = "arn:aws:kms:eu-west-1:111122223333:key/";
    let decrypt = |resources: Vec<String>, expected: &[&str]| {
        check(allow(json!("kms:Decrypt"), json!(resources)), expected);
    };
    decrypt(each(keys, '0'..='7', "*"), read);
    decrypt(each(keys, 'c'..='f', "*"), read);
    decrypt(each(keys, '0'..='2', "*"), &[]);
    decrypt(each(keys, '0'..='0', "*"), &[]);
    decrypt(each(keys, '0'..='3', "???????-????-????-????-????????????"), read);
    decrypt(each(keys, '0'..='3', "???????-????-????-????-???????????"), &[]);
    decrypt(each(&format!("{keys}*-"), '0'..='3', "???-*"), read);
    // No digits.
    decrypt(each(keys, 'g'..='n', "*"), &[]);
    let pairs = |first: char| each(&format!("{keys}{first}"), '0'..='9', "*").into_iter();
    let tens: Vec<String> = ('0'..='6').flat_map(pairs).collect();
    decrypt(tens.clone(), read);
    decrypt(tens[..60].to_vec(), &[]);
    let volumes = |start: &str, letters| each(&format!("arn:aws:ec2:*:*:volume/vol-{start}"), letters, "*");
    for (start, letters, expected) in [
        ("0", '0'..='3', "critical"),
        ("0", '0'..='2', "none"),
        // None that is given starts so.
        ("", '1'..='9', "none"),
        ("0a", '0'..='9', "none"),
    ] {
        let resources = volumes(start, letters);
        let instances: Vec<String> =
            resources.iter().map(|volume| volume.replace("volume/vol-", "instance/i-")).collect();
        assert_eq!(
            worst(&allow(json!("ec2-instance-connect:SendSSHPublicKey"), json!(instances))),
            expected,
            "{start}"
        );
        assert_eq!(worst(&allow(json!("ec2-instance-connect:SendSSHPublicKey"), json!(resources))), "none");
    }
    // A role's name has no digits of that kind.
    check(allow(json!("iam:PassRole"), json!(each("arn:aws:iam::*:role/", '0'..='7', "*"))), &[]);
}

#[test]
fn patterns_add_up_over_the_whole_role() {
    let half = |letters| {
        policy(allow(json!(["iam:AttachRolePolicy", "iam:GetRole"]), json!(each("arn:aws:iam::*:role/", letters, "*"))))
    };
    let parse = |text: &'_ str| -> Document<'static> {
        Document::parse(Box::leak(text.to_owned().into_boxed_str()), Kind::Identity).unwrap()
    };
    let (one, two) = (parse(&half('a'..='f')), parse(&half('g'..='m')));
    let found = |policies: &[&Document<'_>], boundary: Option<&Document<'_>>| -> Vec<String> {
        let found = judge_role(policies, boundary, &context());
        found.iter().map(|found| format!("{} {} {}", found.policy, found.finding.id, found.finding.severity)).collect()
    };
    let both = [
        "0 wildcard-permissions high",
        "0 privilege-escalation critical",
        "1 wildcard-permissions high",
        "1 privilege-escalation critical",
    ];
    assert_eq!(found(&[&one, &two], None), both);
    assert_eq!(found(&[&one], None), [""; 0]);
    // A boundary adds up likewise.
    let all = parse(&policy(allow(json!("*"), json!("*"))));
    assert_eq!(found(&[&one, &two], Some(&all)), both);
    let attach = parse(&policy(allow(json!("iam:AttachRolePolicy"), json!("*"))));
    let pieces = parse(&policy(allow(json!("iam:*"), json!(each("arn:aws:iam::*:role/", 'a'..='z', "*")))));
    let open = ["0 wildcard-permissions high", "0 privilege-escalation critical"];
    assert_eq!(found(&[&attach], Some(&pieces)), open);
    assert_eq!(found(&[&attach], Some(&one)), [""; 0]);
    // A Deny takes it away, and a condition scopes it.
    let deny = parse(&policy(json!({"Effect": "Deny", "Action": "iam:Attach*", "Resource": "*"})));
    assert_eq!(found(&[&one, &two, &deny], None), [""; 0]);
    let mut tagged = allow(
        json!("secretsmanager:GetSecretValue"),
        json!(each("arn:aws:secretsmanager:*:*:secret:", 'a'..='z', "*")),
    );
    tagged["Condition"] = json!({"StringEquals": {"aws:ResourceTag/team": "shop"}});
    check(tagged, &["wildcard-data-read medium Statement[0]"]);
}

/// What a Deny spares is all that is left of a grant on everything.
#[test]
fn a_deny_of_all_but_a_few_leaves_the_few() {
    let deny = |actions: Value, spared: Value| json!({"Effect": "Deny", "Action": actions, "NotResource": spared});
    let read = || allow(json!("s3:GetObject"), json!("*"));
    let open: &[&str] = &["wildcard-data-read high Statement[0]"];
    let till = json!(["arn:aws:s3:::till", "arn:aws:s3:::till/*"]);
    for actions in [json!("s3:*"), json!(["s3:Get*"]), json!("*")] {
        check(json!([read(), deny(actions.clone(), till.clone())]), &[]);
        check(json!([read(), deny(actions.clone(), json!("arn:aws:s3:::till-*/*"))]), &[]);
        // What it spares is every object.
        check(json!([read(), deny(actions, json!(["arn:aws:s3:::till", "arn:aws:s3:::*"]))]), open);
    }
    check(json!([read(), {"Effect": "Deny", "NotAction": "sqs:*", "NotResource": till}]), &[]);
    check(json!([allow(json!("*"), json!("*")), deny(json!("*"), till.clone())]), &[]);
    // Of another action, under a condition, with many patterns, and without what it does not name.
    check(json!([read(), deny(json!("s3:PutObject"), till.clone())]), open);
    let mut outside = deny(json!("s3:*"), till.clone());
    outside["Condition"] = json!({"StringNotEquals": {"aws:SourceVpc": "vpc-1"}});
    check(json!([read(), outside]), open);
    check(json!([read(), deny(json!("s3:*"), json!(each("arn:aws:s3:::", 'a'..='z', "*")))]), open);
    check(json!([allow(json!(["s3:GetObject", "kms:Decrypt"]), json!("*")), deny(json!("s3:*"), till.clone())]), open);
    // A path through what is left leads nowhere.
    let pass = json!([
        allow(json!(["iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"]), json!("*")),
        deny(json!("iam:PassRole"), json!("arn:aws:iam::111122223333:role/till"))
    ]);
    assert_eq!(worst(&pass), "medium");
}

#[test]
fn policy_variables_are_not_wildcards() {
    check(allow(json!("s3:GetObject"), json!("arn:aws:s3:::${aws:PrincipalTag/bucket}/*")), &[]);
    let old = r#"{"Statement":{"Effect":"Allow","Action":"s3:GetObject","Resource":"arn:aws:s3:::${*}*"}}"#;
    assert_eq!(judge(&Document::parse(old, Kind::Identity).unwrap(), &context()).len(), 0);
}

#[test]
fn a_message_names_a_few_and_says_what_would_do() {
    let text = policy(allow(
        json!(["s3:GetObject", "kms:Decrypt", "dynamodb:Scan", "dynamodb:Query", "ssm:GetParameter"]),
        json!("*"),
    ));
    let findings = judge(&Document::parse(&text, Kind::Identity).unwrap(), &context());
    assert_eq!(findings[0].message, "`s3:GetObject`, `kms:Decrypt`, `dynamodb:Scan` and 2 more on every resource");
}

#[test]
fn an_arn_is_offered_where_it_works_for_every_action() {
    let own = "arn:aws:SERVICE:REGION:111122223333";
    let check = |actions: Value, expected: Option<&str>| {
        let text = policy(allow(actions.clone(), json!("*")));
        let findings = judge(&Document::parse(&text, Kind::Identity).unwrap(), &context());
        let offered = findings.iter().find_map(|found| {
            found.message.split_once(" on every resource; ")?.1.strip_suffix(" would be narrow enough")
        });
        let of = |service: &str, rest: &str| format!("{}:{rest}", own.replace("SERVICE", service));
        let expected = expected.map(|expected| {
            let each = expected.split(" and ").map(|one| one.split_once(' ').map_or(one.to_owned(), |(s, r)| of(s, r)));
            each.collect::<Vec<_>>().join(" and ")
        });
        assert_eq!(offered, expected.as_deref(), "{actions}: {findings:?}");
    };
    check(json!("sqs:SendMessage"), Some("sqs NAME"));
    check(json!(["sqs:SendMessage", "sqs:PurgeQueue"]), Some("sqs NAME"));
    check(json!("secretsmanager:GetSecretValue"), Some("secretsmanager secret:NAME-??????"));
    check(json!(["logs:CreateLogStream", "logs:PutLogEvents"]), Some("logs log-group:NAME:log-stream:NAME"));
    // Each type that it requires.
    check(json!("ec2:AssociateRouteTable"), None);
    check(json!("ec2:AttachVolume"), Some("ec2 instance/NAME and ec2 volume/NAME"));
    // The actions differ.
    check(json!(["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]), None);
    check(json!(["sqs:SendMessage", "sqs:PurgeQueue", "sqs:UntagQueue", "sqs:TagQueue", "sns:Publish"]), None);
    // Which types they require depends on the call.
    for open in ["ssm:SendCommand", "batch:SubmitJob", "ec2:CreateNetworkInterface", "cloudwatch:PutMetricData"] {
        check(json!(open), None);
    }
}

#[test]
fn the_best_known_way_is_named_first_and_the_others_are_counted() {
    let shown = |actions: Value| {
        let text = policy(allow(actions, json!("*")));
        let findings = judge(&Document::parse(&text, Kind::Identity).unwrap(), &context());
        let found = findings.into_iter().find(|found| found.id == FindingId::PrivilegeEscalation).unwrap();
        found.message.split(", see").next().unwrap().to_owned()
    };
    let gamelift = "gamelift:GetComputeAccess";
    assert_eq!(shown(json!([gamelift])), format!("leads to more permissions: {gamelift}"));
    assert_eq!(
        shown(json!([gamelift, "glue:UpdateDevEndpoint"])),
        "leads to more permissions: glue:UpdateDevEndpoint and 1 more way"
    );
    assert_eq!(
        shown(json!([gamelift, "gamelift:GetInstanceAccess", "lambda:UpdateFunctionCode"])),
        "leads to more permissions: lambda:UpdateFunctionCode and 2 more ways"
    );
}

#[test]
fn what_speaks_for_others_or_ends_protection_is_no_nuisance() {
    for action in [
        "cognito-idp:AdminSetUserPassword",
        "kms:Sign",
        "cloudtrail:StopLogging",
        "guardduty:DeleteDetector",
        "config:StopConfigurationRecorder",
        "securityhub:DisableSecurityHub",
        "macie2:DisableMacie",
        "account:CloseAccount",
        "organizations:CloseAccount",
    ] {
        check(allow(json!(action), json!("*")), &["wildcard-permissions medium Statement[0]"]);
    }
    check(allow(json!("kms:Sign"), json!("arn:aws:kms:eu-west-1:111122223333:key/0123abcd")), &[]);
}

#[test]
fn metrics_of_one_namespace_are_narrow() {
    let put = |condition: Value| json!({"Effect": "Allow", "Action": "cloudwatch:PutMetricData", "Resource": "*", "Condition": condition});
    let namespace = |value: &str| json!({"cloudwatch:namespace": value});
    check(put(json!({"StringEquals": namespace("Till")})), &[]);
    for open in [
        json!({"StringLike": namespace("*")}),
        json!({"StringNotEquals": namespace("AWS/Lambda")}),
        json!({"StringEqualsIfExists": namespace("Till")}),
        json!({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}),
    ] {
        check(put(open), &["wildcard-write low Statement[0]"]);
    }
}

#[test]
fn nothing_hides_behind_patterns_written_to_be_slow() {
    let slow: Vec<String> = (0..4_000).map(|nth| format!("*:*a*{nth}*e*")).collect();
    let pass = allow(json!("iam:PassRole"), json!("*"));
    let high = |statements: Value| {
        let text = policy(statements);
        let findings = judge(&Document::parse(&text, Kind::Identity).unwrap(), &context());
        findings.iter().any(|finding| finding.severity >= Severity::High)
    };
    assert!(high(json!([{"Effect": "Deny", "Action": slow, "Resource": "*"}, pass])));
    assert!(high(json!([{"Effect": "Deny", "NotAction": slow, "Resource": "*"}, pass])));
    assert!(high(json!([allow(json!(slow), json!("*")), pass])));
    assert!(high(json!([{"Effect": "Allow", "NotAction": slow, "Resource": "*"}])));
}

mod rewrite {
    use super::*;
    use crate::rewrite::EditKind;

    fn narrowed(statements: &Value, baseline: Option<Value>) -> crate::Narrowed {
        let text = policy(statements.clone());
        let mut findings = judge(&Document::parse(&text, Kind::Identity).unwrap(), &context());
        findings.retain(|finding| finding.severity >= Severity::High);
        let role = RoleTexts { policies: &[&text], boundary: None, itself: None };
        narrow(role, 0, &findings, baseline.map(policy).as_deref(), &context()).unwrap()
    }

    #[track_caller]
    fn check(statements: Value, baseline: Option<Value>, expected: Value, edits: &[(usize, EditKind)]) {
        let result = narrowed(&statements, baseline);
        let left = result.document.map_or(Value::Null, |document| document["Statement"].clone());
        assert_eq!(left, expected, "{statements}");
        let done: Vec<_> = result.edits.iter().map(|edit| (edit.index, edit.kind)).collect();
        assert_eq!(done, edits);
    }

    #[test]
    fn the_actions_at_fault_go_and_the_rest_stays() {
        let replaced = &[(0, EditKind::Replaced)];
        check(
            json!([allow(json!(["s3:GetObject", "logs:PutLogEvents", "iam:PassRole"]), json!("*"))]),
            None,
            json!([allow(json!(["logs:PutLogEvents"]), json!("*"))]),
            replaced,
        );
        check(
            json!([allow(json!(["*", "logs:PutLogEvents"]), json!("*"))]),
            None,
            json!([allow(json!(["logs:PutLogEvents"]), json!("*"))]),
            replaced,
        );
        check(json!([allow(json!("s3:*"), json!("*"))]), None, Value::Null, &[(0, EditKind::Removed)]);
    }

    #[test]
    fn for_named_resources_they_stay() {
        check(
            json!([allow(json!("s3:*"), json!(["arn:aws:s3:::bucket/*", "*"]))]),
            None,
            json!([allow(json!("s3:*"), json!(["arn:aws:s3:::bucket/*"]))]),
            &[(0, EditKind::Replaced)],
        );
        let mut mixed = allow(json!(["s3:GetObject", "logs:PutLogEvents"]), json!(["arn:aws:s3:::bucket/*", "*"]));
        mixed["Sid"] = json!("App");
        let mut rest = mixed.clone();
        rest["Action"] = json!(["logs:PutLogEvents"]);
        let mut named = mixed.clone();
        named["Sid"] = json!("AppNamed1");
        named["Action"] = json!(["s3:GetObject"]);
        named["Resource"] = json!(["arn:aws:s3:::bucket/*"]);
        check(json!([mixed]), None, json!([rest, named]), &[(0, EditKind::Replaced)]);
    }

    #[test]
    fn a_path_closes_with_its_first_step() {
        let lambda = allow(json!(["lambda:CreateFunction", "lambda:InvokeFunction"]), json!("*"));
        check(
            json!([lambda, allow(json!(["iam:PassRole", "iam:GetRole"]), json!("*"))]),
            None,
            json!([lambda, allow(json!(["iam:GetRole"]), json!("*"))]),
            &[(1, EditKind::Replaced)],
        );
    }

    /// The actions that a document's only statement grants, whatever their resources.
    fn granted(document: &Value) -> BTreeSet<String> {
        let written = &document["Statement"][0]["Action"];
        let patterns = written.as_array().cloned().unwrap_or_else(|| vec![written.clone()]);
        let fits = |name: &str| {
            patterns.iter().any(|pattern| crate::pattern::fits_ignoring_case(pattern.as_str().unwrap(), name))
        };
        (0..service_table::ACTIONS).map(service_table::name).filter(|name| fits(name)).collect()
    }

    #[test]
    fn of_a_whole_service_only_what_is_serious_goes() {
        for service in ["rds", "ecr", "redshift", "backup", "ds", "states", "codedeploy", "eks"] {
            let pattern = format!("{service}:*");
            let before = allow(json!([pattern]), json!("*"));
            let serious = |name: &str| {
                let finding = |statements: Value| {
                    let text = policy(statements);
                    judge(&Document::parse(&text, Kind::Identity).unwrap(), &context())
                };
                // Alone, or as the step whose loss closes a path.
                let alone = finding(allow(json!(name), json!("*")));
                let is_pivot = ROUTES.iter().any(|route| route.first() == name);
                is_pivot || alone.iter().any(|finding| finding.severity >= Severity::High)
            };
            let all = granted(&json!({"Statement": [before.clone()]}));
            let expected: BTreeSet<String> = all.iter().filter(|name| !serious(name)).cloned().collect();
            let result = narrowed(&json!([before]), None).document.unwrap();
            assert_eq!(granted(&result), expected, "{service}");
            assert!(result.to_string().len() < 2_500, "{service}: {}", result.to_string().len());
        }
    }

    #[test]
    fn what_a_role_may_do_to_itself_goes_and_the_rest_stays() {
        let (own, other) = ("arn:aws:iam::111122223333:role/shop/orders", "arn:aws:iam::111122223333:role/shop/prices");
        let statement = allow(json!(["iam:PutRolePolicy", "iam:GetRole"]), json!([own, other]));
        let text = policy(json!([statement]));
        let document = Document::parse(&text, Kind::Identity).unwrap();
        let itself = known();
        let found = judge_known_role(&[&document], None, &itself, &context());
        let findings: Vec<Finding> = found.into_iter().map(|found| found.finding).collect();
        let role = RoleTexts { policies: &[&text], boundary: None, itself: Some(&itself) };
        let left = narrow(role, 0, &findings, None, &context()).unwrap().document.unwrap();
        assert_eq!(
            left["Statement"],
            json!([
                allow(json!(["iam:GetRole"]), json!([own, other])),
                allow(json!(["iam:PutRolePolicy"]), json!([other])),
            ])
        );
    }

    #[test]
    fn of_patterns_that_add_up_none_stays() {
        let roles = "arn:aws:iam::111122223333:role/";
        let resources =
            [each(roles, 'a'..='z', "*"), vec![format!("{roles}shop-worker"), format!("{roles}shop-*")]].concat();
        check(
            json!([allow(json!(["iam:PassRole", "iam:GetRole"]), json!(resources))]),
            None,
            json!([
                allow(json!(["iam:GetRole"]), json!(resources)),
                allow(json!(["iam:PassRole"]), json!([format!("{roles}shop-worker"), format!("{roles}shop-*")])),
            ]),
            &[(0, EditKind::Replaced)],
        );
    }

    #[test]
    fn a_function_keeps_its_queue() {
        // Nothing is serious about it.
        let queue = allow(json!(["sqs:*", "logs:*"]), json!("*"));
        check(json!([queue]), None, json!([queue]), &[]);
        // Of a wildcard what is serious goes, and what it names beside that stays.
        let modify = allow(json!(["ec2:ModifyI*", "sqs:*"]), json!("*"));
        let left = narrowed(&json!([modify]), None).document.unwrap();
        let left = granted(&left);
        assert!(left.contains("ec2:ModifyInstancePlacement") && left.contains("sqs:AddPermission"), "{left:?}");
        assert!(!left.contains("ec2:ModifyImageAttribute") && !left.contains("ec2:ModifyVpcAttribute"), "{left:?}");
        // A wildcard in the middle says which names it means, and takes in no others.
        let left = narrowed(&json!([allow(json!("rds:*SnapshotAttribute*"), json!("*"))]), None).document.unwrap();
        assert_eq!(
            left["Statement"][0]["Action"],
            json!(["rds:DescribeDBClusterSnapshotAttributes", "rds:DescribeDBSnapshotAttributes"])
        );
    }

    #[test]
    fn of_not_resource_the_actions_at_fault_go() {
        let except =
            |actions: Value| json!({"Effect": "Allow", "Action": actions, "NotResource": "arn:aws:s3:::shop/*"});
        check(
            json!([except(json!(["s3:GetObject", "s3:ListBucket", "logs:PutLogEvents"]))]),
            None,
            json!([except(json!(["s3:ListBucket", "logs:PutLogEvents"]))]),
            &[(0, EditKind::Replaced)],
        );
        check(json!([except(json!("*"))]), None, Value::Null, &[(0, EditKind::Removed)]);
    }

    #[test]
    fn a_whole_service_that_is_not_at_fault_stays_beside_one_that_is() {
        check(
            json!([allow(json!(["s3:*", "sqs:*", "madeup:*", "s3:Gett"]), json!("*"))]),
            None,
            json!([allow(json!(["sqs:*", "madeup:*", "s3:Gett"]), json!("*"))]),
            &[(0, EditKind::Replaced)],
        );
    }

    #[test]
    fn a_finding_that_was_not_named_does_not_go_along() {
        let statement = allow(json!(["rds:ModifyDBSnapshotAttribute", "sns:AddPermission"]), json!("*"));
        check(
            json!([statement]),
            None,
            json!([allow(json!(["sns:AddPermission"]), json!("*"))]),
            &[(0, EditKind::Replaced)],
        );
    }

    #[test]
    fn what_cannot_be_narrowed_goes_or_goes_back() {
        let own = allow(json!("s3:GetObject"), json!("arn:aws:s3:::bucket/*"));
        let not_action = json!({"Effect": "Allow", "NotAction": "iam:*", "Resource": "*"});
        check(json!([own, not_action]), None, json!([own]), &[(1, EditKind::Removed)]);
        let before = allow(json!("s3:PutObject"), json!("arn:aws:s3:::bucket/*"));
        check(json!([own, not_action]), Some(json!([own, before])), json!([own, before]), &[(1, EditKind::Restored)]);
        let result = narrowed(&json!([not_action]), Some(json!([own])));
        assert!(result.baseline_restored);
        assert_eq!(result.document.unwrap()["Statement"], json!([own]));
    }

    #[test]
    fn a_path_through_two_policies_closes_in_one() {
        let one = policy(json!([allow(json!(["lambda:CreateFunction", "lambda:InvokeFunction"]), json!("*"))]));
        let two = policy(json!([allow(json!(["iam:PassRole", "iam:GetRole"]), json!("*"))]));
        let role = RoleTexts { policies: &[&one, &two], boundary: None, itself: None };
        let parsed = [&one, &two].map(|text| Document::parse(text, Kind::Identity).unwrap());
        let findings: Vec<Finding> = judge_role(&[&parsed[0], &parsed[1]], None, &context())
            .into_iter()
            .filter(|found| found.policy == 1 && found.finding.severity >= Severity::High)
            .map(|found| found.finding)
            .collect();
        let result = narrow(role, 1, &findings, None, &context()).unwrap();
        assert_eq!(result.document.unwrap()["Statement"], json!([allow(json!(["iam:GetRole"]), json!("*"))]));
    }
}

/// The worst of what is found in a policy, by name.
fn worst(statements: &Value) -> String {
    let text = policy(statements.clone());
    let findings = judge(&Document::parse(&text, Kind::Identity).unwrap(), &context());
    findings.iter().map(|finding| finding.severity).max().map_or("none".to_owned(), |worst| worst.to_string())
}

#[track_caller]
fn check_worst(expected: &str, actions: &[&str]) {
    for action in actions {
        assert_eq!(worst(&allow(json!(action), json!("*"))), expected, "{action}");
    }
}

#[test]
fn what_administers_a_service_that_is_not_sensitive_is_reported_alone_and_within_the_whole() {
    check(allow(json!("sqs:AddPermission"), json!("*")), &["wildcard-permissions medium Statement[0]"]);
    check(allow(json!("logs:PutResourcePolicy"), json!("*")), &["wildcard-permissions medium Statement[0]"]);
    check(
        allow(json!(["sqs:SetQueueAttributes", "sns:Publish"]), json!("arn:aws:*:*:111122223333:*")),
        &["wildcard-permissions medium Statement[0]", "wildcard-write low Statement[0]"],
    );
    for service in ["logs", "sqs", "sns", "ses", "events", "cloudwatch", "xray", "firehose", "apigateway"] {
        check(allow(json!(format!("{service}:*")), json!("*")), &["wildcard-service medium Statement[0]"]);
    }
    check_worst(
        "medium",
        &["sns:Set*", "ses:*Policy", "events:Put*", "quicksight:Update*", "vpc-lattice:PutAuthPolicy"],
    );
    check(allow(json!("sqs:AddPermission"), json!("arn:aws:sqs:eu-west-1:111122223333:jobs")), &[]);
    check(allow(json!("iot:*"), json!("arn:aws:iot:eu-west-1:111122223333:topic/shop/*")), &[]);
}

#[test]
fn what_gives_data_away_is_as_serious_within_the_whole_service() {
    for (alone, whole) in [
        ("rds:ModifyDBClusterSnapshotAttribute", "rds:*"),
        ("ecr:SetRepositoryPolicy", "ecr:*"),
        ("backup:PutBackupVaultAccessPolicy", "backup:*"),
        ("redshift:AuthorizeSnapshotAccess", "redshift:*"),
        ("ds:ResetUserPassword", "ds:*"),
        ("kinesis:PutResourcePolicy", "kinesis:*"),
        ("kafka:PutClusterPolicy", "kafka:*"),
        ("acm:ExportCertificate", "acm:*"),
        ("route53domains:TransferDomainToAnotherAwsAccount", "route53domains:*"),
    ] {
        check(allow(json!(alone), json!("*")), &["wildcard-permissions high Statement[0]"]);
        let text = policy(allow(json!(whole), json!("*")));
        let found = shown(&judge(&Document::parse(&text, Kind::Identity).unwrap(), &context()));
        assert!(found.contains(&"wildcard-permissions high Statement[0]".to_owned()), "{whole}: {found:?}");
        assert!(found.contains(&"wildcard-service medium Statement[0]".to_owned()), "{whole}: {found:?}");
    }
}

#[test]
fn what_knows_no_resources_is_judged_by_what_it_gives_away() {
    check_worst(
        "medium",
        &[
            "iam:UpdateAccountPasswordPolicy",
            "iam:DeleteAccountPasswordPolicy",
            "iam:*AccountPasswordPolicy",
            "events:PutPermission",
            "ram:EnableSharingWithAwsOrganization",
            "xray:PutResourcePolicy",
            "logs:DeleteResourcePolicy",
        ],
    );
    check_worst(
        "high",
        &[
            "lakeformation:GrantPermissions",
            "s3:PutAccountPublicAccessBlock",
            "ec2:DisableSnapshotBlockPublicAccess",
            "ram:CreateResourceShare",
            "redshift-serverless:PutResourcePolicy",
            "sso-directory:AddMemberToGroup",
        ],
    );
    check_worst("none", &["iam:GetAccountPasswordPolicy", "glacier:SetDataRetrievalPolicy", "ses:ListIdentities"]);
}

#[test]
fn sharing_becoming_another_and_copying_are_seen_in_every_service() {
    check_worst(
        "high",
        &[
            "ec2:ModifyImageAttribute",
            "ec2:ModifyFpgaImageAttribute",
            "rds:ModifyDBSnapshotAttribute",
            "rds:Modify*SnapshotAttribute",
            "sso:PutInlinePolicyToPermissionSet",
            "sso:CreateAccountAssignment",
            "identitystore:CreateGroupMembership",
            "kms:ReplicateKey",
            "omics:CreateShare",
            "dsql:PutClusterPolicy",
            "organizations:MoveAccount",
            "iam:UpdateSAMLProvider",
            "iam:ResetServiceSpecificCredential",
            "rolesanywhere:UpdateTrustAnchor",
            "eks:AssociateAccessPolicy",
            "ebs:GetSnapshotBlock",
            "lightsail:DownloadDefaultKeyPair",
            "aoss:UpdateAccessPolicy",
            "codeartifact:PutDomainPermissionsPolicy",
            "cloudtrail:PutResourcePolicy",
            "mediastore:PutContainerPolicy",
            "securitylake:CreateSubscriber",
            "workdocs:AddResourcePermissions",
        ],
    );
    check_worst(
        "medium",
        &[
            "dynamodb:ExportTableToPointInTime",
            "rds:StartExportTask",
            "ec2:CreateStoreImageTask",
            "elasticache:CopySnapshot",
            "neptune-graph:StartExportTask",
            "aoss:UpdateSecurityPolicy",
            "oam:PutSinkPolicy",
            "logs:PutSubscriptionFilter",
            "ec2:CreateTrafficMirrorSession",
            "states:UpdateStateMachine",
            "athena:StartCalculationExecution",
        ],
    );
    // Making one, in the own account, of what is there.
    check_worst("low", &["rds:CreateDBSnapshot", "ec2:CreateSnapshot", "states:StartExecution", "eks:CreateNodegroup"]);
    check_worst("none", &["ebs:ListSnapshotBlocks", "rds:DescribeDBSnapshotAttributes"]);
    check(allow(json!("rds:ModifyDBSnapshotAttribute"), json!("arn:aws:rds:*:111122223333:snapshot:shop-*")), &[]);
}

#[test]
fn running_code_as_another_is_seen_in_every_service() {
    for together in [
        &["states:UpdateStateMachine", "states:StartExecution"][..],
        &["states:UpdateStateMachine", "states:StartSyncExecution"],
        &["codedeploy:CreateDeployment", "codedeploy:RegisterApplicationRevision"],
        &["eks:CreateAccessEntry", "eks:AssociateAccessPolicy"],
        &["bedrock-agentcore:InvokeAgentRuntimeCommand"],
        &["bedrock-agentcore:InvokeAgentRuntimeCommandShell"],
        &["bedrock-agentcore:StartBrowserSession", "bedrock-agentcore:ConnectBrowserAutomationStream"],
        &["codebuild:StartSandbox", "codebuild:StartCommandExecution"],
        &["ssm:CreateAssociation"],
        &["sagemaker:CreatePresignedDomainUrl"],
        &["sts:AssumeRoot"],
        &["iam:PassRole", "scheduler:CreateSchedule"],
        &["iam:PassRole", "states:CreateStateMachine", "states:StartExecution"],
        &["iam:PassRole", "elasticmapreduce:RunJobFlow"],
        &["kinesisanalytics:UpdateApplication", "kinesisanalytics:StartApplication"],
        &["sagemaker:UpdateNotebookInstanceLifecycleConfig", "sagemaker:StartNotebookInstance"],
        &["sagemaker:CreateStudioLifecycleConfig", "sagemaker:UpdateSpace"],
        &["sagemaker:UpdatePipeline", "sagemaker:StartPipelineExecution"],
        &["ec2-instance-connect:SendSSHPublicKey"],
        &["ec2-instance-connect:SendSerialConsoleSSHPublicKey"],
        &["ec2:CreateReplaceRootVolumeTask"],
        &["autoscaling:UpdateAutoScalingGroup", "ec2:CreateLaunchTemplateVersion"],
        &["ecs:ExecuteCommand"],
        &["greengrass:CreateDeployment"],
        &["gamelift:GetComputeAccess"],
        &["codebuild:UpdateProject"],
        &["cloudformation:UpdateStackSet"],
        &["airflow:UpdateEnvironment"],
        &["amplify:UpdateBranch", "amplify:StartJob"],
        &["fis:UpdateExperimentTemplate", "fis:StartExperiment"],
        &["ssm:UpdateAssociation"],
        &["ssm:UpdateDocument", "ssm:UpdateDocumentDefaultVersion"],
        &["ssm:RegisterTaskWithMaintenanceWindow"],
    ] {
        assert_eq!(worst(&allow(json!(together), json!("*"))), "critical", "{together:?}");
        let fixed = "arn:aws:iam::111122223333:role/shop";
        assert_eq!(worst(&allow(json!(together), json!(fixed))), "none", "{together:?}");
    }
    check_worst("low", &["codedeploy:CreateDeployment", "states:StartSyncExecution", "scheduler:CreateSchedule"]);
    check_worst("low", &["bedrock-agentcore:StartBrowserSession", "codebuild:StartSandbox"]);
    check_worst("low", &["kinesisanalytics:StartApplication", "sagemaker:StartNotebookInstance", "amplify:StartJob"]);
    check_worst("low", &["sagemaker:UpdateNotebookInstanceLifecycleConfig", "batch:SubmitJob", "ecs:RunTask"]);
    check_worst("low", &["ec2-instance-connect:OpenTunnel", "greengrass:CreateComponentVersion", "ssm:UpdateDocument"]);
}

/// With the service fixed that gets the role, passing any role is reported, and more only where that service runs what
/// the caller says.
#[test]
fn a_role_for_one_service_is_an_escalation_where_that_service_runs_ones_own_code() {
    let with = |service: &str, actions: &[&str]| {
        let condition = json!({"StringEquals": {"iam:PassedToService": service}});
        worst(&json!([under("iam:PassRole", condition), allow(json!(actions), json!("*"))]))
    };
    for (service, actions) in [
        ("ecs-tasks", &["ecs:RunTask"][..]),
        ("ecs-tasks", &["ecs:RegisterTaskDefinition", "ecs:UpdateService"]),
        ("ssm", &["ssm:CreateActivation"]),
        ("codepipeline", &["codepipeline:CreatePipeline"]),
        ("kinesisanalytics", &["kinesisanalytics:CreateApplication", "kinesisanalytics:StartApplication"]),
        ("sagemaker", &["sagemaker:CreateModel", "sagemaker:CreateTransformJob"]),
        ("ec2", &["autoscaling:CreateLaunchConfiguration", "autoscaling:UpdateAutoScalingGroup"]),
        ("ec2", &["ec2:AssociateIamInstanceProfile"]),
        ("emr-serverless", &["emr-serverless:StartJobRun"]),
        ("states", &["states:TestState"]),
        ("lambda", &["synthetics:CreateCanary", "synthetics:StartCanary"]),
        ("transfer", &["transfer:CreateUser"]),
        ("kafkaconnect", &["kafkaconnect:CreateConnector", "kafkaconnect:CreateCustomPlugin"]),
        ("omics", &["omics:CreateWorkflow", "omics:StartRun"]),
    ] {
        assert_eq!(with(&format!("{service}.amazonaws.com"), actions), "critical", "{service} {actions:?}");
        assert_eq!(with("rds.amazonaws.com", actions), "medium", "{service} {actions:?}");
        let first = actions.split_last().map(|(_, first)| first).unwrap();
        assert_eq!(with(&format!("{service}.amazonaws.com"), first), "medium", "{service} {first:?}");
    }
    // A task with a role that is named is what functions start.
    let role = allow(json!("iam:PassRole"), json!("arn:aws:iam::111122223333:role/resize"));
    assert_eq!(worst(&json!([role, allow(json!("ecs:RunTask"), json!("*"))])), "low");
}

#[test]
fn whoever_becomes_somebody_or_takes_a_domain_is_seen() {
    check_worst(
        "high",
        &[
            "iam:CreateSAMLProvider",
            "iam:CreateOpenIDConnectProvider",
            "iam:AddClientIDToOpenIDConnectProvider",
            "iam:UpdateOpenIDConnectProviderThumbprint",
            "iam:*OpenIDConnectProvider",
            "sso:CreateTrustedTokenIssuer",
            "organizations:AcceptHandshake",
            "acm-pca:PutPolicy",
            "ec2:GetPasswordData",
            "deadline:AssumeQueueRoleForUser",
            "datazone:GetEnvironmentCredentials",
            "workmail:ResetPassword",
            "transfer:ImportSshPublicKey",
            "account:StartPrimaryEmailUpdate",
            "route53domains:RetrieveDomainAuthCode",
            "route53domains:UpdateDomainNameservers",
            "route53domains:Transfer*",
        ],
    );
    check_worst("medium", &["route53domains:DisableDomainTransferLock", "iam:DeactivateMFADevice"]);
    // Switching on what somebody has gives nobody a new credential; making one does.
    check_worst("medium", &["iam:UpdateAccessKey", "iam:UpdateSigningCertificate", "iam:Update*Key"]);
    check_worst("high", &["iam:UploadSSHPublicKey"]);
    check_worst("critical", &["iam:CreateAccessKey", "iam:*AccessKey", "iam:*"]);
    check_worst("medium", &["rds:ModifyDBInstance", "connect:GetFederationToken"]);
    // Of one service, for an account of the own organisation; of a trained model.
    check_worst("medium", &["organizations:RegisterDelegatedAdministrator", "rekognition:PutProjectPolicy"]);
    check_worst(
        "low",
        &["iam:DeleteOpenIDConnectProvider", "route53:ChangeResourceRecordSets", "acm:ImportCertificate"],
    );
    check_worst("none", &["route53domains:RegisterDomain", "acm:GetCertificate", "ec2:GetConsoleOutput"]);
    // One certificate, one instance.
    check(allow(json!("acm:ExportCertificate"), json!("arn:aws:acm:eu-west-1:111122223333:certificate/1f2e")), &[]);
    check(allow(json!("ec2:GetPasswordData"), json!("arn:aws:ec2:*:*:instance/i-0123456789abcdef0")), &[]);
}

/// Only what gives the records away goes, so that the function keeps its stream.
#[test]
fn a_stream_stays_where_its_policy_goes() {
    let text = policy(allow(json!("kinesis:*"), json!("*")));
    let findings = judge(&Document::parse(&text, Kind::Identity).unwrap(), &context());
    let serious: Vec<Finding> = findings.into_iter().filter(|found| found.severity >= Severity::High).collect();
    let texts = RoleTexts { policies: &[&text], boundary: None, itself: None };
    let narrowed = narrow(texts, 0, &serious, None, &context()).unwrap().document.unwrap().to_string();
    let left = Document::parse(&narrowed, Kind::Identity).unwrap();
    for (action, stays) in [("PutRecord", true), ("GetRecords", true), ("PutResourcePolicy", false)] {
        let action = format!("kinesis:{action}");
        assert_eq!(left.statements.iter().any(|it| grants::selects(&it.actions, &action)), stays, "{action}");
    }
}

/// Some of a service's actions know no resource, so that its ARNs are broad for less than half of them.
#[test]
fn a_whole_service_on_its_arns_is_never_less_than_a_part_of_it() {
    let worst = |action: String, resource: String| {
        let text = policy(allow(json!(action), json!(resource)));
        let findings = judge(&Document::parse(&text, Kind::Identity).unwrap(), &context());
        findings.iter().map(|found| found.severity).max()
    };
    for service in service_table::services() {
        let name = service_table::service_name(service);
        for resource in ["*".to_owned(), format!("arn:aws:{name}:*:*:*"), format!("arn:aws:{name}:*:111122223333:*")] {
            let whole = worst(format!("{name}:*"), resource.clone());
            for action in service_table::actions_of(service).filter(|action| SENSITIVE.of(*action).is_some()) {
                let part = service_table::name(action);
                assert!(worst(part.clone(), resource.clone()) <= whole, "{part} on {resource}");
            }
        }
    }
    let found = |action: &str| worst(action.to_owned(), "arn:aws:sns:*:*:*".to_owned());
    assert_eq!((found("sns:*"), found("sns:AddPermission")), (Some(Severity::Medium), Some(Severity::Medium)));
    assert_eq!(worst("sns:*".to_owned(), "arn:aws:sns:eu-west-1:111122223333:till".to_owned()), None);
}

fn worst_of(statements: Value, context: &Context, itself: &Itself) -> Option<Severity> {
    let texts: Vec<String> = statements.as_array().unwrap().iter().map(|it| policy(it.clone())).collect();
    let documents: Vec<_> = texts.iter().map(|text| Document::parse(text, Kind::Identity).unwrap()).collect();
    let apart: Vec<&Document<'_>> = documents.iter().collect();
    let found = |documents: &[&Document<'_>]| {
        let findings = judge_known_role(documents, None, itself, context);
        findings.iter().map(|found| found.finding.severity).max()
    };
    let text = policy(statements);
    let together = Document::parse(&text, Kind::Identity).unwrap();
    assert_eq!(found(&apart), found(&[&together]), "{text}");
    found(&apart)
}

fn tagged(action: &str, key: &str) -> Value {
    under(action, json!({"StringEquals": {key: "till"}}))
}

#[test]
fn a_tag_that_the_role_may_set_limits_nothing() {
    let found = |statements: Value| worst_of(statements, &context(), &Itself::default());
    for (action, key, tagger, severity) in [
        ("iam:PutRolePolicy", "iam:ResourceTag/shop", "iam:TagRole", Severity::Critical),
        ("iam:CreateAccessKey", "aws:ResourceTag/shop", "iam:TagUser", Severity::Critical),
        ("lambda:UpdateFunctionCode", "aws:ResourceTag/shop", "lambda:TagResource", Severity::Critical),
        ("secretsmanager:GetSecretValue", "aws:ResourceTag/shop", "secretsmanager:TagResource", Severity::High),
        ("secretsmanager:GetSecretValue", "secretsmanager:ResourceTag/shop", "secretsmanager:*Tag*", Severity::High),
        ("ec2:ModifySnapshotAttribute", "ec2:ResourceTag/shop", "ec2:CreateTags", Severity::High),
        ("kms:Decrypt", "aws:ResourceTag/shop", "kms:TagResource", Severity::High),
        ("dynamodb:Scan", "aws:ResourceTag/shop", "dynamodb:TagResource", Severity::High),
        ("s3:GetObject", "s3:ExistingObjectTag/shop", "s3:PutObjectTagging", Severity::High),
        ("ssm:GetParameter", "ssm:resourceTag/shop", "ssm:AddTagsToResource", Severity::High),
        ("ssm:SendCommand", "ssm:resourceTag/shop", "ec2:CreateTags", Severity::Critical),
        ("iam:PassRole", "iam:ResourceTag/shop", "iam:TagRole", Severity::High),
        ("secretsmanager:*", "aws:ResourceTag/shop", "secretsmanager:TagResource", Severity::High),
    ] {
        let alone = found(json!([tagged(action, key)]));
        assert!(alone < Some(Severity::High), "{action} {alone:?}");
        let with = |tagging: Value| found(json!([tagged(action, key), tagging]));
        assert_eq!(with(under(tagger, json!({}))), Some(severity), "{action} with {tagger}");
        // The tagging is limited in the same way, or to other tags.
        let held = |condition: Value| {
            let severity = with(under(tagger, condition.clone()));
            assert!(severity < Some(Severity::High), "{action} {condition} {severity:?}");
        };
        let open = |condition: Value| {
            assert_eq!(with(under(tagger, condition.clone())), Some(severity), "{action} {condition}");
        };
        held(json!({"StringEquals": {"aws:ResourceTag/shop": "till"}}));
        held(json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["cost", "owner"]}}));
        held(json!({"ForAllValues:StringNotLike": {"aws:TagKeys": "sho*"}}));
        held(json!({"StringEquals": {"aws:RequestTag/shop": ["bakery", "mill"]}}));
        held(json!({"StringNotEquals": {"aws:RequestTag/Shop": "till"}}));
        held(json!({"Null": {"aws:RequestTag/shop": "true"}}));
        open(json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["cost", "shop"]}}));
        // One of the keys has to be there, others may be beside it.
        open(json!({"ForAnyValue:StringEquals": {"aws:TagKeys": ["cost"]}}));
        open(json!({"StringEquals": {"aws:RequestTag/shop": ["till", "mill"]}}));
        open(json!({"StringLike": {"aws:RequestTag/shop": "t*"}}));
        open(json!({"StringEquals": {"aws:RequestTag/cost": "1"}}));
        open(json!({"Null": {"aws:ResourceTag/shop": "true"}}));
        let deny =
            |condition: Value| json!({"Effect": "Deny", "Action": tagger, "Resource": "*", "Condition": condition});
        let denied = |condition: Value| found(json!([tagged(action, key), under(tagger, json!({})), deny(condition)]));
        if !tagger.contains('*') {
            assert!(denied(json!({})) < Some(Severity::High));
            for kept in [
                json!({"ForAnyValue:StringEquals": {"aws:TagKeys": "shop"}}),
                json!({"StringLike": {"aws:RequestTag/shop": "*"}}),
                json!({"StringNotEquals": {"aws:ResourceTag/shop": "till"}}),
            ] {
                assert!(denied(kept.clone()) < Some(Severity::High), "{action} {kept}");
            }
            for left in [
                json!({"ForAnyValue:StringEquals": {"aws:TagKeys": "cost"}}),
                json!({"StringEquals": {"aws:RequestTag/shop": "mill"}}),
                json!({"StringEquals": {"aws:ResourceTag/shop": "mill"}}),
            ] {
                assert_eq!(denied(left.clone()), Some(severity), "{action} {left}");
            }
        }
    }
    // Another kind of resource, another service, something by name, and only while it is made.
    let snapshot = || tagged("ec2:ModifySnapshotAttribute", "ec2:ResourceTag/shop");
    for tagging in [
        allow(json!("ec2:CreateTags"), json!("arn:aws:ec2:*:*:volume/*")),
        allow(json!("ec2:CreateTags"), json!("arn:aws:ec2:*:*:snapshot/snap-0123456789abcdef0")),
        allow(json!("rds:AddTagsToResource"), json!("*")),
        allow(json!("tag:TagResources"), json!("*")),
        under("ec2:CreateTags", json!({"StringEquals": {"ec2:CreateAction": "CreateSnapshot"}})),
        under(
            "ec2:CreateTags",
            json!({"StringEquals": {"ec2:Vpc": "arn:aws:ec2:eu-west-1:111122223333:vpc/vpc-1a2b"}}),
        ),
    ] {
        assert!(found(json!([snapshot(), tagging])) < Some(Severity::High), "{tagging}");
    }
    let all = allow(json!("ec2:CreateTags"), json!("arn:aws:ec2:*:*:snapshot/*"));
    assert_eq!(found(json!([snapshot(), all])), Some(Severity::High));
    // The name of a share stays a limit beside a tag, and is none alone.
    let share = |condition: Value| {
        found(json!([under("ram:AssociateResourceShare", condition), under("ram:TagResource", json!({}))]))
    };
    let (name, tag) = (json!({"ram:ResourceShareName": "till"}), json!({"aws:ResourceTag/shop": "till"}));
    let both = json!({"ram:ResourceShareName": "till", "aws:ResourceTag/shop": "till"});
    assert_eq!(share(json!({"StringEquals": both})), Some(Severity::Medium));
    assert_eq!(share(json!({"StringEquals": tag})), Some(Severity::High));
    assert_eq!(share(json!({"StringEquals": name})), Some(Severity::High));
    // Of two kinds of action only that one.
    let mixed = json!({"Effect": "Allow", "Action": ["sqs:AddPermission", "kms:Decrypt"], "Resource": "*",
        "Condition": {"StringEquals": {"aws:ResourceTag/shop": "till"}}});
    assert_eq!(found(json!([mixed.clone(), under("sqs:TagQueue", json!({}))])), Some(Severity::Medium));
    assert_eq!(found(json!([mixed, under("kms:TagResource", json!({}))])), Some(Severity::High));
}

#[test]
fn a_boundary_without_the_tagging_keeps_the_tag() {
    let texts = [
        policy(json!([tagged("iam:PutRolePolicy", "aws:ResourceTag/shop"), under("iam:TagRole", json!({}))])),
        policy(allow(json!("*"), json!("*"))),
        policy(allow(json!("iam:Put*"), json!("*"))),
    ];
    let documents: Vec<_> = texts.iter().map(|text| Document::parse(text, Kind::Identity).unwrap()).collect();
    let worst = |boundary: usize| {
        let found = judge_role(&[&documents[0]], Some(&documents[boundary]), &context());
        found.iter().map(|found| found.finding.severity).max()
    };
    assert_eq!(worst(1), Some(Severity::Critical));
    assert_eq!(worst(2), Some(Severity::Medium));
}

#[test]
fn its_own_tag_limits_no_role_that_may_set_it() {
    let own = || json!({"StringEquals": {"aws:ResourceTag/shop": "${aws:PrincipalTag/shop}"}});
    let alone = Context { lambda_alone_assumes: true, ..context() };
    let me = Itself { arn: Some("arn:aws:iam::111122223333:role/till".to_owned()), ..Itself::default() };
    let found = |tagging: Value| worst_of(json!([under("dynamodb:Scan", own()), tagging]), &alone, &me);
    let on = |resource: &str| allow(json!("iam:TagRole"), json!(resource));
    for open in [
        on("*"),
        on("arn:aws:iam::111122223333:role/*"),
        on("arn:aws:iam::111122223333:role/till"),
        under("dynamodb:TagResource", json!({})),
        under("dynamodb:TagResource", json!({"StringEquals": {"aws:RequestTag/shop": "${aws:PrincipalTag/shop}"}})),
        under("iam:TagRole", json!({"StringNotEquals": {"aws:RequestTag/shop": "mill"}})),
    ] {
        assert_eq!(found(open.clone()), Some(Severity::High), "{open}");
    }
    for held in [
        on("arn:aws:iam::111122223333:role/mill"),
        under("dynamodb:TagResource", own()),
        under("iam:TagRole", json!({"ForAllValues:StringEquals": {"aws:TagKeys": "cost"}})),
        under("iam:TagRole", json!({"StringEquals": {"aws:RequestTag/shop": "mill"}})),
        under("iam:TagUser", json!({})),
    ] {
        assert_eq!(found(held.clone()), Some(Severity::Medium), "{held}");
    }
}

#[test]
fn the_alphabet_in_a_condition_is_everything() {
    let found = |statements: Value| worst_of(statements, &context(), &Itself::default());
    let secret = |letter: char| format!("arn:aws:secretsmanager:*:111122223333:secret:{letter}*");
    let turns = |letter: char| format!("arn:aws:lambda:eu-west-1:111122223333:function:{letter}*");
    let letters: Vec<char> = ('a'..='z').chain('0'..='9').collect();
    let like = |key: &str, values: Value| under("secretsmanager:GetSecretValue", json!({"StringLike": {key: values}}));
    let (id, rotates) = ("secretsmanager:SecretId", "secretsmanager:resource/AllowRotationLambdaArn");
    for (key, name) in [(id, &secret as &dyn Fn(char) -> String), (rotates, &turns)] {
        let names = |many: usize| -> Vec<String> { letters.iter().take(many).map(|letter| name(*letter)).collect() };
        for (many, severity) in
            [(1, Severity::Medium), (9, Severity::Medium), (10, Severity::High), (36, Severity::High)]
        {
            assert_eq!(found(json!([like(key, json!(names(many)))])), Some(severity), "{key} {many}");
            let apart: Vec<Value> = names(many).iter().map(|name| like(key, json!(name))).collect();
            assert_eq!(found(json!(apart)), Some(severity), "{key} {many} apart");
        }
        // The same over and over is no more than once.
        let same: Vec<Value> = (0..40).map(|_| like(key, json!(name('t')))).collect();
        assert_eq!(found(json!(same)), Some(Severity::Medium));
    }
    // What is named by another condition as well stays so.
    let both: Vec<Value> = letters
        .iter()
        .map(|letter| {
            let condition =
                json!({"StringLike": {id: secret(*letter)}, "StringEquals": {"aws:ResourceTag/shop": "till"}});
            under("secretsmanager:GetSecretValue", condition)
        })
        .collect();
    assert_eq!(found(json!(both)), Some(Severity::Medium));
    // Other keys, each alone.
    let alias = |letter: &char| {
        under("kms:Decrypt", json!({"ForAnyValue:StringLike": {"kms:ResourceAliases": format!("alias/{letter}*")}}))
    };
    assert_eq!(found(json!(letters.iter().map(alias).collect::<Vec<_>>())), Some(Severity::High));
    assert_eq!(found(json!(letters.iter().take(8).map(alias).collect::<Vec<_>>())), Some(Severity::Medium));
}
