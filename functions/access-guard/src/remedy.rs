//! The least change that closes what is open.

use crate::{Facts, judge::policy_text, permission::add_permission};
use serde_json::Value;
use warden_engine::{
    Finding, FindingId, Severity,
    guard::{Otherwise, Remedy},
    model::{
        content::Content,
        settings::Settings,
        surface::{Resource, Surface},
    },
    name::lambda::{FunctionArn, LayerVersionArn, Qualifier},
    plan::{Call, Plan, UrlAuthType},
};
use warden_policy::{Edit, EditKind, Narrowed, function_policy, layer_policy};

/// Plans how to put `findings` on `surface` right.
pub(crate) fn remedy(
    resource: &Resource,
    facts: &Facts,
    surface: &Surface,
    findings: &[Finding],
    baseline: Option<&Content>,
    settings: &Settings,
) -> Remedy {
    let Some(content) = facts.surfaces.get(surface).map(|snapshot| &snapshot.content) else {
        return Remedy::default();
    };
    match (resource, surface) {
        (Resource::Function(function), Surface::ResourcePolicy(qualifier)) => {
            resource_policy(function, qualifier, (facts, surface, content), findings, baseline, settings)
        }
        (Resource::Function(function), Surface::FunctionUrl(qualifier)) => {
            function_url(function, qualifier, surface, content, findings)
        }
        (Resource::LayerVersion(layer), Surface::LayerPolicy(_)) => {
            layer_policy(layer, surface, content, findings, settings)
        }
        // Other guards' resources and surfaces.
        (
            Resource::Function(_)
            | Resource::LayerVersion(_)
            | Resource::Role(_)
            | Resource::Policy(_)
            | Resource::Account(_),
            _,
        ) => Remedy::default(),
    }
}

fn nothing_safe(findings: &[Finding], advice: String) -> Remedy {
    let unfixable = findings.iter().map(|finding| (finding.clone(), advice.clone())).collect();
    Remedy { unfixable, ..Remedy::default() }
}

/// One statement is taken out by its Sid; whatever else there is to do is one PutResourcePolicy, which is atomic: an
/// open grant is narrowed in place, so that a live trigger never loses its permission.
fn resource_policy(
    function: &FunctionArn,
    qualifier: &Option<Qualifier>,
    (facts, surface, content): (&Facts, &Surface, &Content),
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
    let otherwise = call.is_of_a_whole_policy().then(|| {
        let is_new = |edit: &Edit| match &baseline {
            Some(baseline) => !has_sid(baseline, edit),
            // What stood there before is not known then, but what the event has just added is.
            None => edit.sid.clone().is_some_and(|sid| facts.context.added.contains(&(surface.clone(), sid))),
        };
        statement_by_statement(function, qualifier, (surface, content), findings, &narrowed, is_new)
    });
    // Put back alone, a statement takes nothing with it that others have written since, and needs no whole policy.
    let removed = if let Call::RemovePermission { sid, .. } = &call { statement_of(document, sid) } else { None };
    let undo = removed.and_then(|statement| add_permission(function, qualifier, statement)).unwrap_or_else(|| {
        let (function, qualifier) = named();
        Call::PutResourcePolicy { function, qualifier, policy: document.clone() }
    });
    let after = narrowed.document.map_or(Content::ABSENT, Content::new);
    let plan = Plan::new(surface.clone(), content.clone()).then(call, undo, after);
    Remedy { plan: Some(plan), unfixable, otherwise }
}

/// What is left to do where Lambda takes no whole policy, because another statement of it lets the public in or because
/// the guard may not: what is at fault goes statement by statement.
///
/// A statement goes as a whole then, with what of it is right. That is done where it lets the public in, and where it
/// is no more than the change brought; an older one that a trigger may live by stays, and a person is told.
///
/// What puts it back has to do without a whole policy as well: AddPermission. A statement that this cannot make stays,
/// unless it is critical: then its record says that the undo is not sure.
fn statement_by_statement(
    function: &FunctionArn,
    qualifier: &Option<Qualifier>,
    (surface, content): (&Surface, &Content),
    findings: &[Finding],
    narrowed: &Narrowed,
    is_new: impl Fn(&Edit) -> bool,
) -> Otherwise {
    let mut otherwise = Otherwise::default();
    let mut plan = Plan::new(surface.clone(), content.clone());
    let (mut lost, mut unsure) = (Vec::new(), Vec::new());
    for edit in &narrowed.edits {
        let its: Vec<&Finding> = findings.iter().filter(|finding| finding.statement() == Some(edit.index)).collect();
        let critical = its.iter().any(|finding| finding.severity == Severity::Critical);
        let goes = edit.kind == EditKind::Removed || critical || is_new(edit);
        let sid = edit.sid.as_deref().filter(|sid| goes && is_statement_id(sid));
        let left = sid.and_then(|sid| {
            let policy = plan.after().document()?;
            let back = add_permission(function, qualifier, statement_of(policy, sid)?);
            (back.is_some() || critical).then_some(())?;
            Some((sid, back, without(policy, sid)?))
        });
        let Some((sid, back, after)) = left else {
            let advice = "AWS did not take the policy as a whole, as the failed record says; taking the statement out \
                          could cut what is right of it, so settle what the record says, then `warden apply`";
            otherwise.unfixable.extend(its.into_iter().map(|finding| (finding.clone(), advice.to_owned())));
            continue;
        };
        if edit.kind != EditKind::Removed {
            lost.push(sid.to_owned());
        }
        let named = || (function.clone(), qualifier.clone());
        let (whose, of) = named();
        let call = Call::RemovePermission { function: whose, qualifier: of, sid: sid.to_owned() };
        let back = back.unwrap_or_else(|| {
            unsure.push(sid.to_owned());
            let (function, qualifier) = named();
            let policy = plan.after().document().cloned().unwrap_or_default();
            Call::PutResourcePolicy { function, qualifier, policy }
        });
        plan = plan.then(call, back, after);
    }
    let mut notes = Vec::new();
    if !lost.is_empty() {
        notes.push(format!(
            "AWS did not take the policy in which {} was narrowed, as the failed record says; so it went as a whole: \
             add again by AddPermission what of it is needed",
            lost.join(", ")
        ));
    }
    if !unsure.is_empty() {
        notes.push(format!(
            "AddPermission cannot put {} back as it was, so an undo needs PutResourcePolicy, which AWS did not take here: \
             where AWS does not take it from the operator either, the undo fails, and what stood there stands in this \
             record",
            unsure.join(", ")
        ));
    }
    if !notes.is_empty() {
        plan = plan.noting(notes.join("\n"));
    }
    otherwise.plan = (!plan.changes().is_empty()).then_some(plan);
    otherwise
}

/// Whether the policy had a statement of that Sid when it was last compliant. One that cannot be read may have had it.
fn has_sid(baseline: &str, edit: &Edit) -> bool {
    let Ok(before) = serde_json::from_str::<Value>(baseline) else { return true };
    let statements = before.get("Statement").map(each).unwrap_or_default();
    statements.iter().any(|statement| statement.get("Sid").and_then(Value::as_str) == edit.sid.as_deref())
}

/// One statement may stand without a list.
fn each(statements: &Value) -> Vec<&Value> {
    statements.as_array().map_or_else(|| vec![statements], |statements| statements.iter().collect())
}

/// The statement of that Sid.
fn statement_of<'a>(policy: &'a Value, sid: &str) -> Option<&'a Value> {
    let has_it = |statement: &&Value| statement.get("Sid").and_then(Value::as_str) == Some(sid);
    each(policy.get("Statement")?).into_iter().find(has_it)
}

/// A policy without the statement of that Sid; `None` where it has none.
fn without(policy: &Value, sid: &str) -> Option<Content> {
    let is_it = |statement: &&Value| statement.get("Sid").and_then(Value::as_str) == Some(sid);
    let all = each(policy.get("Statement")?);
    let left: Vec<Value> = all.iter().copied().filter(|statement| !is_it(statement)).cloned().collect();
    if left.len() == all.len() {
        return None;
    }
    if left.is_empty() {
        return Some(Content::ABSENT);
    }
    let mut policy = policy.clone();
    *policy.get_mut("Statement")? = left.into();
    Some(Content::new(policy))
}

/// Whether RemovePermission takes the Sid as a StatementId; PutResourcePolicy may have brought others into the policy.
///
/// AWS: 1 to 100 of `[a-zA-Z0-9-_.]` (Lambda API reference, RemovePermission).
fn is_statement_id(sid: &str) -> bool {
    (1..=100).contains(&sid.len())
        && sid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_' || b == b'.')
}

/// The URL stays, since a deleted one never comes back with the same address; callers have to sign. From which web
/// origins they may call is for its owner to say.
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
    Remedy { plan: Some(plan), unfixable, ..Remedy::default() }
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
        let is_it = |statement: &Value| statement.get("Sid").and_then(Value::as_str) == Some(&sid);
        let statements = left.get("Statement").map(each).unwrap_or_default();
        let Some(statement) = statements.into_iter().find(|statement| is_it(statement)) else { continue };
        let Some(undo) = add_layer_permission(layer, statement) else {
            let advice = format!(
                "statement {sid} could not be put back as it is by AddLayerVersionPermission; remove it by hand"
            );
            let all = document.get("Statement").map(each).unwrap_or_default();
            let its = findings
                .iter()
                .filter(|finding| finding.statement().and_then(|index| all.get(index)).copied().is_some_and(is_it));
            unfixable.extend(its.map(|finding| (finding.clone(), advice.clone())));
            continue;
        };
        let Some(after) = without(&left, &sid) else { continue };
        left = after.document().cloned().unwrap_or_default();
        plan = plan.then(Call::RemoveLayerVersionPermission { layer: layer.clone(), sid }, undo, after);
    }
    let plan = (!plan.changes().is_empty()).then_some(plan);
    Remedy { plan, unfixable, ..Remedy::default() }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Context, judge::judge};
    use serde_json::json;
    use std::collections::{BTreeMap, BTreeSet};
    use warden_engine::{
        guard::{Scope, SurfaceSnapshot},
        name::lambda::Home,
    };

    fn settings() -> Settings {
        let account = "111122223333".parse().unwrap();
        let home = Home { partition: "aws".parse().unwrap(), region: "us-east-1".into(), account };
        Settings::read(home, |_| None).unwrap()
    }

    /// What is done about everything that is wrong with a surface.
    fn remedied(resource: &str, surface: &str, content: Value, baseline: Option<Value>, added: &[&str]) -> Remedy {
        let surface: Surface = surface.parse().unwrap();
        let added = added.iter().map(|sid| (surface.clone(), (*sid).to_owned())).collect();
        let snapshot = SurfaceSnapshot { content: Content::new(content), revision: None };
        let facts = Facts {
            scope: Scope::Tags(BTreeMap::new()),
            surfaces: BTreeMap::from([(surface.clone(), snapshot)]),
            context: Context { added, ..Context::default() },
        };
        let findings = judge(&facts, &surface, &settings()).findings;
        let baseline = baseline.map(Content::new);
        remedy(&resource.parse().unwrap(), &facts, &surface, &findings, baseline.as_ref(), &settings())
    }

    fn calls(plan: &Option<Plan>) -> Vec<String> {
        let changes = plan.iter().flat_map(Plan::changes);
        changes.map(|change| change.call().to_string()).collect()
    }

    const PAY: &str = "arn:aws:lambda:us-east-1:111122223333:function:pay";

    /// A trigger that is not tied to the account: narrowed in place where that can be done.
    fn trigger(sid: &str) -> Value {
        json!({"Sid": sid, "Effect": "Allow", "Principal": {"Service": "s3.amazonaws.com"},
            "Action": "lambda:InvokeFunction", "Resource": PAY,
            "Condition": {"ArnLike": {"AWS:SourceArn": format!("arn:aws:s3:::{sid}-*")}}})
    }

    #[test]
    fn a_trigger_that_may_have_been_there_before_is_not_cut_where_the_policy_cannot_be_replaced() {
        #[track_caller]
        fn check(baseline: Option<Value>, added: &[&str], removed: &[&str]) {
            let policy = json!({"Version": "2012-10-17", "Statement": [trigger("old"), trigger("new")]});
            let remedy = remedied(PAY, "resource-policy", policy, baseline, added);
            assert_eq!(calls(&remedy.plan), ["PutResourcePolicy(pay)"]);
            let otherwise = remedy.otherwise.unwrap();
            assert_eq!(calls(&otherwise.plan), removed);
            let left: BTreeSet<usize> =
                otherwise.unfixable.iter().filter_map(|(finding, _)| finding.statement()).collect();
            assert_eq!(left.len() + removed.len(), 2);
        }
        let policy = |statements: Value| Some(json!({"Version": "2012-10-17", "Statement": statements}));
        let tied = |sid: &str| {
            let mut trigger = trigger(sid);
            trigger["Condition"]["StringEquals"] = json!({"aws:SourceAccount": "111122223333"});
            trigger
        };
        let cut = ["RemovePermission(pay, Sid new)"];
        check(None, &[], &[]);
        check(None, &["new"], &cut);
        check(policy(json!([tied("old")])), &[], &cut);
        check(policy(tied("old")), &[], &cut);
        check(policy(json!([tied("old"), tied("new")])), &["new"], &[]);
    }

    #[test]
    fn one_statement_of_a_layer_may_stand_without_a_list() {
        let tools = "arn:aws:lambda:us-east-1:111122223333:layer:tools:7";
        let statement = json!({"Sid": "open", "Effect": "Allow", "Principal": "*",
            "Action": "lambda:GetLayerVersion", "Resource": tools});
        for statements in [statement.clone(), json!([statement])] {
            let policy = json!({"Version": "2012-10-17", "Statement": statements});
            let remedy = remedied(tools, "layer-policy/7", policy, None, &[]);
            assert_eq!(calls(&remedy.plan), ["RemoveLayerVersionPermission(tools:7, Sid open)"]);
            assert_eq!(remedy.plan.unwrap().after(), &Content::ABSENT);
        }
    }
}
