//! Every remediation of access-guard, and its undo, cut off before and after each of its calls.

use crate::shop::{Shop, open, opt_in, pay, tools};
use access_guard::AccessGuard;
use jiff::SignedDuration;
use serde_json::{Value, json};
use warden_engine::{
    call_error::ErrorKind,
    ledger::record::Step,
    model::{content::Content, surface::Resource},
};
use warden_testing::{
    Fault, Port,
    guarded::{self, Violation as _, surface},
};

const PAY: &str = "arn:aws:lambda:us-east-1:111122223333:function:pay";

fn allow(sid: &str, principal: Value) -> Value {
    json!({"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": "lambda:InvokeFunction", "Resource": PAY})
}

fn policy(statements: &[Value]) -> Content {
    Content::new(json!({"Version": "2012-10-17", "Id": "default", "Statement": statements}))
}

fn own() -> Value {
    allow("own", json!({"AWS": "arn:aws:iam::111122223333:root"}))
}

fn layer_statement(sid: &str, principal: Value) -> Value {
    json!({"Sid": sid, "Effect": "Allow", "Principal": principal, "Action": "lambda:GetLayerVersion",
        "Resource": tools()})
}

/// A violation: what is changed, the events that say so, and the calls that put it right.
struct Violation {
    name: &'static str,
    before: Content,
    changed: Vec<(Resource, &'static str, Content)>,
    events: Vec<(&'static str, Value)>,
    calls: &'static [&'static str],
}

fn violations() -> Vec<Violation> {
    let public = allow("open", json!("*"));
    let url = |auth: &str| Content::new(json!({"AuthType": auth}));
    let url_statement = json!({
        "Sid": "url", "Effect": "Allow", "Principal": "*", "Action": "lambda:InvokeFunctionUrl", "Resource": PAY,
        "Condition": {"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}
    });
    let add = |sid: &str| ("AddPermission", json!({"functionName": "pay", "statementId": sid}));
    let put = || ("PutResourcePolicy", json!({"resourceArn": PAY}));
    vec![
        Violation {
            name: "a public statement beside a benign one",
            before: policy(&[own()]),
            changed: vec![(pay(), "resource-policy", policy(&[own(), public.clone()]))],
            events: vec![add("open")],
            calls: &["RemovePermission(pay, Sid open)"],
        },
        Violation {
            name: "the only statement",
            before: Content::ABSENT,
            changed: vec![(pay(), "resource-policy", policy(std::slice::from_ref(&public)))],
            events: vec![add("open")],
            calls: &["RemovePermission(pay, Sid open)"],
        },
        Violation {
            name: "a whole policy of public statements",
            before: Content::ABSENT,
            changed: vec![(pay(), "resource-policy", policy(&[public.clone(), allow("more", json!({"AWS": "*"}))]))],
            events: vec![put()],
            calls: &["DeleteResourcePolicy(pay)"],
        },
        Violation {
            name: "a principal too many, and a Sid that RemovePermission does not take",
            before: policy(&[own()]),
            changed: vec![(
                pay(),
                "resource-policy",
                policy(&[allow("own", json!({"AWS": ["111122223333", "*"]})), allow("come in", json!("*"))]),
            )],
            events: vec![put()],
            calls: &["PutResourcePolicy(pay)"],
        },
        Violation {
            name: "an open service principal",
            before: policy(&[own()]),
            changed: vec![(
                pay(),
                "resource-policy",
                policy(&[own(), allow("s3", json!({"Service": "s3.amazonaws.com"}))]),
            )],
            events: vec![add("s3")],
            calls: &["PutResourcePolicy(pay)"],
        },
        Violation {
            name: "a public URL",
            before: policy(&[own()]),
            changed: vec![
                (pay(), "function-url", url("NONE")),
                (pay(), "resource-policy", policy(&[own(), url_statement])),
            ],
            events: vec![
                ("CreateFunctionUrlConfig", json!({"functionName": "pay"})),
                ("AddPermission", json!({"functionName": "pay", "statementId": "url"})),
            ],
            calls: &["UpdateFunctionUrlConfig(pay, AuthType AWS_IAM)", "RemovePermission(pay, Sid url)"],
        },
        Violation {
            name: "a public alias",
            before: policy(&[own()]),
            changed: vec![
                (pay(), "resource-policy:live", policy(&[public])),
                (pay(), "function-url:live", Content::ABSENT),
            ],
            events: vec![("AddPermission", json!({"functionName": "pay", "qualifier": "live", "statementId": "open"}))],
            calls: &["RemovePermission(pay:live, Sid open)"],
        },
        Violation {
            name: "a public layer version",
            before: policy(&[own()]),
            changed: vec![(
                tools(),
                "layer-policy/7",
                policy(&[
                    layer_statement("a", json!("*")),
                    layer_statement("b", json!({"AWS": "arn:aws:iam::111122223333:root"})),
                    layer_statement("c", json!("*")),
                ]),
            )],
            events: ["a", "c"]
                .map(|sid| {
                    let parameters = json!({"layerName": "tools", "versionNumber": 7, "statementId": sid});
                    ("AddLayerVersionPermission", parameters)
                })
                .into(),
            calls: &["RemoveLayerVersionPermission(tools:7, Sid a)", "RemoveLayerVersionPermission(tools:7, Sid c)"],
        },
    ]
}

impl guarded::Violation<AccessGuard> for Violation {
    fn name(&self) -> &str {
        self.name
    }

    fn calls(&self) -> &[&str] {
        self.calls
    }

    async fn happens(&self) -> (Shop, Vec<Value>) {
        let shop = open(&[]);
        shop.put(&pay(), &surface("resource-policy"), self.before.clone());
        let shop = opt_in(shop).await;
        // The layer version was looked at before as well.
        let own = layer_statement("b", json!({"AWS": "arn:aws:iam::111122223333:root"}));
        shop.put(&tools(), &surface("layer-policy/7"), policy(&[own]));
        let parameters = json!({"layerName": "tools", "versionNumber": 7, "statementId": "b"});
        shop.deliver(&shop.event("AddLayerVersionPermission", parameters)).await;
        shop.pass(SignedDuration::from_secs(1)).await;
        for (resource, text, content) in &self.changed {
            shop.put(resource, &surface(text), content.clone());
        }
        let events = self.events.iter().map(|(name, parameters)| shop.event(name, parameters.clone())).collect();
        (shop, events)
    }
}

warden_testing::holds_for_every!(violations());

#[tokio::test]
async fn one_half_of_a_public_url_undone_stays_undone() {
    for first in [0, 1] {
        let violation = violations().into_iter().find(|violation| violation.name == "a public URL").unwrap();
        let (shop, events) = violation.happens().await;
        shop.deliver_all(&events).await;
        let applied = shop.steps(Step::Applied);
        shop.undo(&applied[first]).await.unwrap();
        let half = shop.contents();
        shop.deliver_all(&events).await;
        shop.sweep(&pay()).await;
        assert_eq!(shop.contents(), half);
        shop.undo(&applied[1 - first]).await.unwrap();
        let whole = shop.contents();
        shop.sweep(&pay()).await;
        assert_eq!(shop.contents(), whole);
    }
}

/// A trigger that was there before may live by its statement, so that it is not taken out as a whole; once the guard
/// may replace policies again, it is narrowed.
#[tokio::test]
async fn a_policy_that_could_not_be_replaced_is_tried_again_at_the_next_look() {
    let shop = open(&[("WARDEN_PRE_EXISTING", "act")]);
    let trigger = policy(&[own(), allow("s3", json!({"Service": "s3.amazonaws.com"}))]);
    shop.put(&pay(), &surface("resource-policy"), trigger.clone());
    shop.fault_at(Port::Call, 0, Fault::Refused(ErrorKind::Refused));
    let shop = opt_in(shop).await;
    let holds = || shop.content(&pay(), &surface("resource-policy"));
    assert_eq!(holds(), trigger);
    let withheld = shop.withheld(&pay(), "no-safe-change");
    let note = withheld.last().and_then(|record| record.entry.note.as_deref()).unwrap_or_default();
    assert!(note.contains("as the failed record says") && note.contains("warden apply"), "{note}");

    shop.sweep(&pay()).await;
    let statements = holds().document().unwrap()["Statement"].clone();
    assert_eq!(statements[1]["Condition"]["StringEquals"]["aws:SourceAccount"], "111122223333");
    assert_eq!(shop.calls_made(), ["PutResourcePolicy(pay)"]);
}
