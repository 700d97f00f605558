//! A broken rule, and the part of the statement that breaks it.

use crate::principal::PrincipalPlace;
use warden_finding::{Finding, FindingId, Severity};

/// A finding and the part of its statement that causes it.
#[derive(Clone, Debug)]
pub(crate) struct Violation {
    pub(crate) finding: Finding,
    pub(crate) part: Part,
}

/// The part of a statement that is at fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Principal(PrincipalPlace),
    NotPrincipal,
    /// One action; the index where the JSON has a list.
    Action(Option<usize>),
    NotAction,
}

/// A rule that is broken, how badly, and one sentence about it.
pub(crate) type Verdict = (FindingId, Severity, String);

impl Violation {
    /// A part that stands alone in its statement is the statement: see the crate's documentation on places.
    pub(crate) fn new(statement: usize, part: Part, alone: bool, (id, severity, message): Verdict) -> Self {
        let at = match part {
            _ if alone => format!("Statement[{statement}]"),
            Part::Principal(place) => format!("Statement[{statement}].{place}"),
            Part::NotPrincipal => format!("Statement[{statement}].NotPrincipal"),
            Part::Action(Some(nth)) => format!("Statement[{statement}].Action[{nth}]"),
            Part::Action(None) => format!("Statement[{statement}].Action"),
            Part::NotAction => format!("Statement[{statement}].NotAction"),
        };
        Self { finding: Finding { id, severity, at, message }, part }
    }
}
