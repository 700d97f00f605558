//! What a value looks like: its characters, and how much of it is noise instead of words.

use crate::bigrams::is_wordlike;

/// Only so much of a value is looked at for its features, in bytes. What an environment can hold is shorter.
const LONGEST: usize = 8192;

/// Counts over a value.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Features {
    pub(crate) length: usize,
    pub(crate) upper: usize,
    pub(crate) lower: usize,
    pub(crate) digits: usize,
    /// Of `- _ . / : +` and `=`, which stand in identifiers and in base64 too.
    pub(crate) separators: usize,
    /// Other visible ASCII, and everything beyond ASCII: what people put into passwords.
    pub(crate) symbols: usize,
    pub(crate) spaces: usize,
    /// Letters and digits that belong to no word and no number.
    noisy: usize,
    /// Letters and digits that belong to one.
    calm: usize,
    /// Runs of letters that look like a word.
    pub(crate) words: usize,
    /// Letters in them.
    pub(crate) word_letters: usize,
    /// The longest run of letters and digits that is mostly noise.
    pub(crate) longest_noise: usize,
    /// Whether it has a run of letters and digits that is mostly words.
    pub(crate) wordy_segments: usize,
    pub(crate) distinct: u32,
    pub(crate) hexadecimal: bool,
}

impl Features {
    pub(crate) fn of(value: &str) -> Self {
        let bytes = value.as_bytes();
        let bytes = bytes.get(..LONGEST).unwrap_or(bytes);
        let mut features = Self { length: bytes.len(), hexadecimal: !bytes.is_empty(), ..Self::default() };
        let mut seen = [0u64; 4];
        for &byte in bytes {
            if let Some(set) = seen.get_mut(usize::from(byte >> 6)) {
                *set |= 1 << (byte & 63);
            }
            match byte {
                b'A'..=b'Z' => features.upper += 1,
                b'a'..=b'z' => features.lower += 1,
                b'0'..=b'9' => features.digits += 1,
                b'-' | b'_' | b'.' | b'/' | b':' | b'+' | b'=' => features.separators += 1,
                b' ' | b'\t' | b'\n' | b'\r' => features.spaces += 1,
                _ => features.symbols += 1,
            }
            features.hexadecimal &= byte.is_ascii_hexdigit();
        }
        // `DEADbeef` mixes cases as no program writes hexadecimal digits.
        if features.hexadecimal {
            let letters =
                |small: bool| bytes.iter().any(|byte| byte.is_ascii_alphabetic() && byte.is_ascii_lowercase() == small);
            features.hexadecimal = !(letters(true) && letters(false));
        }
        features.distinct = seen.iter().map(|set| set.count_ones()).sum();
        bytes.split(|byte| !byte.is_ascii_alphanumeric()).filter(|segment| !segment.is_empty()).for_each(|segment| {
            features.add(segment);
        });
        features
    }

    /// Takes in a run of letters and digits.
    fn add(&mut self, segment: &[u8]) {
        let mut words = 0;
        let mut word_letters = 0;
        let mut other_letters = 0;
        let mut digits = 0;
        let mut digit_runs = 0;
        for run in runs(segment) {
            if run.first().is_some_and(u8::is_ascii_digit) {
                digits += run.len();
                digit_runs += 1;
            } else if is_wordlike(run) {
                words += 1;
                word_letters += run.len();
            } else {
                other_letters += run.len();
            }
        }
        let letters = word_letters + other_letters;
        if letters == 0 || segment.len() <= 3 {
            // A number, or something like `us`, `v2`, `db`: it says nothing.
            return;
        }
        // However much of it looks like words, what jumps about between its classes is none.
        if segment.len() >= 24 && jumps(segment) * 100 >= segment.len() * 30 {
            self.noisy += segment.len();
            self.longest_noise = self.longest_noise.max(segment.len());
            return;
        }
        let numbers_are_few = digit_runs <= 1 + words && digits <= letters;
        if word_letters * 10 >= letters * 6 && numbers_are_few {
            self.calm += word_letters + digits;
            self.noisy += other_letters;
            self.words += words;
            self.word_letters += word_letters;
            self.wordy_segments += 1;
        } else if word_letters >= 8 && word_letters * 10 >= segment.len() * 6 {
            // `DatabaseSecret3F2A91BC`: words, and a hash of what they name.
            self.calm += word_letters;
            self.noisy += segment.len() - word_letters;
            self.words += words;
            self.word_letters += word_letters;
            self.wordy_segments += 1;
        } else {
            self.noisy += segment.len();
            self.longest_noise = self.longest_noise.max(segment.len());
        }
    }

    /// How much of its letters and digits is noise, in percent. 0 where there is nothing to go by.
    pub(crate) const fn noise(&self) -> usize {
        match self.noisy + self.calm {
            0 => 0,
            all => self.noisy * 100 / all,
        }
    }

    pub(crate) const fn letters(&self) -> usize {
        self.upper + self.lower
    }

    /// How many of the classes small, capital, digit, symbol it has.
    pub(crate) fn classes(&self) -> usize {
        [self.upper, self.lower, self.digits, self.symbols].iter().filter(|count| **count > 0).count()
    }

    /// Letters, digits and the characters of base64 and its like alone.
    pub(crate) const fn is_opaque(&self) -> bool {
        self.symbols == 0 && self.spaces == 0
    }
}

/// A run of letters and digits in pieces: `getUserV2` is `get`, `User`, `V`, `2`; `APIKey` is `API`, `Key`.
pub(crate) fn runs(segment: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = segment;
    std::iter::from_fn(move || {
        let first = rest.first()?;
        let length = if first.is_ascii_digit() {
            while_(rest, u8::is_ascii_digit)
        } else if first.is_ascii_lowercase() {
            while_(rest, u8::is_ascii_lowercase)
        } else {
            let capitals = while_(rest, u8::is_ascii_uppercase);
            let small = while_(rest.get(capitals..).unwrap_or_default(), u8::is_ascii_lowercase);
            match (capitals, small) {
                (_, 0) => capitals,
                (1, small) => 1 + small,
                (capitals, _) => capitals - 1,
            }
        };
        let (run, after) = rest.split_at_checked(length.max(1))?;
        rest = after;
        Some(run)
    })
}

/// How often it changes between small letters, capitals and digits, the beginnings of words aside.
pub(crate) fn jumps(segment: &[u8]) -> usize {
    let class = |byte: u8| (byte.is_ascii_digit(), byte.is_ascii_uppercase());
    let word_begins = |first: u8, second: u8| first.is_ascii_uppercase() && second.is_ascii_lowercase();
    let pairs = segment.iter().zip(segment.iter().skip(1));
    pairs.filter(|(first, second)| class(**first) != class(**second) && !word_begins(**first, **second)).count()
}

fn while_(bytes: &[u8], is: impl Fn(&u8) -> bool) -> usize {
    bytes.iter().take_while(|byte| is(byte)).count()
}

/// The form of a UUID: 8-4-4-4-12 hexadecimal digits.
pub(crate) fn is_uuid(value: &str) -> bool {
    value.len() == 36
        && value.bytes().enumerate().all(|(at, byte)| match at {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn noise(value: &str, range: std::ops::RangeInclusive<usize>) {
        let noise = Features::of(value).noise();
        assert!(range.contains(&noise), "{value}: {noise}");
    }

    #[test]
    fn words_are_calm_and_random_values_are_not() {
        noise("basket_v3", 0..=10);
        noise("orders-prod-PaymentsTable", 0..=10);
        noise("quiet-harbour-lantern-maple", 0..=0);
        noise("tiger2009", 0..=0);
        noise("d0emR0stAmzIxp3LdWtf", 60..=100);
        noise("91b7c2f0a4d35e6680f1c2d3e4a5b697", 60..=100);
        noise("8675309", 0..=0);
    }

    #[test]
    fn pieces_of_a_run() {
        let pieces =
            |text: &'static str| runs(text.as_bytes()).map(|run| std::str::from_utf8(run).unwrap()).collect::<Vec<_>>();
        assert_eq!(pieces("getUserV2"), ["get", "User", "V", "2"]);
        assert_eq!(pieces("APIKey"), ["API", "Key"]);
        assert_eq!(pieces("9aB"), ["9", "a", "B"]);
    }
}
