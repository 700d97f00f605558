//! `warden apply`: does what was withheld, after reading everything afresh.

use crate::{
    account::{self, Operator},
    audit::{self, lookup::IdPrefix, shown},
    consent::Consent,
    diff,
    exit::Exit,
    output::{self, printable},
};
use access_guard::AccessGuard;
use anyhow::Context;
use owo_colors::OwoColorize;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};
use warden_engine::{
    decide::{Decision, Hold, decide},
    guard::{Guard, Introduced, Look},
    ports::{Clock, Ledger},
    proof::strike_forged,
    reconcile,
    record::{Diff, Step},
    surface::{Subject, Surface},
    tags::Mode,
};

/// Do what was withheld: findings from before the opt-in, and what the breaker, the cap or a pause held back
///
/// Everything is read and judged afresh, so that what is done is what is right now. Not done, and said so: what an exemption, an
/// acceptance or the stack's parameter NeverTouch lets be, and what is not opted in to `enforce`.
#[derive(clap::Args)]
#[command(override_usage = "warden apply [OPTIONS] <ID>...\n       warden apply [OPTIONS] --function <FUNCTION>")]
pub(crate) struct Apply {
    /// Ids of `withheld` records, or so much of their beginnings as is unique
    #[arg(value_name = "ID", required_unless_present = "function", conflicts_with = "function")]
    ids: Vec<IdPrefix>,

    /// Everything on this function, by its name or ARN
    #[arg(long, value_name = "FUNCTION")]
    function: Option<String>,

    #[command(flatten)]
    consent: Consent,

    #[command(flatten)]
    account: account::Args,
}

impl Apply {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let caller = account::Caller::connect(&self.account).await?;
        let function = self.function.as_deref().map(|function| caller.function(function)).transpose()?;
        let operator = caller.operator().await?;
        let mut wanted: BTreeMap<Subject, Option<BTreeSet<Surface>>> = BTreeMap::new();
        wanted.extend(function.map(|function| (Subject::Function(function), None)));
        for id in &self.ids {
            let record = id.find(&operator.aws).await?.record;
            let (Step::Withheld | Step::Failed, Some(surface)) = (record.entry.step, record.entry.surface) else {
                let step = record.entry.step;
                anstream::eprintln!(
                    "{} record {} is `{step}`: only a `withheld` or `failed` one can be applied",
                    "refused:".yellow().bold(),
                    record.id
                );
                return Ok(Exit::Findings);
            };
            if let Some(surfaces) = wanted.entry(record.subject).or_insert_with(|| Some(BTreeSet::new())) {
                surfaces.extend(judged_together(surface));
            }
        }
        let guard = AccessGuard::new(&operator.aws, &operator.settings);
        let mut proposals = Vec::new();
        for (subject, surfaces) in wanted {
            proposals.push(Proposal::of(&operator, &guard, look(&operator, subject, surfaces)).await?);
        }
        let mut out = io::BufWriter::new(anstream::stdout());
        proposals
            .iter()
            .try_for_each(|proposal| proposal.write(&mut out))
            .and_then(|()| out.flush())
            .context("writing the plan")?;
        drop(out);
        let mut exit = if proposals.iter().all(Proposal::is_complete) { Exit::Fine } else { Exit::Findings };
        if !proposals.iter().any(Proposal::changes_something) {
            anstream::println!("There is nothing to change.");
            return Ok(exit);
        }
        if !self.consent.given("Apply?")? {
            return Ok(Exit::Findings);
        }
        for proposal in proposals.iter().filter(|proposal| proposal.changes_something()) {
            let report = reconcile(&guard, &operator.aws, &operator.settings, &proposal.look).await?;
            for record in &report.records {
                let surface = record.entry.surface.as_ref().map(ToString::to_string).unwrap_or_default();
                anstream::println!("{}  {} {} {surface}", record.id, audit::step(record), record.subject.name());
                if record.entry.step == Step::Failed {
                    anstream::eprintln!("  {}", printable(record.entry.note.as_deref().unwrap_or_default()));
                    exit = Exit::Findings;
                }
            }
        }
        Ok(exit)
    }
}

/// A policy and a URL of the same qualifier are judged together: either can open the other.
fn judged_together(surface: Surface) -> Vec<Surface> {
    match &surface {
        Surface::FunctionUrl(qualifier) => vec![Surface::ResourcePolicy(qualifier.clone()), surface],
        Surface::ResourcePolicy(Some(qualifier)) if qualifier.is_version() => vec![surface],
        Surface::ResourcePolicy(qualifier) => vec![Surface::FunctionUrl(qualifier.clone()), surface],
        Surface::LayerPolicy(_) | Surface::Environment(_) => vec![surface],
    }
}

fn look(operator: &Operator, subject: Subject, surfaces: Option<BTreeSet<Surface>>) -> Look {
    let introduced = vec![Introduced { surface: None, sid: None }];
    Look { subject, surfaces, introduced, by_operator: true, cause: operator.cause("warden apply") }
}

/// What would be done about one subject.
struct Proposal {
    look: Look,
    /// None where the subject is gone.
    decision: Option<Decision>,
    /// What is let be by acceptances, one line each.
    accepted: Vec<String>,
}

impl Proposal {
    /// Observes and decides as the guard would, and writes nothing.
    async fn of(operator: &Operator, guard: &AccessGuard<'_>, look: Look) -> anyhow::Result<Proposal> {
        let now = operator.aws.now();
        let Some(facts) = guard.observe(&look).await? else {
            return Ok(Proposal { look, decision: None, accepted: Vec::new() });
        };
        let mut history = operator.aws.history(&look.subject, now).await?;
        strike_forged(&operator.aws, &look.subject, &mut history, now).await?;
        // What was reported before is to be said here all the same.
        history.surfaces.values_mut().for_each(|state| state.reported.clear());
        let decision = decide(guard, &look, &facts, &history, &operator.settings, now);
        let mut accepted = Vec::new();
        for (surface, sighting) in &facts.surfaces {
            let acceptances =
                history.surfaces.get(surface).map(|state| state.acceptances.as_slice()).unwrap_or_default();
            for finding in guard.judge(&facts, surface, &operator.settings).findings {
                let key = sighting.content.finding_key(&finding);
                let by = acceptances.iter().find(|kept| kept.until > now && kept.covers(&key));
                accepted.extend(by.map(|by| {
                    format!("{} on {surface}: accepted by {} until {} UTC", finding.id, by.by, shown(by.until))
                }));
            }
        }
        Ok(Proposal { look, decision: Some(decision), accepted })
    }

    fn changes_something(&self) -> bool {
        self.decision.as_ref().is_some_and(|decision| !decision.remediations.is_empty() || decision.more)
    }

    /// Whether nothing that was asked for is left out.
    fn is_complete(&self) -> bool {
        match &self.decision {
            None => true,
            Some(decision) => {
                decision.mode == Mode::Enforce
                    && decision.hold.is_none()
                    && self.accepted.is_empty()
                    && !decision.drafts.iter().any(|draft| draft.step == Step::Withheld)
            }
        }
    }

    fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let name = self.look.subject.name();
        let Some(decision) = &self.decision else {
            return writeln!(out, "{} is gone.", name.bold());
        };
        match decision.mode {
            Mode::Off => writeln!(out, "{} is not opted in; see `warden opt-in`.", name.bold())?,
            Mode::Observe => {
                writeln!(out, "{} is opted in to observe: findings are recorded, nothing is changed.", name.bold())?
            }
            Mode::Enforce => writeln!(out, "{}", name.bold())?,
        }
        if let Some(hold) = &decision.hold {
            let (Hold::Lease(until) | Hold::Pause(until)) = hold;
            writeln!(out, "  another run works on it until {} UTC at most", shown(*until))?;
        }
        for remediation in &decision.remediations {
            let plan = &remediation.intent.plan;
            for finding in &remediation.intent.findings {
                let severity = output::severity(finding.severity);
                writeln!(
                    out,
                    "  {severity} {} on {}: {}",
                    finding.id.bold(),
                    plan.surface(),
                    printable(&finding.message)
                )?;
            }
            for change in &remediation.changes {
                writeln!(out, "  {} {}", "call".green(), printable(&change.call().to_string()))?;
            }
            let change = Diff { before: plan.before().clone(), after: plan.after().clone() };
            diff::write(out, &change, "now", "then")?;
        }
        for draft in decision.drafts.iter().filter(|draft| draft.step == Step::Withheld) {
            let surface = draft.surface.as_ref().map(ToString::to_string).unwrap_or_default();
            let why = draft.note.clone().or_else(|| draft.reason.as_ref().map(audit::reason)).unwrap_or_default();
            for finding in &draft.findings {
                writeln!(out, "  {} {} on {surface}: {}", "left".yellow(), finding.id, printable(&why))?;
            }
        }
        for line in &self.accepted {
            writeln!(out, "  {} {}", "left".yellow(), printable(line))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_is_applied_with_the_url_that_it_opens() {
        #[track_caller]
        fn check(surface: &str, expected: &[&str]) {
            let surfaces: BTreeSet<String> =
                judged_together(surface.parse().unwrap()).iter().map(ToString::to_string).collect();
            assert_eq!(surfaces, expected.iter().map(|text| (*text).to_owned()).collect());
        }
        check("resource-policy", &["resource-policy", "function-url"]);
        check("function-url:live", &["resource-policy:live", "function-url:live"]);
        // A version has no URL.
        check("resource-policy:3", &["resource-policy:3"]);
        check("layer-policy/1", &["layer-policy/1"]);
    }
}
