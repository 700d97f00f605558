//! `warden rotate`: gives a variable another value, in the secret that Warden keeps for it.

use crate::{
    account::{self, Operator},
    audit,
    consent::Consent,
    exit::Exit,
    output::{self, printable},
};
use anyhow::{Context, bail};
use owo_colors::OwoColorize;
use secrecy::{ExposeSecret, SecretString};
use std::io::{self, IsTerminal, Read, Write};
use warden_aws::MOST_BYTES;
use warden_engine::{
    plan::Plan,
    secret::{
        environment::{VariableName, WHEN_IT_STARTS},
        rotate::{Kept, Rotate as Rotation, RotateRefusal},
    },
    secret_ref::Reference,
};
use zeroize::Zeroizing;

/// Give a variable another value, in the secret that its reference names
///
/// The value is read from the standard input, less one line end, or asked for on the terminal without being shown; it
/// stands on no command line. The other values in the secret stay. A function has the new value from its next start.
/// The earlier value stays in Secrets Manager, so that `warden undo` brings it back; set again by a deployment, it is
/// taken out again and not stored.
#[derive(clap::Args)]
pub(crate) struct Rotate {
    /// The function, by its name or ARN
    #[arg(value_name = "FUNCTION")]
    function: String,

    /// The variable, which Warden has taken out of the function's environment
    #[arg(value_name = "VARIABLE")]
    variable: VariableName,

    #[command(flatten)]
    consent: Consent,

    #[command(flatten)]
    account: account::Args,
}

impl Rotate {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        let caller = account::Caller::connect(&self.account).await?;
        let function = caller.function(&self.function)?;
        let operator = caller.operator().await?;
        let variable = &self.variable;
        let kept = match operator.aws.kept(&function, variable).await? {
            None => bail!("there is no function `{}` in {}", function.name(), function.region()),
            Some(Err(why)) => {
                return Ok(refuse(&format!("{variable} of {} cannot be rotated: {why}", function.name())));
            }
            Some(Ok(kept)) => kept,
        };
        let value = value(variable)?;
        let key = operator.aws.hash_key().await?;
        let hash = key.hash(value.expose_secret());
        let known = secret_guard::is_high_entropy(value.expose_secret()).then(|| key.known(value.expose_secret()));
        let (by, cause) = (operator.name.clone(), operator.cause("warden rotate"));
        let rotation = Rotation { function, variable: variable.clone(), by, cause };
        let (name, region) = (rotation.function.name(), rotation.function.region());
        let plan = match rotation.plan(&kept, hash, known) {
            Ok(plan) => plan,
            Err(refusal) => {
                output::done(format_args!("{refusal}: there is nothing to change."));
                return Ok(Exit::Fine);
            }
        };
        output::plan(|out| announce(name, variable, &kept, &plan, out))?;
        if !self.consent.given(&operator.place([region]), "Rotate it?")? {
            return Ok(Exit::Findings);
        }
        let Operator { aws, settings, .. } = operator;
        match rotation.carry_out(&aws.with_value(value), &settings, &plan).await {
            Ok(records) => {
                for record in &records {
                    output::done(format_args!("{}  {}", record.id, audit::step(record)));
                }
                output::done(format_args!(
                    "Rotated: {name} has the new value of {variable} from its next start; {WHEN_IT_STARTS}. To start it anew now, with another \
                     description:\n\
                     aws lambda update-function-configuration --function-name {name} --region {region} --description \"{variable} rotated\""
                ));
                Ok(Exit::Fine)
            }
            Err(refusal) => match refusal {
                RotateRefusal::SameValue(_)
                | RotateRefusal::Gone(_)
                | RotateRefusal::Changed
                | RotateRefusal::Busy(_)
                | RotateRefusal::Failed(_) => Ok(refuse(&refusal.to_string())),
                RotateRefusal::Call(_) | RotateRefusal::Unwritable(_) => Err(refusal.into()),
            },
        }
    }
}

fn announce(name: &str, variable: &VariableName, kept: &Kept, plan: &Plan, out: &mut dyn Write) -> io::Result<()> {
    writeln!(out, "{} of {}", variable.bold(), name.bold())?;
    for change in plan.changes() {
        writeln!(out, "  {} {}", "call".green(), printable(&change.call().to_string()))?;
    }
    match kept.value {
        Some(_) => writeln!(out, "  the earlier value stays in an earlier version, for `warden undo`"),
        None => writeln!(out, "  the secret holds no value for it now, so that the function does not start"),
    }
}

/// The new value: from the terminal, without showing it, or from a pipe.
fn value(variable: &VariableName) -> anyhow::Result<SecretString> {
    let value = if io::stdin().is_terminal() {
        let ask = |question: &str| {
            rpassword::prompt_password(format!("{question} {variable}: ")).map(Zeroizing::new).context("asking")
        };
        let value = ask("New value of")?;
        if *value != *ask("Once more, the new value of")? {
            bail!("nothing was changed: the two are not the same");
        }
        value
    } else {
        piped(&mut io::stdin().lock())?
    };
    checked(&value)
}

/// What a pipe holds, less one line end, which `echo` leaves there.
fn piped(input: &mut impl Read) -> anyhow::Result<Zeroizing<String>> {
    // Never moved while it grows, so that it is overwritten as a whole.
    let mut bytes = Zeroizing::new(Vec::with_capacity(MOST_BYTES + 2));
    input.take(MOST_BYTES as u64 + 2).read_to_end(&mut bytes).context("reading the value from the standard input")?;
    let text = std::str::from_utf8(&bytes).map_err(|_| anyhow::anyhow!("the value is no UTF-8 text"))?;
    let text = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    Ok(Zeroizing::new(text.to_owned()))
}

fn checked(value: &str) -> anyhow::Result<SecretString> {
    if value.is_empty() {
        bail!("the value is empty: give it on the standard input, or on a terminal when you are asked");
    }
    if value.len() > MOST_BYTES {
        bail!("the value is longer than the {MOST_BYTES} bytes that a secret holds");
    }
    if value.contains('\0') {
        bail!("the value contains a zero byte, which no environment can hold");
    }
    if value.parse::<Reference>().is_ok() {
        bail!("the value is a reference of Warden's own, which would be resolved to itself");
    }
    Ok(value.into())
}

fn refuse(why: &str) -> Exit {
    output::refused(why);
    Exit::Findings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_from_a_pipe_without_its_line_end_and_no_message_shows_it() {
        #[track_caller]
        fn check(input: &[u8], expected: Result<&str, &str>) {
            let value = piped(&mut &input[..]).and_then(|value| checked(&value));
            match (value, expected) {
                (Ok(value), Ok(expected)) => assert_eq!(value.expose_secret(), expected),
                (Err(error), Err(part)) => {
                    let line = format!("{error:?}");
                    assert!(line.contains(part) && !line.contains("hunter2"), "{line}");
                }
                (value, expected) => panic!("{value:?} is not {expected:?}"),
            }
        }
        check(b"hunter2", Ok("hunter2"));
        check(b"hunter2\n", Ok("hunter2"));
        check(b"hunter2\r\n", Ok("hunter2"));
        check(b"-----BEGIN\nhunter2\n\n", Ok("-----BEGIN\nhunter2\n"));
        check(b"", Err("empty"));
        check(b"\n", Err("empty"));
        check(b"hunter2\0", Err("zero byte"));
        check(b"hunter2\xff", Err("UTF-8"));
        check(b"warden-secret:warden/pay/1f2e3d4c5b6a", Err("reference"));
        check(&[b'x'; 65_537], Err("longer"));
    }
}
