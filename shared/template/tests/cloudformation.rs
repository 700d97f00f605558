//! CloudFormation templates and what is said of them.

use warden_finding::Severity;
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

/// Judges a template and shows what was found and where; what could not be judged begins with a question mark,
/// what AWS would not accept with an exclamation mark.
fn said(template: &str) -> Vec<String> {
    let account = "111122223333".parse().expect("an account");
    let report = judge(template, &Context::of_account(account)).expect("a template");
    let findings = report.findings.iter().map(|it| &it.finding);
    let findings = findings.map(|it| format!("{} {} {}", it.severity, it.id, it.at));
    let not_judged = report.not_judged.iter().map(|it| format!("? {} {}", it.at, it.why));
    findings.chain(not_judged).chain(report.errors.iter().map(|it| format!("! {} {}", it.at, it.why))).collect()
}

#[track_caller]
fn check(template: &str, expected: &[&str]) {
    assert_eq!(said(template), expected, "{template}");
}

/// A role whose one inline policy has these statements, and other sections of the template.
#[track_caller]
fn check_statements(statements: &str, rest: &str, expected: &[&str]) {
    let template = format!(
        "{rest}\nResources:\n  Bucket: {{Type: AWS::S3::Bucket}}\n  Topic: {{Type: AWS::SNS::Topic}}\n  Role:\n    \
         Type: AWS::IAM::Role\n    Properties:\n      Policies:\n        - PolicyName: own\n          \
         PolicyDocument:\n            Version: 2012-10-17\n            Statement: {statements}\n"
    );
    check(&template, expected);
}

/// A role with this trust statement.
#[track_caller]
fn check_trust(statement: &str, expected: &[&str]) {
    check(
        &format!(
            "Parameters: {{Partner: {{Type: String}}, Own: {{Type: String, Default: 111122223333}}, Org: {{Type: \
             String}}}}\nResources:\n  Provider: {{Type: AWS::IAM::OIDCProvider, Properties: {{Url: \
             https://token.actions.githubusercontent.com}}}}\n  Other: {{Type: AWS::IAM::Role}}\n  Role:\n    Type: \
             AWS::IAM::Role\n    Properties:\n      AssumeRolePolicyDocument: {{Version: 2012-10-17, Statement: \
             [{statement}]}}\n"
        ),
        expected,
    );
}

/// A function and these further resources.
#[track_caller]
fn check_function(resources: &str, expected: &[&str]) {
    check(
        &format!(
            "Parameters: {{Partner: {{Type: String}}, ApiArn: {{Type: String}}}}\nResources:\n  Bucket: {{Type: \
             AWS::S3::Bucket}}\n  Rule: {{Type: AWS::Events::Rule}}\n  Pay: {{Type: AWS::Lambda::Function, Properties: \
             {{FunctionName: pay}}}}\n{resources}"
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
    let conditional = "[!If [Never, {Effect: Allow, Action: '*', Resource: '*'}, !Ref AWS::NoValue], {Effect: Allow, \
                       Action: '*', Resource: '*'}]";
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
            "Parameters: {{Stage: {{Type: String{default}}}}}\nConditions: {{IsDev: !Equals [!Ref Stage, dev], IsProd: \
             !Not [!Condition IsDev]}}"
        )
    };
    for default in ["", ", Default: prod", ", Default: dev", ", AllowedValues: [dev, prod]"] {
        check_statements(statement, &conditions(default), &[found]);
    }
    check_statements(statement, &conditions(", AllowedValues: [test, prod]"), &[]);
    check_statements(
        "[{Effect: Allow, Action: 's3:GetObject', Resource: !FindInMap [Buckets, !Ref Stage, Arn]}]",
        "Parameters: {Stage: {Type: String}}\nMappings: {Buckets: {prod: {Arn: 'arn:aws:s3:::a/*'}}}",
        &[],
    );
    check_statements(
        "[{Effect: Allow, Action: 's3:GetObject', Resource: !FindInMap [Buckets, !Ref Stage, Arn, {DefaultValue: \
         '*'}]}]",
        "Parameters: {Stage: {Type: String}}\nMappings: {Buckets: {prod: {Arn: 'arn:aws:s3:::a/*'}}}",
        &[found],
    );
    check_statements(
        "[{Effect: Allow, Action: 's3:GetObject', Resource: !FindInMap [Buckets, !Ref Stage, Arn]}]",
        "Parameters: {Stage: {Type: String, Default: prod}}\nMappings: {Buckets: {prod: {Arn: 'arn:aws:s3:::a/*'}, \
         dev: {Arn: '*'}}}",
        &[found],
    );
    // What never is together is not judged together.
    check_statements(
        "[!If [IsDev, {Effect: Allow, Action: 'iam:PassRole', Resource: 'arn:aws:iam::111122223333:role/app'}, \
         {Effect: Allow, Action: 's3:GetObject', Resource: 'arn:aws:s3:::a/*'}]]",
        &conditions(""),
        &[],
    );
}

#[test]
fn where_nobody_has_said_the_account_every_account_that_is_asked_for_is_judged() {
    let said_in = |account: Option<&str>| {
        let template = "Conditions: {Live: !Equals [!Ref AWS::AccountId, '444455556666']}\nMappings: {Of: \
                        {'444455556666': {Key: Vq8_mz4Lk2Tn9wRx}, '777788889999': {Key: none}}}\nResources:\n  Door: \
                        {Type: AWS::Lambda::Permission, Condition: Live, Properties: {FunctionName: a, Action: \
                        'lambda:InvokeFunction', Principal: '*'}}\n  Own: {Type: AWS::Lambda::Permission, Condition: \
                        Live, Properties: {FunctionName: b, Action: 'lambda:InvokeFunction', Principal: \
                        '444455556666'}}\n  Pay: {Type: AWS::Lambda::Function, Properties: {Environment: {Variables: \
                        {DB_PASSWORD: !FindInMap [Of, !Ref AWS::AccountId, Key]}}}}";
        let context = Context { account: account.map(|it| it.parse().expect("an account")), ..Context::default() };
        let findings = judge(template, &context).expect("a template").findings;
        findings.into_iter().map(|it| format!("{} {}", it.finding.id, it.finding.at)).collect::<Vec<_>>()
    };
    let live = ["public-invoke Door", "plaintext-secret Pay.Environment.DB_PASSWORD"];
    assert_eq!(said_in(None), live);
    assert_eq!(said_in(Some("444455556666")), live);
    assert_eq!(said_in(Some("111122223333")), [] as [&str; 0]);
}

#[test]
fn a_template_without_resources_is_one_only_where_something_may_bring_them() {
    // As the AWS CDK writes them, and never deploys them.
    check(r#"{"Parameters": {"BootstrapVersion": {"Type": "String"}}, "Rules": {"Check": {"Assertions": []}}}"#, &[]);
    check("Transform: Own\nOutputs: {}", &["? Transform what `Own` makes of the template is not read"]);
    for template in [
        r#"{"Parameters": {"Version": {"Type": "String"}}, "Rules": {"Check": {"Assertions": []}}}"#,
        "AWSTemplateFormatVersion: 2010-09-09\nOutputs: {A: {Value: b}}",
        "AWSTemplateFormatVersion: 2010-09-09\nOutputs: {A: {Value: b}}\nresources: {}",
        "Description: later\nMappings: {}",
        "Resources: {}",
    ] {
        refused(template, "Resources: there is none, and CloudFormation takes no template without");
    }
    for other in
        [r#"{"Parameters": {"Version": "1"}}"#, r#"{"Parameters": {}, "Tags": {}}"#, "Metadata: {}", "{}", "[]", "a"]
    {
        refused(
            other,
            "neither a CloudFormation template, which has `Resources`, nor a plan of `terraform show -json`, which has \
             `planned_values`",
        );
    }
    for no_mapping in ["Resources:\n  - a", "Resources:\n", "Resources: a"] {
        refused(no_mapping, "Resources: not a mapping of resources by their logical ids");
    }
}

#[test]
fn a_template_as_the_aws_cli_shows_it_is_judged() {
    let open = r#"{"Resources": {"Open": {"Type": "AWS::Lambda::Permission", "Properties": {"FunctionName": "a",
        "Action": "lambda:InvokeFunction", "Principal": "*"}}}}"#;
    check(&format!(r#"{{"StagesAvailable": [], "TemplateBody": {open}}}"#), &["critical public-invoke Open"]);
    let text = serde_json::to_string(open).expect("JSON");
    check(&format!(r#"{{"TemplateBody": {text}}}"#), &["critical public-invoke Open"]);
    let yaml = "Resources: {Open: {Type: AWS::Lambda::Permission, Properties: {FunctionName: a, Action: \
                'lambda:InvokeFunction', Principal: '*'}}}";
    check(&format!(r#"{{"TemplateBody": "{yaml}"}}"#), &["critical public-invoke Open"]);
    refused(r#"{"TemplateBody": "a: *b"}"#, "there is no anchor `b` before its alias at line 1 column 4");
}

#[test]
fn what_a_template_or_a_plan_is_made_of_is_told_apart() {
    for (source, expected) in [
        (
            "{\"@level\":\"info\",\"type\":\"version\"}\n{\"@level\":\"info\"}\n",
            "messages of `terraform plan -json`, and not the plan itself: judge what `terraform show -json PLAN` says",
        ),
        (
            r#"{"version": 4, "serial": 3, "lineage": "a", "resources": []}"#,
            "a file of Terraform's state: judge what `terraform show -json` says of it",
        ),
        (
            r#"{"format_version": "1.0"}"#,
            "a state of Terraform in which there is nothing: judge a plan, which `terraform show -json PLAN` says",
        ),
        (
            "service: pay\nprovider: {name: aws}\nfunctions: {}",
            "a file of the Serverless Framework: judge the template that `serverless package` writes into \
             `.serverless`",
        ),
        (
            "# Pay\nresource \"aws_iam_role\" \"pay\" {\n  name = \"pay\"\n}\n",
            "Terraform's configuration: judge what `terraform show -json PLAN` says of a plan",
        ),
        (
            "terraform {\n  required_version = \">= 1.0\"\n}\n",
            "Terraform's configuration: judge what `terraform show -json PLAN` says of a plan",
        ),
        (r#"{"version": "36.0.0", "artifacts": {}}"#, "the AWS CDK's list of stacks: judge `cdk.out/*.template.json`"),
    ] {
        refused(source, expected);
    }
}

#[test]
fn a_finding_says_which_shape_it_is_in() {
    let template = "Parameters: {Stage: {Type: String, Default: prod}}\nConditions: {Dev: !Equals [!Ref Stage, \
                    dev]}\nResources:\n  Open: {Type: AWS::Lambda::Permission, Condition: Dev, Properties: \
                    {FunctionName: a, Action: 'lambda:InvokeFunction', Principal: '*'}}";
    let report = judge(template, &Context::default()).expect("a template");
    assert_eq!(report.findings.len(), 1);
    assert!(
        report.findings[0].finding.message.ends_with("(when Stage is \"dev\")"),
        "{}",
        report.findings[0].finding.message
    );
}

/// A template that is open to everybody where `condition` holds, with ten parameters and a condition for each.
fn with_ten_conditions(condition: &str) -> String {
    let names: Vec<String> = (0..10).map(|nth| format!("P{nth}")).collect();
    let parameters: String = names.iter().map(|name| format!("  {name}: {{Type: String, Default: a}}\n")).collect();
    let conditions: String = names.iter().map(|name| format!("  C{name}: !Equals [!Ref {name}, b]\n")).collect();
    let all: Vec<String> = names.iter().map(|name| format!("!Condition C{name}")).collect();
    let all = all.join(", ");
    format!(
        "Parameters:\n{parameters}Conditions:\n{conditions}  Any: !Or [{all}]\nResources:\n  Open: {{Type: \
         AWS::Lambda::Permission, Condition: {condition}, Properties: {{FunctionName: a, Action: \
         'lambda:InvokeFunction', Principal: '*'}}}}"
    )
}

#[test]
fn too_many_shapes_are_varied_one_by_one_and_said() {
    check(
        &with_ten_conditions("Any"),
        &[
            "critical public-invoke Open",
            "? Conditions more than 512 shapes of the template: each parameter was varied by itself, not all together",
        ],
    );
}

#[test]
fn conditions_that_no_judged_resource_asks_for_make_no_shapes() {
    check(&with_ten_conditions("CP7"), &["critical public-invoke Open"]);
}

#[test]
fn a_role_is_judged_whole() {
    let pass = "{Version: 2012-10-17, Statement: {Effect: Allow, Action: 'iam:PassRole', Resource: '*'}}";
    let create = "{Version: 2012-10-17, Statement: {Effect: Allow, Action: ['lambda:CreateFunction', \
                  'lambda:InvokeFunction'], Resource: '*'}}";
    for attachment in [
        format!(
            "  Pass: {{Type: AWS::IAM::ManagedPolicy, Properties: {{Roles: [!Ref Role], PolicyDocument: {pass}}}}}"
        ),
        format!("  Pass: {{Type: AWS::IAM::Policy, Properties: {{Roles: [!Ref Role], PolicyDocument: {pass}}}}}"),
        format!("  Pass: {{Type: AWS::IAM::RolePolicy, Properties: {{RoleName: payments, PolicyDocument: {pass}}}}}"),
    ] {
        let found = said(&format!(
            "Resources:\n{attachment}\n  Role: {{Type: AWS::IAM::Role, Properties: {{RoleName: payments, Policies: \
             [{{PolicyName: a, PolicyDocument: {create}}}]}}}}"
        ));
        assert!(found.contains(&"critical privilege-escalation Pass.Statement[0]".to_owned()), "{found:?}");
    }
    // Attached from the role's side, by Ref and by a name that was written out.
    for arn in ["!Ref Pass", "!Sub 'arn:aws:iam::${AWS::AccountId}:policy/team/pass'"] {
        let found = said(&format!(
            "Resources:\n  Pass: {{Type: AWS::IAM::ManagedPolicy, Properties: {{ManagedPolicyName: pass, Path: /team/, \
             PolicyDocument: {pass}}}}}\n  Role: {{Type: AWS::IAM::Role, Properties: {{ManagedPolicyArns: [{arn}], \
             Policies: [{{PolicyName: a, PolicyDocument: {create}}}]}}}}"
        ));
        assert!(found.contains(&"critical privilege-escalation Pass.Statement[0]".to_owned()), "{arn}: {found:?}");
    }
}

#[test]
fn a_boundary_cuts_a_role_down_when_it_is_in_the_template() {
    let role = |boundary: &str| {
        format!(
            "Resources:\n  Bound: {{Type: AWS::IAM::ManagedPolicy, Properties: {{PolicyDocument: {{Statement: \
             {{Effect: Allow, Action: 's3:GetObject', Resource: 'arn:aws:s3:::a/*'}}}}}}}}\n  Role: {{Type: \
             AWS::IAM::Role, Properties: {{PermissionsBoundary: {boundary}, ManagedPolicyArns: \
             ['arn:aws:iam::aws:policy/AdministratorAccess']}}}}"
        )
    };
    check(&role("!Ref Bound"), &[]);
    check(
        &role("'arn:aws:iam::111122223333:policy/elsewhere'"),
        &[
            "critical wildcard-admin Role.ManagedPolicyArns[0]",
            "? Role.PermissionsBoundary the document of `arn:aws:iam::111122223333:policy/elsewhere` is not in the \
             template, so the role is judged without its boundary",
        ],
    );
}

#[test]
fn managed_policies_of_aws_are_judged_by_their_documents() {
    let attached = |name: &str| {
        said(&format!(
            "Resources:\n  Role: {{Type: AWS::IAM::Role, Properties: {{ManagedPolicyArns: [!Sub \
             'arn:${{AWS::Partition}}:iam::aws:policy/{name}']}}}}"
        ))
    };
    let at = "Role.ManagedPolicyArns[0]";
    assert_eq!(attached("AdministratorAccess"), [format!("critical wildcard-admin {at}")]);
    assert_eq!(attached("PowerUserAccess"), [format!("critical wildcard-not-action {at}")]);
    let iam = attached("IAMFullAccess");
    assert!(iam.contains(&format!("high wildcard-sensitive-service {at}")), "{iam:?}");
    assert!(iam.contains(&format!("critical privilege-escalation {at}")), "{iam:?}");
    assert_eq!(attached("service-role/AWSLambdaBasicExecutionRole"), Vec::<String>::new());
    let full = attached("AmazonSQSFullAccess");
    assert!(full.contains(&format!("medium wildcard-service {at}")), "{full:?}");
    let unknown = "the document of `arn:aws:iam::aws:policy/NoSuchAccess` is not in the template";
    assert_eq!(attached("NoSuchAccess"), [format!("? {at} {unknown}")]);
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
            "{{Effect: Allow, Principal: {{Federated: !GetAtt Provider.Arn}}, Action: 'sts:AssumeRoleWithWebIdentity', \
             Condition: {condition}}}"
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
            "  May: {{Type: AWS::Lambda::Permission, Properties: {{FunctionName: !Ref Pay, Action: \
             'lambda:InvokeFunction', {rest}}}}}\n"
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
                "  Url: {{Type: AWS::Lambda::Url, Properties: {{TargetFunctionArn: {url}, AuthType: NONE}}}}\n  May: \
                 {{Type: AWS::Lambda::Permission, Properties: {{FunctionName: {permission}, Action: \
                 'lambda:InvokeFunctionUrl', Principal: '*', FunctionUrlAuthType: NONE}}}}\n"
            );
            check_function(&resources, &["critical public-url Url.AuthType", "critical public-url May"]);
        }
    }
    let closed = "  Url: {Type: AWS::Lambda::Url, Properties: {TargetFunctionArn: !Ref Pay, AuthType: AWS_IAM, Cors: \
                  {AllowOrigins: ['*'], AllowCredentials: true}}}\n";
    check_function(closed, &["medium cors-any-origin Url.Cors.AllowOrigins"]);
    // Another qualifier has a policy of its own.
    let apart = "  Url: {Type: AWS::Lambda::Url, Properties: {TargetFunctionArn: !Ref Pay, Qualifier: live, AuthType: \
                 NONE}}\n  May: {Type: AWS::Lambda::Permission, Properties: {FunctionName: !Sub '${Pay}:test', Action: \
                 'lambda:InvokeFunctionUrl', Principal: '*', FunctionUrlAuthType: NONE}}\n";
    check_function(apart, &["critical public-url May"]);
}

#[test]
fn layers_are_shared_with_somebody_in_particular() {
    let layer = |rest: &str| {
        format!(
            "  May: {{Type: AWS::Lambda::LayerVersionPermission, Properties: {{LayerVersionArn: x, Action: \
             'lambda:GetLayerVersion', Principal: '*'{rest}}}}}\n"
        )
    };
    check_function(&layer(""), &["high public-layer May"]);
    // Whose organisation it is was not said.
    check_function(&layer(", OrganizationId: o-a1b2c3d4e5"), &["medium external-layer May"]);
}

#[test]
fn a_role_of_several_functions_is_worth_a_word() {
    check(
        "Resources:\n  Role: {Type: AWS::IAM::Role, Properties: {RoleName: shared}}\n  A: {Type: \
         AWS::Lambda::Function, Properties: {Role: !GetAtt Role.Arn}}\n  B: {Type: AWS::Serverless::Function, \
         Properties: {Role: 'arn:aws:iam::111122223333:role/shared'}}",
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
                "Parameters: {{Shared: {{Type: String}}, Own: {{Type: String}}}}\nResources:\n  A: {{Type: \
                 AWS::Lambda::Function, Properties: {{Role: {role}}}}}\n  B: {{Type: AWS::Serverless::Function, \
                 Properties: {{Role: {role}}}}}\n  C: {{Type: AWS::Lambda::Function, Properties: {{Role: !Ref Own}}}}"
            ),
            &[&format!("low shared-role {named}")],
        );
    }
}

#[test]
fn secrets_that_the_template_itself_calls_secret_do_not_belong_into_an_environment() {
    let function = |value: &str| {
        format!(
            "Parameters: {{Password: {{Type: String, NoEcho: true, Default: not-to-be-shown}}, Name: {{Type: \
             String}}}}\nResources:\n  Pay: {{Type: AWS::Lambda::Function, Properties: {{Environment: {{Variables: \
             {{DB: {value}}}}}}}}}"
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
        assert!(!report.findings[0].finding.message.contains("not-to-be-shown"));
    }
    for harmless in ["!Ref Name", "'{{resolve:ssm:/app/stage}}'", "plain"] {
        check(&function(harmless), &[]);
    }
}

#[test]
fn a_secret_that_a_resource_gives_does_not_belong_into_an_environment() {
    let said_of = |value: &str| {
        said(&format!(
            "Resources:\n  Key: {{Type: AWS::IAM::AccessKey}}\n  Client: {{Type: AWS::Cognito::UserPoolClient}}\n  \
             Api: {{Type: AWS::AppSync::ApiKey}}\n  Db: {{Type: AWS::RDS::DBInstance}}\n  Namespace: {{Type: \
             AWS::RedshiftServerless::Namespace}}\n  Kept: {{Type: AWS::SecretsManager::Secret}}\n  Pay: {{Type: \
             AWS::Lambda::Function, Properties: {{Environment: {{Variables: {{MAIL: {value}}}}}}}}}"
        ))
    };
    for secret in [
        "!GetAtt Key.SecretAccessKey",
        "!GetAtt [Key, SecretAccessKey]",
        "!Sub 'smtp:${Key.SecretAccessKey}'",
        "!Join ['', [a, !GetAtt Key.SecretAccessKey]]",
        "{'Fn::Base64': !Sub '${Key}:${Key.SecretAccessKey}'}",
        "!GetAtt Client.ClientSecret",
        "!GetAtt Api.ApiKey",
    ] {
        assert_eq!(said_of(secret), ["high plaintext-secret Pay.Environment.MAIL"], "{secret}");
    }
    for harmless in [
        "!Ref Key",
        "!Ref Kept",
        "!GetAtt Client.ClientId",
        "!GetAtt Api.Arn",
        "!GetAtt Db.MasterUserSecret.SecretArn",
        "!GetAtt Namespace.Namespace.AdminPasswordSecretArn",
        "!GetAtt Db.SecretAccessKey",
    ] {
        assert_eq!(said_of(harmless), [] as [&str; 0], "{harmless}");
    }
}

#[test]
fn a_secret_is_one_however_it_is_taken_apart_and_put_together() {
    let function = |value: &str| {
        format!(
            "Parameters: {{Password: {{Type: String, NoEcho: true}}, Both: {{Type: CommaDelimitedList, NoEcho: true}}, \
             Name: {{Type: String}}}}\nResources:\n  Pay: {{Type: AWS::Lambda::Function, Properties: {{Environment: \
             {{Variables: {{MAIL: {value}}}}}}}}}"
        )
    };
    for secret in [
        "{'Fn::Base64': !Ref Password}",
        "{'Fn::Base64': !Sub 'app:${Password}'}",
        "!Select [1, !Split [':', !Ref Password]]",
        "!Select [0, !Ref Both]",
        "!Join [':', !Ref Both]",
        "{'Fn::ToJsonString': {password: !Ref Password}}",
        "{'Fn::Base64': 'postgres://app:Vq8_mz4Lk2Tn9wRx@db.internal/orders'}",
    ] {
        check(&function(secret), &["high plaintext-secret Pay.Environment.MAIL"]);
    }
    for harmless in ["{'Fn::Base64': !Ref Name}", "{'Fn::Base64': plain}", "!Select [0, !Split [':', !Ref Name]]"] {
        check(&function(harmless), &[]);
    }
}

#[test]
fn a_reference_that_cloudformation_refuses_is_said() {
    check(
        "Resources:\n  Pay: {Type: AWS::Lambda::Function, Properties: {Environment: {Variables: {DB_PASSWORD: \
         '{{resolve:ssm-secure:/pay/db:1}}'}}}}",
        &["? Pay.Environment.DB_PASSWORD CloudFormation refuses `ssm-secure` references in the environment of a \
           function"],
    );
}

#[test]
fn plaintext_secrets_in_an_environment_are_found_by_the_guards_detector() {
    let found = said(
        "Resources:\n  Db: {Type: AWS::RDS::DBInstance}\n  Pay:\n    Type: AWS::Lambda::Function\n    \
         Properties:\n      Environment:\n        Variables:\n          TABLE: orders\n          DB_URL: !Sub \
         'postgres://app:Vq8_mz4Lk2Tn9wRx@${Db.Endpoint.Address}/orders'\n          DB_PASSWORD: !Sub \
         '${Db}-password'\n          SECRET_ARN: !Ref AWS::StackId\n",
    );
    assert_eq!(found, ["high plaintext-secret Pay.Environment.DB_URL"]);
}

#[test]
fn functions_of_sam() {
    let template = "Transform: AWS::Serverless-2016-10-31\nResources:\n  Table: {Type: AWS::DynamoDB::Table}\n  \
                    Pay:\n    Type: AWS::Serverless::Function\n    Properties:\n      Policies:\n        - \
                    AdministratorAccess\n        - AWSLambdaBasicExecutionRole\n        - \
                    AWSXRayDaemonWriteAccess\n        - DynamoDBCrudPolicy: {TableName: !Ref Table}\n        - \
                    Version: 2012-10-17\n          Statement: [{Effect: Allow, Action: \
                    'secretsmanager:GetSecretValue', Resource: '*'}]\n      FunctionUrlConfig: {AuthType: NONE}\n";
    check(
        template,
        &[
            "critical wildcard-admin Pay.Policies[0]",
            "high wildcard-data-read Pay.Policies[4].Statement[0]",
            "critical public-url Pay.FunctionUrlConfig.AuthType",
            "critical public-url Pay.FunctionUrlConfig",
        ],
    );
    // With a role of its own, the function's policies do not count.
    check(
        "Resources:\n  Pay: {Type: AWS::Serverless::Function, Properties: {Role: 'arn:aws:iam::111122223333:role/pay', \
         Policies: AdministratorAccess}}",
        &[],
    );
}

#[test]
fn json_says_the_same() {
    check(
        r#"{"Resources": {"Role": {"Type": "AWS::IAM::Role", "Properties": {"Policies": [{"PolicyName": "a",
            "PolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject",
                "Resource": {"Fn::Sub": "${Bucket}/*"}},
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
        "neither a CloudFormation template, which has `Resources`, nor a plan of `terraform show -json`, which has \
         `planned_values`",
    );
}

/// A public permission and these further resources, one of which AWS refuses: the permission is found all the same.
#[track_caller]
fn check_beside_an_error(resources: &str, expected: &[&str]) {
    let public = "  Open: {Type: AWS::Lambda::Permission, Properties: {FunctionName: a, Action: \
                  'lambda:InvokeFunction', Principal: '*'}}";
    for template in [format!("Resources:\n{public}\n{resources}"), format!("Resources:\n{resources}\n{public}")] {
        let mut found = said(&template);
        let at = found.iter().position(|it| it == "critical public-invoke Open").unwrap_or_else(|| panic!("{found:?}"));
        found.remove(at);
        assert_eq!(found, expected, "{template}");
    }
}

#[test]
fn what_aws_refuses_is_named_and_hides_nothing_else() {
    for (resource, said) in [
        ("  A: {Kind: x}", "! A a resource has a `Type`, which is text"),
        ("  A:", "! A a resource has a `Type`, which is text"),
        ("  A: {Type: AWS::Lambda::Function, Properties: [a]}", "! A `Properties` is a mapping"),
        (
            "  A: {Type: AWS::Lambda::Permission, Properties: {FunctionName: b, Principal: '*'}}",
            "! A there is no `Action`",
        ),
    ] {
        check_beside_an_error(resource, &[said]);
    }
    check_beside_an_error(
        "  Role: {Type: AWS::IAM::Role, Properties: {Policies: [{PolicyDocument: {Statements: []}}, {PolicyDocument: \
         {Statement: {Effect: Allow, Action: '*', Resource: '*'}}}]}}",
        &[
            "critical wildcard-admin Role.Policies[1].Statement[0]",
            "! Role.Policies[0] unknown key `Statements` in a policy document (did you mean `Statement`?)",
        ],
    );
    check_beside_an_error(
        "  Role: {Type: AWS::IAM::Role, Properties: {AssumeRolePolicyDocument: {Statement: {Effect: Allow, Action: \
         'sts:AssumeRole', Resource: '*', Principal: '*'}}}}",
        &["! Role.AssumeRolePolicyDocument a trust policy has no `Resource`"],
    );
    check_beside_an_error(
        "  Fence: {Type: AWS::IAM::ManagedPolicy, Properties: {PolicyDocument: {Statement: {Effect: Maybe, Action: \
         '*', Resource: '*'}}}}\n  Role: {Type: AWS::IAM::Role, Properties: {PermissionsBoundary: !Ref Fence}}",
        &["! Fence unknown Effect `Maybe`, expected `Allow` or `Deny`"],
    );
}

#[test]
fn a_part_that_is_not_what_aws_takes_is_named() {
    let resource =
        |kind: &str, properties: &str| format!("  It: {{Type: 'AWS::{kind}', Properties: {{{properties}}}}}");
    for (kind, properties, expected) in [
        ("Lambda::Function", "Environment: {Variables: [a]}", "! It.Environment variables are a mapping"),
        ("Lambda::Function", "Environment: a", "! It.Environment variables are a mapping"),
        (
            "Lambda::Function",
            "Environment: {Variables: {A: {b: c}, D: e}}",
            "! It.Environment.A the value of a variable is text",
        ),
        ("IAM::Role", "ManagedPolicyArns: [{a: b}]", "! It.ManagedPolicyArns[0] an ARN is text"),
        ("IAM::Role", "Policies: [{PolicyName: a}]", "! It.Policies[0] there is no `PolicyDocument`"),
        ("IAM::Policy", "PolicyName: a", "! It there is no `PolicyDocument`"),
        ("IAM::RolePolicy", "PolicyName: a", "! It there is no `PolicyDocument`"),
        ("IAM::ManagedPolicy", "Path: /", "! It there is no `PolicyDocument`"),
        ("Lambda::ResourcePolicy", "ResourceArn: a", "! It there is no `PolicyDocument`"),
    ] {
        check_beside_an_error(&resource(kind, properties), &[expected]);
    }
    for fine in
        ["Environment: {}", "Environment: !Ref AWS::NoValue", "Environment: {Variables: {A: 1, B: true, C: null}}"]
    {
        check_beside_an_error(&resource("Lambda::Function", fine), &[]);
    }
}

#[test]
fn what_decides_and_is_not_known_is_said() {
    check_function(
        "  Url: {Type: AWS::Lambda::Url, Properties: {TargetFunctionArn: !Ref Pay, AuthType: !Ref Partner}}\n",
        &["? Url.AuthType known only at deployment"],
    );
    check_sam(
        ", FunctionUrlConfig: {AuthType: !ImportValue auth}",
        "",
        &["? Pay.FunctionUrlConfig.AuthType known only at deployment"],
    );
    let later = "? It.Environment the variables are known only at deployment";
    for environment in ["{Variables: !ImportValue all}", "!ImportValue all", "{Variables: !FindInMap [A, B, C]}"] {
        check(
            &format!("Resources: {{It: {{Type: AWS::Lambda::Function, Properties: {{Environment: {environment}}}}}}}"),
            &[later],
        );
    }
    // AWS would refuse these templates.
    check(
        "Conditions: {Yes: !Not [!Equals [a, b]]}\nResources: {It: {Type: AWS::Lambda::Permission, Properties: \
         {FunctionName: a, Action: 'lambda:InvokeFunction', Principal: !If [Yes, '*', s3.amazonaws.com], \
         SourceAccount: !Ref AWS::AccountId}}}",
        &["? Conditions.true there is no such condition, so what asks for it is judged as if it did not hold"],
    );
    check_function(
        "  May: {Type: AWS::Lambda::Permission, Condition: Gone, Properties: {FunctionName: !Ref Pay, Action: \
         'lambda:InvokeFunction', Principal: '*'}}\n",
        &["? Conditions.Gone there is no such condition, so what asks for it is judged as if it did not hold"],
    );
}

#[test]
fn what_is_not_known_of_a_statement_is_said_and_hides_nothing_else() {
    let parameters = "Parameters: {Given: {Type: String}}";
    let later = |key: &str| format!("? Role.Policies[0].Statement[0].{key} a part of it is known only at deployment");
    for action in ["!Ref Given", "[!Ref Given]", "!Sub '${Given}:*'"] {
        let statement = format!("[{{Effect: Allow, Action: {action}, Resource: '*'}}]");
        check_statements(&statement, parameters, &[&later("Action")]);
        let single = format!("{{Effect: Allow, Action: {action}, Resource: '*'}}");
        check_statements(&single, parameters, &[&later("Action")]);
    }
    check_statements(
        "[{Effect: Allow, Action: [!Ref Given, '*'], Resource: '*'}]",
        parameters,
        &["critical wildcard-admin Role.Policies[0].Statement[0]", &later("Action")],
    );
    check_statements(
        "[{Effect: !Ref Given, Action: '*', Resource: '*'}, {Effect: Allow, Action: '*', Resource: '*'}]",
        parameters,
        &["critical wildcard-admin Role.Policies[0].Statement[1]", &later("Effect")],
    );
    // A Deny may deny nothing.
    check_statements(
        "[{Effect: Deny, Action: !Ref Given, Resource: '*'}, {Effect: Allow, Action: '*', Resource: '*'}]",
        parameters,
        &["critical wildcard-admin Role.Policies[0].Statement[1]", &later("Action")],
    );
}

#[test]
fn a_statement_that_aws_refuses_hides_no_other_statement() {
    let wrong = "! Role.Policies[0] the statement has neither `Resource` nor `NotResource`";
    check_statements(
        "[{Effect: Allow, Action: 's3:GetObject'}, {Effect: Allow, Action: '*', Resource: '*'}]",
        "",
        &["critical wildcard-admin Role.Policies[0].Statement[1]", wrong],
    );
    check_statements("[{Effect: Allow, Action: 's3:GetObject'}]", "", &[wrong]);
    check_trust(
        "{Effect: Allow, Action: 'sts:AssumeRole'}, {Effect: Allow, Action: 'sts:AssumeRole', Principal: '*'}",
        &[
            "critical trust-public Role.AssumeRolePolicyDocument.Statement[1]",
            "! Role.AssumeRolePolicyDocument the statement has neither `Principal` nor `NotPrincipal`",
        ],
    );
    check_beside_an_error(
        "  Fence: {Type: AWS::IAM::ManagedPolicy, Properties: {PolicyDocument: {Statement: [{Effect: Deny, Action: \
         '*', Resource: '*'}, {Effect: Allow}]}}}\n  Role: {Type: AWS::IAM::Role, Properties: {PermissionsBoundary: \
         !Ref Fence, ManagedPolicyArns: ['arn:aws:iam::aws:policy/AdministratorAccess']}}",
        &[
            "critical wildcard-admin Role.ManagedPolicyArns[0]",
            "! Fence the statement has neither `Resource` nor `NotResource`",
        ],
    );
}

#[test]
fn a_branch_that_aws_refuses_hides_no_other_shape() {
    check(
        "Parameters: {Stage: {Type: String, Default: dev}}\nConditions: {Dev: !Equals [!Ref Stage, dev]}\nResources: \
         {Role: {Type: AWS::IAM::Role, Properties: {Policies: [{PolicyName: a, PolicyDocument: {Statement: [!If [Dev, \
         {Effect: Allow, Action: '*'}, {Effect: Allow, Action: '*', Resource: '*'}]]}}]}}}",
        &[
            "critical wildcard-admin Role.Policies[0].Statement[0]",
            "! Role.Policies[0] the statement has neither `Resource` nor `NotResource`",
        ],
    );
}

#[test]
fn yaml_in_braces_is_no_json_and_read_too() {
    check(
        "{Resources: {Open: {Type: AWS::Lambda::Permission, Properties: {FunctionName: a, Action: \
         'lambda:InvokeFunction', Principal: '*'}}}} # all",
        &["critical public-invoke Open"],
    );
}

#[test]
fn conditions_that_ask_for_themselves_do_not_hold_and_do_not_hang() {
    let mut conditions: String =
        (0..200).map(|nth| format!("  C{nth}: !And [!Condition C{}, !Condition C{}]\n", nth + 1, nth + 1)).collect();
    conditions.push_str("  C200: !Not [!Condition C0]\n");
    check(
        &format!(
            "Conditions:\n{conditions}Resources:\n  A: {{Type: AWS::Lambda::Permission, Condition: C0, Properties: \
             {{FunctionName: a, Action: 'lambda:InvokeFunction', Principal: '*'}}}}"
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

#[test]
fn what_is_not_read_is_listed() {
    check(
        "Transform: [AWS::LanguageExtensions, Corp::Defaults, {Name: AWS::Include, Parameters: {Location: \
         's3://a/b.yaml'}}]\nResources: {Topic: {Type: AWS::SNS::Topic}}",
        &[
            "? Transform what `Corp::Defaults` makes of the template is not read",
            "? Transform what `AWS::Include` makes of the template is not read",
        ],
    );
    check("Transform: AWS::Serverless-2016-10-31\nResources: {Topic: {Type: AWS::SNS::Topic}}", &[]);
    for all in ["Transform: {Name: Corp::All}", "Fn::Transform: {Name: Corp::All, Parameters: {A: b}}"] {
        check(all, &["? Transform what `Corp::All` makes of the template is not read"]);
    }
    check_beside_an_error(
        "  Fn::Transform: {Name: AWS::Include, Parameters: {Location: 's3://a/b.yaml'}}\n  Fn::ForEach::Roles: [Name, \
         [A, B], {'Role${Name}': {Type: AWS::IAM::Role}}]\n  Inner: {Type: AWS::CloudFormation::Stack, Properties: \
         {TemplateURL: ./inner.yaml}}\n  App: {Type: AWS::Serverless::Application, Properties: {Location: \
         ./app.yaml}}\n  Wired: {Type: AWS::Serverless::Connector}\n  Part: {Type: Corp::Net::Roles::MODULE}",
        &[
            "? Fn::Transform the resources that `Fn::Transform` brings are not read",
            "? Fn::ForEach::Roles the resources that `Fn::ForEach` makes are not read",
            "? Inner the template of the nested stack is not read",
            "? App the template of the nested stack is not read",
            "? Wired the policies that a connector makes are not read",
            "? Part what the module brings is not read",
        ],
    );
    let include = "Fn::Transform: {Name: AWS::Include, Parameters: {Location: 's3://a/b.yaml'}}";
    for (resource, at) in [
        (format!("{{Type: AWS::Lambda::Permission, Properties: {{{include}}}}}"), "A.Fn::Transform"),
        (format!("{{Type: AWS::Lambda::Permission, Properties: {{FunctionName: b, {include}}}}}"), "A.Fn::Transform"),
        (format!("{{Type: AWS::IAM::Role, Properties: {{RoleName: x, {include}}}}}"), "A.Fn::Transform"),
    ] {
        check_beside_an_error(
            &format!("  A: {resource}"),
            &[&format!("? {at} the properties that `Fn::Transform` brings are not read")],
        );
    }
    check_beside_an_error(
        &format!(
            "  A: {{Type: AWS::Lambda::Function, Properties: {{Code: {{{include}}}, Environment: {{Variables: {{X: y, \
             {include}}}}}}}}}"
        ),
        &["? A.Environment.Variables.Fn::Transform what `Fn::Transform` brings is not read"],
    );
    check_statements(
        "[{Effect: Allow, Action: 's3:GetObject', Resource: {'Fn::Transform': {Name: x}}}]",
        "",
        &["? Role.Policies[0].PolicyDocument.Statement[0].Resource.Fn::Transform what `Fn::Transform` brings is not \
             read"],
    );
    for resource in [format!("{{{include}}}"), format!("{{Type: AWS::Lambda::Permission, {include}}}")] {
        check_beside_an_error(
            &format!("  A: {resource}"),
            &["? A.Fn::Transform what `Fn::Transform` brings of the resource is not read"],
        );
    }
    check(
        &format!("Mappings: {{{include}}}\nResources: {{Topic: {{Type: AWS::SNS::Topic}}}}"),
        &["? Mappings.Fn::Transform what `Fn::Transform` brings is not read"],
    );
    check_beside_an_error(
        "  A: {Type: AWS::Lambda::Function, Properties: {Environment: {Variables: {'Fn::ForEach::Each': [Name, [A, B], \
         {'V${Name}': x}]}}}}",
        &["? A.Environment.Variables.Fn::ForEach::Each what `Fn::ForEach` makes is not read"],
    );
}

#[test]
fn findings_of_a_role_that_is_for_no_function_are_marked() {
    let admin =
        "Policies: [{PolicyName: own, PolicyDocument: {Statement: {Effect: Allow, Action: '*', Resource: '*'}}}]";
    let marked = |trusted: &str, rest: &str| {
        let template = format!(
            "Parameters: {{Who: {{Type: String}}}}\nResources:\n  Role: {{Type: AWS::IAM::Role, Properties: {{{admin}, \
             AssumeRolePolicyDocument: {{Statement: [{{Effect: Allow, Action: 'sts:AssumeRole', Principal: \
             {trusted}}}]}}}}}}\n{rest}"
        );
        let report = judge(&template, &Context::default()).expect("a template");
        let found = report.findings.iter().find(|found| found.finding.at.starts_with("Role.Policies")).expect("admin");
        assert_eq!(found.without_function, found.finding.message.contains("no function of the template has the role"));
        assert_eq!(found.without_function, found.counts_as() == Severity::Medium);
        assert_eq!(found.finding.severity, Severity::Critical);
        found.without_function
    };
    for other in ["{Service: ecs-tasks.amazonaws.com}", "{AWS: !Ref AWS::AccountId}", "{Service: [ec2.amazonaws.com]}"]
    {
        assert!(marked(other, ""), "{other}");
        assert!(
            !marked(other, "  Pay: {Type: AWS::Lambda::Function, Properties: {Role: !GetAtt Role.Arn}}"),
            "{other}"
        );
    }
    for lambda in [
        "{Service: lambda.amazonaws.com}",
        "{Service: [edgelambda.amazonaws.com, apigateway.amazonaws.com]}",
        "{Service: !Sub 'lambda.${AWS::URLSuffix}'}",
        "{Service: !Ref Who}",
        "'*'",
    ] {
        assert!(!marked(lambda, ""), "{lambda}");
    }
}

/// A function of SAM with these properties, and further sections of the template.
#[track_caller]
fn check_sam(properties: &str, rest: &str, expected: &[&str]) {
    check(
        &format!(
            "Transform: AWS::Serverless-2016-10-31\nParameters: {{Auth: {{Type: String, Default: \
             NONE}}}}\n{rest}\nResources:\n  Fence: {{Type: AWS::IAM::ManagedPolicy, Properties: {{PolicyDocument: \
             {{Statement: {{Effect: Allow, Action: 's3:GetObject', Resource: 'arn:aws:s3:::a/*'}}}}}}}}\n  Pay: \
             {{Type: AWS::Serverless::Function, Properties: {{Handler: a.b{properties}}}}}"
        ),
        expected,
    );
}

#[test]
fn globals_of_sam_count_for_trust_boundary_and_url() {
    let trust = |principal: &str| {
        format!(
            "AssumeRolePolicyDocument: {{Statement: [{{Effect: Allow, Action: 'sts:AssumeRole', Principal: \
             {principal}}}]}}"
        )
    };
    let globals = |of: &str| format!("Globals: {{Function: {{{of}}}}}");
    let public = &["critical trust-public Pay.AssumeRolePolicyDocument.Statement[0]"];
    check_sam("", &globals(&trust("'*'")), public);
    // Lists follow each other.
    check_sam(&format!(", {}", trust("{Service: lambda.amazonaws.com}")), &globals(&trust("'*'")), public);
    check_sam(", Policies: AdministratorAccess", &globals("PermissionsBoundary: !Ref Fence"), &[]);
    check_sam(
        ", Policies: AdministratorAccess, PermissionsBoundary: 'arn:aws:iam::aws:policy/AdministratorAccess'",
        &globals("PermissionsBoundary: !Ref Fence"),
        &["critical wildcard-admin Pay.Policies[0]"],
    );
    let open = &["critical public-url Pay.FunctionUrlConfig.AuthType", "critical public-url Pay.FunctionUrlConfig"];
    let none = globals("FunctionUrlConfig: {AuthType: NONE}");
    check_sam("", &none, open);
    check_sam(", FunctionUrlConfig: {InvokeMode: BUFFERED}", &none, open);
    check_sam(", FunctionUrlConfig: {AuthType: AWS_IAM}", &none, &[]);
    check_sam(", FunctionUrlConfig: {AuthType: NONE}", &globals("FunctionUrlConfig: {AuthType: AWS_IAM}"), open);
    // Only a written NONE makes SAM let anybody in.
    check_sam(", FunctionUrlConfig: {AuthType: !Ref Auth}", "", &[]);
    check_sam(", FunctionUrlConfig: {AuthType: !Ref Auth}", &none, &[]);
    // Another resource has no globals of functions.
    check(&format!("{none}\nResources: {{Flow: {{Type: AWS::Serverless::StateMachine, Properties: {{}}}}}}"), &[]);
}

#[test]
fn events_of_sam_that_let_anybody_in_are_found() {
    let open = &["high open-service-principal Pay.Events.Talk"];
    check_sam(", Events: {Talk: {Type: AlexaSkill}}", "", open);
    check_sam(", Events: {Talk: {Type: AlexaSkill, Properties: {}}}", "", open);
    check_sam(", Events: {Talk: {Type: AlexaSkill, Properties: {SkillId: amzn1.ask.skill.x}}}", "", &[]);
    check_sam(", Events: {Each: {Type: Schedule, Properties: {Schedule: rate(1 day)}}, Up: {Type: S3}}", "", &[]);
    let topic = |rest: &str| format!(", Events: {{News: {{Type: SNS, Properties: {{{rest}}}}}}}");
    let partner = "Topic: 'arn:aws:sns:eu-west-1:444455556666:news'";
    let outside = &["medium external-invoke Pay.Events.News"];
    check_sam(&topic(partner), "", outside);
    check_sam(&topic(&format!("{partner}, SqsSubscription: false")), "", outside);
    // The queue calls then.
    check_sam(&topic(&format!("{partner}, SqsSubscription: true")), "", &[]);
    check_sam(&topic("Topic: !ImportValue news"), "", &[]);
    check_sam(&topic("Topic: 'arn:aws:sns:eu-west-1:111122223333:news'"), "", &[]);
}

#[test]
fn a_resource_of_sam_may_ignore_globals() {
    let said_with = |ignored: &str| {
        said(&format!(
            "Transform: AWS::Serverless-2016-10-31\nGlobals: {{Function: {{PermissionsBoundary: \
             'arn:aws:iam::aws:policy/AWSLambdaBasicExecutionRole', FunctionUrlConfig: {{AuthType: \
             NONE}}}}}}\nResources: {{Pay: {{Type: AWS::Serverless::Function, {ignored} Properties: {{Policies: \
             AdministratorAccess}}}}}}"
        ))
    };
    let open = ["critical public-url Pay.FunctionUrlConfig.AuthType", "critical public-url Pay.FunctionUrlConfig"];
    let all = "critical wildcard-admin Pay.Policies[0]";
    assert_eq!(said_with(""), open);
    assert_eq!(said_with("IgnoreGlobals: [Timeout],"), open);
    assert_eq!(said_with("IgnoreGlobals: '*',"), [all]);
    assert_eq!(said_with("IgnoreGlobals: [FunctionUrlConfig, PermissionsBoundary],"), [all]);
    assert_eq!(said_with("IgnoreGlobals: [PermissionsBoundary],"), [all, open[0], open[1]]);
}

#[test]
fn connectors_and_types_of_lambda_that_are_not_read_are_listed() {
    let connectors = "Connectors: {Store: {Properties: {Destination: {Id: Table}, Permissions: [Read, Write]}}}";
    check(
        &format!(
            "Transform: AWS::Serverless-2016-10-31\nResources:\n  Pay: {{Type: AWS::Serverless::Function, \
             {connectors}}}\n  Rule: {{Type: AWS::Events::Rule, {connectors}}}\n  Own: {{Type: \
             AWS::Serverless::Connector}}\n  Graph: {{Type: AWS::Serverless::GraphQLApi}}\n  Next: {{Type: \
             AWS::Lambda::NextFunction}}\n  Alias: {{Type: AWS::Lambda::Alias, Properties: {{Connectors: {{A: \
             b}}}}}}\n  Table: {{Type: AWS::Serverless::SimpleTable}}"
        ),
        &[
            "? Pay.Connectors.Store the policies that a connector makes are not read",
            "? Rule.Connectors.Store the policies that a connector makes are not read",
            "? Own the policies that a connector makes are not read",
            "? Graph resources of this type are not read",
            "? Next resources of this type are not read",
        ],
    );
}

#[test]
fn services_of_other_domains_are_no_accounts() {
    let permission = |rest: &str| {
        format!(
            "  May: {{Type: AWS::Lambda::Permission, Properties: {{FunctionName: !Ref Pay, Action: \
             'lambda:InvokeFunction', {rest}}}}}\n"
        )
    };
    for service in ["alexa-appkit.amazon.com", "alexa-connectedhome.amazon.com", "sns.amazonaws.com.cn"] {
        check_function(&permission(&format!("Principal: {service}")), &["high open-service-principal May"]);
        check_function(&permission(&format!("Principal: {service}, EventSourceToken: amzn1.ask.skill.x")), &[]);
    }
}

#[test]
fn policy_templates_of_sam_are_carried_out() {
    let policies = |of: &str| format!(", Policies: [{of}]");
    for narrow in [
        "S3CrudPolicy: {BucketName: invoices}",
        "SQSSendMessagePolicy: {QueueName: !GetAtt Queue.QueueName}",
        "DynamoDBReadPolicy: {TableName: !ImportValue table}",
        "AWSSecretsManagerGetSecretValuePolicy: {SecretArn: \
         'arn:aws:secretsmanager:eu-west-1:111122223333:secret:pay-a1B2c3'}",
    ] {
        check_sam(&policies(&format!("{{{narrow}}}")), "", &[]);
    }
    check_sam(&policies("{S3ReadPolicy: {BucketName: '*'}}"), "", &["high wildcard-data-read Pay.Policies[0]"]);
    check_sam(
        &policies("AWSLambdaBasicExecutionRole, {AWSSecretsManagerGetSecretValuePolicy: {SecretArn: '*'}}"),
        "",
        &["high wildcard-data-read Pay.Policies[1]"],
    );
    check_sam(&policies("{S3ReadPolicy: {Bucket: x}}"), "", &["! Pay.Policies[0] there is no `BucketName`"]);
    check_sam(
        &policies("{CorpPolicy: {}}"),
        "",
        &["? Pay.Policies[0] `CorpPolicy` is no policy template of SAM that is known here"],
    );
}

#[test]
fn state_machines_of_sam_have_roles_too() {
    let machine = |properties: &str| {
        format!("Resources: {{Flow: {{Type: AWS::Serverless::StateMachine, Properties: {{{properties}}}}}}}")
    };
    let statement = "{Statement: [{Effect: Allow, Action: '*', Resource: '*'}]}";
    let found = &["critical wildcard-admin Flow.Policies[0].Statement[0]"];
    check(&machine(&format!("Policies: [{statement}]")), found);
    check(&machine(&format!("Role: 'arn:aws:iam::111122223333:role/flow', Policies: [{statement}]")), &[]);
    let report = judge(&machine(&format!("Policies: [{statement}]")), &Context::default()).expect("a template");
    assert!(report.findings[0].without_function, "no function has it");
}

#[test]
fn a_whole_resource_policy_is_judged() {
    let policy = |document: &str| {
        format!(
            "  Door: {{Type: AWS::Lambda::ResourcePolicy, Properties: {{ResourceArn: !GetAtt Pay.Arn, PolicyDocument: \
             {document}}}}}\n"
        )
    };
    let statement = "Effect: Allow, Action: 'lambda:InvokeFunction', Resource: !GetAtt Pay.Arn";
    check_function(
        &policy(&format!(
            "{{Version: 2012-10-17, Statement: [{{{statement}, Principal: {{Service: sns.amazonaws.com}}, Condition: \
             {{ArnLike: {{'aws:SourceArn': !Ref ApiArn}}}}}}, {{{statement}, Principal: '*'}}]}}"
        )),
        &["critical public-invoke Door.PolicyDocument.Statement[1]"],
    );
    check_function(
        &policy(
            r#"'{"Statement": {"Effect": "Allow", "Principal": "*",
                "Action": "lambda:InvokeFunction", "Resource": "*"}}'"#,
        ),
        &["critical public-invoke Door.PolicyDocument.Statement[0]"],
    );
    check_function(
        &policy("{Statement: [{Effect: Allow}]}"),
        &["! Door.PolicyDocument the statement has neither `Principal` nor `NotPrincipal`"],
    );
    check_function(&policy("!Ref ApiArn"), &["? Door.PolicyDocument the policy is known only at deployment"]);
}

/// A function with one variable of its environment.
#[track_caller]
fn check_variable(variable: &str, expected: Option<&str>) {
    let template = format!(
        "Parameters: {{Given: {{Type: String}}, DbPassword: {{Type: String}}, Stage: {{Type: String, AllowedValues: \
         [dev, prod]}}, Kept: {{Type: 'AWS::SSM::Parameter::Value<String>', Default: /pay/x}}, Where: {{Type: String, \
         Default: 'arn:aws:secretsmanager:eu-west-1:111122223333:secret:pay'}}}}\nResources:\n  Own: {{Type: \
         AWS::SecretsManager::Secret}}\n  Made: {{Type: 'Custom::Password'}}\n  Inner: {{Type: \
         AWS::CloudFormation::Stack}}\n  Pay: {{Type: AWS::Lambda::Function, Properties: {{Environment: {{Variables: \
         {{{variable}}}}}}}}}"
    );
    let found = said(&template);
    let found: Vec<&String> = found.iter().filter(|it| !it.starts_with("? Inner")).collect();
    let name = variable.split(':').next().expect("a name");
    let expected = expected.map(|severity| format!("{severity} plaintext-secret Pay.Environment.{name}"));
    assert_eq!(found, expected.iter().collect::<Vec<_>>(), "{variable}");
}

#[test]
fn a_secret_by_its_name_that_comes_from_elsewhere_is_reported() {
    for value in [
        "!Ref Given",
        "!Sub '${Given}'",
        "!Ref Kept",
        "!ImportValue token",
        "!GetAtt Made.Value",
        "!GetAtt Inner.Outputs.Token",
        "'{{resolve:ssm:/pay/token}}'",
    ] {
        check_variable(&format!("PAYMENTS_API_TOKEN: {value}"), Some("medium"));
    }
    for value in ["!Ref Given", "!ImportValue pay-level", "!GetAtt Made.Value", "!GetAtt Inner.Outputs.Level"] {
        check_variable(&format!("LOG_LEVEL: {value}"), None);
    }
    // The name of an output says it too.
    for value in [
        "!GetAtt Inner.Outputs.DbPassword",
        "!Sub 'app:${Inner.Outputs.DbPassword}'",
        "!GetAtt Made.Password",
        "!ImportValue pay-db-password",
        "{'Fn::ImportValue': !Sub '${Stage}-DbPassword'}",
    ] {
        check_variable(&format!("PAYMENTS_VALUE: {value}"), Some("medium"));
    }
    for value in ["!GetAtt Inner.Outputs.DbPasswordArn", "!ImportValue pay-db-password-arn", "!GetAtt Own.Password"] {
        check_variable(&format!("PAYMENTS_VALUE: {value}"), None);
    }
    check_variable("DATABASE_URL: !Sub 'postgres://app:${DbPassword}@db.internal/pay'", Some("medium"));
    check_variable("PAYMENTS_VALUE: !Ref DbPassword", Some("medium"));
    // A name, an ARN or one of a few values is no secret.
    for value in
        ["!Ref Own", "!Ref Stage", "!Ref Where", "!GetAtt Pay.Arn", "!Sub '${Given}-db'", "!Ref AWS::StackName"]
    {
        check_variable(&format!("PAYMENTS_SECRET: {value}"), None);
    }
    check_variable("PAYMENTS_SECRET_ARN: !Ref Given", None);
    check_variable("DB_USER: '{{resolve:secretsmanager:pay:SecretString:username}}'", None);
    check_variable("DB: '{{resolve:secretsmanager:pay:SecretString:password}}'", Some("high"));
}

#[test]
fn conditions_may_put_together_what_they_compare() {
    let open = |condition: &str| {
        said(&format!(
            "Parameters: {{Stage: {{Type: String, Default: dev}}, Zone: {{Type: String, AllowedValues: [a, b], \
             Default: a}}, Listed: {{Type: CommaDelimitedList, Default: 'x,y'}}, Other: {{Type: String, Default: z}}, \
             Public: {{Type: String, Default: false, AllowedValues: [true, false]}}}}\nMappings: {{Stages: {{dev: \
             {{Open: no}}, prod: {{Open: yes}}}}}}\nConditions: {{Open: {condition}}}\nResources:\n  May: {{Type: \
             AWS::Lambda::Permission, Condition: Open, Properties: {{FunctionName: a, Action: 'lambda:InvokeFunction', \
             Principal: '*'}}}}"
        ))
    };
    for possible in [
        "!Equals [!Ref Public, true]",
        "!Equals [!Ref Public, 'true']",
        "!Equals [!Ref Public, yes]",
        "!Not [!Equals [!Ref Public, false]]",
        "!Equals [!Sub '${Stage}', prod]",
        "!Equals [!Sub '${Stage}-eu', prod-eu]",
        "!Not [!Equals [!Join ['', !Ref Listed], xy]]",
        "!Not [!Equals [!Join ['', !Ref Listed], '']]",
        "!Equals [!Select [0, !Ref Listed], prod]",
        "!Equals [!Select [0, !Split ['-', !Ref Stage]], prod]",
        "!Equals [!Ref Stage, !Ref Other]",
        "!Equals [!Sub '${Zone}${Zone}', bb]",
        "!Equals [!FindInMap [Stages, !Ref Stage, Open], yes]",
        "!Equals [!Sub '${AWS::Region}', eu-west-1]",
    ] {
        assert_eq!(open(possible), ["critical public-invoke May"], "{possible}");
    }
    for never in ["!Equals [!Sub '${Zone}${Zone}', cc]", "!Equals [!Sub '${Zone}', c]", "!Equals [a, b]"] {
        assert_eq!(open(never), Vec::<String>::new(), "{never}");
    }
}

#[test]
fn every_allowed_value_is_judged_where_it_stands_by_itself() {
    check(
        "Parameters: {Who: {Type: String, Default: 111122223333, AllowedValues: [111122223333, '*']}, Size: {Type: \
         Number, Default: 128, AllowedValues: [128, 256]}}\nResources:\n  May: {Type: AWS::Lambda::Permission, \
         Properties: {FunctionName: a, Action: 'lambda:InvokeFunction', Principal: !Ref Who}}",
        &["critical public-invoke May"],
    );
}

#[test]
fn only_what_is_judged_makes_shapes() {
    let names: Vec<String> = (0..12).map(|nth| format!("P{nth}")).collect();
    let parameters: String = names
        .iter()
        .map(|name| format!("  {name}: {{Type: String, AllowedValues: [a, b, c], Default: a}}\n"))
        .collect();
    let conditions: String = names.iter().map(|name| format!("  C{name}: !Equals [!Ref {name}, b]\n")).collect();
    let elsewhere: Vec<String> = names.iter().map(|name| format!("{name}: !If [C{name}, !Ref {name}, x]")).collect();
    let elsewhere = elsewhere.join(", ");
    check(
        &format!(
            "Parameters:\n{parameters}Conditions:\n{conditions}Resources:\n  Topic: {{Type: AWS::SNS::Topic, \
             Condition: CP1, Properties: {{{elsewhere}}}}}\n  Pay: {{Type: AWS::Lambda::Function, Properties: \
             {{MemorySize: !Ref P3, Tags: {{{elsewhere}}}}}}}\n  Alias: {{Type: AWS::Lambda::Alias, Condition: \
             CP2}}\n  Role: {{Type: AWS::IAM::Role, Properties: {{Tags: {{{elsewhere}}}}}}}"
        ),
        &[],
    );
}

#[test]
fn hostile_templates_end_soon() {
    // Twenty-five times doubled.
    let doubled = (0..25).fold("x".repeat(10), |inner, _| format!("{{'Fn::Sub': ['${{a}}${{a}}', {{a: {inner}}}]}}"));
    check(
        &format!(
            "Resources: {{Pay: {{Type: AWS::Lambda::Function, Properties: {{Environment: {{Variables: {{X: \
             {doubled}}}}}}}}}}}"
        ),
        &[],
    );
    // A long text joins ten thousand.
    let long = "x".repeat(200_000);
    check(
        &format!(
            "Resources: {{Pay: {{Type: AWS::Lambda::Function, Properties: {{Environment: {{Variables: {{X: !Join \
             [{long}, !Split [y, {}]]}}}}}}}}}}",
            "y".repeat(10_000)
        ),
        &[],
    );
    // A short template that asks for gigabytes.
    let parts = vec!["!Ref Long"; 40_000].join(", ");
    let greedy = format!(
        "Parameters: {{Long: {{Type: String, Default: {long}}}}}\nResources: {{Pay: {{Type: AWS::Lambda::Function, \
         Properties: {{Environment: {{Variables: {{X: [{parts}]}}}}}}}}}}"
    );
    refused(&greedy, "Resources: its functions put together more text than any template needs");
    // A provider whose address is its own ARN.
    check(
        "Resources:\n  A: {Type: AWS::IAM::OIDCProvider, Properties: {Url: !Sub '${B.Arn}${B.Arn}'}}\n  B: {Type: \
         AWS::IAM::OIDCProvider, Properties: {Url: !Sub '${A.Arn}${A.Arn}'}}\n  Role: {Type: AWS::IAM::Role, \
         Properties: {RoleName: !GetAtt A.Arn}}",
        &[],
    );
    // As many parameters as there may be, each of which decides.
    let count = 191;
    let parameters: String = (0..count).map(|nth| format!("  P{nth}: {{Type: String, Default: a}}\n")).collect();
    let conditions: String = (0..count).map(|nth| format!("  C{nth}: !Equals [!Ref P{nth}, b]\n")).collect();
    let doors: String = (0..count)
        .map(|nth| {
            format!(
                "  D{nth}: {{Type: AWS::Lambda::Permission, Condition: C{nth}, Properties: {{FunctionName: \
                            a, Action: 'lambda:InvokeFunction', Principal: '*'}}}}\n"
            )
        })
        .collect();
    let found = said(&format!("Parameters:\n{parameters}Conditions:\n{conditions}Resources:\n{doors}"));
    assert_eq!(found.iter().filter(|it| it.starts_with("critical public-invoke")).count(), count);
}

/// A parameter whose pattern takes nothing but an ARN passes no secret on, whatever the variable is called.
#[test]
fn a_parameter_that_takes_an_arn_alone_is_no_secret() {
    let found = |pattern: &str| {
        let template = format!(
            "Parameters: {{SigningKey: {{Type: String, Default: '', AllowedPattern: '{pattern}'}}}}\nConditions: \
             {{Makes: !Equals [!Ref SigningKey, '']}}\nResources:\n  Pay: {{Type: AWS::Lambda::Function, Properties: \
             {{Environment: {{Variables: {{SIGNING_KEY: !If [Makes, !GetAtt Key.Arn, !Ref SigningKey]}}}}}}}}\n  Key: \
             {{Type: AWS::KMS::Key}}\n"
        );
        judge(&template, &Context::default()).expect("a template").findings
    };
    assert_eq!(found("^(arn:aws[a-z-]*:kms:[a-z0-9-]+:[0-9]{12}:key/[A-Za-z0-9-]+)?$"), []);
    for free in ["[A-Za-z0-9]*", "(arn:.+)?|[a-z]+"] {
        let found = found(free);
        assert_eq!(found.len(), 1, "{free}");
        assert_eq!(found[0].finding.severity, Severity::Medium, "{free}");
    }
}

/// What the cap is stands in the function's own tag; without one there is nothing to say of what is reserved.
#[test]
fn a_functions_concurrency_is_judged_by_the_cap_in_its_tag() {
    let check = |properties: &str, rest: &str, expected: &[&str]| {
        let parameters = "Parameters: {Many: {Type: Number}}";
        let function = format!("  Pay: {{Type: AWS::Lambda::Function, Properties: {{{properties}}}}}");
        check(&format!("{parameters}\nResources:\n{function}\n{rest}"), expected);
    };
    let capped = |properties: &str| {
        let more = if properties.is_empty() { String::new() } else { format!(", {properties}") };
        format!("Tags: [{{Key: 'warden:max-concurrency', Value: '10'}}]{more}")
    };
    check("", "", &[]);
    check("ReservedConcurrentExecutions: 500", "", &[]);
    let unbounded = "high unbounded-concurrency Pay.ReservedConcurrentExecutions";
    check(&capped(""), "", &[unbounded]);
    check(&capped("ReservedConcurrentExecutions: 10"), "", &[]);
    check(&capped("ReservedConcurrentExecutions: 0"), "", &[]);
    let above = "high concurrency-above-cap Pay.ReservedConcurrentExecutions";
    check(&capped("ReservedConcurrentExecutions: 11"), "", &[above]);
    let later = "? Pay.ReservedConcurrentExecutions known only at deployment";
    check(&capped("ReservedConcurrentExecutions: !Ref Many"), "", &[later]);
    check(&capped("CapacityProviderConfig: {}"), "", &[]);
    check("RecursiveLoop: Terminate", "", &[]);
    check("RecursiveLoop: Allow", "", &["high recursion-allowed Pay.RecursiveLoop"]);
    let versions = "  One: {Type: AWS::Lambda::Version, Properties: {FunctionName: !Ref Pay, ProvisionedConcurrencyConfig: \
                    {ProvisionedConcurrentExecutions: 6}}}\n  Live: {Type: AWS::Lambda::Alias, Properties: {Name: live, \
                    FunctionName: !GetAtt Pay.Arn, ProvisionedConcurrencyConfig: {ProvisionedConcurrentExecutions: 5}}}\n";
    let provisioned = [
        "medium provisioned-above-cap One.ProvisionedConcurrencyConfig",
        "medium provisioned-above-cap Live.ProvisionedConcurrencyConfig",
    ];
    check(&capped("ReservedConcurrentExecutions: 10"), versions, &provisioned);
    check("", versions, &[]);
}

#[test]
fn the_concurrency_of_a_function_of_sam_is_judged_with_what_globals_says() {
    let check = |global: &str, properties: &str, expected: &[&str]| {
        let function = format!("  Pay: {{Type: AWS::Serverless::Function, Properties: {{{properties}}}}}");
        let template = format!("Globals: {{Function: {{{global}}}}}\nResources:\n{function}\n");
        let found: Vec<String> = said(&template).into_iter().filter(|line| !line.starts_with('?')).collect();
        assert_eq!(found, expected, "{template}");
    };
    let capped = "Tags: {'warden:max-concurrency': '10'}";
    check(capped, "", &["high unbounded-concurrency Pay.ReservedConcurrentExecutions"]);
    check(capped, "ReservedConcurrentExecutions: 10", &[]);
    check("ReservedConcurrentExecutions: 20", capped, &["high concurrency-above-cap Pay.ReservedConcurrentExecutions"]);
    check("RecursiveLoop: Allow", "", &["high recursion-allowed Pay.RecursiveLoop"]);
    let provisioned = "ReservedConcurrentExecutions: 10, AutoPublishAlias: live, ProvisionedConcurrencyConfig: \
                       {ProvisionedConcurrentExecutions: 11}";
    check(capped, provisioned, &["medium provisioned-above-cap Pay.ProvisionedConcurrencyConfig"]);
}

#[test]
fn a_role_that_may_write_its_own_policies_is_found_by_whatever_names_it() {
    let statement = |actions: &str, resource: &str| {
        format!("{{Version: 2012-10-17, Statement: [{{Effect: Allow, Action: {actions}, Resource: {resource}}}]}}")
    };
    let own = |actions: &str, resource: &str, properties: &str| {
        said(&format!(
            "Resources:\n  Limits: {{Type: AWS::IAM::ManagedPolicy, Properties: {{PolicyDocument: {{Version: 2012-10-17, \
             Statement: [{{Effect: Allow, Action: 'iam:*', Resource: '*'}}]}}}}}}\n  Team: {{Type: AWS::IAM::ManagedPolicy, \
             Properties: {{ManagedPolicyName: team, Path: /x/, PolicyDocument: {}}}}}\n  Role: {{Type: AWS::IAM::Role, \
             Properties: {{{properties}}}}}\n  Own: {{Type: AWS::IAM::Policy, Properties: {{Roles: [!Ref Role], \
             PolicyDocument: {}}}}}\n",
            statement("'s3:ListBucket'", "'arn:aws:s3:::b'"),
            statement(actions, resource),
        ))
    };
    let escalates = |actions: &str, resource: &str, properties: &str, expected: bool| {
        let said = own(actions, resource, properties);
        let found = said.iter().any(|line| line == "critical privilege-escalation Own.Statement[0]");
        assert_eq!(found, expected, "{actions} {resource} {properties}: {said:?}");
    };
    let write = "['iam:AttachRolePolicy', 'iam:PutRolePolicy']";
    escalates(write, "!GetAtt Role.Arn", "", true);
    escalates(write, "!GetAtt Role.Arn", "RoleName: pay, Path: /team/", true);
    escalates(write, "!Sub 'arn:aws:iam::${AWS::AccountId}:role/${Role}'", "RoleName: pay", true);
    escalates(write, "!Sub 'arn:${AWS::Partition}:iam::${AWS::AccountId}:role/team/${Role}'", "Path: /team/", true);
    escalates(write, "'arn:aws:iam::111122223333:role/team/pay'", "RoleName: pay, Path: /team/", true);
    escalates(write, "'arn:aws:iam::*:role/pa?'", "RoleName: pay", true);
    escalates(write, "!Sub 'arn:aws:iam::*:role/${AWS::StackName}-*'", "", true);
    escalates(write, "!Sub 'arn:aws:iam::*:role/${AWS::StackName}-*'", "RoleName: pay", false);
    escalates(write, "'arn:aws:iam::111122223333:role/other'", "RoleName: pay", false);
    escalates("'iam:GetRole'", "!GetAtt Role.Arn", "", false);
    // A policy that it has, and its boundary.
    escalates("'iam:CreatePolicyVersion'", "!Ref Team", "ManagedPolicyArns: [!Ref Team]", true);
    let by_name = "'arn:aws:iam::111122223333:policy/x/team'";
    escalates("'iam:CreatePolicyVersion'", by_name, "ManagedPolicyArns: [!Ref Team]", true);
    escalates("'iam:CreatePolicyVersion'", by_name, "", false);
    escalates("'iam:SetDefaultPolicyVersion'", "!Ref Limits", "PermissionsBoundary: !Ref Limits", true);
    escalates("'iam:DeleteRolePermissionsBoundary'", "!GetAtt Role.Arn", "PermissionsBoundary: !Ref Limits", true);
    escalates("'iam:DeleteRolePermissionsBoundary'", "!GetAtt Role.Arn", "", false);
    let elsewhere = "'arn:aws:iam::111122223333:policy/elsewhere'";
    escalates("'iam:CreatePolicyVersion'", elsewhere, &format!("ManagedPolicyArns: [{elsewhere}]"), true);
    // The role that SAM makes.
    check_sam(
        ", Policies: [{Version: 2012-10-17, Statement: [{Effect: Allow, Action: 'iam:PutRolePolicy', Resource: !Sub \
         'arn:aws:iam::${AWS::AccountId}:role/${AWS::StackName}-*'}]}]",
        "",
        &["critical privilege-escalation Pay.Policies[0].Statement[0]"],
    );
    for (role, own) in [("!Ref PayRole", "!GetAtt PayRole.Arn"), ("!Ref PayRole", "!Sub '${PayRole.Arn}'")] {
        let said = said(&format!(
            "Transform: AWS::Serverless-2016-10-31\nResources:\n  Pay: {{Type: AWS::Serverless::Function}}\n  Own: \
             {{Type: AWS::IAM::Policy, Properties: {{Roles: [{role}], PolicyDocument: {}}}}}\n",
            statement(write, own),
        ));
        assert_eq!(said, ["critical privilege-escalation Own.Statement[0]"], "{role} {own}");
    }
}

/// What of a template is let pass, and until when; what is not is shown without a date.
#[track_caller]
fn check_exempt(template: &str, expected: &[&str]) {
    let report = judge(template, &Context::default()).expect("a template");
    let shown = report.findings.iter().map(|found| {
        let until = found.exempt_until.as_deref().map(|until| format!(" until {until}"));
        format!("{} {}{}", found.finding.id, found.finding.at, until.unwrap_or_default())
    });
    assert_eq!(shown.collect::<Vec<_>>(), expected, "{template}");
}

#[test]
fn what_the_tag_of_a_function_or_a_role_exempts_is_said_to_be() {
    let sam = |properties: &str| {
        format!(
            "Transform: AWS::Serverless-2016-10-31\nResources: {{Hook: {{Type: AWS::Serverless::Function, Properties: \
             {{FunctionUrlConfig: {{AuthType: NONE}}{properties}}}}}}}"
        )
    };
    let url = "public-url Hook.FunctionUrlConfig";
    check_exempt(&sam(""), &[&format!("{url}.AuthType"), url]);
    let until = |tag: &str| sam(&format!(", Tags: {{'warden:exempt': '{tag}'}}"));
    let exempt = [format!("{url}.AuthType until 2027-01-31"), format!("{url} until 2027-01-31")];
    let exempt: Vec<&str> = exempt.iter().map(String::as_str).collect();
    check_exempt(&until("public-url@2027-01-31"), &exempt);
    check_exempt(&until("cors-any-origin@2027-01-01 public-url@2027-01-31"), &exempt);
    check_exempt(&until("public-invoke@2027-01-31"), &[&format!("{url}.AuthType"), url]);
    check_exempt(&until("public-url@2026-01-31"), &[&format!("{url}.AuthType"), url]);
    let report = judge(&until("public-url@2026-01-31"), &Context::default()).expect("a template");
    let message = &report.findings[0].finding.message;
    assert!(message.ends_with("; the tag `warden:exempt` does not let it pass: past its date; void"), "{message}");
    // A function's keys are case-sensitive, a role's are not.
    let role = |tags: &str, rest: &str| {
        format!(
            "Parameters: {{On: {{Type: String, Default: a}}}}\nConditions: {{Is: !Equals [!Ref On, a]}}\nResources: \
             {{Role: {{Type: AWS::IAM::Role, Properties: {{Tags: [{tags}], Policies: [{{PolicyName: own, PolicyDocument: \
             {{Statement: {{Effect: Allow, Action: '*', Resource: '*'}}}}}}]}}}}{rest}}}"
        )
    };
    let tag = |key: &str, value: &str| format!("{{Key: '{key}', Value: '{value}'}}");
    let admin = "wildcard-admin Role.Policies[0].Statement[0]";
    let function = |tags: &str| {
        format!(
            ", Pay: {{Type: AWS::Lambda::Function, Properties: {{Role: !Ref Role, Tags: [{tags}], RecursiveLoop: Allow, \
             Environment: {{Variables: {{KEY: AKIAIOSFODNN7AAAAAAA}}}}}}}}"
        )
    };
    for key in ["warden:exempt", "Warden:Exempt"] {
        check_exempt(&role(&tag(key, "wildcard-admin@2027-01-31"), ""), &[&format!("{admin} until 2027-01-31")]);
    }
    let all = tag("warden:exempt", "wildcard-admin@2027-01-31 recursion-allowed@2027-01-02");
    let recursion = "recursion-allowed Pay.RecursiveLoop";
    let found = |template: String| {
        let report = judge(&template, &Context::default()).expect("a template");
        let of = |id: &str| report.findings.iter().find(|it| it.finding.id.as_str() == id).map(|it| &it.exempt_until);
        [of("wildcard-admin").cloned().flatten(), of("recursion-allowed").cloned().flatten()]
    };
    let dates = |one: Option<&str>, two: Option<&str>| [one.map(str::to_owned), two.map(str::to_owned)];
    assert_eq!(found(role("", &function(&all))), dates(None, Some("2027-01-02")), "{recursion}");
    assert_eq!(found(role(&all, &function(""))), dates(Some("2027-01-31"), None));
    let spelt = tag("Warden:Exempt", "recursion-allowed@2027-01-02");
    assert_eq!(found(role("", &function(&spelt))), dates(None, None));
    // In one shape of the template it is exempt, in another not.
    check_exempt(&role(&format!("!If [Is, {all}, !Ref AWS::NoValue]"), ""), &[admin]);
}
