//! Which variables hold references, and what they stand for.

use crate::{
    failure::{Failure, rotation},
    secrets_manager::Store,
};
use secrecy::{ExposeSecret, SecretString};
use std::{collections::BTreeMap, ffi::OsString, fmt};
use warden_secret_ref::{Reference, SecretName, plain};

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
    pub(crate) fn resolve(self, store: &impl Store) -> Result<Resolved, Failure> {
        let mut resolved = Resolved::default();
        for (secret, variables) in self.0 {
            let text = store.get(&secret)?;
            // serde_json quotes what it met instead, which may be a value.
            let values: Result<BTreeMap<String, SecretString>, _> = serde_json::from_str(text.expose_secret());
            let mut values = match (values, plain(text.expose_secret()), variables.as_slice()) {
                (Ok(values), _, _) => values,
                // Whoever puts a text into the secret of one variable means its value.
                (Err(_), Some(value), [variable]) => {
                    resolved.notices.push(Notice { secret: secret.clone(), variable: variable.clone() });
                    BTreeMap::from([(variable.clone(), value.into())])
                }
                (Err(_), _, _) => return Err(Failure::NotAnObject { secret, variables }),
            };
            for variable in variables {
                let Some(value) = values.remove(&variable) else { return Err(Failure::NoValue { secret, variable }) };
                if value.expose_secret().contains('\0') {
                    return Err(Failure::ZeroByte { secret, variable });
                }
                resolved.values.push((variable, value));
            }
        }
        Ok(resolved)
    }
}

/// The values, and what somebody should know about where they were found.
#[derive(Debug, Default)]
pub(crate) struct Resolved {
    pub(crate) values: Vec<(String, SecretString)>,
    pub(crate) notices: Vec<Notice>,
}

/// A secret whose whole text was taken as the value of the one variable that refers to it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Notice {
    secret: SecretName,
    variable: String,
}

impl fmt::Display for Notice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Notice { secret, variable } = self;
        write!(
            f,
            "the secret `{secret}` holds a plain text and no JSON object: it is taken as the value of {variable}, the \
             one variable that refers to it. Set values with `{}`",
            rotation(secret, variable)
        )
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
            (Ok(found), Ok(expected)) => {
                assert_eq!(found.notices, []);
                let mut values: Vec<_> =
                    found.values.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect();
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
        for text in [r#"{"A": "hunter2", "B": 7}"#, r#""hunter2""#, r#"{"A": "hunter2" hunter2"#, "hunter2"] {
            check(text, Err("is no JSON object with a text for each variable"));
            check(text, Err("`warden rotate pay B` and `warden rotate pay A`"));
        }
    }

    /// A function whose first secret has no room for another version has a second one.
    #[test]
    fn each_secret_is_asked_for_once() {
        let store = One(r#"{"A": "1", "B": "2", "C": "3"}"#, Cell::default());
        let second = "warden-secret:warden/pay/2";
        let found = references(&[("A", PAY), ("B", second), ("C", PAY)]).resolve(&store).unwrap();
        assert_eq!((found.values.len(), store.1.get()), (3, 2));
    }

    /// What a console invites to: one text in the place of the object.
    #[test]
    fn a_plain_text_is_the_value_of_the_one_variable_that_refers_to_its_secret() {
        #[track_caller]
        fn check(text: &'static str, expected: Option<&str>) {
            let found = references(&[("DB_PASSWORD", PAY), ("STAGE", "prod")]).resolve(&One(text, Cell::default()));
            match (found, expected) {
                (Ok(found), Some(expected)) => {
                    let values: Vec<_> = found.values.iter().map(|(_, value)| value.expose_secret()).collect();
                    assert_eq!(values, [expected]);
                    let [notice] = found.notices.as_slice() else { panic!("one notice: {:?}", found.notices) };
                    let line = notice.to_string();
                    assert!(line.contains("`warden/pay/1f2e3d4c5b6a` holds a plain text"), "{line}");
                    assert!(line.contains("`warden rotate pay DB_PASSWORD`"), "{line}");
                    assert!(!line.contains("hunter2") && !line.contains('\n'), "{line}");
                }
                (Err(failure), None) => {
                    let line = failure.to_string();
                    assert!(line.contains("`warden rotate pay DB_PASSWORD`") && !line.contains("hunter2"), "{line}");
                }
                (found, expected) => panic!("{found:?} is not {expected:?}"),
            }
        }
        check("hunter2", Some("hunter2"));
        check("hunter2\n", Some("hunter2"));
        check("12345", Some("12345"));
        // A broken object holds other variables' values too, and is nobody's.
        check(r#"{"DB_PASSWORD": "hunter2", "API_KEY": "hunter2""#, None);
        check(r#""hunter2""#, None);
        check("hunter2\u{0}", None);
        check(r#"{"OTHER": "hunter2"}"#, None);
    }

    #[test]
    fn only_whole_references_count() {
        assert!(references(&[("A", "x"), ("B", "warden-secret:"), ("C", &format!("{PAY} "))]).is_empty());
        let strange = (OsString::from_vec(vec![0xff]), OsString::from_vec(vec![0xfe]));
        assert!(References::among([strange].into_iter()).is_empty());
    }
}
