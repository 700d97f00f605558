//! The account's settings: the stack's parameters, which the guards read from their environment.

use crate::{
    model::tags::{GuardKind, Mode},
    name::lambda::{Home, LayerVersionArn},
};
use jiff::SignedDuration;
use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
    str::FromStr,
};
use strum::{IntoStaticStr, VariantArray};
use warden_finding::Severity;
use warden_policy::{AccountId, Context, OrganizationId, TrustedSource};
use wildmatch::WildMatch;

/// What happens to findings that were there before a resource was opted in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum PreExistingPolicy {
    /// They are left until somebody says `warden apply`.
    Withhold,
    /// They are put right like any other.
    Act,
}

/// What happens to a role's critical finding where there is no room for what may stay beside it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "lowercase")]
pub enum WithoutRoom {
    /// It goes all the same, with what may stay: the record says what was lost, and its undo brings it back.
    Remove,
    /// It is left, and reported.
    Withhold,
}

/// When to stop a fight over one surface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Breaker {
    /// How many reverts within the window open the breaker.
    pub reverts: u32,
    /// How far back reverts are counted.
    pub window: SignedDuration,
    /// How many reverts within the window before a critical finding waits for the next one.
    pub critical: u32,
    /// How long it waits then, since the last revert.
    pub pause: SignedDuration,
}

/// Which layers are guarded: they cannot be tagged.
#[derive(Clone, Debug, PartialEq)]
pub struct LayerScope {
    /// What the guard may do with them.
    pub mode: Mode,
    /// Patterns with `*` for the names of the layers that are guarded.
    pub names: Vec<WildMatch>,
}

/// The settings of one deployment.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Where Warden is deployed.
    pub home: Home,
    /// The organisation that the account belongs to.
    pub organization: Option<OrganizationId>,
    /// Other accounts that may be given access. Where it is empty, no list is set.
    pub trusted_accounts: BTreeSet<AccountId>,
    /// Networks and principals that are the own ones, though nothing about them tells.
    pub trusted_sources: BTreeSet<TrustedSource>,
    /// The least severity that is acted on.
    pub threshold: Severity,
    /// What happens to pre-existing findings.
    pub pre_existing: PreExistingPolicy,
    /// What happens to critical findings where there is no room for what may stay.
    pub without_room: WithoutRoom,
    /// When to stop a fight over one surface.
    pub breaker: Breaker,
    /// How many surfaces may be put right in an hour in the account. Those with critical findings do not count.
    pub cap: u32,
    /// For how long a run may hold a surface before another takes it over.
    pub lease: SignedDuration,
    /// How long nothing of a function has to be changed before a deployment counts as over.
    pub settle: SignedDuration,
    /// How long CloudTrail is asked about an event that it does not know.
    pub lookup: SignedDuration,
    /// How long the sleeps of one invocation of a guard may last together.
    pub patience: SignedDuration,
    /// Patterns with `*` for the ARNs of resources that are never changed.
    pub never_touch: Vec<WildMatch>,
    /// Which layers are guarded.
    pub layers: LayerScope,
    /// The most concurrency of a function whose tags do not say; none where no such cap is set.
    pub max_concurrency: Option<NonZeroU32>,
    /// How much of the account's concurrency all reservations may take together, in percent, for a guard to add to
    /// them.
    pub concurrency_pool_share: u32,
    /// The start-up layer that brings stripped secrets back, by architecture (`x86_64`, `arm64`).
    pub secret_layers: BTreeMap<String, LayerVersionArn>,
    /// The ARNs of what is Warden's own: its table, keys, secrets and guards. A star at the end stands for any name.
    pub own: BTreeSet<String>,
}

/// A setting that is missing or cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the setting {name} = `{value}` {problem}; correct the stack's parameter and deploy again")]
pub struct SettingsError {
    name: &'static str,
    value: String,
    problem: String,
}

impl Settings {
    /// The variables that [`Settings::read`] reads, beside those that say where the deployment is.
    pub const VARIABLES: &[&str] = &[
        "WARDEN_ACCOUNT_CAP",
        "WARDEN_BREAKER_MINUTES",
        "WARDEN_BREAKER_PAUSE_SECONDS",
        "WARDEN_BREAKER_REVERTS",
        "WARDEN_CONCURRENCY_POOL_SHARE",
        "WARDEN_CRITICAL_REVERTS",
        "WARDEN_CRITICAL_WITHOUT_ROOM",
        "WARDEN_LAYER_MODE",
        "WARDEN_LAYER_NAMES",
        "WARDEN_LEASE_SECONDS",
        "WARDEN_LOOKUP_SECONDS",
        "WARDEN_MAX_CONCURRENCY",
        "WARDEN_NEVER_TOUCH",
        "WARDEN_ORGANIZATION",
        "WARDEN_SECRET_LAYERS",
        "WARDEN_SETTLE_SECONDS",
        "WARDEN_PRE_EXISTING",
        "WARDEN_THRESHOLD",
        "WARDEN_TRUSTED_ACCOUNTS",
        "WARDEN_TRUSTED_SOURCES",
    ];

    /// Whether the resource with this ARN is on the list of what is never changed.
    pub fn never_touches(&self, arn: &str) -> bool {
        self.never_touch.iter().any(|pattern| pattern.matches(arn))
    }

    /// What the policy judge needs to know of the account.
    pub fn context(&self) -> Context {
        Context {
            account: Some(self.home.account),
            organization: self.organization.clone(),
            trusted_accounts: self.trusted_accounts.clone(),
            trusted_sources: self.trusted_sources.clone(),
            lambda_alone_assumes: false,
            partition: self.home.partition.clone(),
        }
    }

    /// Reads the settings from the environment variables that the template sets, by `get`.
    ///
    /// # Errors
    /// The first variable that cannot be read. A guard without clear settings must not guess: it does nothing.
    pub fn read(home: Home, get: impl Fn(&str) -> Option<String>) -> Result<Settings, SettingsError> {
        let text = |name: &'static str| get(name).map(|value| value.trim().to_owned()).unwrap_or_default();
        fn parse<T: FromStr>(
            name: &'static str,
            value: String,
            default: T,
            expected: &str,
        ) -> Result<T, SettingsError> {
            if value.is_empty() {
                return Ok(default);
            }
            value.parse().map_err(|_| SettingsError { name, problem: format!("is not {expected}"), value })
        }
        let list = |name: &'static str| -> Vec<String> {
            let items = text(name);
            items.split(',').map(str::trim).filter(|item| !item.is_empty()).map(str::to_owned).collect()
        };
        let seconds = |name: &'static str, default: i64| -> Result<SignedDuration, SettingsError> {
            Ok(SignedDuration::from_secs(i64::from(parse(
                name,
                text(name),
                default as u32,
                "a whole number of seconds",
            )?)))
        };
        // What is not set is the first of them.
        fn choice<T: VariantArray + Copy + Into<&'static str>>(
            name: &'static str,
            value: String,
        ) -> Result<T, SettingsError> {
            let is_meant = |option: &&T| value.is_empty() || Into::<&str>::into(**option) == value;
            T::VARIANTS.iter().find(is_meant).copied().ok_or_else(|| {
                let options: Vec<&str> = T::VARIANTS.iter().map(|option| (*option).into()).collect();
                SettingsError { name, value, problem: format!("is none of {}", options.join(", ")) }
            })
        }

        // Empty, it is no cap: 0 would stop every function.
        let max_concurrency = text("WARDEN_MAX_CONCURRENCY");
        let max_concurrency = match max_concurrency.is_empty() {
            true => None,
            false => Some(parse(
                "WARDEN_MAX_CONCURRENCY",
                max_concurrency,
                NonZeroU32::MIN,
                "empty or a whole number of 1 or more",
            )?),
        };
        let concurrency_pool_share = parse(
            "WARDEN_CONCURRENCY_POOL_SHARE",
            text("WARDEN_CONCURRENCY_POOL_SHARE"),
            50_u32,
            "a whole number of percent",
        )?;
        let own = own(&home, &text);
        let organization = text("WARDEN_ORGANIZATION");
        let organization = match organization.is_empty() {
            true => None,
            false => Some(organization.parse().map_err(|_| SettingsError {
                name: "WARDEN_ORGANIZATION",
                value: organization,
                problem: "is not an organisation's id (o-...)".into(),
            })?),
        };
        let trusted_accounts = list("WARDEN_TRUSTED_ACCOUNTS").into_iter().map(|account| {
            account.parse().map_err(|_| SettingsError {
                name: "WARDEN_TRUSTED_ACCOUNTS",
                value: account,
                problem: "is not an account id (12 digits)".into(),
            })
        });
        let trusted_sources = list("WARDEN_TRUSTED_SOURCES").into_iter().map(|source| {
            source.parse().map_err(|_| SettingsError {
                name: "WARDEN_TRUSTED_SOURCES",
                value: source,
                problem: "is neither addresses (198.51.100.0/24) nor an id (vpc-..., vpce-..., AROA..., AIDA...)"
                    .into(),
            })
        });
        let secret_layers = list("WARDEN_SECRET_LAYERS").into_iter().map(|item| {
            let parsed = item.split_once('=').and_then(|(architecture, layer)| {
                let known = ["x86_64", "arm64"].contains(&architecture);
                known.then(|| Some((architecture.to_owned(), layer.parse().ok()?)))?
            });
            parsed.ok_or(SettingsError {
                name: "WARDEN_SECRET_LAYERS",
                value: item,
                problem: "is not an architecture and a layer version's ARN, like x86_64=arn:aws:lambda:...:1".into(),
            })
        });
        Ok(Settings {
            home,
            organization,
            trusted_accounts: trusted_accounts.collect::<Result<_, _>>()?,
            trusted_sources: trusted_sources.collect::<Result<_, _>>()?,
            threshold: parse("WARDEN_THRESHOLD", text("WARDEN_THRESHOLD"), Severity::High, "a severity")?,
            pre_existing: choice("WARDEN_PRE_EXISTING", text("WARDEN_PRE_EXISTING"))?,
            without_room: choice("WARDEN_CRITICAL_WITHOUT_ROOM", text("WARDEN_CRITICAL_WITHOUT_ROOM"))?,
            breaker: Breaker {
                reverts: parse("WARDEN_BREAKER_REVERTS", text("WARDEN_BREAKER_REVERTS"), 3, "a whole number")?,
                window: SignedDuration::from_mins(i64::from(parse(
                    "WARDEN_BREAKER_MINUTES",
                    text("WARDEN_BREAKER_MINUTES"),
                    60_u32,
                    "a whole number of minutes",
                )?)),
                critical: parse("WARDEN_CRITICAL_REVERTS", text("WARDEN_CRITICAL_REVERTS"), 5, "a whole number")?,
                pause: seconds("WARDEN_BREAKER_PAUSE_SECONDS", 5)?,
            },
            cap: parse("WARDEN_ACCOUNT_CAP", text("WARDEN_ACCOUNT_CAP"), 20, "a whole number")?,
            lease: seconds("WARDEN_LEASE_SECONDS", 130)?,
            settle: seconds("WARDEN_SETTLE_SECONDS", 10)?,
            lookup: seconds("WARDEN_LOOKUP_SECONDS", 1800)?,
            patience: SignedDuration::from_secs(1),
            never_touch: list("WARDEN_NEVER_TOUCH").iter().map(|pattern| WildMatch::new(pattern)).collect(),
            layers: LayerScope {
                mode: choice("WARDEN_LAYER_MODE", text("WARDEN_LAYER_MODE"))?,
                names: list("WARDEN_LAYER_NAMES").iter().map(|pattern| WildMatch::new(pattern)).collect(),
            },
            max_concurrency,
            concurrency_pool_share,
            secret_layers: secret_layers.collect::<Result<_, _>>()?,
            own,
        })
    }
}

/// What is Warden's own, by the names that the template gives. The guards' prefix stands in the function's own name,
/// and for the operator, who reads a guard's variables, in the table's.
fn own(home: &Home, text: &dyn Fn(&'static str) -> String) -> BTreeSet<String> {
    let Home { partition, region, account } = home;
    let partition = partition.as_str();
    let (table, function) = (text("WARDEN_TABLE"), text("AWS_LAMBDA_FUNCTION_NAME"));
    let guards = || GuardKind::VARIANTS.iter();
    let prefix = guards()
        .find_map(|guard| function.strip_suffix(&format!("-{}", guard.name())))
        .or_else(|| table.strip_suffix("-ledger"));
    let guards = prefix.into_iter().flat_map(|prefix| {
        guards()
            .map(move |guard| format!("arn:{partition}:lambda:{region}:{account}:function:{prefix}-{}", guard.name()))
    });
    let table = (!table.is_empty()).then(|| format!("arn:{partition}:dynamodb:{region}:{account}:table/{table}"));
    let keys = ["WARDEN_KEY", "WARDEN_HASH_KEY", "WARDEN_SEAL_KEY"]
        .map(text)
        .into_iter()
        .filter(|key| key.starts_with("arn:"));
    let secrets = format!("arn:{partition}:secretsmanager:*:{account}:secret:warden/*");
    guards.chain(table).chain(keys).chain([secrets]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Settings, String> {
        let home = Home {
            partition: "aws".parse().unwrap(),
            region: "us-east-1".into(),
            account: "111122223333".parse().unwrap(),
        };
        let get = |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        Settings::read(home, get).map_err(|error| error.to_string())
    }

    #[test]
    fn the_defaults_are_those_of_the_design() {
        let settings = read(&[]).unwrap();
        assert_eq!(
            (settings.threshold, settings.pre_existing, settings.cap),
            (Severity::High, PreExistingPolicy::Withhold, 20)
        );
        assert_eq!(settings.without_room, WithoutRoom::Remove);
        assert_eq!((settings.breaker.reverts, settings.breaker.window), (3, SignedDuration::from_mins(60)));
        assert_eq!(settings.layers.mode, Mode::Off);
        assert_eq!((settings.max_concurrency, settings.concurrency_pool_share), (None, 50));
    }

    #[test]
    fn every_setting_is_read() {
        let settings = read(&[
            ("WARDEN_TRUSTED_ACCOUNTS", "444455556666, 777788889999"),
            ("WARDEN_TRUSTED_SOURCES", "198.51.100.0/24,vpce-0a1b2c3d4e5f60718, AROAQWERTZUIOPASDFGHJ"),
            ("WARDEN_ORGANIZATION", "o-a1b2c3d4e5"),
            ("WARDEN_THRESHOLD", "critical"),
            ("WARDEN_PRE_EXISTING", "act"),
            ("WARDEN_LAYER_MODE", "enforce"),
            ("WARDEN_LAYER_NAMES", "shop-*,tools"),
            ("WARDEN_NEVER_TOUCH", "arn:aws:lambda:*:*:function:legacy-*"),
            ("WARDEN_LEASE_SECONDS", "2"),
            ("WARDEN_MAX_CONCURRENCY", "20"),
            ("WARDEN_CONCURRENCY_POOL_SHARE", "30"),
            ("WARDEN_SECRET_LAYERS", "x86_64=arn:aws:lambda:us-east-1:111122223333:layer:warden-secret-env:3"),
        ])
        .unwrap();
        assert_eq!((settings.trusted_accounts.len(), settings.trusted_sources.len()), (2, 3));
        assert_eq!(settings.context().trusted_sources, settings.trusted_sources);
        assert_eq!((settings.threshold, settings.pre_existing), (Severity::Critical, PreExistingPolicy::Act));
        assert!(settings.layers.names.iter().any(|name| name.matches("shop-prices")));
        assert_eq!((settings.max_concurrency.map(NonZeroU32::get), settings.concurrency_pool_share), (Some(20), 30));
        assert_eq!((settings.never_touch.len(), settings.lease), (1, SignedDuration::from_secs(2)));
        assert_eq!(settings.secret_layers["x86_64"].version(), 3);
    }

    #[test]
    fn what_is_wardens_own_is_known_by_its_names() {
        let key = "arn:aws:kms:us-east-1:111122223333:key/11111111-2222-3333-4444-555555555555";
        let deployed = [("WARDEN_TABLE", "w-ledger"), ("WARDEN_KEY", key)];
        let own = read(&deployed).unwrap().own;
        for arn in [
            "arn:aws:dynamodb:us-east-1:111122223333:table/w-ledger",
            key,
            "arn:aws:secretsmanager:*:111122223333:secret:warden/*",
            "arn:aws:lambda:us-east-1:111122223333:function:w-access-guard",
            "arn:aws:lambda:us-east-1:111122223333:function:w-role-guard",
            "arn:aws:lambda:us-east-1:111122223333:function:w-secret-guard",
        ] {
            assert!(own.contains(arn), "{arn}: {own:?}");
        }
        // A table that was taken over has another name, and the function still its own.
        let taken_over = [("WARDEN_TABLE", "old"), ("AWS_LAMBDA_FUNCTION_NAME", "w-secret-guard")];
        let own = read(&taken_over).unwrap().own;
        assert!(own.contains("arn:aws:lambda:us-east-1:111122223333:function:w-role-guard"), "{own:?}");
        assert!(own.contains("arn:aws:dynamodb:us-east-1:111122223333:table/old"));
        assert_eq!(read(&[]).unwrap().own.len(), 1);
    }

    #[test]
    fn a_setting_that_cannot_be_read_says_which_and_what_to_do() {
        #[track_caller]
        fn check(name: &str, value: &str, problem: &str) {
            let error = read(&[(name, value)]).unwrap_err();
            let expected =
                format!("the setting {name} = `{value}` {problem}; correct the stack's parameter and deploy again");
            assert_eq!(error, expected);
        }
        check("WARDEN_TRUSTED_ACCOUNTS", "1234", "is not an account id (12 digits)");
        check(
            "WARDEN_TRUSTED_SOURCES",
            "office",
            "is neither addresses (198.51.100.0/24) nor an id (vpc-..., vpce-..., AROA..., AIDA...)",
        );
        check("WARDEN_THRESHOLD", "severe", "is not a severity");
        check("WARDEN_PRE_EXISTING", "maybe", "is none of withhold, act");
        check("WARDEN_CRITICAL_WITHOUT_ROOM", "maybe", "is none of remove, withhold");
        check("WARDEN_LEASE_SECONDS", "-1", "is not a whole number of seconds");
        check("WARDEN_MAX_CONCURRENCY", "0", "is not empty or a whole number of 1 or more");
        check("WARDEN_CONCURRENCY_POOL_SHARE", "half", "is not a whole number of percent");
        let layers = "is not an architecture and a layer version's ARN, like x86_64=arn:aws:lambda:...:1";
        check("WARDEN_SECRET_LAYERS", "sparc=arn:aws:lambda:us-east-1:111122223333:layer:x:3", layers);
        check("WARDEN_SECRET_LAYERS", "x86_64=warden-secret-env:3", layers);
    }
}
