//! Pairs by the ten thousand: harmless values that carry an id or stand under a name that says secret; random secrets as
//! generators make them, secrets within structures, and those that people think up.
//!
//! The files of `generated/` hold a grammar. A line `:word = pattern | pattern` says what may stand for the mark
//! `«:word»`; any other line is a weight, names with `|` between them, ` = `, patterns of a value. A draw takes a line
//! by its weight, one of its names, one of its patterns, and makes a value; the marks are those of [`maker`]. The
//! generator is seeded, so that a verdict that changes is the detector's doing.

mod maker;

use maker::{Grammar, Maker};
use std::collections::BTreeMap;
use warden_secrets::{Confidence, judge};

const DRAWS: usize = 60_000;

/// A line of a file that makes pairs.
struct Line {
    weight: usize,
    names: Vec<&'static str>,
    patterns: Vec<&'static str>,
}

/// The words that both files of harmless values are made of.
const WORDS: &str = include_str!("generated/words.txt");

fn read(file: &'static str) -> (Grammar, Vec<Line>) {
    let (mut grammar, mut lines) = (Grammar::new(), Vec::new());
    for line in WORDS.lines().chain(file.lines()).filter(|line| !line.is_empty() && !line.starts_with("# ")) {
        let (left, pattern) = line.split_once(" = ").unwrap_or_else(|| panic!("no pattern: {line}"));
        if let Some(word) = left.strip_prefix(':') {
            grammar.entry(word).or_default().extend(pattern.split(" | "));
            continue;
        }
        let (weight, names) = left.split_once(' ').unwrap_or_else(|| panic!("no weight: {line}"));
        let weight = weight.parse().unwrap_or_else(|_| panic!("{weight} is no weight: {line}"));
        lines.push(Line { weight, names: names.split('|').collect(), patterns: pattern.split(" | ").collect() });
    }
    (grammar, lines)
}

/// What a run came to: how many were reported or acted on, and which lines they came from.
#[derive(Default)]
struct Outcome {
    quiet: usize,
    reported: usize,
    stripped: usize,
    /// For each band and pattern, how many and the first of them.
    examples: BTreeMap<(Option<Confidence>, &'static str), (usize, String)>,
}

impl Outcome {
    fn of(file: &'static str) -> Self {
        let (grammar, lines) = read(file);
        let mut maker = Maker::of("a fixed seed", grammar);
        let all: usize = lines.iter().map(|line| line.weight).sum();
        let mut outcome = Self::default();
        for _ in 0..DRAWS {
            let mut at = maker.below(all);
            let line = lines
                .iter()
                .find(|line| {
                    let here = at < line.weight;
                    at = at.saturating_sub(line.weight);
                    here
                })
                .unwrap();
            let (name, pattern) = (maker.one_of(&line.names), maker.one_of(&line.patterns));
            let (name, value) = (maker.value(name), maker.value(pattern));
            let confidence = judge(&name, &value).map(|verdict| verdict.confidence);
            *match confidence {
                None => &mut outcome.quiet,
                Some(Confidence::Medium) => &mut outcome.reported,
                Some(Confidence::High) => &mut outcome.stripped,
            } += 1;
            let pair = || (0, format!("{name}={value}"));
            outcome.examples.entry((confidence, pattern)).or_insert_with(pair).0 += 1;
        }
        outcome
    }

    /// The patterns that a verdict came from, most first.
    fn listed(&self, confidence: Option<Confidence>) -> String {
        let mut lines: Vec<_> = self.examples.iter().filter(|((band, _), _)| *band == confidence).collect();
        lines.sort_by_key(|(_, (count, _))| std::cmp::Reverse(*count));
        lines.iter().take(40).map(|((_, line), (count, pair))| format!("\n  {count}: {line}, such as {pair}")).collect()
    }
}

/// So many of all draws, in hundredths of a percent.
const fn hundredths(count: usize) -> usize {
    DRAWS * count / 10_000
}

/// At most so many of a file's pairs may have a verdict that is wrong for them.
#[derive(Default)]
struct Bounds {
    quiet: Option<usize>,
    reported: Option<usize>,
    stripped: Option<usize>,
}

#[track_caller]
fn check(file: &'static str, bounds: &Bounds) {
    let outcome = Outcome::of(file);
    let kept = [
        (bounds.quiet, outcome.quiet, "quiet", None),
        (bounds.reported, outcome.reported, "reported", Some(Confidence::Medium)),
        (bounds.stripped, outcome.stripped, "stripped", Some(Confidence::High)),
    ];
    let broken = kept.iter().filter(|(bound, count, ..)| bound.is_some_and(|bound| *count > bound));
    let complaints: String = broken
        .map(|(bound, count, what, band)| {
            format!(
                "{count} of {DRAWS} are {what}, at most {} may be{}\n",
                bound.unwrap_or_default(),
                outcome.listed(*band)
            )
        })
        .collect();
    assert!(complaints.is_empty(), "{complaints}");
}

#[test]
fn a_harmless_value_that_carries_an_id_is_left_alone() {
    check(
        include_str!("generated/harmless.txt"),
        &Bounds { stripped: Some(1), reported: Some(hundredths(5)), ..Bounds::default() },
    );
}

/// What may be the name of a key or the key is looked at; nothing is taken away.
#[test]
fn a_harmless_value_under_a_name_that_says_secret_is_not_stripped() {
    check(
        include_str!("generated/suggestive.txt"),
        &Bounds { stripped: Some(1), reported: Some(hundredths(300)), ..Bounds::default() },
    );
}

#[test]
fn a_random_secret_is_stripped() {
    check(
        include_str!("generated/random.txt"),
        &Bounds { quiet: Some(hundredths(6)), reported: Some(hundredths(200)), ..Bounds::default() },
    );
}

/// Half of these are as short as ids or have the form of a name.
#[test]
fn a_random_secret_in_the_form_of_a_name_is_not_overlooked() {
    check(include_str!("generated/doubtful.txt"), &Bounds { quiet: Some(hundredths(30)), ..Bounds::default() });
}

#[test]
fn a_secret_within_a_structure_is_stripped() {
    check(
        include_str!("generated/structured.txt"),
        &Bounds { quiet: Some(hundredths(5)), reported: Some(hundredths(200)), ..Bounds::default() },
    );
}

/// It is found; what could be guessed is left for a person to decide about.
#[test]
fn what_a_person_thought_up_is_reported() {
    check(
        include_str!("generated/thought_up.txt"),
        &Bounds { quiet: Some(hundredths(20)), stripped: Some(hundredths(300)), ..Bounds::default() },
    );
}
