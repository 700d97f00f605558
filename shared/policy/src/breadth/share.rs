//! Patterns that are narrow one by one and add up to everything: `role/a*`, `role/b*`, and so on to `role/z*`.
//!
//! A pattern that leaves a name open but for k characters fits about one name in 37^k: letters, digits and the dash. Of
//! a name that AWS gives, whose digits are hexadecimal, it fits one in 16^k. Of the distinct patterns that a role has
//! for an action, a quarter of all names or more is as good as every name.

use super::{
    ACCOUNT, Filler, NAME, PARTITION, REGION, Scratch, UNGUESSABLE, after_partition,
    given::{DIGIT, given_name},
    is_all_stars,
};
use crate::{AccountId, Context, Version, pattern};

/// A share of all names, in parts of [`Share::WHOLE`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Share(u32);

impl Share {
    /// A multiple of 37 squared and of 16 to the third: what fixes more is nothing, for a policy has no room for enough
    /// of them.
    const WHOLE: u32 = 37 * 37 * 16 * 16 * 16;

    /// How many lengths names have, roughly: a pattern without a star fits one of them.
    const LENGTHS: u32 = 32;

    /// Of names that people give, of any length or of one, but for so many characters.
    fn but_for(characters: usize, any_length: bool) -> Self {
        let share = [1, 37, 37 * 37].get(characters).map_or(0, |all| Self::WHOLE / all);
        Self(if any_length { share } else { share / Self::LENGTHS })
    }

    /// Of names that AWS gives, but for so many hexadecimal digits.
    fn but_for_digits(digits: usize) -> Self {
        Self([1, 16, 16 * 16, 16 * 16 * 16].get(digits).map_or(0, |all| Self::WHOLE / all))
    }

    /// Whether there is any.
    pub(crate) fn is_some(self) -> bool {
        self.0 > 0
    }

    /// Whether it is as good as all.
    pub(crate) fn is_much(self) -> bool {
        self.0 >= Self::WHOLE / 4
    }

    /// Both together.
    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

/// A resource pattern that may be a part of everything.
pub(crate) struct Fragment<'d> {
    filler: Filler<'d>,
    /// How many characters are no wildcards, and can stand neither for the partition, nor for the Region or the
    /// account.
    fixed: usize,
    /// Whether a star follows the account, so that names of any length fit.
    any_length: bool,
    /// Room for one computation.
    costs: Vec<u8>,
}

impl<'d> Fragment<'d> {
    /// Nothing for a name, and for everything.
    pub(crate) fn read(resource: &'d str, version: Version, context: &'d Context) -> Option<Self> {
        if !pattern::has_wildcard(resource) || is_all_stars(resource) {
            return None;
        }
        let filler = Filler::new(super::without_variables(resource, version), context);
        let text: &str = &filler.pattern;
        let digits = text.bytes().filter(u8::is_ascii_digit).count().min(AccountId::LENGTH);
        let partition = filler.partition.len().max(context.partition.as_str().len());
        let fixed = text.bytes().filter(|byte| !matches!(byte, b'*' | b'?')).count();
        let fixed = fixed.saturating_sub(digits + partition + filler.region.len());
        let name = text.splitn(6, ':').nth(5).filter(|_| text.starts_with("arn:")).unwrap_or(text);
        Some(Self { any_length: name.contains('*'), fixed, filler, costs: Vec::new() })
    }

    /// The pattern: two that are written alike are one.
    pub(crate) fn text(&self) -> &str {
        &self.filler.pattern
    }

    /// Whether it may fit some of what a template stands for, by its service and its length alone.
    pub(crate) fn may_share(&self, template: &Outline<'_>) -> bool {
        // What does not fit between the names has to be in them.
        self.fixed < template.plain + template.counts
            && self.filler.fixed_service().is_none_or(|service| Some(service) == template.service)
    }

    /// How much of what a template stands for it fits.
    pub(crate) fn share_of(&mut self, template: &[u8], scratch: &mut Scratch) -> Share {
        if !self.may_share(&Outline::of(template)) {
            return Share::default();
        }
        if scratch.is_exhausted_after(WORK) {
            // Written to be slow: taken for all.
            return Share::but_for(0, true);
        }
        match (self.fewest_fixed(template), given_name(template)) {
            (Some(digits), Some(_)) => Share::but_for_digits(digits),
            (Some(characters), None) => Share::but_for(characters, self.any_length),
            (None, _) => Share::default(),
        }
    }

    /// How many characters of the template's names the pattern fixes at least; nothing where it does not fit, or fixes
    /// too many. One pass over the template, with the least cost of having come so far in the pattern.
    fn fewest_fixed(&mut self, template: &[u8]) -> Option<usize> {
        let mut costs = std::mem::take(&mut self.costs);
        let pattern = self.filler.pattern.as_bytes();
        costs.clear();
        costs.resize(pattern.len() + 1, FAR);
        if let Some(start) = costs.first_mut() {
            *start = 0;
        }
        skip_stars(&mut costs, pattern);
        let account = self.filler.account.as_ref().map_or(UNGUESSABLE, AccountId::as_str);
        let given = given_name(template).map(|(_, name)| name);
        let mut field = Vec::new();
        for byte in template {
            field.clear();
            match *byte {
                PARTITION => {
                    let partition = self.filler.field(&self.filler.partition);
                    super::fill(&mut field, partition, self.filler.context.partition.as_str());
                }
                REGION => super::fill(&mut field, self.filler.field(&self.filler.region), "\u{5}"),
                ACCOUNT => field.extend_from_slice(account.as_bytes()),
                NAME => field.extend_from_slice(given.unwrap_or_default().as_bytes()),
                plain => field.push(plain),
            }
            let is_name = *byte == NAME;
            for byte in &field {
                if is_name && *byte == DIGIT {
                    a_digit(&mut costs, pattern);
                } else {
                    one_character(&mut costs, pattern, *byte);
                }
            }
            if is_name && given.is_none() {
                a_name(&mut costs, pattern);
            }
            if costs.iter().all(|cost| *cost >= FAR) {
                break;
            }
        }
        let least = costs.last().copied().filter(|cost| *cost < FAR).map(usize::from);
        self.costs = costs;
        least
    }
}

/// What of a template decides whether a pattern may fit it.
pub(crate) struct Outline<'t> {
    /// So few patterns are never a quarter of all names: of those that AWS gives, one that leaves out a single digit is
    /// a part in 16; of others, one that leaves out a single character is a part in 37, one of a single length a part
    /// in 32.
    pub(crate) least: usize,
    service: Option<&'t [u8]>,
    /// How many characters are known, those of given names included.
    plain: usize,
    /// From how many fixed characters on a pattern counts for nothing.
    counts: usize,
}

impl<'t> Outline<'t> {
    pub(crate) fn of(template: &'t [u8]) -> Self {
        let given = given_name(template).map(|(_, name)| name);
        let known = given.map_or(0, |name| name.bytes().filter(|byte| *byte != DIGIT).count());
        let plain = template.iter().filter(|byte| **byte > NAME).count() + known;
        let service = after_partition(template).split(|byte| *byte == b':').next();
        let (least, counts) = if given.is_some() { (FEWEST, usize::from(FAR)) } else { (8, 3) };
        Self { least, service, plain, counts }
    }
}

/// The fewest patterns that are ever a quarter of all names.
pub(crate) const FEWEST: usize = 4;

/// What one computation is worth in comparisons.
const WORK: usize = 16;

/// More fixed characters than count for anything.
const FAR: u8 = 4;

/// A star may stand for nothing.
fn skip_stars(costs: &mut [u8], pattern: &[u8]) {
    let mut before = FAR;
    let mut after_star = false;
    for (cost, byte) in costs.iter_mut().zip(pattern.iter().map(Some).chain([None])) {
        if after_star {
            *cost = (*cost).min(before);
        }
        before = *cost;
        after_star = byte == Some(&b'*');
    }
}

/// One character that is known.
fn one_character(costs: &mut [u8], pattern: &[u8], character: u8) {
    one_step(costs, pattern, |known| if known == character { 0 } else { FAR });
}

/// One hexadecimal digit that is not known.
fn a_digit(costs: &mut [u8], pattern: &[u8]) {
    one_step(costs, pattern, |known| if matches!(known, b'0'..=b'9' | b'a'..=b'f') { 1 } else { FAR });
}

/// One character of the name. `fixed` says what it costs that a fixed character of the pattern stands for it.
fn one_step(costs: &mut [u8], pattern: &[u8], fixed: impl Fn(u8) -> u8) {
    let mut before = FAR;
    let mut last = None;
    for (cost, byte) in costs.iter_mut().zip(pattern.iter().map(Some).chain([None])) {
        let stays = if byte == Some(&b'*') { *cost } else { FAR };
        let comes = match last {
            Some(b'?') => before,
            Some(b'*') | None => FAR,
            Some(known) => before.saturating_add(fixed(known)).min(FAR),
        };
        before = *cost;
        last = byte.copied();
        *cost = stays.min(comes);
    }
    skip_stars(costs, pattern);
}

/// One character or more that are not known.
fn a_name(costs: &mut [u8], pattern: &[u8]) {
    let mut before_any = FAR;
    let mut before = FAR;
    let mut last = None;
    for (cost, byte) in costs.iter_mut().zip(pattern.iter().map(Some).chain([None])) {
        let stays = if byte == Some(&b'*') { *cost } else { FAR };
        // From where nothing of the name was taken yet, or from where some was.
        let comes = match last {
            Some(b'*') => before,
            Some(b'?') => before.min(before_any),
            Some(_) => before.min(before_any).saturating_add(1).min(FAR),
            None => FAR,
        };
        before_any = *cost;
        last = byte.copied();
        before = stays.min(comes);
        *cost = before;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Obviously right and slow: every name of up to six characters that the pattern could mean, with how many of the
    /// pattern's own characters it takes.
    fn reference(pattern: &[u8], text: &[Option<u8>]) -> Option<usize> {
        match (pattern.split_first(), text.split_first()) {
            (None, None) => Some(0),
            (None, Some(_)) => None,
            (Some((b'*', rest)), _) => {
                let skipped = (0..=text.len()).filter_map(|skip| reference(rest, &text[skip..]));
                skipped.min()
            }
            (Some(_), None) => None,
            (Some((b'?', rest)), Some((_, left))) => reference(rest, left),
            (Some((byte, rest)), Some((Some(known), left))) if byte == known => reference(rest, left),
            (Some(_), Some((Some(_), _))) => None,
            // A character of a name.
            (Some((_, rest)), Some((None, left))) => reference(rest, left).map(|fixed| fixed + 1),
        }
    }

    proptest! {
        #[test]
        fn the_fewest_fixed_characters_are_those_of_the_definition(pattern in "(arn:aws:s3:::|[a*?])[ab/*?]{0,5}[*?]") {
            let context = Context::of_account("111122223333".parse().unwrap());
            let Some(mut fragment) = Fragment::read(&pattern, Version::V2012, &context) else { return Ok(()) };
            let template = b"arn:\x01:s3:::\x04/\x04";
            let known = |text: &str| text.bytes().map(Some).collect::<Vec<_>>();
            let lengths = (1..=6).flat_map(|one| (1..=6).map(move |two| (one, two)));
            let expected = lengths
                .filter_map(|(one, two)| {
                    let text = [known("arn:aws:s3:::"), vec![None; one], known("/"), vec![None; two]].concat();
                    reference(pattern.as_bytes(), &text)
                })
                .min()
                .filter(|fixed| *fixed < usize::from(FAR));
            prop_assert_eq!(fragment.fewest_fixed(template), expected, "{}", pattern);
        }

        #[test]
        fn nothing_that_fits_is_passed_over(pattern in "(arn:aws:s3:::|[a*?])[ab/*?]{0,5}[*?]") {
            let context = Context::of_account("111122223333".parse().unwrap());
            let Some(mut fragment) = Fragment::read(&pattern, Version::V2012, &context) else { return Ok(()) };
            let template = b"arn:\x01:s3:::\x04/\x04";
            let outline = Outline::of(template);
            if fragment.fewest_fixed(template).is_some_and(|fixed| fixed < outline.counts) {
                prop_assert!(fragment.may_share(&outline), "{}", pattern);
            }
        }
    }
}
