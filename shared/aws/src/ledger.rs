//! The ledger on DynamoDB: one table, records that are written once, small mutable items beside them.
//!
//! | pk | sk | attributes |
//! |---|---|---|
//! | resource's ARN | `rec#<ULID>` | `record` (JSON), `hash`, `day` |
//! | resource's ARN | `state#<surface>` | `state` (JSON), `version`, and `open` while an intent is open |
//! | resource's ARN | `head` | `head` (JSON), `version` |
//! | `account` | `pause` | `pause` (JSON) |
//! | `account` | `cap#<YYYY-MM-DDTHH>` | `changes` |
//! | `known-secret` | keyed hash of a value | `known` (JSON) |

use crate::{Aws, error::classify};
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
        record::{Record, RecordId},
        state::{Head, History, Pause, SurfaceState},
    },
    model::surface::{Resource, Surface},
    name::fingerprint::Fingerprint,
    ports::{Commit, CommitError, Ledger},
    run::proof::is_withdrawn,
    secret::{environment::KeyedHash, known_secret::Known},
};

type Item = HashMap<String, AttributeValue>;

/// How often a chain that is being written is read again.
const CHAIN_READINGS: usize = 4;

/// The partition of what the account knows of values.
const KNOWN: &str = "known-secret";
/// How many items one transaction writes, and one BatchGetItem reads, at most (DynamoDB API reference).
const MOST_ITEMS: usize = 100;

/// A record beside the hash that was stored with it.
#[derive(Clone, Debug, PartialEq)]
pub struct StoredRecord {
    /// The record.
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

fn damaged(table: &str, pk: &str, sk: &str, what: impl ToString) -> CallError {
    CallError {
        kind: ErrorKind::Bug,
        operation: "read the ledger",
        target: format!("{table} {pk} {sk}"),
        message: format!("the item cannot be read: {}; nothing is decided on it", what.to_string()),
    }
}

fn json<T: Serialize>(value: &T) -> Result<AttributeValue, CommitError> {
    serde_json::to_string(value).map(AttributeValue::S).map_err(|error| {
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

    fn stored(&self, item: &Item) -> Result<StoredRecord, CallError> {
        let record: Record = self.read(item, "record")?;
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

    async fn states(&self, resource: &str) -> Result<BTreeMap<Surface, SurfaceState>, CallError> {
        let query = self.dynamodb.query().table_name(&self.table).consistent_read(true);
        let query = query.key_condition_expression("pk = :pk AND begins_with(sk, :state)");
        let query = query.expression_attribute_values(":pk", text(resource));
        let mut items = query.expression_attribute_values(":state", text("state#")).into_paginator().items().send();
        let mut states = BTreeMap::new();
        while let Some(item) = items.next().await {
            let item = item.map_err(|error| classify("Query", &self.table, error))?;
            let sk = string(&item, "sk").unwrap_or_default();
            let surface = sk.strip_prefix("state#").and_then(|surface| surface.parse().ok());
            let surface = surface.ok_or_else(|| damaged(&self.table, resource, sk, "it names no surface"))?;
            let state = SurfaceState { version: version(&item), ..self.read(&item, "state")? };
            states.insert(surface, state);
        }
        Ok(states)
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
        let items = self.single_items(keys).await?;
        let known = items.iter().map(async |item| {
            let place = |what| damaged(&self.table, KNOWN, string(item, "sk").unwrap_or("?"), what);
            let hash = string(item, "sk").and_then(|sk| sk.parse().ok()).ok_or_else(|| place("it names no hash"))?;
            let known: Known = self.read(item, "known")?;
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
        for _ in 0..CHAIN_READINGS {
            let (records, head) = self.read_chain(resource).await?;
            if records.last().map(|stored| stored.record.id) == head.last {
                return Ok((records, head));
            }
        }
        self.read_chain(resource).await
    }

    async fn read_chain(&self, resource: &Resource) -> Result<(Vec<StoredRecord>, Head), CallError> {
        let pk = resource.to_string();
        let records = async {
            let query = self.dynamodb.query().table_name(&self.table).consistent_read(true);
            let query = query.key_condition_expression("pk = :pk AND begins_with(sk, :rec)");
            let query = query.expression_attribute_values(":pk", text(&pk));
            let mut items = query.expression_attribute_values(":rec", text("rec#")).into_paginator().items().send();
            let mut records = Vec::new();
            while let Some(item) = items.next().await {
                records.push(self.stored(&item.map_err(|error| classify("Query", &self.table, error))?)?);
            }
            Ok(records)
        };
        let (records, heads) = future::try_join(records, self.single_items(vec![key(&pk, "head")])).await?;
        let head = heads.first().map(|item| self.read::<Head>(item, "head")).transpose()?.unwrap_or_default();
        Ok((records, head))
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
        let mut items = query.into_paginator().items().send();
        let mut records = Vec::new();
        while let Some(item) = items.next().await {
            records.push(self.stored(&item.map_err(|error| classify("Query", &self.table, error))?));
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
        for days in [0, -1, 1] {
            let day = id.time().saturating_add(SignedDuration::from_hours(24 * days)).unwrap_or(Timestamp::MAX);
            let query = self.dynamodb.query().table_name(&self.table).index_name("by-day");
            let query = query.key_condition_expression("#day = :day AND sk = :sk");
            let query = query.expression_attribute_names("#day", "day");
            let query = query.expression_attribute_values(":day", text(day.strftime("%Y-%m-%d").to_string()));
            let answer = query.expression_attribute_values(":sk", text(format!("rec#{id}"))).send().await;
            let answer = answer.map_err(|error| classify("Query", &self.table, error))?;
            if let Some(item) = answer.items().first() {
                return self.stored(item).map(Some);
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

    /// Surfaces with an intent whose outcome is not recorded yet.
    ///
    /// # Errors
    /// The call that failed, or the item that cannot be read.
    pub async fn open_intents(&self) -> Result<Vec<(Resource, Surface, SurfaceState)>, CallError> {
        let query = self.dynamodb.query().table_name(&self.table).index_name("open-intents");
        let query = query.key_condition_expression("#open = :intent").expression_attribute_names("#open", "open");
        let mut items = query.expression_attribute_values(":intent", text("intent")).into_paginator().items().send();
        let mut open = Vec::new();
        while let Some(item) = items.next().await {
            let item = item.map_err(|error| classify("Query", &self.table, error))?;
            let (pk, sk) = (string(&item, "pk").unwrap_or_default(), string(&item, "sk").unwrap_or_default());
            let resource = pk.parse().map_err(|error| damaged(&self.table, pk, sk, error))?;
            let surface =
                sk.trim_start_matches("state#").parse().map_err(|error| damaged(&self.table, pk, sk, error))?;
            open.push((resource, surface, self.read(&item, "state")?));
        }
        Ok(open)
    }
}

impl Ledger for Aws {
    async fn history(&self, resource: &Resource, now: Timestamp) -> Result<History, CallError> {
        let pk = resource.to_string();
        let (this, previous) = (hour(now), hour(now.saturating_sub(SignedDuration::from_hours(1)).unwrap_or(now)));
        let keys = vec![key(&pk, "head"), key("account", "pause"), key("account", &this), key("account", &previous)];
        let (surfaces, items) = future::try_join(self.states(&pk), self.single_items(keys)).await?;
        let mut history = History { surfaces, ..History::default() };
        for item in &items {
            let changes = || {
                let changes = item.get("changes").and_then(|value| value.as_n().ok());
                changes.and_then(|changes| changes.parse().ok()).unwrap_or_default()
            };
            match string(item, "sk") {
                Some("head") => history.head = Head { version: version(item), ..self.read(item, "head")? },
                Some("pause") => history.pause = Some(self.read::<Pause>(item, "pause")?),
                Some(sk) if sk == this => history.changes.this = changes(),
                Some(sk) if sk == previous => history.changes.previous = changes(),
                Some(_) | None => {}
            }
        }
        Ok(history)
    }

    async fn commit(&self, commit: &Commit) -> Result<(), CommitError> {
        let pk = commit.resource.to_string();
        let mut items = vec![self.versioned(&pk, "head", "head", json(&commit.head)?, commit.head.version, None)?];
        for record in &commit.records {
            let hash = record.hash().map_err(|error| damaged(&self.table, &pk, "record", error))?;
            let put = Put::builder()
                .table_name(&self.table)
                .item("pk", text(&pk))
                .item("sk", text(format!("rec#{}", record.id)))
                .item("day", text(record.day().to_string()))
                .item("hash", text(hash.to_string()))
                .item("record", json(record)?)
                // Written once, never over another.
                .condition_expression("attribute_not_exists(pk)");
            items.push(TransactWriteItem::builder().put(built(put.build())?).build());
        }
        for (surface, state) in &commit.surfaces {
            let open = state.intent.is_some().then_some("intent");
            let sk = format!("state#{surface}");
            items.push(self.versioned(&pk, &sk, "state", json(state)?, state.version, open)?);
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
            items.push(TransactWriteItem::builder().put(built(put.item("pause", json(pause)?).build())?).build());
        }
        let known = commit.known.iter().map(|(hash, known)| {
            let put = Put::builder().table_name(&self.table).set_item(Some(key(KNOWN, &hash.to_string())));
            Ok(TransactWriteItem::builder().put(built(put.item("known", json(known)?).build())?).build())
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
    /// Puts an item over the one that has `version`, or where there is none if that is 0.
    fn versioned(
        &self,
        pk: &str,
        sk: &str,
        name: &str,
        body: AttributeValue,
        version: u64,
        open: Option<&str>,
    ) -> Result<TransactWriteItem, CommitError> {
        let mut item = key(pk, sk);
        item.insert(name.into(), body);
        item.insert("version".into(), number(version.saturating_add(1)));
        if let Some(open) = open {
            item.insert("open".into(), text(open));
        }
        let put = Put::builder().table_name(&self.table).set_item(Some(item));
        let put = if version == 0 {
            put.condition_expression("attribute_not_exists(pk)")
        } else {
            put.condition_expression("#version = :version")
                .expression_attribute_names("#version", "version")
                .expression_attribute_values(":version", number(version))
        };
        Ok(TransactWriteItem::builder().put(built(put.build())?).build())
    }
}
