//! XML: the text of each element is judged under the element's name.

use super::{Found, fields};
use crate::{classify::Depth, name::Name, verdict::surest};

pub(super) fn examine(_: &Name, value: &str, depth: Depth) -> Found {
    if !value.starts_with('<') || !value.contains("</") {
        return Found::Nothing;
    }
    let elements = value.split('<').filter_map(|piece| piece.split_once('>'));
    let verdicts = elements.filter_map(|(tag, text)| {
        let name = tag.split_whitespace().next().filter(|name| fields::is_key(name))?;
        fields::one(name, text.trim(), depth)
    });
    surest(verdicts).map_or(Found::Nothing, Found::Secret)
}
