//! `warden audit`: the ledger, for people and for programs.

mod copy;
mod days;
pub(crate) mod list;
pub(crate) mod lookup;
mod show;
mod verify;

use crate::{account::Operator, exit::Exit, output::printable};
use clap::Subcommand;
use jiff::Timestamp;
use owo_colors::OwoColorize;
use warden_engine::{
    ledger::record::{Reason, Record, Step},
    model::cloudtrail::Cause,
};

/// Show the ledger: what the guards saw and did, newest first
#[derive(clap::Args)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct Audit {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    list: list::List,
}

#[derive(Subcommand)]
enum Command {
    List(list::List),
    Show(show::Show),
    Verify(verify::Verify),
}

impl Audit {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        match self.command.unwrap_or(Command::List(self.list)) {
            Command::List(command) => command.run().await,
            Command::Show(command) => command.run().await,
            Command::Verify(command) => command.run().await,
        }
    }
}

/// A line on the ledger's table where nothing keeps it from being deleted, or where that cannot be told.
async fn unprotected(operator: &Operator) -> Option<String> {
    let (table, region) = (operator.aws.ledger_table(), &operator.settings.home.region);
    match operator.aws.ledger_is_protected().await {
        Ok(true) => None,
        Ok(false) => Some(format!(
            "{} the ledger's table {table} can be deleted. Deploy Warden's stack again with ProtectLedger=on; if the \
             stack took the table over: aws dynamodb update-table --table-name {table} --deletion-protection-enabled \
             --region {region}",
            "UNPROTECTED".red().bold()
        )),
        Err(error) => Some(format!(
            "{} whether the ledger's table can be deleted could not be read: {}",
            "WARNING".red().bold(),
            printable(&error.to_string())
        )),
    }
}

/// A point in time as every table and page shows it, UTC.
pub(crate) fn shown(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S").to_string()
}

/// A step in words, with the reason where there is one.
pub(crate) fn step_words(record: &Record) -> String {
    match &record.entry.reason {
        None => record.entry.step.to_string(),
        Some(reason) => format!("{} ({})", record.entry.step, reason.code()),
    }
}

/// A step in its colour, for a line of text.
pub(crate) fn step(record: &Record) -> String {
    let words = step_words(record);
    match tone(record.entry.step) {
        Tone::Good => words.green().to_string(),
        Tone::Mind => words.yellow().to_string(),
        Tone::Bad => words.red().to_string(),
        Tone::Undone => words.cyan().to_string(),
        Tone::Plain => words,
    }
}

/// How a step is to be taken.
enum Tone {
    Good,
    Mind,
    Bad,
    Undone,
    Plain,
}

fn tone(step: Step) -> Tone {
    match step {
        Step::Applied | Step::Rotated | Step::Resumed => Tone::Good,
        Step::Withheld | Step::Paused | Step::OptedOut | Step::Withdrawn => Tone::Mind,
        Step::Failed => Tone::Bad,
        Step::Undone | Step::Accepted => Tone::Undone,
        Step::Observed | Step::Planned | Step::OptedIn => Tone::Plain,
    }
}

/// The name of a role or a user, with the session's behind it.
pub(crate) fn short_actor(cause: &Cause) -> String {
    let actor = cause.actor.as_deref().unwrap_or("?");
    let name = actor.rsplit('/').next().unwrap_or(actor);
    match &cause.session_name {
        Some(session) => format!("{name}/{session}"),
        None => name.to_owned(),
    }
}

/// Why a plan was withheld, and what one can do.
pub(crate) fn reason(reason: &Reason) -> String {
    match reason {
        Reason::PreExisting => "it was there before the opt-in; `warden apply` acts on it".to_owned(),
        Reason::Unconfirmed => {
            "an event says that it is new, and CloudTrail does not bear that out; it is left as it was".to_owned()
        }
        Reason::Exempt { until } => format!("the tag `warden:exempt` lets it pass until {until}"),
        Reason::NeverTouch => "the stack's parameter NeverTouch names it".to_owned(),
        Reason::Paused => "the guards were paused; `warden apply` acts on it".to_owned(),
        Reason::Breaker { reverts } => {
            format!(
                "reverted {reverts} times already: somebody makes the same change again and again; `warden apply` acts \
                 on it"
            )
        }
        Reason::Cap { cap } => {
            format!("{cap} changes an hour were used up; it is put right when there is room, or by `warden apply`")
        }
        Reason::NoSafeChange => "there is no change that would be safe".to_owned(),
        Reason::LedgerTampered => "the ledger was tampered with, and nothing tells whether it stood before".to_owned(),
    }
}
