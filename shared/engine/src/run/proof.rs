//! What an operator's proof covers. A pause and an acceptance make the guards do nothing, so they count only with a
//! proof that the operator role alone can make ([`crate::ports::Attestor`]).

use crate::{
    call_error::{CallError, ErrorKind},
    ledger::state::{Acceptance, History, Pause},
    model::surface::{Resource, Surface},
    name::fingerprint::canonical,
    ports::Attestor,
    secret::{
        environment::KeyedHash,
        known_secret::{Known, Withdrawal},
    },
};
use jiff::Timestamp;
use serde_json::json;

/// The message that an acceptance's proof is made of: everything that it says, and where.
pub fn acceptance_message(resource: &Resource, surface: &Surface, acceptance: &Acceptance) -> Vec<u8> {
    let Acceptance { findings, severity, behind, until, by, reason, proof: _ } = acceptance;
    let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
    canonical(&json!({
        "acceptance": {
            "resource": resource, "surface": surface, "findings": findings, "severity": severity, "behind": behind,
            "until": until, "by": by, "reason": reason
        }
    }))
    .into_bytes()
}

/// The message that a pause's proof is made of.
pub fn pause_message(account: &str, pause: &Pause) -> Vec<u8> {
    let Pause { until, by, reason, proof: _ } = pause;
    canonical(&json!({"pause": {"account": account, "until": until, "by": by, "reason": reason}})).into_bytes()
}

/// Strikes every pause and acceptance in force from `history` whose proof does not hold; `history.forged` has a
/// sentence for each. Acceptances that are over are struck as well.
///
/// # Errors
/// A proof could not be checked because AWS did not answer: to be tried again, since without it an operator's decision
/// might be overruled. Where AWS refuses for good (the key is disabled, say), the decision counts as forged.
pub async fn strike_forged<N: Attestor>(
    attestor: &N,
    resource: &Resource,
    history: &mut History,
    now: Timestamp,
) -> Result<(), CallError> {
    let mut forged = Vec::new();
    if let Some(pause) = &history.pause
        && pause.until.is_none_or(|until| until > now)
    {
        let message = pause_message(resource.account().as_str(), pause);
        if let Some(why) = doubt(attestor, &message, &pause.proof).await? {
            forged.push(format!("the pause in the ledger's table {why}; it is ignored"));
            history.pause = None;
        }
    }
    for (surface, state) in &mut history.surfaces {
        let mut kept = Vec::new();
        for acceptance in std::mem::take(&mut state.acceptances) {
            let message = acceptance_message(resource, surface, &acceptance);
            if !acceptance.is_in_force(now) {
                continue;
            }
            match doubt(attestor, &message, &acceptance.proof).await? {
                None => kept.push(acceptance),
                Some(why) => {
                    forged.push(format!("an acceptance on {surface} in the ledger's table {why}; it is ignored"));
                }
            }
        }
        state.acceptances = kept;
    }
    history.forged.extend(forged);
    Ok(())
}

/// Whether an operator has withdrawn what the account knows of a value. A withdrawal that no operator made counts for
/// nothing.
///
/// # Errors
/// As [`strike_forged`].
pub async fn is_withdrawn<N: Attestor>(attestor: &N, hash: KeyedHash, known: &Known) -> Result<bool, CallError> {
    match &known.withdrawn {
        None => Ok(false),
        Some(Withdrawal { by, proof }) => {
            let doubt = doubt(attestor, &Withdrawal::message(hash, by), proof).await?;
            Ok(doubt.is_none())
        }
    }
}

/// What speaks against a proof.
async fn doubt<N: Attestor>(attestor: &N, message: &[u8], proof: &str) -> Result<Option<String>, CallError> {
    match attestor.holds(message, proof).await {
        Ok(true) => Ok(None),
        Ok(false) => Ok(Some("does not come from the operator role".into())),
        Err(error) => match error.kind {
            ErrorKind::Retry | ErrorKind::Busy | ErrorKind::Stale => Err(error),
            ErrorKind::Gone
            | ErrorKind::Denied
            | ErrorKind::NotOffered
            | ErrorKind::Refused
            | ErrorKind::PublicPolicy
            | ErrorKind::UnreservedConcurrency
            | ErrorKind::Bug => Ok(Some(format!("has a proof that cannot be checked ({error})"))),
        },
    }
}
