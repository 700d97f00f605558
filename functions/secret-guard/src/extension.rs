//! Variables that an extension reads. Extensions are processes of their own beside the runtime: the layer changes the runtime's
//! environment alone, so that an extension would find the reference in place of its key.

/// Variables by name, and by what they begin with, each from its vendor's documentation.
const NAMES: &[&str] = &[
    // Datadog: https://docs.datadoghq.com/serverless/aws_lambda/configuration/
    "DD_API_KEY",
    "DD_APP_KEY",
    // New Relic: https://docs.newrelic.com/docs/serverless-function-monitoring/aws-lambda-monitoring/
    "NEW_RELIC_LICENSE_KEY",
    // OpenTelemetry collectors: https://opentelemetry.io/docs/languages/sdk-configuration/otlp-exporter/
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
    "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    // Dynatrace: https://docs.dynatrace.com/docs/ingest-from/amazon-web-services/integrate-into-aws/aws-lambda-integration
    "DT_CONNECTION_AUTH_TOKEN",
    "DT_LOG_COLLECTION_AUTH_TOKEN",
    // Elastic: https://www.elastic.co/docs/reference/apm/aws-lambda
    "ELASTIC_APM_API_KEY",
    "ELASTIC_APM_SECRET_TOKEN",
    // Honeycomb: https://docs.honeycomb.io/integrations/aws/lambda-extension/
    "HONEYCOMB_API_KEY",
    "LIBHONEY_API_KEY",
    // Splunk: https://docs.splunk.com/observability/en/gdi/get-data-in/serverless/aws/otel-lambda-layer.html
    "SPLUNK_ACCESS_TOKEN",
    // Coralogix, Logz.io, Instana, Sumo Logic: the pages of their Lambda extensions.
    "CX_API_KEY",
    "INSTANA_AGENT_KEY",
    "LOGZIO_LOGS_TOKEN",
    "LOGZIO_METRICS_TOKEN",
    "LOGZIO_TRACES_TOKEN",
    "SUMO_HTTP_ENDPOINT",
    // HashiCorp's extension for Vault: https://developer.hashicorp.com/vault/docs/deploy/aws/lambda-extension
    "VAULT_TOKEN",
];

/// Whether an extension may read the variable.
pub(crate) fn reads(name: &str) -> bool {
    NAMES.contains(&name)
}
