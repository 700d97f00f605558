//! Pairs as they stand in the environments of real functions, written for these tests: what is found, and what is left
//! alone.
//!
//! The files of `corpus/` have a line for each value: names with `|` between them, ` = `, the value. What is random in
//! a value stands as a mark, and is made anew for each name and each of several rounds, by a generator with a fixed
//! seed: so no secret stands in this repository, and a rule that knows one value is of no use.
//!
//! | mark | what it becomes |
//! |---|---|
//! | `«h40»`, `«H8»` | 40 small, 8 capital hexadecimal digits |
//! | `«d6»` | 6 digits |
//! | `«a20»` | 20 letters and digits |
//! | `«A34»` | 34 letters |
//! | `«l12»`, `«U12»` | 12 small, capital letters and digits |
//! | `«z4»` | 4 small letters |
//! | `«B16»` | 16 of base32 |
//! | `«b40»`, `«s43»` | 40 of base64, 43 of base64 for URLs |
//! | `«c44»` | 44 of base58 |
//! | `«p16»` | a password of 16 characters, with signs that need no escape in a URL or a connection string |
//! | `«uuid»` | a UUID |
//! | `«g36»` | what follows `ghp_`, with its checksum |

use proptest::{
    prelude::Rng as _,
    test_runner::{RngAlgorithm, TestRng},
};
use warden_secrets::{Confidence, judge};

const ROUNDS: usize = 12;

/// A random value looks like words once in some hundred times, and is then reported instead of acted on, or the other
/// way round.
const BY_CHANCE: usize = 1;

struct Maker(TestRng);

impl Maker {
    /// The same values for the same pair always, whatever lines are added around it.
    fn of(name: &str, pattern: &str) -> Self {
        let mut seed = [0; 32];
        for (index, byte) in name.bytes().chain(pattern.bytes()).enumerate() {
            let place: &mut u8 = &mut seed[index % 32];
            *place = place.rotate_left(3) ^ byte;
        }
        Self(TestRng::from_seed(RngAlgorithm::ChaCha, &seed))
    }

    fn pick(&mut self, from: &str, length: usize) -> String {
        let from: Vec<char> = from.chars().collect();
        (0..length).map(|_| from[usize::try_from(self.0.next_u32()).unwrap() % from.len()]).collect()
    }

    fn mark(&mut self, mark: &str) -> String {
        const DIGITS: &str = "0123456789";
        const SMALL: &str = "abcdefghijklmnopqrstuvwxyz";
        const CAPITAL: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
        if mark == "uuid" {
            let digits = |maker: &mut Self, length| maker.pick("0123456789abcdef", length);
            return format!(
                "{}-{}-4{}-8{}-{}",
                digits(self, 8),
                digits(self, 4),
                digits(self, 3),
                digits(self, 3),
                digits(self, 12)
            );
        }
        let (class, length) = mark.split_at(1);
        let length: usize = length.parse().unwrap_or_else(|_| panic!("the mark {mark}"));
        let from = match class {
            "h" => "0123456789abcdef".to_owned(),
            "H" => "0123456789ABCDEF".to_owned(),
            "d" => "123456789".to_owned(),
            "a" => [DIGITS, SMALL, CAPITAL].concat(),
            "A" => [SMALL, CAPITAL].concat(),
            "l" => [DIGITS, SMALL].concat(),
            "z" => SMALL.to_owned(),
            "U" => [DIGITS, CAPITAL].concat(),
            "B" => [CAPITAL, "234567"].concat(),
            "b" => [DIGITS, SMALL, CAPITAL, "+/"].concat(),
            "s" => [DIGITS, SMALL, CAPITAL, "-_"].concat(),
            "c" => "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".to_owned(),
            "p" => {
                let letters = self.pick(&[DIGITS, SMALL, CAPITAL].concat(), length - 2);
                return letters + &self.pick("!*^~", 2);
            }
            "g" => return self.github(length),
            _ => panic!("the mark {mark}"),
        };
        self.pick(&from, length)
    }

    /// A GitHub token's body and its checksum in base 62.
    fn github(&mut self, length: usize) -> String {
        const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
        let body = self.mark(&format!("a{}", length - 6));
        let mut rest = usize::try_from(crc32fast::hash(body.as_bytes())).unwrap();
        let mut end = ['0'; 6];
        for place in end.iter_mut().rev() {
            *place = char::from(DIGITS[rest % 62]);
            rest /= 62;
        }
        body + &String::from_iter(end)
    }

    fn value(&mut self, pattern: &str) -> String {
        let mut value = String::new();
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once('«') {
            let (mark, after) = after.split_once('»').expect("a mark has its end");
            value.push_str(before);
            value.push_str(&self.mark(mark));
            rest = after;
        }
        value.push_str(rest);
        value.replace("\\\\n", "\u{0}").replace("\\n", "\n").replace('\u{0}', "\\n")
    }
}

/// The lines of a file: the word before the names if the file has one, a name, a pattern.
fn cases(file: &'static str, with_word: bool) -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    file.lines().filter(|line| !line.is_empty() && !line.starts_with("# ")).flat_map(move |line| {
        let (names, pattern) = line.split_once(" = ").unwrap_or_else(|| panic!("no value: {line}"));
        let (word, names) =
            if with_word { names.split_once(' ').unwrap_or_else(|| panic!("no word: {line}")) } else { ("", names) };
        names.split('|').map(move |name| (word, name, pattern))
    })
}

/// Judges all of a file, and lists the lines whose verdict is wrong.
fn complaints(
    file: &'static str,
    with_word: bool,
    wrong: impl Fn(&str, Option<Confidence>) -> bool,
    allowed: usize,
) -> Vec<String> {
    let mut complaints = Vec::new();
    for (word, name, pattern) in cases(file, with_word) {
        let mut maker = Maker::of(name, pattern);
        let values: Vec<String> = (0..ROUNDS).map(|_| maker.value(pattern)).collect();
        let judged = |value: &&String| wrong(word, judge(name, value).map(|verdict| verdict.confidence));
        let bad: Vec<&String> = values.iter().filter(judged).collect();
        if let Some(example) = bad.first().filter(|_| bad.len() > allowed) {
            complaints.push(format!("{} of {ROUNDS}: {word} {name} = {pattern}, such as {example}", bad.len()));
        }
    }
    complaints
}

fn missed(word: &str, confidence: Option<Confidence>) -> bool {
    match word {
        "high" => confidence != Some(Confidence::High),
        "any" => confidence.is_none(),
        _ => panic!("{word} is neither high nor any"),
    }
}

#[test]
fn what_is_harmless_is_left_alone() {
    let complaints = complaints(include_str!("corpus/harmless.txt"), false, |_, confidence| confidence.is_some(), 0);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}

#[test]
fn secrets_are_found() {
    let complaints = complaints(include_str!("corpus/secrets.txt"), true, missed, BY_CHANCE);
    assert!(complaints.is_empty(), "{}", complaints.join("\n"));
}
