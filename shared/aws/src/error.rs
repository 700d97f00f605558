//! AWS's errors, classified once: what the caller can do about each.

use aws_smithy_runtime_api::client::{
    orchestrator::HttpResponse,
    result::{CreateUnhandledError, SdkError},
};
use aws_smithy_types::error::{display::DisplayErrorContext, metadata::ProvideErrorMetadata};
use jiff::SignedDuration;
use std::error::Error;
use warden_engine::{
    call_error::{CallError, ErrorKind},
    ports::Clock,
};

/// What AWS says of an operation that the Region does not have, to whoever may do everything too: with 403
/// `AccessDeniedException`, as if it were a matter of permissions (<https://github.com/zappa/Zappa/issues/1425>). It has
/// said so of operations that were there as well (<https://github.com/boto/boto3/issues/294>).
const NOT_OFFERED: &str = "Unable to determine service/operation name";

/// How often a call is made before its Region is taken to lack the operation.
const ASKED: u32 = 3;

/// Makes a call again while AWS answers that the Region does not have the operation, which it may have all the same.
///
/// # Errors
/// The last answer; [`NotOffered`](ErrorKind::NotOffered) where AWS said that each time.
pub(crate) async fn unless_said_again<T>(
    clock: &impl Clock,
    mut ask: impl AsyncFnMut() -> Result<T, CallError>,
) -> Result<T, CallError> {
    for attempt in 1..ASKED {
        match ask().await {
            Err(error) if error.kind == ErrorKind::NotOffered => {
                clock.sleep(SignedDuration::from_millis(200 << attempt)).await;
            }
            answer => return answer,
        }
    }
    ask().await
}

/// How AWS says, with 400 InvalidParameterValueException, that a function's runtime is past its date "Block function
/// update": "The runtime parameter of nodejs8.10 is no longer supported for creating or updating AWS Lambda functions."
/// (<https://github.com/transcend-io/terraform-aws-lambda-at-edge/pull/18>,
/// <https://github.com/artilleryio/chaos-lambda/issues/30>)
const BLOCKED_RUNTIME: &str = "is no longer supported for creating or updating AWS Lambda functions";

/// How AWS refuses to reserve what it keeps for functions that reserve none, with 400 InvalidParameterValueException:
/// "Specified ReservedConcurrentExecutions for function decreases account's UnreservedConcurrentExecution below its
/// minimum value of [100]." (<https://github.com/serverless/serverless/issues/4458>; with 50
/// <https://github.com/milliHQ/terraform-aws-next-js/issues/251>, with 10
/// <https://github.com/DataDog/datadog-serverless-functions/issues/621>)
const UNRESERVED: &str = "UnreservedConcurrentExecution below its minimum value";

/// Whether AWS has said that functions of this runtime are not changed any more.
pub(crate) fn is_of_blocked_runtime(error: &CallError) -> bool {
    error.message.contains(BLOCKED_RUNTIME)
}

/// Classifies the failure of `operation` on `target`.
pub(crate) fn classify<E>(operation: &'static str, target: &str, error: SdkError<E, HttpResponse>) -> CallError
where
    E: Error + ProvideErrorMetadata + CreateUnhandledError + Send + Sync + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let code = error.as_service_error().and_then(|error| error.code()).map(str::to_owned);
    let kind = kind(code.as_deref(), status);
    // Whether the body is JSON or XML then is not sure (? not-offered).
    let body = error.raw_response().and_then(|response| response.body().bytes()).unwrap_or_default();
    let unknown = body.windows(NOT_OFFERED.len()).any(|part| part == NOT_OFFERED.as_bytes());
    let kind = if kind == ErrorKind::Denied && unknown { ErrorKind::NotOffered } else { kind };
    let service = error.as_service_error().and_then(|error| error.message());
    let keeps = service.is_some_and(|message| message.contains(UNRESERVED));
    let kind = if kind == ErrorKind::Bug && keeps { ErrorKind::UnreservedConcurrency } else { kind };
    let said = match error.as_service_error() {
        Some(service) => {
            format!("{}: {}", code.as_deref().unwrap_or("error"), service.message().unwrap_or("no message"))
        }
        // No answer from the service: the connection's own words.
        None => DisplayErrorContext(&error).to_string(),
    };
    CallError { kind, operation, target: target.to_owned(), message: format!("{said}{}", advice(kind)) }
}

/// The same for calls that carry values of environments: AWS quotes what it was sent in some of its messages (Lambda,
/// where an environment is too long, all of it), and an answer that could not be read stands in the error. Only the
/// code is kept, and the one sentence that is known to quote nothing.
pub(crate) fn classify_redacted<E>(operation: &'static str, target: &str, error: SdkError<E, HttpResponse>) -> CallError
where
    E: Error + ProvideErrorMetadata + CreateUnhandledError + Send + Sync + 'static,
{
    let status = error.raw_response().map(|response| response.status().as_u16());
    let code = error.as_service_error().and_then(|error| error.code()).map(str::to_owned);
    let kind = kind(code.as_deref(), status);
    let service = error.as_service_error().and_then(|error| error.message());
    let is_blocked = service.is_some_and(|message| message.contains(BLOCKED_RUNTIME));
    let said = match (code, status) {
        (Some(code), _) if is_blocked => format!("{code}: its runtime {BLOCKED_RUNTIME}"),
        (Some(code), _) => code.chars().filter(char::is_ascii_alphanumeric).take(128).collect(),
        (None, Some(status)) => format!("HTTP status {status}"),
        (None, None) => "no answer".to_owned(),
    };
    CallError { kind, operation, target: target.to_owned(), message: format!("{said}{}", advice(kind)) }
}

fn advice(kind: ErrorKind) -> &'static str {
    match kind {
        ErrorKind::Denied => {
            " (look at the role's policy, the tag that its permissions are conditioned on, and service control \
             policies)"
        }
        ErrorKind::PublicPolicy => {
            " (AWS refuses a policy that lets the public in. Name the accounts, organisation or services that are \
             meant instead; or, where the public is meant, have whoever blocks public policies in this account or \
             organisation allow it for this function)"
        }
        ErrorKind::NotOffered => " (the Region does not offer this operation)",
        ErrorKind::UnreservedConcurrency => {
            " (functions that reserve none need it: have the account's quota of concurrency raised, or reserve less)"
        }
        ErrorKind::Retry
        | ErrorKind::Stale
        | ErrorKind::Busy
        | ErrorKind::Gone
        | ErrorKind::Refused
        | ErrorKind::Bug => "",
    }
}

/// By AWS's error code, else by the HTTP status; no status means that no answer came.
fn kind(code: Option<&str>, status: Option<u16>) -> ErrorKind {
    match (code.unwrap_or_default(), status) {
        ("PreconditionFailedException", _) | (_, Some(412)) => ErrorKind::Stale,
        // Of AddPermission, RemovePermission and PutResourcePolicy (Lambda API reference): HTTP status 400.
        ("PublicPolicyException", _) => ErrorKind::PublicPolicy,
        // IAM's words for a change that is under way elsewhere; Secrets Manager's for a secret that another request
        // made in between.
        (
            "ResourceConflictException"
            | "ConcurrentModification"
            | "EntityTemporarilyUnmodifiable"
            | "ResourceExistsException",
            _,
        ) => ErrorKind::Busy,
        ("NoSuchEntity", _) => ErrorKind::Gone,
        // The words that AWS's protocols have for an operation that an endpoint does not know (Smithy's AWS restJson1
        // and awsQuery: "common errors").
        ("UnknownOperationException" | "UnknownOperation" | "InvalidAction" | "UnsupportedOperation", _) => {
            ErrorKind::NotOffered
        }
        (
            "TooManyRequestsException"
            | "ThrottlingException"
            | "Throttling"
            | "RequestLimitExceeded"
            | "ProvisionedThroughputExceededException"
            | "TransactionInProgressException"
            | "KMSInternalException"
            | "DependencyTimeoutException"
            | "InternalServerError"
            | "InternalException"
            | "ServiceException"
            | "ServiceFailure",
            _,
        ) => ErrorKind::Retry,
        // A policy that is full, or quotas: somebody has to make room. What AWS's own services alone may change.
        (
            "PolicyLengthExceededException"
            | "CodeStorageExceededException"
            | "KMSInvalidMacException"
            // The key of a function's environment; Lambda answers 502 to these.
            | "KMSAccessDeniedException"
            | "KMSDisabledException"
            | "KMSInvalidStateException"
            | "KMSNotFoundException"
            | "LimitExceededException"
            | "MalformedPolicyDocumentException"
            | "InvalidRequestException"
            | "LimitExceeded"
            | "UnmodifiableEntity"
            | "DeleteConflict",
            _,
        ) => ErrorKind::Refused,
        // `ResourceNotFoundException`, and what Lambda has for single things (`CodeSigningConfigNotFoundException`).
        (code, _) if code.ends_with("NotFoundException") => ErrorKind::Gone,
        (_, None | Some(429) | Some(500..)) => ErrorKind::Retry,
        (code, _) if code.starts_with("AccessDenied") => ErrorKind::Denied,
        ("", Some(403)) => ErrorKind::Denied,
        // The request's signature: nothing that somebody else's permission would mend.
        (_, Some(401 | 403)) => ErrorKind::Refused,
        (code, _) if code.starts_with("ExpiredToken") => ErrorKind::Refused,
        // All of AWS's services name what they do not find. Without a name it is the address that is not known.
        (_, Some(404 | 405)) => ErrorKind::NotOffered,
        (_, Some(409)) => ErrorKind::Busy,
        (_, Some(_)) => ErrorKind::Bug,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use aws_smithy_types::error::ErrorMetadata;

    /// A call that AWS answered with that body.
    fn refused(body: &'static str) -> CallError {
        use aws_sdk_lambda::operation::get_function_url_config::GetFunctionUrlConfigError;
        let response = HttpResponse::new(403.try_into().unwrap(), body.into());
        let metadata = ErrorMetadata::builder().code("AccessDeniedException").message("not in the body").build();
        let error = SdkError::service_error(GetFunctionUrlConfigError::generic(metadata), response);
        classify("GetFunctionUrlConfig", "pay", error)
    }

    #[test]
    fn an_operation_that_the_region_does_not_have_is_no_missing_permission() {
        for body in [
            r#"{"Message":"Unable to determine service/operation name to be authorized"}"#,
            "<AccessDeniedException>\n<Message>Unable to determine service/operation name to be authorized</Message>",
        ] {
            let error = refused(body);
            assert!(error.kind == ErrorKind::NotOffered && error.message.contains("does not offer"), "{error}");
        }
        let denied = refused(r#"{"Message":"User: x is not authorized to perform: lambda:GetFunctionUrlConfig"}"#);
        assert_eq!(denied.kind, ErrorKind::Denied, "{denied}");
    }

    #[test]
    fn that_a_runtime_is_blocked_is_said_and_nothing_else_of_a_message_that_may_quote_values() {
        use aws_sdk_lambda::operation::update_function_configuration::UpdateFunctionConfigurationError;
        let answered = |message: &str| {
            let response = HttpResponse::new(400.try_into().unwrap(), "".into());
            let code = "InvalidParameterValueException";
            let metadata = ErrorMetadata::builder().code(code).message(message).build();
            let error = SdkError::service_error(UpdateFunctionConfigurationError::generic(metadata), response);
            classify_redacted("UpdateFunctionConfiguration", "pay", error)
        };
        let blocked = answered(
            "The runtime parameter of nodejs8.10 is no longer supported for creating or updating AWS Lambda functions. \
             We recommend you use the new runtime (nodejs12.x) while creating or updating functions.",
        );
        assert!(is_of_blocked_runtime(&blocked), "{blocked}");
        let other = answered("Lambda was unable to configure your environment variables: {DB_PASSWORD=hunter2}");
        assert!(!is_of_blocked_runtime(&other) && !other.to_string().contains("hunter2"), "{other}");
    }

    #[test]
    fn what_lambda_keeps_unreserved_is_told_from_other_wrong_parameters() {
        use aws_sdk_lambda::operation::put_function_concurrency::PutFunctionConcurrencyError;
        let answered = |message: &str| {
            let response = HttpResponse::new(400.try_into().unwrap(), "".into());
            let metadata = ErrorMetadata::builder().code("InvalidParameterValueException").message(message).build();
            let error = SdkError::service_error(PutFunctionConcurrencyError::generic(metadata), response);
            classify("PutFunctionConcurrency", "pay", error).kind
        };
        let floor = "Specified ReservedConcurrentExecutions for function decreases account's \
                     UnreservedConcurrentExecution below its minimum value of [50].";
        assert_eq!(answered(floor), ErrorKind::UnreservedConcurrency);
        assert_eq!(answered("Something else is wrong."), ErrorKind::Bug);
    }

    #[track_caller]
    fn check(code: &str, status: Option<u16>, expected: ErrorKind) {
        assert_eq!(kind(Some(code).filter(|code| !code.is_empty()), status), expected);
    }

    #[test]
    fn each_answer_says_what_can_be_done() {
        check("PreconditionFailedException", Some(412), ErrorKind::Stale);
        check("ResourceConflictException", Some(409), ErrorKind::Busy);
        check("ResourceNotFoundException", Some(404), ErrorKind::Gone);
        // DynamoDB and the query services answer 400 for most errors: the code decides.
        check("ResourceNotFoundException", Some(400), ErrorKind::Gone);
        check("ThrottlingException", Some(400), ErrorKind::Retry);
        // IAM answers 409 for both of these.
        check("LimitExceeded", Some(409), ErrorKind::Refused);
        check("ConcurrentModification", Some(409), ErrorKind::Busy);
        check("NoSuchEntity", Some(404), ErrorKind::Gone);
        check("AccessDeniedException", Some(400), ErrorKind::Denied);
        check("AccessDeniedException", Some(403), ErrorKind::Denied);
        check("AccessDenied", Some(403), ErrorKind::Denied);
        check("ExpiredTokenException", Some(403), ErrorKind::Refused);
        check("PolicyLengthExceededException", Some(400), ErrorKind::Refused);
        check("UnknownOperationException", Some(404), ErrorKind::NotOffered);
        check("UnknownOperationException", Some(400), ErrorKind::NotOffered);
        check("", Some(404), ErrorKind::NotOffered);
        check("CodeSigningConfigNotFoundException", Some(404), ErrorKind::Gone);
        check("PublicPolicyException", Some(400), ErrorKind::PublicPolicy);
        check("InvalidParameterValueException", Some(400), ErrorKind::Bug);
        check("KMSAccessDeniedException", Some(502), ErrorKind::Refused);
        check("ServiceException", Some(500), ErrorKind::Retry);
        check("", Some(503), ErrorKind::Retry);
        check("", None, ErrorKind::Retry);
    }
}
