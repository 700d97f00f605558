//! Where MiniStack differs from AWS: each probe must hold on the corrected account and must not on the bare one. A
//! probe that holds on the bare account means that MiniStack no longer needs that correction: take it out.

mod concurrency;
mod conditions;
mod policies;
mod stacks;
mod time;

use aws_sdk_lambda::{
    error::ProvideErrorMetadata,
    primitives::Blob,
    types::{
        CapacityProviderConfig, Environment, FunctionCode, FunctionUrlAuthType, FunctionVersionLatestPublished,
        LambdaManagedInstancesCapacityProviderConfig, LayerVersionContentInput, PackageType, RecursiveLoop, Runtime,
    },
};
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper_util::{client::legacy::Client, rt::TokioExecutor};
use serde_json::{Value, json};
use warden_sandbox::{Options, Sandbox, Setting, Stack};

const FUNCTION: &str = "arn:aws:lambda:us-east-1:111122223333:function:shop";

/// Runs a probe on a corrected and on a bare account, each with a function `shop`, its alias `live` and a role `probe`.
async fn check(probe: impl AsyncFn(&Account) -> bool) {
    assert!(probe(&Account::new(true).await).await, "the correction does not do what AWS does");
    assert!(!probe(&Account::new(false).await).await, "MiniStack does it by itself now: take the correction out");
}

/// What MiniStack does right, which the guards depend on and nothing corrects.
async fn check_as_it_is(probe: impl AsyncFn(&Account) -> bool) {
    assert!(probe(&Account::new(false).await).await, "MiniStack no longer does what AWS does: correct it");
}

struct Account {
    sandbox: Sandbox,
    lambda: aws_sdk_lambda::Client,
    iam: aws_sdk_iam::Client,
}

impl Account {
    async fn new(corrections: bool) -> Self {
        let sandbox = Sandbox::start(Options { corrections, ..Options::default() }).await.expect("a sandbox");
        // The tests of what takes time say how much.
        sandbox.set(Setting::UpdateLooks(0)).await.expect("a setting");
        let lambda = aws_sdk_lambda::Client::new(&sandbox.config());
        let iam = aws_sdk_iam::Client::new(&sandbox.config());
        let account = Self { sandbox, lambda, iam };
        account.role("probe", "lambda.amazonaws.com").await;
        account.create_function(&account.lambda, "shop", "probe").await.expect("the function shop");
        let version = account.lambda.publish_version().function_name("shop").send().await.expect("a version");
        let alias = account.lambda.create_alias().function_name("shop").name("live");
        alias.function_version(version.version.unwrap_or_default()).send().await.expect("the alias live");
        account
    }

    async fn role(&self, name: &str, service: &str) {
        let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"Service": service}}]});
        let role = self.iam.create_role().role_name(name).assume_role_policy_document(trust.to_string());
        role.send().await.expect("a role");
    }

    async fn create_function(
        &self,
        lambda: &aws_sdk_lambda::Client,
        name: &str,
        role: &str,
    ) -> Result<(), aws_sdk_lambda::Error> {
        let code = FunctionCode::builder().zip_file(Blob::new(empty_zip())).build();
        let function =
            lambda.create_function().function_name(name).runtime(Runtime::Providedal2023).handler("bootstrap");
        function.role(format!("arn:aws:iam::111122223333:role/{role}")).code(code).send().await?;
        Ok(())
    }

    /// A client that acts as a role with exactly these statements.
    async fn with_policy(&self, statements: Value) -> aws_sdk_lambda::Client {
        aws_sdk_lambda::Client::new(&self.session(statements).await)
    }

    /// What clients need to act as a role with exactly these statements.
    async fn session(&self, statements: Value) -> aws_types::SdkConfig {
        let name = format!("role-{}", self.sandbox.trail().calls().len());
        self.role(&name, "lambda.amazonaws.com").await;
        let policy = json!({"Version": "2012-10-17", "Statement": statements}).to_string();
        let put = self.iam.put_role_policy().role_name(&name).policy_name("inline").policy_document(policy);
        put.send().await.expect("a role policy");
        let session = self.sandbox.session(&format!("arn:aws:iam::111122223333:role/{name}"), "probe").await;
        let session = session.expect("a session");
        self.sandbox.config_as(session, "us-east-1")
    }

    async fn add(&self, qualifier: Option<&str>, sid: &str, revision: Option<String>) -> Result<(), String> {
        let add = self.lambda.add_permission().function_name("shop").statement_id(sid).principal("444455556666");
        let add = add.action("lambda:InvokeFunction").set_qualifier(qualifier.map(str::to_owned));
        let added = add.set_revision_id(revision).send().await;
        added.map(drop).map_err(|error| error.code().unwrap_or_default().to_owned())
    }

    /// The policy's Sids and its revision, or the error's code.
    async fn policy(&self, qualifier: Option<&str>) -> Result<(Vec<String>, String), String> {
        let get = self.lambda.get_policy().function_name("shop").set_qualifier(qualifier.map(str::to_owned));
        let got = get.send().await.map_err(|error| error.code().unwrap_or_default().to_owned())?;
        let document: Value = serde_json::from_str(&got.policy.unwrap_or_default()).expect("a policy");
        let statements = document["Statement"].as_array().cloned().unwrap_or_default();
        let sids = statements.iter().map(|s| s["Sid"].as_str().unwrap_or_default().to_owned()).collect();
        Ok((sids, got.revision_id.unwrap_or_default()))
    }
}

fn empty_zip() -> Vec<u8> {
    // The end-of-directory record alone: the smallest zip there is.
    let mut zip = b"PK\x05\x06".to_vec();
    zip.resize(22, 0);
    zip
}

fn code<T, E: ProvideErrorMetadata>(answer: &Result<T, E>) -> &str {
    answer.as_ref().err().and_then(ProvideErrorMetadata::code).unwrap_or_default()
}

#[tokio::test]
async fn a_function_without_a_policy_has_none() {
    check(async |account| account.policy(None).await == Err("ResourceNotFoundException".to_owned())).await;
}

#[tokio::test]
async fn each_qualifier_has_a_policy_of_its_own() {
    check(async |account| {
        account.add(None, "one", None).await.expect("added");
        account.add(Some("live"), "two", None).await.expect("added");
        let sids = |policy: Result<(Vec<String>, String), String>| policy.map(|(sids, _)| sids);
        sids(account.policy(None).await) == Ok(vec!["one".to_owned()])
            && sids(account.policy(Some("live")).await) == Ok(vec!["two".to_owned()])
    })
    .await;
}

#[tokio::test]
async fn a_stale_revision_is_refused_when_adding() {
    check(async |account| {
        account.add(None, "one", None).await.expect("added");
        let (_, stale) = account.policy(None).await.expect("a policy");
        account.add(None, "two", Some(stale.clone())).await.expect("added at the current revision");
        account.add(None, "three", Some(stale)).await == Err("PreconditionFailedException".to_owned())
    })
    .await;
}

#[tokio::test]
async fn a_stale_revision_is_refused_when_removing() {
    check(async |account| {
        account.add(None, "one", None).await.expect("added");
        let (_, stale) = account.policy(None).await.expect("a policy");
        account.add(None, "two", None).await.expect("added");
        let remove = account.lambda.remove_permission().function_name("shop").statement_id("one");
        code(&remove.revision_id(stale).send().await) == "PreconditionFailedException"
    })
    .await;
}

#[tokio::test]
async fn the_policy_has_a_revision_of_its_own() {
    check(async |account| {
        account.add(None, "one", None).await.expect("added");
        let (_, first) = account.policy(None).await.expect("a policy");
        account.add(None, "two", None).await.expect("added");
        let (_, second) = account.policy(None).await.expect("a policy");
        let function = account.lambda.get_function_configuration().function_name("shop").send().await.expect("shop");
        first != second && function.revision_id != Some(second)
    })
    .await;
}

fn on_managed_instances() -> CapacityProviderConfig {
    let provider = "arn:aws:lambda:us-east-1:111122223333:capacity-provider:fleet";
    let instances = LambdaManagedInstancesCapacityProviderConfig::builder().capacity_provider_arn(provider).build();
    let instances = instances.expect("the configuration of instances");
    CapacityProviderConfig::builder().lambda_managed_instances_capacity_provider_config(instances).build()
}

#[tokio::test]
async fn what_runs_on_managed_instances_keeps_what_it_was_published_with() {
    const PUBLISHED: &str = "$LATEST.PUBLISHED";
    check(async |account| {
        let latest = FunctionVersionLatestPublished::LatestPublished;
        let code = FunctionCode::builder().zip_file(Blob::new(empty_zip())).build();
        let create = account.lambda.create_function().function_name("fleet").runtime(Runtime::Python313);
        let create = create.handler("app.handler").role("arn:aws:iam::111122223333:role/probe").code(code);
        let create = create.capacity_provider_config(on_managed_instances()).description("one");
        let created = create.publish_to(latest.clone()).send().await.expect("the function fleet");
        let described = async || {
            let asked = account.lambda.get_function_configuration().function_name("fleet").qualifier(PUBLISHED);
            asked.send().await.ok().and_then(|answer| answer.description)
        };
        let first = described().await;
        let change = async |text: &str| {
            let change = account.lambda.update_function_configuration().function_name("fleet").description(text);
            change.send().await.expect("changed");
        };
        change("two").await;
        let unpublished = described().await;
        let publish = account.lambda.publish_version().function_name("fleet").publish_to(latest.clone());
        let published = publish.send().await.expect("published");
        let second = described().await;
        change("three").await;
        let update = account.lambda.update_function_code().function_name("fleet").zip_file(Blob::new(empty_zip()));
        let updated = update.publish_to(latest).send().await.expect("updated");
        let versions = [created.version, published.version, updated.version];
        versions.iter().all(|version| version.as_deref() == Some(PUBLISHED))
            && [first, unpublished, second, described().await]
                == [Some("one"), Some("one"), Some("two"), Some("three")].map(|text| text.map(str::to_owned))
    })
    .await;
}

#[tokio::test]
async fn a_function_does_not_move_to_managed_instances() {
    check(async |account| {
        let latest = FunctionVersionLatestPublished::LatestPublished;
        let move_it = account.lambda.update_function_configuration().function_name("shop");
        let moved = move_it.capacity_provider_config(on_managed_instances()).send().await;
        let published = account.lambda.publish_version().function_name("shop").publish_to(latest).send().await;
        moved.is_err() && published.is_err()
    })
    .await;
}

#[tokio::test]
async fn an_account_principal_becomes_its_root() {
    check(async |account| {
        account.add(None, "one", None).await.expect("added");
        let policy = account.lambda.get_policy().function_name("shop").send().await.expect("a policy");
        policy.policy.unwrap_or_default().contains("arn:aws:iam::444455556666:root")
    })
    .await;
}

#[tokio::test]
async fn resource_policies_are_put_got_and_deleted() {
    check(async |account| {
        let lambda = &account.lambda;
        let statement = |sid: &str, resource: &str| {
            json!({"Sid": sid, "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"},
                "Action": ["lambda:InvokeFunction"], "Resource": resource,
                "Condition": {"StringEquals": {"AWS:SourceAccount": "0111"}}})
        };
        let put = |statements: Value, revision: Option<&str>| {
            let policy = json!({"Version": "2012-10-17", "Id": "mine", "Statement": statements}).to_string();
            let put = lambda.put_resource_policy().resource_arn(FUNCTION).policy(policy);
            put.set_revision_id(revision.map(str::to_owned)).send()
        };
        let Ok(first) = put(json!([statement("b", FUNCTION), statement("a", FUNCTION)]), None).await else {
            return false;
        };
        let got = lambda.get_resource_policy().resource_arn(FUNCTION).send().await.expect("the policy");
        assert_eq!((&got.policy, &got.revision_id), (&first.policy, &first.revision_id));
        let document: Value = serde_json::from_str(&got.policy.unwrap_or_default()).expect("a policy");
        assert_eq!(document["Id"], "mine");
        assert_eq!(document["Statement"], json!([statement("b", FUNCTION), statement("a", FUNCTION)]));
        let first = first.revision_id;
        let (sids, other) = account.policy(None).await.expect("a policy");
        assert_eq!(sids, ["b", "a"]);
        assert_ne!(first.as_ref(), Some(&other), "each API has a revision of its own");
        assert_eq!(code(&put(json!([statement("a", FUNCTION)]), Some(&other)).await), "PreconditionFailedException");

        let all = format!("{FUNCTION}:*");
        let narrowed = put(json!([statement("a", FUNCTION), statement("all", &all)]), first.as_deref()).await;
        assert!(narrowed.expect("narrowed").policy.unwrap_or_default().contains(&all), "a pattern over aliases");
        assert_eq!(
            code(&put(json!([statement("a", FUNCTION)]), first.as_deref()).await),
            "PreconditionFailedException"
        );
        let alias = format!("{FUNCTION}:live");
        assert_eq!(code(&put(json!([statement("a", &alias)]), None).await), "InvalidParameterValueException");
        assert_eq!(code(&put(json!([]), None).await), "InvalidParameterValueException");
        let twice = json!([statement("a", FUNCTION), statement("a", FUNCTION)]);
        assert_eq!(code(&put(twice, None).await), "InvalidParameterValueException");
        let long: Vec<Value> = (0..200).map(|n| statement(&n.to_string(), FUNCTION)).collect();
        // By the model of its API; AddPermission, which is not sent the whole, calls it PolicyLengthExceededException.
        assert_eq!(code(&put(long.into(), None).await), "ValidationException");

        let delete = |revision: Option<String>| {
            lambda.delete_resource_policy().resource_arn(FUNCTION).set_revision_id(revision).send()
        };
        assert_eq!(code(&delete(first).await), "PreconditionFailedException");
        delete(None).await.expect("deleted");
        assert_eq!(code(&delete(None).await), "ResourceNotFoundException");
        account.policy(None).await == Err("ResourceNotFoundException".to_owned())
    })
    .await;
}

#[tokio::test]
async fn a_policy_that_lets_the_public_in_is_refused_where_that_is_asked_for() {
    let account = Account::new(true).await;
    let lambda = &account.lambda;
    let add = |sid: &str, principal: &str| {
        let add = lambda.add_permission().function_name("shop").statement_id(sid).principal(principal);
        add.action("lambda:InvokeFunction").send()
    };
    let put = |principal: Value| {
        let statement = json!({"Sid": "one", "Effect": "Allow", "Principal": principal,
            "Action": "lambda:InvokeFunction", "Resource": FUNCTION});
        let policy = json!({"Version": "2012-10-17", "Statement": [statement]}).to_string();
        lambda.put_resource_policy().resource_arn(FUNCTION).policy(policy).send()
    };
    add("before", "*").await.expect("added");
    account.sandbox.refuse_public_policies(true).await.expect("a switch");
    assert_eq!(code(&add("open", "*").await), "PublicPolicyException");
    add("own", "111122223333").await.expect("added beside a public one");
    assert_eq!(code(&put(json!({"AWS": ["111122223333", "*"]})).await), "PublicPolicyException");
    put(json!({"AWS": "111122223333"})).await.expect("put");
    account.sandbox.refuse_public_policies(false).await.expect("a switch");
    put(json!("*")).await.expect("put");
}

#[tokio::test]
async fn a_function_that_is_made_is_the_resource_of_that_call() {
    check(async |account| {
        let statements = json!([{"Effect": "Allow", "Action": "*", "Resource": "*"},
            {"Effect": "Deny", "Action": "lambda:CreateFunction", "Resource": "arn:aws:lambda:*:*:function:cart"}]);
        let lambda = account.with_policy(statements).await;
        account.create_function(&lambda, "other", "probe").await.expect("allowed");
        account.create_function(&lambda, "cart", "probe").await.is_err()
    })
    .await;
}

#[tokio::test]
async fn lambda_actions_have_their_iam_names() {
    // Each call is denied to a role that may do everything but that action, and the message names the action.
    check(async |account| {
        account
            .lambda
            .create_function_url_config()
            .function_name("shop")
            .auth_type(FunctionUrlAuthType::AwsIam)
            .send()
            .await
            .expect("a URL");
        let mut wrong = Vec::new();
        macro_rules! denied {
            ($action:literal, $client:ident => $call:expr) => {{
                let statements = json!([{"Effect": "Allow", "Action": "*", "Resource": "*"},
                    {"Effect": "Deny", "Action": concat!("lambda:", $action), "Resource": "*"}]);
                let $client = account.with_policy(statements).await;
                let answer = $call.send().await;
                let named = answer.as_ref().err().and_then(ProvideErrorMetadata::message).is_some_and(|message| {
                    message.contains(concat!("lambda:", $action, " "))
                });
                if code(&answer) != "AccessDeniedException" || !named {
                    wrong.push($action);
                }
            }};
        }
        denied!("UpdateFunctionUrlConfig",
            c => c.update_function_url_config().function_name("shop").auth_type(FunctionUrlAuthType::None));
        denied!("DeleteFunctionUrlConfig", c => c.delete_function_url_config().function_name("shop"));
        denied!("ListFunctionUrlConfigs", c => c.list_function_url_configs().function_name("shop"));
        denied!("GetFunctionConcurrency", c => c.get_function_concurrency().function_name("shop"));
        denied!("DeleteFunctionConcurrency", c => c.delete_function_concurrency().function_name("shop"));
        denied!("PutFunctionEventInvokeConfig", c => c.put_function_event_invoke_config().function_name("shop"));
        denied!("GetFunctionRecursionConfig", c => c.get_function_recursion_config().function_name("shop"));
        denied!("PutFunctionConcurrency",
            c => c.put_function_concurrency().function_name("shop").reserved_concurrent_executions(1));
        denied!("PutFunctionRecursionConfig", c => c.put_function_recursion_config().function_name("shop")
            .recursive_loop(RecursiveLoop::Allow));
        denied!("ListProvisionedConcurrencyConfigs",
            c => c.list_provisioned_concurrency_configs().function_name("shop"));
        denied!("PutProvisionedConcurrencyConfig", c => c.put_provisioned_concurrency_config().function_name("shop")
            .qualifier("live").provisioned_concurrent_executions(1));
        denied!("GetAlias", c => c.get_alias().function_name("shop").name("live"));
        denied!("UpdateAlias", c => c.update_alias().function_name("shop").name("live"));
        denied!("GetLayerVersionPolicy", c => c.get_layer_version_policy().layer_name("l").version_number(1));
        denied!("RemoveLayerVersionPermission",
            c => c.remove_layer_version_permission().layer_name("l").version_number(1).statement_id("s"));
        denied!("GetAccountSettings", c => c.get_account_settings());
        denied!("PutResourcePolicy", c => c.put_resource_policy().resource_arn(FUNCTION).policy("{}"));
        denied!("DeleteResourcePolicy", c => c.delete_resource_policy().resource_arn(FUNCTION));
        denied!("GetResourcePolicy", c => c.get_resource_policy().resource_arn(FUNCTION));
        wrong.is_empty()
    })
    .await;
}

#[tokio::test]
async fn layer_version_permissions_are_checked_on_the_version() {
    check(async |account| {
        let content = LayerVersionContentInput::builder().zip_file(Blob::new(empty_zip())).build();
        account.lambda.publish_layer_version().layer_name("guarded").content(content).send().await.expect("a layer");
        let add = account.lambda.add_layer_version_permission().layer_name("guarded").version_number(1);
        add.statement_id("open").principal("*").action("lambda:GetLayerVersion").send().await.expect("added");
        let role = account.with_policy(json!([{"Effect": "Allow", "Action": "lambda:RemoveLayerVersionPermission",
            "Resource": "arn:aws:lambda:us-east-1:111122223333:layer:guarded:*"}]));
        let remove = role.await.remove_layer_version_permission().layer_name("guarded").version_number(1);
        let allowed = remove.statement_id("open").send().await.is_ok();
        let role = account.with_policy(json!([{"Effect": "Allow", "Action": "lambda:RemoveLayerVersionPermission",
            "Resource": "arn:aws:lambda:us-east-1:111122223333:layer:other:*"}]));
        let remove = role.await.remove_layer_version_permission().layer_name("guarded").version_number(1);
        allowed && code(&remove.statement_id("open").send().await) == "AccessDeniedException"
    })
    .await;
}

#[tokio::test]
async fn a_layer_version_that_is_named_by_its_arn_is_that_version() {
    check(async |account| {
        let content = LayerVersionContentInput::builder().zip_file(Blob::new(empty_zip())).build();
        let layer = account.lambda.publish_layer_version().layer_name("guarded").content(content).send().await;
        let arn = layer.expect("a layer").layer_version_arn.expect("its ARN");
        let seen = async |resource: &str| {
            let resource = format!("arn:aws:lambda:us-east-1:111122223333:layer:{resource}");
            let role = account
                .with_policy(json!([{"Effect": "Allow", "Action": "lambda:GetLayerVersion", "Resource": resource}]));
            role.await.get_layer_version_by_arn().arn(&arn).send().await.is_ok()
        };
        seen("guarded:*").await && !seen("other:*").await
    })
    .await;
}

#[tokio::test]
async fn handing_over_a_role_needs_pass_role() {
    check(async |account| {
        let role = account.with_policy(json!([{"Effect": "Allow", "Action": "lambda:*", "Resource": "*"},
            {"Effect": "Allow", "Action": "iam:PassRole", "Resource": "arn:aws:iam::111122223333:role/probe"}]));
        let role = role.await;
        account.role("powerful", "lambda.amazonaws.com").await;
        account.create_function(&role, "mine", "probe").await.expect("a role that may be passed");
        let update = role.update_function_configuration().function_name("shop");
        let update = update.role("arn:aws:iam::111122223333:role/powerful").send().await;
        role.update_function_configuration()
            .function_name("shop")
            .description("d")
            .send()
            .await
            .expect("no role passed");
        code(&update) == "AccessDeniedException" && account.create_function(&role, "other", "powerful").await.is_err()
    })
    .await;
}

#[tokio::test]
async fn resource_tags_count_for_policy_writes() {
    check(async |account| {
        let role = account.with_policy(json!([{"Effect": "Allow", "Action": ["lambda:PutResourcePolicy",
            "lambda:DeleteResourcePolicy", "lambda:UpdateFunctionUrlConfig"], "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/warden": "enforce"}}}]));
        let role = role.await;
        let live = format!("{FUNCTION}:live");
        let statement =
            json!({"Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunction", "Resource": live});
        let put =
            || role.put_resource_policy().resource_arn(&live).policy(json!({"Statement": [statement]}).to_string());
        let before = put().send().await;
        let tag = account.lambda.tag_resource().resource(FUNCTION).tags("warden", "enforce");
        tag.send().await.expect("tagged");
        code(&before) == "AccessDeniedException" && put().send().await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn resource_tags_count_for_function_writes() {
    check_as_it_is(async |account| {
        account.add(None, "one", None).await.expect("added");
        let role = account
            .with_policy(json!([{"Effect": "Allow", "Action": "lambda:RemovePermission", "Resource": "*",
            "Condition": {"StringEquals": {"aws:ResourceTag/warden": "enforce"}}}]));
        let role = role.await;
        let remove = || role.remove_permission().function_name("shop").statement_id("one").send();
        let before = remove().await;
        let tag = account.lambda.tag_resource().resource(FUNCTION).tags("warden", "enforce");
        tag.send().await.expect("tagged");
        code(&before) == "AccessDeniedException" && remove().await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn a_session_acts_under_the_arn_of_its_role() {
    check(async |account| {
        let role = account.with_policy(json!([{"Effect": "Allow", "Action": "lambda:PublishVersion", "Resource": "*",
            "Condition": {"ArnLike": {"aws:PrincipalArn": "arn:aws:iam::111122223333:role/role-*"}}}]));
        role.await.publish_version().function_name("shop").send().await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn the_default_policy_version_can_be_set() {
    check(async |account| {
        let arn = managed_policy(account).await;
        let set = account.iam.set_default_policy_version().policy_arn(&arn).version_id("v1").send().await;
        let policy = account.iam.get_policy().policy_arn(&arn).send().await.expect("the policy");
        set.is_ok() && policy.policy.and_then(|policy| policy.default_version_id) == Some("v1".to_owned())
    })
    .await;
}

#[tokio::test]
async fn the_default_policy_version_cannot_be_deleted() {
    check_as_it_is(async |account| {
        let arn = managed_policy(account).await;
        code(&account.iam.delete_policy_version().policy_arn(arn).version_id("v2").send().await) == "DeleteConflict"
    })
    .await;
}

#[tokio::test]
async fn a_managed_policy_has_at_most_five_versions() {
    check_as_it_is(async |account| {
        let arn = managed_policy(account).await;
        let version = || account.iam.create_policy_version().policy_arn(&arn).policy_document(allow("s3:GetObject"));
        for _ in 0..3 {
            version().send().await.expect("a version");
        }
        code(&version().send().await) == "LimitExceeded"
    })
    .await;
}

#[tokio::test]
async fn who_has_a_policy_is_told_apart_by_use() {
    check_as_it_is(async |account| {
        let arn = managed_policy(account).await;
        account.role("bound", "ec2.amazonaws.com").await;
        let attach = account.iam.attach_role_policy().role_name("probe").policy_arn(&arn);
        attach.send().await.expect("attached");
        let bound = account.iam.put_role_permissions_boundary().role_name("bound").permissions_boundary(&arn);
        bound.send().await.expect("bound");
        let users = async |usage: &str| {
            let list = account.iam.list_entities_for_policy().policy_arn(&arn).policy_usage_filter(usage.into());
            let roles = list.send().await.expect("a list").policy_roles.unwrap_or_default();
            roles.into_iter().filter_map(|role| role.role_name).collect::<Vec<_>>()
        };
        users("PermissionsPolicy").await == ["probe"] && users("PermissionsBoundary").await == ["bound"]
    })
    .await;
}

#[tokio::test]
async fn the_policies_in_a_role_share_a_limit_without_whitespace() {
    check(async |account| {
        let put = |name: &str, length: usize| {
            let empty = allow("s3:GetObject/").len();
            let document = allow(&format!("s3:GetObject/{}", "x".repeat(length - empty)));
            let spread = document.replace(',', " , ");
            account.iam.put_role_policy().role_name("probe").policy_name(name).policy_document(spread).send()
        };
        put("one", 6_000).await.expect("fits");
        put("two", 4_240).await.expect("fits exactly");
        put("one", 6_000).await.expect("replaced by as much");
        code(&put("two", 4_241).await) == "LimitExceeded"
    })
    .await;
}

#[tokio::test]
async fn a_managed_policy_is_not_longer_than_its_limit() {
    check(async |account| {
        let long = allow(&format!("s3:{}", "x".repeat(6_144)));
        let arn = managed_policy(account).await;
        let create = account.iam.create_policy().policy_name("long").policy_document(&long).send().await;
        let version = account.iam.create_policy_version().policy_arn(arn).policy_document(&long).send().await;
        code(&create) == "LimitExceeded" && code(&version) == "LimitExceeded"
    })
    .await;
}

#[tokio::test]
async fn only_a_policy_that_is_there_can_be_attached() {
    check(async |account| {
        let arn = "arn:aws:iam::111122223333:policy/nowhere";
        code(&account.iam.attach_role_policy().role_name("probe").policy_arn(arn).send().await) == "NoSuchEntity"
    })
    .await;
}

#[tokio::test]
async fn a_role_has_ten_managed_policies_at_most() {
    check(async |account| {
        let mut attached = Vec::new();
        for nth in 0..11 {
            let create = account.iam.create_policy().policy_name(format!("p{nth}"));
            let made = create.policy_document(allow("s3:GetObject")).send().await.expect("a policy");
            let arn = made.policy.and_then(|policy| policy.arn).expect("its ARN");
            let answer = account.iam.attach_role_policy().role_name("probe").policy_arn(arn).send().await;
            attached.push(code(&answer).to_owned());
        }
        attached.pop().as_deref() == Some("LimitExceeded") && attached.iter().all(String::is_empty)
    })
    .await;
}

#[tokio::test]
async fn policies_are_made_and_attached_where_path_and_condition_say() {
    check(async |account| {
        let ours = "arn:aws:iam::111122223333:policy/ours/*";
        let statements = json!([
            {"Effect": "Allow", "Action": "iam:CreatePolicy", "Resource": ours},
            {"Effect": "Allow", "Action": "iam:AttachRolePolicy", "Resource": "*",
                "Condition": {"ArnLike": {"iam:PolicyARN": ours}}},
        ]);
        let iam = aws_sdk_iam::Client::new(&account.session(statements).await);
        let create = |path: &str| {
            iam.create_policy().policy_name("made").path(path).policy_document(allow("s3:GetObject")).send()
        };
        let elsewhere = managed_policy(account).await;
        let attach = |arn: &str| iam.attach_role_policy().role_name("probe").policy_arn(arn).send();
        code(&create("/").await) == "AccessDenied"
            && create("/ours/").await.is_ok()
            && code(&attach(&elsewhere).await) == "AccessDenied"
            && attach("arn:aws:iam::111122223333:policy/ours/made").await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn roles_are_made_where_their_path_says() {
    check(async |account| {
        let team = "arn:aws:iam::111122223333:role/team/*";
        let statements = json!([{"Effect": "Allow", "Action": "iam:CreateRole", "Resource": team}]);
        let iam = aws_sdk_iam::Client::new(&account.session(statements).await);
        let create = |path: &str| {
            let trust = allow("sts:AssumeRole");
            iam.create_role().role_name("made").path(path).assume_role_policy_document(trust).send()
        };
        code(&create("/").await) == "AccessDenied" && create("/team/").await.is_ok()
    })
    .await;
}

/// What makes a function, a role, a policy and a secret, each with a tag of that value.
async fn made_with_a_tag(config: &aws_types::SdkConfig, name: &str, value: &str) -> [bool; 4] {
    let (lambda, iam) = (aws_sdk_lambda::Client::new(config), aws_sdk_iam::Client::new(config));
    let zip = FunctionCode::builder().zip_file(Blob::new(empty_zip())).build();
    let function = lambda.create_function().function_name(name).runtime(Runtime::Providedal2023).handler("bootstrap");
    let function = function.role("arn:aws:iam::111122223333:role/probe").code(zip).tags("team", value);
    let tag = || aws_sdk_iam::types::Tag::builder().key("team").value(value).build().expect("a tag");
    let role = iam.create_role().role_name(name).assume_role_policy_document(allow("sts:AssumeRole")).tags(tag());
    let policy = iam.create_policy().policy_name(name).policy_document(allow("s3:GetObject")).tags(tag());
    let secret = aws_sdk_secretsmanager::Client::new(config).create_secret().name(name).secret_string("value");
    let secret = secret.tags(aws_sdk_secretsmanager::types::Tag::builder().key("team").value(value).build());
    [function.send().await.is_ok(), role.send().await.is_ok(), policy.send().await.is_ok(), secret.send().await.is_ok()]
}

#[tokio::test]
async fn what_is_made_with_tags_needs_the_permission_to_set_them() {
    check(async |account| {
        let making = json!([
            "lambda:CreateFunction",
            "iam:PassRole",
            "iam:CreateRole",
            "iam:CreatePolicy",
            "secretsmanager:CreateSecret"
        ]);
        let tagging = json!(["lambda:TagResource", "iam:TagRole", "iam:TagPolicy", "secretsmanager:TagResource"]);
        let make = json!({"Effect": "Allow", "Action": making, "Resource": "*"});
        let tag = json!({"Effect": "Allow", "Action": tagging, "Resource": "*",
            "Condition": {"StringEquals": {"aws:RequestTag/team": "pay"}}});
        let alone = account.session(json!([make])).await;
        let both = account.session(json!([make, tag])).await;
        account.create_function(&aws_sdk_lambda::Client::new(&alone), "plain", "probe").await.expect("without a tag");
        assert_eq!(made_with_a_tag(&both, "made", "pay").await, [true; 4]);
        made_with_a_tag(&alone, "alone", "pay").await == [false; 4]
            && made_with_a_tag(&both, "other", "shop").await == [false; 4]
    })
    .await;
}

#[tokio::test]
async fn roles_of_services_cannot_be_changed() {
    check(async |account| {
        let linked = account.iam.create_service_linked_role().aws_service_name("ops.apigateway.amazonaws.com");
        let role = linked.send().await.expect("a role").role.expect("a role").role_name;
        let iam = &account.iam;
        let put = iam.put_role_policy().role_name(&role).policy_name("p").policy_document(allow("*"));
        let arn = "arn:aws:iam::aws:policy/AdministratorAccess";
        code(&put.send().await) == "UnmodifiableEntity"
            && code(&iam.attach_role_policy().role_name(&role).policy_arn(arn).send().await) == "UnmodifiableEntity"
            && code(&iam.update_assume_role_policy().role_name(&role).policy_document("{}").send().await)
                == "UnmodifiableEntity"
    })
    .await;
}

/// A session that may change what is tagged.
async fn where_tagged(account: &Account) -> aws_sdk_iam::Client {
    let actions = ["iam:PutRolePolicy", "iam:CreatePolicyVersion"];
    let resources = ["arn:aws:iam::111122223333:role/*", "arn:aws:iam::111122223333:policy/*"];
    let condition = json!({"StringEquals": {"aws:ResourceTag/warden": "enforce"}});
    let statement = json!({"Effect": "Allow", "Action": actions, "Resource": resources, "Condition": condition});
    aws_sdk_iam::Client::new(&account.session(json!([statement])).await)
}

fn tag() -> aws_sdk_iam::types::Tag {
    aws_sdk_iam::types::Tag::builder().key("warden").value("enforce").build().expect("a tag")
}

async fn a_tagged_role_may_be_changed(account: &Account, path: &str) -> bool {
    let create = account.iam.create_role().role_name("tagged").path(path);
    create.assume_role_policy_document(allow("sts:AssumeRole")).send().await.expect("a role");
    let iam = where_tagged(account).await;
    let document = allow("s3:GetObject");
    let put = || iam.put_role_policy().role_name("tagged").policy_name("p").policy_document(&document).send();
    let before = put().await;
    account.iam.tag_role().role_name("tagged").tags(tag()).send().await.expect("tagged");
    code(&before) == "AccessDenied" && put().await.is_ok()
}

#[tokio::test]
async fn the_tags_of_a_role_count_for_changes_to_it() {
    check_as_it_is(async |account| a_tagged_role_may_be_changed(account, "/").await).await;
}

#[tokio::test]
async fn a_role_with_a_path_is_the_same_resource() {
    check(async |account| a_tagged_role_may_be_changed(account, "/team/pay/").await).await;
}

#[tokio::test]
async fn the_tags_of_a_managed_policy_count_for_changes_to_it() {
    check(async |account| {
        let arn = managed_policy(account).await;
        let iam = where_tagged(account).await;
        let document = allow("s3:GetObject");
        let version = || iam.create_policy_version().policy_arn(&arn).policy_document(&document).send();
        let before = version().await;
        account.iam.tag_policy().policy_arn(&arn).tags(tag()).send().await.expect("tagged");
        code(&before) == "AccessDenied" && version().await.is_ok()
    })
    .await;
}

fn allow(action: &str) -> String {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]}).to_string()
}

/// A policy with two versions, the second the default.
async fn managed_policy(account: &Account) -> String {
    let document =
        json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]});
    let policy = account.iam.create_policy().policy_name("p").policy_document(document.to_string());
    let arn = policy.send().await.expect("a policy").policy.and_then(|policy| policy.arn).unwrap_or_default();
    let version = account.iam.create_policy_version().policy_arn(&arn).policy_document(document.to_string());
    version.set_as_default(true).send().await.expect("a version");
    arn
}

#[tokio::test]
async fn a_trust_policy_can_ask_for_a_source_identity() {
    check(async |account| {
        let trust = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow",
            "Action": ["sts:AssumeRole", "sts:SetSourceIdentity"],
                "Principal": {"AWS": "arn:aws:iam::111122223333:root"},
            "Condition": {"StringLike": {"sts:SourceIdentity": "*"}}}]});
        let role = account.iam.create_role().role_name("operator").path("/warden/");
        role.assume_role_policy_document(trust.to_string()).send().await.expect("a role");
        let sts = aws_sdk_sts::Client::new(&account.sandbox.config());
        let assume = || {
            sts.assume_role().role_arn("arn:aws:iam::111122223333:role/warden/operator").role_session_name("session")
        };
        assert_eq!(code(&assume().send().await), "AccessDenied");
        let Ok(assumed) = assume().source_identity("alice").send().await else { return false };
        let keys = assumed.credentials.expect("credentials");
        let credentials = aws_sdk_lambda::config::Credentials::new(
            keys.access_key_id,
            keys.secret_access_key,
            Some(keys.session_token),
            None,
            "test",
        );
        let lambda = aws_sdk_lambda::Client::new(&account.sandbox.config_as(credentials, "us-east-1"));
        assert_eq!(code(&lambda.publish_version().function_name("shop").send().await), "AccessDeniedException");
        let events = account.sandbox.trail().events();
        let session = &events.last().expect("an event")["detail"]["userIdentity"]["sessionContext"];
        session["sourceIdentity"] == "alice"
            && session["sessionIssuer"]["arn"] == "arn:aws:iam::111122223333:role/warden/operator"
    })
    .await;
}

#[tokio::test]
async fn the_event_invoke_config_of_latest_is_the_functions() {
    check(async |account| {
        let put = account.lambda.put_function_event_invoke_config().function_name("shop").qualifier("$LATEST");
        put.maximum_retry_attempts(1).send().await.expect("put");
        let got = account.lambda.get_function_event_invoke_config().function_name("shop").send().await;
        got.is_ok_and(|config| config.maximum_retry_attempts == Some(1))
    })
    .await;
}

#[tokio::test]
async fn container_images_and_regions_without_it_are_refused_code_signing() {
    check(async |account| {
        let image = FunctionCode::builder().image_uri("111122223333.dkr.ecr.us-east-1.amazonaws.com/shop:1").build();
        let create = account.lambda.create_function().function_name("boxed").package_type(PackageType::Image);
        create.role("arn:aws:iam::111122223333:role/probe").code(image).send().await.expect("a function");
        let asked = async |lambda: &aws_sdk_lambda::Client, name: &str| {
            let answer = lambda.get_function_code_signing_config().function_name(name).send().await;
            code(&answer).to_owned()
        };
        let config = account.sandbox.config().into_builder().region(aws_types::region::Region::new("eu-central-2"));
        let elsewhere = aws_sdk_lambda::Client::new(&config.build());
        asked(&account.lambda, "boxed").await == "InvalidParameterValueException"
            && asked(&account.lambda, "nobody").await == "ResourceNotFoundException"
            && asked(&elsewhere, "shop").await == "AccessDeniedException"
            && asked(&account.lambda, "shop").await.is_empty()
    })
    .await;
}

#[tokio::test]
async fn condition_keys_of_the_services_bind() {
    check(async |account| {
        let role = account.with_policy(json!([
            {"Effect": "Allow", "Action": ["lambda:CreateFunctionUrlConfig", "lambda:UpdateFunctionUrlConfig"],
                "Resource": "*",
                "Condition": {"StringEqualsIfExists": {"lambda:FunctionUrlAuthType": "AWS_IAM"}}},
            {"Effect": "Allow", "Action": "lambda:AddPermission", "Resource": "*",
                "Condition": {"StringEquals": {"lambda:Principal": "s3.amazonaws.com"}}}]));
        let role = role.await;
        let create = role.create_function_url_config().function_name("shop").auth_type(FunctionUrlAuthType::AwsIam);
        create.send().await.expect("closed");
        let open = role.update_function_url_config().function_name("shop").auth_type(FunctionUrlAuthType::None);
        let add = |principal| {
            let add = role.add_permission().function_name("shop").statement_id("one").principal(principal);
            add.action("lambda:InvokeFunction").send()
        };
        code(&open.send().await) == "AccessDeniedException"
            && add("s3.amazonaws.com").await.is_ok()
            && code(&add("sns.amazonaws.com").await) == "AccessDeniedException"
    })
    .await;
}

#[tokio::test]
async fn the_statement_that_is_added_or_removed_says_of_which_auth_type_it_is() {
    check(async |account| {
        let role = account.with_policy(json!([{"Effect": "Allow", "Resource": "*",
            "Action": ["lambda:AddPermission", "lambda:RemovePermission"],
            "Condition": {"StringEqualsIfExists": {"lambda:FunctionUrlAuthType": "AWS_IAM"}}}]));
        let role = role.await;
        let add = |client: &aws_sdk_lambda::Client, sid: &str, auth| {
            let add = client.add_permission().function_name("shop").statement_id(sid).principal("*");
            add.action("lambda:InvokeFunctionUrl").set_function_url_auth_type(auth).send()
        };
        let remove = |sid: &str| role.remove_permission().function_name("shop").statement_id(sid).send();
        add(&account.lambda, "open", Some(FunctionUrlAuthType::None)).await.expect("added");
        add(&account.lambda, "closed", Some(FunctionUrlAuthType::AwsIam)).await.expect("added");
        add(&account.lambda, "neither", None).await.expect("added");
        code(&add(&role, "mine", Some(FunctionUrlAuthType::None)).await) == "AccessDeniedException"
            && code(&remove("open").await) == "AccessDeniedException"
            && remove("closed").await.is_ok()
            && remove("neither").await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn the_days_in_which_a_deletion_can_be_taken_back_can_be_bound() {
    check(async |account| {
        let own = aws_sdk_secretsmanager::Client::new(&account.sandbox.config());
        own.create_secret().name("warden/pay/1").secret_string("one").send().await.expect("a secret");
        account.role("cleaner", "lambda.amazonaws.com").await;
        let policy = json!({"Version": "2012-10-17",
            "Statement": [{"Effect": "Allow", "Action": "secretsmanager:DeleteSecret",
            "Resource": "*", "Condition": {"NumericEquals": {"secretsmanager:RecoveryWindowInDays": 30}}}]});
        let put = account.iam.put_role_policy().role_name("cleaner").policy_name("inline");
        put.policy_document(policy.to_string()).send().await.expect("a policy");
        let session = account.sandbox.session("arn:aws:iam::111122223333:role/cleaner", "s").await.expect("a session");
        let secrets = aws_sdk_secretsmanager::Client::new(&account.sandbox.config_as(session, "us-east-1"));
        let delete = || secrets.delete_secret().secret_id("warden/pay/1");
        code(&delete().force_delete_without_recovery(true).send().await) == "AccessDeniedException"
            && code(&delete().recovery_window_in_days(7).send().await) == "AccessDeniedException"
            && delete().recovery_window_in_days(30).send().await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn the_source_of_an_event_can_be_bound() {
    check(async |account| {
        account.role("teller", "lambda.amazonaws.com").await;
        let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "events:PutEvents",
            "Resource": "*", "Condition": {"ForAllValues:StringEquals": {"events:source": ["warden"]}}}]});
        let put = account.iam.put_role_policy().role_name("teller").policy_name("inline");
        put.policy_document(policy.to_string()).send().await.expect("a policy");
        let session = account.sandbox.session("arn:aws:iam::111122223333:role/teller", "s").await.expect("a session");
        let events = aws_sdk_eventbridge::Client::new(&account.sandbox.config_as(session, "us-east-1"));
        let put = |source: &str| {
            let entry = aws_sdk_eventbridge::types::PutEventsRequestEntry::builder().source(source);
            events.put_events().entries(entry.detail_type("d").detail("{}").build()).send()
        };
        put("warden").await.is_ok() && code(&put("other").await) == "AccessDeniedException"
    })
    .await;
}

#[tokio::test]
async fn put_events_leaves_the_delivery_to_the_trail() {
    check(async |account| {
        let template = account.sandbox.directory().join("queue.yaml");
        std::fs::write(&template, "Resources: {Queue: {Type: AWS::SQS::Queue, Properties: {QueueName: closed}}}")
            .expect("a file");
        let stack = Stack { name: "queue", template: &template, parameters: &[], guards: &[], layer: None };
        account.sandbox.deploy(&stack).await.expect("a queue");
        let events = aws_sdk_eventbridge::Client::new(&account.sandbox.config());
        events.put_rule().name("all").event_pattern(r#"{"source":["warden"]}"#).send().await.expect("a rule");
        let target = aws_sdk_eventbridge::types::Target::builder().id("q");
        let target = target.arn("arn:aws:sqs:us-east-1:111122223333:closed").build().expect("a target");
        events.put_targets().rule("all").targets(target).send().await.expect("a target");
        let entry = aws_sdk_eventbridge::types::PutEventsRequestEntry::builder().source("warden");
        events.put_events().entries(entry.detail_type("d").detail("{}").build()).send().await.expect("put");
        account.sandbox.settle().await.expect("settled");
        // The queue has no policy that lets EventBridge in.
        account.sandbox.messages("closed").await.expect("the queue").is_empty()
    })
    .await;
}

#[tokio::test]
async fn get_function_tells_tags_to_those_who_may_list_them() {
    check(async |account| {
        let tag = account.lambda.tag_resource().resource(FUNCTION).tags("warden", "enforce");
        tag.send().await.expect("tagged");
        let tags = async |actions: Value| {
            let role = account.with_policy(json!([{"Effect": "Allow", "Action": actions, "Resource": "*"}])).await;
            role.get_function().function_name("shop").send().await.expect("the function").tags
        };
        tags(json!("lambda:GetFunction")).await.is_none()
            && tags(json!(["lambda:GetFunction", "lambda:ListTags"])).await.is_some_and(|tags| tags.len() == 1)
    })
    .await;
}

#[tokio::test]
async fn a_version_of_a_secret_has_the_id_that_was_asked_for_and_is_made_once() {
    check(async |account| {
        let secrets = aws_sdk_secretsmanager::Client::new(&account.sandbox.config());
        let token = "a".repeat(32);
        let create = async |value: &str| {
            let create = secrets.create_secret().name("warden/pay/1").client_request_token(&token).secret_string(value);
            create.send().await.map(|made| made.version_id.unwrap_or_default()).map_err(|error| code_of(&error))
        };
        let put = async |token: &str, value: &str| {
            let put = secrets.put_secret_value().secret_id("warden/pay/1").client_request_token(token);
            put.secret_string(value).send().await.map(drop).map_err(|error| code_of(&error))
        };
        let exists = Err("ResourceExistsException".to_owned());
        let next = "b".repeat(32);
        create("one").await.as_ref() == Ok(&token)
            && create("one").await.as_ref() == Ok(&token)
            && create("two").await == exists
            && put(&next, "two").await.is_ok()
            && put(&next, "two").await.is_ok()
            && put(&next, "three").await == exists.map(drop)
    })
    .await;
}

#[tokio::test]
async fn a_version_of_a_secret_keeps_all_its_labels_of_which_there_are_twenty() {
    check(async |account| {
        let secrets = aws_sdk_secretsmanager::Client::new(&account.sandbox.config());
        secrets.create_secret().name("warden/pay/1").secret_string("one").send().await.expect("a secret");
        let mut refused = None;
        for number in 0..19 {
            let put = secrets.put_secret_value().secret_id("warden/pay/1").secret_string(number.to_string());
            let put = put.version_stages("AWSCURRENT").version_stages(format!("warden-{number}"));
            match put.send().await {
                Ok(made) if made.version_stages().len() == 2 => {}
                Ok(_) => return false,
                Err(error) => refused = Some((number, code_of(&error))),
            }
        }
        // With AWSCURRENT and AWSPREVIOUS they are twenty.
        refused == Some((18, "LimitExceededException".to_owned()))
    })
    .await;
}

#[tokio::test]
async fn a_secrets_own_policy_lets_a_role_read_that_has_none_itself() {
    check_as_it_is(async |account| {
        let secrets = aws_sdk_secretsmanager::Client::new(&account.sandbox.config());
        secrets.create_secret().name("warden/pay/1").secret_string("one").send().await.expect("a secret");
        let session = account.sandbox.session("arn:aws:iam::111122223333:role/probe", "s").await.expect("a session");
        let role = aws_sdk_secretsmanager::Client::new(&account.sandbox.config_as(session, "us-east-1"));
        let before = role.get_secret_value().secret_id("warden/pay/1").send().await.is_err();
        let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*",
            "Action": "secretsmanager:GetSecretValue", "Principal": {"AWS": "arn:aws:iam::111122223333:role/probe"}}]});
        let put = secrets.put_resource_policy().secret_id("warden/pay/1").resource_policy(policy.to_string());
        put.send().await.expect("a policy");
        before && role.get_secret_value().secret_id("warden/pay/1").send().await.is_ok()
    })
    .await;
}

#[tokio::test]
async fn the_end_of_a_layers_archive_can_be_read_alone() {
    check(async |account| {
        let content = LayerVersionContentInput::builder().zip_file(Blob::new(empty_zip())).build();
        let layer = account.lambda.publish_layer_version().layer_name("libraries").content(content).send().await;
        let address = layer.expect("a layer").content.and_then(|content| content.location).expect("an address");
        let client = Client::builder(TokioExecutor::new()).build_http();
        let request = hyper::Request::get(address).header("range", "bytes=-10").body(Empty::<Bytes>::new());
        let answer = client.request(request.expect("a request")).await.expect("an answer");
        let range = answer.headers().get("content-range").map(|range| range.to_str().expect("text").to_owned());
        let status = answer.status().as_u16();
        let body = answer.into_body().collect().await.expect("a body").to_bytes();
        (status, range.as_deref()) == (206, Some("bytes 12-21/22")) && *body == empty_zip()[12..]
    })
    .await;
}

#[tokio::test]
async fn a_secrets_policy_names_roles_that_are_there_and_knows_one_that_was_made_anew() {
    check(async |account| {
        let secrets = aws_sdk_secretsmanager::Client::new(&account.sandbox.config());
        secrets.create_secret().name("warden/pay/1").secret_string("one").send().await.expect("a secret");
        let put = async |principals: &[&str]| {
            let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Resource": "*",
                "Action": "secretsmanager:GetSecretValue", "Principal": {"AWS": principals}}]});
            let put = secrets.put_resource_policy().secret_id("warden/pay/1").resource_policy(policy.to_string());
            put.send().await.map(drop).map_err(|error| code_of(&error))
        };
        let named = async || {
            let answer = secrets.get_resource_policy().secret_id("warden/pay/1").send().await.expect("the policy");
            let policy: Value = serde_json::from_str(answer.resource_policy().unwrap_or("{}")).expect("JSON");
            policy["Statement"][0]["Principal"]["AWS"][1].as_str().unwrap_or_default().to_owned()
        };
        let (probe, old) = ("arn:aws:iam::111122223333:role/probe", "arn:aws:iam::111122223333:role/old");
        let malformed = Err("MalformedPolicyDocumentException".to_owned());
        if put(&[probe, old]).await != malformed {
            return false;
        }
        account.role("old", "lambda.amazonaws.com").await;
        put(&[probe, old]).await.expect("both are there");
        assert_eq!(named().await, old);
        account.iam.delete_role().role_name("old").send().await.expect("deleted");
        let id = named().await;
        let refused = [put(&[probe, old]).await, put(&[probe, &id]).await];
        account.role("old", "lambda.amazonaws.com").await;
        let session = account.sandbox.session(old, "s").await.expect("a session");
        let anew = aws_sdk_secretsmanager::Client::new(&account.sandbox.config_as(session, "us-east-1"));
        id.starts_with("AROA")
            && refused == [malformed.clone(), malformed]
            && named().await == id
            && anew.get_secret_value().secret_id("warden/pay/1").send().await.is_err()
    })
    .await;
}

#[tokio::test]
async fn a_customers_key_asks_for_rights_of_whoever_reads_and_changes_an_environment() {
    check(async |account| {
        let kms = aws_sdk_kms::Client::new(&account.sandbox.config());
        let key = kms.create_key().send().await.expect("a key").key_metadata.and_then(|key| key.arn).expect("its ARN");
        let environment = || Environment::builder().variables("STAGE", "test").build();
        let update = account.lambda.update_function_configuration().function_name("shop").kms_key_arn(&key);
        update.environment(environment()).send().await.expect("encrypted");
        account.role("other", "lambda.amazonaws.com").await;
        let seen = async |actions: &[&str]| {
            let lambda = [
                "lambda:GetFunction",
                "lambda:GetFunctionConfiguration",
                "lambda:ListFunctions",
                "lambda:ListVersionsByFunction",
                "lambda:UpdateFunctionConfiguration",
                "iam:PassRole",
            ];
            let role = account.with_policy(json!([{"Effect": "Allow", "Resource": "*", "Action": lambda},
                {"Effect": "Allow", "Resource": key, "Action": actions}]));
            let role = role.await;
            let read = role.get_function().function_name("shop").send().await.expect("the function");
            let read = read.configuration.and_then(|found| found.environment).expect("an environment");
            let listed = role.list_functions().send().await.expect("a list").functions.unwrap_or_default();
            let listed = listed.into_iter().filter_map(|found| found.environment).all(|found| found.error.is_some());
            assert_eq!(listed, read.error.is_some());
            let update = || role.update_function_configuration().function_name("shop");
            let by_role = update().role("arn:aws:iam::111122223333:role/other").send().await;
            let by_environment = update().environment(environment()).send().await;
            update().description("anything else").send().await.expect("updated");
            (read.error.is_none(), code(&by_role).to_owned(), code(&by_environment).to_owned())
        };
        let refused = || "InvalidParameterValueException".to_owned();
        seen(&["kms:DescribeKey"]).await == (false, refused(), refused())
            && seen(&["kms:Decrypt", "kms:Encrypt"]).await == (true, refused(), refused())
            && seen(&["kms:Decrypt", "kms:Encrypt", "kms:CreateGrant"]).await == (true, String::new(), String::new())
    })
    .await;
}

fn code_of<E: ProvideErrorMetadata>(error: &E) -> String {
    error.code().unwrap_or_default().to_owned()
}
