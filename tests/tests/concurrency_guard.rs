//! concurrency-guard end to end: the real stack in the local account.

use aws_sdk_lambda::types::RecursiveLoop;
use warden_engine::ledger::record::{Record, Step};
use warden_sandbox::Setting;
use warden_tests::{Account, arn};

async fn last(account: &Account, name: &str, step: Step) -> Record {
    account.steps(name, step).await.pop().unwrap_or_else(|| panic!("no {step} of {name}"))
}

async fn note(account: &Account, name: &str) -> String {
    last(account, name, Step::Withheld).await.entry.note.unwrap_or_default()
}

#[tokio::test]
async fn a_reservation_that_is_deleted_or_raised_goes_back_and_is_undone_exactly() {
    let account = Account::with_concurrency_guarded(&[]).await;
    account.capped("pay", "10", Some(5)).await;
    for changed in [None, Some(50), Some(11)] {
        account.reserve("pay", changed).await;
        account.settle().await;
        assert_eq!(account.reserved("pay").await, Some(5), "{:?}", account.concurrency_story("pay").await);
        account.undo(last(&account, "pay", Step::Applied).await).await.expect("undone");
        account.settle().await;
        assert_eq!(account.reserved("pay").await, changed, "exactly what was there, and left alone");
        account.reserve("pay", Some(5)).await;
        account.settle().await;
    }
    // Within the cap it is its owner's to choose; 0 as well.
    for chosen in [8, 10, 0] {
        account.reserve("pay", Some(chosen)).await;
        account.settle().await;
        assert_eq!(account.reserved("pay").await, Some(chosen));
    }
    let stopped = last(&account, "pay", Step::Observed).await.entry.note.unwrap_or_default();
    assert!(stopped.contains("stopped the function by hand"), "{stopped}");
}

#[tokio::test]
async fn a_function_that_is_made_with_a_cap_has_it_once_cloudtrail_says_that_it_is_new() {
    let account = Account::with_concurrency_guarded(&[("MaxConcurrency", "20")]).await;
    account.function("pay", &[("warden", "enforce")]).await;
    account.function("shop", &[("warden", "enforce"), ("warden:max-concurrency", "7")]).await;
    account.function("free", &[("warden:max-concurrency", "7")]).await;
    account.settle().await;
    let reserved = [account.reserved("pay").await, account.reserved("shop").await, account.reserved("free").await];
    assert_eq!(reserved, [Some(20), Some(7), None]);
    assert_eq!(
        account.concurrency_story("pay").await,
        [
            "opted-in",
            "withheld concurrency unbounded-concurrency (pre-existing)",
            "planned concurrency unbounded-concurrency",
            "applied concurrency unbounded-concurrency"
        ]
    );
}

#[tokio::test]
async fn recursion_that_is_allowed_is_ended_again_and_undone_exactly() {
    let account = Account::with_concurrency_guarded(&[]).await;
    account.opted_in("pay", "enforce").await;
    account.set_recursion("pay", RecursiveLoop::Allow).await;
    account.settle().await;
    assert_eq!(account.recursion("pay").await, Some(RecursiveLoop::Terminate));
    account.undo(last(&account, "pay", Step::Applied).await).await.expect("undone");
    account.settle().await;
    assert_eq!(account.recursion("pay").await, Some(RecursiveLoop::Allow), "accepted for a time");
}

/// Lambda says how much it keeps for functions that reserve none in its refusal alone, and not the same to everybody.
#[tokio::test]
async fn what_lambda_keeps_for_others_is_learnt_from_its_refusal_and_said() {
    let account = Account::with_concurrency_guarded(&[("ConcurrencyPoolShare", "99")]).await;
    account.sandbox.set(Setting::AccountConcurrency(400)).await.expect("a setting");
    account.function("hog", &[]).await;
    for floor in [100, 50, 10] {
        let name = format!("pay-{floor}");
        account.sandbox.set(Setting::UnreservedFloor(10)).await.expect("a setting");
        account.reserve("hog", Some(400 - floor - 2)).await;
        account.sandbox.set(Setting::UnreservedFloor(u32::try_from(floor).expect("fits"))).await.expect("a setting");
        account.capped(&name, "5", None).await;
        assert_eq!(account.reserved(&name).await, None, "{floor}");
        let refused = last(&account, &name, Step::Failed).await.entry.note.unwrap_or_default();
        assert!(refused.contains(&format!("below its minimum value of [{floor}]")), "{refused}");
        let said = note(&account, &name).await;
        assert!(said.contains(&format!("Lambda keeps {floor} ")), "{floor}: {said}");
        // It is remembered: the next event costs no call that Lambda would refuse.
        account.reserve(&name, None).await;
        account.settle().await;
        assert_eq!(account.steps(&name, Step::Planned).await.len(), 1, "{floor}");
    }
}

#[tokio::test]
async fn an_account_that_may_run_ten_at_once_is_told_once_which_quota_to_raise() {
    let account = Account::with_concurrency_guarded(&[]).await;
    account.sandbox.set(Setting::AccountConcurrency(10)).await.expect("a setting");
    account.sandbox.set(Setting::UnreservedFloor(10)).await.expect("a setting");
    for name in ["pay", "shop"] {
        account.capped(name, "2", None).await;
        let said = note(&account, name).await;
        assert!(said.contains("nothing of the account's 10") && !said.contains("L-B99A9384"), "{said}");
    }
    let records = account.records("arn:aws:iam::111122223333:root").await;
    let told = records.iter().filter_map(|record| record.entry.note.as_deref());
    assert_eq!(told.filter(|note| note.contains("L-B99A9384")).count(), 1, "{records:?}");
}

/// Half of what the account may run is everybody's, however high a cap somebody tags.
#[tokio::test]
async fn a_cap_that_would_starve_others_is_not_set() {
    let account = Account::with_concurrency_guarded(&[]).await;
    account.capped("greedy", "501", None).await;
    assert_eq!(account.reserved("greedy").await, None);
    let said = note(&account, "greedy").await;
    assert!(said.contains("starve others") && said.contains("501 more that would be over 500"), "{said}");
    account.tag("greedy", &[("warden:max-concurrency", "500")]).await;
    account.settle().await;
    assert_eq!(account.reserved("greedy").await, Some(500));
}

#[tokio::test]
async fn what_is_provisioned_is_reported_and_a_cap_below_it_waits_until_there_is_less() {
    let account = Account::with_concurrency_guarded(&[]).await;
    account.capped("pay", "10", Some(10)).await;
    let version = account.lambda.publish_version().function_name("pay").send().await.expect("a version");
    let alias = account.lambda.create_alias().function_name("pay").name("live");
    alias.function_version(version.version.unwrap_or_default()).send().await.expect("an alias");
    account.tag("pay", &[("warden:max-concurrency", "4")]).await;
    account.settle().await;
    assert_eq!(account.reserved("pay").await, Some(4));
    account.tag("pay", &[("warden:max-concurrency", "10")]).await;
    account.reserve("pay", Some(10)).await;
    let provision = async |provisioned| {
        let put = account.lambda.put_provisioned_concurrency_config().function_name("pay").qualifier("live");
        put.provisioned_concurrent_executions(provisioned).send().await.expect("provisioned");
        account.settle().await;
    };
    provision(6).await;
    account.tag("pay", &[("warden:max-concurrency", "5")]).await;
    account.settle().await;
    assert_eq!(account.reserved("pay").await, Some(10));
    let said = note(&account, "pay").await;
    assert!(said.contains("6 is provisioned"), "{said}");
    let story = account.concurrency_story("pay").await;
    assert!(
        story.iter().any(|line| line == "observed provisioned-concurrency:live provisioned-above-cap"),
        "{story:?}"
    );
    provision(3).await;
    assert_eq!(account.reserved("pay").await, Some(5), "{:?}", account.concurrency_story("pay").await);
}

/// The guard's own role cannot touch what is not opted in, and cannot take a reservation away.
#[tokio::test]
async fn the_role_itself_cannot_change_what_is_not_opted_in() {
    let account = Account::with_concurrency_guarded(&[]).await;
    account.function("free", &[]).await;
    account.function("watched", &[("warden", "enforce"), ("warden:concurrency", "observe")]).await;
    account.opted_in("pay", "enforce").await;
    let role = format!("arn:aws:iam::{}:role/warden/guard/warden-concurrency-guard", warden_sandbox::ACCOUNT);
    let credentials = account.sandbox.session(&role, "test").await.expect("a session");
    let guard = aws_sdk_lambda::Client::new(&account.sandbox.config_as(credentials, "us-east-1"));
    let put =
        |name: &str| guard.put_function_concurrency().function_name(name).reserved_concurrent_executions(5).send();
    assert!(put("free").await.is_err() && put("watched").await.is_err());
    put("pay").await.expect("opted in");
    assert!(guard.delete_function_concurrency().function_name("pay").send().await.is_err());
    assert!(account.records(&arn("free")).await.is_empty());
}
