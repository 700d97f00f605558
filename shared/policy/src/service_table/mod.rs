//! The service authorization table: which actions exist, what they may do, and what ARNs they act on.
//!
//! The bytes are written by `table/generate.mjs` and read in place: nothing is parsed or allocated at start. Actions
//! are numbered by service and lower-case name, so that a service, and a pattern like `s3:Get*`, is a range of numbers.

mod action_set;
mod layout;

pub(crate) use action_set::ActionSet;

use crate::pattern;
use std::{cmp::Ordering, ops::Range};

static TABLE: &[u8] = include_bytes!("table.bin");

/// How many actions there are.
pub(crate) const ACTIONS: usize = layout::ACTIONS;

/// An action's number.
pub(crate) type Action = usize;

/// A service's number.
pub(crate) type Service = usize;

fn section((start, end): (usize, usize)) -> &'static [u8] {
    // INVARIANT: layout.rs was written together with table.bin; a test reads all of it.
    TABLE.get(start..end).unwrap_or_default()
}

fn u16_at(bounds: (usize, usize), index: usize) -> usize {
    match section(bounds).get(2 * index..2 * index + 2) {
        Some(&[low, high]) => usize::from(u16::from_le_bytes([low, high])),
        Some(_) | None => 0,
    }
}

fn u32_at(bounds: (usize, usize), index: usize) -> usize {
    match section(bounds).get(4 * index..4 * index + 4) {
        Some(&[a, b, c, d]) => usize::try_from(u32::from_le_bytes([a, b, c, d])).unwrap_or_default(),
        Some(_) | None => 0,
    }
}

fn bytes(bounds: (usize, usize), range: Range<usize>) -> &'static [u8] {
    section(bounds).get(range).unwrap_or_default()
}

fn bit(bounds: (usize, usize), action: Action) -> bool {
    section(bounds).get(action / 8).is_some_and(|byte| byte & (1 << (action % 8)) != 0)
}

/// The prefix of a service: `s3`, `execute-api`.
pub(crate) fn service_name(service: Service) -> &'static str {
    std::str::from_utf8(service_bytes(service)).unwrap_or_default()
}

fn service_bytes(service: Service) -> &'static [u8] {
    bytes(
        layout::SERVICE_NAMES,
        u16_at(layout::SERVICE_NAME_ENDS, service)..u16_at(layout::SERVICE_NAME_ENDS, service + 1),
    )
}

/// The service of a prefix, whatever its case.
pub(crate) fn service(prefix: &str) -> Option<Service> {
    let (mut low, mut high) = (0, layout::SERVICES);
    while low < high {
        let middle = usize::midpoint(low, high);
        match compare_start(service_bytes(middle), prefix).then_with(|| service_bytes(middle).len().cmp(&prefix.len()))
        {
            Ordering::Equal => return Some(middle),
            Ordering::Less => low = middle + 1,
            Ordering::Greater => high = middle,
        }
    }
    None
}

/// Every service of the table.
pub(crate) fn services() -> Range<Service> {
    0..layout::SERVICES
}

/// The actions of a service.
pub(crate) fn actions_of(service: Service) -> Range<Action> {
    u16_at(layout::SERVICE_STARTS, service)..u16_at(layout::SERVICE_STARTS, service + 1)
}

/// The service of an action.
pub(crate) fn service_of(action: Action) -> Service {
    u16_at(layout::ACTION_SERVICES, action)
}

/// The name of an action, without its service. Compared as bytes: to prove that they are text would cost more.
fn bare_name(action: Action) -> &'static [u8] {
    let service = service_of(action);
    let start = u32_at(layout::ACTION_NAME_BASES, service) + u16_at(layout::ACTION_NAME_STARTS, action);
    // The last name of a service ends where the next service's names begin.
    let next = action + 1;
    let end = if next < ACTIONS && service_of(next) == service {
        u32_at(layout::ACTION_NAME_BASES, service) + u16_at(layout::ACTION_NAME_STARTS, next)
    } else {
        u32_at(layout::ACTION_NAME_BASES, service + 1)
    };
    bytes(layout::ACTION_NAMES, start..end)
}

/// The name of an action as AWS writes it: `s3:GetObject`.
#[cfg(test)]
pub(crate) fn name(action: Action) -> String {
    let mut name = String::new();
    push_name(action, &mut name);
    name
}

/// Writes the name of an action as AWS does, `s3:GetObject`, to the end of a text.
pub(crate) fn push_name(action: Action, to: &mut String) {
    to.push_str(service_name(service_of(action)));
    to.push(':');
    to.push_str(std::str::from_utf8(bare_name(action)).unwrap_or_default());
}

/// Whether the action changes who may do what.
#[cfg(test)]
pub(crate) fn is_permissions(action: Action) -> bool {
    bit(layout::PERMISSIONS, action)
}

/// Whether the action changes anything.
pub(crate) fn is_write(action: Action) -> bool {
    bit(layout::WRITES, action)
}

/// Whether the action can be granted on less than `*`.
pub(crate) fn is_scopable(action: Action) -> bool {
    bit(layout::SCOPABLE, action)
}

/// Whether every type of resource that the action has is one that it requires: the ARNs of all of them are what it
/// needs, whatever the call says.
pub(crate) fn is_settled(action: Action) -> bool {
    is_scopable(action) && bit(layout::SETTLED, action)
}

/// Every action that changes who may do what.
pub(crate) fn permissions() -> ActionSet {
    ActionSet::from_bits(section(layout::PERMISSIONS))
}

/// Every action that changes something and can be granted on less than `*`.
pub(crate) fn scopable_writes() -> ActionSet {
    let mut writes = ActionSet::from_bits(section(layout::WRITES));
    writes.intersect(&ActionSet::from_bits(section(layout::SCOPABLE)));
    writes
}

/// Which set of ARN templates the action has. Actions with equal templates have equal sets.
pub(crate) fn type_set(action: Action) -> usize {
    u16_at(layout::TYPE_SETS, action)
}

/// The templates of a set, as numbers.
pub(crate) fn templates(set: usize) -> impl Iterator<Item = usize> {
    (u16_at(layout::SET_STARTS, set)..u16_at(layout::SET_STARTS, set + 1))
        .map(|member| u16_at(layout::SET_MEMBERS, member))
}

/// A template by its number. Its tokens are single bytes, see [`crate::breadth`].
pub(crate) fn template(number: usize) -> &'static [u8] {
    bytes(layout::TEMPLATES, u32_at(layout::TEMPLATE_ENDS, number)..u32_at(layout::TEMPLATE_ENDS, number + 1))
}

/// The action of a full name, whatever its case.
pub(crate) fn action(full: &str) -> Option<Action> {
    const BUCKETS: u64 = (layout::DISPLACEMENTS.1 - layout::DISPLACEMENTS.0) as u64 / 2;
    const SLOTS: u64 = (layout::SLOTS.1 - layout::SLOTS.0) as u64 / 2;
    let mut state: u64 = 0;
    let mut mix = |word: u64| {
        state = (state ^ (word | 0x2020_2020_2020_2020)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        state ^= state >> 32;
    };
    let (words, rest) = full.as_bytes().as_chunks::<8>();
    words.iter().for_each(|word| mix(u64::from_le_bytes(*word)));
    if !rest.is_empty() {
        mix(rest.iter().rev().fold(0, |word, byte| word << 8 | u64::from(*byte)));
    }
    let bucket = usize::try_from((state >> 32) % BUCKETS).unwrap_or_default();
    let displacement = u16_at(layout::DISPLACEMENTS, bucket) as u64;
    let step = ((state >> 16) & 0x7fff) | 1;
    let slot = usize::try_from(((state & 0xffff_ffff) + displacement * step) % SLOTS).unwrap_or_default();
    u16_at(layout::SLOTS, slot).checked_sub(1).filter(|found| is_named(*found, full))
}

fn is_named(action: Action, full: &str) -> bool {
    let (full, name) = (full.as_bytes(), bare_name(action));
    let parts = full.len().checked_sub(name.len()).and_then(|at| full.split_at_checked(at));
    parts.is_some_and(|(prefix, tail)| {
        prefix.split_last().is_some_and(|(colon, prefix)| {
            *colon == b':' && is_same(tail, name) && is_same(prefix, service_bytes(service_of(action)))
        })
    })
}

/// Whether a text is a name of the table in any case. Names are letters, digits and dashes, for which setting bit 5 is
/// lower-casing; it also makes control characters look like them, which therefore have to be told apart.
fn is_same(text: &[u8], name: &[u8]) -> bool {
    const BIT_5: u64 = 0x2020_2020_2020_2020;
    if text.len() != name.len() {
        return false;
    }
    let same_word = |text: &[u8; 8], name: &[u8; 8]| {
        let (text, name) = (u64::from_le_bytes(*text), u64::from_le_bytes(*name));
        // A control character has neither bit 5 nor bit 6.
        text | BIT_5 == name | BIT_5 && (!text >> 1) & !text & BIT_5 == 0
    };
    let same_byte = |text: &u8, name: &u8| text | 0x20 == name | 0x20 && *text >= 0x20;
    let ((texts, text_rest), (names, name_rest)) = (text.as_chunks::<8>(), name.as_chunks::<8>());
    texts.iter().zip(names).all(|(text, name)| same_word(text, name))
        && text_rest.iter().zip(name_rest).all(|(text, name)| same_byte(text, name))
}

/// The range of a service's actions that start with a literal text.
pub(crate) fn starting_with(service: Service, literal: &str) -> Range<Action> {
    let all = actions_of(service);
    let first = partition(all.clone(), |name| compare_start(name, literal) == Ordering::Less);
    let end = partition(first..all.end, |name| compare_start(name, literal) == Ordering::Equal);
    first..end
}

fn partition(range: Range<Action>, before: impl Fn(&[u8]) -> bool) -> Action {
    let (mut low, mut high) = (range.start, range.end);
    while low < high {
        let middle = usize::midpoint(low, high);
        if before(bare_name(middle)) { low = middle + 1 } else { high = middle }
    }
    low
}

/// Compares the start of a name with a literal, without regard to case.
fn compare_start(name: &[u8], literal: &str) -> Ordering {
    for (mine, theirs) in name.iter().zip(literal.as_bytes()) {
        match mine.to_ascii_lowercase().cmp(&theirs.to_ascii_lowercase()) {
            Ordering::Equal => {}
            unequal @ (Ordering::Less | Ordering::Greater) => return unequal,
        }
    }
    if name.len() < literal.len() { Ordering::Less } else { Ordering::Equal }
}

/// Whether an action fits the part of a pattern after the colon.
pub(crate) fn fits_name(tail: &str, action: Action) -> bool {
    pattern::fits_name(tail, bare_name(action))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_is_found_by_its_name_and_stands_in_order() {
        for service in services() {
            let actions = actions_of(service);
            assert!(service == 0 || service_name(service - 1) < service_name(service));
            for action in actions.clone() {
                let full = name(action);
                assert_eq!(super::action(&full), Some(action), "{full}");
                assert_eq!(super::action(&full.to_ascii_uppercase()), Some(action), "{full}");
                assert_eq!(service_of(action), service);
                assert!(
                    action + 1 == actions.end
                        || bare_name(action).to_ascii_lowercase() < bare_name(action + 1).to_ascii_lowercase()
                );
            }
        }
        assert_eq!(actions_of(layout::SERVICES - 1).end, ACTIONS);
    }

    #[test]
    fn the_bytes_and_their_layout_belong_together() {
        assert_eq!(TABLE.len(), layout::SLOTS.1);
        assert!(TABLE.len() <= 800_000);
        assert_eq!(section(layout::ACTION_NAMES).len(), u32_at(layout::ACTION_NAME_BASES, layout::SERVICES));
        assert!(
            (0..ACTIONS).all(|action| templates(type_set(action)).all(|arn| template(arn).starts_with(b"arn:\x01:")))
        );
        assert!((0..ACTIONS).all(|action| is_scopable(action) == (templates(type_set(action)).count() > 0)));
    }

    #[test]
    fn names_are_letters_digits_and_dashes() {
        let plain = |name: &[u8]| name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'-');
        assert!(services().all(|service| plain(service_bytes(service))));
        assert!((0..ACTIONS).all(|action| plain(bare_name(action))));
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        for absent in [
            "s\u{13}:GetObject",
            "s3:\u{7}etObject",
            "s3\u{1a}GetObject",
            "",
            ":",
            "s3",
            "s3:",
            "s3:Get",
            "s3:GetObjects",
            "s4:GetObject",
            "s3GetObject",
            "s3:GetObject ",
        ] {
            assert_eq!(action(absent), None, "{absent}");
        }
        assert_eq!(service("S3"), service("s3"));
        assert_eq!(service("s4"), None);
        assert_eq!(service(""), None);
    }

    #[test]
    fn known_facts() {
        let is = |full: &str| {
            let action = action(full).unwrap();
            (is_permissions(action), is_write(action), is_scopable(action))
        };
        assert_eq!(is("iam:PassRole"), (false, true, true));
        assert_eq!(is("s3:PutBucketPolicy"), (true, true, true));
        assert_eq!(is("s3:GetObject"), (false, false, true));
        assert_eq!(is("ec2:DescribeInstances"), (false, false, false));
        let settled = |full: &str| is_settled(action(full).unwrap());
        assert!(["iam:PassRole", "kms:Decrypt", "logs:PutLogEvents"].into_iter().all(settled));
        for open in ["ssm:SendCommand", "cloudwatch:PutMetricData", "ssm:StartSession", "ec2:DescribeInstances"] {
            assert!(!settled(open), "{open}");
        }
        let s3 = service("s3").unwrap();
        assert!(starting_with(s3, "GETobject").any(|action| name(action) == "s3:GetObject"));
        assert!(starting_with(s3, "GetObject").all(|action| name(action).starts_with("s3:GetObject")));
        assert!(starting_with(s3, "zzz").is_empty());
        assert_eq!(starting_with(s3, ""), actions_of(s3));
    }
}
