//! Who may assume a role that should not, and what a narrowing leaves of its trust policy.

use super::*;
use serde_json::{Value, json};

const OWN: &str = "111122223333";

fn context() -> Context {
    Context {
        account: Some(OWN.parse().unwrap()),
        organization: Some("o-exampleorgid".parse().unwrap()),
        trusted_accounts: ["444455556666".parse().unwrap()].into(),
        ..Context::default()
    }
}

#[track_caller]
fn check(statement: Value, expected: &[&str]) {
    let text = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
    let document = Document::parse(&text, Kind::Trust).unwrap();
    let findings = judge(&document, &context());
    let shown: Vec<String> =
        findings.iter().map(|finding| format!("{} {} {}", finding.id, finding.severity, finding.at)).collect();
    assert_eq!(shown, expected, "{statement}");
}

fn trust(principal: Value, condition: Value) -> Value {
    json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole", "Condition": condition})
}

#[test]
fn anybody() {
    let public: &[&str] = &["trust-public critical Statement[0]"];
    for principal in
        [json!("*"), json!({"AWS": "*"}), json!({"AWS": ["*"]}), json!({"Service": "*"}), json!({"Federated": "*"})]
    {
        check(trust(principal, json!({})), public);
    }
    // Known to a third party by design.
    check(trust(json!({"AWS": "*"}), json!({"StringEquals": {"sts:ExternalId": "x"}})), public);
    check(trust(json!({"AWS": "*"}), json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}})), public);
    let until = |time: &str| json!({"DateLessThan": {"aws:CurrentTime": time}});
    check(trust(json!({"AWS": "*"}), until("2018-05-06T07:08:09Z")), &["trust-public info Statement[0]"]);
    check(trust(json!({"AWS": "*"}), until("2999-05-06T07:08:09Z")), public);
    check(json!({"Effect": "Allow", "NotPrincipal": {"AWS": OWN}, "Action": "sts:AssumeRole"}), public);
    check(json!({"Effect": "Allow", "Principal": "*", "Action": "sts:*"}), public);
    check(json!({"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"}), &[]);
    check(json!({"Effect": "Allow", "Principal": "*", "Action": "sts:TagSession"}), &[]);
    check(trust(json!("*"), json!({"StringEquals": {"aws:PrincipalAccount": OWN}})), &[]);
    check(trust(json!("*"), json!({"StringEquals": {"aws:PrincipalAccount": "${aws:ResourceAccount}"}})), &[]);
    check(trust(json!("*"), json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/ci"}})), public);
}

#[test]
fn organisations() {
    let of = |id: &str| trust(json!("*"), json!({"StringEquals": {"aws:PrincipalOrgID": id}}));
    check(of("o-exampleorgid"), &["trust-organization low Statement[0]"]);
    check(of("o-anotherorgid"), &["trust-external-account high Statement[0]"]);
    // That of the role itself, and whatever one the caller is in.
    check(of("${aws:ResourceOrgID}"), &["trust-organization low Statement[0]"]);
    check(of("${aws:PrincipalOrgID}"), &["trust-public critical Statement[0]"]);
}

#[test]
fn accounts() {
    check(trust(json!({"AWS": "arn:aws:iam::111122223333:root"}), json!({})), &[]);
    check(trust(json!({"AWS": "444455556666"}), json!({})), &[]);
    let external: &[&str] = &["trust-external-account high Statement[0]"];
    check(trust(json!({"AWS": "999999999999"}), json!({})), external);
    check(trust(json!({"AWS": "999999999999"}), json!({"StringEquals": {"sts:ExternalId": "x"}})), external);
    check(trust(json!({"AWS": "arn:aws:iam::*:root"}), json!({})), external);
    check(
        trust(json!({"AWS": [OWN, "999999999999"], "Service": "lambda.amazonaws.com"}), json!({})),
        &["trust-external-account high Statement[0].Principal.AWS[1]"],
    );
    check(trust(json!({"AWS": "AROADBQP57FF2AEXAMPLE"}), json!({})), &["trust-external-account info Statement[0]"]);
}

#[test]
fn services() {
    check(trust(json!({"Service": "lambda.amazonaws.com"}), json!({})), &[]);
    check(
        trust(json!({"Service": ["lambda.amazonaws.com", "rolesanywhere.amazonaws.com"]}), json!({})),
        &["trust-confused-deputy low Statement[0].Principal.Service[1]"],
    );
    check(trust(json!({"Service": "events.amazonaws.com"}), json!({"StringEquals": {"aws:SourceAccount": OWN}})), &[]);
    check(
        trust(
            json!({"Service": "events.amazonaws.com"}),
            json!({"ArnLike": {"aws:SourceArn": "arn:aws:events:*:111122223333:*"}}),
        ),
        &[],
    );
}

fn federated(provider: &str, condition: Value) -> Value {
    json!({"Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithWebIdentity",
        "Condition": condition})
}

#[test]
fn github_needs_its_audience_and_a_fixed_owner() {
    let github = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";
    let with = |sub: Value| {
        federated(
            github,
            json!({
                "StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"},
                "StringLike": {"token.actions.githubusercontent.com:sub": sub}
            }),
        )
    };
    let open: &[&str] = &["trust-oidc-open critical Statement[0]"];
    for fixed in ["repo:octo/shop:ref:refs/heads/main", "repo:octo/shop:*", "repo:octo/*"] {
        check(with(json!(fixed)), &[]);
    }
    for loose in ["*", "repo:*", "repo:octo*", "repo:*/shop:*", "*:octo/shop", "${aws:x}"] {
        check(with(json!(loose)), open);
    }
    check(with(json!(["repo:octo/shop:*", "repo:*"])), open);
    check(federated(github, json!({})), open);
    check(
        federated(github, json!({"StringEquals": {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"}})),
        open,
    );
    // Another provider's claims say nothing of this one's tokens.
    check(federated(github, json!({"StringNotEquals": {"gitlab.com:aud": "x", "gitlab.com:sub": "y"}})), open);
}

/// A workflow that others call runs in their repositories, with what they hand to it.
#[test]
fn a_workflow_is_not_who_calls_it() {
    let with = |operator: &str, claim: &str, value: &str| {
        let host = "token.actions.githubusercontent.com";
        federated(
            &format!("arn:aws:iam::111122223333:oidc-provider/{host}"),
            json!({"StringEquals": {format!("{host}:aud"): "sts.amazonaws.com"},
                operator: {format!("{host}:{claim}"): value}}),
        )
    };
    let medium: &[&str] = &["trust-oidc-open medium Statement[0]"];
    let open: &[&str] = &["trust-oidc-open critical Statement[0]"];
    let workflow = "octo/flows/.github/workflows/ship.yml@refs/heads/main";
    check(with("StringLike", "job_workflow_ref", workflow), medium);
    for like in ["octo/flows/.github/workflows/ship.yml@*", "octo/flows/*", "octo/*"] {
        check(with("StringLike", "job_workflow_ref", like), medium);
    }
    for loose in ["*", "octo*", "*/flows/.github/workflows/ship.yml@*", "${aws:x}"] {
        check(with("StringLike", "job_workflow_ref", loose), open);
    }
    check(with("StringNotLike", "job_workflow_ref", workflow), open);
    // What anybody's workflow, branch or environment may be called.
    for claim in ["workflow", "ref", "environment", "actor"] {
        check(with("StringLike", claim, "ship"), open);
    }
    check(with("StringLike", "enterprise_id", "4711"), &[]);
    check(with("StringLike", "repository_id", "4711"), &[]);
}

#[test]
fn other_providers() {
    let eks = "oidc.eks.eu-west-1.amazonaws.com/id/ABCDEF";
    let provider = format!("arn:aws:iam::111122223333:oidc-provider/{eks}");
    let with = |sub: &str| {
        federated(
            &provider,
            json!({"StringEquals": {format!("{eks}:aud"): "sts.amazonaws.com"},
                "StringLike": {format!("{eks}:sub"): sub}}),
        )
    };
    check(with("system:serviceaccount:shop:orders"), &[]);
    check(with("system:serviceaccount:shop:*"), &[]);
    let of = |host: &str, sub: &str| {
        federated(
            &format!("arn:aws:iam::111122223333:oidc-provider/{host}"),
            json!({"StringLike": {format!("{host}:aud"): "sts.amazonaws.com", format!("{host}:sub"): sub}}),
        )
    };
    let open: &[&str] = &["trust-oidc-open critical Statement[0]"];
    check(of("gitlab.com", "project_path:octo/shop:ref_type:branch:ref:main"), &[]);
    check(of("gitlab.com", "project_path:octo/*"), &[]);
    check(of("gitlab.com", "project_path:octo*"), open);
    check(of("gitlab.com", "project_path:*"), open);
    check(of("gitlab.example.com", "project_path:octo*"), &[]);
    check(of("gitlab.example.com", "project_path:*"), open);
    check(of("app.terraform.io", "organization:octo:project:*"), &[]);
    check(of("app.terraform.io", "organization:octo*"), open);
    let whole: &[&str] = &["trust-oidc-open medium Statement[0]"];
    // Their address names the customer already; the subject names a repository, a project.
    let bitbucket = "api.bitbucket.org/2.0/workspaces/octo/pipelines-config/identity/oidc";
    check(of(bitbucket, "{2f5e1b0a-0000-4000-8000-111122223333}:*"), &[]);
    check(of(bitbucket, "*:deploy"), whole);
    check(of("oidc.circleci.com/org/11112222", "org/11112222/project/33334444/user/*"), &[]);
    check(of("oidc.circleci.com/org/11112222", "org/*"), whole);
    check(of("oidc.circleci.com/org", "org/*"), open);
    check(of("oidc.vercel.com/octo", "owner:*"), whole);
    check(of("oidc.fly.io/octo", "*:till:*"), whole);
    check(of("oidc.fly.io.example.net/octo", "*:till:*"), open);
    check(of("api.bitbucket.org", "*:deploy"), open);
    let cognito = |amr: &str| {
        federated(
            "cognito-identity.amazonaws.com",
            json!({
                "StringEquals": {"cognito-identity.amazonaws.com:aud": "eu-west-1:pool"},
                "ForAnyValue:StringLike": {"cognito-identity.amazonaws.com:amr": amr}
            }),
        )
    };
    check(cognito("authenticated"), &[]);
    check(cognito("unauthenticated"), &["trust-oidc-open critical Statement[0]"]);
    // Without the pool, whoever makes one of their own signs in to that.
    let any_pool = |more: Value| {
        let mut condition = json!({"ForAnyValue:StringLike": {"cognito-identity.amazonaws.com:amr": "authenticated"}});
        condition.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        federated("cognito-identity.amazonaws.com", condition)
    };
    check(any_pool(json!({})), open);
    check(any_pool(json!({"StringLike": {"cognito-identity.amazonaws.com:aud": "eu-west-1:*"}})), open);
    check(any_pool(json!({"StringEquals": {"cognito-identity.amazonaws.com:aud": "eu-west-1:pool"}})), &[]);
    // Others that sign for everybody.
    check(of("scalr.io", "account:octo:environment:*"), &[]);
    check(of("scalr.io", "account:octo*"), open);
    check(of("agent.buildkite.com", "organization:*:pipeline:deploy"), open);
    check(of("gitlab.com.example.net", "project_path:octo*"), &[]);
    // The audience says whose it is.
    let by_audience = |host: &str, audience: &str, sub: &str| {
        federated(
            &format!("arn:aws:iam::111122223333:oidc-provider/{host}"),
            json!({"StringLike": {format!("{host}:aud"): audience, format!("{host}:sub"): sub}}),
        )
    };
    check(by_audience("api.pulumi.com/oidc", "urn:pulumi:org:octo", "pulumi:deploy:*"), whole);
    check(by_audience("api.pulumi.com/oidc", "urn:pulumi:org:*", "pulumi:deploy:*"), open);
    check(by_audience("api.pulumi.com/oidc", "*", "pulumi:deploy:org:octo:*"), &["trust-oidc-open low Statement[0]"]);
    check(by_audience("oidc.vercel.com", "https://vercel.com/octo", "owner:*"), whole);
    check(by_audience("oidc.vercel.com", "*", "owner:*:project:till"), open);
    check(
        json!({"Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::111122223333:saml-provider/corp"},
            "Action": "sts:AssumeRoleWithSAML",
                "Condition": {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}}}),
        &[],
    );
}

#[test]
fn a_provider_of_another_account_is_that_account() {
    let saml = |account: &str| {
        json!({"Effect": "Allow", "Principal": {"Federated": format!("arn:aws:iam::{account}:saml-provider/corp")},
            "Action": "sts:AssumeRoleWithSAML"})
    };
    check(saml(OWN), &[]);
    check(saml("444455556666"), &[]);
    check(saml("999999999999"), &["trust-external-account high Statement[0]"]);
}

#[test]
fn anybody_is_anybody_under_conditions_that_name_nobody() {
    for condition in [
        json!({"ForAllValues:StringEquals": {"aws:PrincipalOrgID": "o-exampleorgid"}}),
        json!({"StringEqualsIfExists": {"aws:PrincipalOrgID": "o-exampleorgid"}}),
        json!({"StringLike": {"aws:PrincipalOrgID": "o-*"}}),
        json!({"StringNotEquals": {"aws:PrincipalAccount": "999999999999"}}),
        json!({"StringEquals": {"aws:PrincipalTag/team": "shop"}}),
        json!({"StringEquals": {"sts:RoleSessionName": "shop"}}),
        json!({"IpAddress": {"aws:SourceIp": ["0.0.0.0/1", "128.0.0.0/1"]}}),
    ] {
        check(trust(json!({"AWS": "*"}), condition), &["trust-public critical Statement[0]"]);
    }
    check(
        trust(json!({"AWS": "*"}), json!({"ForAnyValue:StringEquals": {"aws:PrincipalOrgID": "o-exampleorgid"}})),
        &["trust-organization low Statement[0]"],
    );
    check(
        trust(json!({"AWS": "*"}), json!({"ForAnyValue:StringLike": {"aws:PrincipalOrgPaths": "o-exampleorgid/*"}})),
        &["trust-organization low Statement[0]"],
    );
    check(
        json!({"Effect": "Allow", "Principal": "*", "Action": "sts:Assume?ole"}),
        &["trust-public critical Statement[0]"],
    );
    check(
        json!({"Effect": "Allow", "Principal": "*", "NotAction": "sts:TagSession"}),
        &["trust-public critical Statement[0]"],
    );
}

#[test]
fn narrowing_takes_out_what_is_open_and_nothing_else() {
    let policy = |statements: Value| json!({"Version": "2012-10-17", "Statement": statements}).to_string();
    let narrowed = |text: &str, baseline: Option<&str>| {
        let findings = judge(&Document::parse(text, Kind::Trust).unwrap(), &context());
        narrow(text, &findings, baseline, &context()).unwrap()
    };
    let lambda =
        json!({"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"});
    let mut mixed = lambda.clone();
    mixed["Principal"]["AWS"] = json!(["999999999999", OWN]);
    let mut left = lambda.clone();
    left["Principal"]["AWS"] = json!([OWN]);
    let result = narrowed(&policy(json!([mixed])), None);
    assert_eq!(result.document.unwrap()["Statement"], json!([left]));

    let public = policy(json!([trust(json!("*"), json!({}))]));
    assert_eq!(narrowed(&public, None).document, None);
    let restored = narrowed(&public, Some(STANDARD_TRUST));
    assert_eq!(restored.document.unwrap().to_string(), STANDARD_TRUST);
    assert!(judge(&Document::parse(STANDARD_TRUST, Kind::Trust).unwrap(), &context()).is_empty());

    // Whether the service sends its source is not known, so nothing is done to a trigger that works.
    let anchors = policy(json!([trust(json!({"Service": "rolesanywhere.amazonaws.com"}), json!({}))]));
    let result = narrowed(&anchors, None);
    assert!(result.edits.is_empty());
    assert_eq!(result.unfixable.len(), 1);
}

#[test]
fn a_network_or_a_unique_id_is_somebody_who_is_not_known() {
    let public: &[&str] = &["trust-public critical Statement[0]"];
    let outsider: &[&str] = &["trust-external-account high Statement[0]"];
    let from = |ranges: Value| trust(json!("*"), json!({"IpAddress": {"aws:SourceIp": ranges}}));
    for everybody in [
        json!(["0.0.0.0/1", "128.0.0.0/2", "192.0.0.0/3"]),
        json!(["32.0.0.0/4", "48.0.0.0/30"]),
        json!(["2600::/7"]),
        json!(["8.8.8.8/32", "2600::/7"]),
    ] {
        check(from(everybody), public);
    }
    for somebody in [json!("48.0.0.0/4"), json!("198.18.7.7/32"), json!(["2600:1f18::/32", "8.8.8.0/24"])] {
        check(from(somebody), outsider);
    }
    check(from(json!("172.16.0.0/12")), &[]);
    check(trust(json!("*"), json!({"StringEquals": {"aws:SourceVpce": "vpce-0a1b2c3d4e5f60718"}})), outsider);
    check(trust(json!("*"), json!({"StringEquals": {"aws:SourceVpc": "vpc-0a1b2c3d"}})), outsider);
    // Whose it is cannot be read from it.
    let of = |id: &str| trust(json!({"AWS": "*"}), json!({"StringLike": {"aws:userid": id}}));
    check(of("AROAQWERTZUIOPASDFGHJ:*"), &["trust-external-account medium Statement[0]"]);
    check(of("AIDAQWERTZUIOPASDFGHJ"), &["trust-external-account medium Statement[0]"]);
    check(of("*:deploy"), public);
    check(of("111122223333:*"), &[]);
    // Several statements add up.
    let text = json!({"Version": "2012-10-17", "Statement": [from(json!("32.0.0.0/4")), from(json!("48.0.0.0/4"))]});
    let text = text.to_string();
    let findings = judge(&Document::parse(&text, Kind::Trust).unwrap(), &context());
    assert!(findings.len() == 2 && findings.iter().all(|finding| finding.id == FindingId::TrustPublic), "{findings:?}");
    assert_eq!(narrow(&text, &findings, None, &context()).unwrap().document, None);
}

#[test]
fn a_deny_of_everything_leaves_nobody() {
    let public = trust(json!("*"), json!({}));
    let judged = |deny: Value| {
        let text = json!({"Version": "2012-10-17", "Statement": [public, deny]}).to_string();
        judge(&Document::parse(&text, Kind::Trust).unwrap(), &context()).len()
    };
    let deny = |action: &str, condition: Value| {
        json!({"Effect": "Deny", "Principal": "*", "Action": action,
        "Condition": condition})
    };
    for action in ["*", "sts:*", "sts:AssumeRole", "STS:Assume*"] {
        assert_eq!(judged(deny(action, json!({}))), 0, "{action}");
    }
    assert_eq!(judged(deny("sts:AssumeRoleWithSAML", json!({}))), 1);
    assert_eq!(judged(deny("sts:*", json!({"StringEquals": {"aws:PrincipalAccount": "999999999999"}}))), 1);
    assert_eq!(judged(json!({"Effect": "Deny", "Principal": {"AWS": "999999999999"}, "Action": "*"})), 1);
    assert_eq!(judged(json!({"Effect": "Deny", "NotPrincipal": {"AWS": OWN}, "Action": "*"})), 0);
}

#[test]
fn what_a_deny_leaves_is_who_is_let_in() {
    let check = |allow: &Value, deny: Value, expected: &[&str]| {
        let text = json!({"Version": "2012-10-17", "Statement": [allow, deny]}).to_string();
        let document = Document::parse(&text, Kind::Trust).unwrap();
        let findings = judge(&document, &context());
        let shown: Vec<String> =
            findings.iter().map(|finding| format!("{} {} {}", finding.id, finding.severity, finding.at)).collect();
        assert_eq!(shown, expected, "{text}");
    };
    let deny =
        |condition: Value| json!({"Effect": "Deny", "Principal": "*", "Action": "sts:*", "Condition": condition});
    let all = trust(json!({"AWS": "*"}), json!({}));
    let unless = |key: &str, value: &str| deny(json!({"StringNotEquals": {key: value}}));
    check(&all, unless("aws:PrincipalOrgID", "o-exampleorgid"), &["trust-organization low Statement[0]"]);
    check(&all, unless("aws:PrincipalOrgID", "o-anotherorgid"), &["trust-external-account high Statement[0]"]);
    check(&all, unless("aws:PrincipalAccount", OWN), &[]);
    check(
        &all,
        json!({"Effect": "Deny", "NotPrincipal": {"AWS": "999999999999"}, "Action": "sts:AssumeRole"}),
        &["trust-external-account high Statement[0]"],
    );
    let public: &[&str] = &["trust-public critical Statement[0]"];
    check(&all, deny(json!({"BoolIfExists": {"aws:MultiFactorAuthPresent": "false"}})), public);
    check(&all, unless("sts:ExternalId", "x"), public);
    // A token's claims as well.
    let host = "token.actions.githubusercontent.com";
    let ci = federated(
        &format!("arn:aws:iam::111122223333:oidc-provider/{host}"),
        json!({"StringEquals": {format!("{host}:aud"): "sts.amazonaws.com"}}),
    );
    let not_like = |sub: &str| deny(json!({"StringNotLike": {format!("{host}:sub"): sub}}));
    check(&ci, not_like("repo:octo/*"), &[]);
    check(&ci, not_like("repo:*"), &["trust-oidc-open critical Statement[0]"]);
    check(
        &ci,
        deny(json!({"StringLike": {format!("{host}:sub"): "repo:octo/*"}})),
        &["trust-oidc-open critical Statement[0]"],
    );
}

#[test]
fn a_token_always_says_whose_and_for_whom_it_is() {
    let github = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";
    let with = |aud: &str, sub: Value| {
        federated(
            github,
            json!({
                aud: {"token.actions.githubusercontent.com:aud": "sts.amazonaws.com"},
                "StringLike": {"token.actions.githubusercontent.com:sub": sub}
            }),
        )
    };
    let open: &[&str] = &["trust-oidc-open critical Statement[0]"];
    check(with("ForAllValues:StringEquals", json!("repo:tui/site:environment:live")), &[]);
    check(with("ForAllValues:StringLike", json!("repo:tui/*")), &[]);
    check(with("ForAllValues:StringEquals", json!("repo:tui*")), open);
    check(with("ForAllValues:StringNotEquals", json!("repo:tui/*")), &["trust-oidc-open low Statement[0]"]);
    let every = |sub: &str| {
        federated(
            github,
            json!({"ForAllValues:StringLike": {
                "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
                "token.actions.githubusercontent.com:sub": sub
            }}),
        )
    };
    check(every("repo:tui/site:*"), &[]);
    check(every("repo:*"), open);
    // A claim that a token may lack.
    check(
        federated(
            github,
            json!({"ForAllValues:StringEquals": {
                "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
                "token.actions.githubusercontent.com:repository": "tui/site"
            }}),
        ),
        open,
    );
    check(
        federated(
            "cognito-identity.amazonaws.com",
            json!({
                "StringEquals": {"cognito-identity.amazonaws.com:aud": "eu-west-1:pool"},
                "ForAllValues:StringLike": {"cognito-identity.amazonaws.com:amr": "authenticated"}
            }),
        ),
        open,
    );
}

#[test]
fn a_provider_of_the_account_has_its_own_list_of_audiences() {
    let with = |provider: &str, host: &str, sub: &str| {
        federated(provider, json!({"StringLike": {format!("{host}:sub"): sub}}))
    };
    let own = |host: &str| format!("arn:aws:iam::111122223333:oidc-provider/{host}");
    let low: &[&str] = &["trust-oidc-open low Statement[0]"];
    for (host, sub) in [
        ("token.actions.githubusercontent.com", "repo:tui/site:*"),
        ("gitlab.com", "project_path:tui/site:*"),
        ("oidc.eks.us-east-2.amazonaws.com/id/0123456789ABCDEF", "system:serviceaccount:till:till"),
        ("login.example.com", "machine-17"),
    ] {
        check(with(&own(host), host, sub), low);
    }
    // A public provider signs for every application there is.
    check(with("accounts.google.com", "accounts.google.com", "1234567890"), &["trust-oidc-open medium Statement[0]"]);
    let open: &[&str] = &["trust-oidc-open critical Statement[0]"];
    check(with(&own("gitlab.com"), "gitlab.com", "project_path:*"), open);
    check(with(&own("login.example.com"), "login.example.com", "*"), open);
}

#[test]
fn the_pods_of_one_cluster_are_no_strangers() {
    let judged = |host: &str, condition: Value, expected: &[&str]| {
        check(federated(&format!("arn:aws:iam::111122223333:oidc-provider/{host}"), condition), expected);
    };
    let medium: &[&str] = &["trust-oidc-open medium Statement[0]"];
    let open: &[&str] = &["trust-oidc-open critical Statement[0]"];
    for host in [
        "oidc.eks.us-east-2.amazonaws.com/id/0123456789ABCDEF",
        "oidc.eks.cn-north-1.amazonaws.com.cn/id/0123456789ABCDEF",
        "container.googleapis.com/v1/projects/tui/locations/europe-west1/clusters/till",
        "eastus.oic.prod-aks.azure.com/11112222-0000/33334444-0000/",
    ] {
        let (aud, sub) = (format!("{host}:aud"), format!("{host}:sub"));
        for any in ["system:serviceaccount:*:till", "system:serviceaccount:*", "*"] {
            judged(
                host,
                json!({"StringEquals": {aud.as_str(): "sts.amazonaws.com"}, "StringLike": {sub.as_str(): any}}),
                medium,
            );
        }
        judged(host, json!({"StringEquals": {aud.as_str(): "sts.amazonaws.com"}}), medium);
        judged(host, json!({"StringLike": {sub.as_str(): "system:serviceaccount:*:till"}}), medium);
        judged(
            host,
            json!({"StringLike": {aud.as_str(): "sts.amazonaws.com", sub.as_str(): "system:serviceaccount:till:*"}}),
            &[],
        );
    }
    // Any other issuer of service accounts is a cluster as well, if its tokens have to be of one.
    let kops = "till-oidc.s3.eu-west-1.amazonaws.com";
    let of = |sub: &str| json!({"StringLike": {format!("{kops}:aud"): "amazonaws.com", format!("{kops}:sub"): sub}});
    judged(kops, of("system:serviceaccount:*:till"), medium);
    judged(kops, of("*"), open);
    judged(kops, of("system:*"), open);
    // What looks like one and is not.
    for host in ["oidc.eks.us-east-2.amazonaws.com.example.com/id/0", "gitlab.com", "eks.example.com/id/0"] {
        let (aud, sub) = (format!("{host}:aud"), format!("{host}:sub"));
        judged(host, json!({"StringLike": {aud: "x", sub: "*"}}), open);
    }
}

#[test]
fn claims_of_another_provider_let_nobody_in() {
    let note: &[&str] = &["trust-oidc-open info Statement[0]"];
    let open: &[&str] = &["trust-oidc-open critical Statement[0]"];
    let github = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";
    let on = |operator: &str, key: &str| federated(github, json!({operator: {key: "x"}}));
    check(on("StringEquals", "gitlab.com:sub"), note);
    check(on("StringLike", "token.actions.example.com:aud"), note);
    check(on("StringEquals", "https://token.actions.githubusercontent.com:sub"), note);
    for holds_without in ["StringNotEquals", "StringEqualsIfExists", "ForAllValues:StringEquals", "Null"] {
        check(on(holds_without, "gitlab.com:sub"), open);
    }
    check(on("StringEquals", "aws:RequestTag/team"), open);
    check(on("StringEquals", "sts:RoleSessionName"), open);
    check(on("StringEquals", "token.actions.githubusercontent.com:workflow"), open);
    check(on("StringEquals", "Token.Actions.GitHubUserContent.com/:workflow"), open);
}

#[test]
fn a_foreign_organisation_is_an_outsider_once_anybody_is_known() {
    let text = json!({"Version": "2012-10-17", "Statement": [
        trust(json!("*"), json!({"StringEquals": {"aws:PrincipalOrgID": "o-anotherorgid"}}))]})
    .to_string();
    let document = Document::parse(&text, Kind::Trust).unwrap();
    let judged = |context: &Context| {
        let finding = judge(&document, context).remove(0);
        (finding.id, finding.severity)
    };
    let alone = Context::of_account(OWN.parse().unwrap());
    let listed = Context { trusted_accounts: ["444455556666".parse().unwrap()].into(), ..alone.clone() };
    let organised = Context { organization: Some("o-exampleorgid".parse().unwrap()), ..alone.clone() };
    assert_eq!(judged(&alone), (FindingId::TrustOrganization, Severity::Medium));
    assert_eq!(judged(&listed), (FindingId::TrustExternalAccount, Severity::High));
    assert_eq!(judged(&organised), (FindingId::TrustExternalAccount, Severity::High));
}

#[test]
fn a_service_takes_a_role_from_its_own_account_alone() {
    for service in [
        "ec2.amazonaws.com",
        "states.amazonaws.com",
        "ecs-tasks.amazonaws.com",
        "logs.eu-west-1.amazonaws.com",
        "edgelambda.amazonaws.com",
        "ec2.amazonaws.com.cn",
    ] {
        check(trust(json!({"Service": service}), json!({})), &[]);
    }
    // A trust anchor, not a passed role, decides who gets in; and what is no service of AWS is not known.
    let low: &[&str] = &["trust-confused-deputy low Statement[0]"];
    check(trust(json!({"Service": "rolesanywhere.amazonaws.com"}), json!({})), low);
    check(trust(json!({"Service": "deputy.example.com"}), json!({})), low);
    check(
        trust(
            json!({"Service": "rolesanywhere.amazonaws.com"}),
            json!({"ArnEquals": {"aws:SourceArn": "arn:aws:rolesanywhere:eu-west-1:111122223333:trust-anchor/11112222"}}),
        ),
        &[],
    );
    // Under `*` a bucket's ARN is S3, whoever owns the name.
    check(trust(json!("*"), json!({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::orders-in"}})), low);
}

#[test]
fn lambda_alone_is_nobody_else() {
    #[track_caller]
    fn check(statements: Value, expected: bool) {
        let text = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        assert_eq!(lets_in_lambda_alone(&Document::parse(&text, Kind::Trust).unwrap()), expected, "{statements}");
    }
    let lambda = trust(json!({"Service": "lambda.amazonaws.com"}), json!({}));
    let deny = json!({"Effect": "Deny", "Principal": "*", "Action": "sts:TagSession"});
    check(json!([lambda, deny]), true);
    check(json!([lambda, trust(json!({"AWS": OWN}), json!({}))]), false);
    check(json!([trust(json!({"Service": ["lambda.amazonaws.com", "ec2.amazonaws.com"]}), json!({}))]), false);
    check(
        json!([{"Effect": "Allow", "NotPrincipal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]),
        false,
    );
    // Whoever may only tag sessions counts too.
    check(json!([lambda, {"Effect": "Allow", "Principal": {"AWS": OWN}, "Action": "sts:TagSession"}]), false);
}
