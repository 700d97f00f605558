//! The ledger on DynamoDB: one table, records that are written once, small mutable items beside them.
//!
//! | pk | sk | attributes |
//! |---|---|---|
//! | resource's ARN | `rec#<ULID>` | `record` (JSON), `hash`, `day`, `seal` |
//! | resource's ARN | `state#<surface>` | `state` (JSON), `version`, `seal`, and `open` while an intent is open |
//! | resource's ARN | `head` | `head` (JSON), `version`, `seal` |
//! | `account` | `pause` | `pause` (JSON), which has a proof of its own |
//! | `account` | `cap#<YYYY-MM-DDTHH>` | `changes`, unsealed: a counter can only withhold |
//! | `known-secret` | keyed hash of a value | `known` (JSON), `seal` |

use crate::{
    Aws,
    error::classify,
    seal::{SealKey, Sealed},
};
use aws_sdk_dynamodb::{
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, KeysAndAttributes, Put, TransactWriteItem, Update},
};
use futures::future;
use jiff::{SignedDuration, Timestamp, civil::Date};
use serde::{Serialize, de::DeserializeOwned};
use std::collections::{BTreeMap, BTreeSet, HashMap};
use warden_engine::{
    call_error::{CallError, ErrorKind},
    ledger::{
        chain::verify,
        rebuild::{Rebuilt, rebuild},
        record::{Record, RecordId},
        state::{Damage, Head, History, Pause, SurfaceState, Tampered, next_version},
    },
    model::{
        content::Content,
        surface::{Resource, Surface},
    },
    name::fingerprint::Fingerprint,
    ports::{Commit, CommitError, Ledger},
    run::proof::is_withdrawn,
    secret::{environment::KeyedHash, known_secret::Known},
};

/// What is said of an item that is not as Warden wrote it.
const UNSEALED: &str = "its seal does not hold: it was changed after it was written, or Warden never wrote it";

type Item = HashMap<String, AttributeValue>;

/// How often what is being written meanwhile is read, until its parts fit together.
const READINGS: usize = 4;

/// How often a resource's items are read while others write them, before the event is left to be delivered again.
const MOST_READINGS: usize = 12;

/// The partition of what the account knows of values.
const KNOWN: &str = "known-secret";
/// How many items one transaction writes, and one BatchGetItem reads, at most (DynamoDB API reference).
const MOST_ITEMS: usize = 100;

/// A record beside the hash that was stored with it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRecord {
    /// The record as it was written.
    pub record: Record,
    /// The SHA-256 stored with it.
    pub hash: Fingerprint,
}

fn text(value: impl Into<String>) -> AttributeValue {
    AttributeValue::S(value.into())
}

fn number(value: impl ToString) -> AttributeValue {
    AttributeValue::N(value.to_string())
}

fn key(pk: &str, sk: &str) -> Item {
    HashMap::from([("pk".into(), text(pk)), ("sk".into(), text(sk))])
}

fn string<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    item.get(name).and_then(|value| value.as_s().ok()).map(String::as_str)
}

fn version(item: &Item) -> u64 {
    item.get("version").and_then(|value| value.as_n().ok()).and_then(|value| value.parse().ok()).unwrap_or_default()
}

/// The clock hour's key, UTC: `2026-11-21T10`.
fn hour(time: Timestamp) -> String {
    format!("cap#{}", time.strftime("%Y-%m-%dT%H"))
}

/// A resource's own items, as the table shows them.
struct Items {
    states: Vec<Item>,
    head: Option<Item>,
    /// The record with the highest id.
    newest: Option<Item>,
    /// The account's items.
    account: Vec<Item>,
}

/// What the items of a resource say.
#[derive(Default)]
struct Examined {
    head: Head,
    states: BTreeMap<Surface, SurfaceState>,
    /// What is wrong with the head or the end of the chain.
    of_head: Vec<String>,
    /// The states that cannot be used, and why.
    of_states: BTreeMap<Surface, String>,
    /// Items that are nobody's.
    foreign: Vec<String>,
    /// Whether a guard that wrote between the readings may be all there is to it.
    may_be_moving: bool,
}

impl Examined {
    fn is_sound(&self) -> bool {
        self.of_head.is_empty() && self.of_states.is_empty()
    }
}

fn damage(item: Option<&Item>) -> Damage {
    Damage { seal: item.and_then(|item| string(item, "seal")).map(str::to_owned) }
}

/// The surfaces that records are about.
fn told_of(records: &[StoredRecord]) -> impl Iterator<Item = Surface> {
    records.iter().filter_map(|stored| stored.record.entry.surface.clone())
}

/// The keys of this clock hour and of the one before.
fn hours(now: Timestamp) -> (String, String) {
    (hour(now), hour(now.saturating_sub(SignedDuration::from_hours(1)).unwrap_or(now)))
}

fn damaged(table: &str, pk: &str, sk: &str, what: impl ToString) -> CallError {
    CallError {
        kind: ErrorKind::Bug,
        operation: "read the ledger",
        target: format!("{table} {pk} {sk}"),
        message: format!("the item cannot be read: {}; nothing is decided on it", what.to_string()),
    }
}

fn json<T: Serialize>(value: &T) -> Result<String, CommitError> {
    serde_json::to_string(value).map_err(|error| {
        CommitError::Failed(CallError {
            kind: ErrorKind::Bug,
            operation: "write the ledger",
            target: "an item".into(),
            message: error.to_string(),
        })
    })
}

impl Aws {
    fn read<T: DeserializeOwned>(&self, item: &Item, name: &str) -> Result<T, CallError> {
        let place = |what: String| {
            damaged(&self.table, string(item, "pk").unwrap_or("?"), string(item, "sk").unwrap_or("?"), what)
        };
        let json = string(item, name).ok_or_else(|| place(format!("`{name}` is missing")))?;
        serde_json::from_str(json).map_err(|error| place(error.to_string()))
    }

    fn stored(&self, key: &SealKey, item: &Item) -> Result<StoredRecord, CallError> {
        let (pk, sk) = (string(item, "pk").unwrap_or("?"), string(item, "sk").unwrap_or("?"));
        let Some(record) = self.sealed::<Record>(key, item, "record")? else {
            return Err(damaged(&self.table, pk, sk, UNSEALED));
        };
        let place = |what: &str| damaged(&self.table, string(item, "pk").unwrap_or("?"), &record.id.to_string(), what);
        // The keys are not hashed: a record that was moved elsewhere is not the record that was written.
        if string(item, "pk") != Some(record.resource.to_string().as_str())
            || string(item, "sk") != Some(format!("rec#{}", record.id).as_str())
        {
            return Err(place("its keys are not those of its record"));
        }
        let hash = string(item, "hash").and_then(|hash| hash.parse().ok()).ok_or_else(|| place("`hash` is missing"))?;
        Ok(StoredRecord { record, hash })
    }

    async fn states(&self, resource: &str) -> Result<Vec<Item>, CallError> {
        let query = self.dynamodb.query().table_name(&self.table).consistent_read(true);
        let query = query.key_condition_expression("pk = :pk AND begins_with(sk, :state)");
        let query = query.expression_attribute_values(":pk", text(resource));
        let items = query.expression_attribute_values(":state", text("state#")).into_paginator().items().send();
        items.collect::<Result<_, _>>().await.map_err(|error| classify("Query", &self.table, error))
    }

    /// The record with the highest id.
    async fn newest(&self, resource: &str) -> Result<Option<Item>, CallError> {
        let query = self.dynamodb.query().table_name(&self.table).consistent_read(true).scan_index_forward(false);
        let query = query.key_condition_expression("pk = :pk AND begins_with(sk, :rec)").limit(1);
        let query = query.expression_attribute_values(":pk", text(resource));
        let answer = query.expression_attribute_values(":rec", text("rec#")).send().await;
        let answer = answer.map_err(|error| classify("Query", &self.table, error))?;
        Ok(answer.items.unwrap_or_default().into_iter().next())
    }

    async fn record_items(&self, resource: &str) -> Result<Vec<Item>, CallError> {
        let query = self.dynamodb.query().table_name(&self.table).consistent_read(true);
        let query = query.key_condition_expression("pk = :pk AND begins_with(sk, :rec)");
        let query = query.expression_attribute_values(":pk", text(resource));
        let items = query.expression_attribute_values(":rec", text("rec#")).into_paginator().items().send();
        items.collect::<Result<_, _>>().await.map_err(|error| classify("Query", &self.table, error))
    }

    async fn items(&self, pk: &str, now: Timestamp) -> Result<Items, CallError> {
        let (this, previous) = hours(now);
        let keys = vec![key(pk, "head"), key("account", "pause"), key("account", &this), key("account", &previous)];
        let (states, single, newest) =
            future::try_join3(self.states(pk), self.single_items(keys), self.newest(pk)).await?;
        let (mut heads, account): (Vec<Item>, Vec<Item>) =
            single.into_iter().partition(|item| string(item, "sk") == Some("head"));
        Ok(Items { states, head: heads.pop(), newest, account })
    }

    /// What an item holds under `name`, if its seal holds. It is read after that: text that somebody else wrote is not
    /// even parsed.
    fn sealed<T: DeserializeOwned>(&self, key: &SealKey, item: &Item, name: &str) -> Result<Option<T>, CallError> {
        let (Some(pk), Some(sk)) = (string(item, "pk"), string(item, "sk")) else { return Ok(None) };
        let (Some(body), Some(seal)) = (string(item, name), string(item, "seal")) else { return Ok(None) };
        let sealed = Sealed { table: &self.table, pk, sk, kind: name, version: version(item), body };
        if key.holds(sealed, seal) { self.read(item, name).map(Some) } else { Ok(None) }
    }

    /// Compares what the items say with each other and with their seals.
    fn examine(&self, key: &SealKey, items: &Items, newest: Option<&StoredRecord>) -> Result<Examined, CallError> {
        let mut examined = Examined::default();
        match &items.head {
            None if items.states.is_empty() && items.newest.is_none() => {}
            None => {
                examined.of_head.push("the head is missing".into());
                examined.may_be_moving = true;
            }
            Some(item) => match self.sealed::<Head>(key, item, "head")? {
                Some(head) => examined.head = Head { version: version(item), ..head },
                None => examined.of_head.push("the head is not as Warden wrote it".into()),
            },
        }
        let head = &examined.head;
        let end = newest.map(|stored| (stored.record.id, stored.hash));
        if examined.of_head.is_empty() && end != head.last.zip(head.hash) {
            examined.of_head.push("the newest record is not the one that the head names".into());
            examined.may_be_moving = true;
        }
        let head_is_sound = examined.of_head.is_empty();
        for item in &items.states {
            let sk = string(item, "sk").unwrap_or_default();
            let Some(surface) = sk.strip_prefix("state#").and_then(|surface| surface.parse::<Surface>().ok()) else {
                examined.foreign.push(format!("the item {sk:?} of the ledger's table is none of Warden's"));
                continue;
            };
            let listed = examined.head.states.get(&surface).copied();
            let fits = listed == Some(version(item));
            match self.sealed::<SurfaceState>(key, item, "state")? {
                Some(state) if head_is_sound && fits => {
                    examined.states.insert(surface, SurfaceState { version: version(item), ..state });
                }
                Some(_) if head_is_sound => {
                    examined.may_be_moving = true;
                    examined.of_states.insert(surface, "is from another time".into());
                }
                Some(_) => {}
                None => {
                    examined.of_states.insert(surface, "is not as Warden wrote it".into());
                }
            }
        }
        for surface in examined.head.states.keys() {
            if !examined.states.contains_key(surface) && !examined.of_states.contains_key(surface) {
                examined.may_be_moving = true;
                examined.of_states.insert(surface.clone(), "is missing".into());
            }
        }
        Ok(examined)
    }

    /// A resource's records whose seals hold, in the order of their ids, and a sentence for each other one.
    async fn sound_records(&self, key: &SealKey, pk: &str) -> Result<(Vec<StoredRecord>, Vec<String>), CallError> {
        let (mut records, mut forged) = (Vec::new(), Vec::new());
        for item in self.record_items(pk).await? {
            match self.stored(key, &item) {
                Ok(stored) => records.push(stored),
                Err(_) => {
                    let sk = string(&item, "sk").unwrap_or_default();
                    forged.push(format!("{sk:.40} in the ledger's table is not as Warden wrote it; it is not used"));
                }
            }
        }
        Ok((records, forged))
    }

    /// What the sealed records tell in the place of damaged items.
    fn rebuilt(&self, items: &Items, examined: Examined, records: &[StoredRecord]) -> History {
        let Examined { head, states: mut surfaces, of_head, of_states, foreign: mut forged, may_be_moving: _ } =
            examined;
        let Rebuilt { head: told, states: mut rebuilt, unclear } = rebuild(records.iter().map(|stored| &stored.record));
        let mut anew = |surface: &Surface| {
            let sk = format!("state#{surface}");
            let item = items.states.iter().find(|item| string(item, "sk") == Some(&sk));
            let listed = head.states.get(surface).copied().unwrap_or_default();
            let version = item.map_or(0, version).max(listed);
            SurfaceState { version, damage: Some(damage(item)), ..rebuilt.remove(surface).unwrap_or_default() }
        };
        if of_head.is_empty() {
            let links = records.iter().map(|stored| (&stored.record, stored.hash));
            let is_all_known =
                verify(links, &head).is_ok() && of_states.keys().all(|surface| !unclear.contains(surface));
            for (surface, why) in of_states {
                forged.push(format!("the state of {surface} in the ledger's table {why}: the records tell what stood"));
                let mut state = anew(&surface);
                if is_all_known {
                    // There would be a record if anything in it had been worth keeping.
                    state.first.get_or_insert(Content::ABSENT);
                }
                surfaces.insert(surface, state);
            }
            return History { head, surfaces, forged, tampered: Some(Tampered { is_all_known }), ..History::default() };
        }
        forged.push(format!(
            "in the ledger's table {}: the records that are left tell what stood",
            of_head.join(", and ")
        ));
        // Every state is written anew, since nothing tells any more of which time it is.
        let there = items.states.iter().filter_map(|item| string(item, "sk")?.strip_prefix("state#")?.parse().ok());
        let all: BTreeSet<Surface> = there.chain(told_of(records)).collect();
        let surfaces = all.into_iter().map(|surface| (surface.clone(), anew(&surface))).collect();
        let item = items.head.as_ref();
        let version = item.map_or(0, version).max(head.version);
        let head = Head { version, damage: Some(damage(item)), lost: true, ..told };
        History { head, surfaces, forged, tampered: Some(Tampered { is_all_known: false }), ..History::default() }
    }

    async fn single_items(&self, keys: Vec<Item>) -> Result<Vec<Item>, CallError> {
        let batches = keys.chunks(MOST_ITEMS).map(|keys| self.batch(keys.to_vec()));
        future::try_join_all(batches).await.map(|found| found.concat())
    }

    async fn batch(&self, keys: Vec<Item>) -> Result<Vec<Item>, CallError> {
        let mut wanted = KeysAndAttributes::builder().set_keys(Some(keys)).consistent_read(true).build().ok();
        let mut found = Vec::new();
        while let Some(request) = wanted.take() {
            let answer = self.dynamodb.batch_get_item().request_items(&self.table, request).send().await;
            let answer = answer.map_err(|error| classify("BatchGetItem", &self.table, error))?;
            found.extend(answer.responses.unwrap_or_default().remove(&self.table).unwrap_or_default());
            wanted = answer.unprocessed_keys.unwrap_or_default().remove(&self.table);
        }
        Ok(found)
    }

    /// What the account knows of values by these hashes ([`crate::HashKey::known`]). What an operator withdrew is left
    /// out.
    ///
    /// # Errors
    /// The call that failed, or the item that cannot be read.
    pub async fn known(&self, hashes: &BTreeSet<KeyedHash>) -> Result<BTreeMap<KeyedHash, Known>, CallError> {
        let keys = hashes.iter().map(|hash| key(KNOWN, &hash.to_string())).collect();
        let (items, key) = future::try_join(self.single_items(keys), self.seal_key()).await?;
        let known = items.iter().map(async |item| {
            let place = |what| damaged(&self.table, KNOWN, string(item, "sk").unwrap_or("?"), what);
            let hash = string(item, "sk").and_then(|sk| sk.parse().ok()).ok_or_else(|| place("it names no hash"))?;
            let Some(known) = self.sealed::<Known>(key, item, "known")? else {
                tracing::error!(%hash, "the ledger's table says of a value what Warden did not write; it is not used");
                return Ok(None);
            };
            // Whoever may merely write to the table cannot make the guard forget.
            let withdrawn = is_withdrawn(self, hash, &known).await?;
            Ok((!withdrawn).then_some((hash, known)))
        });
        future::try_join_all(known).await.map(|known| known.into_iter().flatten().collect())
    }

    /// The name of the ledger's table.
    pub fn ledger_table(&self) -> &str {
        &self.table
    }

    /// Whether DynamoDB refuses to delete the ledger's table (deletion protection).
    ///
    /// # Errors
    /// The call that failed.
    pub async fn ledger_is_protected(&self) -> Result<bool, CallError> {
        let described = self.dynamodb.describe_table().table_name(&self.table).send().await;
        let described = described.map_err(|error| classify("DescribeTable", &self.table, error))?;
        Ok(described.table.and_then(|table| table.deletion_protection_enabled).unwrap_or_default())
    }

    /// All records of one resource, in the order of the chain, and its head. A guard may write between the reading of
    /// the one and of the other: what does not end alike is read again a few times.
    ///
    /// # Errors
    /// The call that failed, or the item that cannot be read.
    pub async fn chain(&self, resource: &Resource) -> Result<(Vec<StoredRecord>, Head), CallError> {
        for _ in 0..READINGS {
            let (records, head) = self.read_chain(resource).await?;
            if records.last().map(|stored| stored.record.id) == head.last {
                return Ok((records, head));
            }
        }
        self.read_chain(resource).await
    }

    async fn read_chain(&self, resource: &Resource) -> Result<(Vec<StoredRecord>, Head), CallError> {
        let pk = resource.to_string();
        let read =
            future::try_join3(self.record_items(&pk), self.single_items(vec![key(&pk, "head")]), self.seal_key());
        let (records, heads, seal_key) = read.await?;
        let records = records.iter().map(|item| self.stored(seal_key, item)).collect::<Result<_, _>>()?;
        let Some(item) = heads.first() else { return Ok((records, Head::default())) };
        let head = self.sealed(seal_key, item, "head")?;
        head.map(|head| (records, head)).ok_or_else(|| damaged(&self.table, &pk, "head", UNSEALED))
    }

    /// The records of one day (UTC) in the whole account, oldest first, by the index. An item that cannot be read is an
    /// error in its place: a damaged record hides no other.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn day(&self, day: Date) -> Result<Vec<Result<StoredRecord, CallError>>, CallError> {
        let query = self.dynamodb.query().table_name(&self.table).index_name("by-day");
        let query = query.key_condition_expression("#day = :day").expression_attribute_names("#day", "day");
        let query = query.expression_attribute_values(":day", text(day.to_string()));
        let key = self.seal_key().await?;
        let mut items = query.into_paginator().items().send();
        let mut records = Vec::new();
        while let Some(item) = items.next().await {
            records.push(self.stored(key, &item.map_err(|error| classify("Query", &self.table, error))?));
        }
        Ok(records)
    }

    /// One record by its id, which holds its day.
    ///
    /// # Errors
    /// The call that failed, or the item that cannot be read.
    pub async fn record(&self, id: RecordId) -> Result<Option<StoredRecord>, CallError> {
        // An id made after a faster clock's may be ahead of its record's time: the days beside it are looked at as
        // well.
        let key = self.seal_key().await?;
        for days in [0, -1, 1] {
            let day = id.time().saturating_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX);
            let query = self.dynamodb.query().table_name(&self.table).index_name("by-day");
            let query = query.key_condition_expression("#day = :day AND sk = :sk");
            let query = query.expression_attribute_names("#day", "day");
            let query = query.expression_attribute_values(":day", text(day.strftime("%Y-%m-%d").to_string()));
            let answer = query.expression_attribute_values(":sk", text(format!("rec#{id}"))).send().await;
            let answer = answer.map_err(|error| classify("Query", &self.table, error))?;
            if let Some(item) = answer.items().first() {
                return self.stored(key, item).map(Some);
            }
        }
        Ok(None)
    }

    /// Every resource that has records. A key that names no resource is an error in its place.
    ///
    /// # Errors
    /// The call that failed.
    pub async fn resources(&self) -> Result<Vec<Result<Resource, CallError>>, CallError> {
        let scan = self.dynamodb.scan().table_name(&self.table).consistent_read(true).projection_expression("pk, sk");
        let scan = scan.filter_expression("sk = :head OR begins_with(sk, :rec)");
        let scan = scan.expression_attribute_values(":head", text("head"));
        let mut items = scan.expression_attribute_values(":rec", text("rec#")).into_paginator().items().send();
        let mut keys = BTreeSet::new();
        while let Some(item) = items.next().await {
            let item = item.map_err(|error| classify("Scan", &self.table, error))?;
            keys.insert(string(&item, "pk").unwrap_or_default().to_owned());
        }
        let resource = |pk: String| pk.parse().map_err(|error| damaged(&self.table, &pk, "", error));
        Ok(keys.into_iter().map(resource).collect())
    }

    /// Surfaces with an intent whose outcome is not recorded yet. Items that are not as Warden wrote them are left out.
    ///
    /// # Errors
    /// The call that failed, or the item that cannot be read.
    pub async fn open_intents(&self) -> Result<Vec<(Resource, Surface, SurfaceState)>, CallError> {
        let query = self.dynamodb.query().table_name(&self.table).index_name("open-intents");
        let query = query.key_condition_expression("#open = :intent").expression_attribute_names("#open", "open");
        let key = self.seal_key();
        let mut items = query.expression_attribute_values(":intent", text("intent")).into_paginator().items().send();
        let key = key.await?;
        let mut open = Vec::new();
        while let Some(item) = items.next().await {
            let item = item.map_err(|error| classify("Query", &self.table, error))?;
            let (pk, sk) = (string(&item, "pk").unwrap_or_default(), string(&item, "sk").unwrap_or_default());
            let resource = pk.parse().map_err(|error| damaged(&self.table, pk, sk, error))?;
            let surface =
                sk.trim_start_matches("state#").parse().map_err(|error| damaged(&self.table, pk, sk, error))?;
            if let Some(state) = self.sealed(key, &item, "state")? {
                open.push((resource, surface, state));
            }
        }
        Ok(open)
    }
}

impl Ledger for Aws {
    async fn history(&self, resource: &Resource, now: Timestamp) -> Result<History, CallError> {
        let pk = resource.to_string();
        let mut earlier = None;
        let mut readings = 0;
        let (items, mut history) = loop {
            readings += 1;
            let (items, key) = future::try_join(self.items(&pk, now), self.seal_key()).await?;
            let mut records = None;
            let mut foreign = Vec::new();
            let newest = items.newest.as_ref().map(|item| self.stored(key, item));
            let newest = match newest {
                None => None,
                Some(Ok(stored)) => Some(stored),
                // Somebody laid a record at the end, or changed the last one.
                Some(Err(_)) => {
                    let (sound, forged) = self.sound_records(key, &pk).await?;
                    foreign = forged;
                    records.insert(sound).last().cloned()
                }
            };
            let mut examined = self.examine(key, &items, newest.as_ref())?;
            examined.foreign.extend(foreign);
            if examined.is_sound() {
                let Examined { head, states: surfaces, foreign: forged, .. } = examined;
                break (items, History { head, surfaces, forged, ..History::default() });
            }
            // A guard may have written between the readings of one item and of another. Every commit writes the head, so
            // that the next reading shows another one then. If it does not, nobody has written.
            let head_now = Some(items.head.as_ref().and_then(|item| item.get("seal").cloned()));
            if examined.may_be_moving && earlier != head_now {
                if readings == MOST_READINGS {
                    return Err(CallError {
                        kind: ErrorKind::Retry,
                        operation: "read the ledger",
                        target: format!("{} {pk}", self.table),
                        message: "others write all the time".into(),
                    });
                }
                earlier = head_now;
                continue;
            }
            let records = match records {
                Some(records) => records,
                None => {
                    let (sound, forged) = self.sound_records(key, &pk).await?;
                    examined.foreign.extend(forged);
                    sound
                }
            };
            let history = self.rebuilt(&items, examined, &records);
            break (items, history);
        };
        let (this, previous) = hours(now);
        for item in &items.account {
            let changes = || {
                let changes = item.get("changes").and_then(|value| value.as_n().ok());
                changes.and_then(|changes| changes.parse().ok()).unwrap_or_default()
            };
            match string(item, "sk") {
                Some("pause") => match self.read::<Pause>(item, "pause") {
                    Ok(pause) => history.pause = Some(pause),
                    Err(_) => {
                        history.forged.push("the pause in the ledger's table cannot be read; it is ignored".into());
                    }
                },
                Some(sk) if sk == this => history.changes.this = changes(),
                Some(sk) if sk == previous => history.changes.previous = changes(),
                Some(_) | None => {}
            }
        }
        Ok(history)
    }

    async fn commit(&self, commit: &Commit) -> Result<(), CommitError> {
        let pk = commit.resource.to_string();
        let seal_key = self.seal_key().await?;
        let (head, now) = (&commit.head, commit.now);
        let lock = (head.version, head.damage.as_ref());
        let mut items = vec![self.versioned(seal_key, (&pk, "head", "head"), &json(head)?, lock, None, now)?];
        for record in &commit.records {
            let hash = record.hash().map_err(|error| damaged(&self.table, &pk, "record", error))?;
            let (sk, body) = (format!("rec#{}", record.id), json(record)?);
            let put = Put::builder()
                .table_name(&self.table)
                .set_item(Some(self.seal(seal_key, (&pk, &sk, "record"), &body, 0)))
                .item("day", text(record.day().to_string()))
                .item("hash", text(hash.to_string()))
                // Written once, never over another.
                .condition_expression("attribute_not_exists(pk)");
            items.push(TransactWriteItem::builder().put(built(put.build())?).build());
        }
        for (surface, state) in &commit.surfaces {
            let open = state.intent.is_some().then_some("intent");
            let sk = format!("state#{surface}");
            let lock = (state.version, state.damage.as_ref());
            items.push(self.versioned(seal_key, (&pk, &sk, "state"), &json(state)?, lock, open, now)?);
        }
        if let Some((changes, cap)) = commit.counted {
            let update = Update::builder()
                .table_name(&self.table)
                .set_key(Some(key("account", &hour(commit.now))))
                .update_expression("ADD #changes :more")
                .condition_expression("attribute_not_exists(#changes) OR #changes <= :room")
                .expression_attribute_names("#changes", "changes")
                .expression_attribute_values(":more", number(changes))
                .expression_attribute_values(":room", number(cap.saturating_sub(changes)));
            items.push(TransactWriteItem::builder().update(built(update.build())?).build());
        }
        if let Some(pause) = &commit.pause {
            let put = Put::builder().table_name(&self.table).set_item(Some(key("account", "pause")));
            items.push(TransactWriteItem::builder().put(built(put.item("pause", text(json(pause)?)).build())?).build());
        }
        let known = commit.known.iter().map(|(hash, known)| {
            let item = self.seal(seal_key, (KNOWN, &hash.to_string(), "known"), &json(known)?, 0);
            let put = Put::builder().table_name(&self.table).set_item(Some(item));
            Ok(TransactWriteItem::builder().put(built(put.build())?).build())
        });
        let mut known = known.collect::<Result<Vec<_>, CommitError>>()?;
        // What does not fit beside the record goes before it: written again, it is the same.
        let before = known.split_off(known.len().min(MOST_ITEMS.saturating_sub(items.len())));
        for some in before.chunks(MOST_ITEMS) {
            self.transact(some.to_vec()).await?;
        }
        items.extend(known);
        self.transact(items).await
    }
}

impl Aws {
    /// Writes all of these or none.
    async fn transact(&self, items: Vec<TransactWriteItem>) -> Result<(), CommitError> {
        match self.dynamodb.transact_write_items().set_transact_items(Some(items)).send().await {
            Ok(_) => Ok(()),
            Err(error) => {
                if let Some(TransactWriteItemsError::TransactionCanceledException(canceled)) = error.as_service_error()
                    && canceled
                        .cancellation_reasons()
                        .iter()
                        .any(|reason| matches!(reason.code(), Some("ConditionalCheckFailed" | "TransactionConflict")))
                {
                    return Err(CommitError::Conflict);
                }
                Err(CommitError::Failed(classify("TransactWriteItems", &self.table, error)))
            }
        }
    }
}

fn built<T>(result: Result<T, aws_smithy_types::error::operation::BuildError>) -> Result<T, CommitError> {
    result.map_err(|error| {
        CommitError::Failed(CallError {
            kind: ErrorKind::Bug,
            operation: "TransactWriteItems",
            target: "the ledger".into(),
            message: error.to_string(),
        })
    })
}

impl Aws {
    /// An item with its seal.
    fn seal(&self, seal_key: &SealKey, (pk, sk, kind): (&str, &str, &str), body: &str, version: u64) -> Item {
        let seal = seal_key.seal(Sealed { table: &self.table, pk, sk, kind, version, body });
        let mut item = key(pk, sk);
        item.extend([(kind.into(), text(body)), ("seal".into(), text(seal))]);
        item
    }

    /// Puts an item over the one that has `version`, or where there is none if that is 0; over a damaged one, if its
    /// seal is still what was read.
    fn versioned(
        &self,
        seal_key: &SealKey,
        at: (&str, &str, &str),
        body: &str,
        (version, damage): (u64, Option<&Damage>),
        open: Option<&str>,
        now: Timestamp,
    ) -> Result<TransactWriteItem, CommitError> {
        let next = next_version(version, damage, now);
        let mut item = self.seal(seal_key, at, body, next);
        item.insert("version".into(), number(next));
        if let Some(open) = open {
            item.insert("open".into(), text(open));
        }
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = match damage {
            None if version == 0 => put.condition_expression("attribute_not_exists(pk)"),
            None => put
                .condition_expression("#version = :version")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", number(version)),
            Some(Damage { seal: Some(seal) }) => {
                put.condition_expression("seal = :seal").expression_attribute_values(":seal", text(seal))
            }
            // No seal at all, or one that is no text.
            Some(Damage { seal: None }) => put
                .condition_expression("attribute_not_exists(seal) OR NOT attribute_type(seal, :text)")
                .expression_attribute_values(":text", text("S")),
        };
        Ok(TransactWriteItem::builder().put(built(put.build())?).build())
    }
}
