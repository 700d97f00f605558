//! An account with a guarded function `pay` and a guarded layer `tools`.

use crate::world::World;
use access_guard::AccessGuard;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use warden_engine::{
    EventError, Handled,
    arn::Home,
    call_error::CallError,
    content::Content,
    guard::{Facts, Guard, Look, Observe},
    on_event,
    ports::Clock,
    reconcile,
    record::{Record, Step},
    settings::Settings,
    surface::{Subject, Surface},
    trigger::Cause,
    undo::{Undo, UndoRefusal},
};

impl Observe<AccessGuard> for World {
    async fn observe(&self, _: &AccessGuard, look: &Look, settings: &Settings) -> Result<Option<Facts>, CallError> {
        self.facts(look, AccessGuard::KIND, settings).await
    }
}

/// What surfaces hold.
pub(crate) type Contents = BTreeMap<(Subject, Surface), Content>;

pub(crate) struct Shop {
    pub(crate) world: World,
    pub(crate) settings: Settings,
}

pub(crate) fn settings(variables: &[(&str, &str)]) -> Settings {
    let home = Home {
        partition: "aws".parse().unwrap(),
        region: "us-east-1".into(),
        account: "111122223333".parse().unwrap(),
    };
    let get = |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    Settings::read(home, get).unwrap()
}

pub(crate) fn pay() -> Subject {
    "arn:aws:lambda:us-east-1:111122223333:function:pay".parse().unwrap()
}

pub(crate) fn tools() -> Subject {
    "arn:aws:lambda:us-east-1:111122223333:layer:tools:7".parse().unwrap()
}

pub(crate) fn surface(text: &str) -> Surface {
    text.parse().unwrap()
}

impl Shop {
    /// `pay` and `tools`, as good as empty, `pay` opted in to `enforce` and known to the guard.
    pub(crate) async fn open(variables: &[(&str, &str)]) -> Shop {
        let guarded = [("WARDEN_LAYER_MODE", "enforce"), ("WARDEN_LAYER_NAMES", "tools")];
        let shop = Shop { world: World::default(), settings: settings(&[variables, &guarded].concat()) };
        for text in ["function-url", "resource-policy"] {
            shop.world.put(&pay(), &surface(text), Content::ABSENT);
        }
        shop.world.put(&tools(), &surface("layer-policy/7"), Content::ABSENT);
        shop
    }

    /// Opts `pay` in.
    pub(crate) async fn opt_in(self) -> Shop {
        self.world.tag(&pay(), "warden", "enforce");
        self.deliver(&self.event("TagResource", json!({"resource": pay(), "tags": {"warden": "enforce"}}))).await;
        self.world.pass(jiff::SignedDuration::from_secs(1)).await;
        self
    }

    pub(crate) fn event(&self, name: &str, parameters: Value) -> Value {
        json!({
            "source": "aws.lambda",
            "detail-type": "AWS API Call via CloudTrail",
            "account": "111122223333",
            "detail": {
                "eventName": name,
                "eventTime": self.world.now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
                "awsRegion": "us-east-1",
                "eventID": "1b7c0f6e-0000-4000-8000-000000000001",
                "requestParameters": parameters
            }
        })
    }

    pub(crate) async fn try_deliver(&self, event: &Value) -> Result<Handled, EventError> {
        on_event(&AccessGuard, &self.world, &self.settings, event).await
    }

    pub(crate) async fn deliver(&self, event: &Value) {
        assert!(matches!(self.try_deliver(event).await.unwrap(), Handled::Looked(_)));
    }

    /// The sweep looks at everything of a subject.
    pub(crate) async fn sweep(&self, subject: &Subject) {
        let cause = Cause::by_hand("sweep");
        let look = Look::at(subject.clone(), cause);
        reconcile(&AccessGuard, &self.world, &self.settings, &look).await.unwrap();
    }

    pub(crate) async fn undo(&self, record: &Record) -> Result<Vec<Record>, UndoRefusal> {
        let undo = Undo {
            record: record.clone(),
            accept_for: jiff::SignedDuration::from_hours(24),
            by: "alice".into(),
            cause: Cause::by_hand("warden undo"),
        };
        undo.carry_out(&self.world, &self.settings).await
    }

    /// What everything holds.
    pub(crate) fn contents(&self) -> Contents {
        let of = |subject: Subject| {
            let surfaces = self.world.resource(&subject).surfaces;
            surfaces.into_iter().map(move |(surface, content)| ((subject.clone(), surface), content))
        };
        of(pay()).chain(of(tools())).collect()
    }

    /// Every record of a step.
    pub(crate) fn of_step(&self, step: Step) -> Vec<Record> {
        [pay(), tools()].iter().flat_map(|subject| self.world.of_step(subject, step)).collect()
    }

    /// Everything that was put on record, in short.
    pub(crate) fn log(&self) -> Vec<String> {
        [pay(), tools()].iter().flat_map(|subject| self.world.log(subject)).collect()
    }
}

/// No baseline ever held a finding of medium or above.
impl Drop for Shop {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        for subject in self.world.subjects() {
            for (surface, state) in self.world.states(&subject) {
                let (Surface::ResourcePolicy(_) | Surface::LayerPolicy(_), Some(baseline)) = (&surface, state.baseline)
                else {
                    continue;
                };
                let sighting = warden_engine::guard::Sighting { content: baseline, revision: None };
                let scope = warden_engine::guard::Scope::Tags(BTreeMap::new());
                let facts = Facts { scope, surfaces: BTreeMap::from([(surface.clone(), sighting)]), context: () };
                let judged = AccessGuard.judge(&facts, &surface, &self.settings);
                let worst = judged.findings.iter().map(|finding| finding.severity).max();
                assert!(worst < Some(warden_engine::Severity::Medium), "{subject} {surface}: {facts:?}");
            }
        }
    }
}
