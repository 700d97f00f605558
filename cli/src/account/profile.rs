//! The profile that was asked for: that it is there, and its credentials alone.
//!
//! As in the AWS CLI (version 2): `--profile` goes before keys in the environment, AWS_PROFILE and AWS_DEFAULT_PROFILE
//! do not, and a profile that does not exist is an error, wherever its name comes from. The AWS SDK for Rust does none
//! of that by itself: keys in the environment go before everything, AWS_DEFAULT_PROFILE is not read, and from a profile
//! that is not there it goes on to the next source of credentials, which may be those of another account.
//!
//! Sources: <https://docs.aws.amazon.com/cli/latest/userguide/cli-configure-envvars.html> (an option goes before a
//! variable, a variable before a profile's settings); botocore's `credentials.create_credential_resolver`, which leaves
//! the environment's keys out where the profile is explicit but not for a variable; `session.get_scoped_config`, which
//! raises ProfileNotFound, for an empty variable too; `configprovider` as the CLI bundles it, which reads AWS_PROFILE,
//! then AWS_DEFAULT_PROFILE.

use super::{GIVE_CREDENTIALS, causes};
use crate::output::printable;
use anyhow::{Chain, Context, anyhow, bail};
use aws_config::{
    profile::{self, Profile as Section, ProfileFileCredentialsProvider, ProfileSet},
    provider_config::ProviderConfig,
};
use aws_credential_types::provider::{SharedCredentialsProvider, error::CredentialsError};
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_sdk_sts::error::ErrorMetadata;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::{
    SdkConfig,
    os_shim_internal::{Env, Fs},
};
use std::{
    collections::BTreeSet,
    env,
    error::Error,
    fmt, fs,
    path::{Path, PathBuf},
};

/// A profile that is there.
#[derive(Debug)]
pub(super) struct Profile {
    /// Its name.
    pub(super) name: String,
    /// What named it: the option or a variable.
    origin: &'static str,
    /// Whether its credentials are the ones that are used: keys in the environment go before those of a variable's.
    pub(super) used: bool,
    /// The one that is to be logged in to, with IAM Identity Center: it, or the one that it takes its credentials from.
    login: Option<String>,
    /// The role that it assumes.
    role: Option<String>,
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "the profile `{}` ({})", printable(&self.name), self.origin)
    }
}

impl Profile {
    /// Why no credentials came of what was asked for, and what to do about it. Nothing of what a program or a service
    /// answered but AWS's own code and message: an answer may hold credentials.
    pub(super) fn without_credentials(profile: Option<&Profile>, error: &CredentialsError) -> anyhow::Error {
        let none = matches!(error, CredentialsError::CredentialsNotLoaded(_));
        let Some(profile) = profile.filter(|profile| profile.used) else {
            return if none {
                anyhow!("no AWS credentials: {GIVE_CREDENTIALS}")
            } else {
                // The last place that is looked in, and the one that fails where nothing was set up, is the metadata
                // of an EC2 instance.
                anyhow!(
                    "no AWS credentials can be used: {GIVE_CREDENTIALS}. What was tried last: {}",
                    printable(&why(error))
                )
            };
        };
        if none {
            return anyhow!(
                "{profile} gives no credentials: it has neither keys nor a role (`role_arn`) nor a login (`aws \
                 configure sso`); add them to it, or use another one"
            );
        }
        let advice = match (refused(error), &profile.role, &profile.login) {
            (true, Some(role), _) => format!(
                "; it assumes {}: the trust policy of that role has to name whose credentials it uses, and an IAM \
                 policy of theirs has to allow sts:AssumeRole on it",
                printable(role)
            ),
            (false, _, Some(login)) => {
                let login = shlex::try_quote(login).unwrap_or_else(|_| login.into());
                format!("; log in again: aws sso login --profile {}", printable(&login))
            }
            (true, None, _) | (false, _, None) => String::new(),
        };
        anyhow!("{profile} gives no credentials: {}{advice}", printable(&why(error)))
    }
}

/// Whether AWS has refused it.
fn refused(error: &CredentialsError) -> bool {
    let code = |cause: &(dyn Error + 'static)| {
        cause.downcast_ref::<ErrorMetadata>().is_some_and(|answer| answer.code() == Some("AccessDenied"))
    };
    Chain::new(error).any(code)
}

/// What led to an error of credentials, each cause once.
fn why(error: &CredentialsError) -> String {
    let causes = causes(error);
    // What a program wrote may be a secret.
    match causes.split_once(" Stderr:") {
        Some((ended, _)) => {
            format!("{}; run its `credential_process` by itself to see why", ended.trim_end_matches('.'))
        }
        None => causes,
    }
}

/// The profile that `--profile` names, or else a variable; it is there, and so is each that it takes its credentials
/// from.
///
/// # Errors
/// The profile that is not there, the files that were looked in, and the profiles that they hold.
pub(super) async fn named(option: Option<&str>) -> anyhow::Result<Option<Profile>> {
    let variable = ["AWS_PROFILE", "AWS_DEFAULT_PROFILE"].into_iter().find(|name| env::var_os(name).is_some());
    let (name, origin) = match (option, variable) {
        (Some(name), _) => (name.to_owned(), "--profile"),
        (None, Some(variable)) => (env::var(variable).with_context(|| format!("reading {variable}"))?, variable),
        (None, None) => return Ok(None),
    };
    if name.is_empty() {
        bail!("{origin} is empty: name a profile of the AWS configuration, or leave it out");
    }
    let loaded = profile::load(&Fs::real(), &Env::real(), &EnvConfigFiles::default(), None).await;
    let profiles = loaded.with_context(|| format!("looking for the profile `{}` ({origin})", printable(&name)))?;
    if profiles.get_profile(&name).is_none() {
        bail!("there is no profile `{}` ({origin}): {}", printable(&name), where_looked(&profiles));
    }
    let chain = chain(&profiles, &name);
    let profile = Profile {
        origin,
        // Else the profile gives the Region and the like.
        used: option.is_some() || env::var_os("AWS_ACCESS_KEY_ID").is_none(),
        login: chain
            .iter()
            .find(|one| ["sso_session", "sso_start_url"].iter().any(|key| one.get(key).is_some()))
            .map(|one| one.name().to_owned()),
        role: chain.first().and_then(|one| one.get("role_arn")).map(str::to_owned),
        name,
    };
    if !profile.used {
        return Ok(Some(profile));
    }
    if let Some((of, source)) = missing_source(&profiles, &chain) {
        bail!(
            "the profile `{}` takes its credentials from the profile `{}`, which is not there: {}",
            printable(of),
            printable(source),
            where_looked(&profiles)
        );
    }
    Ok(Some(profile))
}

/// A profile and those that it takes its credentials from, by `source_profile`, one after the other.
fn chain<'a>(profiles: &'a ProfileSet, name: &str) -> Vec<&'a Section> {
    let mut chain: Vec<&Section> = Vec::new();
    let mut next = profiles.get_profile(name);
    while let Some(profile) = next.filter(|next| chain.iter().all(|seen| seen.name() != next.name())) {
        chain.push(profile);
        next = source(profile).and_then(|source| profiles.get_profile(source));
    }
    chain
}

/// The profile that a profile takes its credentials from.
fn source(profile: &Section) -> Option<&str> {
    // Without a role to assume, the setting means nothing.
    profile.get("role_arn")?;
    profile.get("source_profile")
}

/// The profile that is not there, behind the one that names it.
fn missing_source<'a>(profiles: &ProfileSet, chain: &[&'a Section]) -> Option<(&'a str, &'a str)> {
    let last = chain.last()?;
    let source = source(last)?;
    profiles.get_profile(source).is_none().then_some((last.name(), source))
}

/// In which files was looked, and what profiles they hold.
fn where_looked(profiles: &ProfileSet) -> String {
    let files = [("AWS_CONFIG_FILE", "config"), ("AWS_SHARED_CREDENTIALS_FILE", "credentials")];
    let [config, credentials] = files.map(|(variable, default)| {
        let path = path(variable, default);
        let state = match fs::File::open(&path) {
            Ok(_) => String::new(),
            Err(error) => format!(" ({error})"),
        };
        printable(&format!("{}{state}", path.display())).into_owned()
    });
    let names: BTreeSet<&str> = profiles.profiles().collect();
    let names: Vec<_> = names.into_iter().map(printable).collect();
    let there = match names.as_slice() {
        [] => "no profile is there".to_owned(),
        names => format!("the profiles there are {}", names.join(", ")),
    };
    format!("looked in {config} and {credentials}; {there}")
}

/// Where a file of the AWS configuration is, by the rules of [`profile::load`].
fn path(variable: &str, default: &str) -> PathBuf {
    let given = env::var_os(variable).map(PathBuf::from);
    let path = given.unwrap_or_else(|| Path::new("~/.aws").join(default));
    match (path.strip_prefix("~"), env::home_dir()) {
        (Ok(rest), Some(home)) => home.join(rest),
        (Ok(_) | Err(_), _) => path,
    }
}

/// The credentials of that profile, and of nothing else: not of the environment, nor of the machine that this runs on.
pub(super) fn credentials(name: &str, config: &SdkConfig, http_client: SharedHttpClient) -> SharedCredentialsProvider {
    let settings = ProviderConfig::without_region()
        .with_region(config.region().cloned())
        .with_use_fips(config.use_fips())
        .with_use_dual_stack(config.use_dual_stack())
        .with_http_client(http_client);
    SharedCredentialsProvider::new(
        ProfileFileCredentialsProvider::builder().configure(&settings).profile_name(name).build(),
    )
}
