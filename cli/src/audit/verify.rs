//! `warden audit verify`: whether the ledger is what was written.

use super::{days::Progress, unprotected};
use crate::{
    account,
    exit::Exit,
    output::{self, printable},
};
use anyhow::Context;
use futures::{StreamExt, stream};
use owo_colors::OwoColorize;
use serde::Serialize;
use std::io::{self, Write};
use warden_aws::Aws;
use warden_engine::{
    call_error::{CallError, ErrorKind},
    ledger::chain::{BrokenChain, verify},
    model::surface::Resource,
};

/// Subjects that are read at once.
const AT_ONCE: usize = 8;
/// How often a chain is read before its end is called missing.
const READS: u32 = 3;

/// Check the hash chain of every resource, and name the first record that does not fit
///
/// Each record holds the hash of the one before it, and each resource's head the hash of the last, so that a record
/// that was edited, removed or put in later is found. Each has a seal too, which guards and operator alone can make.
/// Whoever has the seal's key and can rewrite a resource's whole chain, or can delete all of it, is found only by
/// comparing with the copy in the audit log group. A table that nothing keeps from being deleted is reported too.
#[derive(clap::Args)]
pub(crate) struct Verify {
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
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<String>,
}

impl Verify {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let operator = account::Caller::connect(&self.account).await?.operator().await?;
        let resources = operator.aws.resources().await?;
        let progress = Progress::of(resources.len(), "checking the chains");
        let verdicts = stream::iter(resources).map(|resource| verdict(&operator.aws, resource)).buffered(AT_ONCE);
        let verdicts: Vec<_> = verdicts.inspect(|_| progress.step()).collect().await;
        drop(progress);
        let verdicts: Vec<Verdict> = verdicts.into_iter().collect::<Result<_, _>>()?;
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
async fn verdict(aws: &Aws, resource: Result<Resource, CallError>) -> Result<Verdict, CallError> {
    let damaged = |resource: String, error: CallError| match error.kind {
        ErrorKind::Bug => Ok(Verdict { resource, records: 0, problem: Some(error.to_string()) }),
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
                let problem = checked.err().map(|broken| broken.to_string());
                return Ok(Verdict { resource: resource.to_string(), records: records.len(), problem });
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
    writeln!(out, "{} resources, {records} records: {all}", verdicts.len())
}
