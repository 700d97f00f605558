//! What concurrency-guard needs to know beside a function's own settings.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use warden_engine::{
    ledger::state::History,
    model::{concurrency::AccountConcurrency, surface::Surface},
};

/// What is known beside what the surfaces hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Context {
    /// Whether the function runs on Lambda Managed Instances, which take no reserved concurrency.
    pub on_managed_instances: bool,
    /// The provisioned concurrency of all the function's versions and aliases together; none where it is not known.
    pub provisioned: Option<u32>,
    /// What the account has of concurrency in the function's Region; none where it is not known.
    pub account: Option<AccountConcurrency>,
    /// How much Lambda keeps for functions that reserve none, where it has lately said so in a refusal.
    pub floor: Option<u32>,
    /// Surfaces that could not be read, with what AWS answered.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unread: BTreeMap<Surface, String>,
}

/// Adds what AWS has said, in a refusal that still counts, of how much it keeps for functions that reserve none.
pub(crate) fn add_floor(context: &mut Context, history: &History) {
    let refused = history.surfaces.get(&Surface::Concurrency).map(|state| state.refused.as_slice()).unwrap_or_default();
    context.floor = refused.iter().rev().find_map(|refusal| floor(&refusal.why));
}

/// The number in Lambda's words: "... decreases account's UnreservedConcurrentExecution below its minimum value of
/// [100]." It is not the same in every account: 10, 50 and 100 have been seen.
fn floor(said: &str) -> Option<u32> {
    let (_, rest) = said.split_once("minimum value of [")?;
    rest.split_once(']')?.0.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_lambda_keeps_is_read_from_its_refusal() {
        let said = |n: u32| {
            format!(
                "InvalidParameterValueException: Specified ReservedConcurrentExecutions for function decreases account's \
                 UnreservedConcurrentExecution below its minimum value of [{n}]. (functions that ...)"
            )
        };
        for n in [10, 50, 100] {
            assert_eq!(floor(&said(n)), Some(n));
        }
        assert_eq!((floor(""), floor("minimum value of [many]"), floor("minimum value of [7")), (None, None, None));
    }
}
