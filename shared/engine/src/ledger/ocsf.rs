//! Records as OCSF 1.6 documents, for whatever reads the bus: Remediation Activity (class 7001) for what was done,
//! Compliance Finding (class 2003) for what was found. The record itself rides along under `unmapped.warden`.
//!
//! Class and attribute numbers: schema.ocsf.io, classes `remediation_activity` and `compliance_finding`.

use crate::{
    ledger::record::{Record, Step},
    shown::make_shown,
};
use serde_json::{Value, json};
use warden_finding::Severity;

/// The event's detail type on the bus.
pub const fn detail_type(step: Step) -> &'static str {
    match class(step) {
        Class::RemediationActivity => "Remediation Activity",
        Class::ComplianceFinding => "Compliance Finding",
    }
}

enum Class {
    RemediationActivity,
    ComplianceFinding,
}

const fn class(step: Step) -> Class {
    match step {
        Step::Planned | Step::Applied | Step::Failed | Step::Undone | Step::Rotated => Class::RemediationActivity,
        Step::Observed
        | Step::Withheld
        | Step::Accepted
        | Step::Withdrawn
        | Step::OptedIn
        | Step::OptedOut
        | Step::Paused
        | Step::Resumed => Class::ComplianceFinding,
    }
}

/// OCSF `severity_id`: 1 informational to 5 critical.
const fn severity_id(severity: Option<Severity>) -> u8 {
    match severity {
        None | Some(Severity::Info) => 1,
        Some(Severity::Low) => 2,
        Some(Severity::Medium) => 3,
        Some(Severity::High) => 4,
        Some(Severity::Critical) => 5,
    }
}

/// The record as an OCSF document.
pub fn document(record: &Record) -> Value {
    let entry = &record.entry;
    let ids: Vec<&str> = entry.findings.iter().map(|finding| finding.id.as_str()).collect();
    let surface = entry.surface.as_ref().map(ToString::to_string);
    let what = match (&surface, &entry.note) {
        (Some(surface), _) if !ids.is_empty() => format!("{}: {} on {surface}", entry.step, ids.join(", ")),
        (_, Some(note)) => format!("{}: {note}", entry.step),
        (Some(surface), None) => format!("{}: {surface}", entry.step),
        (None, None) => entry.step.to_string(),
    };
    let mut document = json!({
        "time": record.time.as_millisecond(),
        "severity_id": severity_id(entry.severity),
        "message": format!("{what} of {}", record.resource),
        "metadata": {
            "version": "1.6.0",
            "uid": record.id,
            "product": {"name": "Lambda Warden", "vendor_name": "Lambda Warden", "version": env!("CARGO_PKG_VERSION")},
            "log_provider": "warden",
        },
        "cloud": {"provider": "AWS", "region": record.region, "account": {"uid": record.account}},
        "actor": {
            "user": {"uid": record.cause.actor},
            "app_name": record.cause.user_agent,
        },
        "src_endpoint": {"ip": record.cause.source_address},
        "resources": [{"uid": record.resource, "name": record.resource.name(), "owner": {"name": entry.owner}}],
        "unmapped": {"warden": record},
    });
    let class_fields = match class(entry.step) {
        Class::RemediationActivity => remediation_activity(record, &ids),
        Class::ComplianceFinding => compliance_finding(record, &ids, &what),
    };
    if let (Value::Object(document), Value::Object(class_fields)) = (&mut document, class_fields) {
        document.extend(class_fields);
    }
    // Events go to many: they show no name of a variable that is a secret.
    make_shown(&mut document);
    document
}

fn remediation_activity(record: &Record, ids: &[&str]) -> Value {
    let entry = &record.entry;
    // `Harden` (4) puts a setting right; an undo is `Restore` (3).
    let activity = if entry.undoes.is_some() { 3 } else { 4 };
    // Success, Failure; a plan has no outcome yet.
    let status = if matches!(entry.step, Step::Applied | Step::Undone | Step::Rotated) {
        1
    } else if entry.step == Step::Failed {
        2
    } else {
        0
    };
    let calls = entry.changes.iter().map(|change| change.call().to_string()).collect::<Vec<_>>().join("; ");
    // The secret of a function that is gone is put away without a finding.
    let what = if ids.is_empty() { calls } else { format!("{}: {calls}", ids.join(", ")) };
    json!({
        "category_uid": 7,
        "class_uid": 7001,
        "activity_id": activity,
        "type_uid": 700_100 + activity,
        "status_id": status,
        "command_uid": entry.remediation,
        "duration": entry.duration_ms,
        "remediation": {"desc": what},
    })
}

fn compliance_finding(record: &Record, ids: &[&str], what: &str) -> Value {
    json!({
        "category_uid": 2,
        "class_uid": 2003,
        "activity_id": 1,
        "type_uid": 200_301,
        // New.
        "status_id": 1,
        // Fail, where there is a finding.
        "compliance": {
            "control": ids.join(", "),
            "standards": ["Lambda Warden"],
            "status_id": if ids.is_empty() { 1 } else { 3 },
        },
        "finding_info": {
            "uid": record.id,
            "title": what,
            "desc": record.entry.note,
            "types": ids,
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        ledger::{chain::append, record::Draft, state::Head},
        model::{
            cloudtrail::Cause,
            content::{Content, Diff},
        },
    };
    use jiff::Timestamp;
    use warden_finding::{Finding, FindingId};

    #[track_caller]
    fn check(step: Step, severity: Option<Severity>, class: u64, severity_id: u64) {
        let resource = "arn:aws:lambda:us-east-1:111122223333:function:pay".parse().unwrap();
        let draft = Draft { severity, ..Draft::new(step) };
        let (records, _) =
            append(&resource, &Cause::by_hand("test"), vec![draft], &Head::default(), Timestamp::UNIX_EPOCH, || 7)
                .unwrap();
        let document = document(&records[0]);
        assert_eq!(document["class_uid"], class);
        assert_eq!(document["severity_id"], severity_id);
        assert_eq!(document["type_uid"].as_u64().unwrap() / 100, class);
        assert_eq!(document["unmapped"]["warden"]["id"], records[0].id.to_string());
    }

    #[test]
    fn each_step_has_its_class() {
        check(Step::Applied, Some(Severity::Critical), 7001, 5);
        check(Step::Withheld, Some(Severity::High), 2003, 4);
        check(Step::OptedIn, None, 2003, 1);
        check(Step::Rotated, None, 7001, 1);
    }

    /// Whoever may configure a function may give a variable a secret as its name.
    #[test]
    fn a_secret_in_a_variables_name_is_in_no_audit_event() {
        let name = concat!("sk_li", "ve_4eC39HqLyjWDarjtT1zdp7dc");
        let resource = "arn:aws:lambda:us-east-1:111122223333:function:pay".parse().unwrap();
        let held = Content::new(json!({"Variables": {name: "sha256:1f2e"}}));
        let finding = Finding {
            id: FindingId::PlaintextSecret,
            severity: Severity::High,
            at: name.into(),
            message: format!("{name} looks like a secret"),
        };
        let draft = Draft {
            surface: Some(format!("secret/{name}").parse().unwrap()),
            findings: vec![finding],
            note: Some(format!("{name} was taken out")),
            owner: Some(name.into()),
            diff: Some(Diff { before: held.clone(), after: held }),
            ..Draft::new(Step::Applied)
        };
        let (records, _) =
            append(&resource, &Cause::by_hand("test"), vec![draft], &Head::default(), Timestamp::UNIX_EPOCH, || 7)
                .unwrap();
        let event = document(&records[0]).to_string();
        assert!(!event.contains(name) && event.contains("redacted-"), "{event}");
        // The record's sentences show it no more than the event; what it is undone by has the name.
        let entry = &records[0].entry;
        assert!(
            !entry.findings[0].message.contains(name) && !format!("{:?}{:?}", entry.note, entry.owner).contains(name)
        );
        assert_eq!(entry.findings[0].at, name);
    }
}
