//! `warden check`: judge documents without any account. Also an interface for other programs, by `--jsonl`.

use crate::{
    exit::Exit,
    output::{self, Format, printable},
};
use anyhow::{Context as _, bail};
use clap::ValueEnum;
use jiff::{Timestamp, civil::Date, tz::TimeZone};
use owo_colors::OwoColorize;
use serde::Serialize;
use serde::de::IgnoredAny;
use std::{
    borrow::Cow,
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, IsTerminal, Read, Write},
    path::{Path, PathBuf},
};
use warden_engine::model::tags::{Exemption, exemptions};
use warden_finding::{Finding, Severity};
use warden_policy::{
    AccountId, Context, Document, OrganizationId, Selection, Statement, TrustedSource, UrlAuth, decode_iam_document,
    function_policy, layer_policy, role_policy, trust_policy,
};
use warden_template::{Found, NotJudged, Report, Word};

mod answer;
mod environment;
mod role;

/// Judge documents without any account
#[derive(clap::Args)]
#[command(after_long_help = EXAMPLES)]
pub(crate) struct Check {
    /// What the documents are
    #[arg(value_enum)]
    kind: Kind,

    /// Files to read; none or `-` is the standard input
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,

    /// Each line of the input is a document, and each line of the output answers the line of the same number
    ///
    /// `{"line":1,"findings":[...]}`, or `{"line":1,"error":"..."}` where the line could not be judged. What of a
    /// template is known only at deployment is listed under `not_judged`. Input of any size is read in constant memory.
    /// Several files are read as one, one after the other.
    #[arg(long)]
    jsonl: bool,

    /// The least severity that is a reason to exit with 1
    ///
    /// All findings are shown. In a template, those of a role that no function of it has, and that Lambda may not
    /// assume, count as medium at most.
    #[arg(long, value_enum, value_name = "SEVERITY", default_value_t = FailOn::High)]
    fail_on: FailOn,

    #[command(flatten)]
    whose: Whose,

    #[command(flatten)]
    output: output::Args,
}

/// Whose account the documents are judged in.
#[derive(clap::Args)]
struct Whose {
    /// The own account
    ///
    /// Without it, the account in a resource policy's own `Resource`. A trust policy does not say whose it is: without
    /// this option, each account in it that is not trusted is an outside one.
    #[arg(long, value_name = "ACCOUNT")]
    account: Option<AccountId>,

    /// The own organisation, `o-...`
    #[arg(long, value_name = "ORGANIZATION")]
    organization: Option<OrganizationId>,

    /// An account that may have access; several by commas or by repeating the option. With a list, any other is a high
    /// finding
    #[arg(long, value_name = "ACCOUNT", value_delimiter = ',')]
    trusted_account: Vec<AccountId>,

    /// Addresses, a VPC, a VPC endpoint, a role or a user that are the own ones, though nothing about them tells
    /// (`198.51.100.0/24`, `vpc-...`, `vpce-...`, `AROA...`, `AIDA...`); several by commas or by repeating the option
    #[arg(long, value_name = "SOURCE", value_delimiter = ',')]
    trusted_source: Vec<TrustedSource>,
}

impl From<Whose> for Context {
    fn from(whose: Whose) -> Self {
        Self {
            account: whose.account,
            organization: whose.organization,
            trusted_accounts: whose.trusted_account.into_iter().collect(),
            trusted_sources: whose.trusted_source.into_iter().collect(),
            ..Self::default()
        }
    }
}

/// From which severity on a finding fails a pipeline.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum FailOn {
    Critical,
    /// What a guard would act on
    High,
    Medium,
    Low,
}

impl From<FailOn> for Severity {
    fn from(fail_on: FailOn) -> Self {
        match fail_on {
            FailOn::Critical => Severity::Critical,
            FailOn::High => Severity::High,
            FailOn::Medium => Severity::Medium,
            FailOn::Low => Severity::Low,
        }
    }
}

/// A kind of document.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Kind {
    /// A policy of a role, inline or managed, judged by itself
    RolePolicy,
    /// The trust policy of a role
    TrustPolicy,
    /// A whole role, `{"name":"...","policies":[...],"trust":{...},"boundary":{...}}`; all but its policies may be left
    /// out, and the answer repeats the name
    Role,
    /// The resource policy of a function, version or alias. Its URL, if there is one, is taken to be open
    FunctionPolicy,
    /// The policy of a layer version
    LayerPolicy,
    /// The environment of a function, an object of names and values; no value is ever printed
    Environment,
    /// A whole CloudFormation template, YAML or JSON, or a plan of `terraform show -json`: its roles, functions and
    /// permissions
    Template,
}

impl Kind {
    /// The longest document that is held in memory, in bytes, and what to say of a longer one. For a policy that is
    /// four times what the judge reads at all; a plan names each resource several times.
    const fn longest(self) -> (usize, &'static str) {
        match self {
            Kind::RolePolicy | Kind::TrustPolicy | Kind::Role | Kind::FunctionPolicy | Kind::LayerPolicy => {
                (1 << 20, "longer than 1 MiB, which no policy is")
            }
            Kind::Environment => (1 << 20, "longer than 1 MiB, which no environment is"),
            Kind::Template => (64 << 20, "longer than 64 MiB, which no template or plan is"),
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  aws lambda get-policy --function-name pay | warden check function-policy
  aws iam get-role-policy --role-name pay --policy-name own | warden check role-policy
  aws iam get-role --role-name pay | warden check trust-policy --account 111122223333
  aws lambda get-function-configuration --function-name pay | warden check environment
  warden check function-policy --trusted-account 111122223333 policies/*.json
  warden check template infra/*.yaml
  terraform plan -out plan && terraform show -json plan | warden check template
  jq -c '.[]' many-policies.json | warden check function-policy --jsonl
  Whole roles of an account, with attached policies and boundaries: docs/check.md has the command.

A policy is an object, or text that holds one, URL-encoded or not, as IAM and Lambda send them. It may stand in the
whole answer of AWS, as above.";

/// What there is to say about one document.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Verdict {
    /// The rules it breaks, and what of a template could not be judged.
    Judged(Report),
    /// The same of a role that was given a name.
    Named {
        name: String,
        #[serde(flatten)]
        report: Report,
    },
    /// The variables that hold a secret.
    Variables {
        #[serde(rename = "findings")]
        variables: Vec<environment::Variable>,
    },
    /// It could not be judged, and why.
    Error {
        #[serde(rename = "error")]
        reason: String,
    },
}

impl Verdict {
    /// The findings as a person is shown them: with the severity that a pipeline goes by.
    fn findings(&self) -> Vec<Cow<'_, Finding>> {
        match self {
            Verdict::Judged(report) => report.findings.iter().map(as_it_counts).collect(),
            Verdict::Named { name, report } => {
                let findings = report.findings.iter().map(as_it_counts);
                let placed = |finding: Cow<'_, Finding>| Finding {
                    at: format!("{name}: {}", finding.at),
                    ..finding.into_owned()
                };
                findings.map(|finding| Cow::Owned(placed(finding))).collect()
            }
            Verdict::Variables { variables } => variables.iter().map(|it| Cow::Owned(it.finding())).collect(),
            Verdict::Error { .. } => Vec::new(),
        }
    }

    /// The worst severity that a pipeline goes by. What is exempt does not count.
    fn worst(&self) -> Option<Severity> {
        match self {
            Verdict::Judged(report) | Verdict::Named { report, .. } => {
                let counted = report.findings.iter().filter(|found| found.exempt_until.is_none());
                counted.map(Found::counts_as).max()
            }
            Verdict::Variables { variables } => variables.iter().map(|it| it.severity).max(),
            Verdict::Error { .. } => None,
        }
    }

    /// Parts of a template that AWS would not accept.
    fn errors(&self) -> &[NotJudged] {
        match self {
            Verdict::Judged(report) | Verdict::Named { report, .. } => &report.errors,
            Verdict::Variables { .. } | Verdict::Error { .. } => &[],
        }
    }

    fn not_judged(&self) -> &[NotJudged] {
        match self {
            Verdict::Judged(report) | Verdict::Named { report, .. } => &report.not_judged,
            Verdict::Variables { .. } | Verdict::Error { .. } => &[],
        }
    }
}

fn as_it_counts(found: &Found) -> Cow<'_, Finding> {
    let (finding, severity) = (&found.finding, found.counts_as());
    if severity == finding.severity && found.exempt_until.is_none() {
        return Cow::Borrowed(finding);
    }
    let mut message = finding.message.clone();
    if severity != finding.severity {
        message.push_str(&format!(", so it counts as {severity} instead of {}", finding.severity));
    }
    if let Some(until) = &found.exempt_until {
        message.push_str(&format!("; exempt until {until}"));
    }
    Cow::Owned(Finding { severity, message, ..finding.clone() })
}

/// The answer to a line.
#[derive(Serialize)]
struct LineAnswer {
    line: u64,
    #[serde(flatten)]
    verdict: Verdict,
}

/// The answer to a file.
#[derive(Serialize)]
struct FileAnswer {
    file: String,
    #[serde(flatten)]
    verdict: Verdict,
}

impl Check {
    pub(crate) fn run(self) -> anyhow::Result<Exit> {
        let judge = Judge { kind: self.kind, context: self.whose.into(), fail_on: self.fail_on.into() };
        let files = if self.files.is_empty() { vec![PathBuf::from("-")] } else { self.files };
        if !self.jsonl {
            return files_one_by_one(&judge, &files, self.output.format());
        }
        if self.output.given().is_some_and(|format| format != Format::Jsonl) {
            bail!("--jsonl answers in JSON lines: leave out --output, or use `--output jsonl`");
        }
        line_by_line(&judge, &files)
    }
}

struct Judge {
    kind: Kind,
    context: Context,
    fail_on: Severity,
}

impl Judge {
    fn verdict(&self, bytes: &[u8]) -> Verdict {
        self.answer(bytes).unwrap_or_else(|reason| Verdict::Error { reason })
    }

    /// Whether the first line of a file is a part of a longer document. A template may be YAML, whose first line can
    /// be one by itself; IAM's URL-encoded text is none of JSON either.
    fn is_no_line(&self, line: &[u8], verdict: &Verdict) -> bool {
        let is_refused = self.kind == Kind::Template || matches!(verdict, Verdict::Error { .. });
        let is_empty = line.iter().all(u8::is_ascii_whitespace);
        is_refused && !is_empty && serde_json::from_slice::<IgnoredAny>(line).is_err()
    }

    fn answer(&self, bytes: &[u8]) -> Result<Verdict, String> {
        // A plan of `terraform plan -out` is an archive of that kind, which may well be text by chance.
        if self.kind == Kind::Template && bytes.starts_with(b"PK\x03\x04") {
            let archive = "this is an archive, as `terraform plan -out` writes it: `terraform show -json FILE | warden \
                           check template` judges the plan in it";
            return Err(archive.to_owned());
        }
        let text = std::str::from_utf8(bytes).map_err(|error| {
            format!("not UTF-8: the byte at column {} begins no character", error.valid_up_to() + 1)
        })?;
        if text.trim().is_empty() {
            return Err("there is no document".to_owned());
        }
        let context = &self.context;
        match self.kind {
            Kind::RolePolicy => policy(text, warden_policy::Kind::Identity, |it| role_policy::judge(it, context)),
            Kind::TrustPolicy => policy(text, warden_policy::Kind::Trust, |it| trust_policy::judge(it, context)),
            Kind::Role => role::judge(&json_text(text)?, context),
            Kind::FunctionPolicy => {
                resource_policy(text, "function", |it| function_policy::judge(it, context, UrlAuth::Unknown))
            }
            Kind::LayerPolicy => resource_policy(text, "layer", |it| layer_policy::judge(it, context)),
            Kind::Environment => environment::judge(text).map(|variables| Verdict::Variables { variables }),
            Kind::Template => template(text, context).map(Verdict::Judged),
        }
    }
}

fn policy(
    text: &str,
    kind: warden_policy::Kind,
    judge: impl FnOnce(&Document<'_>) -> Vec<Finding>,
) -> Result<Verdict, String> {
    with_policy(text, kind, |document| findings(judge(document)))
}

/// Judges the policy of a `function` or a `layer`. One of the other kind would be judged by the wrong rules.
fn resource_policy(text: &str, of: &str, judge: impl FnOnce(&Document<'_>) -> Vec<Finding>) -> Result<Verdict, String> {
    with_policy(text, warden_policy::Kind::Resource, |document| {
        let other = if of == "layer" { "function" } else { "layer" };
        // `arn:aws:lambda:us-east-1:111122223333:layer:tools:1`
        let is_of_other = |arn: &str| {
            let mut parts = arn.split(':');
            parts.nth(2) == Some("lambda") && parts.nth(2) == Some(other)
        };
        let names_other = |statement: &Statement<'_>| match &statement.resources {
            Some(Selection::Only(named)) => named.iter().any(is_of_other),
            Some(Selection::Except(_)) | None => false,
        };
        if document.statements.iter().any(names_other) {
            return Err(format!("this is a {other}'s policy: check it as `{other}-policy`"));
        }
        Ok(findings(judge(document)))
    })?
}

/// Reads a policy, which may stand in an answer of AWS.
fn with_policy<T>(text: &str, kind: warden_policy::Kind, then: impl FnOnce(&Document<'_>) -> T) -> Result<T, String> {
    let text = json_text(text)?;
    let error = match Document::parse(&text, kind) {
        Ok(document) => return Ok(then(&document)),
        Err(error) => error,
    };
    match answer::policy(&text, kind) {
        Some(part) => {
            let part = part?;
            let place = |reason: String| format!("{}: {reason}", part.path);
            let text = json_text(part.json).map_err(place)?;
            Document::parse(&text, kind).map(|document| then(&document)).map_err(|error| place(error.to_string()))
        }
        None => Err(not_an_object(&text, "a policy").unwrap_or_else(|| error.to_string())),
    }
}

/// Why what does not begin like an object is none, without a word of it.
fn not_an_object(text: &str, noun: &str) -> Option<String> {
    match text.trim_start().chars().next()? {
        '{' => None,
        '[' => Some(format!("a list is not {noun}: `jq -c '.[]'` makes a line of each part, for --jsonl")),
        _ if text.trim() == "null" => {
            Some(format!("`null` is not {noun}: perhaps there is none where it was taken from"))
        }
        _ => Some(format!("this is not JSON: {noun} is an object, which begins with `{{`")),
    }
}

/// Judges a template or a plan, which may stand in an answer of AWS.
fn template(text: &str, context: &Context) -> Result<Report, String> {
    // YAML may begin with a quoted key.
    let today = Timestamp::now().to_zoned(TimeZone::UTC).date();
    let judge = |text| {
        let text = plain_text(text).unwrap_or(Cow::Borrowed(text));
        warden_template::judge(&text, context, &|tag| exempt_words(tag, today))
    };
    judge(text).or_else(|error| match answer::template(text) {
        Some(part) => judge(part?.json).map_err(|error| format!("TemplateBody: {error}")),
        None => Err(error.to_string()),
    })
}

/// A tag `warden:exempt` as the guards read it. A word that is about no finding says nothing of one.
fn exempt_words(tag: &str, today: Date) -> Vec<Word> {
    let read = |(word, read): (&str, Result<Exemption, _>)| match read {
        Ok(exemption) => Some((exemption.finding, Ok(exemption.until.to_string()))),
        Err(why) => Some((word.split('@').next()?.parse().ok()?, Err(why))),
    };
    exemptions(tag, today).filter_map(read).collect()
}

fn findings(findings: Vec<Finding>) -> Verdict {
    Verdict::Judged(report(findings))
}

fn report(findings: Vec<Finding>) -> Report {
    Report { findings: findings.into_iter().map(Found::from).collect(), ..Report::default() }
}

/// The text of a document, or of a JSON string that holds it.
fn plain_text(document: &str) -> Result<Cow<'_, str>, String> {
    if !document.trim_start().starts_with('"') {
        return Ok(Cow::Borrowed(document));
    }
    serde_json::from_str(document).map(Cow::Owned).map_err(|error| error.to_string())
}

/// The JSON of a document that AWS may have wrapped: Lambda answers with a policy as text, IAM with URL-encoded text.
fn json_text(document: &str) -> Result<Cow<'_, str>, String> {
    match plain_text(document)? {
        Cow::Borrowed(text) => decode_iam_document(text).map_err(|error| error.to_string()),
        Cow::Owned(text) => {
            let decoded = decode_iam_document(&text).map_err(|error| error.to_string())?;
            Ok(Cow::Owned(decoded.into_owned()))
        }
    }
}

/// The worst that was met so far.
struct Tally {
    fail_on: Severity,
    findings: bool,
    errors: bool,
}

impl Tally {
    const fn new(fail_on: Severity) -> Self {
        Self { fail_on, findings: false, errors: false }
    }

    fn add(&mut self, verdict: &Verdict) {
        self.findings |= verdict.worst() >= Some(self.fail_on);
        self.errors |= matches!(verdict, Verdict::Error { .. }) || !verdict.errors().is_empty();
    }

    const fn exit(&self) -> Exit {
        match (self.errors, self.findings) {
            (true, _) => Exit::Failed,
            (false, true) => Exit::Findings,
            (false, false) => Exit::Fine,
        }
    }
}

fn line_by_line(judge: &Judge, files: &[PathBuf]) -> anyhow::Result<Exit> {
    let (longest, too_long) = judge.kind.longest();
    let mut out = BufWriter::new(io::stdout().lock());
    let mut tally = Tally::new(judge.fail_on);
    let mut line = 0;
    let mut bytes = Vec::new();
    for file in files {
        let mut input = BufReader::with_capacity(1 << 16, open(file)?);
        let reading = || format!("reading {}", name(file));
        let mut first = true;
        while let Some(length) = next_line(&mut input, &mut bytes, longest).with_context(reading)? {
            line += 1;
            let document = if first { without_byte_order_mark(&bytes) } else { &bytes };
            let verdict = match length {
                Length::Whole => judge.verdict(document),
                Length::TooLong => Verdict::Error { reason: too_long.to_owned() },
            };
            // A program that writes to the standard input gets an answer to each line, whatever it is.
            if first && !is_standard_input(file) && judge.is_no_line(document, &verdict) {
                let name = printable(&name(file)).into_owned();
                bail!(
                    "--jsonl takes one JSON document a line, and the first line of {name} is none: leave out --jsonl"
                );
            }
            first = false;
            tally.add(&verdict);
            serde_json::to_writer(&mut out, &LineAnswer { line, verdict }).map_err(io::Error::from)?;
            out.write_all(b"\n")?;
            // A program that waits for this answer before it writes its next line gets it now.
            if input.buffer().is_empty() {
                out.flush()?;
            }
        }
    }
    out.flush()?;
    // A command that failed before it in a pipe writes nothing, which must not look like a judgement.
    if line == 0 {
        bail!("the input is empty, so nothing was judged");
    }
    Ok(tally.exit())
}

enum Length {
    Whole,
    TooLong,
}

/// The next line into `line`, without holding more than `longest` of it; nothing at the end.
fn next_line(input: &mut impl BufRead, line: &mut Vec<u8>, longest: usize) -> io::Result<Option<Length>> {
    line.clear();
    let read = input.by_ref().take(longest as u64 + 1).read_until(b'\n', line)?;
    if line.last() == Some(&b'\n') {
        line.pop();
    } else if read > longest {
        input.skip_until(b'\n')?;
        return Ok(Some(Length::TooLong));
    }
    Ok((read > 0).then_some(Length::Whole))
}

fn files_one_by_one(judge: &Judge, files: &[PathBuf], format: Format) -> anyhow::Result<Exit> {
    if files.iter().any(|file| is_standard_input(file)) && io::stdin().is_terminal() {
        output::note("Reading a document from the standard input; Ctrl-D ends it.");
    }
    let (longest, too_long) = judge.kind.longest();
    let answer = |file: &PathBuf| FileAnswer {
        file: name(file),
        verdict: match whole(file, longest) {
            Ok(bytes) if bytes.len() > longest => Verdict::Error { reason: too_long.to_owned() },
            Ok(bytes) => judge.verdict(without_byte_order_mark(&bytes)),
            Err(error) => Verdict::Error { reason: format!("{error:#}") },
        },
    };
    let answers: Vec<FileAnswer> = files.iter().map(answer).collect();
    let mut tally = Tally::new(judge.fail_on);
    answers.iter().for_each(|answer| tally.add(&answer.verdict));
    output::list(format, &answers, |answers, out| show(answers, judge.fail_on, out))?;
    if format == Format::Table {
        for FileAnswer { file, verdict } in &answers {
            let error = |at: &str, why: &str| {
                output::note(format_args!("{} {}: {}", "error:".red().bold(), printable(at), printable(why)));
            };
            if let Verdict::Error { reason } = verdict {
                error(file, reason);
            }
            for NotJudged { at, why } in verdict.errors() {
                error(&format!("{file}: {at}"), why);
            }
        }
    }
    Ok(tally.exit())
}

/// The findings of all files as one table, the worst first, what could not be judged, and a summary.
fn show(answers: &[FileAnswer], fail_on: Severity, out: &mut dyn Write) -> io::Result<()> {
    let several = answers.len() > 1;
    let place = |file: &str, at: &str| {
        let place = if several { format!("{file}: {at}") } else { at.to_owned() };
        printable(&place).into_owned()
    };
    let mut findings: Vec<_> = answers
        .iter()
        .flat_map(|it| it.verdict.findings().into_iter().map(move |finding| (&it.file, finding)))
        .collect();
    findings.sort_by_key(|(_, finding)| std::cmp::Reverse(finding.severity));
    if !findings.is_empty() {
        let mut table = output::table(&["Severity", "Finding", "Where", "What"]);
        for (file, finding) in &findings {
            table.add_row([
                output::severity_cell(finding.severity),
                finding.id.as_str().into(),
                place(file, &finding.at).into(),
                printable(&finding.message).into_owned().into(),
            ]);
        }
        writeln!(out, "{}\n", table.trim_fmt())?;
    }
    let not_judged: Vec<_> =
        answers.iter().flat_map(|it| it.verdict.not_judged().iter().map(move |note| (&it.file, note))).collect();
    if !not_judged.is_empty() {
        let mut table = output::table(&["Not judged", "Why"]);
        for (file, note) in not_judged {
            table.add_row([place(file, &note.at), printable(&note.why).into_owned()]);
        }
        writeln!(out, "{}\n", table.trim_fmt())?;
    }
    let judged = answers.iter().filter(|it| !matches!(it.verdict, Verdict::Error { .. })).count();
    if judged == 0 {
        return writeln!(out, "Nothing was judged.");
    }
    writeln!(out, "{} in {}.", counted(findings.len(), "finding"), counted(judged, "document"))?;
    if let Some((_, worst)) = findings.first() {
        let counted = answers.iter().filter_map(|it| it.verdict.worst()).max();
        if worst.severity < fail_on {
            writeln!(out, "No finding is {fail_on} or above, so none fails a pipeline (`--fail-on`).")?;
        } else if counted < Some(fail_on) {
            writeln!(out, "Only what is exempt is {fail_on} or above, so no finding fails a pipeline (`--fail-on`).")?;
        }
        writeln!(out, "`warden explain {}` says what to do.", worst.id)?;
    }
    Ok(())
}

fn counted(number: usize, noun: &str) -> String {
    match number {
        0 => format!("No {noun}s"),
        1 => format!("1 {noun}"),
        _ => format!("{number} {noun}s"),
    }
}

fn is_standard_input(file: &Path) -> bool {
    file == Path::new("-")
}

fn name(file: &Path) -> String {
    if is_standard_input(file) { "standard input".to_owned() } else { file.display().to_string() }
}

fn open(file: &Path) -> anyhow::Result<Box<dyn Read>> {
    if is_standard_input(file) {
        return Ok(Box::new(io::stdin().lock()));
    }
    let opened = File::open(file).with_context(|| format!("opening {}", file.display()))?;
    Ok(Box::new(opened))
}

/// A file's content, or a little more than `longest` of it.
fn whole(file: &Path, longest: usize) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    open(file)?.take(longest as u64 + 1).read_to_end(&mut bytes).context("reading it")?;
    Ok(bytes)
}

/// Editors on Windows begin a file with a mark that is no part of its text.
fn without_byte_order_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix("\u{feff}".as_bytes()).unwrap_or(bytes)
}
