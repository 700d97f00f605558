//! What becomes of secrets in the long run: when one is full, and when its function is gone.

use std::{collections::BTreeSet, time::Duration};
use warden_engine::ledger::record::Step;
use warden_sandbox::{CallMatch, Fault, Order};
use warden_tests::{
    Account, arn,
    environment::{Variables, variables},
};

const VALUE: &str = "Kx9vQ7mZ2pLtR4wN";

/// How many labels the versions of a secret have together.
async fn labels(account: &Account, secret: &str) -> usize {
    let described = account.secrets.describe_secret().secret_id(secret).send().await.expect("the secret");
    described.version_ids_to_stages().into_iter().flatten().map(|(_, labels)| labels.len()).sum()
}

/// Whether a secret is to be deleted, and in how many days.
async fn deleted_in(account: &Account, secret: &str) -> Option<i64> {
    let described = account.secrets.describe_secret().secret_id(secret).send().await.expect("the secret");
    let date = described.deleted_date()?.secs();
    Some((date - jiff::Timestamp::now().as_second() + 3600) / 86400)
}

/// Every secret that there is, those that are to be deleted too.
async fn secrets(account: &Account) -> Vec<String> {
    let listed = account.secrets.list_secrets().include_planned_deletion(true).send().await.expect("secrets");
    listed.secret_list().iter().filter_map(|secret| secret.name()).map(str::to_owned).collect()
}

#[tokio::test]
async fn a_full_secret_is_followed_by_a_further_one_and_the_function_reads_both() {
    let account = Account::with_secrets_guarded(&[("AccountCap", "1000"), ("BreakerReverts", "100")]).await;
    account.guarded_python("pay").await;
    let kept = ("API_TOKEN", "Tk7fQ2mVx9LpZr4Ws8");
    account.deploy_and_settle("pay", &variables(&[("DB_PASSWORD", VALUE), kept])).await;
    let first = account.referred("pay", "API_TOKEN").await.expect("a reference");
    let mut round = 0;
    let second = loop {
        round += 1;
        assert!(round < 20, "the first secret is never full");
        let mut next = account.environment("pay").await;
        next.insert("DB_PASSWORD".into(), format!("{VALUE}{round}"));
        account.deploy_and_settle("pay", &next).await;
        let secret = account.referred("pay", "DB_PASSWORD").await.expect("a reference");
        if secret != first {
            break secret;
        }
    };
    // One label is left for a rotation.
    assert_eq!((round, labels(&account, &first).await), (17, 19));
    assert_eq!(account.referred("pay", "API_TOKEN").await.as_ref(), Some(&first), "what was there stays where it is");
    let expected = variables(&[("DB_PASSWORD", &format!("{VALUE}{round}")), kept]);
    assert_eq!(account.seen_by_code("pay").await, expected);
    // Started as Lambda starts it, with its role, which has no policy of its own.
    assert_eq!(account.told_by_code("pay", &expected).await, expected);

    // A redeployed value goes back to where it is, as long as that holds it.
    account.deploy_and_settle("pay", &variables(&[("DB_PASSWORD", &format!("{VALUE}{round}")), kept])).await;
    assert_eq!(account.seen_by_code("pay").await, expected);
    assert_eq!(secrets(&account).await.into_iter().collect::<BTreeSet<_>>(), BTreeSet::from([first, second]));

    let applied = account.steps("pay", Step::Applied).await.pop().expect("the last");
    account.ready("pay").await;
    account.undo(applied).await.expect("undone");
    assert_eq!(account.environment("pay").await, expected);
}

/// A function whose secret was taken out, and the secret.
async fn stripped(account: &Account, name: &str) -> String {
    account.guarded_python(name).await;
    account.deploy_and_settle(name, &variables(&[("DB_PASSWORD", VALUE)])).await;
    account.referred(name, "DB_PASSWORD").await.expect("a reference")
}

async fn delete(account: &Account, name: &str) {
    account.lambda.delete_function().function_name(name).send().await.expect("deleted");
}

/// As a template makes it: with the tag and the plaintext, or with the text that the record names.
async fn make(account: &Account, name: &str, environment: &Variables) {
    account.python(name, &[("warden:secrets", "enforce")], environment).await;
}

#[tokio::test]
async fn the_secret_of_a_function_that_is_gone_is_deleted_in_thirty_days_unless_somebody_undoes_that() {
    let account = Account::with_secrets_guarded(&[]).await;
    let secret = stripped(&account, "pay").await;
    account.sandbox.trail().faults().duplicate_deliveries(1);
    delete(&account, "pay").await;
    account.settle().await;
    assert_eq!(deleted_in(&account, &secret).await, Some(30));
    assert_eq!(account.secret_story("pay").await[3..], ["planned environment", "applied environment"]);
    let applied = account.steps("pay", Step::Applied).await.pop().expect("the deletion");
    let calls: Vec<String> = applied.entry.changes.iter().map(|change| change.call().to_string()).collect();
    assert_eq!(calls, [format!("DeleteSecret({secret})")]);

    account.undo(applied).await.expect("undone");
    assert_eq!(deleted_in(&account, &secret).await, None);
    assert_eq!(account.secret(&secret).await, variables(&[("DB_PASSWORD", VALUE)]));
    // What it took out before cannot be given back to a function that is gone.
    let strip = account.steps("pay", Step::Applied).await.remove(0);
    let refusal = account.undo(strip).await.expect_err("refused");
    assert!(refusal.to_string().contains("is gone"), "{refusal}");
}

#[tokio::test]
async fn a_function_that_never_had_a_secret_leaves_nothing() {
    let account = Account::with_secrets_guarded(&[]).await;
    account.guarded_python("pay").await;
    delete(&account, "pay").await;
    account.settle().await;
    assert_eq!(account.secret_story("pay").await, ["opted-in"]);
    assert!(secrets(&account).await.is_empty());
}

/// A replacement deletes and makes anew; its events come in any order.
#[tokio::test]
async fn a_function_that_is_replaced_ends_right_in_whichever_order_its_events_come() {
    let account = Account::with_secrets_guarded(&[]).await;
    let trail = account.sandbox.trail();
    let plain = variables(&[("DB_PASSWORD", "Zq81xB0vK2mXp7TwLr5n")]);
    for (name, order) in [("first", Order::Happened), ("last", Order::Reversed)] {
        let secret = stripped(&account, name).await;
        trail.faults().hold_deliveries();
        delete(&account, name).await;
        make(&account, name, &plain).await;
        trail.release(order);
        account.settle().await;
        assert_eq!(account.seen_by_code(name).await, plain, "{order:?}");
        assert_eq!(account.referred(name, "DB_PASSWORD").await, Some(secret.clone()));
        assert_eq!(deleted_in(&account, &secret).await, None);
    }

    // The deletion is through before the function is there again: with plaintext, and with the text that the record
    // names.
    for name in ["plain", "referring"] {
        let secret = stripped(&account, name).await;
        let mut template = account.environment(name).await;
        delete(&account, name).await;
        account.settle().await;
        assert_eq!(deleted_in(&account, &secret).await, Some(30));
        if name == "plain" {
            template = variables(&[("DB_PASSWORD", "Hw3kPz8sVn5rTq1yJd7b")]);
        }
        make(&account, name, &template).await;
        account.settle().await;
        let seen = if name == "plain" { template } else { variables(&[("DB_PASSWORD", VALUE)]) };
        assert_eq!(account.told_by_code(name, &seen).await, seen, "{:?}", account.secret_story(name).await);
        assert_eq!(account.seen_by_code(name).await, seen);
        assert_eq!(deleted_in(&account, &secret).await, None);
    }
}

/// Its own event may have been seen to before the deletion is made: nobody would hear of it again.
#[tokio::test]
async fn a_function_that_is_there_again_while_its_secret_is_deleted_has_it_back() {
    let account = Account::with_secrets_guarded(&[]).await;
    let secret = stripped(&account, "pay").await;
    let template = account.environment("pay").await;
    let trail = account.sandbox.trail();
    trail.faults().inject(CallMatch::operation("DeleteSecret"), 1, Fault::Delay(Duration::from_secs(2)));
    delete(&account, "pay").await;
    while !trail.faults().pending().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    trail.faults().hold_deliveries();
    make(&account, "pay", &template).await;
    // Only the run that deletes it goes on: the event of the creation comes when that is over.
    while account.secret_story("pay").await.len() < 5 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    assert_eq!(deleted_in(&account, &secret).await, None, "{:?}", account.secret_story("pay").await);
    trail.release(Order::Happened);
    account.settle().await;
    assert_eq!(account.seen_by_code("pay").await, variables(&[("DB_PASSWORD", VALUE)]));
    assert_eq!(deleted_in(&account, &secret).await, None);
    // What comes after is the layer, which the template lacks.
    assert_eq!(account.secret_story("pay").await[3..5], ["planned environment", "failed environment"]);
}

#[tokio::test]
async fn a_secret_that_another_function_refers_to_stays() {
    let account = Account::with_secrets_guarded(&[]).await;
    let secret = stripped(&account, "pay").await;
    // Made anew under another name, with the same role and the text from the record.
    let template = account.environment("pay").await;
    make(&account, "pay-2", &template).await;
    delete(&account, "pay").await;
    account.settle().await;
    assert_eq!(deleted_in(&account, &secret).await, None);
    assert_eq!(account.secret_story("pay").await[3..], ["withheld environment (no-safe-change)"]);
    let [withheld] = account.steps("pay", Step::Withheld).await.try_into().expect("one");
    assert!(withheld.entry.note.unwrap_or_default().contains("others refer to its secret: pay-2"));
    assert_eq!(account.records(&arn("pay")).await.len(), 4);
}
