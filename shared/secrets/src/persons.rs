//! Secrets that a person thought up: words with digits and signs in them, which can be guessed.

use crate::{bigrams::is_wordlike, features::runs, ids::is_of_words};

/// `C@ndle42!`, `Harbor@7193`, `Harbour#Kettle#12`, `copper_kettle_50!`: words, some letters of which may be digits or
/// signs that look like them, with numbers and signs between them and behind. A sign, or a digit in a letter's place, is
/// among them: no name of a thing has that.
pub(crate) fn is_of_words_and_signs(value: &str) -> bool {
    const SHORTEST: usize = 6;
    const LONGEST: usize = 32;
    (SHORTEST..=LONGEST).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_graphic())
        && (reads(value, |letter| letter.is_ascii_punctuation())
            || reads(value, |letter| letter.is_ascii_punctuation() && !matches!(letter, '@' | '$')))
}

/// Whether words and numbers stand between what separates them.
fn reads(value: &str, separates: fn(char) -> bool) -> bool {
    const MOST_PIECES: usize = 4;
    const MOST_DIGITS: usize = 4;
    // What does not look like a word may be one beside others.
    const SHORTEST_NAME: usize = 4;
    let is_digit = |letter: char| letter.is_ascii_digit();
    let pieces = || value.split(separates).filter(|piece| !piece.is_empty());
    let (mut plain_before, mut disguised_before) = (false, false);
    let (mut in_words, mut in_names) = (0, 0);
    let mut disguised = value.contains(['!', '@', '#', '$', '%', '&', '*', '+', '?', '^']);
    for piece in pieces() {
        let word = piece.trim_end_matches(is_digit);
        if piece.len() - word.len() > MOST_DIGITS {
            return false;
        }
        if word.is_empty() {
            continue;
        }
        let Some(plain) = in_letters(word) else { return false };
        if is_of_words(&plain) {
            in_words += plain.len();
        } else if plain.len() >= SHORTEST_NAME && plain.bytes().skip(1).all(|byte| byte.is_ascii_lowercase()) {
            in_names += plain.len();
        } else {
            return false;
        }
        // Behind words alone it may be a suffix: `ledger-token-7h0otv`.
        let as_letters = plain != word;
        disguised |= as_letters && (!plain_before || disguised_before);
        plain_before |= !as_letters;
        disguised_before |= as_letters;
    }
    in_words > 0 && in_words >= in_names && disguised && pieces().count() <= MOST_PIECES
}

/// `c0ba1t-0tt3r`, `5up3r5ecr3t!`, `M4rbl3Ke77le26`: words in which any letters may be digits or signs that look like
/// them. Within one of them a digit stands for a letter, and all of them are words then.
pub(crate) fn is_disguised_throughout(value: &str) -> bool {
    const SHORTEST: usize = 6;
    const LONGEST: usize = 40;
    const MOST_DIGITS: usize = 4;
    const SHORTEST_WORD: usize = 5;
    let is_digit = |letter: char| letter.is_ascii_digit();
    let as_letters = |piece: &str| -> Option<String> {
        let plain: Option<String> = piece.chars().map(letter_of).collect();
        plain.filter(|plain| {
            let of_runs = runs(plain.as_bytes()).all(|run| run.len() >= 3);
            of_runs && (is_of_words(plain) || (plain.len() < SHORTEST_WORD && is_wordlike(plain.as_bytes())))
        })
    };
    if !(SHORTEST..=LONGEST).contains(&value.len()) || !value.bytes().any(|byte| byte.is_ascii_digit()) {
        return false;
    }
    let unsigned = value.trim_end_matches(|letter: char| letter.is_ascii_punctuation());
    let (mut longest, mut disguised) = (0, false);
    for piece in unsigned.split(['-', '_', '.', ' ', '#']) {
        let bare = piece.trim_end_matches(is_digit);
        if piece.is_empty() || bare.is_empty() {
            if piece.len() > MOST_DIGITS {
                return false;
            }
            continue;
        }
        let counted = piece.len() - bare.len() <= MOST_DIGITS;
        let Some((plain, read)) = as_letters(piece)
            .map(|plain| (plain, piece))
            .or_else(|| as_letters(bare).filter(|_| counted).map(|plain| (plain, bare)))
        else {
            return false;
        };
        longest = longest.max(plain.len());
        disguised |= read.trim_end_matches(is_digit).contains(is_digit);
    }
    disguised && longest >= SHORTEST_WORD
}

/// The letter that a digit or a sign looks like.
fn letter_of(letter: char) -> Option<char> {
    match letter {
        '0' => Some('o'),
        '1' | '!' => Some('i'),
        '3' => Some('e'),
        '4' | '@' => Some('a'),
        '5' | '$' => Some('s'),
        '7' => Some('t'),
        letter => letter.is_ascii_alphabetic().then_some(letter),
    }
}

/// A word with letters in the place of the digits and signs that look like them. Nothing where other digits or signs are
/// in it, or so many that it is hardly one.
fn in_letters(word: &str) -> Option<String> {
    const FEWEST_LETTERS: usize = 5;
    const MOST_DISGUISED: usize = 4;
    let mut others = 0;
    let plain: String = word
        .chars()
        .map(|letter| {
            others += usize::from(!letter.is_ascii_alphabetic());
            letter_of(letter)
        })
        .collect::<Option<_>>()?;
    // The hash behind a name has capitals.
    let of_one_style = plain.bytes().skip(1).all(|byte| byte.is_ascii_lowercase());
    (others == 0
        || (others <= MOST_DISGUISED && others * 2 <= word.len() && word.len() >= FEWEST_LETTERS && of_one_style))
        .then_some(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_signs() {
        for value in [
            "C@ndle42!",
            "C4ndl3!",
            "Harbor@7193",
            "Harbour#Kettle#12",
            "copper_kettle_50!",
            "L4nt3rn2024",
            "M4rbl3$77",
        ] {
            assert!(is_of_words_and_signs(value), "{value}");
        }
        for value in [
            "copper_kettle_50",
            "ledger-db-secret-2024",
            "oauth2-proxy",
            "LedgerDatabase7A4B31C0",
            "ledger-token-7h0otv",
            "wqXdzr2026!kp",
            "kT9vX2mQ7zLpR4wB",
            "k4x9mq2p7w3z",
            "Xk#Lantern#12",
        ] {
            assert!(!is_of_words_and_signs(value), "{value}");
        }
    }
}
