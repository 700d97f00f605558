//! `warden audit verify`: whether the ledger is what was written.

use super::{
    copy::{Copy, compared, without_copy},
    days::Progress,
    unprotected,
};
use crate::{
    account,
    exit::Exit,
    output::{self, printable},
    span::{self, Since},
};
use anyhow::Context;
use futures::{StreamExt, stream};
use jiff::{SignedDuration, Timestamp};
use owo_colors::OwoColorize;
use serde::Serialize;
use std::{
    collections::BTreeSet,
    io::{self, Write},
};
use warden_aws::Aws;
use warden_engine::{
    call_error::{CallError, ErrorKind},
    ledger::chain::{BrokenChain, verify},
    model::surface::Resource,
};

/// An event takes so long to arrive at most, before it counts as lost: EventBridge tries for a day.
const LAG: SignedDuration = SignedDuration::from_hours(24);
/// Subjects that are read at once.
const AT_ONCE: usize = 8;
/// How often a chain is read before its end is called missing.
const READS: u32 = 3;

/// Check the hash chain of every resource, and name the first record that does not fit
///
/// Each record holds the hash of the one before it, and each resource's head the hash of the last, so that a record
/// that was edited, removed or put in later is found. Each has a seal too, which guards and operator alone can make.
/// A chain that was cut short, erased or rewritten as a whole, by whoever has the seal's key as well, is found against
/// the copy in the audit log group, whose events have a seal too. A table that nothing keeps from being deleted is
/// reported as well.
#[derive(clap::Args)]
pub(crate) struct Verify {
    /// The audit log group, by its name; without this, the one that the stack makes
    #[arg(long, value_name = "LOG GROUP")]
    audit_log: Option<String>,

    /// From when on the audit log group is read: a length of time before now, or a day; without it, all of it
    #[arg(long, value_name = "TIME", value_parser = span::since)]
    since: Option<Since>,

    /// Check the table by itself, without the audit log group
    #[arg(long, conflicts_with_all = ["audit_log", "since"])]
    without_copy: bool,

    #[command(flatten)]
    output: output::Args,

    #[command(flatten)]
    account: account::Args,
}

/// What there is to say about one resource.
#[derive(Serialize)]
struct Verdict {
    resource: String,
    records: usize,
    /// How many of them the audit log group has no copy of.
    #[serde(skip_serializing_if = "Option::is_none")]
    without_copy: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

impl Verdict {
    fn problem(resource: String, problem: String) -> Verdict {
        Verdict { resource, records: 0, without_copy: None, problem: Some(problem) }
    }
}

/// What the ledger is compared with.
struct Against {
    copy: Copy,
    /// Whose records' events are due.
    due: (Timestamp, Timestamp),
}

impl Verify {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let caller = account::Caller::connect(&self.account).await?;
        let operator = caller.operator().await?;
        let group = self.audit_log.unwrap_or_else(|| caller.audit_log());
        let now = Timestamp::now();
        let since = self.since.map(|since| since.before(now));
        let mut others = Vec::new();
        let mut against = None;
        if !self.without_copy {
            match Copy::read(&operator.logs(), &group, since, &operator.aws).await {
                Ok(copy) => {
                    others.extend((copy.foreign > 0).then(|| {
                        let foreign =
                            format!("{} events in it are not Warden's: their seals do not hold", copy.foreign);
                        Verdict::problem(group.clone(), foreign)
                    }));
                    let to = now.saturating_sub(LAG).unwrap_or(now);
                    against = Some(Against { copy, due: (since.unwrap_or(Timestamp::MIN), to) });
                }
                Err(error) => others.push(Verdict::problem(
                    group,
                    format!("the audit log group could not be read ({error}): name it with --audit-log"),
                )),
            }
        }
        let resources = operator.aws.resources().await?;
        let known: BTreeSet<&Resource> = resources.iter().filter_map(|resource| resource.as_ref().ok()).collect();
        let copied = against.iter().flat_map(|against| &against.copy.records);
        others.extend(copied.filter(|(resource, _)| !known.contains(resource)).filter_map(|(resource, copy)| {
            compared(&[], copy).map(|problem| Verdict::problem(resource.to_string(), problem))
        }));
        let progress = Progress::of(resources.len(), "checking the chains");
        let verdicts = stream::iter(resources).map(|resource| verdict(&operator.aws, resource, against.as_ref()));
        let verdicts: Vec<_> = verdicts.buffered(AT_ONCE).inspect(|_| progress.step()).collect().await;
        drop(progress);
        let verdicts: Vec<Verdict> =
            verdicts.into_iter().chain(others.into_iter().map(Ok)).collect::<Result<_, _>>()?;
        let unprotected = unprotected(&operator).await;
        if let Some(line) = &unprotected {
            anstream::eprintln!("{line}");
        }
        output::list(self.output.format(), &verdicts, table).context("writing the verdict")?;
        let sound = unprotected.is_none() && verdicts.iter().all(|verdict| verdict.problem.is_none());
        Ok(if sound { Exit::Fine } else { Exit::Findings })
    }
}

/// A damaged item is a verdict on its resource; a call that fails is none on anything.
async fn verdict(
    aws: &Aws,
    resource: Result<Resource, CallError>,
    against: Option<&Against>,
) -> Result<Verdict, CallError> {
    let damaged = |resource: String, error: CallError| match error.kind {
        ErrorKind::Bug => Ok(Verdict::problem(resource, error.to_string())),
        ErrorKind::Retry
        | ErrorKind::Stale
        | ErrorKind::Busy
        | ErrorKind::Gone
        | ErrorKind::Denied
        | ErrorKind::NotOffered
        | ErrorKind::Refused
        | ErrorKind::PublicPolicy
        | ErrorKind::UnreservedConcurrency => Err(error),
    };
    let resource = match resource {
        Ok(resource) => resource,
        Err(error) => return damaged("not a resource's key".into(), error),
    };
    let mut reads = 0;
    loop {
        reads += 1;
        let (records, head) = match aws.chain(&resource).await {
            Ok(chain) => chain,
            Err(error) => return damaged(resource.to_string(), error),
        };
        match verify(records.iter().map(|stored| (&stored.record, stored.hash)), &head) {
            // A guard may have written between the two reads that a chain takes.
            Err(BrokenChain::Truncated { .. }) if reads < READS => {}
            checked => {
                let broken = checked.err().map(|broken| broken.to_string());
                let copy = against.and_then(|against| against.copy.records.get(&resource));
                let differs = copy.and_then(|copy| compared(&records, copy));
                let problems: Vec<String> = broken.into_iter().chain(differs).collect();
                return Ok(Verdict {
                    resource: resource.to_string(),
                    records: records.len(),
                    without_copy: against
                        .map(|Against { due: (from, to), .. }| without_copy(&records, copy, *from, *to))
                        .filter(|count| *count > 0),
                    problem: (!problems.is_empty()).then(|| problems.join("; ")),
                });
            }
        }
    }
}

fn table(verdicts: &[Verdict], out: &mut dyn Write) -> io::Result<()> {
    let broken: Vec<_> = verdicts.iter().filter_map(|verdict| Some((verdict, verdict.problem.as_ref()?))).collect();
    for (verdict, problem) in &broken {
        writeln!(out, "{} {}: {}", "BROKEN".red().bold(), printable(&verdict.resource), printable(problem))?;
    }
    let records: usize = verdicts.iter().map(|verdict| verdict.records).sum();
    let sound = verdicts.len() - broken.len();
    let all = if broken.is_empty() { "every chain holds".green().to_string() } else { format!("{sound} chains hold") };
    writeln!(out, "{} resources, {records} records: {all}", verdicts.len())?;
    match verdicts.iter().filter_map(|verdict| verdict.without_copy).sum::<usize>() {
        0 => Ok(()),
        lost => writeln!(
            out,
            "{lost} records have no copy in the audit log group: their events were lost, or its retention is over"
        ),
    }
}
