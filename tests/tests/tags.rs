//! Opting in and out by tags: spellings that AWS takes, and the service control policy that reserves the keys.

use aws_sdk_iam::types::Tag;
use aws_sdk_lambda::{
    Client,
    error::ProvideErrorMetadata,
    primitives::Blob,
    types::{FunctionCode, Runtime},
};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use warden_engine::{
    ledger::record::Step,
    model::tags::{GuardKind, TAG_KEYS},
};
use warden_sandbox::workspace;
use warden_tests::{Account, arn, lambda_trust, policy, role_arn, tag};

const ADMINISTRATOR: &str = "arn:aws:iam::aws:policy/AdministratorAccess";

/// A role's tag keys are the same in any letters, and a new spelling takes the place of the old one (IAM user guide,
/// "Tags for IAM resources").
#[tokio::test]
async fn a_role_is_opted_in_and_out_by_a_key_in_any_letters() {
    let account = Account::guarded().await;
    account.role("pay", &[("Warden", "enforce")]).await;
    account.settle().await;
    account.attach("pay", ADMINISTRATOR).await;
    account.settle().await;
    assert_eq!(account.attached("pay").await, Vec::<String>::new());

    account.iam.tag_role().role_name("pay").tags(tag("WARDEN", "off")).send().await.expect("tagged");
    account.settle().await;
    account.attach("pay", ADMINISTRATOR).await;
    account.settle().await;
    assert_eq!(account.attached("pay").await, [ADMINISTRATOR]);
    let story = account.story_of(&role_arn("pay")).await;
    assert_eq!((story[0].as_str(), story.last().map(String::as_str)), ("opted-in", Some("opted-out")), "{story:?}");
}

#[tokio::test]
async fn a_value_with_a_space_behind_it_is_reported_and_changes_nothing() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce ").await;
    account.grant("pay", None, "open", "*").await;
    account.settle().await;
    assert_eq!(account.sids("pay", None).await, ["open"]);
    let observed = account.steps("pay", Step::Observed).await;
    let notes: BTreeSet<&str> = observed.iter().filter_map(|record| record.entry.note.as_deref()).collect();
    assert_eq!(notes, BTreeSet::from(["tag `warden` = `enforce `: use off, observe or enforce; treated as observe"]));
    assert_eq!(
        account.story_by(GuardKind::Access, &arn("pay")).await,
        ["opted-in", "observed", "observed resource-policy public-invoke"]
    );
}

fn service_control_policy() -> Value {
    let path = workspace().join("infra/service-control-policy.json");
    serde_json::from_str(&std::fs::read_to_string(path).expect("the policy")).expect("JSON")
}

/// The statement of the service control policy that has this Sid.
fn statement<'a>(document: &'a Value, sid: &str) -> &'a Value {
    let statements = document["Statement"].as_array().expect("statements");
    statements.iter().find(|statement| statement["Sid"] == sid).expect("the statement")
}

/// What stands in a member that may be one string or several.
fn strings(value: &Value) -> BTreeSet<&str> {
    let one_or_more = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
    one_or_more.iter().map(|string| string.as_str().expect("a string")).collect()
}

#[test]
fn the_service_control_policy_reserves_every_tag_and_fits() {
    let document = service_control_policy();
    let keys = |sid: &str| {
        strings(&statement(&document, sid)["Condition"]["ForAnyValue:StringEqualsIgnoreCase"]["aws:TagKeys"])
    };
    let all = BTreeSet::from(TAG_KEYS);
    assert_eq!(keys("KeepWardensTags"), all);
    assert_eq!(keys("SetWardenToEnforceAlone"), BTreeSet::from(["warden"]));
    assert_eq!(keys("SpellWardenInSmallLetters"), BTreeSet::from(["warden"]));
    assert_eq!(keys("SetNoOtherTagOfWardens"), all.difference(&BTreeSet::from(["warden"])).copied().collect());
    for statement in document["Statement"].as_array().expect("statements") {
        let actions = strings(&statement["Action"]);
        // A role from a template is a new role as well. MiniStack has no AcquireRole to try.
        assert_eq!(actions.contains("iam:CreateRole"), actions.contains("iam:AcquireRole"), "{}", statement["Sid"]);
    }
    // AWS Organizations user guide, "Quotas and service limits": a service control policy has 5,120 characters at most,
    // with the white space where it is put there by the API.
    assert!(document.to_string().len() <= 5120);
}

/// Every way to write `warden` but in small letters alone.
fn other_spellings() -> impl Iterator<Item = String> {
    (1_u32..1 << "warden".len()).map(|capitals| {
        let spell = |(place, letter): (usize, char)| {
            if capitals >> place & 1 == 1 { letter.to_ascii_uppercase() } else { letter }
        };
        "warden".chars().enumerate().map(spell).collect()
    })
}

#[test]
fn the_patterns_of_the_service_control_policy_are_every_spelling_but_the_tags() {
    let document = service_control_policy();
    let condition = &statement(&document, "SpellWardenInSmallLetters")["Condition"];
    let patterns = strings(&condition["ForAnyValue:StringLike"]["aws:TagKeys"]);
    let fits = |key: &str| {
        let fits = |pattern: &&str| {
            pattern.len() == key.len() && pattern.bytes().zip(key.bytes()).all(|(p, k)| p == b'?' || p == k)
        };
        patterns.iter().any(fits)
    };
    assert!(!fits("warden"));
    for spelling in other_spellings() {
        assert!(fits(&spelling), "{spelling}");
    }
}

/// Somebody with every permission, under the service control policy.
struct Bound {
    lambda: Client,
    iam: aws_sdk_iam::Client,
}

impl Bound {
    /// A session of a new role of that name. The local account has no organisation: the policy stands in the role
    /// itself, where a Deny works in the same way.
    async fn new(account: &Account, role: &str) -> Bound {
        account.role(role, &[]).await;
        account.attach(role, ADMINISTRATOR).await;
        account.put_role_policy(role, "service-control-policy", &service_control_policy()).await;
        let session = account.sandbox.session(&role_arn(role), "mallory").await.expect("a session");
        let config = account.sandbox.config_as(session, "us-east-1");
        Bound { lambda: Client::new(&config), iam: aws_sdk_iam::Client::new(&config) }
    }

    async fn tag_function(&self, name: &str, key: &str, value: &str) -> bool {
        refused(self.lambda.tag_resource().resource(arn(name)).tags(key, value).send().await)
    }

    async fn untag_function(&self, name: &str, key: &str) -> bool {
        refused(self.lambda.untag_resource().resource(arn(name)).tag_keys(key).send().await)
    }

    async fn create_function(&self, name: &str, tags: &[(&str, &str)]) -> bool {
        let mut zip = b"PK\x05\x06".to_vec();
        zip.resize(22, 0);
        let create = self.lambda.create_function().function_name(name).runtime(Runtime::Providedal2023);
        let create = create.handler("bootstrap").code(FunctionCode::builder().zip_file(Blob::new(zip)).build());
        let tags = tags.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        refused(create.role(role_arn("shop")).set_tags(Some(tags)).send().await)
    }

    async fn delete_function(&self, name: &str) -> bool {
        refused(self.lambda.delete_function().function_name(name).send().await)
    }

    async fn create_role(&self, path: &str, name: &str, tags: &[Tag]) -> bool {
        let create = self.iam.create_role().path(path).role_name(name);
        let create = create.assume_role_policy_document(lambda_trust().to_string());
        refused(create.set_tags(Some(tags.to_vec())).send().await)
    }

    async fn create_policy(&self, name: &str, tags: Tag) -> bool {
        let document = policy(&[json!({"Effect": "Allow", "Action": "sqs:SendMessage",
            "Resource": "arn:aws:sqs:us-east-1:111122223333:orders"})]);
        let create = self.iam.create_policy().policy_name(name).policy_document(document.to_string());
        refused(create.tags(tags).send().await)
    }

    async fn tag_role(&self, name: &str, key: &str, value: &str) -> bool {
        refused(self.iam.tag_role().role_name(name).tags(tag(key, value)).send().await)
    }

    async fn untag_role(&self, name: &str, key: &str) -> bool {
        refused(self.iam.untag_role().role_name(name).tag_keys(key).send().await)
    }

    /// Which ways to change a role are refused: its trust, its policies, its tags, its end.
    async fn change_role(&self, name: &str) -> [bool; 5] {
        let document = policy(&[json!({"Effect": "Allow", "Action": "*", "Resource": "*"})]).to_string();
        let trust = lambda_trust().to_string();
        [
            refused(self.iam.update_assume_role_policy().role_name(name).policy_document(trust).send().await),
            refused(self.iam.attach_role_policy().role_name(name).policy_arn(ADMINISTRATOR).send().await),
            refused(
                self.iam.put_role_policy().role_name(name).policy_name("more").policy_document(document).send().await,
            ),
            self.tag_role(name, "team", "pay").await,
            refused(self.iam.delete_role_policy().role_name(name).policy_name("more").send().await),
        ]
    }
}

/// Whether IAM refused it. Anything else that goes wrong fails the test.
fn refused<T: std::fmt::Debug, E: ProvideErrorMetadata + std::fmt::Debug>(answer: Result<T, E>) -> bool {
    match answer {
        Ok(_) => false,
        Err(error) => {
            let code = error.code().unwrap_or_default().to_owned();
            assert!(code.starts_with("AccessDenied"), "{error:?}");
            true
        }
    }
}

#[tokio::test]
async fn under_the_service_control_policy_nobody_but_the_platform_takes_a_function_out_of_guard() {
    let account = Account::guarded().await;
    let developer = Bound::new(&account, "developer").await;
    let platform = Bound::new(&account, "platform-admin").await;
    let pipeline = Bound::new(&account, "deploy-shop").await;
    account.opted_in("pay", "enforce").await;
    let with_one_guard: Vec<(String, String)> =
        GuardKind::ALL.iter().map(|guard| (format!("cart-{guard}"), format!("warden:{guard}"))).collect();
    for (name, key) in &with_one_guard {
        account.function(name, &[(key, "enforce")]).await;
    }
    account.function("other", &[]).await;
    account.role("guarded-role", &[("Warden", "enforce")]).await;

    for key in ["warden", "Warden", "WARDEN:Access", "warden:exempt"] {
        assert!(developer.tag_function("pay", key, "off").await, "{key}");
        assert!(developer.untag_function("pay", key).await, "{key}");
        assert!(developer.tag_role("guarded-role", key, "off").await, "{key}");
        assert!(developer.untag_role("guarded-role", key).await, "{key}");
    }
    assert!(!developer.tag_function("pay", "team", "pay").await);
    assert!(!platform.tag_function("pay", "warden", "observe").await);

    // Deleted and made again without its tag.
    assert!(developer.delete_function("pay").await);
    for (name, _) in &with_one_guard {
        assert!(developer.delete_function(name).await, "{name}");
    }
    assert!(refused(developer.iam.delete_role().role_name("guarded-role").send().await));
    assert!(!developer.delete_function("other").await);
    assert!(!pipeline.delete_function("pay").await);
    for (name, _) in &with_one_guard {
        assert!(!platform.delete_function(name).await, "{name}");
    }
    assert!(pipeline.create_function("guarded-pay", &[]).await);
    assert!(pipeline.create_function("guarded-pay", &[("warden", "observe")]).await);
    assert!(pipeline.create_function("guarded-pay", &[("warden", "enforce"), ("Warden:Access", "off")]).await);
    for path in ["/", "/team/", "/team/pay/"] {
        assert!(developer.create_role(path, "guarded-other", &[]).await, "{path}");
        assert!(developer.create_role(path, "guarded-other", &[tag("WARDEN", "off")]).await, "{path}");
    }
    assert!(developer.create_policy("orders", tag("warden", "off")).await);
}

/// A deployment tool needs no more than to be allowed to tag: it makes what is guarded, and says its tags again.
#[tokio::test]
async fn under_the_service_control_policy_anybody_makes_what_is_guarded() {
    let account = Account::guarded().await;
    let developer = Bound::new(&account, "developer").await;
    assert!(!developer.create_function("guarded-pay", &[("warden", "enforce"), ("team", "pay")]).await);
    assert!(!developer.create_function("cart", &[("team", "pay")]).await);
    for name in ["guarded-pay", "cart"] {
        assert!(!developer.tag_function(name, "warden", "enforce").await, "{name}");
    }
    assert!(!developer.create_role("/", "guarded-one", &[tag("warden", "enforce")]).await);
    assert!(!developer.create_role("/team/", "guarded-two", &[tag("warden", "enforce"), tag("team", "pay")]).await);
    assert!(!developer.tag_role("guarded-two", "warden", "enforce").await);
    assert!(!developer.create_policy("orders", tag("warden", "enforce")).await);
}

/// Condition keys have no case (IAM user guide, "IAM JSON policy elements: Condition"), so that `aws:RequestTag/warden`
/// is the value of a tag `Warden` too. A function's tags and a policy's have: `Warden` opts nothing in.
#[tokio::test]
async fn under_the_service_control_policy_another_spelling_of_the_tag_is_none() {
    let account = Account::guarded().await;
    let developer = Bound::new(&account, "developer").await;
    account.opted_in("pay", "enforce").await;
    for spelling in other_spellings() {
        let alone = [(spelling.as_str(), "enforce")];
        assert!(developer.create_function("guarded-pay", &alone).await, "{spelling}");
    }
    for spelling in ["Warden", "wardeN", "WARDEN"] {
        for value in ["off", "enforce"] {
            let both = [("warden", value), (spelling, "enforce")];
            assert!(developer.create_function("guarded-pay", &both).await, "{spelling} and warden={value}");
        }
        assert!(developer.tag_function("pay", spelling, "enforce").await, "{spelling}");
        assert!(developer.create_policy("orders", tag(spelling, "enforce")).await, "{spelling}");
        assert!(developer.create_role("/", "guarded-role", &[tag(spelling, "enforce")]).await, "{spelling}");
    }
}

#[tokio::test]
async fn under_the_service_control_policy_nobody_becomes_one_of_the_roles_that_it_exempts() {
    let account = Account::guarded().await;
    let developer = Bound::new(&account, "developer").await;
    let platform = Bound::new(&account, "platform-admin").await;
    // Whoever may make roles makes one of that name, or below a path.
    let namesake = Bound::new(&account, "platform-x").await;
    account.opted_in("pay", "enforce").await;
    assert!(namesake.untag_function("pay", "warden").await);
    assert!(namesake.delete_function("pay").await);
    assert!(developer.create_role("/", "deploy-shop", &[]).await);
    let pipeline = Bound::new(&account, "deploy-shop").await;
    for name in ["platform-admin", "deploy-shop"] {
        assert_eq!(developer.change_role(name).await, [true; 5], "{name}");
        assert_eq!(pipeline.change_role(name).await, [true; 5], "{name}");
        assert!(developer.tag_role(name, "warden", "enforce").await, "{name}");
        assert!(refused(developer.iam.delete_role().role_name(name).send().await), "{name}");
    }
    assert_eq!(platform.change_role("deploy-shop").await, [false; 5]);
    assert!(!developer.create_role("/", "another", &[]).await);
    assert_eq!(developer.change_role("another").await, [false; 5]);
}
