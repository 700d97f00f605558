//! Reading a function's concurrency. Everything that one event needs is read at once.

use crate::{Context, Facts};
use futures::future;
use jiff::tz::TimeZone;
use std::collections::{BTreeMap, BTreeSet};
use warden_aws::Aws;
use warden_engine::{
    call_error::{CallError, ErrorKind},
    guard::{ReconcileRequest, Scope, SurfaceSnapshot},
    model::{
        concurrency,
        content::Content,
        settings::Settings,
        surface::{Resource, Surface},
        tags::{GuardKind, Mode},
    },
    name::lambda::FunctionArn,
    ports::Clock,
};

/// Reads what `request` asks for; `None` where the resource is gone.
pub(crate) async fn fetch(
    aws: &Aws,
    request: &ReconcileRequest,
    settings: &Settings,
) -> Result<Option<Facts>, CallError> {
    let function = match &request.resource {
        Resource::Function(function) => function,
        Resource::Account(_) => return account(aws, settings).await.map(Some),
        Resource::LayerVersion(_) | Resource::Role(_) | Resource::Policy(_) => return Ok(None),
    };
    let (found, looked) = match &request.surfaces {
        Some(wanted) => {
            let looked = surfaces(aws, function, Some(wanted));
            let (found, looked) = future::try_join(aws.function(function), looked).await?;
            (found, Some(looked))
        }
        None => (aws.function(function).await?, None),
    };
    let Some(found) = found else { return Ok(None) };
    let scope = Scope::Tags(found.tags);
    let (surfaces, mut context) = match looked {
        Some(looked) => looked,
        // A function that is not opted in costs one call.
        None if is_off(aws, &scope) => (BTreeMap::new(), Context::default()),
        None => surfaces(aws, function, None).await?,
    };
    context.on_managed_instances = found.on_managed_instances;
    Ok(Some(Facts { scope, surfaces, context }))
}

/// The account, of which it is said once that nothing in it can be reserved.
async fn account(aws: &Aws, settings: &Settings) -> Result<Facts, CallError> {
    let account = aws.account_concurrency(&settings.home.region).await?;
    let limit = account.map(|account| concurrency::of_account(&settings.home.region, account.limit));
    let snapshot = unlocked(limit.unwrap_or_default());
    Ok(Facts {
        scope: Scope::Setting(Mode::Observe),
        surfaces: BTreeMap::from([(Surface::Concurrency, snapshot)]),
        context: Context { account, ..Context::default() },
    })
}

fn is_off(aws: &Aws, scope: &Scope) -> bool {
    scope.opt_in(GuardKind::Concurrency, aws.now().to_zoned(TimeZone::UTC).date()).mode == Mode::Off
}

fn unlocked(content: Content) -> SurfaceSnapshot {
    SurfaceSnapshot { content, revision: None }
}

/// The surfaces that are `wanted`, or all, whatever the function's tags say; nothing of a function that is gone.
pub(crate) async fn surfaces(
    aws: &Aws,
    function: &FunctionArn,
    wanted: Option<&BTreeSet<Surface>>,
) -> Result<(BTreeMap<Surface, SurfaceSnapshot>, Context), CallError> {
    let wants = |surface: &Surface| wanted.is_none_or(|wanted| wanted.contains(surface));
    let asks_for = |surface: &Surface| wanted.is_some_and(|wanted| wanted.contains(surface));
    let reserved = async {
        match wants(&Surface::Concurrency) {
            true => aws.reserved_concurrency(function).await,
            false => Ok(None),
        }
    };
    // What is provisioned and what the account has count where reserved concurrency is changed; each look at what is
    // provisioned is one at reserved concurrency too.
    let provisioned = async {
        match wants(&Surface::Concurrency) {
            true => known(aws.all_provisioned_concurrency(function).await),
            false => Ok(Err(String::new())),
        }
    };
    let account = async {
        match wants(&Surface::Concurrency) {
            true => known(aws.account_concurrency(function.region()).await).map(|account| account.ok().flatten()),
            false => Ok(None),
        }
    };
    let recursion = async {
        match wants(&Surface::Recursion) {
            true => recursion(aws, function).await,
            false => Ok(Ok(None)),
        }
    };
    let (reserved, provisioned, account, recursion) =
        future::try_join4(reserved, provisioned, account, recursion).await?;
    let mut context = Context { account, ..Context::default() };
    let mut found = BTreeMap::new();
    found.extend(reserved.map(|reserved| (Surface::Concurrency, reserved)));
    match recursion {
        Ok(recursion) => found.extend(recursion.map(|recursion| (Surface::Recursion, recursion))),
        Err(why) => drop(context.unread.insert(Surface::Recursion, why)),
    }
    let qualified = |surface: &Surface| matches!(surface, Surface::ProvisionedConcurrency(_));
    let named = || wanted.into_iter().flatten().filter(|surface| qualified(surface)).cloned();
    match provisioned {
        Ok(all) => {
            context.provisioned = Some(all.values().fold(0, |sum, more| sum.saturating_add(*more)));
            found.extend(named().map(|surface| (surface, unlocked(Content::ABSENT))));
            let there = all.into_iter().map(|(qualifier, provisioned)| {
                let content = concurrency::provisioned(Some(provisioned));
                (Surface::ProvisionedConcurrency(qualifier), unlocked(content))
            });
            found.extend(there.filter(|(surface, _)| wanted.is_none() || asks_for(surface)));
        }
        // What is not known has to be no more than what AWS itself checks.
        Err(why) => context.unread.extend(named().map(|surface| (surface, why.clone()))),
    }
    Ok((found, context))
}

/// What AWS says; or, where it refuses to, in what words. Any other failure is tried again.
fn known<T>(answer: Result<T, CallError>) -> Result<Result<T, String>, CallError> {
    match answer {
        Ok(said) => Ok(Ok(said)),
        Err(error) if error.kind.is_refusal() => Ok(Err(error.to_string())),
        Err(error) => Err(error),
    }
}

/// What becomes of a function's recursive loops. Where the Region does not have the setting, there is nothing to allow
/// ("Use Lambda recursive loop detection" in the Lambda developer guide names the Regions).
async fn recursion(aws: &Aws, function: &FunctionArn) -> Result<Result<Option<SurfaceSnapshot>, String>, CallError> {
    match aws.recursion(function).await {
        Err(error) if error.kind == ErrorKind::NotOffered => {
            tracing::debug!(%error, "left out: the Region has no recursive loop detection");
            Ok(Ok(None))
        }
        answer => known(answer),
    }
}
