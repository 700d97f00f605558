//! role-guard where there is no simple answer: what other people have too, what does not fit, what nobody saw in force,
//! what is not Warden's to change.

use serde_json::{Value, json};
use warden_engine::{ledger::record::Step, model::tags::GuardKind};
use warden_sandbox::ACCOUNT;
use warden_tests::{Account, arn, environment::variables, lambda_trust, policy, role_arn, tag};

fn read_orders() -> Value {
    json!({"Sid": "Orders", "Effect": "Allow", "Action": "dynamodb:GetItem",
        "Resource": "arn:aws:dynamodb:us-east-1:111122223333:table/orders"})
}

fn write_queue() -> Value {
    json!({"Sid": "Queue", "Effect": "Allow", "Action": "sqs:SendMessage",
        "Resource": "arn:aws:sqs:us-east-1:111122223333:orders"})
}

fn everything() -> Value {
    json!({"Sid": "All", "Effect": "Allow", "Action": "*", "Resource": "*"})
}

/// A statement of that many characters, more or less, about nothing that matters.
fn long(characters: usize) -> Value {
    let tables: Vec<String> = (0..characters / 60)
        .map(|nth| format!("arn:aws:dynamodb:us-east-1:111122223333:table/orders-{nth:03}-"))
        .collect();
    json!({"Sid": "Long", "Effect": "Allow", "Action": "dynamodb:GetItem", "Resource": tables})
}

/// A role `pay`, opted in and known, with the managed policy `shop-data` that carries the tag too; says the policy's
/// ARN.
async fn with_policy(account: &Account, statements: &[Value], tags: &[(&str, &str)]) -> String {
    account.role("pay", &[("warden", "enforce")]).await;
    let arn = account.managed_policy("shop-data", &policy(statements), tags).await;
    account.attach("pay", &arn).await;
    account.settle().await;
    arn
}

#[tokio::test]
async fn a_version_that_somebody_planted_is_not_what_comes_back() {
    let account = Account::guarded().await;
    let arn = with_policy(&account, &[read_orders()], &[("warden", "enforce")]).await;
    // It complies, and it was never in force.
    let planted = json!({"Sid": "Elsewhere", "Effect": "Allow", "Action": "s3:PutObject",
        "Resource": "arn:aws:s3:::collector/*"});
    account.version(&arn, &[planted], false).await;
    account.settle().await;
    account.version(&arn, &[everything()], true).await;
    account.settle().await;
    assert_eq!(account.default_version(&arn).await, ("v1".to_owned(), policy(&[read_orders()])));
}

#[tokio::test]
async fn a_bad_version_that_was_planted_is_taken_back_each_time_it_comes_into_force() {
    let account = Account::guarded().await;
    let arn = with_policy(&account, &[read_orders()], &[("warden", "enforce")]).await;
    account.version(&arn, &[everything()], false).await;
    account.settle().await;
    assert_eq!(account.default_version(&arn).await.0, "v1", "one that is not in force is no matter");
    for times in 1..=2 {
        account.iam.set_default_policy_version().policy_arn(&arn).version_id("v2").send().await.expect("set");
        account.settle().await;
        assert_eq!(account.default_version(&arn).await.0, "v1");
        let applied = account.records(&arn).await.iter().filter(|record| record.entry.step == Step::Applied).count();
        assert_eq!(applied, times);
    }
}

#[tokio::test]
async fn with_five_versions_the_oldest_makes_room_and_stands_in_the_record() {
    let account = Account::guarded().await;
    let arn = with_policy(&account, &[read_orders()], &[("warden", "enforce")]).await;
    // The version that was in force is gone, so there is nothing to go back to.
    account.sandbox.trail().faults().hold_deliveries();
    let oldest =
        json!({"Sid": "Oldest", "Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::oldest/*"});
    account.version(&arn, &[oldest], false).await;
    for _ in 3..=4 {
        account.version(&arn, &[write_queue()], false).await;
    }
    account.version(&arn, &[read_orders(), write_queue(), everything()], true).await;
    account.iam.delete_policy_version().policy_arn(&arn).version_id("v1").send().await.expect("deleted");
    account.version(&arn, &[write_queue()], false).await;
    account.sandbox.trail().release(warden_sandbox::Order::Happened);
    account.settle().await;

    let (version, document) = account.default_version(&arn).await;
    assert_eq!((version.as_str(), document), ("v7", policy(&[read_orders(), write_queue()])));
    let versions = account.iam.list_policy_versions().policy_arn(&arn).send().await.expect("versions");
    let versions: Vec<&str> = versions.versions().iter().filter_map(|version| version.version_id()).collect();
    assert_eq!(versions.len(), 5);
    assert!(!versions.contains(&"v2") && versions.contains(&"v5"), "{versions:?}");
    let records = account.records(&arn).await;
    let planned = records.iter().find(|record| record.entry.step == Step::Planned).expect("an intent");
    assert!(
        json!(planned.entry.changes).to_string().contains("arn:aws:s3:::oldest/*"),
        "the document that went is kept"
    );
}

#[tokio::test]
async fn a_policy_that_a_user_has_too_is_left_alone() {
    let account = Account::guarded().await;
    let arn = with_policy(&account, &[read_orders()], &[("warden", "enforce")]).await;
    account.iam.create_user().user_name("mallory").send().await.expect("a user");
    account.iam.attach_user_policy().user_name("mallory").policy_arn(&arn).send().await.expect("attached");
    account.version(&arn, &[read_orders(), everything()], true).await;
    account.settle().await;

    assert_eq!(account.default_version(&arn).await.0, "v2", "it is somebody else's policy as well");
    assert_eq!(account.attached("pay").await, Vec::<String>::new());
    let own = account.own_policies("pay").await;
    assert_eq!(
        own.values().cloned().collect::<Vec<_>>(),
        [policy(&[read_orders()])],
        "what may stay stands in the role"
    );
}

#[tokio::test]
async fn a_policy_that_bounds_a_role_is_never_edited() {
    let account = Account::guarded().await;
    let arn = with_policy(&account, &[read_orders()], &[("warden", "enforce")]).await;
    account.role("bounded", &[]).await;
    let bound = account.iam.put_role_permissions_boundary().role_name("bounded").permissions_boundary(&arn);
    bound.send().await.expect("bounded");
    account.version(&arn, &[read_orders(), everything()], true).await;
    account.settle().await;
    assert_eq!(account.default_version(&arn).await.0, "v2");
    assert_eq!(account.attached("pay").await, Vec::<String>::new(), "the opted-in role alone is put right");
}

#[tokio::test]
async fn a_boundary_that_was_widened_is_given_back() {
    let account = Account::guarded().await;
    account.role("pay", &[("warden", "enforce")]).await;
    let narrow = account.managed_policy("narrow", &policy(&[read_orders()]), &[]).await;
    let wide = account.managed_policy("wide", &policy(&[everything()]), &[]).await;
    let bound =
        |policy: String| account.iam.put_role_permissions_boundary().role_name("pay").permissions_boundary(policy);
    bound(narrow.clone()).send().await.expect("bounded");
    account.settle().await;
    bound(wide).send().await.expect("widened");
    account.settle().await;
    assert_eq!(account.boundary("pay").await, Some(narrow));
}

#[tokio::test]
async fn what_may_stay_and_does_not_fit_into_the_role_is_attached_as_a_policy_of_wardens_own() {
    let account = Account::guarded().await;
    let arn = with_policy(&account, &[long(5_000)], &[]).await;
    account.put_role_policy("pay", "own", &policy(&[long(7_000)])).await;
    account.settle().await;
    account.version(&arn, &[long(5_000), everything()], true).await;
    account.settle().await;

    let attached = account.attached("pay").await;
    let [copy] = attached.as_slice() else { panic!("one policy: {attached:?}") };
    assert!(copy.starts_with("arn:aws:iam::111122223333:policy/warden/copy/pay-shop-data-"), "{copy}");
    assert_eq!(account.default_version(copy).await, ("v1".to_owned(), policy(&[long(5_000)])));
    assert_eq!(account.own_policies("pay").await.len(), 1, "nothing was added there");
    assert_eq!(account.default_version(&arn).await.0, "v2", "it is not opted in");

    // The copy is a policy like any other: rewritten, what it said stands in for it in turn.
    account.version(copy, &[everything()], true).await;
    account.settle().await;
    let attached = account.attached("pay").await;
    let [second] = attached.as_slice() else { panic!("one policy: {attached:?}") };
    assert_ne!(second, copy);
    assert_eq!(account.default_version(second).await.1, policy(&[long(5_000)]));
}

/// `pay` with a policy that others have too, no room of its own, and ten policies attached.
async fn without_room(parameters: &[(&str, &str)]) -> (Account, String) {
    let account = Account::with(parameters).await;
    let arn = with_policy(&account, &[long(5_000)], &[]).await;
    account.put_role_policy("pay", "own", &policy(&[long(7_000)])).await;
    for nth in 1..=9 {
        let more = account.managed_policy(&format!("more-{nth}"), &policy(&[read_orders()]), &[]).await;
        account.attach("pay", &more).await;
    }
    account.settle().await;
    (account, arn)
}

#[tokio::test]
async fn ten_attachments_shelter_no_administrator_and_the_owner_is_told_what_was_lost() {
    let (account, arn) = without_room(&[]).await;
    account.version(&arn, &[long(5_000), everything()], true).await;
    account.settle().await;

    assert!(!account.attached("pay").await.contains(&arn));
    let records = account.records(&role_arn("pay")).await;
    let applied = records.iter().rfind(|record| record.entry.step == Step::Applied).expect("a remediation");
    let note = applied.entry.note.clone().unwrap_or_default();
    assert!(note.contains("it went with what had to go"), "{note}");
}

#[tokio::test]
async fn an_administrator_without_room_is_left_where_a_parameter_says_so_and_somebody_is_alerted() {
    let (account, arn) = without_room(&[("CriticalWithoutRoom", "withhold")]).await;
    let before = account.attached("pay").await;
    account.version(&arn, &[long(5_000), everything()], true).await;
    account.settle().await;

    assert_eq!(account.attached("pay").await, before);
    let story = account.story_of(&role_arn("pay")).await;
    assert!(story.last().is_some_and(|last| last.ends_with("(no-safe-change) alert")), "{story:?}");
}

#[tokio::test]
async fn what_is_high_and_leaves_something_that_fits_nowhere_is_withheld() {
    let (account, arn) = without_room(&[]).await;
    let before = account.attached("pay").await;
    let high = json!({"Sid": "High", "Effect": "Allow", "Action": "s3:*", "Resource": "*"});
    account.version(&arn, &[long(5_000), high], true).await;
    account.settle().await;

    assert_eq!(account.attached("pay").await, before, "nothing the function needs is lost");
    let story = account.story_of(&role_arn("pay")).await;
    let last = story.last().expect("a record");
    assert!(
        last.starts_with(&format!("withheld attachment/{arn} ")) && last.ends_with("(no-safe-change)"),
        "{story:?}"
    );
}

#[tokio::test]
async fn roles_of_services_and_of_bootstrap_tools_are_reported_and_never_touched() {
    let account = Account::guarded().await;
    let mut open = lambda_trust();
    open["Statement"][0]["Principal"] = json!("*");
    for (name, path) in [("AWSServiceRoleForShop", "/aws-service-role/shop.amazonaws.com/"), ("cdk-shop-exec", "/")] {
        let create = account.iam.create_role().role_name(name).path(path).tags(tag("warden", "enforce"));
        create.assume_role_policy_document(open.to_string()).send().await.expect("a role");
    }
    account.settle().await;
    for name in ["AWSServiceRoleForShop", "cdk-shop-exec"] {
        assert_eq!(account.trust(name).await, open, "{name}");
        let story = account.story_of(&role_arn(name)).await;
        assert!(story.iter().all(|line| !line.starts_with("planned")), "{story:?}");
        assert!(story.iter().any(|line| line.starts_with("withheld trust trust-public (never-touch)")), "{story:?}");
    }
}

#[tokio::test]
async fn of_a_trust_policy_that_is_nothing_but_open_the_standard_one_is_left() {
    let account = Account::guarded().await;
    account.role("pay", &[("warden", "enforce")]).await;
    account.settle().await;
    let mut open = lambda_trust();
    open["Statement"][0]["Principal"] = json!({"AWS": "*"});
    let update = account.iam.update_assume_role_policy().role_name("pay").policy_document(open.to_string());
    update.send().await.expect("opened");
    account.settle().await;
    assert_eq!(account.trust("pay").await, lambda_trust());
}

#[tokio::test]
async fn a_swapped_role_stays_where_the_one_before_is_not_known_or_no_better() {
    let account = Account::guarded().await;
    account.role("admin", &[]).await;
    account.put_role_policy("admin", "all", &policy(&[everything()])).await;
    // Unknown: it was made with it.
    account.function_with_role("fresh", "admin", &[("warden", "enforce")]).await;
    account.settle().await;
    let role = async |name: &str| {
        let function = account.lambda.get_function_configuration().function_name(name).send().await;
        function.expect("the function").role().map(str::to_owned)
    };
    assert_eq!(role("fresh").await, Some(role_arn("admin")));
    let story = account.story_by(GuardKind::Role, &arn("fresh")).await;
    assert!(story.iter().any(|line| line.starts_with("withheld role role-broadened")), "{story:?}");

    // No better: the one before has come to break a rule as well.
    account.opted_in("pay", "enforce").await;
    account.put_role_policy("shop", "all", &policy(&[everything()])).await;
    let update = account.lambda.update_function_configuration().function_name("pay").role(role_arn("admin"));
    update.send().await.expect("swapped");
    account.settle().await;
    assert_eq!(role("pay").await, Some(role_arn("admin")));
    let story = account.story_by(GuardKind::Role, &arn("pay")).await;
    assert!(story.iter().any(|line| line.starts_with("withheld role role-broadened (no-safe-change)")), "{story:?}");
}

#[tokio::test]
async fn a_role_that_loses_its_tag_is_left_alone_and_the_loss_is_written_down() {
    let account = Account::guarded().await;
    account.role("pay", &[("warden", "enforce")]).await;
    account.settle().await;
    account.iam.untag_role().role_name("pay").tag_keys("warden").send().await.expect("untagged");
    account.settle().await;
    account.put_role_policy("pay", "all", &policy(&[everything()])).await;
    account.settle().await;
    assert!(account.role_policy("pay", "all").await.is_some());
    assert_eq!(account.story_of(&role_arn("pay")).await, ["opted-in", "opted-out"]);
}

#[tokio::test]
async fn iam_itself_holds_the_guard_to_the_tag() {
    let account = Account::guarded().await;
    account.role("free", &[]).await;
    account.role("watched", &[("warden", "observe")]).await;
    account.role("tagged", &[("warden", "enforce")]).await;
    let untagged = account.managed_policy("untagged", &policy(&[read_orders()]), &[]).await;
    let session =
        account.sandbox.session(&role_arn("warden/guard/warden-role-guard"), "probe").await.expect("a session");
    let guard = aws_sdk_iam::Client::new(&account.sandbox.config_as(session, "us-east-1"));
    let put = |role: &str| {
        guard
            .put_role_policy()
            .role_name(role)
            .policy_name("p")
            .policy_document(policy(&[read_orders()]).to_string())
            .send()
    };
    assert!(put("free").await.is_err());
    assert!(put("watched").await.is_err());
    put("tagged").await.expect("opted in");
    // Never more than it takes: it cannot attach or create anything but its own copies, nor tag.
    let document = policy(&[everything()]).to_string();
    assert!(guard.attach_role_policy().role_name("tagged").policy_arn(&untagged).send().await.is_err());
    let create = |path: &str| guard.create_policy().policy_name("made").path(path).policy_document(&document).send();
    assert!(create("/").await.is_err());
    assert!(create("/warden/").await.is_err());
    create("/warden/copy/").await.expect("its own");
    let own = format!("arn:aws:iam::{ACCOUNT}:policy/warden/copy/made");
    assert!(guard.attach_role_policy().role_name("free").policy_arn(&own).send().await.is_err());
    assert!(guard.attach_role_policy().role_name("watched").policy_arn(&own).send().await.is_err());
    guard.attach_role_policy().role_name("tagged").policy_arn(&own).send().await.expect("its own, on what is opted in");
    assert!(guard.delete_policy().policy_arn(&own).send().await.is_err());
    assert!(guard.tag_role().role_name("free").tags(tag("warden", "enforce")).send().await.is_err());
    assert!(guard.create_policy_version().policy_arn(&untagged).policy_document(&document).send().await.is_err());
    assert!(guard.delete_role_permissions_boundary().role_name("tagged").send().await.is_err());
}

/// Lambda grants a role the use of the key with the permissions of whoever hands the role over.
#[tokio::test]
async fn a_role_under_a_customers_key_is_given_back_where_the_guard_may_use_the_key_and_withheld_where_not() {
    let account = Account::guarded().await;
    account.role("admin", &[]).await;
    account.put_role_policy("admin", "all", &policy(&[everything()])).await;
    let guard = ["warden/guard/warden-role-guard"];
    let (some, all) = (["kms:Decrypt"], ["kms:Decrypt", "kms:Encrypt", "kms:CreateGrant"]);
    let keys = [
        ("shut", account.customers_key(&[], &[]).await),
        ("half", account.customers_key(&guard, &some).await),
        ("open", account.customers_key(&guard, &all).await),
    ];
    for (name, key) in &keys {
        account.opted_in(name, "enforce").await;
        account.encrypt(name, key, &variables(&[("STAGE", "test")])).await;
        account.settle().await;
        let update = account.lambda.update_function_configuration().function_name(*name).role(role_arn("admin"));
        update.send().await.expect("updated");
        account.settle().await;
    }
    let mut outcomes = Vec::new();
    for (name, key) in &keys {
        let found = account.lambda.get_function_configuration().function_name(*name).send().await;
        let role = found.expect("the function").role().unwrap_or_default().to_owned();
        let last = account.records(&arn(name)).await.pop().expect("a record").entry;
        let note = last.note.unwrap_or_default();
        assert!(*name == "open" || note.contains("kms:Decrypt, kms:Encrypt and kms:CreateGrant"), "{name}: {note}");
        assert!(*name != "shut" || note.contains(key.as_str()) && note.contains(&role_arn("shop")), "{note}");
        outcomes.push((role, last.step));
    }
    let (admin, shop) = (role_arn("admin"), role_arn("shop"));
    assert_eq!(outcomes, [(admin.clone(), Step::Withheld), (admin, Step::Failed), (shop, Step::Applied)]);
}
