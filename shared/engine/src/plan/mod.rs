//! Changes as data: what will be called, what it needs to find, what it leaves, how it is taken back.

use crate::{
    model::{
        content::{Content, Diff},
        surface::Surface,
    },
    name::{fingerprint::Fingerprint, iam::PolicyArn},
};
mod call;

pub use call::{Call, Permission, PolicyVersion, RecursiveLoop, RevisionId, UrlAuthType};

use serde::{Deserialize, Serialize};
use serde_json::json;

/// One call with its precondition and its undo. A change whose undo is not known cannot be constructed: [`Plan::then`]
/// is the only way.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Change {
    call: Call,
    undo: Call,
    expects: Fingerprint,
    leaves: Fingerprint,
}

impl Change {
    /// What is called.
    pub fn call(&self) -> &Call {
        &self.call
    }

    /// What takes it back, once the content is what [`Change::leaves`] says.
    pub fn undo(&self) -> &Call {
        &self.undo
    }

    /// The fingerprint of the content that the call may be made on.
    pub fn expects(&self) -> Fingerprint {
        self.expects
    }

    /// The fingerprint of the content after the call.
    pub fn leaves(&self) -> Fingerprint {
        self.leaves
    }
}

/// The changes that put one surface right, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    surface: Surface,
    before: Content,
    after: Content,
    changes: Vec<Change>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    note: Option<String>,
}

impl Plan {
    /// A plan for `surface`, which holds `before`, without changes yet.
    pub fn new(surface: Surface, before: Content) -> Plan {
        Plan { surface, after: before.clone(), before, changes: Vec::new(), note: None }
    }

    /// Adds a change: `call` takes the surface from where the plan stands to `after`, `undo` takes it back.
    #[must_use]
    pub fn then(mut self, call: Call, undo: Call, after: Content) -> Plan {
        self.changes.push(Change { call, undo, expects: self.after.fingerprint(), leaves: after.fingerprint() });
        self.after = after;
        self
    }

    /// Says something that its records should tell a person beside the changes.
    #[must_use]
    pub fn noting(self, note: impl Into<String>) -> Plan {
        Plan { note: Some(note.into()), ..self }
    }

    /// The plan that a record's content and changes describe.
    pub fn recorded(surface: Surface, diff: Diff, changes: Vec<Change>) -> Plan {
        Plan { surface, before: diff.before, after: diff.after, changes, note: None }
    }

    /// The plan that takes this one back, from `after` to exactly `before`.
    #[must_use]
    pub fn reversed(&self) -> Plan {
        let changes = self.changes.iter().rev().map(|change| Change {
            call: change.undo.clone(),
            undo: change.call.clone(),
            expects: change.leaves,
            leaves: change.expects,
        });
        Plan {
            surface: self.surface.clone(),
            before: self.after.clone(),
            after: self.before.clone(),
            changes: changes.collect(),
            note: None,
        }
    }

    /// The same plan, which brings a managed policy back, where that says `document`. After the policy, which comes
    /// first, goes what stood in for it.
    #[must_use]
    pub(crate) fn saying(mut self, policy: &PolicyArn, document: &Content) -> Plan {
        self.after = self.after.saying(document);
        let back = Content::of_policy(policy, document).with_stand_in(&self.before.stand_in());
        let back = back.with_copy(&self.before.copy()).fingerprint();
        let mut stands = self.before.fingerprint();
        let last = self.changes.len().saturating_sub(1);
        for (index, change) in self.changes.iter_mut().enumerate() {
            change.expects = stands;
            stands = if index == last { self.after.fingerprint() } else { back };
            change.leaves = stands;
        }
        self
    }

    /// A fingerprint that tells this plan from others, by its surface, the surface's content, and the calls.
    pub fn fingerprint(&self) -> Fingerprint {
        let calls: Vec<&Call> = self.changes.iter().map(Change::call).collect();
        Fingerprint::of(&json!([self.surface, self.before.fingerprint(), calls]))
    }

    /// The surface that is changed.
    pub fn surface(&self) -> &Surface {
        &self.surface
    }

    /// What the surface holds now.
    pub fn before(&self) -> &Content {
        &self.before
    }

    /// What the surface will hold.
    pub fn after(&self) -> &Content {
        &self.after
    }

    /// What its records tell a person beside the changes.
    pub fn note(&self) -> Option<&str> {
        self.note.as_deref()
    }

    /// The changes in order.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// The changes that are still to be made when the surface holds `content`: all, some or none of them. `None` when
    /// the plan never leaves such content, so that somebody else has changed it. A last change that goes on unseen is
    /// made again whenever the plan is taken up.
    pub fn remaining(&self, content: &Content) -> Option<&[Change]> {
        let now = content.fingerprint();
        if now == self.after.fingerprint() {
            let unseen = self.changes.last().is_some_and(|last| last.call.goes_on_unseen());
            return self.changes.get(self.changes.len() - usize::from(unseen)..);
        }
        let next = self.changes.iter().position(|change| change.expects == now)?;
        self.changes.get(next..)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::name::lambda::LayerVersionArn;

    fn plan() -> Plan {
        let layer: LayerVersionArn = "arn:aws:lambda:us-east-1:111122223333:layer:tools:1".parse().unwrap();
        let remove = |sid: &str| Call::RemoveLayerVersionPermission { layer: layer.clone(), sid: sid.into() };
        let add = |sid: &str| Call::AddLayerVersionPermission {
            layer: layer.clone(),
            sid: sid.into(),
            principal: "*".into(),
            action: "lambda:GetLayerVersion".into(),
            organization: None,
        };
        Plan::new(Surface::LayerPolicy(1), Content::new(json!(["a", "b"])))
            .then(remove("a"), add("a"), Content::new(json!(["b"])))
            .then(remove("b"), add("b"), Content::ABSENT)
    }

    #[test]
    fn a_plan_knows_where_it_was_interrupted() {
        let plan = plan();
        let left = |content: Content| plan.remaining(&content).map(<[Change]>::len);
        assert_eq!(left(Content::new(json!(["a", "b"]))), Some(2));
        assert_eq!(left(Content::new(json!(["b"]))), Some(1));
        assert_eq!(left(Content::ABSENT), Some(0));
        assert_eq!(left(Content::new(json!(["c"]))), None);
    }

    #[test]
    fn reversed_runs_the_undos_backwards() {
        let back = plan().reversed();
        let calls: Vec<String> = back.changes().iter().map(|change| change.call().to_string()).collect();
        assert_eq!(calls, ["AddLayerVersionPermission(tools:1, Sid b)", "AddLayerVersionPermission(tools:1, Sid a)"]);
        assert_eq!((back.before(), back.after()), (&Content::ABSENT, plan().before()));
        assert_eq!(back.reversed(), plan());
    }

    #[test]
    fn a_plan_is_read_back_from_json() {
        let text = serde_json::to_string(&plan()).unwrap();
        assert_eq!(serde_json::from_str::<Plan>(&text).unwrap(), plan());
    }
}
