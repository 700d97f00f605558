//! Why a template cannot be judged.

/// Why a template could not be judged.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TemplateError {
    /// Not YAML, or YAML that CloudFormation does not take. The place is in the file.
    #[error("{message} at line {line} column {column}")]
    Yaml {
        /// What is wrong.
        message: String,
        /// The line, from 1.
        line: usize,
        /// The column, from 1, in characters.
        column: usize,
    },
    /// Not JSON, or a key that is there twice. The message ends with the place in the file.
    #[error("{0}")]
    Json(String),
    /// Neither kind of document.
    #[error(
        "neither a CloudFormation template, which has `Resources`, nor a plan of `terraform show -json`, which has \
         `planned_values`"
    )]
    Neither,
    /// What a template or a plan is made of, or beside it.
    #[error("{what}: judge {instead}")]
    Source {
        /// What it is.
        what: &'static str,
        /// What is to be judged in its place.
        instead: &'static str,
    },
    /// A part of the template is not what it must be.
    #[error("{at}: {message}")]
    Malformed {
        /// The place in the template.
        at: String,
        /// What is wrong.
        message: String,
    },
}

/// A text from outside, not longer than an error should be.
pub(crate) fn shortened(text: &str) -> String {
    const LONGEST: usize = 120;
    match text.char_indices().nth(LONGEST) {
        None => text.to_owned(),
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
    }
}
