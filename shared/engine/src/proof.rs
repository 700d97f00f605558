//! What an operator's proof covers. A pause and an acceptance make the guards do nothing, so they count only with a proof that
//! the operator role alone can make ([`crate::ports::Notary`]).

use crate::{
    content::canonical,
    ports::Notary,
    state::{Acceptance, History, Pause},
    surface::{Subject, Surface},
};
use jiff::Timestamp;
use serde_json::json;

/// The message that an acceptance's proof is made of: everything that it says, and where.
pub fn acceptance_message(subject: &Subject, surface: &Surface, acceptance: &Acceptance) -> Vec<u8> {
    let Acceptance { findings, until, by, proof: _ } = acceptance;
    let findings: Vec<String> = findings.iter().map(ToString::to_string).collect();
    canonical(&json!({
        "acceptance": {"subject": subject, "surface": surface, "findings": findings, "until": until, "by": by}
    }))
    .into_bytes()
}

/// The message that a pause's proof is made of.
pub fn pause_message(account: &str, pause: &Pause) -> Vec<u8> {
    let Pause { until, by, reason, proof: _ } = pause;
    canonical(&json!({"pause": {"account": account, "until": until, "by": by, "reason": reason}})).into_bytes()
}

/// Strikes every pause and acceptance in force from `history` whose proof does not hold; returns a sentence for each.
///
/// A proof that cannot be checked, because AWS does not answer, counts as none: a guard errs on the side of acting as it
/// would have without it.
pub async fn strike_forged<N: Notary>(
    notary: &N,
    subject: &Subject,
    history: &mut History,
    now: Timestamp,
) -> Vec<String> {
    let mut struck = Vec::new();
    if let Some(pause) = &history.pause
        && pause.until.is_none_or(|until| until > now)
    {
        let message = pause_message(subject.account().as_str(), pause);
        if !matches!(notary.holds(&message, &pause.proof).await, Ok(true)) {
            struck
                .push("the pause in the ledger's table does not come from the operator role; it is ignored".to_owned());
            history.pause = None;
        }
    }
    for (surface, state) in &mut history.surfaces {
        let mut kept = Vec::new();
        for acceptance in std::mem::take(&mut state.acceptances) {
            let message = acceptance_message(subject, surface, &acceptance);
            if acceptance.until <= now || matches!(notary.holds(&message, &acceptance.proof).await, Ok(true)) {
                kept.push(acceptance);
            } else {
                struck.push(format!(
                    "an acceptance on {surface} in the ledger's table does not come from the operator role; it is ignored"
                ));
            }
        }
        state.acceptances = kept;
    }
    struck
}
