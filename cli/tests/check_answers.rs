//! `warden check` of what AWS and Terraform answer with, piped in as it is, and of what is no document at all.

mod process;

use process::run;
use serde_json::{Value, json};

/// The worst finding's id, or the error.
#[track_caller]
fn check(kind: &str, input: &Value, expected: &str) {
    // As the AWS CLI prints it.
    let answer = answer(kind, &format!("{input:#}\n"));
    let found = answer["findings"].as_array().map(|findings| match findings.first() {
        Some(finding) => finding["id"].as_str().expect("an id").to_owned(),
        None => "nothing".to_owned(),
    });
    let found = found.unwrap_or_else(|| answer["error"].as_str().expect("an error").to_owned());
    assert!(found.contains(expected), "{kind} of {input}: {found}");
}

fn answer(kind: &str, input: &str) -> Value {
    let output = run(&["check", kind, "--account", "111122223333", "--output", "jsonl"], input);
    let answer: Value = serde_json::from_slice(&output.stdout).expect("one answer");
    let code = if answer.get("error").is_some() { 2 } else { i32::from(answer["findings"] != json!([])) };
    assert_eq!(output.status.code(), Some(code), "{answer}");
    answer
}

fn admin() -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
}

fn trust() -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "sts:AssumeRole"}]})
}

fn public(resource: &str, action: &str) -> Value {
    let statement = json!({"Effect": "Allow", "Principal": "*", "Action": action, "Resource": resource});
    json!({"Version": "2012-10-17", "Statement": [statement]})
}

#[test]
fn a_policy_is_taken_out_of_what_iam_answers() {
    let url_encoded = admin().to_string().replace('%', "%25").replace('"', "%22").replace('{', "%7B");
    for document in [admin(), json!(url_encoded)] {
        let inline = json!({"RoleName": "pay", "PolicyName": "own", "PolicyDocument": document});
        check("role-policy", &inline, "wildcard-admin");
        let version = json!({"VersionId": "v3", "IsDefaultVersion": true, "Document": document});
        check("role-policy", &version, "wildcard-admin");
        check("role-policy", &json!({"PolicyVersion": version}), "wildcard-admin");
        check("role", &json!({"policies": [{"Statement": []}, inline, {"PolicyVersion": version}]}), "wildcard-admin");
        check("role", &json!({"policies": [admin()], "boundary": {"PolicyVersion": version}}), "wildcard-admin");
    }
    let role = json!({"RoleName": "pay", "Arn": "arn:aws:iam::111122223333:role/pay",
        "AssumeRolePolicyDocument": trust()});
    check("trust-policy", &role, "trust-public");
    check("trust-policy", &json!({"Role": role}), "trust-public");
    check("role", &json!({"policies": [], "trust": {"Role": role}}), "trust-public");
}

#[test]
fn a_policy_is_taken_out_of_what_lambda_answers() {
    let function = public("arn:aws:lambda:us-east-1:111122223333:function:pay", "lambda:InvokeFunction").to_string();
    check("function-policy", &json!({"Policy": function, "RevisionId": "a-b"}), "public-invoke");
    let layer = public("arn:aws:lambda:us-east-1:111122223333:layer:tools:1", "lambda:GetLayerVersion").to_string();
    check("layer-policy", &json!({"Policy": layer, "RevisionId": "a-b"}), "public-layer");
}

#[test]
fn an_answer_without_the_document_says_what_has_it() {
    let role = json!({"Role": {"RoleName": "pay", "AssumeRolePolicyDocument": trust()}});
    for kind in ["role-policy", "role", "function-policy"] {
        check(kind, &role, "`warden check trust-policy` judges whom it trusts");
    }
    let policy = json!({"Policy": {"PolicyName": "own", "Arn": "arn:aws:iam::111122223333:policy/own"}});
    check("role-policy", &policy, "aws iam get-policy-version");
    let of_function = json!({"Policy": public("*", "lambda:*").to_string()});
    check("role-policy", &of_function, "check it as `function-policy` or `layer-policy`");
    check("role", &json!({"PolicyDocument": admin()}), "check it as `role-policy`");
    check("trust-policy", &json!({"Roles": []}), "jq -c '.Roles[]' | warden check trust-policy --jsonl");
    check("trust-policy", &json!({"RoleDetailList": []}), "jq -c '.RoleDetailList[]'");
    check("role", &json!({"RoleDetailList": [], "Policies": []}), "docs/check.md");
}

#[test]
fn a_list_says_what_has_the_documents() {
    let names = json!({"PolicyNames": ["own"], "IsTruncated": false});
    let attached = json!({"AttachedPolicies": [{"PolicyName": "own", "PolicyArn": "arn:aws:iam::aws:policy/own"}]});
    let policies = json!({"Policies": [{"PolicyName": "own", "DefaultVersionId": "v1"}], "IsTruncated": false});
    let versions = json!({"Versions": [{"VersionId": "v1", "IsDefaultVersion": true}], "IsTruncated": false});
    let layers = json!({"Layers": [{"LayerName": "tools", "LayerArn": "arn:aws:lambda:us-east-1:1:layer:tools"}]});
    let layer_versions = json!({"LayerVersions": [{"Version": 1}]});
    for kind in ["role-policy", "trust-policy", "role", "layer-policy"] {
        check(kind, &names, "aws iam get-role-policy --role-name ROLE --policy-name NAME");
        check(kind, &attached, "`aws iam get-policy --policy-arn ARN` tells the DefaultVersionId");
        check(kind, &policies, "`aws iam get-policy --policy-arn ARN` tells the DefaultVersionId");
        check(kind, &versions, "aws iam get-policy-version --policy-arn ARN --version-id ID");
        check(kind, &layers, "aws lambda get-layer-version-policy --layer-name NAME");
        check(kind, &layer_versions, "aws lambda get-layer-version-policy --layer-name NAME");
    }
    check("role", &json!({"policies": [names]}), "policies[0]: these are the names of a role's policies");
}

#[test]
fn a_functions_policy_is_not_judged_as_a_layers_nor_the_reverse() {
    let function = public("arn:aws:lambda:us-east-1:111122223333:function:pay:1", "lambda:InvokeFunction");
    let layer = public("arn:aws-cn:lambda:cn-north-1:111122223333:layer:tools:1", "lambda:GetLayerVersion");
    for (function, layer) in [
        (function.clone(), layer.clone()),
        (json!({"Policy": function.to_string(), "RevisionId": "a"}), json!({"Policy": layer.to_string()})),
    ] {
        check("layer-policy", &function, "this is a function's policy: check it as `function-policy`");
        check("function-policy", &layer, "this is a layer's policy: check it as `layer-policy`");
        check("function-policy", &function, "public-invoke");
        check("layer-policy", &layer, "public-layer");
    }
    // A function may be called so.
    let called_layer = public("arn:aws:lambda:us-east-1:111122223333:function:layer", "lambda:InvokeFunction");
    check("function-policy", &called_layer, "public-invoke");
}

#[test]
fn what_stands_around_a_policy_hides_nothing_of_it() {
    check("role-policy", &json!({"PolicyDocument": {"Statement": []}, "Document": admin()}), "unknown key");
    check("role-policy", &json!({"Statement": [], "PolicyDocument": admin()}), "unknown key `PolicyDocument`");
    let twice = r#"{"PolicyDocument":{"Statement":[]},"PolicyDocument":{"Statement":[]}}"#;
    assert!(answer("role-policy", twice)["error"].as_str().is_some_and(|error| error.contains("unknown key")));
    // What is wrong within it is said of it.
    let wrong = json!({"PolicyDocument": {"Statements": []}});
    check("role-policy", &wrong, "PolicyDocument: unknown key `Statements`");
    let deep = format!("{}{}{}", r#"{"PolicyDocument":"#.repeat(5_000), admin(), "}".repeat(5_000));
    assert!(answer("role-policy", &deep)["error"].is_string());
}

/// What Lambda answers about a function.
fn function(environment: Option<Value>) -> Value {
    let mut function = json!({
        "FunctionName": "pay",
        "FunctionArn": "arn:aws:lambda:us-east-1:111122223333:function:pay",
        "CodeSize": 1024,
        "CodeSha256": "8u5bYJg1vKqkD0qS9kZ2Yw==",
        "MemorySize": 128,
        "VpcConfig": {"SubnetIds": []},
    });
    if let Some(environment) = environment {
        function["Environment"] = environment;
    }
    function
}

#[test]
fn an_environment_is_taken_out_of_what_lambda_answers() {
    // Random, so that no scanner takes this file for a leak.
    let password = ["kT9v!X2m", "Q7zLpR4w", "B8nYc"].concat();
    let environment = json!({"Variables": {"DB_PASSWORD": password}});
    let with = function(Some(environment.clone()));
    for answer in [&with, &json!({"Configuration": with, "Code": {}}), &json!({"Environment": environment})] {
        check("environment", answer, "plaintext-secret");
    }
    for none in [json!(null), function(None), json!({"Configuration": function(None)})] {
        check("environment", &none, "nothing");
    }
    let failed = json!({"Error": {"ErrorCode": "AccessDeniedException", "Message": "kms"}});
    check("environment", &failed, "may not use the KMS key");
    check("environment", &function(Some(failed)), "may not use the KMS key");
    check("environment", &json!({"Functions": [with]}), "jq -c '.Functions[]' | warden check environment --jsonl");
    // A part of an answer is no answer: what it leaves out might be the environment.
    check("environment", &json!({"FunctionArn": "a", "CodeSize": 1}), "the value of `CodeSize` is not text");
}

#[test]
fn an_answer_about_something_else_than_the_configuration_is_no_environment() {
    let policy = public("arn:aws:lambda:us-east-1:111122223333:function:pay", "lambda:InvokeFunction");
    let policy = json!({"Policy": policy.to_string(), "RevisionId": "a-b"});
    check("environment", &policy, "check it as `function-policy` or `layer-policy`");
    let arn = "arn:aws:lambda:us-east-1:111122223333:function:pay";
    let config = "arn:aws:lambda:us-east-1:111122223333:code-signing-config:csc-1";
    for answer in [
        json!({"FunctionUrl": "https://a.example.com/", "FunctionArn": arn, "AuthType": "NONE"}),
        json!({"FunctionUrl": "https://a.example.com/", "FunctionArn": arn, "Cors": {"AllowOrigins": ["*"]}}),
        json!({"UpdateRuntimeOn": "Auto", "FunctionArn": arn}),
        json!({"AliasArn": format!("{arn}:live"), "Name": "live", "FunctionVersion": "1", "RevisionId": "a-b"}),
        json!({"CodeSigningConfigArn": config, "FunctionName": "pay"}),
    ] {
        check("environment", &answer, "`aws lambda get-function-configuration` has the function's");
    }
    let versions = json!({"Versions": [function(None)]});
    check("environment", &versions, "jq -c '.Versions[]' | warden check environment --jsonl");
    // Variables that are only called so.
    check("environment", &json!({"Policy": "strict", "RevisionId": "7"}), "nothing");
    check("environment", &json!({"FunctionArn": arn, "TABLE": "orders"}), "nothing");
    check(
        "environment",
        &json!({"Variables": {"FunctionArn": arn, "FunctionUrl": "https://a.example.com/"}}),
        "nothing",
    );
}

#[test]
fn a_template_is_taken_out_of_what_cloudformation_answers() {
    let properties = json!({"FunctionName": "pay", "Action": "lambda:InvokeFunction", "Principal": "*"});
    let template = json!({"Resources": {"May": {"Type": "AWS::Lambda::Permission", "Properties": properties}}});
    check("template", &json!({"TemplateBody": template, "StagesAvailable": ["Original"]}), "public-invoke");
    let yaml = "Resources:\n  May: {Type: AWS::Lambda::Permission, Properties: {FunctionName: pay, Action: \
                'lambda:InvokeFunction', Principal: '*'}}\n";
    check("template", &json!({"TemplateBody": yaml, "StagesAvailable": ["Original"]}), "public-invoke");
    check("template", &json!({"TemplateBody": "Resources: 1"}), "TemplateBody: Resources: not a mapping of resources");
}

#[test]
fn terraforms_log_and_its_archive_are_told_from_a_plan() {
    let log = "{\"@level\":\"info\",\"@message\":\"Terraform 1.9.8\",\"type\":\"version\"}\n\
               {\"@level\":\"info\",\"@message\":\"Plan: 1 to add\",\"type\":\"change_summary\"}\n";
    let error = answer("template", log)["error"].as_str().expect("an error").to_owned();
    assert!(error.contains("the log of `terraform plan -json`"), "{error}");
    assert!(error.contains("terraform show -json plan | warden check template"), "{error}");
    let output = run(&["check", "template", "--output", "jsonl"], b"PK\x03\x04\x14\x00\x08\xff".to_vec());
    let answer: Value = serde_json::from_slice(&output.stdout).expect("one answer");
    assert!(answer["error"].as_str().is_some_and(|error| error.contains("terraform show -json FILE")), "{answer}");
}

#[test]
fn what_is_no_json_is_called_so() {
    let kinds = ["role-policy", "trust-policy", "function-policy", "layer-policy", "role", "environment"];
    for kind in kinds {
        for input in ["None", "<html>", "An error occurred (AccessDenied)"] {
            let error = answer(kind, input)["error"].as_str().expect("an error").to_owned();
            assert!(error.starts_with("this is not JSON: a"), "{kind}: {error}");
            assert!(!error.contains(input), "{kind}: {error}");
        }
        let list = answer(kind, "[]")["error"].as_str().expect("an error").to_owned();
        assert!(list.contains("jq -c '.[]'"), "{kind}: {list}");
    }
}

/// A command that failed before it in a pipe writes nothing.
#[test]
fn no_input_is_no_judgement() {
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("UTF-8");
    let lines = run(&["check", "role", "--jsonl"], "");
    assert_eq!((text(lines.stdout).as_str(), lines.status.code()), ("", Some(2)));
    assert_eq!(text(lines.stderr), "error: the input is empty, so nothing was judged\n");
    let table = run(&["check", "role", "--output", "table"], "");
    assert_eq!((text(table.stdout).as_str(), table.status.code()), ("Nothing was judged.\n", Some(2)));
    assert_eq!(text(table.stderr), "error: standard input: there is no document\n");
}
