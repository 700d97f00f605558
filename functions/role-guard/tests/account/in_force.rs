//! What was in force comes back, what stood gets no worse, and no room shelters nothing critical.

use crate::home::{
    Home, admin, attach, everything, inline, long_orders, managed, open, opt_in, orders, policy, policy_resource,
    queue, role, shop, write_version, written,
};
use serde_json::{Value, json};
use warden_engine::{
    ledger::record::Step,
    model::{content::Content, surface::Surface},
};

async fn guarded() -> Home {
    opt_in(open(&[])).await
}

async fn put(home: &Home, name: &str, document: &Value) {
    home.write(&role("pay"), &inline(name), &written(document));
    home.deliver(&home.event("PutRolePolicy", json!({"roleName": "pay", "policyName": name}))).await;
}

async fn delete(home: &Home, name: &str) {
    home.clear(&role("pay"), &inline(name));
    home.deliver(&home.event("DeleteRolePolicy", json!({"roleName": "pay", "policyName": name}))).await;
}

async fn give(home: &Home, name: &str) {
    home.put(&shop(), &Surface::Role(None), Content::new(json!({"Role": role(name)})));
    home.deliver(&home.event("UpdateFunctionConfiguration20150331v2", json!({"functionName": "shop"}))).await;
}

#[track_caller]
fn holds(home: &Home, name: &str, document: &Value) {
    assert_eq!(
        home.content(&role("pay"), &inline(name)),
        Content::new(document.clone()),
        "{:?}",
        home.log(&role("pay"))
    );
}

/// What IAM may list in any account: medium on every resource.
fn medium() -> Value {
    json!({"Sid": "Ajar", "Effect": "Allow", "Action": "sns:AddPermission", "Resource": "*"})
}

fn deny() -> Value {
    json!({"Sid": "No", "Effect": "Deny", "Action": ["iam:*", "kms:*", "secretsmanager:*"], "Resource": "*"})
}

#[tokio::test]
async fn a_policy_replaced_by_an_administrators_comes_back_with_its_medium_finding() {
    let home = guarded().await;
    let deployed = policy(&[orders(), medium()]);
    put(&home, "orders", &deployed).await;
    put(&home, "orders", &policy(&[everything()])).await;
    holds(&home, "orders", &deployed);
    home.sweep(&role("pay")).await;
    assert_eq!(home.of_step(&role("pay"), Step::Planned).len(), 1);
}

#[tokio::test]
async fn a_policy_replaced_by_an_administrators_comes_back_with_what_stood_before_the_opt_in() {
    let home = open(&[]);
    let stood = policy(&[orders(), json!({"Sid": "Old", "Effect": "Allow", "Action": "s3:*", "Resource": "*"})]);
    home.write(&role("pay"), &inline("orders"), &written(&stood));
    let home = opt_in(home).await;
    put(&home, "orders", &policy(&[everything()])).await;
    holds(&home, "orders", &stood);
}

#[tokio::test]
async fn a_swapped_role_is_the_one_of_the_last_deployment_though_that_has_a_medium_finding() {
    let home = guarded().await;
    home.write(&role("other"), &inline("ajar"), &written(&policy(&[medium()])));
    give(&home, "other").await;
    give(&home, "strong").await;
    let given = Content::new(json!({"Role": role("other")}));
    assert_eq!(home.content(&shop(), &Surface::Role(None)), given);
}

#[tokio::test]
async fn a_swapped_role_is_the_one_that_stood_before_the_opt_in() {
    let home = open(&[]);
    home.write(
        &role("shop"),
        &inline("old"),
        &written(&policy(&[json!({"Sid": "Old", "Effect": "Allow", "Action": "s3:*", "Resource": "*"})])),
    );
    let home = opt_in(home).await;
    give(&home, "strong").await;
    let given = Content::new(json!({"Role": role("shop")}));
    assert_eq!(home.content(&shop(), &Surface::Role(None)), given, "{:?}", home.log(&shop()));
}

#[tokio::test]
async fn a_deny_taken_out_of_a_standing_administrators_policy_comes_back() {
    let home = open(&[]);
    let stood = policy(&[everything(), deny()]);
    home.write(&role("pay"), &inline("orders"), &written(&stood));
    let home = opt_in(home).await;
    put(&home, "orders", &policy(&[everything()])).await;
    holds(&home, "orders", &stood);
    // What a deployment does beside it stays.
    put(&home, "orders", &policy(&[everything(), queue()])).await;
    holds(&home, "orders", &policy(&[everything(), queue(), deny()]));
    home.sweep(&role("pay")).await;
    assert_eq!(home.of_step(&role("pay"), Step::Planned).len(), 2);
}

#[tokio::test]
async fn a_deny_in_another_policy_that_was_deleted_or_emptied_comes_back_alone() {
    let home = open(&[]);
    home.write(&role("pay"), &inline("wide"), &written(&policy(&[everything()])));
    home.write(&role("pay"), &inline("rail"), &written(&policy(&[deny(), queue()])));
    let home = opt_in(home).await;
    delete(&home, "rail").await;
    holds(&home, "rail", &policy(&[deny()]));
    holds(&home, "wide", &policy(&[everything()]));
    put(&home, "rail", &policy(&[queue()])).await;
    holds(&home, "rail", &policy(&[queue(), deny()]));
    holds(&home, "wide", &policy(&[everything()]));
}

#[tokio::test]
async fn a_managed_policy_keeps_what_a_bad_version_brought_beside() {
    let home = open(&[]);
    home.tag(&policy_resource(&managed("data")), "warden", "enforce");
    attach(&home, &role("pay"), &managed("data"));
    let home = opt_in(home).await;
    write_version(&home, &managed("data"), &policy(&[orders(), queue(), everything()]));
    home.deliver(&home.event("CreatePolicyVersion", json!({"policyArn": managed("data")}))).await;
    let said = home.content(&policy_resource(&managed("data")), &Surface::ManagedPolicy(managed("data")));
    assert_eq!(said, Content::new(policy(&[orders(), queue()])));
}

#[tokio::test]
async fn what_stood_in_a_managed_policy_stands_where_its_place_was_taken() {
    let home = open(&[]);
    let stood = policy(&[queue(), json!({"Sid": "Old", "Effect": "Allow", "Action": "s3:*", "Resource": "*"})]);
    write_version(&home, &managed("mixed"), &stood);
    attach(&home, &role("pay"), &managed("mixed"));
    let home = opt_in(home).await;
    let own = Surface::InlinePolicy(managed("mixed").stand_in());
    // It is nobody's new finding there, also where that was looked at before, and put right where it gets worse.
    for _ in 0..2 {
        write_version(&home, &managed("mixed"), &policy(&[everything()]));
        home.sweep(&role("pay")).await;
        assert_eq!(home.content(&role("pay"), &Surface::Attachment(managed("mixed"))).policy(), None);
        home.sweep(&role("pay")).await;
        assert_eq!(home.content(&role("pay"), &own), Content::new(stood.clone()), "{:?}", home.log(&role("pay")));
        home.write(&role("pay"), &own, &written(&policy(&[everything()])));
        home.sweep(&role("pay")).await;
        assert_eq!(home.content(&role("pay"), &own), Content::new(stood.clone()), "{:?}", home.log(&role("pay")));
    }
}

#[tokio::test]
async fn what_may_stay_of_a_policy_that_was_attached_with_an_administrators_stays() {
    let home = guarded().await;
    write_version(&home, &managed("mixed"), &policy(&[queue(), everything()]));
    attach(&home, &role("pay"), &managed("mixed"));
    let event = json!({"roleName": "pay", "policyArn": managed("mixed")});
    home.deliver(&home.event("AttachRolePolicy", event)).await;
    let stand_in = Surface::InlinePolicy(managed("mixed").stand_in());
    assert_eq!(home.content(&role("pay"), &stand_in), Content::new(policy(&[queue()])));
    assert!(home.content(&role("pay"), &Surface::Attachment(managed("mixed"))).policy().is_none());
    // An administrator's alone is detached, as ever.
    attach(&home, &role("pay"), &admin());
    home.deliver(&home.event("AttachRolePolicy", json!({"roleName": "pay", "policyArn": admin()}))).await;
    assert!(home.content(&role("pay"), &Surface::Attachment(admin())).policy().is_none());
}

/// All room of the role's own policies but what an administrator of IAM needs; what may stay of that names action after
/// action, and has none.
fn padded(home: &Home) -> Value {
    let wide = json!({"Sid": "Wide", "Effect": "Allow", "Action": "iam:*Policy*", "Resource": "*"});
    let document = policy(&[queue(), wide]);
    let fits = |padding: &Value| padding.to_string().len() + document.to_string().len() <= 10_240;
    let mut paddings = (9_000..10_240).map(|characters| policy(&[long_orders(characters)]));
    let padding = paddings.rfind(fits).unwrap();
    home.write(&role("pay"), &inline("orders"), &written(&padding));
    document
}

#[tokio::test]
async fn padding_shelters_no_administrator() {
    let home = guarded().await;
    let document = padded(&home);
    home.sweep(&role("pay")).await;
    put(&home, "debug", &document).await;
    holds(&home, "debug", &policy(&[queue()]));
    let applied = home.of_step(&role("pay"), Step::Applied).pop().unwrap();
    let note = applied.entry.note.clone().unwrap();
    assert!(note.contains("it went with what had to go: `Wide"), "{note}");
    // The undo brings all of it back.
    home.undo(&applied).await.unwrap();
    holds(&home, "debug", &document);
}

#[tokio::test]
async fn who_wants_it_withheld_has_it_withheld() {
    let home = opt_in(open(&[("WARDEN_CRITICAL_WITHOUT_ROOM", "withhold")])).await;
    let document = padded(&home);
    home.sweep(&role("pay")).await;
    put(&home, "debug", &document).await;
    holds(&home, "debug", &document);
    assert_eq!(home.withheld(&role("pay"), "no-safe-change").len(), 1);
}
