//! The ledger on DynamoDB: one table, records that are written once, small mutable items beside them.
//!
//! | pk | sk | attributes |
//! |---|---|---|
//! | resource's ARN | `rec#<ULID>` | `record` (JSON), `hash`, `day`, `seal` |
//! | resource's ARN | `state#<surface>` | `state` (JSON), `version`, `seal`, and `open`: `intent` while one is open, else `acceptance` while there is one |
//! | resource's ARN | `head` | `head` (JSON), `version`, `seal` |
//! | `account` | `pause` | `pause` (JSON), which has a proof of its own |
//! | `account` | `cap#<YYYY-MM-DDTHH>` | `changes`, and `share#<hash>` for each resource and actor, unsealed: a counter can only withhold |
//! | `known-secret` | keyed hash of a value | `known` (JSON), `seal` |

use crate::{
    Aws,
    error::classify,
    seal::{SEAL_LENGTH, SealKey, Sealed},
};
use aws_sdk_dynamodb::{
    operation::transact_write_items::TransactWriteItemsError,
    types::{AttributeValue, KeysAndAttributes, Put, TransactWriteItem, Update},
};
use futures::future;
use jiff::{SignedDuration, Timestamp, civil::Date};
use serde::{Serialize, de::DeserializeOwned};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    iter,
};
use warden_engine::{
    call_error::{CallError, ErrorKind},
    ledger::{
        rebuild::Rebuilt,
        record::{Record, RecordId},
        state::{Counted, Damage, Head, History, Pause, Share, SurfaceState, Tampered, next_version},
    },
    model::{
        content::Content,
        surface::{Resource, Surface},
        tags::GuardKind,
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

/// No version reaches this: it is more than a commit in each microsecond of two centuries.
const HIGHEST_VERSION: u64 = 1 << 53;
/// How many damaged items a record names.
const SENTENCES: usize = 5;
/// How many characters of a key are shown.
const KEY_SHOWN: usize = 60;

/// What `open` says of a state with an intent, and of one with acceptances alone.
const INTENT: &str = "intent";
const ACCEPTANCE: &str = "acceptance";
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

/// The version that an item shows; 0 where it shows none that Warden could have written.
fn version(item: &Item) -> u64 {
    let version: Option<u64> =
        item.get("version").and_then(|value| value.as_n().ok()).and_then(|value| value.parse().ok());
    version.filter(|version| *version < HIGHEST_VERSION).unwrap_or_default()
}

/// How many surfaces were put right in an hour. A counter that cannot be read is full, since it can only withhold.
fn changes(item: &Item) -> u32 {
    item.get("changes").map_or(u32::MAX, count)
}

fn count(value: &AttributeValue) -> u32 {
    value.as_n().ok().and_then(|changes| changes.parse().ok()).unwrap_or(u32::MAX)
}

/// The attribute of an hour's item that counts for one resource or actor.
fn share_attribute(share: &Share) -> String {
    format!("share#{}", share.as_str())
}

/// How many of them were of each resource and of each actor.
fn shares(item: &Item) -> impl Iterator<Item = (Share, u32)> {
    item.iter().filter_map(|(name, value)| Some((Share::read(name.strip_prefix("share#")?)?, count(value))))
}

/// The surface whose state an item is, if its key is spelt as Warden spells it.
fn surface_of(item: &Item) -> Option<Surface> {
    let spelt = string(item, "sk")?.strip_prefix("state#")?;
    spelt.parse::<Surface>().ok().filter(|surface| surface.to_string() == spelt)
}

/// What is said of damaged items, the first of them in full.
#[derive(Default)]
struct Sentences {
    first: Vec<String>,
    more: usize,
}

impl Sentences {
    fn push(&mut self, sentence: String) {
        if self.first.len() < SENTENCES {
            self.first.push(sentence);
        } else {
            self.more += 1;
        }
    }

    fn absorb(&mut self, others: Sentences) {
        self.more += others.more;
        others.first.into_iter().for_each(|sentence| self.push(sentence));
    }

    fn into_lines(self) -> Vec<String> {
        let more = (self.more > 0).then(|| format!("and {} more items of the ledger's table", self.more));
        self.first.into_iter().chain(more).collect()
    }
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
    of_states: BTreeMap<Surface, &'static str>,
    /// What is said of damaged items.
    forged: Sentences,
    /// Whether a guard that wrote between the readings may be all there is to it.
    may_be_moving: bool,
}

impl Examined {
    fn is_sound(&self) -> bool {
        self.of_head.is_empty() && self.of_states.is_empty()
    }
}

fn damage(item: Option<&Item>, is_foreign: bool) -> Damage {
    let seal = item.and_then(|item| string(item, "seal")).filter(|seal| seal.len() == SEAL_LENGTH);
    Damage { seal: seal.map(str::to_owned), is_foreign }
}

/// A key, as it is shown.
fn shown(item: &Item) -> String {
    let sk: String = string(item, "sk").unwrap_or_default().chars().take(KEY_SHOWN).collect();
    format!("{sk:?}")
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

    /// The states' items. Of one whose seal does not hold only the keys and the seal are kept, so that nobody fills a
    /// guard's memory.
    async fn states(&self, resource: &str) -> Result<Vec<Item>, CallError> {
        let query = self.dynamodb.query().table_name(&self.table).consistent_read(true);
        let query = query.key_condition_expression("pk = :pk AND begins_with(sk, :state)");
        let query = query.expression_attribute_values(":pk", text(resource));
        let mut items = query.expression_attribute_values(":state", text("state#")).into_paginator().items().send();
        let (mut next, key) = future::join(items.next(), self.seal_key()).await;
        let key = key?;
        let mut states = Vec::new();
        while let Some(item) = next {
            let mut item = item.map_err(|error| classify("Query", &self.table, error))?;
            if self.sealed_text(key, &item, "state").is_none() {
                item.retain(|name, _| ["pk", "sk", "seal"].contains(&name.as_str()));
            }
            states.push(item);
            next = items.next().await;
        }
        Ok(states)
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

    /// What an item holds under `name`, if its seal holds.
    fn sealed_text<'a>(&self, key: &SealKey, item: &'a Item, name: &str) -> Option<&'a str> {
        let (pk, sk, body, seal) =
            (string(item, "pk")?, string(item, "sk")?, string(item, name)?, string(item, "seal")?);
        let sealed = Sealed { table: &self.table, pk, sk, kind: name, version: version(item), body };
        key.holds(sealed, seal).then_some(body)
    }

    /// The same, read: text that somebody else wrote is not even parsed.
    fn sealed<T: DeserializeOwned>(&self, key: &SealKey, item: &Item, name: &str) -> Result<Option<T>, CallError> {
        self.sealed_text(key, item, name).map(|_| self.read(item, name)).transpose()
    }

    /// Compares what the items say with each other and with their seals.
    fn examine(
        &self,
        key: &SealKey,
        items: &Items,
        end: Option<(RecordId, Fingerprint)>,
    ) -> Result<Examined, CallError> {
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
        if examined.of_head.is_empty() && end != head.last.zip(head.hash) {
            examined.of_head.push("the newest record is not the one that the head names".into());
            examined.may_be_moving = true;
        }
        let head_is_sound = examined.of_head.is_empty();
        for item in &items.states {
            let Some(surface) = surface_of(item) else {
                examined.forged.push(format!("{} in the ledger's table is none of Warden's", shown(item)));
                continue;
            };
            let state = self.sealed::<SurfaceState>(key, item, "state")?;
            match (examined.head.states.get(&surface), state) {
                // Where the head is damaged, every state is built anew.
                _ if !head_is_sound => {}
                (Some(listed), Some(state)) if *listed == version(item) => {
                    examined.states.insert(surface, SurfaceState { version: *listed, ..state });
                }
                (Some(_), Some(_)) => {
                    examined.may_be_moving = true;
                    examined.of_states.insert(surface, "is from another time");
                }
                (Some(_), None) => {
                    examined.of_states.insert(surface, "is not as Warden wrote it");
                }
                // One that was written a moment ago is listed at the next reading.
                (None, _) => {
                    examined.may_be_moving = true;
                    examined.forged.push(format!("{} in the ledger's table is not in its head", shown(item)));
                    let damage = Some(damage(Some(item), true));
                    examined.states.insert(surface, SurfaceState { damage, ..SurfaceState::default() });
                }
            }
        }
        for surface in examined.head.states.keys() {
            if !examined.states.contains_key(surface) && !examined.of_states.contains_key(surface) {
                examined.may_be_moving = true;
                examined.of_states.insert(surface.clone(), "is missing");
            }
        }
        Ok(examined)
    }

    /// What a resource's records tell, those whose seals hold, with what is said of the others.
    async fn retold(&self, key: &SealKey, pk: &str) -> Result<(Rebuilt, Sentences), CallError> {
        let query = self.dynamodb.query().table_name(&self.table).consistent_read(true);
        let query = query.key_condition_expression("pk = :pk AND begins_with(sk, :rec)");
        let query = query.expression_attribute_values(":pk", text(pk));
        let mut items = query.expression_attribute_values(":rec", text("rec#")).into_paginator().items().send();
        let (mut rebuilt, mut forged) = (Rebuilt::default(), Sentences::default());
        while let Some(item) = items.next().await {
            let item = item.map_err(|error| classify("Query", &self.table, error))?;
            match self.stored(key, &item) {
                Ok(stored) => rebuilt.add(&stored.record, stored.hash),
                Err(_) => forged.push(format!("{} in the ledger's table is not as Warden wrote it", shown(&item))),
            }
        }
        Ok((rebuilt, forged))
    }

    /// What the sealed records tell in the place of damaged items.
    fn rebuilt(&self, resource: &Resource, items: &Items, examined: Examined, told: Rebuilt) -> History {
        let Examined { head, states: mut surfaces, of_head, of_states, mut forged, may_be_moving: _ } = examined;
        let Rebuilt { head: told, mut states, unclear, is_linked, is_opt_in_whole } = told;
        let names: BTreeSet<Surface> = states.keys().cloned().collect();
        let mut anew = |surface: &Surface| {
            let item = items.states.iter().find(|item| surface_of(item).as_ref() == Some(surface));
            let version = head.states.get(surface).copied().unwrap_or_default();
            let state = states.remove(surface).unwrap_or_default();
            let mut state = SurfaceState { version, damage: Some(damage(item, false)), ..state };
            if is_linked && is_opt_in_whole && matches!(surface, Surface::Trust) {
                // There would be a record of it, if anything in it had been worth keeping.
                state.first.get_or_insert(Content::ABSENT);
            }
            state
        };
        if of_head.is_empty() {
            let is_whole = is_linked && !head.lost && (told.last, told.hash) == (head.last, head.hash);
            let is_all_known = is_whole && of_states.keys().all(|surface| !unclear.contains(surface));
            for (surface, why) in of_states {
                forged.push(format!("the state of {surface} in the ledger's table {why}: the records tell what stood"));
                let state = anew(&surface);
                surfaces.insert(surface, state);
            }
            let (tampered, forged) = (Some(Tampered { is_all_known }), forged.into_lines());
            return History { head, surfaces, forged, tampered, ..History::default() };
        }
        let what = of_head.join(", and ");
        forged.push(format!("in the ledger's table {what}: the records that are left tell what stood"));
        // Every state is built anew, since nothing tells any more of which time it is.
        let trust = matches!(resource, Resource::Role(_)).then_some(Surface::Trust);
        let all: BTreeSet<Surface> = names.into_iter().chain(trust).collect();
        surfaces = all.into_iter().map(|surface| (surface.clone(), anew(&surface))).collect();
        for item in &items.states {
            // What no record tells of is written over where there is something to write.
            if let Some(surface) = surface_of(item) {
                let damage = Some(damage(Some(item), true));
                surfaces.entry(surface).or_insert_with(|| SurfaceState { damage, ..SurfaceState::default() });
            }
        }
        let damage = Some(damage(items.head.as_ref(), false));
        let head = Head { version: 0, damage, lost: true, ..told };
        let (tampered, forged) = (Some(Tampered { is_all_known: false }), forged.into_lines());
        History { head, surfaces, forged, tampered, ..History::default() }
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

    /// Since when each of these resources has had its mode with a guard, as far as the ledger knows it: a call for each
    /// hundred. A hint: one head from an earlier time does not show here.
    ///
    /// # Errors
    /// The call that failed, or the item that cannot be read.
    pub async fn enrolled_since(
        &self,
        guard: GuardKind,
        resources: &[Resource],
    ) -> Result<BTreeMap<Resource, Timestamp>, CallError> {
        let keys = resources.iter().map(|resource| key(&resource.to_string(), "head")).collect();
        let (items, key) = future::try_join(self.single_items(keys), self.seal_key()).await?;
        let mut since = BTreeMap::new();
        for item in &items {
            let resource = string(item, "pk").and_then(|pk| pk.parse().ok());
            let head = self.sealed::<Head>(key, item, "head")?;
            let known = head.and_then(|head| head.guards.get(&guard).map(|known| known.since));
            since.extend(resource.zip(known));
        }
        Ok(since)
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
            // Somebody may have laid another item beside it.
            let mut found = answer.items().iter().map(|item| self.stored(key, item)).collect::<Vec<_>>();
            found.sort_by_key(Result::is_err);
            if let Some(record) = found.into_iter().next() {
                return record.map(Some);
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
        self.open(INTENT).await
    }

    /// Surfaces with acceptances, likewise.
    ///
    /// # Errors
    /// As [`Aws::open_intents`].
    pub async fn accepted(&self) -> Result<Vec<(Resource, Surface, SurfaceState)>, CallError> {
        let (mut accepted, open) = future::try_join(self.open(ACCEPTANCE), self.open(INTENT)).await?;
        accepted.extend(open.into_iter().filter(|(_, _, state)| !state.acceptances.is_empty()));
        Ok(accepted)
    }

    async fn open(&self, what: &str) -> Result<Vec<(Resource, Surface, SurfaceState)>, CallError> {
        let query = self.dynamodb.query().table_name(&self.table).index_name("open-intents");
        let query = query.key_condition_expression("#open = :what").expression_attribute_names("#open", "open");
        let key = self.seal_key();
        let mut items = query.expression_attribute_values(":what", text(what)).into_paginator().items().send();
        let key = key.await?;
        let mut open = Vec::new();
        while let Some(item) = items.next().await {
            let item = item.map_err(|error| classify("Query", &self.table, error))?;
            if let Some(state) = self.sealed(key, &item, "state")?
                && let Some(resource) = string(&item, "pk").and_then(|pk| pk.parse().ok())
                && let Some(surface) = surface_of(&item)
            {
                open.push((resource, surface, state));
            }
        }
        Ok(open)
    }
}

impl Ledger for Aws {
    // On the heap: the calls of AWS's SDK make large futures, and these stand in others.
    async fn history(&self, resource: &Resource, now: Timestamp) -> Result<History, CallError> {
        Box::pin(self.read_history(resource, now)).await
    }

    async fn commit(&self, commit: &Commit) -> Result<(), CommitError> {
        Box::pin(self.write_commit(commit)).await
    }
}

impl Aws {
    async fn read_history(&self, resource: &Resource, now: Timestamp) -> Result<History, CallError> {
        let pk = resource.to_string();
        let mut earlier = None;
        let mut readings = 0;
        let (items, mut history) = loop {
            readings += 1;
            let (items, key) = future::try_join(self.items(&pk, now), self.seal_key()).await?;
            let mut told = None;
            let end = match items.newest.as_ref().map(|item| self.stored(key, item)) {
                None => None,
                Some(Ok(stored)) => Some((stored.record.id, stored.hash)),
                // Somebody laid a record at the end, or changed the last one.
                Some(Err(_)) => {
                    let (rebuilt, _) = told.insert(self.retold(key, &pk).await?);
                    rebuilt.head.last.zip(rebuilt.head.hash)
                }
            };
            let mut examined = self.examine(key, &items, end)?;
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
            if examined.is_sound() {
                let Examined { head, states: surfaces, mut forged, .. } = examined;
                if let Some((_, others)) = told {
                    forged.absorb(others);
                }
                break (items, History { head, surfaces, forged: forged.into_lines(), ..History::default() });
            }
            let (told, others) = match told {
                Some(told) => told,
                None => self.retold(key, &pk).await?,
            };
            examined.forged.absorb(others);
            let history = self.rebuilt(resource, &items, examined, told);
            break (items, history);
        };
        let (this, previous) = hours(now);
        for item in &items.account {
            match string(item, "sk") {
                Some("pause") => match self.read::<Pause>(item, "pause") {
                    Ok(pause) => history.pause = Some(pause),
                    Err(_) => {
                        history.forged.push("the pause in the ledger's table cannot be read; it is ignored".into());
                    }
                },
                Some(sk) if sk == this => {
                    history.changes.this = changes(item);
                    for (share, count) in shares(item) {
                        history.shares.entry(share).or_default().this = count;
                    }
                }
                Some(sk) if sk == previous => {
                    history.changes.previous = changes(item);
                    for (share, count) in shares(item) {
                        history.shares.entry(share).or_default().previous = count;
                    }
                }
                Some(_) | None => {}
            }
        }
        Ok(history)
    }

    async fn write_commit(&self, commit: &Commit) -> Result<(), CommitError> {
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
            let open = match (&state.intent, state.acceptances.as_slice()) {
                (Some(_), _) => Some(INTENT),
                (None, [_, ..]) => Some(ACCEPTANCE),
                (None, []) => None,
            };
            let sk = format!("state#{surface}");
            let lock = (state.version, state.damage.as_ref());
            items.push(self.versioned(seal_key, (&pk, &sk, "state"), &json(state)?, lock, open, now)?);
        }
        if let Some(counted) = &commit.counted {
            items.push(TransactWriteItem::builder().update(self.counting(counted, commit.now)?).build());
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
    /// Counts in this hour's item, unless that would be more than a cap allows. Each admitted count adds two attributes at
    /// most, so that the item stays small: with the largest cap it has 2,000.
    fn counting(&self, counted: &Counted, now: Timestamp) -> Result<Update, CommitError> {
        let Counted { changes, cap, shares } = counted;
        let shares = shares.iter().map(|(share, cap)| (share_attribute(share), *cap));
        let caps: Vec<(String, u32)> = iter::once(("changes".to_owned(), *cap)).chain(shares).collect();
        let of_each =
            |part: fn(usize) -> String, between: &str| (0..caps.len()).map(part).collect::<Vec<_>>().join(between);
        let added = of_each(|at| format!("#c{at} :more"), ", ");
        let room = of_each(|at| format!("(attribute_not_exists(#c{at}) OR #c{at} <= :room{at})"), " AND ");
        let mut update = Update::builder()
            .table_name(&self.table)
            .set_key(Some(key("account", &hour(now))))
            .update_expression(format!("ADD {added}"))
            .condition_expression(room)
            .expression_attribute_values(":more", number(changes));
        for (at, (attribute, cap)) in caps.iter().enumerate() {
            update = update
                .expression_attribute_names(format!("#c{at}"), attribute)
                .expression_attribute_values(format!(":room{at}"), number(cap.saturating_sub(*changes)));
        }
        built(update.build())
    }

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
            Some(Damage { seal: Some(seal), .. }) => {
                put.condition_expression("seal = :seal").expression_attribute_values(":seal", text(seal))
            }
            // No seal at all, or nothing that has the length of one.
            Some(Damage { seal: None, .. }) => put
                .condition_expression(
                    "attribute_not_exists(seal) OR NOT attribute_type(seal, :text) OR size(seal) <> :length",
                )
                .expression_attribute_values(":text", text("S"))
                .expression_attribute_values(":length", number(SEAL_LENGTH)),
        };
        Ok(TransactWriteItem::builder().put(built(put.build())?).build())
    }
}
