//! IAM's patterns: `*` stands for any text, also across `/` and `:`, `?` for any one character.

/// Whether a pattern fits a text, both as they are.
pub(crate) fn fits(pattern: &str, text: &str) -> bool {
    fits_bytes(pattern.as_bytes(), text.as_bytes(), |a, b| a == b)
}

/// Whether a pattern fits a text when ASCII case is ignored, as it is for actions.
pub(crate) fn fits_ignoring_case(pattern: &str, text: &str) -> bool {
    fits_bytes(pattern.as_bytes(), text.as_bytes(), |a, b| a.eq_ignore_ascii_case(&b))
}

/// The same, on the bytes of a name.
pub(crate) fn fits_name(pattern: &str, name: &[u8]) -> bool {
    fits_bytes(pattern.as_bytes(), name, |a, b| a.eq_ignore_ascii_case(&b))
}

/// The same with case, on bytes that come one by one.
pub(crate) fn fits_raw(pattern: &str, text: &[u8]) -> bool {
    fits_bytes(pattern.as_bytes(), text, |a, b| a == b)
}

/// Goes back at most to the last `*`, so the time is at most pattern times text and in practice their sum.
/// `?` takes one byte: outside of ASCII, where AWS has no names, it may need to be written more than once.
fn fits_bytes(pattern: &[u8], text: &[u8], same: impl Fn(u8, u8) -> bool) -> bool {
    // The last character settles most of what does not fit.
    if let (Some(&expected), last) = (pattern.last(), text.last()) {
        let may_end = expected == b'*' || last.is_some_and(|&byte| expected == b'?' || same(expected, byte));
        if !may_end {
            return false;
        }
    }
    let (mut p, mut t) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while let Some(&byte) = text.get(t) {
        match pattern.get(p) {
            // Nothing after the star: whatever is left of the text fits.
            Some(b'*') if p + 1 == pattern.len() => return true,
            Some(b'*') => {
                last_star = Some((p, t));
                p += 1;
            }
            Some(&expected) if expected == b'?' || same(expected, byte) => {
                p += 1;
                t += 1;
            }
            Some(_) | None => match last_star {
                Some((star, from)) => {
                    last_star = Some((star, from + 1));
                    p = star + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|&rest| rest == b'*')
}

/// Whether a pattern could fit a text that starts like this, when ASCII case is ignored.
pub(crate) fn may_start_with(pattern: &str, start: &str) -> bool {
    for (byte, expected) in pattern.bytes().zip(start.bytes()) {
        match byte {
            b'*' => return true,
            b'?' => {}
            byte if byte.eq_ignore_ascii_case(&expected) => {}
            _ => return false,
        }
    }
    true
}

/// Whether the text holds `*` or `?`.
pub(crate) fn has_wildcard(text: &str) -> bool {
    memchr::memchr2(b'*', b'?', text.as_bytes()).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[track_caller]
    fn check(pattern: &str, text: &str, expected: bool) {
        assert_eq!(fits(pattern, text), expected, "{pattern} on {text}");
    }

    #[test]
    fn a_star_spans_slashes_and_colons() {
        check("arn:aws:s3:::b/*", "arn:aws:s3:::b/a/b:c", true);
        check("arn:*", "arn:aws:iam::111122223333:role/a/b", true);
        check("*:*", "a:b", true);
        check("a*b*c", "abbbc", true);
        check("a*b*c", "abbb", false);
        check("a?c", "abc", true);
        check("a?c", "ac", false);
        check("", "", true);
        check("**", "", true);
        check("?*", "", false);
        check("A", "a", false);
    }

    #[test]
    fn actions_ignore_case() {
        assert!(fits_ignoring_case("LAMBDA:invoke*", "lambda:InvokeFunction"));
        // Whitespace matches nothing.
        assert!(!fits_ignoring_case("lambda:InvokeFunction ", "lambda:InvokeFunction"));
    }

    /// Obviously right and slow: what does each first pattern character mean for the rest?
    fn reference(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|skip| reference(rest, &text[skip..])),
            Some((b'?', rest)) => !text.is_empty() && reference(rest, &text[1..]),
            Some((byte, rest)) => text.first() == Some(byte) && reference(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(pattern in "[ab*?]{0,10}", text in "[ab]{0,10}") {
            prop_assert_eq!(fits(&pattern, &text), reference(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
