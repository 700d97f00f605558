//! Layer 0: values whose form says what they are: numbers, dates, paths, hosts, addresses.

use crate::{
    bigrams::is_wordlike,
    features::{Features, runs},
    ids::{is_in_camel_case, is_logical, is_logical_in_stack, is_of_terraform, is_of_words, is_scrambled},
    words::{FILE_EXTENSIONS, THINGS, TOP_LEVEL_DOMAINS},
};

/// Whether the value is a number, a duration, a date, a version, a path, a file, a host, an address, a Region or the
/// like.
pub(crate) fn is_benign(value: &str, features: &Features) -> bool {
    is_number(value)
        || is_measure(value)
        || is_version(value)
        || is_date(value)
        || is_region(value)
        || is_email(value)
        || is_host(value)
        || is_path(value, features)
        || is_file(value)
        || is_cloudformation(value)
        || is_locale_or_mime(value)
        || is_choice(value)
        || is_pattern(value)
}

/// Digits, with signs and separators between them.
pub(crate) fn is_number(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    digits > 0
        && value.bytes().all(|byte| {
            byte.is_ascii_digit() || matches!(byte, b'.' | b',' | b'-' | b'+' | b'_' | b':' | b'/' | b'%' | b' ' | b'*')
        })
}

/// `15m`, `10MB`, `0.5s`, `1h30m`, `P7D`.
fn is_measure(value: &str) -> bool {
    let unit = value.trim_start_matches(|letter: char| letter.is_ascii_digit() || letter == '.' || letter == '-');
    let iso = value.strip_prefix('P').is_some_and(|rest| {
        !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_digit() || b"YMWDTHS.".contains(&byte))
    });
    iso || (unit.len() < value.len()
        && matches!(
            unit.trim_start().to_ascii_lowercase().as_str(),
            "ms" | "s"
                | "m"
                | "h"
                | "d"
                | "w"
                | "y"
                | "us"
                | "ns"
                | "sec"
                | "secs"
                | "min"
                | "mins"
                | "hr"
                | "hrs"
                | "day"
                | "days"
                | "hour"
                | "hours"
                | "minutes"
                | "seconds"
                | "weeks"
                | "months"
                | "month"
                | "year"
                | "years"
                | "b"
                | "k"
                | "kb"
                | "mb"
                | "gb"
                | "tb"
                | "kib"
                | "mib"
                | "gib"
                | "mi"
                | "gi"
                | "ki"
                | "g"
                | "px"
                | "rem"
                | "em"
                | "%"
                | "rpm"
                | "rps"
                | "qps"
                | "x"
                | "bit"
                | "bits"
                | "bytes"
        ))
}

/// `v2.19.0`, `1.4.0-beta.2`, `nodejs20.x`.
fn is_version(value: &str) -> bool {
    let rest = value.trim_start_matches(['v', 'V', '^', '~', '>', '=', '<', ' ']);
    let number = rest.split(['-', '+']).next().unwrap_or_default();
    number.split('.').count() >= 2
        && number.split('.').all(|part| {
            !part.is_empty() && part.len() <= 6 && part.bytes().all(|byte| byte.is_ascii_digit() || byte == b'x')
        })
        && rest.len() <= 40
}

fn is_date(value: &str) -> bool {
    let digits = value.bytes().filter(u8::is_ascii_digit).count();
    let date = value.get(..10).is_some_and(|date| {
        date.bytes()
            .enumerate()
            .all(|(at, byte)| if matches!(at, 4 | 7) { byte == b'-' || byte == b'/' } else { byte.is_ascii_digit() })
    });
    date && digits >= 8
        && value.len() <= 40
        && value.bytes().all(|byte| byte.is_ascii_digit() || b"-/:.TZ+ ".contains(&byte))
}

/// `eu-west-1`, `us-gov-east-1a`, `eusc-de-east-1`.
fn is_region(value: &str) -> bool {
    let mut parts = value.strip_prefix("eusc-").unwrap_or(value).split('-');
    let (Some(area), Some(side)) = (parts.next(), parts.next()) else { return false };
    area.len() == 2
        && area.bytes().all(|byte| byte.is_ascii_lowercase())
        && matches!(
            side,
            "north"
                | "south"
                | "east"
                | "west"
                | "central"
                | "northeast"
                | "northwest"
                | "southeast"
                | "southwest"
                | "gov"
                | "iso"
                | "isob"
                | "isoe"
                | "isof"
        )
        && value.len() <= 20
}

pub(crate) fn is_email(value: &str) -> bool {
    let Some((local, host)) = value.trim_start_matches("mailto:").rsplit_once('@') else { return false };
    // `Name <me@acme.io>` too.
    let local = local.rsplit('<').next().unwrap_or_default();
    !local.is_empty()
        && local.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._%+-".contains(&byte))
        && is_host(host.trim_end_matches('>'))
}

/// `db.acme.internal`, `orders.abc123.eu-west-1.rds.amazonaws.com:5432`, several with commas.
pub(crate) fn is_host(value: &str) -> bool {
    !value.is_empty() && value.split(',').all(|host| is_one_host(host.trim()))
}

fn is_one_host(value: &str) -> bool {
    let (host, port) = value.split_once(':').unwrap_or((value, "1"));
    let host = host.trim_end_matches('.').trim_start_matches("*.");
    if port.is_empty() || !port.bytes().all(|byte| byte.is_ascii_digit()) || host.len() > 253 {
        return false;
    }
    if host == "localhost" {
        return true;
    }
    let labels = host.split('.').all(|label| {
        !label.is_empty()
            && label.len() <= 63
            && label
                .bytes()
                .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_'))
    });
    labels && host.rsplit_once('.').is_some_and(|(_, top)| TOP_LEVEL_DOMAINS.contains(top))
}

/// A path in a file system, in a bucket, in a URL or in a parameter store: words between slashes.
fn is_path(value: &str, features: &Features) -> bool {
    if value.starts_with("./") || value.starts_with("../") || value.starts_with("~/") || value.get(1..3) == Some(":\\")
    {
        return features.symbols <= 2;
    }
    // AWS's own: `/aws/lambda/...`, `/aws/reference/secretsmanager/...`.
    if value.starts_with("/aws/") {
        return features.symbols == 0;
    }
    if !value.contains('/')
        || features.symbols > value.matches(['#', '{', '}', '*', '@', '?', '&', ',', '$', '~', '(', ')', '!']).count()
    {
        return false;
    }
    if is_file(value) && features.longest_noise < 40 {
        return true;
    }
    let base64 = features.spaces == 0
        && features.symbols == 0
        && features.length >= 20
        && features.upper > 2
        && features.lower > 2
        && features.digits > 1;
    if base64 && features.noise() > 50 {
        return false;
    }
    (value.starts_with('/') && features.noise() <= 60) || (features.noise() <= 30 && features.words > 0)
}

/// A file's name, by its extension.
fn is_file(value: &str) -> bool {
    let Some((stem, extension)) = value.rsplit_once('.') else { return false };
    !stem.is_empty()
        && FILE_EXTENSIONS.contains_lowercased(extension.as_bytes())
        && stem.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-/ @+~$\\:*{}%#()".contains(&byte))
}

/// Names that CloudFormation makes, `stack-Resource-1A2B3C4D5E6F`, and ids of AWS resources: words, and one short
/// random piece.
pub(crate) fn is_cloudformation(value: &str) -> bool {
    const IDS: &[&str] = &[
        "vpc-",
        "subnet-",
        "sg-",
        "i-",
        "ami-",
        "eni-",
        "vol-",
        "snap-",
        "rtb-",
        "igw-",
        "nat-",
        "vpce-",
        "fs-",
        "fsap-",
        "lt-",
        "asg-",
        "eipalloc-",
        "acl-",
        "db-",
        "cluster-",
        "pl-",
        "tgw-",
        "key-0",
        "mrk-",
    ];
    let id = IDS.iter().any(|start| {
        value
            .strip_prefix(start)
            .is_some_and(|rest| rest.len() >= 8 && rest.bytes().all(|byte| byte.is_ascii_hexdigit()))
    });
    id || value.starts_with("cdk-hnb659fds-")
        || is_named_by_terraform(value)
        || is_named_by_kubernetes(value)
        || is_cognito_pool(value)
        || is_agent_alias(value)
        || is_generated_name(value)
        || is_logical(value)
        || is_logical_in_stack(value)
}

/// `orders-20260307142536789100000004`: a name, and what Terraform puts behind it.
fn is_named_by_terraform(value: &str) -> bool {
    const ID: usize = 26;
    value.len().checked_sub(ID).and_then(|at| value.split_at_checked(at)).is_some_and(|(name, id)| {
        is_of_terraform(id) && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_./".contains(&byte))
    })
}

/// `stack-Resource1A2B3C4D-5E6F7G8H9I0J`: names, of which the last may end in the CDK's hash, and CloudFormation's
/// suffix.
pub(crate) fn is_generated_name(value: &str) -> bool {
    let Some((names, suffix)) = value.rsplit_once('-') else { return false };
    let has = |is: fn(&u8) -> bool| suffix.as_bytes().iter().any(is);
    let mixed = has(u8::is_ascii_lowercase) && has(u8::is_ascii_uppercase);
    // CloudFormation's have 12 characters where small letters and capitals are mixed, in few services 16, and Secrets
    // Manager's 6.
    let is_suffix = match suffix.len() {
        6 | 12 => true,
        16 => !mixed || names.contains('-'),
        7..=15 => !mixed,
        _ => false,
    };
    let is_suffix = is_suffix
        && suffix.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && !(suffix.bytes().all(|byte| byte.is_ascii_lowercase()) && is_wordlike(suffix.as_bytes()))
        // `harbour-kettle49` ends in a word.
        && !(has(u8::is_ascii_lowercase) && is_of_words(suffix));
    // Words of whatever language may stand beside what a program has named.
    let is_odd = |name: &str| (2..=12).contains(&name.len()) && name.bytes().all(|byte| byte.is_ascii_lowercase());
    let named_by_program = || names.split('-').any(is_logical_in_part);
    is_suffix
        && value.len() <= 255
        && (is_of_small_letters(names) && mixed && suffix.len() == 6
            // A secret that CloudFormation named has both suffixes.
            || (suffix.len() == 6 && is_generated_name(names))
            || (names.split('-').all(|name| is_name(name) || is_part_of_place(name))
                && names.split('-').any(is_telling))
            || (named_by_program()
                && names.split('-').all(|name| is_name(name) || is_part_of_place(name) || is_odd(name))))
}

/// Whether a name that CloudFormation might have made has nothing of its kind: there is no logical id in it, which begins
/// with a capital with most people, and the suffix is none of Secrets Manager's: `prod-` and twelve characters.
pub(crate) fn has_small_stem(value: &str) -> bool {
    const OF_SECRETS_MANAGER: usize = 6;
    is_generated_name(value)
        && value.rsplit_once('-').is_some_and(|(names, suffix)| {
            suffix.len() != OF_SECRETS_MANAGER && !names.bytes().any(|byte| byte.is_ascii_uppercase())
        })
}

/// Whether such a name has no words in it for sure: letters that stand alone, digits within, or runs of letters that are
/// no words for the most part.
pub(crate) fn has_wordless_stem(value: &str) -> bool {
    const FEWEST: usize = 4;
    let Some((names, _)) = value.rsplit_once('-') else { return false };
    // A secret that CloudFormation named has both suffixes.
    let names = names.rsplit_once('-').filter(|_| is_generated_name(names)).map_or(names, |(names, _)| names);
    let in_words = |name: &str| {
        let bare = without_hash(name);
        let is_thing = |run: &[u8]| THINGS.contains_lowercased(run) || run.eq_ignore_ascii_case(b"secret");
        if bare.len() < name.len() || runs(bare.as_bytes()).any(is_thing) {
            return true;
        }
        let lone = runs(bare.as_bytes()).any(|run| run.len() == 1 && run.iter().all(u8::is_ascii_alphabetic));
        let (mut letters, mut wordlike) = (0, 0);
        for run in runs(bare.as_bytes()).filter(|run| run.iter().all(u8::is_ascii_alphabetic)) {
            letters += run.len();
            wordlike += if run.len() >= FEWEST && is_wordlike(run) { run.len() } else { 0 };
        }
        !lone && letters >= FEWEST && wordlike * 10 >= letters * 7
    };
    is_generated_name(value)
        && (!names.split('-').any(in_words) || names.split('-').map(without_hash).any(is_scrambled))
}

/// Words in a row, each with its capital, before a hash that may have been cut short, or words before a whole one:
/// `LedgerSecret9D87`, `ledgerbucket3aad80c1`.
fn is_logical_in_part(name: &str) -> bool {
    const HASH: usize = 8;
    let words = without_hash(name);
    let (in_part, whole) = (words.len() < name.len(), words.len() + HASH == name.len());
    (in_part && is_in_camel_case(words)) || (whole && is_of_words(words))
}

/// `ledger-api-7d4b9c6f58-x2k4q`, `ledger-token-x2k4q`: names, and what Kubernetes puts behind them, in letters that make
/// no words (<https://github.com/kubernetes/apimachinery/blob/master/pkg/util/rand/rand.go>).
fn is_named_by_kubernetes(value: &str) -> bool {
    const SUFFIX: usize = 5;
    let is_random = |text: &str| text.bytes().all(|byte| b"bcdfghjklmnpqrstvwxz2456789".contains(&byte));
    let Some((rest, _)) = value.rsplit_once('-').filter(|(_, suffix)| suffix.len() == SUFFIX && is_random(suffix))
    else {
        return false;
    };
    let is_template = |text: &str| (8..=10).contains(&text.len()) && is_random(text);
    let pod = rest.rsplit_once('-').filter(|(_, hash)| is_template(hash));
    let names = pod.map_or(rest, |(names, _)| names);
    let is_word = |name: &str| name.bytes().all(|byte| byte.is_ascii_lowercase());
    names.contains('-') && names.split('-').all(is_word) && (pod.is_some() || names.split('-').any(is_of_words))
}

/// A regular expression, by what stands in little else: classes of characters and groups.
pub(crate) fn is_pattern(value: &str) -> bool {
    const MARKS: &[&str] = &[
        "[A-Z", "[a-z", "[0-9", "[^", "(?:", "(?<", "(?P<", "(?=", "(?!", "(?i)", "\\d{", "\\d+", "\\w+", "\\w{",
        "\\S+", "\\s+",
    ];
    value.contains(['[', '(', '\\']) && MARKS.iter().filter(|mark| value.contains(**mark)).count() >= 2
        || (value.starts_with('^') && value.ends_with('$') && MARKS.iter().any(|mark| value.contains(mark)))
}

/// The number of a Region (`orders-eu-west-1-...`), or an account.
fn is_part_of_place(name: &str) -> bool {
    matches!(name.len(), 1 | 12) && name.bytes().all(|byte| byte.is_ascii_digit())
}

/// Names in small letters alone, at least two: `ledger-creds`, whatever language they are in.
fn is_of_small_letters(names: &str) -> bool {
    let of_letters = |name: &str| {
        // `us1`
        let bare = if name.len() <= 3 { name.trim_end_matches(|letter: char| letter.is_ascii_digit()) } else { name };
        (2..=12).contains(&bare.len()) && bare.bytes().all(|byte| byte.is_ascii_lowercase())
    };
    names.contains('-') && names.split('-').all(|name| of_letters(name) || is_part_of_place(name))
}

/// A name that nothing random is: words, or words before the CDK's hash.
fn is_telling(name: &str) -> bool {
    const HASH: usize = 8;
    let words = without_hash(name);
    name.len() >= 4 && (is_of_words(words) || is_in_camel_case(words) || words.len() + HASH == name.len())
}

/// Words in a row, each with its capital or all in small letters, with few digits: `OrdersTable`, `airline`, `v2`, and
/// before a hash of eight digits `Queue5C0A09CF`.
fn is_name(name: &str) -> bool {
    // Of whatever language, between the style and the hash.
    let words = without_hash(name);
    let of_style = is_in_camel_case(words)
        || (words.len() < name.len()
            && words.starts_with(|first: char| first.is_ascii_uppercase())
            && words.bytes().skip(1).all(|byte| byte.is_ascii_lowercase()));
    if of_style {
        return true;
    }
    let name = words;
    let letters = name.bytes().filter(u8::is_ascii_alphabetic).count();
    let digits = name.len() - letters;
    let capitals = name.bytes().filter(u8::is_ascii_uppercase).count();
    // Small or capital letters alone, with a capital before them or not; of several capitals each begins a word.
    let one_style = capitals == 0
        || capitals == letters
        || (capitals == 1 && name.starts_with(|first: char| first.is_ascii_uppercase()));
    name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
        && digits <= 3
        && if one_style { name.len() <= 3 || is_camel_case(name, letters) } else { is_camel_case(name, letters) }
}

/// The name before the hash that the CDK puts behind it, `Queue5C0A09CF`; CloudFormation cuts a long name short, and
/// the hash with it: `Queue5C0A0`.
fn without_hash(name: &str) -> &str {
    const HASH: usize = 8;
    const FEWEST: usize = 3;
    let has_digit = |hash: &str| hash.bytes().any(|byte| byte.is_ascii_digit());
    let whole = name.len().checked_sub(HASH).and_then(|at| name.split_at_checked(at)).filter(|(words, hash)| {
        let is_hash = hash.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'A'..=b'F'))
            || hash.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'a'..=b'f'));
        let apart = has_digit(hash)
            || (hash.bytes().all(|byte| byte.is_ascii_uppercase())
                && words.ends_with(|last: char| last.is_ascii_lowercase()));
        words.len() >= 2 && is_hash && apart
    });
    if let Some((words, _)) = whole {
        return words;
    }
    let words = name.trim_end_matches(|letter: char| letter.is_ascii_digit() || matches!(letter, 'A'..='F'));
    let cut = name.get(words.len()..).unwrap_or_default();
    let is_cut = words.len() >= 2
        && words.ends_with(|last: char| last.is_ascii_lowercase())
        && (FEWEST..HASH).contains(&cut.len())
        && (has_digit(cut) || cut.len() > FEWEST);
    if is_cut { words } else { name }
}

/// `IoTAppPool`, `KbCdk`: pieces that are words or are too short to tell, for the most part.
fn is_camel_case(name: &str, letters: usize) -> bool {
    let of_words =
        |piece: &&[u8]| piece.first().is_some_and(u8::is_ascii_alphabetic) && (piece.len() <= 3 || is_wordlike(piece));
    let words: usize =
        name.as_bytes().split(|byte| *byte == b'_').flat_map(runs).filter(of_words).map(<[u8]>::len).sum();
    words * 10 >= letters * 6
}

/// `A1B2C3D4E5|TSTALIASID`: an agent of Bedrock's and its alias, ids both, as CloudFormation's `Ref` gives them.
fn is_agent_alias(value: &str) -> bool {
    let is_id = |id: &str| id.len() == 10 && id.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit());
    value.split_once('|').is_some_and(|(agent, alias)| is_id(agent) && is_id(alias))
}

/// `eu-west-1_AbCdEf123`, and an identity pool's `eu-west-1:` with a UUID.
fn is_cognito_pool(value: &str) -> bool {
    value.split_once(['_', ':']).is_some_and(|(region, id)| is_region(region) && region.len() >= 9 && id.len() >= 6)
}

/// `required|min:8`: words with bars between them.
fn is_choice(value: &str) -> bool {
    let is_word = |part: &str| {
        let (word, rest) = part.split_once([':', '=']).unwrap_or((part, ""));
        word.len() >= 2
            && word.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
            && rest.len() <= 12
            && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b',')
    };
    value.contains('|') && value.split('|').all(is_word)
}

fn is_locale_or_mime(value: &str) -> bool {
    ["application/", "text/", "image/", "audio/", "video/", "multipart/", "cron(", "rate(", "at("]
        .iter()
        .any(|start| value.starts_with(start))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms() {
        for value in [
            "3600",
            "15m",
            "10MB",
            "v2.19.0",
            "2026-11-21T06:00:00Z",
            "eu-west-1",
            "me@acme.io",
            "db.acme.internal:5432",
            "/var/task/server.key",
            "certs/ca/server.pem",
            "id_rsa.pub",
            "127.0.0.1",
            "us-east-1_AbCdEf123",
            "subnet-0a1b2c3d4e5f60718",
            "orders-20260307142536789100000004",
            "HarbourStack-LedgerFn8C4B5E-1XKDJ9M2PQ7R",
            "harbour-live-eu-west-1-M3qFT7",
            "eusc-de-east-1",
            "harbour-live-us-east-2-pDdBqT",
            "HarbourStack-OtterWeb85EF8F-XPRZ2E9JM4PQ",
            "tzqa-live-harbourbucket3aad80c1-ygs1one1oc46",
            "harbour-api-7d4b9c6f58-x2k4q",
            "tax-job-7d4b9c6f58-x2k4q",
            "harbour-token-x2k4q",
            "^[A-Z]{2}\\d{6}$",
            "(?i)bearer\\s+(\\S+)",
            "application/json",
            "reports/monthly/summary.csv",
            "tenant/orders",
            "C:\\temp\\key.pem",
        ] {
            assert!(is_benign(value, &Features::of(value)), "{value}");
        }
        for value in [
            "Xk/9fQ2mZb/7LqTn4vRw8sYc1Ue5Oa0hGpJdKi+t",
            "tiger2009",
            "Winter2023!",
            "xk-7d4b9c6f58-x2k4q",
            "q[^Zt8(m",
            "kTq8-x2k4q",
        ] {
            assert!(!is_benign(value, &Features::of(value)), "{value}");
        }
    }
}
