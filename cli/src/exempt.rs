//! `warden exempt`: lets one finding pass on one function until a day.

use crate::{
    account::{self, Caller},
    consent::Consent,
    exit::Exit,
    explain,
    output::{self, printable},
    span, tags,
};
use anyhow::bail;
use jiff::{SignedDuration, Timestamp, ToSpan, civil::Date, tz::TimeZone};
use warden_finding::{ExemptedBy, FindingId};

/// The tag that exempts a function from findings.
const KEY: &str = "warden:exempt";
/// The longest way ahead that the last day may lie: the guards take no more.
const DAYS: i64 = 90;

/// Let one function break one rule until a day: sets the tag `warden:exempt`
///
/// To the end of that day, at most 90 days ahead, the guards record the finding on this function and change nothing
/// about it. All other findings are acted on as before. The command needs your own
/// permissions alone, lambda:ListTags and lambda:TagResource, and not the operator role. It cannot tell whether a stack
/// is deployed in the Region. Other exemptions in it stay; those whose day is past go.
///
/// Findings on roles and customer managed policies are exempt by the tags of these: the command prints how.
#[derive(clap::Args)]
#[command(
    override_usage = "warden exempt [OPTIONS] --for <TIME> <FUNCTION> <FINDING>\n       \
                      warden exempt [OPTIONS] --until <YYYY-MM-DD> <FUNCTION> <FINDING>",
    after_help = EXAMPLES
)]
pub(crate) struct Exempt {
    /// The function, by its name or ARN
    function: String,

    /// The id of the finding, as `warden audit` shows it; `warden explain` lists all of them
    #[arg(value_name = "FINDING", value_parser = explain::finding_ids(), hide_possible_values = true)]
    finding: FindingId,

    #[command(flatten)]
    until: Until,

    #[command(flatten)]
    consent: Consent,

    #[command(flatten)]
    account: account::Args,
}

const EXAMPLES: &str = "\
Examples:
  warden exempt pay public-url --for 30d
  warden exempt pay external-invoke --until 2026-12-31";

#[derive(clap::Args)]
#[group(required = true, multiple = false)]
struct Until {
    /// The last day, UTC
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = span::date)]
    until: Option<Date>,

    /// For so long from now on, to the end of the last day: 12h, 7d, 2 weeks
    #[arg(long = "for", value_name = "TIME", value_parser = span::duration)]
    length: Option<SignedDuration>,
}

impl Exempt {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let now = Timestamp::now();
        let today = day(now);
        let until = match (self.until.until, self.until.length) {
            (Some(until), _) => until,
            (None, Some(length)) => day(now.saturating_add(length)?),
            (None, None) => bail!("say --until or --for"),
        };
        if let Err(why) = allowed(until, today) {
            bail!("{until}: {why}");
        }
        refuse_where_it_does_nothing(self.finding, until)?;
        let caller = Caller::connect(&self.account).await?;
        let function = caller.function(&self.function)?;
        let present = tags::read(&caller, &function).await?.remove(KEY).unwrap_or_default();
        let merged = merge(&present, self.finding, until, today);
        if let Err(why) = tags::fits(&merged) {
            bail!("`{KEY}` = `{}`: {why}", printable(&merged));
        }
        let was = if present.is_empty() { "not set".to_owned() } else { format!("`{}`", printable(&present)) };
        output::plan(|out| {
            writeln!(out, "{}: `{KEY}` = `{merged}` (was {was})", function.name())?;
            writeln!(out, "The guards leave {} on it as it is, up to and including {until}.", self.finding)
        })?;
        if !self.consent.given(&caller.place(), "Set the tag?")? {
            return Ok(Exit::Findings);
        }
        tags::write(&caller, &function, &[(KEY.to_owned(), merged)]).await?;
        output::done("Set.");
        Ok(Exit::Fine)
    }
}

/// A function's exemption counts for findings on functions alone.
fn refuse_where_it_does_nothing(finding: FindingId, until: Date) -> anyhow::Result<()> {
    let why = match finding.exempted_by() {
        Some(ExemptedBy::Function) => return Ok(()),
        Some(ExemptedBy::Role) => format!(
            "is found on roles and customer managed policies, so their own tags count: `aws iam tag-role --role-name \
             ROLE --tags Key={KEY},Value={finding}@{until}`, or `aws iam tag-policy`; a value that is there already \
             has to be repeated"
        ),
        None if matches!(finding, FindingId::PublicLayer | FindingId::ExternalLayer) => {
            "is found on layer versions, and layers have no tags: take the layer out of the stack's parameter \
             LayerNames"
                .to_owned()
        }
        None => "is only reported, before a deployment or an opt-in, so there is nothing to exempt".to_owned(),
    };
    let these: Vec<&str> = FindingId::ALL
        .iter()
        .filter(|id| id.exempted_by() == Some(ExemptedBy::Function))
        .map(|id| id.as_str())
        .collect();
    bail!("`{finding}` {why}. On a function these can be exempt: {}", these.join(", "))
}

fn day(time: Timestamp) -> Date {
    time.to_zoned(TimeZone::UTC).date()
}

fn allowed(until: Date, today: Date) -> Result<(), String> {
    if until < today {
        return Err("this day is past".to_owned());
    }
    let latest = today.saturating_add(DAYS.days());
    if until > latest { Err(format!("an exemption lasts {DAYS} days at most, to {latest}")) } else { Ok(()) }
}

/// The tag's value with the exemption in it. What is not an exemption is somebody's mistake and left to them.
fn merge(present: &str, finding: FindingId, until: Date, today: Date) -> String {
    let kept = present.split_whitespace().filter(|word| match word.split_once('@') {
        Some((id, _)) if id == finding.as_str() => false,
        Some((_, date)) => span::date(date).is_ok_and(|date| date >= today) || span::date(date).is_err(),
        None => *word != finding.as_str(),
    });
    let own = format!("{finding}@{until}");
    kept.chain([own.as_str()]).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn date(text: &str) -> Date {
        text.parse().unwrap()
    }

    #[test]
    fn other_exemptions_stay_and_those_past_their_day_go() {
        #[track_caller]
        fn check(present: &str, expected: &str) {
            assert_eq!(merge(present, FindingId::PublicUrl, date("2026-12-01"), date("2026-11-21")), expected);
        }
        check("", "public-url@2026-12-01");
        check("external-invoke@2026-11-21", "external-invoke@2026-11-21 public-url@2026-12-01");
        check("external-invoke@2026-11-20", "public-url@2026-12-01");
        check("public-url@2027-01-01  external-invoke@2026-11-30", "external-invoke@2026-11-30 public-url@2026-12-01");
        check("public-url what@soon", "what@soon public-url@2026-12-01");
    }

    #[test]
    fn an_exemption_ends_within_ninety_days() {
        let today = date("2026-11-21");
        assert_eq!(allowed(today, today), Ok(()));
        assert_eq!(allowed(date("2027-02-19"), today), Ok(()));
        assert_eq!(
            allowed(date("2027-02-20"), today),
            Err("an exemption lasts 90 days at most, to 2027-02-19".to_owned())
        );
        assert_eq!(allowed(date("2026-11-20"), today), Err("this day is past".to_owned()));
    }
}
