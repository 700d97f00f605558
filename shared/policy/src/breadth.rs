//! Which actions a resource element leaves open: breadth, not the literal `*`.
//!
//! A resource pattern is broad for an action when it amounts to `*`, or when it fits one of the action's own ARN
//! templates filled with names that nobody could have guessed. The own account is no secret, and neither is the Region
//! or partition that the pattern itself names: `arn:aws:lambda:eu-west-1:111122223333:function:*` is every function
//! there is.

mod given;
mod share;

use given::given_name;
pub(crate) use share::{FEWEST, Fragment, Outline, Share};

use crate::{
    AccountId, Context,
    document::{Selection, Values, Version},
    pattern,
    service_table::{self, Action},
};
use std::{borrow::Cow, ops::Range};

/// The tokens of a template in the service table.
const PARTITION: u8 = 1;
const REGION: u8 = 2;
const ACCOUNT: u8 = 3;
const NAME: u8 = 4;

/// What stands for a name nobody could have guessed: no character of an ARN, and longer than anybody would write `?`.
/// In between stands each letter once and a few dashes, for `*e*` and `*-*` fit about every name there is; and it ends
/// like a secret, of which `*-??????` is every one.
const UNGUESSABLE: &str = "\u{5}a\u{5}b\u{5}c\u{5}d\u{5}e\u{5}f\u{5}g\u{5}h\u{5}i\u{5}j\u{5}k\u{5}l\u{5}m\u{5}n\u{5}o\u{5}p\u{5}q\u{5}r\u{5}s\u{5}t\u{5}u\u{5}v\u{5}w\u{5}x\u{5}y\u{5}z\u{5}-\u{5}-\u{5}-\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}";

/// How far a statement's resources reach.
pub(crate) enum Reach<'d> {
    /// Every resource.
    All,
    /// Named resources only.
    Named,
    /// What these patterns fit; which actions they are broad for has to be looked up.
    Patterns(Patterns<'d>),
}

impl<'d> Reach<'d> {
    pub(crate) fn read(resources: &'d Selection<Values<'_>>, version: Version, context: &'d Context) -> Self {
        match resources {
            Selection::Only(resources) => Self::of(resources, version, context),
            Selection::Except(resources) if resources.iter().any(is_all_stars) => Reach::Named,
            Selection::Except(_) => Reach::All,
        }
    }

    /// How far some resources reach.
    pub(crate) fn of(resources: &'d Values<'_>, version: Version, context: &'d Context) -> Self {
        if resources.iter().any(is_all_stars) {
            return Reach::All;
        }
        let patterns: Vec<Filler<'d>> = resources
            .iter()
            .filter(|resource| pattern::has_wildcard(resource))
            .map(|resource| Filler::new(without_variables(resource, version), context))
            .filter(|filler| pattern::has_wildcard(&filler.pattern))
            .collect();
        if patterns.is_empty() { Reach::Named } else { Reach::Patterns(Patterns::new(patterns)) }
    }
}

/// Whether a statement's resources reach something of which only the template is known, like any instance; or, where a
/// template has the name in it, whether they reach what has that name.
pub(crate) fn reaches(
    resources: &Selection<Values<'_>>,
    version: Version,
    context: &Context,
    templates: &[&str],
    scratch: &mut Scratch,
) -> bool {
    match resources {
        Selection::Only(resources) => resources.iter().any(|resource| {
            let filler = Filler::new(without_variables(resource, version), context);
            templates
                .iter()
                .any(|template| scratch.is_exhausted_after(4) || filler.fits(template.as_bytes(), &mut scratch.filled))
        }),
        Selection::Except(resources) => !resources.iter().any(is_all_stars),
    }
}

/// How much of what a template stands for a statement's resources fit.
pub(crate) fn share_of(
    resources: &Selection<Values<'_>>,
    version: Version,
    context: &Context,
    template: &str,
    scratch: &mut Scratch,
) -> Share {
    let Selection::Only(resources) = resources else { return Share::default() };
    let fragments = resources.iter().filter_map(|resource| Fragment::read(resource, version, context));
    fragments.map(|mut fragment| fragment.share_of(template.as_bytes(), scratch)).fold(Share::default(), Share::and)
}

/// `*`, `**`: everything, whatever it is matched against.
pub(crate) fn is_all_stars(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte == b'*')
}

/// A policy variable stands for one value that is not known here, so it is no wildcard, and neither is `${*}`. What it
/// stands for where there is no value (`${aws:PrincipalTag/team, 'all'}`) is taken as it is written. In the place of an
/// ARN's account the caller's account or the resource's is the own one, and as good as any
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-principalaccount>).
fn without_variables(resource: &str, version: Version) -> Cow<'_, str> {
    if version == Version::V2008 || !resource.as_bytes().contains(&b'$') {
        return Cow::Borrowed(resource);
    }
    let mut parts = resource.split("${");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (variable, rest) = part.split_once('}').unwrap_or((part, ""));
        match variable.split_once('\'') {
            Some((_, default)) => plain.push_str(default.trim_end().trim_end_matches('\'')),
            None if is_own_account(variable) && is_account_of_arn(&plain, rest) => plain.push('*'),
            None => plain.push('\u{6}'),
        }
        plain.push_str(rest);
    }
    Cow::Owned(plain)
}

fn is_own_account(variable: &str) -> bool {
    ["aws:PrincipalAccount", "aws:ResourceAccount"].iter().any(|own| variable.trim().eq_ignore_ascii_case(own))
}

/// Whether what stands between two texts is an ARN's account.
fn is_account_of_arn(before: &str, behind: &str) -> bool {
    before.starts_with("arn:") && before.ends_with(':') && before.matches(':').count() == 4 && behind.starts_with(':')
}

/// An account that a pattern of accounts fits; `None` where none does.
fn fitting(account: &str) -> Option<AccountId> {
    let literal = account.bytes().filter(|byte| *byte != b'*').count();
    let mut missing = 12_usize.checked_sub(literal)?;
    let mut digits = String::new();
    for letter in account.chars() {
        match letter {
            '?' => digits.push('1'),
            '*' => digits.extend((0..std::mem::take(&mut missing)).map(|_| '1')),
            other => digits.push(other),
        }
    }
    digits.parse().ok()
}

/// How many comparisons are made before a pattern is taken to fit everything it could, which errs on the side of a
/// finding. The largest AWS managed policies need a tenth of this, and a comparison takes at most a tenth of a
/// microsecond: so a document that was written to be slow is judged in a few hundredths of a second.
const MOST_WORK: usize = 250_000;

/// Room that is kept from one statement to the next, and the comparisons so far.
#[derive(Default)]
pub(crate) struct Scratch {
    work: usize,
    /// The answers for the patterns of the present statement, by set of templates and by template.
    sets: Answers,
    templates: Answers,
    filled: Vec<u8>,
}

/// Yes or no by number, as far as known.
#[derive(Default)]
struct Answers {
    known: Vec<Option<bool>>,
    answered: Vec<usize>,
}

impl Answers {
    fn get(&self, number: usize) -> Option<bool> {
        self.known.get(number).copied().flatten()
    }

    fn remember(&mut self, number: usize, answer: bool) -> bool {
        if self.known.len() <= number {
            self.known.resize(number + 1, None);
        }
        if let Some(slot) = self.known.get_mut(number) {
            *slot = Some(answer);
            self.answered.push(number);
        }
        answer
    }

    fn forget(&mut self) {
        for number in self.answered.drain(..) {
            if let Some(slot) = self.known.get_mut(number) {
                *slot = None;
            }
        }
    }
}

impl Scratch {
    /// Counts comparisons; whether there have been too many.
    pub(crate) fn is_exhausted_after(&mut self, comparisons: usize) -> bool {
        self.work = self.work.saturating_add(comparisons);
        self.work > MOST_WORK
    }

    /// Each policy may take its own time: a role of many long ones is no reason for suspicion.
    pub(crate) fn begin_policy(&mut self) {
        self.work = 0;
    }

    /// Forgets what was known of the patterns of another statement.
    pub(crate) fn begin_statement(&mut self) {
        self.sets.forget();
        self.templates.forget();
    }
}

/// The resource patterns of a statement that have wildcards.
pub(crate) struct Patterns<'d> {
    /// Those that do not fix their service, then the others by service.
    all: Vec<Filler<'d>>,
    /// How many do not.
    loose: usize,
}

impl<'d> Patterns<'d> {
    fn new(mut all: Vec<Filler<'d>>) -> Self {
        let loose = all.iter().filter(|filler| !filler.fixes_service).count();
        if all.len() > 1 {
            all.sort_by(|one, two| one.fixed_service().cmp(&two.fixed_service()));
        }
        Self { all, loose }
    }

    /// Whether one of them is broad for the action.
    pub(crate) fn are_broad_for(&self, action: Action, scratch: &mut Scratch) -> bool {
        let set = service_table::type_set(action);
        if let Some(answer) = scratch.sets.get(set) {
            return answer;
        }
        let mut templates = service_table::templates(set).peekable();
        let answer = if templates.peek().is_none() {
            // The action has no resources: AWS matches the pattern against `*`.
            self.all.iter().any(|filler| pattern::fits(&filler.pattern, "*"))
        } else {
            templates.any(|number| match scratch.templates.get(number) {
                Some(answer) => answer,
                None => {
                    let answer = self.fit(service_table::template(number), scratch);
                    scratch.templates.remember(number, answer)
                }
            })
        };
        scratch.sets.remember(set, answer)
    }

    fn fit(&self, template: &[u8], scratch: &mut Scratch) -> bool {
        let (loose, fixed) = self.all.split_at_checked(self.loose).unwrap_or_default();
        let service = after_partition(template).split(|byte| *byte == b':').next();
        let first = fixed.partition_point(|filler| filler.fixed_service() < service);
        let same = fixed.iter().skip(first).take_while(|filler| filler.fixed_service() == service);
        loose.iter().chain(same).any(|filler| {
            filler.may_fit(template, scratch)
                && (scratch.is_exhausted_after(3) || filler.fits(template, &mut scratch.filled))
        })
    }

    /// Whether one of them is broad for whatever a service that is not in the table may have.
    pub(crate) fn are_broad_for_unknown(&self, service: &str, scratch: &mut Scratch) -> bool {
        let template = format!("arn:\u{1}:{service}:\u{2}:\u{3}:\u{4}");
        self.fit(template.as_bytes(), scratch)
    }
}

/// A template from its service on: templates all start with `arn:`, the partition's token, and a colon.
fn after_partition(template: &[u8]) -> &[u8] {
    template.get(6..).unwrap_or_default()
}

/// The last field of a template.
fn resource_of(template: &[u8]) -> Option<&[u8]> {
    after_partition(template).splitn(4, |byte| *byte == b':').nth(3)
}

/// A pattern and how the tokens of a template are filled for it.
struct Filler<'d> {
    pattern: Cow<'d, str>,
    /// The pattern's own fields, as ranges of its text; empty where it is no ARN.
    partition: Range<usize>,
    service: Range<usize>,
    region: Range<usize>,
    /// Whether the service is fixed: a star in front could reach into its place.
    fixes_service: bool,
    /// What the resource field starts with, up to the first wildcard; none where the pattern has not all fields.
    resource: Option<Range<usize>>,
    account: Option<AccountId>,
    context: &'d Context,
}

impl<'d> Filler<'d> {
    fn new(pattern: Cow<'d, str>, context: &'d Context) -> Self {
        let mut ends = pattern.bytes().enumerate().filter(|(_, byte)| *byte == b':').map(|(at, _)| at);
        let mut field = |from: usize| from..ends.next().unwrap_or(pattern.len());
        let scheme = field(0);
        let partition = field(scheme.end + 1);
        let service = field(partition.end + 1);
        let region = field(service.end + 1);
        let account = field(region.end + 1);
        let text = |range: &Range<usize>| pattern.get(range.clone()).unwrap_or_default();
        let is_arn = text(&scheme) == "arn";
        // No partition and no Region is that long.
        let only_arn = |range: Range<usize>| {
            if is_arn && range.len() <= 64 { range } else { 0..0 }
        };
        let named = fitting(text(&account));
        let behind = pattern.get(account.end + 1..).filter(|_| is_arn);
        let kind = behind.and_then(|resource| given::all_of_kind(text(&service), resource));
        let resource = behind.map(|resource| {
            let literal = kind.map_or_else(|| resource.find(['*', '?']).unwrap_or(resource.len()), str::len);
            account.end + 1..account.end + 1 + literal
        });
        let head = kind.and_then(|_| pattern.get(..account.end + 1)).map(str::to_owned);
        let fixes_service = is_arn
            && !service.is_empty()
            && !pattern::has_wildcard(text(&partition))
            && !pattern::has_wildcard(text(&service));
        Self {
            fixes_service,
            partition: only_arn(partition),
            service: only_arn(service),
            region: only_arn(region),
            resource,
            account: context.account.or(named),
            context,
            pattern: match (kind, head) {
                (Some(kind), Some(head)) => Cow::Owned(format!("{head}{kind}*")),
                _ => pattern,
            },
        }
    }

    fn field(&self, range: &Range<usize>) -> &[u8] {
        self.pattern.as_bytes().get(range.clone()).unwrap_or_default()
    }

    /// The service, where it is fixed.
    fn fixed_service(&self) -> Option<&[u8]> {
        self.fixes_service.then(|| self.field(&self.service))
    }

    fn fits(&self, template: &[u8], filled: &mut Vec<u8>) -> bool {
        filled.clear();
        let name = given_name(template).map_or(UNGUESSABLE, |(_, name)| name);
        for byte in template {
            match *byte {
                PARTITION => fill(filled, self.field(&self.partition), self.context.partition.as_str()),
                REGION => fill(filled, self.field(&self.region), UNGUESSABLE),
                ACCOUNT => {
                    let account = self.account.as_ref().map_or(UNGUESSABLE, AccountId::as_str);
                    filled.extend_from_slice(account.as_bytes());
                }
                NAME => filled.extend_from_slice(name.as_bytes()),
                plain => filled.push(plain),
            }
        }
        pattern::fits_raw(&self.pattern, filled)
    }

    /// Passes over the templates of other kinds of resource without filling them.
    fn may_fit(&self, template: &[u8], scratch: &mut Scratch) -> bool {
        if scratch.is_exhausted_after(1) {
            return true;
        }
        let Some(literal) = self.resource.as_ref().map(|range| self.field(range)) else {
            return true;
        };
        let Some(resource) = resource_of(template) else {
            return true;
        };
        // With no more colons than the five between the fields, each field has to fit its own.
        resource.starts_with(literal)
            || resource.iter().any(|byte| matches!(*byte, b':' | REGION | ACCOUNT))
            || given_name(template).is_some_and(|(kind, _)| literal.starts_with(kind.as_bytes()))
    }
}

/// A text that the pattern's field fits, or another where it has none.
fn fill(filled: &mut Vec<u8>, field: &[u8], other: &str) {
    let before = filled.len();
    filled.extend(field.iter().filter(|byte| **byte != b'*').map(|byte| if *byte == b'?' { b'x' } else { *byte }));
    if filled.len() == before {
        filled.extend_from_slice(other.as_bytes());
    }
}

/// Writes the ARNs that would be narrow enough for an action, one of each type of resource, with capitals for what to
/// fill in, to the end of a text. Nothing for an action that knows no resources, or of which the service authorization
/// reference does not say that it requires all that it knows: `ssm:SendCommand` requires a document, and runs it nowhere
/// without one of the others
/// (<https://docs.aws.amazon.com/service-authorization/latest/reference/list_awssystemsmanager.html>).
pub(crate) fn push_example(action: Action, context: &Context, to: &mut String) -> Option<()> {
    if !service_table::is_settled(action) {
        return None;
    }
    for (nth, number) in service_table::templates(service_table::type_set(action)).enumerate() {
        to.push_str(if nth == 0 { "" } else { " and " });
        push_filled(service_table::template(number), context, to);
    }
    Some(())
}

fn push_filled(template: &[u8], context: &Context, to: &mut String) {
    for piece in template.split_inclusive(|byte| *byte <= NAME) {
        let (token, plain) = match piece.split_last() {
            Some((token, plain)) if *token <= NAME => (Some(*token), plain),
            Some(_) | None => (None, piece),
        };
        to.push_str(std::str::from_utf8(plain).unwrap_or_default());
        match token {
            Some(PARTITION) => to.push_str(context.partition.as_str()),
            Some(REGION) => to.push_str("REGION"),
            Some(ACCOUNT) => to.push_str(context.account.as_ref().map_or("ACCOUNT", AccountId::as_str)),
            Some(_) => to.push_str("NAME"),
            None => {}
        }
    }
    // Secrets Manager adds six characters to a secret's name in its ARN
    // (https://docs.aws.amazon.com/secretsmanager/latest/userguide/auth-and-access_iam-policies.html).
    if template == SECRET {
        to.push_str("-??????");
    }
}

/// The template of a secret.
const SECRET: &[u8] = b"arn:\x01:secretsmanager:\x02:\x03:secret:\x04";

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(resource: &str, action: &str, expected: bool) {
        let resources = Selection::Only(Values::One(resource.into()));
        let context = Context::of_account("111122223333".parse().unwrap());
        let broad = match Reach::read(&resources, Version::V2012, &context) {
            Reach::All => true,
            Reach::Named => false,
            Reach::Patterns(patterns) => {
                patterns.are_broad_for(service_table::action(action).unwrap(), &mut Scratch::default())
            }
        };
        assert_eq!(broad, expected, "{action} on {resource}");
    }

    #[test]
    fn what_amounts_to_everything_is_broad() {
        for everything in ["*", "**", "?*", "*:*", "arn:*", "arn:aws:*", "arn:*:*:*:*:*", "*?"] {
            check(everything, "iam:PassRole", true);
            check(everything, "s3:GetObject", true);
        }
        for roles in
            ["arn:aws:iam::*:role/*", "arn:aws:iam::111122223333:role/*", "arn:*:iam::*", "arn:aws:iam::*:*", "*role*"]
        {
            check(roles, "iam:PassRole", true);
        }
        check("arn:aws:s3:::*", "s3:GetObject", true);
        check("arn:aws:s3:::*/*", "s3:GetObject", true);
        check("arn:aws:lambda:eu-west-1:111122223333:function:*", "lambda:InvokeFunction", true);
        check("arn:aws:lambda:eu-*:*:function:*", "lambda:InvokeFunction", true);
        check("arn:aws-cn:iam::*:role/*", "iam:PassRole", true);
        check("arn:aws:iam::*:role/${aws:PrincipalTag/role, '*'}", "iam:PassRole", true);
    }

    #[test]
    fn what_every_name_has_narrows_nothing() {
        check("arn:aws:iam::*:role/*e*", "iam:PassRole", true);
        check("arn:aws:s3:::*-*", "s3:ListBucket", true);
        check("arn:aws:secretsmanager:*:*:secret:*-??????", "secretsmanager:GetSecretValue", true);
        check("arn:aws:secretsmanager:*:*:secret:shop-??????", "secretsmanager:GetSecretValue", false);
        check("arn:aws:iam::*:role/*admin*", "iam:PassRole", false);
        // Names that AWS gives.
        check("arn:aws:ec2:*:*:instance/i-*", "ssm:StartSession", true);
        check("arn:aws:ec2:*:*:instance/i-?????????????????", "ssm:StartSession", true);
        check("arn:aws:ec2:*:*:instance/i-0123456789abcdef*", "ssm:StartSession", false);
        check("arn:aws:ec2:*:*:snapshot/snap-*", "ec2:ModifySnapshotAttribute", true);
        check("arn:aws:kms:*:*:key/????????-????-????-????-????????????", "kms:Decrypt", true);
        check("arn:aws:kms:*:*:key/1111*", "kms:Decrypt", false);
        // They start with a zero.
        check("arn:aws:ec2:*:*:instance/i-0*", "ssm:StartSession", true);
        check("arn:aws:ec2:*:*:instance/i-0????????????????", "ssm:StartSession", true);
        check("arn:aws:ec2:*:*:snapshot/snap-0*", "ec2:ModifySnapshotAttribute", true);
        check("arn:aws:ec2:*::image/ami-0*", "ec2:ModifyImageAttribute", true);
        check("arn:aws:ec2:*:*:instance/i-0a*", "ssm:StartSession", false);
        check("arn:aws:ec2:*:*:instance/i-0???????????????", "ssm:StartSession", false);
        check("arn:aws:elasticfilesystem:*:*:file-system/fs-0*", "elasticfilesystem:ClientRootAccess", true);
        check("arn:aws:acm:*:*:certificate/????????-*", "acm:ExportCertificate", true);
        check("arn:aws:kms:*:*:key/0*", "kms:Decrypt", false);
    }

    #[test]
    fn what_about_every_name_of_a_kind_has_narrows_nothing() {
        for roles in ["*Role*", "*role*", "*-role-*", "*Role", "*-role", "**_ROLE?*", "*/*", "*/*Role*"] {
            check(&format!("arn:aws:iam::111122223333:role/{roles}"), "iam:PassRole", true);
        }
        for roles in ["Role*", "*-ci-role", "*Roles*", "team/*", "*/team-*", "????-Role", "*@example.net"] {
            check(&format!("arn:aws:iam::111122223333:role/{roles}"), "iam:PassRole", false);
        }
        for users in ["*@example.net", "**@*.example.net", "*@*", "*user*"] {
            check(&format!("arn:aws:iam::*:user/{users}"), "iam:CreateAccessKey", true);
        }
        for users in ["ci-*@example.net", "*.ci@example.net", "*example.net", "?????@example.net"] {
            check(&format!("arn:aws:iam::*:user/{users}"), "iam:CreateAccessKey", false);
        }
        for secrets in ["*/*", "*/*-??????", "*Secret*", "*/*/*"] {
            check(&format!("arn:aws:secretsmanager:*:*:secret:{secrets}"), "secretsmanager:GetSecretValue", true);
        }
        for secrets in ["till/*", "*/till/*", "*/till-??????"] {
            check(&format!("arn:aws:secretsmanager:*:*:secret:{secrets}"), "secretsmanager:GetSecretValue", false);
        }
        check("arn:aws:ssm:*:*:parameter/*/*", "ssm:GetParameter", true);
        check("arn:aws:ssm:*:*:parameter/*/till/*", "ssm:GetParameter", false);
        check("arn:aws:dynamodb:*:*:table/*Table*", "dynamodb:GetItem", true);
        check("arn:aws:dynamodb:*:*:table/*Orders*", "dynamodb:GetItem", false);
        check("arn:aws:lambda:*:*:function:*-function-*", "lambda:UpdateFunctionCode", true);
        check("arn:aws:lambda:*:*:function:*-resize-*", "lambda:UpdateFunctionCode", false);
        // Versions and aliases only.
        check("arn:aws:lambda:*:*:function:*:*", "lambda:DeleteFunctionConcurrency", false);
        // A bucket has no slash in its name.
        check("arn:aws:s3:::*/*", "s3:DeleteBucketPolicy", false);
    }

    #[test]
    fn what_names_something_is_narrow() {
        check("arn:aws:iam::111122223333:role/app", "iam:PassRole", false);
        check("arn:aws:iam::111122223333:role/app-*", "iam:PassRole", false);
        check("arn:aws:iam::999999999999:role/*", "iam:PassRole", false);
        check("arn:aws:iam::*:role/service-role/*", "iam:PassRole", false);
        check("arn:aws:iam::aws:policy/*", "iam:AttachRolePolicy", false);
        check("arn:aws:s3:::bucket/*", "s3:GetObject", false);
        check("arn:aws:s3:::bucket-?*", "s3:GetObject", false);
        check("arn:aws:s3:::*", "iam:PassRole", false);
        check("?", "iam:PassRole", false);
        check("arn:aws:iam::111122223333:role/????????", "iam:PassRole", false);
        // One value that is not known here is one value.
        check("arn:aws:s3:::${aws:PrincipalTag/bucket}/*", "s3:GetObject", false);
        check("arn:aws:s3:::${*}", "s3:GetObject", false);
    }

    #[test]
    fn an_action_without_resources_takes_only_a_star() {
        check("arn:aws:ec2:*:*:*", "ec2:DescribeInstances", false);
        check("?*", "ec2:DescribeInstances", true);
    }
}
