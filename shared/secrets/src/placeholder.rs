//! Layer 0: what stands where a value is still to come, and what shows that there is one without showing it.

use crate::{
    bigrams::is_wordlike,
    features::{Features, is_uuid, jumps},
    ids::{is_of_words, is_scrambled},
    indirection::Starts,
    words::PLACEHOLDERS,
};
use aho_corasick::AhoCorasick;
use std::sync::LazyLock;

/// Whether it is a template, an example, or a mask.
pub(crate) fn is_placeholder(value: &str) -> bool {
    is_template(value) || is_mask(value) || says_so(value) || is_filling(value) || is_made_up_uuid(value)
}

/// What shows that there is a value without showing it (`***`, `...`), and a hole that is filled by its place (`{0}`,
/// `%s`).
fn is_mask(value: &str) -> bool {
    let mut letters = value.chars();
    let Some(first) = letters.next() else { return false };
    let is_row = matches!(first, '*' | '.' | '\u{2022}' | '\u{2026}' | '\u{25cf}' | 'x' | 'X' | '#' | '-' | '_' | '?')
        && letters.all(|letter| letter == first);
    let hole = value.strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    is_row || hole.is_some_and(|hole| hole.bytes().all(|byte| byte.is_ascii_digit())) || matches!(value, "%s" | "%v")
}

/// A UUID that a person typed, behind whatever it stands: most groups are of one digit each.
fn is_made_up_uuid(value: &str) -> bool {
    const UUID: usize = 36;
    let Some(uuid) = value.len().checked_sub(UUID).and_then(|at| value.get(at..)).filter(|uuid| is_uuid(uuid)) else {
        return false;
    };
    let of_one = |group: &&str| group.bytes().zip(group.bytes().skip(1)).all(|(one, next)| one == next);
    uuid.split('-').filter(of_one).count() >= 3 || rising(uuid.as_bytes(), 1) * 10 >= UUID * 4
}

/// How many characters are followed, so many places on, by the next in order: `1234`, or `1a2b3c` two places on.
fn rising(bytes: &[u8], apart: usize) -> usize {
    let next = |first: u8, second: u8| {
        first.checked_add(1) == Some(second)
            || matches!((first, second), (b'9', b'0' | b'a' | b'A') | (b'f', b'a') | (b'F', b'A'))
    };
    bytes.iter().zip(bytes.iter().skip(apart)).filter(|(first, second)| next(**first, **second)).count()
}

/// Something that a program is to replace: `${NAME}`, `{{ name }}`, `<your-token>`, `%NAME%`, `$(name)`.
pub(crate) fn is_template(value: &str) -> bool {
    let sign = |byte: u8| matches!(byte, b'$' | b'{' | b'<' | b'%' | b'#' | b'[' | b'@');
    if !value.bytes().any(sign) {
        return is_named(value);
    }
    // In these stands what programs evaluate, and in the others a label.
    const EVALUATED: &[(&str, &str)] = &[("${", "}"), ("{{", "}}")];
    const MARKED: &[(&str, &str)] =
        &[("<%", "%>"), ("#{", "}"), ("%{", "}"), ("$(", ")"), ("[[", "]]"), ("@@", "@@"), ("$[", "]"), ("%(", ")s")];
    let in_angles = || {
        let parts = |text: &str, end: bool| {
            let next = if end { text.chars().next() } else { text.chars().next_back() };
            next.is_none_or(|letter| !letter.is_ascii_alphanumeric())
        };
        hole(value, "<", ">").is_some_and(|hole| {
            is_label(hole.inside) && parts(hole.before, false) && parts(hole.after, true) && hole.is_one()
        })
    };
    EVALUATED.iter().filter_map(|(open, close)| hole(value, open, close)).any(|hole| hole.is_one())
        || MARKED
            .iter()
            .filter_map(|(open, close)| hole(value, open, close))
            .any(|hole| is_label(hole.label()) && hole.is_one())
        || in_angles()
        || enclosed(value, '{', '}').is_some_and(is_label)
        || enclosed(value, '[', ']').is_some_and(is_label)
        || enclosed(value, '%', '%').is_some_and(is_label)
        || enclosed(value, '@', '@').map(|inside| inside.trim_matches('@')).is_some_and(is_constant)
        || value.strip_prefix('$').is_some_and(is_variable)
        || is_named(value)
}

/// What stands between two marks, and around them.
struct Hole<'v> {
    open: &'v str,
    before: &'v str,
    inside: &'v str,
    after: &'v str,
}

fn hole<'v>(value: &'v str, open: &'v str, close: &str) -> Option<Hole<'v>> {
    let (before, rest) = value.split_once(open)?;
    let (inside, after) = rest.split_once(close)?;
    Some(Hole { open, before, inside, after })
}

impl<'v> Hole<'v> {
    /// The name in it, or what is to be evaluated.
    fn label(&self) -> &'v str {
        self.inside.trim_start_matches(['=', '-', ' ', '{']).trim_end()
    }

    /// Whether something is to be put there. These marks stand in random passwords too: then what is between them names
    /// nothing, or what is around them is random.
    fn is_one(&self) -> bool {
        if self.inside.contains(self.open) {
            return true;
        }
        if names_something(self.label()) {
            !self.is_in_noise()
        } else {
            !is_random(self.label()) && is_plain(self.before) && is_plain(self.after)
        }
    }

    fn is_in_noise(&self) -> bool {
        const LEAST: usize = 5;
        let is_sign = |letter: &char| letter.is_ascii_punctuation() && !"-_./:@=&;,+'\"".contains(*letter);
        let signs = self.before.chars().chain(self.after.chars()).filter(is_sign).count();
        let noise = |text: &str| text.len() >= LEAST && (Features::of(text).noise() >= 60 || has_scrambled(text));
        let is_letter = |letter: char| letter.is_ascii_alphanumeric();
        let touched = self.before.ends_with(is_letter) && self.after.starts_with(is_letter);
        signs >= 2
            || (noise(self.before) && (self.after.is_empty() || noise(self.after)))
            || (touched && (has_scrambled(self.before) || has_scrambled(self.after)))
    }
}

/// Whether the text has a word in it that a name could have, or capitals alone: `DB_PASSWORD`, `self:custom.key`, `PW`.
fn names_something(text: &str) -> bool {
    let pieces = || text.split(|letter: char| !letter.is_ascii_alphanumeric()).filter(|piece| !piece.is_empty());
    let is_digit = |letter: char| letter.is_ascii_digit();
    let of_capitals = |piece: &str| {
        let bare = piece.trim_end_matches(is_digit);
        bare.len() >= 2 && bare.bytes().all(|byte| byte.is_ascii_uppercase())
    };
    pieces().any(|piece| of_capitals(piece) || is_of_words(piece)) && !pieces().any(is_scrambled)
}

/// Whether there are words, numbers and separators, and nothing else.
fn is_plain(text: &str) -> bool {
    const SHORT: usize = 3;
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./:@=&;,+'\" ".contains(&byte))
        && text
            .split(|letter: char| !letter.is_ascii_alphanumeric())
            .all(|piece| piece.len() <= SHORT || piece.bytes().all(|byte| byte.is_ascii_digit()) || is_of_words(piece))
}

fn has_scrambled(text: &str) -> bool {
    text.split(|letter: char| !letter.is_ascii_alphanumeric()).any(is_scrambled)
}

/// CloudFormation's functions, in YAML and JSON.
const INTRINSICS: Starts = Starts::of(&["!Ref ", "!Sub ", "!GetAtt ", "!ImportValue ", "Fn::"]);

/// What stands for a value without any sign: `__TOKEN__`, `process.env.TOKEN`, `!Ref Token`.
fn is_named(value: &str) -> bool {
    value.strip_prefix("__").and_then(|rest| rest.strip_suffix("__")).is_some_and(is_label)
        || value.strip_prefix("process.env.").is_some_and(is_label)
        || INTRINSICS.begin(value)
}

fn enclosed(value: &str, open: char, close: char) -> Option<&str> {
    value.strip_prefix(open)?.strip_suffix(close)
}

/// Whether it is one run of letters and digits that is no word: what no label is called.
fn is_random(text: &str) -> bool {
    const LEAST: usize = 6;
    let has = |is: fn(&u8) -> bool| text.as_bytes().iter().any(is);
    let classes = [u8::is_ascii_lowercase, u8::is_ascii_uppercase, u8::is_ascii_digit].iter().filter(|is| has(**is));
    text.len() >= LEAST
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && classes.count() >= 2
        && (is_scrambled(text) || Features::of(text).noise() >= 50 || jumps(text.as_bytes()) * 100 >= text.len() * 30)
}

fn is_label(text: &str) -> bool {
    !is_random(text)
        && text.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && text.len() <= 60
        && text
            .chars()
            .all(|letter| letter.is_ascii_alphanumeric() || matches!(letter, ' ' | '_' | '-' | '.' | '/' | '|'))
}

/// `DB_PASSWORD`
fn is_constant(text: &str) -> bool {
    is_label(text) && text.len() >= 2 && text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_')
}

/// `$DB_PASSWORD`, `$db_password`: not `$ecret!`, and nothing as short as `$x`.
fn is_variable(text: &str) -> bool {
    let small = text.chars().any(|letter| letter.is_ascii_lowercase());
    let capital = text.chars().any(|letter| letter.is_ascii_uppercase());
    text.len() >= if capital { 2 } else { 3 }
        && small != capital
        && text.chars().all(|letter| letter.is_ascii_alphanumeric() || letter == '_')
        && !text.starts_with(|first: char| first.is_ascii_digit())
        && (capital
            || text.contains('_')
            || (is_wordlike(text.as_bytes())
                && text.len() >= 4
                && !text.contains(|letter: char| letter.is_ascii_digit())))
}

/// Words that nobody's secret has in it.
const WITHIN: &[&str] = &[
    "example",
    "changeme",
    "change-me",
    "change_me",
    "change-this",
    "changethis",
    "change_this",
    "placeholder",
    "your-",
    "your_",
    "yourpassword",
    "yoursecret",
    "yourtoken",
    "yourkey",
    "yourapi",
    "your password",
    "your api",
    "your secret",
    "your token",
    "-here",
    "_here",
    "<your",
    "replace-",
    "replace_",
    "replaceme",
    "replace me",
    "replace with",
    "redacted",
    "foobar",
    "deadbeef",
    "not-a-real",
    "not_a_real",
    "notreal",
    "notareal",
    "not-real",
    "not_real",
    "not-set",
    "not_set",
    "notset",
    "to-be-set",
    "to_be_",
    "to-be-",
    "fixme",
    "-fake",
    "_fake",
    "my-secret",
    "my_secret",
    "mysecret",
    "my-token",
    "my_token",
    "mytoken",
    "my-api",
    "my_api",
    "myapikey",
    "my-password",
    "my_password",
    "mypassword",
    "some-secret",
    "some_secret",
    "somesecret",
    "some-token",
    "super-secret",
    "supersecret",
    "super_secret",
    "top-secret",
    "topsecret",
    "secretkey",
    "test-token",
    "test_token",
    "test-key",
    "test_key",
    "test-secret",
    "test_secret",
    "testsecret",
    "test-api",
    "test_api",
    "set-me",
    "set_me",
    "setme",
    "generate-",
    "generate_",
    "do-not-use",
    "donotuse",
    "goes-here",
    "xxxx",
    "****",
    "\u{2022}\u{2022}",
    "....",
];

/// The same, but only at the beginning of a word: `sunset` is not unset, and `datacenter-` is not to be entered.
const AT_A_WORD: &[&str] = &[
    "default-", "dummy", "enter-", "fake-", "fake_", "ignore", "insert-", "insert_", "lorem", "mock-", "mock_", "put-",
    "sample-", "sample_", "template", "unset",
];

/// Built at the first value that is looked at so closely, in some ten microseconds. A build of so few words cannot
/// fail; if it did, a placeholder would be reported, not a secret overlooked.
static MARKERS: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::builder().build(WITHIN.iter().chain(AT_A_WORD)).ok());

/// Whether one of those words is in the text, which is in small letters.
fn has_marker(text: &str) -> bool {
    let Some(markers) = MARKERS.as_ref() else { return false };
    markers.find_overlapping_iter(text).any(|found| {
        let anywhere = found.pattern().as_usize() < WITHIN.len();
        let before = found.start().checked_sub(1).and_then(|at| text.as_bytes().get(at));
        anywhere || !before.is_some_and(u8::is_ascii_alphabetic)
    })
}

/// `changeme2024!`: what was to be changed, and was, by a number or a sign behind it.
pub(crate) fn was_changed(value: &str) -> bool {
    const FEWEST_DIGITS: usize = 2;
    let begins =
        |word: &str| value.as_bytes().get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word.as_bytes()));
    let unsigned = value.trim_end_matches(['!', '#', '$', '*', '+', '?', '@']);
    let bare = unsigned.trim_end_matches(|letter: char| letter.is_ascii_digit());
    begins("change")
        && (unsigned.len() < value.len() || unsigned.len() - bare.len() >= FEWEST_DIGITS)
        && !is_template(value)
}

/// `supersecretharbour`, `topsecret2024`: everybody's first secret, and something of one's own behind it.
pub(crate) fn is_built_upon(value: &str) -> bool {
    const FIRST: &[&str] = &[
        "supersecret",
        "super-secret",
        "super_secret",
        "verysecret",
        "very-secret",
        "very_secret",
        "topsecret",
        "top-secret",
        "mysecret",
        "my-secret",
        "my_secret",
    ];
    // What is only said more clearly so is still to be replaced.
    const STILL_TO_COME: &[&str] = &["here", "key", "value", "string", "phrase", "change", "example", "replace"];
    const LEAST: usize = 3;
    let rest = FIRST.iter().find_map(|first| {
        let (head, rest) = value.split_at_checked(first.len())?;
        head.eq_ignore_ascii_case(first).then(|| rest.trim_start_matches(['-', '_']).to_ascii_lowercase())
    });
    rest.is_some_and(|rest| {
        rest.bytes().filter(u8::is_ascii_alphanumeric).count() >= LEAST
            && !STILL_TO_COME.iter().any(|word| rest.contains(word))
            && !is_template(value)
    })
}

/// `mySuperLedgerKey`, `my_jwt_secret`, `our-walnut-secret`, `supersecretpassword2`: what somebody called his own in a
/// hurry, and left so. Nothing where only the words of every example are in it: `my-secret-key`, `mypassword`.
pub(crate) fn is_own(value: &str) -> bool {
    const LONGEST: usize = 64;
    const STARTS: &[&str] = &["my", "our", "super", "very", "avery", "thisis", "top", "the", "secret", "secure"];
    const ENDS: &[&str] = &["secret", "key", "token", "password", "passwd", "pass", "pwd"];
    const PURPOSES: &[&str] = &["super", "very", "jwt", "session", "cookie", "signing", "hmac", "secure"];
    const OF_EXAMPLES: &[&str] = &[
        "access",
        "api",
        "app",
        "application",
        "auth",
        "aws",
        "demo",
        "dummy",
        "example",
        "fake",
        "first",
        "key",
        "new",
        "own",
        "private",
        "project",
        "sample",
        "secret",
        "service",
        "some",
        "test",
        "token",
        "your",
    ];
    const SHORTEST_WORD: usize = 4;
    let of_words = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
    if value.len() > LONGEST || !of_words {
        return false;
    }
    let plain: String = value.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let bare = plain.trim_end_matches(|letter: char| letter.is_ascii_digit());
    let Some(rest) = STARTS.iter().find_map(|start| bare.strip_prefix(start)) else { return false };
    let has = |words: &[&str]| words.iter().any(|word| rest.contains(word));
    // `superpassword`, `mypassword7`
    let is_password = rest.ends_with("password") || rest.ends_with("passwd");
    let own_start = bare.starts_with("my") || bare.starts_with("our");
    let changed = own_start == (bare.len() < plain.len());
    // `my_walnut_secret`
    let named = || {
        let middle = ENDS.iter().find_map(|end| rest.strip_suffix(end)).unwrap_or_default();
        own_start && middle.len() >= SHORTEST_WORD && !OF_EXAMPLES.iter().any(|word| middle.contains(word))
    };
    let said_so = ["thisis", "very", "avery"].iter().any(|start| bare.starts_with(start));
    (has(ENDS) && (said_so || has(PURPOSES))) || (is_password && changed) || named()
}

fn says_so(value: &str) -> bool {
    let mut lower = [0u8; 192];
    // Longer values are no placeholders as a whole; what stands in them comes by here in its turn.
    let Some(lower) = lower.get_mut(..value.len()) else { return false };
    lower.copy_from_slice(value.as_bytes());
    lower.make_ascii_lowercase();
    let Ok(lower) = std::str::from_utf8(lower) else { return false };
    let bare =
        lower.trim_matches(|letter: char| matches!(letter, '"' | '\'' | '`' | '<' | '>' | '[' | ']' | '(' | ')' | ' '));
    PLACEHOLDERS.contains(bare) || has_marker(lower) || bare.starts_with("your")
}

/// One character or a few over and over, or characters in their order: `00000000`, `abc123abc123`, `0123456789abcdef`,
/// `1a2b3c4d5e6f`.
fn is_filling(value: &str) -> bool {
    let bytes = value.as_bytes();
    if bytes.len() < 6 || bytes.len() > 512 {
        return false;
    }
    let neighbours = || bytes.iter().zip(bytes.iter().skip(1));
    let pairs = bytes.len() - 1;
    let same = neighbours().filter(|(first, second)| first == second).count();
    let mut seen = [false; 256];
    for byte in bytes {
        if let Some(seen) = seen.get_mut(usize::from(*byte)) {
            *seen = true;
        }
    }
    let distinct = seen.iter().filter(|seen| **seen).count();
    same * 10 >= pairs * 6
        || (rising(bytes, 1) * 10 >= pairs * 6 && bytes.len() >= 10)
        || (bytes.len() >= 12 && rising(bytes, 2) * 10 >= pairs * 6)
        || is_repeated(bytes)
        || (bytes.len() >= 16 && value.to_ascii_lowercase().contains("qwertyuiop"))
        || distinct <= 2
        || (bytes.len() >= 20 && distinct <= 4)
}

/// The same few characters over and over, with something else before them or not: `abc123abc123abc123`.
fn is_repeated(bytes: &[u8]) -> bool {
    const LEAST: usize = 16;
    const LONGEST_UNIT: usize = 8;
    let same = |apart: usize| bytes.iter().zip(bytes.iter().skip(apart)).filter(|(one, other)| one == other).count();
    bytes.len() >= LEAST
        && (2..=LONGEST_UNIT).any(|apart| {
            let pairs = bytes.len() - apart;
            pairs >= apart + LONGEST_UNIT && same(apart) * 10 >= pairs * 6
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_for_a_value() {
        for value in [
            "${DB_PASSWORD}",
            "{{ token }}",
            "<your-api-key>",
            "%TOKEN%",
            "$(SECRET)",
            "$DB_PASSWORD",
            "__TOKEN__",
            "[TOKEN]",
            "changeme",
            "CHANGE_ME",
            "your-token-here",
            "xxxxxxxx",
            "********",
            "0000000000",
            "AKIAIOSFODNN7EXAMPLE",
            "TODO",
            "0123456789abcdef",
            "!Ref DbPassword",
            "1a2b3c4d5e6f7a8b9c0d1e2f",
            "beefbeefbeefbeefbeef",
            "sk_test_xyz789xyz789xyz789xyz789",
            "pat-eu1-c0ffee00-1234-5678-9abc-def012345678",
            "bbbbbbbb-5555-6666-7777-cccccccccccc",
            "${self:custom.key}",
            "<%= token %>",
        ] {
            assert!(is_placeholder(value), "{value}");
        }
    }

    #[test]
    fn what_is_a_value() {
        for value in ["Gr4nd-m0ther&8", "$ecret!9", "Winter2023!", "d0emR0stAmzIxp3LdWtf", "kettle$Mop4", "p<w>9"] {
            assert!(!is_placeholder(value), "{value}");
        }
    }

    /// The marks of a template stand in random passwords by chance.
    #[test]
    fn what_is_random_around_a_hole_or_in_it_is_no_template() {
        for value in [
            "vR3nLq${rmkj}TmMq1J",
            "hK8xTz${PIDVi}Rt4Lp",
            "y5K7uz#{B94t}cd0tXG",
            "scCe41$(WJLZ)1biJLY",
            "7Gf!q)^<EAP>x2*",
            "<VscR7aNcuV>",
            "{AwjXU7dYGHBL}",
            "w2Xv9k%(Qz)sPt4L",
        ] {
            assert!(!is_placeholder(value), "{value}");
        }
        for value in [
            "ledger-${STAGE}-harbour",
            "${rmkj}",
            "harbour_#{Env.Name}",
            "$(openssl rand -hex 32)",
            "Bearer ${token}",
            "<db-pw>",
            "a8f3e2b1-${ENV}-db",
            "${file(./secrets.yml):dbPw}",
            "{{ .Values.db.pw }}",
            "${dbPwd}",
        ] {
            assert!(is_placeholder(value), "{value}");
        }
    }

    #[test]
    fn everybodys_first_secret_with_something_behind_it() {
        assert!(is_built_upon("supersecretharbour") && is_built_upon("TopSecret_2931"));
        assert!(
            !is_built_upon("supersecret") && !is_built_upon("supersecretkey") && !is_built_upon("super-secret-here")
        );
    }
}
