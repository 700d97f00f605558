//! `warden demo`: a local account, a shop with Warden deployed beside it, attacks, and what becomes of them.

mod attacks;
mod fixtures;
mod harness;
mod roles;
mod secrets;

use crate::{exit::Exit, output::note};
use harness::Harness;
use std::{pin::pin, time::Duration};

/// How long it may take until Ctrl-C is heard of.
const MOMENT: Duration = Duration::from_millis(300);
/// How long what was interrupted may take to go.
const FAREWELL: Duration = Duration::from_secs(3);

/// Watch the guards at work in a local account, without an AWS account
///
/// Starts a local AWS account, deploys Warden and a shop of Lambda functions into it, attacks the shop with an ordinary
/// SDK client and shows each change being put right. Needs this checkout, Rust,
/// a C compiler, and Python 3.10 or later with `venv`.
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// Leave the account running afterwards, to be tried with the AWS CLI, until Ctrl-C
    #[arg(long)]
    keep: bool,
}

impl Demo {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let ended = runtime.block_on(self.show());
        // A build that was interrupted ends by the same Ctrl-C. One that was not told of it is not waited for.
        runtime.shutdown_timeout(FAREWELL);
        ended
    }

    async fn show(self) -> anyhow::Result<Exit> {
        let mut interrupt = pin!(tokio::signal::ctrl_c());
        let played = tokio::select! {
            // Listening comes first: before that, Ctrl-C ends this process as it is.
            biased;
            interrupted = &mut interrupt => interrupted.map(|()| None)?,
            // Ctrl-C reaches what this has started, too, and that may be heard of first.
            played = play() => match played {
                Err(error) => tokio::time::timeout(MOMENT, interrupt).await.map(|_| None).map_err(|_| error)?,
                Ok(played) => Some(played),
            },
        };
        let Some((harness, well)) = played else {
            // By now the account is dropped, and with it everything that ran.
            note("Interrupted.");
            return Ok(Exit::Interrupted);
        };
        if self.keep {
            harness.keep().await?;
        }
        harness.leave().await?;
        Ok(if well { Exit::Fine } else { Exit::Failed })
    }
}

/// Plays everything; returns whether each scene ended as it should.
async fn play() -> anyhow::Result<(Harness, bool)> {
    let harness = Harness::set().await?;
    let shop = fixtures::open(&harness).await?;
    let mut well = roles::opt_in(&harness, &shop).await?;
    fixtures::opt_in(&harness).await?;
    well &= roles::attacks(&harness, &shop).await?;
    well &= secrets::attack(&harness).await?;
    well &= attacks::all(&harness, &shop).await?;
    Ok((harness, well))
}
