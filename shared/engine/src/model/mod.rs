//! What guards reason about: resources and their surfaces, content, events, tags, settings.

pub mod cloudtrail;
pub mod concurrency;
pub mod content;
pub mod managed_instances;
pub mod settings;
pub mod surface;
pub mod tags;
