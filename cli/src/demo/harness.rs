//! The local account with Warden in it, and what the spectator sees of it.

use crate::output::note;
use anyhow::Context;
use aws_sdk_lambda::Client;
use indicatif::{ProgressBar, ProgressStyle};
use owo_colors::OwoColorize;
use std::{
    collections::{BTreeMap, HashMap},
    io::{self, IsTerminal, Write},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};
use warden_aws::{Aws, Deployment};
use warden_engine::{
    ledger::record::{Record, Step},
    model::{settings::Settings, surface::Resource},
    name::lambda::{FunctionArn, Home},
};
use warden_guards::names;
use warden_sandbox::{ACCOUNT, ApiCall, Options, Sandbox, Stack, build_guards, round_trips, workspace};

/// What a call within a Region takes.
const LATENCY: Duration = Duration::from_millis(10);
/// How long the guards are waited for. It ends a demo that hangs, and not one on a machine that is busy with other
/// things: there half a minute was too short for what takes a second otherwise.
const PATIENCE: Duration = Duration::from_mins(10);

/// What every scene plays on.
pub(crate) struct Harness {
    pub(crate) sandbox: Sandbox,
    /// The clients of the one who attacks: an ordinary user of the account.
    pub(crate) lambda: Client,
    pub(crate) iam: aws_sdk_iam::Client,
    /// The ledger, read and written as the operator role.
    pub(crate) operator: Aws,
    pub(crate) settings: Settings,
    began: Instant,
}

impl Harness {
    /// Builds the guards, starts the account and deploys the template.
    pub(crate) async fn set() -> anyhow::Result<Harness> {
        let began = Instant::now();
        let bar = progress();
        let step = |what: &str| show(&bar, what);
        step("Building the guards (the first time takes minutes)");
        let build = {
            let bar = bar.clone();
            move || build_guards(&workspace(), &[&names()[..], &["secret-env"]].concat(), &|text| show(&bar, text))
        };
        let binaries = tokio::task::spawn_blocking(build).await??;
        let [guards @ .., layer] = binaries.as_slice() else { anyhow::bail!("cargo built nothing") };
        let guards: Vec<(&str, &Path)> = names().into_iter().zip(guards.iter().map(PathBuf::as_path)).collect();

        let bar_of_sandbox = bar.clone();
        let progress: Arc<dyn Fn(&str) + Send + Sync> = Arc::new(move |text| show(&bar_of_sandbox, text));
        let sandbox = Sandbox::start(Options { progress, ..Options::default() }).await?;
        step("Deploying infra/warden.yaml");
        let template = workspace().join("infra/warden.yaml");
        let parameters = [("LayerMode", "enforce"), ("LayerNames", "sentishop-*"), ("LeaseSeconds", "5")];
        let stack = Stack {
            name: "lambda-warden",
            template: &template,
            parameters: &parameters,
            guards: &guards,
            layer: Some(layer),
        };
        sandbox.deploy(&stack).await?;
        // As the README has it: the ledger's deletion protection comes with the second deployment.
        let parameters = [&parameters[..], &[("ProtectLedger", "on")]].concat();
        let again = Stack { parameters: &parameters, guards: &[], layer: None, ..stack };
        let outputs: HashMap<String, String> = sandbox.deploy(&again).await?.into_iter().collect();
        bar.finish_and_clear();
        // A network's delay on every call. In lockstep, those that are waited for together count as one round trip.
        sandbox.trail().faults().latency(LATENCY);
        sandbox.trail().in_lockstep(true);
        let output = |name: &str| outputs.get(name).cloned().with_context(|| format!("the stack has no output {name}"));
        let deployment = Deployment {
            table: output("Table")?,
            bus: "warden".to_owned(),
            key: output("ProofKey")?,
            hash_key: output("HashKey")?,
            seal_key: output("SealKey")?,
            queue: None,
        };
        let credentials = sandbox.session(&output("OperatorRole")?, "demo").await?;
        let operator = Aws::new(sandbox.config_as(credentials, sandbox.region()), deployment);
        let home = Home { partition: "aws".parse()?, region: sandbox.region().to_owned(), account: ACCOUNT.parse()? };
        let settings = Settings::read(home, |name| (name == "WARDEN_LEASE_SECONDS").then(|| "5".to_owned()))?;
        let lambda = Client::new(&sandbox.config());
        let iam = aws_sdk_iam::Client::new(&sandbox.config());
        say(&format!(
            "{} A local AWS account is running, with Warden deployed from infra/warden.yaml ({:.1} s). Each AWS call \
             takes {} ms more.",
            "✓".green().bold(),
            began.elapsed().as_secs_f64(),
            LATENCY.as_millis()
        ))?;
        Ok(Harness { sandbox, lambda, iam, operator, settings, began })
    }

    pub(crate) fn function(&self, name: &str) -> anyhow::Result<Resource> {
        Ok(Resource::Function(FunctionArn::resolve(name, &self.settings.home)?.0))
    }

    /// All records of a resource.
    pub(crate) async fn records(&self, resource: &Resource) -> anyhow::Result<Vec<Record>> {
        Ok(self.operator.chain(resource).await?.0.into_iter().map(|stored| stored.record).collect())
    }

    /// Waits until every guard is done with what has happened so far.
    pub(crate) async fn settle(&self) -> anyhow::Result<()> {
        Ok(self.sandbox.trail().settle(PATIENCE).await?)
    }

    /// Opens a scene: what is about to happen, from here on.
    pub(crate) fn scene(&self, title: &str) -> anyhow::Result<Scene<'_>> {
        say(&format!("\n{} {}", "▶".red().bold(), title.bold()))?;
        Ok(Scene { harness: self, since: self.sandbox.trail().calls().len() })
    }

    /// Leaves the account running until Ctrl-C.
    pub(crate) async fn keep(&self) -> anyhow::Result<()> {
        let endpoint = self.sandbox.endpoint();
        let administrator = self.sandbox.administrator();
        say(&format!("\n{} The account stays until Ctrl-C. In another terminal:\n", "✓".green().bold()))?;
        say(&format!(
            "  export AWS_ENDPOINT_URL={endpoint} AWS_REGION={} AWS_DEFAULT_REGION={}\n  export AWS_ACCESS_KEY_ID={} \
             AWS_SECRET_ACCESS_KEY={}\n",
            self.sandbox.region(),
            self.sandbox.region(),
            administrator.access_key_id(),
            // The sandbox's own key, made up for this run: it opens nothing but this account on 127.0.0.1.
            administrator.secret_access_key(),
        ))?;
        say(
            "  aws lambda add-permission --function-name payment-gateway --statement-id open --principal '*' --action \
             lambda:InvokeFunction",
        )?;
        say("  aws lambda get-policy --function-name payment-gateway")?;
        say("  cargo run -q -- audit")?;
        say(
            "\n  The account runs functions without their layers' wrappers: invoked there, checkout finds references \
             in place of its secrets. On AWS\n  \
             its layer puts the values back before its code starts, as was shown above under AWS's own runtime client.",
        )?;
        tokio::signal::ctrl_c().await?;
        Ok(())
    }

    /// Ends the account.
    pub(crate) async fn leave(self) -> anyhow::Result<()> {
        let seconds = self.began.elapsed().as_secs();
        self.sandbox.stop().await;
        say(&format!("\n{} Done in {seconds} s. Nothing is left running.", "✓".green().bold()))?;
        Ok(())
    }
}

/// One attack and what becomes of it.
pub(crate) struct Scene<'a> {
    harness: &'a Harness,
    /// How many calls there were before.
    since: usize,
}

impl Scene<'_> {
    /// Waits for the guards, then shows what they did to `resource` since the scene began. Returns whether they did
    /// `expected`.
    pub(crate) async fn ends(self, resource: &Resource, expected: &[Step]) -> anyhow::Result<bool> {
        self.harness.settle().await?;
        let calls = self.harness.sandbox.trail().calls().split_off(self.since);
        let attack = calls.iter().rfind(|call| call.invocation.is_none() && is_change(call));
        let attacked = attack.map(|call| call.started).unwrap_or_default();
        let began = calls.first().map(|call| call.started).unwrap_or_default();
        let records = self.harness.records(resource).await?;
        // Records carry wall-clock times, calls the sandbox's own: the count of this scene's invocations tells which
        // are new.
        let invocations = by_invocation(&calls);
        let new: Vec<&Record> = records
            .iter()
            .filter(|record| since(record, self.harness, began))
            .filter(|record| !matches!(record.entry.step, Step::OptedIn))
            .collect();
        for record in &new {
            let entry = &record.entry;
            let findings: Vec<String> =
                entry.findings.iter().map(|finding| format!("{} ({})", finding.id, finding.severity)).collect();
            let surface = entry.surface.as_ref().map(ToString::to_string).unwrap_or_default();
            let what = match entry.step {
                Step::Applied => {
                    let made: Vec<String> = entry.changes.iter().map(|change| change.call().to_string()).collect();
                    format!("{} {surface}: {}", "put right".green().bold(), made.join(", "))
                }
                Step::Observed => format!("{} {surface}: reported, not changed", "observed".yellow().bold()),
                Step::Withheld => format!("{} {surface}", "withheld".yellow().bold()),
                Step::Planned
                | Step::Failed
                | Step::Undone
                | Step::Rotated
                | Step::Accepted
                | Step::Withdrawn
                | Step::OptedIn
                | Step::OptedOut
                | Step::Paused
                | Step::Resumed => continue,
            };
            say(&format!("  {what}"))?;
            say(&format!("    {}", findings.join(", ").dimmed()))?;
        }
        let closed =
            calls.iter().filter(|call| call.invocation.is_some() && is_change(call)).map(|call| call.ended).max();
        let trips: Vec<String> = invocations.values().map(|calls| trips(calls).to_string()).collect();
        let trips = match trips.len() {
            0 => "no guard ran".to_owned(),
            1 if trips.first().is_some_and(|trips| trips == "1") => "1 round trip".to_owned(),
            _ => format!("{} round trips in sequence", trips.join(" and ")),
        };
        let by_operator = calls.iter().any(|call| call.by_role("warden-operator") && is_change(call));
        match closed {
            None if by_operator => {
                say(&format!(
                    "    {} {} {}",
                    "done by the operator".cyan(),
                    "·".dimmed(),
                    format!("the guard looked: {trips}").dimmed()
                ))?;
            }
            Some(closed) => say(&format!(
                "    {} {} {}",
                format!("closed {} ms after the change", closed.saturating_sub(attacked).as_millis()).cyan(),
                "·".dimmed(),
                trips.dimmed()
            ))?,
            None => say(&format!("    {} {} {}", "nothing was changed".cyan(), "·".dimmed(), trips.dimmed()))?,
        }
        let steps: Vec<Step> =
            new.iter().map(|record| record.entry.step).filter(|step| *step != Step::Planned).collect();
        let as_expected = steps == expected;
        if !as_expected {
            let (expected, steps) = (words(expected), words(&steps));
            say(&format!("  {} expected {expected}, and the ledger says {steps}", "✗".red().bold()))?;
        }
        Ok(as_expected)
    }
}

fn words(steps: &[Step]) -> String {
    match steps {
        [] => "nothing".to_owned(),
        steps => steps.iter().map(Step::to_string).collect::<Vec<_>>().join(", "),
    }
}

/// Whether a record is younger than a time on the sandbox's clock.
fn since(record: &Record, harness: &Harness, began: Duration) -> bool {
    let ago = harness.sandbox.trail().now().saturating_sub(began);
    let age = jiff::Timestamp::now().duration_since(record.time);
    Duration::try_from(age).unwrap_or_default() <= ago
}

fn by_invocation(calls: &[ApiCall]) -> BTreeMap<String, Vec<&ApiCall>> {
    let mut invocations: BTreeMap<String, Vec<&ApiCall>> = BTreeMap::new();
    for call in calls {
        if let Some(invocation) = &call.invocation {
            invocations.entry(format!("{invocation:?}")).or_default().push(call);
        }
    }
    invocations
}

/// Round trips from the event to the outcome: what is sent out after the last commit does not count.
fn trips(calls: &[&ApiCall]) -> usize {
    let last = calls.iter().rposition(|call| call.operation == "TransactWriteItems");
    let until = last.map_or(calls.len(), |last| last + 1);
    round_trips(calls.iter().take(until).copied())
}

fn is_change(call: &ApiCall) -> bool {
    ["lambda", "iam"].contains(&call.service.as_str())
        && !call.operation.starts_with("Get")
        && !call.operation.starts_with("List")
}

/// One line to the spectator.
///
/// # Errors
/// Nobody looks any more.
pub(crate) fn say(line: &str) -> io::Result<()> {
    writeln!(anstream::stdout(), "{line}")
}

fn progress() -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new_spinner().with_style(
        ProgressStyle::with_template("{spinner:.cyan} {wide_msg} {elapsed:>4}")
            .unwrap_or_else(|_| ProgressStyle::default_spinner()),
    );
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Where there is no terminal to draw a bar on, each step is a line.
fn show(bar: &ProgressBar, what: &str) {
    if bar.is_hidden() {
        note(format_args!("  {what}"));
    } else {
        bar.set_message(what.to_owned());
    }
}
