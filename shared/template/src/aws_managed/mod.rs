//! Managed policies of AWS that a template names by their ARN. Their documents are not in it, but are known here.

mod table;

use crate::policy::Policy;

/// The name of a managed policy of AWS, with its path, when the ARN is one of those:
/// `arn:aws:iam::aws:policy/AdministratorAccess`.
pub(crate) fn name(arn: &str) -> Option<&str> {
    Some(arn.strip_prefix("arn:")?.split_once(":iam::aws:policy/")?.1)
}

/// The document of the policy of that name.
pub(crate) fn document(name: &str) -> Option<String> {
    table::TABLE.document(last(name)).map(|document| document.to_string())
}

/// The policy of that name, with or without its path, as AWS SAM takes it, as it is attached at a place; none for one
/// that is not known.
pub(crate) fn by_name(at: &str, name: &str) -> Option<Policy> {
    table::TABLE.has(last(name)).then(|| Policy::of_aws(at.to_owned(), name))
}

fn last(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or_default()
}

/// The policy of that ARN, if it is one of those, as it is attached at a place.
pub(crate) fn policy(at: &str, arn: &str) -> Option<Policy> {
    by_name(at, name(arn)?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use warden_policy::{Document, Kind};

    #[test]
    fn policies_are_found_by_name_and_by_arn() {
        let arn = "arn:aws-cn:iam::aws:policy/service-role/AWSLambdaBasicExecutionRole";
        assert_eq!(name(arn), Some("service-role/AWSLambdaBasicExecutionRole"));
        let basic: Value = serde_json::from_str(&document(name(arn).unwrap()).unwrap()).unwrap();
        assert_eq!(basic["Statement"][0]["Effect"], "Allow");
        assert_eq!(basic["Statement"][0]["Action"][0], "logs:CreateLogGroup");
        assert_eq!(document("AWSLambdaBasicExecutionRole"), document("service-role/AWSLambdaBasicExecutionRole"));
        assert_eq!(document("AWSLambdaBasicExecutionRol"), None);
        assert_eq!(document(""), None);
        assert_eq!(name("arn:aws:iam::111122223333:policy/AdministratorAccess"), None);
    }

    #[test]
    fn every_document_of_the_table_is_a_policy() {
        let names: Vec<&str> = table::TABLE.names().collect();
        assert!(names.len() > 1_000);
        assert!(names.is_sorted());
        for name in names {
            let text = document(name).expect(name);
            Document::parse(&text, Kind::Identity).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
    }
}
