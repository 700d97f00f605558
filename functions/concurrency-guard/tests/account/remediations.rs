//! Every remediation of concurrency-guard, and its undo, cut off before and after each of its calls; and who wins.

use crate::shop::{Shop, event, open, opted_in, pay, reserve, reserved, taken};
use concurrency_guard::ConcurrencyGuard;
use jiff::SignedDuration;
use serde_json::{Value, json};
use warden_engine::{
    call_error::ErrorKind,
    ledger::record::{Reason, Step},
    model::{concurrency, content::Content, surface::Surface},
};
use warden_testing::{
    Fault, Port,
    guarded::{self, Violation as _},
};

const CAPPED: [(&str, &str); 2] = [("warden", "enforce"), ("warden:max-concurrency", "10")];

/// A violation: what was reserved at the opt-in, what is set, and the call that puts it right.
struct Violation {
    name: &'static str,
    before: Option<u32>,
    changed: (Surface, Content),
    event: (&'static str, Value),
    calls: &'static [&'static str],
}

fn violations() -> Vec<Violation> {
    let put = |name, before, after: Option<u32>, calls| Violation {
        name,
        before,
        changed: (Surface::Concurrency, concurrency::reserved(after)),
        event: match after {
            Some(after) => {
                let parameters = json!({"functionName": "pay", "reservedConcurrentExecutions": after});
                ("PutFunctionConcurrency20171031", parameters)
            }
            None => ("DeleteFunctionConcurrency20171031", json!({"functionName": "pay"})),
        },
        calls,
    };
    vec![
        put("a reservation deleted", Some(5), None, &["PutFunctionConcurrency(pay, 5)"]),
        put("a reservation raised", Some(5), Some(50), &["PutFunctionConcurrency(pay, 5)"]),
        put("a function that was stopped let loose", Some(0), None, &["PutFunctionConcurrency(pay, 10)"]),
        Violation {
            name: "recursion allowed",
            before: Some(5),
            changed: (Surface::Recursion, concurrency::recursion(Some("Allow"))),
            event: ("PutFunctionRecursionConfig", json!({"functionName": "pay", "recursiveLoop": "Allow"})),
            calls: &["PutFunctionRecursionConfig(pay, Terminate)"],
        },
    ]
}

impl guarded::Violation<ConcurrencyGuard> for Violation {
    fn name(&self) -> &str {
        self.name
    }

    fn calls(&self) -> &[&str] {
        self.calls
    }

    async fn happens(&self) -> (Shop, Vec<Value>) {
        let shop = open(&[]);
        opted_in(&shop, "pay", &CAPPED, self.before).await;
        let (surface, content) = &self.changed;
        shop.put(&pay(), surface, content.clone());
        let events = vec![shop.event(self.event.0, self.event.1.clone())];
        (shop, events)
    }
}

warden_testing::holds_for_every!(violations());

fn is_reserved(shop: &Shop, name: &str, expected: Option<u32>) {
    assert_eq!(reserved(shop, name), concurrency::reserved(expected), "{:?}", shop.log(&pay()));
}

/// Lambda has no lock for it: what a person sets between the look and the call is seen by reading once more.
#[tokio::test]
async fn what_a_person_reserves_while_the_guard_decides_wins_and_is_recorded() {
    let shop = open(&[]);
    opted_in(&shop, "pay", &CAPPED, Some(5)).await;
    shop.put(&pay(), &Surface::Concurrency, Content::ABSENT);
    shop.meanwhile(Port::Snapshot, |world| world.put(&pay(), &Surface::Concurrency, concurrency::reserved(Some(7))));
    shop.deliver(&event(&shop, "pay", None)).await;
    is_reserved(&shop, "pay", Some(7));
    assert_eq!(shop.calls_made(), Vec::<String>::new());
    let failed = shop.of_step(&pay(), Step::Failed).pop().and_then(|record| record.entry.note).unwrap_or_default();
    assert!(failed.contains("somebody changed the content in the meantime"), "{failed}");
    // It is the setting that counts from now on.
    reserve(&shop, "pay", None).await;
    is_reserved(&shop, "pay", Some(7));
}

#[tokio::test]
async fn what_a_person_sets_later_within_the_cap_stays() {
    let shop = open(&[]);
    opted_in(&shop, "pay", &CAPPED, Some(5)).await;
    reserve(&shop, "pay", None).await;
    is_reserved(&shop, "pay", Some(5));
    for person in [8, 10, 1, 0] {
        reserve(&shop, "pay", Some(person)).await;
        is_reserved(&shop, "pay", Some(person));
    }
    assert_eq!(shop.calls_made(), ["PutFunctionConcurrency(pay, 5)"]);
    let note = shop.of_step(&pay(), Step::Observed).pop().and_then(|record| record.entry.note).unwrap_or_default();
    assert!(note.contains("stopped the function by hand"), "{note}");
}

/// Attack: whoever may tag takes the account's concurrency for their own functions.
#[tokio::test]
async fn caps_by_tag_of_ten_functions_starve_nobody() {
    let shop = open(&[]);
    for nth in 0..10 {
        opted_in(&shop, &format!("mine-{nth}"), &[("warden", "enforce"), ("warden:max-concurrency", "120")], None)
            .await;
        assert!(taken(&shop.world) <= 500, "half of the account's is everybody's");
    }
    assert_eq!(taken(&shop.world), 480);
    let mut withheld = shop.steps(Step::Withheld);
    withheld.retain(|record| record.entry.reason == Some(Reason::NoSafeChange));
    let notes: Vec<String> = withheld.into_iter().filter_map(|record| record.entry.note).collect();
    assert_eq!(notes.len(), 6);
    assert!(notes.iter().all(|note| note.contains("starve others") && note.contains("500")), "{notes:?}");
}

/// Attack: two people, or two pipelines, tag the same function with one cap after the other.
#[tokio::test]
async fn a_tag_war_ends_by_the_breaker() {
    let shop = open(&[]);
    opted_in(&shop, "pay", &CAPPED, Some(10)).await;
    let tag = async |cap: &str| {
        shop.tag(&pay(), "warden:max-concurrency", cap);
        let tags = json!({"warden:max-concurrency": cap});
        shop.deliver(&shop.event("TagResource", json!({"resource": pay(), "tags": tags}))).await;
        shop.pass(SignedDuration::from_secs(30)).await;
    };
    for _ in 0..6 {
        tag("5").await;
        tag("10").await;
        reserve(&shop, "pay", Some(10)).await;
    }
    assert_eq!(shop.calls_made(), ["PutFunctionConcurrency(pay, 5)"; 3]);
    assert!(!shop.withheld(&pay(), "breaker").is_empty(), "{:?}", shop.log(&pay()));
}

#[tokio::test]
async fn what_lambda_keeps_for_others_is_not_tried_again_for_an_hour() {
    let shop = open(&[]);
    opted_in(&shop, "pay", &CAPPED, Some(5)).await;
    let planned = |expected| assert_eq!(shop.of_step(&pay(), Step::Planned).len(), expected, "{:?}", shop.log(&pay()));
    shop.fault_at(Port::Call, 0, Fault::Refused(ErrorKind::UnreservedConcurrency));
    reserve(&shop, "pay", None).await;
    is_reserved(&shop, "pay", None);
    planned(1);
    let note = shop.withheld(&pay(), "no-safe-change").pop().and_then(|record| record.entry.note).unwrap_or_default();
    assert!(note.contains("as the failed record says") && note.contains("L-B99A9384"), "{note}");
    reserve(&shop, "pay", None).await;
    planned(1);
    shop.pass(SignedDuration::from_hours(1)).await;
    reserve(&shop, "pay", None).await;
    planned(2);
    is_reserved(&shop, "pay", Some(5));
}

/// The tag asks for it; the stack's cap came with the opt-in, and does not.
#[tokio::test]
async fn what_was_reserved_before_the_opt_in_stands_under_the_stacks_cap_and_not_under_ones_own() {
    let shop = open(&[("WARDEN_MAX_CONCURRENCY", "10")]);
    opted_in(&shop, "pay", &[("warden", "enforce")], Some(40)).await;
    is_reserved(&shop, "pay", Some(40));
    assert_eq!(shop.withheld(&pay(), "pre-existing").len(), 1);
    opted_in(&shop, "shop", &CAPPED, Some(40)).await;
    is_reserved(&shop, "shop", Some(10));
}

/// The owner's own cap is no new rule of somebody else's.
#[tokio::test]
async fn a_cap_that_its_owner_lowers_holds_for_what_is_in_force() {
    let shop = open(&[]);
    opted_in(&shop, "pay", &[("warden", "enforce"), ("warden:max-concurrency", "50")], Some(40)).await;
    is_reserved(&shop, "pay", Some(40));
    opted_in(&shop, "pay", &CAPPED, Some(40)).await;
    is_reserved(&shop, "pay", Some(10));
}
