//! A role that came with a deployment which goes on.

use crate::home::{DEPLOYED, Home, open, opt_in, role, shop};
use jiff::SignedDuration;
use serde_json::json;
use warden_engine::{
    model::{content::Content, surface::Surface},
    ports::Clock,
};

/// A function that gets a stronger role with a deployment that is not over.
async fn swapped() -> Home {
    let home = opt_in(open(&[])).await;
    home.put(&shop(), &Surface::Role(None), has("strong"));
    deploy(&home);
    let event = home.event("UpdateFunctionConfiguration", json!({"functionName": "shop"}));
    home.try_deliver(&event).await.unwrap();
    home
}

fn has(name: &str) -> Content {
    Content::new(json!({"Role": role(name)}))
}

/// The function is updated.
fn deploy(home: &Home) {
    home.tag(&shop(), DEPLOYED, &home.now().to_string());
}

#[tokio::test]
async fn a_role_swap_is_reverted_once_its_deployment_is_over() {
    let home = swapped().await;
    assert_eq!(home.content(&shop(), &Surface::Role(None)), has("strong"));
    home.pass(SignedDuration::from_secs(5)).await;
    deploy(&home);
    home.work_off(&home.guard, &home.settings, SignedDuration::from_secs(8)).await;
    assert_eq!(home.content(&shop(), &Surface::Role(None)), has("strong"), "it goes on");
    home.work_off(&home.guard, &home.settings, SignedDuration::from_secs(20)).await;
    assert_eq!(home.content(&shop(), &Surface::Role(None)), has("shop"));
}

#[tokio::test]
async fn whoever_keeps_deploying_does_not_keep_the_role() {
    let home = swapped().await;
    let began = home.now();
    while home.content(&shop(), &Surface::Role(None)) == has("strong") {
        let due = home.messages().iter().map(|message| message.due).min().expect("a message");
        deploy(&home);
        home.work_off(&home.guard, &home.settings, due.duration_since(home.now())).await;
    }
    let took = home.now().duration_since(began);
    assert!(took <= SignedDuration::from_secs(75), "{took}");
    assert_eq!(home.content(&shop(), &Surface::Role(None)), has("shop"));
}
