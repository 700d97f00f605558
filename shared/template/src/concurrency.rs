//! What a template says of how much of a function may run at once, and of its recursive loops, as far as it can be judged
//! without the account: by the cap in the function's own tag.

use crate::{NotJudged, unknown};
use std::num::NonZeroU32;
use warden_finding::{Finding, FindingId, Severity};

/// The tag that says how much may be reserved for a function.
pub(crate) const CAP_TAG: &str = "warden:max-concurrency";

/// A number that a template gives.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Amount {
    /// It gives none.
    #[default]
    None,
    /// It gives this one.
    Known(u32),
    /// It is known only at deployment.
    Later,
}

impl Amount {
    /// The number that a text is. A text that is none is like one that is not there: AWS would not accept it.
    pub(crate) fn of(text: &str) -> Amount {
        match text.parse() {
            Ok(number) => Amount::Known(number),
            Err(_) if unknown::is_in(text) => Amount::Later,
            Err(_) => Amount::None,
        }
    }
}

/// What a template says of one function. Everything has the place at which it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Concurrency {
    /// Where reserved concurrency stands, or would.
    pub(crate) at: String,
    pub(crate) reserved: Amount,
    /// What the tag says.
    pub(crate) cap: Amount,
    pub(crate) on_managed_instances: bool,
    pub(crate) recursive_loop: Option<(String, String)>,
    pub(crate) provisioned: Vec<(String, Amount)>,
}

impl Concurrency {
    /// What is wrong, and what could not be judged.
    pub(crate) fn judge(&self) -> (Vec<Finding>, Vec<NotJudged>) {
        let (mut findings, mut not_judged) = (Vec::new(), Vec::new());
        let found = |id, severity, at: &str, message| Finding { id, severity, at: at.to_owned(), message };
        let later = |at: &str| NotJudged { at: at.to_owned(), why: "known only at deployment".to_owned() };
        if let Some((at, setting)) = &self.recursive_loop {
            match setting.as_str() {
                "Allow" => {
                    let message = "Lambda lets the function invoke itself again and again".to_owned();
                    findings.push(found(FindingId::RecursionAllowed, Severity::High, at, message));
                }
                setting if unknown::is_in(setting) => not_judged.push(later(at)),
                _ => {}
            }
        }
        let cap = match self.cap {
            Amount::Known(cap) => NonZeroU32::new(cap),
            Amount::None => None,
            Amount::Later => {
                let why = format!("its cap, the tag `{CAP_TAG}`, is known only at deployment");
                not_judged.push(NotJudged { at: self.at.clone(), why });
                None
            }
        };
        let Some(cap) = cap else { return (findings, not_judged) };
        match self.reserved {
            // They take none.
            _ if self.on_managed_instances => {}
            Amount::None => {
                let message = format!(
                    "no concurrency is reserved, and so nothing bounds it; the cap is {cap}, by the tag `{CAP_TAG}`"
                );
                findings.push(found(FindingId::UnboundedConcurrency, Severity::High, &self.at, message));
            }
            Amount::Known(reserved) if reserved > cap.get() => {
                let message = format!("{reserved} is reserved; the cap is {cap}, by the tag `{CAP_TAG}`");
                findings.push(found(FindingId::ConcurrencyAboveCap, Severity::High, &self.at, message));
            }
            Amount::Known(_) => {}
            Amount::Later => not_judged.push(later(&self.at)),
        }
        let known = |amount: &Amount| if let Amount::Known(amount) = amount { *amount } else { 0 };
        let all = self.provisioned.iter().fold(0_u32, |sum, (_, amount)| sum.saturating_add(known(amount)));
        for (at, amount) in &self.provisioned {
            let own = known(amount);
            if *amount == Amount::Later {
                not_judged.push(later(at));
            } else if own > 0 && all > cap.get() {
                let message = format!(
                    "{own} is provisioned here, {all} with all versions and aliases; the cap is {cap}, by the tag `{CAP_TAG}`"
                );
                findings.push(found(FindingId::ProvisionedAboveCap, Severity::Medium, at, message));
            }
        }
        (findings, not_judged)
    }
}
