//! How a command reaches the account: as the caller, with the credentials of every AWS tool, and as the operator,
//! through the stack's operator role. What reads or changes anything of Warden's goes through the operator; tags of
//! functions are read and tags are set by the caller.

mod profile;

use crate::output::printable;
use anyhow::{Chain, Context, anyhow, bail};
use aws_config::{BehaviorVersion, Region};
use aws_credential_types::{
    Credentials,
    provider::{ProvideCredentials, SharedCredentialsProvider},
};
use aws_sdk_sts::error::{ErrorMetadata, ProvideErrorMetadata, SdkError};
use aws_smithy_http_client::{
    Builder,
    tls::{Provider, TlsContext, TrustStore, rustls_provider::CryptoMode},
};
use aws_types::SdkConfig;
use futures::future;
use jiff::Timestamp;
use std::{collections::BTreeSet, env, error::Error, fmt, fs};
use warden_aws::{Aws, Deployment};
use warden_engine::{
    model::{cloudtrail::Cause, settings::Settings},
    name::lambda::{FunctionArn, Home},
};
use warden_guards::{AnyGuard, GUARDS};
use warden_policy::AccountId;

/// Where the account is and who asks, for every command that reaches one.
#[derive(Clone, Debug, clap::Args)]
#[command(next_help_heading = "Account")]
#[group(id = "account-options")]
pub(crate) struct Args {
    /// The profile of the AWS configuration to use, whatever the environment says
    ///
    /// It goes before AWS_ACCESS_KEY_ID and before AWS_PROFILE. Without it, as in the AWS CLI: AWS_ACCESS_KEY_ID goes
    /// before AWS_PROFILE, and that before AWS_DEFAULT_PROFILE. A profile that does not exist is an error, wherever its
    /// name comes from.
    #[arg(long, value_name = "NAME")]
    profile: Option<String>,

    /// The Region that the stack is deployed in [default: AWS_REGION, or the profile's]
    #[arg(long, value_name = "REGION")]
    region: Option<String>,

    /// The stack's parameter Prefix, with which the names of everything in it begin
    #[arg(long, env = "WARDEN_PREFIX", default_value = "warden", value_name = "PREFIX", value_parser = prefix)]
    prefix: String,

    /// The name to be recorded under; needed only where your session has a source identity already [default: your own]
    ///
    /// AWS does not tell what a session's source identity is, so this is also for somebody who is in the operator role
    /// before the command starts: the session's name is recorded otherwise.
    #[arg(long, value_name = "NAME", value_parser = source_identity)]
    source_identity: Option<String>,
}

impl Args {
    /// The options that have a command of the AWS CLI go to the same account, quoted for a shell.
    pub(crate) fn aws_options(&self, region: &str) -> String {
        let profile = self.profile.as_deref().and_then(|name| shlex::try_quote(name).ok());
        profile.map_or_else(|| format!("--region {region}"), |name| format!("--region {region} --profile {name}"))
    }
}

fn prefix(text: &str) -> Result<String, String> {
    let fits = (2..=24).contains(&text.len())
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    if fits {
        Ok(text.to_owned())
    } else {
        Err("2 to 24 lower-case letters, digits and hyphens, a letter first".into())
    }
}

fn source_identity(text: &str) -> Result<String, String> {
    let clean = operator_name(text);
    if clean == text { Ok(clean) } else { Err("2 to 64 letters, digits or any of _ + = , . @ -".into()) }
}

/// Whoever runs the command, with their own permissions.
#[derive(Debug)]
pub(crate) struct Caller {
    config: SdkConfig,
    prefix: String,
    /// The account, and the Region the stack is looked for in.
    pub(crate) home: Home,
    /// Who it is, as AWS says.
    arn: String,
    /// The source identity of the operator's session.
    name: String,
}

impl Caller {
    /// Finds credentials and Region, and asks AWS whose they are.
    ///
    /// # Errors
    /// What is missing, and where to set it.
    pub(crate) async fn connect(args: &Args) -> anyhow::Result<Caller> {
        let profile = profile::named(args.profile.as_deref()).await?;
        let http_client = http_client()?;
        let mut loader = aws_config::defaults(BehaviorVersion::latest()).http_client(http_client.clone());
        if let Some(profile) = &profile {
            loader = loader.profile_name(&profile.name);
        }
        if let Some(region) = &args.region {
            loader = loader.region(Region::new(region.clone()));
        }
        let mut config = loader.load().await;
        let Some(region) = config.region().map(ToString::to_string).filter(|region| !region.is_empty()) else {
            bail!("no Region: use --region or AWS_REGION, or a profile that has one, for the Region of Warden's stack");
        };
        if let Some(name) = &args.profile {
            let alone = profile::credentials(name, &config, http_client);
            config = config.into_builder().credentials_provider(alone).build();
        }
        let credentials =
            config.credentials_provider().with_context(|| format!("no AWS credentials: {GIVE_CREDENTIALS}"))?;
        if let Err(error) = credentials.provide_credentials().await {
            return Err(profile::Profile::without_credentials(profile.as_ref(), &error));
        }
        let identity = aws_sdk_sts::Client::new(&config).get_caller_identity().send().await;
        let identity = identity.map_err(|error| {
            let whose = profile.as_ref().filter(|profile| profile.used).map(ToString::to_string);
            anyhow!(
                "AWS does not say in {region} whose credentials these are: {}; look whether {} and the Region are \
                 those that you mean",
                said(&error),
                whose.as_deref().unwrap_or("the keys in the environment")
            )
        })?;
        let arn = identity.arn.context("AWS names no caller")?;
        let partition = arn.split(':').nth(1).unwrap_or_default();
        let home = Home {
            partition: partition.parse().map_err(|_| anyhow!("`{partition}` is no partition of AWS"))?,
            region,
            account: identity.account.unwrap_or_default().parse().context("AWS names no account")?,
        };
        let name = args.source_identity.clone().unwrap_or_else(|| operator_name(&arn));
        Ok(Caller { config, prefix: args.prefix.clone(), home, arn, name })
    }

    /// A function by its name or ARN; a name is one of the Region.
    ///
    /// # Errors
    /// The text is neither, or names a function that the stack of this account and Region does not guard.
    pub(crate) fn function(&self, text: &str) -> anyhow::Result<FunctionArn> {
        let (function, qualifier) = FunctionArn::resolve(text, &self.home)?;
        if qualifier.is_some() {
            bail!(
                "name the function `{}` without a version or an alias: tags and guards are the whole function's",
                function.name()
            );
        }
        if *function.account() != self.home.account {
            bail!("`{function}` belongs to another account than your credentials ({})", self.home.account);
        }
        if function.region() != self.home.region {
            let (its, home) = (function.region(), &self.home.region);
            bail!(
                "`{function}` is in {its}, and Warden's stack is looked for in {home}: a stack guards the functions of \
                 its own Region alone. Use --region {its} if a stack is deployed there; otherwise no guard looks at \
                 this function"
            );
        }
        Ok(function)
    }

    /// The audit log group that the stack makes.
    pub(crate) fn audit_log(&self) -> String {
        format!("/{}/audit", self.prefix)
    }

    /// What a command is about to change with the caller's own permissions.
    pub(crate) fn place(&self) -> Place<'_> {
        Place { account: self.home.account, regions: BTreeSet::from([self.home.region.as_str()]), arn: &self.arn }
    }

    /// A Lambda client with the caller's own permissions.
    pub(crate) fn lambda(&self, region: &str) -> aws_sdk_lambda::Client {
        let config = self.config.clone().into_builder().region(Region::new(region.to_owned())).build();
        aws_sdk_lambda::Client::new(&config)
    }

    /// A client of IAM with the caller's own permissions.
    pub(crate) fn iam(&self) -> aws_sdk_iam::Client {
        aws_sdk_iam::Client::new(&self.config)
    }

    /// Becomes the stack's operator, and reads the settings that the guards work by.
    ///
    /// # Errors
    /// Why not, and what to do about it: [`NoOperator`] where AWS does not let the caller become it.
    pub(crate) async fn operator(&self) -> anyhow::Result<Operator> {
        let Caller { prefix, home, .. } = self;
        let role = format!("{prefix}-operator");
        let is_operator = self.arn.contains(&format!(":assumed-role/{role}/"));
        let config = if is_operator { self.config.clone() } else { self.assume(&role).await? };
        let guard = format!("{prefix}-access-guard");
        let found =
            aws_sdk_lambda::Client::new(&config).get_function_configuration().function_name(&guard).send().await;
        let found = found.map_err(|error| {
            let unseen = "use --region or AWS_REGION for the Region that it is deployed in";
            match error.as_service_error() {
                Some(gone) if gone.is_resource_not_found_exception() => anyhow!(
                    "no Warden stack seen in {}: {unseen}, or --prefix for its Prefix if that is not `{prefix}`, or \
                     deploy it; there is no function `{guard}`",
                    home.region
                ),
                // The operator's role may read it in the stack's Region alone.
                Some(refused) if refused.code() == Some("AccessDeniedException") => {
                    anyhow!("no Warden stack seen in {}: {unseen}. AWS says: {}", home.region, said(&error))
                }
                Some(_) | None => anyhow!("the guard's settings could not be read from `{guard}`: {}", said(&error)),
            }
        })?;
        let variables = found.environment.and_then(|environment| environment.variables).unwrap_or_default();
        let get = |name: &str| variables.get(name).cloned();
        let deployment = Deployment::read(get)
            .map_err(|_| anyhow!("`{guard}` does not say where its ledger is: deploy Warden's stack again"))?;
        let settings = Settings::read(home.clone(), get)?;
        let logs = config.clone();
        let (name, arn) = (self.name.clone(), self.arn.clone());
        Ok(Operator { aws: Aws::new(config, deployment), settings, name, arn, logs })
    }

    async fn assume(&self, role: &str) -> anyhow::Result<SdkConfig> {
        let Caller { home, name, .. } = self;
        let role = format!("arn:{}:iam::{}:role/warden/{role}", home.partition.as_str(), home.account);
        let request = aws_sdk_sts::Client::new(&self.config).assume_role().role_arn(&role);
        let assumed = request.role_session_name(name).source_identity(name).send().await.map_err(|error| {
            let code = error.as_service_error().and_then(ProvideErrorMetadata::code).unwrap_or_default();
            match code {
                "AccessDenied" | "NoSuchEntity" => NoOperator(format!(
                    "`{}` cannot assume {role}: either Warden's stack is not deployed in this account with the prefix \
                     `{}` (use --prefix), or an IAM policy of yours has to allow sts:AssumeRole and \
                     sts:SetSourceIdentity on that role. AWS says: {}",
                    self.arn,
                    self.prefix,
                    said(&error)
                ))
                .into(),
                _ => anyhow!("assuming {role}: {}", said(&error)),
            }
        })?;
        let keys = assumed.credentials.with_context(|| format!("assuming {role}: the answer holds no credentials"))?;
        let expires = keys.expiration.try_into().ok();
        let token = Some(keys.session_token);
        let keys = Credentials::new(keys.access_key_id, keys.secret_access_key, token, expires, "warden-operator");
        Ok(self.config.clone().into_builder().credentials_provider(SharedCredentialsProvider::new(keys)).build())
    }
}

/// Why the caller cannot become the operator, and what to do about it.
#[derive(Debug)]
pub(crate) struct NoOperator(String);

impl fmt::Display for NoOperator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for NoOperator {}

/// The account through the operator role.
#[derive(Debug)]
pub(crate) struct Operator {
    /// The ledger, the functions, the bus, the proofs.
    pub(crate) aws: Aws,
    /// What the guards work by.
    pub(crate) settings: Settings,
    /// The session's source identity, which stands in the decisions.
    pub(crate) name: String,
    /// Who that is.
    arn: String,
    /// The configuration of a client of CloudWatch Logs.
    logs: SdkConfig,
}

impl Operator {
    /// A client of CloudWatch Logs, for the audit log group.
    pub(crate) fn logs(&self) -> aws_sdk_cloudwatchlogs::Client {
        aws_sdk_cloudwatchlogs::Client::new(&self.logs)
    }

    /// The guards that the stack has: one may be left out. All are asked for at once.
    ///
    /// # Errors
    /// The call that failed.
    pub(crate) async fn guards(&self, caller: &Caller) -> anyhow::Result<Vec<&'static dyn AnyGuard>> {
        let there = GUARDS.iter().map(async |guard| {
            let function = caller.function(&format!("{}-{}", caller.prefix, guard.kind().name()))?;
            Ok::<_, anyhow::Error>(self.aws.function(&function).await?.map(|_| *guard))
        });
        Ok(future::try_join_all(there).await?.into_iter().flatten().collect())
    }

    /// What a command is about to change that touches these Regions.
    pub(crate) fn place<'a>(&'a self, regions: impl IntoIterator<Item = &'a str>) -> Place<'a> {
        Place { account: self.settings.home.account, regions: regions.into_iter().collect(), arn: &self.arn }
    }

    /// What stands in the records of what `command` does.
    pub(crate) fn cause(&self, command: &str) -> Cause {
        Cause {
            actor: Some(self.arn.clone()),
            time: Some(Timestamp::now()),
            user_agent: Some(concat!("lambda-warden/", env!("CARGO_PKG_VERSION")).to_owned()),
            ..Cause::by_hand(command)
        }
    }
}

/// Where a command is about to change something, and as whom, so that nobody changes another account than they think.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    account: AccountId,
    regions: BTreeSet<&'a str>,
    arn: &'a str,
}

impl fmt::Display for Place<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let regions: Vec<&str> = self.regions.iter().copied().collect();
        let (noun, regions) = (if regions.len() == 1 { "Region" } else { "Regions" }, regions.join(", "));
        write!(f, "account {}, {noun} {}, as {}", self.account, printable(&regions), printable(self.arn))
    }
}

/// What to do where nothing gives credentials.
const GIVE_CREDENTIALS: &str = "set AWS_PROFILE or use --profile (after `aws sso login` where it is one of SSO), or \
                                set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY";

/// The name of a user or a session in its ARN, as a source identity may be: `[\w+=,.@-]{2,64}` (STS API reference,
/// AssumeRole).
fn operator_name(arn: &str) -> String {
    let last = arn.rsplit(['/', ':']).next().unwrap_or_default();
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_+=,.@-".contains(letter);
    let clean = |letter: char| if allowed(letter) { letter } else { '-' };
    let name: String = last.chars().map(clean).take(64).collect();
    if name.len() < 2 { format!("user-{name}") } else { name }
}

/// The system's roots, or those of AWS_CA_BUNDLE.
fn http_client() -> anyhow::Result<aws_smithy_runtime_api::client::http::SharedHttpClient> {
    let mut roots = TrustStore::default();
    if let Some(path) = env::var_os("AWS_CA_BUNDLE").filter(|path| !path.is_empty()) {
        let pem = fs::read(&path).with_context(|| format!("reading AWS_CA_BUNDLE, {}", path.display()))?;
        roots = TrustStore::empty().with_pem_certificate(pem);
    }
    let context = TlsContext::builder().with_trust_store(roots).build().context("the certificates of AWS_CA_BUNDLE")?;
    Ok(Builder::new().tls_provider(Provider::Rustls(CryptoMode::Ring)).tls_context(context).build_https())
}

/// What AWS said, or why it said nothing. Never the answer itself: it may hold credentials.
pub(crate) fn said<E: ProvideErrorMetadata + Error + 'static, R: std::fmt::Debug + 'static>(
    error: &SdkError<E, R>,
) -> String {
    match error.as_service_error() {
        Some(service) => answer_of(service.code(), service.message()),
        None => causes(error),
    }
}

/// An error with everything that led to it, without what only says that more follows: the SDK's own layers, and its
/// metadata, which prints itself as Rust code.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut texts: Vec<String> = Vec::new();
    let mut chain = Chain::new(error).peekable();
    while let Some(error) = chain.next() {
        let text = match error.downcast_ref::<ErrorMetadata>() {
            Some(answer) => answer_of(answer.code(), answer.message()),
            None => error.to_string(),
        };
        let empty = text == "service error"
            || text == "an error occurred while loading credentials"
            || text.starts_with("unhandled error");
        if !(empty && chain.peek().is_some()) && texts.last() != Some(&text) {
            texts.push(text);
        }
    }
    texts.join(": ")
}

/// What AWS answered.
fn answer_of(code: Option<&str>, message: Option<&str>) -> String {
    format!("{}: {}", code.unwrap_or("error"), message.unwrap_or("no message"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_operator_is_recorded_under_their_own_name() {
        #[track_caller]
        fn check(arn: &str, expected: &str) {
            assert_eq!(operator_name(arn), expected);
        }
        check("arn:aws:iam::111122223333:user/ops/alice", "alice");
        check("arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_Admin_1f/alice@example.com", "alice@example.com");
        check("arn:aws:iam::111122223333:root", "root");
        check("arn:aws:sts::111122223333:federated-user/Jürgen M", "J-rgen-M");
        check("arn:aws:iam::111122223333:user/x", "user-x");
        check(&format!("arn:aws:iam::111122223333:user/{}", "a".repeat(80)), &"a".repeat(64));
    }

    #[test]
    fn a_prefix_is_one_that_the_stack_takes() {
        assert_eq!(prefix("warden-2"), Ok("warden-2".to_owned()));
        for text in ["", "w", "Warden", "2nd", "a/b", "a-very-long-prefix-of-names"] {
            assert!(prefix(text).is_err(), "{text}");
        }
    }
}
