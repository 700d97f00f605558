//! Limits that are none in the hands of this role: a tag that it may set, and names that are everybody's when added up.

use super::{
    condition_scope::{ConditionScope, Scoping},
    grants::{Granter, Grants, selects},
    sensitivity::SENSITIVE,
};
use crate::{
    Document, Effect, Statement,
    breadth::{self, Scratch},
    conditions::{self, WantedTag},
    pattern,
    service_table::{self, Action, ActionSet},
};
use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

/// By the number of an ARN template, the actions that set a tag on what has such an ARN.
///
/// Tagging has an access level of its own in the service authorization reference, and few names: `TagResource` for most,
/// `CreateTags`, `AddTagsToResource`, `PutBucketTagging`, `TagRole`
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/access_tags.html#access_tags_control-resources>).
static TAGGERS: LazyLock<BTreeMap<usize, Vec<Action>>> = LazyLock::new(|| {
    let mut by_template: BTreeMap<usize, Vec<Action>> = BTreeMap::new();
    let mut name = String::new();
    for service in service_table::services() {
        // A session's tags are not the role's.
        for action in service_table::actions_of(service).filter(|_| service_table::service_name(service) != "sts") {
            name.clear();
            service_table::push_name(action, &mut name);
            let bare = name.split_once(':').map_or("", |(_, bare)| bare);
            let sets_tags = ["Tag", "AddTags", "CreateTags", "CreateOrUpdateTags", "SetTag", "UpdateTags"]
                .iter()
                .any(|start| bare.starts_with(start))
                || bare.starts_with("Put") && bare.ends_with("Tagging");
            if sets_tags && service_table::is_scopable(action) {
                for template in service_table::templates(service_table::type_set(action)) {
                    by_template.entry(template).or_default().push(action);
                }
            }
        }
    }
    by_template
});

/// A role, as an ARN template of the service table.
const ROLE: &str = "arn:\u{1}:iam::\u{3}:role/\u{4}";

/// What of a granter's actions its conditions do not scope, by its number.
pub(super) fn freed(
    grants: &Grants<'_>,
    policies: &[&Document<'_>],
    boundary: Option<&ActionSet>,
    role: Option<&str>,
) -> Vec<(usize, ActionSet)> {
    let is_loose = |granter: &Granter<'_>| {
        let by = &granter.narrowness.by;
        !by.is_empty() && !by.iter().any(|scoping| matches!(scoping, Scoping::Fixed))
    };
    let loose: Vec<(usize, ActionSet)> = grants
        .statements
        .iter()
        .enumerate()
        .filter(|(_, granter)| is_loose(granter))
        .map(|(at, granter)| (at, actions_of(at, granter, grants)))
        .collect();
    if loose.is_empty() {
        return Vec::new();
    }
    let open = names_that_add_up(grants, &loose);
    let mut tagging = Tagging { grants, policies, boundary, role, scratch: Scratch::default() };
    let mut freed = Vec::new();
    for (at, actions) in loose {
        let Some(granter) = grants.statements.get(at) else { continue };
        let mut left = actions;
        for scoping in &granter.narrowness.by {
            let lifted = match scoping {
                Scoping::Fixed => ActionSet::new(),
                Scoping::Named { key, .. } => {
                    let known = open.iter().find(|(known, _)| known.eq_ignore_ascii_case(key));
                    known.map_or_else(ActionSet::new, |(_, open)| open.clone())
                }
                Scoping::Tag(tag) => tagging.settable(&left, tag),
            };
            left.intersect(&lifted);
        }
        if left.len() > 0 {
            freed.push((at, left));
        }
    }
    freed
}

/// What of interest a statement grants or offers.
fn actions_of(at: usize, granter: &Granter<'_>, grants: &Grants<'_>) -> ActionSet {
    let mut actions = ActionSet::new();
    let offered = grants.offered.iter().filter(|span| span.statement() == at);
    for span in grants.spans_of(granter).iter().chain(offered) {
        for of_interest in [&SENSITIVE.any, &SENSITIVE.serious] {
            of_interest.each_common(of_interest, span.actions(), |action| actions.insert_one(action));
        }
    }
    actions
}

/// By condition key, the actions for which the names that a role's statements ask for are together as good as all.
fn names_that_add_up<'g>(grants: &'g Grants<'_>, loose: &[(usize, ActionSet)]) -> Vec<(&'g str, ActionSet)> {
    type Parts<'g> = Vec<(&'g [String], usize)>;
    let mut by_key: Vec<(&str, Parts<'g>)> = Vec::new();
    for (nth, (at, _)) in loose.iter().enumerate() {
        for scoping in grants.statements.get(*at).iter().flat_map(|granter| &granter.narrowness.by) {
            if let Scoping::Named { key, patterns } = scoping {
                match by_key.iter_mut().find(|(known, _)| known.eq_ignore_ascii_case(key)) {
                    Some((_, parts)) => parts.push((patterns, nth)),
                    None => by_key.push((key, vec![(patterns, nth)])),
                }
            }
        }
    }
    let are_all = |parts: &mut dyn Iterator<Item = &(&'g [String], usize)>| {
        let distinct: BTreeSet<&str> = parts.flat_map(|(patterns, _)| patterns.iter().map(String::as_str)).collect();
        conditions::are_all_names(distinct.into_iter())
    };
    let mut open = Vec::new();
    for (key, parts) in by_key.iter().filter(|(_, parts)| are_all(&mut parts.iter())) {
        let has = |nth: usize, action: Action| loose.get(nth).is_some_and(|(_, actions)| actions.contains(action));
        let mut of_any = ActionSet::new();
        parts.iter().filter_map(|(_, nth)| loose.get(*nth)).for_each(|(_, actions)| of_any.unite(actions));
        let mut found = ActionSet::new();
        // Statements of the same actions, which most are, need one look.
        let mut last: Option<(Vec<usize>, bool)> = None;
        for action in of_any.ranges().flatten() {
            let granting: Vec<usize> = parts.iter().map(|(_, nth)| *nth).filter(|nth| has(*nth, action)).collect();
            let answer = match &last {
                Some((known, answer)) if *known == granting => *answer,
                Some(_) | None => are_all(&mut parts.iter().filter(|(_, nth)| granting.contains(nth))),
            };
            if answer {
                found.insert_one(action);
            }
            last = Some((granting, answer));
        }
        open.push((*key, found));
    }
    open
}

/// What a role may tag.
struct Tagging<'g, 'd> {
    grants: &'g Grants<'d>,
    policies: &'g [&'d Document<'d>],
    boundary: Option<&'g ActionSet>,
    /// Its own ARN, where that is known.
    role: Option<&'g str>,
    scratch: Scratch,
}

impl Tagging<'_, '_> {
    /// The actions among some for which the role can see to the tag itself.
    fn settable(&mut self, actions: &ActionSet, tag: &WantedTag<'_>) -> ActionSet {
        // Its own tag is whatever it sets.
        if let WantedTag { own: Some(own), .. } = tag
            && self.tags_itself(own)
        {
            return actions.clone();
        }
        let mut settable = ActionSet::new();
        let mut known: BTreeMap<usize, bool> = BTreeMap::new();
        for action in actions.ranges().flatten() {
            let mut templates = service_table::templates(service_table::type_set(action));
            let is_settable = templates.any(|template| match known.get(&template) {
                Some(answer) => *answer,
                None => {
                    let answer = self.tags_what_is_like(template, tag);
                    known.insert(template, answer);
                    answer
                }
            });
            if is_settable {
                settable.insert_one(action);
            }
        }
        settable
    }

    fn tags_what_is_like(&mut self, template: usize, tag: &WantedTag<'_>) -> bool {
        let taggers = TAGGERS.get(&template).map(Vec::as_slice).unwrap_or_default();
        let Ok(text) = std::str::from_utf8(service_table::template(template)) else { return false };
        taggers.iter().any(|tagger| self.may_tag(*tagger, text, tag, None))
    }

    /// Whether it may set any value of a tag of its own.
    fn tags_itself(&mut self, key: &str) -> bool {
        let any = WantedTag { key, values: Vec::new(), own: None };
        let role = self.role;
        service_table::action("iam:TagRole").is_some_and(|tagger| self.may_tag(tagger, ROLE, &any, role))
    }

    /// Whether an Allow of the role lets it set a tag on what has such an ARN, or has this very one, and no Deny is
    /// about the tag.
    fn may_tag(&mut self, tagger: Action, template: &str, tag: &WantedTag<'_>, named: Option<&str>) -> bool {
        if self.boundary.is_some_and(|boundary| !boundary.contains(tagger)) {
            return false;
        }
        let mut name = String::new();
        service_table::push_name(tagger, &mut name);
        let context = self.grants.context();
        let policies = self.policies;
        let statements =
            || policies.iter().flat_map(|it| it.statements.iter().map(|statement| (statement, it.version)));
        let scratch = &mut self.scratch;
        let mut reaches = |statement: &Statement<'_>, version| {
            let Some(resources) = &statement.resources else { return false };
            breadth::reaches(resources, version, context, &[template], scratch)
                || named.is_some_and(|arn| {
                    matches!(resources, crate::Selection::Only(all) if all.iter().any(|one| pattern::fits(one, arn)))
                })
        };
        let allowed = statements().any(|(statement, version)| {
            statement.effect == Effect::Allow
                && selects(&statement.actions, &name)
                && !ConditionScope::read(statement, version, context).is_nothing_broad()
                && statement.conditions.iter().all(|condition| tag.may_pass(condition))
                && reaches(statement, version)
        });
        allowed
            && !statements().any(|(statement, version)| {
                statement.effect == Effect::Deny
                    && selects(&statement.actions, &name)
                    && statement.conditions.iter().all(|condition| tag.must_pass(condition))
                    && reaches(statement, version)
            })
    }
}
