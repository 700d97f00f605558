//! What truly limits a statement.
//!
//! A condition limits only if its operator is positive (no negation, no `IfExists`, no `ForAllValues`, no `Null`), its
//! key identifies the caller or the source, and every one of its values is fixed: no wildcard, no policy variable; of
//! an ARN at least the account. The only variables that fix something are those of whoever owns what is called, and
//! only where they are compared with the caller or the source, either way round. Everything else (`aws:SecureTransport`, `aws:RequestedRegion`, `sts:ExternalId`, the
//! MFA keys, ...) may narrow a grant, but not to anybody in particular.
//!
//! Keys and their meaning: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>,
//! operators: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>.

use crate::{
    AccountId,
    addresses::Addresses,
    document::{Condition, Selection, Statement, Version},
    pattern,
    service_table::{self, ActionSet},
};
use std::collections::HashSet;

/// Something that all callers of a statement have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Limit<'d> {
    /// They belong to one of these accounts, or to the own one.
    Accounts { ids: Vec<AccountId>, of: Side },
    /// They are services that act for a resource in one of these accounts, or S3 for one bucket: of those the ARN does
    /// not tell the account.
    Sources { ids: Vec<AccountId>, bucket: bool },
    /// They belong to one of these organisations; to the own one where there are none.
    Organizations { ids: Vec<&'d str>, of: Side },
    /// They call from one of these addresses.
    Addresses(Addresses),
    /// They call through one of these VPCs or VPC endpoints.
    Networks(Vec<&'d str>),
    /// They have one of these unique ids, or are federated by an account or its root.
    Identities(Vec<&'d str>),
    /// They are services of AWS that call for themselves, whomever for.
    Services,
    /// They have one of these in common: what a Deny with several conditions leaves.
    OneOf(Vec<Limit<'d>>),
}

/// Whom a key speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    /// The principal that calls. Empty when a service calls.
    Caller,
    /// The resource for which a service calls. Empty when anybody else calls.
    Source,
}

/// Every limit among a statement's conditions. All of them hold at once.
pub(crate) fn limits<'d>(conditions: &'d [Condition<'_>], version: Version) -> Vec<Limit<'d>> {
    conditions.iter().filter_map(|condition| limit(condition, version)).collect()
}

/// The limit that one condition is, if it is one.
pub(crate) fn limit<'d>(condition: &'d Condition<'_>, version: Version) -> Option<Limit<'d>> {
    let operator = Operator::parse(&condition.operator)?;
    let key = Key::parse(&condition.key)?;
    if condition.values.as_slice().is_empty() || !key.takes(operator) {
        return None;
    }
    let reading = Reading { operator, version };
    let values = || condition.values.iter();
    let all_fixed = || values().all(|value| reading.is_fixed(value));
    let owns = |value: &str, variable: &str| reading.is_variable(value, variable);
    let accounts = |of: Side| {
        let all = values().all(|value| reading.is_fixed(value) || owns(value, RESOURCE_ACCOUNT));
        all.then(|| Limit::Accounts { ids: account_ids(values()), of })
    };
    let organizations = |of: Side| {
        let all = values().all(|value| reading.is_fixed(value) || owns(value, RESOURCE_ORG_ID));
        all.then(|| Limit::Organizations { ids: values().filter(|id| !owns(id, RESOURCE_ORG_ID)).collect(), of })
    };
    match key {
        Key::SourceArn => sources(values(), reading),
        Key::PrincipalArn | Key::SourceVpcArn | Key::SourceFunctionArn | Key::SourceInstanceArn => {
            values().map(|arn| arn_account(arn, reading, key)).collect::<Option<Vec<_>>>().map(|owners| {
                Limit::Accounts { ids: owners.into_iter().filter_map(Owner::id).collect(), of: Side::Caller }
            })
        }
        Key::SourceAccount => accounts(Side::Source),
        Key::PrincipalAccount | Key::VpceAccount => accounts(Side::Caller),
        Key::SourceOrgId => organizations(Side::Source),
        Key::PrincipalOrgId | Key::VpceOrgId => organizations(Side::Caller),
        Key::PrincipalOrgPaths | Key::SourceOrgPaths | Key::VpceOrgPaths => {
            let of = if key == Key::SourceOrgPaths { Side::Source } else { Side::Caller };
            let is_own = |id: &str| owns(id, RESOURCE_ORG_ID);
            let fixed = |id: &&str| id.starts_with("o-") && reading.is_fixed(id) || is_own(id);
            let ids = values().map(|path| path.split('/').next().filter(fixed)).collect::<Option<Vec<_>>>();
            ids.map(|ids| Limit::Organizations { ids: ids.into_iter().filter(|id| !is_own(id)).collect(), of })
        }
        // The same from the other side: whoever owns what is called is whoever calls, or for whom a service calls.
        Key::ResourceAccount => [("aws:PrincipalAccount", Side::Caller), ("aws:SourceAccount", Side::Source)]
            .into_iter()
            .find(|(variable, _)| values().all(|value| owns(value, variable)))
            .map(|(_, of)| Limit::Accounts { ids: Vec::new(), of }),
        Key::ResourceOrgId => [("aws:PrincipalOrgID", Side::Caller), ("aws:SourceOrgID", Side::Source)]
            .into_iter()
            .find(|(variable, _)| values().all(|value| owns(value, variable)))
            .map(|(_, of)| Limit::Organizations { ids: Vec::new(), of }),
        Key::SourceVpc | Key::SourceVpce => all_fixed().then(|| Limit::Networks(values().collect())),
        Key::SourceIp => {
            let addresses = Addresses::read(values()).filter(|_| all_fixed());
            addresses.filter(|addresses| !addresses.are_everybody()).map(Limit::Addresses)
        }
        Key::UserId => values().map(|id| identity(id, reading)).collect::<Option<_>>().map(Limit::Identities),
    }
}

/// The condition that holds where this one does not: `StringEquals` of `StringNotEquals`. None where there is none by
/// one operator.
///
/// A negated operator also holds where its key is not sent, with or without `IfExists`, and so does `ForAllValues`; with
/// `ForAnyValue` it does not, so that a Deny leaves whoever sends none
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>,
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>).
pub(crate) fn opposite<'d>(condition: &Condition<'d>) -> Option<Condition<'d>> {
    const OPPOSITES: [(&str, &str); 6] = [
        ("ArnNotEquals", "ArnEquals"),
        ("ArnNotLike", "ArnLike"),
        ("NotIpAddress", "IpAddress"),
        ("StringNotEquals", "StringEquals"),
        ("StringNotEqualsIgnoreCase", "StringEqualsIgnoreCase"),
        ("StringNotLike", "StringLike"),
    ];
    let operator = match condition.operator.split_once(':') {
        Some((set, rest)) if set.eq_ignore_ascii_case("ForAllValues") => rest,
        Some(_) => return None,
        None => &condition.operator,
    };
    let is_if_exists = |end: &str| end.eq_ignore_ascii_case("IfExists");
    let (_, positive) = OPPOSITES.iter().find(|(negated, _)| {
        operator
            .split_at_checked(negated.len())
            .is_some_and(|(start, end)| start.eq_ignore_ascii_case(negated) && (end.is_empty() || is_if_exists(end)))
    })?;
    Some(Condition { operator: (*positive).into(), key: condition.key.clone(), values: condition.values.clone() })
}

/// Whether a Deny under this condition leaves services of AWS that call for themselves, and nobody else: also not who
/// does not sign and so does not send the key
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalisawsservice>).
pub(crate) fn spares_services(condition: &Condition<'_>) -> bool {
    condition.key.eq_ignore_ascii_case("aws:PrincipalIsAWSService")
        && condition.operator.eq_ignore_ascii_case("BoolIfExists")
        && condition.values.iter().any(|value| value.eq_ignore_ascii_case("false"))
}

/// The account that owns what is called, as a policy variable
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-resourceaccount>).
const RESOURCE_ACCOUNT: &str = "aws:ResourceAccount";

/// Its organisation
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-resourceorgid>).
/// An account without one has no value for it, so that nobody is let in.
const RESOURCE_ORG_ID: &str = "aws:ResourceOrgID";

/// Whose an ARN is.
#[derive(Clone, Copy)]
enum Owner {
    Account(AccountId),
    /// Whoever owns what is called.
    Own,
}

impl Owner {
    fn id(self) -> Option<AccountId> {
        match self {
            Owner::Account(id) => Some(id),
            Owner::Own => None,
        }
    }
}

/// For whom services act, when each ARN tells its account or names one bucket.
fn sources<'d>(arns: impl Iterator<Item = &'d str>, reading: Reading) -> Option<Limit<'d>> {
    let (mut ids, mut bucket) = (Vec::new(), false);
    for arn in arns {
        match arn_account(arn, reading, Key::SourceArn) {
            Some(owner) => ids.extend(owner.id()),
            None if is_bucket(arn, reading) => bucket = true,
            None => return None,
        }
    }
    Some(Limit::Sources { ids, bucket })
}

/// Whether an ARN, which has no account in S3, names one bucket.
fn is_bucket(arn: &str, reading: Reading) -> bool {
    let mut fields = arn.splitn(6, ':');
    let head: Vec<&str> = fields.by_ref().take(5).collect();
    let bucket = fields.next().and_then(|resource| resource.split('/').next()).unwrap_or_default();
    matches!(head.as_slice(), ["arn", partition, "s3", "", ""] if reading.is_fixed(partition))
        && !bucket.is_empty()
        && reading.is_fixed(bucket)
}

/// Whose id an `aws:userid` is: `AIDA...` of a user, `AROA...:SESSION` of a role, `ACCOUNT:NAME` or `ACCOUNT` of an
/// account itself
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#principaltable>). None where it
/// is anybody's; a session's name is for whoever assumes the role to choose.
fn identity(value: &str, reading: Reading) -> Option<&str> {
    /// How long a unique id is
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-unique-ids>): what
    /// starts with a whole one starts with no other.
    const UNIQUE_ID: usize = 21;
    let id = value.split(':').next().unwrap_or_default();
    let whole = id.get(..UNIQUE_ID).filter(|whole| whole.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    // Who does not sign is `anonymous`.
    let names_somebody = |id: &&str| !id.is_empty() && reading.is_fixed(id) && !id.eq_ignore_ascii_case("anonymous");
    Some(id).filter(names_somebody).or(whole)
}

/// Whether `lambda:EventSourceToken` is fixed: the shared secret of Alexa smart home and skills kit triggers
/// (<https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html>).
pub(crate) fn has_event_source_token(conditions: &[Condition<'_>], version: Version) -> bool {
    conditions.iter().any(|condition| {
        condition.key.eq_ignore_ascii_case("lambda:EventSourceToken")
            && !condition.values.as_slice().is_empty()
            && Operator::parse(&condition.operator).is_some_and(|operator| {
                operator.is_text() && condition.values.iter().all(|value| Reading { operator, version }.is_fixed(value))
            })
    })
}

/// Whether a condition compares text, is positive and has a value at all.
pub(crate) fn is_positive_text(condition: &Condition<'_>) -> bool {
    !condition.values.as_slice().is_empty() && Operator::parse(&condition.operator).is_some_and(Operator::is_text)
}

/// Whether a condition on text is positive and every value of it is fixed.
pub(crate) fn is_fixed_text(condition: &Condition<'_>, version: Version) -> bool {
    !condition.values.as_slice().is_empty()
        && Operator::parse(&condition.operator).is_some_and(|operator| {
            operator != Operator::Address
                && condition.values.iter().all(|value| Reading { operator, version }.is_fixed(value))
        })
}

/// What a positive condition on text or an ARN names in every value: fixed, or a pattern that starts with something.
///
/// `by_place` says that an ARN counts as named by its service, Region and account alone.
pub(crate) fn names_things(condition: &Condition<'_>, version: Version, by_place: bool) -> Option<Vec<String>> {
    names_by(condition, version, |value| {
        let is_named = by_place && has_fixed_place(value);
        Some(if is_named { value.to_owned() } else { behind_type(value).to_owned() })
    })
}

/// Whether the service, the Region and the account of an ARN are plain text.
fn has_fixed_place(arn: &str) -> bool {
    let fields: Vec<&str> = arn.splitn(6, ':').collect();
    matches!(fields.as_slice(), ["arn", partition, service, region, account, _]
        if [partition, service, region, account].iter().all(|field| !field.is_empty() && !field.contains(['*', '?', '$'])))
}

/// The same, of the part of each value that is a name: the distinct patterns among them, if all values name something
/// and are not together as good as every name. So `a*` is a name, and the alphabet is not.
pub(crate) fn names_by(
    condition: &Condition<'_>,
    version: Version,
    name: impl Fn(&str) -> Option<String>,
) -> Option<Vec<String>> {
    let operator = Operator::parse(&condition.operator).filter(|operator| *operator != Operator::Address)?;
    let reading = Reading { operator, version };
    let mut patterns: Vec<String> = Vec::new();
    let mut seen = HashSet::new();
    for value in condition.values.iter() {
        if reading.is_fixed(value) {
            if value.is_empty() {
                return None;
            }
            continue;
        }
        // What may be the start of any ARN names none, unless only its partition is open.
        let from_service = value.strip_prefix("arn:*:").filter(|rest| !rest.starts_with(['*', '?']));
        let literal = from_service.unwrap_or(value).split(['*', '?']).next().unwrap_or_default();
        let starts_with_something = |name: &String| !name.contains("${") && !name.starts_with(['*', '?']);
        let name = name(value).filter(|name| starts_with_something(name) && !"arn:".starts_with(literal))?;
        if fixed_characters(&name) == 0 {
            return None;
        }
        if seen.insert(name.clone()) {
            patterns.push(name);
        }
    }
    let names = !condition.values.as_slice().is_empty() && !are_all_names(patterns.iter().map(String::as_str));
    names.then_some(patterns)
}

/// Whether distinct patterns are together as good as every name.
///
/// They are added up as breadth is: with 37 characters to choose from, one that fixes `k` of them fits one name in
/// 37^k, and a quarter of all is broad.
pub(crate) fn are_all_names<'n>(patterns: impl Iterator<Item = &'n str>) -> bool {
    let share = |name: &str| 37f64.powi(-i32::try_from(fixed_characters(name)).unwrap_or(i32::MAX));
    patterns.map(share).sum::<f64>() >= 0.25
}

fn fixed_characters(name: &str) -> usize {
    name.bytes().filter(|byte| !matches!(byte, b'*' | b'?')).count()
}

/// A tag that what is acted on must have, with one of some values.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct WantedTag<'d> {
    /// The tag's key.
    pub(crate) key: &'d str,
    /// Any of these will do. Where there are none, the value is not known.
    pub(crate) values: Vec<&'d str>,
    /// The tag of the role that has to have the same value, where it is one.
    pub(crate) own: Option<&'d str>,
}

impl WantedTag<'_> {
    /// Whether a request that sets this tag can meet a condition of an Allow. It may set other tags beside it.
    pub(crate) fn may_pass(&self, condition: &Condition<'_>) -> bool {
        self.passes(condition, true)
    }

    /// Whether a request that sets this tag and no other, on what has no tags, meets a condition of a Deny.
    pub(crate) fn must_pass(&self, condition: &Condition<'_>) -> bool {
        self.passes(condition, false)
    }

    /// The keys are those that come with every request to tag
    /// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html#access_tags_control-requests>,
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html#access_tags_control-tag-keys>).
    fn passes(&self, condition: &Condition<'_>, may: bool) -> bool {
        let Some(test) = TagTest::parse(&condition.operator) else { return may };
        let (service, key) = condition.key.split_once(':').unwrap_or_default();
        let is_aws = service.eq_ignore_ascii_case("aws");
        let after = |name: &str| {
            let (start, tag) = key.split_at_checked(name.len())?;
            start.eq_ignore_ascii_case(name).then_some(tag)
        };
        let says = |text: &str| condition.values.iter().any(|value| value.eq_ignore_ascii_case(text));
        let takes = |text: &str| {
            condition.values.iter().any(|value| match test.like {
                true => pattern::fits_ignoring_case(value, text),
                false => value.eq_ignore_ascii_case(text),
            })
        };
        // What the key's value is when it is not sent.
        let absent = || match test.asks {
            Asks::Null => says("true"),
            Asks::For => test.if_exists || test.all,
            Asks::Against => true,
        };
        if is_aws && key.eq_ignore_ascii_case("TagKeys") {
            return match test.asks {
                Asks::Null => says("false"),
                Asks::For => takes(self.key) || may && !test.all,
                Asks::Against => !takes(self.key) || may && !test.all,
            };
        }
        if let Some(tag) = after("RequestTag/").filter(|_| is_aws) {
            if !tag.eq_ignore_ascii_case(self.key) {
                return may || absent();
            }
            let fits = |value: &&str| (test.asks == Asks::For) == takes(value);
            return match test.asks {
                Asks::Null => says("false"),
                // Some other value will do, or is forbidden.
                Asks::For | Asks::Against if self.values.is_empty() => test.asks == Asks::Against || takes("\u{5}"),
                Asks::For | Asks::Against if may => self.values.iter().any(fits),
                Asks::For | Asks::Against => self.values.iter().all(fits),
            };
        }
        if after("ResourceTag/").is_some() {
            // What holds for what has any such tag holds for something.
            return may || absent();
        }
        // Of an instance, something that no tag changes
        // (https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonec2.html).
        let names_instances = ["InstanceID", "InstanceProfile", "ProductCode", "Subnet", "Vpc"];
        if service.eq_ignore_ascii_case("ec2") && names_instances.iter().any(|name| key.eq_ignore_ascii_case(name)) {
            return may && !(test.asks == Asks::For && condition.values.iter().all(|value| !value.contains('*')));
        }
        // Only while something is made, which is the caller's own
        // (https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/supported-iam-actions-tagging.html).
        if key.eq_ignore_ascii_case("CreateAction") {
            return absent();
        }
        may
    }
}

/// An operator on text or on whether a key is sent.
#[derive(Clone, Copy)]
struct TagTest {
    asks: Asks,
    like: bool,
    if_exists: bool,
    /// `ForAllValues`.
    all: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    /// One of the values.
    For,
    /// None of them.
    Against,
    /// Whether there is one.
    Null,
}

impl TagTest {
    fn parse(operator: &str) -> Option<Self> {
        let (all, base) = match operator.split_once(':') {
            Some((set, base)) => (set.eq_ignore_ascii_case("ForAllValues"), base),
            None => (false, operator),
        };
        let base = base.to_ascii_lowercase();
        let (if_exists, base) = base.strip_suffix("ifexists").map_or((false, base.as_str()), |base| (true, base));
        let (asks, like) = match base {
            "null" => (Asks::Null, false),
            "stringequals" | "stringequalsignorecase" => (Asks::For, false),
            "stringlike" => (Asks::For, true),
            "stringnotequals" | "stringnotequalsignorecase" => (Asks::Against, false),
            "stringnotlike" => (Asks::Against, true),
            _ => return None,
        };
        Some(Self { asks, like, if_exists, all })
    }
}

/// What of an ARN is the name: all behind account and kind (`function:`, `accesspoint/`). A bucket has no kind, and
/// other text is a name as it stands.
fn behind_type(text: &str) -> &str {
    let mut fields = text.splitn(6, ':');
    match (fields.next(), fields.nth(1), fields.nth(2)) {
        (Some("arn"), Some("s3"), Some(bucket)) if !bucket.starts_with("accesspoint/") => bucket,
        (Some("arn"), Some(_), Some(resource)) => resource.split_once([':', '/']).map_or("", |(_, name)| name),
        (Some("arn"), ..) => "",
        _ => text,
    }
}

/// What the conditions say about function URLs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum UrlCondition {
    /// Nothing: the statement holds with or without a URL.
    Any,
    /// It holds for calls through a URL.
    ThroughUrl,
    /// It holds for calls through a URL with AWS_IAM authentication.
    ThroughAuthenticatedUrl,
}

/// Reads `lambda:FunctionUrlAuthType` and `lambda:InvokedViaFunctionUrl`. Neither limits who may call.
pub(crate) fn url_condition(conditions: &[Condition<'_>]) -> UrlCondition {
    let mut answer = UrlCondition::Any;
    for condition in conditions {
        let only = |text: &str| {
            !condition.values.as_slice().is_empty()
                && condition.values.iter().all(|value| value.eq_ignore_ascii_case(text))
        };
        if condition.key.eq_ignore_ascii_case("lambda:InvokedViaFunctionUrl") {
            if condition.operator.eq_ignore_ascii_case("Bool") && only("true") && answer == UrlCondition::Any {
                answer = UrlCondition::ThroughUrl;
            }
        } else if condition.key.eq_ignore_ascii_case("lambda:FunctionUrlAuthType")
            && Operator::parse(&condition.operator).is_some_and(Operator::is_text)
        {
            if only("AWS_IAM") {
                answer = UrlCondition::ThroughAuthenticatedUrl;
            } else if answer == UrlCondition::Any {
                answer = UrlCondition::ThroughUrl;
            }
        }
    }
    answer
}

/// The operators that can limit. `ForAnyValue:` before them is allowed: it needs one value that fits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operator {
    /// `StringEquals`, `StringEqualsIgnoreCase`: `*` and `?` are literal.
    Equals,
    /// `StringLike`: `*` spans `/` and `:`.
    Like,
    /// `ArnEquals`, `ArnLike`, which are the same: `*` stays within its field of the six.
    Arn,
    /// `IpAddress`.
    Address,
}

impl Operator {
    fn parse(text: &str) -> Option<Self> {
        let text = match text.split_once(':') {
            Some((set, rest)) if set.eq_ignore_ascii_case("ForAnyValue") => rest,
            Some(_) => return None,
            None => text,
        };
        [
            ("StringEquals", Operator::Equals),
            ("StringEqualsIgnoreCase", Operator::Equals),
            ("StringLike", Operator::Like),
            ("ArnEquals", Operator::Arn),
            ("ArnLike", Operator::Arn),
            ("IpAddress", Operator::Address),
        ]
        .into_iter()
        .find_map(|(name, operator)| name.eq_ignore_ascii_case(text).then_some(operator))
    }

    fn is_text(self) -> bool {
        match self {
            Operator::Equals | Operator::Like => true,
            Operator::Arn | Operator::Address => false,
        }
    }
}

/// The keys that identify the caller or the source.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Key {
    SourceArn,
    SourceAccount,
    SourceVpc,
    SourceVpce,
    SourceIp,
    SourceOrgId,
    SourceOrgPaths,
    UserId,
    PrincipalOrgId,
    PrincipalOrgPaths,
    PrincipalAccount,
    PrincipalArn,
    ResourceAccount,
    ResourceOrgId,
    SourceFunctionArn,
    SourceInstanceArn,
    SourceVpcArn,
    VpceAccount,
    VpceOrgId,
    VpceOrgPaths,
}

impl Key {
    fn parse(text: &str) -> Option<Self> {
        [
            ("aws:SourceArn", Key::SourceArn),
            ("aws:SourceAccount", Key::SourceAccount),
            // The older name, still sent by some services.
            ("aws:SourceOwner", Key::SourceAccount),
            ("aws:SourceVpc", Key::SourceVpc),
            ("aws:SourceVpce", Key::SourceVpce),
            ("aws:SourceIp", Key::SourceIp),
            ("aws:SourceOrgID", Key::SourceOrgId),
            ("aws:SourceOrgPaths", Key::SourceOrgPaths),
            ("aws:userid", Key::UserId),
            ("aws:PrincipalOrgID", Key::PrincipalOrgId),
            ("aws:PrincipalOrgPaths", Key::PrincipalOrgPaths),
            ("aws:PrincipalAccount", Key::PrincipalAccount),
            ("aws:PrincipalArn", Key::PrincipalArn),
            (RESOURCE_ACCOUNT, Key::ResourceAccount),
            (RESOURCE_ORG_ID, Key::ResourceOrgId),
            // Whose the VPC is that a call comes from, and the endpoint that it comes through.
            ("aws:SourceVpcArn", Key::SourceVpcArn),
            ("aws:VpceAccount", Key::VpceAccount),
            ("aws:VpceOrgID", Key::VpceOrgId),
            ("aws:VpceOrgPaths", Key::VpceOrgPaths),
            // Which function or instance a role's credentials were given to
            // (https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html,
            // https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/iam-policy-structure.html).
            ("lambda:SourceFunctionArn", Key::SourceFunctionArn),
            ("ec2:SourceInstanceARN", Key::SourceInstanceArn),
        ]
        .into_iter()
        .find_map(|(name, key)| name.eq_ignore_ascii_case(text).then_some(key))
    }

    /// Whether the operator makes sense for the key. What does not is no limit, since nobody knows what AWS makes of
    /// it.
    fn takes(self, operator: Operator) -> bool {
        match operator {
            Operator::Equals | Operator::Like => true,
            Operator::Arn => matches!(
                self,
                Key::SourceArn
                    | Key::PrincipalArn
                    | Key::SourceFunctionArn
                    | Key::SourceInstanceArn
                    | Key::SourceVpcArn
            ),
            Operator::Address => self == Key::SourceIp,
        }
    }
}

/// How a value is read.
#[derive(Clone, Copy)]
struct Reading {
    operator: Operator,
    version: Version,
}

impl Reading {
    /// Whether a value is a policy variable and nothing else. One with a value for where it has none is not.
    fn is_variable(self, value: &str, variable: &str) -> bool {
        let name = value.strip_prefix("${").and_then(|rest| rest.strip_suffix('}'));
        self.version == Version::V2012 && name.is_some_and(|name| name.trim().eq_ignore_ascii_case(variable))
    }

    /// No wildcard and no policy variable. `${*}`, `${?}` and `${$}` are those three characters.
    fn is_fixed(self, value: &str) -> bool {
        let live_wildcards = match self.operator {
            Operator::Like | Operator::Arn => true,
            Operator::Equals | Operator::Address => false,
        };
        match self.version {
            // Before 2012 there are no variables: `${*}` is a dollar sign, a brace, a wildcard and a brace.
            Version::V2008 => !(live_wildcards && pattern::has_wildcard(value)),
            Version::V2012 => {
                let mut plain = value.split("${");
                let first = plain.next().unwrap_or_default();
                let no_wildcard = |text: &str| !(live_wildcards && pattern::has_wildcard(text));
                no_wildcard(first)
                    && plain.all(|tail| {
                        ["*}", "?}", "$}"]
                            .into_iter()
                            .find_map(|literal| tail.strip_prefix(literal))
                            .is_some_and(no_wildcard)
                    })
            }
        }
    }
}

/// What no ARN of a service can hold behind its account: a colon, the account that a pattern means, another colon, and
/// what the pattern goes on with. Names there have no colon in them, so with `StringLike` a star in the Region's place
/// reaches over nobody else's account.
///
/// - events, rules: `[\.\-_A-Za-z0-9]+`
///   (<https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutRule.html>);
/// - sns, topics: letters, numbers, `_`, `-` (<https://docs.aws.amazon.com/sns/latest/api/API_CreateTopic.html>);
/// - sqs, queues: the same
///   (<https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_CreateQueue.html>);
/// - codecommit, repositories: `[\w\.-]+`
///   (<https://docs.aws.amazon.com/codecommit/latest/APIReference/API_CreateRepository.html>);
/// - cognito-idp, user pools: `[\w-]+_[0-9a-zA-Z]+`, given by AWS
///   (<https://docs.aws.amazon.com/cognito-user-identity-pools/latest/APIReference/API_UserPoolType.html>);
/// - elasticloadbalancing, target groups: letters, numbers, `-`
///   (<https://docs.aws.amazon.com/elasticloadbalancing/latest/APIReference/API_CreateTargetGroup.html>);
/// - logs, log groups: `[\.\-_/#A-Za-z0-9]+`, followed by `:*` in the ARN
///   (<https://docs.aws.amazon.com/AmazonCloudWatchLogs/latest/APIReference/API_CreateLogGroup.html>);
/// - secretsmanager, secrets: letters, numbers, `/_+=.@-`
///   (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html>).
///
/// Not execute-api: a path of anybody's API may have colons in it.
const WITHOUT_COLONS: [(&str, &str); 8] = [
    ("codecommit", ""),
    ("cognito-idp", "userpool/"),
    ("elasticloadbalancing", "targetgroup/"),
    ("events", ""),
    ("logs", "log-group:"),
    ("secretsmanager", "secret:"),
    ("sns", ""),
    ("sqs", ""),
];

fn arn_account(arn: &str, reading: Reading, key: Key) -> Option<Owner> {
    let mut fields = arn.splitn(5, ':');
    let (scheme, partition, service, region) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let rest = fields.next()?;
    // A variable has a colon in its name.
    let (account, resource) = match rest.split_once("}:").filter(|_| rest.starts_with("${")) {
        Some((variable, resource)) => {
            let is_own = reading.is_variable(&format!("{variable}}}"), RESOURCE_ACCOUNT);
            (is_own.then_some(Owner::Own)?, resource)
        }
        None => {
            let (account, resource) = rest.split_once(':')?;
            (Owner::Account(account.parse().ok()?), resource)
        }
    };
    let fixed_before = match reading.operator {
        // Field by field, so a wildcard before the account cannot reach over it. A variable still may hold a colon.
        Operator::Arn => {
            reading.version == Version::V2008 || ![partition, service, region].iter().any(|field| field.contains("${"))
        }
        // `*` may swallow colons: `arn:aws:iam:*:111122223333:*` also fits
        // `arn:aws:iam::999999999999:user/:111122223333:/mallory`, since a path may have a colon in it.
        Operator::Equals | Operator::Like | Operator::Address => {
            let cannot_reach_over = || {
                key == Key::SourceArn
                    && !region.contains("${")
                    && WITHOUT_COLONS.iter().any(|(of, start)| *of == service && resource.starts_with(start))
            };
            let fixed = |field: &str| reading.is_fixed(field);
            fixed(partition) && fixed(service) && (fixed(region) || cannot_reach_over())
        }
    };
    (scheme == "arn" && fixed_before).then_some(account)
}

/// The values that are account ids. Another fixed value fits no account at all.
fn account_ids<'v>(values: impl Iterator<Item = &'v str>) -> Vec<AccountId> {
    values.filter_map(|value| value.parse().ok()).collect()
}

/// A day that has passed, whatever the day is: that of the service authorization table. Nothing here has a clock, and
/// time does not run back.
const PASSED: &str = "2026-09-26";

/// The same in seconds.
const PASSED_SECONDS: u64 = 1_790_380_800;

/// Whether a condition holds only before a time that has passed, so that its statement grants nothing any more: what
/// revoked sessions and grants for a while leave behind. `aws:TokenIssueTime` is when the caller's credentials were
/// made, which end within hours
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-tokenissuetime>,
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html#Conditions_Date>).
pub(crate) fn is_over(statement: &Statement<'_>) -> bool {
    let is = |name: &str, text: &str| name.eq_ignore_ascii_case(text);
    statement.conditions.iter().any(|condition| {
        ["aws:CurrentTime", "aws:EpochTime", "aws:TokenIssueTime"].iter().any(|key| is(key, &condition.key))
            && ["DateEquals", "DateLessThan", "DateLessThanEquals", "NumericLessThan", "NumericLessThanEquals"]
                .iter()
                .any(|operator| is(operator, &condition.operator))
            && !condition.values.as_slice().is_empty()
            && condition.values.iter().all(has_passed)
    })
}

/// Whether a time is one that has passed: a date of ISO 8601, with or without a time of day, or seconds since 1970.
/// Anything else is not known to be.
fn has_passed(time: &str) -> bool {
    if !time.is_empty() && time.bytes().all(|byte| byte.is_ascii_digit()) {
        // A year alone is a date as well, and passed if the seconds are.
        return time.parse().is_ok_and(|seconds: u64| seconds < PASSED_SECONDS) && time.len() > 4;
    }
    let (date, rest) = time.split_at_checked(PASSED.len()).unwrap_or_default();
    let is_date = date.bytes().zip(PASSED.bytes()).all(|(byte, like)| match like {
        b'-' => byte == b'-',
        _ => byte.is_ascii_digit(),
    });
    !date.is_empty() && is_date && (rest.is_empty() || rest.starts_with('T')) && date < PASSED
}

/// A key that requests for none of a statement's actions have, and that the conditions ask for: then it grants nothing.
/// None where it may.
///
/// `general` is the service that a pattern over several services comes down to, if there is one. The key of a service
/// is sent with requests to that service, unless it is one of the keys that go along with whoever calls
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>).
pub(crate) fn never_sent<'d>(statement: &'d Statement<'_>, general: Option<&str>) -> Option<&'d str> {
    keys_of_services(statement)
        .find(|(of, name, key)| match &statement.actions {
            Selection::Only(actions) => {
                !actions.as_slice().is_empty()
                    && actions.iter().all(|action| is_kept_from_action(of, name, key, action, general))
            }
            Selection::Except(_) => general.is_some_and(|service| is_kept_from(of, name, service)),
        })
        .map(|(.., key)| key)
}

/// The keys of services that a statement's conditions ask for: the service, the key's own name, and the whole. Most
/// statements have conditions on other keys.
fn keys_of_services<'d>(statement: &'d Statement<'_>) -> impl Iterator<Item = (&'d str, &'d str, &'d str)> {
    let asked = statement.conditions.iter().filter(|condition| needs_its_key(condition));
    asked.filter_map(|condition| {
        let (of, name) = condition.key.split_once(':')?;
        (!of.eq_ignore_ascii_case("aws")).then_some((of, name, condition.key.as_ref()))
    })
}

/// Whether no action that a pattern fits is sent with a key.
fn is_kept_from_action(of: &str, name: &str, key: &str, action: &str, general: Option<&str>) -> bool {
    let prefix = action.split_once(':').map(|(prefix, _)| prefix).filter(|prefix| !pattern::has_wildcard(prefix));
    prefix.or(general).is_some_and(|service| is_kept_from(of, name, service))
        || sent_with(key).is_some_and(|actions| !actions.iter().any(|known| pattern::fits_ignoring_case(action, known)))
}

/// Those actions that requests with all keys of a statement's conditions can be for. None where that takes nothing from
/// what the statement names.
pub(crate) fn sent_with_all(statement: &Statement<'_>) -> Option<ActionSet> {
    let takes_some = |(of, name, key): (&str, &str, &str)| match &statement.actions {
        Selection::Only(actions) => actions.iter().any(|action| {
            let prefix = action.split_once(':').map_or(action, |(prefix, _)| prefix);
            pattern::has_wildcard(prefix) || is_kept_from(of, name, prefix) || sent_with(key).is_some()
        }),
        Selection::Except(_) => true,
    };
    if !keys_of_services(statement).any(takes_some) {
        return None;
    }
    let mut left = ActionSet::new().complement();
    for (of, name, key) in keys_of_services(statement) {
        let mut sent = ActionSet::new();
        match sent_with(key) {
            Some(actions) => {
                actions.iter().filter_map(|name| service_table::action(name)).for_each(|it| sent.insert_one(it));
            }
            None => {
                let services = service_table::services();
                let takes = services.filter(|service| !is_kept_from(of, name, service_table::service_name(*service)));
                takes.for_each(|service| sent.insert(service_table::actions_of(service)));
            }
        }
        left.intersect(&sent);
    }
    Some(left)
}

/// Whether a condition fails without its key. Negated operators hold without it, as do `IfExists` and `ForAllValues`.
pub(crate) fn needs_its_key(condition: &Condition<'_>) -> bool {
    Operator::parse(&condition.operator).is_some() && !condition.values.as_slice().is_empty()
}

/// Keys that few actions of their service are sent with, and that are often taken for more: what a listing is to start
/// with is not in the request for an object
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/amazon-s3-policy-keys.html>), and the name that a secret is
/// to have is not in the request for its value
/// (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssecretsmanager.html>).
const SENT_WITH: [(&str, &[&str]); 4] = [
    ("s3:delimiter", LISTINGS),
    ("s3:max-keys", LISTINGS),
    ("s3:prefix", LISTINGS),
    ("secretsmanager:Name", &["secretsmanager:CreateSecret"]),
];

const LISTINGS: &[&str] = &["s3:ListBucket", "s3:ListBucketMultipartUploads", "s3:ListBucketVersions"];

/// The only actions that a key is sent with, where they are known one by one.
fn sent_with(key: &str) -> Option<&'static [&'static str]> {
    SENT_WITH.iter().find(|(known, _)| known.eq_ignore_ascii_case(key)).map(|(_, actions)| *actions)
}

/// Keys of services that go along with whoever calls: where a role's credentials were given to
/// (<https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html>,
/// <https://docs.aws.amazon.com/AWSEC2/latest/UserGuide/iam-policy-structure.html>). The other keys of these services
/// are of what is acted on.
const OF_CALLERS: [(&str, &str); 3] =
    [("ec2", "RoleDelivery"), ("ec2", "SourceInstanceARN"), ("lambda", "SourceFunctionArn")];

/// Services whose keys other services see too: keys of whoever calls, of the session, of the compute it runs on; and of
/// services that were made of others.
const SEEN_ELSEWHERE: [&str; 14] = [
    "bedrock-agentcore",
    "catalog",
    "codebuild",
    "cognito-identity",
    "cognito-identity-auth",
    "cognito-identity-unauth",
    "ecs",
    "eks",
    "glue",
    "identitystore",
    "saml",
    "ssm",
    "sso",
    "sts",
];

/// Services whose actions take keys of another one, in the service authorization reference (iam-data
/// 0.21.202609261).
const BORROWED: [(&str, &str); 8] = [
    ("arc-zonal-shift", "elasticloadbalancing"),
    ("aws-marketplace", "catalog"),
    ("cases", "connect"),
    ("codestar", "iam"),
    ("ec2-instance-connect", "ec2"),
    ("iotjobsdata", "iot"),
    ("sts", "iam"),
    ("xray", "logs"),
];

fn is_kept_from(of: &str, key: &str, service: &str) -> bool {
    let is = |name: &str, other: &str| name.eq_ignore_ascii_case(other);
    // `ec2:ResourceTag/team` is about what is acted on.
    let is_tag = || key.get(..12).is_some_and(|start| is(start, "ResourceTag/"));
    !is(of, service)
        && service_table::service(of).is_some()
        && (is_tag() || !SEEN_ELSEWHERE.iter().any(|name| is(name, of)))
        && !OF_CALLERS.iter().any(|(by, name)| is(by, of) && is(name, key))
        && !BORROWED.iter().any(|(by, from)| is(by, service) && is(from, of))
}

/// Whether a condition needs what only accounts of an organisation and tagged principals have. A service of AWS that
/// calls for itself is in no organisation and has no tags
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalorgid>).
pub(crate) fn never_sent_by_services<'d>(conditions: &'d [Condition<'_>]) -> Option<&'d str> {
    let is_of_principals = |key: &&str| {
        key.eq_ignore_ascii_case("aws:PrincipalOrgID")
            || key.eq_ignore_ascii_case("aws:PrincipalOrgPaths")
            || key.get(..17).is_some_and(|start| start.eq_ignore_ascii_case("aws:PrincipalTag/"))
    };
    conditions
        .iter()
        .filter(|condition| needs_its_key(condition))
        .map(|condition| condition.key.as_ref())
        .find(is_of_principals)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Document, Kind};

    /// The limits of one `Condition` element, shown in a few words.
    #[track_caller]
    fn check_version(version: &str, condition: &str, expected: &str) {
        let text = format!(
            r#"{{{version}"Statement":{{"Effect":"Allow","Principal":"*","Action":"lambda:InvokeFunction","Condition":{condition}}}}}"#
        );
        let document = Document::parse(&text, Kind::Resource).unwrap();
        let shown = limits(&document.statements[0].conditions, document.version)
            .iter()
            .map(|limit| match limit {
                Limit::Accounts { ids, .. } => format!("{ids:?}"),
                Limit::Organizations { ids, .. } => ids.join(","),
                Limit::Sources { ids, bucket } => format!("{ids:?}{}", if *bucket { " or a bucket" } else { "" }),
                Limit::Addresses(_) => "addresses".to_owned(),
                Limit::Networks(ids) => ids.join(","),
                Limit::Identities(ids) => ids.join(","),
                Limit::Services | Limit::OneOf(_) => "what a Deny leaves".to_owned(),
            })
            .collect::<Vec<_>>()
            .join(" and ");
        assert_eq!(shown, expected, "{condition}");
    }

    #[track_caller]
    fn check(condition: &str, expected: &str) {
        check_version(r#""Version":"2012-10-17","#, condition, expected);
    }

    #[test]
    fn an_empty_condition_is_none() {
        check("{}", "");
        check(r#"{"StringEquals":{}}"#, "");
        check(r#"{"StringEquals":{"aws:SourceAccount":[]}}"#, "");
    }

    #[test]
    fn every_listed_key_limits_whatever_its_case() {
        check(r#"{"StringEquals":{"AWS:sourceACCOUNT":"111122223333"}}"#, "[111122223333]");
        check(r#"{"StringEquals":{"aws:SourceOwner":"111122223333"}}"#, "[111122223333]");
        check(r#"{"StringEquals":{"aws:PrincipalAccount":["111122223333"]}}"#, "[111122223333]");
        check(r#"{"ArnLike":{"aws:SourceArn":"arn:aws:sns:us-east-1:111122223333:t"}}"#, "[111122223333]");
        check(r#"{"ArnEquals":{"aws:PrincipalArn":"arn:aws:iam::111122223333:role/r"}}"#, "[111122223333]");
        check(r#"{"StringEquals":{"aws:PrincipalOrgID":"o-exampleorgid"}}"#, "o-exampleorgid");
        check(r#"{"StringEquals":{"aws:SourceOrgID":"o-exampleorgid"}}"#, "o-exampleorgid");
        check(r#"{"StringEquals":{"aws:SourceVpc":"vpc-1"}}"#, "vpc-1");
        check(r#"{"StringEquals":{"aws:sourceVpce":"vpce-1"}}"#, "vpce-1");
        check(r#"{"StringEquals":{"aws:userid":"AROAEXAMPLE:session"}}"#, "AROAEXAMPLE");
        for paths in ["aws:PrincipalOrgPaths", "aws:SourceOrgPaths"] {
            check(
                &format!(r#"{{"ForAnyValue:StringLike":{{"{paths}":["o-exampleorgid/r-ab12/ou-ab12-1/*"]}}}}"#),
                "o-exampleorgid",
            );
        }
    }

    #[test]
    fn other_keys_limit_nothing() {
        for condition in [
            r#"{"Bool":{"aws:SecureTransport":"true"}}"#,
            r#"{"StringEquals":{"aws:RequestedRegion":"eu-west-1"}}"#,
            r#"{"Bool":{"aws:MultiFactorAuthPresent":true}}"#,
            r#"{"NumericLessThan":{"aws:MultiFactorAuthAge":3600}}"#,
            r#"{"Bool":{"aws:ViaAWSService":"true"}}"#,
            r#"{"StringEquals":{"sts:ExternalId":"x"}}"#,
            r#"{"StringEquals":{"lambda:FunctionUrlAuthType":"NONE"}}"#,
            r#"{"Bool":{"lambda:InvokedViaFunctionUrl":"true"}}"#,
        ] {
            check(condition, "");
        }
    }

    #[test]
    fn only_positive_operators_limit() {
        for operator in [
            "StringNotEquals",
            "StringNotLike",
            "ArnNotLike",
            "StringEqualsIfExists",
            "ForAllValues:StringEquals",
            "ForAnyValue:StringEqualsIfExists",
            "Null",
            "Bool",
            "NumericEquals",
            "ArnLike",
            "ForAnyValues:StringEquals",
            "",
        ] {
            check(&format!(r#"{{"{operator}":{{"aws:SourceAccount":"111122223333"}}}}"#), "");
        }
        check(r#"{"NotIpAddress":{"aws:SourceIp":"203.0.113.0/24"}}"#, "");
        check(r#"{"Null":{"aws:SourceArn":"false"}}"#, "");
        check(r#"{"ForAnyValue:StringEquals":{"aws:SourceAccount":"111122223333"}}"#, "[111122223333]");
    }

    #[test]
    fn every_value_must_be_fixed() {
        check(r#"{"StringLike":{"aws:SourceAccount":"*"}}"#, "");
        check(r#"{"StringLike":{"aws:SourceAccount":"1111*"}}"#, "");
        check(r#"{"StringLike":{"aws:SourceAccount":["111122223333","11112222333?"]}}"#, "");
        check(r#"{"StringLike":{"aws:SourceAccount":"111122223333"}}"#, "[111122223333]");
        check(r#"{"StringLike":{"aws:PrincipalOrgID":"o-*"}}"#, "");
        check(r#"{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":"*/r-ab12/*"}}"#, "");
        check(r#"{"StringLike":{"aws:userid":"*:AROAEXAMPLE"}}"#, "");
        check(r#"{"StringLike":{"aws:userid":"AROA*:x"}}"#, "");
    }

    #[test]
    fn string_equals_takes_a_star_literally() {
        // It fits no account, so it lets nobody in.
        check(r#"{"StringEquals":{"aws:SourceAccount":"*"}}"#, "[]");
        check(r#"{"StringEquals":{"aws:SourceVpc":"vpc-*"}}"#, "vpc-*");
    }

    #[test]
    fn variables_are_live_since_2012_and_escapes_are_literals() {
        check(r#"{"StringEquals":{"aws:SourceVpc":"${aws:PrincipalTag/vpc}"}}"#, "");
        check(r#"{"StringEquals":{"aws:SourceVpc":"${unfinished"}}"#, "");
        check(r#"{"StringLike":{"aws:SourceVpc":"a${*}b${?}c${$}d"}}"#, "a${*}b${?}c${$}d");
        check(r#"{"StringLike":{"aws:SourceVpc":"a${*}*"}}"#, "");
        for old in ["", r#""Version":"2008-10-17","#] {
            check_version(
                old,
                r#"{"StringEquals":{"aws:SourceVpc":"${aws:PrincipalTag/vpc}"}}"#,
                "${aws:PrincipalTag/vpc}",
            );
            check_version(old, r#"{"StringLike":{"aws:SourceVpc":"a${*}b"}}"#, "");
        }
    }

    #[test]
    fn of_an_arn_at_least_the_account_is_fixed() {
        let like = |arn: &str| format!(r#"{{"ArnLike":{{"aws:SourceArn":"{arn}"}}}}"#);
        check(&like("arn:aws:execute-api:us-east-1:111122223333:abc/*/GET/"), "[111122223333]");
        check(&like("arn:aws:events:*:111122223333:rule/*"), "[111122223333]");
        check(&like("arn:*:*:*:111122223333:*"), "[111122223333]");
        for open in [
            "*",
            "arn:*",
            "arn:aws:sns:us-east-1:*:t",
            "arn:aws:sns:us-east-1:1111*:t",
            "arn:aws:sns:us-east-1::t",
            "arn:aws:sns:us-east-1:111122223333",
            "arn:aws:sns:${aws:x}:111122223333:t",
            "arn:aws:sns:us-east-1:${aws:PrincipalAccount}:t",
            "111122223333",
        ] {
            check(&like(open), "");
        }
        // With StringLike a star before the account may span it.
        check(r#"{"StringLike":{"aws:PrincipalArn":"arn:aws:iam:*:111122223333:*"}}"#, "");
        check(r#"{"StringLike":{"aws:PrincipalArn":"arn:aws:iam::111122223333:*"}}"#, "[111122223333]");
        check(r#"{"StringEquals":{"aws:SourceArn":"arn:aws:sns:us-east-1:111122223333:*"}}"#, "[111122223333]");
    }

    #[test]
    fn arn_equals_is_arn_like_whose_star_stays_in_its_field() {
        for operator in ["ArnEquals", "ArnLike", "arnequals"] {
            let with = |arn: &str| format!(r#"{{"{operator}":{{"aws:SourceArn":"{arn}"}}}}"#);
            check(&with("arn:aws:sns:*:111122223333:*"), "[111122223333]");
            check(&with("arn:*:s?s:*:111122223333:topic-*"), "[111122223333]");
            check(&with("arn:aws:sns:us-east-1:*:topic"), "");
        }
    }

    #[test]
    fn addresses_limit_unless_they_add_up_to_everybody() {
        let ip = |values: &str| format!(r#"{{"IpAddress":{{"aws:SourceIp":{values}}}}}"#);
        check(&ip(r#""10.0.0.0/8""#), "addresses");
        check(&ip(r#"["203.0.113.7","2001:db8::/32"]"#), "addresses");
        for everybody in [
            r#""0.0.0.0/0""#,
            r#""1.2.3.4/0""#,
            r#""::/0""#,
            r#"["0.0.0.0/1"]"#,
            r#"["10.0.0.0/8","0.0.0.0/0"]"#,
            r#"["0.0.0.0/1","128.0.0.0/1"]"#,
            r#"["128.0.0.0/1","64.0.0.0/2","0.0.0.0/2"]"#,
            r#"["::/1","8000::/1"]"#,
            r#""2000::/3""#,
            // Everything but the addresses that nobody calls from.
            r#"["1.0.0.0/8","2.0.0.0/7","4.0.0.0/6","8.0.0.0/5","16.0.0.0/4","32.0.0.0/3","64.0.0.0/2","128.0.0.0/2","192.0.0.0/3"]"#,
            r#""anything""#,
            r#""10.0.0.0/33""#,
            r#""*""#,
        ] {
            check(&ip(everybody), "");
        }
        check(r#"{"StringLike":{"aws:SourceIp":"*"}}"#, "");
    }

    #[test]
    fn several_limits_hold_at_once() {
        check(
            r#"{"StringEquals":{"aws:PrincipalOrgID":"o-exampleorgid","aws:SourceVpc":"vpc-1"},"Bool":{"aws:SecureTransport":"true"}}"#,
            "o-exampleorgid and vpc-1",
        );
    }

    #[test]
    fn a_bucket_is_named_or_not() {
        let with = |arn: &str| format!(r#"{{"ArnLike":{{"AWS:SourceArn":"{arn}"}}}}"#);
        for named in ["arn:aws:s3:::bucket", "arn:aws:s3:::bucket/*"] {
            check(&with(named), "[] or a bucket");
        }
        for open in
            ["arn:aws:s3:::bucket*", "arn:aws:s3:::*", "arn:aws:s3:::", "arn:aws:sns:us-east-1::t", "arn:*:s3:::bucket"]
        {
            check(&with(open), "");
        }
    }

    #[test]
    fn any_session_of_one_role_is_that_role() {
        let with = |operator: &str, id: &str| format!(r#"{{"{operator}":{{"aws:userid":"{id}"}}}}"#);
        check(&with("StringLike", "AROAQWERTZUIOPASDFGHJ:*"), "AROAQWERTZUIOPASDFGHJ");
        check(&with("StringLike", "AROAQWERTZUIOPASDFGHJ*"), "AROAQWERTZUIOPASDFGHJ");
        // A letter is missing.
        check(&with("StringLike", "AROAQWERTZUIOPASDFGH*"), "");
        check(&with("StringEquals", "anonymous"), "");
    }

    #[test]
    fn a_time_has_passed_only_where_that_is_sure() {
        for passed in
            ["2019-02-03", "2019-02-03T04:05:06Z", "2026-09-25T23:59:59.000Z", "1577836800", "2019-02-03T04:05+02:00"]
        {
            assert!(has_passed(passed), "{passed}");
        }
        for unsure in [
            "",
            "2026-09-26",
            "2099-01-01T00:00:00Z",
            "4102444800",
            "2019",
            "2019-02",
            "2019-02-3T",
            "2019/02/03",
            "2019-02-03 04:05",
            "${aws:CurrentTime}",
            "20190203T040506Z",
            "-5",
        ] {
            assert!(!has_passed(unsure), "{unsure}");
        }
        // The day of the table.
        assert!(include_str!("service_table/layout.rs").contains(&PASSED.replace('-', "")));
    }

    #[test]
    fn the_tables_are_of_services_that_there_are() {
        for (by, from) in BORROWED {
            assert!(service_table::service(by).is_some() && by != from, "{by}");
        }
        for (key, actions) in SENT_WITH {
            assert!(actions.iter().all(|action| service_table::action(action).is_some()), "{key}");
        }
        assert!(OF_CALLERS.is_sorted() && SENT_WITH.is_sorted());
        assert!(SEEN_ELSEWHERE.is_sorted() && BORROWED.is_sorted() && WITHOUT_COLONS.is_sorted());
        assert!(WITHOUT_COLONS.iter().all(|(service, _)| service_table::service(service).is_some()));
    }
}
