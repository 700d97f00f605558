//! Text from outside as it is shown. Whoever may tag a function, or name its variables, may put a secret into a tag's
//! value or into a variable's name, and records, events and logs are read by many.

use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{borrow::Cow, fmt};

/// No secret is shorter than this.
const SHORTEST: usize = 8;
/// A text of so many words at most, none of which is a secret, may be one as a whole, as a passphrase is.
const FEW_WORDS: usize = 3;
/// How many hexadecimal digits of the hash stand in the place of a word.
const DIGITS: usize = 8;

/// Text from outside. It displays itself without what looks like a secret: in the place of such a word stands
/// `redacted-` with the beginning of its SHA-256, by which whoever has the name can find it again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shown<'a>(&'a str);

impl<'a> Shown<'a> {
    /// Text that may hold anything.
    pub const fn new(text: &'a str) -> Shown<'a> {
        Shown(text)
    }

    /// The text as it is shown.
    pub fn text(self) -> Cow<'a, str> {
        let mut kept = String::new();
        let mut done = 0;
        for secret in secrets(self.0) {
            let Some(at) = self.0.get(done..).and_then(|rest| rest.find(secret)) else { continue };
            kept.push_str(self.0.get(done..done + at).unwrap_or_default());
            kept.push_str(&redacted(secret));
            done += at + secret.len();
        }
        if done == 0 {
            return Cow::Borrowed(self.0);
        }
        kept.push_str(self.0.get(done..).unwrap_or_default());
        Cow::Owned(kept)
    }
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text())
    }
}

/// What stands in the place of a secret.
fn redacted(secret: &str) -> String {
    let hash: String = Sha256::digest(secret).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("redacted-{}", hash.get(..DIGITS).unwrap_or_default())
}

/// The words of a text that look like secrets, in their order.
fn secrets(text: &str) -> Vec<&str> {
    let words = text.split(|letter: char| letter.is_whitespace() || "\"'`".contains(letter));
    let secrets: Vec<&str> = words.flat_map(within).collect();
    let is_one = || text.split_whitespace().nth(FEW_WORDS).is_none() && is_secret(text);
    if secrets.is_empty() && is_one() { vec![text.trim()] } else { secrets }
}

/// The secrets in one word.
fn within(word: &str) -> Vec<&str> {
    // Of a surface's text, and before a colon, the name by itself is what is looked for.
    let word = word.strip_prefix("secret/").unwrap_or(word).trim_matches([':', ',', ';', '.', '(', ')']);
    if is_secret(word) {
        return vec![word];
    }
    // A name within a longer one: `NAME=`, `f(NAME)`.
    word.split(|letter: char| "/:=#@,;.()[]{}<>".contains(letter)).filter(|piece| is_secret(piece)).collect()
}

fn is_secret(word: &str) -> bool {
    word.len() >= SHORTEST && warden_secrets::judge("", word).is_some()
}

/// Makes all of a document fit to be shown: its texts and the names in it.
pub fn make_shown(document: &mut Value) {
    match document {
        Value::String(text) => {
            if let Cow::Owned(shown) = Shown::new(text).text() {
                *text = shown;
            }
        }
        Value::Array(items) => items.iter_mut().for_each(make_shown),
        Value::Object(members) => {
            members.values_mut().for_each(make_shown);
            let secret: Vec<String> = members.keys().filter(|name| !secrets(name).is_empty()).cloned().collect();
            for name in secret {
                if let Some(value) = members.remove(&name) {
                    members.insert(Shown::new(&name).to_string(), value);
                }
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A key of Stripe's form, in pieces so that no scanner of repositories takes it for one.
    const KEY: &str = concat!("sk_li", "ve_4eC39HqLyjWDarjtT1zdp7dc");

    #[test]
    fn a_secret_in_a_text_is_not_shown_and_can_be_found_again() {
        let redacted = redacted(KEY);
        assert!(redacted.starts_with("redacted-") && redacted.len() == 17);
        #[track_caller]
        fn check(text: &str, expected: &str) {
            assert_eq!(Shown::new(text).to_string(), expected);
        }
        check(KEY, &redacted);
        check(&format!("{KEY} looks like a secret"), &format!("{redacted} looks like a secret"));
        check(&format!("tag `warden:owner` = `{KEY}`: x"), &format!("tag `warden:owner` = `{redacted}`: x"));
        check(&format!("secret/{KEY}"), &format!("secret/{redacted}"));
        check(&format!("on secret/{KEY}: gone"), &format!("on secret/{redacted}: gone"));
        check(&format!("{KEY} and {KEY}"), &format!("{redacted} and {redacted}"));
    }

    #[test]
    fn what_is_none_is_shown_as_it_is() {
        for text in [
            "DB_PASSWORD looks like a secret (password): everybody who may read the configuration can read it",
            "arn:aws:lambda:us-east-1:111122223333:function:pay",
            "01KAJC2A00000000000000000A",
            "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "attachment/arn:aws:iam::aws:policy/job-function/Billing",
            "UpdateFunctionConfiguration(pay, Environment, Layers)",
            "warden/pay/1f2e3d4c5b6a7988",
            "",
        ] {
            assert!(matches!(Shown::new(text).text(), Cow::Borrowed(_)), "{text}");
        }
    }

    #[test]
    fn a_document_shows_neither_names_nor_texts_that_are_secrets() {
        let mut document = json!({"Variables": {KEY: "1", "STAGE": [KEY]}, "owner": {"name": KEY}, "n": 1});
        make_shown(&mut document);
        let redacted = redacted(KEY);
        let expected =
            json!({"Variables": {&redacted: "1", "STAGE": [&redacted]}, "owner": {"name": &redacted}, "n": 1});
        assert_eq!(document, expected);
    }
}
