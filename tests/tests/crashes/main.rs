//! A guard that is killed before and after each of its calls, and delivered its event again: the right end state, one remediation, a
//! chain that holds. One test for each remediation.

mod access_guard;
mod role_guard;

use warden_engine::record::Step;
use warden_sandbox::{CallMatch, Fault};
use warden_tests::Account;

/// A remediation to interrupt: on one subject, how it is provoked and how the account looks once it is done.
trait Remediation {
    /// The role of the guard that makes it.
    const GUARD: &str;
    /// How many surfaces are put right.
    const SURFACES: usize = 1;
    /// Makes the subject of one round, opted in and clean; returns its ARN.
    async fn prepare(&self, account: &Account, name: &str) -> String;
    /// The change that is to be put right.
    async fn provoke(&self, account: &Account, name: &str);
    /// Whether it is put right, and nothing else changed.
    async fn is_right(&self, account: &Account, name: &str) -> bool;
}

/// Goes through every call of the guard, with a death before it and a death after it.
async fn interrupt<R: Remediation>(remediation: R) {
    let account = Account::with(&[("LeaseSeconds", "1"), ("AccountCap", "1000")]).await;
    let trail = account.sandbox.trail();
    let subject = remediation.prepare(&account, "shop-0").await;
    account.settle().await;
    let before = trail.calls().len();
    provoke_and_check(&remediation, &account, "shop-0", &subject, "without a fault").await;
    let calls = trail.calls().into_iter().skip(before).filter(|call| call.by_role(R::GUARD)).count();
    assert!(calls >= 6, "reads, an intent, a change, an outcome: {calls}");

    let mut round = 0;
    for nth in 1..=calls {
        for fault in [Fault::KillBefore, Fault::KillAfter] {
            round += 1;
            let name = format!("shop-{round}");
            let subject = remediation.prepare(&account, &name).await;
            account.settle().await;
            let what = format!("{fault:?}, call {nth} of {calls}");
            trail.faults().inject(CallMatch::any().by(R::GUARD), nth, fault);
            provoke_and_check(&remediation, &account, &name, &subject, &what).await;
            // An invocation may make fewer calls where another was quicker; the fault must not reach the next round.
            trail.faults().clear();
        }
    }
}

async fn provoke_and_check<R: Remediation>(remediation: &R, account: &Account, name: &str, subject: &str, what: &str) {
    remediation.provoke(account, name).await;
    account.settle().await;
    let story = account.story_of(subject).await;
    assert!(
        remediation.is_right(account, name).await,
        "{what}: {story:?}\n{:#?}",
        account.sandbox.trail().deliveries()
    );
    let records = account.records(subject).await;
    for step in [Step::Planned, Step::Applied] {
        let count = records.iter().filter(|record| record.entry.step == step).count();
        assert_eq!(count, R::SURFACES, "{step} after {what}: {:?}", account.story_of(subject).await);
    }
    assert!(account.ledger.open_intents().await.expect("the index").is_empty(), "{what}");
}
