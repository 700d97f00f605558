//! A guard on a world in memory: what every guard's tests do with it, and what holds for each of them.

use crate::{BEGIN, Fault, Port, World};
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};
use std::{cell::Cell, collections::BTreeMap, ops::Deref};
use warden_engine::{
    Finding, Handled, HandlerError,
    guard::{Guard, ReconcileRequest},
    ledger::{
        record::{Record, Step},
        state::SurfaceState,
    },
    model::{
        cloudtrail::Cause,
        content::Content,
        settings::Settings,
        surface::{Resource, Surface},
    },
    name::lambda::Home,
    on_event,
    plan::Plan,
    ports::Clock,
    reconcile,
    run::undo::{Undo, UndoRefusal},
};

/// What surfaces hold, and how it is written where that counts.
pub type Contents = BTreeMap<(Resource, Surface), (Content, Option<String>)>;

/// After so long CloudTrail shows an event.
const LAG: SignedDuration = SignedDuration::from_mins(3);
/// Within what time a delivery is over: longer than anything waits but for room under the account's cap.
const WORKED_OFF: SignedDuration = SignedDuration::from_mins(10);

/// A world with a guard in it.
pub struct Guarded<G: Guard> {
    /// The guard that is tested.
    pub guard: G,
    /// Everything outside it.
    pub world: World<G::Context>,
    /// The settings of its stack.
    pub settings: Settings,
    /// What must be so in the end, whatever happened.
    pub audit: fn(&Guarded<G>),
    /// How many events were made.
    events: Cell<u32>,
}

impl<G: Guard> Deref for Guarded<G> {
    type Target = World<G::Context>;

    fn deref(&self) -> &World<G::Context> {
        &self.world
    }
}

/// Whether a finding may be in a surface's baseline: it stood before, or it is no part of what may come back.
pub fn may_be_in_force(state: &SurfaceState, baseline: &Content, finding: &Finding, settings: &Settings) -> bool {
    let fragment = baseline.finding_key(finding).fragment;
    finding.severity < settings.threshold
        || state.pre_existing.keys().any(|key| key.fragment == fragment)
        || state.lapsed.contains(&fragment)
}

/// The settings of a stack, with these of its parameters, by their environment variables.
pub fn settings(variables: &[(&str, &str)]) -> Settings {
    let home = Home {
        partition: "aws".parse().unwrap(),
        region: "us-east-1".into(),
        account: "111122223333".parse().unwrap(),
    };
    let get = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    Settings::read(home, get).unwrap()
}

/// The surface with this name.
pub fn surface(text: &str) -> Surface {
    text.parse().unwrap()
}

impl<G: Guard> Guarded<G> {
    /// This guard in a world, with these of the stack's parameters.
    pub fn new(guard: G, world: World<G::Context>, variables: &[(&str, &str)], audit: fn(&Guarded<G>)) -> Guarded<G> {
        let begin: Timestamp = BEGIN.parse().unwrap();
        let settings = settings(variables);
        let guarded = Guarded { guard, world, settings, audit, events: Cell::default() };
        assert_eq!(guarded.world.now(), begin, "a paused clock");
        guarded
    }

    /// The event of a call of now, which CloudTrail shows minutes later.
    pub fn event(&self, name: &str, parameters: Value) -> Value {
        let event = self.made_up(name, parameters);
        let record = serde_json::from_value(event["detail"].clone()).unwrap();
        self.world.happened(record, self.world.now() + LAG);
        event
    }

    /// An event of now that somebody made up.
    pub fn made_up(&self, name: &str, parameters: Value) -> Value {
        self.events.set(self.events.get() + 1);
        json!({
            "source": "aws.lambda",
            "detail-type": "AWS API Call via CloudTrail",
            "account": "111122223333",
            "detail": {
                "eventName": name,
                "eventTime": self.world.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                "awsRegion": "us-east-1",
                "eventID": format!("1b7c0f6e-0000-4000-8000-{:012}", self.events.get()),
                "requestParameters": parameters
            }
        })
    }

    /// Lets the guard handle an event.
    ///
    /// # Errors
    /// The guard's own.
    pub async fn try_deliver(&self, event: &Value) -> Result<Handled, HandlerError> {
        on_event(&self.guard, &self.world, &self.settings, &serde_json::from_value(event.clone()).unwrap()).await
    }

    /// Lets the guard handle an event, which must succeed and concern it, and what comes back by its delay queue within
    /// minutes.
    pub async fn deliver(&self, event: &Value) {
        assert!(matches!(self.try_deliver(event).await.unwrap(), Handled::Looked(_)), "{event}");
        self.world.work_off(&self.guard, &self.settings, WORKED_OFF).await;
    }

    /// Lets the guard handle events, one after the other.
    pub async fn deliver_all(&self, events: &[Value]) {
        for event in events {
            self.deliver(event).await;
        }
    }

    /// The sweep looks at everything of a resource, and at what that leads to.
    pub async fn sweep(&self, resource: &Resource) {
        let request = ReconcileRequest::at(resource.clone(), Cause::by_hand("sweep"));
        let report = reconcile(&self.guard, &self.world, &self.settings, &request).await.unwrap();
        for request in report.follows {
            reconcile(&self.guard, &self.world, &self.settings, &request).await.unwrap();
        }
    }

    /// The sweep looks at everything.
    pub async fn sweep_all(&self) {
        for resource in self.world.existing() {
            self.sweep(&resource).await;
        }
    }

    /// Undoes a remediation, as `warden undo` does.
    ///
    /// # Errors
    /// Why it is not undone.
    pub async fn undo(&self, record: &Record) -> Result<Vec<Record>, UndoRefusal> {
        self.undo_of(record).carry_out(&self.world, &self.settings).await
    }

    /// The undo of a remediation.
    pub fn undo_of(&self, record: &Record) -> Undo {
        Undo {
            record: record.clone(),
            accept_for: SignedDuration::from_hours(24),
            by: "alice".into(),
            cause: Cause::by_hand("warden undo"),
            findings: Vec::new(),
            although: None,
        }
    }

    /// Every record of a step.
    pub fn steps(&self, step: Step) -> Vec<Record> {
        let resources = self.world.resources();
        resources.iter().flat_map(|resource| self.world.of_step(resource, step)).collect()
    }

    /// Everything that was put on record, in short and sorted.
    pub fn story(&self) -> Vec<String> {
        let mut story: Vec<String> =
            self.world.resources().iter().flat_map(|resource| self.world.log(resource)).collect();
        story.sort();
        story
    }

    /// The calls of every remediation that was made.
    pub fn calls_made(&self) -> Vec<String> {
        let applied = self.steps(Step::Applied);
        applied.iter().flat_map(|record| &record.entry.changes).map(|change| change.call().to_string()).collect()
    }
}

impl<G: Guard> Drop for Guarded<G> {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            (self.audit)(self);
        }
    }
}

/// The plan that a record holds.
pub fn plan_of(record: &Record) -> Plan {
    let entry = &record.entry;
    Plan::recorded(entry.surface.clone().unwrap(), entry.diff.clone().unwrap(), entry.changes.clone())
}

const FAULTS: [Fault; 3] = [Fault::CrashBefore, Fault::CrashAfter, Fault::Lost];

/// What somebody does, and what is to become of it.
#[allow(async_fn_in_trait, reason = "used in tests, which run on one thread")]
pub trait Violation<G: Guard> {
    /// What it is, in few words.
    fn name(&self) -> &str;

    /// The calls that put it right, in any order.
    fn calls(&self) -> &[&str];

    /// Makes a world in which it has just happened, and its events.
    async fn happens(&self) -> (Guarded<G>, Vec<Value>);

    /// What the account holds and what the log says when nothing goes wrong.
    async fn undisturbed(&self) -> (Contents, Vec<String>) {
        let (guarded, events) = self.happens().await;
        guarded.deliver_all(&events).await;
        let (mut calls, mut expected) = (guarded.calls_made(), self.calls().to_vec());
        calls.sort();
        expected.sort_unstable();
        assert_eq!(calls, expected, "{}", self.name());
        (guarded.contents(), guarded.story())
    }

    /// Cut off before or after each of its calls, or its answer lost: delivered again, it ends like one that was not.
    async fn is_resumed_wherever_it_was_cut_off(&self) {
        let expected = self.undisturbed().await;
        for fault in FAULTS {
            for nth in 0.. {
                let (guarded, events) = self.happens().await;
                let before = guarded.calls();
                guarded.fault(nth, fault);
                for event in &events {
                    drop(guarded.run(guarded.try_deliver(event)).await);
                }
                let happened = guarded.calls() > before + nth;
                guarded.heal();
                guarded.pass(SignedDuration::from_mins(5)).await;
                guarded.deliver_all(&events).await;
                let name = format!("{}: {fault:?} at call {nth}", self.name());
                assert_eq!(guarded.contents(), expected.0, "{name}");
                assert_eq!(guarded.story(), expected.1, "{name}");
                if !happened {
                    assert!(nth > 5, "{name}");
                    break;
                }
            }
        }
    }

    /// Undone, wherever the undo was cut off, everything is as it was, and stays so. Where `guard_looks`, the guard
    /// looks at it all before the person repeats the undo.
    async fn is_undone_exactly(&self, guard_looks: bool) {
        for fault in FAULTS {
            for nth in 0.. {
                let (guarded, events) = self.happens().await;
                let original = guarded.contents();
                guarded.deliver_all(&events).await;
                let applied = guarded.steps(Step::Applied);
                let before = guarded.calls();
                guarded.fault(nth, fault);
                for record in &applied {
                    drop(guarded.run(guarded.undo(record)).await);
                }
                let happened = guarded.calls() > before + nth;
                guarded.heal();
                guarded.pass(SignedDuration::from_mins(5)).await;
                if guard_looks {
                    guarded.sweep_all().await;
                }
                let name = format!("{}: {fault:?} at call {nth}", self.name());
                for record in &applied {
                    match guarded.undo(record).await {
                        Ok(_) | Err(UndoRefusal::AlreadyRestored(_)) => {}
                        Err(other) => panic!("{name}: {other:#?}"),
                    }
                }
                assert_eq!(guarded.contents(), original, "{name}");
                // The guard leaves it alone, whatever sets it off.
                guarded.deliver_all(&events).await;
                guarded.sweep_all().await;
                assert_eq!(guarded.contents(), original, "{name}");
                assert_eq!(guarded.steps(Step::Undone).len(), applied.len(), "{name}");
                assert_eq!(guarded.steps(Step::Accepted).len(), applied.len(), "{name}");
                if !happened {
                    break;
                }
            }
        }
    }

    /// Ten deliveries of each event at once make one remediation.
    async fn happens_once_however_often_it_is_told(&self) {
        let expected = self.undisturbed().await;
        for seed in 0..8 {
            let (guarded, events) = self.happens().await;
            guarded.seed(seed);
            let calls = guarded.calls_at(Port::Call);
            let deliveries = (0..10).flat_map(|_| events.iter().map(|event| guarded.deliver(event)));
            futures::future::join_all(deliveries).await;
            assert_eq!(guarded.contents(), expected.0, "{}", self.name());
            assert_eq!(guarded.story(), expected.1, "{}", self.name());
            assert_eq!(guarded.calls_at(Port::Call) - calls, self.calls().len(), "{}", self.name());
        }
    }
}

/// What holds for each of a guard's violations: three tests.
#[macro_export]
macro_rules! holds_for_every {
    ($violations:expr) => {
        #[tokio::test]
        async fn every_remediation_is_resumed_wherever_it_was_cut_off() {
            for violation in &$violations {
                violation.is_resumed_wherever_it_was_cut_off().await;
            }
        }

        #[tokio::test]
        async fn every_undo_is_exact_and_resumed_wherever_it_was_cut_off() {
            for violation in &$violations {
                violation.is_undone_exactly(false).await;
                violation.is_undone_exactly(true).await;
            }
        }

        #[tokio::test]
        async fn ten_deliveries_at_once_of_every_violation_make_one_remediation() {
            for violation in &$violations {
                violation.happens_once_however_often_it_is_told().await;
            }
        }
    };
}
