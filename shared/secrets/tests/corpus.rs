//! Pairs as they stand in the environments of real functions, written for these tests: what is found, and what is left
//! alone.
//!
//! The files of `corpus/` have a line for each value: names with `|` between them, ` = `, the value. What is random in
//! a value stands as a mark, and is made anew for each name and each of several rounds, by a generator with a fixed
//! seed: so no secret stands in this repository, and a rule that knows one value is of no use. The marks are those of
//! [`maker`].

mod maker;

use maker::Maker;
use warden_secrets::{Confidence, judge};

const ROUNDS: usize = 12;

/// A random value looks like words once in some hundred times, and is then reported instead of acted on, or the other
/// way round.
const BY_CHANCE: usize = 1;

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
        let mut maker = Maker::of(&format!("{name}{pattern}"), Default::default());
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
