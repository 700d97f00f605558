//! `warden rotate`: a person gives a variable another value, in the secret that Warden keeps for it. A first-class
//! change like any other: its intent is in the ledger before it is made, and its undo brings the earlier value back.

use crate::{
    call_error::CallError,
    decide::{
        intent::intend,
        outcome::{Ending, conclude, learnt},
    },
    ledger::{
        record::{Draft, Record, Step},
        state::{Intent, Purpose},
    },
    model::{
        cloudtrail::Cause,
        content::Diff,
        settings::Settings,
        surface::{Resource, Surface},
        tags::GuardKind,
    },
    name::{fingerprint::Fingerprint, lambda::FunctionArn},
    plan::{Call, Change, Plan},
    ports::World,
    run::{
        commit::{Entry, Pass, Unwritable, WriteError, until_it_fits},
        operation::{Begun, Operation, values_after},
        patience::Patience,
    },
    secret::{
        environment::{KeptValue, KeyedHash, Rotation, VariableName, WHEN_IT_STARTS},
        values::KnownHash,
    },
};
use futures::future;
use serde_json::json;
use std::collections::{BTreeMap, BTreeSet};
use warden_secret_ref::SecretName;

/// What Warden keeps for a variable now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// The secret that the variable refers to.
    pub secret: SecretName,
    /// The id of its current version.
    pub version: String,
    /// The variable's value in it; none where it holds none for it.
    pub value: Option<KeyedHash>,
    /// Where its text is no JSON object: what becomes of the other values.
    pub others: Others,
}

/// The other values of a secret whose text is no JSON object any more. The ledger decides what they are: the version
/// before is whatever somebody has put there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Others {
    /// Those that were found, each in the version that holds it.
    pub found: BTreeMap<String, KnownHash>,
    /// Those that are in no version any more.
    pub lost: BTreeSet<String>,
    /// Those of which the version before holds another value than the one that is taken.
    pub disputed: BTreeSet<String>,
}

impl Others {
    /// What a person has to know of them, a sentence each.
    pub fn told(&self, function: &FunctionArn, secret: &SecretName) -> Vec<String> {
        let function = function.name();
        let lost = self.lost.iter().map(move |name| {
            format!(
                "no version of {secret} holds the value of {name} any more, so that it has none: `warden rotate {function} \
                 {name}` gives it one"
            )
        });
        let disputed = self.disputed.iter().map(move |name| {
            format!(
                "the version before holds another value of {name} than the last one that Warden knows, which is taken: \
                 if the other one is right, `warden rotate {function} {name}`"
            )
        });
        lost.chain(disputed).collect()
    }
}

/// Why Warden keeps no value for a variable.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotKept {
    /// The function has no such variable.
    #[error("the function has no variable of this name")]
    NotSet,
    /// The variable holds no reference.
    #[error(
        "its value stands in the environment itself, so that Warden keeps none for it: set it where the function is \
         deployed from"
    )]
    NoReference,
    /// The variable refers to another function's secret.
    #[error("it refers to {0}, which is another function's secret: rotate it there")]
    Foreign(SecretName),
    /// There is no such secret, or it is to be deleted.
    #[error("the secret {0} that it refers to is gone, or is to be deleted")]
    Gone(SecretName),
    /// The environment cannot be decrypted.
    #[error("the environment cannot be decrypted ({0})")]
    Unreadable(String),
}

/// Why a value was not replaced. Nothing was changed, except where it says so.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RotateRefusal {
    /// The variable holds this value already.
    #[error("{0} holds this value already")]
    SameValue(VariableName),
    /// The function or the secret is gone.
    #[error("{0} is gone, or does not refer to a secret of its own by this variable any more")]
    Gone(Resource),
    /// Somebody has replaced it since it was read.
    #[error("the secret was changed since it was read: run the command again")]
    Changed,
    /// A remediation, an undo or another rotation is under way.
    #[error("another run works on the secrets of {0}: try again in a minute")]
    Busy(Resource),
    /// AWS did not do what was asked. The intent that was recorded ends by itself; run the same command again.
    #[error(transparent)]
    Call(#[from] CallError),
    /// AWS refused the change; that is recorded.
    #[error("not rotated: {0}")]
    Failed(String),
    /// A record cannot be written as JSON.
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
}

impl From<WriteError> for RotateRefusal {
    fn from(error: WriteError) -> RotateRefusal {
        match error {
            WriteError::Call(error) => error.into(),
            WriteError::Unwritable(error) => error.into(),
        }
    }
}

/// A variable whose value is to be replaced.
#[derive(Clone, Debug)]
pub struct Rotate {
    /// The function that the variable belongs to.
    pub function: FunctionArn,
    /// The variable that gets another value.
    pub variable: VariableName,
    /// The operator who asks for it: the session's source identity.
    pub by: String,
    /// What the records say of who asked and why.
    pub cause: Cause,
}

impl Rotate {
    /// What would be done with a value of that hash. `known` is the hash by which the account is to know the value, if
    /// it may.
    ///
    /// # Errors
    /// [`RotateRefusal::SameValue`].
    pub fn plan(&self, kept: &Kept, value: KeyedHash, known: Option<KeyedHash>) -> Result<Plan, RotateRefusal> {
        if kept.value == Some(value) {
            return Err(RotateRefusal::SameValue(self.variable.clone()));
        }
        let secret = &kept.secret;
        let others = &kept.others.found;
        let hashes: BTreeMap<&String, KeyedHash> = others.iter().map(|(name, known)| (name, known.hash)).collect();
        let version = |of: &str, value| {
            Fingerprint::of(&json!(["rotation", secret, of, self.variable, value, hashes])).to_string()
        };
        let there = Rotation {
            function: self.function.clone(),
            variable: self.variable.clone(),
            secret: secret.clone(),
            value: Some(value),
            version: version(&kept.version, Some(value)),
            onto: Some(kept.version.clone()),
            from: None,
            known,
            others: others.clone(),
        };
        let back = Rotation {
            value: kept.value,
            version: version(&there.version, kept.value),
            onto: None,
            from: Some(kept.version.clone()),
            known: None,
            ..there.clone()
        };
        let before = KeptValue::new(secret.clone(), kept.value).content();
        let after = KeptValue::new(secret.clone(), Some(value)).content();
        let plan = Plan::new(Surface::Secret(self.variable.clone()), before);
        let plan = plan.then(Call::RotateSecret(Box::new(there)), Call::RotateSecret(Box::new(back)), after);
        let by = format!("rotated by {}: {WHEN_IT_STARTS}", self.by);
        let note: Vec<String> = [by].into_iter().chain(kept.others.told(&self.function, secret)).collect();
        Ok(plan.noting(note.join("\n")))
    }

    /// Replaces the value, if the secret still holds what the plan was made on. `world` has the value.
    ///
    /// # Errors
    /// See [`RotateRefusal`].
    pub async fn carry_out<W: World>(
        &self,
        world: &W,
        settings: &Settings,
        plan: &Plan,
    ) -> Result<Vec<Record>, RotateRefusal> {
        let resource = Resource::Function(self.function.clone());
        let busy = || RotateRefusal::Busy(resource.clone());
        let begun =
            until_it_fits(world, &Patience::ENDLESS, async || self.begin(world, &resource, plan, settings).await)
                .await?;
        let (begun, changes) = begun.ok_or_else(busy)?;
        match begun.finish(&changes, None).await?.ok_or_else(busy)? {
            (Ending::Done, records) => Ok(records),
            (ending, _) => Err(RotateRefusal::Failed(ending.why())),
        }
    }

    /// Writes down what is to be done, if it may be, and says what that is.
    async fn begin<'a, W: World>(
        &'a self,
        world: &'a W,
        resource: &'a Resource,
        plan: &Plan,
        settings: &Settings,
    ) -> Result<Pass<(Begun<'a, W>, Vec<Change>)>, RotateRefusal> {
        let surface = plan.surface();
        let now = world.now();
        let (history, snapshot) =
            future::try_join(world.history(resource, now), world.snapshot(resource, surface)).await?;
        let content = snapshot.ok_or_else(|| RotateRefusal::Gone(resource.clone()))?.content;
        if content.is_absent() {
            return Err(RotateRefusal::Gone(resource.clone()));
        }
        if content != *plan.before() {
            return Err(RotateRefusal::Changed);
        }
        let mut state = history.surfaces.get(surface).cloned().unwrap_or_default();
        let held = state.intent.as_ref().is_some_and(|intent| intent.lease > now);
        if held || history.is_held(surface, now).is_some() {
            return Err(RotateRefusal::Busy(resource.clone()));
        }
        let template = Draft { guard: Some(GuardKind::Secrets), ..Draft::new(Step::Planned) };
        let mut entry = Entry::default();
        if let Some(earlier) = state.intent.clone() {
            let ending = if content == *earlier.plan.after() {
                entry.surfaces.push(values_after(&history, &earlier));
                Ending::Done
            } else {
                Ending::Failed("the command that began this was cut off".into())
            };
            let (outcome, concluded) = conclude(&earlier, &ending, &state, None, &template, now);
            entry.drafts.extend(outcome);
            entry.known.extend(learnt(&earlier, &ending));
            state = concluded;
        }
        let intent = intend(resource, (plan.clone(), false), Vec::new(), &mut state, settings, now);
        let intent = Intent { purpose: Purpose::Rotate, ..intent };
        entry.drafts.push(Draft {
            surface: Some(surface.clone()),
            remediation: Some(intent.remediation.clone()),
            diff: Some(Diff { before: plan.before().clone(), after: plan.after().clone() }),
            changes: plan.changes().to_vec(),
            note: plan.note().map(str::to_owned),
            ..template.clone()
        });
        let operation = Operation { world, resource, cause: &self.cause, intent, template };
        let begun = operation.begin(history, state, entry).await?;
        Ok(begun.map_or(Pass::Again(None), |begun| Pass::Done((begun, plan.changes().to_vec()))))
    }
}
