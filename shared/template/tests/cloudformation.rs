//! CloudFormation templates and what is said of them.

use warden_policy::Context;
use warden_template::judge;

/// Judges a template and shows what was found and where; what could not be judged begins with a question mark.
fn said(template: &str) -> Vec<String> {
    let account = "111122223333".parse().expect("an account");
    let report = judge(template, &Context::of_account(account)).expect("a template");
    let findings = report.findings.iter().map(|it| format!("{} {} {}", it.severity, it.id, it.at));
    findings.chain(report.not_judged.iter().map(|it| format!("? {} {}", it.at, it.why))).collect()
}

#[track_caller]
fn check(template: &str, expected: &[&str]) {
    assert_eq!(said(template), expected, "{template}");
}

/// A role whose one inline policy has these statements, and other sections of the template.
#[track_caller]
fn check_statements(statements: &str, rest: &str, expected: &[&str]) {
    let template = format!(
        "{rest}\nResources:\n  Bucket: {{Type: AWS::S3::Bucket}}\n  Topic: {{Type: AWS::SNS::Topic}}\n  Role:\n    Type: AWS::IAM::Role\n    Properties:\n      Policies:\n        - PolicyName: own\n          PolicyDocument:\n            Version: 2012-10-17\n            Statement: {statements}\n"
    );
    check(&template, expected);
}

/// A role with this trust statement.
#[track_caller]
fn check_trust(statement: &str, expected: &[&str]) {
    check(
        &format!(
            "Parameters: {{Partner: {{Type: String}}, Own: {{Type: String, Default: 111122223333}}, Org: {{Type: String}}}}\nResources:\n  Provider: {{Type: AWS::IAM::OIDCProvider, Properties: {{Url: https://token.actions.githubusercontent.com}}}}\n  Other: {{Type: AWS::IAM::Role}}\n  Role:\n    Type: AWS::IAM::Role\n    Properties:\n      AssumeRolePolicyDocument: {{Version: 2012-10-17, Statement: [{statement}]}}\n"
        ),
        expected,
    );
}

/// A function and these further resources.
#[track_caller]
fn check_function(resources: &str, expected: &[&str]) {
    check(
        &format!(
            "Parameters: {{Partner: {{Type: String}}, ApiArn: {{Type: String}}}}\nResources:\n  Bucket: {{Type: AWS::S3::Bucket}}\n  Rule: {{Type: AWS::Events::Rule}}\n  Pay: {{Type: AWS::Lambda::Function, Properties: {{FunctionName: pay}}}}\n{resources}"
        ),
        expected,
    );
}

#[test]
fn a_value_that_is_known_only_at_deployment_is_no_wildcard() {
    let parameters = "Parameters: {Name: {Type: String}, Listed: {Type: CommaDelimitedList}}";
    for resource in [
        "!Sub 'arn:aws:s3:::${Bucket}/*'",
        "!Sub '${Bucket.Arn}/*'",
        "!Join ['', [!GetAtt Bucket.Arn, /*]]",
        "!Sub ['arn:aws:s3:::${Of}/*', {Of: !ImportValue shared-bucket}]",
        "!Ref Name",
        "!Ref Listed",
        "!Select [0, !Ref Listed]",
        "!Sub 'arn:${AWS::Partition}:s3:::${AWS::StackName}-${AWS::Region}/*'",
        "{'Fn::Transform': {Name: x}}",
    ] {
        check_statements(&format!("{{Effect: Allow, Action: 's3:GetObject', Resource: {resource}}}"), parameters, &[]);
    }
}

#[test]
fn a_default_is_what_is_deployed_and_the_own_account_is_no_secret() {
    let statement = "{Effect: Allow, Action: 's3:GetObject', Resource: !Ref Where}";
    let found = &["high wildcard-data-read Role.Policies[0].Statement[0]"];
    check_statements(statement, "Parameters: {Where: {Type: String, Default: '*'}}", found);
    check_statements(statement, "Parameters: {Where: {Type: String, Default: 'arn:aws:s3:::invoices/*'}}", &[]);
    // The default is the name of a parameter that is kept elsewhere.
    check_statements(statement, "Parameters: {Where: {Type: 'AWS::SSM::Parameter::Value<String>', Default: '*'}}", &[]);
    for function in
        ["arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:*", "arn:${AWS::Partition}:lambda:*:*:function:*"]
    {
        check_statements(
            &format!("{{Effect: Allow, Action: 'lambda:InvokeFunction', Resource: !Sub '{function}'}}"),
            "",
            &["medium wildcard-invoke Role.Policies[0].Statement[0]"],
        );
    }
}

#[test]
fn a_policy_variable_is_one_value_in_sub_too() {
    let statement = |resource: &str| format!("{{Effect: Allow, Action: 's3:GetObject', Resource: {resource}}}");
    check_statements(&statement("!Sub 'arn:aws:s3:::${Bucket}/${!aws:username}/*'"), "", &[]);
    check_statements(&statement("'arn:aws:s3:::${aws:PrincipalTag/bucket}/*'"), "", &[]);
}

#[test]
fn places_are_those_of_the_template() {
    let conditional = "[!If [Never, {Effect: Allow, Action: '*', Resource: '*'}, !Ref AWS::NoValue], {Effect: Allow, Action: '*', Resource: '*'}]";
    // The first is left out; the second keeps its index.
    check_statements(
        conditional,
        "Conditions: {Never: !Equals [a, b]}",
        &["critical wildcard-admin Role.Policies[0].Statement[1]"],
    );
    check_trust(
        "{Effect: Allow, Principal: {AWS: [!Ref AWS::NoValue, !Ref AWS::AccountId, '*']}, Action: 'sts:AssumeRole'}",
        &["critical trust-public Role.AssumeRolePolicyDocument.Statement[0].Principal.AWS[2]"],
    );
}

#[test]
fn every_shape_that_conditions_and_mappings_give_is_judged() {
    let statement = "[{Effect: Allow, Action: 's3:GetObject', Resource: !If [IsProd, 'arn:aws:s3:::invoices/*', '*']}]";
    let found = "high wildcard-data-read Role.Policies[0].Statement[0]";
    let conditions = |default: &str| {
        format!(
            "Parameters: {{Stage: {{Type: String{default}}}}}\nConditions: {{IsDev: !Equals [!Ref Stage, dev], IsProd: !Not [!Condition IsDev]}}"
        )
    };
    for default in ["", ", Default: prod", ", Default: dev", ", AllowedValues: [dev, prod]"] {
        check_statements(statement, &conditions(default), &[found]);
    }
    check_statements(statement, &conditions(", AllowedValues: [test, prod]"), &[]);
    check_statements(
        "[{Effect: Allow, Action: 's3:GetObject', Resource: !FindInMap [Buckets, !Ref Stage, Arn]}]",
        "Parameters: {Stage: {Type: String, Default: prod}}\nMappings: {Buckets: {prod: {Arn: 'arn:aws:s3:::a/*'}, dev: {Arn: '*'}}}",
        &[found],
    );
    // What never is together is not judged together.
    check_statements(
        "[!If [IsDev, {Effect: Allow, Action: 'iam:PassRole', Resource: 'arn:aws:iam::111122223333:role/app'}, {Effect: Allow, Action: 's3:GetObject', Resource: 'arn:aws:s3:::a/*'}]]",
        &conditions(""),
        &[],
    );
}

#[test]
fn a_finding_says_which_shape_it_is_in() {
    let template = "Parameters: {Stage: {Type: String, Default: prod}}\nConditions: {Dev: !Equals [!Ref Stage, dev]}\nResources:\n  Open: {Type: AWS::Lambda::Permission, Condition: Dev, Properties: {FunctionName: a, Action: 'lambda:InvokeFunction', Principal: '*'}}";
    let report = judge(template, &Context::default()).expect("a template");
    assert_eq!(report.findings.len(), 1);
    assert!(report.findings[0].message.ends_with("(when Stage is \"dev\")"), "{}", report.findings[0].message);
}

/// A template that is open to everybody where `condition` holds, with eight parameters and a condition for each.
fn with_eight_conditions(condition: &str) -> String {
    let names: Vec<String> = (0..8).map(|nth| format!("P{nth}")).collect();
    let parameters: String = names.iter().map(|name| format!("  {name}: {{Type: String, Default: a}}\n")).collect();
    let conditions: String = names.iter().map(|name| format!("  C{name}: !Equals [!Ref {name}, b]\n")).collect();
    let all: Vec<String> = names.iter().map(|name| format!("!Condition C{name}")).collect();
    let all = all.join(", ");
    format!(
        "Parameters:\n{parameters}Conditions:\n{conditions}  Any: !Or [{all}]\nResources:\n  Open: {{Type: AWS::Lambda::Permission, Condition: {condition}, Properties: {{FunctionName: a, Action: 'lambda:InvokeFunction', Principal: '*'}}}}"
    )
}

#[test]
fn too_many_shapes_are_varied_one_by_one_and_said() {
    check(
        &with_eight_conditions("Any"),
        &[
            "critical public-invoke Open",
            "? Conditions more than 256 shapes of the template: each parameter was varied by itself, not all together",
        ],
    );
}

#[test]
fn conditions_that_no_judged_resource_asks_for_make_no_shapes() {
    check(&with_eight_conditions("CP7"), &["critical public-invoke Open"]);
}

#[test]
fn a_role_is_judged_whole() {
    let pass = "{Version: 2012-10-17, Statement: {Effect: Allow, Action: 'iam:PassRole', Resource: '*'}}";
    let create = "{Version: 2012-10-17, Statement: {Effect: Allow, Action: ['lambda:CreateFunction', 'lambda:InvokeFunction'], Resource: '*'}}";
    for attachment in [
        format!(
            "  Pass: {{Type: AWS::IAM::ManagedPolicy, Properties: {{Roles: [!Ref Role], PolicyDocument: {pass}}}}}"
        ),
        format!("  Pass: {{Type: AWS::IAM::Policy, Properties: {{Roles: [!Ref Role], PolicyDocument: {pass}}}}}"),
        format!("  Pass: {{Type: AWS::IAM::RolePolicy, Properties: {{RoleName: payments, PolicyDocument: {pass}}}}}"),
    ] {
        let found = said(&format!(
            "Resources:\n{attachment}\n  Role: {{Type: AWS::IAM::Role, Properties: {{RoleName: payments, Policies: [{{PolicyName: a, PolicyDocument: {create}}}]}}}}"
        ));
        assert!(found.contains(&"critical privilege-escalation Pass.Statement[0]".to_owned()), "{found:?}");
    }
    // Attached from the role's side, by Ref and by a name that was written out.
    for arn in ["!Ref Pass", "!Sub 'arn:aws:iam::${AWS::AccountId}:policy/team/pass'"] {
        let found = said(&format!(
            "Resources:\n  Pass: {{Type: AWS::IAM::ManagedPolicy, Properties: {{ManagedPolicyName: pass, Path: /team/, PolicyDocument: {pass}}}}}\n  Role: {{Type: AWS::IAM::Role, Properties: {{ManagedPolicyArns: [{arn}], Policies: [{{PolicyName: a, PolicyDocument: {create}}}]}}}}"
        ));
        assert!(found.contains(&"critical privilege-escalation Pass.Statement[0]".to_owned()), "{arn}: {found:?}");
    }
}

#[test]
fn a_boundary_cuts_a_role_down_when_it_is_in_the_template() {
    let role = |boundary: &str| {
        format!(
            "Resources:\n  Bound: {{Type: AWS::IAM::ManagedPolicy, Properties: {{PolicyDocument: {{Statement: {{Effect: Allow, Action: 's3:GetObject', Resource: 'arn:aws:s3:::a/*'}}}}}}}}\n  Role: {{Type: AWS::IAM::Role, Properties: {{PermissionsBoundary: {boundary}, ManagedPolicyArns: ['arn:aws:iam::aws:policy/AdministratorAccess']}}}}"
        )
    };
    check(&role("!Ref Bound"), &[]);
    check(
        &role("'arn:aws:iam::111122223333:policy/elsewhere'"),
        &[
            "critical wildcard-admin Role.ManagedPolicyArns[0]",
            "? Role.PermissionsBoundary the document of `arn:aws:iam::111122223333:policy/elsewhere` is not in the template, so the role is judged without its boundary",
        ],
    );
}

#[test]
fn managed_policies_of_aws_are_judged_by_what_they_are_known_for_or_not_at_all() {
    let attached = |name: &str| {
        said(&format!(
            "Resources:\n  Role: {{Type: AWS::IAM::Role, Properties: {{ManagedPolicyArns: [!Sub 'arn:${{AWS::Partition}}:iam::aws:policy/{name}']}}}}"
        ))
    };
    let at = "Role.ManagedPolicyArns[0]";
    assert_eq!(attached("AdministratorAccess"), [format!("critical wildcard-admin {at}")]);
    assert_eq!(attached("PowerUserAccess"), [format!("critical wildcard-not-action {at}")]);
    let iam = attached("IAMFullAccess");
    assert!(iam.contains(&format!("high wildcard-sensitive-service {at}")), "{iam:?}");
    assert!(iam.contains(&format!("critical privilege-escalation {at}")), "{iam:?}");
    assert_eq!(attached("service-role/AWSLambdaBasicExecutionRole"), Vec::<String>::new());
    let unknown = "the document of `arn:aws:iam::aws:policy/AmazonS3FullAccess` is not in the template";
    assert_eq!(attached("AmazonS3FullAccess"), [format!("? {at} {unknown}")]);
}

#[test]
fn who_may_assume_a_role() {
    let statement = |principal: &str| format!("{{Effect: Allow, Principal: {principal}, Action: 'sts:AssumeRole'}}");
    for own in [
        "{AWS: !Ref AWS::AccountId}",
        "{AWS: !Sub 'arn:${AWS::Partition}:iam::${AWS::AccountId}:root'}",
        "{AWS: !GetAtt Other.Arn}",
        "{AWS: !Ref Own}",
        "{Service: !Sub 'lambda.${AWS::URLSuffix}'}",
    ] {
        check_trust(&statement(own), &[]);
    }
    let at = "Role.AssumeRolePolicyDocument.Statement[0]";
    check_trust(&statement("'*'"), &[&format!("critical trust-public {at}")]);
    check_trust(&statement("{AWS: 999999999999}"), &[&format!("high trust-external-account {at}")]);
    let unknown = format!("? {at} whom it lets in is known only at deployment");
    check_trust(&statement("{AWS: !Ref Partner}"), &[&unknown]);
    check_trust(&statement("{AWS: !Sub 'arn:aws:iam::${Partner}:root'}"), &[&unknown]);
    let web = |condition: &str| {
        format!(
            "{{Effect: Allow, Principal: {{Federated: !GetAtt Provider.Arn}}, Action: 'sts:AssumeRoleWithWebIdentity', Condition: {condition}}}"
        )
    };
    let audience = "token.actions.githubusercontent.com:aud: sts.amazonaws.com";
    let subject = "token.actions.githubusercontent.com:sub";
    check_trust(&web(&format!("{{StringEquals: {{{audience}}}}}")), &[&format!("critical trust-oidc-open {at}")]);
    check_trust(&web(&format!("{{StringEquals: {{{audience}}}, StringLike: {{{subject}: 'repo:shop/pay:*'}}}}")), &[]);
}

#[test]
fn who_may_invoke_a_function() {
    let permission = |rest: &str| {
        format!(
            "  May: {{Type: AWS::Lambda::Permission, Properties: {{FunctionName: !Ref Pay, Action: 'lambda:InvokeFunction', {rest}}}}}\n"
        )
    };
    check_function(&permission("Principal: '*'"), &["critical public-invoke May"]);
    check_function(&permission("Principal: events.amazonaws.com"), &["high open-service-principal May"]);
    for bound in [
        "SourceArn: !GetAtt Rule.Arn",
        "SourceAccount: !Ref AWS::AccountId",
        "SourceArn: !Sub 'arn:${AWS::Partition}:events:${AWS::Region}:${AWS::AccountId}:rule/nightly'",
        // One ARN, whichever it is.
        "SourceArn: !Ref ApiArn",
        "SourceArn: !ImportValue api",
    ] {
        check_function(&permission(&format!("Principal: events.amazonaws.com, {bound}")), &[]);
    }
    // S3's ARNs have no account.
    check_function(
        &permission("Principal: s3.amazonaws.com, SourceArn: !GetAtt Bucket.Arn"),
        &["low open-service-principal May"],
    );
    check_function(&permission("Principal: 999999999999"), &["medium external-invoke May"]);
    check_function(&permission("Principal: !Ref AWS::AccountId"), &[]);
    check_function(&permission("Principal: !Ref Partner"), &["? May whom it lets in is known only at deployment"]);
}

#[test]
fn a_url_is_public_when_a_permission_lets_anybody_in_by_whatever_name_they_go() {
    let names =
        ["!Ref Pay", "!GetAtt Pay.Arn", "pay", "!Sub 'arn:aws:lambda:${AWS::Region}:${AWS::AccountId}:function:pay'"];
    for url in names {
        for permission in names {
            let resources = format!(
                "  Url: {{Type: AWS::Lambda::Url, Properties: {{TargetFunctionArn: {url}, AuthType: NONE}}}}\n  May: {{Type: AWS::Lambda::Permission, Properties: {{FunctionName: {permission}, Action: 'lambda:InvokeFunctionUrl', Principal: '*', FunctionUrlAuthType: NONE}}}}\n"
            );
            check_function(&resources, &["critical public-url Url.AuthType", "critical public-url May"]);
        }
    }
    let closed = "  Url: {Type: AWS::Lambda::Url, Properties: {TargetFunctionArn: !Ref Pay, AuthType: AWS_IAM, Cors: {AllowOrigins: ['*'], AllowCredentials: true}}}\n";
    check_function(closed, &["medium cors-any-origin Url.Cors.AllowOrigins"]);
    // Another qualifier has a policy of its own.
    let apart = "  Url: {Type: AWS::Lambda::Url, Properties: {TargetFunctionArn: !Ref Pay, Qualifier: live, AuthType: NONE}}\n  May: {Type: AWS::Lambda::Permission, Properties: {FunctionName: !Sub '${Pay}:test', Action: 'lambda:InvokeFunctionUrl', Principal: '*', FunctionUrlAuthType: NONE}}\n";
    check_function(apart, &["critical public-url May"]);
}

#[test]
fn layers_are_shared_with_somebody_in_particular() {
    let layer = |rest: &str| {
        format!(
            "  May: {{Type: AWS::Lambda::LayerVersionPermission, Properties: {{LayerVersionArn: x, Action: 'lambda:GetLayerVersion', Principal: '*'{rest}}}}}\n"
        )
    };
    check_function(&layer(""), &["high public-layer May"]);
    // Whose organisation it is was not said.
    check_function(&layer(", OrganizationId: o-a1b2c3d4e5"), &["medium external-layer May"]);
}

#[test]
fn a_role_of_several_functions_is_worth_a_word() {
    check(
        "Resources:\n  Role: {Type: AWS::IAM::Role, Properties: {RoleName: shared}}\n  A: {Type: AWS::Lambda::Function, Properties: {Role: !GetAtt Role.Arn}}\n  B: {Type: AWS::Serverless::Function, Properties: {Role: 'arn:aws:iam::111122223333:role/shared'}}",
        &["low shared-role Role"],
    );
    // One that stands elsewhere: named, by a parameter, by another stack.
    for (role, named) in [
        ("'arn:aws:iam::111122223333:role/shared'", "arn:aws:iam::111122223333:role/shared"),
        ("!Ref Shared", "${Shared}"),
        ("!ImportValue shared", "${ImportValue shared}"),
    ] {
        check(
            &format!(
                "Parameters: {{Shared: {{Type: String}}, Own: {{Type: String}}}}\nResources:\n  A: {{Type: AWS::Lambda::Function, Properties: {{Role: {role}}}}}\n  B: {{Type: AWS::Serverless::Function, Properties: {{Role: {role}}}}}\n  C: {{Type: AWS::Lambda::Function, Properties: {{Role: !Ref Own}}}}"
            ),
            &[&format!("low shared-role {named}")],
        );
    }
}

#[test]
fn secrets_that_the_template_itself_calls_secret_do_not_belong_into_an_environment() {
    let function = |value: &str| {
        format!(
            "Parameters: {{Password: {{Type: String, NoEcho: true, Default: not-to-be-shown}}, Name: {{Type: String}}}}\nResources:\n  Pay: {{Type: AWS::Lambda::Function, Properties: {{Environment: {{Variables: {{DB: {value}}}}}}}}}"
        )
    };
    let found = &["high plaintext-secret Pay.Environment.DB"];
    for secret in [
        "!Ref Password",
        "!Sub 'postgres://app:${Password}@db'",
        "'{{resolve:secretsmanager:db:SecretString:password}}'",
    ] {
        check(&function(secret), found);
        let report = judge(&function(secret), &Context::default()).expect("a template");
        assert!(!report.findings[0].message.contains("not-to-be-shown"));
    }
    for harmless in ["!Ref Name", "'{{resolve:ssm:/app/stage}}'", "plain"] {
        check(&function(harmless), &[]);
    }
}

#[test]
fn plaintext_secrets_in_an_environment_are_found_by_the_guards_detector() {
    let found = said(
        "Resources:\n  Db: {Type: AWS::RDS::DBInstance}\n  Pay:\n    Type: AWS::Lambda::Function\n    Properties:\n      Environment:\n        Variables:\n          TABLE: orders\n          DB_URL: !Sub 'postgres://app:Vq8_mz4Lk2Tn9wRx@${Db.Endpoint.Address}/orders'\n          DB_PASSWORD: !Sub '${Db}-password'\n          SECRET_ARN: !Ref AWS::StackId\n",
    );
    assert_eq!(found, ["high plaintext-secret Pay.Environment.DB_URL"]);
}

#[test]
fn functions_of_sam() {
    let template = "Transform: AWS::Serverless-2016-10-31\nResources:\n  Table: {Type: AWS::DynamoDB::Table}\n  Pay:\n    Type: AWS::Serverless::Function\n    Properties:\n      Policies:\n        - AdministratorAccess\n        - AWSLambdaBasicExecutionRole\n        - AmazonS3FullAccess\n        - DynamoDBCrudPolicy: {TableName: !Ref Table}\n        - Version: 2012-10-17\n          Statement: [{Effect: Allow, Action: 'secretsmanager:GetSecretValue', Resource: '*'}]\n      FunctionUrlConfig: {AuthType: NONE}\n";
    check(
        template,
        &[
            "critical wildcard-admin Pay.Policies[0]",
            "high wildcard-data-read Pay.Policies[4].Statement[0]",
            "critical public-url Pay.FunctionUrlConfig.AuthType",
            "critical public-url Pay.FunctionUrlConfig",
            "? Pay.Policies[2] the document of `AmazonS3FullAccess` is not in the template",
            "? Pay.Policies[3] `DynamoDBCrudPolicy` is a policy template of SAM: its document is not in the template",
        ],
    );
    // With a role of its own, the function's policies do not count.
    check(
        "Resources:\n  Pay: {Type: AWS::Serverless::Function, Properties: {Role: 'arn:aws:iam::111122223333:role/pay', Policies: AdministratorAccess}}",
        &[],
    );
}

#[test]
fn json_says_the_same() {
    check(
        r#"{"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": {"Policies": [{"PolicyName": "a", "PolicyDocument":
            {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": {"Fn::Sub": "${Bucket}/*"}},
            {"Effect": "Allow", "Action": "s3:GetObject", "Resource": {"Fn::Join": ["", ["*", ""]]}}]}}]}}}}"#,
        &["high wildcard-data-read Role.Policies[0].Statement[1]"],
    );
}

#[track_caller]
fn refused(template: &str, expected: &str) {
    assert_eq!(judge(template, &Context::default()).expect_err(template).to_string(), expected);
}

#[test]
fn errors_say_what_and_where() {
    refused("Resources:\n  A: {Type: x}\n  A: {Type: y}", "duplicate key `A` at line 3 column 3");
    refused(r#"{"Resources": {"A": 1, "A": 2}}"#, "duplicate key `A` at line 1 column 26");
    refused(
        "Description: none",
        "neither a CloudFormation template, which has `Resources`, nor a plan of `terraform show -json`, which has `planned_values`",
    );
    refused("Resources: {A: {Kind: x}}", "A: a resource has a `Type`, which is text");
    refused(
        "Resources: {Role: {Type: AWS::IAM::Role, Properties: {Policies: [{PolicyDocument: {Statements: []}}]}}}",
        "Role.Policies[0]: unknown key `Statements` in a policy document (did you mean `Statement`?)",
    );
    refused(
        "Resources: {Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {Statement: {Effect: Allow, Action: 'sts:AssumeRole', Resource: '*', Principal: '*'}}}}}",
        "Role.AssumeRolePolicyDocument: a trust policy has no `Resource`",
    );
}

#[test]
fn conditions_that_ask_for_themselves_do_not_hold_and_do_not_hang() {
    let mut conditions: String =
        (0..200).map(|nth| format!("  C{nth}: !And [!Condition C{}, !Condition C{}]\n", nth + 1, nth + 1)).collect();
    conditions.push_str("  C200: !Not [!Condition C0]\n");
    check(
        &format!(
            "Conditions:\n{conditions}Resources:\n  A: {{Type: AWS::Lambda::Permission, Condition: C0, Properties: {{FunctionName: a, Action: 'lambda:InvokeFunction', Principal: '*'}}}}"
        ),
        &[],
    );
}

#[test]
fn a_sub_that_grows_without_end_is_cut() {
    let long = "x".repeat(100_000);
    let names = "${A}".repeat(50_000);
    check_statements(
        &format!("{{Effect: Allow, Action: 's3:GetObject', Resource: !Sub ['{names}', {{A: {long}}}]}}"),
        "",
        &[],
    );
}
