use serde::{Deserialize, Serialize};
/// placeholder
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RoleNarrowed;
/// placeholder
pub fn narrow() {}
