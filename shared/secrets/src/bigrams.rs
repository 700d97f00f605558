//! How much a run of letters looks like a word: by the pairs of letters in it.

use crate::words::RARE_PAIRS;

/// For each pair of letters, how many bits it takes to guess the second from the first, in words as they occur in code
/// and its documentation; 9 is nine or more. (Counted over the words of Rust and Python sources and of the AWS SDK's
/// documentation.)
const SURPRISE: [&[u8; 26]; 26] = [
    b"74449759596343959343667768",
    b"36563689368267479446489959",
    b"38563793594468279453599979",
    b"46652569288567478546578969",
    b"47436569799453757334867579",
    b"46654369298466379455498869",
    b"48672754399464479346488989",
    b"28872998397667379564589859",
    b"55455559998452359543959695",
    b"38562697565868369838375989",
    b"47751659377565569735576979",
    b"37652789298387369855579949",
    b"25762888398557339857589979",
    b"48433538497686479833659979",
    b"66448659686442549344465799",
    b"38673785497378359354599959",
    b"78878679799366876546159997",
    b"37552769396656369544578959",
    b"58473784397567547742487969",
    b"37672784298678469345588959",
    b"54564669499443649333999899",
    b"37571778399767469756997978",
    b"38763774397674379446997889",
    b"57463696399646527762678559",
    b"56564657598444529634866867",
    b"37871787398768476676699966",
];

/// Whether the letters, in any case, could well be a word or a piece of one. Fewer than three letters never are.
///
/// About one random run in six is taken for a word, and one word in twenty is not: what a whole value is, is decided by
/// all of its runs together.
pub(crate) fn is_wordlike(letters: &[u8]) -> bool {
    let pairs = letters.len().saturating_sub(1);
    if pairs < 2 {
        return false;
    }
    if letters.len() <= 16 && RARE_PAIRS.contains_lowercased(letters) {
        return true;
    }
    let surprise: usize = letters.iter().zip(letters.iter().skip(1)).map(|(&first, &second)| bits(first, second)).sum();
    let is_likely = if pairs <= 3 { surprise <= pairs * 5 } else { surprise * 100 <= pairs * 475 };
    is_likely || has_rare_word(letters)
}

/// `ledgerwebhook`: a word whose pairs are rare, and another.
fn has_rare_word(letters: &[u8]) -> bool {
    const LONGEST: usize = 24;
    const RARE: std::ops::RangeInclusive<usize> = 6..=9;
    const LEAST_OTHER: usize = 3;
    (RARE.start() + LEAST_OTHER..=LONGEST).contains(&letters.len())
        && RARE.filter(|length| letters.len() - length.min(&letters.len()) >= LEAST_OTHER).any(|length| {
            let rare = |word: &[u8]| RARE_PAIRS.contains_lowercased(word);
            let (Some((first, rest)), Some((before, last))) =
                (letters.split_at_checked(length), letters.split_at_checked(letters.len() - length))
            else {
                return false;
            };
            (rare(first) && is_wordlike(rest)) || (rare(last) && is_wordlike(before))
        })
}

fn bits(first: u8, second: u8) -> usize {
    let place = |letter: u8| usize::from(letter.to_ascii_lowercase().wrapping_sub(b'a'));
    SURPRISE
        .get(place(first))
        .and_then(|row| row.get(place(second)))
        .map_or(9, |digit| usize::from(digit.wrapping_sub(b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_told_from_noise() {
        for word in ["password", "tundra", "Winter", "quartz", "checkout", "postgres", "tiger", "ledgerwebhook"] {
            assert!(is_wordlike(word.as_bytes()), "{word}");
        }
        for noise in ["xq", "zqx", "qzjxkw", "Wtfkq", "bvxnmzrt"] {
            assert!(!is_wordlike(noise.as_bytes()), "{noise}");
        }
    }
}
