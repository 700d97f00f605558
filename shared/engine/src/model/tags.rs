//! What a resource's tags say: the mode for each guard, caps, requirements, the owner, exemptions.
//!
//! Tags are hostile input: whoever may tag a function may write anything into them. Whatever is not in the grammar is
//! reported, never guessed, and makes a guard do less, not more.

use crate::shown::Shown;
use jiff::{ToSpan, civil::Date};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    num::NonZeroU32,
};
use strum::{Display, EnumString, IntoStaticStr, VariantArray};
use warden_finding::FindingId;

/// The keys of all of Warden's tags.
pub const TAG_KEYS: [&str; 11] = [
    "warden",
    "warden:access",
    "warden:concurrency",
    "warden:exempt",
    "warden:extension-reads",
    "warden:max-concurrency",
    "warden:owner",
    "warden:require",
    "warden:role",
    "warden:runaway-at",
    "warden:secrets",
];

/// How far ahead an exemption's date may be, in days.
const EXEMPTION_DAYS: i64 = 90;

/// What a guard may do with a resource.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum Mode {
    /// Not opted in. Nothing is judged and nothing is recorded.
    Off,
    /// It is judged and recorded, and never changed.
    Observe,
    /// It is judged, recorded and put right.
    Enforce,
}

impl Mode {
    /// The word used in tags and records.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// One of the guards, as the tags `warden:<guard>` name them.
#[derive(
    Clone,
    Copy,
    Debug,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    Serialize,
    Deserialize,
    Display,
    EnumString,
    IntoStaticStr,
    VariantArray,
)]
#[serde(rename_all = "lowercase")]
#[strum(serialize_all = "lowercase")]
pub enum GuardKind {
    /// role-guard, which looks after execution roles.
    Role,
    /// access-guard, which looks after who may invoke a function.
    Access,
    /// secret-guard, which looks after plaintext secrets in environments.
    Secrets,
    /// concurrency-guard, which looks after concurrency and recursion.
    Concurrency,
}

impl GuardKind {
    /// Every guard.
    pub const ALL: &[GuardKind] = GuardKind::VARIANTS;

    /// The word in the tag's key.
    pub fn as_str(self) -> &'static str {
        self.into()
    }

    /// The guard's own name.
    pub const fn name(self) -> &'static str {
        match self {
            GuardKind::Role => "role-guard",
            GuardKind::Access => "access-guard",
            GuardKind::Secrets => "secret-guard",
            GuardKind::Concurrency => "concurrency-guard",
        }
    }
}

/// Something that `warden:require` asks for. Where it is missing, that is only reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, EnumString)]
#[serde(rename_all = "kebab-case")]
#[strum(serialize_all = "kebab-case")]
pub enum Requirement {
    /// The function runs in a VPC.
    Vpc,
    /// Asynchronous failures have somewhere to go.
    Dlq,
    /// The function takes signed code only.
    CodeSigning,
}

/// A finding id that is let pass on this resource until a date (inclusive, UTC).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Exemption {
    /// The finding that is let pass.
    pub finding: FindingId,
    /// The last day on which it is let pass.
    pub until: Date,
}

/// A resource's tags, read for one guard.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct OptIn {
    /// What the guard may do.
    pub mode: Mode,
    /// `warden:secrets=strip`: strip without the start-up layer.
    pub strip: bool,
    /// The owner (`warden:owner`), to whom alerts are routed.
    pub owner: Option<String>,
    /// The most concurrency that is allowed (`warden:max-concurrency`).
    pub max_concurrency: Option<NonZeroU32>,
    /// The load from which it counts as out of control (`warden:runaway-at`).
    pub runaway_at: Option<NonZeroU32>,
    /// What the function must have (`warden:require`).
    pub require: Vec<Requirement>,
    /// The exemptions that are in force (`warden:exempt`).
    pub exemptions: Vec<Exemption>,
    /// What in the tags could not be followed, one sentence each.
    pub problems: Vec<String>,
}

impl OptIn {
    /// An opt-in that comes from an account setting instead of tags (layers cannot be tagged).
    pub fn by_setting(mode: Mode) -> OptIn {
        OptIn {
            mode,
            strip: false,
            owner: None,
            max_concurrency: None,
            runaway_at: None,
            require: Vec::new(),
            exemptions: Vec::new(),
            problems: Vec::new(),
        }
    }

    /// Reads `tags` for `guard`; `today` (UTC) decides which exemptions are in force.
    ///
    /// Values are taken as they stand: IAM, which holds the guards to them, compares them letter by letter, so that it
    /// would refuse every change to what is tagged `enforce` with a space behind it.
    pub fn from_tags(tags: &BTreeMap<String, String>, guard: GuardKind, today: Date) -> OptIn {
        let mut read = OptIn::by_setting(Mode::Off);
        let (mut common, mut own) = (None, None);
        let mut misspelt = false;
        let own_key = format!("warden:{guard}");
        for (key, value) in tags {
            if key == "warden" {
                common = Some(read.mode_or_problem(key, value, false));
            } else if let Some(name) = key.strip_prefix("warden:") {
                match name {
                    name if name == guard.as_str() => {
                        let secrets = guard == GuardKind::Secrets;
                        read.strip = secrets && value == "strip";
                        own = Some(read.mode_or_problem(key, value, secrets));
                    }
                    name if name.parse::<GuardKind>().is_ok() => {}
                    "max-concurrency" => read.max_concurrency = read.number_or_problem(key, value),
                    "runaway-at" => read.runaway_at = read.number_or_problem(key, value),
                    "require" => read.read_requirements(value),
                    "owner" => read.owner = Some(Shown::new(value).text().chars().take(256).collect()),
                    "exempt" => read.read_exemptions(value, today),
                    "extension-reads" if extension_reads(tags).is_some() => {}
                    "extension-reads" => {
                        read.problem(key, value, "use names of variables with spaces between them, or none; ignored");
                    }
                    _ => read.problem(key, value, "no tag of Warden's has this key"),
                }
            } else if key.eq_ignore_ascii_case("warden") || key.eq_ignore_ascii_case(&own_key) {
                // Somebody who believes that this is guarded must hear that it is not.
                read.problem(key, value, "the keys of Warden's tags are in small letters; treated as observe");
                misspelt = true;
            } else if is_tag_key(key) {
                read.problem(key, value, "the keys of Warden's tags are in small letters; ignored");
            }
        }
        // Beside the right key another spelling says that its owner may have meant something else: nothing is changed
        // then.
        read.mode = match (own.or(common), misspelt) {
            (Some(mode), false) => mode,
            (Some(mode), true) => mode.min(Mode::Observe),
            (None, true) => Mode::Observe,
            (None, false) => Mode::Off,
        };
        read
    }

    fn problem(&mut self, key: &str, value: &str, why: &str) {
        // Whole, because what is cut off is recognised no more.
        let (key, value) = (Shown::new(key).text(), Shown::new(value).text());
        let value: String = value.chars().filter(|c| !c.is_control()).take(80).collect();
        let key: String = key.chars().filter(|c| !c.is_control()).take(128).collect();
        self.problems.push(format!("tag `{key}` = `{value}`: {why}"));
    }

    /// An unknown mode is reported and treated as `observe`.
    fn mode_or_problem(&mut self, key: &str, value: &str, strip_too: bool) -> Mode {
        if strip_too && value == "strip" {
            return Mode::Enforce;
        }
        value.parse().unwrap_or_else(|_| {
            self.problem(key, value, "use off, observe or enforce; treated as observe");
            Mode::Observe
        })
    }

    /// A cap of 0 would stop the function: whoever may tag must not be able to do that through Warden.
    fn number_or_problem(&mut self, key: &str, value: &str) -> Option<NonZeroU32> {
        let number = value.parse().ok();
        if number.is_none() {
            self.problem(key, value, "use a whole number of 1 or more; ignored");
        }
        number
    }

    fn read_requirements(&mut self, value: &str) {
        for word in value.split_whitespace() {
            match word.parse() {
                Ok(requirement) => self.require.push(requirement),
                Err(_) => self.problem("warden:require", word, "use vpc, dlq or code-signing; ignored"),
            }
        }
    }

    fn read_exemptions(&mut self, value: &str, today: Date) {
        for (word, read) in exemptions(value, today) {
            match read {
                Ok(exemption) => self.exemptions.push(exemption),
                Err(why) => self.problem("warden:exempt", word, why),
            }
        }
    }
}

/// What `warden:extension-reads` says: the variables that the function's extensions read, all of them; none where the
/// tag is not there or cannot be followed.
pub fn extension_reads(tags: &BTreeMap<String, String>) -> Option<BTreeSet<&str>> {
    let value = tags.get("warden:extension-reads")?;
    let names: BTreeSet<&str> = value.split_whitespace().collect();
    // As AWS takes them (Lambda API reference, Environment).
    let is_name = |name: &&str| {
        name.len() > 1
            && name.starts_with(|first: char| first.is_ascii_alphabetic())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
    };
    if names.iter().eq(["none"].iter()) {
        return Some(BTreeSet::new());
    }
    (!names.is_empty() && names.iter().all(is_name)).then_some(names)
}

/// Whether a tag's key is one of Warden's, in whatever case it is written.
pub fn is_tag_key(key: &str) -> bool {
    let prefix = |length| key.get(..length).filter(|prefix| prefix.is_ascii());
    key.eq_ignore_ascii_case("warden") || prefix(7).is_some_and(|prefix| prefix.eq_ignore_ascii_case("warden:"))
}

/// A role's tags with Warden's keys in small letters.
///
/// The keys of a role's tags are case-insensitive: IAM keeps the spelling of whoever tagged last, and no two that
/// differ in case alone (IAM user guide, "Tags for IAM resources": "Tag keys ... for IAM users and roles are not case
/// sensitive"). On managed policies and Lambda functions they are case-sensitive. Were there two spellings all the same
/// (? role-tag-spellings), one would stay as it is, so that [`OptIn::from_tags`] reports it.
pub fn with_folded_keys(tags: BTreeMap<String, String>) -> BTreeMap<String, String> {
    let mut folded = BTreeMap::new();
    // The right spelling comes last in the order of the tags: first here.
    for (key, value) in tags.into_iter().rev() {
        let lower = key.to_ascii_lowercase();
        let is_first = is_tag_key(&key) && !folded.contains_key(&lower);
        folded.insert(if is_first { lower } else { key }, value);
    }
    folded
}

/// What a tag `warden:exempt` says, word by word: the exemption, or why it is void `today` (UTC).
pub fn exemptions(value: &str, today: Date) -> impl Iterator<Item = (&str, Result<Exemption, &'static str>)> {
    value.split_whitespace().map(move |word| (word, exemption(word, today)))
}

fn exemption(word: &str, today: Date) -> Result<Exemption, &'static str> {
    let (finding, date) = word.split_once('@').ok_or("the date is missing: use finding-id@YYYY-MM-DD; void")?;
    let finding = finding.parse().map_err(|_| "no such finding id; void")?;
    // Strictly YYYY-MM-DD: the parser would also take times and other ISO 8601 forms.
    let plain = date.len() == 10 && date.bytes().all(|b| b.is_ascii_digit() || b == b'-');
    let until: Date =
        if plain { date.parse().ok() } else { None }.ok_or("not a date: use finding-id@YYYY-MM-DD; void")?;
    if until < today {
        return Err("past its date; void");
    }
    match today.checked_add(EXEMPTION_DAYS.days()) {
        Ok(latest) if until <= latest => Ok(Exemption { finding, until }),
        Ok(_) | Err(_) => Err("more than 90 days ahead; void"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(tags: &[(&str, &str)], guard: GuardKind) -> OptIn {
        let tags = tags.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect();
        OptIn::from_tags(&tags, guard, "2026-11-21".parse().unwrap())
    }

    #[track_caller]
    fn check(tags: &[(&str, &str)], mode: Mode, problems: &[&str]) {
        let read = read(tags, GuardKind::Access);
        assert_eq!(read.mode, mode);
        assert_eq!(read.problems, problems);
    }

    #[test]
    fn the_guards_own_tag_wins_over_the_common_one() {
        check(&[], Mode::Off, &[]);
        check(&[("warden", "enforce")], Mode::Enforce, &[]);
        check(&[("warden", "enforce"), ("warden:access", "off")], Mode::Off, &[]);
        check(&[("warden", "off"), ("warden:access", "observe")], Mode::Observe, &[]);
        check(&[("warden:role", "enforce")], Mode::Off, &[]);
    }

    #[test]
    fn an_unknown_value_is_reported_and_observes() {
        check(
            &[("warden", "Enforce")],
            Mode::Observe,
            &["tag `warden` = `Enforce`: use off, observe or enforce; treated as observe"],
        );
        check(
            &[("warden:access", "strip")],
            Mode::Observe,
            &["tag `warden:access` = `strip`: use off, observe or enforce; treated as observe"],
        );
        check(
            &[("warden", "enforce"), ("warden:acess", "off")],
            Mode::Enforce,
            &["tag `warden:acess` = `off`: no tag of Warden's has this key"],
        );
    }

    /// IAM compares the value letter by letter: it would refuse every change to what is tagged `enforce` with a space
    /// behind it.
    #[test]
    fn a_value_with_anything_around_it_is_a_bad_value() {
        for value in ["enforce ", " enforce", "\tenforce", "enforce\n", "enforce\u{a0}"] {
            let read = read(&[("warden", value)], GuardKind::Access);
            assert_eq!((read.mode, read.problems.len()), (Mode::Observe, 1), "{value:?}");
        }
        assert!(!read(&[("warden:secrets", "strip ")], GuardKind::Secrets).strip);
        assert_eq!(read(&[("warden:max-concurrency", "5 ")], GuardKind::Concurrency).max_concurrency, None);
    }

    /// Functions and managed policies: there, `Warden` and `warden` are two keys.
    #[test]
    fn a_key_in_other_letters_is_reported_and_observes() {
        let problem = "tag `Warden` = `enforce`: the keys of Warden's tags are in small letters; treated as observe";
        check(&[("Warden", "enforce")], Mode::Observe, &[problem]);
        check(&[("Warden", "enforce"), ("warden", "off")], Mode::Off, &[problem]);
        // What its owner may have meant by the other spelling is not known: nothing is changed.
        check(&[("Warden", "enforce"), ("warden", "enforce")], Mode::Observe, &[problem]);
        let off = "tag `Warden:Access` = `off`: the keys of Warden's tags are in small letters; treated as observe";
        check(&[("Warden:Access", "off"), ("warden", "enforce")], Mode::Observe, &[off]);
        check(&[("Warden:Access", "off"), ("warden:access", "enforce")], Mode::Observe, &[off]);
        check(
            &[("WARDEN:ROLE", "enforce"), ("Wardens", "x")],
            Mode::Off,
            &["tag `WARDEN:ROLE` = `enforce`: the keys of Warden's tags are in small letters; ignored"],
        );
    }

    #[test]
    fn a_roles_keys_are_the_same_in_any_letters() {
        let tags = [("Warden", "enforce"), ("WARDEN:Owner", "Team Pay"), ("Stage", "x"), ("wärden", "y")];
        let tags = tags.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
        let folded: Vec<String> = with_folded_keys(tags).into_keys().collect();
        assert_eq!(folded, ["Stage", "warden", "warden:owner", "wärden"]);
    }

    /// IAM keeps no two; should it, neither is lost.
    #[test]
    fn two_spellings_on_a_role_observe() {
        for (other, right) in [("Warden", "warden"), ("WARDEN", "Warden"), ("Warden:Role", "warden:role")] {
            let tags = [(other, "off"), (right, "enforce")].map(|(key, value)| (key.to_owned(), value.to_owned()));
            let read = OptIn::from_tags(&with_folded_keys(tags.into()), GuardKind::Role, Date::MIN);
            assert_eq!((read.mode, read.problems.len()), (Mode::Observe, 1), "{other} {right}");
        }
    }

    #[test]
    fn strip_is_enforce_for_the_secret_guard_alone() {
        let secrets = read(&[("warden:secrets", "strip")], GuardKind::Secrets);
        assert_eq!((secrets.mode, secrets.strip), (Mode::Enforce, true));
        assert!(!read(&[("warden", "enforce")], GuardKind::Secrets).strip);
    }

    #[test]
    fn a_cap_of_zero_by_tag_is_refused() {
        for value in ["0", "-1", "", "1e9", "99999999999", "many"] {
            let read = read(&[("warden:max-concurrency", value)], GuardKind::Concurrency);
            assert_eq!((read.max_concurrency, read.problems.len()), (None, 1), "{value}");
        }
        assert_eq!(read(&[("warden:runaway-at", "25")], GuardKind::Concurrency).runaway_at, NonZeroU32::new(25));
    }

    #[test]
    fn an_exemption_needs_a_known_id_and_a_date_within_ninety_days() {
        #[track_caller]
        fn check(value: &str, in_force: usize, problem: &str) {
            let read = read(&[("warden:exempt", value)], GuardKind::Access);
            assert_eq!(read.exemptions.len(), in_force);
            assert_eq!(read.problems.join(" "), problem);
        }
        check("public-url@2026-11-21 external-invoke@2027-02-19", 2, "");
        check("public-url@2026-11-20", 0, "tag `warden:exempt` = `public-url@2026-11-20`: past its date; void");
        check(
            "public-url@9999-12-31",
            0,
            "tag `warden:exempt` = `public-url@9999-12-31`: more than 90 days ahead; void",
        );
        check(
            "public-url",
            0,
            "tag `warden:exempt` = `public-url`: the date is missing: use finding-id@YYYY-MM-DD; void",
        );
        check("everything@2026-12-01", 0, "tag `warden:exempt` = `everything@2026-12-01`: no such finding id; void");
        check(
            "public-url@2026-12-01T00:00",
            0,
            "tag `warden:exempt` = `public-url@2026-12-01T00:00`: not a date: use finding-id@YYYY-MM-DD; void",
        );
    }

    #[test]
    fn what_extensions_read_is_said_by_names_or_by_none() {
        #[track_caller]
        fn check(value: &str, expected: Option<&[&str]>) {
            let tags = BTreeMap::from([("warden:extension-reads".to_owned(), value.to_owned())]);
            assert_eq!(extension_reads(&tags), expected.map(|names| names.iter().copied().collect()));
            let problems = OptIn::from_tags(&tags, GuardKind::Secrets, "2026-11-21".parse().unwrap()).problems;
            assert_eq!(problems.len(), usize::from(expected.is_none()), "{problems:?}");
        }
        check("none", Some(&[]));
        check("VENDOR_TOKEN", Some(&["VENDOR_TOKEN"]));
        check(" VENDOR_TOKEN  none ", Some(&["VENDOR_TOKEN", "none"]));
        check("", None);
        check("*", None);
        check("VENDOR_TOKEN, OTHER", None);
        assert_eq!(extension_reads(&BTreeMap::new()), None);
    }

    /// Whoever may tag may put a secret into a tag, where every record would show it.
    #[test]
    fn a_secret_in_a_tag_is_read_by_nobody_who_reads_the_records() {
        let key = concat!("sk_li", "ve_4eC39HqLyjWDarjtT1zdp7dc");
        let read = read(
            &[("warden", key), ("warden:owner", key), ("warden:require", key), ("warden:exempt", key)],
            GuardKind::Access,
        );
        assert_eq!(read.mode, Mode::Observe);
        let shown = format!("{read:?}");
        assert!(!shown.contains(key) && !shown.contains("4eC39"), "{shown}");
        assert_eq!(shown.matches("redacted-").count(), 4, "{shown}");
    }

    #[test]
    fn requirements_and_owner_are_read() {
        let read =
            read(&[("warden:require", "vpc code-signing moon"), ("warden:owner", "team pay")], GuardKind::Access);
        assert_eq!(read.require, [Requirement::Vpc, Requirement::CodeSigning]);
        assert_eq!(read.owner.as_deref(), Some("team pay"));
        assert_eq!(read.problems, ["tag `warden:require` = `moon`: use vpc, dlq or code-signing; ignored"]);
    }
}
