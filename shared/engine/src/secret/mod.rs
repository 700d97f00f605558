//! What is secret-guard's alone: environments without their values, what is known of values, rotation.

pub mod environment;
pub mod known_secret;
pub mod rotate;
pub mod values;
