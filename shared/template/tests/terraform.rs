//! Plans of Terraform and what is said of them.

use serde_json::{Value, json};
use warden_policy::Context;
use warden_template::{Report, TemplateError};

/// Judges it in November 2026, as to the tag `warden:exempt`.
fn judge(text: &str, context: &Context) -> Result<Report, TemplateError> {
    let read = |word: &str| {
        let (id, date) = word.split_once('@')?;
        Some((id.parse().ok()?, if date > "2026-12" { Ok(date.to_owned()) } else { Err("past its date; void") }))
    };
    warden_template::judge(text, context, &|tag| tag.split_whitespace().filter_map(read).collect())
}

fn said(plan: &Value) -> Vec<String> {
    let account = "111122223333".parse().expect("an account");
    let report = judge(&plan.to_string(), &Context::of_account(account)).expect("a plan");
    let findings = report.findings.iter().map(|it| &it.finding);
    let findings = findings.map(|it| format!("{} {} {}", it.severity, it.id, it.at));
    let not_judged = report.not_judged.iter().map(|it| format!("? {} {}", it.at, it.why));
    findings.chain(not_judged).chain(report.errors.iter().map(|it| format!("! {} {}", it.at, it.why))).collect()
}

/// A resource of the plan: its address, what is planned, what is known only after apply, what its expressions refer to.
#[derive(Clone)]
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
    let resource = |address: &str, kind: &str, values: Value| {
        let mode = "managed";
        json!({"address": address, "mode": mode, "type": kind, "values": values})
    };
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

/// A policy of the provider's data source that is read only after apply.
fn data(address: &'static str, values: Value, unknown: Value, expressions: Value) -> Value {
    json!({"change": {"address": address, "mode": "data", "type": "aws_iam_policy_document",
        "change": {"actions": ["read"], "after": values, "after_unknown": unknown}},
        "configured": {"address": address, "mode": "data", "expressions": expressions}})
}

fn plan_with_data(resources: &[Planned], data: &[Value]) -> Value {
    let mut plan = plan(resources);
    for (path, part) in [("/resource_changes", "change"), ("/configuration/root_module/resources", "configured")] {
        let list = plan.pointer_mut(path).and_then(Value::as_array_mut).expect("a list");
        list.extend(data.iter().map(|data| data[part].clone()));
    }
    plan
}

fn refers_to_json(key: &str, data: &str) -> Value {
    json!({key: {"references": [format!("{data}.json"), data]}})
}

#[test]
fn exclusive_attachments_are_attachments() {
    let exclusive = |arns: Value, unknown: Value, expressions: Value| {
        let values = json!({"role_name": "pay", "policy_arns": arns});
        Planned("aws_iam_role_policy_attachments_exclusive.pay", values, unknown, expressions)
    };
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    let basic = "arn:aws:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
    let at = "critical wildcard-admin aws_iam_role_policy_attachments_exclusive.pay.policy_arns[1]";
    check(&[role("aws_iam_role.pay", json!({})), exclusive(json!([basic, admin]), json!({}), json!({}))], &[at]);
    check(
        &[exclusive(json!([basic, admin]), json!({}), json!({}))],
        &[
            at,
            "? aws_iam_role_policy_attachments_exclusive.pay the role `pay` is not in the plan, so the policy is \
             judged by itself",
        ],
    );
    // What two resources attach is attached once.
    let attachment = Planned(
        "aws_iam_role_policy_attachment.admin",
        json!({"role": "pay", "policy_arn": admin}),
        json!({}),
        json!({}),
    );
    check(
        &[role("aws_iam_role.pay", json!({})), attachment, exclusive(json!([basic, admin]), json!({}), json!({}))],
        &["critical wildcard-admin aws_iam_role_policy_attachment.admin.policy_arn"],
    );
    // Policies of the plan have no ARN yet.
    let policy = |name: &'static str, actions: &[&str]| {
        Planned(name, json!({"policy": allow(actions, "*")}), json!({"arn": true}), json!({}))
    };
    let both = [
        role("aws_iam_role.pay", json!({})),
        policy("aws_iam_policy.pass", &["iam:PassRole"]),
        policy("aws_iam_policy.create", &["lambda:CreateFunction", "lambda:InvokeFunction"]),
        exclusive(
            json!([null, null]),
            json!({"policy_arns": [true, true]}),
            json!({"role_name": {"references": ["aws_iam_role.pay.name", "aws_iam_role.pay"]}, "policy_arns": {
                "references": ["aws_iam_policy.pass.arn", "aws_iam_policy.pass", "aws_iam_policy.create.arn",
                    "aws_iam_policy.create"]}}),
        ),
    ];
    let found = said(&plan(&both));
    assert!(found.iter().any(|it| it.contains("privilege-escalation")), "{found:?}");
    check(
        &[role("aws_iam_role.pay", json!({})), exclusive(json!([null]), json!({"policy_arns": [true]}), json!({}))],
        &["? aws_iam_role_policy_attachments_exclusive.pay.policy_arns known only after apply"],
    );
    check(
        &[
            role("aws_iam_role.pay", json!({})),
            Planned(
                "aws_iam_role_policy_attachments_exclusive.pay",
                json!({"role_name": "pay"}),
                json!({"policy_arns": true}),
                json!({}),
            ),
        ],
        &["? aws_iam_role_policy_attachments_exclusive.pay.policy_arns known only after apply"],
    );
}

#[test]
fn inline_policies_that_a_role_keeps_and_the_plan_does_not_have_are_said() {
    let exclusive = |names: Value| {
        let values = json!({"role_name": "pay", "policy_names": names});
        Planned("aws_iam_role_policies_exclusive.pay", values, json!({}), json!({}))
    };
    let own = || {
        let policy = allow(&["s3:GetObject"], "arn:aws:s3:::invoices/*");
        Planned(
            "aws_iam_role_policy.own",
            json!({"role": "pay", "name": "own", "policy": policy}),
            json!({}),
            json!({}),
        )
    };
    check(&[role("aws_iam_role.pay", json!({})), own(), exclusive(json!(["own"]))], &[]);
    check(&[role("aws_iam_role.pay", json!({})), own(), exclusive(json!([]))], &[]);
    check(
        &[role("aws_iam_role.pay", json!({})), own(), exclusive(json!(["own", "by-hand"]))],
        &["? aws_iam_role_policies_exclusive.pay.policy_names[1] the inline policy `by-hand` is not in the plan"],
    );
}

#[test]
fn policies_that_a_role_lists_are_found_by_what_they_refer_to() {
    let create = allow(&["lambda:CreateFunction", "lambda:InvokeFunction"], "*");
    let listed = |arns: Value, unknown: Value| {
        let mut role = role(
            "aws_iam_role.pay",
            json!({"inline_policy": [{"name": "a", "policy": create}], "managed_policy_arns": arns}),
        );
        role.2["managed_policy_arns"] = unknown;
        role.3 = refers("managed_policy_arns", "aws_iam_policy.pass");
        let pass = Planned(
            "aws_iam_policy.pass",
            json!({"policy": allow(&["iam:PassRole"], "*")}),
            json!({"arn": true}),
            json!({}),
        );
        said(&plan(&[role, pass]))
    };
    let escalates = |found: &[String]| found.iter().any(|it| it.contains("privilege-escalation"));
    let later = "? aws_iam_role.pay.managed_policy_arns known only after apply".to_owned();
    let found = listed(json!([null]), json!([true]));
    assert!(escalates(&found) && !found.iter().any(|it| it.starts_with('?')), "{found:?}");
    // Earlier versions of Terraform leave out what they do not know.
    let found = listed(json!([]), json!([true]));
    assert!(escalates(&found) && !found.iter().any(|it| it.starts_with('?')), "{found:?}");
    let found = listed(json!([null, null]), json!([true, true]));
    assert!(escalates(&found) && found.contains(&later), "{found:?}");
    // Nothing that is not configured is missing.
    let mut computed = role("aws_iam_role.pay", json!({}));
    computed.2 = json!({"arn": true, "managed_policy_arns": true, "inline_policy": true});
    check(&[computed], &[]);
    let mut dynamic = role("aws_iam_role.pay", json!({}));
    dynamic.2 = json!({"inline_policy": true});
    dynamic.3 = json!({"inline_policy": [{"policy": {"references": ["local.policy"]}}]});
    check(&[dynamic], &["? aws_iam_role.pay.inline_policy known only after apply"]);
}

#[test]
fn a_reference_with_an_index_means_that_resource() {
    let arn = "arn:aws:iam::111122223333:policy/fence";
    let fence = || {
        let policy = allow(&["s3:GetObject"], "arn:aws:s3:::invoices/*");
        Planned("aws_iam_policy.fence", json!({"arn": arn, "policy": policy}), json!({}), json!({}))
    };
    let bounded = || {
        let mut bounded = role(r#"aws_iam_role.pay["a"]"#, json!({"name": null, "permissions_boundary": arn}));
        bounded.2 = json!({"name": true});
        bounded
    };
    let free = || {
        let mut free = role(r#"aws_iam_role.pay["c"]"#, json!({"name": null}));
        free.2 = json!({"name": true});
        free
    };
    let attachment = |references: Value| {
        Planned(
            "aws_iam_role_policy_attachment.admin",
            json!({"policy_arn": "arn:aws:iam::aws:policy/AdministratorAccess"}),
            json!({"role": true}),
            json!({"role": {"references": references}}),
        )
    };
    let of = |key: &str| {
        let whole = format!("aws_iam_role.pay[\"{key}\"]");
        json!([format!("{whole}.name"), whole, "aws_iam_role.pay"])
    };
    let admin = "critical wildcard-admin aws_iam_role_policy_attachment.admin.policy_arn";
    check(&[fence(), bounded(), free(), attachment(of("c"))], &[admin]);
    check(&[fence(), bounded(), free(), attachment(of("a"))], &[]);
    // Which of the two it is nobody says.
    check(
        &[fence(), bounded(), free(), attachment(json!(["aws_iam_role.pay", "each.value"]))],
        &[
            admin,
            "? aws_iam_role_policy_attachment.admin its role is not in the plan, so the policy is judged by itself",
        ],
    );
}

#[test]
fn an_object_that_is_still_to_be_deleted_says_nothing_of_the_new_one() {
    let mut plan = plan(&[Planned(
        "aws_lambda_permission.may",
        json!({"function_name": "pay", "action": "lambda:InvokeFunction"}),
        json!({"principal": true}),
        json!({}),
    )]);
    let said_of_it = said(&plan);
    assert_eq!(said_of_it, ["? aws_lambda_permission.may whom it lets in is known only at deployment"]);
    let deposed = json!({"address": "aws_lambda_permission.may", "deposed": "00ff00ff", "change": {
        "actions": ["delete"], "after": null, "after_unknown": {}}});
    plan["resource_changes"].as_array_mut().expect("changes").push(deposed);
    assert_eq!(said(&plan), said_of_it);
}

#[test]
fn a_document_of_the_data_source_is_judged_by_what_is_known_of_it() {
    let policy = || {
        Planned(
            "aws_iam_role_policy.own",
            json!({"role": "pay"}),
            json!({"policy": true}),
            refers_to_json("policy", "data.aws_iam_policy_document.own"),
        )
    };
    let said_of = |values: Value, unknown: Value| {
        let own = data("data.aws_iam_policy_document.own", values, unknown, json!({}));
        said(&plan_with_data(&[role("aws_iam_role.pay", json!({})), policy()], &[own]))
    };
    let statement = |actions: &[&str], resources: Value| json!({"actions": actions, "resources": resources});
    let two = json!([statement(&["s3:GetObject"], json!([null])), statement(&["*"], json!(["*"]))]);
    assert_eq!(
        said_of(json!({"statement": two}), json!({"json": true, "statement": [{"resources": [true]}, {}]})),
        ["critical wildcard-admin aws_iam_role_policy.own.Statement[1]"],
    );
    // What is known only after apply is one value, and no wildcard.
    for (resources, unknown) in [(json!([null]), json!([true])), (json!([]), json!([true])), (json!(null), json!(true))]
    {
        let later = json!({"json": true, "statement": [{"resources": unknown}]});
        assert_eq!(said_of(json!({"statement": [statement(&["*"], resources)]}), later), [] as [&str; 0]);
    }
    assert_eq!(
        said_of(
            json!({"statement": [{"actions": null, "resources": ["*"]}]}),
            json!({"statement": [{"actions": true}]})
        ),
        ["? aws_iam_role_policy.own.Statement[0].Action a part of it is known only at deployment"],
    );
    assert_eq!(
        said_of(json!({}), json!({"json": true, "statement": true})),
        ["? data.aws_iam_policy_document.own.statement known only after apply"],
    );
    // A variable of policies, a Deny and a condition.
    let denied = json!([
        {"sid": "", "effect": "Allow", "actions": ["*"], "resources": ["*"], "condition": []},
        {"sid": "No", "effect": "Deny", "actions": ["*"], "resources": ["*"], "condition": []},
        {"actions": ["s3:GetObject"], "resources": ["arn:aws:s3:::home/&{aws:username}/*"],
            "condition": [{"test": "StringEquals", "variable": "aws:PrincipalTag/team", "values": ["pay"]}]},
    ]);
    assert_eq!(said_of(json!({"statement": denied}), json!({"json": true})), [] as [&str; 0]);
}

#[test]
fn a_role_that_may_write_its_own_policies_is_found_by_whatever_names_it() {
    let escalates = |resources: &[Planned], expected: bool| {
        let said = said(&plan(resources));
        let found = said.iter().any(|line| line.starts_with("critical privilege-escalation"));
        assert_eq!(found, expected, "{said:?}");
    };
    let write = |resource: &str| json!({"role": "pay", "policy": allow(&["iam:PutRolePolicy"], resource)});
    let known = |values| Planned("aws_iam_role_policy.own", values, json!({}), json!({}));
    let of_path = || role("aws_iam_role.pay", json!({"path": "/team/"}));
    escalates(&[role("aws_iam_role.pay", json!({})), known(write("arn:aws:iam::111122223333:role/pay"))], true);
    escalates(&[of_path(), known(write("arn:aws:iam::111122223333:role/team/p*"))], true);
    escalates(&[of_path(), known(write("arn:aws:iam::111122223333:role/other"))], false);
    let arn = "arn:aws:iam::111122223333:policy/elsewhere";
    let rewrite = json!({"role": "pay", "policy": allow(&["iam:CreatePolicyVersion"], arn)});
    let attached = json!({"managed_policy_arns": [arn]});
    escalates(&[role("aws_iam_role.pay", attached.clone()), known(rewrite.clone())], true);
    escalates(&[role("aws_iam_role.pay", json!({"permissions_boundary": arn})), known(rewrite.clone())], true);
    escalates(&[role("aws_iam_role.pay", json!({})), known(rewrite)], false);
    // What a data source says of an ARN that is known only after apply.
    let policy = Planned(
        "aws_iam_role_policy.own",
        json!({"role": "pay"}),
        json!({"policy": true}),
        refers_to_json("policy", "data.aws_iam_policy_document.own"),
    );
    let own = data(
        "data.aws_iam_policy_document.own",
        json!({"statement": [{"actions": ["iam:AttachRolePolicy"], "resources": [null]}]}),
        json!({"json": true, "statement": [{"resources": [true]}]}),
        json!({"statement": [{"resources": {"references": ["aws_iam_role.pay.arn", "aws_iam_role.pay"]}}]}),
    );
    assert_eq!(
        said(&plan_with_data(&[role("aws_iam_role.pay", json!({})), policy], &[own])),
        ["critical privilege-escalation aws_iam_role_policy.own.Statement[0]"],
    );
}

#[test]
fn documents_of_data_sources_are_put_together() {
    let policy = Planned(
        "aws_iam_role_policy.own",
        json!({"role": "pay"}),
        json!({"policy": true}),
        refers_to_json("policy", "data.aws_iam_policy_document.own"),
    );
    let all = |sid: &str| json!({"sid": sid, "actions": ["*"], "resources": ["*"]});
    let narrow = |sid: &str| json!({"sid": sid, "actions": ["s3:GetObject"], "resources": ["arn:aws:s3:::a/*"]});
    let known =
        json!({"Statement": {"Sid": "Base", "Effect": "Allow", "Action": "iam:*", "Resource": "*"}}).to_string();
    let said_of = |own: Value, unknown: Value, inner: Value| {
        let references = refers_to_json("source_policy_documents", "data.aws_iam_policy_document.inner");
        let own = data("data.aws_iam_policy_document.own", own, unknown, references);
        let inner = data("data.aws_iam_policy_document.inner", inner, json!({"json": true}), json!({}));
        said(&plan_with_data(&[role("aws_iam_role.pay", json!({})), policy.clone()], &[own, inner]))
    };
    let later = json!({"json": true, "source_policy_documents": [true]});
    let admin = ["critical wildcard-admin aws_iam_role_policy.own.Statement[0]"];
    assert_eq!(
        said_of(json!({"source_policy_documents": [null]}), later.clone(), json!({"statement": [all("A")]})),
        admin
    );
    // A statement with the same Sid takes its place.
    let overrides = json!({"source_policy_documents": [null], "statement": [narrow("A")]});
    assert_eq!(said_of(overrides, later.clone(), json!({"statement": [all("A")]})), [] as [&str; 0]);
    let other = json!({"source_policy_documents": [null], "statement": [narrow("B")]});
    assert_eq!(said_of(other, later, json!({"statement": [all("A")]})), admin);
    let found = said_of(json!({"source_policy_documents": [known]}), json!({"json": true}), json!({}));
    assert!(found.iter().any(|it| it.starts_with("high wildcard-sensitive-service")), "{found:?}");
    assert_eq!(
        said_of(
            json!({"override_policy_documents": [null], "statement": [narrow("B")]}),
            json!({"override_policy_documents": [true]}),
            json!({}),
        ),
        ["? data.aws_iam_policy_document.own.override_policy_documents known only after apply"],
    );
}

#[test]
fn documents_that_all_refer_to_each_other_end_soon() {
    let names: Vec<&'static str> = (0..40).map(|nth| &*format!("data.aws_iam_policy_document.d{nth}").leak()).collect();
    let all = || json!({"source_policy_documents": {"references": names}});
    let later = || json!({"source_policy_documents": [true, true]});
    let of = |name: &&'static str| data(name, json!({"source_policy_documents": [null, null]}), later(), all());
    let documents: Vec<Value> = names.iter().map(of).collect();
    let own = Planned(
        "aws_iam_policy.own",
        json!({"name": "own"}),
        json!({"policy": true}),
        refers_to_json("policy", "data.aws_iam_policy_document.d0"),
    );
    let found = said(&plan_with_data(&[own], &documents));
    assert!(found.iter().all(|it| it.starts_with(['?', '!'])), "{found:?}");
}

#[test]
fn who_may_assume_a_role_is_known_of_a_data_source_too() {
    let said_of = |principals: Value, unknown: Value| {
        let mut role = role("aws_iam_role.pay", json!({"assume_role_policy": null}));
        role.2 = json!({"assume_role_policy": true});
        role.3 = refers_to_json("assume_role_policy", "data.aws_iam_policy_document.trust");
        let statement = json!({"actions": ["sts:AssumeRole"], "principals": principals});
        let trust = data(
            "data.aws_iam_policy_document.trust",
            json!({"statement": [statement]}),
            json!({"json": true, "statement": [{"principals": unknown}]}),
            json!({}),
        );
        said(&plan_with_data(&[role], &[trust]))
    };
    let public = ["critical trust-public aws_iam_role.pay.assume_role_policy.Statement[0]"];
    assert_eq!(said_of(json!([{"type": "*", "identifiers": ["*"]}]), json!([])), public);
    assert_eq!(
        said_of(
            json!([
                {"type": "Service", "identifiers": ["lambda.amazonaws.com"]},
                {"type": "AWS", "identifiers": [null, "*"]},
            ]),
            json!([{}, {"identifiers": [true, false]}]),
        ),
        [
            "critical trust-public aws_iam_role.pay.assume_role_policy.Statement[0].Principal.AWS[0]",
            "? aws_iam_role.pay.assume_role_policy.Statement[0].Principal.AWS[1] whom it lets in is known only at \
             deployment",
        ],
    );
    assert_eq!(
        said_of(json!([{"type": "AWS", "identifiers": [null]}]), json!([{"identifiers": [true]}])),
        ["? aws_iam_role.pay.assume_role_policy.Statement[0] whom it lets in is known only at deployment"],
    );
}

#[test]
fn a_secret_that_a_resource_gives_is_found_in_an_environment() {
    let said_of = |references: Value, variables: Value| {
        said(&plan(&[Planned(
            "aws_lambda_function.pay",
            json!({"function_name": "pay", "environment": [{"variables": {"STAGE": "dev"}}]}),
            json!({"environment": [{"variables": variables}]}),
            json!({"environment": [{"variables": {"references": references}}]}),
        )]))
    };
    let later = json!({"MAIL": true});
    let at = "plaintext-secret aws_lambda_function.pay.environment.variables";
    for secret in [
        "aws_iam_access_key.mail[0].secret",
        "random_password.db.result",
        "aws_cognito_user_pool_client.a.client_secret",
    ] {
        assert_eq!(said_of(json!([secret]), later.clone()), [format!("high {at}")], "{secret}");
    }
    assert_eq!(
        said_of(json!(["data.aws_secretsmanager_secret_version.db.secret_string"]), later.clone()),
        [format!("medium {at}")],
    );
    for harmless in
        ["aws_iam_access_key.mail.id", "aws_secretsmanager_secret_version.db.arn", "random_password.db", "var.x"]
    {
        assert_eq!(said_of(json!([harmless]), later.clone()), [] as [&str; 0], "{harmless}");
    }
    // The variable is known by its name, and is said once.
    assert_eq!(
        said_of(json!(["random_password.db.result"]), json!({"DB_PASSWORD": true})),
        ["medium plaintext-secret aws_lambda_function.pay.environment.DB_PASSWORD"],
    );
    assert_eq!(said_of(json!(["random_password.db.result"]), json!({})), [] as [&str; 0]);
}

#[test]
fn what_brings_roles_by_another_way_is_said_and_so_is_a_plan_that_lacks_something() {
    check(
        &[
            Planned("aws_cloudformation_stack.pay", json!({"template_body": "{}"}), json!({}), json!({})),
            Planned("aws_cloudformation_stack_set.pay", json!({}), json!({}), json!({})),
            Planned("aws_cloudcontrolapi_resource.pay", json!({}), json!({}), json!({})),
        ],
        &[
            "? aws_cloudcontrolapi_resource.pay what Cloud Control makes is not read",
            "? aws_cloudformation_stack.pay the template of the stack is not read",
            "? aws_cloudformation_stack_set.pay the template of the stack set is not read",
        ],
    );
    let with = |key: &str, value: Value| {
        let mut plan = plan(&[]);
        plan[key] = value;
        said(&plan)
    };
    assert_eq!(with("errored", json!(false)), [] as [&str; 0]);
    assert_eq!(with("complete", json!(true)), [] as [&str; 0]);
    assert_eq!(
        with("errored", json!(true)),
        ["? planned_values planning ended with an error, so that parts may be missing"],
    );
    assert_eq!(
        with("complete", json!(false)),
        ["? planned_values the plan is not complete, so that parts are missing"],
    );
    assert_eq!(
        with("deferred_changes", json!([{"reason": "x", "resource_change": {"address": "aws_iam_role.pay"}}])),
        ["? aws_iam_role.pay Terraform plans it only after the rest is applied"],
    );
}

/// A change of a resource that the plan no longer has.
fn gone(address: &str, kind: &str, before: Value) -> Value {
    json!({"address": address, "type": kind, "change": {"actions": ["delete"], "before": before, "after": null,
        "after_unknown": {}}})
}

#[test]
fn what_a_plan_takes_from_a_role_is_not_there_any_more() {
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    let said_after = |rest: Value, changes: &[Value]| {
        let mut plan = plan(&[role("aws_iam_role.pay", rest)]);
        plan["resource_changes"].as_array_mut().expect("changes").extend_from_slice(changes);
        said(&plan)
    };
    let attachment = |role: &str| {
        let before = json!({"role": role, "policy_arn": admin});
        gone("aws_iam_role_policy_attachment.admin", "aws_iam_role_policy_attachment", before)
    };
    let read_back = json!({"managed_policy_arns": [admin]});
    assert_eq!(said_after(read_back.clone(), &[attachment("pay")]), [] as [&str; 0]);
    // What nobody takes away stays.
    let stays = ["critical wildcard-admin aws_iam_role.pay.managed_policy_arns[0]"];
    assert_eq!(said_after(read_back.clone(), &[]), stays);
    assert_eq!(said_after(read_back.clone(), &[attachment("other")]), stays);
    let mut forgotten = attachment("pay");
    forgotten["change"]["actions"] = json!(["forget"]);
    assert_eq!(said_after(read_back, &[forgotten]), stays);
    let read_back = json!({"inline_policy": [{"name": "own", "policy": allow(&["*"], "*")}]});
    let own = |name: &str| gone("aws_iam_role_policy.own", "aws_iam_role_policy", json!({"role": "pay", "name": name}));
    assert_eq!(said_after(read_back.clone(), &[own("own")]), [] as [&str; 0]);
    assert_eq!(
        said_after(read_back, &[own("other")]),
        ["critical wildcard-admin aws_iam_role.pay.inline_policy[0].Statement[0]"],
    );
    // What is configured in the role itself is there.
    let mut configured = role("aws_iam_role.pay", json!({"managed_policy_arns": [admin]}));
    configured.3 = json!({"managed_policy_arns": {"constant_value": [admin]}});
    let mut plan = plan(&[configured]);
    plan["resource_changes"].as_array_mut().expect("changes").push(attachment("pay"));
    assert_eq!(said(&plan), stays);
}

#[test]
fn a_policy_that_a_role_reads_back_is_said_once_where_it_is_given() {
    let policy = allow(&["*"], "*");
    check(
        &[
            role("aws_iam_role.pay", json!({"inline_policy": [{"name": "own", "policy": policy}]})),
            Planned(
                "aws_iam_role_policy.own",
                json!({"role": "pay", "name": "own", "policy": policy}),
                json!({}),
                json!({}),
            ),
        ],
        &["critical wildcard-admin aws_iam_role_policy.own.Statement[0]"],
    );
}

#[test]
fn a_resource_of_which_nothing_is_known_is_said() {
    let mut plan = plan(&[Planned(
        "aws_iam_role_policy_attachment.more",
        json!({}),
        json!({"role": true, "policy_arn": true}),
        json!({}),
    )]);
    plan["planned_values"]["root_module"]["resources"][0].as_object_mut().expect("a resource").remove("values");
    assert_eq!(
        said(&plan),
        [
            "? aws_iam_role_policy_attachment.more its role is not in the plan, so the policy is judged by itself",
            "? aws_iam_role_policy_attachment.more.policy_arn known only after apply",
        ],
    );
}

#[test]
fn functions_of_one_name_in_two_regions_are_two() {
    let function = |address, region: &str| {
        Planned(address, json!({"function_name": "pay", "region": region}), json!({"arn": true}), json!({}))
    };
    let url = |region: &str| {
        let values = json!({"function_name": "pay", "region": region, "authorization_type": "AWS_IAM"});
        Planned("aws_lambda_function_url.pay", values, json!({}), json!({}))
    };
    let permission = |region: &str| {
        let values = json!({"function_name": "pay", "region": region, "action": "lambda:InvokeFunctionUrl",
            "principal": "*"});
        Planned("aws_lambda_permission.any", values, json!({}), json!({}))
    };
    let both = || [function("aws_lambda_function.a", "eu-west-1"), function("aws_lambda_function.b", "us-east-1")];
    let found = |url_in: &str, permission_in: &str| {
        let [a, b] = both();
        said(&plan(&[a, b, url(url_in), permission(permission_in)]))
    };
    assert_eq!(found("us-east-1", "us-east-1"), found("eu-west-1", "eu-west-1"));
    assert_ne!(found("us-east-1", "us-east-1"), found("eu-west-1", "us-east-1"));
}

#[test]
fn a_functions_concurrency_is_judged_by_the_cap_in_its_tag() {
    #[track_caller]
    fn check(values: Value, unknown: Value, rest: &[Planned], expected: &[&str]) {
        let mut values = values;
        values["function_name"] = "pay".into();
        let function = Planned("aws_lambda_function.pay", values, unknown, json!({}));
        let all: Vec<Planned> = [function].iter().chain(rest).cloned().collect();
        assert_eq!(said(&plan(&all)), expected);
    }
    let place = "aws_lambda_function.pay.reserved_concurrent_executions";
    let capped =
        |reserved: i64| json!({"tags": {"warden:max-concurrency": "10"}, "reserved_concurrent_executions": reserved});
    check(json!({"reserved_concurrent_executions": 500}), json!({}), &[], &[]);
    check(capped(10), json!({}), &[], &[]);
    check(capped(-1), json!({}), &[], &[&format!("high unbounded-concurrency {place}")]);
    check(capped(11), json!({}), &[], &[&format!("high concurrency-above-cap {place}")]);
    let inherited = json!({"tags_all": {"warden:max-concurrency": "10"}});
    check(inherited.clone(), json!({}), &[], &[&format!("high unbounded-concurrency {place}")]);
    let later = json!({"reserved_concurrent_executions": true});
    check(inherited, later, &[], &[&format!("? {place} known only at deployment")]);
    let about =
        json!({"function_name": {"references": ["aws_lambda_function.pay.function_name", "aws_lambda_function.pay"]}});
    let recursion = |setting: &str| {
        let values = json!({"function_name": "pay", "recursive_loop": setting});
        Planned("aws_lambda_function_recursion_config.pay", values, json!({}), about.clone())
    };
    check(json!({}), json!({}), &[recursion("Terminate")], &[]);
    let allowed = "high recursion-allowed aws_lambda_function_recursion_config.pay.recursive_loop";
    check(json!({}), json!({}), &[recursion("Allow")], &[allowed]);
    let values = json!({"function_name": "pay", "qualifier": "live", "provisioned_concurrent_executions": 11});
    let provisioned = Planned("aws_lambda_provisioned_concurrency_config.live", values, json!({}), about.clone());
    let above = "medium provisioned-above-cap aws_lambda_provisioned_concurrency_config.live";
    check(capped(10), json!({}), &[provisioned], &[above]);
}

#[test]
fn what_the_tag_of_a_function_or_a_role_exempts_is_said_to_be() {
    let said = |tags: Value| {
        let policy = json!([{"name": "a", "policy": allow(&["*"], "*")}]);
        let plan = plan(&[role("aws_iam_role.pay", json!({"inline_policy": policy, "tags_all": tags}))]);
        let report = judge(&plan.to_string(), &Context::default()).expect("a plan");
        report.findings.into_iter().map(|found| found.exempt_until).collect::<Vec<_>>()
    };
    assert_eq!(said(json!({"Warden:exempt": "wildcard-admin@2027-01-31"})), [Some("2027-01-31".to_owned())]);
    assert_eq!(said(json!({"warden:exempt": "wildcard-pass-role@2027-01-31"})), [None]);
    assert_eq!(said(json!(null)), [None]);
    let url = |tags: Value| {
        let function = json!({"function_name": "pay", "tags": tags});
        let url = json!({"function_name": "pay", "authorization_type": "NONE"});
        let plan = plan(&[
            Planned("aws_lambda_function.pay", function, json!({}), json!({})),
            Planned("aws_lambda_function_url.pay", url, json!({}), json!({})),
        ]);
        let report = judge(&plan.to_string(), &Context::default()).expect("a plan");
        assert!(!report.findings.is_empty());
        report.findings.iter().all(|found| found.exempt_until.as_deref() == Some("2027-01-31"))
    };
    assert!(url(json!({"warden:exempt": "public-url@2027-01-31"})));
    assert!(!url(json!({"Warden:exempt": "public-url@2027-01-31"})));
}
