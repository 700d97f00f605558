//! Names of Lambda resources, parsed once at the edge.

use super::{NameError, as_text};
use std::{fmt, str::FromStr};
use warden_policy::{AccountId, Partition};

/// What runs where a function on Lambda Managed Instances is invoked without a qualifier: the version that it was last
/// published as, with the code and the configuration of then. Such a function's `$LATEST` cannot be invoked at all
/// (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-version-publishing.html>).
const LATEST_PUBLISHED: &str = "$LATEST.PUBLISHED";

/// A version or an alias of a function; never `$LATEST`, which is the unqualified function.
///
/// AWS: `$LATEST.PUBLISHED`, or `[a-zA-Z0-9-_]{1,128}` (Lambda API reference, `Qualifier` of GetFunction).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Qualifier(String);

impl Qualifier {
    /// The version `$LATEST.PUBLISHED`.
    pub fn latest_published() -> Qualifier {
        Qualifier(LATEST_PUBLISHED.to_owned())
    }

    /// The qualifier as AWS writes it.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it is a version rather than an alias, which cannot consist of digits alone (Lambda API reference,
    /// CreateAlias).
    pub fn is_version(&self) -> bool {
        self.is_latest_published() || self.0.bytes().all(|b| b.is_ascii_digit())
    }

    /// Whether it is the version `$LATEST.PUBLISHED`.
    pub fn is_latest_published(&self) -> bool {
        self.0 == LATEST_PUBLISHED
    }
}

impl fmt::Display for Qualifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Qualifier {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let fits = text == LATEST_PUBLISHED || is_lambda_name(text, 128);
        if fits { Ok(Qualifier(text.to_owned())) } else { Err(NameError::new(text, "a version or an alias")) }
    }
}

/// Reads a qualifier; `$LATEST` and none mean the same function.
fn qualifier(text: Option<&str>) -> Result<Option<Qualifier>, NameError> {
    match text {
        None | Some("$LATEST") => Ok(None),
        Some(text) => text.parse().map(Some),
    }
}

fn is_lambda_name(text: &str, longest: usize) -> bool {
    !text.is_empty()
        && text.len() <= longest
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

/// `eu-west-1`, `us-gov-east-1`, `eusc-de-east-1`: words, the last of them a number.
fn is_region(text: &str) -> bool {
    let Some((words, number)) = text.rsplit_once('-') else { return false };
    let is_word = |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    text.len() <= 32
        && words.contains('-')
        && words.split('-').all(is_word)
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
}

/// What an ARN of Lambda's names that is no function: the types in the patterns of botocore's model
/// (`TaggableResource`, `LayerArn`, `EventSourceMappingArn` and others).
const OTHER_TYPES: [&str; 5] =
    ["capacity-provider", "code-signing-config", "event-source-mapping", "layer", "network-connector"];

/// A function's own name. With dots it is that of a namespaced function (botocore's model, `NamespacedFunctionName`).
/// 140: the longest `FunctionName` there, for partial names of older functions.
fn is_function_name(text: &str) -> bool {
    is_lambda_name(&text.replace('.', "-"), 140)
}

/// What a `FunctionName` says of where the function is.
struct Located<'a> {
    region: Option<&'a str>,
    account: Option<AccountId>,
    name: &'a str,
    qualifier: Option<Qualifier>,
}

impl<'a> Located<'a> {
    /// The ways to read the parts between the colons, that which leaves least to the name first, as AWS's pattern does.
    fn readings(parts: &'a [&'a str]) -> impl Iterator<Item = Located<'a>> {
        (0..8_u8).rev().filter_map(move |named| {
            let (mut region, mut account) = (None, None);
            let mut left = parts;
            if named & 4 != 0 {
                let (first, rest) = left.split_first()?;
                region = Some(is_region(first).then_some(*first)?);
                left = rest;
            }
            if named & 2 != 0 {
                let (first, rest) = left.split_first()?;
                account = Some(first.parse().ok()?);
                left = rest;
            }
            if named & 1 != 0 {
                left = left.strip_prefix(&["function"])?;
            }
            let (name, after) = left.split_first()?;
            let qualifier = match after {
                [] => None,
                [text] => qualifier(Some(text)).ok()?,
                [_, _, ..] => return None,
            };
            is_function_name(name).then_some(Located { region, account, name, qualifier })
        })
    }
}

/// The partition, Region and account that a name without them belongs to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Home {
    /// `aws`, `aws-cn`, `aws-us-gov`, ...
    pub partition: Partition,
    /// The Region of the event or the client.
    pub region: String,
    /// The account that Warden guards.
    pub account: AccountId,
}

/// The ARN of a function, without version or alias.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FunctionArn {
    partition: Partition,
    region: String,
    account: AccountId,
    name: String,
}

impl FunctionArn {
    /// The function's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The Region that the function lives in.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The account that owns the function.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// The partition that the function is in.
    pub fn partition(&self) -> &str {
        self.partition.as_str()
    }

    /// The ARN with a version or an alias, as policies and PutResourcePolicy name it.
    pub fn qualified(&self, qualifier: Option<&Qualifier>) -> String {
        match qualifier {
            None => self.to_string(),
            Some(qualifier) => format!("{self}:{qualifier}"),
        }
    }

    /// Reads what AWS accepts as `FunctionName`: a name, with any of what stands before it in an ARN or none of it, and
    /// with a qualifier or without. What is not named is at `home`.
    ///
    /// AWS: `(arn:(aws[a-zA-Z-]*)?:lambda:)?(REGION:)?(\d{12}:)?(function:)?NAME(:QUALIFIER)?` (botocore's model,
    /// `FunctionName`; in `NamespacedFunctionName`, which most operations take, a name may have dots). `x:y` can be
    /// read as a name with a qualifier too. A call reaches functions of its own Region alone, and another account's
    /// function cannot be changed from here: so what stands before the colon is a Region or an account only where it is
    /// the one at home. `function:y` is y, as the pattern has it (? function-colon). By
    /// the pattern alone `arn:aws:lambda:REGION:ACCOUNT:layer:x` would be the alias `x` of a function `layer`: an ARN of
    /// another type is none of a function.
    ///
    /// # Errors
    /// [`NameError`] where the text is none of these.
    pub fn resolve(text: &str, home: &Home) -> Result<(Self, Option<Qualifier>), NameError> {
        let bad = || NameError::new(text, "a function's name or ARN");
        let parts: Vec<&str> = text.split(':').collect();
        let (partition, parts) = match parts.as_slice() {
            ["arn", _, "lambda", _, _, other, _, ..] if OTHER_TYPES.contains(other) => return Err(bad()),
            ["arn", "", "lambda", rest @ ..] => (home.partition.clone(), rest),
            ["arn", partition, "lambda", rest @ ..] => (partition.parse().map_err(|_| bad())?, rest),
            all => (home.partition.clone(), all),
        };
        // Two parts that can be read in two ways.
        let elsewhere = |found: &Located<'_>| {
            parts.len() == 2
                && (found.region.is_some_and(|region| region != home.region)
                    || found.account.is_some_and(|account| account != home.account))
        };
        let Located { region, account, name, qualifier } =
            Located::readings(parts).find(|found| !elsewhere(found)).ok_or_else(bad)?;
        let region = region.unwrap_or(&home.region).to_owned();
        let account = account.unwrap_or(home.account);
        Ok((FunctionArn { partition, region, account, name: name.to_owned() }, qualifier))
    }

    /// The home that names relative to this function have.
    pub fn home(&self) -> Home {
        Home { partition: self.partition.clone(), region: self.region.clone(), account: self.account }
    }
}

impl fmt::Display for FunctionArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let FunctionArn { partition, region, account, name } = self;
        let partition = partition.as_str();
        write!(f, "arn:{partition}:lambda:{region}:{account}:function:{name}")
    }
}

impl FromStr for FunctionArn {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let bad = || NameError::new(text, "a function's ARN");
        match text.split(':').collect::<Vec<_>>().as_slice() {
            ["arn", partition, "lambda", region, account, "function", _] => {
                let home = Home {
                    partition: partition.parse().map_err(|_| bad())?,
                    region: (*region).to_owned(),
                    account: account.parse().map_err(|_| bad())?,
                };
                FunctionArn::resolve(text, &home).map(|(arn, _)| arn)
            }
            _ => Err(bad()),
        }
    }
}

/// The ARN of one version of a layer.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LayerVersionArn {
    partition: Partition,
    region: String,
    account: AccountId,
    name: String,
    version: u64,
}

impl LayerVersionArn {
    /// The layer's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The version's number, from 1.
    pub fn version(&self) -> u64 {
        self.version
    }

    /// The Region that the layer lives in.
    pub fn region(&self) -> &str {
        &self.region
    }

    /// The account that owns the layer.
    pub fn account(&self) -> &AccountId {
        &self.account
    }

    /// Reads what AWS accepts as `LayerName` (a name or the layer's ARN) beside a version number.
    ///
    /// # Errors
    /// [`NameError`] where the text is neither.
    pub fn resolve(layer: &str, version: u64, home: &Home) -> Result<Self, NameError> {
        let bad = || NameError::new(layer, "a layer's name or ARN");
        match layer.split(':').collect::<Vec<_>>().as_slice() {
            ["arn", ..] => format!("{layer}:{version}").parse().map_err(|_| bad()),
            [name] if is_lambda_name(name, 140) => Ok(LayerVersionArn {
                partition: home.partition.clone(),
                region: home.region.clone(),
                account: home.account,
                name: (*name).to_owned(),
                version,
            }),
            _ => Err(bad()),
        }
    }

    /// The home that names relative to this layer have.
    pub fn home(&self) -> Home {
        Home { partition: self.partition.clone(), region: self.region.clone(), account: self.account }
    }
}

impl fmt::Display for LayerVersionArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let LayerVersionArn { partition, region, account, name, version } = self;
        let partition = partition.as_str();
        write!(f, "arn:{partition}:lambda:{region}:{account}:layer:{name}:{version}")
    }
}

impl FromStr for LayerVersionArn {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let bad = || NameError::new(text, "a layer version's ARN");
        match text.split(':').collect::<Vec<_>>().as_slice() {
            ["arn", partition, "lambda", region, account, "layer", name, version]
                if is_region(region) && is_lambda_name(name, 140) =>
            {
                Ok(LayerVersionArn {
                    partition: partition.parse().map_err(|_| bad())?,
                    region: (*region).to_owned(),
                    account: account.parse().map_err(|_| bad())?,
                    name: (*name).to_owned(),
                    version: version.parse().map_err(|_| bad())?,
                })
            }
            _ => Err(bad()),
        }
    }
}

/// The ARN that stands for a whole account: `arn:aws:iam::111122223333:root`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AccountArn {
    partition: Partition,
    account: AccountId,
}

impl AccountArn {
    /// The account at home.
    pub fn of(home: &Home) -> AccountArn {
        AccountArn { partition: home.partition.clone(), account: home.account }
    }

    /// The account's id.
    pub fn account(&self) -> &AccountId {
        &self.account
    }
}

impl fmt::Display for AccountArn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "arn:{}:iam::{}:root", self.partition.as_str(), self.account)
    }
}

impl FromStr for AccountArn {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let bad = || NameError::new(text, "an account's ARN");
        match text.split(':').collect::<Vec<_>>().as_slice() {
            ["arn", partition, "iam", "", account, "root"] => Ok(AccountArn {
                partition: partition.parse().map_err(|_| bad())?,
                account: account.parse().map_err(|_| bad())?,
            }),
            _ => Err(bad()),
        }
    }
}

as_text!(FunctionArn, LayerVersionArn, Qualifier);

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expected: &str) {
        let home = Home {
            partition: "aws".parse().unwrap(),
            region: "eu-west-1".into(),
            account: "111122223333".parse().unwrap(),
        };
        let found = match FunctionArn::resolve(text, &home) {
            Ok((arn, qualifier)) => arn.qualified(qualifier.as_ref()),
            Err(error) => error.to_string(),
        };
        assert_eq!(found, expected, "{text}");
    }

    #[test]
    fn an_arn_of_another_type_is_none_of_a_function() {
        for other in [
            "event-source-mapping:7f3b5a1c-0000-4000-8000-000000000001",
            "code-signing-config:csc-0123456789abcdef0",
            "layer:tools",
            "layer:tools:7",
            "capacity-provider:fleet",
            "network-connector:home",
        ] {
            let text = format!("arn:aws:lambda:eu-west-1:111122223333:{other}");
            check(&text, &format!("`{text}` is not a function's name or ARN"));
        }
        // A function may have such a name.
        check("layer:live", "arn:aws:lambda:eu-west-1:111122223333:function:layer:live");
        let layer = "arn:aws:lambda:eu-west-1:111122223333:function:layer";
        check(layer, layer);
    }

    #[test]
    fn a_function_is_named_in_every_form_that_aws_accepts() {
        check("pay", "arn:aws:lambda:eu-west-1:111122223333:function:pay");
        check("pay:live", "arn:aws:lambda:eu-west-1:111122223333:function:pay:live");
        check("pay:$LATEST", "arn:aws:lambda:eu-west-1:111122223333:function:pay");
        check("function:pay", "arn:aws:lambda:eu-west-1:111122223333:function:pay");
        check("444455556666:function:pay:3", "arn:aws:lambda:eu-west-1:444455556666:function:pay:3");
        check(
            "arn:aws-cn:lambda:cn-north-1:444455556666:function:pay",
            "arn:aws-cn:lambda:cn-north-1:444455556666:function:pay",
        );
        // All that the pattern of `FunctionName` in botocore's model allows: each part before the name may be missing.
        let pay = "arn:aws:lambda:eu-west-1:111122223333:function:pay";
        for prefix in ["", "arn:aws:lambda:", "arn::lambda:"] {
            for region in ["", "eu-west-1:"] {
                for account in ["", "111122223333:"] {
                    for word in ["", "function:"] {
                        check(&format!("{prefix}{region}{account}{word}pay"), pay);
                        check(&format!("{prefix}{region}{account}{word}pay:$LATEST"), pay);
                        check(&format!("{prefix}{region}{account}{word}pay:live"), &format!("{pay}:live"));
                    }
                }
            }
        }
        check("us-gov-east-1:444455556666:pay", "arn:aws:lambda:us-gov-east-1:444455556666:function:pay");
        check("eusc-de-east-1:function:pay", "arn:aws:lambda:eusc-de-east-1:111122223333:function:pay");
        check("pay.orders:live", "arn:aws:lambda:eu-west-1:111122223333:function:pay.orders:live");
    }

    #[test]
    fn the_version_that_managed_instances_run_is_a_qualifier() {
        let published = "arn:aws:lambda:eu-west-1:111122223333:function:pay:$LATEST.PUBLISHED";
        check("pay:$LATEST.PUBLISHED", published);
        check("111122223333:function:pay:$LATEST.PUBLISHED", published);
        check(published, published);
        let qualifier: Qualifier = "$LATEST.PUBLISHED".parse().unwrap();
        assert_eq!(qualifier, Qualifier::latest_published());
        assert!(qualifier.is_version() && qualifier.is_latest_published());
        for other in ["$LATEST", "$LATEST.OTHER", "$latest.published", "a.b", "$"] {
            assert!(other.parse::<Qualifier>().is_err(), "{other}");
        }
    }

    /// Lambda takes digits and the form of a Region for a function's name too.
    #[test]
    fn a_name_with_a_qualifier_is_not_mistaken_for_a_place_elsewhere() {
        check("eu-west-1", "arn:aws:lambda:eu-west-1:111122223333:function:eu-west-1");
        check("us-east-1:live", "arn:aws:lambda:eu-west-1:111122223333:function:us-east-1:live");
        check("444455556666", "arn:aws:lambda:eu-west-1:111122223333:function:444455556666");
        check("444455556666:live", "arn:aws:lambda:eu-west-1:111122223333:function:444455556666:live");
        check("444455556666:$LATEST", "arn:aws:lambda:eu-west-1:111122223333:function:444455556666");
        check("function:$LATEST", "arn:aws:lambda:eu-west-1:111122223333:function:function");
        check("function:function", "arn:aws:lambda:eu-west-1:111122223333:function:function");
    }

    #[test]
    fn what_is_no_function_is_refused() {
        check("", "`` is not a function's name or ARN");
        check("a:b:c", "`a:b:c` is not a function's name or ARN");
        check("pay;rm", "`pay;rm` is not a function's name or ARN");
        check("arn:aws:s3:::bucket", "`arn:aws:s3:::bucket` is not a function's name or ARN");
        check(
            "arn:aws:lambda:eu-west-1:1:function:pay",
            "`arn:aws:lambda:eu-west-1:1:function:pay` is not a function's name or ARN",
        );
        check("pay\u{202e}", "`pay\u{202e}` is not a function's name or ARN");
    }

    #[test]
    fn a_layer_version_has_an_arn_of_its_own() {
        let arn = "arn:aws:lambda:us-east-1:111122223333:layer:tools:7";
        let parsed: LayerVersionArn = arn.parse().unwrap();
        assert_eq!((parsed.name(), parsed.version(), parsed.to_string().as_str()), ("tools", 7, arn));
        assert!("arn:aws:lambda:us-east-1:111122223333:layer:tools".parse::<LayerVersionArn>().is_err());
    }
}
