//! Reading who may invoke a function or use a layer version. Everything that one event needs is read at once.

use crate::{Context, Facts};
use futures::{StreamExt, TryStreamExt, future, stream};
use jiff::tz::TimeZone;
use std::collections::BTreeMap;
use warden_aws::Aws;
use warden_engine::{
    call_error::{CallError, ErrorKind},
    guard::{ReconcileRequest, Scope, SurfaceSnapshot},
    model::{
        content::Content,
        settings::Settings,
        surface::{Resource, Surface},
        tags::{GuardKind, Mode},
    },
    name::lambda::{FunctionArn, Qualifier},
    ports::{Account, Clock},
};

/// What a look at URLs came to.
enum Urls<T> {
    /// It was seen what there is.
    Seen(T),
    /// The Region has no function URLs.
    NotOffered,
    /// The guard may not look, as AWS's answer says.
    Refused(String),
}

impl<T> Urls<T> {
    /// What the policies say has to be judged whether or not URLs can be seen. Any other failure is tried again.
    fn of(function: &FunctionArn, looked: Result<T, CallError>) -> Result<Urls<T>, CallError> {
        match looked {
            Ok(seen) => Ok(Urls::Seen(seen)),
            Err(error) if error.kind == ErrorKind::NotOffered && !has_urls(function) => {
                tracing::debug!(%error, "left out: the Region has no function URLs");
                Ok(Urls::NotOffered)
            }
            // A Region that has them, as far as is known: a URL that is not seen is not taken for none.
            Err(error) if error.kind.is_refusal() => Ok(Urls::Refused(error.to_string())),
            Err(error) => Err(error),
        }
    }

    /// What was seen; otherwise `context` learns why nothing was, of which `surface` stands for all.
    fn seen_or_learnt(self, surface: &Surface, context: &mut Context) -> Option<T> {
        match self {
            Urls::Seen(seen) => return Some(seen),
            Urls::NotOffered => context.no_urls = true,
            Urls::Refused(why) => drop(context.unread.insert(surface.clone(), why)),
        }
        None
    }
}

/// The Regions of the partition `aws` that have no function URLs ("Creating and managing Lambda function URLs" in the
/// Lambda developer guide). One that is missing here is taken for one that has them, and does not show them.
const WITHOUT_URLS: &[&str] = &[
    "ap-east-2",
    "ap-south-2",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-west-1",
    "eu-central-2",
    "eu-south-2",
    "il-central-1",
    "me-central-1",
];

/// Whether the function's Region has function URLs, as far as is known. Those of China and of GovCloud have none ("Amazon
/// Lambda" in "Getting Started with Amazon Web Services in China", "AWS Lambda" in the AWS GovCloud user guide); of the
/// other partitions nothing is known (? url-regions).
fn has_urls(function: &FunctionArn) -> bool {
    function.partition() == "aws" && !WITHOUT_URLS.contains(&function.region())
}

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
            let looks = future::try_join_all(surfaces.iter().map(|surface| async {
                let snapshot = aws.snapshot(&request.resource, surface).await;
                let looked = match matches!(surface, Surface::FunctionUrl(_)) {
                    true => Urls::of(function, snapshot)?,
                    false => Urls::Seen(snapshot?),
                };
                Ok::<_, CallError>((surface.clone(), looked))
            }));
            let (found, looks) = future::try_join(aws.function(function), looks).await?;
            let Some(found) = found else { return Ok(None) };
            let scope = Scope::Tags(found.tags);
            let runs_it = found.on_managed_instances && surfaces.contains(&Surface::FunctionUrl(None));
            let (mut surfaces, mut context) = (BTreeMap::new(), Context::default());
            for (surface, looked) in looks {
                if let Some(snapshot) = looked.seen_or_learnt(&surface, &mut context).flatten() {
                    surfaces.insert(surface, snapshot);
                }
            }
            let published = Surface::ResourcePolicy(Some(Qualifier::latest_published()));
            if runs_it && is_opted_in(aws, &scope) && !surfaces.contains_key(&published) {
                let policy = aws.resource_policy(function, Some(&Qualifier::latest_published())).await?;
                surfaces.insert(published, policy);
            }
            Ok(Some(Facts { scope, surfaces, context }))
        }
        (Resource::Function(function), None) => whole_function(aws, function).await,
        (Resource::LayerVersion(layer), _) => {
            let surface = Surface::LayerPolicy(layer.version());
            let snapshot = aws.layer_policy(layer).await?;
            let scope = Scope::Setting(settings.layers.mode);
            Ok(Some(Facts { scope, surfaces: BTreeMap::from([(surface, snapshot)]), context: Context::default() }))
        }
        (Resource::Role(_) | Resource::Policy(_) | Resource::Account(_), _) => Ok(None),
    }
}

/// A function that is not opted in costs one call.
async fn whole_function(aws: &Aws, function: &FunctionArn) -> Result<Option<Facts>, CallError> {
    let Some(found) = aws.function(function).await? else { return Ok(None) };
    let scope = Scope::Tags(found.tags);
    if !is_opted_in(aws, &scope) {
        return Ok(Some(Facts { scope, surfaces: BTreeMap::new(), context: Context::default() }));
    }
    let (surfaces, context) = surfaces(aws, function).await?;
    Ok(Some(Facts { scope, surfaces, context }))
}

fn is_opted_in(aws: &Aws, scope: &Scope) -> bool {
    scope.opt_in(GuardKind::Access, aws.now().to_zoned(TimeZone::UTC).date()).mode != Mode::Off
}

/// Every version's and alias's policy and URL, whatever the function's tags say.
pub(crate) async fn surfaces(
    aws: &Aws,
    function: &FunctionArn,
) -> Result<(BTreeMap<Surface, SurfaceSnapshot>, Context), CallError> {
    let urls = async { Urls::of(function, aws.function_urls(function).await) };
    let (qualifiers, urls) = future::try_join(aws.qualifiers(function), urls).await?;
    let mut context = Context::default();
    let mut urls = urls.seen_or_learnt(&Surface::FunctionUrl(None), &mut context);
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
        if let Some(urls) = &mut urls
            && !qualifier.as_ref().is_some_and(Qualifier::is_version)
        {
            let url = urls.remove(&qualifier).unwrap_or(SurfaceSnapshot { content: Content::ABSENT, revision: None });
            surfaces.insert(Surface::FunctionUrl(qualifier.clone()), url);
        }
        surfaces.insert(Surface::ResourcePolicy(qualifier), policy);
    }
    Ok((surfaces, context))
}
