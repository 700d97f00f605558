//! The engine's ports on the AWS SDK: Lambda, IAM, Secrets Manager, the ledger on DynamoDB, audit events on
//! EventBridge, proofs by KMS.

pub mod config;
pub mod permissions;

mod account;
mod attestation;
mod audit_events;
mod clock;
mod concurrency;
mod delay_queue;
mod environment;
mod error;
mod event_history;
mod generated_policy;
mod hash;
mod iam;
mod key;
mod lambda;
mod layers;
mod ledger;
mod seal;
mod secrets_manager;

pub use audit_events::Copied;
pub use environment::{Elsewhere, FunctionConfig};
pub use hash::HashKey;
pub use iam::{IamDocument, ListedRole, ManagedPolicy, Role, Users};
pub use lambda::Function;
pub use ledger::StoredRecord;
pub use secrets_manager::{Keeping, MOST_BYTES};

use crate::seal::SealKey;
use aws_smithy_http_client::Connector;
use aws_types::{SdkConfig, region::Region};
use secrecy::SecretString;
use std::{
    collections::{BTreeSet, HashMap},
    sync::{Mutex, OnceLock, PoisonError},
};
use tokio::sync::OnceCell;

/// The AWS account that Warden guards, through one principal's credentials.
#[derive(Debug)]
pub struct Aws {
    config: SdkConfig,
    table: String,
    bus: String,
    key: String,
    hash_key: String,
    seal_key: String,
    queue: Option<String>,
    /// The key for hashes, once it was asked for.
    hashes: OnceCell<HashKey>,
    /// The key for seals, once it was asked for.
    seals: OnceCell<SealKey>,
    /// The value that an operator has given for a rotation.
    given: Option<SecretString>,
    dynamodb: aws_sdk_dynamodb::Client,
    events: OnceLock<aws_sdk_eventbridge::Client>,
    iam: OnceLock<aws_sdk_iam::Client>,
    kms: OnceLock<aws_sdk_kms::Client>,
    sqs: OnceLock<aws_sdk_sqs::Client>,
    /// The Secrets Manager clients by Region, made on demand.
    secrets: Mutex<HashMap<String, aws_sdk_secretsmanager::Client>>,
    /// The Lambda clients by Region, made on demand.
    lambda: Mutex<HashMap<String, aws_sdk_lambda::Client>>,
    /// The client that reads from the addresses that Lambda gives out.
    connector: OnceLock<Option<Connector>>,
    /// The extensions in each layer version that was looked into, by its ARN.
    layers: Mutex<HashMap<String, BTreeSet<String>>>,
}

/// The names of what the stack holds in its home Region.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Deployment {
    /// The name of the ledger's table.
    pub table: String,
    /// The name of the bus for audit events.
    pub bus: String,
    /// The ARN of the key for operators' proofs.
    pub key: String,
    /// The ARN of the key that hashes of environment values are made with.
    pub hash_key: String,
    /// The ARN of the key that the ledger's items are sealed with.
    pub seal_key: String,
    /// The URL of the guard's own delay queue; a command has none.
    pub queue: Option<String>,
}

impl Deployment {
    /// The variables that [`Deployment::read`] reads.
    pub const VARIABLES: &[&str] =
        &["WARDEN_TABLE", "WARDEN_BUS", "WARDEN_KEY", "WARDEN_HASH_KEY", "WARDEN_SEAL_KEY", "WARDEN_QUEUE"];

    /// Reads the names from the environment variables that the template sets, by `get`.
    ///
    /// # Errors
    /// The variable that is missing.
    pub fn read(get: impl Fn(&str) -> Option<String>) -> Result<Deployment, config::ConfigError> {
        let text = |name| get(name).filter(|value| !value.is_empty()).ok_or(config::ConfigError::Missing(name));
        Ok(Deployment {
            table: text("WARDEN_TABLE")?,
            bus: text("WARDEN_BUS")?,
            key: text("WARDEN_KEY")?,
            hash_key: text("WARDEN_HASH_KEY")?,
            seal_key: text("WARDEN_SEAL_KEY")?,
            queue: get("WARDEN_QUEUE").filter(|queue| !queue.is_empty()),
        })
    }
}

impl Aws {
    /// Connects to what `deployment` names in the Region of `config`. Nothing is called yet.
    pub fn new(config: SdkConfig, deployment: Deployment) -> Aws {
        let Deployment { table, bus, key, hash_key, seal_key, queue } = deployment;
        Aws {
            dynamodb: aws_sdk_dynamodb::Client::new(&config),
            config,
            table,
            bus,
            key,
            hash_key,
            seal_key,
            queue,
            hashes: OnceCell::new(),
            seals: OnceCell::new(),
            given: None,
            events: OnceLock::new(),
            iam: OnceLock::new(),
            kms: OnceLock::new(),
            sqs: OnceLock::new(),
            secrets: Mutex::new(HashMap::new()),
            lambda: Mutex::new(HashMap::new()),
            connector: OnceLock::new(),
            layers: Mutex::new(HashMap::new()),
        }
    }

    /// The same account, with the value that a rotation is to put into a secret. The value is in no `Call`, so that it
    /// is never written down.
    #[must_use]
    pub fn with_value(self, value: SecretString) -> Aws {
        Aws { given: Some(value), ..self }
    }

    fn events(&self) -> &aws_sdk_eventbridge::Client {
        self.events.get_or_init(|| aws_sdk_eventbridge::Client::new(&self.config))
    }

    /// The IAM client. IAM is one for the whole account; the Region only decides where the call goes to.
    fn iam(&self) -> &aws_sdk_iam::Client {
        self.iam.get_or_init(|| aws_sdk_iam::Client::new(&self.config))
    }

    fn kms(&self) -> &aws_sdk_kms::Client {
        self.kms.get_or_init(|| aws_sdk_kms::Client::new(&self.config))
    }

    fn sqs(&self) -> &aws_sdk_sqs::Client {
        self.sqs.get_or_init(|| aws_sdk_sqs::Client::new(&self.config))
    }

    /// The Secrets Manager client of a Region.
    fn secrets(&self, region: &str) -> aws_sdk_secretsmanager::Client {
        let mut clients = self.secrets.lock().unwrap_or_else(PoisonError::into_inner);
        let client = clients.entry(region.to_owned()).or_insert_with(|| {
            let config = self.config.clone().into_builder().region(Region::new(region.to_owned())).build();
            aws_sdk_secretsmanager::Client::new(&config)
        });
        client.clone()
    }

    /// The Lambda client of a Region.
    fn lambda(&self, region: &str) -> aws_sdk_lambda::Client {
        let mut clients = self.lambda.lock().unwrap_or_else(PoisonError::into_inner);
        let client = clients.entry(region.to_owned()).or_insert_with(|| {
            let config = self.config.clone().into_builder().region(Region::new(region.to_owned())).build();
            aws_sdk_lambda::Client::new(&config)
        });
        client.clone()
    }
}
