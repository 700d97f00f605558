//! An account of functions whose concurrency is guarded.

use concurrency_guard::{ConcurrencyGuard, Context, Facts};
use serde_json::{Value, json};
use warden_engine::{
    guard::ReconcileRequest,
    ledger::state::History,
    model::{
        concurrency::{self, AccountConcurrency, count},
        content::Content,
        settings::Settings,
        surface::{Resource, Surface},
    },
};
use warden_testing::{World, guarded::Guarded};

pub(crate) type Shop = Guarded<ConcurrencyGuard>;

/// What the account may run at once.
pub(crate) const LIMIT: u32 = 1000;

pub(crate) fn function(name: &str) -> Resource {
    format!("arn:aws:lambda:us-east-1:111122223333:function:{name}").parse().unwrap()
}

pub(crate) fn pay() -> Resource {
    function("pay")
}

/// Adds what the guard reads beside the surfaces.
fn read_more(world: &World<Context>, request: &ReconcileRequest, facts: &mut Facts, _: &History, _: &Settings) {
    let unreserved = LIMIT.saturating_sub(taken(world));
    facts.context.account = Some(AccountConcurrency { limit: LIMIT, unreserved });
    let own = world.fake(&request.resource).surfaces;
    let provisioned = own.iter().filter(|(surface, _)| matches!(surface, Surface::ProvisionedConcurrency(_)));
    facts.context.provisioned = Some(provisioned.filter_map(|(_, content)| count(content)).sum());
}

/// What all functions together reserve.
pub(crate) fn taken(world: &World<Context>) -> u32 {
    let functions = world.existing();
    functions.iter().filter_map(|function| count(&world.content(function, &Surface::Concurrency))).sum()
}

/// An account with this guard.
pub(crate) fn open(variables: &[(&str, &str)]) -> Shop {
    Shop::new(ConcurrencyGuard, World::new(read_more), variables, nothing_is_stopped)
}

/// No guard ever stops a function.
fn nothing_is_stopped(shop: &Shop) {
    let stops = shop.calls_made().iter().any(|call| call.ends_with(", 0)"));
    assert!(!stops, "{:?}", shop.calls_made());
}

/// Makes a function that reserves so much, opted in with these tags.
pub(crate) async fn opted_in(shop: &Shop, name: &str, tags: &[(&str, &str)], reserved: Option<u32>) {
    let resource = function(name);
    shop.put(&resource, &Surface::Concurrency, concurrency::reserved(reserved));
    shop.put(&resource, &Surface::Recursion, concurrency::recursion(Some("Terminate")));
    for (key, value) in tags {
        shop.tag(&resource, key, value);
    }
    let set: serde_json::Map<String, Value> =
        tags.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect();
    shop.deliver(&shop.event("TagResource", json!({"resource": resource, "tags": set}))).await;
    shop.pass(jiff::SignedDuration::from_secs(30)).await;
}

/// Somebody reserves so much, or nothing; the event is delivered.
pub(crate) async fn reserve(shop: &Shop, name: &str, reserved: Option<u32>) {
    shop.put(&function(name), &Surface::Concurrency, concurrency::reserved(reserved));
    shop.deliver(&event(shop, name, reserved)).await;
    shop.pass(jiff::SignedDuration::from_secs(30)).await;
}

pub(crate) fn event(shop: &Shop, name: &str, reserved: Option<u32>) -> Value {
    match reserved {
        Some(reserved) => {
            let parameters = json!({"functionName": name, "reservedConcurrentExecutions": reserved});
            shop.event("PutFunctionConcurrency20171031", parameters)
        }
        None => shop.event("DeleteFunctionConcurrency20171031", json!({"functionName": name})),
    }
}

/// What a function reserves.
pub(crate) fn reserved(shop: &Shop, name: &str) -> Content {
    shop.content(&function(name), &Surface::Concurrency)
}
