//! Plans of Terraform and what is said of them.

use serde_json::{Value, json};
use warden_policy::Context;
use warden_template::judge;

fn said(plan: &Value) -> Vec<String> {
    let account = "111122223333".parse().expect("an account");
    let report = judge(&plan.to_string(), &Context::of_account(account)).expect("a plan");
    let findings = report.findings.iter().map(|it| &it.finding);
    let findings = findings.map(|it| format!("{} {} {}", it.severity, it.id, it.at));
    let not_judged = report.not_judged.iter().map(|it| format!("? {} {}", it.at, it.why));
    findings.chain(not_judged).chain(report.errors.iter().map(|it| format!("! {} {}", it.at, it.why))).collect()
}

/// A resource of the plan: its address, what is planned, what is known only after apply, what its expressions refer to.
struct Planned(&'static str, Value, Value, Value);

impl Planned {
    fn of_module(&self, module: &str) -> bool {
        let inside = self.0.strip_prefix(module).unwrap_or(self.0);
        !inside.starts_with("module.") && self.0.starts_with(module)
    }

    fn kind(&self) -> &str {
        self.0.rsplit('.').nth(1).expect("TYPE.NAME")
    }

    fn own_address(&self) -> String {
        let name = self.0.rsplit('.').next().expect("TYPE.NAME").split('[').next().expect("a name");
        format!("{}.{name}", self.kind())
    }
}

/// A plan with these resources, those of `module.shop` in that module.
fn plan(resources: &[Planned]) -> Value {
    let values = |module: &str| -> Vec<Value> {
        let of = resources.iter().filter(|resource| resource.of_module(module));
        of.map(|it| json!({"address": it.0, "mode": "managed", "type": it.kind(), "values": it.1})).collect()
    };
    let configured = |module: &str| -> Vec<Value> {
        let of = resources.iter().filter(|resource| resource.of_module(module));
        of.map(|it| json!({"address": it.own_address(), "mode": "managed", "expressions": it.3})).collect()
    };
    let changes: Vec<Value> = resources
        .iter()
        .map(|it| json!({"address": it.0, "change": {"actions": ["create"], "after": it.1, "after_unknown": it.2}}))
        .collect();
    json!({
        "format_version": "1.2",
        "planned_values": {"root_module": {
            "resources": values(""),
            "child_modules": [{"address": "module.shop", "resources": values("module.shop.")}],
        }},
        "resource_changes": changes,
        "configuration": {"root_module": {
            "resources": configured(""),
            "module_calls": {"shop": {"module": {"resources": configured("module.shop.")}}},
        }},
    })
}

#[track_caller]
fn check(resources: &[Planned], expected: &[&str]) {
    assert_eq!(said(&plan(resources)), expected);
}

fn allow(actions: &[&str], resource: &str) -> String {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": actions, "Resource": resource}]})
        .to_string()
}

fn trust(principal: Value) -> String {
    let statement = json!({"Effect": "Allow", "Principal": principal, "Action": "sts:AssumeRole"});
    json!({"Version": "2012-10-17", "Statement": [statement]}).to_string()
}

fn role(address: &'static str, rest: Value) -> Planned {
    let mut values = json!({"name": "pay", "assume_role_policy": trust(json!({"Service": "lambda.amazonaws.com"}))});
    values.as_object_mut().expect("values").extend(rest.as_object().expect("values").clone());
    Planned(address, values, json!({"arn": true, "id": true}), json!({}))
}

fn refers(key: &str, to: &str) -> Value {
    json!({key: {"references": [format!("{to}.arn"), to]}})
}

#[test]
fn a_role_is_judged_with_what_stands_in_it() {
    check(
        &[role(
            "aws_iam_role.pay",
            json!({
                "assume_role_policy": trust(json!("*")),
                "inline_policy": [{"name": "a", "policy": allow(&["*"], "*")}],
                "managed_policy_arns": ["arn:aws:iam::aws:policy/PowerUserAccess",
                    "arn:aws:iam::aws:policy/NoSuchAccess"],
            }),
        )],
        &[
            "critical wildcard-admin aws_iam_role.pay.inline_policy[0].Statement[0]",
            "critical wildcard-not-action aws_iam_role.pay.managed_policy_arns[0]",
            "critical trust-public aws_iam_role.pay.assume_role_policy.Statement[0]",
            "? aws_iam_role.pay.managed_policy_arns[1] the document of `arn:aws:iam::aws:policy/NoSuchAccess` is not \
             in the template",
        ],
    );
    // An empty block takes all inline policies away.
    for empty in [json!({}), json!({"name": "", "policy": ""}), json!({"name": null, "policy": null})] {
        check(&[role("aws_iam_role.pay", json!({"inline_policy": [empty]}))], &[]);
    }
    // What AWS refuses hides nothing else.
    check(
        &[role(
            "aws_iam_role.pay",
            json!({"inline_policy": [{"name": "a", "policy": "{"}, {"name": "b", "policy": allow(&["*"], "*")}]}),
        )],
        &[
            "critical wildcard-admin aws_iam_role.pay.inline_policy[1].Statement[0]",
            "! aws_iam_role.pay.inline_policy[0] EOF while parsing an object at line 1 column 1",
        ],
    );
}

#[test]
fn policies_find_their_role_by_name_or_by_what_their_expressions_refer_to() {
    let pass = || allow(&["iam:PassRole"], "*");
    let create = || allow(&["lambda:CreateFunction", "lambda:InvokeFunction"], "*");
    let escalates = |resources: &[Planned], at: &str| {
        let found = said(&plan(resources));
        assert!(found.contains(&format!("critical privilege-escalation {at}")), "{found:?}");
    };
    let inline = json!({"inline_policy": [{"name": "a", "policy": create()}]});
    for (values, unknown, expressions) in [
        (json!({"role": "pay", "policy": pass()}), json!({}), json!({})),
        (json!({"policy": pass()}), json!({"role": true}), refers("role", "aws_iam_role.pay")),
    ] {
        escalates(
            &[
                role("aws_iam_role.pay", inline.clone()),
                Planned("aws_iam_role_policy.pass", values, unknown, expressions),
            ],
            "aws_iam_role_policy.pass.Statement[0]",
        );
    }
    // An attachment of a policy that has no ARN yet, in a module, one for each of several.
    let both = || {
        let mut expressions = refers("policy_arn", "aws_iam_policy.pass");
        expressions["role"] = refers("role", "aws_iam_role.pay")["role"].clone();
        expressions
    };
    escalates(
        &[
            role("module.shop.aws_iam_role.pay[0]", json!({"name": "other"})),
            role("module.shop.aws_iam_role.pay[1]", inline),
            Planned(
                "module.shop.aws_iam_policy.pass",
                json!({"name": "pass", "policy": pass()}),
                json!({"arn": true}),
                json!({}),
            ),
            Planned(
                "module.shop.aws_iam_role_policy_attachment.pass[1]",
                json!({}),
                json!({"role": true, "policy_arn": true}),
                both(),
            ),
        ],
        "module.shop.aws_iam_policy.pass.Statement[0]",
    );
}

#[test]
fn attachments_of_aws_and_boundaries_of_the_plan() {
    let attachment = || {
        Planned(
            "aws_iam_role_policy_attachment.admin",
            json!({"role": "pay", "policy_arn": "arn:aws:iam::aws:policy/AdministratorAccess"}),
            json!({}),
            json!({}),
        )
    };
    check(
        &[role("aws_iam_role.pay", json!({})), attachment()],
        &["critical wildcard-admin aws_iam_role_policy_attachment.admin.policy_arn"],
    );
    let bound = allow(&["s3:GetObject"], "arn:aws:s3:::invoices/*");
    let mut bounded = role("aws_iam_role.pay", json!({}));
    bounded.2["permissions_boundary"] = json!(true);
    bounded.3 = refers("permissions_boundary", "aws_iam_policy.bound");
    let boundary =
        Planned("aws_iam_policy.bound", json!({"name": "bound", "policy": bound}), json!({"arn": true}), json!({}));
    check(&[bounded, attachment(), boundary], &[]);
}

#[test]
fn what_is_known_only_after_apply_is_said() {
    check(
        &[
            role("aws_iam_role.pay", json!({})),
            Planned("aws_iam_role_policy.own", json!({"role": "pay"}), json!({"policy": true}), json!({})),
        ],
        &["? aws_iam_role_policy.own.policy known only after apply"],
    );
}

#[test]
fn who_may_invoke() {
    let function =
        || Planned("aws_lambda_function.pay", json!({"function_name": "pay"}), json!({"arn": true}), json!({}));
    let permission = |rest: Value, unknown: Value| {
        let mut values = json!({"function_name": "pay", "action": "lambda:InvokeFunction", "statement_id": "may"});
        values.as_object_mut().expect("values").extend(rest.as_object().expect("values").clone());
        Planned("aws_lambda_permission.may", values, unknown, json!({}))
    };
    let at = "aws_lambda_permission.may";
    let public = format!("critical public-invoke {at}");
    check(&[function(), permission(json!({"principal": "*"}), json!({}))], &[&public]);
    let open = format!("high open-service-principal {at}");
    check(&[function(), permission(json!({"principal": "sns.amazonaws.com"}), json!({}))], &[&open]);
    // One ARN, whichever it is.
    check(&[function(), permission(json!({"principal": "sns.amazonaws.com"}), json!({"source_arn": true}))], &[]);
    let external = format!("medium external-invoke {at}");
    check(&[function(), permission(json!({"principal": "999999999999"}), json!({}))], &[&external]);

    let url = Planned(
        "aws_lambda_function_url.pay",
        json!({"authorization_type": "NONE", "cors": [{"allow_origins": ["*"], "allow_credentials": false}]}),
        json!({"function_name": true}),
        refers("function_name", "aws_lambda_function.pay"),
    );
    let anybody = permission(
        json!({"action": "lambda:InvokeFunctionUrl", "principal": "*", "function_url_auth_type": "NONE"}),
        json!({}),
    );
    check(
        &[function(), url, anybody],
        &[
            "critical public-url aws_lambda_function_url.pay.AuthType",
            "low cors-any-origin aws_lambda_function_url.pay.Cors.AllowOrigins",
            "critical public-url aws_lambda_permission.may",
            "critical public-url aws_lambda_function_url.pay",
        ],
    );
    let layer = Planned(
        "aws_lambda_layer_version_permission.may",
        json!({"layer_name": "x", "action": "lambda:GetLayerVersion", "principal": "*", "organization_id": ""}),
        json!({}),
        json!({}),
    );
    check(&[layer], &["high public-layer aws_lambda_layer_version_permission.may"]);
}

#[test]
fn the_provider_opens_a_url_without_authorization_by_itself() {
    let url = |values: Value, unknown: Value| Planned("aws_lambda_function_url.open", values, unknown, json!({}));
    for qualifier in [json!(null), json!("live")] {
        check(
            &[url(json!({"function_name": "pay", "qualifier": qualifier, "authorization_type": "NONE"}), json!({}))],
            &[
                "critical public-url aws_lambda_function_url.open.AuthType",
                "critical public-url aws_lambda_function_url.open",
            ],
        );
    }
    check(&[url(json!({"function_name": "pay", "authorization_type": "AWS_IAM"}), json!({}))], &[]);
    check(
        &[url(json!({"function_name": "pay"}), json!({"authorization_type": true}))],
        &["? aws_lambda_function_url.open.authorization_type known only after apply"],
    );
}

#[test]
fn an_attachment_to_a_role_elsewhere_is_judged_by_itself_and_said() {
    let attachment =
        |values: Value, unknown: Value| Planned("aws_iam_role_policy_attachment.more", values, unknown, json!({}));
    let arn = |name: &str| format!("arn:aws:iam::aws:policy/{name}");
    check(
        &[attachment(json!({"role": "elsewhere", "policy_arn": arn("AdministratorAccess")}), json!({}))],
        &[
            "critical wildcard-admin aws_iam_role_policy_attachment.more.policy_arn",
            "? aws_iam_role_policy_attachment.more the role `elsewhere` is not in the plan, so the policy is judged by \
             itself",
        ],
    );
    check(
        &[attachment(json!({"policy_arn": arn("service-role/AWSLambdaBasicExecutionRole")}), json!({"role": true}))],
        &["? aws_iam_role_policy_attachment.more its role is not in the plan, so the policy is judged by itself"],
    );
    check(
        &[attachment(json!({"policy_arn": arn("service-role/AWSLambdaBasicExecutionRole")}), json!({}))],
        &["? aws_iam_role_policy_attachment.more its role is not in the plan, so the policy is judged by itself"],
    );
    check(
        &[attachment(json!({"role": "elsewhere", "policy_arn": arn("NoSuchAccess")}), json!({}))],
        &[
            "? aws_iam_role_policy_attachment.more the role `elsewhere` is not in the plan, so the policy is judged by \
             itself",
            "? aws_iam_role_policy_attachment.more.policy_arn the document of `arn:aws:iam::aws:policy/NoSuchAccess` \
             is not in the template",
        ],
    );
}

/// A plan in which one module makes a role, another attaches a policy to it, and the root passes it on.
fn plan_of_modules(passed: &str) -> Value {
    let create = allow(&["lambda:CreateFunction", "lambda:InvokeFunction"], "*");
    let values = json!({"name": "pay", "inline_policy": [{"name": "a", "policy": create}],
        "assume_role_policy": trust(json!({"Service": "lambda.amazonaws.com"}))});
    let resource = |address: &str, kind: &str, values: Value| json!({"address": address, "mode": "managed", "type": kind, "values": values});
    json!({
        "planned_values": {"root_module": {"child_modules": [
            {"resources": [resource("module.roles.aws_iam_role.pay", "aws_iam_role", values)]},
            {"resources": [resource("module.grants.aws_iam_role_policy.pass", "aws_iam_role_policy",
                json!({"policy": allow(&["iam:PassRole"], "*")}))]},
        ]}},
        "configuration": {"root_module": {"module_calls": {
            "roles": {"module": {
                "outputs": {"name": {"expression": {"references": ["aws_iam_role.pay.name", "aws_iam_role.pay"]}}},
            }},
            "grants": {
                "expressions": {"role": {"references": [passed, "module.roles"]}},
                "module": {"resources": [{"address": "aws_iam_role_policy.pass",
                    "expressions": {"role": {"references": ["var.role"]}}}]},
            },
        }}},
    })
}

#[test]
fn a_role_is_found_through_the_variables_and_outputs_of_modules() {
    let escalates = "critical privilege-escalation module.grants.aws_iam_role_policy.pass.Statement[0]".to_owned();
    assert!(said(&plan_of_modules("module.roles.name")).contains(&escalates));
    assert!(!said(&plan_of_modules("module.roles.other")).contains(&escalates));
    // A module that is passed its own output.
    let mut circle = plan_of_modules("module.grants.role");
    circle["configuration"]["root_module"]["module_calls"]["grants"]["module"]["outputs"] =
        json!({"role": {"expression": {"references": ["var.role", "var.role"]}}});
    assert!(!said(&circle).contains(&escalates));
}

#[test]
fn what_is_not_read_or_not_known_of_a_plan_is_said() {
    check(
        &[
            Planned("awscc_lambda_function.pay", json!({}), json!({}), json!({})),
            Planned("awscc_iam_role.pay", json!({}), json!({}), json!({})),
            Planned("awscc_s3_bucket.pay", json!({}), json!({}), json!({})),
        ],
        &[
            "? awscc_iam_role.pay resources of the provider awscc are not read",
            "? awscc_lambda_function.pay resources of the provider awscc are not read",
        ],
    );
    let function = |unknown: Value| {
        let values = json!({"function_name": "pay", "environment": [{"variables": {"STAGE": "dev"}}]});
        Planned("aws_lambda_function.pay", values, json!({"environment": unknown}), json!({}))
    };
    let all = "? aws_lambda_function.pay.environment.variables known only after apply";
    check(&[function(json!([{"variables": true}]))], &[all]);
    check(&[function(json!(true))], &[all]);
    check(
        &[function(json!([{"variables": {"DB_PASSWORD": true, "DB_HOST": true}}]))],
        &["medium plaintext-secret aws_lambda_function.pay.environment.DB_PASSWORD"],
    );
    check(&[function(json!([{"variables": {"DB_PASSWORD": false}}]))], &[]);
    check(
        &[Planned(
            "aws_lambda_permission.may",
            json!({"function_name": "pay", "action": "lambda:InvokeFunction"}),
            json!({}),
            json!({}),
        )],
        &["! aws_lambda_permission.may there is no `principal`"],
    );
}

#[test]
fn a_role_of_several_functions_is_worth_a_word() {
    let function = |address| {
        Planned(address, json!({"function_name": address}), json!({"role": true}), refers("role", "aws_iam_role.pay"))
    };
    check(
        &[role("aws_iam_role.pay", json!({})), function("aws_lambda_function.a"), function("aws_lambda_function.b")],
        &["low shared-role aws_iam_role.pay"],
    );
    let elsewhere =
        |address, role: &str| Planned(address, json!({"function_name": address, "role": role}), json!({}), json!({}));
    let shared = "arn:aws:iam::111122223333:role/shared";
    check(
        &[
            elsewhere("aws_lambda_function.a", shared),
            elsewhere("aws_lambda_function.b", "arn:aws:iam::111122223333:role/own"),
            elsewhere("aws_lambda_function.c", shared),
        ],
        &[&format!("low shared-role {shared}")],
    );
}

#[test]
fn plaintext_secrets_in_an_environment_are_found() {
    let variables = json!({"STAGE": "prod", "DB_URL": "postgres://app:Vq8_mz4Lk2Tn9wRx@db.internal/orders"});
    check(
        &[Planned("aws_lambda_function.pay", json!({"environment": [{"variables": variables}]}), json!({}), json!({}))],
        &["high plaintext-secret aws_lambda_function.pay.environment.DB_URL"],
    );
}

#[test]
fn a_state_is_read_like_a_plan_and_errors_say_where() {
    let policy = allow(&["*"], "*");
    let state = json!({"format_version": "1.0", "values": {"root_module": {"resources": [
        {"address": "aws_iam_policy.a", "mode": "managed", "type": "aws_iam_policy",
            "values": {"name": "a", "policy": policy}},
    ]}}});
    assert_eq!(said(&state), ["critical wildcard-admin aws_iam_policy.a.Statement[0]"]);
    let twice = r#"{"Statement":[{"Effect":"Deny","Effect":"Allow"}]}"#;
    let plan = plan(&[Planned("aws_iam_policy.a", json!({"policy": twice}), json!({}), json!({}))]);
    assert_eq!(said(&plan), ["! aws_iam_policy.a duplicate key `Effect` at line 1 column 39"]);
    let error = judge(r#"{"planned_values": {}}"#, &Context::default()).expect_err("no module");
    assert_eq!(error.to_string(), "planned_values: there is no `root_module`");
}
