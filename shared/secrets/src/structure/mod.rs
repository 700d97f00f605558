//! Layer 3: values that are made of parts. What a part is called and what stands in it goes back through the layers.

mod command;
mod decoded;
mod document;
mod fields;
mod header;
mod key;
mod markup;
mod url;
mod user_password;

use crate::{classify::Depth, name::Name, verdict::Verdict};

/// What taking a value apart came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Found {
    /// It has no structure that is known.
    Nothing,
    /// It is of a kind that its parts decide about, and none of them is a secret: the name of the whole does not matter
    /// any more.
    Harmless,
    Secret(Verdict),
}

impl From<Option<Verdict>> for Found {
    /// Of a value whose structure is beyond doubt.
    fn from(verdict: Option<Verdict>) -> Self {
        verdict.map_or(Found::Harmless, Found::Secret)
    }
}

/// Takes a value apart, the surest structures first.
pub(crate) fn examine(name: &Name, value: &str, depth: Depth) -> Found {
    const WAYS: &[fn(&Name, &str, Depth) -> Found] = &[
        key::examine,
        document::examine,
        markup::examine,
        url::examine,
        header::examine,
        command::examine,
        fields::examine,
        user_password::examine,
        decoded::examine,
    ];
    for way in WAYS {
        let found = way(name, value, depth);
        if found != Found::Nothing {
            return found;
        }
    }
    Found::Nothing
}
