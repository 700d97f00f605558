//! What role-guard will find on a role, who has the role besides, and its tag.

use super::{Then, findings_of};
use crate::{
    account::{Caller, Operator, said},
    output::{self, printable},
};
use anyhow::{Context, anyhow};
use aws_sdk_iam::types::Tag;
use owo_colors::OwoColorize;
use role_guard::{Facts, RoleGuard};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};
use warden_engine::{
    FindingId, Severity,
    guard::{Guard, Scope},
    model::{settings::Settings, surface::Resource, tags::GuardKind},
    name::iam::RoleArn,
};

/// How many of a role's functions are named.
const SHOWN: usize = 20;

/// One role as it will be under guard.
pub(super) struct Outlook {
    role: RoleArn,
    present: BTreeMap<String, String>,
    facts: Facts,
    /// The functions of the Region that have the role, by name.
    functions: BTreeSet<String>,
}

impl Outlook {
    /// Reads the role as the operator, and which functions have it with the caller's own permissions.
    pub(super) async fn of(
        caller: &Caller,
        operator: &Operator,
        name: &str,
        tags: &[(String, String)],
    ) -> anyhow::Result<Outlook> {
        let role = match name.strip_prefix("arn:") {
            Some(_) => name.parse()?,
            None => RoleArn::named(name, &caller.home)?,
        };
        let facts = RoleGuard::survey(&operator.aws, &role).await?;
        let mut facts = facts.with_context(|| format!("there is no role `{}`", role.name()))?;
        let present = match &facts.scope {
            Scope::Tags(tags) => tags.clone(),
            Scope::Setting(_) | Scope::Through(_) => BTreeMap::new(),
        };
        let then = present.iter().map(|(key, value)| (key.clone(), value.clone())).chain(tags.iter().cloned());
        facts.scope = Scope::Tags(then.collect());
        let mut functions = BTreeSet::new();
        let mut pages = caller.lambda(&caller.home.region).list_functions().into_paginator().items().send();
        while let Some(function) = pages.next().await {
            let function =
                function.map_err(|error| anyhow!("listing functions, with your own permissions: {}", said(&error)))?;
            let its = function.role.as_deref().and_then(|arn| arn.parse::<RoleArn>().ok());
            functions.extend(function.function_name.filter(|_| its.as_ref() == Some(&role)));
        }
        Ok(Outlook { role, present, facts, functions })
    }

    pub(super) fn write(&self, tags: &[(String, String)], settings: &Settings, out: &mut dyn Write) -> io::Result<()> {
        writeln!(out, "role {}", self.role.name().bold())?;
        super::write_tags(tags, &self.present, out)?;
        let shown: Vec<&str> = self.functions.iter().take(SHOWN).map(String::as_str).collect();
        let more = if self.functions.len() > SHOWN { ", ..." } else { "" };
        let names = format!("{}{more}", shown.join(", "));
        match self.functions.len() {
            0 => writeln!(out, "  no function in this Region has it")?,
            1 => writeln!(out, "  the function in this Region that has it: {names}")?,
            all => {
                let (severity, id) = (output::severity(Severity::Low), FindingId::SharedRole);
                writeln!(out, "  {severity} {}: {all} functions in this Region have it: {names}", id.bold())?;
            }
        }
        if let Some(strangers) = RoleGuard::strangers(&self.facts, settings) {
            let mind = "others than Lambda may assume it, so it is judged and never changed";
            writeln!(out, "  {} {mind}: {}", "mind".yellow(), printable(&strangers))?;
        }
        if RoleGuard.never_touch(&Resource::Role(self.role.clone()), &self.facts, settings) {
            writeln!(out, "  {} it is one that no guard ever changes", "mind".yellow())?;
        }
        let Scope::Tags(tags) = &self.facts.scope else { return Ok(()) };
        let found = findings_of(&RoleGuard, &self.facts, settings);
        let then = Then { kind: GuardKind::Role, tags, settings, apply: format!("--role {}", self.role.name()) };
        then.write(&found, "nothing is wrong with what it may do and who may assume it", out)
    }

    /// Sets the tags with the caller's own permissions.
    pub(super) async fn tag(&self, caller: &Caller, tags: &[(String, String)]) -> anyhow::Result<()> {
        let tags = tags.iter().map(|(key, value)| Tag::builder().key(key).value(value).build());
        let request = caller.iam().tag_role().role_name(self.role.name());
        let tagged = request.set_tags(Some(tags.collect::<Result<_, _>>()?)).send().await;
        let role = &self.role;
        tagged.map(drop).map_err(|error| anyhow!("tagging {role}, with your own permissions: {}", said(&error)))
    }

    /// The role's name.
    pub(super) fn name(&self) -> &str {
        self.role.name()
    }
}
