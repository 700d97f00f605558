//! Content that cannot be judged or kept, and more of it than one transaction takes.

use crate::toy::{Stage, bad, good, policy, policy_of};
use serde_json::{Value, json};
use warden_engine::{
    ledger::record::{Reason, Step},
    model::content::Content,
};

#[tokio::test]
async fn what_does_not_parse_is_reported_once_and_not_changed() {
    let stage = Stage::enforced().await;
    for text in ["{\"Statement\":", "{\"Statement\":", "\u{202e}}{"] {
        let content = Content::new(Value::String(text.into()));
        stage.world.put(&stage.pay, &policy_of(""), content.clone());
        stage.deliver(&stage.event("AddPermission", "pay", None)).await;
        assert_eq!(stage.world.content(&stage.pay, &policy_of("")), content);
    }
    stage.check_log(&["opted-in", "observed resource-policy", "observed resource-policy"]);
    assert_eq!(stage.last(Step::Observed).entry.note.as_deref(), Some("not judged, and not changed: it is text"));
    assert_eq!(stage.world.state(&stage.pay, &policy_of("")).baseline, Some(policy(&[good("shop")])));
}

#[tokio::test]
async fn content_that_no_record_can_hold_is_not_changed_and_no_baseline() {
    let stage = Stage::enforced().await;
    let long = json!({"Sid": "long", "Text": "x".repeat(1024 * 1024)});
    stage.add(std::slice::from_ref(&long)).await;
    assert_eq!(stage.world.state(&stage.pay, &policy_of("")).baseline, Some(policy(&[good("shop")])));
    stage.add(&[long.clone(), bad("open", "critical")]).await;
    stage.look(false).await;
    stage.check(&[long, bad("open", "critical")]);
    stage.check_log(&["opted-in", "withheld no-safe-change resource-policy"]);
    let withheld = stage.last(Step::Withheld).entry;
    assert!(withheld.note.unwrap().starts_with("the content is too large for the ledger"));
    assert_eq!((withheld.reason, withheld.diff), (Some(Reason::NoSafeChange), None));
}

#[tokio::test]
async fn findings_without_a_safe_change_do_not_protect_the_others() {
    let stage = Stage::enforced().await;
    let stuck: Vec<Value> =
        (0..150).map(|number| json!({"Sid": number.to_string(), "Bad": "high", "Stuck": true})).collect();
    stage.add(&[&stuck[..], &[bad("open", "critical")]].concat()).await;
    stage.check(&stuck);
    stage.look(false).await;
    stage.check_log(&[
        "opted-in",
        "withheld no-safe-change resource-policy",
        "planned resource-policy",
        "applied resource-policy",
    ]);
    let withheld = stage.last(Step::Withheld).entry;
    assert_eq!((withheld.findings.len(), withheld.note.as_deref()), (150, Some("ask its owner")));
}

/// A function with so many aliases, some with a policy of 20 KB, every third of them bad.
fn with_aliases(stage: &Stage, aliases: usize) {
    for alias in 0..aliases {
        let filling = json!({"Sid": "filling", "Text": "x".repeat(if alias % 10 == 0 { 20_000 } else { 200 })});
        let statements = if alias % 3 == 0 { vec![filling, bad("open", "critical")] } else { vec![filling] };
        stage.world.put(&stage.pay, &policy_of(&format!("alias-{alias}")), policy(&statements));
    }
}

#[tokio::test]
async fn three_hundred_surfaces_are_looked_at_in_several_commits() {
    let stage = Stage::new();
    with_aliases(&stage, 300);
    stage.opt_in("enforce").await;
    assert_eq!(stage.world.withheld(&stage.pay, "pre-existing").len(), 100);
    let after = stage.world.records(&stage.pay).len();
    stage.look(false).await;
    assert_eq!(stage.world.records(&stage.pay).len(), after);
    stage.look(true).await;
    assert_eq!(stage.world.of_step(&stage.pay, Step::Applied).len(), 100);
    let open = |alias: usize| stage.world.content(&stage.pay, &policy_of(&format!("alias-{alias}")));
    assert!((0..300).all(|alias| !open(alias).document().unwrap().to_string().contains("critical")));
    let after = stage.world.records(&stage.pay).len();
    stage.look(true).await;
    assert_eq!(stage.world.records(&stage.pay).len(), after);
}
