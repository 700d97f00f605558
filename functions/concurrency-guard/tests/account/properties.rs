//! The laws, over generated accounts: planning again after applying gives no plan, undo restores the original exactly,
//! nothing is stopped, and nobody is starved.

use crate::shop::{LIMIT, Shop, function, open, opted_in, pay, reserve, taken};
use proptest::{option, prelude::*};
use tokio::runtime::Builder;
use warden_engine::{
    ledger::record::Step,
    model::{
        concurrency::{self, count},
        surface::Surface,
    },
};

async fn holds(cap: u32, others: u32, provisioned: u32, before: Option<u32>, after: Option<u32>) {
    let shop: Shop = open(&[]);
    shop.put(&function("other"), &Surface::Concurrency, concurrency::reserved(Some(others)));
    let live = Surface::ProvisionedConcurrency("live".parse().unwrap());
    opted_in(&shop, "pay", &[("warden", "enforce"), ("warden:max-concurrency", &cap.to_string())], before).await;
    shop.put(&pay(), &live, concurrency::provisioned((provisioned > 0).then_some(provisioned)));
    let calls = shop.calls_made().len();
    reserve(&shop, "pay", after).await;
    let made = shop.calls_made().split_off(calls);
    assert!(made.len() <= 1, "{made:?}");
    let now = count(&shop.content(&pay(), &Surface::Concurrency));
    if made.is_empty() {
        assert_eq!(now, after);
    } else {
        let now = now.expect("a reservation");
        assert!((1..=cap).contains(&now) && now >= provisioned, "{now}");
        let more = now > after.unwrap_or(0);
        assert!(!more || taken(&shop.world) <= LIMIT / 2, "{} are taken", taken(&shop.world));
    }
    reserve_again(&shop, calls + made.len()).await;
    if let (Some(applied), false) = (shop.steps(Step::Applied).pop(), made.is_empty()) {
        shop.undo(&applied).await.expect("undone");
        assert_eq!(count(&shop.content(&pay(), &Surface::Concurrency)), after, "none, 0 and more are three things");
        reserve_again(&shop, calls + made.len()).await;
    }
}

/// Looked at again, nothing more is done.
async fn reserve_again(shop: &Shop, calls: usize) {
    shop.sweep(&pay()).await;
    assert_eq!(shop.calls_made().len(), calls);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_cap_is_held_where_that_harms_nobody_and_taken_back_exactly(
        cap in 1_u32..700,
        others in 0_u32..900,
        provisioned in prop_oneof![Just(0), 0_u32..50],
        before in option::of(0_u32..700),
        after in option::of(0_u32..700),
    ) {
        let runtime = Builder::new_current_thread().build().unwrap();
        runtime.block_on(holds(cap, others, provisioned, before, after));
    }
}
