//! What is wrong with a function's concurrency.

use crate::Facts;
use jiff::civil::Date;
use serde_json::Value;
use std::num::NonZeroU32;
use warden_engine::{
    Finding, FindingId, Severity,
    guard::Judgement,
    model::{
        concurrency::{LIMIT, PROVISIONED, RECURSIVE_LOOP, RESERVED, count},
        content::Content,
        settings::Settings,
        surface::Surface,
        tags::GuardKind,
    },
    plan::RecursiveLoop,
};

/// The least that Lambda is known to keep for functions that reserve none: where an account may run no more than that
/// at once, none of it can be reserved. New accounts begin with 10 ("Lambda quotas" in the developer guide: "New AWS
/// accounts have reduced concurrency and memory quotas").
const LEAST_UNRESERVED: u32 = 10;

/// Whether an account that may run so much at once has nothing to reserve.
pub(crate) fn is_nothing_to_reserve(limit: u32) -> bool {
    limit <= LEAST_UNRESERVED
}

/// The most that the function may reserve, and who says so; none where it has no cap.
pub(crate) fn cap(facts: &Facts, settings: &Settings) -> Option<(NonZeroU32, &'static str)> {
    // Which day it is counts for exemptions alone.
    let tagged = facts.scope.opt_in(GuardKind::Concurrency, Date::MIN).max_concurrency;
    let by_tag = tagged.map(|cap| (cap, "the tag `warden:max-concurrency`"));
    by_tag.or(settings.max_concurrency.map(|cap| (cap, "the stack's MaxConcurrency")))
}

/// Judges one surface.
pub(crate) fn judge(facts: &Facts, surface: &Surface, settings: &Settings) -> Judgement {
    let Some(content) = facts.surfaces.get(surface).map(|snapshot| &snapshot.content) else {
        return Judgement::default();
    };
    if let Surface::Concurrency = surface {
        reserved(content, facts, settings)
    } else if let Surface::ProvisionedConcurrency(_) = surface {
        provisioned(content, facts, settings)
    } else if let Surface::Recursion = surface {
        recursion(content)
    } else {
        Judgement::default()
    }
}

fn found(id: FindingId, severity: Severity, at: &str, message: String) -> Judgement {
    Judgement { findings: vec![Finding { id, severity, at: at.into(), message }], unclear: None }
}

fn unclear(why: String) -> Judgement {
    Judgement { findings: Vec::new(), unclear: Some(why) }
}

fn reserved(content: &Content, facts: &Facts, settings: &Settings) -> Judgement {
    if let Some(limit) = content.document().and_then(|account| account.get(LIMIT)?.as_u64()) {
        return of_account(limit);
    }
    let Some((cap, by)) = cap(facts, settings) else { return Judgement::default() };
    if facts.context.on_managed_instances {
        return unclear(format!(
            "the function runs on Lambda Managed Instances, which take no reserved concurrency: the cap of {cap} by {by} \
             cannot be set; bound it by MaxExecutionEnvironments of its scaling configuration"
        ));
    }
    match (content.is_absent(), count(content)) {
        (true, _) => {
            let message = format!("no concurrency is reserved, and so nothing bounds it; the cap is {cap}, by {by}");
            found(FindingId::UnboundedConcurrency, Severity::High, RESERVED, message)
        }
        (false, Some(0)) => unclear(
            "reserved concurrency is 0: somebody has stopped the function by hand, and to let it run again is for them"
                .into(),
        ),
        (false, Some(reserved)) if reserved > cap.get() => {
            let message = format!("{reserved} is reserved; the cap is {cap}, by {by}");
            found(FindingId::ConcurrencyAboveCap, Severity::High, RESERVED, message)
        }
        (false, Some(_)) => Judgement::default(),
        (false, None) => unclear("reserved concurrency is not a number".into()),
    }
}

/// Said once of the account: the same of every function would be noise.
fn of_account(limit: u64) -> Judgement {
    if !u32::try_from(limit).is_ok_and(is_nothing_to_reserve) {
        return Judgement::default();
    }
    unclear(format!(
        "the account may run {limit} environments at once here, and Lambda keeps as many for functions that reserve none: \
         no cap can be set for any function. Have the quota \"Concurrent executions\" of Lambda (L-B99A9384) raised in \
         Service Quotas"
    ))
}

fn provisioned(content: &Content, facts: &Facts, settings: &Settings) -> Judgement {
    let (Some((cap, by)), Some(own)) = (cap(facts, settings), count(content)) else { return Judgement::default() };
    let all = facts.context.provisioned.unwrap_or(own).max(own);
    if own == 0 || all <= cap.get() {
        return Judgement::default();
    }
    let message = format!("{own} is provisioned here, {all} with all versions and aliases; the cap is {cap}, by {by}");
    found(FindingId::ProvisionedAboveCap, Severity::Medium, PROVISIONED, message)
}

fn recursion(content: &Content) -> Judgement {
    match content.document().and_then(|config| config.get(RECURSIVE_LOOP)).and_then(Value::as_str) {
        None => Judgement::default(),
        Some(setting) if setting == RecursiveLoop::Terminate.as_str() => Judgement::default(),
        Some(setting) if setting == RecursiveLoop::Allow.as_str() => {
            let message = "Lambda lets the function invoke itself again and again".into();
            found(FindingId::RecursionAllowed, Severity::High, RECURSIVE_LOOP, message)
        }
        Some(_) => unclear("RecursiveLoop is neither Allow nor Terminate".into()),
    }
}
