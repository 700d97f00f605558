//! Lists of words, as text files under `words/`: one word a line, sorted by its bytes. Lines that begin with `#` say
//! what the list is.

use std::{cmp::Ordering, sync::OnceLock};

/// A list of words that is searched.
pub(crate) struct WordList {
    text: &'static str,
    words: OnceLock<Vec<&'static str>>,
}

impl WordList {
    const fn new(text: &'static str) -> Self {
        Self { text, words: OnceLock::new() }
    }

    /// Read from the text once.
    fn words(&self) -> &[&'static str] {
        self.words.get_or_init(|| self.text.lines().filter(|line| !line.starts_with('#')).collect())
    }

    /// Whether the word is on the list, exactly as it is.
    pub(crate) fn contains(&self, word: &str) -> bool {
        self.words().binary_search(&word).is_ok()
    }

    /// Whether the word is on the list once its ASCII letters are small.
    pub(crate) fn contains_lowercased(&self, word: &[u8]) -> bool {
        let compare = |known: &&str| -> Ordering { known.bytes().cmp(word.iter().map(u8::to_ascii_lowercase)) };
        self.words().binary_search_by(compare).is_ok()
    }
}

/// Last words that make a name one about a secret, or about anything else, but not the secret itself.
pub(crate) static HARMLESS: WordList = WordList::new(include_str!("words/harmless.txt"));

/// Last words that make a name one of something other than a secret, and say nothing of what its value is.
pub(crate) static OF_ANYTHING: WordList = WordList::new(include_str!("words/of_anything.txt"));

/// Words before TOKEN that make it a piece of text, a coin or a page.
pub(crate) static HARMLESS_BEFORE_TOKEN: WordList = WordList::new(include_str!("words/harmless_before_token.txt"));

/// Words before KEY that make it the key of a table, a cache, a bucket or a map, or one that is public.
pub(crate) static HARMLESS_KEYS: WordList = WordList::new(include_str!("words/harmless_keys.txt"));

/// Words before KEY that make it one that lets in, signs or encrypts.
pub(crate) static SECRET_KEYS: WordList = WordList::new(include_str!("words/secret_keys.txt"));

/// Providers whose API is used with a key or token, as their names stand in those of variables.
pub(crate) static PROVIDERS: WordList = WordList::new(include_str!("words/providers.txt"));

/// Last words that only say which of several it is.
pub(crate) static TRAILING: WordList = WordList::new(include_str!("words/trailing.txt"));

/// Words of the trade whose pairs of letters are rare.
pub(crate) static RARE_PAIRS: WordList = WordList::new(include_str!("words/rare_pairs.txt"));

/// Last labels of hosts that stand in configurations.
pub(crate) static TOP_LEVEL_DOMAINS: WordList = WordList::new(include_str!("words/top_level_domains.txt"));

/// Extensions of files.
pub(crate) static FILE_EXTENSIONS: WordList = WordList::new(include_str!("words/file_extensions.txt"));

/// Values that are none, and those that everybody tries first.
pub(crate) static PLACEHOLDERS: WordList = WordList::new(include_str!("words/placeholders.txt"));

/// Words that everybody's list of passwords has, and that name nothing else.
pub(crate) static COMMON_PASSWORDS: WordList = WordList::new(include_str!("words/common_passwords.txt"));

/// Words of infrastructure and of stages, which stand in the names of what runs and not in passwords.
pub(crate) static THINGS: WordList = WordList::new(include_str!("words/things.txt"));

/// What stands before the first colon of a reference.
pub(crate) static REFERENCE_SCHEMES: WordList = WordList::new(include_str!("words/reference_schemes.txt"));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_list_is_sorted_and_names_nothing_twice() {
        for list in [
            &HARMLESS,
            &OF_ANYTHING,
            &HARMLESS_BEFORE_TOKEN,
            &HARMLESS_KEYS,
            &SECRET_KEYS,
            &PROVIDERS,
            &TRAILING,
            &RARE_PAIRS,
            &TOP_LEVEL_DOMAINS,
            &FILE_EXTENSIONS,
            &PLACEHOLDERS,
            &COMMON_PASSWORDS,
            &THINGS,
            &REFERENCE_SCHEMES,
        ] {
            let words = list.words();
            assert!(!words.is_empty());
            assert!(words.is_sorted_by(|one, next| one < next), "{words:?}");
            assert!(words.iter().all(|word| !word.trim().is_empty() && word.trim() == *word), "{words:?}");
        }
    }
}
