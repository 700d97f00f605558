//! Variables that an extension reads. Extensions are processes of their own beside the runtime: the layer changes the
//! runtime's environment alone, so that an extension would find the reference in place of its key.
//!
//! Which extensions a function has is told by its layers' files; what one of a vendor that is on no list here reads,
//! nobody can know: it may be any variable, until the owner says which by a tag.

use crate::{
    Context,
    aws_layers::{APP_CONFIG, PARAMETERS_AND_SECRETS},
};
use std::collections::{BTreeMap, BTreeSet};
use warden_engine::{model::tags::extension_reads, name::lambda::LayerVersionArn};

/// Extensions of which it is known by what the variables that they read begin with: by the names of their files.
const KNOWN: &[(&str, &[&str])] = &[
    // https://github.com/DataDog/datadog-lambda-extension
    ("datadog-agent", &["DD_", "DATADOG_"]),
    // https://github.com/newrelic/newrelic-lambda-extension
    ("newrelic-lambda-extension", &["NEW_RELIC_"]),
    // CloudWatch Lambda Insights sends with the function's role.
    ("cloudwatch_lambda_agent", &[]),
];

/// An extension of AWS's own.
struct OfAws {
    /// The name of the layer that brings it. The layers for arm64 end in `-Arm64`.
    layer: &'static str,
    /// The accounts that AWS publishes the layer from, by Region.
    accounts: &'static [(&'static str, &'static str)],
    /// What the variables that it reads begin with. They hold ports, times and sizes: it fetches with the function's
    /// role.
    reads: &'static [&'static str],
}

const OF_AWS: &[OfAws] = &[
    // https://docs.aws.amazon.com/secretsmanager/latest/userguide/retrieving-secrets_lambda.html
    OfAws {
        layer: "AWS-Parameters-and-Secrets-Lambda-Extension",
        accounts: PARAMETERS_AND_SECRETS,
        reads: &["PARAMETERS_SECRETS_EXTENSION_", "SECRETS_MANAGER_", "SSM_PARAMETER_STORE_"],
    },
    // https://docs.aws.amazon.com/appconfig/latest/userguide/appconfig-integration-lambda-extensions-config.html
    OfAws { layer: "AWS-AppConfig-Extension", accounts: APP_CONFIG, reads: &["AWS_APPCONFIG_EXTENSION_"] },
];

/// Whether a layer is AWS's own.
enum Publisher {
    /// It is, and its extension reads the variables that begin so.
    Aws(&'static [&'static str]),
    /// It has the name of one of AWS's, in an account that AWS is not known to publish that from.
    Namesake,
    /// It has a name of its own.
    Other,
}

fn publisher(layer: &str) -> Publisher {
    let Ok(layer) = layer.parse::<LayerVersionArn>() else { return Publisher::Other };
    let name = layer.name().strip_suffix("-Arm64").unwrap_or(layer.name());
    let Some(of_aws) = OF_AWS.iter().find(|of_aws| of_aws.layer == name) else { return Publisher::Other };
    let account = layer.account().to_string();
    if of_aws.accounts.contains(&(layer.region(), account.as_str())) {
        Publisher::Aws(of_aws.reads)
    } else {
        Publisher::Namesake
    }
}

/// Variables by name, each from its vendor's documentation or code; `(? extension-variables)` where only the variable is
/// known, and not that page. They stay also where no extension is seen: a container that
/// the function talks to, or a layer of tomorrow, reads them.
const NAMES: &[&str] = &[
    // Datadog: https://docs.datadoghq.com/serverless/aws_lambda/configuration/
    "DD_API_KEY",
    "DD_APP_KEY",
    // New Relic: https://docs.newrelic.com/docs/serverless-function-monitoring/aws-lambda-monitoring/
    "NEW_RELIC_LICENSE_KEY",
    // OpenTelemetry: https://opentelemetry.io/docs/languages/sdk-configuration/otlp-exporter/ (the exporter in the code
    // reads them; whether a collector's layer does depends on its configuration (? extension-variables))
    "OTEL_EXPORTER_OTLP_HEADERS",
    "OTEL_EXPORTER_OTLP_LOGS_HEADERS",
    "OTEL_EXPORTER_OTLP_METRICS_HEADERS",
    "OTEL_EXPORTER_OTLP_TRACES_HEADERS",
    // Dynatrace:
    // https://docs.dynatrace.com/docs/ingest-from/amazon-web-services/integrate-into-aws/aws-lambda-integration
    "DT_CONNECTION_AUTH_TOKEN",
    "DT_LOG_COLLECTION_AUTH_TOKEN",
    // Elastic: https://www.elastic.co/docs/reference/apm/aws-lambda
    "ELASTIC_APM_API_KEY",
    "ELASTIC_APM_SECRET_TOKEN",
    // Honeycomb: https://github.com/honeycombio/honeycomb-lambda-extension/blob/main/extension/config.go
    "LIBHONEY_API_KEY",
    // Splunk: https://docs.splunk.com/observability/en/gdi/get-data-in/serverless/aws/otel-lambda-layer.html
    "SPLUNK_ACCESS_TOKEN",
    // Coralogix: https://coralogix.com/docs/integrations/aws/aws-lambda-telemetry-exporter.md (? extension-variables), and the layer before
    // that: https://github.com/coralogix/aws-lambda-extension
    "CX_API_KEY",
    "CORALOGIX_PRIVATE_KEY",
    // Instana: https://www.ibm.com/docs/en/instana-observability?topic=lambda-aws-native-tracing
    // (? extension-variables)
    "INSTANA_AGENT_KEY",
    // Logz.io: https://github.com/logzio/logzio-lambda-extensions (logzio-lambda-extensions-logs/utils/getters.go), and
    // its layers of OpenTelemetry: https://github.com/logzio/opentelemetry-lambda
    // (? extension-variables)
    "LOGZIO_LOGS_TOKEN",
    "LOGZIO_METRICS_TOKEN",
    "LOGZIO_TRACES_TOKEN",
    // Sumo Logic: https://github.com/SumoLogic/sumologic-lambda-extensions (lambda-extensions/config/config.go)
    "SUMO_HTTP_ENDPOINT",
];

/// Why a variable may be read by an extension, with what the owner can do; none where it is not.
pub(crate) fn may_read(name: &str, known: &Context, tags: Option<&BTreeMap<String, String>>) -> Option<String> {
    if let Some(said) = tags.and_then(extension_reads) {
        return said
            .contains(name)
            .then(|| format!("{name} is read by an extension, says the tag warden:extension-reads: {INSTEAD}"));
    }
    if NAMES.contains(&name) {
        return Some(format!("{name} is read by an extension, {REACH}: {INSTEAD}"));
    }
    let mut reading = BTreeSet::new();
    for (layer, extensions) in &known.extensions {
        let publisher = publisher(layer);
        if matches!(publisher, Publisher::Aws(reads) if !reads.iter().any(|prefix| name.starts_with(prefix))) {
            continue;
        }
        let mut layer = layer.rsplit(":layer:").next().unwrap_or(layer).to_owned();
        if matches!(publisher, Publisher::Namesake) {
            layer += " (of an account that AWS is not known to publish it from in this Region)";
        }
        match extensions {
            None => drop(
                reading.insert(format!("the layer {layer} cannot be looked into, so that it may bring an extension")),
            ),
            Some(extensions) => {
                for extension in extensions {
                    let prefixes = KNOWN.iter().find(|(known, _)| known == extension).map(|(_, prefixes)| *prefixes);
                    match prefixes {
                        Some(prefixes) if !prefixes.iter().any(|prefix| name.starts_with(prefix)) => {}
                        Some(_) => drop(reading.insert(format!("the layer {layer} brings the extension {extension}"))),
                        None => drop(reading.insert(format!(
                            "the layer {layer} brings the extension {extension}, which is on no list here"
                        ))),
                    }
                }
            }
        }
    }
    if reading.is_empty() {
        return None;
    }
    let reading = reading.into_iter().collect::<Vec<_>>().join("; ");
    Some(format!(
        "{name} may be read by an extension, {REACH}: {reading}. Name the variables that the function's extensions \
         read in the tag warden:extension-reads on the function, with spaces between them, or set it to none: what it \
         does not name is taken out. Or do without the layer, if nobody knows what it is there for"
    ))
}

const REACH: &str = "which is a process of its own that no wrapper reaches";
const INSTEAD: &str =
    "use the extension's own setting for a secret's ARN, or give it a key that can do nothing but report";

#[cfg(test)]
mod tests {
    use super::*;

    fn with(extensions: &[(&str, Option<&[&str]>)]) -> Context {
        let brought = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Context {
            extensions: extensions.iter().map(|(layer, names)| ((*layer).to_owned(), names.map(brought))).collect(),
            ..Context::of_nothing()
        }
    }

    const VENDOR: &str = "arn:aws:lambda:us-east-1:444455556666:layer:vendor:9";

    #[track_caller]
    fn check(name: &str, extensions: &[(&str, Option<&[&str]>)], tag: Option<&str>, expected: Option<&str>) {
        let tags = tag.map(|tag| BTreeMap::from([("warden:extension-reads".to_owned(), tag.to_owned())]));
        let why = may_read(name, &with(extensions), tags.as_ref());
        match (&why, expected) {
            (None, None) => {}
            (Some(why), Some(part)) => assert!(why.contains(part), "{why}"),
            (_, _) => panic!("{name}: {why:?} is not {expected:?}"),
        }
    }

    #[test]
    fn what_an_extension_may_read_stays() {
        let libraries: &[(&str, Option<&[&str]>)] = &[(VENDOR, Some(&[]))];
        check("DB_PASSWORD", libraries, None, None);
        check("DD_API_KEY", libraries, None, Some("is read by an extension"));
        check(
            "DB_PASSWORD",
            &[(VENDOR, Some(&["agent"]))],
            None,
            Some("the layer vendor:9 brings the extension agent, which is on no list"),
        );
        check("DB_PASSWORD", &[(VENDOR, None)], None, Some("the layer vendor:9 cannot be looked into"));
        // A known one reads its own variables alone.
        let datadog: &[(&str, Option<&[&str]>)] = &[(VENDOR, Some(&["datadog-agent"]))];
        check("DB_PASSWORD", datadog, None, None);
        check("DD_SITE_TOKEN", datadog, None, Some("brings the extension datadog-agent. Name"));
        check("DB_PASSWORD", &[(VENDOR, Some(&["datadog-agent", "agent"]))], None, Some("the extension agent, which"));
        check("DB_PASSWORD", &[(VENDOR, Some(&["cloudwatch_lambda_agent"]))], None, None);
    }

    #[test]
    fn extensions_of_awss_own_read_their_settings_alone() {
        for layer in [
            "arn:aws:lambda:us-east-1:177933569100:layer:AWS-Parameters-and-Secrets-Lambda-Extension:12",
            "arn:aws:lambda:us-east-1:177933569100:layer:AWS-Parameters-and-Secrets-Lambda-Extension-Arm64:12",
            "arn:aws:lambda:us-east-1:027255383542:layer:AWS-AppConfig-Extension:207",
        ] {
            check("DB_PASSWORD", &[(layer, Some(&["bootstrap"]))], None, None);
            check("DB_PASSWORD", &[(layer, None)], None, None);
            check("DB_PASSWORD", &[(layer, None), (VENDOR, None)], None, Some("vendor:9 cannot be looked into"));
        }
        let appconfig = "arn:aws:lambda:us-east-1:027255383542:layer:AWS-AppConfig-Extension:207";
        check("AWS_APPCONFIG_EXTENSION_X", &[(appconfig, None)], None, Some("may be read"));
    }

    /// Anybody may give a layer any name.
    #[test]
    fn a_strangers_layer_with_the_name_of_awss_is_a_layer_like_any() {
        for layer in [
            "arn:aws:lambda:us-east-1:444455556666:layer:AWS-Parameters-and-Secrets-Lambda-Extension:12",
            "arn:aws:lambda:us-east-1:444455556666:layer:AWS-AppConfig-Extension-Arm64:207",
            // AWS's, of another Region or for another extension.
            "arn:aws:lambda:us-east-1:590474943231:layer:AWS-Parameters-and-Secrets-Lambda-Extension:12",
            "arn:aws:lambda:us-east-1:177933569100:layer:AWS-AppConfig-Extension:207",
        ] {
            check("DB_PASSWORD", &[(layer, Some(&["bootstrap"]))], None, Some("AWS is not known to publish it from"));
            check("DB_PASSWORD", &[(layer, None)], None, Some("cannot be looked into"));
            check("DB_PASSWORD", &[(layer, Some(&["bootstrap"]))], Some("none"), None);
            check("DB_PASSWORD", &[(layer, Some(&[]))], None, None);
        }
    }

    #[test]
    fn a_variable_that_only_the_code_reads_is_no_extensions() {
        check("VAULT_TOKEN", &[], None, None);
        check("HONEYCOMB_API_KEY", &[], None, None);
    }

    #[test]
    fn the_owner_has_the_last_word() {
        let agent: &[(&str, Option<&[&str]>)] = &[(VENDOR, Some(&["agent"])), ("odd", None)];
        check("DB_PASSWORD", agent, Some("none"), None);
        check("DB_PASSWORD", agent, Some("VENDOR_TOKEN"), None);
        check("VENDOR_TOKEN", agent, Some("VENDOR_TOKEN"), Some("says the tag"));
        check("DD_API_KEY", agent, Some("none"), None);
        // One that cannot be followed says nothing.
        check("DB_PASSWORD", agent, Some("*"), Some("may be read"));
    }
}
