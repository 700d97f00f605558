//! The layers in their order. The first that is decisive wins.

use crate::{
    benign::{has_small_stem, has_wordless_stem, is_generated_name, is_number, is_pattern},
    bigrams::is_wordlike,
    candidate::Candidate,
    features::{Features, is_uuid, runs},
    format::{self, Recognised},
    ids::{
        Carries, carries, has_opaque_id_between, has_random_piece, is_by_turns, is_id, is_in_camel_case, is_of_words,
        is_scrambled, jumps_about, words_in,
    },
    known_public::is_known_public,
    name::{Name, Role},
    persons::{is_disguised_throughout, is_of_words_and_signs},
    placeholder::{is_built_upon, is_own, is_template, was_changed},
    structure::{self, Found},
    verdict::{Confidence, Kind, Verdict, surest},
    words::{COMMON_PASSWORDS, PROVIDERS, THINGS},
};

/// How deep within a value the examination is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Depth {
    /// How many more times something may be taken apart or decoded.
    budget: u8,
    /// Within a structure, not at the variable's own value.
    inside: bool,
}

impl Depth {
    const AT_THE_VALUE: Depth = Depth { budget: 3, inside: false };

    /// One level further in; nothing when that is deep enough.
    pub(crate) fn deeper(self) -> Option<Self> {
        Some(Self { budget: self.budget.checked_sub(1)?, inside: true })
    }
}

/// What kind of secret the pair holds, and how sure that is; nothing where it holds none.
///
/// The verdict depends on these two alone. It takes time in proportion to the value's length.
pub fn judge(name: &str, value: &str) -> Option<Verdict> {
    look(&Name::read(name), trimmed(value), Depth::AT_THE_VALUE)
}

/// Judges a part of a value under the name that the structure gives it.
pub(crate) fn part(name: &Name, value: &str, depth: Depth) -> Option<Verdict> {
    look(name, trimmed(value), depth.deeper()?)
}

fn trimmed(value: &str) -> &str {
    let value = value.trim();
    for quote in ['"', '\'', '`'] {
        let inside = value.strip_prefix(quote).and_then(|value| value.strip_suffix(quote));
        if let Some(inside) = inside.filter(|inside| !inside.contains(quote)) {
            return inside.trim();
        }
    }
    value
}

fn look(name: &Name, value: &str, depth: Depth) -> Option<Verdict> {
    // Last, because few values come so far.
    through_layers(name, &Candidate::new(value), depth).filter(|_| !is_known_public(value))
}

fn through_layers(name: &Name, value: &Candidate<'_>, depth: Depth) -> Option<Verdict> {
    if value.len() < 4 {
        return None;
    }
    // 0: never a secret.
    if value.is_elsewhere() {
        return None;
    }
    if let Some(default) = default_of(value) {
        // It is there in case nothing else is set, most often for a developer's machine.
        let found = look(name, default, depth.deeper()?)?;
        return (found.confidence == Confidence::High).then_some(Verdict::medium(found.kind));
    }
    let in_parts = value.contains("://")
        || value.contains("</")
        || value.contains(['\n', ';', '=', ' ', '{'])
        || value.contains("@tcp(");
    if is_template(value) && !in_parts {
        return None;
    }
    // 1 and 2: the formats of providers, public ones too.
    let is_password = matches!(name.role, Role::Password | Role::Passphrase | Role::Pin);
    let may_be_id = matches!(name.role, Role::Harmless | Role::Neutral | Role::Key | Role::Credential);
    match format::recognise(Some(name), value) {
        Some(Recognised::Public) if !is_password => return None,
        Some(Recognised::Id) if may_be_id => return None,
        Some(Recognised::Secret(verdict)) => {
            return (!value.is_placeholder() && !is_for_browsers(name, verdict)).then_some(verdict);
        }
        Some(Recognised::Public | Recognised::Id) | None => {}
    }
    // 3: structure. A random value with many signs in it has one by chance.
    let scattered = is_scattered(name, value);
    match structure::examine(name, value, depth) {
        Found::Secret(verdict) if scattered => return Some(verdict.or(by_name(name, value))),
        Found::Secret(verdict) => return Some(verdict),
        Found::Harmless if !scattered => return None,
        Found::Harmless | Found::Nothing => {}
    }
    if let Some(verdict) = format::find_within(value).filter(|verdict| !is_for_browsers(name, *verdict)) {
        return Some(verdict);
    }
    // Nothing more is to be learnt of these.
    let too_short = name.role == Role::Neutral && (depth.inside || value.len() < LEAST_RANDOM);
    if is_chain_key(name, value) {
        return Some(Verdict::medium(Kind::PRIVATE_KEY));
    }
    if is_64_bytes(name, value) {
        return Some(Verdict::high(Kind::API_KEY));
    }
    if is_hidden_by_last_word(name, value) {
        return Some(Verdict::medium(Kind::RANDOM));
    }
    if name.role == Role::Harmless || too_short {
        return None;
    }
    let is_pin = name.role == Role::Pin && value.bytes().all(|byte| byte.is_ascii_digit());
    if name.public {
        return None;
    }
    if matches!(name.role, Role::Password | Role::Secret) && was_changed(value) {
        return Some(Verdict::medium(Kind::PASSWORD));
    }
    if (is_password || signs_or_encrypts(name)) && (is_built_upon(value) || is_own(value)) {
        return Some(Verdict::medium(if is_password { Kind::PASSWORD } else { Kind::SECRET }));
    }
    if !is_pin && value.is_placeholder() {
        return None;
    }
    // Words are a password where a variable's own name says so; within a structure they may be a label of anything.
    let thought_up = || {
        (!depth.inside && is_password && is_thought_up_password(name, value)).then_some(Verdict::medium(Kind::PASSWORD))
    };
    by_name(name, value).or_else(thought_up)
}

/// Layers 4 and 5: name and value together.
fn by_name(name: &Name, value: &Candidate<'_>) -> Option<Verdict> {
    match name.role {
        Role::Harmless => None,
        Role::Neutral => by_value_alone(value),
        Role::Password | Role::Passphrase | Role::Pin => password(name, value),
        Role::Secret | Role::Token | Role::ApiKey | Role::PrivateKey | Role::Key | Role::Credential => key(name, value),
    }
    .or_else(|| looks_made(name, value).then_some(Verdict::medium(kind_of(name.role))))
}

/// What a value under such a name is.
const fn kind_of(role: Role) -> Kind {
    match role {
        Role::Password | Role::Passphrase | Role::Pin => Kind::PASSWORD,
        Role::Secret => Kind::SECRET,
        Role::ApiKey | Role::Key => Kind::API_KEY,
        Role::PrivateKey => Kind::PRIVATE_KEY,
        Role::Credential => Kind::CREDENTIALS,
        Role::Token => Kind::TOKEN,
        Role::Harmless | Role::Neutral => Kind::RANDOM,
    }
}

/// Whether a value that no rule found, under a name that says secret, is as a generator makes them all the same.
fn looks_made(name: &Name, value: &Candidate<'_>) -> bool {
    let strong = !matches!(
        name.role,
        Role::Harmless | Role::Neutral | Role::Pin | Role::Passphrase | Role::Key | Role::Credential
    );
    strong
        && !name.apart
        && !name.distant
        && (is_of_three_groups(value)
            || is_short_and_of_signs(value)
            || is_random_file(value)
            || is_scrambled_for_the_most(value)
            || is_of_groups_without_words(value))
}

/// Sixteen characters of all classes, as very few services put them behind a name.
fn is_long_suffix(suffix: &str) -> bool {
    suffix.len() == 16 && is_mixed(suffix)
}

/// Half of it or more is in pieces that no word and no name has: `686s3bly.szy2q18z`, `ThsWhrDZoeUGSINO`.
fn is_scrambled_for_the_most(value: &Candidate<'_>) -> bool {
    const LENGTHS: std::ops::RangeInclusive<usize> = 12..=128;
    let pieces = || value.split(['-', '_', '.']);
    let is_hexadecimal = |piece: &str| piece.bytes().all(|byte| byte.is_ascii_hexdigit());
    let scrambled: usize = pieces().filter(|piece| is_scrambled(piece) && !is_hexadecimal(piece)).map(str::len).sum();
    LENGTHS.contains(&value.len())
        && scrambled * 2 >= value.len()
        && pieces().all(|piece| piece.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        && !value.starts_with("0x")
        && !value.is_benign()
        && carries(value).is_none()
}

/// Three groups or more of one length, few of which could be words: `j61w-rcud-4hup-ygn1`, `GLRF-RSTX-PDJS-MLOV`.
fn is_of_groups_without_words(value: &Candidate<'_>) -> bool {
    const LENGTHS: std::ops::RangeInclusive<usize> = 4..=8;
    let groups = || value.split('-');
    let length = groups().next().map_or(0, str::len);
    let could_be_word = |group: &&str| group.bytes().all(|byte| byte.is_ascii_alphabetic()) && is_of_words(group);
    let count = groups().count();
    LENGTHS.contains(&length)
        && count >= 3
        && groups().all(|group| group.len() == length && group.bytes().all(|byte| byte.is_ascii_alphanumeric()))
        && groups().filter(could_be_word).count() * 2 <= count
        && !is_number(value)
        && !value.features().hexadecimal
}

/// Three groups of six letters, one of which is a capital and one a digit, not both in the last: as browsers make
/// passwords. The six characters of Secrets Manager stand last.
fn is_of_three_groups(value: &str) -> bool {
    const LENGTH: usize = 6;
    let count = |text: &str, is: fn(&u8) -> bool| text.as_bytes().iter().filter(|byte| is(byte)).count();
    let (capitals, digits) = (count(value, u8::is_ascii_uppercase), count(value, u8::is_ascii_digit));
    let groups = || value.split('-');
    let alike = |group: &str| group.len() == LENGTH && group.bytes().all(|byte| byte.is_ascii_alphanumeric());
    let before = || groups().take(2);
    groups().count() == 3
        && groups().all(alike)
        && (capitals, digits) == (1, 1)
        && !before().all(|group| group.bytes().all(|byte| byte.is_ascii_lowercase()) && is_of_words(group))
}

/// A dozen characters, and signs of two kinds or more among letters that make no words: `q7$Rm^Kx2vL!`.
fn is_short_and_of_signs(value: &Candidate<'_>) -> bool {
    let features = value.features();
    (12..=24).contains(&features.length)
        && features.spaces == 0
        && features.symbols >= 1
        && kinds_of_signs(value) >= 2
        && features.classes() >= 3
        && features.distinct >= 9
        && features.word_letters * 2 <= features.length
        && !is_pattern(value)
        && !is_number(value)
}

/// Letters of both cases and digits, and nothing that looks like words.
fn is_mixed(text: &str) -> bool {
    let features = Features::of(text);
    features.upper > 0
        && features.lower > 0
        && features.digits > 0
        && features.upper + features.lower + features.digits == features.length
        && (features.noise() >= 50 || jumps_about(text))
        && is_scrambled(text)
}

/// `PASSWORD_USER`, `SECRET_FILE`: a name's last word says that it is about a secret, and the value is as a generator
/// makes secrets.
fn is_hidden_by_last_word(name: &Name, value: &str) -> bool {
    const LAST: &[&str] = &["file", "filename", "host", "hostname", "name", "path", "prefix", "user", "username"];
    const SECRETS: &[&str] = &["passwd", "password", "pwd", "secret", "token"];
    const LENGTHS: std::ops::RangeInclusive<usize> = 24..=128;
    matches!(name.role, Role::Harmless | Role::Neutral)
        && LENGTHS.contains(&value.len())
        && name.words().last().is_some_and(|last| LAST.contains(&last))
        && name.words().any(|word| SECRETS.contains(&word))
        && !is_id(value)
        && is_mixed(value)
}

/// `kT9vX2mQ7zLpR4wB8nYc.key`: the end of a file behind what nobody calls one.
fn is_random_file(value: &str) -> bool {
    const LEAST: usize = 16;
    value.rsplit_once('.').is_some_and(|(stem, _)| stem.len() >= LEAST && is_mixed(stem))
}

/// Whether it is noise and signs under a name that says secret, as generators make passwords.
fn is_scattered(name: &Name, value: &Candidate<'_>) -> bool {
    let strong = !matches!(name.role, Role::Harmless | Role::Neutral | Role::Pin | Role::Key | Role::Credential);
    strong && {
        let features = value.features();
        (12..=128).contains(&features.length)
            && features.symbols >= 3
            && features.spaces == 0
            && features.classes() >= 3
            && features.distinct >= 10
            && (features.word_letters * 3 <= features.length || kinds_of_signs(value) >= 5)
            && !value.contains("://")
            && !value.contains("\":")
            && !is_pattern(value)
    }
}

/// How many different signs it has.
fn kinds_of_signs(value: &str) -> u32 {
    let seen = value.bytes().filter(u8::is_ascii_punctuation).fold(0u128, |seen, byte| seen | 1 << (byte & 0x7f));
    seen.count_ones()
}

/// `${DB_PASSWORD:-secret}`: what stands for a variable that is not set.
fn default_of(value: &str) -> Option<&str> {
    let inside = value.strip_prefix("${")?.strip_suffix('}')?;
    let rest = inside.trim_start_matches(|letter: char| letter.is_ascii_alphanumeric() || letter == '_');
    [":-", ":=", "-", "="].iter().find_map(|sign| rest.strip_prefix(sign))
}

/// The 32 bytes of an account's private key, which are also how hashes are written: by the name of whoever signs with
/// it.
fn is_chain_key(name: &Name, value: &str) -> bool {
    const OWNERS: &[&str] = &[
        "wallet",
        "relayer",
        "minter",
        "operator",
        "keeper",
        "validator",
        "sender",
        "deployer",
        "signer",
        "executor",
        "oracle",
    ];
    const HASHES: &[&str] =
        &["hash", "tx", "txn", "topic", "root", "block", "id", "address", "salt", "codehash", "digest"];
    let digits = value.strip_prefix("0x").unwrap_or_default();
    value.len() == 66
        && digits.len() == 64
        && digits.bytes().all(|byte| byte.is_ascii_hexdigit())
        && matches!(name.role, Role::Harmless | Role::Neutral)
        && name.words().any(|word| OWNERS.contains(&word))
        && !name.words().any(|word| HASHES.contains(&word))
}

/// 64 bytes in base64 under a name that says key of whatever kind, as Azure's services give theirs out:
/// `COSMOSDB_PRIMARY_KEY`.
fn is_64_bytes(name: &Name, value: &Candidate<'_>) -> bool {
    let body = value.strip_suffix("==").unwrap_or_default();
    body.len() == 86
        && name.has("key")
        && body.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/'))
        && Features::of(body).classes() >= 3
        && !value.is_placeholder()
}

/// Google's keys for browsers look like those for servers, and Unleash's tokens.
fn is_for_browsers(name: &Name, verdict: Verdict) -> bool {
    if verdict.kind == Kind("unleash-token") {
        return name.public;
    }
    verdict.kind == Kind("gcp-key")
        && (name.public || ["firebase", "browser", "web", "client"].iter().any(|word| name.has(word)))
}

/// Under a name that says password: weak values count too.
fn password(name: &Name, value: &Candidate<'_>) -> Option<Verdict> {
    let features = value.features();
    let high = Some(Verdict::high(Kind::PASSWORD));
    let medium = Some(Verdict::medium(Kind::PASSWORD));
    let weaker = if name.distant || (name.apart && features.classes() < 3) { None } else { medium };
    if name.role == Role::Pin {
        let digits = features.digits == features.length && features.distinct > 1;
        return match (digits, value.len()) {
            (true, 6..=12) => high,
            (true, 4..=5) => medium,
            _ => None,
        };
    }
    if is_number(value) {
        return if features.digits == features.length && features.length >= 6 { weaker } else { None };
    }
    // `AIRFLOW_WWW_USER_PASSWORD=airflow`: what everybody starts with.
    if name.words().any(|word| word.eq_ignore_ascii_case(value)) {
        return None;
    }
    if features.spaces > 0 {
        return match random_with_space(value) {
            Some(Confidence::High) if !name.distant => high,
            Some(_) => medium,
            None => phrase(name, value),
        };
    }
    if is_by_turns(value) {
        return high;
    }
    if is_of_words_and_signs(value) || is_disguised_throughout(value) {
        return weaker;
    }
    let scattered = is_scattered(name, value);
    // Of so few words, what ends like a resource's name may be a password.
    let like_resource = is_generated_name(value) && words_in(value) < 2 && !names_a_thing(value);
    let benign = value.is_benign() && !like_resource && !is_scrambled_path(value);
    if !scattered && benign && has_small_stem(value) {
        return weaker;
    }
    if !scattered && (benign || carries(value) == Some(Carries::InPath)) {
        return None;
    }
    // What is asked of a community is no more than that it is not everybody's.
    if name.has("community") {
        return medium;
    }
    let sure = !name.distant
        && !says_password(value)
        && !has_opaque_id_between(value, '/')
        && (!name.apart || scattered || (features.noise() >= 75 && features.length >= 12));
    if is_word_and_year(value) || is_word_number_and_sign(value) {
        return weaker;
    }
    if is_uuid(value) || scattered || (features.noise() >= 50 && features.length >= 10) || jumps_about(value) {
        return if sure && !is_like_a_name(value) { high } else { medium };
    }
    if let Some(confidence) = random_groups(value) {
        return if sure && confidence == Confidence::High { high } else { weaker };
    }
    // Several, none of which would be more than weak.
    let listed = value.contains(',') && features.symbols == value.matches(',').count();
    if listed && value.split(',').all(|one| one.len() >= 4 && Features::of(one).noise() < 50) {
        return if features.digits > 0 { weaker } else { None };
    }
    let letters_and_more = features.letters() >= 3 && (features.digits > 0 || features.upper > 0);
    if features.symbols > 0 && letters_and_more && features.length >= 7 {
        return if sure { high } else { medium };
    }
    // `yarIbqusBpOx`: no word has its capitals there.
    if has_random_piece(value) || like_resource {
        return weaker;
    }
    // Words alone: a passphrase, or the name of something.
    if name.role == Role::Passphrase && features.words >= 3 {
        return high;
    }
    let is_constant = features.lower == 0 && features.digits == 0 && value.contains('_');
    if is_constant {
        return None;
    }
    if COMMON_PASSWORDS.contains_lowercased(value.as_bytes()) {
        return weaker;
    }
    // `Monsoon_1987`: a word and a year.
    let dated = value.rsplit_once(['_', '-', '.']).is_some_and(|(word, number)| {
        let of_digits = (2..=8).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
        of_digits && word.len() >= 4 && word.bytes().all(|byte| byte.is_ascii_alphabetic())
    });
    // `cactus_castle15`: words and a number at their end.
    let bare = value.trim_end_matches(|digit: char| digit.is_ascii_digit());
    let numbered = (2..=4).contains(&(value.len() - bare.len()))
        && bare.split(['_', '-', '.']).all(|word| word.len() >= 4 && is_wordlike(word.as_bytes()));
    if ((dated || numbered) && !names_a_thing(value))
        || is_disguised(value)
        || (is_tagged(value) && !names_a_thing(value))
    {
        return weaker;
    }
    if is_identifier(value) {
        let words = value.split(['-', '_', '.', ' ']).filter(|word| word.len() >= 3).count();
        let of_words_alone = features.digits == 0 && words >= 4 && !names_a_thing(value);
        return if of_words_alone { weaker } else { None };
    }
    if features.digits > 0
        || features.symbols > 0
        || features.noise() >= 50
        || (features.upper > 0 && features.lower > 0 && features.words > 1)
    {
        return weaker;
    }
    None
}

/// How sure it is that a password is random and has a space among its characters.
fn random_with_space(value: &Candidate<'_>) -> Option<Confidence> {
    const LEAST: usize = 12;
    const LEAST_PIECE: usize = 5;
    let features = value.features();
    if features.spaces > 2 || features.length < LEAST {
        return None;
    }
    let long = || value.split_whitespace().filter(|piece| piece.len() >= LEAST_PIECE);
    let scrambled = long().filter(|piece| is_scrambled(piece)).count();
    let noisy = features.noise() >= 50 && features.words <= 1 && features.classes() >= 3;
    if noisy || (scrambled >= 2 && scrambled == long().count()) {
        Some(Confidence::High)
    } else {
        (scrambled >= 1 && features.spaces == 1).then_some(Confidence::Medium)
    }
}

/// Small letters between separators with no more than a short id among them, or two runs of letters, which may be words
/// that do not look like one: `tzqa-live-88c4a3a5`, `tzqaWorker`.
fn is_like_a_name(value: &str) -> bool {
    const LONGEST_ID: usize = 8;
    const LONGEST_WORD: usize = 12;
    const SHORTEST_WORD: usize = 3;
    let pieces = || value.split(['-', '_', '.']);
    let small = |piece: &str| piece.bytes().all(|byte| byte.is_ascii_lowercase());
    let of_one_case =
        value.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b"-_.".contains(&byte));
    let ids: usize = pieces().filter(|piece| !small(piece)).map(str::len).sum();
    let words = pieces().filter(|piece| small(piece) && (SHORTEST_WORD..=LONGEST_WORD).contains(&piece.len())).count();
    let apart = of_one_case
        && pieces().count() >= 2
        && ids <= LONGEST_ID
        && words >= 1
        && random_groups(value) != Some(Confidence::High);
    let together = value.bytes().all(|byte| byte.is_ascii_alphabetic())
        && runs(value.as_bytes()).count() == 2
        && runs(value.as_bytes()).all(|run| run.len() > SHORTEST_WORD);
    apart || together
}

/// Three groups or more of one length, of which most are no words: `dcqcdo-mddery-gmbues`. Nothing where all may be
/// words.
fn random_groups(value: &str) -> Option<Confidence> {
    const SHORTEST: usize = 5;
    const LONGEST: usize = 8;
    let groups = || value.split('-');
    let length = groups().next().map_or(0, str::len);
    let alike = |group: &str| group.len() == length && group.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if !(SHORTEST..=LONGEST).contains(&length) || groups().count() < 3 || !groups().all(alike) {
        return None;
    }
    match groups().filter(|group| !is_of_words(group)).count() {
        0 => None,
        1 => Some(Confidence::Medium),
        // `rhtml-token-17qjj`
        _ if names_a_thing(value) && groups().any(is_of_words) => Some(Confidence::Medium),
        _ => Some(Confidence::High),
    }
}

/// Small letters before a separator and capitals behind it, or the other way round, as no name has them.
fn is_of_two_cases(value: &str) -> bool {
    const LEAST: usize = 8;
    let Some((first, second)) = value.split_once(['-', '_', '.']) else { return false };
    let small = |piece: &str| piece.len() >= LEAST && piece.bytes().all(|byte| byte.is_ascii_lowercase());
    let capital = |piece: &str| piece.len() >= LEAST && piece.bytes().all(|byte| byte.is_ascii_uppercase());
    (small(first) && capital(second)) || (capital(first) && small(second))
}

/// Whether what looks like a path names nothing: `/cUl39/ZVEF7XYPMO`.
fn is_scrambled_path(value: &str) -> bool {
    let pieces = || value.split(|letter: char| !letter.is_ascii_alphanumeric());
    value.contains('/') && !value.contains(['.', ':']) && pieces().any(is_scrambled) && !pieces().any(is_of_words)
}

/// What no person and no program that numbers things would write: capitals, small letters and digits by turns.
fn is_plainly_random(features: &Features) -> bool {
    features.length >= 16 && features.classes() >= 3 && features.noise() >= 75 && features.distinct >= 10
}

/// `P@ssw0rd`, `StrongPassword123!`: what examples and developers' machines have, and servers should not.
pub(crate) fn says_password(value: &str) -> bool {
    const LONGEST: usize = 40;
    let mut plain = [0u8; LONGEST];
    let Some(plain) = plain.get_mut(..value.len()) else { return false };
    for (place, byte) in plain.iter_mut().zip(value.bytes()) {
        *place = match byte {
            b'@' | b'4' => b'a',
            b'0' => b'o',
            b'$' | b'5' => b's',
            b'3' => b'e',
            b'7' => b't',
            other => other.to_ascii_lowercase(),
        };
    }
    // A sign may stand between two words: `Pass@word`.
    let within = |word: &[u8]| plain.windows(word.len()).any(|part| part == word);
    ["password", "passaword", "testpass", "secret", "change"].iter().any(|word| within(word.as_bytes()))
        || counts_up(value)
}

/// `Summer2024!`: a word, a year, and a sign or two, as people make what has to be changed every few months.
fn is_word_and_year(value: &str) -> bool {
    let is_sign = |letter: char| letter.is_ascii_punctuation();
    let bare = value.trim_end_matches(is_sign);
    let Some((word, year)) = bare.len().checked_sub(4).and_then(|at| bare.split_at_checked(at)) else { return false };
    let word = word.trim_end_matches(is_sign);
    value.len() - bare.len() <= 2
        && (year.starts_with("19") || year.starts_with("20"))
        && year.bytes().all(|byte| byte.is_ascii_digit())
        && (3..=14).contains(&word.len())
        && word.bytes().all(|byte| byte.is_ascii_alphabetic())
        && (word.bytes().skip(1).all(|byte| byte.is_ascii_lowercase()) || is_wordlike(word.as_bytes()))
}

/// `Welcome01!`, `Winter!26`: a word, a few digits and a sign, as a rule about passwords makes people write them.
fn is_word_number_and_sign(value: &str) -> bool {
    let is_digit = |letter: char| letter.is_ascii_digit();
    let is_sign = |letter: char| letter.is_ascii_punctuation();
    let numbered = value.trim_end_matches(is_sign);
    let word = numbered.trim_end_matches(is_digit);
    let digits = numbered.len() - word.len();
    // The sign stands at the end, or before no more than two digits.
    let word = match (value.len() - numbered.len(), digits) {
        (1..=2, 1..=4) => word,
        (0, 1..=2) => word.strip_suffix(is_sign).unwrap_or_default(),
        _ => return false,
    };
    (4..=12).contains(&word.len())
        && word.bytes().all(|byte| byte.is_ascii_alphabetic())
        && word.bytes().skip(1).all(|byte| byte.is_ascii_lowercase())
}

/// `Admin@123`: a word, a sign, and digits in their order.
fn counts_up(value: &str) -> bool {
    let is_digit = |letter: char| letter.is_ascii_digit();
    let value = value.trim_end_matches(|letter: char| !letter.is_ascii_digit());
    let before = value.trim_end_matches(is_digit);
    let word = before.trim_end_matches(|letter: char| !letter.is_ascii_alphanumeric());
    let digits = value.get(before.len()..).unwrap_or_default();
    digits.len() >= 3
        && "1234567890".starts_with(digits)
        && word.len() < before.len()
        && word.bytes().all(|byte| byte.is_ascii_alphabetic())
}

/// `el4stic-prod`: a word with digits in the place of its letters, which no name of a thing has.
fn is_disguised(value: &str) -> bool {
    value.split(['-', '_', '.']).any(|piece| {
        let within = piece.trim_matches(|letter: char| letter.is_ascii_digit());
        if !(5..=20).contains(&within.len()) || !within.bytes().any(|byte| byte.is_ascii_digit()) {
            return false;
        }
        let mut letters = [0u8; 20];
        let mut length = 0;
        for (place, byte) in letters.iter_mut().zip(within.bytes()) {
            *place = match byte {
                b'0' => b'o',
                b'1' => b'i',
                b'3' => b'e',
                b'4' => b'a',
                b'5' => b's',
                b'7' => b't',
                letter if letter.is_ascii_alphabetic() => letter,
                _ => return false,
            };
            length += 1;
        }
        letters.get(..length).is_some_and(is_wordlike)
    })
}

/// `mailer-77Xq`: a word and something short that is none, with capitals, as no program numbers its things.
fn is_tagged(value: &str) -> bool {
    let mut pieces = value.split(['-', '_', '.']);
    let is_tag = |piece: &str| {
        let has = |is: fn(&u8) -> bool| piece.as_bytes().iter().any(is);
        (3..=8).contains(&piece.len())
            && has(u8::is_ascii_digit)
            && has(u8::is_ascii_uppercase)
            && has(u8::is_ascii_lowercase)
            && !piece.bytes().skip_while(|byte| !byte.is_ascii_digit()).all(|byte| byte.is_ascii_digit())
    };
    pieces.clone().count() >= 2 && pieces.any(is_tag)
}

/// Words with spaces between them.
fn phrase(name: &Name, value: &Candidate<'_>) -> Option<Verdict> {
    let features = value.features();
    let words = value.split_whitespace().count();
    let only_words = value
        .split_whitespace()
        .all(|word| word.bytes().all(|byte| byte.is_ascii_lowercase()) && (3..=8).contains(&word.len()));
    if name.role == Role::Passphrase {
        if is_of_few_words(value) {
            return None;
        }
        let mnemonic = only_words && matches!(words, 12 | 15 | 18 | 21 | 24);
        let kind = if mnemonic { Kind::MNEMONIC } else { Kind::PASSWORD };
        return (words >= 3).then_some(Verdict::high(kind));
    }
    // As Google makes them for programs: four times four letters.
    let four_by_four = words == 4
        && value.split_whitespace().all(|word| word.len() == 4 && word.bytes().all(|byte| byte.is_ascii_lowercase()));
    if four_by_four {
        let confidence = if features.noise() >= 50 { Confidence::High } else { Confidence::Medium };
        return Some(Verdict { kind: Kind::PASSWORD, confidence });
    }
    // Words thrown together by dice, not a sentence about the password.
    let of_dice = (4..=8).contains(&words)
        && value.split_whitespace().all(|word| {
            (4..=9).contains(&word.len()) && word.bytes().all(|byte| byte.is_ascii_lowercase()) && !is_said(word)
        });
    let with_signs = words <= 6 && features.digits > 0 && features.symbols > 0;
    (with_signs || of_dice).then_some(Verdict::medium(Kind::PASSWORD))
}

/// `test test test test junk`: a wallet for tests.
fn is_of_few_words(value: &str) -> bool {
    let Some(first) = value.split_whitespace().next() else { return false };
    let same = value.split_whitespace().filter(|word| *word == first).count();
    same * 2 > value.split_whitespace().count()
}

/// Words of sentences that stand where a password is still to come.
fn is_said(word: &str) -> bool {
    const SAID: &[&str] = &[
        "admin", "change", "default", "enter", "fill", "from", "generate", "here", "insert", "into", "make", "must",
        "need", "needs", "obtain", "password", "paste", "please", "provide", "random", "replace", "same", "secret",
        "secure", "should", "some", "store", "stored", "string", "strong", "that", "this", "token", "user", "value",
        "vault", "very", "will", "with", "your",
    ];
    SAID.contains(&word)
}

/// Under a name that says secret, token or key: only what looks random.
fn key(name: &Name, value: &Candidate<'_>) -> Option<Verdict> {
    let features = value.features();
    let kind = match name.role {
        Role::Secret => Kind::SECRET,
        Role::ApiKey | Role::Key => Kind::API_KEY,
        Role::PrivateKey => Kind::PRIVATE_KEY,
        Role::Credential => Kind::CREDENTIALS,
        Role::Token => Kind::TOKEN,
        Role::Harmless | Role::Neutral | Role::Password | Role::Passphrase | Role::Pin => return None,
    };
    // A provider's key, unless it is as short as its ids: `DATADOG_APP_KEY`, but not `PUSHER_APP_KEY`.
    let of_provider = name.names_provider();
    let weak_key = name.role == Role::Key && !(of_provider && features.length >= 28);
    let apart = name.apart && !is_plainly_random(features);
    let weak_name = name.distant || apart || weak_key || name.role == Role::Credential;
    let graded =
        |sure: bool| Some(Verdict { kind, confidence: if sure { Confidence::High } else { Confidence::Medium } });
    if features.spaces > 0 {
        let words = value.split_whitespace().count();
        let mnemonic = matches!(words, 12 | 24)
            && value
                .split_whitespace()
                .all(|word| word.len() <= 8 && word.bytes().all(|byte| byte.is_ascii_lowercase()));
        let wallet = ["mnemonic", "seed", "wallet"].iter().any(|word| name.has(word));
        if mnemonic && wallet && !is_of_few_words(value) {
            return Some(Verdict::high(Kind::MNEMONIC));
        }
        // WordPress has spaces in its keys.
        let with_signs = features.length >= 40 && features.symbols * 6 >= features.length && features.classes() == 4;
        let strong = !matches!(name.role, Role::Key | Role::Credential);
        // A public key has a comment behind a space, and text has words.
        let of_noise = || value.len() <= 48 && !value.split_whitespace().any(is_of_words);
        let random = random_with_space(value).filter(|_| strong && of_noise());
        return match (with_signs, random) {
            (true, _) => graded(!weak_name),
            (false, Some(confidence)) => graded(!weak_name && confidence == Confidence::High),
            (false, None) => (signs_or_encrypts(name) && is_spoken(value)).then(|| graded(false))?,
        };
    }
    // `ETH,USDC,DAI`: several, of which each is what it is.
    if value.contains(',') && features.symbols == value.matches(',').count() {
        let each = value.split(',').map(str::trim).filter(|one| !one.is_empty()).map(Candidate::new);
        return surest(each.filter(|one| !one.is_placeholder()).filter_map(|one| key(name, &one)));
    }
    // A private key of a chain: 32 bytes.
    if let Some(digits) = value.strip_prefix("0x").filter(|digits| digits.bytes().all(|byte| byte.is_ascii_hexdigit()))
    {
        return match digits.len() {
            64 => graded(!weak_name || name.role == Role::PrivateKey),
            // As long as an address, which is no secret and not called one.
            40 if name.has("secret") => graded(!weak_name),
            _ => None,
        };
    }
    let scattered = is_scattered(name, value);
    let strong = !matches!(name.role, Role::Key | Role::Credential) && !name.apart;
    let thought_up = || {
        is_of_words_and_signs(value)
            || is_word_number_and_sign(value)
            || (!value.is_benign() && is_disguised_throughout(value))
    };
    if strong && thought_up() {
        return graded(false);
    }
    if strong && is_by_turns(value) {
        return graded(!weak_name);
    }
    if !scattered && value.is_benign() {
        // What signs has its secret in its own variable; of another the secret's name may be random, but not its words.
        let unnamed = || {
            let by_itself = || value.matches('-').count() == 1 || value.rsplit('-').next().is_some_and(is_long_suffix);
            has_wordless_stem(value) || (has_small_stem(value) && (signs_or_encrypts(name) || by_itself()))
        };
        return (strong && (is_of_two_cases(value) || (!name.distant && unnamed()))).then(|| graded(false))?;
    }
    if is_uuid(value) {
        let of_a_map = name.role == Role::Credential || (name.role == Role::Key && !of_provider);
        // KMS names its keys so.
        let of_kms = name.role == Role::ApiKey
            && ["kms", "signing", "encryption", "data", "cmk"].iter().any(|word| name.has(word));
        let sure = of_provider && !name.distant && !name.has("id");
        return if of_a_map || of_kms { None } else { graded(sure) };
    }
    if features.hexadecimal {
        return match features.length {
            _ if name.names_fingerprint() => None,
            12..16 => (!weak_name && of_provider).then(|| graded(false))?,
            0..16 => None,
            16..24 => (!weak_name).then(|| graded(of_provider && features.length >= 20))?,
            _ => graded(!weak_name),
        };
    }
    if is_by_turns(value) {
        return graded(!weak_name);
    }
    let names_another = matches!(name.role, Role::Key | Role::Credential);
    let names_object = names_another || name.has("cache") || name.has("data");
    if has_opaque_id_between(value, '/') {
        return if names_object || name.role == Role::Secret { None } else { graded(false) };
    }
    if has_opaque_id_between(value, ':') && (names_object || is_of_stored_key(name)) {
        return if names_object { None } else { graded(false) };
    }
    match carries(value) {
        Some(Carries::InPath) => return None,
        Some(Carries::InName) if name.role == Role::Secret || names_another => return None,
        Some(Carries::InKey)
            if names_another || name.has("cache") || value.contains('{') || is_labelled_on_both_sides(value) =>
        {
            return None;
        }
        Some(Carries::Hash) if names_another || name.has("cache") => return None,
        Some(Carries::ShortHash) if name.has("cache") => return None,
        Some(Carries::Hash | Carries::ShortHash)
            if !names_another && name.role != Role::Secret && !is_of_stored_key(name) => {}
        Some(Carries::InName | Carries::InKey | Carries::Hash | Carries::ShortHash) => return graded(false),
        Some(Carries::Mixed) | None => {}
    }
    // Of three words one may be the short id that Kubernetes puts behind a name.
    if strong && random_groups(value) == Some(Confidence::High) {
        return graded(!weak_name);
    }
    if signs_or_encrypts(name) && is_word_and_count(value) {
        return graded(false);
    }
    if is_identifier(value) || (name.has("cache") && is_id(value)) {
        let thought_up =
            (is_for_signing(name) && is_thought_up(value)) || (signs_or_encrypts(name) && is_run_together(value));
        return if thought_up || (strong && is_of_two_cases(value)) { graded(false) } else { None };
    }
    // `TzqaJwtSecret`, in whatever language.
    if is_in_camel_case(value) {
        return graded(false);
    }
    // Signs between letters cut words out of noise.
    let signs = features.symbols >= 2
        && features.digits > 0
        && features.letters() > 0
        && features.length >= 12
        && (features.noise() >= 25 || features.words == 0);
    let of_words = |piece: &str| piece.len() < 4 || is_wordlike(piece.as_bytes()) || is_disguised(piece);
    if features.length <= 32 && is_disguised(value) && value.split(['-', '_', '.']).all(of_words) {
        return graded(false);
    }
    let random = (features.noise() >= 50 || signs || scattered || jumps_about(value)) && features.distinct >= 8;
    if random {
        let weak_name = weak_name || is_like_a_name(value);
        return match features.length {
            0..10 => None,
            10..16 => (!weak_name).then(|| graded(features.symbols > 0 && features.classes() >= 3))?,
            16..20 => graded(!weak_name && features.classes() >= 2),
            length => {
                let of_any_key = name.role == Role::Key && features.classes() >= 3;
                let of_a_login = name.role == Role::Credential && features.classes() >= 2 && length >= 24;
                graded(!weak_name || (!name.distant && (of_any_key || of_a_login)))
            }
        };
    }
    // Something between words and noise: `S3cr3t!Signing2024`.
    if (is_for_signing(name) && is_thought_up(value))
        || (signs_or_encrypts(name) && (is_run_together(value) || has_sign(value)))
    {
        return graded(false);
    }
    let made_up = matches!(name.role, Role::Secret | Role::ApiKey)
        && !weak_name
        && features.digits > 0
        && features.length >= 10
        && (features.symbols > 0 || features.words <= 2);
    if made_up { graded(false) } else { None }
}

/// `tenant:4f3a2b1c0d9e8f7a6b5c4d3e:token`: an entry of a cache or a table, which no user and password look like.
pub(crate) fn is_labelled_on_both_sides(value: &str) -> bool {
    let is_label = |piece: &str| piece.bytes().all(|byte| byte.is_ascii_alphabetic() || matches!(byte, b'-' | b'_'));
    let outer = value.split_once(':').zip(value.rsplit_once(':'));
    value.matches(':').count() >= 2
        && outer.is_some_and(|((first, _), (_, last))| {
            !first.is_empty() && !last.is_empty() && is_label(first) && is_label(last)
        })
}

/// Keys that are kept elsewhere and called by a name: in KMS, in a table, in a cache (`SIGNING_KEY`, `AUTH_TOKEN_KEY`).
fn is_of_stored_key(name: &Name) -> bool {
    const STORED: &[&str] = &["kms", "cmk", "signing", "encryption", "encrypt", "data", "token", "session"];
    name.role == Role::ApiKey && name.has("key") && STORED.iter().any(|word| name.has(word))
}

/// What signs or encrypts has its secret in its own variable: nobody calls a secret's name so.
fn signs_or_encrypts(name: &Name) -> bool {
    const SIGNED: &[&str] =
        &["jwt", "cookie", "session", "signing", "hmac", "csrf", "nextauth", "encryption", "encrypt"];
    matches!(name.role, Role::Secret | Role::ApiKey)
        && !name.distant
        && !name.apart
        && SIGNED.iter().any(|word| name.has(word))
}

/// The same, or it is a key of whatever kind.
fn is_for_signing(name: &Name) -> bool {
    signs_or_encrypts(name)
        || (matches!(name.role, Role::Secret | Role::ApiKey) && !name.distant && !name.apart && name.has("key"))
}

/// `acme-cookie-secret-26`, `LedgerJwt2023`: words and a number.
fn is_thought_up(value: &str) -> bool {
    const LEAST: usize = 10;
    let is_digit = |letter: char| letter.is_ascii_digit();
    let pieces = || value.split(['-', '_', '.']);
    let is_count = |piece: &str| (1..=4).contains(&piece.len()) && piece.chars().all(is_digit);
    let is_word = |piece: &str| !piece.is_empty() && piece.bytes().all(|byte| byte.is_ascii_alphabetic());
    let bare = value.trim_end_matches(is_digit);
    let in_one = (2..=4).contains(&(value.len() - bare.len())) && is_word(bare) && words_in(bare) == 1;
    let apart = pieces().count() >= 3
        && pieces().any(is_count)
        && pieces().all(|piece| is_count(piece) || is_word(piece))
        && words_in(value) >= 1;
    value.len() >= LEAST && (in_one || apart)
}

/// `kettle42`: a word and a small number. Algorithms and parts of systems are numbered too.
fn is_word_and_count(value: &str) -> bool {
    const ALGORITHMS: &[&str] =
        &["argon", "bcrypt", "blake", "chacha", "curve", "oauth", "region", "salsa", "secp", "stage"];
    const LEAST: usize = 5;
    let word = value.trim_end_matches(|letter: char| letter.is_ascii_digit());
    (1..=4).contains(&(value.len() - word.len()))
        && word.len() >= LEAST
        && word.bytes().skip(1).all(|byte| byte.is_ascii_lowercase())
        && word.bytes().all(|byte| byte.is_ascii_alphabetic())
        && !ALGORITHMS.iter().any(|known| word.eq_ignore_ascii_case(known))
        && !PROVIDERS.contains_lowercased(word.as_bytes())
        && !THINGS.contains_lowercased(word.as_bytes())
        && !ends_like_a_thing(word)
}

/// `copperkettle`: small letters that go on too long for a word, and do not end like the name of a secret.
fn is_run_together(value: &str) -> bool {
    const LEAST: usize = 10;
    const LONGEST: usize = 40;
    const ENDS: &[&str] =
        &["secret", "secrets", "token", "tokens", "key", "keys", "jwt", "session", "sessions", "cookie", "cookies"];
    (LEAST..=LONGEST).contains(&value.len())
        && value.bytes().all(|byte| byte.is_ascii_lowercase())
        && !ENDS.iter().any(|end| value.ends_with(end))
        && !ends_like_a_thing(value)
}

/// Whether a word ends in one of infrastructure: `ledgerservice`, `secretsmanager`.
fn ends_like_a_thing(word: &str) -> bool {
    const LEAST: usize = 4;
    (LEAST..=word.len()).any(|length| {
        word.len().checked_sub(length).and_then(|at| word.get(at..)).is_some_and(|end| THINGS.contains(end))
    })
}

/// `copper-kettle!`: a sign that no name of a secret may have
/// (<https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_CreateSecret.html>).
fn has_sign(value: &str) -> bool {
    const LEAST: usize = 6;
    value.len() >= LEAST && value.contains(['!', '?', '^', '$'])
}

/// Words of sentences that say where a secret is, or that there is none.
const SAYS_WHERE: &[&str] = &[
    "ask",
    "by",
    "defined",
    "disabled",
    "empty",
    "enter",
    "environment",
    "fill",
    "from",
    "generate",
    "generated",
    "iam",
    "in",
    "insert",
    "managed",
    "manager",
    "must",
    "needed",
    "no",
    "none",
    "not",
    "obtain",
    "only",
    "optional",
    "parameter",
    "paste",
    "please",
    "provide",
    "provided",
    "random",
    "replace",
    "required",
    "same",
    "see",
    "set",
    "should",
    "ssm",
    "store",
    "stored",
    "tbd",
    "todo",
    "unset",
    "unused",
    "use",
    "used",
    "using",
    "via",
];

/// Words with spaces between them, as people think them up: no sentence that says where the secret is.
fn is_spoken(value: &str) -> bool {
    const LEAST: usize = 8;
    const LONGEST: usize = 80;
    let words = || value.split_whitespace().map(|word| word.trim_matches(|letter: char| letter.is_ascii_punctuation()));
    let is_word = |word: &str| word.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'\'');
    (LEAST..=LONGEST).contains(&value.len())
        && (2..=10).contains(&words().count())
        && words().all(is_word)
        && words().any(|word| word.len() >= 4)
        && !words().any(|word| SAYS_WHERE.iter().any(|said| word.eq_ignore_ascii_case(said)))
}

/// Whether a value under a name that says password is what a person thought up: words that name no secret and no part
/// of a system (`orders-db-password`, `oauth2-proxy`), and are more than one.
fn is_thought_up_password(name: &Name, value: &Candidate<'_>) -> bool {
    // One word may be a product, a mode or a user.
    const ONE_WORD: usize = 8;
    const ENDS: &[&str] = &[
        "arn",
        "credential",
        "credentials",
        "creds",
        "key",
        "keys",
        "param",
        "parameter",
        "passwd",
        "pwd",
        "secret",
        "secrets",
        "token",
        "tokens",
    ];
    let features = value.features();
    if name.distant || name.apart || features.length > 64 || value.is_benign() || value.is_elsewhere() {
        return false;
    }
    if features.spaces > 0 {
        const STILL_TO_COME: &[&str] = &["change", "here", "password", "string", "value", "your"];
        return is_spoken(value) && !value.split_whitespace().any(|word| STILL_TO_COME.contains(&word));
    }
    let of_words = value.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'));
    const LONGEST_CONSTANT: usize = 12;
    let constant = features.lower == 0 && features.digits == 0;
    let constant = constant && (value.contains('_') || features.length < LONGEST_CONSTANT);
    let lower = value.to_ascii_lowercase();
    if !of_words || constant || lower.contains("password") || name.words().any(|word| word == lower) {
        return false;
    }
    let bare = |word: &str| word.trim_end_matches(|letter: char| letter.is_ascii_digit()).to_ascii_lowercase();
    let pieces = || value.split(['-', '_', '.']).filter(|piece| !piece.is_empty());
    let words: Vec<String> = pieces()
        .flat_map(|piece| runs(piece.as_bytes()))
        .filter_map(|run| std::str::from_utf8(run).ok().map(bare))
        .filter(|word| !word.is_empty())
        .collect();
    // A number of a person's own: two digits or more, and no `eu1`.
    let digits = lower.len() - lower.trim_end_matches(|letter: char| letter.is_ascii_digit()).len();
    let numbered = digits >= 2 && words.last().is_none_or(|word| word.len() >= 4);
    let names_thing = words.iter().any(|word| THINGS.contains(word) || (word.len() > 4 && ends_like_a_thing(word)));
    let names_secret = words.last().is_some_and(|last| ENDS.contains(&last.as_str()));
    if numbered && words.iter().any(|word| word.len() >= 4) {
        return true;
    }
    match words.as_slice() {
        [] => false,
        [one] => one.len() >= ONE_WORD && !names_thing && !names_secret && !PROVIDERS.contains(one),
        _ => features.letters() >= ONE_WORD - 1 && !names_thing && !names_secret,
    }
}

/// Words that name a thing, with a number or a short random piece: `orders-prod-Table-1A2B3C4D5E6F`, `basket_v3`.
fn is_identifier(value: &Candidate<'_>) -> bool {
    let features = value.features();
    if features.symbols > 0 {
        return false;
    }
    let parts = value.split(['-', '_', '.', '/', ':']).filter(|part| !part.is_empty()).count();
    let wordy = features.words > 0 && features.wordy_segments > 0;
    // Of one word, only capitals within it tell a name (`tenantId`) from a password (`tiger2009`).
    (parts >= 2 && wordy && features.longest_noise <= 17 && features.noise() <= 65 && !has_random_piece(value))
        || (parts == 1 && features.digits == 0 && features.noise() < 50)
}

/// Words that stand in names of resources and secrets.
fn names_a_thing(value: &str) -> bool {
    const THINGS: &[&str] = &[
        "password",
        "secret",
        "token",
        "key",
        "credential",
        "prod",
        "dev",
        "stag",
        "test",
        "database",
        "service",
        "stack",
        "lambda",
        "config",
        "param",
        "app",
        "api",
        "user",
        "queue",
        "pool",
        "table",
        "bucket",
        "web",
        "job",
        "auth",
        "role",
        "name",
        "handler",
        "function",
    ];
    let lower = value.to_ascii_lowercase();
    THINGS.iter().any(|thing| lower.contains(thing))
}

/// What is shorter may be an id of any kind.
const LEAST_RANDOM: usize = 32;

/// Layer 5: a long random value under a name that says nothing.
fn by_value_alone(value: &Candidate<'_>) -> Option<Verdict> {
    let features = value.features();
    let mixed = features.upper > 1 && features.lower > 1 && features.digits > 1;
    let random = (LEAST_RANDOM..=512).contains(&features.length)
        && mixed
        && features.is_opaque()
        && !features.hexadecimal
        && features.noise() >= 75
        && features.distinct >= 18
        && features.longest_noise >= 8;
    let cut_up = value.bytes().filter(|byte| matches!(byte, b'.' | b':')).count();
    (random
        && cut_up <= 2
        && !value.is_benign()
        && !is_uuid(value)
        && carries(value).is_none()
        && !is_identifier(value))
    .then_some(Verdict::medium(Kind::RANDOM))
}

#[cfg(test)]
mod tests;
