//! role-guard in an account: what it puts right, what it leaves alone, what it writes down. Each test looks at what the
//! account holds afterwards and at the ledger.

use serde_json::{Value, json};
use warden_engine::{ledger::record::Step, model::tags::GuardKind, name::iam::PolicyArn};
use warden_tests::{Account, arn, lambda_trust, policy, role_arn};

fn read_orders() -> Value {
    json!({"Sid": "Orders", "Effect": "Allow", "Action": "dynamodb:GetItem",
        "Resource": "arn:aws:dynamodb:us-east-1:111122223333:table/orders"})
}

fn everything() -> Value {
    json!({"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"})
}

/// A role `pay` that is opted in and known, with one proper policy of its own.
async fn guarded() -> Account {
    let account = Account::guarded().await;
    account.role("pay", &[("warden", "enforce")]).await;
    account.put_role_policy("pay", "orders", &policy(&[read_orders()])).await;
    account.settle().await;
    account
}

#[tokio::test]
async fn a_wildcard_in_an_inline_policy_goes_and_the_rest_of_the_deployment_stays() {
    let account = guarded().await;
    let queue = json!({"Sid": "Queue", "Effect": "Allow", "Action": "sqs:SendMessage",
        "Resource": "arn:aws:sqs:us-east-1:111122223333:orders"});
    account.put_role_policy("pay", "orders", &policy(&[read_orders(), queue.clone(), everything()])).await;
    account.put_role_policy("pay", "debug", &policy(&[everything()])).await;
    account.settle().await;

    assert_eq!(account.role_policy("pay", "orders").await, Some(policy(&[read_orders(), queue])));
    assert_eq!(account.role_policy("pay", "debug").await, None);
    let story = account.story_of(&role_arn("pay")).await;
    assert_eq!(story[0], "opted-in");
    assert_eq!(story.iter().filter(|line| line.starts_with("applied inline-policy/")).count(), 2, "{story:?}");
}

#[tokio::test]
async fn without_the_tag_nothing_happens_and_with_observe_it_is_reported() {
    let account = Account::guarded().await;
    account.role("watched", &[("warden:role", "observe"), ("warden", "enforce")]).await;
    account.settle().await;
    for role in ["shop", "watched"] {
        account.put_role_policy(role, "all", &policy(&[everything()])).await;
    }
    account.settle().await;

    assert!(account.role_policy("shop", "all").await.is_some());
    assert_eq!(account.story_of(&role_arn("shop")).await, Vec::<String>::new());
    assert!(account.role_policy("watched", "all").await.is_some());
    assert_eq!(account.story_of(&role_arn("watched")).await, ["opted-in", "observed inline-policy/all wildcard-admin"]);
}

#[tokio::test]
async fn an_attached_administrator_is_detached() {
    let account = guarded().await;
    let admin = "arn:aws:iam::aws:policy/AdministratorAccess";
    account.iam.attach_role_policy().role_name("pay").policy_arn(admin).send().await.expect("attached");
    account.settle().await;
    assert_eq!(account.attached("pay").await, Vec::<String>::new());
    assert_eq!(
        account.story_of(&role_arn("pay")).await,
        [
            "opted-in",
            &format!("planned attachment/{admin} wildcard-admin"),
            &format!("applied attachment/{admin} wildcard-admin")
        ]
    );
}

#[tokio::test]
async fn of_a_policy_that_was_attached_with_an_administrators_statement_the_rest_stays() {
    let account = guarded().await;
    let queue = json!({"Sid": "Queue", "Effect": "Allow", "Action": "sqs:SendMessage",
        "Resource": "arn:aws:sqs:us-east-1:111122223333:orders"});
    let arn = account.managed_policy("mixed", &policy(&[queue.clone(), everything()]), &[]).await;
    account.attach("pay", &arn).await;
    account.settle().await;
    assert_eq!(account.attached("pay").await, Vec::<String>::new());
    let stand_in = arn.parse::<PolicyArn>().expect("an ARN").stand_in();
    assert_eq!(account.role_policy("pay", stand_in.as_str()).await, Some(policy(&[queue])));
}

#[tokio::test]
async fn a_bad_version_of_a_policy_is_taken_back_and_undo_sets_it_again() {
    let account = guarded().await;
    let arn = account.managed_policy("shop-data", &policy(&[read_orders()]), &[("warden", "enforce")]).await;
    account.iam.attach_role_policy().role_name("pay").policy_arn(&arn).send().await.expect("attached");
    account.iam.tag_policy().policy_arn(&arn).tags(tag("warden", "enforce")).send().await.expect("tagged");
    account.settle().await;
    let create = account.iam.create_policy_version().policy_arn(&arn).set_as_default(true);
    create.policy_document(policy(&[everything()]).to_string()).send().await.expect("a version");
    account.settle().await;

    assert_eq!(account.default_version(&arn).await, ("v1".to_owned(), policy(&[read_orders()])));
    assert_eq!(account.attached("pay").await, std::slice::from_ref(&arn));
    let story = account.story_of(&arn).await;
    let surface = format!("managed-policy/{arn}");
    assert_eq!(
        story,
        ["opted-in", &format!("planned {surface} wildcard-admin"), &format!("applied {surface} wildcard-admin")]
    );
}

#[tokio::test]
async fn a_bad_version_of_a_policy_that_others_have_is_kept_away_from_the_opted_in_role_alone() {
    let account = guarded().await;
    let arn = account.managed_policy("shop-data", &policy(&[read_orders()]), &[]).await;
    for role in ["pay", "shop"] {
        account.iam.attach_role_policy().role_name(role).policy_arn(&arn).send().await.expect("attached");
    }
    account.settle().await;
    let create = account.iam.create_policy_version().policy_arn(&arn).set_as_default(true);
    let bad = policy(&[read_orders(), everything()]);
    create.policy_document(bad.to_string()).send().await.expect("a version");
    account.settle().await;

    assert_eq!(account.default_version(&arn).await, ("v2".to_owned(), bad));
    assert_eq!(account.attached("shop").await, std::slice::from_ref(&arn));
    assert_eq!(account.attached("pay").await, Vec::<String>::new());
    let names = account.iam.list_role_policies().role_name("pay").send().await.expect("the list");
    let stand_in = names.policy_names().iter().find(|name| name.starts_with("warden-shop-data-")).expect("a stand-in");
    assert_eq!(account.role_policy("pay", stand_in).await, Some(policy(&[read_orders()])));
}

#[tokio::test]
async fn an_opened_trust_policy_is_closed() {
    let account = guarded().await;
    let mut open = lambda_trust();
    let anybody = json!({"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "sts:AssumeRole"});
    open["Statement"].as_array_mut().expect("statements").push(anybody);
    let update = account.iam.update_assume_role_policy().role_name("pay").policy_document(open.to_string());
    update.send().await.expect("updated");
    account.settle().await;
    assert_eq!(account.trust("pay").await, lambda_trust());
    let applied = account.records(&role_arn("pay")).await;
    let applied = applied.iter().find(|record| record.entry.step == Step::Applied).expect("an outcome");
    assert!(applied.entry.note.as_deref().is_some_and(|note| note.contains("revoke")), "{:?}", applied.entry.note);
}

#[tokio::test]
async fn a_boundary_that_was_removed_comes_back() {
    let account = Account::guarded().await;
    account.role("pay", &[("warden", "enforce")]).await;
    let bound = account.managed_policy("bound", &policy(&[read_orders()]), &[]).await;
    let put = account.iam.put_role_permissions_boundary().role_name("pay").permissions_boundary(&bound);
    put.send().await.expect("bounded");
    account.settle().await;
    account.iam.delete_role_permissions_boundary().role_name("pay").send().await.expect("removed");
    account.settle().await;
    let role = account.iam.get_role().role_name("pay").send().await.expect("the role");
    let boundary = role.role().and_then(|role| role.permissions_boundary());
    assert_eq!(boundary.and_then(|boundary| boundary.permissions_boundary_arn()), Some(bound.as_str()));
}

#[tokio::test]
async fn a_swapped_role_is_given_back() {
    let account = guarded().await;
    account.role("admin", &[]).await;
    account.put_role_policy("admin", "all", &policy(&[everything()])).await;
    account.opted_in("shop", "enforce").await;
    let update = account.lambda.update_function_configuration().function_name("shop").role(role_arn("admin"));
    update.send().await.expect("updated");
    account.settle().await;
    let function =
        account.lambda.get_function_configuration().function_name("shop").send().await.expect("the function");
    assert_eq!(function.role(), Some(role_arn("shop").as_str()));
    assert_eq!(
        account.story_by(GuardKind::Role, &arn("shop")).await,
        ["opted-in", "planned role role-broadened", "applied role role-broadened"]
    );
    // The function's role is looked at for its sake, and never changed.
    assert_eq!(account.story_of(&role_arn("shop")).await, ["opted-in"]);
    account.put_role_policy("shop", "all", &policy(&[everything()])).await;
    account.settle().await;
    assert!(account.role_policy("shop", "all").await.is_some());
    assert_eq!(account.story_of(&role_arn("shop")).await, ["opted-in", "observed inline-policy/all wildcard-admin"]);
}

#[tokio::test]
async fn a_role_that_serves_others_too_is_reported_and_not_changed() {
    let account = Account::guarded().await;
    let mut trust = lambda_trust();
    trust["Statement"][0]["Principal"]["Service"] = json!(["lambda.amazonaws.com", "ec2.amazonaws.com"]);
    let create = account.iam.create_role().role_name("both").assume_role_policy_document(trust.to_string());
    create.tags(tag("warden", "enforce")).send().await.expect("the role");
    account.settle().await;
    account.put_role_policy("both", "all", &policy(&[everything()])).await;
    account.settle().await;
    assert!(account.role_policy("both", "all").await.is_some());
    let story = account.story_of(&role_arn("both")).await;
    assert_eq!(
        story.last().map(String::as_str),
        Some("withheld inline-policy/all wildcard-admin (no-safe-change) alert")
    );
}

fn tag(key: &str, value: &str) -> aws_sdk_iam::types::Tag {
    aws_sdk_iam::types::Tag::builder().key(key).value(value).build().expect("a tag")
}
