//! Values that are known only at deployment, and the account that it goes to.
//!
//! Within the judge such a value is its name between two characters that no template has a use for, so it is fixed, and
//! equals nothing but itself. In what is shown to a person it is `${NAME}`, as in a template.

/// No AWS name, ARN or pattern has these, and a message of the judges shows them as they are.
const OPEN: char = '⟦';
const CLOSE: char = '⟧';

/// What such a value ends with.
pub(crate) const END: char = CLOSE;

/// Characters of a name that mean something in ARNs and policies, and what stands for them.
const MEANINGFUL: [(char, char); 7] =
    [(':', '∶'), ('/', '∕'), ('*', '∗'), ('?', '？'), ('$', '＄'), ('{', '｛'), ('}', '｝')];

/// The account that a template is deployed to, when nobody said which.
pub(crate) const OWN_ACCOUNT: &str = "000000000000";

/// The value of that name.
pub(crate) fn value(name: &str) -> String {
    let plain =
        |letter: char| MEANINGFUL.iter().find(|(meant, _)| *meant == letter).map_or(letter, |(_, plain)| *plain);
    format!("{OPEN}{}{CLOSE}", name.chars().map(plain).collect::<String>())
}

/// Whether a part of the text is known only at deployment.
pub(crate) fn is_in(text: &str) -> bool {
    text.contains(OPEN)
}

/// The name, when the whole text is one such value.
pub(crate) fn name(text: &str) -> Option<&str> {
    text.strip_prefix(OPEN)?.strip_suffix(CLOSE).filter(|name| !is_in(name))
}

/// The names of all such values in the text.
pub(crate) fn names(text: &str) -> impl Iterator<Item = &str> {
    text.split(OPEN).skip(1).filter_map(|part| part.split_once(CLOSE)).map(|(name, _)| name)
}

/// The text for a person.
pub(crate) fn shown(text: &str, account_is_stand_in: bool) -> String {
    let read = |letter: char| MEANINGFUL.iter().find(|(_, plain)| *plain == letter).map_or(letter, |(meant, _)| *meant);
    let shown: String = text.replace(OPEN, "${").replace(CLOSE, "}").chars().map(read).collect();
    if account_is_stand_in { shown.replace(OWN_ACCOUNT, "${AWS::AccountId}") } else { shown }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_not_known_keeps_to_its_field_of_an_arn() {
        let arn = format!("arn:aws:sns:{}:{OWN_ACCOUNT}:{}", value("AWS::Region"), value("ImportValue a/*"));
        assert_eq!(arn.split(':').count(), 6);
        assert!(!arn.contains('*'));
        assert_eq!(shown(&arn, true), "arn:aws:sns:${AWS::Region}:${AWS::AccountId}:${ImportValue a/*}");
        assert_eq!(shown(OWN_ACCOUNT, false), OWN_ACCOUNT);
    }

    #[test]
    fn names_are_found_in_a_text() {
        let text = format!("a {} b {}", value("One"), value("Two"));
        assert_eq!(names(&text).collect::<Vec<_>>(), ["One", "Two"]);
        assert_eq!((name(&value("One")), name(&text)), (Some("One"), None));
    }
}
