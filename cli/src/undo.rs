//! `warden undo`: takes one remediation back.

use crate::{
    account,
    audit::{self, lookup::IdPrefix, shown},
    consent::Consent,
    diff,
    exit::Exit,
    output::{self, printable},
    span,
};
use jiff::{SignedDuration, Timestamp};
use owo_colors::OwoColorize;
use std::io::{self, Write};
use warden_aws::Aws;
use warden_engine::{
    call_error::CallError,
    guard::Judgement,
    ledger::record::Record,
    model::{
        content::Diff,
        managed_instances::not_in_service,
        surface::{Resource, Surface},
    },
    run::undo::{Difference, Foreseen, Undo as Reversal, UndoRefusal},
    secret::environment::WHEN_IT_STARTS,
};
use warden_guards::guard;

/// Take a remediation back: restore exactly what was there before, and let the guards leave it alone for a time
///
/// Refused when somebody has changed the setting since: an undo would overwrite that. Refused as well when what would
/// come back is not what was taken away: a managed policy and a function's role come back by name, and may say something
/// else by now. What would really come back is shown, as it is judged today. The guards leave the restored content alone
/// until it changes or the time given is over; then they put it right again.
#[derive(clap::Args)]
pub(crate) struct Undo {
    /// The id of an `applied` or `rotated` record, or so much of its beginning as is unique
    #[arg(value_name = "ID")]
    id: IdPrefix,

    /// For how long the guards leave the restored content alone; 90 days at most
    #[arg(long, default_value = "7d", value_name = "TIME", value_parser = span::duration)]
    accept_for: SignedDuration,

    /// Bring back also what is not what was taken away: a policy that says something else by now, a role that may do
    /// something else
    #[arg(long)]
    although_changed: bool,

    #[command(flatten)]
    consent: Consent,

    #[command(flatten)]
    account: account::Args,
}

impl Undo {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let operator = account::Caller::connect(&self.account).await?.operator().await?;
        let stored = self.id.find(&operator.aws).await?;
        if !stored.record.hash().is_ok_and(|hash| hash == stored.hash) {
            return Ok(refuse(&format!(
                "record {} was changed after it was written, so what it says was there before is not trusted",
                stored.record.id
            )));
        }
        let mut reversal = Reversal {
            record: stored.record,
            accept_for: self.accept_for,
            by: operator.name.clone(),
            cause: operator.cause("warden undo"),
            findings: Vec::new(),
            although: None,
        };
        let foreseen = match reversal.foresee(&operator.aws).await {
            Ok(foreseen) => foreseen,
            Err(refusal) => return refused(refusal),
        };
        let judgement = match reversal.record.entry.guard.and_then(guard) {
            None => Judgement::default(),
            Some(guard) => {
                let at = (&reversal.record.resource, foreseen.plan.surface());
                let seen = guard.judged(&operator.aws, at, Some(foreseen.plan.after()), &operator.settings).await?;
                seen.map(|seen| seen.judgement).unwrap_or_default()
            }
        };
        reversal.findings.clone_from(&judgement.findings);
        let foreseen = reversal.weighed(foreseen);
        let plan = foreseen.plan.clone();
        let out_of_service = out_of_service(&operator.aws, &reversal.record.resource, plan.surface()).await?;
        let replaced = match reversal.replaced_since(&operator.aws, &plan).await {
            Ok(replaced) => Reversal::replaced_note(&replaced),
            Err(refusal) => return refused(refusal),
        };
        let until = Timestamp::now().saturating_add(self.accept_for).unwrap_or(Timestamp::MAX);
        output::plan(|out| announce(&reversal.record, &foreseen, &judgement, replaced.as_deref(), until, out))?;
        if !foreseen.differences.is_empty() {
            if !self.although_changed {
                let what: Vec<&str> = foreseen.differences.iter().map(|other| other.what.as_str()).collect();
                return Ok(refuse(&format!(
                    "what would come back is not what was taken away: {}. Say --although-changed to bring it back as \
                     it is shown above",
                    what.join("; ")
                )));
            }
            reversal.although = Some(foreseen.fingerprint());
        }
        let region = reversal.record.resource.region().unwrap_or(&operator.settings.home.region);
        if !self.consent.given(&operator.place([region]), "Take it back?")? {
            return Ok(Exit::Findings);
        }
        match reversal.carry_out(&operator.aws, &operator.settings).await {
            Ok(records) => {
                for record in &records {
                    output::done(format_args!("{}  {}", record.id, audit::step(record)));
                }
                // Only what had a finding is to be let be.
                let let_be = format!(" The guards leave it alone until {} UTC or until it changes.", shown(until));
                let then = if is_accepted(&reversal.record) { let_be } else { String::new() };
                output::done(format_args!("Restored.{then}"));
                if let Some(Surface::Secret(_)) = reversal.record.entry.surface {
                    output::done(WHEN_IT_STARTS);
                }
                if let Some(note) = out_of_service {
                    output::done(format_args!("{}", printable(&note)));
                }
                Ok(Exit::Fine)
            }
            Err(refusal) => refused(refusal),
        }
    }
}

/// Why what is restored will not run yet, where that is so.
async fn out_of_service(aws: &Aws, resource: &Resource, surface: &Surface) -> Result<Option<String>, CallError> {
    // Policies and URLs take effect where they are, and a secret is fetched when an environment starts.
    let what = if matches!(surface, Surface::Role(_)) {
        "role"
    } else if matches!(surface, Surface::Environment(_)) {
        "environment and the layers"
    } else {
        return Ok(None);
    };
    let Resource::Function(function) = resource else { return Ok(None) };
    let found = aws.function(function).await?;
    Ok(found.filter(|found| found.on_managed_instances).map(|_| not_in_service(function, what)))
}

fn announce(
    record: &Record,
    Foreseen { plan, behind: _, differences }: &Foreseen,
    judgement: &Judgement,
    replaced: Option<&str>,
    until: Timestamp,
    out: &mut dyn Write,
) -> io::Result<()> {
    let name = record.resource.name();
    writeln!(
        out,
        "{} {} {}, {} UTC",
        audit::step(record),
        name.bold(),
        output::surface(plan.surface()),
        shown(record.time)
    )?;
    for finding in &record.entry.findings {
        writeln!(out, "  {} at {}: {}", finding.id, printable(&finding.at), printable(&finding.message))?;
    }
    writeln!(out, "\n{}", "Undo".bold())?;
    for change in plan.changes() {
        writeln!(out, "  {}", printable(&change.call().to_string()))?;
    }
    if is_accepted(record) {
        writeln!(out, "  and leave that content alone until {} UTC", shown(until))?;
    }
    for line in replaced.unwrap_or_default().lines() {
        writeln!(out, "  {} {}", "but".bold(), printable(line))?;
    }
    writeln!(out)?;
    let change = Diff { before: plan.before().clone(), after: plan.after().clone() };
    diff::write(out, &change, "now", "restored")?;
    for finding in &judgement.findings {
        let severity = output::severity(finding.severity);
        let (at, message) = (printable(&finding.at), printable(&finding.message));
        writeln!(out, "{} {severity} {} at {at}: {message}", "comes back:".bold(), finding.id)?;
    }
    if let Some(why) = &judgement.unclear {
        writeln!(out, "{} {}", "not judged:".bold(), printable(why))?;
    }
    for Difference { what, then, now } in differences {
        writeln!(out, "\n{} {}", "NOT WHAT WAS TAKEN AWAY:".red().bold(), printable(what))?;
        // Where the record does not have it, what it says now is shown.
        let then = then.clone().unwrap_or_else(|| now.clone());
        diff::write(out, &Diff { before: then, after: now.clone() }, "then", "now")?;
    }
    Ok(())
}

/// Whether the guards are told to leave alone what comes back.
fn is_accepted(record: &Record) -> bool {
    !record.entry.findings.is_empty()
}

fn refuse(why: &str) -> Exit {
    output::refused(why);
    Exit::Findings
}

fn refused(refusal: UndoRefusal) -> anyhow::Result<Exit> {
    match refusal {
        UndoRefusal::Changed { surface: _, diff: ref found } => {
            let exit = refuse(&refusal.to_string());
            // For whoever reads it.
            let _ = diff::write(&mut anstream::stderr(), found, "what Warden left", "what is there now");
            Ok(exit)
        }
        UndoRefusal::NotApplied { .. }
        | UndoRefusal::Different { .. }
        | UndoRefusal::Gone(_)
        | UndoRefusal::AlreadyRestored(_)
        | UndoRefusal::Busy(_)
        | UndoRefusal::TooLong
        | UndoRefusal::Failed(_) => Ok(refuse(&refusal.to_string())),
        UndoRefusal::Call(_) | UndoRefusal::Unusable { .. } | UndoRefusal::Unwritable(_) => Err(refusal.into()),
    }
}
