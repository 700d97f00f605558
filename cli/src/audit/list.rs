//! `warden audit list`: the records of the last days, and on top what holds the guards back now.

use super::{Tone, days, short_actor, shown, step_words, tone, unprotected};
use crate::{
    account,
    exit::Exit,
    explain,
    output::{self, printable},
    span::{self, Since},
};
use anyhow::Context;
use comfy_table::{Cell, Color, ColumnConstraint};
use jiff::Timestamp;
use owo_colors::OwoColorize;
use std::{
    collections::BTreeMap,
    io::{self, Write},
};
use warden_engine::{
    FindingId,
    call_error::CallError,
    decide::report::still_holds,
    ledger::{
        record::{Reason, Record, Step},
        state::Purpose,
    },
    model::surface::{Resource, Surface},
    name::lambda::AccountArn,
    ports::{Account, Ledger},
    run::proof::strike_forged,
};

/// List the records, newest first
#[derive(clap::Args)]
pub(crate) struct List {
    /// From when on: a length of time before now, or a day
    #[arg(long, default_value = "7d", value_name = "TIME", value_parser = span::since)]
    since: Since,

    /// Only the records of this function, by its name or ARN
    #[arg(long, value_name = "FUNCTION")]
    function: Option<String>,

    /// Only records about this finding
    #[arg(long, value_name = "ID", value_parser = explain::finding_ids(), hide_possible_values = true)]
    finding: Option<FindingId>,

    /// Only records of this step: observed, withheld, planned, applied, failed, undone, accepted, opted-in, ...
    #[arg(long, value_name = "STEP")]
    step: Option<Step>,

    #[command(flatten)]
    output: output::Args,

    #[command(flatten)]
    account: account::Args,
}

impl List {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let caller = account::Caller::connect(&self.account).await?;
        let function = self.function.as_deref().map(|function| caller.function(function)).transpose()?;
        let function = function.map(Resource::Function);
        let operator = caller.operator().await?;
        let format = self.output.format();
        let now = Timestamp::now();
        let found = days::records(&operator.aws, self.since.before(now), later(now)).await?;
        let altered: Vec<&Record> = found
            .records
            .iter()
            .filter(|stored| !stored.record.hash().is_ok_and(|hash| hash == stored.hash))
            .map(|stored| &stored.record)
            .collect();
        let banner = match format {
            output::Format::Table => {
                banner(&operator, &found.records.iter().map(|s| &s.record).collect::<Vec<_>>(), now).await
            }
            output::Format::Json | output::Format::Jsonl => Vec::new(),
        };
        for record in &altered {
            output::warning(format_args!("record {} was changed after it was written", record.id));
        }
        for damage in &found.damaged {
            output::warning(damage);
        }
        let exit = if altered.is_empty() && found.damaged.is_empty() { Exit::Fine } else { Exit::Findings };
        let fits = |record: &Record| {
            function.as_ref().is_none_or(|function| record.resource == *function)
                && self.finding.is_none_or(|id| record.entry.findings.iter().any(|finding| finding.id == id))
                && self.step.is_none_or(|step| record.entry.step == step)
        };
        let records: Vec<Record> =
            found.records.into_iter().map(|stored| stored.record).filter(|record| fits(record)).collect();
        output::list(format, &records, |records, out| {
            for line in &banner {
                writeln!(out, "{line}")?;
            }
            if !banner.is_empty() {
                writeln!(out)?;
            }
            table(records, out)
        })
        .context("writing the list")?;
        Ok(exit)
    }
}

/// Another machine's clock may be ahead.
fn later(now: Timestamp) -> Timestamp {
    now.saturating_add(jiff::SignedDuration::from_hours(1)).unwrap_or(now)
}

/// The records as a person reads them.
pub(crate) fn table(records: &[Record], out: &mut dyn Write) -> io::Result<()> {
    if records.is_empty() {
        return writeln!(out, "No records. (--since reaches further back.)");
    }
    let mut table = output::table(&["Time (UTC)", "Step", "Resource", "Surface", "Findings", "Severity", "By", "Id"]);
    // A time and an id are of no use in pieces.
    for column in [0, 7] {
        if let Some(column) = table.column_mut(column) {
            column.set_constraint(ColumnConstraint::ContentWidth);
        }
    }
    for record in records {
        let entry = &record.entry;
        let mut findings: Vec<&str> = entry.findings.iter().map(|finding| finding.id.as_str()).collect();
        findings.dedup();
        table.add_row([
            shown(record.time).into(),
            step_cell(record),
            record.resource.name().into(),
            entry.surface.as_ref().map(output::surface).unwrap_or_default().into(),
            findings.join("\n").into(),
            entry.severity.map_or_else(|| "".into(), output::severity_cell),
            printable(short_actor(record.cause.actor.as_deref().unwrap_or("?"))).into_owned().into(),
            Cell::new(record.id),
        ]);
    }
    writeln!(out, "{}", table.trim_fmt())
}

fn step_cell(record: &Record) -> Cell {
    let cell = Cell::new(step_words(record));
    match tone(record.entry.step) {
        Tone::Good => cell.fg(Color::Green),
        Tone::Mind => cell.fg(Color::Yellow),
        Tone::Bad => cell.fg(Color::Red),
        Tone::Undone => cell.fg(Color::Cyan),
        Tone::Plain => cell,
    }
}

/// What holds the guards back, most important first.
async fn banner(operator: &account::Operator, records: &[&Record], now: Timestamp) -> Vec<String> {
    let mut lines: Vec<String> = unprotected(operator).await.into_iter().collect();
    let trouble = |what: &str, error: CallError| {
        format!("{} {what} could not be read: {}", "WARNING".red().bold(), printable(&error.to_string()))
    };
    let account = Resource::Account(AccountArn::of(&operator.settings.home));
    match operator.aws.history(&account, now).await {
        Err(error) => lines.push(trouble("the switch", error)),
        Ok(mut history) => {
            match strike_forged(&operator.aws, &account, &mut history, now).await {
                Err(error) => lines.push(trouble("the proof of the pause", error)),
                Ok(()) => lines.extend(
                    history.forged.iter().map(|forged| format!("{} {}", "FORGED".red().bold(), printable(forged))),
                ),
            }
            if let Some(pause) = history.pause.filter(|pause| pause.until.is_none_or(|until| until > now)) {
                let until = pause
                    .until
                    .map_or_else(|| "until `warden resume`".to_owned(), |until| format!("until {} UTC", shown(until)));
                let reason = pause.reason.map(|reason| format!(": {}", printable(&reason))).unwrap_or_default();
                lines.push(format!("{} by {} {until}{reason}", "PAUSED".yellow().bold(), printable(&pause.by)));
            }
        }
    }
    match operator.aws.open_intents().await {
        Err(error) => lines.push(trouble("the remediations under way", error)),
        Ok(open) => lines.extend(open.iter().map(|(resource, surface, state)| {
            let what = match state.intent.as_ref().map(|intent| &intent.purpose) {
                Some(Purpose::Undo { record }) => format!("an undo of {record}; `warden undo {record}` resumes it"),
                Some(Purpose::Rotate) => {
                    "a rotation; the guard writes down with the next event how it ended".to_owned()
                }
                Some(Purpose::Remedy) | None => "a remediation; the guard resumes it with the next event".to_owned(),
            };
            let over = state.intent.as_ref().is_some_and(|intent| intent.lease <= now);
            let how = if over { "was cut off" } else { "is under way" };
            format!("{} {} {}: {what} ({how})", "OPEN".yellow().bold(), resource.name(), output::surface(surface))
        })),
    }
    // One line for each surface, with the newest record.
    let mut fights: BTreeMap<(&Resource, &Surface), (&Record, u32)> = BTreeMap::new();
    for record in records {
        if let (Step::Withheld, Some(Reason::Breaker { reverts }), Some(surface)) =
            (record.entry.step, &record.entry.reason, &record.entry.surface)
        {
            fights.entry((&record.resource, surface)).or_insert((record, *reverts));
        }
    }
    for ((resource, surface), (record, reverts)) in fights {
        match is_open(operator, resource, surface, record, now).await {
            Ok(true) => lines.push(format!(
                "{} {} {surface}: reverted {reverts} times, then withheld at {} UTC; changed by {} ({})",
                "BREAKER".red().bold(),
                resource.name(),
                shown(record.time),
                printable(record.cause.actor.as_deref().unwrap_or("?")),
                record.id
            )),
            Ok(false) => {}
            Err(error) => lines.push(trouble(&format!("{} {surface}", resource.name()), error)),
        }
    }
    lines
}

/// Whether what the breaker withheld is there still, on something that is there and opted in still.
async fn is_open(
    operator: &account::Operator,
    resource: &Resource,
    surface: &Surface,
    record: &Record,
    now: Timestamp,
) -> Result<bool, CallError> {
    let history = operator.aws.history(resource, now).await?;
    if !still_holds(record, &history) {
        return Ok(false);
    }
    // A function that is gone has no policy either. What was withheld may be that something is missing.
    let was_absent = record.entry.diff.as_ref().is_some_and(|diff| diff.before.is_absent());
    let snapshot = operator.aws.snapshot(resource, surface).await?;
    Ok(snapshot.is_some_and(|snapshot| was_absent || !snapshot.content.is_absent()))
}
