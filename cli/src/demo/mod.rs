//! `warden demo`: a local account, a shop with Warden deployed beside it, attacks, and what becomes of them.

mod attacks;
mod roles;
mod shop;
mod stage;

use crate::exit::Exit;
use stage::Stage;

/// Watch the guards at work in a local account, without an AWS account
///
/// Starts a local AWS account, deploys Warden and a shop of Lambda functions into it, attacks the shop with an ordinary SDK client
/// and shows each change being put right. Needs this checkout, cargo and Python 3.
#[derive(Debug, clap::Args)]
pub(crate) struct Demo {
    /// Leave the account running afterwards, to be tried with the AWS CLI, until Ctrl-C
    #[arg(long)]
    keep: bool,
}

impl Demo {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        runtime.block_on(async {
            tokio::select! {
                shown = show(self.keep) => shown,
                // Leaving drops the account, and with it everything that runs.
                interrupted = tokio::signal::ctrl_c() => {
                    interrupted?;
                    Ok(Exit::Fine)
                }
            }
        })
    }
}

async fn show(keep: bool) -> anyhow::Result<Exit> {
    let stage = Stage::set().await?;
    let shop = shop::open(&stage).await?;
    let mut well = roles::opt_in(&stage, &shop).await?;
    shop::opt_in(&stage).await?;
    well &= roles::attacks(&stage, &shop).await?;
    well &= attacks::all(&stage, &shop).await?;
    if keep {
        stage.keep().await?;
    }
    stage.leave().await;
    Ok(if well { Exit::Fine } else { Exit::Failed })
}
