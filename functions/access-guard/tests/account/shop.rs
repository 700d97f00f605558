//! An account with a guarded function `pay` and a guarded layer `tools`.

use access_guard::{AccessGuard, Context, Facts};
use serde_json::json;
use std::collections::BTreeMap;
use warden_engine::{
    guard::{Guard, Scope, SurfaceSnapshot},
    model::{
        content::Content,
        surface::{Resource, Surface},
    },
};
use warden_testing::{
    World,
    guarded::{Guarded, may_be_in_force, surface},
};

pub(crate) type Shop = Guarded<AccessGuard>;

pub(crate) fn pay() -> Resource {
    "arn:aws:lambda:us-east-1:111122223333:function:pay".parse().unwrap()
}

pub(crate) fn tools() -> Resource {
    "arn:aws:lambda:us-east-1:111122223333:layer:tools:7".parse().unwrap()
}

/// `pay` and `tools`, as good as empty, not opted in yet.
pub(crate) fn open(variables: &[(&str, &str)]) -> Shop {
    let guarded = [("WARDEN_LAYER_MODE", "enforce"), ("WARDEN_LAYER_NAMES", "tools")];
    let shop = Shop::new(AccessGuard, World::default(), &[variables, &guarded].concat(), no_baseline_breaks_a_rule);
    for text in ["function-url", "resource-policy"] {
        shop.put(&pay(), &surface(text), Content::ABSENT);
    }
    shop.put(&tools(), &surface("layer-policy/7"), Content::ABSENT);
    shop
}

/// Opts `pay` in.
pub(crate) async fn opt_in(shop: Shop) -> Shop {
    shop.tag(&pay(), "warden", "enforce");
    shop.deliver(&shop.event("TagResource", json!({"resource": pay(), "tags": {"warden": "enforce"}}))).await;
    shop.pass(jiff::SignedDuration::from_secs(1)).await;
    shop
}

/// No baseline ever held what would be acted on.
fn no_baseline_breaks_a_rule(shop: &Shop) {
    for resource in shop.resources() {
        for (surface, state) in shop.states(&resource) {
            let (Surface::ResourcePolicy(_) | Surface::LayerPolicy(_), Some(baseline)) = (&surface, &state.baseline)
            else {
                continue;
            };
            let snapshot = SurfaceSnapshot { content: baseline.clone(), revision: None };
            let scope = Scope::Tags(BTreeMap::new());
            let surfaces = BTreeMap::from([(surface.clone(), snapshot)]);
            let facts = Facts { scope, surfaces, context: Context::default() };
            let judged = AccessGuard.judge(&facts, &surface, &shop.settings);
            let may_stay =
                judged.findings.iter().all(|finding| may_be_in_force(&state, baseline, finding, &shop.settings));
            assert!(may_stay, "{resource} {surface}: {judged:?}");
        }
    }
}
