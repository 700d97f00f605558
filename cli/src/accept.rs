//! `warden accept`: lets be what a guard reports, for good or until a day; takes that back; lists what is let be.

use crate::{
    account::{self, Operator},
    audit::{self, lookup::IdPrefix, shown},
    consent::Consent,
    diff,
    exit::Exit,
    explain,
    output::{self, printable},
    pause, span,
};
use anyhow::{Context, bail};
use jiff::{Timestamp, ToSpan, civil::Date, tz::TimeZone};
use owo_colors::OwoColorize;
use serde::Serialize;
use std::io::{self, Write};
use warden_aws::StoredRecord;
use warden_engine::{
    Finding, FindingId,
    ledger::{
        record::{Record, Step},
        state::Acceptance,
    },
    model::{
        content::Diff,
        surface::{Resource, Surface},
    },
    ports::Ledger,
    run::{
        accept::{Accept as Decision, AcceptRefusal, Withdraw},
        proof::strike_forged,
    },
};
use warden_guards::{Seen, guard};

/// Let findings be that a guard reports, until they change: a legitimate newcomer in a trust policy, for example
///
/// What is accepted is what is there now, word for word, and no worse than it is judged now. Whatever changes in it, or
/// makes it worse, is found again. The decision is signed as the operator's, and recorded with the reason.
///
/// What a guard has taken out already is brought back by `warden undo`; then it can be accepted for good.
#[derive(clap::Args)]
#[command(override_usage = "warden accept [OPTIONS] <ID>\n       warden accept [OPTIONS] --withdraw <ID>\n       \
                      warden accept --list")]
pub(crate) struct Accept {
    /// The id of a record about the findings, or so much of its beginning as is unique
    #[arg(value_name = "ID", required_unless_present_any = ["withdraw", "list"])]
    id: Option<IdPrefix>,

    /// Only this finding of them
    #[arg(long, value_name = "FINDING", value_parser = explain::finding_ids(), hide_possible_values = true,
        conflicts_with_all = ["withdraw", "list"])]
    finding: Option<FindingId>,

    /// The last day, UTC; without it, until it changes
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = span::date, conflicts_with_all = ["withdraw", "list"])]
    until: Option<Date>,

    /// Why, for the record
    #[arg(long, value_name = "TEXT", value_parser = pause::reason, conflicts_with = "list")]
    reason: Option<String>,

    /// Take back what this `accepted` record says
    #[arg(long, value_name = "ID", conflicts_with_all = ["id", "list"])]
    withdraw: Option<IdPrefix>,

    /// List what is accepted now
    #[arg(long, conflicts_with = "id")]
    list: bool,

    #[command(flatten)]
    output: output::Args,

    #[command(flatten)]
    consent: Consent,

    #[command(flatten)]
    account: account::Args,
}

impl Accept {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let until = self.until.map(end_of).transpose()?;
        let operator = account::Caller::connect(&self.account).await?.operator().await?;
        match (&self.id, &self.withdraw) {
            (Some(id), _) => self.accept(&operator, id, until).await,
            (None, Some(id)) => self.withdraw(&operator, id).await,
            (None, None) => list(&operator, self.output.format()).await,
        }
    }

    async fn accept(&self, operator: &Operator, id: &IdPrefix, until: Option<Timestamp>) -> anyhow::Result<Exit> {
        let Some(Record { id, resource, entry, .. }) = sound(id.find(&operator.aws).await?) else {
            return Ok(Exit::Findings);
        };
        let (Some(kind), Some(surface)) = (entry.guard, entry.surface.clone()) else {
            output::refused(&format!("record {id} is about no finding"));
            return Ok(Exit::Findings);
        };
        let guard = guard(kind).with_context(|| format!("this release has no {kind} guard"))?;
        let Some(Seen { content, judgement, behind }) =
            guard.judged(&operator.aws, (&resource, &surface), None, &operator.settings).await?
        else {
            output::refused(&format!("{} is gone, or not opted in", resource.name()));
            return Ok(Exit::Findings);
        };
        // What the record is about, where it is still there; what else is wrong in the same place comes with it.
        let named = |finding: &Finding| {
            let key = content.finding_key(finding);
            let recorded = entry.diff.as_ref().is_none_or(|diff| {
                let of = |known: &Finding| [&diff.before, &diff.after].map(|content| content.finding_key(known));
                entry.findings.iter().flat_map(of).any(|known| known.fragment == key.fragment)
            });
            recorded && self.finding.is_none_or(|wanted| wanted == finding.id)
        };
        let findings: Vec<Finding> = judgement.findings.iter().filter(|finding| named(finding)).cloned().collect();
        if findings.is_empty() {
            let back = if entry.step == Step::Applied {
                format!("; `warden undo {id}` brings it back, and then it can be accepted")
            } else {
                String::new()
            };
            output::refused(&format!("what record {id} is about is not there any more{back}"));
            return Ok(Exit::Findings);
        }
        let accept = Decision {
            resource,
            surface,
            guard: kind,
            owner: entry.owner,
            content,
            behind,
            findings,
            until,
            by: operator.name.clone(),
            reason: self.reason.clone(),
            cause: operator.cause("warden accept"),
        };
        output::plan(|out| announce(&accept, out))?;
        if !self.given(operator, &accept.resource, "Accept it?")? {
            return Ok(Exit::Findings);
        }
        done(accept.carry_out(&operator.aws).await, "The guards leave it alone until it changes or gets worse.")
    }

    async fn withdraw(&self, operator: &Operator, id: &IdPrefix) -> anyhow::Result<Exit> {
        let Some(record) = sound(id.find(&operator.aws).await?) else { return Ok(Exit::Findings) };
        output::plan(|out| {
            let surface = record.entry.surface.as_ref().map(output::surface).unwrap_or_default();
            writeln!(out, "{} {} {surface}", audit::step(&record), record.resource.name().bold())?;
            named(&record.entry.findings, out)?;
            writeln!(out, "  {}", printable(record.entry.note.as_deref().unwrap_or_default()))?;
            writeln!(out, "The guards act on it again from the next event on; `warden apply` acts on it at once.")
        })?;
        if !self.given(operator, &record.resource, "Take it back?")? {
            return Ok(Exit::Findings);
        }
        let (by, reason, cause) = (operator.name.clone(), self.reason.clone(), operator.cause("warden accept"));
        done(Withdraw { record, by, reason, cause }.carry_out(&operator.aws).await, "It is accepted no more.")
    }

    fn given(&self, operator: &Operator, resource: &Resource, question: &str) -> anyhow::Result<bool> {
        let region = resource.region().unwrap_or(&operator.settings.home.region);
        self.consent.given(&operator.place([region]), question)
    }
}

/// The end of a day, UTC.
fn end_of(day: Date) -> anyhow::Result<Timestamp> {
    let end = day.checked_add(1.day())?.to_zoned(TimeZone::UTC)?.timestamp();
    if end <= Timestamp::now() {
        bail!("{day}: this day is past");
    }
    Ok(end)
}

/// The record, if it is the one that was written.
fn sound(stored: StoredRecord) -> Option<Record> {
    if stored.record.hash().is_ok_and(|hash| hash == stored.hash) {
        return Some(stored.record);
    }
    output::refused(&format!(
        "record {} was changed after it was written, so nothing is decided on it",
        stored.record.id
    ));
    None
}

fn named(findings: &[Finding], out: &mut dyn Write) -> io::Result<()> {
    findings.iter().try_for_each(|finding| {
        let severity = output::severity(finding.severity);
        let (at, message) = (printable(&finding.at), printable(&finding.message));
        writeln!(out, "  {severity} {} at {at}: {message}", finding.id.bold())
    })
}

fn announce(accept: &Decision, out: &mut dyn Write) -> io::Result<()> {
    let Decision { resource, surface, content, findings, until, .. } = accept;
    writeln!(out, "{} {}", resource.name().bold(), output::surface(surface))?;
    named(findings, out)?;
    diff::write(out, &Diff { before: content.clone(), after: content.clone() }, "as it is, and is left", "")?;
    let until = until.map_or_else(String::new, |until| format!("until {} UTC, or ", shown(until)));
    writeln!(out, "The guards leave this alone {until}until it changes or gets worse.")
}

fn done(written: Result<Vec<Record>, AcceptRefusal>, then: &str) -> anyhow::Result<Exit> {
    match written {
        Ok(records) => {
            for record in &records {
                output::done(format_args!("{}  {}", record.id, audit::step(record)));
            }
            output::done(then);
            Ok(Exit::Fine)
        }
        Err(refusal @ (AcceptRefusal::Call(_) | AcceptRefusal::Unwritable(_))) => Err(refusal.into()),
        Err(refusal) => {
            output::refused(&refusal.to_string());
            Ok(Exit::Findings)
        }
    }
}

/// Something that is accepted.
#[derive(Serialize)]
struct Accepted {
    resource: Resource,
    surface: Surface,
    #[serde(flatten)]
    acceptance: Acceptance,
}

async fn list(operator: &Operator, format: output::Format) -> anyhow::Result<Exit> {
    let now = Timestamp::now();
    let mut accepted = Vec::new();
    for (resource, surface, _) in operator.aws.accepted().await? {
        let mut history = operator.aws.history(&resource, now).await?;
        strike_forged(&operator.aws, &resource, &mut history, now).await?;
        for forged in &history.forged {
            output::warning(format_args!("{}: {}", resource.name(), printable(forged)));
        }
        let state = history.surfaces.remove(&surface).unwrap_or_default();
        accepted.extend(state.acceptances.into_iter().map(|acceptance| {
            let (resource, surface) = (resource.clone(), surface.clone());
            Accepted { resource, surface, acceptance }
        }));
    }
    output::list(format, &accepted, table).context("writing the list")?;
    Ok(Exit::Fine)
}

fn table(accepted: &[Accepted], out: &mut dyn Write) -> io::Result<()> {
    if accepted.is_empty() {
        return writeln!(out, "Nothing is accepted.");
    }
    let mut table = output::table(&["Resource", "Surface", "Findings", "Severity", "Until (UTC)", "By", "Reason"]);
    for Accepted { resource, surface, acceptance } in accepted {
        let mut findings: Vec<&str> = acceptance.findings.iter().map(|key| key.finding.as_str()).collect();
        findings.dedup();
        table.add_row([
            resource.name().into(),
            output::surface(surface).into(),
            findings.join("\n").into(),
            output::severity_cell(acceptance.severity),
            acceptance.until.map_or_else(|| "it changes".to_owned(), shown).into(),
            printable(&acceptance.by).into_owned().into(),
            printable(acceptance.reason.as_deref().unwrap_or_default()).into_owned().into(),
        ]);
    }
    writeln!(out, "{}", table.trim_fmt())
}
