//! What each service that invokes functions says about the resource it does so for.

/// The condition keys a service is documented to send with an invocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    /// `aws:SourceAccount`.
    Account,
    /// `aws:SourceArn`, of this service; `aws:SourceAccount` is not documented.
    Arn { service: &'static str },
    /// Neither: `lambda:EventSourceToken` is all there is.
    Token,
}

/// What is known of a service principal, with the page that says so.
struct EventSource {
    principal: &'static str,
    sent: Sent,
    /// Where a reader finds the fact.
    #[cfg_attr(not(test), expect(dead_code, reason = "a fact without its source could not be checked"))]
    page: &'static str,
}

const fn source(principal: &'static str, sent: Sent, page: &'static str) -> EventSource {
    EventSource { principal, sent, page }
}

const fn arn(service: &'static str) -> Sent {
    Sent::Arn { service }
}

const EVENT_SOURCES: &[EventSource] = &[
    source(
        "alexa-appkit.amazon.com",
        Sent::Token,
        "https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html",
    ),
    source(
        "alexa-connectedhome.amazon.com",
        Sent::Token,
        "https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html",
    ),
    source(
        "apigateway.amazonaws.com",
        arn("execute-api"),
        "https://docs.aws.amazon.com/lambda/latest/dg/services-apigateway.html",
    ),
    source(
        "bedrock.amazonaws.com",
        Sent::Account,
        "https://docs.aws.amazon.com/bedrock/latest/userguide/agents-permissions.html",
    ),
    source(
        "cloudfront.amazonaws.com",
        arn("cloudfront"),
        "https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-restricting-access-to-lambda.html",
    ),
    source(
        "codecommit.amazonaws.com",
        Sent::Account,
        "https://docs.aws.amazon.com/codecommit/latest/userguide/how-to-notify-lambda-cc.html",
    ),
    source(
        "cognito-idp.amazonaws.com",
        Sent::Account,
        "https://docs.aws.amazon.com/cognito/latest/developerguide/cognito-user-pools-working-with-lambda-triggers.html",
    ),
    source(
        "config.amazonaws.com",
        Sent::Account,
        "https://docs.aws.amazon.com/config/latest/developerguide/evaluate-config_develop-rules_lambda-functions.html",
    ),
    source(
        "elasticloadbalancing.amazonaws.com",
        arn("elasticloadbalancing"),
        "https://docs.aws.amazon.com/elasticloadbalancing/latest/application/lambda-functions.html",
    ),
    source(
        "events.amazonaws.com",
        arn("events"),
        "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html",
    ),
    source(
        "iot.amazonaws.com",
        Sent::Account,
        "https://docs.aws.amazon.com/iot/latest/developerguide/lambda-rule-action.html",
    ),
    source(
        "lambda.alarms.cloudwatch.amazonaws.com",
        Sent::Account,
        "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html",
    ),
    source("lexv2.amazonaws.com", Sent::Account, "https://docs.aws.amazon.com/lexv2/latest/dg/lambda-attach.html"),
    source(
        "logs.amazonaws.com",
        Sent::Account,
        "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html",
    ),
    source("s3.amazonaws.com", Sent::Account, "https://docs.aws.amazon.com/lambda/latest/dg/with-s3-example.html"),
    source(
        "secretsmanager.amazonaws.com",
        Sent::Account,
        "https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotating-secrets-required-permissions-function.html",
    ),
    source(
        "ses.amazonaws.com",
        Sent::Account,
        "https://docs.aws.amazon.com/ses/latest/dg/receiving-email-permissions.html",
    ),
    source("sns.amazonaws.com", arn("sns"), "https://docs.aws.amazon.com/lambda/latest/dg/with-sns-example.html"),
    source(
        "vpc-lattice.amazonaws.com",
        arn("vpc-lattice"),
        "https://docs.aws.amazon.com/lambda/latest/dg/services-vpc-lattice.html",
    ),
];

/// What a service principal sends, where that is documented.
pub(super) fn sent_by(principal: &str) -> Option<Sent> {
    let general = without_region(principal);
    EVENT_SOURCES.iter().find(|source| source.principal == general).map(|source| source.sent)
}

/// `logs.eu-west-1.amazonaws.com` is `logs.amazonaws.com` in one Region, and `.amazonaws.com.cn` is China's.
fn without_region(principal: &str) -> String {
    let principal = principal.strip_suffix(".cn").unwrap_or(principal);
    match principal.strip_suffix(".amazonaws.com").and_then(|name| name.rsplit_once('.')) {
        Some((service, region)) if is_region(region) => format!("{service}.amazonaws.com"),
        Some(_) | None => principal.to_owned(),
    }
}

/// `eu-west-1`, `us-gov-east-1`.
fn is_region(text: &str) -> bool {
    let mut parts = text.rsplit('-');
    let number = parts.next().unwrap_or_default();
    !number.is_empty()
        && number.bytes().all(|byte| byte.is_ascii_digit())
        && parts.clone().count() >= 2
        && parts.all(|part| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_lowercase()))
}

/// Whether the principal is S3, whose ARNs have no account.
pub(super) fn is_s3(principal: &str) -> bool {
    without_region(principal) == "s3.amazonaws.com"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_regional_principal_is_its_service() {
        assert_eq!(sent_by("logs.eu-west-1.amazonaws.com"), Some(Sent::Account));
        assert_eq!(sent_by("logs.us-gov-east-1.amazonaws.com"), Some(Sent::Account));
        assert_eq!(sent_by("s3.amazonaws.com.cn"), Some(Sent::Account));
        assert_eq!(sent_by("lambda.alarms.cloudwatch.amazonaws.com"), Some(Sent::Account));
        assert_eq!(sent_by("sns.amazonaws.com"), Some(arn("sns")));
        assert_eq!(sent_by("mallory.amazonaws.com"), None);
        assert_eq!(sent_by("sns.mallory.amazonaws.com"), None);
    }

    #[test]
    fn the_table_is_sorted_and_every_fact_has_a_page() {
        assert!(EVENT_SOURCES.is_sorted_by(|a, b| a.principal < b.principal));
        assert!(EVENT_SOURCES.iter().all(|source| source.page.starts_with("https://docs.aws.amazon.com/")));
    }
}
