//! A policy document as it was parsed: statements that borrow from its JSON text.

use crate::parse;
use std::borrow::Cow;
use strum::{Display, EnumString, IntoStaticStr, VariantArray};

/// The longest document that is read, in bytes. IAM's own limits are far below (a role's inline policies share 10,240
/// characters, a Lambda resource policy holds 20 KB), so this leaves room for whitespace and nothing more.
pub(crate) const MAX_BYTES: usize = 256 * 1024;

/// A policy, parsed strictly and borrowing from its text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Document<'a> {
    /// The language version: it decides whether policy variables are read.
    pub version: Version,
    /// The policy's own `Id`.
    pub id: Option<Cow<'a, str>>,
    /// The statements, in order.
    pub statements: Vec<Statement<'a>>,
}

impl<'a> Document<'a> {
    /// Reads a document that AWS would accept for this kind of policy.
    ///
    /// # Errors
    ///
    /// [`DocumentError`] for text that is too long or not JSON, a duplicate, unknown or misspelled key, a value of the
    /// wrong type, or an element that the kind of policy needs or forbids. The message names line and column.
    pub fn parse(text: &'a str, kind: Kind) -> Result<Self, DocumentError> {
        if text.len() > MAX_BYTES {
            return Err(DocumentError::TooLong { bytes: text.len() });
        }
        parse::document(text, kind)
    }
}

/// What a document is attached to, which decides what elements it must have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// On a role, a user or a group, or a managed policy: no principal, always a resource.
    Identity,
    /// A role's trust policy: a principal, no resource.
    Trust,
    /// On a function or a layer version: a principal.
    Resource,
}

/// Why a document could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DocumentError {
    /// Longer than any policy AWS accepts.
    #[error("the document has {bytes} bytes: a policy has at most {MAX_BYTES}")]
    TooLong {
        /// Its length in bytes.
        bytes: usize,
    },
    /// Not JSON, or not a policy. The message ends with the place.
    #[error("{message}")]
    Malformed {
        /// What is wrong, with line and column.
        message: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1, in bytes.
        column: usize,
    },
    /// URL-decoding gave bytes that are no text.
    #[error("the document is not UTF-8 after URL decoding")]
    NotUtf8,
}

/// The policy language's version
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html>).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// `2008-10-17`, or none given: policy variables are literal text.
    V2008,
    /// `2012-10-17`.
    V2012,
}

/// Whether a statement gives or takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// It grants what the statement says.
    Allow,
    /// It takes away what the statement says, whoever grants it.
    Deny,
}

/// One statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement<'a> {
    /// The statement's id, where it has one.
    pub sid: Option<Cow<'a, str>>,
    /// Allow or Deny.
    pub effect: Effect,
    /// `Principal` or `NotPrincipal`; none in an identity policy.
    pub principals: Option<Selection<Principals<'a>>>,
    /// `Action` or `NotAction`.
    pub actions: Selection<Values<'a>>,
    /// `Resource` or `NotResource`; none in a trust policy.
    pub resources: Option<Selection<Values<'a>>>,
    /// Every key under every operator of `Condition`, in order. All of them must hold.
    pub conditions: Vec<Condition<'a>>,
}

/// An element or its `Not` form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Selection<T> {
    /// What is named, and nothing else.
    Only(T),
    /// All but these.
    Except(T),
}

impl<T> Selection<T> {
    /// What is named, be it to take or to leave out.
    pub(crate) fn named(&self) -> &T {
        match self {
            Selection::Only(named) | Selection::Except(named) => named,
        }
    }
}

/// A value given alone or as a list.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values<'a> {
    /// A scalar.
    One(Cow<'a, str>),
    /// A list, of any length.
    Many(Vec<Cow<'a, str>>),
}

impl<'a> Values<'a> {
    /// The values, however they were given.
    pub fn as_slice(&self) -> &[Cow<'a, str>] {
        match self {
            Values::One(value) => std::slice::from_ref(value),
            Values::Many(values) => values,
        }
    }

    /// The values as plain text.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.as_slice().iter().map(AsRef::as_ref)
    }
}

/// The type of a principal, the key in the `Principal` object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Display, EnumString, IntoStaticStr, VariantArray)]
#[strum(serialize_all = "PascalCase")]
pub enum PrincipalType {
    /// An account, a user, a role or a session.
    #[strum(serialize = "AWS")]
    Aws,
    /// An AWS service.
    Service,
    /// An identity provider.
    Federated,
    /// An account by its S3 canonical id.
    CanonicalUser,
}

impl PrincipalType {
    /// The key as it stands in the document.
    pub fn as_str(self) -> &'static str {
        self.into()
    }
}

/// The principals of a statement.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Principals<'a> {
    /// `"*"` without a type, which is the same as `{"AWS": "*"}`.
    Untyped(Values<'a>),
    /// By type, each type once, in order.
    Typed(Vec<(PrincipalType, Values<'a>)>),
}

/// One key under one operator.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Condition<'a> {
    /// The operator as written: `StringEquals`, `ForAnyValue:ArnLikeIfExists`.
    pub operator: Cow<'a, str>,
    /// The key as written. Keys are case-insensitive.
    pub key: Cow<'a, str>,
    /// The values, of which one must fit; a boolean or number as its text.
    pub values: Values<'a>,
}
