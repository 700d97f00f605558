//! `warden audit show`: one record with everything that belongs to it.

use super::{lookup::IdPrefix, reason, shown, step};
use crate::{
    account, diff,
    exit::Exit,
    output::{self, Format, printable},
};
use anyhow::Context;
use owo_colors::OwoColorize;
use std::io::{self, Write};
use warden_aws::StoredRecord;
use warden_engine::ledger::record::{Record, Step};

/// Show one record: who did what, when and from where, what Warden did about it, and what takes that back
#[derive(clap::Args)]
pub(crate) struct Show {
    /// The record's id, or so much of its beginning as is unique within the last 90 days
    #[arg(value_name = "ID")]
    id: IdPrefix,

    #[command(flatten)]
    output: output::Args,

    #[command(flatten)]
    account: account::Args,
}

impl Show {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let operator = account::Caller::connect(&self.account).await?.operator().await?;
        let stored = self.id.find(&operator.aws).await?;
        let intact = stored.record.hash().is_ok_and(|hash| hash == stored.hash);
        // A page to read, also in a pager: it is not shown as JSON unless that was asked for.
        match self.output.given().unwrap_or(Format::Table) {
            Format::Json => {
                let mut out = io::BufWriter::new(io::stdout());
                serde_json::to_writer_pretty(&mut out, &output::shown(&stored.record)?)?;
                writeln!(out).and_then(|()| out.flush()).context("writing the record")?;
            }
            Format::Jsonl => {
                output::list(Format::Jsonl, &[&stored.record], |_, _| Ok(())).context("writing the record")?
            }
            Format::Table => {
                let chain = operator.aws.chain(&stored.record.resource).await;
                let related = chain.map(|(chain, _)| related(&stored.record, chain)).map_err(|error| error.to_string());
                page(&stored.record, &related, &mut io::BufWriter::new(anstream::stdout()))
                    .context("writing the record")?;
            }
        }
        if intact {
            return Ok(Exit::Fine);
        }
        output::warning("this record was changed after it was written");
        Ok(Exit::Findings)
    }
}

/// The other records of the same remediation, its undo included.
fn related(record: &Record, chain: Vec<StoredRecord>) -> Vec<Record> {
    let ours = |other: &Record| {
        let same = record.entry.remediation.is_some() && other.entry.remediation == record.entry.remediation;
        let undo = other.entry.undoes == Some(record.id) || record.entry.undoes == Some(other.id);
        other.id != record.id && (same || undo)
    };
    chain.into_iter().map(|stored| stored.record).filter(ours).collect()
}

fn page(record: &Record, related: &Result<Vec<Record>, String>, out: &mut dyn Write) -> io::Result<()> {
    let entry = &record.entry;
    let surface = entry.surface.as_ref().map(|surface| format!(" {}", output::surface(surface))).unwrap_or_default();
    writeln!(out, "{} {}{surface}", step(record), record.resource.name().bold())?;
    let mut lines: Vec<(&str, String)> = vec![
        ("Record", record.id.to_string()),
        ("Written", format!("{} UTC", shown(record.time))),
        ("Resource", record.resource.to_string()),
    ];
    let cause = &record.cause;
    let told = if cause.event_name.starts_with("warden ") {
        ""
    } else if cause.verified {
        " (verified: CloudTrail's own record says so)"
    } else {
        " (reported by event)"
    };
    let id = cause.principal_id.as_ref().map(|id| format!(" ({id})")).unwrap_or_default();
    lines.push(("Who", format!("{}{id}", cause.actor.as_deref().unwrap_or("unknown"))));
    let chosen = |text: &String| format!("{text} (chosen by the caller)");
    lines.extend(cause.session_name.as_ref().map(|name| ("Session", chosen(name))));
    lines.extend(cause.source_identity.as_ref().map(|identity| ("Identity", chosen(identity))));
    lines.push(("What", format!("{}{told}", cause.event_name)));
    lines.extend(cause.time.map(|time| ("When", format!("{} UTC", shown(time)))));
    lines.extend(cause.source_address.clone().map(|address| ("From", address)));
    lines.extend(cause.user_agent.clone().map(|agent| ("With", agent)));
    let place = cause.region.as_ref().map(|region| format!(" in {region}")).unwrap_or_default();
    lines.extend(cause.event_id.as_ref().map(|id| ("Event", format!("{id}{place}"))));
    lines.extend(entry.guard.map(|guard| ("Guard", guard.name().to_owned())));
    lines.extend(entry.mode.map(|mode| ("Mode", mode.to_string())));
    lines.extend(entry.owner.clone().map(|owner| ("Owner", owner)));
    lines.extend(entry.duration_ms.map(|ms| ("Took", format!("{ms} ms"))));
    lines.extend(entry.undoes.map(|id| ("Undoes", id.to_string())));
    lines.extend(entry.reason.as_ref().map(|why| ("Reason", reason(why))));
    for (name, text) in lines {
        writeln!(out, "  {:8} {}", name.dimmed(), printable(&text))?;
    }
    for line in entry.note.iter().flat_map(|note| note.lines()) {
        writeln!(out, "  {:8} {}", "Note".dimmed(), printable(line))?;
    }
    if !entry.findings.is_empty() {
        writeln!(out, "\n{}", "Findings".bold())?;
        for finding in &entry.findings {
            let (severity, at) = (output::severity(finding.severity), printable(&finding.at));
            writeln!(out, "  {severity} {} at {at}: {}", finding.id.bold(), printable(&finding.message))?;
        }
    }
    if let Some(found) = &entry.diff {
        writeln!(out, "\n{}", "Content".bold())?;
        let (before, after) = match entry.step {
            Step::Planned | Step::Failed => ("before", "planned"),
            Step::Observed | Step::Withheld | Step::Accepted | Step::Withdrawn => ("as it is, and was left", "after"),
            Step::Applied
            | Step::Undone
            | Step::Rotated
            | Step::OptedIn
            | Step::OptedOut
            | Step::Paused
            | Step::Resumed => ("before", "after"),
        };
        diff::write(out, found, before, after)?;
    }
    if !entry.changes.is_empty() {
        writeln!(out, "\n{}", if entry.step == Step::Planned { "Calls planned" } else { "Calls" }.bold())?;
        for change in &entry.changes {
            writeln!(out, "  {}", printable(&change.call().to_string()))?;
        }
        writeln!(out, "\n{}", "Undo".bold())?;
        for change in entry.changes.iter().rev() {
            writeln!(out, "  {}", printable(&change.undo().to_string()))?;
        }
        if entry.step == Step::Applied {
            writeln!(out, "  by: warden undo {}", record.id)?;
        }
    }
    match related {
        Ok(related) if related.is_empty() => {}
        Ok(related) => {
            writeln!(out, "\n{}", "Same remediation".bold())?;
            for other in related {
                writeln!(out, "  {}  {} UTC  {}", other.id, shown(other.time), step(other))?;
            }
        }
        Err(error) => writeln!(out, "\nThe other records of this resource could not be read: {}", printable(error))?,
    }
    out.flush()
}
