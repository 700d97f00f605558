//! role-guard in an account: what it puts right, what it leaves alone, what it writes down. Each test looks at what the
//! account holds afterwards and at the ledger.

use serde_json::{Value, json};
use warden_engine::{Severity, ledger::record::Step, model::tags::GuardKind, name::iam::PolicyArn};
use warden_sandbox::Setting;
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

/// IAM may give fewer than there are, and say that there are more.
#[tokio::test]
async fn what_stands_on_a_later_page_is_put_right_too() {
    let account = guarded().await;
    account.sandbox.set(Setting::IamPage(1)).await.expect("a setting");
    let shared = account.managed_policy("shop-data", &policy(&[read_orders()]), &[("warden", "enforce")]).await;
    let other = account.managed_policy("shop-more", &policy(&[read_orders()]), &[]).await;
    for (role, arn) in [("pay", &other), ("pay", &shared), ("shop", &shared)] {
        account.attach(role, arn).await;
    }
    account.settle().await;
    for name in ["debug", "test"] {
        account.put_role_policy("pay", name, &policy(&[everything()])).await;
    }
    let create = account.iam.create_policy_version().policy_arn(&shared).set_as_default(true);
    create.policy_document(policy(&[everything()]).to_string()).send().await.expect("a version");
    account.settle().await;
    account.sandbox.set(Setting::IamPage(100)).await.expect("a setting");

    for (name, expected) in [("debug", None), ("test", None), ("orders", Some(policy(&[read_orders()])))] {
        assert_eq!(account.role_policy("pay", name).await, expected, "{name}");
    }
    // Another role has it as well: it is kept away from the opted-in one, which has a narrowed stand-in.
    assert!(!account.attached("pay").await.contains(&shared));
    assert!(account.attached("shop").await.contains(&shared));
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
async fn a_deleted_deny_that_held_a_standing_administrator_back_comes_back() {
    let account = Account::guarded().await;
    let deny =
        json!({"Sid": "No", "Effect": "Deny", "Action": ["iam:*", "kms:*", "secretsmanager:*"], "Resource": "*"});
    let rail = policy(&[deny]);
    account.role("pay", &[]).await;
    account.put_role_policy("pay", "wide", &policy(&[everything()])).await;
    account.put_role_policy("pay", "rail", &rail).await;
    account.settle().await;
    account.iam.tag_role().role_name("pay").tags(tag("warden", "enforce")).send().await.expect("tagged");
    account.settle().await;
    account.iam.delete_role_policy().role_name("pay").policy_name("rail").send().await.expect("deleted");
    account.settle().await;
    assert_eq!(account.role_policy("pay", "rail").await, Some(rail));
    assert_eq!(account.role_policy("pay", "wide").await, Some(policy(&[everything()])), "it stood before");
}

#[tokio::test]
async fn what_stood_in_a_shared_policy_stands_in_the_roles_own_after_an_attack_on_the_policy() {
    let account = Account::guarded().await;
    let stood = policy(&[read_orders(), json!({"Sid": "Old", "Effect": "Allow", "Action": "s3:*", "Resource": "*"})]);
    let arn = account.managed_policy("shared", &stood, &[]).await;
    account.role("pay", &[]).await;
    account.attach("pay", &arn).await;
    account.settle().await;
    account.iam.tag_role().role_name("pay").tags(tag("warden", "enforce")).send().await.expect("tagged");
    account.settle().await;
    account.version(&arn, &[everything()], true).await;
    account.settle().await;
    // Looked at once more.
    account.put_role_policy("pay", "orders", &policy(&[read_orders()])).await;
    account.settle().await;
    assert_eq!(account.attached("pay").await, Vec::<String>::new());
    let stand_in = arn.parse::<PolicyArn>().expect("an ARN").stand_in();
    assert_eq!(account.role_policy("pay", stand_in.as_str()).await, Some(stood));
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
async fn a_policy_that_was_created_with_the_tag_and_is_then_attached_is_put_right_itself() {
    let account = guarded().await;
    let bad = policy(&[read_orders(), everything()]);
    let arn = account.managed_policy("planted", &bad, &[("warden", "enforce")]).await;
    account.attach("pay", &arn).await;
    account.settle().await;

    assert_eq!(account.default_version(&arn).await.1, policy(&[read_orders()]));
    assert_eq!(account.attached("pay").await, std::slice::from_ref(&arn));
    let surface = format!("managed-policy/{arn}");
    assert_eq!(
        account.story_of(&arn).await,
        ["opted-in", &format!("planned {surface} wildcard-admin"), &format!("applied {surface} wildcard-admin")]
    );
    // By then there is nothing on the role to report.
    assert_eq!(account.story_of(&role_arn("pay")).await, ["opted-in"]);
}

/// A role that a policy with these tags bounds.
async fn bounded(role: &str, tags: &[(&str, &str)], account: &Account) -> String {
    let bound = account.managed_policy("bound", &policy(&[read_orders()]), tags).await;
    let put = account.iam.put_role_permissions_boundary().role_name(role).permissions_boundary(&bound);
    put.send().await.expect("bounded");
    account.settle().await;
    bound
}

#[tokio::test]
async fn a_boundarys_own_policy_that_a_new_version_widens_goes_back_to_the_earlier_one() {
    let account = guarded().await;
    let bound = bounded("pay", &[("warden", "enforce")], &account).await;
    account.put_role_policy("pay", "wide", &policy(&[everything()])).await;
    account.settle().await;
    account.version(&bound, &[everything()], true).await;
    account.settle().await;

    assert_eq!(account.default_version(&bound).await, ("v1".to_owned(), policy(&[read_orders()])));
    let surface = format!("managed-policy/{bound}");
    assert_eq!(
        account.story_of(&bound).await,
        ["opted-in", &format!("planned {surface} boundary-removed"), &format!("applied {surface} boundary-removed")]
    );
    // What the boundary kept harmless stays.
    assert_eq!(account.role_policy("pay", "wide").await, Some(policy(&[everything()])));
}

#[tokio::test]
async fn a_boundarys_own_policy_that_is_widened_stays_where_somebody_is_not_opted_in_who_is_named() {
    let account = guarded().await;
    let bound = bounded("pay", &[("warden", "enforce")], &account).await;
    let put = account.iam.put_role_permissions_boundary().role_name("shop").permissions_boundary(&bound);
    put.send().await.expect("bounded");
    account.settle().await;
    account.version(&bound, &[everything()], true).await;
    account.settle().await;

    assert_eq!(account.default_version(&bound).await.0, "v2");
    for (resource, surface) in
        [(bound.clone(), format!("managed-policy/{bound}")), (role_arn("pay"), "boundary".into())]
    {
        let records = account.records(&resource).await;
        let withheld = records.iter().rfind(|record| record.entry.step == Step::Withheld).expect("a record");
        assert_eq!(withheld.entry.surface.as_ref().map(ToString::to_string), Some(surface));
        assert_eq!(withheld.entry.severity, Some(Severity::Critical));
        let note = withheld.entry.note.clone().unwrap_or_default();
        assert!(note.contains("not opted in: shop"), "{note}");
    }
}

#[tokio::test]
async fn a_boundarys_own_policy_without_the_tag_is_reported_when_it_is_widened() {
    let account = guarded().await;
    let bound = bounded("pay", &[], &account).await;
    account.version(&bound, &[everything()], true).await;
    account.settle().await;
    assert_eq!(account.default_version(&bound).await.0, "v2");
    let story = account.story_of(&role_arn("pay")).await;
    assert_eq!(story.last().map(String::as_str), Some("withheld boundary boundary-removed (no-safe-change) alert"));
}

/// 149 roles whose names come first have the policy as well: most without a tag, some with it and within a boundary.
#[tokio::test]
async fn decoys_with_the_same_policy_hold_nothing_up_on_the_role_that_is_attacked() {
    let account = guarded().await;
    let data = account.managed_policy("shop-data", &policy(&[read_orders()]), &[]).await;
    let bound = account.managed_policy("bound", &policy(&[read_orders()]), &[]).await;
    account.attach("pay", &data).await;
    account.settle().await;
    // The decoys are there: what is counted is what one event takes.
    let events = aws_sdk_eventbridge::Client::new(&account.sandbox.config());
    let rule = events.describe_rule().name("warden-role-guard").send().await.expect("the rule");
    let asleep = json!({"source": ["nobody"]}).to_string();
    events.put_rule().name("warden-role-guard").event_pattern(asleep).send().await.expect("asleep");
    for number in 0..149 {
        let name = format!("decoy-{number:03}");
        account.role(&name, if number % 30 == 0 { &[("warden", "enforce")] } else { &[] }).await;
        if number % 30 == 0 {
            let put = account.iam.put_role_permissions_boundary().role_name(&name).permissions_boundary(&bound);
            put.send().await.expect("bounded");
        }
        account.attach(&name, &data).await;
    }
    account.settle().await;
    let pattern = rule.event_pattern().expect("a pattern");
    events.put_rule().name("warden-role-guard").event_pattern(pattern).send().await.expect("awake");
    let trail = account.sandbox.trail();
    let since = trail.calls().len();
    account.version(&data, &[read_orders(), everything()], true).await;
    account.settle().await;

    assert_eq!(account.attached("pay").await, Vec::<String>::new());
    let calls = trail.calls().split_off(since);
    let calls: Vec<_> = calls.iter().filter(|call| call.by_role("warden-role-guard")).collect();
    let first = calls.iter().position(|call| call.operation == "PutRolePolicy").expect("what may stay was put");
    let count = |operation: &str| calls.iter().take(first).filter(|call| call.operation == operation).count();
    println!("{first} calls before the role is put right, {} in all", calls.len());
    assert_eq!(count("GetAccountAuthorizationDetails"), 1);
    // Of the role itself; no decoy was looked at before it.
    assert_eq!(count("GetRole"), 1);
    assert!(first < 40, "{first} calls came before");
    // Then the others, as far as they are opted in.
    assert_eq!(account.story_of(&role_arn("decoy-000")).await, ["opted-in"]);
    assert_eq!(account.attached("decoy-001").await, [data]);
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
