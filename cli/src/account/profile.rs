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

use crate::output::printable;
use anyhow::{Context, bail};
use aws_config::{
    profile::{self, ProfileFileCredentialsProvider, ProfileSet},
    provider_config::ProviderConfig,
};
use aws_credential_types::provider::SharedCredentialsProvider;
use aws_runtime::env_config::file::EnvConfigFiles;
use aws_smithy_runtime_api::client::http::SharedHttpClient;
use aws_types::{
    SdkConfig,
    os_shim_internal::{Env, Fs},
};
use std::{
    collections::BTreeSet,
    env, fs,
    path::{Path, PathBuf},
};

/// The profile that `--profile` names, or else a variable; it is there, and so is each that it takes its credentials
/// from.
///
/// # Errors
/// The profile that is not there, the files that were looked in, and the profiles that they hold.
pub(super) async fn named(option: Option<&str>) -> anyhow::Result<Option<String>> {
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
    if option.is_none() && env::var_os("AWS_ACCESS_KEY_ID").is_some() {
        // The keys are used; the profile gives the Region and the like.
        return Ok(Some(name));
    }
    if let Some((of, source)) = missing_source(&profiles, &name) {
        bail!(
            "the profile `{}` takes its credentials from the profile `{}`, which is not there: {}",
            printable(of),
            printable(source),
            where_looked(&profiles)
        );
    }
    Ok(Some(name))
}

/// Follows `source_profile` from profile to profile, to one that is not there.
fn missing_source<'a>(profiles: &'a ProfileSet, name: &'a str) -> Option<(&'a str, &'a str)> {
    let mut seen = BTreeSet::new();
    let mut name = name;
    while seen.insert(name) {
        let profile = profiles.get_profile(name)?;
        // Without a role to assume, the setting means nothing.
        profile.get("role_arn")?;
        let source = profile.get("source_profile")?;
        if profiles.get_profile(source).is_none() {
            return Some((name, source));
        }
        name = source;
    }
    None
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
