//! `warden pause` and `warden resume`: the switch.

use crate::{
    account,
    audit::shown,
    consent::Consent,
    exit::Exit,
    output::{self, printable},
    span,
};
use jiff::{SignedDuration, Timestamp};
use warden_engine::{ledger::state, model::surface::Resource, name::lambda::AccountArn, ports::Ledger, run::pause};

/// Stop every guard at once: nothing is changed until the time is over or `warden resume`
///
/// The guards go on looking and recording; what they would have changed is `withheld`, and `warden apply` does it
/// afterwards.
#[derive(clap::Args)]
pub(crate) struct Pause {
    /// For how long; without it, until `warden resume`
    #[arg(long = "for", value_name = "TIME", value_parser = span::duration)]
    length: Option<SignedDuration>,

    /// Why, for the record
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    reason: Option<String>,

    #[command(flatten)]
    consent: Consent,

    #[command(flatten)]
    account: account::Args,
}

/// Let the guards act again
#[derive(clap::Args)]
pub(crate) struct Resume {
    #[command(flatten)]
    consent: Consent,

    #[command(flatten)]
    account: account::Args,
}

pub(crate) fn reason(text: &str) -> Result<String, String> {
    if text.chars().count() > 500 { Err("500 letters at most".to_owned()) } else { Ok(printable(text).into_owned()) }
}

impl Pause {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let operator = account::Caller::connect(&self.account).await?.operator().await?;
        let paused = in_force(&operator).await?;
        let until = self.length.map(|length| Timestamp::now().saturating_add(length)).transpose()?;
        let end =
            until.map_or_else(|| "until `warden resume`".to_owned(), |until| format!("until {} UTC", shown(until)));
        output::plan(|out| {
            if let Some(pause) = paused {
                writeln!(out, "The guards are paused already, {}.", described(&pause))?;
            }
            writeln!(out, "Every guard stops changing anything {end}.")
        })?;
        if !self.consent.given(&operator.place([operator.settings.home.region.as_str()]), "Pause?")? {
            return Ok(Exit::Findings);
        }
        let (home, cause) = (&operator.settings.home, operator.cause("warden pause"));
        let record = pause::pause(&operator.aws, home, until, &operator.name, self.reason, &cause).await?;
        output::done(format_args!("{}  Paused.", record.id));
        Ok(Exit::Fine)
    }
}

impl Resume {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let operator = account::Caller::connect(&self.account).await?.operator().await?;
        let Some(pause) = in_force(&operator).await? else {
            output::done("The guards are not paused.");
            return Ok(Exit::Fine);
        };
        output::plan(|out| writeln!(out, "The guards are paused, {}.", described(&pause)))?;
        if !self.consent.given(&operator.place([operator.settings.home.region.as_str()]), "Let them act again?")? {
            return Ok(Exit::Findings);
        }
        let (home, cause) = (&operator.settings.home, operator.cause("warden resume"));
        let record = pause::resume(&operator.aws, home, &operator.name, &cause).await?;
        output::done(format_args!("{}  Resumed. What was withheld meanwhile is done by `warden apply`.", record.id));
        Ok(Exit::Fine)
    }
}

async fn in_force(operator: &account::Operator) -> anyhow::Result<Option<state::Pause>> {
    let now = Timestamp::now();
    let account = Resource::Account(AccountArn::of(&operator.settings.home));
    let history = operator.aws.history(&account, now).await?;
    Ok(history.pause.filter(|pause| pause.until.is_none_or(|until| until > now)))
}

fn described(pause: &state::Pause) -> String {
    let until =
        pause.until.map_or_else(|| "until `warden resume`".to_owned(), |until| format!("until {} UTC", shown(until)));
    let reason = pause.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
    printable(&format!("by {} {until}{reason}", pause.by)).into_owned()
}
