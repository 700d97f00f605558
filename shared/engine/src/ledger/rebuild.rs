//! What a resource's records tell of its head and its states. They are read where the items in the table are not those
//! that were written: whoever may write to the table must neither command the guards nor make them look away.

use crate::{
    decide::outcome::REVERTS_KEPT,
    ledger::{
        record::{Reason, Record, Step},
        state::{Enrolment, Head, Intent, Purpose, SurfaceState},
    },
    model::{
        surface::Surface,
        tags::{GuardKind, Mode},
    },
    name::fingerprint::Fingerprint,
    plan::Plan,
    run::accept::accepted_by,
};
use std::collections::{BTreeMap, BTreeSet};

/// A head and states that the records tell of. They are told one after the other, in the order of their chain, so that
/// a long chain is never in memory as a whole.
#[derive(Clone, Debug, PartialEq)]
pub struct Rebuilt {
    /// The end of the chain, and how each guard knew the resource.
    pub head: Head,
    /// What is known of each surface that the records name. Baselines and acceptances cannot be had from records: what
    /// they tell of the content is enough to see what has become worse, but there may have been others since, so it is
    /// not restored; and what an undo restored counts as pre-existing.
    pub states: BTreeMap<Surface, SurfaceState>,
    /// Surfaces of which the records do not tell all that stood there.
    pub unclear: BTreeSet<Surface>,
    /// Whether each record follows the one before it, from the first on.
    pub is_linked: bool,
    /// Whether a role-guard's opt-in to `enforce` is told with all that was written with it: something follows it.
    pub is_opt_in_whole: bool,
}

impl Default for Rebuilt {
    fn default() -> Rebuilt {
        Rebuilt {
            head: Head::default(),
            states: BTreeMap::new(),
            unclear: BTreeSet::new(),
            is_linked: true,
            is_opt_in_whole: false,
        }
    }
}

impl Rebuilt {
    /// Adds the next record, beside the hash stored with it.
    pub fn add(&mut self, record: &Record, hash: Fingerprint) {
        self.is_linked &= record.previous == self.head.hash && record.hash().is_ok_and(|computed| computed == hash);
        let enforces = |enrolment: &Enrolment| enrolment.mode == Mode::Enforce;
        self.is_opt_in_whole |= self.head.guards.get(&GuardKind::Role).is_some_and(enforces);
        self.head.last = Some(record.id);
        self.head.hash = Some(hash);
        self.head.records += 1;
        self.enrol(record);
        self.stood(record);
    }

    fn enrol(&mut self, record: &Record) {
        let (Some(guard), Some(mode)) = (record.entry.guard, record.entry.mode) else { return };
        let known = self.head.guards.get(&guard);
        if known.is_some_and(|known| known.mode == mode) {
            return;
        }
        let since = record.cause.time.unwrap_or(record.time).min(record.time);
        let enrolment = Enrolment {
            mode,
            since,
            // A look at damaged items is never a first look, which would take everything for pre-existing.
            surveyed: true,
            problems: Vec::new(),
            forged: Vec::new(),
            unread: BTreeSet::new(),
            through: BTreeSet::new(),
        };
        self.head.guards.insert(guard, enrolment);
    }

    fn stood(&mut self, record: &Record) {
        let entry = &record.entry;
        let Some(surface) = &entry.surface else { return };
        let state = self.states.entry(surface.clone()).or_default();
        let stands = match (entry.step, &entry.reason) {
            (Step::Planned, _) => {
                state.occurrences += 1;
                state.intent = planned(surface, record);
                return;
            }
            (Step::Applied, _) => {
                // What it took away stands no more.
                state.intent = None;
                state.values.learn(&entry.changes);
                if !entry.findings.is_empty() {
                    state.reverts.push(record.time);
                }
                let surplus = state.reverts.len().saturating_sub(REVERTS_KEPT);
                state.reverts.drain(..surplus);
                let left = entry.diff.as_ref().map(|diff| diff.after.fragments()).unwrap_or_default();
                state.pre_existing.retain(|key, _| left.contains(&key.fragment));
                state.told = entry.diff.as_ref().map(|diff| diff.after.clone());
                return;
            }
            (Step::OptedIn, _) => {
                state.first = state.first.take().or_else(|| entry.diff.as_ref().map(|diff| diff.after.clone()));
                return;
            }
            (Step::Rotated, _) => {
                state.intent = None;
                state.values.learn(&entry.changes);
                return;
            }
            (Step::Failed, _) => {
                state.intent = None;
                return;
            }
            // What an undo restored was accepted.
            (Step::Undone, _) => {
                state.intent = None;
                !entry.findings.is_empty()
            }
            (Step::Accepted, _) => entry.diff.is_some() && !entry.findings.is_empty(),
            (Step::Withdrawn, _) => {
                for key in accepted_by(record).unwrap_or_default() {
                    state.pre_existing.remove(&key);
                    state.lapsed.insert(key.fragment);
                }
                return;
            }
            (
                Step::Withheld,
                Some(Reason::PreExisting | Reason::Unconfirmed | Reason::LedgerTampered | Reason::Exempt { .. }),
            ) => !entry.findings.is_empty(),
            (Step::Observed | Step::Withheld | Step::OptedOut | Step::Paused | Step::Resumed, _) => false,
        };
        match &entry.diff {
            Some(diff) if stands => {
                let keys = entry.findings.iter().map(|finding| (diff.after.finding_key(finding), record.time));
                state.pre_existing.extend(keys);
                state.told = Some(diff.after.clone());
            }
            // Content that no record can hold was left out.
            None if stands => {
                self.unclear.insert(surface.clone());
            }
            Some(_) | None => {}
        }
    }
}

/// The intent that a record announces.
fn planned(surface: &Surface, record: &Record) -> Option<Intent> {
    let entry = &record.entry;
    let diff = entry.diff.clone()?;
    let purpose = match (entry.undoes, surface) {
        (Some(record), _) => Purpose::Undo { record },
        (None, Surface::Secret(_)) => Purpose::Rotate,
        (None, _) => Purpose::Remedy,
    };
    Some(Intent {
        purpose,
        remediation: entry.remediation.clone().unwrap_or_default(),
        findings: entry.findings.clone(),
        plan: Plan::recorded(surface.clone(), diff, entry.changes.clone()),
        has_otherwise: false,
        // Whether a run is still at work nobody knows: with its outcome erased, a lease would keep everybody away.
        lease: record.time,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ledger::{chain::append, record::Draft},
        model::{
            cloudtrail::Cause,
            content::{Content, Diff},
            surface::Resource,
        },
    };
    use jiff::Timestamp;
    use serde_json::{Value, json};
    use warden_finding::{Finding, FindingId, Severity};

    fn records(drafts: Vec<Draft>) -> Vec<Record> {
        let resource: Resource = "arn:aws:lambda:us-east-1:111122223333:function:pay".parse().unwrap();
        let now = Timestamp::UNIX_EPOCH;
        append(&resource, &Cause::by_hand("test"), drafts, &Head::default(), now, || 7).unwrap().0
    }

    fn content(sids: &[&str]) -> Content {
        let statements: Vec<Value> = sids.iter().map(|sid| json!({"Sid": sid})).collect();
        Content::new(json!({"Statement": statements}))
    }

    /// A draft about the statement at `at`, with the content before and after.
    fn draft(step: Step, reason: Option<Reason>, before: &[&str], after: &[&str], at: &str) -> Draft {
        let finding = Finding {
            id: FindingId::PublicInvoke,
            severity: Severity::Critical,
            at: at.into(),
            message: "everybody may invoke it".into(),
        };
        Draft {
            guard: Some(GuardKind::Access),
            mode: Some(Mode::Enforce),
            surface: Some("resource-policy".parse().unwrap()),
            reason,
            findings: vec![finding],
            diff: Some(Diff { before: content(before), after: content(after) }),
            ..Draft::new(step)
        }
    }

    fn rebuild(records: &[Record]) -> Rebuilt {
        let mut rebuilt = Rebuilt::default();
        records.iter().for_each(|record| rebuilt.add(record, record.hash().unwrap()));
        rebuilt
    }

    fn standing(drafts: Vec<Draft>) -> usize {
        rebuild(&records(drafts)).states.values().map(|state| state.pre_existing.len()).sum()
    }

    #[test]
    fn the_end_of_the_chain_and_the_last_mode_are_told() {
        let drafts = vec![
            Draft { guard: Some(GuardKind::Access), mode: Some(Mode::Observe), ..Draft::new(Step::OptedIn) },
            Draft { guard: Some(GuardKind::Access), mode: Some(Mode::Enforce), ..Draft::new(Step::OptedIn) },
        ];
        let records = records(drafts);
        let Rebuilt { head, is_linked, .. } = rebuild(&records);
        assert!(is_linked && !rebuild(&records[1..]).is_linked);
        assert_eq!((head.last, head.records), (Some(records[1].id), 2));
        assert_eq!(head.hash, records[1].hash().ok());
        let known = &head.guards[&GuardKind::Access];
        assert_eq!((known.mode, known.surveyed), (Mode::Enforce, true));
    }

    #[test]
    fn what_stood_before_and_what_an_undo_restored_stands() {
        let old = || draft(Step::Withheld, Some(Reason::PreExisting), &["old"], &["old"], "Statement[0]");
        assert_eq!(standing(vec![old()]), 1);
        assert_eq!(standing(vec![draft(Step::Undone, None, &[], &["back"], "Statement[0]")]), 1);
        assert_eq!(standing(vec![draft(Step::Observed, None, &["seen"], &["seen"], "Statement[0]")]), 0);
        // What a guard took away since does not: put back, it is new.
        assert_eq!(standing(vec![old(), draft(Step::Applied, None, &["old"], &[], "Statement[0]")]), 0);
        assert_eq!(standing(vec![old(), draft(Step::Applied, None, &["old", "new"], &["old"], "Statement[1]")]), 1);
    }

    #[test]
    fn what_an_operator_accepted_stands_until_it_is_taken_back() {
        let accepted = || draft(Step::Accepted, None, &["let be"], &["let be"], "Statement[0]");
        assert_eq!(standing(vec![accepted()]), 1);
        assert_eq!(standing(vec![accepted(), draft(Step::Withdrawn, None, &[], &["let be"], "Statement[0]")]), 0);
    }

    #[test]
    fn a_plan_without_an_outcome_is_an_open_intent() {
        let open = |steps: &[Step]| {
            let drafts = steps.iter().map(|step| draft(*step, None, &["bad"], &[], "Statement[0]")).collect();
            rebuild(&records(drafts)).states.into_values().next().unwrap().intent
        };
        let intent = open(&[Step::Planned]).unwrap();
        assert_eq!((intent.purpose, intent.plan.before()), (Purpose::Remedy, &content(&["bad"])));
        for outcome in [Step::Applied, Step::Failed, Step::Undone] {
            assert_eq!(open(&[Step::Planned, outcome]), None, "{outcome}");
        }
    }

    #[test]
    fn what_a_surface_held_at_the_opt_in_is_told_by_the_first_record_of_it() {
        let opted_in = |sid: &str| Draft {
            surface: Some("trust".parse().unwrap()),
            diff: Some(Diff { before: content(&[sid]), after: content(&[sid]) }),
            ..Draft::new(Step::OptedIn)
        };
        let Rebuilt { states, .. } = rebuild(&records(vec![opted_in("first"), opted_in("second")]));
        let first: Vec<_> = states.into_values().filter_map(|state| state.first).collect();
        assert_eq!(first, [content(&["first"])]);
    }

    #[test]
    fn a_surface_whose_record_holds_no_content_is_unclear() {
        let left_out =
            Draft { diff: None, ..draft(Step::Withheld, Some(Reason::PreExisting), &[], &[], "Statement[0]") };
        let Rebuilt { unclear, .. } = rebuild(&records(vec![left_out]));
        assert_eq!(unclear.len(), 1);
    }
}
