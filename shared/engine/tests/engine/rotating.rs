//! Rotation: written down before it is made, alone at its function's secrets, and taken back like anything.

use crate::toy::Stage;
use jiff::SignedDuration;
use std::collections::{BTreeMap, BTreeSet};
use warden_engine::{
    call_error::ErrorKind,
    ledger::{
        record::{Record, Step},
        state::{Intent, Purpose},
    },
    model::{
        cloudtrail::Cause,
        content::Content,
        surface::{Resource, Surface},
    },
    plan::Plan,
    run::undo::{Newer, Undo},
    secret::{
        environment::{KeptValue, KeyedHash},
        rotate::{Kept, Others, Rotate, RotateRefusal},
    },
};
use warden_testing::{Fault, Port};

const PLANNED: [&str; 2] = ["planned secret/DB_PASSWORD", "rotated secret/DB_PASSWORD"];

fn hash(byte: u8) -> KeyedHash {
    KeyedHash([byte; 16])
}

fn surface() -> Surface {
    "secret/DB_PASSWORD".parse().unwrap()
}

fn holding(byte: u8) -> Content {
    KeptValue::new("warden/pay/1".parse().unwrap(), Some(hash(byte))).content()
}

/// `pay`, whose secret holds a first value.
fn stage() -> Stage {
    let stage = Stage::new();
    stage.world.put(&stage.pay, &surface(), holding(1));
    stage
}

fn rotate(stage: &Stage) -> Rotate {
    let Resource::Function(function) = stage.pay.clone() else { panic!("a function") };
    let (by, cause) = ("alice".into(), Cause::by_hand("warden rotate"));
    Rotate { function, variable: "DB_PASSWORD".parse().unwrap(), by, cause }
}

fn kept(from: u8) -> Kept {
    let secret = "warden/pay/1".parse().unwrap();
    Kept { secret, version: format!("v{from}"), value: Some(hash(from)), others: Others::default() }
}

fn plan(stage: &Stage, from: u8, to: u8) -> Plan {
    rotate(stage).plan(&kept(from), hash(to), None).unwrap()
}

async fn rotated(stage: &Stage, from: u8, to: u8) -> Result<Vec<Record>, RotateRefusal> {
    rotate(stage).carry_out(&stage.world, &stage.settings, &plan(stage, from, to)).await
}

/// The hashes of what was replaced, oldest first.
fn replaced(stage: &Stage) -> Vec<KeyedHash> {
    let state = stage.world.state(&stage.pay, &Surface::Environment(None));
    let variable = state.values.get("DB_PASSWORD").unwrap();
    variable.earlier.iter().map(|known| known.hash).collect()
}

#[tokio::test]
async fn a_rotation_is_recorded_remembered_and_taken_back() {
    let stage = stage();
    let records = rotated(&stage, 1, 2).await.unwrap();
    stage.check_log(&PLANNED);
    assert_eq!(stage.world.content(&stage.pay, &surface()), holding(2));
    assert_eq!(replaced(&stage), [hash(1)]);
    assert!(records[1].entry.note.as_ref().unwrap().starts_with("rotated by alice"));

    let undone = stage.undo(&records[1]).await.unwrap();
    assert_eq!(stage.world.content(&stage.pay, &surface()), holding(1));
    assert_eq!(replaced(&stage), [hash(2)]);
    // There is no finding that the guards would have to leave alone.
    assert_eq!(undone.last().unwrap().entry.step, Step::Undone);
    assert!(stage.world.state(&stage.pay, &surface()).acceptances.is_empty());
}

#[tokio::test]
async fn a_rotation_overwrites_nothing_that_somebody_changed_since_it_was_read() {
    let stage = stage();
    let plan = plan(&stage, 1, 2);
    stage.world.put(&stage.pay, &surface(), holding(3));
    let refusal = rotate(&stage).carry_out(&stage.world, &stage.settings, &plan).await.unwrap_err();
    assert_eq!(refusal, RotateRefusal::Changed);
    stage.check_log(&[]);
}

#[tokio::test]
async fn a_rotation_waits_for_whatever_changes_the_function_s_secrets() {
    let stage = stage();
    let intent = |surface: &Surface| Intent {
        has_otherwise: false,
        purpose: Purpose::Remedy,
        remediation: "another".into(),
        findings: Vec::new(),
        plan: Plan::new(surface.clone(), Content::ABSENT),
        lease: warden_engine::ports::Clock::now(&stage.world).saturating_add(SignedDuration::from_secs(60)).unwrap(),
    };
    for busy in ["environment", "secret/API_TOKEN", "secret/DB_PASSWORD"] {
        let busy: Surface = busy.parse().unwrap();
        stage.world.forge_state(&stage.pay, &busy, |state| state.intent = Some(intent(&busy)));
        assert_eq!(rotated(&stage, 1, 2).await.unwrap_err(), RotateRefusal::Busy(stage.pay.clone()), "{busy}");
        stage.world.forge_state(&stage.pay, &busy, |state| state.intent = None);
    }
    // What does not go through them is no hindrance.
    let role = Surface::Role(None);
    stage.world.forge_state(&stage.pay, &role, |state| state.intent = Some(intent(&role)));
    rotated(&stage, 1, 2).await.unwrap();
}

#[tokio::test]
async fn what_aws_refuses_is_recorded_and_what_was_cut_off_is_ended_by_the_next_rotation() {
    let stage = stage();
    stage.world.fault_at(Port::Call, 0, Fault::Refused(ErrorKind::Refused));
    assert!(matches!(rotated(&stage, 1, 2).await, Err(RotateRefusal::Failed(_))));
    stage.check_log(&["planned secret/DB_PASSWORD", "failed secret/DB_PASSWORD"]);

    stage.world.fault_at(Port::Call, 0, Fault::CrashAfter);
    assert!(stage.world.run(rotated(&stage, 1, 2)).await.is_none());
    stage.world.heal();
    stage.world.pass(SignedDuration::from_hours(1)).await;
    rotated(&stage, 2, 3).await.unwrap();
    stage.check_log(&[
        "planned secret/DB_PASSWORD",
        "failed secret/DB_PASSWORD",
        "planned secret/DB_PASSWORD",
        "rotated secret/DB_PASSWORD",
        "planned secret/DB_PASSWORD",
        "rotated secret/DB_PASSWORD",
    ]);
    assert_eq!(replaced(&stage), [hash(1), hash(2)]);
}

#[test]
fn an_undo_names_the_secret_with_a_newer_value_and_those_that_nobody_can_read() {
    let name = |name: &str| name.parse().unwrap();
    let secret = |name: &str| name.parse().unwrap();
    let newer = BTreeMap::from([
        (name("DB_PASSWORD"), Newer::In(secret("warden/pay/1"))),
        (name("API_TOKEN"), Newer::MayBeIn(BTreeSet::from([secret("warden/pay/1"), secret("warden/pay/2")]))),
    ]);
    let told = Undo::replaced_note(&newer).unwrap();
    let lines: Vec<&str> = told.lines().collect();
    assert!(
        lines[0].starts_with("API_TOKEN gets back")
            && lines[0].contains("warden/pay/1 and warden/pay/2 cannot be read")
    );
    assert!(lines[1].starts_with("DB_PASSWORD gets back") && lines[1].contains("the newer one stays in warden/pay/1"));
    assert_eq!(Undo::replaced_note(&BTreeMap::new()), None);
}
