//! Documents that somebody wrote to make the judge slow, to make it panic, or to get something past it.
//!
//! The benchmark measures them, the test judges them, and the fuzzer starts from them.

use warden_policy::Kind;

/// A document and what kind of policy it claims to be.
pub(crate) struct Hostile {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) text: String,
}

/// One of each, of about so many bytes.
pub(crate) fn documents(bytes: usize) -> Vec<Hostile> {
    let mut all = Vec::new();
    let mut identity = |name, text| all.push(Hostile { name, kind: Kind::Identity, text });
    let allow =
        |actions: &str, resources: &str| format!(r#"{{"Effect":"Allow","Action":{actions},"Resource":{resources}}}"#);
    let one = |statement: &str| format!(r#"{{"Version":"2012-10-17","Statement":{statement}}}"#);
    let list = |of: &dyn Fn(usize) -> String| listed(bytes, of);
    let half = |of: &dyn Fn(usize) -> String| listed(bytes / 2, of);
    let text = |text: String| format!("\"{text}\"");

    identity("statements", one(&list(&|_| allow(r#""*""#, r#""*""#))));
    identity(
        "statements_with_patterns",
        one(&list(&|nth| allow(r#""s3:*Object*""#, &format!(r#""arn:aws:s3:::?*{nth}*""#)))),
    );
    identity("statements_of_one_path", one(&list(&|_| allow(r#"["iam:PassRole","lambda:*"]"#, r#""arn:*:*:*:*:*""#))));
    identity("actions", one(&allow(&list(&|nth| text(format!("*:*a*{nth}*e*"))), r#""*""#)));
    identity(
        "actions_of_question_marks",
        one(&allow(&list(&|nth| text(format!("*{}", "?".repeat(nth % 40)))), r#""*""#)),
    );
    identity("actions_that_end_alike", one(&allow(&list(&|_| text("*?*?*?*?*?*?*e".to_owned())), r#""arn:*""#)));
    identity(
        "actions_that_are_unknown",
        one(&format!(
            r#"[{},{{"Effect":"Deny","Action":{},"Resource":"*"}}]"#,
            allow(&half(&|nth| text(format!("s{nth}:Do"))), r#""*""#),
            half(&|nth| text(format!("*{nth}*:*o*x"))),
        )),
    );
    identity("resources", one(&allow(r#""*""#, &list(&|nth| text(format!("arn:*:*:*:*:*{nth}*"))))));
    identity(
        "resources_of_question_marks",
        one(&allow(r#""*""#, &list(&|nth| text(format!("arn:aws:?*{}", "?".repeat(nth % 60)))))),
    );
    identity(
        "actions_and_resources",
        one(&allow(
            &half(&|nth| text(format!("*:*{}*", char::from(b'a' + u8::try_from(nth % 26).unwrap_or(0))))),
            &half(&|nth| text(format!("arn:aws:*:*:*:*{nth}?*"))),
        )),
    );
    identity("one_long_action", one(&allow(&text(format!("*{}b", "*a".repeat(bytes / 2))), r#""*""#)));
    identity("one_long_resource", one(&allow(r#""*""#, &text(format!("arn:*{}b", "*:".repeat(bytes / 2))))));
    identity(
        "one_resource_of_question_marks",
        one(&allow(r#""*""#, &text(format!("arn:aws:s3:::*{}", "?".repeat(bytes))))),
    );
    identity(
        "not_actions",
        one(&format!(
            r#"{{"Effect":"Allow","NotAction":{},"Resource":"*"}}"#,
            list(&|nth| text(format!("*:?*{nth}*e")))
        )),
    );
    identity(
        "denied_not_actions",
        one(&format!(
            r#"[{},{{"Effect":"Deny","NotAction":{},"Resource":"*"}}]"#,
            allow(r#""*""#, r#""*""#),
            list(&|nth| text(format!("*:?*{nth}*e")))
        )),
    );
    identity(
        "denies",
        one(&format!(
            r#"[{},{{"Effect":"Allow","Action":"*","Resource":"*"}}]"#,
            listed(bytes, &|nth| format!(r#"{{"Effect":"Deny","Action":"*:*{nth}*","Resource":"*"}}"#))
                .trim_matches(['[', ']'])
        )),
    );
    identity(
        "conditions",
        one(&format!(
            r#"{{"Effect":"Allow","Action":"*","Resource":"*","Condition":{}}}"#,
            object(bytes, &|nth| (
                format!("ForAnyValue:StringLike{nth}"),
                r#"{"aws:SourceArn":"${${${*}"}"#.to_owned()
            ))
        )),
    );
    identity(
        "condition_keys",
        one(&format!(
            r#"{{"Effect":"Allow","Action":"iam:*","Resource":"*","Condition":{{"StringLike":{}}}}}"#,
            object(bytes, &|nth| (format!("aws:ResourceTag/{nth}"), r#""*""#.to_owned()))
        )),
    );
    identity(
        "condition_values",
        one(&format!(
            r#"{{"Effect":"Allow","Action":"iam:*","Resource":"*","Condition":{{"IpAddress":{{"aws:SourceIp":{}}}}}}}"#,
            list(&|nth| text(format!("{}.{}.0.0/{}", nth % 256, nth / 256 % 256, 1 + nth % 32)))
        )),
    );
    identity(
        "statements_with_conditions",
        one(&list(&|nth| {
            // What a role is passed to is not in the request for the instance.
            if nth == 0 {
                return r#"{"Effect":"Allow","Action":"ec2:RunInstances","Resource":"*"}"#.to_owned();
            }
            format!(
                r#"{{"Effect":"Allow","Action":"iam:PassRole","Resource":"*","Condition":{{"StringEquals":{{"iam:PassedToService":["a{nth}.amazonaws.com","ec2.amazonaws.com"]}}}}}}"#
            )
        })),
    );
    identity(
        "escapes",
        one(&allow(&list(&|_| r#""\u0073\u0033\u003a\u002a\u002a\ud83d\ude00""#.to_owned()), r#""\u002a""#)),
    );
    identity(
        "variables",
        one(&allow(r#""s3:*""#, &list(&|_| r#""arn:aws:s3:::${*}${?}${$}${aws:x${aws:y}*""#.to_owned()))),
    );
    identity("nested_lists", format!(r#"{{"Statement":{}"#, "[".repeat(bytes)));
    identity("nested_objects", format!(r#"{{"Statement":{}"#, r#"{"Condition":"#.repeat(bytes / 13)));
    identity("whitespace", format!("{}{}", " \n".repeat(bytes / 2), one("[]")));
    identity(
        "sids",
        one(&list(&|nth| format!(r#"{{"Sid":"{nth}","Effect":"Allow","Action":"s3:*","Resource":"*"}}"#))),
    );

    let mut trust = |name, text| all.push(Hostile { name, kind: Kind::Trust, text });
    trust(
        "principals",
        one(&format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":{}}},"Action":"sts:AssumeRole"}}"#,
            list(&|nth| text(format!("{:012}", nth)))
        )),
    );
    trust(
        "providers_and_claims",
        one(&format!(
            r#"{{"Effect":"Allow","Principal":{{"Federated":{}}},"Action":"sts:AssumeRoleWithWebIdentity","Condition":{{"StringLikeIfExists":{}}}}}"#,
            half(&|nth| text(format!("h{nth}.io"))),
            object(bytes / 2, &|nth| (format!("h{nth}.io:sub"), r#""*""#.to_owned())),
        )),
    );
    trust(
        "principals_and_accounts",
        one(&format!(
            r#"{{"Effect":"Allow","Principal":{{"AWS":{}}},"Action":"sts:AssumeRole","Condition":{{"StringEquals":{{"aws:PrincipalAccount":{}}}}}}}"#,
            half(&|nth| text(format!("{:012}", nth))),
            half(&|_| text("111122223333".to_owned())),
        )),
    );
    trust(
        "allows_and_denies_of_all_but_one",
        one(&list(&|nth| match nth % 2 {
            0 => r#"{"Effect":"Allow","Principal":"*","Action":"sts:AssumeRole"}"#.to_owned(),
            _ => format!(
                r#"{{"Effect":"Deny","Principal":"*","Action":"*","Condition":{{"StringNotEquals":{{"aws:PrincipalAccount":["{nth:012}","{:012}"]}}}}}}"#,
                nth + 1
            ),
        })),
    );

    let mut resource = |name, text| all.push(Hostile { name, kind: Kind::Resource, text });
    resource(
        "services_and_sources",
        one(&format!(
            r#"{{"Effect":"Allow","Principal":{{"Service":{}}},"Action":{},"Resource":"*","Condition":{{"ArnLike":{{"aws:SourceArn":{}}}}}}}"#,
            listed(bytes / 3, &|nth| text(format!("s{nth}.amazonaws.com"))),
            listed(bytes / 3, &|nth| text(format!("lambda:*{}*", &"InvokeFunction"[nth % 14..]))),
            listed(bytes / 3, &|nth| text(format!("arn:aws:s3:::{nth}"))),
        )),
    );
    resource(
        "public_statements",
        one(&list(&|_| {
            r#"{"Effect":"Allow","Principal":"*","Action":"lambda:*","Resource":"*","Condition":{"Bool":{"aws:SecureTransport":true}}}"#.to_owned()
        })),
    );
    resource(
        "statements_with_addresses",
        one(&list(&|nth| {
            format!(
                r#"{{"Effect":"Allow","Principal":"*","Action":"lambda:*","Condition":{{"IpAddress":{{"aws:SourceIp":"{}.{}.0.0/4"}}}}}}"#,
                nth % 14 * 16,
                nth % 256
            )
        })),
    );
    resource(
        "allows_and_denies",
        one(&list(&|nth| match nth % 2 {
            0 => format!(r#"{{"Effect":"Allow","Principal":"*","Action":"lambda:Invoke*","Resource":"f{nth}"}}"#),
            _ => format!(r#"{{"Effect":"Deny","Principal":"*","Action":"lambda:*n*v*o*k*{nth}*","Resource":"f*"}}"#),
        })),
    );
    all
}

/// A JSON list with as many members as there is room for.
fn listed(bytes: usize, member: &dyn Fn(usize) -> String) -> String {
    format!("[{}]", joined(bytes, member))
}

/// A JSON object with as many members as there is room for.
fn object(bytes: usize, member: &dyn Fn(usize) -> (String, String)) -> String {
    let pair = |nth| {
        let (key, value) = member(nth);
        format!("\"{key}\":{value}")
    };
    format!("{{{}}}", joined(bytes, &pair))
}

fn joined(bytes: usize, member: &dyn Fn(usize) -> String) -> String {
    let mut text = member(0);
    for nth in 1.. {
        if text.len() >= bytes {
            break;
        }
        text.push(',');
        text.push_str(&member(nth));
    }
    text
}
