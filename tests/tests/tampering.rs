//! What somebody who may write to the ledger's table can do with that: command no guard, and blind none. Each test
//! writes past Warden with an administrator's client of DynamoDB.

use aws_sdk_dynamodb::types::AttributeValue;
use serde_json::{Value, json};
use std::collections::HashMap;
use warden_engine::{
    Severity,
    ledger::record::{Record, Step},
    model::surface::Resource,
};
use warden_tests::{Account, arn};

type Item = HashMap<String, AttributeValue>;

/// The table, past Warden.
struct Table<'a> {
    account: &'a Account,
    client: aws_sdk_dynamodb::Client,
}

impl Table<'_> {
    fn of(account: &Account) -> Table<'_> {
        Table { account, client: aws_sdk_dynamodb::Client::new(&account.sandbox.config()) }
    }

    fn name(&self) -> &str {
        &self.account.deployment.table
    }

    /// Every item of a function.
    async fn items(&self, function: &str) -> Vec<Item> {
        let query = self.client.query().table_name(self.name()).key_condition_expression("pk = :pk");
        let answer = query.expression_attribute_values(":pk", AttributeValue::S(arn(function))).send().await;
        answer.expect("the items").items.unwrap_or_default()
    }

    async fn item(&self, function: &str, sk: &str) -> Item {
        let items = self.items(function).await;
        items.into_iter().find(|item| item["sk"] == AttributeValue::S(sk.into())).expect("the item")
    }

    async fn put(&self, item: Item) {
        self.client.put_item().table_name(self.name()).set_item(Some(item)).send().await.expect("written");
    }

    async fn delete(&self, item: &Item) {
        let delete = self.client.delete_item().table_name(self.name());
        delete.key("pk", item["pk"].clone()).key("sk", item["sk"].clone()).send().await.expect("deleted");
    }
}

fn text(item: &Item, name: &str) -> String {
    item[name].as_s().expect("text").clone()
}

/// The same item with another body.
fn with_body(item: &Item, name: &str, change: impl FnOnce(&mut Value)) -> Item {
    let mut body: Value = serde_json::from_str(&text(item, name)).expect("JSON");
    change(&mut body);
    let mut item = item.clone();
    item.insert(name.into(), AttributeValue::S(body.to_string()));
    item
}

/// Whether a critical record says that the table was tampered with.
fn is_reported(records: &[Record]) -> bool {
    let says = |record: &Record| record.entry.note.as_deref().is_some_and(|note| note.contains("the ledger's table"));
    records.iter().any(|record| record.entry.severity == Some(Severity::Critical) && says(record))
}

#[tokio::test]
async fn a_forged_intent_makes_no_guard_carry_out_anything() {
    let account = Account::guarded().await;
    account.opted_in("pay", "enforce").await;
    account.grant_properly("pay", "orders").await;
    account.settle().await;
    let table = Table::of(&account);
    // An intent as a guard would write it, whose lease has run out: to put in a statement for a stranger.
    account.grant("pay", None, "open", "*").await;
    account.settle().await;
    let [planned] = account.steps("pay", Step::Planned).await.try_into().expect("one");
    let state = table.item("pay", "state#resource-policy").await;
    let public = json!({"Version": "2012-10-17", "Statement": [{"Sid": "evil", "Effect": "Allow",
        "Principal": {"AWS": "999999999999"}, "Action": "lambda:InvokeFunction", "Resource": arn("pay")}]});
    let forged = with_body(&state, "state", |state| {
        let now = account_policy(&planned);
        state["intent"] = json!({
            "purpose": {"kind": "remedy"}, "remediation": "0123456789abcdef-9", "findings": [],
            "lease": "2026-01-01T00:00:00Z",
            "plan": {"surface": "resource-policy", "before": now, "after": public,
                "changes": [{"expect": now, "result": public, "call": {"operation": "PutResourcePolicy",
                    "function": arn("pay"), "policy": public}, "undo": {"operation": "PutResourcePolicy",
                    "function": arn("pay"), "policy": now}}]},
        });
    });
    table.put(forged).await;
    account.grant_properly("pay", "returns").await;
    account.settle().await;

    assert_eq!(account.sids("pay", None).await, ["orders", "returns"]);
    assert!(is_reported(&account.records(&arn("pay")).await));
}

/// What the function's policy was left as.
fn account_policy(planned: &Record) -> Value {
    serde_json::to_value(&planned.entry.diff.as_ref().expect("a diff").after).expect("JSON")
}

#[tokio::test]
async fn erasing_a_state_takes_nothing_for_pre_existing() {
    let account = Account::guarded().await;
    account.open_before_the_opt_in("pay").await;
    assert_eq!(account.story("pay").await, ["opted-in", "withheld resource-policy public-invoke (pre-existing) alert"]);
    let table = Table::of(&account);

    account.sandbox.trail().faults().hold_deliveries();
    account.grant("pay", None, "open", "*").await;
    table.delete(&table.item("pay", "state#resource-policy").await).await;
    account.sandbox.trail().release(warden_sandbox::Order::Happened);
    account.settle().await;

    // What stood before still stands, as the records tell.
    assert_eq!(account.sids("pay", None).await, ["old"]);
    assert!(is_reported(&account.records(&arn("pay")).await));
    // It is said once.
    let records = account.records(&arn("pay")).await.len();
    account.grant_properly("pay", "orders").await;
    account.settle().await;
    assert_eq!(account.records(&arn("pay")).await.len(), records);
}

#[tokio::test]
async fn where_the_records_are_gone_too_only_what_an_event_names_is_put_right() {
    let account = Account::guarded().await;
    account.open_before_the_opt_in("pay").await;
    let table = Table::of(&account);
    for item in table.items("pay").await {
        if text(&item, "sk") != "state#resource-policy" {
            table.delete(&item).await;
        }
    }
    account.grant("pay", None, "open", "*").await;
    account.settle().await;

    assert_eq!(account.sids("pay", None).await, ["old"]);
    let story = account.story("pay").await;
    assert!(story.contains(&"withheld resource-policy public-invoke (ledger-tampered) alert".to_owned()), "{story:?}");
    assert!(is_reported(&account.records(&arn("pay")).await));
}

/// Each item of a function's in the table, replaced by anything or dropped: the same event puts right what it would
/// have put right without, nothing else is changed, and it is reported.
#[tokio::test]
async fn whatever_is_done_to_the_table_the_attack_is_put_right_and_nothing_else() {
    let account = Account::guarded().await;
    account.opted_in("other", "enforce").await;
    account.grant("other", None, "open", "*").await;
    account.settle().await;
    let table = Table::of(&account);
    let foreign = table.items("other").await;
    let mut done = Vec::new();
    let names: Vec<String> = (0..CASES).map(|number| format!("pay-{number}")).collect();
    for (round, names) in names.chunks(AT_ONCE).enumerate() {
        for name in names {
            account.function(name, &[]).await;
            account.grant(name, None, "old", "*").await;
        }
        account.settle().await;
        for name in names {
            account.tag(name, &[("warden", "enforce")]).await;
        }
        account.settle().await;
        let mut earlier = Vec::new();
        for name in names {
            earlier.push(table.items(name).await);
            account.grant(name, None, "first", "*").await;
        }
        account.settle().await;
        account.sandbox.trail().faults().hold_deliveries();
        for (number, (name, earlier)) in names.iter().zip(&earlier).enumerate() {
            let all = tampering(&table.items(name).await, earlier, &foreign);
            assert_eq!(all.len(), CASES, "as many as there are functions");
            let what = all.into_iter().nth(round * AT_ONCE + number).expect("a case");
            account.grant(name, None, "open", "*").await;
            match &what.item {
                Some(item) => table.put(item.clone()).await,
                None => table.delete(&what.at).await,
            }
            done.push((name.clone(), what));
        }
        account.sandbox.trail().release(warden_sandbox::Order::Happened);
        account.settle().await;
    }

    for (name, what) in &done {
        assert_eq!(account.sids(name, None).await, ["old"], "{}", what.name);
        let resource: Resource = arn(name).parse().expect("a resource");
        let said = match account.ledger.chain(&resource).await {
            Ok((records, _)) => {
                let records: Vec<Record> = records.into_iter().map(|stored| stored.record).collect();
                is_reported(&records)
            }
            // A record in the middle is found by `warden audit verify`.
            Err(error) => error.to_string().contains("seal"),
        };
        assert!(said || what.is_dropped_record, "{}", what.name);
    }
    println!("{} ways of tampering, the attack put right in each", done.len());
}

/// How many ways of tampering there are with the items of one function.
const CASES: usize = 64;
/// How many functions are attacked together.
const AT_ONCE: usize = 8;

/// One way of tampering.
struct Tampering {
    name: String,
    at: Item,
    /// What the item becomes; none where it is deleted.
    item: Option<Item>,
    /// Whether it is a record before the last that is gone: `warden audit verify` finds that by the chain.
    is_dropped_record: bool,
}

fn tampering(items: &[Item], earlier: &[Item], foreign: &[Item]) -> Vec<Tampering> {
    let mut all = Vec::new();
    let last = items.iter().map(|item| text(item, "sk")).filter(|sk| sk.starts_with("rec#")).max();
    for item in items {
        let sk = text(item, "sk");
        let kind = ["head", "state", "record"].into_iter().find(|kind| item.contains_key(*kind)).expect("a kind");
        let is_middle = kind == "record" && Some(&sk) != last.as_ref();
        let mut add = |name: &str, changed: Option<Item>| {
            let name = format!("{name}: {sk}");
            let is_dropped_record = changed.is_none() && is_middle;
            all.push(Tampering { name, at: item.clone(), item: changed, is_dropped_record });
        };
        let set = |name: &str, value: AttributeValue| {
            let mut item = item.clone();
            item.insert(name.into(), value);
            Some(item)
        };
        add("dropped", None);
        add(
            "without its seal",
            Some(item.iter().filter(|(name, _)| *name != "seal").map(|(n, v)| (n.clone(), v.clone())).collect()),
        );
        add("its body is no JSON", set(kind, AttributeValue::S("{".into())));
        add("its body is a number", set(kind, AttributeValue::N("7".into())));
        add("its seal is another", set("seal", AttributeValue::S("AAAA".into())));
        add("with another body", Some(with_body(item, kind, |body| body["extra"] = json!(1))));
        if kind != "record" {
            add("with another version", set("version", AttributeValue::N("99".into())));
            add("with no number for a version", set("version", AttributeValue::S("x".into())));
            if let Some(old) = earlier.iter().find(|old| old["sk"] == item["sk"] && *old != item) {
                add("from an earlier time", Some(old.clone()));
            }
        }
        if let Some(other) =
            foreign.iter().find(|other| other.contains_key(kind) && (kind != "state" || other["sk"] == item["sk"]))
        {
            let mut moved = other.clone();
            moved.insert("pk".into(), item["pk"].clone());
            moved.insert("sk".into(), item["sk"].clone());
            add("another resource's", Some(moved));
        }
    }
    all
}
