//! `warden apply`: does what was withheld, after reading everything afresh.

use crate::{
    account::{self, Operator},
    audit::{self, lookup::IdPrefix, shown},
    consent::Consent,
    diff,
    exit::Exit,
    output::{self, printable},
    tags,
};
use anyhow::{Context, anyhow};
use owo_colors::OwoColorize;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};
use warden_engine::{
    decide::Decision,
    guard::{Introduced, ReconcileRequest},
    ledger::record::Step,
    model::{
        content::Diff,
        surface::{Resource, Surface},
        tags::{GuardKind, Mode},
    },
    name::iam::RoleArn,
};
use warden_guards::{AnyGuard, Proposal, guard};

/// Do what was withheld: findings from before the opt-in, and what the breaker, the cap or a pause held back
///
/// Everything is read and judged afresh, so that what is done is what is right now. Not done, and said so: what an
/// exemption, an acceptance or the stack's parameter NeverTouch lets be, and what is not opted in to `enforce`.
#[derive(clap::Args)]
#[command(
    override_usage = "warden apply [OPTIONS] <ID>...\n       warden apply [OPTIONS] --function <FUNCTION>\n       \
                      warden apply [OPTIONS] --role <ROLE>"
)]
pub(crate) struct Apply {
    /// Ids of `withheld` records, or so much of their beginnings as is unique
    #[arg(value_name = "ID", required_unless_present_any = ["function", "role"],
        conflicts_with_all = ["function", "role"])]
    ids: Vec<IdPrefix>,

    /// Everything on this function, by its name or ARN
    #[arg(long, value_name = "FUNCTION")]
    function: Option<String>,

    /// Everything on this role, by its name
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,

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
        let mut wanted: BTreeMap<(Resource, GuardKind), Option<BTreeSet<Surface>>> = BTreeMap::new();
        if let Some(function) = &function {
            for guard in operator.guards(&caller).await? {
                wanted.insert((Resource::Function(function.clone()), guard.kind()), None);
            }
        }
        if let Some(role) = &self.role {
            wanted.insert((Resource::Role(RoleArn::named(role, &caller.home)?), GuardKind::Role), None);
        }
        for id in &self.ids {
            let record = id.find(&operator.aws).await?.record;
            let (Step::Withheld | Step::Failed, Some(kind), Some(surface)) =
                (record.entry.step, record.entry.guard, record.entry.surface)
            else {
                let step = record.entry.step;
                output::refused(&format!(
                    "record {} is `{step}`: only a `withheld` or `failed` one can be applied",
                    record.id
                ));
                return Ok(Exit::Findings);
            };
            let together = named(kind)?.together(&surface);
            let surfaces = wanted.entry((record.resource, kind)).or_insert_with(|| Some(BTreeSet::new()));
            match (surfaces.as_mut(), together) {
                (Some(surfaces), Some(together)) => surfaces.extend(together),
                (Some(_) | None, _) => *surfaces = None,
            }
        }
        let mut proposals = Vec::new();
        for ((resource, kind), surfaces) in wanted {
            let request = request(&operator, resource, surfaces);
            proposals.push(Proposed::of(&operator, named(kind)?, request).await?);
        }
        if self.ids.is_empty()
            && let Some(Proposed { request, proposal: None, .. }) = proposals.first()
        {
            let no_role = || anyhow!("there is no role `{}`", request.resource.name());
            return Err(function.as_ref().map_or_else(no_role, tags::no_function));
        }
        let resources: Vec<&[Proposed]> =
            proposals.chunk_by(|one, next| one.request.resource == next.request.resource).collect();
        output::plan(|out| resources.iter().try_for_each(|proposals| write(proposals, out)))?;
        let mut exit =
            if resources.iter().all(|proposals| is_complete(proposals)) { Exit::Fine } else { Exit::Findings };
        let changing: Vec<&Proposed> = proposals.iter().filter(|proposal| proposal.changes_something()).collect();
        if changing.is_empty() {
            output::done("There is nothing to change.");
            return Ok(exit);
        }
        let home = &operator.settings.home.region;
        let regions = changing.iter().map(|proposal| proposal.request.resource.region().unwrap_or(home));
        if !self.consent.given(&operator.place(regions), "Apply?")? {
            return Ok(Exit::Findings);
        }
        for proposal in changing {
            let report = proposal.guard.reconcile(&operator.aws, &proposal.request, &operator.settings).await?;
            for record in &report.records {
                let surface = record.entry.surface.as_ref().map(output::surface).unwrap_or_default();
                output::done(format_args!(
                    "{}  {} {} {surface}",
                    record.id,
                    audit::step(record),
                    record.resource.name()
                ));
                if record.entry.step == Step::Failed {
                    output::note(format_args!("  {}", printable(record.entry.note.as_deref().unwrap_or_default())));
                    exit = Exit::Findings;
                }
            }
        }
        Ok(exit)
    }
}

/// The guard of a record.
fn named(kind: GuardKind) -> anyhow::Result<&'static dyn AnyGuard> {
    guard(kind).with_context(|| format!("this release has no {kind} guard"))
}

fn request(operator: &Operator, resource: Resource, surfaces: Option<BTreeSet<Surface>>) -> ReconcileRequest {
    let introduced = vec![Introduced { surface: None, sid: None }];
    ReconcileRequest {
        surfaces,
        introduced,
        by_operator: true,
        ..ReconcileRequest::at(resource, operator.cause("warden apply"))
    }
}

/// What would be done about one resource.
struct Proposed {
    guard: &'static dyn AnyGuard,
    request: ReconcileRequest,
    /// None where the resource is gone.
    proposal: Option<Proposal>,
}

impl Proposed {
    async fn of(
        operator: &Operator,
        guard: &'static dyn AnyGuard,
        request: ReconcileRequest,
    ) -> anyhow::Result<Proposed> {
        let proposal = guard.propose(&operator.aws, &request, &operator.settings).await?;
        Ok(Proposed { guard, request, proposal })
    }

    fn decision(&self) -> Option<&Decision> {
        self.proposal.as_ref().map(|proposal| &proposal.decision)
    }

    fn changes_something(&self) -> bool {
        self.decision().is_some_and(|decision| !decision.remediations.is_empty() || decision.more)
    }

    /// Whether nothing that this guard is to do is left out.
    fn is_complete(&self) -> bool {
        self.proposal.as_ref().is_some_and(|Proposal { decision, accepted }| {
            decision.mode == Mode::Enforce
                && decision.waits.is_empty()
                && accepted.is_empty()
                && !decision.drafts.iter().any(|draft| draft.step == Step::Withheld)
        })
    }

    fn is_off(&self) -> bool {
        self.decision().is_some_and(|decision| decision.mode == Mode::Off)
    }

    fn write(&self, Proposal { decision, accepted }: &Proposal, out: &mut dyn Write) -> io::Result<()> {
        let guard = self.guard.kind().name();
        match decision.mode {
            Mode::Off => writeln!(out, "  {guard}: not opted in; see `warden opt-in`")?,
            Mode::Observe => {
                writeln!(out, "  {guard}: opted in to observe: findings are recorded, nothing is changed")?
            }
            Mode::Enforce => writeln!(out, "  {guard}: {}", decision.mode)?,
        }
        for (surface, wait) in &decision.waits {
            let (what, until) = (wait.reason.text(), shown(wait.until));
            writeln!(out, "  {surface}: {what}; looked at again at {until} UTC")?;
        }
        for remediation in &decision.remediations {
            let plan = &remediation.intent.plan;
            for finding in &remediation.intent.findings {
                let severity = output::severity(finding.severity);
                writeln!(
                    out,
                    "  {severity} {} on {}: {}",
                    finding.id.bold(),
                    output::surface(plan.surface()),
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
            let surface = draft.surface.as_ref().map(output::surface).unwrap_or_default();
            let why = draft.note.clone().or_else(|| draft.reason.as_ref().map(audit::reason)).unwrap_or_default();
            for finding in &draft.findings {
                writeln!(out, "  {} {} on {surface}: {}", "left".yellow(), finding.id, printable(&why))?;
            }
        }
        for (finding, surface, by) in accepted {
            let line = format!("{finding} on {surface}: accepted by {} {}", by.by, by.how_long());
            writeln!(out, "  {} {}", "left".yellow(), printable(&line))?;
        }
        Ok(())
    }
}

/// Whether nothing that was asked for of one resource is left out. A guard that is off for it was not asked, where
/// another is on.
fn is_complete(proposals: &[Proposed]) -> bool {
    let mut on = proposals.iter().filter(|proposal| !proposal.is_off()).peekable();
    on.peek().is_some() && on.all(Proposed::is_complete)
}

/// What would be done about one resource, by each guard that has something to say.
fn write(proposals: &[Proposed], out: &mut dyn Write) -> io::Result<()> {
    let Some(first) = proposals.first() else { return Ok(()) };
    let name = first.request.resource.name();
    if proposals.iter().all(|proposal| proposal.proposal.is_none()) {
        return writeln!(out, "{} is gone.", name.bold());
    }
    if proposals.iter().all(Proposed::is_off) {
        return writeln!(out, "{} is not opted in; see `warden opt-in`.", name.bold());
    }
    writeln!(out, "{}", name.bold())?;
    for proposal in proposals {
        if let Some(shown) = &proposal.proposal {
            proposal.write(shown, out)?;
        }
    }
    Ok(())
}
