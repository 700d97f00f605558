//! `warden opt-in`: puts functions and roles under guard, and says first what the guards will find.

mod role;

use crate::{
    account::{self, Caller, NoOperator},
    consent::Consent,
    exit::Exit,
    output::{self, printable},
    tags,
};
use anyhow::{anyhow, bail};
use clap::{
    ArgGroup, ValueEnum,
    builder::{PossibleValuesParser, TypedValueParser},
};
use jiff::{Timestamp, tz::TimeZone};
use owo_colors::OwoColorize;
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};
use warden_engine::{
    model::{
        settings::{PreExistingPolicy, Settings},
        surface::Resource,
        tags::{GuardKind, OptIn as TagsRead},
    },
    name::lambda::FunctionArn,
};
use warden_guards::{GUARDS, Outlook as Found};

/// Put functions and roles under guard: sets the tag `warden`, after showing what the guard will find
///
/// It asks the guards as the stack's operator, so that you have to be allowed to assume the operator role. The tags are
/// read and set with your own permissions: lambda:ListTags and lambda:TagResource for a function, iam:TagRole and
/// lambda:ListFunctions for a role. Who may tag, and not become the operator, sets the tag with the AWS CLI, and sees
/// nothing beforehand; `aws lambda tag-resource --resource ARN --tags warden=observe` is the safe beginning.
///
/// A role is changed only with a tag of its own, because others may use it: who
/// does is shown first. What is wrong already is not changed by opting in, unless the stack's parameter PreExisting
/// says so: it is recorded, and left until `warden apply`. What a later change brings is acted on at once.
#[derive(clap::Args)]
#[command(
    override_usage = "warden opt-in [OPTIONS] <FUNCTION>...\n       warden opt-in [OPTIONS] --role <ROLE>...",
    group(ArgGroup::new("whom").args(["functions", "role"]).required(true).multiple(true)),
    after_help = EXAMPLES
)]
pub(crate) struct OptIn {
    /// The functions, by name or ARN
    #[arg(value_name = "FUNCTION")]
    functions: Vec<String>,

    /// A role, by name or ARN; may be given several times
    #[arg(long, value_name = "ROLE")]
    role: Vec<String>,

    /// What the guards may do
    #[arg(long, value_enum, default_value = "enforce")]
    mode: Mode,

    /// For this guard alone: sets the tag `warden:GUARD` in place of `warden`
    #[arg(long, value_name = "GUARD", value_parser = guards())]
    guard: Option<GuardKind>,

    /// Who owns the functions: copied into every record and event, for routing
    #[arg(long, value_name = "TEXT", value_parser = owner)]
    owner: Option<String>,

    #[command(flatten)]
    consent: Consent,

    #[command(flatten)]
    account: account::Args,
}

const EXAMPLES: &str = "\
Examples:
  warden opt-in pay --mode observe
  warden opt-in pay refunds --owner 'shop team'
  warden opt-in --role pay-role
  warden opt-in pay --guard secrets --mode strip";

/// A mode that one can opt in to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Judge and record; change nothing
    Observe,
    /// Judge, record and put right
    Enforce,
    /// With `--guard secrets`: as `enforce`, but without the layer. The function's code fetches its secrets itself
    Strip,
}

fn guards() -> impl TypedValueParser<Value = GuardKind> {
    let kinds = || GUARDS.iter().map(|guard| guard.kind());
    PossibleValuesParser::new(kinds().map(GuardKind::as_str))
        .try_map(move |word| kinds().find(|kind| kind.as_str() == word).ok_or("no such guard"))
}

fn owner(text: &str) -> Result<String, String> {
    tags::fits(text).map(|()| text.to_owned())
}

impl OptIn {
    pub(crate) async fn run(self) -> anyhow::Result<Exit> {
        if let Some(guard) = self.guard.filter(|guard| *guard != GuardKind::Role)
            && !self.role.is_empty()
        {
            bail!("{} looks at no role: leave out --guard, or opt in the functions by themselves", guard.name());
        }
        if self.mode == Mode::Strip && self.guard != Some(GuardKind::Secrets) {
            bail!("only secret-guard knows the mode strip: say `--guard secrets --mode strip`");
        }
        let caller = Caller::connect(&self.account).await?;
        // Each once, in whatever ways it is named.
        let functions: BTreeSet<FunctionArn> =
            self.functions.iter().map(|function| caller.function(function)).collect::<Result<_, _>>()?;
        let operator = caller.operator().await;
        let operator = operator.map_err(|error| self.without_operator(error, &caller, &functions))?;
        let tags = self.tags();
        let mut asked = operator.guards(&caller).await?;
        asked.retain(|guard| self.guard.is_none_or(|named| named == guard.kind()));
        let mut outlooks = Vec::new();
        for function in &functions {
            let present = tags::read(&caller, function).await?;
            let mut then = present.clone();
            then.extend(tags.iter().cloned());
            let mut found = Vec::new();
            for guard in &asked {
                let resource = Resource::Function(function.clone());
                let outlook = guard.outlook(&operator.aws, &resource, &then, &operator.settings).await?;
                found.extend(outlook.map(|outlook| (guard.kind(), outlook)));
            }
            outlooks.push(Outlook { function, present, then, tags: &tags, found });
        }
        let mut roles = Vec::new();
        for name in self.role.iter().collect::<BTreeSet<_>>() {
            roles.push(role::Outlook::of(&caller, &operator, name, &tags).await?);
        }
        output::plan(|out| {
            outlooks.iter().try_for_each(|outlook| outlook.write(&operator.settings, out))?;
            roles.iter().try_for_each(|outlook| outlook.write(&tags, &operator.settings, out))
        })?;
        let question = if functions.len() + roles.len() == 1 { "Opt it in?" } else { "Opt them in?" };
        if !self.consent.given(&caller.place(), question)? {
            return Ok(Exit::Findings);
        }
        for function in &functions {
            tags::write(&caller, function, &tags).await?;
            output::done(format_args!("{}: opted in.", function.name()));
        }
        for role in &roles {
            role.tag(&caller, &tags).await?;
            output::done(format_args!("{}: opted in.", role.name()));
        }
        Ok(Exit::Fine)
    }

    /// Why nothing can be shown; and how somebody opts in who may tag and not become the operator.
    fn without_operator(
        &self,
        error: anyhow::Error,
        caller: &Caller,
        functions: &BTreeSet<FunctionArn>,
    ) -> anyhow::Error {
        if !error.is::<NoOperator>() {
            return error;
        }
        let commands = self.tag_commands(functions, &caller.home.region).join("\n  ");
        anyhow!(
            "{error}\nWho may tag can opt in without that role, and sees nothing beforehand; begin with `observe`, \
             which changes nothing:\n  {commands}"
        )
    }

    /// What sets the tags with the AWS CLI, for a shell.
    fn tag_commands(&self, functions: &BTreeSet<FunctionArn>, region: &str) -> Vec<String> {
        let quoted = |text: String| shlex::try_quote(&text).map(Cow::into_owned).unwrap_or(text);
        let options = self.account.aws_options(region);
        let tags = self.tags();
        let pairs: Vec<String> = tags.iter().map(|(key, value)| format!("{key}={value}")).collect();
        let pairs = quoted(pairs.join(","));
        let functions = functions
            .iter()
            .map(|function| format!("aws lambda tag-resource --resource {function} --tags {pairs} {options}"));
        let pairs: Vec<String> =
            tags.into_iter().map(|(key, value)| quoted(format!("Key={key},Value={value}"))).collect();
        let roles = self.role.iter().map(|role| {
            let name = quoted(role.rsplit('/').next().unwrap_or(role).to_owned());
            format!("aws iam tag-role --role-name {name} --tags {} {options}", pairs.join(" "))
        });
        functions.chain(roles).collect()
    }

    /// The tags to set.
    fn tags(&self) -> Vec<(String, String)> {
        let key = self.guard.map_or_else(|| "warden".to_owned(), |guard| format!("warden:{guard}"));
        let mode = match self.mode {
            Mode::Observe => "observe",
            Mode::Enforce => "enforce",
            Mode::Strip => "strip",
        };
        let owner = self.owner.iter().map(|owner| ("warden:owner".to_owned(), owner.clone()));
        [(key, mode.to_owned())].into_iter().chain(owner).collect()
    }
}

/// One function as it will be under guard.
struct Outlook<'a> {
    function: &'a FunctionArn,
    present: BTreeMap<String, String>,
    then: BTreeMap<String, String>,
    tags: &'a [(String, String)],
    /// What each guard finds that is there and asked.
    found: Vec<(GuardKind, Found)>,
}

impl Outlook<'_> {
    fn write(&self, settings: &Settings, out: &mut dyn Write) -> io::Result<()> {
        let name = self.function.name();
        writeln!(out, "{}", name.bold())?;
        write_tags(self.tags, &self.present, out)?;
        for (kind, found) in &self.found {
            Then { kind: *kind, tags: &self.then, settings, apply: format!("--function {name}") }.write(found, out)?;
        }
        Ok(())
    }
}

fn write_tags(tags: &[(String, String)], present: &BTreeMap<String, String>, out: &mut dyn Write) -> io::Result<()> {
    for (key, value) in tags {
        let was = present.get(key).map_or_else(|| "not set".to_owned(), |was| format!("`{}`", printable(was)));
        writeln!(out, "  tag `{key}` = `{value}` (was {was})")?;
    }
    Ok(())
}

/// What becomes of findings after the opt-in.
struct Then<'a> {
    kind: GuardKind,
    /// The tags as they will be.
    tags: &'a BTreeMap<String, String>,
    settings: &'a Settings,
    /// How `warden apply` is told what to act on.
    apply: String,
}

impl Then<'_> {
    fn write(&self, outlook: &Found, out: &mut dyn Write) -> io::Result<()> {
        use warden_engine::model::tags::Mode;
        let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
        let opt_in = TagsRead::from_tags(self.tags, self.kind, today);
        for problem in &opt_in.problems {
            writeln!(out, "  {} {}", "mind".yellow(), printable(problem))?;
        }
        for reservation in &outlook.reservations {
            writeln!(out, "  {} {}", "mind".yellow(), printable(reservation))?;
        }
        let how = if opt_in.strip { ", without the layer" } else { "" };
        writeln!(out, "  {}: {}{how}", self.kind.name(), opt_in.mode)?;
        if outlook.found.is_empty() {
            return writeln!(out, "  {}", outlook.nothing_found);
        }
        let mut acted_on = false;
        for (surface, judgement) in &outlook.found {
            for finding in &judgement.findings {
                let severity = output::severity(finding.severity);
                writeln!(out, "  {severity} {} on {surface}: {}", finding.id.bold(), printable(&finding.message))?;
                let exempt = opt_in.exemptions.iter().any(|exemption| exemption.finding == finding.id);
                acted_on |= finding.severity >= self.settings.threshold && !exempt;
            }
            if let Some(why) = &judgement.unclear {
                writeln!(out, "  {} {surface} cannot be judged: {}", "mind".yellow(), printable(why))?;
            }
        }
        let then = match (opt_in.mode, self.settings.pre_existing) {
            (Mode::Enforce, _) if !acted_on => "this is recorded and left as it is".to_owned(),
            (Mode::Enforce, PreExistingPolicy::Withhold) => {
                format!("this is recorded and left as it is until `warden apply {}`", self.apply)
            }
            (Mode::Enforce, PreExistingPolicy::Act) => {
                "this is put right at once: the stack's parameter PreExisting is `act`".to_owned()
            }
            (Mode::Observe, _) => "this is recorded; nothing is changed".to_owned(),
            (Mode::Off, _) => format!("this is left alone: another tag turns {} off", self.kind.name()),
        };
        writeln!(out, "  {then}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    #[derive(Parser)]
    struct Line {
        #[command(flatten)]
        opt_in: OptIn,
    }

    #[test]
    fn whoever_may_tag_and_not_become_the_operator_is_told_how_to_opt_in() {
        #[track_caller]
        fn check(arguments: &[&str], expected: &[&str]) {
            let opt_in = Line::parse_from([&["opt-in"], arguments].concat()).opt_in;
            let functions = opt_in.functions.iter().map(|function| function.parse().unwrap()).collect();
            assert_eq!(opt_in.tag_commands(&functions, "us-east-1"), expected);
        }
        let pay = "arn:aws:lambda:us-east-1:111122223333:function:pay";
        check(
            &[pay, "--mode", "observe"],
            &[&format!("aws lambda tag-resource --resource {pay} --tags 'warden=observe' --region us-east-1")],
        );
        check(
            &["--role", "arn:aws:iam::111122223333:role/team/pay", "--guard", "role", "--owner", "shop team"],
            &["aws iam tag-role --role-name pay --tags 'Key=warden:role,Value=enforce' \
               'Key=warden:owner,Value=shop team' --region us-east-1"],
        );
    }
}
