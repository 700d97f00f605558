//! What is reported only once: an `observed` or `withheld` record says something of a finding that the same guard has
//! not said before, of this content and for this reason.

use crate::{
    ledger::{
        record::{Draft, Reason, Record, Step},
        state::History,
    },
    model::content::Content,
    name::fingerprint::Fingerprint,
};
use jiff::Timestamp;
use serde_json::json;
use warden_finding::{Finding, Severity};

/// The severity of the worst finding.
pub(crate) fn worst(findings: &[Finding]) -> Option<Severity> {
    findings.iter().map(|finding| finding.severity).max()
}

/// A note, followed by another one.
pub(crate) fn noted(note: Option<String>, more: Option<&str>) -> Option<String> {
    match (note, more) {
        (Some(note), Some(more)) => Some(format!("{note}\n{more}")),
        (note, more) => note.or_else(|| more.map(str::to_owned)),
    }
}

/// What a record would say, beside its findings.
pub(super) struct Once<'a> {
    pub(super) step: Step,
    pub(super) reason: Option<&'a Reason>,
    /// When the resource came to its mode.
    pub(super) since: Timestamp,
}

impl Once<'_> {
    /// Those of the findings that were not reported `before`; `None` where there is nothing to report. What is reported
    /// is added to `reported`. Content that cannot be judged has no findings, and is reported all the same.
    pub(super) fn news(
        &self,
        content: &Content,
        findings: &[Finding],
        before: &[Fingerprint],
        reported: &mut Vec<Fingerprint>,
    ) -> Option<Vec<Finding>> {
        let mut is_news = |what: String| {
            let once = said(self.step, self.reason, &what, self.since);
            if !reported.contains(&once) {
                reported.push(once);
            }
            !before.contains(&once)
        };
        let news: Vec<Finding> =
            findings.iter().filter(|finding| is_news(content.finding_key(finding).to_string())).cloned().collect();
        let is_unclear = findings.is_empty() && is_news(content.fingerprint().to_string());
        (!news.is_empty() || is_unclear).then_some(news)
    }
}

/// What a surface's state keeps of a record that was written of it, so that it is written once; `since` is when the
/// resource came to its mode.
fn said(step: Step, reason: Option<&Reason>, what: &str, since: Timestamp) -> Fingerprint {
    Fingerprint::of(&json!([step, reason.map(Reason::code), what, since]))
}

/// Whether the guard's last look at the surface found what an `observed` or `withheld` record says of it, for the same
/// reason, and the resource is still opted in as it was: nobody has put it right or changed it since, as far as the
/// ledger knows.
pub fn still_holds(record: &Record, history: &History) -> bool {
    let Draft { guard: Some(guard), surface: Some(surface), step, findings, reason, diff, mode, .. } = &record.entry
    else {
        return false;
    };
    let (Some(enrolment), Some(state)) = (history.head.guards.get(guard), history.surfaces.get(surface)) else {
        return false;
    };
    let holds = |finding: &Finding| match diff {
        Some(diff) => {
            let key = diff.before.finding_key(finding).to_string();
            state.reported.contains(&said(*step, reason.as_ref(), &key, enrolment.since))
        }
        // Of content that no record can hold the state alone says that there is something to report.
        None => !state.reported.is_empty(),
    };
    *mode == Some(enrolment.mode) && findings.iter().any(holds)
}
