//! `warden completions`: so that the shell knows the commands.

use crate::exit::Exit;
use clap::CommandFactory;
use clap_complete::Shell;
use std::io::{self, Write};

/// Write a completion script for a shell to the standard output
#[derive(clap::Args)]
#[command(after_help = "For bash: source <(warden completions bash)")]
pub(crate) struct Completions {
    /// Which shell
    shell: Shell,
}

impl Completions {
    /// Writes the script for the commands of `C`.
    pub(crate) fn run<C: CommandFactory>(self) -> anyhow::Result<Exit> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut C::command(), "warden", &mut script);
        io::stdout().write_all(&script)?;
        Ok(Exit::Fine)
    }
}
