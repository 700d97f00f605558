//! What truly limits a statement.
//!
//! A condition limits only if its operator is positive (no negation, no `IfExists`, no `ForAllValues`, no `Null`), its
//! key identifies the caller or the source, and every one of its values is fixed: no wildcard, no policy variable; of
//! an ARN at least the account. Everything else (`aws:SecureTransport`, `aws:RequestedRegion`, `sts:ExternalId`, the
//! MFA keys, ...) may narrow a grant, but not to anybody in particular.
//!
//! Keys and their meaning: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>,
//! operators: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>.

use crate::{
    AccountId,
    document::{Condition, Version},
    pattern,
};
use std::net::IpAddr;

/// Something that all callers of a statement have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Limit<'d> {
    /// They belong to one of these accounts.
    Accounts { ids: Vec<AccountId>, of: Side },
    /// They belong to one of these organisations.
    Organizations { ids: Vec<&'d str>, of: Side },
    /// They come from a certain network.
    Network,
    /// They have one of certain principal ids.
    Identity,
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

fn limit<'d>(condition: &'d Condition<'_>, version: Version) -> Option<Limit<'d>> {
    let operator = Operator::parse(&condition.operator)?;
    let key = Key::parse(&condition.key)?;
    if condition.values.as_slice().is_empty() || !key.takes(operator) {
        return None;
    }
    let reading = Reading { operator, version };
    let values = || condition.values.iter();
    let all_fixed = || values().all(|value| reading.is_fixed(value));
    match key {
        Key::SourceArn => arn_accounts(values(), reading).map(|ids| Limit::Accounts { ids, of: Side::Source }),
        Key::PrincipalArn => arn_accounts(values(), reading).map(|ids| Limit::Accounts { ids, of: Side::Caller }),
        Key::SourceAccount => all_fixed().then(|| Limit::Accounts { ids: account_ids(values()), of: Side::Source }),
        Key::PrincipalAccount => all_fixed().then(|| Limit::Accounts { ids: account_ids(values()), of: Side::Caller }),
        Key::SourceOrgId => all_fixed().then(|| Limit::Organizations { ids: values().collect(), of: Side::Source }),
        Key::PrincipalOrgId => all_fixed().then(|| Limit::Organizations { ids: values().collect(), of: Side::Caller }),
        Key::PrincipalOrgPaths => values()
            .map(|path| path.split('/').next().filter(|id| id.starts_with("o-") && reading.is_fixed(id)))
            .collect::<Option<Vec<&str>>>()
            .map(|ids| Limit::Organizations { ids, of: Side::Caller }),
        Key::SourceVpc | Key::SourceVpce => all_fixed().then_some(Limit::Network),
        Key::SourceIp => (all_fixed() && !is_everybody(values())).then_some(Limit::Network),
        Key::UserId => (all_fixed() && !values().any(|id| id.ends_with(":*"))).then_some(Limit::Identity),
    }
}

/// Whether a source ARN names one S3 bucket (ARNs of S3 have no account) in every value.
pub(crate) fn names_a_bucket(conditions: &[Condition<'_>], version: Version) -> bool {
    conditions.iter().any(|condition| {
        let (Some(operator), Some(Key::SourceArn)) = (Operator::parse(&condition.operator), Key::parse(&condition.key))
        else {
            return false;
        };
        let reading = Reading { operator, version };
        !condition.values.as_slice().is_empty()
            && Key::SourceArn.takes(operator)
            && condition.values.iter().all(|value| {
                let mut fields = value.splitn(6, ':');
                let head: Vec<&str> = fields.by_ref().take(5).collect();
                let bucket = fields.next().and_then(|resource| resource.split('/').next()).unwrap_or_default();
                matches!(head.as_slice(), ["arn", partition, "s3", "", ""] if reading.is_fixed(partition))
                    && !bucket.is_empty()
                    && reading.is_fixed(bucket)
            })
    })
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
    UserId,
    PrincipalOrgId,
    PrincipalOrgPaths,
    PrincipalAccount,
    PrincipalArn,
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
            ("aws:userid", Key::UserId),
            ("aws:PrincipalOrgID", Key::PrincipalOrgId),
            ("aws:PrincipalOrgPaths", Key::PrincipalOrgPaths),
            ("aws:PrincipalAccount", Key::PrincipalAccount),
            ("aws:PrincipalArn", Key::PrincipalArn),
        ]
        .into_iter()
        .find_map(|(name, key)| name.eq_ignore_ascii_case(text).then_some(key))
    }

    /// Whether the operator makes sense for the key. What does not is no limit, since nobody knows what AWS makes of
    /// it.
    fn takes(self, operator: Operator) -> bool {
        match operator {
            Operator::Equals | Operator::Like => true,
            Operator::Arn => matches!(self, Key::SourceArn | Key::PrincipalArn),
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

/// The accounts of a list of ARNs, when each of them is fixed.
fn arn_accounts<'v>(arns: impl Iterator<Item = &'v str>, reading: Reading) -> Option<Vec<AccountId>> {
    arns.map(|arn| arn_account(arn, reading)).collect()
}

fn arn_account(arn: &str, reading: Reading) -> Option<AccountId> {
    let mut fields = arn.splitn(6, ':');
    let (scheme, partition, service, region) = (fields.next()?, fields.next()?, fields.next()?, fields.next()?);
    let account = fields.next()?.parse().ok()?;
    fields.next()?;
    let before = [partition, service, region];
    let fixed_before = match reading.operator {
        // Field by field, so a wildcard before the account cannot reach over it. A variable still may hold a colon.
        Operator::Arn => reading.version == Version::V2008 || !before.iter().any(|field| field.contains("${")),
        // `*` may swallow colons: `arn:aws:iam:*:111122223333:*` also fits
        // `arn:aws:iam::999999999999:user/:111122223333:/mallory`, since a path may have a colon in it.
        Operator::Equals | Operator::Like | Operator::Address => before.iter().all(|field| reading.is_fixed(field)),
    };
    (scheme == "arn" && fixed_before).then_some(account)
}

/// The values that are account ids. Another fixed value fits no account at all.
fn account_ids<'v>(values: impl Iterator<Item = &'v str>) -> Vec<AccountId> {
    values.filter_map(|value| value.parse().ok()).collect()
}

/// Ranges that no caller from the internet has (<https://www.iana.org/assignments/iana-ipv4-special-registry>): a list
/// that leaves out nothing but these still lets everybody in.
const UNROUTED: &[&str] = &[
    "0.0.0.0/8",
    "10.0.0.0/8",
    "100.64.0.0/10",
    "127.0.0.0/8",
    "169.254.0.0/16",
    "172.16.0.0/12",
    "192.0.0.0/24",
    "192.0.2.0/24",
    "192.168.0.0/16",
    "198.18.0.0/15",
    "198.51.100.0/24",
    "203.0.113.0/24",
    "224.0.0.0/3",
];

/// All addresses that are given out to the internet so far
/// (<https://www.iana.org/assignments/ipv6-address-space>).
const ROUTED_V6: (u128, u128) = (0x2000 << 112, (0x4000 << 112) - 1);

/// Whether address ranges add up to everybody, in either family; what is no range counts as everybody.
fn is_everybody<'v>(values: impl Iterator<Item = &'v str>) -> bool {
    let (mut v4, mut v6) = (Vec::new(), Vec::new());
    for value in values {
        match range(value) {
            Some(Range::V4(range)) => v4.push(range),
            Some(Range::V6(range)) => v6.push(range),
            None => return true,
        }
    }
    let mut everybody = false;
    if !v4.is_empty() {
        v4.extend(UNROUTED.iter().filter_map(|text| match range(text) {
            Some(Range::V4(range)) => Some(range),
            Some(Range::V6(_)) | None => None,
        }));
        everybody |= covers(v4, (0, u128::from(u32::MAX)));
    }
    everybody || covers(v6, ROUTED_V6)
}

enum Range {
    V4((u128, u128)),
    V6((u128, u128)),
}

/// The first and last address of `192.0.2.0/24` or `192.0.2.1`.
fn range(text: &str) -> Option<Range> {
    let (address, prefix) = match text.split_once('/') {
        Some((address, prefix)) => (address, Some(prefix.parse::<u32>().ok()?)),
        None => (text, None),
    };
    let (bits, width) = match address.parse().ok()? {
        IpAddr::V4(address) => (u128::from(address.to_bits()), 32),
        IpAddr::V6(address) => (address.to_bits(), 128),
    };
    let free = width - prefix.unwrap_or(width).min(width);
    if prefix.is_some_and(|prefix| prefix > width) {
        return None;
    }
    let mask = 1u128.checked_shl(free).map_or(u128::MAX, |size| size - 1);
    let range = (bits & !mask, bits | mask);
    Some(if width == 32 { Range::V4(range) } else { Range::V6(range) })
}

fn covers(mut ranges: Vec<(u128, u128)>, (first, last): (u128, u128)) -> bool {
    ranges.sort_unstable();
    let mut next = first;
    for (from, to) in ranges {
        if from > next {
            return false;
        }
        if to >= last {
            return true;
        }
        next = next.max(to + 1);
    }
    false
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
                Limit::Network => "network".to_owned(),
                Limit::Identity => "identity".to_owned(),
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
        check(r#"{"StringEquals":{"aws:SourceVpc":"vpc-1"}}"#, "network");
        check(r#"{"StringEquals":{"aws:sourceVpce":"vpce-1"}}"#, "network");
        check(r#"{"StringEquals":{"aws:userid":"AROAEXAMPLE:session"}}"#, "identity");
        check(
            r#"{"ForAnyValue:StringLike":{"aws:PrincipalOrgPaths":["o-exampleorgid/r-ab12/ou-ab12-1/*"]}}"#,
            "o-exampleorgid",
        );
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
        check(r#"{"StringLike":{"aws:userid":"AROAEXAMPLE:*"}}"#, "");
        check(r#"{"StringEquals":{"aws:userid":"AROAEXAMPLE:*"}}"#, "");
    }

    #[test]
    fn string_equals_takes_a_star_literally() {
        // It fits no account, so it lets nobody in.
        check(r#"{"StringEquals":{"aws:SourceAccount":"*"}}"#, "[]");
        check(r#"{"StringEquals":{"aws:SourceVpc":"vpc-*"}}"#, "network");
    }

    #[test]
    fn variables_are_live_since_2012_and_escapes_are_literals() {
        check(r#"{"StringEquals":{"aws:SourceVpc":"${aws:PrincipalTag/vpc}"}}"#, "");
        check(r#"{"StringEquals":{"aws:SourceVpc":"${unfinished"}}"#, "");
        check(r#"{"StringLike":{"aws:SourceVpc":"a${*}b${?}c${$}d"}}"#, "network");
        check(r#"{"StringLike":{"aws:SourceVpc":"a${*}*"}}"#, "");
        for old in ["", r#""Version":"2008-10-17","#] {
            check_version(old, r#"{"StringEquals":{"aws:SourceVpc":"${aws:PrincipalTag/vpc}"}}"#, "network");
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
            "arn:aws:s3:::bucket",
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
        check(&ip(r#""10.0.0.0/8""#), "network");
        check(&ip(r#"["203.0.113.7","2001:db8::/32"]"#), "network");
        check(&ip(r#"["0.0.0.0/1"]"#), "network");
        for everybody in [
            r#""0.0.0.0/0""#,
            r#""1.2.3.4/0""#,
            r#""::/0""#,
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
            "o-exampleorgid and network",
        );
    }

    #[test]
    fn a_bucket_is_named_or_not() {
        #[track_caller]
        fn check(arn: &str, expected: bool) {
            let condition = Condition {
                operator: "ArnLike".into(),
                key: "AWS:SourceArn".into(),
                values: crate::Values::One(arn.into()),
            };
            assert_eq!(names_a_bucket(&[condition], Version::V2012), expected, "{arn}");
        }
        check("arn:aws:s3:::bucket", true);
        check("arn:aws:s3:::bucket/*", true);
        check("arn:aws:s3:::bucket*", false);
        check("arn:aws:s3:::*", false);
        check("arn:aws:s3:::", false);
        check("arn:aws:sns:us-east-1::t", false);
        check("arn:*:s3:::bucket", false);
    }
}
