//! Layer 2: the formats of providers, as data. What is public by design (layer 1) stands in the same table.

mod checksum;
mod table;
#[cfg(test)]
mod tests;

use crate::{
    bigrams::is_wordlike,
    features::{Features, is_uuid},
    ids,
    name::{Name, Role},
    verdict::{Kind, Verdict},
};
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
    /// An id or an address, whose features a secret may have by chance.
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

/// Letters that nothing but a key begins with, few as they are.
const MARKS: &[&str] = &[
    "sk",
    "pk",
    "hf",
    "A3-",
    "da2-",
    "pat-",
    "DO00",
    "PT",
    "ls__",
    "S",
    "SU",
    "SA",
    "SO",
    "SN",
    "SC",
    "SX",
    "oy2",
    "VF.",
    "1000.",
    "0/",
    "1/",
    "2/",
    "SG.",
    "sb_secret_",
];

/// Words that names of things begin with, and keys of some providers too: `api-`, `live_`, `secret-`.
const ORDINARY: &[&str] = &[
    "access",
    "api",
    "app",
    "cal",
    "client",
    "coda",
    "console",
    "default",
    "dev",
    "development",
    "dose",
    "ext",
    "hawk",
    "ion",
    "ipfs",
    "key",
    "lip",
    "live",
    "mainnet",
    "org",
    "pat",
    "preprod",
    "preview",
    "private",
    "prod",
    "production",
    "rnd",
    "sandbox",
    "sdk",
    "secret",
    "ser",
    "sess",
    "session",
    "sig",
    "test",
    "testnet",
    "tok",
    "user",
];

/// Whether other things begin so too: words, one or two letters, or nothing at all.
fn is_ordinary(start: &str) -> bool {
    let is_letter = |letter: char| letter.is_ascii_alphabetic();
    let mark = MARKS.iter().any(|mark| {
        start.strip_prefix(mark).is_some_and(|rest| !(mark.ends_with(is_letter) && rest.starts_with(is_letter)))
    });
    let others = || start.split(|letter| !is_letter(letter)).filter(|piece| !ORDINARY.contains(piece));
    !mark && others().map(str::len).sum::<usize>() <= 2
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

    /// What a value of the format is, behind its beginning; nothing where it is a name that begins alike
    /// (`re_ranker_base_model`) or an id behind an ordinary word (`api-` and a UUID).
    fn recognised(&self, start: &str, matched: &str, name: Option<&Name>) -> Option<Recognised> {
        match self.says {
            Says::Public => return Some(Recognised::Public),
            Says::Id => return Some(Recognised::Id),
            Says::Secret | Says::Likely => {}
        }
        if self.checksum == Checksum::None && (is_of_words(matched) || is_of_capitals(matched)) {
            return None;
        }
        let doubtful = self.checksum == Checksum::None && self.is_ordinary(start);
        let body = matched.get(start.len()..).unwrap_or_default();
        if doubtful && ids::is_id(body) && !name.is_some_and(|name| self.is_said_by(name, body)) {
            return None;
        }
        // What is about something other than a secret, `FIRMWARE_VERSION`, holds no key of so weak a form.
        if doubtful && name.is_some_and(|name| name.role == Role::Harmless) {
            return None;
        }
        Some(Recognised::Secret(match self.says {
            Says::Secret if self.checksum.holds(matched) => Verdict::high(self.kind),
            Says::Secret | Says::Likely | Says::Public | Says::Id => Verdict::medium(self.kind),
        }))
    }

    /// Whether other things begin as its values do, and have no mark further on either.
    fn is_ordinary(&self, start: &str) -> bool {
        const ENOUGH: usize = 3;
        let letters = |text: &str| text.bytes().filter(u8::is_ascii_alphabetic).count();
        let within: usize = self
            .parts
            .iter()
            .skip(usize::from(!start.is_empty()))
            .map(|part| if let Part::Text(text) = part { letters(text) } else { 0 })
            .sum();
        is_ordinary(start) && within < ENOUGH
    }

    /// Whether the name says that it is such a key: `RESEND`, `API_TOKEN`. A secret's own name may end in a UUID.
    fn is_said_by(&self, name: &Name, body: &str) -> bool {
        let provider = self.kind.as_str().split('-').next().unwrap_or_default();
        let by_role = match name.role {
            Role::Password | Role::Token | Role::ApiKey | Role::PrivateKey => true,
            Role::Secret => !is_uuid(body),
            Role::Key => name.names_provider(),
            Role::Harmless | Role::Neutral | Role::Passphrase | Role::Pin | Role::Credential => false,
        };
        by_role || name.mentions(provider)
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

/// Whether a value has nothing random in it: few capitals and digits, and words for the most part.
fn is_of_words(value: &str) -> bool {
    const FEWEST_DIGITS: usize = 4;
    let count = |is: fn(&u8) -> bool| value.as_bytes().iter().filter(|byte| is(byte)).count();
    count(u8::is_ascii_digit) < FEWEST_DIGITS
        && count(u8::is_ascii_uppercase) * 8 <= count(u8::is_ascii_alphabetic)
        && {
            let features = Features::of(value);
            features.noise() < 50 && features.words >= 2
        }
}

/// `ASIA` and more of a name in capitals.
fn is_of_capitals(value: &str) -> bool {
    value.bytes().all(|byte| byte.is_ascii_uppercase()) && is_wordlike(value.as_bytes())
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
    by_first: [Bucket; 128],
    without: Vec<(std::ops::RangeInclusive<usize>, &'static Format)>,
}

/// The formats that begin with one byte, the longest beginning first: `sk-ant-` is no `sk-`.
#[derive(Default)]
struct Bucket {
    formats: Vec<(&'static str, &'static Format)>,
    /// The second bytes that any of them has, a bit each: most texts differ there.
    seconds: u128,
}

impl Bucket {
    fn add(&mut self, start: &'static str, format: &'static Format) {
        self.seconds |= start.as_bytes().get(1).map_or(u128::MAX, |second| bit(*second));
        self.formats.push((start, format));
    }
}

/// The place of an ASCII character in a set of them.
fn bit(byte: u8) -> u128 {
    1u128.checked_shl(u32::from(byte)).unwrap_or_default()
}

impl Index {
    /// The formats whose beginning the text has.
    fn begun(&self, text: &[u8]) -> impl Iterator<Item = (&'static str, &'static Format)> {
        let bucket = text.first().and_then(|first| self.by_first.get(usize::from(*first)));
        let second = text.get(1).map_or(0, |second| bit(*second));
        let bucket = bucket.filter(|bucket| bucket.seconds & second != 0);
        let formats = bucket.map(|bucket| bucket.formats.as_slice()).unwrap_or_default();
        formats.iter().copied().filter(|(start, _)| text.starts_with(start.as_bytes()))
    }
}

/// Made at first use: a few hundred pointers, some ten microseconds.
static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index { by_first: std::array::from_fn(|_| Bucket::default()), without: Vec::new() };
    for format in table::FORMATS.iter().copied().flatten() {
        for start in format.starts() {
            let first = start.as_bytes().first().copied().unwrap_or_default();
            if let Some(bucket) = index.by_first.get_mut(usize::from(first)) {
                bucket.add(start, format);
            }
        }
        if format.starts().is_empty() {
            index.without.push((format.lengths(), format));
        }
    }
    for bucket in &mut index.by_first {
        bucket.formats.sort_by_key(|(start, _)| std::cmp::Reverse(start.len()));
    }
    index
});

/// The format that the whole of the value has, under its name where it has one.
pub(crate) fn recognise(name: Option<&Name>, value: &str) -> Option<Recognised> {
    let bytes = value.as_bytes();
    let index = &*INDEX;
    let without =
        index.without.iter().filter(|(lengths, _)| lengths.contains(&bytes.len())).map(|(_, format)| ("", *format));
    index
        .begun(bytes)
        .chain(without)
        .filter(|(_, format)| format.length(bytes) == Some(bytes.len()) && (format.is_distinct() || is_mixed(bytes)))
        .find_map(|(start, format)| format.recognised(start, value, name))
}

/// Small letters, capitals and digits, as a random value of some length has them.
fn is_mixed(bytes: &[u8]) -> bool {
    [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit].iter().all(|is| bytes.iter().any(is))
}

/// Formats longer than this are tried once for each stretch of a text, so that the time stays in proportion to its
/// length.
const LONG: usize = 256;

/// Whether a key may begin behind this character: behind a space, a quote, `=` and the like, but not within a name or
/// an address (`orders-api-...`).
const fn opens(before: u8) -> bool {
    !before.is_ascii_alphanumeric() && !matches!(before, b'-' | b'_' | b'.' | b'~' | b'+' | b'#' | b'$')
}

/// The surest secret whose format stands somewhere within the text, between characters that are no part of it.
pub(crate) fn find_within(text: &str) -> Option<Verdict> {
    let bytes = text.as_bytes();
    let index = &*INDEX;
    let mut before = b' ';
    let mut skip_to = 0;
    let mut found: Option<Verdict> = None;
    for (at, &byte) in bytes.iter().enumerate() {
        let starts_here = at >= skip_to && opens(before) && byte.is_ascii_alphanumeric();
        let within_address = matches!(before, b'/' | b':');
        before = byte;
        if !starts_here {
            continue;
        }
        let Some(rest) = bytes.get(at..) else { continue };
        for (start, format) in index.begun(rest).filter(|(_, format)| format.is_distinct()) {
            let Some(length) = format.length(rest) else { continue };
            // What ends in `.webp` is a file, and what stands between slashes a piece of a path.
            let after = rest.get(length).copied();
            let ordinary = format.is_ordinary(start);
            let ends = after.is_none_or(|next| !next.is_ascii_alphanumeric() && !matches!(next, b'-' | b'_'))
                && !(ordinary && (within_address || matches!(after, Some(b'.' | b'/' | b':'))));
            // What goes on is something else, and long; it is not read again from each of its letters.
            if !ends && length > LONG {
                skip_to = at + length;
                break;
            }
            let Some(matched) = text.get(at..at + length).filter(|_| ends) else { continue };
            skip_to = at + length;
            if crate::placeholder::is_placeholder(matched) || crate::known_public::is_known_public(matched) {
                break;
            }
            if let Some(Recognised::Secret(verdict)) = format.recognised(start, matched, None) {
                found = Some(found.map_or(verdict, |found| found.or(Some(verdict))));
            }
            break;
        }
    }
    found
}
