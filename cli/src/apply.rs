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
use access_guard::AccessGuard;
use anyhow::{anyhow, bail};
use owo_colors::OwoColorize;
use role_guard::RoleGuard;
use secret_guard::SecretGuard;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};
use warden_aws::Aws;
use warden_engine::{
    Report,
    decide::{Decision, Hold, decide},
    guard::{Fetch, Guard, Introduced, ReconcileRequest},
    ledger::record::Step,
    model::{
        content::Diff,
        surface::{Resource, Surface},
        tags::{GuardKind, Mode},
    },
    name::iam::RoleArn,
    ports::{Clock, Ledger},
    reconcile,
    run::proof::strike_forged,
};

/// Do what was withheld: findings from before the opt-in, and what the breaker, the cap or a pause held back
///
/// Everything is read and judged afresh, so that what is done is what is right now. Not done, and said so: what an exemption, an
/// acceptance or the stack's parameter NeverTouch lets be, and what is not opted in to `enforce`.
#[derive(clap::Args)]
#[command(
    override_usage = "warden apply [OPTIONS] <ID>...\n       warden apply [OPTIONS] --function <FUNCTION>\n       warden apply [OPTIONS] --role <ROLE>"
)]
pub(crate) struct Apply {
    /// Ids of `withheld` records, or so much of their beginnings as is unique
    #[arg(value_name = "ID", required_unless_present_any = ["function", "role"], conflicts_with_all = ["function", "role"])]
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
            for kind in GUARDS {
                if kind != GuardKind::Secrets || operator.has_guard(kind, &caller).await? {
                    wanted.insert((Resource::Function(function.clone()), kind), None);
                }
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
            let together = match kind {
                GuardKind::Role => RoleGuard.together(&surface),
                GuardKind::Secrets => SecretGuard.together(&surface),
                GuardKind::Access | GuardKind::Concurrency => AccessGuard.together(&surface),
            };
            let surfaces = wanted.entry((record.resource, kind)).or_insert_with(|| Some(BTreeSet::new()));
            match (surfaces.as_mut(), together) {
                (Some(surfaces), Some(together)) => surfaces.extend(together),
                (Some(_) | None, _) => *surfaces = None,
            }
        }
        let mut proposals = Vec::new();
        for ((resource, kind), surfaces) in wanted {
            let request = request(&operator, resource, surfaces);
            proposals.push(match kind {
                GuardKind::Role => Proposal::of(&operator, &RoleGuard, request).await?,
                GuardKind::Access => Proposal::of(&operator, &AccessGuard, request).await?,
                GuardKind::Secrets => Proposal::of(&operator, &SecretGuard, request).await?,
                GuardKind::Concurrency => bail!("this release has no {kind} guard"),
            });
        }
        if self.ids.is_empty()
            && let Some(Proposal { request, decision: None, .. }) = proposals.first()
        {
            let no_role = || anyhow!("there is no role `{}`", request.resource.name());
            return Err(function.as_ref().map_or_else(no_role, tags::no_function));
        }
        let resources: Vec<&[Proposal]> =
            proposals.chunk_by(|one, next| one.request.resource == next.request.resource).collect();
        output::plan(|out| resources.iter().try_for_each(|proposals| write(proposals, out)))?;
        let mut exit =
            if resources.iter().all(|proposals| is_complete(proposals)) { Exit::Fine } else { Exit::Findings };
        let changing: Vec<&Proposal> = proposals.iter().filter(|proposal| proposal.changes_something()).collect();
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
            let report = proposal.carry_out(&operator).await?;
            for record in &report.records {
                let surface = record.entry.surface.as_ref().map(ToString::to_string).unwrap_or_default();
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

/// The guards that there are.
pub(crate) const GUARDS: [GuardKind; 3] = [GuardKind::Role, GuardKind::Access, GuardKind::Secrets];

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
struct Proposal {
    /// Whose it is.
    kind: GuardKind,
    request: ReconcileRequest,
    /// None where the resource is gone.
    decision: Option<Decision>,
    /// What is let be by acceptances, one line each.
    accepted: Vec<String>,
}

impl Proposal {
    /// Observes and decides as the guard would, and writes nothing.
    async fn of<G: Guard>(operator: &Operator, guard: &G, request: ReconcileRequest) -> anyhow::Result<Proposal>
    where
        Aws: Fetch<G>,
    {
        let now = operator.aws.now();
        let Some(mut facts) = operator.aws.fetch(guard, &request, &operator.settings).await? else {
            return Ok(Proposal { kind: G::KIND, request, decision: None, accepted: Vec::new() });
        };
        let mut history = operator.aws.history(&request.resource, now).await?;
        strike_forged(&operator.aws, &request.resource, &mut history, now).await?;
        operator.aws.fetch_more(guard, &request, &mut facts, &history, &operator.settings).await?;
        guard.add_history(&request, &mut facts, &history);
        // What was reported before is to be said here all the same.
        history.surfaces.values_mut().for_each(|state| state.reported.clear());
        let decision = decide(guard, &request, &facts, &history, &operator.settings, now);
        let mut accepted = Vec::new();
        for (surface, snapshot) in &facts.surfaces {
            let acceptances =
                history.surfaces.get(surface).map(|state| state.acceptances.as_slice()).unwrap_or_default();
            for finding in guard.judge(&facts, surface, &operator.settings).findings {
                let key = snapshot.content.finding_key(&finding);
                let by = acceptances.iter().find(|kept| kept.until > now && kept.covers(&key));
                accepted.extend(by.map(|by| {
                    format!("{} on {surface}: accepted by {} until {} UTC", finding.id, by.by, shown(by.until))
                }));
            }
        }
        Ok(Proposal { kind: G::KIND, request, decision: Some(decision), accepted })
    }

    async fn carry_out(&self, operator: &Operator) -> anyhow::Result<Report> {
        let Operator { aws, settings, .. } = operator;
        Ok(match self.kind {
            GuardKind::Role => reconcile(&RoleGuard, aws, settings, &self.request).await?,
            GuardKind::Access => reconcile(&AccessGuard, aws, settings, &self.request).await?,
            GuardKind::Secrets => reconcile(&SecretGuard, aws, settings, &self.request).await?,
            GuardKind::Concurrency => bail!("this release has no {} guard", self.kind),
        })
    }

    fn changes_something(&self) -> bool {
        self.decision.as_ref().is_some_and(|decision| !decision.remediations.is_empty() || decision.more)
    }

    /// Whether nothing that this guard is to do is left out.
    fn is_complete(&self) -> bool {
        self.decision.as_ref().is_some_and(|decision| {
            decision.mode == Mode::Enforce
                && decision.hold.is_none()
                && self.accepted.is_empty()
                && !decision.drafts.iter().any(|draft| draft.step == Step::Withheld)
        })
    }

    fn is_off(&self) -> bool {
        self.decision.as_ref().is_some_and(|decision| decision.mode == Mode::Off)
    }

    fn write(&self, decision: &Decision, out: &mut dyn Write) -> io::Result<()> {
        let guard = self.kind.name();
        match decision.mode {
            Mode::Off => writeln!(out, "  {guard}: not opted in; see `warden opt-in`")?,
            Mode::Observe => {
                writeln!(out, "  {guard}: opted in to observe: findings are recorded, nothing is changed")?
            }
            Mode::Enforce => writeln!(out, "  {guard}: {}", decision.mode)?,
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

/// Whether nothing that was asked for of one resource is left out. A guard that is off for it was not asked, where another is on.
fn is_complete(proposals: &[Proposal]) -> bool {
    let mut on = proposals.iter().filter(|proposal| !proposal.is_off()).peekable();
    on.peek().is_some() && on.all(Proposal::is_complete)
}

/// What would be done about one resource, by each guard that has something to say.
fn write(proposals: &[Proposal], out: &mut dyn Write) -> io::Result<()> {
    let Some(first) = proposals.first() else { return Ok(()) };
    let name = first.request.resource.name();
    if proposals.iter().all(|proposal| proposal.decision.is_none()) {
        return writeln!(out, "{} is gone.", name.bold());
    }
    if proposals.iter().all(Proposal::is_off) {
        return writeln!(out, "{} is not opted in; see `warden opt-in`.", name.bold());
    }
    writeln!(out, "{}", name.bold())?;
    for proposal in proposals {
        if let Some(decision) = &proposal.decision {
            proposal.write(decision, out)?;
        }
    }
    Ok(())
}
