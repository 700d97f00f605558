//! `warden rotate`: gives a variable another value, in the secret that Warden keeps for it.

use crate::{
    account::{self, Operator},
    audit,
    consent::Consent,
    exit::Exit,
    output::printable,
};
use anyhow::{Context, bail};
use owo_colors::OwoColorize;
use secrecy::{ExposeSecret, SecretString};
use std::io::{self, IsTerminal, Read, Write};
use warden_engine::{
    arn::FunctionArn,
    environment::{VariableName, WHEN_IT_STARTS},
    plan::Plan,
    reference::Reference,
    rotate::{Kept, Rotate as Rotation, RotateRefusal},
};
use zeroize::Zeroizing;

/// How much a secret of Secrets Manager holds, in bytes (Secrets Manager user guide, "Secrets Manager quotas").
const LARGEST: u64 = 65_536;

/// Give a variable another value, in the secret that its reference names
///
/// The value is read from the standard input, less one line end, or asked for on the terminal without being shown; it stands on no command
/// line. The other values in the secret stay. A function has the new value from its next start. The earlier value stays in Secrets Manager, so
/// that `warden undo` brings it back; set again by a deployment, it is taken out again and not stored.
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
        let cause = operator.cause("warden rotate");
        let Operator { aws, settings, name: by, .. } = operator;
        let variable = &self.variable;
        let kept = match aws.kept(&function, variable).await? {
            None => bail!("there is no function `{}` in {}", function.name(), function.region()),
            Some(Err(why)) => {
                return Ok(refuse(&format!("{variable} of {} cannot be rotated: {why}", function.name())));
            }
            Some(Ok(kept)) => kept,
        };
        let value = value(variable)?;
        let key = aws.hash_key().await?;
        let hash = key.hash(value.expose_secret());
        let known = secret_guard::is_unmistakable(value.expose_secret()).then(|| key.known(value.expose_secret()));
        let rotation = Rotation { function, variable: variable.clone(), by, cause };
        let plan = match rotation.plan(&kept, hash, known) {
            Ok(plan) => plan,
            Err(refusal) => {
                anstream::println!("{refusal}: there is nothing to change.");
                return Ok(Exit::Fine);
            }
        };
        announce(&rotation.function, variable, &kept, &plan, &mut io::BufWriter::new(anstream::stdout()))
            .context("writing the plan")?;
        if !self.consent.given("Rotate?")? {
            return Ok(Exit::Findings);
        }
        match rotation.carry_out(&aws.with_value(value), &settings, &plan).await {
            Ok(records) => {
                for record in &records {
                    anstream::println!("{}  {}", record.id, audit::step(record));
                }
                let (name, region) = (rotation.function.name(), rotation.function.region());
                anstream::println!(
                    "Rotated: {name} has the new value of {variable} from its next start; {WHEN_IT_STARTS}. To start it anew now:\n\
                     aws lambda update-function-configuration --function-name {name} --region {region} --description \"{variable} rotated\""
                );
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

fn announce(
    function: &FunctionArn,
    variable: &VariableName,
    kept: &Kept,
    plan: &Plan,
    out: &mut dyn Write,
) -> io::Result<()> {
    let (account, region) = (function.account(), function.region());
    writeln!(out, "{} of {} in account {account}, {region}", variable.bold(), function.name().bold())?;
    for change in plan.changes() {
        writeln!(out, "  {} {}", "call".green(), printable(&change.call().to_string()))?;
    }
    match kept.value {
        Some(_) => writeln!(out, "  the earlier value stays in an earlier version, for `warden undo`")?,
        None => writeln!(out, "  the secret holds no value for it now, so that the function does not start")?,
    }
    out.flush()
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
    let mut bytes = Zeroizing::new(Vec::with_capacity(LARGEST as usize + 2));
    input.take(LARGEST + 2).read_to_end(&mut bytes).context("reading the value from the standard input")?;
    let text = std::str::from_utf8(&bytes).map_err(|_| anyhow::anyhow!("the value is no UTF-8 text"))?;
    let text = text.strip_suffix('\n').map_or(text, |line| line.strip_suffix('\r').unwrap_or(line));
    Ok(Zeroizing::new(text.to_owned()))
}

fn checked(value: &str) -> anyhow::Result<SecretString> {
    if value.is_empty() {
        bail!("the value is empty: give it on the standard input, or on a terminal when you are asked");
    }
    if value.len() as u64 > LARGEST {
        bail!("the value is longer than the {LARGEST} bytes that a secret holds");
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
    anstream::eprintln!("{} {}", "refused:".yellow().bold(), printable(why));
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
