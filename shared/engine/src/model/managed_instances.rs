//! Functions on Lambda Managed Instances: what is changed on `$LATEST` does not run there until it is published again.
//!
//! Without a qualifier the version `$LATEST.PUBLISHED` is invoked, which keeps code and configuration as they were when
//! it was last published; `$LATEST` itself cannot be invoked. A guard puts `$LATEST` right and says so. It does not
//! publish: that would bring whatever else is new on `$LATEST` into service, and that is for the owner to decide
//! (<https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-version-publishing.html>).

use crate::name::lambda::FunctionArn;

/// How the owner brings `$LATEST` into service.
fn publish(function: &FunctionArn) -> String {
    format!(
        "aws lambda publish-version --function-name {} --publish-to LATEST_PUBLISHED --region {}",
        function.name(),
        function.region()
    )
}

/// What a record of a change to `$LATEST` has to say: that something else runs, and how to bring the change into
/// service.
pub fn not_in_service(function: &FunctionArn, what: &str) -> String {
    format!(
        "this is not in service yet: the function runs on Lambda Managed Instances, where $LATEST.PUBLISHED is what \
         runs, and that keeps the {what} that it was published with until it is published again, with whatever else is \
         new on $LATEST: {}",
        publish(function)
    )
}

/// What to do about a finding on `$LATEST.PUBLISHED` itself, which nobody can change.
pub fn publish_again(function: &FunctionArn, what: &str) -> String {
    format!(
        "$LATEST.PUBLISHED is what runs, and it keeps the {what} that it was published with: once $LATEST is right, \
         publish it again, with whatever else is new on $LATEST: {}",
        publish(function)
    )
}
