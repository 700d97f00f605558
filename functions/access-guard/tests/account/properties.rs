//! The four laws, over generated policies and baselines: planning again after applying gives no plan, applying twice is
//! applying once, undo restores the original exactly, and no plan touches what it does not declare.

use crate::shop::{Shop, open, opt_in, pay, tools};
use access_guard::{AccessGuard, Context, Facts};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    sample::{Index, select},
    test_runner::TestCaseError,
};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use tokio::runtime::Builder;
use warden_engine::{
    Finding, Severity,
    guard::{Guard, Scope, SurfaceSnapshot},
    ledger::record::{Record, Step},
    model::{
        content::Content,
        settings::Settings,
        surface::{Resource, Surface},
    },
};
use warden_testing::{
    Port,
    guarded::{plan_of, settings, surface},
    lambda, target,
};

/// A world that the account may hold before and after somebody's change.
#[derive(Clone, Debug)]
struct Account {
    variables: Vec<(&'static str, &'static str)>,
    before: Contents,
    after: Contents,
    order: Vec<Index>,
}

#[derive(Clone, Debug)]
struct Contents {
    policy: Content,
    url: Content,
    layer: Content,
}

fn principal() -> impl Strategy<Value = Value> {
    let one = select(vec![
        json!("*"),
        json!("arn:aws:iam::111122223333:root"),
        json!("arn:aws:iam::111122223333:role/shop"),
        json!("444455556666"),
        json!("arn:aws:iam::999999999999:root"),
        json!("AROAIOSFODNN7EXAMPLE12"),
    ]);
    let service = select(vec![
        json!("s3.amazonaws.com"),
        json!("sns.amazonaws.com"),
        json!("events.amazonaws.com"),
        json!("apigateway.amazonaws.com"),
        json!("alexa-appkit.amazon.com"),
        json!("mallory.amazonaws.com"),
    ]);
    prop_oneof![
        2 => Just(json!("*")),
        3 => one.clone().prop_map(|one| json!({"AWS": one})),
        2 => vec(one.clone(), 1..4).prop_map(|some| json!({"AWS": some})),
        3 => service.clone().prop_map(|one| json!({"Service": one})),
        1 => vec(service.clone(), 1..4).prop_map(|some| json!({"Service": some})),
        1 => (one, service).prop_map(|(one, service)| json!({"AWS": one, "Service": service})),
    ]
}

fn action() -> impl Strategy<Value = Value> {
    let one = select(vec![
        json!("lambda:InvokeFunction"),
        json!("lambda:InvokeFunctionUrl"),
        json!("lambda:GetFunction"),
        json!("lambda:*"),
        json!("lambda:Invoke*"),
        json!("*"),
    ]);
    prop_oneof![4 => Just(json!("lambda:InvokeFunction")), 2 => one.clone(), 2 => vec(one, 1..4).prop_map(Value::from)]
}

fn condition() -> impl Strategy<Value = Option<Value>> {
    let conditions = select(vec![
        json!({}),
        json!({"StringEquals": {"aws:SourceAccount": "111122223333"}}),
        json!({"StringEquals": {"AWS:SourceAccount": "999999999999"}}),
        json!({"ArnLike": {"aws:SourceArn": "arn:aws:sns:us-east-1:111122223333:orders"}}),
        json!({"ArnLike": {"aws:SourceArn": "arn:aws:s3:::bucket"}}),
        json!({"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:*"}}),
        json!({"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}),
        json!({"StringEquals": {"aws:PrincipalOrgID": "o-zzzzzzzzzz"}}),
        json!({"StringLike": {"aws:PrincipalOrgID": "o-*"}}),
        json!({"StringEquals": {"lambda:FunctionUrlAuthType": "NONE"}}),
        json!({"StringEquals": {"lambda:FunctionUrlAuthType": "AWS_IAM"}}),
        json!({"Bool": {"lambda:InvokedViaFunctionUrl": "true"}}),
        json!({"StringEquals": {"lambda:EventSourceToken": "amzn1.ask.skill.1"}}),
        json!({"IpAddress": {"aws:SourceIp": "0.0.0.0/0"}}),
        json!({"IpAddress": {"aws:SourceIp": "203.0.113.0/24"}}),
    ]);
    option::of(conditions)
}

/// A statement without its Sid.
fn statement() -> impl Strategy<Value = Value> {
    let effect = prop_oneof![9 => Just("Allow"), 1 => Just("Deny")];
    (effect, principal(), 0..12, action(), 0..12, condition()).prop_map(
        |(effect, principal, not_principal, action, not_action, condition)| {
            let principals = if not_principal == 0 && effect == "Allow" { "NotPrincipal" } else { "Principal" };
            let actions = if not_action == 0 { "NotAction" } else { "Action" };
            let mut statement = json!({"Effect": effect});
            statement[principals] = principal;
            statement[actions] = action;
            statement["Resource"] = pay().to_string().into();
            if let Some(condition) = condition {
                statement["Condition"] = condition;
            }
            statement
        },
    )
}

/// A policy as Lambda may hold it: Sids are unique where there are any, some of them such as RemovePermission does not
/// take.
fn policy() -> impl Strategy<Value = Content> {
    let statements = vec((statement(), 0..6), 0..6);
    (statements, any::<bool>(), any::<bool>()).prop_map(|(statements, version, as_object)| {
        let named = statements.into_iter().enumerate().map(|(index, (mut statement, sid))| {
            match sid {
                0 => {}
                1 => statement["Sid"] = format!("come in {index}").into(),
                _ => statement["Sid"] = format!("sid-{index}").into(),
            }
            statement
        });
        let statements: Vec<Value> = named.collect();
        let mut document = json!({"Id": "default"});
        if version {
            document["Version"] = "2012-10-17".into();
        }
        document["Statement"] = match statements.as_slice() {
            [] => return Content::ABSENT,
            [one] if as_object => one.clone(),
            some => some.to_vec().into(),
        };
        Content::new(document)
    })
}

fn url() -> impl Strategy<Value = Content> {
    let cors = option::of((select(vec!["*", "https://shop.example"]), any::<bool>()));
    prop_oneof![
        1 => Just(Content::ABSENT),
        3 => (select(vec!["NONE", "AWS_IAM"]), cors).prop_map(|(auth, cors)| {
            let mut url = json!({"AuthType": auth});
            if let Some((origin, credentials)) = cors {
                url["Cors"] = json!({"AllowOrigins": [origin], "AllowCredentials": credentials});
            }
            Content::new(url)
        }),
    ]
}

/// Statements that AddLayerVersionPermission can make, in the order of their Sids.
fn layer() -> impl Strategy<Value = Content> {
    let statement = select(vec![
        json!({"Principal": "*"}),
        json!({"Principal": "*", "Condition": {"StringEquals": {"aws:PrincipalOrgID": "o-a1b2c3d4e5"}}}),
        json!({"Principal": {"AWS": "arn:aws:iam::444455556666:root"}}),
    ]);
    vec(statement, 0..5).prop_map(|statements| {
        let made = statements.into_iter().enumerate().map(|(index, mut statement)| {
            statement["Sid"] = format!("sid-{index}").into();
            statement["Effect"] = "Allow".into();
            statement["Action"] = "lambda:GetLayerVersion".into();
            statement["Resource"] = tools().to_string().into();
            statement
        });
        match made.collect::<Vec<Value>>() {
            none if none.is_empty() => Content::ABSENT,
            some => Content::new(json!({"Version": "2012-10-17", "Id": "default", "Statement": some})),
        }
    })
}

fn contents() -> impl Strategy<Value = Contents> {
    (policy(), url(), layer()).prop_map(|(policy, url, layer)| Contents { policy, url, layer })
}

fn account() -> impl Strategy<Value = Account> {
    let variables = (
        select(vec!["low", "medium", "high", "high", "critical"]),
        select(vec!["", "444455556666"]),
        select(vec!["", "o-a1b2c3d4e5"]),
        select(vec!["withhold", "act"]),
    );
    let variables = variables.prop_map(|(threshold, trusted, organization, standing)| {
        vec![
            ("WARDEN_THRESHOLD", threshold),
            ("WARDEN_TRUSTED_ACCOUNTS", trusted),
            ("WARDEN_ORGANIZATION", organization),
            ("WARDEN_PRE_EXISTING", standing),
        ]
    });
    // What stays of the old policy beside the new statements.
    let merged = (contents(), contents(), any::<bool>()).prop_map(|(before, mut after, merged)| {
        if merged && let (Some(_), Some(new)) = (before.policy.document(), after.policy.document()) {
            let mut all = statements(&before.policy);
            for statement in statements(&after.policy) {
                match all
                    .iter_mut()
                    .find(|known| known.get("Sid").is_some() && known.get("Sid") == statement.get("Sid"))
                {
                    Some(known) => *known = statement,
                    None => all.push(statement),
                }
            }
            let mut document = new.clone();
            document["Statement"] = all.into();
            after.policy = Content::new(document);
        }
        (before, after)
    });
    (variables, merged, vec(any::<Index>(), 4)).prop_map(|(variables, (before, after), order)| Account {
        variables,
        before,
        after,
        order,
    })
}

fn holds(law: impl Future<Output = Result<(), TestCaseError>>) -> Result<(), TestCaseError> {
    Builder::new_current_thread().build().unwrap().block_on(law)
}

impl Account {
    fn put(&self, shop: &Shop, contents: &Contents) {
        shop.put(&pay(), &surface("resource-policy"), contents.policy.clone());
        shop.put(&pay(), &surface("function-url"), contents.url.clone());
        shop.put(&tools(), &surface("layer-policy/7"), contents.layer.clone());
    }

    /// The account as it was before, opted in and known to the guard; then as it is after the change.
    async fn changed(&self) -> Shop {
        let shop = open(&self.variables);
        self.put(&shop, &self.before);
        let shop = opt_in(shop).await;
        shop.sweep(&tools()).await;
        shop.pass(jiff::SignedDuration::from_mins(2)).await;
        self.put(&shop, &self.after);
        shop
    }

    /// The guard sees the change, by its events or by the sweep.
    async fn see(&self, shop: &Shop) {
        let by_event = self.order.first().is_none_or(|order| order.index(2) == 0);
        if by_event {
            let function = pay().to_string();
            shop.deliver(&shop.event("PutResourcePolicy", json!({"resourceArn": function}))).await;
            shop.deliver(&shop.event("UpdateFunctionUrlConfig", json!({"functionName": function}))).await;
            let parameters = json!({"layerName": "tools", "versionNumber": 7, "statementId": "sid-0"});
            shop.deliver(&shop.event("AddLayerVersionPermission", parameters)).await;
        } else {
            shop.sweep(&pay()).await;
            shop.sweep(&tools()).await;
        }
    }
}

fn statements(content: &Content) -> Vec<Value> {
    match content.document().map(|document| &document["Statement"]) {
        Some(Value::Array(statements)) => statements.clone(),
        Some(one) => vec![one.clone()],
        None => Vec::new(),
    }
}

/// Whether all of `some` stand in `all`, in this order.
fn stand_in(some: &[Value], all: &[Value]) -> bool {
    let mut rest = all.iter();
    some.iter().all(|wanted| rest.any(|present| present == wanted))
}

/// The index of the statement that a finding points into.
fn index_of(finding: &Finding) -> usize {
    finding.at.trim_start_matches("Statement[").split(']').next().unwrap().parse().unwrap()
}

/// A plan changes its own surface alone; of a URL only AuthType, of a policy only the statements that it was made for.
fn stays_within(resource: &Resource, record: &Record, baseline: &Content) -> Result<(), TestCaseError> {
    let plan = plan_of(record);
    let mut content = plan.before().clone();
    for change in plan.changes() {
        prop_assert_eq!(target(change.call()), (resource.clone(), plan.surface().clone()));
        prop_assert_eq!(target(change.undo()), (resource.clone(), plan.surface().clone()));
        prop_assert_eq!(content.fingerprint(), change.expects());
        content = lambda::apply(&content, change.call()).map_err(|kind| TestCaseError::fail(format!("{kind:?}")))?;
        prop_assert_eq!(content.fingerprint(), change.leaves());
    }
    prop_assert_eq!(content.fingerprint(), plan.after().fingerprint());

    let without = |content: &Content, key: &str| {
        let mut document = content.document().cloned().unwrap_or_default();
        document.as_object_mut().map(|object| object.shift_remove(key));
        document
    };
    match plan.surface() {
        Surface::FunctionUrl(_) => {
            prop_assert_eq!(without(plan.before(), "AuthType"), without(plan.after(), "AuthType"));
        }
        Surface::Environment(_) | Surface::Secret(_) => prop_assert!(false, "secret-guard's"),
        Surface::Concurrency | Surface::ProvisionedConcurrency(_) | Surface::Recursion => {
            prop_assert!(false, "concurrency-guard's");
        }
        Surface::ResourcePolicy(_) | Surface::LayerPolicy(_) => {
            let offending: Vec<usize> = record.entry.findings.iter().map(index_of).collect();
            let before = statements(plan.before());
            let others: Vec<Value> = before
                .iter()
                .enumerate()
                .filter(|(index, _)| !offending.contains(index))
                .map(|(_, statement)| statement.clone())
                .collect();
            prop_assert!(stand_in(&others, &statements(plan.after())));
            // What is left of the document around the statements stays, unless the whole baseline came back.
            if !plan.after().is_absent() && plan.after() != baseline {
                prop_assert_eq!(without(plan.before(), "Statement"), without(plan.after(), "Statement"));
            }
        }
        Surface::Trust
        | Surface::Boundary
        | Surface::Attachment(_)
        | Surface::InlinePolicy(_)
        | Surface::ManagedPolicy(_)
        | Surface::Role(_) => prop_assert!(false, "{} is another guard's", plan.surface()),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 32, ..ProptestConfig::default() })]

    #[test]
    fn planning_again_after_applying_gives_no_plan(account in account()) {
        holds(async {
            let shop = account.changed().await;
            account.see(&shop).await;
            prop_assert_eq!(shop.steps(Step::Failed), vec![]);
            let (contents, log) = (shop.contents(), shop.story());
            shop.pass(jiff::SignedDuration::from_mins(2)).await;
            shop.sweep(&pay()).await;
            shop.sweep(&tools()).await;
            prop_assert_eq!(shop.contents(), contents);
            prop_assert_eq!(shop.steps(Step::Planned).len(),
                log.iter().filter(|line| line.starts_with("planned")).count());
            Ok(())
        })?;
    }

    #[test]
    fn applying_twice_is_applying_once(account in account()) {
        holds(async {
            let shop = account.changed().await;
            account.see(&shop).await;
            let (contents, calls) = (shop.contents(), shop.calls_at(Port::Call));
            // What is left of a statement that was narrowed is something new to report, once.
            account.see(&shop).await;
            let log = shop.story();
            account.see(&shop).await;
            prop_assert_eq!(shop.contents(), contents);
            prop_assert_eq!(shop.story(), log);
            prop_assert_eq!(shop.calls_at(Port::Call), calls);
            for record in shop.steps(Step::Applied) {
                let plan = plan_of(&record);
                prop_assert_eq!(plan.remaining(plan.after()).map(<[_]>::len), Some(0));
            }
            Ok(())
        })?;
    }

    #[test]
    fn undo_restores_the_original_exactly_and_it_stays(account in account()) {
        holds(async {
            let shop = account.changed().await;
            let original = shop.contents();
            let earlier = shop.steps(Step::Applied);
            account.see(&shop).await;
            let mut applied = shop.steps(Step::Applied);
            applied.retain(|record| !earlier.contains(record));
            for order in &account.order {
                if applied.is_empty() {
                    break;
                }
                let record = applied.remove(order.index(applied.len()));
                shop.undo(&record).await.map_err(|error| TestCaseError::fail(format!("{error:?}")))?;
                let half = shop.contents();
                account.see(&shop).await;
                prop_assert_eq!(shop.contents(), half);
            }
            prop_assert_eq!(shop.contents(), original);
            Ok(())
        })?;
    }

    #[test]
    fn no_plan_touches_what_it_does_not_declare(account in account()) {
        holds(async {
            let shop = account.changed().await;
            let baselines: BTreeMap<(Resource, Surface), Content> = [pay(), tools()]
                .into_iter()
                .flat_map(|resource| {
                    let states = shop.states(&resource).into_iter();
                    states.map(move |(surface, state)| ((resource.clone(), surface),
                        state.baseline.unwrap_or_default()))
                })
                .collect();
            account.see(&shop).await;
            for record in shop.steps(Step::Planned) {
                let key = (record.resource.clone(), record.entry.surface.clone().unwrap());
                let none = Content::ABSENT;
                stays_within(&record.resource, &record, baselines.get(&key).unwrap_or(&none))?;
            }
            Ok(())
        })?;
    }

    /// What is left after a remediation, without the pre-existing findings of before, is not worth acting on, or was
    /// said to be beyond what can be done.
    #[test]
    fn nothing_that_can_be_put_right_is_left(before in contents(),
        threshold in select(vec!["medium", "high", "critical"])) {
        let settings: Settings = settings(&[("WARDEN_THRESHOLD", threshold)]);
        let snapshot = |content: &Content| SurfaceSnapshot { content: content.clone(), revision: None };
        let mut facts = Facts {
            scope: Scope::Tags(BTreeMap::new()),
            surfaces: BTreeMap::from([
                (surface("function-url"), snapshot(&before.url)),
                (surface("resource-policy"), snapshot(&before.policy)),
            ]),
            context: Context::default(),
        };
        for name in ["function-url", "resource-policy"].map(surface) {
            let worth = |finding: &Finding| finding.severity >= settings.threshold;
            let found: Vec<Finding> =
                AccessGuard.judge(&facts, &name, &settings).findings.into_iter().filter(worth).collect();
            if found.is_empty() {
                continue;
            }
            let remedy = AccessGuard.remedy(&pay(), &facts, &name, &found, None, &settings);
            if let Some(plan) = &remedy.plan {
                facts.surfaces.insert(name.clone(), snapshot(plan.after()));
            }
            let left = AccessGuard.judge(&facts, &name, &settings).findings.into_iter().filter(worth).count();
            prop_assert_eq!(left, remedy.unfixable.len());
            prop_assert!(found.iter().all(|finding| finding.severity > Severity::Info));
        }
    }
}
