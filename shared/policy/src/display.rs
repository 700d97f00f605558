//! Pieces of a document as they stand in a message: a hostile one must not become a message of 100 KB, nor move the
//! reader's cursor.

use std::borrow::Cow;

/// As many characters as a service's name, an account or an ARN of usual length has.
const LONGEST: usize = 128;

/// The text, its control characters escaped, and cut where it is too long.
pub(crate) fn quoted(text: &str) -> Cow<'_, str> {
    let is_plain = |byte: u8| (b' '..=b'~').contains(&byte) && !matches!(byte, b'"' | b'\'' | b'\\');
    if text.len() <= LONGEST && text.bytes().all(is_plain) {
        return Cow::Borrowed(text);
    }
    let mut quoted: String = text.chars().take(LONGEST).flat_map(char::escape_debug).collect();
    if text.chars().nth(LONGEST).is_some() {
        quoted.push_str("...");
    }
    Cow::Owned(quoted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn short_plain_text_stays_and_the_rest_is_tamed() {
        assert_eq!(quoted("s3:Get*"), "s3:Get*");
        assert_eq!(quoted("a\u{1b}[2J\n"), "a\\u{1b}[2J\\n");
        assert_eq!(quoted(&"x".repeat(100_000)), format!("{}...", "x".repeat(128)));
    }
}
