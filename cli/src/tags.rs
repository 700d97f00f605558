//! A function's tags, read and set with the caller's own permissions.

use crate::account::{Caller, said};
use anyhow::anyhow;
use std::collections::BTreeMap;
use warden_engine::name::lambda::FunctionArn;

/// The longest value of a tag (Lambda API reference, TagResource).
const LONGEST: usize = 256;

/// The function's tags.
///
/// # Errors
/// There is no such function, or it may not be read.
pub(crate) async fn read(caller: &Caller, function: &FunctionArn) -> anyhow::Result<BTreeMap<String, String>> {
    let listed = caller.lambda(function.region()).list_tags().resource(function.to_string()).send().await;
    match listed {
        Ok(answer) => Ok(answer.tags.unwrap_or_default().into_iter().collect()),
        Err(error) => match error.as_service_error() {
            Some(gone) if gone.is_resource_not_found_exception() => Err(no_function(function)),
            Some(_) | None => Err(anyhow!("reading the tags of {function}: {}", said(&error))),
        },
    }
}

/// Why nothing can be done about a function that was named.
pub(crate) fn no_function(function: &FunctionArn) -> anyhow::Error {
    anyhow!("there is no function `{}` in {}", function.name(), function.region())
}

/// Sets tags; others stay.
///
/// # Errors
/// What AWS says.
pub(crate) async fn write(caller: &Caller, function: &FunctionArn, tags: &[(String, String)]) -> anyhow::Result<()> {
    let request = caller.lambda(function.region()).tag_resource().resource(function.to_string());
    let request = tags.iter().fold(request, |request, (key, value)| request.tags(key, value));
    let tagged = request.send().await;
    tagged.map(drop).map_err(|error| anyhow!("tagging {function}, with your own permissions: {}", said(&error)))
}

/// Whether AWS takes the text as a tag's value.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn fits(value: &str) -> Result<(), String> {
    let length = value.chars().count();
    if length > LONGEST {
        return Err(format!("a tag's value has {LONGEST} letters at most, this one has {length}"));
    }
    let allowed = |letter: char| letter.is_alphanumeric() || " _.:/=+-@".contains(letter);
    match value.chars().find(|letter| !allowed(*letter)) {
        None => Ok(()),
        Some(other) => Err(format!(
            "a tag's value has letters, digits, spaces and _ . : / = + - @, not `{}`",
            other.escape_default()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_one_that_aws_takes() {
        assert_eq!(fits("team pay@example.com"), Ok(()));
        assert_eq!(fits(&"a".repeat(256)), Ok(()));
        assert_eq!(fits(&"a".repeat(257)), Err("a tag's value has 256 letters at most, this one has 257".to_owned()));
        assert!(fits("a,b").is_err() && fits("a\u{1b}").is_err());
    }
}
