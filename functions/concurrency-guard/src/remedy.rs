//! The least change that bounds a function again.

use crate::{Facts, desired, judge};
use std::num::NonZeroU32;
use warden_engine::{
    Finding,
    guard::{Otherwise, Remedy},
    model::{
        concurrency::{count, recursion, reserved},
        content::Content,
        settings::Settings,
        surface::{Resource, Surface},
    },
    name::lambda::FunctionArn,
    plan::{Call, Plan, RecursiveLoop},
};

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
    let Resource::Function(function) = resource else { return Remedy::default() };
    if let Surface::Concurrency = surface {
        let Some(target) = target(facts, baseline, settings) else { return Remedy::default() };
        match why_not(facts, content, target, settings) {
            Some(why) => nothing_safe(findings, &why),
            None => reserve(function, content, target, findings),
        }
    } else if let Surface::Recursion = surface {
        terminate(function, content)
    } else {
        let advice = "what is provisioned is never changed: lower it, or the MaxCapacity of its scalable target, or \
                      raise the cap";
        nothing_safe(findings, advice)
    }
}

/// What is set, what the cap is and what would be done about it, for whoever opts the function in.
pub(crate) fn outlook(resource: &Resource, facts: &Facts, settings: &Settings) -> Option<String> {
    let Resource::Function(_) = resource else { return None };
    let content = &facts.surfaces.get(&Surface::Concurrency)?.content;
    let now = match count(content) {
        None => "no concurrency is reserved for it".to_owned(),
        Some(reserved) => format!("its reserved concurrency is {reserved}"),
    };
    let Some((cap, by)) = judge::cap(facts, settings) else {
        return Some(format!("{now}, and it has no cap: set one with the tag `warden:max-concurrency`"));
    };
    let wrong = !judge::judge(facts, &Surface::Concurrency, settings).findings.is_empty();
    let then = match wrong.then(|| why_not(facts, content, cap, settings)) {
        None => String::new(),
        Some(None) => format!("; it would be set to {cap}"),
        Some(Some(why)) => format!("; it would be left as it is, because {why}"),
    };
    Some(format!("{now}, and its cap is {cap}, by {by}{then}"))
}

/// What is to be reserved: see [`desired`]. What was there before counts as far as it broke no rule, and as it is not
/// less than what has been provisioned since, which Lambda would refuse.
fn target(facts: &Facts, baseline: Option<&Content>, settings: &Settings) -> Option<NonZeroU32> {
    let (cap, _) = judge::cap(facts, settings)?;
    let provisioned = facts.context.provisioned.unwrap_or(0);
    desired(Some(cap), None, baseline.and_then(count).filter(|earlier| *earlier >= provisioned))
}

fn nothing_safe(findings: &[Finding], advice: &str) -> Remedy {
    let unfixable = findings.iter().map(|finding| (finding.clone(), advice.to_owned())).collect();
    Remedy { unfixable, ..Remedy::default() }
}

/// Why so much cannot be reserved without harm to others, or is not taken by Lambda.
fn why_not(facts: &Facts, content: &Content, target: NonZeroU32, settings: &Settings) -> Option<String> {
    let target = target.get();
    if let Some(provisioned) = facts.context.provisioned.filter(|provisioned| *provisioned > target) {
        return Some(format!(
            "{provisioned} is provisioned for the function, and Lambda refuses to reserve less: lower what is provisioned to \
             {target}, or raise the cap"
        ));
    }
    // To reserve less than before takes nothing from anybody.
    let more = target.saturating_sub(count(content).unwrap_or(0));
    if more == 0 {
        return None;
    }
    let Some(account) = facts.context.account else {
        return Some(
            "how much concurrency the account has could not be read, so that nobody knows whom it would be taken from: \
             let the guard call lambda:GetAccountSettings"
                .into(),
        );
    };
    if judge::is_nothing_to_reserve(account.limit) {
        return Some(format!(
            "nothing of the account's {} concurrent executions can be reserved, as the record of the account says",
            account.limit
        ));
    }
    let reserved = account.limit.saturating_sub(account.unreserved);
    let percent = settings.concurrency_pool_share;
    let most = u64::from(account.limit) * u64::from(percent) / 100;
    if u64::from(reserved) + u64::from(more) > most {
        return Some(format!(
            "it would starve others: of the account's {} concurrent executions {reserved} are reserved, and with {more} more \
             that would be over {most}, the {percent} % of the stack's ConcurrencyPoolShare. Lower the cap, have the \
             account's quota (L-B99A9384) raised, or reserve it by hand",
            account.limit
        ));
    }
    let floor = facts.context.floor?;
    (account.unreserved.saturating_sub(more) < floor).then(|| {
        format!(
            "Lambda keeps {floor} concurrent executions for functions that reserve none, and of {} that no function has \
             reserved {more} would be taken. Lower the cap, or have the account's quota (L-B99A9384) raised",
            account.unreserved
        )
    })
}

fn reserve(function: &FunctionArn, content: &Content, target: NonZeroU32, findings: &[Finding]) -> Remedy {
    let put = |reserved| Call::PutFunctionConcurrency { function: function.clone(), reserved };
    let undo = match count(content) {
        Some(before) => put(before),
        None => Call::DeleteFunctionConcurrency { function: function.clone() },
    };
    let plan = Plan::new(Surface::Concurrency, content.clone());
    let plan = plan.then(put(target.get()), undo, reserved(Some(target.get())));
    // How much Lambda keeps unreserved is not said before it refuses.
    let advice = "AWS did not take it, as the failed record says: where too little would be left for functions that \
                  reserve none, lower the cap or have the account's quota (L-B99A9384) raised; where it is not allowed, \
                  allow it, then `warden apply`";
    let otherwise = Otherwise { plan: None, unfixable: nothing_safe(findings, advice).unfixable };
    Remedy { otherwise: Some(otherwise), ..plan.into() }
}

fn terminate(function: &FunctionArn, content: &Content) -> Remedy {
    let put = |recursive_loop| Call::PutFunctionRecursionConfig { function: function.clone(), recursive_loop };
    let after = recursion(Some(RecursiveLoop::Terminate.as_str()));
    let plan = Plan::new(Surface::Recursion, content.clone());
    plan.then(put(RecursiveLoop::Terminate), put(RecursiveLoop::Allow), after).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No reservation, 0 and more than 0 are three things.
    #[test]
    fn what_takes_a_reservation_back_makes_exactly_what_was_there() {
        let function: FunctionArn = "arn:aws:lambda:us-east-1:111122223333:function:pay".parse().unwrap();
        for (before, undo) in [
            (None, "DeleteFunctionConcurrency(pay)"),
            (Some(0), "PutFunctionConcurrency(pay, 0)"),
            (Some(50), "PutFunctionConcurrency(pay, 50)"),
        ] {
            let plan = reserve(&function, &reserved(before), NonZeroU32::MIN, &[]).plan.unwrap();
            let back = plan.reversed();
            assert_eq!(back.changes().iter().map(|change| change.call().to_string()).collect::<Vec<_>>(), [undo]);
            assert_eq!(back.after(), &reserved(before));
        }
    }
}
