//! Which events concern secret-guard, and where each says to look. CloudTrail leaves environments out of its events, so
//! that none says what was set.

use std::collections::BTreeSet;
use warden_engine::{
    guard::{Introduced, ReconcileRequest},
    model::{
        cloudtrail::CloudTrailEvent,
        surface::{Resource, Surface},
    },
    name::lambda::FunctionArn,
};

/// The look that an event asks for; `None` where it changes nothing that this guard watches.
pub(crate) fn requests(event: &CloudTrailEvent) -> Option<ReconcileRequest> {
    match event.cause.event_name.as_str() {
        // Everything about a new function is new, a version that is published along with it too. All of it is looked at:
        // that it is new is what the event says.
        "CreateFunction" => {
            let (function, _) = event.function("functionName")?;
            let introduced = vec![Introduced { surface: None, sid: None }];
            let request = request(event, function, Surface::Environment(None), introduced);
            Some(ReconcileRequest { surfaces: None, ..with_published(event, request) })
        }
        // Layers, role and runtime too decide whether a stripped secret can be reached. (UploadFunction is of the API
        // of 2014, which botocore still has.)
        "UpdateFunctionConfiguration" | "UploadFunction" => {
            let (function, _) = event.function("functionName")?;
            // Whether the environment was sent cannot be told: CloudTrail shows it emptied also where it was not
            // (? sent-environment). So the event makes nothing new that may have stood there before the opt-in.
            Some(request(event, function, Surface::Environment(None), Vec::new()))
        }
        // The architecture may be another now, and with a layer of the one before the function does not start. A
        // version may be published with it.
        "UpdateFunctionCode" => {
            let (function, _) = event.function("functionName")?;
            Some(with_published(event, request(event, function, Surface::Environment(None), Vec::new())))
        }
        // What kept the start-up layer out is gone: nothing is new, but what was withheld for it can be done now.
        "DeleteFunctionCodeSigningConfig" => {
            let (function, _) = event.function("functionName")?;
            Some(request(event, function, Surface::Environment(None), Vec::new()))
        }
        // Gone, or there again by now. With a qualifier one version was deleted.
        "DeleteFunction" if event.parameter("qualifier").is_none() => {
            let (function, _) = event.function("functionName")?;
            Some(request(event, function, Surface::Environment(None), Vec::new()))
        }
        // The environment of the moment, kept for ever.
        "PublishVersion" => {
            let (function, _) = event.function("functionName")?;
            let surface = Surface::Environment(Some(event.published_version()?));
            let introduced = Introduced { surface: Some(surface.clone()), sid: None };
            Some(request(event, function, surface, vec![introduced]))
        }
        // Opting in or out: nothing of it is new.
        "TagResource" | "UntagResource" if event.touches_warden_tags() => {
            let (function, _) = event.function("resource")?;
            Some(ReconcileRequest {
                surfaces: None,
                ..request(event, function, Surface::Environment(None), Vec::new())
            })
        }
        _ => None,
    }
}

/// The look, at the version too that the call published, where it did.
fn with_published(event: &CloudTrailEvent, mut request: ReconcileRequest) -> ReconcileRequest {
    if let Some(version) = event.published_version() {
        let surface = Surface::Environment(Some(version));
        request.surfaces.get_or_insert_default().insert(surface.clone());
        request.introduced.push(Introduced { surface: Some(surface), sid: None });
    }
    request
}

fn request(
    event: &CloudTrailEvent,
    function: FunctionArn,
    surface: Surface,
    introduced: Vec<Introduced>,
) -> ReconcileRequest {
    let surfaces = Some(BTreeSet::from([surface]));
    ReconcileRequest { surfaces, introduced, ..ReconcileRequest::at(Resource::Function(function), event.cause.clone()) }
}
