//! Layer 2: the formats of providers, as data. What is public by design (layer 1) stands in the same table.

mod checksum;
mod table;
#[cfg(test)]
mod tests;

use crate::verdict::{Kind, Verdict};
use checksum::Checksum;
use std::sync::LazyLock;

/// A format of a provider's keys or tokens.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    /// The kind in findings. Formats of one kind of secret share it.
    kind: Kind,
    /// The page that documents the format, or the provider's page that shows it.
    #[cfg_attr(not(test), expect(dead_code, reason = "it is for readers; the tests hold it to be there"))]
    source: &'static str,
    /// What it consists of, from the first character to the last.
    parts: &'static [Part],
    /// The checksum in it.
    checksum: Checksum,
    says: Says,
}

/// What a value of a format is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Says {
    /// A secret: no other thing looks like it.
    Secret,
    /// Likely one, or only half of one: an access key id.
    Likely,
    /// Meant to be seen: a publishable key, a public key.
    Public,
    /// An id or an address, whose shape a secret may have by chance.
    Id,
}

/// A piece of a format.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Part {
    /// These very characters.
    Text(&'static str),
    /// One of these.
    Either(&'static [&'static str]),
    /// At least and at most so many of these characters.
    Run(Alphabet, u16, u16),
}

/// A set of characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Alphabet {
    Digit,
    /// Small hexadecimal digits.
    Hex,
    /// Capital hexadecimal digits.
    UpperHex,
    Lower,
    /// Small letters and digits.
    LowerAlnum,
    /// Capitals and digits.
    UpperAlnum,
    Alnum,
    /// Capitals and 2 to 7 (RFC 4648).
    Base32,
    /// Letters, digits, `+`, `/`.
    Base64,
    /// Letters, digits, `-`, `_`.
    UrlSafe,
    /// Letters, digits, `_`.
    Word,
    /// Letters, digits, `-`, `_`, `.`.
    Dotted,
    /// Letters, digits, `-`, `_`, `.`, `~`, `+`, `/`, `=`: what a bearer token may have (RFC 6750).
    Bearer,
    /// Letters, digits, `%`.
    Percent,
    /// Hexadecimal digits and `-`: UUIDs, with their place not looked at.
    UuidLike,
}

impl Alphabet {
    pub(crate) const fn has(self, byte: u8) -> bool {
        match self {
            Alphabet::Digit => byte.is_ascii_digit(),
            Alphabet::Hex => byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'),
            Alphabet::UpperHex => byte.is_ascii_digit() || matches!(byte, b'A'..=b'F'),
            Alphabet::Lower => byte.is_ascii_lowercase(),
            Alphabet::LowerAlnum => byte.is_ascii_lowercase() || byte.is_ascii_digit(),
            Alphabet::UpperAlnum => byte.is_ascii_uppercase() || byte.is_ascii_digit(),
            Alphabet::Alnum => byte.is_ascii_alphanumeric(),
            Alphabet::Base32 => matches!(byte, b'A'..=b'Z' | b'2'..=b'7'),
            Alphabet::Base64 => byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'),
            Alphabet::UrlSafe => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'),
            Alphabet::Word => byte.is_ascii_alphanumeric() || byte == b'_',
            Alphabet::Dotted => byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'),
            Alphabet::Bearer => {
                byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'~' | b'+' | b'/' | b'=')
            }
            Alphabet::Percent => byte.is_ascii_alphanumeric() || byte == b'%',
            Alphabet::UuidLike => byte.is_ascii_digit() || matches!(byte, b'a'..=b'f' | b'-'),
        }
    }
}

/// A value that has a format.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Recognised {
    Secret(Verdict),
    Public,
    Id,
}

impl Format {
    /// How many bytes at the start of the text have this format; nothing if they do not.
    fn length(&self, text: &[u8]) -> Option<usize> {
        length(self.parts, text, 0)
    }

    fn recognised(&self, matched: &str) -> Recognised {
        match self.says {
            Says::Public => Recognised::Public,
            Says::Id => Recognised::Id,
            Says::Likely => Recognised::Secret(Verdict::medium(self.kind)),
            Says::Secret if self.checksum.holds(matched) => Recognised::Secret(Verdict::high(self.kind)),
            Says::Secret => Recognised::Secret(Verdict::medium(self.kind)),
        }
    }

    /// How long a value of the format may be, in bytes.
    fn lengths(&self) -> std::ops::RangeInclusive<usize> {
        let bounds = |part: &Part| match part {
            Part::Text(text) => (text.len(), text.len()),
            Part::Either(texts) => {
                let lengths = || texts.iter().map(|text| text.len());
                (lengths().min().unwrap_or_default(), lengths().max().unwrap_or_default())
            }
            Part::Run(_, least, most) => (usize::from(*least), usize::from(*most)),
        };
        let (least, most) = self.parts.iter().map(bounds).fold((0, 0), |sum, part| (sum.0 + part.0, sum.1 + part.1));
        least..=most
    }

    /// Whether it begins with more than digits, which numbers and ids begin with too: an Okta token begins with `00`.
    fn is_distinct(&self) -> bool {
        self.starts().iter().all(|start| start.bytes().any(|byte| !byte.is_ascii_digit()))
    }

    /// What a value of the format begins with, if that is fixed.
    fn starts(&self) -> &'static [&'static str] {
        match self.parts {
            [Part::Text(text), ..] => std::slice::from_ref(text),
            [Part::Either(texts), ..] => texts,
            _ => &[],
        }
    }
}

/// Runs take as much as they can and give back only what the next part needs. All lengths are bounded by the table.
fn length(parts: &[Part], text: &[u8], so_far: usize) -> Option<usize> {
    let Some((part, rest)) = parts.split_first() else { return Some(so_far) };
    match part {
        Part::Text(literal) => length(rest, text.strip_prefix(literal.as_bytes())?, so_far + literal.len()),
        Part::Either(literals) => literals
            .iter()
            .find_map(|literal| length(rest, text.strip_prefix(literal.as_bytes())?, so_far + literal.len())),
        Part::Run(alphabet, least, most) => {
            let (least, most) = (usize::from(*least), usize::from(*most));
            let longest = text.iter().take(most).take_while(|byte| alphabet.has(**byte)).count();
            if rest.is_empty() {
                return (longest >= least).then_some(so_far + longest);
            }
            (least..=longest).rev().find_map(|taken| length(rest, text.get(taken..)?, so_far + taken))
        }
    }
}

/// The formats by their first byte, and those without a fixed beginning.
struct Index {
    by_first: [Vec<(&'static str, &'static Format)>; 128],
    without: Vec<(std::ops::RangeInclusive<usize>, &'static Format)>,
}

/// Made at first use: a few hundred pointers, some ten microseconds.
static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index { by_first: std::array::from_fn(|_| Vec::new()), without: Vec::new() };
    for format in table::FORMATS.iter().copied().flatten() {
        for start in format.starts() {
            let first = start.as_bytes().first().copied().unwrap_or_default();
            if let Some(bucket) = index.by_first.get_mut(usize::from(first)) {
                bucket.push((*start, format));
            }
        }
        if format.starts().is_empty() {
            index.without.push((format.lengths(), format));
        }
    }
    // The longest beginning first: `sk-ant-` is no `sk-`.
    for bucket in &mut index.by_first {
        bucket.sort_by_key(|(start, _)| std::cmp::Reverse(start.len()));
    }
    index
});

/// The format that the whole of the value has.
pub(crate) fn recognise(value: &str) -> Option<Recognised> {
    let bytes = value.as_bytes();
    let first = usize::from(*bytes.first()?);
    let index = &*INDEX;
    let prefixed = index.by_first.get(first).into_iter().flatten();
    let prefixed = prefixed.filter(|(start, _)| value.starts_with(start)).map(|(_, format)| *format);
    let without = index.without.iter().filter(|(lengths, _)| lengths.contains(&bytes.len())).map(|(_, format)| *format);
    prefixed
        .chain(without)
        .find(|format| format.length(bytes) == Some(bytes.len()) && (format.is_distinct() || is_mixed(bytes)))
        .map(|format| format.recognised(value))
}

/// Small letters, capitals and digits, as a random value of some length has them.
fn is_mixed(bytes: &[u8]) -> bool {
    [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit].iter().all(|is| bytes.iter().any(is))
}

/// Formats longer than this are tried once for each stretch of a text, so that the time stays in proportion to its length.
const LONG: usize = 256;

/// The surest secret whose format stands somewhere within the text, between characters that are no part of it.
pub(crate) fn find_within(text: &str) -> Option<Verdict> {
    let bytes = text.as_bytes();
    let mut before = b' ';
    let mut skip_to = 0;
    let mut found: Option<Verdict> = None;
    for (at, &byte) in bytes.iter().enumerate() {
        let starts_here = at >= skip_to && !before.is_ascii_alphanumeric() && byte.is_ascii_alphanumeric();
        before = byte;
        if !starts_here {
            continue;
        }
        let Some(bucket) = INDEX.by_first.get(usize::from(byte)).filter(|bucket| !bucket.is_empty()) else { continue };
        let Some(rest) = bytes.get(at..) else { continue };
        for (start, format) in bucket {
            if !format.is_distinct() || !rest.starts_with(start.as_bytes()) {
                continue;
            }
            let Some(length) = format.length(rest) else { continue };
            let ends =
                rest.get(length).is_none_or(|next| !next.is_ascii_alphanumeric() && !matches!(next, b'-' | b'_'));
            // What goes on is something else, and long; it is not read again from each of its letters.
            if !ends && length > LONG {
                skip_to = at + length;
                break;
            }
            let Some(matched) = text.get(at..at + length).filter(|_| ends) else { continue };
            skip_to = at + length;
            if crate::placeholder::is_placeholder(matched) || crate::published::is_published(matched) {
                break;
            }
            if let Recognised::Secret(verdict) = format.recognised(matched) {
                found = Some(found.map_or(verdict, |found| found.or(Some(verdict))));
            }
            break;
        }
    }
    found
}
