//! Which actions a resource element leaves open: breadth, not the literal `*`.
//!
//! A resource pattern is broad for an action when it amounts to `*`, or when it fits one of the action's own ARN templates
//! filled with names that nobody could have guessed. The own account is no secret, and neither is the Region or partition
//! that the pattern itself names: `arn:aws:lambda:eu-west-1:111122223333:function:*` is every function there is.

use crate::{
    AccountId, Context,
    document::{Selection, Values, Version},
    pattern,
    service_table::{self, Action},
};
use std::borrow::Cow;

/// The tokens of a template in the service table.
const PARTITION: u8 = 1;
const REGION: u8 = 2;
const ACCOUNT: u8 = 3;
const NAME: u8 = 4;

/// What stands for a name nobody could have guessed: longer than anybody would write `?`, and no character of an ARN.
const UNGUESSABLE: &str = "\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}\u{5}";

/// How far a statement's resources reach.
pub(crate) enum Reach<'d> {
    /// Everything.
    All,
    /// Named resources only.
    Named,
    /// What these patterns fit; which actions they are broad for has to be looked up.
    Patterns(Patterns<'d>),
}

impl<'d> Reach<'d> {
    pub(crate) fn read(
        resources: &'d Selection<Values<'_>>,
        version: Version,
        context: &Context,
    ) -> Self {
        match resources {
            Selection::Only(resources) if resources.iter().any(is_all_stars) => Reach::All,
            Selection::Only(resources) => {
                let patterns: Vec<Filler<'d>> = resources
                    .iter()
                    .filter(|resource| pattern::has_wildcard(resource))
                    .map(|resource| Filler::new(without_variables(resource, version), context))
                    .filter(|filler| pattern::has_wildcard(&filler.pattern))
                    .collect();
                if patterns.is_empty() {
                    Reach::Named
                } else {
                    Reach::Patterns(Patterns {
                        patterns,
                        known: Vec::new(),
                    })
                }
            }
            Selection::Except(resources) if resources.iter().any(is_all_stars) => Reach::Named,
            Selection::Except(_) => Reach::All,
        }
    }
}

/// `*`, `**`: everything, whatever it is matched against.
pub(crate) fn is_all_stars(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte == b'*')
}

/// A policy variable stands for one value that is not known here, so it is no wildcard, and neither is `${*}`.
fn without_variables(resource: &str, version: Version) -> Cow<'_, str> {
    if version == Version::V2008 || !resource.contains("${") {
        return Cow::Borrowed(resource);
    }
    let mut parts = resource.split("${");
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        plain.push('\u{6}');
        plain.push_str(part.split_once('}').map_or("", |(_, rest)| rest));
    }
    Cow::Owned(plain)
}

/// The resource patterns of a statement that have wildcards.
pub(crate) struct Patterns<'d> {
    patterns: Vec<Filler<'d>>,
    /// The answers so far, by set of templates.
    known: Vec<Option<bool>>,
}

impl Patterns<'_> {
    /// Whether one of them is broad for the action. `work` counts the comparisons.
    pub(crate) fn are_broad_for(&mut self, action: Action, work: &mut usize) -> bool {
        let set = service_table::type_set(action);
        if let Some(answer) = self.known.get(set).copied().flatten() {
            return answer;
        }
        let mut templates = service_table::templates(set).peekable();
        let answer = if templates.peek().is_none() {
            // The action has no resources: AWS matches the pattern against `*`.
            self.patterns
                .iter()
                .any(|filler| pattern::fits(&filler.pattern, "*"))
        } else {
            templates.any(|template| {
                *work += self.patterns.len();
                self.patterns.iter().any(|filler| filler.fits(template))
            })
        };
        if self.known.len() <= set {
            self.known.resize(set + 1, None);
        }
        if let Some(slot) = self.known.get_mut(set) {
            *slot = Some(answer);
        }
        answer
    }

    /// Whether one of them is broad for whatever a service that is not in the table may have.
    pub(crate) fn are_broad_for_unknown(&self, service: &str) -> bool {
        let template = format!("arn:\u{1}:{service}:\u{2}:\u{3}:\u{4}");
        self.patterns
            .iter()
            .any(|filler| filler.fits(template.as_bytes()))
    }
}

/// A pattern and how the tokens of a template are filled for it.
struct Filler<'d> {
    pattern: Cow<'d, str>,
    /// The service, when the pattern fixes it.
    service: Option<String>,
    partition: String,
    region: String,
    account: String,
}

impl<'d> Filler<'d> {
    fn new(pattern: Cow<'d, str>, context: &Context) -> Self {
        let mut fields = pattern.splitn(6, ':');
        let is_arn = fields.next() == Some("arn");
        let mut field = || fields.next().filter(|_| is_arn).unwrap_or_default();
        let (partition, service, region, account) = (field(), field(), field(), field());
        // A star in front could reach into the service's place.
        let fixed = !service.is_empty()
            && !pattern::has_wildcard(partition)
            && !pattern::has_wildcard(service);
        let or = |text: String, other: &str| {
            if text.is_empty() {
                other.to_owned()
            } else {
                text
            }
        };
        let own = context.account.map(|own| own.to_string());
        let named = account
            .parse()
            .ok()
            .map(|named: AccountId| named.to_string());
        Self {
            service: fixed.then(|| service.to_owned()),
            partition: or(instance(partition), context.partition.as_str()),
            region: or(instance(region), UNGUESSABLE),
            account: own.or(named).unwrap_or_else(|| UNGUESSABLE.to_owned()),
            pattern,
        }
    }

    fn fits(&self, template: &[u8]) -> bool {
        // Most templates are of another service than the pattern names.
        let same_service = self.service.as_deref().is_none_or(|service| {
            template.split(|byte| *byte == b':').nth(2) == Some(service.as_bytes())
        });
        if !same_service {
            return false;
        }
        let mut filled = Vec::with_capacity(template.len() + 64);
        for byte in template {
            match *byte {
                PARTITION => filled.extend_from_slice(self.partition.as_bytes()),
                REGION => filled.extend_from_slice(self.region.as_bytes()),
                ACCOUNT => filled.extend_from_slice(self.account.as_bytes()),
                NAME => filled.extend_from_slice(UNGUESSABLE.as_bytes()),
                plain => filled.push(plain),
            }
        }
        pattern::fits_raw(&self.pattern, &filled)
    }
}

/// A text that the field of a pattern fits: `us-*` becomes `us-`.
fn instance(field: &str) -> String {
    field
        .chars()
        .filter(|character| *character != '*')
        .map(|c| if c == '?' { 'x' } else { c })
        .collect()
}

/// An ARN that would be narrow enough for an action, with capitals for what to fill in.
pub(crate) fn example(action: Action, context: &Context) -> Option<String> {
    let template =
        service_table::templates(service_table::type_set(action)).min_by_key(|arn| arn.len())?;
    let mut arn = String::new();
    for byte in template {
        match *byte {
            PARTITION => arn.push_str(context.partition.as_str()),
            REGION => arn.push_str("REGION"),
            ACCOUNT => match context.account {
                Some(account) => arn.push_str(account.as_str()),
                None => arn.push_str("ACCOUNT"),
            },
            NAME => arn.push_str("NAME"),
            plain => arn.push(char::from(plain)),
        }
    }
    Some(arn)
}

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
            Reach::Patterns(mut patterns) => {
                patterns.are_broad_for(service_table::action(action).unwrap(), &mut 0)
            }
        };
        assert_eq!(broad, expected, "{action} on {resource}");
    }

    #[test]
    fn what_amounts_to_everything_is_broad() {
        for everything in [
            "*",
            "**",
            "?*",
            "*:*",
            "arn:*",
            "arn:aws:*",
            "arn:*:*:*:*:*",
            "*?",
        ] {
            check(everything, "iam:PassRole", true);
            check(everything, "s3:GetObject", true);
        }
        for roles in [
            "arn:aws:iam::*:role/*",
            "arn:aws:iam::111122223333:role/*",
            "arn:*:iam::*",
            "arn:aws:iam::*:*",
            "*role*",
        ] {
            check(roles, "iam:PassRole", true);
        }
        check("arn:aws:s3:::*", "s3:GetObject", true);
        check("arn:aws:s3:::*/*", "s3:GetObject", true);
        check(
            "arn:aws:lambda:eu-west-1:111122223333:function:*",
            "lambda:InvokeFunction",
            true,
        );
        check(
            "arn:aws:lambda:eu-*:*:function:*",
            "lambda:InvokeFunction",
            true,
        );
        check("arn:aws-cn:iam::*:role/*", "iam:PassRole", true);
    }

    #[test]
    fn what_names_something_is_narrow() {
        check("arn:aws:iam::111122223333:role/app", "iam:PassRole", false);
        check(
            "arn:aws:iam::111122223333:role/app-*",
            "iam:PassRole",
            false,
        );
        check("arn:aws:iam::999999999999:role/*", "iam:PassRole", false);
        check("arn:aws:iam::*:role/service-role/*", "iam:PassRole", false);
        check("arn:aws:iam::aws:policy/*", "iam:AttachRolePolicy", false);
        check("arn:aws:s3:::bucket/*", "s3:GetObject", false);
        check("arn:aws:s3:::bucket-?*", "s3:GetObject", false);
        check("arn:aws:s3:::*", "iam:PassRole", false);
        check("?", "iam:PassRole", false);
        check(
            "arn:aws:iam::111122223333:role/????????",
            "iam:PassRole",
            false,
        );
        // One value that is not known here is one value.
        check(
            "arn:aws:s3:::${aws:PrincipalTag/bucket}/*",
            "s3:GetObject",
            false,
        );
        check("arn:aws:s3:::${*}", "s3:GetObject", false);
    }

    #[test]
    fn an_action_without_resources_takes_only_a_star() {
        check("arn:aws:ec2:*:*:*", "ec2:DescribeInstances", false);
        check("?*", "ec2:DescribeInstances", true);
    }
}
