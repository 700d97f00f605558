//! What is rotated stays rotated: values that were replaced, set again by a deployment that does not know; rotation by
//! an operator; and what people put into a secret by hand.

use aws_sdk_secretsmanager::types::Tag;
use serde_json::json;
use std::{collections::BTreeSet, time::Duration};
use warden_aws::Elsewhere;
use warden_engine::{
    ledger::record::{Record, Step},
    model::cloudtrail::Cause,
    ports::Account as _,
    run::undo::Undo,
    secret::{
        environment::KeptValue,
        rotate::{Kept, NotKept, Others, RotateRefusal},
    },
};
use warden_sandbox::{CallMatch, Fault};
use warden_tests::{
    Account, arn,
    environment::{Variables, variables},
};

const FIRST: &str = "Kx9vQ7mZ2pLtR4wN";
const SECOND: &str = "Zq81xB0vK2mXp7TwLr5n";
const THIRD: &str = "Hw3kPz8sVn5rTq1yJd7b";

fn password(value: &str) -> Variables {
    variables(&[("DB_PASSWORD", value)])
}

/// An account with a function `pay` whose first password was taken out; the secret.
async fn stripped() -> (Account, String) {
    let account = Account::with_secrets_guarded(&[("BreakerReverts", "100")]).await;
    account.guarded_python("pay").await;
    account.deploy_and_settle("pay", &password(FIRST)).await;
    let secret = account.referred("pay", "DB_PASSWORD").await.expect("a reference");
    (account, secret)
}

/// The ids of a secret's versions that have a label.
async fn versions(account: &Account, secret: &str) -> usize {
    let described = account.secrets.describe_secret().secret_id(secret).send().await.expect("the secret");
    described.version_ids_to_stages().map_or(0, |versions| versions.len())
}

/// Adds labels of somebody's to a secret, so that it has no room for a further version of Warden's.
async fn fill(account: &Account, secret: &str) {
    let described = account.secrets.describe_secret().secret_id(secret).send().await.expect("the secret");
    let version = described.version_ids_to_stages().and_then(|all| all.keys().next().cloned()).expect("a version");
    for label in 0..17 {
        let add = account.secrets.update_secret_version_stage().secret_id(secret);
        let add = add.version_stage(format!("label-{label}")).move_to_version_id(&version);
        add.send().await.expect("a label");
    }
}

/// A function whose first secret is full, so that its second value is in a second one.
async fn stripped_into_two() -> (Account, [String; 2]) {
    let (account, first) = stripped().await;
    fill(&account, &first).await;
    let mut next = account.environment("pay").await;
    next.insert("API_TOKEN".into(), SECOND.into());
    account.deploy_and_settle("pay", &next).await;
    let second = account.referred("pay", "API_TOKEN").await.expect("a reference");
    assert_ne!(first, second);
    (account, [first, second])
}

/// Puts a text into a secret, as the console does.
async fn put(account: &Account, secret: &str, text: &str) {
    account.secrets.put_secret_value().secret_id(secret).secret_string(text).send().await.expect("put");
}

async fn last(account: &Account, step: Step) -> Record {
    account.steps("pay", step).await.pop().expect("a record")
}

fn note(record: &Record) -> &str {
    record.entry.note.as_deref().unwrap_or_default()
}

#[tokio::test]
async fn a_rotated_secret_stays_rotated_whatever_a_stale_pipeline_sets() {
    let (account, secret) = stripped().await;
    account.rotate("pay", "DB_PASSWORD", SECOND).await.expect("rotated");
    assert_eq!(account.secret(&secret).await, password(SECOND));
    let before = versions(&account, &secret).await;

    // Twice: what is stale stays so.
    for _ in 0..2 {
        account.deploy_and_settle("pay", &password(FIRST)).await;
        assert_eq!(account.referred("pay", "DB_PASSWORD").await.as_ref(), Some(&secret));
        assert_eq!(account.secret(&secret).await, password(SECOND));
        assert_eq!(versions(&account, &secret).await, before, "nothing was stored");
    }
    assert_eq!(account.told_by_code("pay", &password(SECOND)).await, password(SECOND));
    assert_eq!(
        account.secret_story("pay").await[3..],
        [
            "planned secret/DB_PASSWORD",
            "rotated secret/DB_PASSWORD",
            "planned environment known-secret",
            "applied environment known-secret",
            "planned environment known-secret",
            "applied environment known-secret",
        ]
    );
    let applied = last(&account, Step::Applied).await;
    for part in ["that is not stored again", "`warden rotate pay DB_PASSWORD`", "until they start again"] {
        assert!(note(&applied).contains(part), "{}", note(&applied));
    }
    let rotated = last(&account, Step::Rotated).await;
    assert!(note(&rotated).contains("rotated by alice") && note(&rotated).contains("until they start again"));

    // What was set is not lost: an undo finds it in its old version.
    account.ready("pay").await;
    account.undo(applied).await.expect("undone");
    assert_eq!(account.environment("pay").await["DB_PASSWORD"], FIRST);

    // A value that was never seen is new, as ever.
    account.deploy_and_settle("pay", &password(THIRD)).await;
    assert_eq!(account.secret(&secret).await, password(THIRD));
    account.deploy_and_settle("pay", &password(SECOND)).await;
    assert_eq!(account.secret(&secret).await, password(THIRD), "the one that was rotated in between is stale now");
}

#[tokio::test]
async fn a_value_that_somebody_replaced_by_hand_is_stale_too() {
    let (account, secret) = stripped().await;
    put(&account, &secret, &json!({"DB_PASSWORD": SECOND}).to_string()).await;
    account.deploy_and_settle("pay", &password(FIRST)).await;
    assert_eq!(account.secret(&secret).await, password(SECOND));
    // Seen once, it is known when it is replaced in turn.
    put(&account, &secret, &json!({"DB_PASSWORD": THIRD}).to_string()).await;
    for stale in [SECOND, FIRST] {
        account.deploy_and_settle("pay", &password(stale)).await;
        assert_eq!(account.seen_by_code("pay").await, password(THIRD));
    }
}

#[tokio::test]
async fn a_value_from_before_the_first_one_that_was_stored_is_stale_and_kept_for_the_undo() {
    let account = Account::with_secrets_guarded(&[]).await;
    // It was there before the opt-in, and stands.
    account.python("pay", &[], &password(FIRST)).await;
    account.settle().await;
    account.tag("pay", &[("warden:secrets", "enforce")]).await;
    account.settle().await;
    account.deploy_and_settle("pay", &password(SECOND)).await;
    let secret = account.referred("pay", "DB_PASSWORD").await.expect("what is new is taken out");
    account.deploy_and_settle("pay", &password(FIRST)).await;
    assert_eq!(account.seen_by_code("pay").await, password(SECOND));
    assert_eq!(account.secret(&secret).await, password(SECOND));
    let applied = last(&account, Step::Applied).await;
    account.ready("pay").await;
    account.undo(applied).await.expect("undone");
    assert_eq!(account.environment("pay").await["DB_PASSWORD"], FIRST);
    assert_eq!(account.secret(&secret).await, password(SECOND));
}

#[tokio::test]
async fn going_back_is_a_rotation_and_a_rotation_is_undone_like_anything() {
    let (account, secret) = stripped().await;
    account.rotate("pay", "DB_PASSWORD", SECOND).await.expect("rotated");
    let refusal = account.rotate("pay", "DB_PASSWORD", SECOND).await.expect_err("refused");
    assert!(matches!(refusal, RotateRefusal::SameValue(_)), "{refusal}");
    account.rotate("pay", "DB_PASSWORD", FIRST).await.expect("back on purpose");
    account.deploy_and_settle("pay", &password(FIRST)).await;
    assert_eq!(account.seen_by_code("pay").await, password(FIRST));
    account.deploy_and_settle("pay", &password(SECOND)).await;
    assert_eq!(account.seen_by_code("pay").await, password(FIRST), "now this one is stale");

    account.rotate("pay", "DB_PASSWORD", THIRD).await.expect("rotated");
    let rotated = last(&account, Step::Rotated).await;
    account.undo(rotated.clone()).await.expect("undone");
    assert_eq!(account.secret(&secret).await, password(FIRST));
    assert!(note(&last(&account, Step::Undone).await).contains("until they start again"));
    account.deploy_and_settle("pay", &password(THIRD)).await;
    assert_eq!(account.seen_by_code("pay").await, password(FIRST), "what was taken back is stale");
    let refusal = account.undo(rotated).await.expect_err("refused");
    assert!(refusal.to_string().contains("already holds"), "{refusal}");
    assert!(account.ledger.open_intents().await.expect("the index").is_empty());
}

/// Going back by hand moves a label, and makes no version.
#[tokio::test]
async fn what_was_rotated_and_taken_back_by_a_label_is_rotated_again() {
    let (account, secret) = stripped().await;
    account.rotate("pay", "DB_PASSWORD", SECOND).await.expect("rotated");
    let described = account.secrets.describe_secret().secret_id(&secret).send().await.expect("the secret");
    let labelled = |label: &str| {
        let versions = described.version_ids_to_stages().expect("versions").iter();
        let mut found = versions.filter(|(_, labels)| labels.iter().any(|it| it == label)).map(|(id, _)| id.clone());
        found.next().expect("a version")
    };
    let back = account.secrets.update_secret_version_stage().secret_id(&secret).version_stage("AWSCURRENT");
    let back = back.move_to_version_id(labelled("AWSPREVIOUS")).remove_from_version_id(labelled("AWSCURRENT"));
    back.send().await.expect("moved");
    assert_eq!(account.secret(&secret).await, password(FIRST));
    account.rotate("pay", "DB_PASSWORD", SECOND).await.expect("rotated again");
    assert_eq!(account.secret(&secret).await, password(SECOND));
    account.deploy_and_settle("pay", &password(FIRST)).await;
    assert_eq!(account.secret(&secret).await, password(SECOND));
}

#[tokio::test]
async fn a_rotation_leaves_the_other_values_and_what_warden_does_not_keep_is_refused() {
    let (account, secret) = stripped().await;
    let token = ("API_TOKEN", "Tk7fQ2mVx9LpZr4Ws8");
    let mut next = account.environment("pay").await;
    next.insert(token.0.into(), token.1.into());
    account.deploy_and_settle("pay", &next).await;
    account.rotate("pay", "DB_PASSWORD", SECOND).await.expect("rotated");
    assert_eq!(account.secret(&secret).await, variables(&[("DB_PASSWORD", SECOND), token]));

    let mut next = account.environment("pay").await;
    next.insert("STAGE".into(), "test".into());
    next.insert("FOREIGN".into(), "warden-secret:warden/bank/aaaaaaaaaaaa".into());
    account.deploy_and_settle("pay", &next).await;
    let (aws, _) = account.operator().await;
    let kept = async |name: &str, variable: &str| {
        let function = arn(name).parse().expect("a function");
        aws.kept(&function, &variable.parse().expect("a variable")).await.expect("read")
    };
    assert_eq!(kept("pay", "STAGE").await, Some(Err(NotKept::NoReference)));
    assert_eq!(kept("pay", "NOT_THERE").await, Some(Err(NotKept::NotSet)));
    assert!(matches!(kept("pay", "FOREIGN").await, Some(Err(NotKept::Foreign(_)))));
    assert_eq!(kept("nobody", "STAGE").await, None);
}

#[tokio::test]
async fn a_function_that_is_made_anew_with_the_old_value_has_the_rotated_one() {
    let (account, secret) = stripped().await;
    account.rotate("pay", "DB_PASSWORD", SECOND).await.expect("rotated");
    account.lambda.delete_function().function_name("pay").send().await.expect("deleted");
    account.settle().await;
    account.python("pay", &[("warden:secrets", "enforce")], &password(FIRST)).await;
    account.settle().await;
    assert_eq!(account.referred("pay", "DB_PASSWORD").await, Some(secret));
    assert_eq!(account.told_by_code("pay", &password(SECOND)).await, password(SECOND));
}

/// A secret's next version is made from the one that was read: two at once would take from each other.
#[tokio::test]
async fn a_rotation_and_a_strip_wait_for_each_other() {
    let (account, secret) = stripped().await;
    let trail = account.sandbox.trail();
    let slow = || CallMatch::operation("PutSecretValue");
    let token = ("API_TOKEN", "Tk7fQ2mVx9LpZr4Ws8");
    let mut next = account.environment("pay").await;
    next.insert(token.0.into(), token.1.into());

    // The guard is at it.
    trail.faults().inject(slow().by("warden-secret-guard"), 1, Fault::Delay(Duration::from_secs(5)));
    account.deploy_environment("pay", &next).await;
    while !trail.faults().pending().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    let refusal = account.rotate("pay", "DB_PASSWORD", SECOND).await.expect_err("refused");
    assert!(matches!(refusal, RotateRefusal::Busy(_)), "{refusal}");
    account.settle().await;
    assert_eq!(account.secret(&secret).await, variables(&[("DB_PASSWORD", FIRST), token]));

    // The operator is at it.
    trail.faults().inject(slow().by("warden-operator"), 1, Fault::Delay(Duration::from_millis(500)));
    let later = ("LATER_TOKEN", "Qm4vXz7Lp2Rt9Ws8Kd1f");
    let mut next = account.environment("pay").await;
    next.insert(later.0.into(), later.1.into());
    let deploy = async {
        while !trail.faults().pending().is_empty() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        account.deploy_environment("pay", &next).await;
    };
    let (rotated, ()) = tokio::join!(account.rotate("pay", "DB_PASSWORD", SECOND), deploy);
    rotated.expect("rotated");
    account.settle().await;
    assert_eq!(account.secret(&secret).await, variables(&[("DB_PASSWORD", SECOND), token, later]));
}

/// What the console of Secrets Manager invites to.
#[tokio::test]
async fn a_plain_text_in_the_secret_of_one_variable_is_its_value_and_a_log_line() {
    let (account, secret) = stripped().await;
    put(&account, &secret, &format!("{SECOND}\n")).await;
    let mut function = account.sandbox.start_function("pay", None).await.expect("it starts");
    let seen = function.invoke(&json!({"names": ["DB_PASSWORD"]})).await.expect("a reply");
    assert_eq!(format!("{seen:?}"), format!("{:?}", warden_sandbox::Reply::Returned(json!({"DB_PASSWORD": SECOND}))));
    let log = function.log();
    assert!(log.contains("holds a plain text") && log.contains("`warden rotate pay DB_PASSWORD`"), "{log}");
    assert!(!log.contains(SECOND), "{log}");

    // The guard understands it too: the first value is stale, and another secret makes an object of it again.
    let token = ("API_TOKEN", "Tk7fQ2mVx9LpZr4Ws8");
    account.deploy_and_settle("pay", &variables(&[("DB_PASSWORD", FIRST), token])).await;
    assert_eq!(account.secret(&secret).await, variables(&[("DB_PASSWORD", SECOND), token]));

    // So does the operator.
    put(&account, &secret, "\"quoted\"").await;
    account.rotate("pay", "DB_PASSWORD", THIRD).await.expect("rotated");
    assert_eq!(account.secret(&secret).await, variables(&[("DB_PASSWORD", THIRD), token]), "the other one is kept");
}

#[tokio::test]
async fn a_text_that_is_nobodys_value_is_reported_and_put_right_by_rotations() {
    let (account, secret) = stripped().await;
    let token = ("API_TOKEN", "Tk7fQ2mVx9LpZr4Ws8");
    let mut next = account.environment("pay").await;
    next.insert(token.0.into(), token.1.into());
    account.deploy_and_settle("pay", &next).await;
    // Twice, so that AWSPREVIOUS holds nothing either.
    for _ in 0..2 {
        put(&account, &secret, SECOND).await;
    }
    let refused = account.sandbox.start_function("pay", None).await.expect_err("it does not start").to_string();
    for variable in ["DB_PASSWORD", "API_TOKEN"] {
        assert!(refused.contains(&format!("`warden rotate pay {variable}`")), "{refused}");
    }

    let later = ("LATER_TOKEN", "Qm4vXz7Lp2Rt9Ws8Kd1f");
    let mut next = account.environment("pay").await;
    next.insert(later.0.into(), later.1.into());
    account.deploy_and_settle("pay", &next).await;
    let withheld = last(&account, Step::Withheld).await;
    assert!(note(&withheld).contains("`warden rotate pay DB_PASSWORD`"), "{}", note(&withheld));
    assert_eq!(account.environment("pay").await[later.0], later.1);

    account.rotate("pay", "DB_PASSWORD", THIRD).await.expect("rotated");
    let both = variables(&[("DB_PASSWORD", THIRD), token]);
    assert_eq!(account.secret(&secret).await, both, "what was beside it comes back from where the ledger knows it");
    let mut next = account.environment("pay").await;
    next.insert("STAGE".into(), "test".into());
    account.deploy_and_settle("pay", &next).await;
    let seen = variables(&[("DB_PASSWORD", THIRD), token, later, ("STAGE", "test")]);
    assert_eq!(account.told_by_code("pay", &seen).await, seen);
}

/// The console shows the whole JSON object, and people put there what belongs together.
#[tokio::test]
async fn what_somebody_else_keeps_in_the_secret_makes_no_secret_of_plain_settings() {
    let (account, secret) = stripped().await;
    let text = json!({"DB_PASSWORD": SECOND, "username": "app", "STAGE": "production", "port": "5432"});
    put(&account, &secret, &text.to_string()).await;
    let mut next = account.environment("pay").await;
    next.extend(variables(&[("STAGE", "production"), ("DB_PORT", "5432"), ("port", "5432")]));
    for _ in 0..2 {
        account.deploy_and_settle("pay", &next).await;
        assert_eq!(account.environment("pay").await, next);
    }
    // A rotation leaves them where they are.
    account.rotate("pay", "DB_PASSWORD", THIRD).await.expect("rotated");
    assert_eq!(account.secret(&secret).await["port"], "5432");
}

#[tokio::test]
async fn a_password_that_is_short_or_plain_is_taken_out_under_its_own_name_alone() {
    let (account, secret) = stripped().await;
    account.rotate("pay", "DB_PASSWORD", "12").await.expect("rotated");
    let mut next = account.environment("pay").await;
    next.insert("PASSWORD_MIN_LENGTH".into(), "12".into());
    account.deploy_and_settle("pay", &next).await;
    assert_eq!(account.environment("pay").await, next);
    // Set again by a pipeline that knows it, it is taken out.
    next.insert("DB_PASSWORD".into(), "12".into());
    account.deploy_and_settle("pay", &next).await;
    assert_eq!(account.referred("pay", "DB_PASSWORD").await, Some(secret));
    assert_eq!(account.environment("pay").await["PASSWORD_MIN_LENGTH"], "12");
}

#[tokio::test]
async fn a_random_value_is_taken_out_under_any_name_that_may_be_a_secrets() {
    let (account, secret) = stripped().await;
    // Put there by hand, so that the account does not know it.
    put(&account, &secret, &json!({"DB_PASSWORD": SECOND}).to_string()).await;
    let mut next = account.environment("pay").await;
    next.extend(variables(&[("SIGNING", SECOND), ("CLIENT_ID", SECOND)]));
    account.deploy_and_settle("pay", &next).await;
    for name in ["SIGNING", "CLIENT_ID"] {
        assert!(account.referred("pay", name).await.is_some(), "{name}: {:?}", account.secret_story("pay").await);
    }
}

/// Two kinds of characters only, so that the account does not know it.
#[tokio::test]
async fn what_was_taken_out_of_a_function_is_found_in_it_under_any_name_until_somebody_takes_it_back() {
    const TOKEN: &str = "9f31c27ab0de55814a6cf7703be2d914";
    let account = Account::with_secrets_guarded(&[("BreakerReverts", "100")]).await;
    account.guarded_python("pay").await;
    // At the first look already, so that nothing is left for the next one.
    account.deploy_and_settle("pay", &variables(&[("API_TOKEN", TOKEN), ("TABLE_NAME", TOKEN)])).await;
    let applied = last(&account, Step::Applied).await;
    let at: Vec<&str> = applied.entry.findings.iter().map(|finding| finding.at.as_str()).collect();
    assert_eq!(at, ["API_TOKEN", "TABLE_NAME"]);
    let mut next = account.environment("pay").await;
    next.insert("CLIENT_ID".into(), TOKEN.into());
    account.deploy_and_settle("pay", &next).await;
    assert!(account.referred("pay", "CLIENT_ID").await.is_some(), "{:?}", account.secret_story("pay").await);

    let again = last(&account, Step::Applied).await;
    account.ready("pay").await;
    account.undo(again).await.expect("undone");
    let mut next = account.environment("pay").await;
    next.insert("BUILD_VERSION".into(), TOKEN.into());
    account.deploy_and_settle("pay", &next).await;
    assert_eq!(account.environment("pay").await, next, "an operator lets the value stand");
}

#[tokio::test]
async fn a_replaced_value_that_comes_back_under_another_name_is_found_and_said_to_be_replaced() {
    let (account, secret) = stripped().await;
    account.rotate("pay", "DB_PASSWORD", SECOND).await.expect("rotated");
    account.deploy_and_settle("pay", &variables(&[("CLIENT_ID", FIRST)])).await;
    assert_eq!(account.referred("pay", "CLIENT_ID").await, Some(secret), "{:?}", account.secret_story("pay").await);
    let applied = last(&account, Step::Applied).await;
    let told = note(&applied);
    assert!(
        told.contains("an earlier value of DB_PASSWORD") && told.contains("`warden rotate pay CLIENT_ID`"),
        "{told}"
    );
    // The function has the value that it was given: which one it is to have under this name, nobody but its owner knows.
    assert_eq!(account.seen_by_code("pay").await["CLIENT_ID"], FIRST);
}

/// The version before is whatever somebody has put there.
#[tokio::test]
async fn what_was_beside_a_text_that_is_no_object_is_what_the_ledger_knows() {
    let (account, secret) = stripped().await;
    let token = ("API_TOKEN", "Tk7fQ2mVx9LpZr4Ws8");
    let mut next = account.environment("pay").await;
    next.insert(token.0.into(), token.1.into());
    account.deploy_and_settle("pay", &next).await;
    let forged = json!({"DB_PASSWORD": FIRST, "API_TOKEN": "Zz0forgedbysomebody", "port": "5432"});
    put(&account, &secret, &forged.to_string()).await;
    put(&account, &secret, "oops").await;
    account.rotate("pay", "DB_PASSWORD", THIRD).await.expect("rotated");
    let held = account.secret(&secret).await;
    assert_eq!(held, variables(&[("DB_PASSWORD", THIRD), token, ("port", "5432")]));
    let rotated = last(&account, Step::Rotated).await;
    for part in ["another value of API_TOKEN", "`warden rotate pay API_TOKEN`"] {
        assert!(note(&rotated).contains(part), "{}", note(&rotated));
    }
}

#[tokio::test]
async fn a_value_that_is_in_no_version_any_more_is_named_and_not_left_out_silently() {
    let (account, secret) = stripped().await;
    let token = ("API_TOKEN", "Tk7fQ2mVx9LpZr4Ws8");
    let mut next = account.environment("pay").await;
    next.insert(token.0.into(), token.1.into());
    account.deploy_and_settle("pay", &next).await;
    let gone = account.secrets.delete_secret().secret_id(&secret).force_delete_without_recovery(true);
    gone.send().await.expect("deleted");
    let tag = Tag::builder().key("application").value("lambda-warden").build();
    let anew = account.secrets.create_secret().name(&secret).tags(tag).secret_string("oops");
    anew.send().await.expect("made anew");
    account.rotate("pay", "DB_PASSWORD", THIRD).await.expect("rotated");
    let rotated = last(&account, Step::Rotated).await;
    for part in ["no version of", "API_TOKEN", "`warden rotate pay API_TOKEN`"] {
        assert!(note(&rotated).contains(part), "{}", note(&rotated));
    }
}

#[tokio::test]
async fn an_undo_that_is_made_once_more_beside_other_values_is_another_version() {
    let (account, secret) = stripped().await;
    let mut next = account.environment("pay").await;
    next.insert("API_TOKEN".into(), "Tk7fQ2mVx9LpZr4Ws8".into());
    account.deploy_and_settle("pay", &next).await;
    account.rotate("pay", "DB_PASSWORD", SECOND).await.expect("rotated");
    let rotated = last(&account, Step::Rotated).await;
    account.undo(rotated.clone()).await.expect("undone");
    // By hand, so that the version of the first undo is the one before.
    put(&account, &secret, &json!({"DB_PASSWORD": SECOND, "API_TOKEN": THIRD}).to_string()).await;
    account.undo(rotated).await.expect("undone once more");
    assert_eq!(account.secret(&secret).await, variables(&[("DB_PASSWORD", FIRST), ("API_TOKEN", THIRD)]));
}

/// The version that the guard made before it was cut off is there, and is not the current one any more.
#[tokio::test]
async fn a_strip_that_goes_on_after_somebody_has_put_other_values_there_keeps_both() {
    let account = Account::with_secrets_guarded(&[("BreakerReverts", "100"), ("LeaseSeconds", "5")]).await;
    account.guarded_python("pay").await;
    account.deploy_and_settle("pay", &password(FIRST)).await;
    let secret = account.referred("pay", "DB_PASSWORD").await.expect("a reference");
    let token = ("API_TOKEN", "Tk7fQ2mVx9LpZr4Ws8");
    let mut next = account.environment("pay").await;
    next.insert(token.0.into(), token.1.into());
    let faults = account.sandbox.trail().faults();
    let update = CallMatch::operation("UpdateFunctionConfiguration").by("warden-secret-guard");
    faults.inject(update, 1, Fault::KillBefore);
    account.deploy_environment("pay", &next).await;
    while !faults.pending().is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    put(&account, &secret, &json!({"DB_PASSWORD": SECOND}).to_string()).await;
    account.settle().await;
    assert_eq!(
        account.secret(&secret).await,
        variables(&[("DB_PASSWORD", SECOND), token]),
        "{:?}",
        account.secret_story("pay").await
    );
    assert!(account.referred("pay", token.0).await.is_some(), "{:?}", account.secret_story("pay").await);
}

/// The first of a function's secrets is gone, or is to be deleted; the second one has the value.
#[tokio::test]
async fn a_secret_that_cannot_be_read_hides_none_of_the_others() {
    let (account, [first, second]) = stripped_into_two().await;
    account.secrets.delete_secret().secret_id(&first).send().await.expect("to be deleted");
    account.tag("pay", &[("warden:secrets", "off")]).await;
    account.settle().await;
    account.deploy_and_settle("pay", &variables(&[("API_TOKEN", FIRST)])).await;

    let (aws, _) = account.operator().await;
    let resource = arn("pay").parse().expect("a function");
    let surface = "secret/API_TOKEN".parse().expect("a surface");
    let kept = async || {
        let seen = aws.snapshot(&resource, &surface).await.expect("read").expect("the function");
        KeptValue::of(&seen.content).expect("what is kept")
    };
    let readable = kept().await;
    assert_eq!((readable.secret.as_str(), readable.value.is_some()), (second.as_str(), true));
    assert!(readable.unread.is_empty(), "a later one has the value");
    account.secrets.delete_secret().secret_id(&second).send().await.expect("to be deleted");
    let neither = kept().await;
    assert_eq!(neither.value, None);
    let unread: Vec<&str> = neither.unread.iter().map(|secret| secret.as_str()).collect();
    assert!(unread.contains(&first.as_str()) && unread.contains(&second.as_str()), "{unread:?}");
}

#[tokio::test]
async fn of_a_function_that_is_gone_every_secret_is_deleted_also_where_the_first_is_gone_already() {
    let (account, [first, second]) = stripped_into_two().await;
    let gone = account.secrets.delete_secret().secret_id(&first).force_delete_without_recovery(true);
    gone.send().await.expect("deleted");
    account.lambda.delete_function().function_name("pay").send().await.expect("deleted");
    account.settle().await;
    let left = account.secrets.describe_secret().secret_id(&second).send().await.expect("the secret");
    assert!(left.deleted_date().is_some(), "{:?}", account.secret_story("pay").await);
}

/// The one in the middle was never there when Warden looked.
#[tokio::test]
async fn a_value_that_was_replaced_by_hand_between_two_looks_is_stale() {
    let (account, secret) = stripped().await;
    for value in [SECOND, THIRD] {
        put(&account, &secret, &json!({"DB_PASSWORD": value}).to_string()).await;
    }
    for stale in [SECOND, FIRST, SECOND] {
        account.deploy_and_settle("pay", &password(stale)).await;
        assert_eq!(account.secret(&secret).await, password(THIRD));
    }
    // It is known by now, whatever becomes of its version.
    put(&account, &secret, &json!({"DB_PASSWORD": "Pz7mQx2Vb9LwKr4Ts8Nd"}).to_string()).await;
    account.deploy_and_settle("pay", &password(SECOND)).await;
    assert_eq!(account.secret(&secret).await, password("Pz7mQx2Vb9LwKr4Ts8Nd"));
}

#[tokio::test]
async fn an_undo_that_brings_a_replaced_value_back_says_so_and_lasts() {
    let (account, secret) = stripped().await;
    let first = last(&account, Step::Applied).await;
    account.rotate("pay", "DB_PASSWORD", SECOND).await.expect("rotated");
    let undone = async |applied| {
        account.ready("pay").await;
        let records = account.undo(applied).await.expect("undone");
        for record in records.iter().filter(|record| matches!(record.entry.step, Step::Planned | Step::Undone)) {
            let told = note(record);
            assert!(told.contains("DB_PASSWORD gets back the value from before the remediation"), "{told}");
            assert!(told.contains(&format!("the newer one stays in {secret}")), "{told}");
            assert!(!told.contains(FIRST) && !told.contains(SECOND), "{told}");
        }
        account.settle().await;
        assert_eq!(account.environment("pay").await["DB_PASSWORD"], FIRST, "{:?}", account.secret_story("pay").await);
        assert_eq!(account.secret(&secret).await, password(SECOND));
    };
    undone(first).await;
    // And so it is with what was taken out because it was stale.
    account.deploy_and_settle("pay", &variables(&[("STAGE", "test")])).await;
    account.deploy_and_settle("pay", &password(FIRST)).await;
    assert_eq!(account.referred("pay", "DB_PASSWORD").await.as_ref(), Some(&secret));
    undone(last(&account, Step::Applied).await).await;
}

#[tokio::test]
async fn an_undo_of_a_value_that_is_still_the_current_one_has_nothing_to_say() {
    let (account, _) = stripped().await;
    let (aws, _) = account.operator().await;
    let applied = last(&account, Step::Applied).await;
    let accept_for = jiff::SignedDuration::from_hours(1);
    let cause = Cause::by_hand("warden undo");
    let undo = Undo { record: applied, accept_for, by: "alice".into(), cause, findings: Vec::new(), although: None };
    let plan = undo.plan().expect("a plan");
    assert!(undo.replaced_since(&aws, &plan).await.expect("read").is_empty());
    account.rotate("pay", "DB_PASSWORD", SECOND).await.expect("rotated");
    let replaced = undo.replaced_since(&aws, &plan).await.expect("read");
    assert_eq!(replaced.keys().map(ToString::to_string).collect::<Vec<_>>(), ["DB_PASSWORD"]);
}

#[tokio::test]
async fn what_is_new_and_what_is_stale_is_undone_exactly_and_forgotten_by_nobody() {
    let (account, secret) = stripped().await;
    account.rotate("pay", "DB_PASSWORD", SECOND).await.expect("rotated");
    let both = variables(&[("DB_PASSWORD", FIRST), ("API_TOKEN", THIRD), ("STAGE", "x")]);
    account.deploy_and_settle("pay", &both).await;
    assert_eq!(account.secret(&secret).await, variables(&[("DB_PASSWORD", SECOND), ("API_TOKEN", THIRD)]));
    let applied = last(&account, Step::Applied).await;
    account.rotate("pay", "API_TOKEN", "Pz7mQx2Vb9LwKr4Ts8Nd").await.expect("rotated");
    account.rotate("pay", "DB_PASSWORD", "Pz7mQx2Vb9LwKr4Ts8Ne").await.expect("rotated");
    account.ready("pay").await;
    account.undo(applied).await.expect("undone");
    account.settle().await;
    assert_eq!(account.environment("pay").await, both);
    account.deploy_and_settle("pay", &variables(&[("DB_PASSWORD", SECOND), ("API_TOKEN", THIRD)])).await;
    assert_eq!(account.secret(&secret).await["DB_PASSWORD"], "Pz7mQx2Vb9LwKr4Ts8Ne");
}

/// AWS gives a secret 20 labels, and an undo needs one for what is nowhere else.
#[tokio::test]
async fn a_stale_value_that_nobody_could_keep_for_an_undo_stays_and_is_reported() {
    let account = Account::with_secrets_guarded(&[("BreakerReverts", "100")]).await;
    account.python("pay", &[], &password(FIRST)).await;
    account.settle().await;
    account.tag("pay", &[("warden:secrets", "enforce")]).await;
    account.settle().await;
    account.deploy_and_settle("pay", &password(SECOND)).await;
    let secret = account.referred("pay", "DB_PASSWORD").await.expect("what is new is taken out");
    fill(&account, &secret).await;
    account.deploy_and_settle("pay", &password(FIRST)).await;
    let withheld = last(&account, Step::Withheld).await;
    assert!(note(&withheld).contains("have no room for it"), "{}", note(&withheld));
    assert_eq!(account.environment("pay").await["DB_PASSWORD"], FIRST);
    assert_eq!(account.secret(&secret).await, password(SECOND));
}

#[tokio::test]
async fn where_else_a_value_is_that_is_to_be_rotated_is_found() {
    let (account, secret) = stripped().await;
    account.guarded_python("ship").await;
    account.deploy_and_settle("ship", &variables(&[("SHIP_PASSWORD", FIRST)])).await;
    // Nobody guards this one.
    account.python("old", &[], &variables(&[("LEGACY", FIRST), ("STAGE", "test")])).await;
    account.lambda.publish_version().function_name("old").send().await.expect("a version");
    account.settle().await;
    let (aws, _) = account.operator().await;
    let value = Some(aws.hash_key().await.expect("a key").hash(FIRST));
    let kept =
        Kept { secret: secret.parse().expect("a name"), version: String::new(), value, others: Others::default() };
    let found = async |name: &str, variable: &str, is_no_chance: bool| {
        let function = arn(name).parse().expect("a function");
        let variable = variable.parse().expect("a variable");
        aws.held_elsewhere(&function, &variable, &kept, |_| is_no_chance).await.expect("read")
    };
    let one = |function: &str, name: &str| BTreeSet::from([(function.to_owned(), name.to_owned())]);
    let pay = found("pay", "DB_PASSWORD", true).await;
    let expected =
        Elsewhere { plaintext: one("old", "LEGACY"), kept: one("ship", "SHIP_PASSWORD"), ..Elsewhere::default() };
    assert_eq!(pay, expected);
    let versions = found("old", "DB_PASSWORD", true).await.versions;
    assert_eq!(versions, BTreeSet::from(["1".to_owned()]));
    // What is equal by chance says nothing.
    assert_eq!(found("pay", "DB_PASSWORD", false).await, Elsewhere::default());
}
