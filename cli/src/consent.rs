//! Asking before anything is changed.

use crate::{
    account::Place,
    output::{note, plan},
};
use anyhow::{Context, bail};
use owo_colors::OwoColorize;
use std::io::{self, BufRead, IsTerminal, Write};

/// The `--yes` option, for every command that changes something.
#[derive(Clone, Copy, Debug, clap::Args)]
pub(crate) struct Consent {
    /// Do it without asking
    #[arg(long, short)]
    yes: bool,
}

impl Consent {
    /// Whether to go on with a change: says where it is made, and asks on the terminal, unless `--yes` was given.
    ///
    /// # Errors
    /// There is nobody to ask, or to tell.
    pub(crate) fn given(self, place: &Place<'_>, question: &str) -> anyhow::Result<bool> {
        plan(|out| writeln!(out, "{} {place}.", "This changes".bold()))?;
        if self.yes {
            return Ok(true);
        }
        if !(io::stdin().is_terminal() && io::stderr().is_terminal()) {
            bail!("nothing was changed: there is no terminal to ask on, so say --yes to go on");
        }
        let agreed = ask(question, &mut io::stdin().lock(), &mut anstream::stderr()).context("asking")?;
        if !agreed {
            note("Nothing was changed.");
        }
        Ok(agreed)
    }
}

/// Asks until the answer is one; the end of the input is a no.
fn ask(question: &str, input: &mut impl BufRead, output: &mut impl Write) -> io::Result<bool> {
    loop {
        write!(output, "{} [y/N] ", question.bold())?;
        output.flush()?;
        let mut answer = String::new();
        let end = input.read_line(&mut answer)? == 0;
        match answer.trim().to_ascii_lowercase().as_str() {
            "y" | "yes" => return Ok(true),
            "" | "n" | "no" => return Ok(false),
            _ if end => return Ok(false),
            _ => writeln!(output, "Please answer y or n.")?,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_clear_yes_is_one() {
        #[track_caller]
        fn check(input: &str, expected: bool) {
            assert_eq!(ask("Go on?", &mut input.as_bytes(), &mut Vec::new()).unwrap(), expected, "{input:?}");
        }
        check("y\n", true);
        check("YES\n", true);
        check("\n", false);
        check("n\n", false);
        check("", false);
        check("maybe\ny\n", true);
        check("maybe", false);
    }
}
