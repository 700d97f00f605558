//! An AWS account and a ledger in memory, strict: whatever the real ones would refuse is refused, and whatever the
//! engine must never do (a change without its lock, a transaction that DynamoDB would not take) fails the test. Time is
//! simulated, so that sleeping costs nothing. When a world is dropped, every chain of records in it is verified.

pub mod guarded;
pub mod iam;
pub mod lambda;
pub mod queue;
pub mod time;

use crate::{iam::Managed, queue::Message, time::SimulatedTime};
use futures::future::{self, Either};
use jiff::{SignedDuration, Timestamp};
use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    future::Future,
    pin::pin,
    task::Poll,
};
use warden_engine::{
    call_error::{CallError, ErrorKind},
    guard::{Facts, Fetch, Guard, ReconcileRequest, Scope, SurfaceSnapshot},
    ledger::{
        chain::verify,
        record::{Reason, Record, Step},
        state::{Head, History, HourlyChanges, Pause, Share, SurfaceState},
    },
    model::{
        cloudtrail::ApiCallRecord,
        content::Content,
        settings::Settings,
        surface::{Resource, Surface},
        tags::Mode,
    },
    name::{fingerprint::Fingerprint, iam::PolicyArn},
    plan::{Call, Change, RevisionId},
    ports::{Account, Attestor, AuditEvents, Clock, Commit, CommitError, EventHistory, Ledger},
};

/// When every world begins.
pub const BEGIN: &str = "2026-11-21T10:00:00Z";

/// The ways out of the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Port {
    /// A guard reads a resource ([`Fetch::fetch`]).
    Fetch,
    /// The ledger is read.
    History,
    /// The ledger is written.
    Commit,
    /// One surface is read again.
    Snapshot,
    /// A call changes something: its first request.
    Call,
    /// A further request of a call that makes several.
    Request,
    /// Records are sent out as events.
    Announce,
    /// An operator's decision is signed.
    Sign,
    /// A signature is verified.
    Holds,
    /// A message is sent to the delay queue.
    Later,
    /// CloudTrail is asked for an event.
    Record,
}

/// What goes wrong at a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The run ends before the call was made.
    CrashBefore,
    /// The run ends once the call was made, before its answer.
    CrashAfter,
    /// The call is refused: nothing is done.
    Refused(ErrorKind),
    /// The call is made, but its answer never comes.
    Lost,
}

/// A function, a layer version, a role or a managed policy.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FakeResource {
    /// The resource's tags.
    pub tags: BTreeMap<String, String>,
    /// What is stored. Of a managed policy on a role that is no more than that it is there: what it says stands in the
    /// library.
    pub surfaces: BTreeMap<Surface, Content>,
    /// Of IAM's documents: how they were written, word for word.
    pub texts: BTreeMap<Surface, String>,
    /// The locks on the surfaces: one more with every change.
    revisions: BTreeMap<Surface, u64>,
}

impl FakeResource {
    fn put(&mut self, surface: &Surface, content: Content) {
        *self.revisions.entry(surface.clone()).or_default() += 1;
        if *surface == Surface::Concurrency {
            // Reserved concurrency has no lock, and moves that of the configuration.
            *self.revisions.entry(Surface::Role(None)).or_default() += 1;
        }
        if let Some(document) = content.document() {
            self.texts.insert(surface.clone(), document.to_string());
        }
        self.surfaces.insert(surface.clone(), content);
    }

    fn snapshot(
        &self,
        resource: &Resource,
        surface: &Surface,
        library: &BTreeMap<PolicyArn, Managed>,
    ) -> SurfaceSnapshot {
        let content = iam::snapshot(self, resource, surface, library);
        let locked = !content.is_absent() && offers_lock(surface);
        let number = self.revisions.get(surface).copied().unwrap_or_default();
        SurfaceSnapshot { revision: locked.then(|| RevisionId(format!("revision-{number}"))), content }
    }
}

/// Whether Lambda hands out a RevisionId with such a surface; IAM never does.
fn offers_lock(surface: &Surface) -> bool {
    matches!(surface, Surface::ResourcePolicy(_) | Surface::LayerPolicy(_) | Surface::Role(_))
}

/// An item of the table: its JSON and its version.
#[derive(Clone, Debug)]
struct Item {
    json: String,
    version: u64,
}

/// What was counted in a clock hour: of the account, and of each share.
type Hour = (u32, BTreeMap<Share, u32>);

type Act<C> = Box<dyn FnOnce(&World<C>)>;

struct Inner<C> {
    fakes: BTreeMap<Resource, FakeResource>,
    /// Every managed policy.
    library: BTreeMap<PolicyArn, Managed>,
    records: BTreeMap<Resource, Vec<(Record, Fingerprint)>>,
    items: HashMap<(String, String), Item>,
    hours: HashMap<String, Hour>,
    announced: Vec<Record>,
    /// The delay queue.
    queue: Vec<Message>,
    /// The delay queue's dead letters.
    dead: Vec<Message>,
    /// CloudTrail's event history: when it shows each record, by the event's id.
    history: HashMap<String, (Timestamp, ApiCallRecord)>,
    /// Every call at a port, in order.
    log: Vec<Port>,
    /// By the number of the call from the start of the world.
    faults: HashMap<usize, Fault>,
    /// By port, and how many calls there from now on.
    faults_at: Vec<(Port, usize, Fault)>,
    /// Run once, just before the next call at a port.
    acts: Vec<(Port, Act<C>)>,
    crashed: bool,
    entropy: u64,
}

/// What a guard reads beside what its surfaces hold, from the world: its [`Fetch::fetch_more`], without the waiting.
pub type FetchMore<C> = fn(&World<C>, &ReconcileRequest, &mut Facts<C>, &History, &Settings);

/// Everything outside the engine, for a guard with such a [`Guard::Context`].
pub struct World<C = ()> {
    inner: RefCell<Inner<C>>,
    time: SimulatedTime,
    fetch_more: FetchMore<C>,
}

/// A world in which a guard reads no more than what its surfaces hold.
impl<C> Default for World<C> {
    fn default() -> Self {
        World::new(|_, _, _, _, _| ())
    }
}

impl<C> World<C> {
    /// An empty world, in which a guard also reads what `fetch_more` adds.
    pub fn new(fetch_more: FetchMore<C>) -> World<C> {
        let inner = Inner {
            fakes: BTreeMap::new(),
            library: BTreeMap::new(),
            records: BTreeMap::new(),
            items: HashMap::new(),
            hours: HashMap::new(),
            announced: Vec::new(),
            queue: Vec::new(),
            dead: Vec::new(),
            history: HashMap::new(),
            log: Vec::new(),
            faults: HashMap::new(),
            faults_at: Vec::new(),
            acts: Vec::new(),
            crashed: false,
            entropy: 0,
        };
        World { inner: RefCell::new(inner), time: SimulatedTime::default(), fetch_more }
    }
}

/// Setting the scene.
impl<C> World<C> {
    /// Lets chance fall otherwise.
    pub fn seed(&self, seed: u64) {
        self.inner.borrow_mut().entropy = seed;
    }

    /// Makes `resource`, or changes it, as somebody else does.
    pub fn change(&self, resource: &Resource, change: impl FnOnce(&mut FakeResource)) {
        change(self.inner.borrow_mut().fakes.entry(resource.clone()).or_default());
    }

    /// Tags `resource`.
    pub fn tag(&self, resource: &Resource, key: &str, value: &str) {
        self.change(resource, |fake| drop(fake.tags.insert(key.into(), value.into())));
    }

    /// Somebody else changes what `surface` holds.
    pub fn put(&self, resource: &Resource, surface: &Surface, content: Content) {
        self.change(resource, |fake| fake.put(surface, content));
    }

    /// Writes or changes a managed policy, as somebody else does.
    pub fn managed<T>(&self, policy: &PolicyArn, change: impl FnOnce(&mut Managed) -> T) -> T {
        change(self.inner.borrow_mut().library.entry(policy.clone()).or_default())
    }

    /// A managed policy.
    pub fn managed_policy(&self, policy: &PolicyArn) -> Option<Managed> {
        self.inner.borrow().library.get(policy).cloned()
    }

    /// Writes a document of a role's, word for word, as somebody else does.
    pub fn write(&self, role: &Resource, surface: &Surface, text: &str) {
        self.change(role, |fake| {
            fake.put(surface, iam::parsed(text));
            fake.texts.insert(surface.clone(), text.to_owned());
        });
    }

    /// What a surface is to hold no longer.
    pub fn clear(&self, resource: &Resource, surface: &Surface) {
        self.change(resource, |fake| drop(fake.surfaces.remove(surface)));
    }

    /// Deletes `resource`.
    pub fn delete(&self, resource: &Resource) {
        self.inner.borrow_mut().fakes.remove(resource);
    }

    /// Lets the `nth` call at a port from now on (from 0) go wrong.
    pub fn fault(&self, nth: usize, fault: Fault) {
        let mut inner = self.inner.borrow_mut();
        let at = inner.log.len() + nth;
        inner.faults.insert(at, fault);
    }

    /// Lets the `nth` call at this port from now on (from 0) go wrong.
    pub fn fault_at(&self, port: Port, nth: usize, fault: Fault) {
        self.inner.borrow_mut().faults_at.push((port, nth, fault));
    }

    /// Lets everything go well from now on.
    pub fn heal(&self) {
        let mut inner = self.inner.borrow_mut();
        inner.faults.clear();
        inner.faults_at.clear();
        inner.crashed = false;
    }

    /// Lets `act` happen just before the next call at `port`.
    pub fn meanwhile(&self, port: Port, act: impl FnOnce(&World<C>) + 'static) {
        self.inner.borrow_mut().acts.push((port, Box::new(act)));
    }

    /// Writes a state straight into the table, as somebody who may merely do that.
    pub fn forge_state(&self, resource: &Resource, surface: &Surface, forge: impl FnOnce(&mut SurfaceState)) {
        let mut state = self.state(resource, surface);
        forge(&mut state);
        let item = Item { json: serde_json::to_string(&state).unwrap(), version: state.version.max(1) };
        self.inner.borrow_mut().items.insert((resource.to_string(), format!("state#{surface}")), item);
    }

    /// Writes a pause straight into the table, likewise.
    pub fn forge_pause(&self, pause: &Pause) {
        let item = Item { json: serde_json::to_string(pause).unwrap(), version: 0 };
        self.inner.borrow_mut().items.insert(("account".into(), "pause".into()), item);
    }

    /// Lets CloudTrail have seen a call; it shows it from `shown` on.
    pub fn happened(&self, record: ApiCallRecord, shown: Timestamp) {
        let id = record.event_id.clone().expect("CloudTrail's own record has an id");
        self.inner.borrow_mut().history.insert(id, (shown, record));
    }

    /// Lets time pass.
    pub async fn pass(&self, time: SignedDuration) {
        self.sleep(time).await;
    }

    /// Runs `work` until it ends, or until it crashes at a port: then it is dropped there, and `None` comes back.
    pub async fn run<T>(&self, work: impl Future<Output = T>) -> Option<T> {
        let crash = future::poll_fn(|_| if self.inner.borrow().crashed { Poll::Ready(()) } else { Poll::Pending });
        match future::select(pin!(work), pin!(crash)).await {
            Either::Left((done, _)) => Some(done),
            Either::Right(((), _)) => None,
        }
    }
}

/// Looking at what became of it.
impl<C> World<C> {
    /// What a surface holds.
    pub fn content(&self, resource: &Resource, surface: &Surface) -> Content {
        let inner = self.inner.borrow();
        inner
            .fakes
            .get(resource)
            .map(|fake| fake.snapshot(resource, surface, &inner.library).content)
            .unwrap_or_default()
    }

    /// All that a resource holds.
    pub fn fake(&self, resource: &Resource) -> FakeResource {
        self.inner.borrow().fakes.get(resource).cloned().unwrap_or_default()
    }

    /// A resource's records.
    pub fn records(&self, resource: &Resource) -> Vec<Record> {
        let inner = self.inner.borrow();
        inner.records.get(resource).into_iter().flatten().map(|(record, _)| record.clone()).collect()
    }

    /// A resource's records in short: `planned resource-policy`, `withheld pre-existing function-url`, `opted-in`.
    pub fn log(&self, resource: &Resource) -> Vec<String> {
        let line = |record: &Record| {
            let reason = record.entry.reason.as_ref().map(|reason| reason.code().to_owned());
            let surface = record.entry.surface.as_ref().map(ToString::to_string);
            let words = [Some(record.entry.step.to_string()), reason, surface];
            words.into_iter().flatten().collect::<Vec<_>>().join(" ")
        };
        self.records(resource).iter().map(line).collect()
    }

    /// The records of one step.
    pub fn of_step(&self, resource: &Resource, step: Step) -> Vec<Record> {
        self.records(resource).into_iter().filter(|record| record.entry.step == step).collect()
    }

    /// The records withheld for a reason, by its code.
    pub fn withheld(&self, resource: &Resource, code: &str) -> Vec<Record> {
        let is_it = |record: &Record| record.entry.reason.as_ref().map(Reason::code) == Some(code);
        self.of_step(resource, Step::Withheld).into_iter().filter(is_it).collect()
    }

    /// What was announced.
    pub fn announced(&self) -> Vec<Record> {
        self.inner.borrow().announced.clone()
    }

    /// What is known of a surface.
    pub fn state(&self, resource: &Resource, surface: &Surface) -> SurfaceState {
        self.item(&resource.to_string(), &format!("state#{surface}")).unwrap_or_default()
    }

    /// What is known of every surface of a resource.
    pub fn states(&self, resource: &Resource) -> BTreeMap<Surface, SurfaceState> {
        let inner = self.inner.borrow();
        let of_resource = inner.items.iter().filter(|((pk, _), _)| *pk == resource.to_string());
        of_resource
            .filter_map(|((_, sk), item)| {
                let surface = sk.strip_prefix("state#")?.parse().unwrap();
                let state: SurfaceState = serde_json::from_str(&item.json).unwrap();
                Some((surface, SurfaceState { version: item.version, ..state }))
            })
            .collect()
    }

    /// The pause of the whole account, where one is on record.
    pub fn pause(&self) -> Option<Pause> {
        self.item("account", "pause")
    }

    /// Every resource with records.
    pub fn resources(&self) -> Vec<Resource> {
        self.inner.borrow().records.keys().cloned().collect()
    }

    /// Every function, layer version, role and managed policy.
    pub fn existing(&self) -> Vec<Resource> {
        self.inner.borrow().fakes.keys().cloned().collect()
    }

    /// What everything holds, where it holds something: of IAM's documents word for word, of managed policies with the
    /// version's id and what the other versions say.
    pub fn contents(&self) -> guarded::Contents {
        let inner = self.inner.borrow();
        let mut contents = guarded::Contents::new();
        for (resource, fake) in &inner.fakes {
            for surface in fake.surfaces.keys() {
                let content = fake.snapshot(resource, surface, &inner.library).content;
                let written = match surface {
                    Surface::Trust | Surface::InlinePolicy(_) => fake.texts.get(surface).cloned(),
                    Surface::Boundary
                    | Surface::Attachment(_)
                    | Surface::ManagedPolicy(_)
                    | Surface::Role(_)
                    | Surface::FunctionUrl(_)
                    | Surface::ResourcePolicy(_)
                    | Surface::LayerPolicy(_)
                    | Surface::Environment(_)
                    | Surface::Secret(_)
                    | Surface::Concurrency
                    | Surface::ProvisionedConcurrency(_)
                    | Surface::Recursion => None,
                };
                if !content.is_absent() {
                    contents.insert((resource.clone(), surface.clone()), (content, written));
                }
            }
        }
        for (policy, managed) in &inner.library {
            if let Ok(customer) = policy.clone().try_into() {
                let at = (Resource::Policy(customer), Surface::ManagedPolicy(policy.clone()));
                contents.insert(at, (managed.content(), Some(managed.all_versions())));
            }
        }
        contents
    }

    /// How many calls were made at ports.
    pub fn calls(&self) -> usize {
        self.inner.borrow().log.len()
    }

    /// How many calls were made at one port.
    pub fn calls_at(&self, port: Port) -> usize {
        self.inner.borrow().log.iter().filter(|logged| **logged == port).count()
    }

    fn item<T: serde::de::DeserializeOwned + Versioned>(&self, pk: &str, sk: &str) -> Option<T> {
        let inner = self.inner.borrow();
        let item = inner.items.get(&(pk.to_owned(), sk.to_owned()))?;
        let mut read: T = serde_json::from_str(&item.json).unwrap();
        read.set_version(item.version);
        Some(read)
    }
}

trait Versioned {
    fn set_version(&mut self, version: u64);
}

impl Versioned for Head {
    fn set_version(&mut self, version: u64) {
        self.version = version;
    }
}

impl Versioned for SurfaceState {
    fn set_version(&mut self, version: u64) {
        self.version = version;
    }
}

impl Versioned for Pause {
    fn set_version(&mut self, _: u64) {}
}

impl<C> Drop for World<C> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            return;
        }
        let resources: Vec<Resource> = self.resources();
        for resource in resources {
            let head = self.item::<Head>(&resource.to_string(), "head").unwrap();
            let inner = self.inner.borrow();
            let records = &inner.records[&resource];
            verify(records.iter().map(|(record, hash)| (record, *hash)), &head).unwrap();
            assert_eq!(head.records, records.len() as u64);
            // Every remediation was announced before its outcome, and has one outcome at most.
            for (at, (record, _)) in records.iter().enumerate() {
                if matches!(record.entry.step, Step::Applied | Step::Failed | Step::Undone | Step::Rotated) {
                    let same = |other: &&(Record, Fingerprint)| other.0.entry.remediation == record.entry.remediation;
                    let before = records[..at].iter().filter(same).filter(|other| other.0.entry.step == Step::Planned);
                    let ended = |other: &&(Record, Fingerprint)| {
                        matches!(other.0.entry.step, Step::Applied | Step::Failed | Step::Undone | Step::Rotated)
                    };
                    let ends = records[..=at].iter().filter(same).filter(ended).count();
                    assert_eq!(before.count(), ends, "{resource}: {} without its plan", record.entry.step);
                }
            }
        }
        let inner = self.inner.borrow();
        for record in &inner.announced {
            assert!(
                inner.records[&record.resource].iter().any(|(known, _)| known == record),
                "announced, not recorded"
            );
        }
    }
}

/// What every port does when it is called.
impl<C> World<C> {
    /// A call arrives at a port.
    async fn arrive(&self, port: Port) -> Result<Option<Fault>, ErrorKind> {
        // Calls take their time, and not always the same: runs at once overtake each other.
        self.time.sleep(SignedDuration::from_millis(1 + (self.entropy() % 7) as i64)).await;
        let act = {
            let mut inner = self.inner.borrow_mut();
            let next = inner.acts.iter().position(|(at, _)| *at == port);
            next.map(|next| inner.acts.remove(next).1)
        };
        if let Some(act) = act {
            act(self);
        }
        let fault = {
            let mut inner = self.inner.borrow_mut();
            let at = inner.log.len();
            inner.log.push(port);
            let mut hit = None;
            inner.faults_at.retain_mut(|(faulty, left, fault)| match (*faulty == port, *left) {
                (false, _) => true,
                (true, 0) => {
                    hit = Some(*fault);
                    false
                }
                (true, _) => {
                    *left -= 1;
                    true
                }
            });
            hit.or(inner.faults.remove(&at))
        };
        match fault {
            Some(Fault::CrashBefore) => self.crash().await,
            Some(Fault::Refused(kind)) => Err(kind),
            Some(Fault::CrashAfter | Fault::Lost) | None => Ok(fault),
        }
    }

    /// Its answer leaves.
    async fn leave<T>(&self, fault: Option<Fault>, answer: T) -> Result<T, ErrorKind> {
        match fault {
            Some(Fault::CrashAfter) => self.crash().await,
            Some(Fault::Lost) => Err(ErrorKind::Retry),
            Some(Fault::CrashBefore | Fault::Refused(_)) | None => Ok(answer),
        }
    }

    async fn crash<T>(&self) -> T {
        self.inner.borrow_mut().crashed = true;
        future::pending().await
    }

    fn error(kind: ErrorKind, port: Port) -> CallError {
        CallError { kind, operation: "call", target: format!("{port:?}"), message: format!("{kind:?}, says the test") }
    }

    async fn at<T>(
        &self,
        port: Port,
        answer: impl FnOnce(&mut Inner<C>) -> Result<T, ErrorKind>,
    ) -> Result<T, CallError> {
        let answered = async {
            let fault = self.arrive(port).await?;
            let answer = answer(&mut self.inner.borrow_mut());
            self.leave(fault, answer).await?
        };
        answered.await.map_err(|kind| Self::error(kind, port))
    }
}

impl<G: Guard> Fetch<G> for World<G::Context> {
    /// Everything that the request asks for, as access-guard reads it from Lambda.
    async fn fetch(
        &self,
        _: &G,
        request: &ReconcileRequest,
        settings: &Settings,
    ) -> Result<Option<Facts<G::Context>>, CallError> {
        let today = self.now().to_zoned(jiff::tz::TimeZone::UTC).date();
        self.at(Port::Fetch, |inner| {
            let Some(fake) = inner.fakes.get(&request.resource) else { return Ok(None) };
            let scope = match &request.resource {
                Resource::LayerVersion(_) => Scope::Setting(settings.layers.mode),
                Resource::Function(_) | Resource::Role(_) | Resource::Policy(_) | Resource::Account(_) => {
                    Scope::Tags(fake.tags.clone())
                }
            };
            let surfaces: Vec<Surface> = match &request.surfaces {
                Some(surfaces) => surfaces.iter().cloned().collect(),
                None if scope.opt_in(G::KIND, today).mode == Mode::Off => Vec::new(),
                None => fake.surfaces.keys().cloned().collect(),
            };
            let snapshot =
                |surface: Surface| (surface.clone(), fake.snapshot(&request.resource, &surface, &inner.library));
            let surfaces = surfaces.into_iter().map(snapshot).collect();
            Ok(Some(Facts { scope, surfaces, context: G::Context::default() }))
        })
        .await
    }

    async fn fetch_more(
        &self,
        _: &G,
        request: &ReconcileRequest,
        facts: &mut Facts<G::Context>,
        history: &History,
        settings: &Settings,
    ) -> Result<(), CallError> {
        (self.fetch_more)(self, request, facts, history, settings);
        Ok(())
    }
}

fn hour(time: Timestamp) -> String {
    time.strftime("%Y-%m-%dT%H").to_string()
}

impl<C> Ledger for World<C> {
    async fn history(&self, resource: &Resource, now: Timestamp) -> Result<History, CallError> {
        let pk = resource.to_string();
        self.at(Port::History, |_| Ok(())).await?;
        let before = hour(now.saturating_sub(SignedDuration::from_hours(1)).unwrap());
        let changes = |hour: String| self.inner.borrow().hours.get(&hour).cloned().unwrap_or_default();
        let ((this, shares_of_this), (previous, shares)) = (changes(hour(now)), changes(before));
        let mut of_shares: BTreeMap<Share, HourlyChanges> = BTreeMap::new();
        for (share, counted) in shares_of_this {
            of_shares.entry(share).or_default().this = counted;
        }
        for (share, counted) in shares {
            of_shares.entry(share).or_default().previous = counted;
        }
        Ok(History {
            head: self.item(&pk, "head").unwrap_or_default(),
            surfaces: self.states(resource),
            pause: self.item("account", "pause"),
            changes: HourlyChanges { this, previous },
            shares: of_shares,
            ..History::default()
        })
    }

    async fn commit(&self, commit: &Commit) -> Result<(), CommitError> {
        let fault = self.arrive(Port::Commit).await.map_err(|kind| Self::error(kind, Port::Commit))?;
        let answer = write(&mut self.inner.borrow_mut(), commit);
        self.leave(fault, answer).await.map_err(|kind| Self::error(kind, Port::Commit))?
    }
}

/// One transaction of DynamoDB: at most 100 items, 400 KB each, 4 MB together; all or nothing.
fn write<C>(inner: &mut Inner<C>, commit: &Commit) -> Result<(), CommitError> {
    let pk = commit.resource.to_string();
    let mut puts = vec![("head".to_owned(), serde_json::to_string(&commit.head).unwrap(), commit.head.version)];
    for (surface, state) in &commit.surfaces {
        puts.push((format!("state#{surface}"), serde_json::to_string(state).unwrap(), state.version));
    }
    let records: Vec<String> = commit.records.iter().map(|record| serde_json::to_string(record).unwrap()).collect();
    let sizes: Vec<usize> = puts.iter().map(|(_, json, _)| json.len()).chain(records.iter().map(String::len)).collect();
    let items = sizes.len() + usize::from(commit.counted.is_some()) + usize::from(commit.pause.is_some());
    assert!(commit.known.is_empty(), "no guard of this world takes values out of environments");
    assert!(items <= 100, "a transaction of {items} items");
    assert!(sizes.iter().all(|size| *size < 400_000), "an item of {:?} bytes", sizes.iter().max());
    assert!(sizes.iter().sum::<usize>() < 4_000_000, "a transaction of {} bytes", sizes.iter().sum::<usize>());

    let stale = puts
        .iter()
        .any(|(sk, _, version)| inner.items.get(&(pk.clone(), sk.clone())).map_or(0, |item| item.version) != *version);
    let full = commit.counted.as_ref().is_some_and(|counted| {
        let (all, shares) = inner.hours.get(&hour(commit.now)).cloned().unwrap_or_default();
        let is_full = |used: u32, cap: u32| used > cap.saturating_sub(counted.changes);
        let used = |share| shares.get(share).copied().unwrap_or_default();
        is_full(all, counted.cap) || counted.shares.iter().any(|(share, cap)| is_full(used(share), *cap))
    });
    if stale || full {
        return Err(CommitError::Conflict);
    }
    for (sk, json, version) in puts {
        inner.items.insert((pk.clone(), sk), Item { json, version: version + 1 });
    }
    let chain = inner.records.entry(commit.resource.clone()).or_default();
    for json in &records {
        let record: Record = serde_json::from_str(json).unwrap();
        assert!(chain.iter().all(|(known, _)| known.id < record.id), "a record over another, or out of order");
        let hash = record.hash().unwrap();
        chain.push((record, hash));
    }
    if let Some(counted) = &commit.counted {
        let (all, shares) = inner.hours.entry(hour(commit.now)).or_default();
        *all += counted.changes;
        for share in counted.shares.keys() {
            *shares.entry(share.clone()).or_default() += counted.changes;
        }
    }
    if let Some(pause) = &commit.pause {
        let item = Item { json: serde_json::to_string(pause).unwrap(), version: 0 };
        inner.items.insert(("account".into(), "pause".into()), item);
    }
    Ok(())
}

impl<C> Account for World<C> {
    async fn snapshot(&self, resource: &Resource, surface: &Surface) -> Result<Option<SurfaceSnapshot>, CallError> {
        // Lambda answers 404 for a policy that is not there, and for a function that is not there.
        self.at(Port::Snapshot, |inner| {
            Ok(Some(inner.fakes.get(resource).map_or_else(
                || SurfaceSnapshot { content: Content::ABSENT, revision: None },
                |fake| fake.snapshot(resource, surface, &inner.library),
            )))
        })
        .await
    }

    async fn behind(&self, call: &Call) -> Result<Option<Content>, CallError> {
        if let Call::AttachRolePolicy { policy, .. } | Call::PutRolePermissionsBoundary { policy, .. } = call {
            return Ok(Some(self.inner.borrow().library.get(policy).map(Managed::content).unwrap_or_default()));
        }
        let Call::UpdateFunctionRole { role, .. } = call else { return Ok(None) };
        let role = Resource::Role(role.parse().unwrap());
        let fake = self.fake(&role);
        let said = fake.surfaces.keys().map(|surface| (surface.clone(), self.content(&role, surface)));
        let said: BTreeMap<Surface, Content> = said.collect();
        Ok(Some(if said.is_empty() { Content::ABSENT } else { Content::of_role(&said) }))
    }

    /// This world has one lock for each surface; what Lambda has no lock for has to be what the change expects.
    async fn lock(&self, change: &Change, judged: Option<&RevisionId>) -> Result<Option<RevisionId>, CallError> {
        let (resource, surface) = target(change.call());
        if !matches!(surface, Surface::Concurrency | Surface::Recursion) {
            return Ok(judged.cloned());
        }
        let found = self.at(Port::Snapshot, |_| Ok(())).await.map(|()| self.content(&resource, &surface))?;
        if found.fingerprint() == change.expects() {
            Ok(None)
        } else {
            Err(Self::error(ErrorKind::Stale, Port::Snapshot))
        }
    }

    async fn call(&self, call: &Call, revision: Option<&RevisionId>) -> Result<(), CallError> {
        let (resource, surface) = target(call);
        for request in 0..iam::requests(call) {
            let port = if request == 0 { Port::Call } else { Port::Request };
            self.at(port, |inner| {
                let fake = inner.fakes.get_mut(&resource).ok_or(ErrorKind::Gone)?;
                let snapshot = fake.snapshot(&resource, &surface, &inner.library);
                match (&snapshot.revision, revision) {
                    (Some(current), Some(revision)) if current == revision => {}
                    (_, Some(_)) if !offers_lock(&surface) => panic!("{call} takes no lock"),
                    (_, Some(_)) => return Err(ErrorKind::Stale),
                    (Some(_), None) => panic!("{call} without the lock that Lambda offers"),
                    (None, None) => {}
                }
                if matches!(resource, Resource::Role(_) | Resource::Policy(_)) {
                    return iam::apply(&mut inner.fakes, &mut inner.library, call, request);
                }
                let after = lambda::apply(&snapshot.content, call)?;
                fake.put(&surface, after);
                Ok(())
            })
            .await?;
        }
        Ok(())
    }
}

/// What a call changes: nothing else.
pub fn target(call: &Call) -> (Resource, Surface) {
    match call {
        Call::RemovePermission { function, qualifier, .. }
        | Call::AddPermission { function, qualifier, .. }
        | Call::PutResourcePolicy { function, qualifier, .. }
        | Call::DeleteResourcePolicy { function, qualifier } => {
            (Resource::Function(function.clone()), Surface::ResourcePolicy(qualifier.clone()))
        }
        Call::UpdateFunctionUrlConfig { function, qualifier, .. } => {
            (Resource::Function(function.clone()), Surface::FunctionUrl(qualifier.clone()))
        }
        Call::RemoveLayerVersionPermission { layer, .. } | Call::AddLayerVersionPermission { layer, .. } => {
            (Resource::LayerVersion(layer.clone()), Surface::LayerPolicy(layer.version()))
        }
        Call::UpdateAssumeRolePolicy { role, .. } => (Resource::Role(role.clone()), Surface::Trust),
        Call::PutRolePermissionsBoundary { role, .. } | Call::DeleteRolePermissionsBoundary { role } => {
            (Resource::Role(role.clone()), Surface::Boundary)
        }
        Call::PutRolePolicy { role, name, .. } | Call::DeleteRolePolicy { role, name } => {
            (Resource::Role(role.clone()), Surface::InlinePolicy(name.clone()))
        }
        Call::AttachRolePolicy { role, policy } | Call::DetachRolePolicy { role, policy } => {
            (Resource::Role(role.clone()), Surface::Attachment(policy.clone()))
        }
        Call::AttachGeneratedPolicy { role, policy, .. } | Call::DeleteGeneratedPolicy { role, policy } => {
            (Resource::Role(role.clone()), Surface::Attachment(policy.policy().clone()))
        }
        Call::CreatePolicyVersion { policy, .. }
        | Call::SetDefaultPolicyVersion { policy, .. }
        | Call::TakeVersionBack { policy, .. } => {
            (Resource::Policy(policy.clone()), Surface::ManagedPolicy(policy.policy().clone()))
        }
        Call::UpdateFunctionRole { function, .. } => (Resource::Function(function.clone()), Surface::Role(None)),
        Call::UpdateEnvironment(update) => (Resource::Function(update.function.clone()), Surface::Environment(None)),
        Call::PutFunctionConcurrency { function, .. } | Call::DeleteFunctionConcurrency { function } => {
            (Resource::Function(function.clone()), Surface::Concurrency)
        }
        Call::PutFunctionRecursionConfig { function, .. } => (Resource::Function(function.clone()), Surface::Recursion),
        Call::RotateSecret(rotation) => {
            (Resource::Function(rotation.function.clone()), Surface::Secret(rotation.variable.clone()))
        }
        Call::DeleteSecrets { function, .. } | Call::RestoreSecrets { function, .. } => {
            (Resource::Function(function.clone()), Surface::Environment(None))
        }
    }
}

impl<C> AuditEvents for World<C> {
    async fn announce(&self, records: &[Record]) -> Result<(), CallError> {
        if records.is_empty() {
            return Ok(());
        }
        self.at(Port::Announce, |inner| {
            inner.announced.extend(records.iter().cloned());
            Ok(())
        })
        .await
    }
}

/// A key that nobody but the operator role can use.
fn proof(message: &[u8]) -> String {
    Fingerprint::of(&serde_json::json!(["the key of this world", message])).to_string()
}

impl<C> Attestor for World<C> {
    async fn sign(&self, message: &[u8]) -> Result<String, CallError> {
        self.at(Port::Sign, |_| Ok(proof(message))).await
    }

    async fn holds(&self, message: &[u8], claimed: &str) -> Result<bool, CallError> {
        self.at(Port::Holds, |_| Ok(proof(message) == claimed)).await
    }
}

impl<C> EventHistory for World<C> {
    async fn record(&self, event_id: &str, region: &str) -> Result<Option<ApiCallRecord>, CallError> {
        let now = self.now();
        self.at(Port::Record, |inner| {
            let shown = inner.history.get(event_id).filter(|(shown, _)| *shown <= now);
            let of_region = shown.filter(|(_, record)| record.aws_region.as_deref() == Some(region));
            Ok(of_region.map(|(_, record)| record.clone()))
        })
        .await
    }
}

impl<C> Clock for World<C> {
    fn now(&self) -> Timestamp {
        BEGIN.parse::<Timestamp>().unwrap() + self.time.passed()
    }

    fn entropy(&self) -> u128 {
        let mut inner = self.inner.borrow_mut();
        // Knuth's MMIX: the upper bits are the random ones.
        inner.entropy = inner.entropy.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        u128::from(inner.entropy >> 33)
    }

    async fn sleep(&self, duration: SignedDuration) {
        self.time.sleep(duration).await;
        // Nothing wakes a run that has crashed.
        if self.inner.borrow().crashed {
            future::pending().await
        }
    }
}
