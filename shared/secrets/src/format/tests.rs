//! Each format against values made from its own parts, and against values that are nearly such.
//!
//! No example stands in the source: a scanner that looks after this repository would take it for a leak, and it would
//! be right to. The values are made by a generator with a fixed seed, so that a failure can be repeated.

use super::*;
use proptest::prelude::Rng as _;
use proptest::test_runner::{RngAlgorithm, TestRng};

struct Maker(TestRng);

impl Maker {
    fn new() -> Self {
        Self(TestRng::deterministic_rng(RngAlgorithm::ChaCha))
    }

    fn up_to(&mut self, most: usize) -> usize {
        usize::try_from(self.0.next_u32()).unwrap() % (most + 1)
    }

    fn one_of<T: Copy>(&mut self, list: &[T]) -> T {
        list[self.up_to(list.len() - 1)]
    }

    fn run(&mut self, alphabet: Alphabet, length: usize) -> String {
        let characters: Vec<char> = (b'!'..=b'~').filter(|byte| alphabet.has(*byte)).map(char::from).collect();
        (0..length).map(|_| self.one_of(&characters)).collect()
    }

    /// A value of the format, each run a random length within its bounds.
    fn value(&mut self, format: &Format) -> String {
        let mut value = String::new();
        for part in format.parts {
            match part {
                Part::Text(text) => value.push_str(text),
                Part::Either(texts) => value.push_str(self.one_of(texts)),
                Part::Run(alphabet, least, most) => {
                    let length = usize::from(*least) + self.up_to(usize::from(most - least));
                    value.push_str(&self.run(*alphabet, length));
                }
            }
        }
        checksum::mend(format.checksum, &value)
    }
}

fn all() -> impl Iterator<Item = &'static Format> {
    table::FORMATS.iter().copied().flatten()
}

fn verdict(recognised: Option<Recognised>) -> Option<Says> {
    recognised.map(|recognised| match recognised {
        Recognised::Public => Says::Public,
        Recognised::Id => Says::Id,
        Recognised::Secret(verdict) if verdict.confidence == crate::Confidence::High => Says::Secret,
        Recognised::Secret(_) => Says::Likely,
    })
}

#[test]
fn each_format_matches_what_is_made_to_it() {
    let mut maker = Maker::new();
    let said = Name::read("API_TOKEN");
    for format in all() {
        for _ in 0..20 {
            let value = maker.value(format);
            assert_eq!(format.length(value.as_bytes()), Some(value.len()), "{format:?}: {value}");
            // Some other format may claim it first, but none may call it something else.
            assert_eq!(verdict(recognise(Some(&said), &value)), Some(format.says), "{format:?}: {value}");
        }
    }
}

#[test]
fn each_format_refuses_what_is_too_short_or_too_long_or_of_other_characters() {
    let mut maker = Maker::new();
    for format in all() {
        let shortest: String = shortest(&mut maker, format);
        let cut = &shortest[..shortest.len() - 1];
        assert_ne!(format.length(cut.as_bytes()), Some(cut.len()), "{format:?}: {cut}");
        let most: usize = format.parts.iter().map(longest).sum();
        let long = shortest + &"A".repeat(most);
        assert_ne!(format.length(long.as_bytes()), Some(long.len()), "{format:?}: {long}");
        for _ in 0..10 {
            let value = maker.value(format);
            let at = maker.up_to(value.len() - 1);
            let other = format!("{}\u{e9}{}", &value[..at], &value[at + 1..]);
            assert_ne!(format.length(other.as_bytes()), Some(other.len()), "{format:?}: {other}");
        }
    }
}

fn longest(part: &Part) -> usize {
    match part {
        Part::Text(text) => text.len(),
        Part::Either(texts) => texts.iter().map(|text| text.len()).max().unwrap(),
        Part::Run(_, _, most) => usize::from(*most),
    }
}

fn shortest(maker: &mut Maker, format: &Format) -> String {
    format
        .parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => (*text).to_owned(),
            Part::Either(texts) => texts.iter().min_by_key(|text| text.len()).map(|text| (*text).to_owned()).unwrap(),
            Part::Run(alphabet, least, _) => maker.run(*alphabet, usize::from(*least)),
        })
        .collect()
}

#[test]
fn a_wrong_checksum_is_reported_and_not_acted_on() {
    let mut maker = Maker::new();
    for format in all().filter(|format| format.checksum != Checksum::None) {
        let value = maker.value(format);
        let last = value.chars().last().unwrap();
        let wrong = format!("{}{}", &value[..value.len() - 1], if last == '0' { '1' } else { '0' });
        assert_eq!(verdict(recognise(None, &wrong)), Some(Says::Likely), "{format:?}: {wrong}");
    }
}

#[test]
fn each_format_says_where_it_is_documented() {
    for format in all() {
        assert!(format.source.starts_with("https://"), "{format:?}");
        let kind = format.kind.as_str();
        assert!(
            kind.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-'),
            "{kind}"
        );
    }
}

#[test]
fn one_is_found_within_a_text() {
    let mut maker = Maker::new();
    for format in
        all().filter(|format| format.says == Says::Secret && format.is_distinct() && !format.starts().is_empty())
    {
        let value = maker.value(format);
        // What could be an id is none without a name. What begins or ends in a mark would be cut off there.
        if !value.starts_with(|first: char| first.is_ascii_alphanumeric())
            || recognise(None, &value).is_none()
            || !value.ends_with(|last: char| last.is_ascii_alphanumeric())
            || value.contains([':', '|', '/', '+', '.', '*', '['])
        {
            continue;
        }
        let text = format!("first '{value}', then more");
        assert!(find_within(&text).is_some(), "{format:?}: {text}");
        assert_eq!(find_within(&format!("x{value}x").replace(['-', '_', ' '], "x")), None);
    }
}
