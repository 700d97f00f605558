//! secret-guard where what it needs is not its own: roles that are gone, keys of the customer's, layers of others.

use aws_sdk_lambda::{
    primitives::Blob,
    types::{FunctionCode, LayerVersionContentInput, PackageType},
};
use serde_json::{Value, json};
use warden_engine::{
    Severity,
    ledger::record::Step,
    secret::environment::{CodeSigning, Package},
};
use warden_sandbox::{ACCOUNT, CallMatch, Fault};
use warden_tests::{Account, arn, environment::variables, lambda_trust, policy, role_arn};

const VALUE: &str = "Kx9vQ7mZ2pLtR4wN";

/// The roles that a secret's own policy lets read.
async fn readers(account: &Account, secret: &str) -> Vec<String> {
    let policy = account.secrets.get_resource_policy().secret_id(secret).send().await.expect("a policy");
    let policy: Value = serde_json::from_str(policy.resource_policy().expect("a policy")).expect("JSON");
    serde_json::from_value(policy["Statement"][0]["Principal"]["AWS"].clone()).expect("a list")
}

async fn give_role(account: &Account, function: &str, role: &str) {
    account.ready(function).await;
    let update = account.lambda.update_function_configuration().function_name(function).role(role_arn(role));
    update.send().await.expect("updated");
    account.ready(function).await;
    account.settle().await;
}

async fn trust(account: &Account, role: &str, document: &Value) {
    let update = account.iam.update_assume_role_policy().role_name(role).policy_document(document.to_string());
    update.send().await.expect("updated");
}

/// Lambda, and somebody of the own account.
fn open_trust() -> Value {
    let mut trust = lambda_trust();
    let mallory = json!({"AWS": format!("arn:aws:iam::{ACCOUNT}:root")});
    let open = json!({"Effect": "Allow", "Principal": mallory, "Action": "sts:AssumeRole"});
    trust["Statement"].as_array_mut().expect("statements").push(open);
    trust
}

/// The secret of a function whose role is `shop`.
async fn stripped(account: &Account) -> String {
    account.guarded_python("pay").await;
    account.deploy_and_settle("pay", &variables(&[("DB_PASSWORD", VALUE)])).await;
    let secret = account.referred("pay", "DB_PASSWORD").await.expect("a reference");
    assert_eq!(readers(account, &secret).await, [role_arn("shop")]);
    secret
}

#[tokio::test]
async fn a_role_that_others_may_assume_is_not_let_into_the_secret_when_it_is_swapped_in() {
    let account = Account::with_secrets_guarded(&[]).await;
    account.role("mine", &[]).await;
    trust(&account, "mine", &open_trust()).await;
    let secret = stripped(&account).await;
    give_role(&account, "pay", "mine").await;
    assert_eq!(readers(&account, &secret).await, [role_arn("shop")]);
    let withheld = account.steps("pay", Step::Withheld).await.pop().expect("a record");
    assert_eq!(withheld.entry.severity, Some(Severity::Critical));
    let note = withheld.entry.note.unwrap_or_default();
    assert!(note.contains("others than Lambda may assume it") && note.contains("warden apply pay"), "{note}");

    // Nor is a further secret taken out, which the function could not read then.
    let mut next = account.environment("pay").await;
    next.insert("API_TOKEN".into(), "Tk7fQ2mVx9LpZr4Ws8".into());
    account.deploy_and_settle("pay", &next).await;
    assert_eq!(account.referred("pay", "API_TOKEN").await, None);
    assert_eq!(readers(&account, &secret).await, [role_arn("shop")]);

    // Put right, it is let in.
    trust(&account, "mine", &lambda_trust()).await;
    account.deploy_and_settle("pay", &account.environment("pay").await).await;
    assert_eq!(readers(&account, &secret).await, [role_arn("mine")]);
}

#[tokio::test]
async fn a_role_that_role_guard_would_take_away_is_not_let_into_the_secret_meanwhile() {
    let account = Account::with_secrets_guarded(&[]).await;
    account.role("strong", &[]).await;
    let everything = json!({"Effect": "Allow", "Action": "*", "Resource": "*"});
    account.put_role_policy("strong", "all", &policy(&[everything])).await;
    let secret = stripped(&account).await;
    account.tag("pay", &[("warden:role", "enforce")]).await;
    account.settle().await;
    give_role(&account, "pay", "strong").await;
    assert_eq!(readers(&account, &secret).await, [role_arn("shop")]);
    let puts = account.sandbox.trail().calls().into_iter().filter(|call| call.operation == "PutResourcePolicy");
    assert_eq!(puts.count(), 1, "it never was");
}

#[tokio::test]
async fn a_known_reader_whose_trust_was_opened_meanwhile_is_a_new_one() {
    let account = Account::with_secrets_guarded(&[]).await;
    let secret = stripped(&account).await;
    account.ready("pay").await;
    trust(&account, "shop", &open_trust()).await;
    let mut next = account.environment("pay").await;
    next.insert("API_TOKEN".into(), "Tk7fQ2mVx9LpZr4Ws8".into());
    account.deploy_and_settle("pay", &next).await;
    assert_eq!(account.referred("pay", "API_TOKEN").await, None);
    let withheld = account.steps("pay", Step::Withheld).await.pop().expect("a record");
    let note = withheld.entry.note.unwrap_or_default();
    assert!(note.contains("others than Lambda may assume it"), "{note}");
    trust(&account, "shop", &lambda_trust()).await;
    account.deploy_and_settle("pay", &account.environment("pay").await).await;
    assert!(account.referred("pay", "API_TOKEN").await.is_some());
    assert_eq!(readers(&account, &secret).await, [role_arn("shop")]);
}

/// Secrets Manager refuses a policy that names a role which is gone, and a published version names its role for ever.
#[tokio::test]
async fn a_role_of_an_old_version_that_is_gone_keeps_no_later_secret_in_plaintext() {
    let account = Account::with_secrets_guarded(&[]).await;
    account.role("old", &[]).await;
    account.guarded_python("pay").await;
    give_role(&account, "pay", "old").await;
    account.deploy_and_settle("pay", &variables(&[("DB_PASSWORD", VALUE)])).await;
    account.ready("pay").await;
    account.lambda.publish_version().function_name("pay").send().await.expect("a version");
    give_role(&account, "pay", "shop").await;
    let secret = account.referred("pay", "DB_PASSWORD").await.expect("a reference");
    assert_eq!(readers(&account, &secret).await, [role_arn("old"), role_arn("shop")]);

    account.iam.delete_role().role_name("old").send().await.expect("deleted");
    let mut next = account.environment("pay").await;
    next.insert("API_TOKEN".into(), "Tk7fQ2mVx9LpZr4Ws8".into());
    account.deploy_and_settle("pay", &next).await;
    assert!(account.referred("pay", "API_TOKEN").await.is_some(), "{:?}", account.secret_story("pay").await);
    assert_eq!(readers(&account, &secret).await, [role_arn("shop")]);
    // Whoever is made under its name is somebody else.
    account.role("old", &[]).await;
    assert_eq!(readers(&account, &secret).await, [role_arn("shop")]);

    let applied = account.steps("pay", Step::Applied).await.pop().expect("the last");
    account.ready("pay").await;
    account.undo(applied).await.expect("undone");
    assert_eq!(account.environment("pay").await, next);
}

#[tokio::test]
async fn a_role_that_was_deleted_and_made_anew_is_let_in_again() {
    let account = Account::with_secrets_guarded(&[]).await;
    account.role("new", &[]).await;
    account.guarded_python("pay").await;
    give_role(&account, "pay", "new").await;
    account.deploy_and_settle("pay", &variables(&[("DB_PASSWORD", VALUE)])).await;
    let secret = account.referred("pay", "DB_PASSWORD").await.expect("a reference");
    account.iam.delete_role().role_name("new").send().await.expect("deleted");
    account.role("new", &[]).await;
    assert!(readers(&account, &secret).await[0].starts_with("AROA"));
    give_role(&account, "pay", "new").await;
    assert_eq!(readers(&account, &secret).await, [role_arn("new")]);
    let seen = variables(&[("DB_PASSWORD", VALUE)]);
    assert_eq!(account.told_by_code("pay", &seen).await, seen);
}

#[tokio::test]
async fn an_environment_under_a_customers_key_is_changed_where_the_guard_may_use_the_key_and_left_where_not() {
    let account = Account::with_secrets_guarded(&[]).await;
    let guard = ["warden/guard/warden-secret-guard"];
    let (some, all) = (["kms:Decrypt"], ["kms:Decrypt", "kms:Encrypt", "kms:CreateGrant"]);
    let keys = [
        ("shut", account.customers_key(&[], &[]).await),
        ("half", account.customers_key(&guard, &some).await),
        ("open", account.customers_key(&guard, &all).await),
    ];
    let deployed = variables(&[("DB_PASSWORD", VALUE)]);
    let mut outcomes = Vec::new();
    for (name, key) in &keys {
        account.guarded_python(name).await;
        account.encrypt(name, key, &deployed).await;
        account.settle().await;
        let stripped = account.referred(name, "DB_PASSWORD").await.is_some();
        assert_eq!(account.seen_by_code(name).await, deployed);
        let last = account.records(&arn(name)).await.pop().expect("a record").entry;
        let note = last.note.unwrap_or_default();
        assert!(stripped || note.contains("kms:Decrypt, kms:Encrypt and kms:CreateGrant"), "{name}: {note}");
        outcomes.push((stripped, last.step));
    }
    assert_eq!(outcomes, [(false, Step::Observed), (false, Step::Failed), (true, Step::Applied)]);
}

/// Publishes a layer with one file in it, and gives it to a function; returns its ARN.
async fn give_layer(account: &Account, function: &str, layer: &str, file: &str) -> String {
    let zip = warden_sandbox::package_text(file, "#!/bin/sh\n").expect("a package");
    let content = LayerVersionContentInput::builder().zip_file(Blob::new(zip)).build();
    let published = account.lambda.publish_layer_version().layer_name(layer).content(content).send().await;
    let arn = published.expect("a layer").layer_version_arn.expect("its ARN");
    account.ready(function).await;
    let update = account.lambda.update_function_configuration().function_name(function).layers(&arn);
    update.send().await.expect("updated");
    account.ready(function).await;
    account.settle().await;
    arn
}

/// A process of its own has the reference and not the value.
#[tokio::test]
async fn what_an_extension_on_no_list_may_read_stays_until_the_owner_says_what_it_reads() {
    let account = Account::with_secrets_guarded(&[]).await;
    // Each its own, since the account knows what was taken out of one.
    let deployed = |name: &str| variables(&[("DB_PASSWORD", &format!("{VALUE}{name}"))]);
    for (name, file) in [("lean", "python/shop.py"), ("traced", "extensions/agent"), ("orphaned", "python/shop.py")] {
        account.guarded_python(name).await;
        let layer = give_layer(&account, name, &format!("{name}-layer"), file).await;
        if name == "orphaned" {
            let delete = account.lambda.delete_layer_version().layer_name(format!("{name}-layer")).version_number(1);
            delete.send().await.expect("deleted");
        }
        account.deploy_and_settle(name, &deployed(name)).await;
        let stripped = account.referred(name, "DB_PASSWORD").await.is_some();
        assert_eq!(stripped, name == "lean", "{name}: {:?}", account.secret_story(name).await);
        assert_eq!(account.layers(name).await[0], layer, "the others stay where they are");
    }
    assert_eq!(account.told_by_code("lean", &deployed("lean")).await, deployed("lean"));
    for (name, why) in [("traced", "brings the extension agent"), ("orphaned", "cannot be looked into")] {
        assert_eq!(
            account.secret_story(name).await,
            ["opted-in", "withheld environment plaintext-secret (no-safe-change)"]
        );
        let [withheld] = account.steps(name, Step::Withheld).await.try_into().expect("one");
        let note = withheld.entry.note.unwrap_or_default();
        assert!(note.contains(&format!("the layer {name}-layer:1 {why}")), "{note}");
    }

    account.tag("traced", &[("warden:extension-reads", "none")]).await;
    account.settle().await;
    assert!(account.referred("traced", "DB_PASSWORD").await.is_some(), "{:?}", account.secret_story("traced").await);
    assert_eq!(account.told_by_code("traced", &deployed("traced")).await, deployed("traced"));
}

/// Lambda answers 400 to who asks for an image's code-signing configuration.
#[tokio::test]
async fn a_secret_of_a_container_image_is_reported_with_what_can_be_done() {
    let account = Account::with_secrets_guarded(&[]).await;
    let code = FunctionCode::builder().image_uri(format!("{ACCOUNT}.dkr.ecr.us-east-1.amazonaws.com/pay:1")).build();
    let create = account.lambda.create_function().function_name("pay").package_type(PackageType::Image);
    let create = create.role(role_arn("shop")).code(code).tags("warden:secrets", "enforce");
    create.send().await.expect("a function");
    account.settle().await;
    account.deploy_and_settle("pay", &variables(&[("DB_PASSWORD", VALUE)])).await;
    let withheld = account.steps("pay", Step::Withheld).await.pop().expect("a record").entry;
    assert!(withheld.note.as_deref().unwrap_or_default().contains("a container image has no layers"), "{withheld:?}");
    // With `strip` nothing has to be signed and nothing has to be layered.
    account.tag("pay", &[("warden:secrets", "strip")]).await;
    account.deploy_and_settle("pay", &variables(&[("DB_PASSWORD", &format!("{VALUE}2"))])).await;
    assert!(account.referred("pay", "DB_PASSWORD").await.is_some(), "{:?}", account.secret_story("pay").await);
}

#[tokio::test]
async fn a_guard_that_may_not_ask_about_code_signing_reports_the_secret_and_says_what_it_lacks() {
    let account = Account::with_secrets_guarded(&[]).await;
    for (name, status, code) in [("pay", 403, "AccessDeniedException"), ("bill", 400, "ValidationException")] {
        account.guarded_python(name).await;
        let deployed = variables(&[("DB_PASSWORD", &format!("{VALUE}{name}"))]);
        let refused = Fault::Answer { status, code: code.into() };
        account.sandbox.trail().faults().inject(CallMatch::operation("GetFunctionCodeSigningConfig"), 1, refused);
        account.deploy_and_settle(name, &deployed).await;
        assert!(account.sandbox.trail().faults().pending().is_empty());
        assert_eq!(account.environment(name).await, deployed);
        let withheld = account.records(&arn(name)).await.pop().expect("a record").entry;
        let note = withheld.note.unwrap_or_default();
        assert!(note.contains(code) && note.contains("since GetFunctionCodeSigningConfig answers"), "{note}");
        // Once it may ask, the next look does it.
        account.deploy_and_settle(name, &deployed).await;
        assert!(account.referred(name, "DB_PASSWORD").await.is_some(), "{:?}", account.secret_story(name).await);
    }
}

#[tokio::test]
async fn a_region_without_code_signing_has_functions_without_it() {
    let account = Account::with_secrets_guarded(&[]).await;
    account.guarded_python("pay").await;
    let (aws, _) = account.operator().await;
    for region in ["us-east-1", "eu-central-2"] {
        let function = format!("arn:aws:lambda:{region}:{ACCOUNT}:function:pay").parse().expect("a function");
        let signing = aws.code_signing(&function, &Package::Zip).await.expect("an answer");
        assert_eq!(signing, CodeSigning::None, "{region}");
    }
}

/// IAM tells others of a role seconds after it was made.
#[tokio::test]
async fn no_reference_is_written_while_iam_does_not_know_the_functions_own_role() {
    let account = Account::with_secrets_guarded(&[]).await;
    account.guarded_python("pay").await;
    // The first one is that of the look.
    let unknown = Fault::Answer { status: 404, code: "NoSuchEntity".into() };
    let calls = CallMatch::operation("GetRole").by("warden-secret-guard");
    account.sandbox.trail().faults().inject(calls, 2, unknown);
    let deployed = variables(&[("DB_PASSWORD", VALUE)]);
    account.deploy_and_settle("pay", &deployed).await;
    assert!(account.sandbox.trail().faults().pending().is_empty());
    let secret = account.referred("pay", "DB_PASSWORD").await.expect("a reference");
    assert_eq!(readers(&account, &secret).await, [role_arn("shop")]);
    assert_eq!(account.told_by_code("pay", &deployed).await, deployed);
}

/// Lambda's own words could quote the environment, so that its code alone is told.
#[tokio::test]
async fn an_update_that_lambda_refuses_for_the_runtime_says_what_may_be_behind_it() {
    let account = Account::with_secrets_guarded(&[]).await;
    account.guarded_python("pay").await;
    let deployed = variables(&[("DB_PASSWORD", VALUE)]);
    let refused = Fault::Answer { status: 400, code: "InvalidParameterValueException".into() };
    let calls = CallMatch::operation("UpdateFunctionConfiguration").by("warden-secret-guard");
    account.sandbox.trail().faults().inject(calls, 1, refused);
    account.deploy_and_settle("pay", &deployed).await;
    let failed = account.steps("pay", Step::Failed).await.pop().expect("a record").entry;
    let note = failed.note.unwrap_or_default();
    assert!(note.contains("functions of the runtime python3.13"), "{note}");
    assert_eq!(account.environment("pay").await, deployed);
}
