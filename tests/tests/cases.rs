//! Cases as folders of data: each folder of `tests/cases/<guard>` says what happened, what AWS says, what is decided.
//!
//! | file | what |
//! |---|---|
//! | `why.txt` | one sentence: what the case shows |
//! | `event.json` | the event as EventBridge delivers it |
//! | `facts.json` | what AWS says about the resource then ([`Facts`]) |
//! | `baseline.json` | what the surfaces held before, where that matters: surface to content |
//! | `values.json` | what is known of the values that an environment's variables held, where that matters: variable to [`Variable`] |
//! | `readers.json` | the roles that were let into a function's secrets before, where that matters: ARN to the fingerprint of the trust policy then |
//! | `settings.json` | the stack's parameters that are not at their defaults: variable to value |
//! | `plan.json` | what is decided: where to look, the records, the calls with their undo |
//!
//! The resource was opted in an hour before the event and looked at as a whole, so that what is found is new.
//! `BLESS=1 cargo test --workspace --test cases` writes `plan.json` anew; read the difference before you commit it.

use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use similar::TextDiff;
use std::{
    collections::{BTreeMap, BTreeSet},
    env, fs,
    path::{Path, PathBuf},
};
use warden_aws::Aws;
use warden_engine::{
    decide::{Decision, decide},
    guard::{Facts, Guard, ReconcileRequest, Survey},
    ledger::state::{Enrolment, Head, History, SurfaceState},
    model::{cloudtrail::CloudTrailEvent, content::Content, settings::Settings, surface::Surface, tags::Mode},
    name::lambda::Home,
    plan::Call,
};
use warden_guards::{Visitor, each};
use warden_tests::events::assert_complete;

const REQUIRED: [&str; 4] = ["why.txt", "event.json", "facts.json", "plan.json"];
const OPTIONAL: [&str; 5] = ["baseline.json", "first.json", "readers.json", "settings.json", "values.json"];

/// `plan.json`.
#[derive(Serialize)]
struct Decided {
    /// Where the event says to look.
    request: Value,
    records: Vec<Value>,
    plans: Vec<Planned>,
}

#[derive(Serialize)]
struct Planned {
    surface: Surface,
    calls: Vec<Call>,
    /// In the order in which they were planned; undone in the reverse one.
    undo: Vec<Call>,
    after: Content,
}

struct Case<'a, G> {
    guard: &'a G,
    folder: PathBuf,
}

impl<G: Guard> Case<'_, G> {
    fn read<T: DeserializeOwned>(&self, name: &str) -> Option<T> {
        let path = self.folder.join(name);
        let text = fs::read_to_string(&path).ok()?;
        Some(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{}: {error}", path.display())))
    }

    fn must<T: DeserializeOwned>(&self, name: &str) -> T {
        self.read(name).unwrap_or_else(|| panic!("{}: {name} is missing", self.folder.display()))
    }

    fn settings(&self) -> Settings {
        let variables: BTreeMap<String, String> = self.read("settings.json").unwrap_or_default();
        for name in variables.keys() {
            assert!(Settings::VARIABLES.contains(&name.as_str()), "{}: no setting {name}", self.folder.display());
        }
        let home = Home {
            partition: "aws".parse().unwrap(),
            region: "us-east-1".into(),
            account: "111122223333".parse().unwrap(),
        };
        Settings::read(home, |name| variables.get(name).cloned()).unwrap()
    }

    fn decided(&self) -> Decided {
        let settings = self.settings();
        assert_complete(&self.must("event.json"), &self.folder.display().to_string());
        let event = match CloudTrailEvent::from_event(&self.must("event.json"), &settings.home) {
            Ok(event) => event,
            Err(why) => return Decided { request: why.to_string().into(), records: vec![], plans: vec![] },
        };
        let mut facts: Facts<G::Context> = self.must("facts.json");
        let requests = self.guard.requests(&event, &settings);
        // The last is at what the event names.
        let Some(request) = requests.last() else {
            return Decided { request: "not this guard's".into(), records: vec![], plans: vec![] };
        };
        if let Some(surfaces) = &request.surfaces {
            // On Managed Instances what runs is read as well.
            let runs = |surface: &Surface| surface.to_string().ends_with(":$LATEST.PUBLISHED");
            let there: BTreeSet<Surface> =
                facts.surfaces.keys().filter(|surface| surfaces.contains(surface) || !runs(surface)).cloned().collect();
            assert_eq!(*surfaces, there, "{}: facts.json has other surfaces", self.folder.display());
        }
        let history = self.history(&facts, &event);
        self.guard.add_history(request, &mut facts, &history);
        let decision = decide(self.guard, request, &facts, &history, &settings, event.time);
        assert!(!decision.more && decision.waits.is_empty(), "{}", self.folder.display());
        Decided::new(request, &decision)
    }

    fn history(&self, facts: &Facts<G::Context>, event: &CloudTrailEvent) -> History {
        let baselines: BTreeMap<Surface, Content> = self.read("baseline.json").unwrap_or_default();
        let surfaces = baselines.into_iter().map(|(surface, baseline)| {
            (surface, SurfaceState { version: 1, baseline: Some(baseline), ..SurfaceState::default() })
        });
        let mut surfaces: BTreeMap<Surface, SurfaceState> = surfaces.collect();
        let mut first: BTreeMap<Surface, Content> = self.read("first.json").unwrap_or_default();
        for (surface, snapshot) in facts.surfaces.iter().filter(|(surface, _)| self.guard.keeps_first(surface)) {
            let state = surfaces.entry(surface.clone()).or_default();
            let known = first.remove(surface).or_else(|| state.baseline.clone());
            (state.version, state.first) = (1, Some(known.unwrap_or_else(|| snapshot.content.clone())));
        }
        if let Some(values) = self.read("values.json") {
            let state = surfaces.entry(Surface::Environment(None)).or_default();
            (state.version, state.values) = (1, values);
        }
        if let Some(readers) = self.read("readers.json") {
            let state = surfaces.entry(Surface::Environment(None)).or_default();
            (state.version, state.readers) = (1, readers);
        }
        let mode = facts.scope.opt_in(G::KIND, event.time.to_zoned(jiff::tz::TimeZone::UTC).date()).mode;
        let known = Enrolment {
            mode,
            since: event.time - jiff::SignedDuration::from_hours(1),
            surveyed: true,
            problems: Vec::new(),
            forged: Vec::new(),
            unread: BTreeSet::new(),
            through: BTreeSet::new(),
        };
        let guards = (mode != Mode::Off).then_some((G::KIND, known)).into_iter().collect();
        History { head: Head { guards, ..Head::default() }, surfaces, ..History::default() }
    }
}

impl Decided {
    fn new(request: &ReconcileRequest, decision: &Decision) -> Decided {
        let introduced = request.introduced.iter().map(|introduced| {
            let surface = introduced.surface.as_ref().map_or_else(|| "everything".to_owned(), ToString::to_string);
            match &introduced.sid {
                None => surface,
                Some(sid) => format!("{surface} {sid}"),
            }
        });
        let records = decision.drafts.iter().map(|draft| {
            let findings: Vec<Value> = draft
                .findings
                .iter()
                .map(|found| json!({"id": found.id, "severity": found.severity, "at": found.at}))
                .collect();
            let mut record = json!({"step": draft.step, "surface": draft.surface, "findings": findings});
            if let Some(reason) = &draft.reason {
                record["reason"] = json!(reason);
            }
            if let Some(note) = &draft.note {
                record["note"] = note.as_str().into();
            }
            record
        });
        let plans = decision.remediations.iter().map(|remediation| {
            let plan = &remediation.intent.plan;
            Planned {
                surface: plan.surface().clone(),
                calls: plan.changes().iter().map(|change| change.call().clone()).collect(),
                undo: plan.changes().iter().map(|change| change.undo().clone()).collect(),
                after: plan.after().clone(),
            }
        });
        Decided {
            request: json!({
                "resource": request.resource,
                "surfaces": request.surfaces,
                "introduced": introduced.collect::<Vec<String>>(),
            }),
            records: records.collect(),
            plans: plans.collect(),
        }
    }
}

/// What is wrong with a case.
fn check<G: Guard>(guard: &G, folder: &Path) -> Result<(), String> {
    let name = folder.file_name().unwrap().to_string_lossy().into_owned();
    let files: BTreeSet<String> =
        fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    let bless = env::var_os("BLESS").is_some();
    let stray = files.iter().filter(|file| !REQUIRED.contains(&file.as_str()) && !OPTIONAL.contains(&file.as_str()));
    let missing = REQUIRED.iter().filter(|file| !(files.contains(**file) || bless && **file == "plan.json"));
    let problems: Vec<String> = stray
        .map(|file| format!("{name}: {file} is no part of a case"))
        .chain(missing.map(|file| format!("{name}: {file} is missing")))
        .collect();
    if !problems.is_empty() {
        return Err(problems.join("\n"));
    }
    let why = fs::read_to_string(folder.join("why.txt")).unwrap();
    if why.trim().is_empty() || why.trim().lines().count() != 1 {
        return Err(format!("{name}: why.txt is one sentence"));
    }
    let decided = Case { guard, folder: folder.to_owned() }.decided();
    let found = format!("{}\n", serde_json::to_string_pretty(&decided).unwrap());
    let path = folder.join("plan.json");
    if bless {
        fs::write(path, found).unwrap();
        return Ok(());
    }
    let expected = fs::read_to_string(path).unwrap();
    if found == expected {
        return Ok(());
    }
    let diff = TextDiff::from_lines(&expected, &found);
    let diff = diff.unified_diff().context_radius(4).header("plan.json", "what is decided").to_string();
    Err(format!("{name}: {}\n{diff}", why.trim()))
}

/// What is wrong with the cases of each guard, which stand in `tests/cases/<guard>`.
#[derive(Default)]
struct Wrong(Vec<String>);

impl Visitor for Wrong {
    fn visit<G: Guard + Sync>(&mut self, guard: &'static G)
    where
        Aws: Survey<G>,
    {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("cases").join(G::KIND.name());
        let mut folders: Vec<PathBuf> = fs::read_dir(&root).unwrap().map(|entry| entry.unwrap().path()).collect();
        folders.sort();
        assert!(!folders.is_empty());
        self.0.extend(folders.iter().filter_map(|folder| {
            if folder.is_dir() { check(guard, folder).err() } else { Some(format!("{} is no case", folder.display())) }
        }));
    }
}

#[test]
fn every_case_is_decided_as_its_plan_says() {
    let mut wrong = Wrong::default();
    each(&mut wrong);
    assert!(wrong.0.is_empty(), "\n{}", wrong.0.join("\n"));
}
