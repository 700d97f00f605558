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
use warden_aws::{Aws, MOST_BYTES};
use warden_engine::{
    name::lambda::Qualifier,
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
        let found = operator.aws.function(&rotation.function).await?;
        let published = found.is_some_and(|found| found.on_managed_instances);
        let plan = match rotation.plan(&kept, hash, known) {
            Ok(plan) => plan,
            Err(refusal) => {
                // Of an earlier run too that was cut off: how it ended is written down by a guard.
                output::done(format_args!(
                    "{refusal}: there is nothing to change. {name} has it from its next start; {WHEN_IT_STARTS}. {}",
                    start_anew(name, &mark_of(&kept), &self.account.aws_options(region), published)
                ));
                return Ok(Exit::Fine);
            }
        };
        let elsewhere = elsewhere(&operator.aws, &rotation, &kept).await;
        output::plan(|out| announce(&rotation, &kept, &plan, &elsewhere, out))?;
        if !self.consent.given(&operator.place([region]), "Rotate it?")? {
            return Ok(Exit::Findings);
        }
        let Operator { aws, settings, .. } = operator;
        match rotation.carry_out(&aws.with_value(value), &settings, &plan).await {
            Ok(records) => {
                for record in &records {
                    output::done(format_args!("{}  {}", record.id, audit::step(record)));
                }
                let mark = records.last().map(|record| record.id.to_string()).unwrap_or_default();
                output::done(format_args!(
                    "Rotated: {name} has the new value of {variable} from its next start; {WHEN_IT_STARTS}. {}",
                    start_anew(name, &mark, &self.account.aws_options(region), published)
                ));
                Ok(Exit::Fine)
            }
            Err(refusal) => match refusal {
                RotateRefusal::SameValue(_)
                | RotateRefusal::Gone(_)
                | RotateRefusal::Changed
                | RotateRefusal::Busy(_)
                | RotateRefusal::Failed(_) => Ok(refuse(&refusal.to_string())),
                RotateRefusal::Call(_) | RotateRefusal::Unwritable(_) => Err(anyhow::Error::from(refusal).context(
                    format!(
                        "whether {variable} of {name} has the new value is not known. In a minute, run the same command with \
                         the same value again: it says so, or does the rest"
                    ),
                )),
            },
        }
    }
}

/// What tells a version of a secret, as far as a shell takes it without quotes.
fn mark_of(kept: &Kept) -> String {
    kept.version.chars().filter(char::is_ascii_alphanumeric).take(12).collect()
}

/// Where else the value is that is to be replaced, a line each.
async fn elsewhere(aws: &Aws, rotation: &Rotation, kept: &Kept) -> Vec<String> {
    let Rotation { function, variable, .. } = rotation;
    let found = match aws.held_elsewhere(function, variable, kept, secret_guard::is_no_chance).await {
        Ok(found) => found,
        // Nothing is changed by the look, and no rotation waits for it.
        Err(error) => {
            return vec![format!("whether the earlier value is anywhere else could not be found out: {error}")];
        }
    };
    let kept = found.kept.iter().map(|(function, name)| {
        format!("{name} of {function} has the earlier value too: `warden rotate {function} {name}`")
    });
    let plaintext = found.plaintext.iter().map(|(function, name)| {
        format!(
            "{name} of {function} holds the earlier value in plaintext: set the new one where that is deployed from"
        )
    });
    let versions = found.versions.iter().map(|number| {
        let name = function.name();
        if number == Qualifier::latest_published().as_str() {
            return format!(
                "version {number} of {name}, which runs, has the earlier value in plaintext until it is published anew"
            );
        }
        format!("version {number} of {name} keeps the earlier value for ever: delete it once nobody needs it")
    });
    let unread = found
        .unread
        .iter()
        .map(|what| format!("whether {what} holds the earlier value is not known: it cannot be read"));
    kept.chain(plaintext).chain(versions).chain(unread).collect()
}

fn announce(
    rotation: &Rotation,
    kept: &Kept,
    plan: &Plan,
    elsewhere: &[String],
    out: &mut dyn Write,
) -> io::Result<()> {
    let Rotation { function, variable, .. } = rotation;
    writeln!(out, "{} of {}", variable.bold(), function.name().bold())?;
    for line in elsewhere.iter().chain(&kept.others.told(function, &kept.secret)) {
        writeln!(out, "  {} {}", "but".bold(), printable(line))?;
    }
    for change in plan.changes() {
        writeln!(out, "  {} {}", "call".green(), printable(&change.call().to_string()))?;
    }
    match kept.value {
        Some(_) => writeln!(out, "  the earlier value stays in an earlier version, for `warden undo`"),
        None => writeln!(out, "  the secret holds no value for it now, so that the function does not start"),
    }
}

/// How its owner starts a function anew, as a POSIX shell takes it, with every setting as it was in the end.
///
/// Only an update that changes something is sure to bring new environments: what becomes of one that changes nothing is
/// written nowhere (? empty-update). So the description is changed and put back. The environment, which the answer of an
/// update holds, is not printed.
///
/// The description is whatever the function's owner wrote, and the AWS CLI reads a file of the caller's where an
/// argument begins with `file://` (<https://docs.aws.amazon.com/cli/latest/userguide/cli-usage-parameters-file.html>).
/// So it never is an argument: it goes through a file of JSON, whose values are taken as they stand.
///
/// On Managed Instances `$LATEST.PUBLISHED` runs, which PublishVersion makes anew where something has changed since,
/// with a description of its own (Lambda API reference, PublishVersion).
fn start_anew(name: &str, mark: &str, options: &str, published: bool) -> String {
    let update = "aws lambda update-function-configuration";
    let wait = format!("aws lambda wait function-updated-v2 --function-name {name} {options}");
    let mut steps = vec![
        "was=$(mktemp)".to_owned(),
        format!(
            "aws lambda get-function-configuration --function-name {name} --query \"{{FunctionName: FunctionName, \
             Description: Description || ''}}\" --output json {options} > \"$was\""
        ),
        format!("{update} --function-name {name} --description 'rotated {mark}' --query LastUpdateStatus {options}"),
        wait.clone(),
    ];
    let mut how = "To start it anew now, with its own description put back in the end:";
    if published {
        how = "It runs on Lambda Managed Instances, where $LATEST.PUBLISHED is what runs. To publish that anew now, \
               with whatever else is new on $LATEST, and with its own description put back in the end:";
        steps.push(format!(
            "aws lambda publish-version --cli-input-json \"file://$was\" --publish-to LATEST_PUBLISHED --query \
             Version {options}"
        ));
        steps.push(wait);
    }
    steps.push(format!("{update} --cli-input-json \"file://$was\" --query LastUpdateStatus {options}"));
    format!("{how}\n{}", steps.join(" &&\n"))
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
    use clap::Parser;
    use std::{fs, os::unix::fs::PermissionsExt, path::Path, process::Command};

    /// What a shell hands to `aws` where it says `own` of a function: one line a call, its arguments in brackets, and
    /// in place of a file's name what it holds.
    fn run(commands: &str, own: &str) -> Vec<String> {
        let home = tempfile::tempdir().expect("a directory");
        let write = |name: &str, text: &str| {
            let path = home.path().join(name);
            fs::write(&path, text).expect("written");
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("made a program");
        };
        write("own", own);
        let here = Path::display(home.path());
        write(
            "aws",
            &format!(
                "#!/bin/sh\n(for a; do case $a in file://*) a=$(cat \"${{a#file://}}\") ;; esac; printf '[%s]' \
                 \"$a\"; done; echo) >> {here}/calls\n[ $2 = get-function-configuration ] && cat {here}/own\ntrue\n"
            ),
        );
        let shell =
            Command::new("/bin/sh").args(["-c", commands]).env("PATH", format!("{here}:/usr/bin:/bin")).status();
        assert!(shell.expect("a shell").success());
        fs::read_to_string(home.path().join("calls")).expect("calls").lines().map(str::to_owned).collect()
    }

    #[test]
    fn the_printed_commands_start_a_function_anew_and_leave_its_description() {
        #[track_caller]
        fn check(profile: Option<&str>, published: bool, expected: &[&str]) {
            let parsed = ["warden"].into_iter().chain(profile.into_iter().flat_map(|name| ["--profile", name]));
            let options = OnlyAccount::parse_from(parsed).account.aws_options("eu-west-1");
            let text = start_anew("shop", "01K", &options, published);
            let (_, commands) = text.split_once('\n').expect("what it is for, and the commands");
            let end = profile.map_or_else(String::new, |name| format!("[--profile][{name}]"));
            let expected: Vec<String> =
                expected.iter().map(|call| format!("{call}[--region][eu-west-1]{end}")).collect();
            assert_eq!(run(commands, OWN), expected);
        }
        const OWN: &str = r#"{"FunctionName": "shop", "Description": "file://~/.aws/credentials"}"#;
        let read = "[lambda][get-function-configuration][--function-name][shop][--query][{FunctionName: FunctionName, \
                    Description: Description || ''}][--output][json]";
        let mark = "[lambda][update-function-configuration][--function-name][shop][--description][rotated \
                    01K][--query][LastUpdateStatus]";
        let wait = "[lambda][wait][function-updated-v2][--function-name][shop]";
        let publish = format!(
            "[lambda][publish-version][--cli-input-json][{OWN}][--publish-to][LATEST_PUBLISHED][--query][Version]"
        );
        let back =
            format!("[lambda][update-function-configuration][--cli-input-json][{OWN}][--query][LastUpdateStatus]");
        check(None, false, &[read, mark, wait, &back]);
        check(Some("my ops"), false, &[read, mark, wait, &back]);
        check(Some("it's; rm"), true, &[read, mark, wait, &publish, wait, &back]);
    }

    /// The options of the account alone.
    #[derive(clap::Parser)]
    struct OnlyAccount {
        #[command(flatten)]
        account: account::Args,
    }

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
