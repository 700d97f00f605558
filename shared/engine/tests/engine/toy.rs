//! A toy guard for the engine's own tests: a statement breaks a rule when it says so (`"Bad": "high"`), less badly while
//! another one holds it down (`"Holds": "SID"`), and `"Stuck": true` when no change would be safe. An account that is
//! trusted (`"Trusts": "444455556666"`) breaks none.

use jiff::SignedDuration;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use warden_engine::{
    Finding, FindingId, Handled, HandlerError, Report, Severity,
    guard::{Events, Facts, Guard, Introduced, Judgement, ReconcileRequest, Remedy},
    ledger::record::{Record, Step},
    model::{
        cloudtrail::{Cause, CloudTrailEvent},
        content::Content,
        settings::Settings,
        surface::{Resource, Surface},
        tags::GuardKind,
    },
    name::lambda::{FunctionArn, Home, Qualifier},
    on_event,
    plan::{Call, Plan},
    ports::Clock,
    reconcile,
    run::undo::{Undo, UndoRefusal},
};
use warden_testing::{World, guarded::may_be_in_force};

/// After so long CloudTrail shows an event.
pub(crate) const LAG: SignedDuration = SignedDuration::from_mins(3);

pub(crate) struct Toy;

pub(crate) fn home() -> Home {
    Home { partition: "aws".parse().unwrap(), region: "us-east-1".into(), account: "111122223333".parse().unwrap() }
}

/// The default settings, some of them set otherwise.
pub(crate) fn settings(variables: &[(&str, &str)]) -> Settings {
    let get = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    Settings::read(home(), get).unwrap()
}

pub(crate) fn function(name: &str) -> Resource {
    format!("arn:aws:lambda:us-east-1:111122223333:function:{name}").parse().unwrap()
}

pub(crate) fn policy_of(qualifier: &str) -> Surface {
    let qualifier = (!qualifier.is_empty()).then(|| qualifier.parse::<Qualifier>().unwrap());
    Surface::ResourcePolicy(qualifier)
}

/// A policy of such statements.
pub(crate) fn policy(statements: &[Value]) -> Content {
    if statements.is_empty() { Content::ABSENT } else { Content::new(json!({"Statement": statements})) }
}

pub(crate) fn good(sid: &str) -> Value {
    json!({"Sid": sid})
}

pub(crate) fn bad(sid: &str, severity: &str) -> Value {
    json!({"Sid": sid, "Bad": severity})
}

/// A statement that holds another one down to medium.
pub(crate) fn hold(sid: &str) -> Value {
    json!({"Sid": format!("hold-{sid}"), "Holds": sid})
}

fn findings(content: &Content, settings: &Settings) -> Judgement {
    match content.document() {
        None => Judgement::default(),
        Some(Value::String(_)) => Judgement { unclear: Some("it is text".into()), ..Judgement::default() },
        Some(document) => {
            let statements = document["Statement"].as_array().cloned().unwrap_or_default();
            let is_held = |sid: &Value| statements.iter().any(|other| other["Holds"] == *sid && !sid.is_null());
            let is_trusted = |statement: &Value| {
                let account = statement["Trusts"].as_str().and_then(|account| account.parse().ok());
                account.is_some_and(|account| settings.trusted_accounts.contains(&account))
            };
            let finding = |(index, statement): (usize, &Value)| {
                let severity: Severity = statement["Bad"].as_str()?.parse().unwrap();
                let severity = if is_held(&statement["Sid"]) { severity.min(Severity::Medium) } else { severity };
                (!is_trusted(statement)).then_some(())?;
                Some(Finding {
                    id: FindingId::PublicInvoke,
                    severity,
                    at: format!("Statement[{index}].Principal"),
                    message: "it says so itself".into(),
                })
            };
            Judgement { findings: statements.iter().enumerate().filter_map(finding).collect(), unclear: None }
        }
    }
}

impl Guard for Toy {
    const KIND: GuardKind = GuardKind::Access;
    type Context = ();

    const EVENTS: &'static [Events] = &[];
    const CALLS: &'static [&'static str] = &[];
    const NOTHING_FOUND: &'static str = "nothing is found";

    fn owns(surface: &Surface) -> bool {
        matches!(surface, Surface::ResourcePolicy(_))
    }

    fn requests(&self, event: &CloudTrailEvent, _: &Settings) -> Vec<ReconcileRequest> {
        let Some(name) = event.parameter("functionName") else { return Vec::new() };
        let (function, qualifier) = FunctionArn::resolve(name, &event.home).unwrap();
        let surface = Surface::ResourcePolicy(qualifier);
        let sid = event.parameter("statementId").map(str::to_owned);
        let of_surface = |introduced| (Some(BTreeSet::from([surface.clone()])), introduced);
        let (surfaces, introduced) = match event.cause.event_name.as_str() {
            "AddPermission" => of_surface(vec![Introduced { surface: Some(surface.clone()), sid }]),
            "RemovePermission" => of_surface(Vec::new()),
            "CreateFunction" => (None, vec![Introduced { surface: None, sid: None }]),
            "TagResource" | "UntagResource" => (None, Vec::new()),
            _ => return Vec::new(),
        };
        let resource = Resource::Function(function);
        vec![ReconcileRequest { surfaces, introduced, ..ReconcileRequest::at(resource, event.cause.clone()) }]
    }

    fn judge(&self, facts: &Facts, surface: &Surface, settings: &Settings) -> Judgement {
        facts.surfaces.get(surface).map(|snapshot| findings(&snapshot.content, settings)).unwrap_or_default()
    }

    fn remedy(
        &self,
        resource: &Resource,
        facts: &Facts,
        surface: &Surface,
        addressed: &[Finding],
        baseline: Option<&Content>,
        _: &Settings,
    ) -> Remedy {
        let (Resource::Function(function), Surface::ResourcePolicy(qualifier)) = (resource, surface) else {
            panic!("{resource} has no {surface} here")
        };
        let content = &facts.surfaces[surface].content;
        let document = content.document().unwrap();
        let is_addressed =
            |index: usize| addressed.iter().any(|finding| finding.at == format!("Statement[{index}].Principal"));
        let statements = document["Statement"].as_array().unwrap();
        let earlier =
            baseline.and_then(Content::document).map(|before| before["Statement"].as_array().unwrap().clone());
        let earlier = earlier.unwrap_or_default();
        // What held it down comes back; else it goes; where nothing is left, what was in force comes back.
        let lost = earlier.iter().find(|before| {
            let held = statements.iter().position(|statement| statement["Sid"] == before["Holds"]);
            held.is_some_and(is_addressed) && !statements.contains(before)
        });
        let stays = |(index, statement): &(usize, &Value)| !is_addressed(*index) || statement["Stuck"] == true;
        let left: Vec<Value> = statements.iter().enumerate().filter(stays).map(|(_, kept)| kept.clone()).collect();
        let left = match lost {
            Some(lost) => statements.iter().chain([lost]).cloned().collect(),
            None if left.is_empty() => earlier.clone(),
            None => left,
        };
        let stuck = addressed.iter().filter(|finding| {
            let index = statements
                .iter()
                .enumerate()
                .position(|(index, _)| finding.at == format!("Statement[{index}].Principal"));
            index.is_some_and(|index| statements[index]["Stuck"] == true)
        });
        let unfixable = stuck.map(|finding| (finding.clone(), "ask its owner".to_owned())).collect();
        if left == *statements {
            return Remedy { unfixable, ..Remedy::default() };
        }
        let (function, qualifier) = (function.clone(), qualifier.clone());
        let undo = Call::PutResourcePolicy {
            function: function.clone(),
            qualifier: qualifier.clone(),
            policy: document.clone(),
        };
        let after = policy(&left);
        let call = match after.document() {
            Some(policy) => Call::PutResourcePolicy { function, qualifier, policy: policy.clone() },
            None => Call::DeleteResourcePolicy { function, qualifier },
        };
        let plan = Plan::new(surface.clone(), content.clone()).then(call, undo, after);
        Remedy { plan: Some(plan), unfixable, ..Remedy::default() }
    }
}

/// A world with one guarded function `pay`.
pub(crate) struct Stage {
    pub(crate) world: World,
    pub(crate) settings: Settings,
    pub(crate) pay: Resource,
    events: std::cell::Cell<u32>,
}

impl Stage {
    /// `pay` exists, not opted in.
    pub(crate) fn new() -> Stage {
        Stage::set(&[])
    }

    /// Likewise with settings.
    pub(crate) fn set(variables: &[(&str, &str)]) -> Stage {
        let stage = Stage {
            world: World::default(),
            settings: settings(variables),
            pay: function("pay"),
            events: std::cell::Cell::default(),
        };
        stage.world.put(&stage.pay, &policy_of(""), Content::ABSENT);
        stage
    }

    /// `pay` exists with a benign statement, is opted in to `enforce`, and the guard knows it.
    pub(crate) async fn enforced() -> Stage {
        Stage::new().enforce().await
    }

    /// Opts `pay` in, with a benign statement, and lets the guard see it.
    pub(crate) async fn enforce(self) -> Stage {
        self.world.put(&self.pay, &policy_of(""), policy(&[good("shop")]));
        self.opt_in("enforce").await;
        self
    }

    /// Tags `pay` and delivers the event.
    pub(crate) async fn opt_in(&self, mode: &str) -> Report {
        self.world.tag(&self.pay, "warden", mode);
        self.world.pass(jiff::SignedDuration::from_secs(1)).await;
        let report = self.deliver(&self.event("TagResource", "pay", None)).await;
        // Events tell the time in whole seconds: what comes next comes later.
        self.world.pass(jiff::SignedDuration::from_secs(1)).await;
        report
    }

    /// Opts another function in, before anything happens to it.
    pub(crate) async fn guard(&self, name: &str) {
        self.world.tag(&function(name), "warden", "enforce");
        self.deliver(&self.event("TagResource", name, None)).await;
    }

    /// The event of a call of now, which CloudTrail shows [`LAG`] later.
    pub(crate) fn event(&self, name: &str, target: &str, sid: Option<&str>) -> Value {
        self.in_history(self.made_up(name, target, sid))
    }

    /// CloudTrail's event history has the event.
    pub(crate) fn in_history(&self, event: Value) -> Value {
        let record = serde_json::from_value(event["detail"].clone()).unwrap();
        self.world.happened(record, self.world.now() + LAG);
        event
    }

    /// An event of now that somebody made up.
    pub(crate) fn made_up(&self, name: &str, target: &str, sid: Option<&str>) -> Value {
        self.events.set(self.events.get() + 1);
        json!({
            "source": "aws.lambda",
            "detail-type": "AWS API Call via CloudTrail",
            "account": "111122223333",
            "detail": {
                "eventName": name,
                "eventTime": self.world.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                "awsRegion": "us-east-1",
                "eventID": format!("event-{}", self.events.get()),
                "userAgent": "terraform/1.9",
                "userIdentity": {
                    "principalId": "AROAIDPPEZS35WEXAMPLE:ci",
                    "arn": "arn:aws:sts::111122223333:assumed-role/deploy/ci",
                    "sessionContext": {"sessionIssuer": {
                        "principalId": "AROAIDPPEZS35WEXAMPLE",
                        "arn": "arn:aws:iam::111122223333:role/deploy"
                    }}
                },
                "requestParameters": {"functionName": target, "statementId": sid}
            }
        })
    }

    /// The same event, by somebody else.
    pub(crate) fn by(&self, actor: &str, mut event: Value) -> Value {
        let arn = format!("arn:aws:iam::111122223333:user/{actor}");
        event["detail"]["userIdentity"] = json!({"principalId": format!("AIDA-{actor}"), "arn": arn});
        self.in_history(event)
    }

    /// Lets the guard handle an event, which must succeed, and what comes back by its delay queue within minutes.
    pub(crate) async fn deliver(&self, event: &Value) -> Report {
        let report = match self.try_deliver(event).await.unwrap() {
            Handled::Looked(mut reports) => reports.pop().unwrap(),
            Handled::NotOurs(why) => panic!("{why}"),
        };
        self.work_off(10).await;
        report
    }

    /// Lets the guard handle what comes back by its delay queue within so many minutes.
    pub(crate) async fn work_off(&self, minutes: i64) {
        self.world.work_off(&Toy, &self.settings, SignedDuration::from_mins(minutes)).await;
    }

    pub(crate) async fn try_deliver(&self, event: &Value) -> Result<Handled, HandlerError> {
        on_event(&Toy, &self.world, &self.settings, &serde_json::from_value(event.clone()).unwrap()).await
    }

    /// Somebody puts these statements into `pay`'s policy, the last of them newly; the event is delivered.
    pub(crate) async fn add(&self, statements: &[Value]) -> Report {
        self.world.put(&self.pay, &policy_of(""), policy(statements));
        let sid = statements.last().and_then(|statement| statement["Sid"].as_str());
        self.deliver(&self.event("AddPermission", "pay", sid)).await
    }

    /// The sweep, or with `by_operator` an operator's `warden apply`, looks at the whole of `pay`.
    pub(crate) async fn look(&self, by_operator: bool) -> Report {
        let resource = self.pay.clone();
        let cause = Cause::by_hand("test");
        let request = ReconcileRequest { by_operator, ..ReconcileRequest::at(resource, cause) };
        reconcile(&Toy, &self.world, &self.settings, &request).await.unwrap()
    }

    pub(crate) fn undo_of(&self, record: &Record) -> Undo {
        Undo {
            record: record.clone(),
            accept_for: jiff::SignedDuration::from_hours(24),
            by: "alice".into(),
            cause: Cause::by_hand("warden undo"),
            findings: Vec::new(),
            although: None,
        }
    }

    pub(crate) async fn undo(&self, record: &Record) -> Result<Vec<Record>, UndoRefusal> {
        self.undo_of(record).carry_out(&self.world, &self.settings).await
    }

    /// The last record of a step.
    #[track_caller]
    pub(crate) fn last(&self, step: Step) -> Record {
        self.world.of_step(&self.pay, step).pop().unwrap()
    }

    /// What `pay`'s policy holds.
    #[track_caller]
    pub(crate) fn check(&self, statements: &[Value]) {
        assert_eq!(self.world.content(&self.pay, &policy_of("")), policy(statements));
    }

    /// What the log says.
    #[track_caller]
    pub(crate) fn check_log(&self, expected: &[&str]) {
        assert_eq!(self.world.log(&self.pay), expected);
    }
}

/// No baseline ever held what would be acted on.
impl Drop for Stage {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for resource in self.world.resources() {
            for (surface, state) in self.world.states(&resource) {
                let baseline = state.baseline.clone().unwrap_or_default();
                let judged = findings(&baseline, &self.settings);
                assert!(judged.unclear.is_none(), "{resource} {surface}");
                let may_stay =
                    judged.findings.iter().all(|finding| may_be_in_force(&state, &baseline, finding, &self.settings));
                assert!(may_stay, "{resource} {surface}: {judged:?}");
            }
        }
    }
}
