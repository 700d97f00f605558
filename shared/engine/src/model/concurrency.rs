//! The contents of the surfaces of concurrency, as Lambda names what stands in them.

use super::content::Content;
use serde::{Deserialize, Serialize};
use serde_json::json;

/// What an account has of concurrency in one Region.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountConcurrency {
    /// How many environments may run at once: the quota "Concurrent executions" (L-B99A9384).
    pub limit: u32,
    /// What of it no function has reserved.
    pub unreserved: u32,
}

/// The key of reserved concurrency.
pub const RESERVED: &str = "ReservedConcurrentExecutions";
/// The key of provisioned concurrency.
pub const PROVISIONED: &str = "RequestedProvisionedConcurrentExecutions";
/// The key of what an account may run at once.
pub const LIMIT: &str = "ConcurrentExecutions";
/// The key of what becomes of recursive loops.
pub const RECURSIVE_LOOP: &str = "RecursiveLoop";

/// A function's reserved concurrency as content: none is no content, and 0 is not none.
pub fn reserved(reserved: Option<u32>) -> Content {
    number(RESERVED, reserved)
}

/// The provisioned concurrency of a version or an alias as content. What of it is there already and what state it is in
/// change by themselves, and are no part of it.
pub fn provisioned(provisioned: Option<u32>) -> Content {
    number(PROVISIONED, provisioned)
}

/// What an account may run at once in a Region, as content.
pub fn of_account(region: &str, limit: u32) -> Content {
    Content::new(json!({"Region": region, LIMIT: limit}))
}

/// What becomes of a function's recursive loops, as content.
pub fn recursion(setting: Option<&str>) -> Content {
    setting.map_or(Content::ABSENT, |setting| Content::new(json!({RECURSIVE_LOOP: setting})))
}

fn number(key: &str, number: Option<u32>) -> Content {
    number.map_or(Content::ABSENT, |number| Content::new(json!({key: number})))
}

/// The number in such content; none where it holds nothing, or something else than a number.
pub fn count(content: &Content) -> Option<u32> {
    let numbers = content.document()?.as_object()?;
    [RESERVED, PROVISIONED].iter().find_map(|key| u32::try_from(numbers.get(*key)?.as_u64()?).ok())
}
