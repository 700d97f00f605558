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
    check(json!({"Effect": "Allow", "NotPrincipal": {"AWS": OWN}, "Action": "sts:AssumeRole"}), public);
    check(json!({"Effect": "Allow", "Principal": "*", "Action": "sts:*"}), public);
    check(json!({"Effect": "Deny", "Principal": "*", "Action": "sts:AssumeRole"}), &[]);
    check(json!({"Effect": "Allow", "Principal": "*", "Action": "sts:TagSession"}), &[]);
    check(trust(json!("*"), json!({"StringEquals": {"aws:PrincipalAccount": OWN}})), &[]);
    check(trust(json!("*"), json!({"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::*:role/ci"}})), public);
}

#[test]
fn organisations() {
    let of = |id: &str| trust(json!("*"), json!({"StringEquals": {"aws:PrincipalOrgID": id}}));
    check(of("o-exampleorgid"), &["trust-organization low Statement[0]"]);
    check(of("o-anotherorgid"), &["trust-organization medium Statement[0]"]);
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
    check(trust(json!({"Service": "ec2.amazonaws.com"}), json!({})), &["trust-confused-deputy low Statement[0]"]);
    check(
        trust(json!({"Service": ["lambda.amazonaws.com", "events.amazonaws.com"]}), json!({})),
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
    json!({"Effect": "Allow", "Principal": {"Federated": provider}, "Action": "sts:AssumeRoleWithWebIdentity", "Condition": condition})
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
    check(
        federated(github, json!({"StringLike": {"token.actions.githubusercontent.com:sub": "repo:octo/shop:*"}})),
        open,
    );
    check(
        federated(
            github,
            json!({"ForAllValues:StringEquals": {
                "token.actions.githubusercontent.com:aud": "sts.amazonaws.com",
                "token.actions.githubusercontent.com:sub": "repo:octo/shop:ref:refs/heads/main"
            }}),
        ),
        open,
    );
    // Another provider's claims say nothing of this one's tokens.
    check(federated(github, json!({"StringEquals": {"gitlab.com:aud": "x", "gitlab.com:sub": "y"}})), open);
}

#[test]
fn other_providers() {
    let eks = "oidc.eks.eu-west-1.amazonaws.com/id/ABCDEF";
    let provider = format!("arn:aws:iam::111122223333:oidc-provider/{eks}");
    let with = |sub: &str| {
        federated(
            &provider,
            json!({"StringEquals": {format!("{eks}:aud"): "sts.amazonaws.com"}, "StringLike": {format!("{eks}:sub"): sub}}),
        )
    };
    check(with("system:serviceaccount:shop:orders"), &[]);
    check(with("system:serviceaccount:shop:*"), &[]);
    // Every pod of the cluster.
    for open in ["*", "system:*", "system:serviceaccount:*", "system:serviceaccount:*:orders"] {
        check(with(open), &["trust-oidc-open critical Statement[0]"]);
    }
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
    // Their address names the customer already; the subject names a repository, a project.
    let bitbucket = "api.bitbucket.org/2.0/workspaces/octo/pipelines-config/identity/oidc";
    check(of(bitbucket, "{2f5e1b0a-0000-4000-8000-111122223333}:*"), &[]);
    check(of(bitbucket, "*:deploy"), open);
    check(of("oidc.circleci.com/org/11112222", "org/11112222/project/33334444/user/*"), &[]);
    check(of("oidc.circleci.com/org/11112222", "org/*"), open);
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
    check(
        json!({"Effect": "Allow", "Principal": {"Federated": "arn:aws:iam::111122223333:saml-provider/corp"},
            "Action": "sts:AssumeRoleWithSAML", "Condition": {"StringEquals": {"SAML:aud": "https://signin.aws.amazon.com/saml"}}}),
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
    let ec2 = policy(json!([trust(json!({"Service": "ec2.amazonaws.com"}), json!({}))]));
    let result = narrowed(&ec2, None);
    assert!(result.edits.is_empty());
    assert_eq!(result.unfixable.len(), 1);
}
