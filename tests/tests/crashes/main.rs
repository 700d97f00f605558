//! A guard that is killed before and after each of its calls, and delivered its event again: the right end state, one
//! remediation, a chain that holds. One test for each remediation.

mod access_guard;
mod concurrency_guard;
mod role_guard;
mod secret_guard;

use serde_json::Value;
use warden_engine::{ledger::record::Step, run::undo::UndoRefusal};
use warden_sandbox::{ApiCall, CallMatch, Fault, Order};
use warden_tests::Account;

const OPERATOR: &str = "warden-operator";

/// A remediation to interrupt: on one resource, how it is provoked and how the account looks once it is done.
trait Remediation {
    /// The role of the guard that makes it.
    const GUARD: &str;
    /// How many surfaces are put right.
    const SURFACES: usize = 1;

    /// An account to do it in.
    async fn account(&self) -> Account {
        Account::with(&[("LeaseSeconds", "130"), ("AccountCap", "1000")]).await
    }

    /// Makes the resource of one round, opted in and clean; returns its ARN.
    async fn prepare(&self, account: &Account, name: &str) -> String;
    /// The change that is to be put right.
    async fn provoke(&self, account: &Account, name: &str);
    /// Whether it is put right, and nothing else changed.
    async fn is_right(&self, account: &Account, name: &str) -> bool;

    /// Looks on while the guard works, and panics where something is not as it must always be.
    async fn watch(&self, _: &Account, _: &str) {
        std::future::pending().await
    }
}

/// Goes through the calls of the guard, with a death before each and a death after it.
async fn interrupt<R: Remediation>(remediation: R) {
    let account = remediation.account().await;
    let trail = account.sandbox.trail();
    let resource = remediation.prepare(&account, "shop-0").await;
    account.settle().await;
    let before = trail.calls().len();
    provoke_and_check(&remediation, &account, "shop-0", &resource, "without a fault").await;
    let calls: Vec<ApiCall> = trail.calls().into_iter().skip(before).filter(|call| call.by_role(R::GUARD)).collect();
    assert!(calls.len() >= 6, "reads, an intent, a change, an outcome: {calls:?}");
    for (round, (nth, fault)) in every_end(&calls).into_iter().enumerate() {
        let name = format!("shop-{}", round + 1);
        let resource = remediation.prepare(&account, &name).await;
        account.settle().await;
        let what = format!("{fault:?}, call {nth} of {}", calls.len());
        trail.faults().inject(CallMatch::any().by(R::GUARD), nth, fault);
        provoke_and_check(&remediation, &account, &name, &resource, &what).await;
        // An invocation may make fewer calls where another was quicker; the fault must not reach the next round.
        trail.faults().clear();
    }
}

/// At which of the calls, from 1, to end, and how: before and after each one. Before a read and after it is the same to
/// everybody.
fn every_end(calls: &[ApiCall]) -> Vec<(usize, Fault)> {
    let reads =
        |call: &ApiCall| ["Get", "List", "BatchGet", "Query"].iter().any(|verb| call.operation.starts_with(verb));
    let ends = calls.iter().enumerate().flat_map(|(at, call)| {
        let after = (!reads(call)).then_some((at + 1, Fault::KillAfter));
        [(at + 1, Fault::KillBefore)].into_iter().chain(after)
    });
    ends.collect()
}

/// A remediation whose undo takes several calls.
trait Undo: Remediation {
    /// All that it changes.
    async fn state(&self, account: &Account, name: &str) -> Value;
}

/// The operator's calls so far.
fn by_operator(account: &Account) -> Vec<ApiCall> {
    account.sandbox.trail().calls().into_iter().filter(|call| call.by_role(OPERATOR)).collect()
}

/// Runs an operator's command, of which nothing is heard any more from its nth call on. Then nobody works on it any
/// more, and its lease is over. Events wait until then.
async fn cut_off<T>(account: &Account, (nth, fault): &(usize, Fault), command: impl Future<Output = T>) {
    /// More than any command tries to call once it is cut off.
    const FURTHER: usize = 200;
    let faults = account.sandbox.trail().faults();
    let before = by_operator(account).len();
    let calls = || CallMatch::any().by(OPERATOR);
    faults.hold_deliveries();
    faults.inject(calls(), *nth, fault.clone());
    for further in nth + 1..nth + FURTHER {
        faults.inject(calls(), further, Fault::KillBefore);
    }
    // Its answer says no more than that it was cut off.
    drop(command.await);
    assert!(by_operator(account).len() >= before + nth, "{fault:?} at call {nth}");
    faults.clear();
    account.end_all_leases().await;
    account.sandbox.trail().release(Order::Happened);
    account.settle().await;
}

/// Goes through the calls of the operator who takes the remediation back, with an end before each and after each. The
/// same command once more, and everything is as it was, and stays so.
async fn interrupt_undo<U: Undo>(remediation: U) {
    let account = remediation.account().await;
    let calls = provoke_and_undo(&remediation, &account, "shop-0", None).await;
    for (round, end) in every_end(&calls).into_iter().enumerate() {
        provoke_and_undo(&remediation, &account, &format!("shop-{}", round + 1), Some(end)).await;
    }
}

/// The operator's calls, of which one may go wrong.
async fn provoke_and_undo<U: Undo>(
    remediation: &U,
    account: &Account,
    name: &str,
    fault: Option<(usize, Fault)>,
) -> Vec<ApiCall> {
    let trail = account.sandbox.trail();
    let resource = remediation.prepare(account, name).await;
    account.settle().await;
    trail.faults().hold_deliveries();
    remediation.provoke(account, name).await;
    let original = remediation.state(account, name).await;
    trail.release(Order::Happened);
    account.settle().await;
    assert!(remediation.is_right(account, name).await);
    let applied = account.records(&resource).await.into_iter().find(|record| record.entry.step == Step::Applied);
    let applied = applied.expect("a remediation");

    let before = by_operator(account).len();
    let what = format!("{fault:?}");
    if let Some(end) = &fault {
        cut_off(account, end, account.undo(applied.clone())).await;
    }
    match account.undo(applied).await {
        Ok(_) | Err(UndoRefusal::AlreadyRestored(_)) => {}
        Err(other) => panic!("{what}: {other:?}"),
    }
    let made = by_operator(account).split_off(before);
    account.settle().await;
    let story = account.story_of(&resource).await;
    assert_eq!(remediation.state(account, name).await, original, "{what}: {story:?}");
    assert!(account.ledger.open_intents().await.expect("the index").is_empty(), "{what}: {story:?}");
    made
}

async fn provoke_and_check<R: Remediation>(remediation: &R, account: &Account, name: &str, resource: &str, what: &str) {
    // Nobody sees half of it.
    account.sandbox.trail().faults().hold_deliveries();
    remediation.provoke(account, name).await;
    account.sandbox.trail().release(Order::Happened);
    tokio::select! {
        () = account.settle() => {}
        () = remediation.watch(account, name) => {}
        () = account.end_leases_of_the_killed() => {}
    }
    let story = account.story_of(resource).await;
    assert!(
        remediation.is_right(account, name).await,
        "{what}: {story:?}\n{:#?}",
        account.sandbox.trail().deliveries()
    );
    let records = account.records(resource).await;
    for step in [Step::Planned, Step::Applied] {
        let count = records.iter().filter(|record| record.entry.step == step).count();
        assert_eq!(count, R::SURFACES, "{step} after {what}: {:?}", account.story_of(resource).await);
    }
    assert!(account.ledger.open_intents().await.expect("the index").is_empty(), "{what}");
}
