//! Reading who may invoke a function or use a layer version. Everything that one event needs is read at once.

use futures::{StreamExt, TryStreamExt, future, stream};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use warden_aws::Aws;
use warden_engine::{
    call_error::CallError,
    guard::{Facts, ReconcileRequest, Scope, SurfaceSnapshot},
    model::{
        content::Content,
        settings::Settings,
        surface::{Resource, Surface},
        tags::{GuardKind, Mode},
    },
    name::lambda::{FunctionArn, Qualifier},
    ports::{Account, Clock},
};

/// GetPolicy has a quota of 15 a second for the account and Region: a look at a whole function uses a part of it.
const POLICIES_AT_ONCE: usize = 4;

/// Reads what `request` asks for; `None` where the resource is gone.
pub(crate) async fn fetch(
    aws: &Aws,
    request: &ReconcileRequest,
    settings: &Settings,
) -> Result<Option<Facts>, CallError> {
    match (&request.resource, &request.surfaces) {
        (Resource::Function(function), Some(surfaces)) => {
            let snapshots = future::try_join_all(surfaces.iter().map(|surface| async {
                let snapshot = aws.snapshot(&request.resource, surface).await?;
                Ok::<_, CallError>(snapshot.map(|snapshot| (surface.clone(), snapshot)))
            }));
            let (found, snapshots) = future::try_join(aws.function(function), snapshots).await?;
            let Some(found) = found else { return Ok(None) };
            let scope = Scope::Tags(found.tags);
            let mut surfaces: BTreeMap<Surface, SurfaceSnapshot> = snapshots.into_iter().flatten().collect();
            let published = Surface::ResourcePolicy(Some(Qualifier::latest_published()));
            let runs_it = found.on_managed_instances && surfaces.contains_key(&Surface::FunctionUrl(None));
            if runs_it && is_opted_in(aws, &scope) && !surfaces.contains_key(&published) {
                let policy = aws.resource_policy(function, Some(&Qualifier::latest_published())).await?;
                surfaces.insert(published, policy);
            }
            Ok(Some(Facts { scope, surfaces, context: () }))
        }
        (Resource::Function(function), None) => whole_function(aws, function).await,
        (Resource::LayerVersion(layer), _) => {
            let surface = Surface::LayerPolicy(layer.version());
            let snapshot = aws.layer_policy(layer).await?;
            let scope = Scope::Setting(settings.layers.mode);
            Ok(Some(Facts { scope, surfaces: BTreeMap::from([(surface, snapshot)]), context: () }))
        }
        (Resource::Role(_) | Resource::Policy(_) | Resource::Account(_), _) => Ok(None),
    }
}

/// A function that is not opted in costs one call.
async fn whole_function(aws: &Aws, function: &FunctionArn) -> Result<Option<Facts>, CallError> {
    let Some(found) = aws.function(function).await? else { return Ok(None) };
    let scope = Scope::Tags(found.tags);
    if !is_opted_in(aws, &scope) {
        return Ok(Some(Facts { scope, surfaces: BTreeMap::new(), context: () }));
    }
    Ok(Some(Facts { scope, surfaces: surfaces(aws, function).await?, context: () }))
}

fn is_opted_in(aws: &Aws, scope: &Scope) -> bool {
    scope.opt_in(GuardKind::Access, aws.now().to_zoned(TimeZone::UTC).date()).mode != Mode::Off
}

/// Every version's and alias's policy and URL, whatever the function's tags say.
pub(crate) async fn surfaces(
    aws: &Aws,
    function: &FunctionArn,
) -> Result<BTreeMap<Surface, SurfaceSnapshot>, CallError> {
    let (qualifiers, mut urls) = future::try_join(aws.qualifiers(function), aws.function_urls(function)).await?;
    let policies: Vec<_> = stream::iter(qualifiers)
        .map(|qualifier| async {
            let policy = aws.resource_policy(function, qualifier.as_ref()).await?;
            Ok::<_, CallError>((qualifier, policy))
        })
        .buffered(POLICIES_AT_ONCE)
        .try_collect()
        .await?;
    let mut surfaces = BTreeMap::new();
    for (qualifier, policy) in policies {
        if !qualifier.as_ref().is_some_and(Qualifier::is_version) {
            let url = urls.remove(&qualifier).unwrap_or(SurfaceSnapshot { content: Content::ABSENT, revision: None });
            surfaces.insert(Surface::FunctionUrl(qualifier.clone()), url);
        }
        surfaces.insert(Surface::ResourcePolicy(qualifier), policy);
    }
    Ok(surfaces)
}
