//! Values made from patterns, by a generator with a fixed seed. What is random in a pattern stands as a mark:
//!
//! | mark | what it becomes |
//! |---|---|
//! | `«h40»`, `«H8»` | 40 small, 8 capital hexadecimal digits |
//! | `«d6»` | 6 digits |
//! | `«a20»` | 20 letters and digits |
//! | `«A34»` | 34 letters |
//! | `«l12»`, `«U12»` | 12 small, capital letters and digits |
//! | `«z4»`, `«Z4»` | 4 small, capital letters |
//! | `«B16»`, `«k26»` | 16 of base32, 26 of Crockford's |
//! | `«b40»`, `«s43»` | 40 of base64, 43 of base64 for URLs |
//! | `«c44»` | 44 of base58 |
//! | `«p16»` | a password of 16 characters, with signs that need no escape in a URL or a connection string |
//! | `«x32»` | 32 of all visible characters, as Secrets Manager makes passwords |
//! | `«y16»` | 16 letters, digits and signs, as Terraform's `random_password` makes them |
//! | `«D50»` | 50 characters as Django makes its key |
//! | `«e15»` | 15 characters as browsers make passwords |
//! | `«t6»`, `«v8»` | consonants and vowels by turns as Apple makes them, syllables as `pwgen` makes them |
//! | `«uuid»` | a UUID |
//! | `«g36»` | what follows `ghp_`, with its checksum |
//! | `«:word»`, `«^word»`, `«!word»` | what a grammar has under `word`; with a capital; in capitals |

use proptest::{
    prelude::Rng as _,
    test_runner::{RngAlgorithm, TestRng},
};
use std::collections::BTreeMap;

const DIGITS: &str = "0123456789";
const SMALL: &str = "abcdefghijklmnopqrstuvwxyz";
const CAPITAL: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";

/// For each word of a grammar the patterns that may stand for it.
pub(crate) type Grammar = BTreeMap<&'static str, Vec<&'static str>>;

pub(crate) struct Maker {
    random: TestRng,
    grammar: Grammar,
}

impl Maker {
    /// The same values for the same text always.
    pub(crate) fn of(text: &str, grammar: Grammar) -> Self {
        let mut seed = [0; 32];
        for (index, byte) in text.bytes().enumerate() {
            let place: &mut u8 = &mut seed[index % 32];
            *place = place.rotate_left(3) ^ byte;
        }
        Self { random: TestRng::from_seed(RngAlgorithm::ChaCha, &seed), grammar }
    }

    /// A number below the limit.
    pub(crate) fn below(&mut self, limit: usize) -> usize {
        usize::try_from(self.random.next_u32()).unwrap() % limit
    }

    pub(crate) fn one_of(&mut self, choices: &[&'static str]) -> &'static str {
        choices[self.below(choices.len())]
    }

    fn pick(&mut self, from: &str, length: usize) -> String {
        let from = from.as_bytes();
        (0..length).map(|_| char::from(from[self.below(from.len())])).collect()
    }

    fn mark(&mut self, mark: &str) -> String {
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
        let first = mark.chars().next().expect("a mark has something in it");
        let (class, rest) = mark.split_at(first.len_utf8());
        match first {
            ':' => return self.by_grammar(rest),
            '^' => {
                let made = self.by_grammar(rest);
                return made[..1].to_uppercase() + &made[1..];
            }
            '!' => return self.by_grammar(rest).to_uppercase(),
            _ => {}
        }
        let length: usize = rest.parse().unwrap_or_else(|_| panic!("the mark {mark}"));
        let from = match class {
            "h" => "0123456789abcdef".to_owned(),
            "H" => "0123456789ABCDEF".to_owned(),
            "d" => "123456789".to_owned(),
            "a" => [DIGITS, SMALL, CAPITAL].concat(),
            "A" => [SMALL, CAPITAL].concat(),
            "l" => [DIGITS, SMALL].concat(),
            "z" => SMALL.to_owned(),
            "Z" => CAPITAL.to_owned(),
            "U" => [DIGITS, CAPITAL].concat(),
            "B" => [CAPITAL, "234567"].concat(),
            "k" => "0123456789ABCDEFGHJKMNPQRSTVWXYZ".to_owned(),
            "b" => [DIGITS, SMALL, CAPITAL, "+/"].concat(),
            "s" => [DIGITS, SMALL, CAPITAL, "-_"].concat(),
            "c" => "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz".to_owned(),
            "x" => ('!'..='~').collect(),
            "y" => [DIGITS, SMALL, CAPITAL, "!@#$%&*()-_=+[]{}<>:?"].concat(),
            "D" => [DIGITS, SMALL, "!@#$%^&*(-_=+)"].concat(),
            "e" => "abcdefghijkmnpqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789-_.:!".to_owned(),
            "p" => {
                let letters = self.pick(&[DIGITS, SMALL, CAPITAL].concat(), length - 2);
                return letters + &self.pick("!*^~", 2);
            }
            "t" => return self.by_turns(length),
            "v" => return self.syllables(length),
            "g" => return self.github(length),
            _ => panic!("the mark {mark}"),
        };
        self.pick(&from, length)
    }

    fn by_grammar(&mut self, word: &str) -> String {
        let choices = self.grammar.get(word).unwrap_or_else(|| panic!("the grammar has no {word}")).clone();
        let choice = self.one_of(&choices);
        self.value(choice)
    }

    /// Three groups of `length` letters, each of consonant, vowel, consonant over and over; one letter of all is a
    /// capital and one place has a digit.
    /// (<https://rmondello.com/2024/10/07/apple-passwords-generated-strong-password-format/>).
    fn by_turns(&mut self, length: usize) -> String {
        let mut letters: Vec<String> = (0..length * 3)
            .map(|at| self.pick(if at % 3 == 1 { "aeiouy" } else { "bcdfghjkmnpqrstvwxz" }, 1))
            .collect();
        let edges = [length - 1, length, 2 * length - 1, 2 * length, 3 * length - 1];
        let digit = edges[self.below(edges.len())];
        let capital = (digit + 1 + self.below(letters.len() - 1)) % letters.len();
        letters[capital] = letters[capital].to_uppercase();
        letters[digit] = self.pick(DIGITS, 1);
        letters.chunks(length).map(<[String]>::concat).collect::<Vec<_>>().join("-")
    }

    /// Syllables, among them one with a capital, and a digit.
    fn syllables(&mut self, length: usize) -> String {
        let mut made = String::new();
        while made.len() < length {
            made += &self.pick("bcdfghjklmnprstvwz", 1);
            made += self.one_of(&["a", "e", "i", "o", "u", "ae", "ee", "ie", "ai", "oo", "ei"]);
        }
        made.truncate(length);
        let mut letters: Vec<char> = made.chars().collect();
        let capital = self.below(length);
        letters[capital] = letters[capital].to_ascii_uppercase();
        let digit = self.below(length);
        letters[digit] = self.pick(DIGITS, 1).chars().next().unwrap();
        letters.into_iter().collect()
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

    /// A value made from a pattern.
    pub(crate) fn value(&mut self, pattern: &str) -> String {
        // `\n` in a pattern is the end of a line, `\\n` the two characters.
        let text = |literal: &str| literal.replace("\\\\n", "\u{0}").replace("\\n", "\n").replace('\u{0}', "\\n");
        let mut value = String::new();
        let mut rest = pattern;
        while let Some((before, after)) = rest.split_once('«') {
            let (mark, after) = after.split_once('»').expect("a mark has its end");
            value.push_str(&text(before));
            value.push_str(&self.mark(mark));
            rest = after;
        }
        value + &text(rest)
    }
}
