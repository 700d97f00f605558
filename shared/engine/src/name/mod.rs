//! Names, parsed once at the edge, and fingerprints of content.

pub mod fingerprint;
pub mod iam;
pub mod lambda;

/// A text that is not the name or ARN it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not {expected}")]
pub struct NameError {
    text: String,
    expected: &'static str,
}

impl NameError {
    pub(crate) fn new(text: &str, expected: &'static str) -> Self {
        // Hostile input: an error message quotes no more than a line of it.
        let text = text.chars().take(200).filter(|c| !c.is_control()).collect();
        NameError { text, expected }
    }
}

/// Serialises a type as its text.
macro_rules! as_text {
    ($($name:ty),*) => {$(
        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.collect_str(self)
            }
        }
        impl<'de> serde::Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                <String as serde::Deserialize>::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
            }
        }
    )*};
}
pub(crate) use as_text;
