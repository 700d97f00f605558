//! What is open about resource policies, what is not, and what a narrowing leaves of them.

use super::*;
use crate::Kind;
use serde_json::{Value, json};

const OWN: &str = "111122223333";
const TRUSTED: &str = "444455556666";

fn context() -> Context {
    Context {
        account: Some(OWN.parse().unwrap()),
        organization: Some("o-exampleorgid".parse().unwrap()),
        ..Context::default()
    }
}

fn trusting() -> Context {
    Context { trusted_accounts: [TRUSTED.parse().unwrap()].into(), ..context() }
}

fn shown(findings: &[Finding]) -> Vec<String> {
    findings.iter().map(|finding| format!("{} {} {}", finding.id, finding.severity, finding.at)).collect()
}

#[track_caller]
fn check_in(context: &Context, url: UrlAuth, statements: Value, expected: &[&str]) {
    let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let document = Document::parse(&text, Kind::Resource).unwrap();
    assert_eq!(shown(&judge(&document, context, url)), expected, "{statements}");
}

#[track_caller]
fn check(statement: Value, expected: &[&str]) {
    check_in(&context(), UrlAuth::NoUrl, statement, expected);
}

fn allow(principal: Value, condition: Value) -> Value {
    json!({
        "Sid": "s", "Effect": "Allow", "Principal": principal, "Action": "lambda:InvokeFunction",
        "Resource": "arn:aws:lambda:us-east-1:111122223333:function:f", "Condition": condition
    })
}

#[test]
fn a_star_is_everybody_in_every_form() {
    for principal in [json!("*"), json!({"AWS": "*"}), json!({"AWS": ["*"]}), json!(["*"]), json!({"Service": "*"})] {
        check(allow(principal, json!({})), &["public-invoke critical Statement[0]"]);
    }
    check(allow(json!({"AWS": [OWN, "*"]}), json!({})), &["public-invoke critical Statement[0].Principal.AWS[1]"]);
    check(
        json!({"Effect": "Allow", "NotPrincipal": {"AWS": OWN}, "Action": "lambda:InvokeFunction"}),
        &["public-invoke critical Statement[0]"],
    );
}

#[test]
fn any_action_for_everybody_is_public() {
    for action in ["lambda:GetFunction", "lambda:UpdateFunctionCode", "lambda:Invoke*", "s3:GetObject"] {
        check(json!({"Effect": "Allow", "Principal": "*", "Action": action}), &["public-invoke critical Statement[0]"]);
    }
    check(json!({"Effect": "Allow", "Principal": "*", "Action": []}), &[]);
    // Whitespace matches nothing.
    check(
        json!({"Effect": "Allow", "Principal": "*", "Action": [" lambda:InvokeFunction", "lambda:* "]}),
        &["public-invoke info Statement[0]"],
    );
}

#[test]
fn a_deny_is_never_a_finding() {
    check(json!({"Effect": "Deny", "Principal": "*", "Action": "*"}), &[]);
    check(json!({"Effect": "Deny", "NotPrincipal": {"AWS": OWN}, "NotAction": "lambda:GetFunction"}), &[]);
}

/// Whoever owns the function, as a variable, is the own account and its organisation. A variable that stands for the
/// caller again limits nobody.
#[test]
fn the_owner_of_the_function_is_the_own_account_as_a_variable_too() {
    let public: &[&str] = &["public-invoke critical Statement[0]"];
    let open: &[&str] = &["open-service-principal high Statement[0]"];
    let organization: &[&str] = &["organization-invoke low Statement[0]"];
    let equals = |operator: &str, key: &str, value: Value| json!({operator: {key: value}});
    let everybody = |operator: &str, key: &str, value: &str| allow(json!("*"), equals(operator, key, json!(value)));
    let topic = |operator: &str, key: &str, value: &str| {
        allow(json!({"Service": "sns.amazonaws.com"}), equals(operator, key, json!(value)))
    };
    for operator in ["StringEquals", "StringLike", "StringEqualsIgnoreCase"] {
        check(everybody(operator, "aws:PrincipalAccount", "${aws:ResourceAccount}"), &[]);
        check(everybody(operator, "aws:ResourceAccount", "${aws:PrincipalAccount}"), &[]);
        check(everybody(operator, "aws:PrincipalOrgID", "${aws:ResourceOrgID}"), organization);
        check(everybody(operator, "aws:ResourceOrgID", "${AWS:principalorgid}"), organization);
        check(topic(operator, "aws:SourceAccount", "${aws:ResourceAccount}"), &[]);
        check(topic(operator, "aws:ResourceAccount", "${aws:SourceAccount}"), &[]);
        check(topic(operator, "aws:SourceOrgID", "${aws:ResourceOrgID}"), organization);
    }
    check(everybody("ForAnyValue:StringLike", "aws:PrincipalOrgPaths", "${aws:ResourceOrgID}/r-ab12/*"), organization);
    check(everybody("ArnLike", "aws:PrincipalArn", "arn:aws:iam::${aws:ResourceAccount}:role/*"), &[]);
    check(everybody("StringLike", "aws:PrincipalArn", "arn:aws:iam::${aws:ResourceAccount}:role/till-*"), &[]);
    check(topic("ArnLike", "aws:SourceArn", "arn:aws:sns:*:${aws:ResourceAccount}:*"), &[]);
    // With others beside it, those are strangers.
    let both = json!(["${aws:ResourceAccount}", "999999999999"]);
    check(
        allow(json!("*"), equals("StringEquals", "aws:PrincipalAccount", both)),
        &["external-invoke medium Statement[0]"],
    );
    // Where no account is known, it is still the own one.
    let document = |statement: &Value| json!({"Version": "2012-10-17", "Statement": statement}).to_string();
    let text = document(&everybody("StringEquals", "aws:PrincipalAccount", "${aws:ResourceAccount}"));
    let unknown = judge(&Document::parse(&text, Kind::Resource).unwrap(), &Context::default(), UrlAuth::NoUrl);
    assert_eq!(shown(&unknown), [""; 0]);
    for (key, value) in [
        ("aws:PrincipalAccount", "${aws:PrincipalAccount}"),
        ("aws:PrincipalAccount", "${aws:ResourceAccount, '999999999999'}"),
        ("aws:PrincipalAccount", "${aws:ResourceAccount}*"),
        ("aws:PrincipalAccount", "${aws:ResourceOrgID}"),
        ("aws:PrincipalOrgID", "${aws:PrincipalOrgID}"),
        ("aws:PrincipalOrgID", "${aws:ResourceAccount}"),
        ("aws:ResourceAccount", "${aws:ResourceAccount}"),
        ("aws:ResourceAccount", "111122223333"),
        ("aws:ResourceOrgID", "${aws:ResourceOrgID}"),
        ("aws:ResourceOrgID", "o-exampleorgid"),
        ("aws:PrincipalTag/account", "${aws:ResourceAccount}"),
    ] {
        check(everybody("StringLike", key, value), public);
    }
    for operator in ["StringNotEquals", "StringEqualsIfExists", "ForAllValues:StringEquals"] {
        check(everybody(operator, "aws:PrincipalAccount", "${aws:ResourceAccount}"), public);
    }
    check(everybody("ArnLike", "aws:PrincipalArn", "arn:aws:iam::${aws:PrincipalAccount}:role/*"), public);
    check(everybody("ArnLike", "aws:PrincipalArn", "arn:aws:iam::${aws:ResourceAccount}"), public);
    // Whoever calls is no source, and a source is nobody who calls.
    check(topic("StringEquals", "aws:PrincipalAccount", "${aws:ResourceAccount}"), open);
    check(topic("StringEquals", "aws:SourceAccount", "${aws:SourceAccount}"), open);
    check(topic("StringEquals", "aws:ResourceAccount", "${aws:PrincipalAccount}"), open);
}

#[test]
fn a_network_or_a_machine_whose_owner_is_named_limits() {
    let public: &[&str] = &["public-invoke critical Statement[0]"];
    let stranger: &[&str] = &["external-invoke medium Statement[0]"];
    let with = |operator: &str, key: &str, value: &str| allow(json!("*"), json!({operator: {key: value}}));
    check(with("StringEquals", "aws:VpceAccount", OWN), &[]);
    check(with("StringEquals", "aws:VpceAccount", "${aws:ResourceAccount}"), &[]);
    check(with("StringEquals", "aws:VpceAccount", "999999999999"), stranger);
    check(with("StringLike", "aws:VpceAccount", "9*"), public);
    check(with("StringEquals", "aws:VpceAccount", "${aws:PrincipalAccount}"), public);
    check(with("StringEquals", "aws:VpceOrgID", "o-exampleorgid"), &["organization-invoke low Statement[0]"]);
    check(
        with("ForAnyValue:StringLike", "aws:VpceOrgPaths", "o-exampleorgid/r-ab12/*"),
        &["organization-invoke low Statement[0]"],
    );
    for (key, own) in [
        ("aws:SourceVpcArn", "arn:aws:ec2:eu-west-1:111122223333:vpc/vpc-0a1b"),
        ("lambda:SourceFunctionArn", "arn:aws:lambda:eu-west-1:111122223333:function:till"),
        ("ec2:SourceInstanceARN", "arn:aws:ec2:eu-west-1:111122223333:instance/*"),
    ] {
        check(with("ArnLike", key, own), &[]);
        check(with("ArnLike", key, &own.replace(OWN, "999999999999")), stranger);
        check(with("ArnLike", key, &own.replace(OWN, "*")), public);
        check(with("ArnNotLike", key, own), public);
    }
}

#[test]
fn what_limits_everybody() {
    let everybody = |condition| allow(json!("*"), condition);
    let public: &[&str] = &["public-invoke critical Statement[0]"];
    check(everybody(json!({"StringEquals": {"aws:PrincipalAccount": OWN}})), &[]);
    check(everybody(json!({"StringEquals": {"aws:SourceAccount": OWN}})), &[]);
    check(everybody(json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/*"}})), &[]);
    check(everybody(json!({"Bool": {"aws:SecureTransport": "true"}})), public);
    check(everybody(json!({"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}})), public);
    check(everybody(json!({"StringNotEquals": {"aws:PrincipalAccount": "999999999999"}})), public);
    check(everybody(json!({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-exampleorgid"}})), public);
    check(everybody(json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/app"}})), public);
    check(everybody(json!({"IpAddress": {"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"]}})), public);
}

#[test]
fn organisations() {
    let of = |id: &str| allow(json!("*"), json!({"StringEquals": {"aws:PrincipalOrgID": id}}));
    check(of("o-exampleorgid"), &["organization-invoke low Statement[0]"]);
    check(of("o-anotherorgid"), &["external-invoke high Statement[0]"]);
    // Both hold at once: what is left is the own account.
    check(
        allow(
            json!("*"),
            json!({"StringEquals": {"aws:PrincipalOrgID": "o-anotherorgid", "aws:PrincipalAccount": OWN}}),
        ),
        &[],
    );
}

#[test]
fn accounts() {
    for own in ["111122223333", "arn:aws:iam::111122223333:root", "arn:aws:iam::111122223333:role/a/b"] {
        check(allow(json!({"AWS": own}), json!({})), &[]);
    }
    for other in ["999999999999", "arn:aws:iam::999999999999:user/m", "arn:aws:sts::999999999999:assumed-role/r/s"] {
        check(allow(json!({"AWS": other}), json!({})), &["external-invoke medium Statement[0]"]);
        check_in(
            &trusting(),
            UrlAuth::NoUrl,
            allow(json!({"AWS": other}), json!({})),
            &["external-invoke high Statement[0]"],
        );
    }
    check_in(&trusting(), UrlAuth::NoUrl, allow(json!({"AWS": TRUSTED}), json!({})), &[]);
    check(
        allow(json!({"AWS": [OWN, "999999999999", "888888888888"]}), json!({})),
        &[
            "external-invoke medium Statement[0].Principal.AWS[1]",
            "external-invoke medium Statement[0].Principal.AWS[2]",
        ],
    );
    check(
        allow(json!("*"), json!({"StringEquals": {"aws:PrincipalAccount": [OWN, "999999999999"]}})),
        &["external-invoke medium Statement[0]"],
    );
    check(
        allow(json!({"AWS": "999999999999"}), json!({"StringEquals": {"aws:PrincipalOrgID": "o-exampleorgid"}})),
        &["organization-invoke low Statement[0]"],
    );
    // An address does not make a stranger less of a stranger.
    check(
        allow(json!({"AWS": "999999999999"}), json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}})),
        &["external-invoke medium Statement[0]"],
    );
}

#[test]
fn a_deleted_principal_lets_nobody_in() {
    check(allow(json!({"AWS": "AROADBQP57FF2AEXAMPLE"}), json!({})), &["external-invoke info Statement[0]"]);
}

#[test]
fn without_an_own_account_the_resource_tells_it() {
    let nobody = Context::default();
    check_in(&nobody, UrlAuth::NoUrl, allow(json!({"AWS": OWN}), json!({})), &[]);
    check_in(
        &nobody,
        UrlAuth::NoUrl,
        allow(json!({"AWS": "999999999999"}), json!({})),
        &["external-invoke medium Statement[0]"],
    );
}

#[test]
fn service_principals() {
    let service = |name: &str, condition| allow(json!({"Service": name}), condition);
    let open: &[&str] = &["open-service-principal high Statement[0]"];
    check(service("s3.amazonaws.com", json!({})), open);
    check(
        service("events.amazonaws.com", json!({"ArnLike": {"AWS:SourceArn": "arn:aws:events:us-east-1:*:rule/r"}})),
        open,
    );
    check(service("sns.amazonaws.com", json!({"StringLike": {"AWS:SourceAccount": "*"}})), open);
    // Only the source tells whom a service works for.
    check(service("sns.amazonaws.com", json!({"StringEquals": {"aws:PrincipalAccount": OWN}})), open);
    check(service("sns.amazonaws.com", json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}})), open);
    check(service("sns.amazonaws.com", json!({"StringEquals": {"AWS:SourceAccount": OWN}})), &[]);
    check(
        service("sns.amazonaws.com", json!({"ArnLike": {"AWS:SourceArn": "arn:aws:sns:us-east-1:111122223333:*"}})),
        &[],
    );
    check(
        service("sns.amazonaws.com", json!({"StringEquals": {"AWS:SourceAccount": "999999999999"}})),
        &["external-invoke medium Statement[0]"],
    );
    check(
        service("sns.amazonaws.com", json!({"StringEquals": {"aws:SourceOrgID": "o-exampleorgid"}})),
        &["organization-invoke low Statement[0]"],
    );
    let low: &[&str] = &["open-service-principal low Statement[0]"];
    check(service("s3.amazonaws.com", json!({"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"}})), low);
    check(service("s3.amazonaws.com", json!({"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::*"}})), open);
    check(service("sns.amazonaws.com", json!({"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"}})), open);
    check(
        service(
            "s3.amazonaws.com",
            json!({"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"}, "StringEquals": {"AWS:SourceAccount": OWN}}),
        ),
        &[],
    );
    check(
        service("alexa-appkit.amazon.com", json!({"StringEquals": {"lambda:EventSourceToken": "amzn1.ask.skill.x"}})),
        &[],
    );
    check(service("alexa-appkit.amazon.com", json!({"StringLike": {"lambda:EventSourceToken": "*"}})), open);
    check(
        allow(json!({"AWS": OWN, "Service": ["s3.amazonaws.com", "sns.amazonaws.com"]}), json!({})),
        &[
            "open-service-principal high Statement[0].Principal.Service[0]",
            "open-service-principal high Statement[0].Principal.Service[1]",
        ],
    );
}

#[test]
fn the_star_of_a_source_arn_is_live() {
    // AddPermission compares its SourceArn with ArnLike, or with StringLike where it is no ARN of six fields.
    for operator in ["ArnLike", "StringLike"] {
        let with =
            |arn: &str| allow(json!({"Service": "events.amazonaws.com"}), json!({operator: {"AWS:SourceArn": arn}}));
        check(with("arn:aws:events:us-east-1:111122223333:rule/*"), &[]);
        for open in ["*", "arn:aws:events:us-east-1:*:rule/shop", "arn:aws:events:us-east-1:11112222????:rule/shop"] {
            check(with(open), &["open-service-principal high Statement[0]"]);
        }
    }
}

#[test]
fn wildcard_actions() {
    let granted = |actions: Value| json!({"Effect": "Allow", "Principal": {"AWS": OWN}, "Action": actions});
    let whole: &[&str] = &["wildcard-invoke-action high Statement[0]"];
    for action in ["*", "lambda:*", "LAMBDA:*", "**", "*:*", "lambda:?*", "l*"] {
        check(granted(json!(action)), whole);
    }
    check(granted(json!(["lambda:*"])), whole);
    check(
        granted(json!(["lambda:InvokeFunction", "lambda:*"])),
        &["wildcard-invoke-action high Statement[0].Action[1]"],
    );
    check(granted(json!(["lambda:Invoke*", "lambda:GetFunction"])), &[]);
    check(json!({"Effect": "Allow", "Principal": {"AWS": OWN}, "NotAction": "lambda:DeleteFunction"}), whole);
    // Both rules, judged separately.
    check(
        json!({"Effect": "Allow", "Principal": "*", "Action": "lambda:*"}),
        &["public-invoke critical Statement[0]", "wildcard-invoke-action high Statement[0]"],
    );
}

#[test]
fn a_public_url_needs_a_url_without_authentication() {
    let url = |condition| {
        json!({"Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunctionUrl",
        "Condition": condition})
    };
    let none = json!({"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}});
    let via = json!({"Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction",
        "Condition": {"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}});
    for auth in [UrlAuth::Open, UrlAuth::Unknown] {
        check_in(&context(), auth, url(none.clone()), &["public-url critical Statement[0]"]);
        check_in(&context(), auth, url(json!({})), &["public-url critical Statement[0]"]);
        check_in(&context(), auth, via.clone(), &["public-url critical Statement[0]"]);
        check_in(&context(), auth, allow(json!("*"), json!({})), &["public-invoke critical Statement[0]"]);
    }
    for auth in [UrlAuth::NoUrl, UrlAuth::AwsIam] {
        check_in(&context(), auth, url(none.clone()), &["public-invoke critical Statement[0]"]);
        check_in(&context(), auth, via.clone(), &["public-invoke critical Statement[0]"]);
    }
    // The two grants that a new URL needs are judged separately.
    check_in(
        &context(),
        UrlAuth::Open,
        json!([url(none), via]),
        &["public-url critical Statement[0]", "public-url critical Statement[1]"],
    );
    check_in(
        &context(),
        UrlAuth::Open,
        json!({"Effect": "Allow", "Principal": "*", "Action": ["lambda:InvokeFunctionUrl", "lambda:InvokeFunction"]}),
        &["public-url critical Statement[0]", "public-invoke critical Statement[0]"],
    );
    check_in(
        &context(),
        UrlAuth::Open,
        url(json!({"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}})),
        &["public-invoke critical Statement[0]"],
    );
    check_in(
        &context(),
        UrlAuth::Open,
        url(json!({"StringEquals": {"lambda:FunctionUrlAuthType": "NONE", "aws:PrincipalOrgID": "o-exampleorgid"}})),
        &["organization-invoke low Statement[0]"],
    );
}

fn addresses(ranges: &[&str]) -> Value {
    json!({"IpAddress": {"aws:SourceIp": ranges}})
}

/// Every address but those of one network, in as few ranges as there can be.
fn all_but(hole: [u8; 4], prefix: u32) -> Vec<String> {
    let hole = u32::from_be_bytes(hole);
    (1..=prefix)
        .map(|length| {
            let bit = 1 << (32 - length);
            let sibling = (hole ^ bit) & !(bit - 1);
            format!("{}/{length}", std::net::Ipv4Addr::from(sibling))
        })
        .collect()
}

#[test]
fn ranges_that_add_up_to_a_sixteenth_of_the_internet_limit_nobody() {
    let public: &[&str] = &["public-invoke critical Statement[0]"];
    let everywhere = |ranges: Value| allow(json!("*"), json!({"IpAddress": {"aws:SourceIp": ranges}}));
    for hole in [8, 17, 24, 31] {
        check(everywhere(json!(all_but([198, 18, 7, 0], hole))), public);
    }
    check(everywhere(json!(["64.0.0.0/3"])), public);
    check(everywhere(json!(["32.0.0.0/4", "8.8.8.8/32"])), public);
    check(everywhere(json!(["32.0.0.0/5", "40.0.0.0/5", "64.0.0.0/31"])), public);
    check(everywhere(json!("2600::/7")), public);
    check(everywhere(json!(["2600::/8", "2a00::/8"])), public);
    // One address of the other family does not make up for it.
    check(everywhere(json!(["64.0.0.0/3", "2001:4860::/32"])), public);
    // Written as IPv6, or not as a range at all.
    check(everywhere(json!("::ffff:64.0.0.0/99")), public);
    check(everywhere(json!(["203.0.113.0/24", "somewhere"])), public);

    let outsider: &[&str] = &["external-invoke medium Statement[0]"];
    for less in [
        json!("32.0.0.0/4"),
        json!(["32.0.0.0/5", "40.0.0.0/5"]),
        json!(["32.0.0.0/5", "40.0.0.0/5", "40.1.0.0/16", "32.0.0.0/6"]),
        json!("52.0.0.0/11"),
        json!("198.18.7.7/32"),
        json!("8.8.8.8"),
        json!("2600::/8"),
        json!("2600:1f18::/33"),
    ] {
        check(everywhere(less), outsider);
    }
    // Nobody calls from a private address, so they add nothing to the sum and nobody to the callers.
    check(everywhere(json!(["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fd00::/8"])), &[]);
    check(everywhere(json!(["224.0.0.0/3", "10.0.0.0/8", "8.8.4.0/24"])), outsider);
}

#[test]
fn ranges_are_added_up_over_the_statements_of_a_policy() {
    let slices = |slices: std::ops::Range<u8>| -> Value {
        slices.map(|nth| allow(json!("*"), addresses(&[&format!("{}.0.0.0/6", 64 + 4 * nth)]))).collect()
    };
    let public: Vec<String> = (0..5).map(|nth| format!("public-invoke critical Statement[{nth}]")).collect();
    let outsider: Vec<String> = (0..4).map(|nth| format!("external-invoke medium Statement[{nth}]")).collect();
    let judged = |statements: Value| {
        let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        shown(&judge(&Document::parse(&text, Kind::Resource).unwrap(), &context(), UrlAuth::NoUrl))
    };
    assert_eq!(judged(slices(0..5)), public);
    assert_eq!(judged(slices(0..4)), outsider);
    // Saying it twice makes no less of it.
    let mut twice = slices(0..5);
    for statement in twice.as_array_mut().unwrap() {
        statement["Condition"]["ForAnyValue:IpAddress"] = statement["Condition"]["IpAddress"].clone();
    }
    assert_eq!(judged(twice), public);
    // What names somebody beside adds nothing.
    let mut bounded = slices(0..5);
    bounded[4]["Condition"]["StringEquals"] = json!({"aws:PrincipalAccount": OWN});
    assert_eq!(judged(bounded), outsider);
}

#[test]
fn a_url_for_most_of_the_internet_is_public() {
    let url = |ranges: Vec<String>| {
        json!({"Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunctionUrl",
            "Condition": {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"},
                "IpAddress": {"aws:SourceIp": ranges}}})
    };
    check_in(&context(), UrlAuth::Open, url(all_but([203, 0, 113, 0], 24)), &["public-url critical Statement[0]"]);
    check_in(&context(), UrlAuth::Open, url(vec!["198.18.7.7/32".into()]), &["external-invoke medium Statement[0]"]);
}

#[test]
fn a_network_that_is_not_known_is_an_outsider() {
    for condition in [
        json!({"StringEquals": {"aws:SourceVpce": "vpce-0a1b2c3d4e5f60718"}}),
        json!({"StringEquals": {"aws:SourceVpc": ["vpc-0a1b2c3d", "vpc-4e5f6071"]}}),
        json!({"StringLike": {"aws:sourcevpce": "vpce-0a1b2c3d4e5f60718"}}),
        json!({"IpAddress": {"aws:SourceIp": "198.18.7.7/32"}}),
    ] {
        let statement = allow(json!("*"), condition);
        check(statement.clone(), &["external-invoke medium Statement[0]"]);
        check_in(&trusting(), UrlAuth::NoUrl, statement, &["external-invoke high Statement[0]"]);
    }
    // The own account from a network is the own account.
    check(
        allow(
            json!("*"),
            json!({"StringEquals": {"aws:SourceVpce": "vpce-0a1b2c3d4e5f60718", "aws:PrincipalAccount": OWN}}),
        ),
        &[],
    );
    check(allow(json!({"AWS": OWN}), addresses(&["198.18.7.7/32"])), &[]);
}

#[test]
fn what_is_known_as_the_own_is_no_outsider() {
    let sources = ["198.51.100.0/24", "64.0.0.0/4", "vpce-0a1b2c3d4e5f60718", "AROAQWERTZUIOPASDFGHJ"];
    let knowing = Context { trusted_sources: sources.map(|text| text.parse().unwrap()).into(), ..trusting() };
    let judged = |condition: Value, expected: &[&str]| {
        check_in(&knowing, UrlAuth::NoUrl, allow(json!("*"), condition), expected);
    };
    let outsider: &[&str] = &["external-invoke high Statement[0]"];
    judged(addresses(&["198.51.100.7", "198.51.100.128/25"]), &[]);
    judged(addresses(&["198.51.100.7", "8.8.8.8"]), outsider);
    judged(addresses(&["198.51.0.0/16"]), outsider);
    judged(json!({"StringEquals": {"aws:SourceVpce": "vpce-0a1b2c3d4e5f60718"}}), &[]);
    judged(json!({"StringEquals": {"aws:SourceVpce": ["vpce-0a1b2c3d4e5f60718", "vpce-11112222"]}}), outsider);
    judged(json!({"StringEquals": {"aws:SourceVpc": "vpc-11112222"}}), outsider);
    judged(json!({"StringLike": {"aws:userid": "AROAQWERTZUIOPASDFGHJ:*"}}), &[]);
    judged(
        json!({"StringLike": {"aws:userid": ["AROAQWERTZUIOPASDFGHJ:*", "AROAAAAAAAAAAAAAAAAAA:*"]}}),
        &["external-invoke medium Statement[0]"],
    );
    // The own ones do not add up with those of others.
    let two = json!([allow(json!("*"), addresses(&["64.0.0.0/4"])), allow(json!("*"), addresses(&["8.8.8.8"]))]);
    check_in(&knowing, UrlAuth::NoUrl, two, &["external-invoke high Statement[1]"]);
}

#[test]
fn whose_a_unique_id_is_cannot_be_read_from_it() {
    let of = |operator: &str, id: &str| allow(json!("*"), json!({operator: {"aws:userid": id}}));
    let somebody: &[&str] = &["external-invoke medium Statement[0]"];
    for id in
        ["AROAQWERTZUIOPASDFGHJ:*", "AROAQWERTZUIOPASDFGHJ:deploy-*", "AROAQWERTZUIOPASDFGHJ*", "AIDAQWERTZUIOPASDFGHJ"]
    {
        check(of("StringLike", id), somebody);
        check_in(&trusting(), UrlAuth::NoUrl, of("StringLike", id), somebody);
    }
    check(of("StringEquals", "AROAQWERTZUIOPASDFGHJ:deploy"), somebody);
    // An account's root, and who is federated by an account.
    check(of("StringEquals", OWN), &[]);
    check(of("StringLike", "111122223333:*"), &[]);
    check(of("StringLike", "999999999999:*"), somebody);
    check_in(&trusting(), UrlAuth::NoUrl, of("StringLike", "999999999999:*"), &["external-invoke high Statement[0]"]);
    let public: &[&str] = &["public-invoke critical Statement[0]"];
    for id in ["*", "*:deploy", "AROA*", "AROAQWERTZ*", "AROAQWERTZUIOPASDFGH?:*", "${aws:userid}", "anonymous"] {
        check(of("StringLike", id), public);
    }
}

#[test]
fn organisations_elsewhere_are_outsiders_once_anybody_is_known() {
    let of = |id: &str| allow(json!("*"), json!({"StringEquals": {"aws:PrincipalOrgID": id}}));
    let nobody_known = Context::of_account(OWN.parse().unwrap());
    check_in(&nobody_known, UrlAuth::NoUrl, of("o-anotherorgid"), &["organization-invoke medium Statement[0]"]);
    check(of("o-anotherorgid"), &["external-invoke high Statement[0]"]);
    check(of("o-exampleorgid"), &["organization-invoke low Statement[0]"]);
    let listed = Context { trusted_accounts: [TRUSTED.parse().unwrap()].into(), ..nobody_known };
    check_in(&listed, UrlAuth::NoUrl, of("o-anotherorgid"), &["external-invoke high Statement[0]"]);
    check(
        allow(json!({"Service": "sns.amazonaws.com"}), json!({"StringEquals": {"aws:SourceOrgID": "o-anotherorgid"}})),
        &["external-invoke high Statement[0]"],
    );
    check(
        allow(json!({"AWS": "999999999999"}), json!({"StringEquals": {"aws:PrincipalOrgID": "o-anotherorgid"}})),
        &["external-invoke medium Statement[0]"],
    );
}

#[test]
fn paths_of_an_organisation_are_that_organisation() {
    let of = |operator: &str, path: &str| {
        allow(json!({"Service": "sns.amazonaws.com"}), json!({operator: {"aws:SourceOrgPaths": [path]}}))
    };
    let low: &[&str] = &["organization-invoke low Statement[0]"];
    check(of("ForAnyValue:StringLike", "o-exampleorgid/r-pq12/ou-pq12-33333333/*"), low);
    check(of("ForAnyValue:StringEquals", "o-exampleorgid/r-pq12/ou-pq12-33333333/"), low);
    check(of("ForAnyValue:StringLike", "o-exampleorgid/*"), low);
    check_in(
        &Context::of_account(OWN.parse().unwrap()),
        UrlAuth::NoUrl,
        of("ForAnyValue:StringLike", "o-anotherorgid/r-pq12/*"),
        &["organization-invoke medium Statement[0]"],
    );
    let open: &[&str] = &["open-service-principal high Statement[0]"];
    for anybody in ["*/r-pq12/ou-pq12-33333333/*", "o-*", "o-exampleorg*"] {
        check(of("ForAnyValue:StringLike", anybody), open);
    }
    check(of("ForAllValues:StringLike", "o-exampleorgid/*"), open);
}

#[test]
fn a_star_in_the_region_reaches_another_account_only_where_names_have_colons() {
    let of = |service: &str, operator: &str, arn: &str| {
        allow(json!({"Service": service}), json!({operator: {"AWS:SourceArn": arn}}))
    };
    let open: &[&str] = &["open-service-principal high Statement[0]"];
    for (service, arn) in [
        ("events.amazonaws.com", "arn:aws:events:*:111122223333:rule/*"),
        ("events.amazonaws.com", "arn:aws:events:us-*:111122223333:rule/tick-?"),
        ("sns.amazonaws.com", "arn:aws:sns:*:111122223333:orders"),
        ("logs.amazonaws.com", "arn:aws:logs:*:111122223333:log-group:/shop/*"),
    ] {
        check(of(service, "StringLike", arn), &[]);
        check(of(service, "ArnLike", arn), &[]);
    }
    for (service, arn) in [
        // A path of anybody's API may be `/:111122223333:x`, a log group anybody's `111122223333`.
        ("apigateway.amazonaws.com", "arn:aws:execute-api:*:111122223333:*"),
        ("logs.amazonaws.com", "arn:aws:logs:*:111122223333:*"),
        ("events.amazonaws.com", "arn:aws:*:*:111122223333:rule/*"),
        ("events.amazonaws.com", "arn:aws*:events:*:111122223333:rule/*"),
        ("events.amazonaws.com", "arn:aws:events:*:1111*:rule/*"),
        ("events.amazonaws.com", "arn:aws:events:*11122223333:rule/*"),
    ] {
        check(of(service, "StringLike", arn), open);
    }
}

#[test]
fn nobody_but_s3_calls_for_a_bucket() {
    let everybody = |condition| allow(json!("*"), condition);
    let low: &[&str] = &["open-service-principal low Statement[0]"];
    let bucket = |operator: &str, arn: &str| everybody(json!({operator: {"aws:SourceArn": arn}}));
    check(bucket("ArnLike", "arn:aws:s3:::orders-in"), low);
    check(bucket("ArnEquals", "arn:aws:s3:::orders-in"), low);
    check(bucket("StringEquals", "arn:aws:s3:::orders-in"), low);
    check(
        everybody(
            json!({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::orders-in"}, "StringEquals": {"aws:SourceAccount": OWN}}),
        ),
        &[],
    );
    let two = json!({"ArnLike": {"aws:SourceArn": ["arn:aws:s3:::orders-in", "arn:aws:sns:us-east-1:111122223333:t"]}});
    check(everybody(two), low);
    let public: &[&str] = &["public-invoke critical Statement[0]"];
    check(bucket("ArnLike", "arn:aws:s3:::*"), public);
    check(bucket("ArnLike", "arn:aws:s3:::orders-*"), public);
    check(bucket("ArnNotLike", "arn:aws:s3:::orders-in"), public);
    check(bucket("ArnLike", "arn:aws:sns:us-east-1::orders-in"), public);
}

#[test]
fn a_deny_of_everything_leaves_nothing_open() {
    let function = "arn:aws:lambda:us-east-1:111122223333:function:f";
    let public = allow(json!("*"), json!({}));
    let deny = |principal: Value, action: Value| {
        json!({"Effect": "Deny", "Principal": principal, "Action": action,
        "Resource": function})
    };
    let with = |deny: Value, expected: &[&str]| {
        check_in(&context(), UrlAuth::Open, json!([public, deny]), expected);
        check_in(
            &context(),
            UrlAuth::Open,
            json!([deny, public]),
            &expected.iter().map(|_| "public-invoke critical Statement[1]").collect::<Vec<_>>(),
        );
    };
    let still: &[&str] = &["public-invoke critical Statement[0]"];
    for principal in [json!("*"), json!({"AWS": "*"}), json!({"AWS": [OWN, "*"]})] {
        with(deny(principal, json!("lambda:InvokeFunction")), &[]);
    }
    for action in
        [json!("*"), json!("lambda:*"), json!("LAMBDA:invoke*"), json!(["lambda:GetFunction", "lambda:InvokeFunction"])]
    {
        with(deny(json!("*"), action), &[]);
    }
    let mut everywhere = deny(json!("*"), json!("*"));
    for resource in [json!("*"), json!("arn:aws:lambda:*:*:function:f"), json!([function, "x"])] {
        everywhere["Resource"] = resource;
        with(everywhere.clone(), &[]);
    }
    // All but those who are trusted anyway.
    with(json!({"Effect": "Deny", "NotPrincipal": {"AWS": OWN}, "Action": "lambda:*", "Resource": function}), &[]);
    with(
        json!({"Effect": "Deny", "NotPrincipal": {"Service": "sns.amazonaws.com"}, "Action": "*",
            "Resource": function}),
        still,
    );
    with(deny(json!({"AWS": "999999999999"}), json!("*")), still);
    with(deny(json!("*"), json!("lambda:InvokeFunctionUrl")), still);
    with(
        json!({"Effect": "Deny", "Principal": "*", "NotAction": "lambda:InvokeFunction", "Resource": function}),
        still,
    );
    with(json!({"Effect": "Deny", "Principal": "*", "NotAction": "lambda:GetFunction", "Resource": function}), &[]);
    let mut narrow = deny(json!("*"), json!("*"));
    narrow["Resource"] = json!(format!("{function}:live"));
    with(narrow.clone(), still);
    narrow["Resource"] = json!("arn:aws:lambda:us-east-1:111122223333:function:?");
    with(narrow, &[]);
    let mut conditional = deny(json!("*"), json!("*"));
    conditional["Condition"] = json!({"StringEquals": {"aws:PrincipalAccount": "999999999999"}});
    with(conditional, still);
    // A pattern that the Deny does not take whole.
    let mut wide = public.clone();
    wide["Resource"] = json!("arn:aws:lambda:us-east-1:111122223333:function:f*");
    check_in(&context(), UrlAuth::NoUrl, json!([wide, deny(json!("*"), json!("*"))]), still);
    wide["Resource"] = json!(function);
    wide["Action"] = json!("lambda:Invoke*");
    check_in(&context(), UrlAuth::NoUrl, json!([wide, deny(json!("*"), json!("lambda:InvokeFunction"))]), still);
    check_in(&context(), UrlAuth::NoUrl, json!([wide, deny(json!("*"), json!("lambda:Invoke?*"))]), still);
    check_in(&context(), UrlAuth::NoUrl, json!([wide, deny(json!("*"), json!("lambda:I*"))]), &[]);
    // It is as true of whoever else is open.
    let service = allow(json!({"Service": "sns.amazonaws.com"}), json!({}));
    check_in(&context(), UrlAuth::NoUrl, json!([service, deny(json!("*"), json!("*"))]), &[]);
}

/// A Deny of everybody but some leaves those, as a condition of the Allow itself would.
#[test]
fn what_a_deny_leaves_is_who_is_let_in() {
    let function = "arn:aws:lambda:us-east-1:111122223333:function:f";
    let of = |principal: Value| json!({"Effect": "Allow", "Principal": principal, "Action": "lambda:InvokeFunction", "Resource": function});
    let deny = |condition: Value| json!({"Effect": "Deny", "Principal": "*", "Action": "lambda:*", "Resource": function, "Condition": condition});
    let with = |allow: Value, deny: Value, expected: &[&str]| {
        check_in(&context(), UrlAuth::Open, json!([allow, deny]), expected);
    };
    let unless = |operator: &str, key: &str, value: Value| deny(json!({operator: {key: value}}));
    let public: &[&str] = &["public-invoke critical Statement[0]"];
    let outside: &[&str] = &["external-invoke medium Statement[0]"];
    let organization: &[&str] = &["organization-invoke low Statement[0]"];
    let all = || of(json!("*"));
    for operator in
        ["StringNotEquals", "StringNotLike", "stringnotequalsIFEXISTS", "ForAllValues:StringNotEqualsIgnoreCase"]
    {
        with(all(), unless(operator, "aws:PrincipalOrgID", json!("o-exampleorgid")), organization);
        with(all(), unless(operator, "aws:PrincipalAccount", json!(OWN)), &[]);
        with(all(), unless(operator, "aws:PrincipalAccount", json!([OWN, "999999999999"])), outside);
        with(all(), unless(operator, "aws:SourceAccount", json!(OWN)), &[]);
        with(all(), unless(operator, "aws:SourceVpce", json!("vpce-1")), outside);
    }
    with(all(), unless("ArnNotLike", "aws:PrincipalArn", json!("arn:aws:iam::111122223333:role/*")), &[]);
    with(all(), unless("NotIpAddress", "aws:SourceIp", json!("198.51.100.0/24")), outside);
    // Whom these leave is not known, or still anybody.
    for loose in [
        json!({"StringEquals": {"aws:PrincipalOrgID": "o-anotherorgid"}}),
        json!({"StringNotLike": {"aws:PrincipalOrgID": "o-*"}}),
        json!({"ForAnyValue:StringNotEquals": {"aws:PrincipalOrgID": "o-exampleorgid"}}),
        json!({"StringNotEquals": {"aws:PrincipalTag/team": "x"}}),
        json!({"NotIpAddress": {"aws:SourceIp": "0.0.0.0/0"}}),
        json!({"Null": {"aws:PrincipalOrgID": "true"}}),
        json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-exampleorgid"}, "Bool": {"aws:SecureTransport": "false"}}),
    ] {
        with(all(), deny(loose), public);
    }
    let org = || json!({"aws:PrincipalOrgID": "o-exampleorgid"});
    let mut elsewhere = deny(json!({"StringNotEquals": org()}));
    elsewhere["Action"] = json!("lambda:GetFunction");
    with(all(), elsewhere.clone(), public);
    elsewhere["Action"] = json!("*");
    elsewhere["Principal"] = json!({"AWS": "999999999999"});
    with(all(), elsewhere.clone(), public);
    elsewhere["Principal"] = json!("*");
    elsewhere["Resource"] = json!(format!("{function}:live"));
    with(all(), elsewhere, public);
    // Several conditions leave whoever fails one of them.
    let one_of = |more: &str, value: &str| {
        deny(json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-exampleorgid", more: value}}))
    };
    with(all(), one_of("aws:SourceAccount", OWN), organization);
    with(all(), one_of("aws:PrincipalAccount", "999999999999"), outside);
    with(
        all(),
        deny(json!({"StringNotEquals": org(), "BoolIfExists": {"aws:PrincipalIsAWSService": "false"}})),
        &["open-service-principal high Statement[0]"],
    );
    let all_but = |principals: Value| json!({"Effect": "Deny", "NotPrincipal": principals, "Action": "lambda:*", "Resource": function});
    with(all(), all_but(json!({"AWS": "999999999999"})), outside);
    with(all(), all_but(json!({"AWS": [OWN, "arn:aws:iam::999999999999:role/r"]})), outside);
    with(all(), all_but(json!({"AWS": "*"})), public);
    // Where nobody said which account is the own one, the function's ARN does.
    let own = json!([all(), all_but(json!({"AWS": "arn:aws:iam::111122223333:root"}))]);
    check_in(&Context::default(), UrlAuth::Open, own, &[]);
    // Services have no organisation; their sources count.
    let topic = || of(json!({"Service": "sns.amazonaws.com"}));
    let open: &[&str] = &["open-service-principal high Statement[0]"];
    with(topic(), unless("StringNotEquals", "aws:SourceAccount", json!(OWN)), &[]);
    with(topic(), unless("ArnNotLike", "aws:SourceArn", json!("arn:aws:sns:*:111122223333:*")), &[]);
    with(topic(), unless("StringNotEquals", "aws:SourceAccount", json!("999999999999")), outside);
    with(topic(), unless("StringNotEquals", "aws:PrincipalOrgID", json!("o-exampleorgid")), &[]);
    with(topic(), one_of("aws:SourceAccount", OWN), organization);
    with(topic(), unless("NotIpAddress", "aws:SourceIp", json!("198.51.100.0/24")), open);
    // One who is named and has to be of the organisation.
    with(of(json!({"AWS": "999999999999"})), deny(json!({"StringNotEquals": org()})), organization);
}

#[test]
fn what_is_no_action_grants_nothing() {
    let granted = |actions: Value| json!({"Effect": "Allow", "Principal": "*", "Action": actions});
    let note: &[&str] = &["public-invoke info Statement[0]"];
    for action in [
        "lambda:InvokeFunctoin",
        "lamda:InvokeFunction",
        "lambda:Call*",
        "lambda:InvokeFunction;lambda:GetFunction",
        "lambda.InvokeFunction",
    ] {
        check(granted(json!(action)), note);
    }
    let public: &[&str] = &["public-invoke critical Statement[0]"];
    for actions in [
        json!(["lambda:InvokeFunctoin", "lambda:InvokeFunction"]),
        json!("lambda:In?okeFunction"),
        json!("l*:Invoke*"),
        json!("LAMBDA:INVOKEFUNCTION"),
    ] {
        check(granted(actions), public);
    }
    check(json!({"Effect": "Allow", "Principal": {"AWS": OWN}, "Action": "lambda:InvokeFunctoin"}), &[]);
    // Nothing is left of what NotResource leaves out.
    check(json!({"Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction", "NotResource": "*"}), note);
    check(
        json!({"Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction",
            "NotResource": "arn:aws:s3:::x"}),
        public,
    );
}

#[test]
fn a_time_that_has_passed_lets_nobody_in() {
    let until = |operator: &str, time: &str| allow(json!("*"), json!({operator: {"aws:CurrentTime": time}}));
    check(until("DateLessThan", "2018-05-06T07:08:09Z"), &["public-invoke info Statement[0]"]);
    check(until("DateLessThan", "2999-05-06T07:08:09Z"), &["public-invoke critical Statement[0]"]);
    check(until("DateGreaterThan", "2018-05-06T07:08:09Z"), &["public-invoke critical Statement[0]"]);
}

#[test]
fn a_condition_on_a_key_that_is_never_sent_lets_nobody_in() {
    let note: &[&str] = &["public-invoke info Statement[0]"];
    let public: &[&str] = &["public-invoke critical Statement[0]"];
    let with = |operator: &str, key: &str| allow(json!("*"), json!({operator: {key: "x"}}));
    for key in ["s3:prefix", "sqs:ResourceTag/team", "kms:ViaService", "DynamoDB:LeadingKeys", "ec2:Vpc", "ec2:subnet"]
    {
        check(with("StringEquals", key), note);
        check(with("ForAnyValue:StringLike", key), note);
        for holds_without in
            ["StringNotEquals", "StringEqualsIfExists", "ForAllValues:StringEquals", "Null", "ArnNotLike"]
        {
            check(with(holds_without, key), public);
        }
    }
    // Keys of Lambda's own, of whoever calls, and those that nobody here knows.
    for key in [
        "lambda:FunctionArn",
        "aws:PrincipalTag/team",
        "aws:SomethingNew",
        "ec2:SourceInstanceARN",
        "sts:RoleSessionName",
        "saml:sub",
        "accounts.google.com:sub",
        "future:Key",
        "glue:RoleAssumedBy",
    ] {
        check(with("StringEquals", key), public);
    }
    // A service is in no organisation and has no tags.
    for key in ["aws:PrincipalOrgID", "aws:PrincipalTag/team"] {
        check(
            allow(json!({"Service": "sns.amazonaws.com"}), json!({"StringEquals": {key: "o-exampleorgid"}})),
            &["open-service-principal info Statement[0]"],
        );
    }
    check(
        allow(
            json!({"Service": "sns.amazonaws.com"}),
            json!({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-exampleorgid"}}),
        ),
        &["open-service-principal high Statement[0]"],
    );
}

mod rewrite {
    use super::*;
    use proptest::prelude::*;

    fn policy(statements: Value) -> String {
        json!({"Version": "2012-10-17", "Id": "default", "Statement": statements}).to_string()
    }

    fn narrowed(statements: Value, baseline: Option<Value>) -> Narrowed {
        let text = policy(statements);
        let findings = judge(&Document::parse(&text, Kind::Resource).unwrap(), &trusting(), UrlAuth::Open);
        narrow(&text, &findings, baseline.map(policy).as_deref(), &trusting()).unwrap()
    }

    #[track_caller]
    fn check(statements: Value, baseline: Option<Value>, expected: Value, edits: &[(usize, EditKind)]) {
        let narrowed = narrowed(statements, baseline);
        let left = narrowed.document.map_or(Value::Null, |document| document["Statement"].clone());
        assert_eq!(left, expected);
        let done: Vec<_> = narrowed.edits.iter().map(|edit| (edit.index, edit.kind)).collect();
        assert_eq!(done, edits);
        assert!(narrowed.unfixable.is_empty());
    }

    fn invoke(sid: &str, principal: Value) -> Value {
        json!({"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": "lambda:InvokeFunction",
            "Resource": "r"})
    }

    #[test]
    fn a_public_statement_goes_and_the_rest_stays() {
        let own = invoke("own", json!({"AWS": OWN}));
        check(json!([own, invoke("public", json!("*"))]), None, json!([own]), &[(1, EditKind::Removed)]);
        let result = narrowed(json!([own, invoke("public", json!("*"))]), None);
        assert_eq!(result.removed_sids(), Some(vec!["public"]));
        assert_eq!(result.document.unwrap()["Id"], "default");
    }

    #[test]
    fn nothing_left_is_no_document() {
        check(json!([invoke("public", json!("*"))]), None, Value::Null, &[(0, EditKind::Removed)]);
        check(invoke("public", json!("*")), None, Value::Null, &[(0, EditKind::Removed)]);
    }

    #[test]
    fn only_the_offending_principal_of_a_list_goes() {
        check(
            json!([invoke("a", json!({"AWS": [OWN, "999999999999", TRUSTED, "*"]}))]),
            None,
            json!([invoke("a", json!({"AWS": [OWN, TRUSTED]}))]),
            &[(0, EditKind::Replaced)],
        );
        check(
            json!([invoke("a", json!({"AWS": "*", "Federated": ["arn:aws:iam::111122223333:saml-provider/p"]}))]),
            None,
            json!([invoke("a", json!({"Federated": ["arn:aws:iam::111122223333:saml-provider/p"]}))]),
            &[(0, EditKind::Replaced)],
        );
    }

    #[test]
    fn one_statement_as_an_object_stays_one() {
        check(
            invoke("a", json!({"AWS": [OWN, "*"]})),
            None,
            invoke("a", json!({"AWS": [OWN]})),
            &[(0, EditKind::Replaced)],
        );
    }

    #[test]
    fn a_wildcard_action_becomes_invoking_or_goes() {
        let with =
            |actions: Value| json!({"Sid": "a", "Effect": "Allow", "Principal": {"AWS": OWN}, "Action": actions});
        let replaced = &[(0, EditKind::Replaced)];
        check(json!([with(json!("lambda:*"))]), None, json!([with(json!("lambda:InvokeFunction"))]), replaced);
        check(json!([with(json!(["*", "lambda:*"]))]), None, json!([with(json!(["lambda:InvokeFunction"]))]), replaced);
        check(
            json!([with(json!(["lambda:GetFunction", "*"]))]),
            None,
            json!([with(json!(["lambda:GetFunction"]))]),
            replaced,
        );
        check(
            json!([{"Sid": "a", "Effect": "Allow", "Principal": {"AWS": OWN}, "NotAction": "lambda:GetFunction"}]),
            None,
            json!([with(json!("lambda:InvokeFunction"))]),
            replaced,
        );
    }

    #[test]
    fn an_open_service_is_bound_to_the_own_and_the_trusted_accounts() {
        let bound = |mut statement: Value, condition: Value| {
            statement["Condition"] = condition;
            statement
        };
        let replaced = &[(0, EditKind::Replaced)];
        let s3 = invoke("a", json!({"Service": "s3.amazonaws.com"}));
        check(
            json!([s3]),
            None,
            json!([bound(s3.clone(), json!({"StringEquals": {"aws:SourceAccount": [OWN, TRUSTED]}}))]),
            replaced,
        );
        let sns = invoke("a", json!({"Service": "sns.amazonaws.com"}));
        let arns = json!(["arn:aws:sns:*:111122223333:*", "arn:aws:sns:*:444455556666:*"]);
        check(json!([sns]), None, json!([bound(sns.clone(), json!({"ArnLike": {"aws:SourceArn": arns}}))]), replaced);
        // What narrows a little already is kept.
        check(
            json!([bound(sns.clone(), json!({"ArnLike": {"AWS:SourceArn": "arn:aws:sns:us-east-1:*:topic"}}))]),
            None,
            json!([bound(
                sns.clone(),
                json!({"ArnLike": {"AWS:SourceArn": "arn:aws:sns:us-east-1:*:topic"},
                    "ArnEquals": {"aws:SourceArn": arns}})
            )]),
            replaced,
        );
    }

    #[test]
    fn a_condition_for_a_service_does_not_hit_its_neighbours() {
        let mut s3 = invoke("aSource1", json!({"Service": "s3.amazonaws.com"}));
        s3["Condition"] = json!({"StringEquals": {"aws:SourceAccount": [OWN, TRUSTED]}});
        check(
            json!([invoke("a", json!({"AWS": OWN, "Service": "s3.amazonaws.com"}))]),
            None,
            json!([invoke("a", json!({"AWS": OWN})), s3]),
            &[(0, EditKind::Replaced)],
        );
    }

    #[test]
    fn a_source_that_cannot_be_known_is_left_with_advice() {
        for service in ["mallory.amazonaws.com", "alexa-appkit.amazon.com"] {
            let result = narrowed(json!([invoke("a", json!({"Service": service}))]), None);
            assert!(result.edits.is_empty());
            assert_eq!(result.document.unwrap()["Statement"], json!([invoke("a", json!({"Service": service}))]));
            assert_eq!(result.unfixable.len(), 1);
            assert!(result.unfixable[0].advice.contains(service), "{}", result.unfixable[0].advice);
        }
    }

    // Once it did: a public principal was safe in the company of a service whose source cannot be known.
    #[test]
    fn where_a_source_cannot_be_known_the_statement_from_before_is_better_than_a_part_of_it() {
        let service = "mallory.amazonaws.com";
        let mixed = invoke("a", json!({"AWS": "*", "Service": service}));
        let before = invoke("a", json!({"AWS": OWN}));
        let result = narrowed(json!([mixed]), Some(json!([before])));
        assert_eq!(result.document.unwrap()["Statement"], json!([before]));
        assert_eq!(result.unfixable, []);
    }

    #[test]
    fn a_source_that_cannot_be_known_is_not_taken_for_another_statement_at_its_index() {
        let nameless =
            |principal: Value| json!({"Effect": "Allow", "Principal": principal, "Action": "lambda:InvokeFunction"});
        let alexa = nameless(json!({"Service": "alexa-appkit.amazon.com"}));
        let result = narrowed(json!([alexa]), Some(json!([nameless(json!({"AWS": OWN}))])));
        assert_eq!((result.edits.len(), result.unfixable.len()), (0, 1));
    }

    #[test]
    fn a_source_that_cannot_be_known_does_not_protect_another_principal() {
        let service = "mallory.amazonaws.com";
        let mixed = invoke("a", json!({"AWS": "*", "Service": [service, "s3.amazonaws.com"]}));
        let result = narrowed(json!([mixed]), None);
        let left = result.document.unwrap()["Statement"].clone();
        assert_eq!(left[0], invoke("a", json!({"Service": [service]})));
        assert_eq!(left[1]["Principal"], json!({"Service": ["s3.amazonaws.com"]}));
        assert_eq!(result.unfixable.len(), 1);
        // Where there was a compliant statement in its place, that one is better than what would be left.
        let before = invoke("a", json!({"AWS": OWN}));
        let result = narrowed(json!([mixed]), Some(json!([before])));
        assert_eq!(result.document.unwrap()["Statement"], json!([before]));
        assert_eq!(result.unfixable, []);
    }

    #[test]
    fn what_cannot_be_helped_does_not_shelter_the_rest() {
        let result =
            narrowed(json!([invoke("a", json!({"AWS": ["*", OWN], "Service": "mallory.amazonaws.com"}))]), None);
        let left = invoke("a", json!({"AWS": [OWN], "Service": "mallory.amazonaws.com"}));
        assert_eq!(result.document.unwrap()["Statement"], json!([left]));
        assert_eq!(result.unfixable.len(), 1);
    }

    #[test]
    fn the_statement_the_baseline_had_comes_back() {
        let own = invoke("own", json!({"AWS": OWN}));
        let before = invoke("a", json!({"AWS": TRUSTED}));
        check(
            json!([own, invoke("a", json!("*"))]),
            Some(json!([before, own])),
            json!([own, before]),
            &[(1, EditKind::Restored)],
        );
        // Whether it may come back is for the caller to say, who knows what stood there.
        let stood = invoke("a", json!({"AWS": "*"}));
        check(
            json!([own, invoke("a", json!("*"))]),
            Some(json!([own, stood])),
            json!([own, stood]),
            &[(1, EditKind::Restored)],
        );
        // A service whose condition was taken away gets that very condition again.
        let mut bound = invoke("s", json!({"Service": "sns.amazonaws.com"}));
        bound["Condition"] = json!({"ArnLike": {"AWS:SourceArn": "arn:aws:sns:us-east-1:111122223333:topic"}});
        check(
            json!([own, invoke("s", json!({"Service": "sns.amazonaws.com"}))]),
            Some(json!([own, bound])),
            json!([own, bound]),
            &[(1, EditKind::Restored)],
        );
        // Even where nothing else could have been done.
        bound["Principal"] = json!({"Service": "mallory.amazonaws.com"});
        check(
            json!([own, invoke("s", json!({"Service": "mallory.amazonaws.com"}))]),
            Some(json!([own, bound])),
            json!([own, bound]),
            &[(1, EditKind::Restored)],
        );
    }

    #[test]
    fn the_whole_baseline_comes_back_when_nothing_is_left() {
        let baseline = json!([invoke("own", json!({"AWS": OWN})), invoke("other", json!({"AWS": TRUSTED}))]);
        let result = narrowed(json!([invoke("public", json!("*"))]), Some(baseline.clone()));
        assert!(result.baseline_restored);
        assert_eq!(result.document.unwrap()["Statement"], baseline);
        assert_eq!(result.edits[0].kind, EditKind::Removed);
        // What stood in it is no reason to keep it out.
        let open = json!([invoke("own", json!({"AWS": OWN})), invoke("other", json!("*"))]);
        let result = narrowed(json!([invoke("public", json!("*"))]), Some(open.clone()));
        assert_eq!(result.document.unwrap()["Statement"], open);
    }

    #[test]
    fn a_deny_that_was_lost_comes_back_before_anything_goes() {
        let (own, open) = (invoke("own", json!({"AWS": OWN})), invoke("open", json!("*")));
        let deny = json!({"Sid": "no", "Effect": "Deny", "Principal": "*", "Action": "lambda:*", "Resource": "*"});
        let queue = invoke("queue", json!({"AWS": TRUSTED}));
        check(
            json!([own, open, queue]),
            Some(json!([open, deny, own])),
            json!([own, open, queue, deny]),
            &[(1, EditKind::Restored)],
        );
        // One that was loosened is as it was, in its place.
        let mut loosened = deny.clone();
        loosened["Action"] = json!("lambda:GetFunction");
        check(json!([loosened, open]), Some(json!([open, deny])), json!([deny, open]), &[(1, EditKind::Restored)]);
        // It does not come back for nothing.
        let mut narrow = deny;
        narrow["Action"] = json!("lambda:GetFunction");
        check(
            json!([own, invoke("open", json!("*"))]),
            Some(json!([own, narrow])),
            json!([own]),
            &[(1, EditKind::Removed)],
        );
    }

    #[test]
    fn addresses_that_are_public_together_go_together() {
        let from = |sid: &str, range: &str| {
            let mut statement = invoke(sid, json!("*"));
            statement["Condition"] = addresses(&[range]);
            statement
        };
        let own = invoke("own", json!({"AWS": OWN}));
        check(
            json!([from("a", "64.0.0.0/4"), own, from("b", "80.0.0.0/4")]),
            None,
            json!([own]),
            &[(0, EditKind::Removed), (2, EditKind::Removed)],
        );
    }

    /// What a Deny leaves goes with the Allow; a Deny that left nobody comes back.
    #[test]
    fn a_statement_goes_by_what_a_deny_leaves_of_it() {
        let all = invoke("all", json!("*"));
        let deny = |account: &str| {
            json!({"Sid": "deny", "Effect": "Deny", "Principal": "*", "Action": "lambda:*", "Resource": "*",
                "Condition": {"StringNotEquals": {"aws:PrincipalAccount": account}}})
        };
        let topic = json!({"Sid": "own", "Effect": "Allow", "Principal": {"AWS": OWN}, "Action": "lambda:InvokeFunction",
            "Resource": "*"});
        let strangers = json!([all, deny("999999999999"), topic]);
        check(strangers, None, json!([deny("999999999999"), topic]), &[(0, EditKind::Removed)]);
        let kept = json!([all, deny(OWN), topic]);
        let now = json!([all, topic]);
        check(now, Some(kept), json!([all, topic, deny(OWN)]), &[(0, EditKind::Restored)]);
    }

    #[test]
    fn what_was_not_named_is_left_alone() {
        let text = policy(json!([invoke("a", json!({"AWS": ["999999999999", "*", "AROADBQP57FF2AEXAMPLE"]}))]));
        let findings = judge(&Document::parse(&text, Kind::Resource).unwrap(), &trusting(), UrlAuth::NoUrl);
        let high: Vec<Finding> = findings.into_iter().filter(|finding| finding.severity >= Severity::High).collect();
        let result = narrow(&text, &high, None, &trusting()).unwrap();
        assert_eq!(
            result.document.unwrap()["Statement"],
            json!([invoke("a", json!({"AWS": ["AROADBQP57FF2AEXAMPLE"]}))])
        );
        let untouched = narrow(&text, &[], None, &trusting()).unwrap();
        assert_eq!(untouched.document.unwrap().to_string(), text);
        assert!(untouched.edits.is_empty());
    }

    #[test]
    fn a_document_that_does_not_parse_is_not_touched() {
        assert!(narrow(r#"{"Statement":[{"Effect":"Allow"}]}"#, &[], None, &context()).is_err());
        assert!(narrow(&policy(json!([])), &[], Some("{"), &context()).is_err());
    }

    fn principal() -> impl Strategy<Value = Value> {
        let aws = prop::sample::select(vec![
            OWN,
            TRUSTED,
            "999999999999",
            "*",
            "AROADBQP57FF2AEXAMPLE",
            "arn:aws:iam::*:root",
        ]);
        let service = prop::sample::select(vec![
            "s3.amazonaws.com",
            "sns.amazonaws.com",
            "events.amazonaws.com",
            "other.amazonaws.com",
        ]);
        prop_oneof![
            Just(json!("*")),
            prop::collection::vec(aws.clone(), 1..4).prop_map(|list| json!({"AWS": list})),
            service.clone().prop_map(|name| json!({"Service": name})),
            (aws, prop::collection::vec(service, 0..3)).prop_map(|(aws, list)| json!({"AWS": aws, "Service": list})),
        ]
    }

    fn condition() -> impl Strategy<Value = Value> {
        prop::sample::select(vec![
            json!({}),
            json!({"StringEquals": {"aws:SourceAccount": OWN}}),
            json!({"StringEquals": {"aws:SourceAccount": "${aws:PrincipalAccount}"},
                "StringLike": {"AWS:SourceAccount": "*"}}),
            json!({"ArnLike": {"AWS:SourceArn": "arn:aws:s3:::bucket"}}),
            json!({"ArnLike": {"AWS:SourceArn": "arn:aws:sns:us-east-1:*:t"}, "ArnEquals": {"AWS:SourceArn": "*"}}),
            json!({"StringEquals": {"aws:PrincipalOrgID": "o-anotherorgid"}}),
            json!({"IpAddress": {"aws:SourceIp": "64.0.0.0/4"}}),
            json!({"IpAddress": {"aws:SourceIp": ["80.0.0.0/4", "10.0.0.0/8"]}}),
            json!({"StringLike": {"aws:userid": "AROAQWERTZUIOPASDFGHJ:*"}}),
            json!({"StringEquals": {"s3:prefix": "x"}}),
            json!({"Bool": {"aws:SecureTransport": true}}),
            json!({"StringNotEquals": {"aws:PrincipalOrgID": "o-anotherorgid"}}),
            json!({"StringNotEquals": {"aws:PrincipalAccount": ["999999999999", OWN]}}),
            json!({"StringNotLikeIfExists": {"aws:SourceAccount": OWN}, "BoolIfExists": {"aws:PrincipalIsAWSService": false}}),
        ])
    }

    fn statement() -> impl Strategy<Value = Value> {
        let action = prop::sample::select(vec![
            json!("lambda:InvokeFunction"),
            json!("lambda:*"),
            json!(["lambda:InvokeFunctionUrl", "*"]),
            json!(["lambda:GetFunction", "lambda:InvokeFunction"]),
        ]);
        let effect = prop::sample::select(vec!["Allow", "Allow", "Allow", "Deny"]);
        (effect, principal(), action, condition(), 0..6usize).prop_map(|(effect, principal, action, condition, sid)| {
            json!({"Sid": format!("s{sid}"), "Effect": effect, "Principal": principal, "Action": action,
                "Condition": condition})
        })
    }

    proptest! {
        /// Narrowing closes what it was told to close, touches nothing else, and has nothing to do a second time.
        #[test]
        fn the_laws_of_narrowing(statements in prop::collection::vec(statement(), 1..5), threshold in 0..3usize) {
            let threshold = [Severity::Info, Severity::Medium, Severity::High][threshold];
            let text = policy(json!(statements));
            let above = |text: &str| -> Vec<Finding> {
                judge(&Document::parse(text, Kind::Resource).unwrap(), &trusting(), UrlAuth::Open)
                    .into_iter()
                    .filter(|finding| finding.severity >= threshold)
                    .collect()
            };
            let result = narrow(&text, &above(&text), None, &trusting()).unwrap();
            let left = result.document.clone().map_or_else(|| policy(json!([])), |document| document.to_string());
            // 1. Nothing is open any more but what could not be helped, and that is reported.
            let still: Vec<FindingId> = above(&left).into_iter().map(|finding| finding.id).collect();
            let helpless = !result.unfixable.is_empty();
            prop_assert!(still.iter().all(|id| helpless && *id == FindingId::OpenServicePrincipal), "{:?}", still);
            // 2. A statement that is not named in the edits is the same value as before, in the same order.
            let untouched: Vec<&Value> = statements
                .iter()
                .enumerate()
                .filter(|(index, _)| result.edits.iter().all(|edit| edit.index != *index))
                .map(|(_, statement)| statement)
                .collect();
            let left_json: Value = serde_json::from_str(&left).unwrap();
            let mut left_over = left_json["Statement"].as_array().unwrap().iter().map(Value::to_string);
            for statement in untouched.into_iter().map(Value::to_string) {
                prop_assert!(left_over.any(|text| text == statement));
            }
            // 3. Narrowing again changes nothing.
            let again = narrow(&left, &above(&left), None, &trusting()).unwrap();
            prop_assert!(again.edits.is_empty(), "{:?}", again.edits);
        }
    }
}
