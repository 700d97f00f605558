//! Which variables hold references, and what they stand for.

use crate::{failure::Failure, secrets_manager::Store};
use secrecy::{ExposeSecret, SecretString};
use std::{collections::BTreeMap, ffi::OsString};
use warden_reference::{Reference, SecretName};

/// The variables that hold references, by the secret they refer to: one, but for a function whose first secret is full.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct References(BTreeMap<SecretName, Vec<String>>);

impl References {
    pub(crate) fn among(environment: impl Iterator<Item = (OsString, OsString)>) -> References {
        let mut found = BTreeMap::<SecretName, Vec<String>>::new();
        for (variable, value) in environment {
            // A reference and the name of a variable that Lambda takes are ASCII.
            let (Ok(variable), Some(value)) = (variable.into_string(), value.to_str()) else { continue };
            if let Ok(Reference(secret)) = value.parse() {
                found.entry(secret).or_default().push(variable);
            }
        }
        References(found)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Every variable with its value: all of them, or none.
    pub(crate) fn resolve(self, store: &impl Store) -> Result<Vec<(String, SecretString)>, Failure> {
        let mut resolved = Vec::new();
        for (secret, variables) in self.0 {
            let mut values: BTreeMap<String, SecretString> = serde_json::from_str(store.get(&secret)?.expose_secret())
                // serde_json quotes what it met instead, which may be a value.
                .map_err(|_| Failure::NotAnObject(secret.clone()))?;
            for variable in variables {
                let Some(value) = values.remove(&variable) else { return Err(Failure::NoValue { secret, variable }) };
                if value.expose_secret().contains('\0') {
                    return Err(Failure::ZeroByte { secret, variable });
                }
                resolved.push((variable, value));
            }
        }
        Ok(resolved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{cell::Cell, os::unix::ffi::OsStringExt};

    /// A store of one secret's text, which counts how often it is asked.
    struct One(&'static str, Cell<usize>);

    impl Store for One {
        fn get(&self, _: &SecretName) -> Result<SecretString, Failure> {
            self.1.set(self.1.get() + 1);
            Ok(self.0.into())
        }
    }

    fn references(environment: &[(&str, &str)]) -> References {
        References::among(environment.iter().map(|(name, value)| (name.into(), value.into())))
    }

    const PAY: &str = "warden-secret:warden/pay/1f2e3d4c5b6a";

    #[track_caller]
    fn check(secret: &'static str, expected: Result<&[(&str, &str)], &str>) {
        let store = One(secret, Cell::default());
        let found = references(&[("B", PAY), ("STAGE", "prod"), ("A", PAY)]).resolve(&store);
        assert_eq!(store.1.get(), 1, "one call for one secret");
        match (found, expected) {
            (Ok(values), Ok(expected)) => {
                let mut values: Vec<_> =
                    values.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
                values.sort_unstable();
                assert_eq!(values, expected);
            }
            (Err(failure), Err(expected)) => {
                let (line, debugged) = (failure.to_string(), format!("{failure:?}"));
                assert!(line.contains(expected), "{line}");
                for shown in [&line, &debugged] {
                    assert!(!shown.contains("hunter2") && !shown.contains('\n'), "a value or a line end in: {shown}");
                }
            }
            (found, expected) => panic!("{found:?} is not {expected:?}"),
        }
    }

    #[test]
    fn each_variable_gets_the_value_under_its_own_name() {
        check(r#"{"A": "1", "B": "zwei\n", "C": "not referred to"}"#, Ok(&[("A", "1"), ("B", "zwei\n")]));
        check(r#"{"A": "", "B": "warden-secret:warden/x"}"#, Ok(&[("A", ""), ("B", "warden-secret:warden/x")]));
    }

    #[test]
    fn all_or_none_and_never_a_value_in_the_failure() {
        check(r#"{"A": "hunter2"}"#, Err("no value for the variable B"));
        check(r#"{"A": "hunter2", "B": "hunter2\u0000"}"#, Err("zero byte"));
        check(r#"{"A": "hunter2", "B": 7}"#, Err("not a JSON object of texts"));
        check(r#""hunter2""#, Err("not a JSON object of texts"));
        check(r#"{"A": "hunter2" hunter2"#, Err("not a JSON object of texts"));
        check("hunter2", Err("not a JSON object of texts"));
    }

    /// A function whose first secret has no room for another version has a second one.
    #[test]
    fn each_secret_is_asked_for_once() {
        let store = One(r#"{"A": "1", "B": "2", "C": "3"}"#, Cell::default());
        let second = "warden-secret:warden/pay/2";
        let values = references(&[("A", PAY), ("B", second), ("C", PAY)]).resolve(&store).unwrap();
        assert_eq!((values.len(), store.1.get()), (3, 2));
    }

    #[test]
    fn only_whole_references_count() {
        assert!(references(&[("A", "x"), ("B", "warden-secret:"), ("C", &format!("{PAY} "))]).is_empty());
        let strange = (OsString::from_vec(vec![0xff]), OsString::from_vec(vec![0xfe]));
        assert!(References::among([strange].into_iter()).is_empty());
    }
}
