//! Ids, and names that carry them: `orders-api-` and a UUID, `stores/` with an id and `/db`, the CDK's logical ids.

use crate::{
    bigrams::is_wordlike,
    features::{is_uuid, jumps, runs},
};

/// Whether the text consists of ids alone: UUIDs, hashes, ULIDs, KSUIDs and others that programs number things with.
/// What is random in them jumps between capitals, small letters and digits in no id but those of few, known lengths.
pub(crate) fn is_id(text: &str) -> bool {
    is_uuid(text) || text.split(|letter: char| !letter.is_ascii_alphanumeric()).all(is_one)
}

fn is_one(piece: &str) -> bool {
    has_one_case(piece) || piece.len() < 8 || is_of_known_length(piece)
}

fn has_one_case(piece: &str) -> bool {
    let has = |is: fn(&u8) -> bool| piece.as_bytes().iter().any(is);
    !(has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase))
}

/// The digest of a commit or an image, with what it is before it or not: `sha-4f3a2b1c...`.
pub(crate) fn is_digest(text: &str) -> bool {
    let digits = ["sha-", "sha256-", "git-", "main-"].iter().find_map(|start| text.strip_prefix(start)).unwrap_or(text);
    matches!(digits.len(), 7 | 12 | 32 | 40 | 64) && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The ids that mix capitals and small letters: UUIDs in base 57 or 58, and KSUIDs, which begin with the time
/// (<https://github.com/segmentio/ksuid>).
fn is_of_known_length(piece: &str) -> bool {
    const SHORT_UUID: usize = 22;
    const KSUID: usize = 27;
    piece.len() == SHORT_UUID || (piece.len() == KSUID && piece.starts_with(['0', '1', '2', '3']))
}

/// A ULID of the years 2004 to 2039: 26 of Crockford's digits, the first ten of which are the time
/// (<https://github.com/ulid/spec>).
pub(crate) fn is_ulid(piece: &str) -> bool {
    const LENGTH: usize = 26;
    piece.len() == LENGTH
        && piece.starts_with("01")
        && has_one_case(piece)
        && piece
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() && !matches!(byte.to_ascii_uppercase(), b'I' | b'L' | b'O' | b'U'))
}

/// What Terraform puts behind `name_prefix`: the time in eighteen digits and a counter of eight hexadecimal ones
/// (<https://github.com/hashicorp/terraform-plugin-sdk/blob/main/helper/id/id.go>).
pub(crate) fn is_of_terraform(piece: &str) -> bool {
    const LENGTH: usize = 26;
    const TIME: usize = 18;
    piece.len() == LENGTH
        && piece.starts_with("20")
        && piece.bytes().take(TIME).all(|byte| byte.is_ascii_digit())
        && piece.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'))
}

/// How a value is a name with an id in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Carries {
    /// Between slashes, or between colons as in the key of a cache, or behind `#`.
    InPath,
    InKey,
    /// Words and a UUID, or a logical id of the CDK's.
    InName,
    /// Words and a hash, which a person's secret may be too.
    Hash,
    /// A word too short to tell and a hash, which a provider's key may be too: `tax-` and a commit.
    ShortHash,
    /// Words and an id that mixes capitals and small letters, as random values do.
    Mixed,
}

/// Whether the value is a name that carries an id: words, ids, and nothing else between its separators.
pub(crate) fn carries(value: &str) -> Option<Carries> {
    const LONGEST: usize = 512;
    if value.len() > LONGEST {
        return None;
    }
    if is_logical(value) {
        return Some(Carries::InName);
    }
    // Secrets Manager puts a hyphen and six characters behind the name of a secret
    // (https://docs.aws.amazon.com/secretsmanager/latest/userguide/getting-started.html).
    let is_suffix = |suffix: &str| suffix.len() == 6 && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let name = value.rsplit_once('-').filter(|(_, suffix)| is_suffix(suffix)).map(|(name, _)| name);
    let of_secret = name.and_then(Parts::of).is_some_and(|parts| parts.slashes > 0 && parts.words + parts.short >= 2);
    if of_secret {
        return Some(Carries::InPath);
    }
    let parts = Parts::of(value)?;
    match parts {
        Parts { words: 0, short: 2.., slashes: 2.., .. } if parts.ids() > 0 => Some(Carries::InPath),
        Parts { words: 0, mixed: 1.., .. } | Parts { words: 0, short: 0, .. } => None,
        Parts { slashes: 1.., .. } if parts.ids() > 0 => Some(Carries::InPath),
        Parts { colons: 1.., .. } if parts.ids() > 0 => Some(Carries::InKey),
        Parts { words: 0, short: 1, uuids: 1.., mixed: 0, .. } => Some(Carries::InName),
        Parts { words: 0, short: 1, hashes: 1.., .. } => Some(Carries::ShortHash),
        Parts { words: 0, short: 1, .. } => None,
        Parts { mixed: 1.., .. } => Some(Carries::Mixed),
        Parts { uuids: 1.., .. } => Some(Carries::InName),
        Parts { hashes: 1.., .. } => Some(Carries::Hash),
        Parts { .. } => None,
    }
}

/// What stands between a value's separators.
#[derive(Clone, Copy, Debug, Default)]
struct Parts {
    words: usize,
    /// Letters that are too few to tell: `tax`, `db`.
    short: usize,
    /// UUIDs, and the other ids that nothing else looks like.
    uuids: usize,
    /// Hexadecimal digits, or letters of one case and digits.
    hashes: usize,
    /// Capitals, small letters and digits, as long as ids that have them.
    mixed: usize,
    slashes: usize,
    colons: usize,
}

impl Parts {
    const fn ids(&self) -> usize {
        self.uuids + self.hashes + self.mixed
    }

    /// Nothing where something is neither a word nor an id.
    fn of(value: &str) -> Option<Self> {
        const UUID: usize = 36;
        let mut parts = Self::default();
        let mut rest = value;
        loop {
            if let Some((_, after)) = rest
                .split_at_checked(UUID)
                .filter(|(head, after)| is_uuid(head) && !after.starts_with(|next: char| next.is_ascii_alphanumeric()))
            {
                parts.uuids += 1;
                rest = after;
            }
            let (piece, separator, after) = match rest.find(|letter: char| !letter.is_ascii_alphanumeric()) {
                Some(at) => {
                    let (piece, after) = rest.split_at_checked(at)?;
                    let separator = after.chars().next()?;
                    (piece, Some(separator), after.get(separator.len_utf8()..)?)
                }
                None => (rest, None, ""),
            };
            parts.add(piece)?;
            match separator {
                None => return Some(parts),
                Some('/') => parts.slashes += 1,
                Some(':' | '#') => parts.colons += 1,
                Some('-' | '_' | '.' | '{' | '}' | '@' | ' ') => {}
                Some(_) => return None,
            }
            rest = after;
        }
    }

    fn add(&mut self, piece: &str) -> Option<()> {
        if is_ulid(piece) || is_of_terraform(piece) {
            self.uuids += 1;
            return Some(());
        }
        // `v2`, `eu`, a year, an account: they say nothing.
        let digits = piece.bytes().filter(u8::is_ascii_digit).count();
        if piece.len() <= 3 || digits == piece.len() {
            self.short += usize::from(piece.len() > 1 && digits == 0);
            return Some(());
        }
        if is_of_words(piece) {
            self.words += 1;
        } else if (digits > 0 || piece.len() >= 20) && piece.len() >= 6 && has_one_case(piece) {
            self.hashes += 1;
        } else if piece.len() <= 16 && digits == 0 && has_one_case(piece.get(1..)?) {
            // A word that does not look like one, an abbreviation, a name.
            self.short += 1;
        } else if is_logical(piece) {
            self.words += 1;
            self.hashes += 1;
        } else if is_of_known_length(piece) || (digits == 0 && has_one_case(piece)) {
            self.mixed += 1;
        } else {
            return None;
        }
        Some(())
    }
}

/// How long the ids are that have capitals, small letters and digits, and may have `-` and `_`: nanoid's 21 and what is
/// cut from it, Firebase's 20 and 28, Meteor's 17, Salesforce's 15 and 18, a UUID's 22 in base64, KSUIDs.
const fn has_length_of_id(length: usize) -> bool {
    matches!(length, 15..=22 | 27 | 28)
}

/// Whether it is an id that looks like noise: `V1StGXR8_Z5jdHi6B-myT`, `auth0|` and a hash. Nothing tells it from a short
/// secret but what stands around it.
pub(crate) fn is_opaque_id(text: &str) -> bool {
    let id = text.split_once('|').filter(|(source, _)| is_label(source)).map_or(text, |(_, id)| id);
    let of_id = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    id.bytes().all(of_id) && (has_length_of_id(id.len()) || (id.len() >= 12 && is_id(id)))
}

/// Small letters, with a digit or two behind them, that name a place or a collection: `prod`, `ledgers`, `auth0`.
fn is_label(text: &str) -> bool {
    const LONGEST: usize = 24;
    let bare = text.trim_end_matches(|letter: char| letter.is_ascii_digit());
    bare.len() >= 2
        && text.len() <= LONGEST
        && text.len() - bare.len() <= 2
        && bare.bytes().all(|byte| byte.is_ascii_lowercase() || matches!(byte, b'-' | b'_'))
}

/// Whether labels and one id that looks like noise stand between these separators, a label first: `tenants/` with an id
/// and `/db`, `user:` with an id and `:token`.
pub(crate) fn has_opaque_id_between(value: &str, separator: char) -> bool {
    const STAGES: &[&str] = &["ap", "ca", "dev", "eu", "int", "qa", "stg", "uat", "us"];
    let pieces = || value.trim_start_matches(separator).split(separator);
    let ids = pieces().filter(|piece| !is_label(piece)).count();
    let first = pieces().next().unwrap_or_default();
    // In base64 a slash stands behind a few small letters by chance.
    let tells = pieces().count() >= 3
        || first.len() >= 3
        || STAGES.contains(&first.trim_end_matches(|letter: char| letter.is_ascii_digit()));
    ids == 1
        && pieces().count() >= 2
        && is_label(first)
        && tells
        && pieces().all(|piece| is_label(piece) || is_opaque_id(piece))
}

/// Whether it is words in one style, with few digits at the end: `orders`, `OrdersTable`, `eu1`, `checkoutV2`.
pub(crate) fn is_of_words(piece: &str) -> bool {
    const MOST_DIGITS: usize = 3;
    let bare = piece.trim_end_matches(|letter: char| letter.is_ascii_digit());
    if piece.len() - bare.len() > MOST_DIGITS || !bare.bytes().all(|byte| byte.is_ascii_alphabetic()) {
        return false;
    }
    let one_case = has_one_case(bare);
    let mut letters = 0;
    let mut in_words = 0;
    let mut longest = 0;
    for run in runs(bare.as_bytes()) {
        match run.len() {
            // A lone letter: no word of a name begins and ends so.
            1 => letters += 2,
            2 => letters += 1,
            length => {
                letters += length;
                // Capitals between small letters are an abbreviation at best.
                let in_capitals = !one_case && run.iter().all(u8::is_ascii_uppercase);
                if !in_capitals && is_wordlike(run) {
                    in_words += length;
                    longest = longest.max(length);
                }
            }
        }
    }
    longest >= 4 && in_words * 10 >= letters * 7
}

/// How many words stand between a value's separators.
pub(crate) fn words_in(value: &str) -> usize {
    value.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|piece| is_of_words(piece)).count()
}

/// The CDK's logical ids: words in a row, each with its capital, and eight capital hexadecimal digits of a hash; the
/// singletons among them have a hash or a UUID without its hyphens between the words
/// (<https://docs.aws.amazon.com/cdk/v2/guide/identifiers.html>).
pub(crate) fn is_logical(value: &str) -> bool {
    const RESOURCES: &[&str] =
        &["Secret", "Credential", "Policy", "Role", "Cluster", "Database", "Function", "Table", "Stack", "Instance"];
    const HASH: usize = 8;
    const EMBEDDED: usize = 32;
    let Some((words, hash)) = value.len().checked_sub(HASH).and_then(|at| value.split_at_checked(at)) else {
        return false;
    };
    let is_hash = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'A'..=b'F'));
    if !words.starts_with(|first: char| first.is_ascii_uppercase()) || !is_hash(hash) {
        return false;
    }
    // Cut the embedded hash out.
    let small = |letter: char| letter.is_ascii_digit() || matches!(letter, 'a'..='f');
    let embedded = words.split(|letter: char| !small(letter)).find(|run| run.len() >= EMBEDDED);
    let names = embedded.map_or((words, ""), |run| words.split_once(run).unwrap_or((words, "")));
    // Digits alone are a person's number too, unless the words name a resource.
    let of_digits = hash.bytes().all(|byte| byte.is_ascii_digit());
    if of_digits && embedded.is_none() && !RESOURCES.iter().any(|resource| words.contains(resource)) {
        return false;
    }
    let of_words = |name: &str| name.len() <= 3 || is_of_words(name) || is_in_camel_case(name);
    if is_capitalized(words) && !of_digits {
        return true;
    }
    let tells = is_of_words(names.0) || is_of_words(names.1) || is_in_camel_case(names.0);
    words.len() >= 4 && tells && of_words(names.0) && of_words(names.1)
}

/// `orders-prod-Web3F2A91BC`: the names of a stack, and a logical id of whatever words.
pub(crate) fn is_logical_in_stack(value: &str) -> bool {
    const HASH: usize = 8;
    let Some((stack, id)) = value.rsplit_once('-') else { return false };
    let Some((words, hash)) = id.len().checked_sub(HASH).and_then(|at| id.split_at_checked(at)) else { return false };
    let is_name = |name: &str| is_label(name) || is_capitalized(name) || is_of_words(name);
    hash.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'A'..=b'F'))
        && (is_capitalized(words) || is_in_camel_case(words))
        && stack.split('-').all(is_name)
}

/// One word with its capital: `Web`.
fn is_capitalized(word: &str) -> bool {
    word.len() >= 2
        && word.starts_with(|first: char| first.is_ascii_uppercase())
        && word.bytes().skip(1).all(|byte| byte.is_ascii_lowercase())
}

/// Two words or more, each with its capital and small letters, one of them four letters long, in whatever language.
pub(crate) fn is_in_camel_case(name: &str) -> bool {
    let mut count = 0;
    let mut longest = 0;
    for run in runs(name.as_bytes()) {
        let word = run.len() >= 2
            && run.first().is_some_and(u8::is_ascii_uppercase)
            && run.iter().skip(1).all(u8::is_ascii_lowercase);
        if !word {
            return false;
        }
        count += 1;
        longest = longest.max(run.len());
    }
    count >= 2 && longest >= 4
}

/// Whether a piece between separators is neither words nor an id: `rynQnBM0yilU`. A suffix of CloudFormation's behind
/// words may be.
pub(crate) fn has_random_piece(value: &str) -> bool {
    const LEAST: usize = 6;
    let pieces = || value.split(|letter: char| !letter.is_ascii_alphanumeric());
    let last = pieces().next_back().unwrap_or_default();
    let named = pieces().any(is_of_words);
    pieces().any(|piece| {
        let suffix = named && matches!(piece.len(), 6 | 12) && std::ptr::eq(piece, last);
        piece.len() >= LEAST
            && !has_one_case(piece)
            && !has_one_case(piece.get(1..).unwrap_or_default())
            && !is_of_words(piece)
            && !is_logical(piece)
            && !suffix
    })
}

/// Whether a run of letters and digits has its capitals or its digits where no word and no name of a program has them:
/// `TcfhHT`, `8tXG2k`; but `dbPwd`, `OrdersTable` and `us1` are none.
pub(crate) fn is_scrambled(piece: &str) -> bool {
    const LEAST: usize = 5;
    let bare = piece.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let digits_within = bare.bytes().any(|byte| byte.is_ascii_digit());
    let mixed = !has_one_case(bare) && !has_one_case(bare.get(1..).unwrap_or_default());
    let lone = || runs(bare.as_bytes()).any(|run| run.len() == 1);
    piece.len() >= LEAST && !is_logical(piece) && (digits_within || (mixed && lone() && !is_of_words(piece)))
}

/// Whether a piece jumps between capitals, small letters and digits all the way: `8MTOsaQ11YSH9jNGN7Jw`.
pub(crate) fn jumps_about(value: &str) -> bool {
    const LEAST: usize = 14;
    value.split(|letter: char| !letter.is_ascii_alphanumeric()).any(|piece| {
        let has = |is: fn(&u8) -> bool| piece.as_bytes().iter().any(is);
        piece.len() >= LEAST
            && has(u8::is_ascii_digit)
            && has(u8::is_ascii_uppercase)
            && has(u8::is_ascii_lowercase)
            && jumps(piece.as_bytes()) * 100 >= piece.len() * 35
    })
}

/// A password as Apple's systems make it: three groups of six, of consonants and vowels by turns, with one capital and
/// one digit (<https://rmondello.com/2024/10/07/apple-passwords-generated-strong-password-format/>).
pub(crate) fn is_by_turns(value: &str) -> bool {
    const LENGTH: usize = 20;
    let groups = || value.split('-');
    let count = |is: fn(&u8) -> bool| value.as_bytes().iter().filter(|byte| is(byte)).count();
    let is_vowel = |byte: u8| matches!(byte.to_ascii_lowercase(), b'a' | b'e' | b'i' | b'o' | b'u' | b'y');
    let by_turns = |group: &str| {
        group.bytes().enumerate().all(|(at, byte)| {
            if at % 3 == 1 { is_vowel(byte) } else { byte.is_ascii_digit() || !is_vowel(byte) || byte == b'y' }
        })
    };
    value.len() == LENGTH
        && groups().count() == 3
        && groups().all(|group| group.len() == 6 && by_turns(group))
        && count(u8::is_ascii_uppercase) == 1
        && count(u8::is_ascii_digit) == 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_carry_ids() {
        for (value, expected) in [
            ("ledgers/6b2f9c1e-4a7d-4c3b-8e5f-0a1b2c3d4e5f/creds", Some(Carries::InPath)),
            ("basket:{6b2f9c1e-4a7d-4c3b-8e5f-0a1b2c3d4e5f}", Some(Carries::InKey)),
            ("roster-secret-6b2f9c1e-4a7d-4c3b-8e5f-0a1b2c3d4e5f", Some(Carries::InName)),
            ("qx-6b2f9c1e-4a7d-4c3b-8e5f-0a1b2c3d4e5f", Some(Carries::InName)),
            ("HarbourStackLedgerSecret7E41D0B2", Some(Carries::InName)),
            ("Refresh0b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3eLogRolePolicy7E41D0B2", Some(Carries::InName)),
            ("harbour-4f3a2b1c0d9e8f7a6b5c4d3e", Some(Carries::Hash)),
            ("roster-01K3ZQ8V7MXB2N4RT6WY9CDEFG", Some(Carries::InName)),
            ("roster-20260307142536789100000004", Some(Carries::InName)),
            ("tax-4f3a2b1c0d9e8f7a6b5c4d3e", Some(Carries::ShortHash)),
            ("tzqa/0b7c6d5e4f3a2b1c0d9e8f7a6b5c4d3e/jwt", Some(Carries::InPath)),
            ("roster-secret", None),
            ("kT9vX2mQ-7zLpR4wB8nYc", None),
            ("Xk/9fQ2mZb/7LqTn4vRw8sYc1Ue5Oa0hGpJdKi+t", None),
        ] {
            assert_eq!(carries(value), expected, "{value}");
        }
    }

    #[test]
    fn scrambled() {
        for piece in ["TcfhHTr", "8tXG2k", "oFMbSRkM", "rN4cz"] {
            assert!(is_scrambled(piece), "{piece}");
        }
        for piece in ["dbPwd", "OrdersTable", "us1", "HARBOUR", "ledger2024", "OrdersTable7E41D0B2"] {
            assert!(!is_scrambled(piece), "{piece}");
        }
    }

    #[test]
    fn by_turns() {
        assert!(is_by_turns("fodwyn-7ibqaz-Mupkes"));
        assert!(!is_by_turns("market-secret-7aB9cD") && !is_by_turns("market-secret-reader"));
    }
}
