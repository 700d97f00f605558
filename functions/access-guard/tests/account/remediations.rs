//! Every remediation of access-guard, and its undo, cut off before and after each of its calls.

use crate::shop::{Shop, open, opt_in, pay, tools};
use access_guard::AccessGuard;
use jiff::SignedDuration;
use serde_json::{Value, json};
use warden_engine::{
    call_error::ErrorKind,
    guard::ReconcileRequest,
    ledger::record::Step,
    model::{cloudtrail::Cause, content::Content, surface::Resource},
    reconcile,
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

fn s3(sid: &str) -> Value {
    allow(sid, json!({"Service": "s3.amazonaws.com"}))
}

const NARROWED: &str = "PutResourcePolicy(pay)";
const REMOVED: &str = "RemovePermission(pay, Sid s3)";

/// `pay` with a statement of its own, to which an open trigger is added; its first calls go wrong so.
async fn hindered(variables: &[(&str, &str)], kinds: &[ErrorKind]) -> Shop {
    let shop = open(variables);
    shop.put(&pay(), &surface("resource-policy"), policy(&[own()]));
    let shop = opt_in(shop).await;
    add_trigger(&shop, kinds).await;
    shop
}

async fn add_trigger(shop: &Shop, kinds: &[ErrorKind]) {
    shop.put(&pay(), &surface("resource-policy"), policy(&[own(), s3("s3")]));
    for (nth, kind) in kinds.iter().enumerate() {
        shop.fault_at(Port::Call, nth, Fault::Refused(*kind));
    }
    shop.deliver(&shop.event("AddPermission", json!({"functionName": "pay", "statementId": "s3"}))).await;
    shop.pass(SignedDuration::from_secs(1)).await;
}

/// The plans that were recorded from the `since`th on, by their calls.
fn planned(shop: &Shop, since: usize) -> Vec<String> {
    let planned = shop.of_step(&pay(), Step::Planned).split_off(since);
    planned.iter().flat_map(|record| &record.entry.changes).map(|change| change.call().to_string()).collect()
}

/// A policy that is too long, a request of our own that is wrong: statements are not cut for that.
#[tokio::test]
async fn what_fails_for_another_reason_than_a_missing_permission_is_a_failure_and_cuts_nothing() {
    for kind in [ErrorKind::Refused, ErrorKind::Bug] {
        let shop = hindered(&[], &[kind]).await;
        assert_eq!(shop.content(&pay(), &surface("resource-policy")), policy(&[own(), s3("s3")]), "{kind:?}");
        assert_eq!(planned(&shop, 0), [NARROWED], "{kind:?}");
        let failed = shop.of_step(&pay(), Step::Failed).pop().and_then(|record| record.entry.note).unwrap();
        assert!(failed.contains(&format!("{kind:?}, says the test")), "{failed}");
        // Nothing is remembered of it.
        shop.sweep(&pay()).await;
        assert_eq!(shop.calls_made(), [NARROWED]);
    }
}

/// A permission that was given a moment ago is not known everywhere yet.
#[tokio::test]
async fn what_is_not_allowed_for_a_moment_is_tried_again() {
    for kind in [ErrorKind::Denied, ErrorKind::NotOffered] {
        let shop = hindered(&[], &[kind; 2]).await;
        assert_eq!(shop.calls_made(), [NARROWED], "{kind:?}");
        assert_eq!(shop.of_step(&pay(), Step::Failed), [], "{kind:?}");
    }
}

#[tokio::test]
async fn what_is_not_allowed_is_not_tried_at_every_event_and_counts_once_against_the_cap() {
    for kind in [ErrorKind::Denied, ErrorKind::NotOffered] {
        let shop = hindered(&[("WARDEN_ACCOUNT_CAP", "8")], &[kind; 3]).await;
        assert_eq!(
            planned(&shop, 0),
            [NARROWED, REMOVED],
            "{kind:?}: the resource's quarter of the cap has room for both"
        );
        // The next one too, and it takes no more than its own place in the cap.
        add_trigger(&shop, &[]).await;
        assert_eq!(planned(&shop, 2), [REMOVED], "{kind:?}");
        add_trigger(&shop, &[]).await;
        assert_eq!(planned(&shop, 3), Vec::<String>::new(), "{kind:?}");
        assert_eq!(shop.withheld(&pay(), "cap").len(), 1, "{kind:?}");
        // In another hour the permission may have been given back.
        shop.pass(SignedDuration::from_hours(2)).await;
        add_trigger(&shop, &[]).await;
        assert_eq!(planned(&shop, 3), [NARROWED], "{kind:?}");
    }
}

/// A trigger that was there before may live by its statement, so that it is not taken out as a whole.
#[tokio::test]
async fn an_operator_has_what_was_not_allowed_tried_again_at_once() {
    let shop = open(&[("WARDEN_PRE_EXISTING", "act")]);
    let trigger = policy(&[own(), s3("s3")]);
    shop.put(&pay(), &surface("resource-policy"), trigger.clone());
    for nth in 0..6 {
        shop.fault_at(Port::Call, nth, Fault::Refused(ErrorKind::Denied));
    }
    let shop = opt_in(shop).await;
    let holds = || shop.content(&pay(), &surface("resource-policy"));
    assert_eq!(holds(), trigger);
    let withheld = shop.withheld(&pay(), "no-safe-change");
    let note = withheld.last().and_then(|record| record.entry.note.as_deref()).unwrap_or_default();
    assert!(note.contains("as the failed record says") && note.contains("warden apply"), "{note}");
    shop.sweep(&pay()).await;
    assert_eq!((planned(&shop, 0), holds()), (vec![NARROWED.to_owned()], trigger.clone()));

    // It is still not allowed, and told so once for this run; then it is.
    let request = ReconcileRequest { by_operator: true, ..ReconcileRequest::at(pay(), Cause::by_hand("warden apply")) };
    reconcile(&shop.guard, &shop.world, &shop.settings, &request).await.unwrap();
    assert_eq!((planned(&shop, 1), holds()), (vec![NARROWED.to_owned()], trigger));
    reconcile(&shop.guard, &shop.world, &shop.settings, &request).await.unwrap();
    let statements = holds().document().unwrap()["Statement"].clone();
    assert_eq!(statements[1]["Condition"]["StringEquals"]["aws:SourceAccount"], "111122223333");
    assert_eq!(shop.state(&pay(), &surface("resource-policy")).refused, [], "it is allowed, so nothing is remembered");
}

/// Whoever stands in for the whole policy is undone without one, though the statement stood between others.
#[tokio::test]
async fn what_was_taken_out_instead_is_put_back_by_add_permission() {
    let shop = open(&[]);
    let later = allow("later", json!({"AWS": "arn:aws:iam::111122223333:role/later"}));
    shop.put(&pay(), &surface("resource-policy"), policy(&[own(), later.clone()]));
    let shop = opt_in(shop).await;
    let opened = policy(&[own(), s3("s3"), later.clone(), allow("open", json!("*"))]);
    shop.put(&pay(), &surface("resource-policy"), opened.clone());
    for nth in 0..3 {
        shop.fault_at(Port::Call, nth, Fault::Refused(ErrorKind::NotOffered));
    }
    shop.deliver(&shop.event("PutResourcePolicy", json!({"resourceArn": PAY}))).await;
    assert_eq!(shop.content(&pay(), &surface("resource-policy")), policy(&[own(), later]));
    let applied = shop.steps(Step::Applied).pop().unwrap();
    let undo: Vec<String> = applied.entry.changes.iter().map(|change| change.undo().to_string()).collect();
    assert_eq!(undo, ["AddPermission(pay, Sid s3)", "AddPermission(pay, Sid open)"]);
    shop.undo(&applied).await.unwrap();
    assert_eq!(shop.content(&pay(), &surface("resource-policy")), opened);
    shop.sweep(&pay()).await;
    assert_eq!(shop.content(&pay(), &surface("resource-policy")), opened);
}

/// AddPermission cannot make every statement. One that is no more than too wide stays; one that lets everybody in goes,
/// and its record says that the undo is not sure.
#[tokio::test]
async fn what_could_not_be_put_back_for_sure_is_left_or_told() {
    let odd = |principal| {
        let mut statement = s3("odd");
        (statement["Sid"], statement["Principal"]) = (json!("odd"), principal);
        statement["Condition"] = json!({"StringLike": {"aws:SourceArn": "arn:aws:s3:::orders-*"}});
        statement
    };
    for (principal, goes) in [(json!({"Service": "s3.amazonaws.com"}), false), (json!({"AWS": ["*"]}), true)] {
        let mut statement = odd(principal);
        if goes {
            statement.as_object_mut().unwrap().remove("Condition");
        }
        let shop = open(&[]);
        shop.put(&pay(), &surface("resource-policy"), policy(&[own()]));
        let shop = opt_in(shop).await;
        shop.put(&pay(), &surface("resource-policy"), policy(&[own(), statement, s3("s3")]));
        for nth in 0..3 {
            shop.fault_at(Port::Call, nth, Fault::Refused(ErrorKind::Denied));
        }
        shop.deliver(&shop.event("PutResourcePolicy", json!({"resourceArn": PAY}))).await;
        let notes = |step| {
            let of_step = shop.of_step(&pay(), step);
            of_step.into_iter().filter_map(|record| record.entry.note).collect::<Vec<_>>().join(";")
        };
        assert_eq!(notes(Step::Applied).contains("an undo needs PutResourcePolicy"), goes, "{}", notes(Step::Applied));
        assert_eq!(notes(Step::Withheld).contains("settle what the record says"), !goes, "{}", notes(Step::Withheld));
    }
}
