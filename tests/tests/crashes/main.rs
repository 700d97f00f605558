//! A guard that is killed before and after each of its calls, and delivered its event again: the right end state, one remediation, a
//! chain that holds. One test for each remediation.

mod access_guard;
mod role_guard;
mod secret_guard;

use warden_engine::record::Step;
use warden_sandbox::{Call, CallMatch, Fault};
use warden_tests::Account;

/// A remediation to interrupt: on one subject, how it is provoked and how the account looks once it is done.
trait Remediation {
    /// The role of the guard that makes it.
    const GUARD: &str;
    /// How many surfaces are put right.
    const SURFACES: usize = 1;

    /// An account to do it in.
    async fn account(&self) -> Account {
        Account::with(&[("LeaseSeconds", "1"), ("AccountCap", "1000")]).await
    }

    /// Makes the subject of one round, opted in and clean; returns its ARN.
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
    let subject = remediation.prepare(&account, "shop-0").await;
    account.settle().await;
    let before = trail.calls().len();
    provoke_and_check(&remediation, &account, "shop-0", &subject, "without a fault").await;
    let calls: Vec<Call> = trail.calls().into_iter().skip(before).filter(|call| call.by_role(R::GUARD)).collect();
    assert!(calls.len() >= 6, "reads, an intent, a change, an outcome: {calls:?}");
    // Among reads a death is the same wherever it strikes: of those in a row, the first stands for all.
    let only_reads =
        |call: &Call| ["Get", "List", "BatchGet", "Query"].iter().any(|verb| call.operation.starts_with(verb));
    let worth = |nth: &usize| *nth == 1 || !calls[nth - 2..*nth].iter().all(only_reads);

    let mut round = 0;
    for nth in (1..=calls.len()).filter(worth) {
        for fault in [Fault::KillBefore, Fault::KillAfter] {
            round += 1;
            let name = format!("shop-{round}");
            let subject = remediation.prepare(&account, &name).await;
            account.settle().await;
            let what = format!("{fault:?}, call {nth} of {}", calls.len());
            trail.faults().inject(CallMatch::any().by(R::GUARD), nth, fault);
            provoke_and_check(&remediation, &account, &name, &subject, &what).await;
            // An invocation may make fewer calls where another was quicker; the fault must not reach the next round.
            trail.faults().clear();
        }
    }
}

async fn provoke_and_check<R: Remediation>(remediation: &R, account: &Account, name: &str, subject: &str, what: &str) {
    remediation.provoke(account, name).await;
    tokio::select! {
        () = account.settle() => {}
        () = remediation.watch(account, name) => {}
    }
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
