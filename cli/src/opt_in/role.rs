//! What role-guard will find on a role, who has the role besides, and its tag.

use super::Then;
use crate::{
    account::{Caller, Operator, said},
    output,
};
use anyhow::{Context, anyhow};
use aws_sdk_iam::types::Tag;
use owo_colors::OwoColorize;
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{self, Write},
};
use warden_engine::{
    FindingId, Severity,
    model::{settings::Settings, surface::Resource, tags::GuardKind},
    name::iam::RoleArn,
};
use warden_guards::{GUARDS, Outlook as Found};

/// How many of a role's functions are named.
const SHOWN: usize = 20;

/// One role as it will be under guard.
pub(super) struct Outlook {
    role: RoleArn,
    present: BTreeMap<String, String>,
    then: BTreeMap<String, String>,
    /// What each guard finds that looks at roles.
    found: Vec<(GuardKind, Found)>,
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
        let present = operator.aws.role(&role).await?;
        let present = present.with_context(|| format!("there is no role `{}`", role.name()))?.tags;
        let mut then = present.clone();
        then.extend(tags.iter().cloned());
        let resource = Resource::Role(role.clone());
        let mut found = Vec::new();
        for guard in GUARDS {
            let outlook = guard.outlook(&operator.aws, &resource, &then, &operator.settings).await?;
            found.extend(outlook.map(|outlook| (guard.kind(), outlook)));
        }
        let mut functions = BTreeSet::new();
        let mut pages = caller.lambda(&caller.home.region).list_functions().into_paginator().items().send();
        while let Some(function) = pages.next().await {
            let function =
                function.map_err(|error| anyhow!("listing functions, with your own permissions: {}", said(&error)))?;
            let its = function.role.as_deref().and_then(|arn| arn.parse::<RoleArn>().ok());
            functions.extend(function.function_name.filter(|_| its.as_ref() == Some(&role)));
        }
        Ok(Outlook { role, present, then, found, functions })
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
        for (kind, found) in &self.found {
            let apply = format!("--role {}", self.role.name());
            Then { kind: *kind, tags: &self.then, settings, apply }.write(found, out)?;
        }
        Ok(())
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
