//! A value that is judged, and what is known about it. Each fact is found out once, by whoever asks for it first.

use crate::{
    benign::is_benign,
    features::Features,
    indirection::{is_ciphertext, is_hash, is_reference},
    placeholder::is_placeholder,
};
use std::{cell::OnceCell, ops::Deref};

/// A value, or a part of one. It is also the text itself.
pub(crate) struct Candidate<'v> {
    value: &'v str,
    features: OnceCell<Features>,
    placeholder: OnceCell<bool>,
    elsewhere: OnceCell<bool>,
    benign: OnceCell<bool>,
}

impl<'v> Candidate<'v> {
    pub(crate) const fn new(value: &'v str) -> Self {
        Self {
            value,
            features: OnceCell::new(),
            placeholder: OnceCell::new(),
            elsewhere: OnceCell::new(),
            benign: OnceCell::new(),
        }
    }

    /// What it looks like.
    pub(crate) fn features(&self) -> &Features {
        self.features.get_or_init(|| Features::of(self.value))
    }

    /// Whether it stands where a value is still to come.
    pub(crate) fn is_placeholder(&self) -> bool {
        *self.placeholder.get_or_init(|| is_placeholder(self.value))
    }

    /// Whether it only says where the secret is, or is no use without a key.
    pub(crate) fn is_elsewhere(&self) -> bool {
        let value = self.value;
        *self.elsewhere.get_or_init(|| is_reference(value) || is_ciphertext(value) || is_hash(value))
    }

    /// Whether its form says that it is something harmless.
    pub(crate) fn is_benign(&self) -> bool {
        *self.benign.get_or_init(|| is_benign(self.value, self.features()))
    }
}

impl Deref for Candidate<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        self.value
    }
}
