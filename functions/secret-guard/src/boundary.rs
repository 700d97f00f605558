//! Whether a role may read its function's secret in spite of its permissions boundary.

use crate::Boundary;
use warden_engine::{name::lambda::FunctionArn, secret_ref::SecretName};
use warden_policy::{Document, Kind, surely_allows};

/// What the document of a role's boundary says to reading `secret`; `None` is no boundary.
///
/// A resource policy that names the role does not help against a boundary that leaves the action out (IAM user guide,
/// "Policy evaluation logic"). Where nobody can be sure, the answer is no: the function would not start.
pub(crate) fn boundary(document: Option<&str>, function: &FunctionArn, secret: &SecretName) -> Boundary {
    let Some(document) = document else { return Boundary::Allows };
    let home = function.home();
    let (partition, region, account) = (home.partition.as_str(), &home.region, home.account);
    // AWS adds a hyphen and six characters to the name.
    let arn = format!("arn:{partition}:secretsmanager:{region}:{account}:secret:{secret}-AbCdEf");
    let allows = Document::parse(document, Kind::Identity)
        .is_ok_and(|document| surely_allows(&document, "secretsmanager:GetSecretValue", &arn));
    if allows { Boundary::Allows } else { Boundary::Lacks }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(document: Option<&str>, expected: Boundary) {
        let function = "arn:aws:lambda:us-east-1:111122223333:function:pay".parse().unwrap();
        let secret = "warden/pay/1f2e3d4c5b6a".parse().unwrap();
        assert_eq!(boundary(document, &function, &secret), expected, "{document:?}");
    }

    #[test]
    fn a_boundary_lets_the_secret_be_read_or_counts_as_one_that_does_not() {
        check(None, Boundary::Allows);
        let with = |resource: &str| {
            format!(
                r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Action":"secretsmanager:GetSecretValue","Resource":"{resource}"}}}}"#
            )
        };
        check(Some(&with("arn:aws:secretsmanager:us-east-1:111122223333:secret:warden/*")), Boundary::Allows);
        check(Some(&with("arn:aws:secretsmanager:eu-west-1:111122223333:secret:warden/*")), Boundary::Lacks);
        check(Some("not JSON"), Boundary::Lacks);
    }
}
