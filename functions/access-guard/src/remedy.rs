//! The least change that closes what is open.

use crate::judge::policy_text;
use serde_json::Value;
use warden_engine::{
    Finding, FindingId,
    arn::{FunctionArn, LayerVersionArn, Qualifier},
    content::Content,
    guard::{Facts, Remedy},
    plan::{Call, Plan, UrlAuthType},
    settings::Settings,
    surface::{Subject, Surface},
};
use warden_policy::{function_policy, layer_policy};

/// Plans how to put `findings` on `surface` right.
pub(crate) fn remedy(
    subject: &Subject,
    facts: &Facts,
    surface: &Surface,
    findings: &[Finding],
    baseline: Option<&Content>,
    settings: &Settings,
) -> Remedy {
    let Some(content) = facts.surfaces.get(surface).map(|sighting| &sighting.content) else {
        return Remedy::default();
    };
    match (subject, surface) {
        (Subject::Function(function), Surface::ResourcePolicy(qualifier)) => {
            resource_policy(function, qualifier, surface, content, findings, baseline, settings)
        }
        (Subject::Function(function), Surface::FunctionUrl(qualifier)) => {
            function_url(function, qualifier, surface, content, findings)
        }
        (Subject::LayerVersion(layer), Surface::LayerPolicy(_)) => {
            layer_policy(layer, surface, content, findings, settings)
        }
        // Other guards' subjects and surfaces.
        (
            Subject::Function(_)
            | Subject::LayerVersion(_)
            | Subject::Role(_)
            | Subject::Policy(_)
            | Subject::Account(_),
            _,
        ) => Remedy::default(),
    }
}

fn nothing_safe(findings: &[Finding], advice: String) -> Remedy {
    let unfixable = findings.iter().map(|finding| (finding.clone(), advice.clone())).collect();
    Remedy { unfixable, ..Remedy::default() }
}

/// One statement is taken out by its Sid; whatever else there is to do is one PutResourcePolicy, which is atomic: an open grant is
/// narrowed in place, so that a live trigger never loses its permission.
fn resource_policy(
    function: &FunctionArn,
    qualifier: &Option<Qualifier>,
    surface: &Surface,
    content: &Content,
    findings: &[Finding],
    baseline: Option<&Content>,
    settings: &Settings,
) -> Remedy {
    let Some(document) = content.document() else { return Remedy::default() };
    let baseline = baseline.and_then(Content::document).map(policy_text);
    let narrowed =
        match function_policy::narrow(&policy_text(document), findings, baseline.as_deref(), &settings.context()) {
            Ok(narrowed) => narrowed,
            Err(error) => return nothing_safe(findings, format!("the policy does not parse: {error}")),
        };
    let unfixable =
        narrowed.unfixable.iter().map(|unfixable| (unfixable.finding.clone(), unfixable.advice.clone())).collect();
    if narrowed.edits.is_empty() {
        return Remedy { unfixable, ..Remedy::default() };
    }
    let named = || (function.clone(), qualifier.clone());
    let call = match (narrowed.removed_sids().as_deref(), &narrowed.document) {
        (Some([sid]), _) if is_statement_id(sid) => {
            let (function, qualifier) = named();
            Call::RemovePermission { function, qualifier, sid: (*sid).to_owned() }
        }
        (_, Some(policy)) => {
            let (function, qualifier) = named();
            Call::PutResourcePolicy { function, qualifier, policy: policy.clone() }
        }
        (_, None) => {
            let (function, qualifier) = named();
            Call::DeleteResourcePolicy { function, qualifier }
        }
    };
    let (function, qualifier) = named();
    let undo = Call::PutResourcePolicy { function, qualifier, policy: document.clone() };
    let after = narrowed.document.map_or(Content::ABSENT, Content::new);
    let plan = Plan::new(surface.clone(), content.clone()).then(call, undo, after);
    Remedy { plan: Some(plan), unfixable }
}

/// Whether RemovePermission takes the Sid as a StatementId; PutResourcePolicy may have brought others into the policy.
///
/// AWS: 1 to 100 of `[a-zA-Z0-9-_.]` (Lambda API reference, RemovePermission).
fn is_statement_id(sid: &str) -> bool {
    (1..=100).contains(&sid.len())
        && sid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || b == b'.')
}

/// The URL stays, since a deleted one never comes back with the same address; callers have to sign. From which web origins they
/// may call is for its owner to say.
fn function_url(
    function: &FunctionArn,
    qualifier: &Option<Qualifier>,
    surface: &Surface,
    content: &Content,
    findings: &[Finding],
) -> Remedy {
    let Some(Value::Object(url)) = content.document() else { return Remedy::default() };
    let (public, origins): (Vec<&Finding>, Vec<&Finding>) =
        findings.iter().partition(|finding| finding.id == FindingId::PublicUrl);
    let advice = "name the web origins that need the URL in AllowOrigins; which they are is not known here";
    let unfixable = origins.into_iter().map(|finding| (finding.clone(), advice.to_owned())).collect();
    if public.is_empty() {
        return Remedy { unfixable, ..Remedy::default() };
    }
    let set = |auth_type| Call::UpdateFunctionUrlConfig {
        function: function.clone(),
        qualifier: qualifier.clone(),
        auth_type,
    };
    let mut closed = url.clone();
    closed.insert("AuthType".into(), UrlAuthType::AwsIam.as_str().into());
    let plan = Plan::new(surface.clone(), content.clone()).then(
        set(UrlAuthType::AwsIam),
        set(UrlAuthType::None),
        Content::new(closed.into()),
    );
    Remedy { plan: Some(plan), unfixable }
}

/// Layers have no call that replaces a policy: one statement after another goes.
fn layer_policy(
    layer: &LayerVersionArn,
    surface: &Surface,
    content: &Content,
    findings: &[Finding],
    settings: &Settings,
) -> Remedy {
    let Some(document) = content.document() else { return Remedy::default() };
    let sids = match layer_policy::narrow(&policy_text(document), findings, &settings.context()) {
        Ok(sids) => sids,
        Err(error) => return nothing_safe(findings, format!("the layer's policy does not parse: {error}")),
    };
    let mut plan = Plan::new(surface.clone(), content.clone());
    let mut left = document.clone();
    let mut unfixable = Vec::new();
    for sid in sids {
        let Some(Value::Array(statements)) = left.get_mut("Statement") else { break };
        let is_it = |statement: &Value| statement.get("Sid").and_then(Value::as_str) == Some(&sid);
        let Some(index) = statements.iter().position(is_it) else { continue };
        let Some(undo) = statements.get(index).and_then(|statement| add_layer_permission(layer, statement)) else {
            let advice = format!(
                "statement {sid} could not be put back as it is by AddLayerVersionPermission; remove it by hand"
            );
            let of_it = |at: &str| document.get("Statement").and_then(|all| at_statement(all, at)).is_some_and(is_it);
            let its = findings.iter().filter(|finding| of_it(&finding.at));
            unfixable.extend(its.map(|finding| (finding.clone(), advice.clone())));
            continue;
        };
        statements.remove(index);
        let after = if statements.is_empty() { Content::ABSENT } else { Content::new(left.clone()) };
        plan = plan.then(Call::RemoveLayerVersionPermission { layer: layer.clone(), sid }, undo, after);
    }
    let plan = (!plan.changes().is_empty()).then_some(plan);
    Remedy { plan, unfixable }
}

/// The statement that a finding's place (`Statement[2]`) points at.
fn at_statement<'a>(statements: &'a Value, at: &str) -> Option<&'a Value> {
    let index: usize = at.strip_prefix("Statement[")?.split(']').next()?.parse().ok()?;
    statements.get(index)
}

/// The call that makes exactly this statement, if there is one.
fn add_layer_permission(layer: &LayerVersionArn, statement: &Value) -> Option<Call> {
    let principal = statement.get("Principal")?;
    let principal = match principal.as_str() {
        Some(everybody) => everybody.to_owned(),
        None => {
            let account = principal.get("AWS")?.as_str()?;
            // Lambda keeps an account id as the ARN of the account's root.
            let root = account.strip_prefix("arn:").and_then(|arn| arn.strip_suffix(":root"));
            root.and_then(|arn| arn.rsplit(':').next()).unwrap_or(account).to_owned()
        }
    };
    let organization = match statement.get("Condition") {
        None => None,
        Some(condition) => {
            let equals = condition.get("StringEquals")?.as_object().filter(|keys| keys.len() == 1)?;
            let (key, value) = equals.iter().next()?;
            key.eq_ignore_ascii_case("aws:PrincipalOrgID").then_some(())?;
            Some(value.as_str()?.to_owned())
        }
    };
    Some(Call::AddLayerVersionPermission {
        layer: layer.clone(),
        sid: statement.get("Sid")?.as_str()?.to_owned(),
        principal,
        action: statement.get("Action")?.as_str()?.to_owned(),
        organization,
    })
}
