//! The judge of IAM documents: parses a policy strictly, says what is open about it, and narrows it.
//!
//! Everything here is a plain function of its arguments: no I/O, no clock, no AWS SDK. A document is parsed once,
//! straight from its JSON text to borrowed types ([`Document`]); a judge turns it into findings; a narrower takes the
//! findings and gives back the least change that puts them right.
//!
//! | what | judge | narrower |
//! |---|---|---|
//! | a function's resource policy | [`function_policy::judge`] | [`function_policy::narrow`] |
//! | a layer version's policy | [`layer_policy::judge`] | [`layer_policy::narrow`] |
//!
//! # Places
//!
//! A finding's `at` names the smallest element at fault:
//!
//! - `Statement[2]`: the statement as a whole, also where its only principal or only action is at fault;
//! - `Statement[2].Principal.AWS[1]`, `Statement[2].Principal.Service`: one of several principals (the index is there
//!   only
//!   where the JSON has a list);
//! - `Statement[2].Action[0]`: one of several actions.
//!
//! A policy whose `Statement` is one object instead of a list has that object at `Statement[0]`.

mod account;
mod addresses;
mod breadth;
mod conditions;
mod context;
mod display;
mod document;
mod effective_principals;
pub mod function_policy;
pub mod function_url;
mod iam_document;
pub mod layer_policy;
mod parse;
mod pattern;
mod permission;
mod principal;
mod principal_policy;
mod rewrite;
pub mod role_policy;
mod service_table;
mod together;
pub mod trust_policy;
mod violation;

pub use account::{AccountId, NotAnAccountId, NotAnOrganizationId, OrganizationId};
pub use context::{Context, NotAPartition, NotATrustedSource, Partition, TrustedSource};
pub use document::{
    Condition, Document, DocumentError, Effect, Kind, PrincipalType, Principals, Selection, Statement, Values, Version,
};
pub use function_policy::UrlAuth;
pub use iam_document::decode as decode_iam_document;
pub use permission::surely_allows;
pub use rewrite::{Edit, EditKind, Narrowed, Unfixable, with_lost_denials};
