//! Where Secrets Manager is.

/// The settings that decide it, as every AWS SDK reads them
/// (<https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html>).
#[derive(Clone, Debug, Default)]
pub(crate) struct Settings {
    pub(crate) region: String,
    /// AWS_ENDPOINT_URL_SECRETS_MANAGER.
    pub(crate) service_url: Option<String>,
    /// AWS_ENDPOINT_URL.
    pub(crate) url: Option<String>,
    /// AWS_IGNORE_CONFIGURED_ENDPOINT_URLS.
    pub(crate) ignore_urls: bool,
    /// AWS_USE_FIPS_ENDPOINT.
    pub(crate) fips: bool,
    /// AWS_USE_DUALSTACK_ENDPOINT.
    pub(crate) dual_stack: bool,
}

/// What the Regions of a partition begin with, its domain, and the domain of its dual-stack endpoints. The standard
/// partition, which begins with anything, comes last. From the partitions file of the AWS SDKs (November 2026).
const PARTITIONS: [(&str, &str, &str); 8] = [
    ("cn-", "amazonaws.com.cn", "api.amazonwebservices.com.cn"),
    ("eusc-", "amazonaws.eu", "api.amazonwebservices.eu"),
    ("us-iso-", "c2s.ic.gov", "api.aws.ic.gov"),
    ("us-isob-", "sc2s.sgov.gov", "api.aws.scloud"),
    ("eu-isoe-", "cloud.adc-e.uk", "api.cloud-aws.adc-e.uk"),
    ("us-isof-", "csp.hci.ic.gov", "api.aws.hci.ic.gov"),
    ("us-gov-", "amazonaws.com", "api.aws"),
    ("", "amazonaws.com", "api.aws"),
];

/// The endpoint's URL, without a slash at its end.
pub(crate) fn url(settings: &Settings) -> String {
    let configured = settings.service_url.as_ref().or(settings.url.as_ref());
    if let Some(url) = configured.filter(|_| !settings.ignore_urls) {
        return url.trim_end_matches('/').to_owned();
    }
    let region = &settings.region;
    let partition = PARTITIONS.iter().find(|(prefix, ..)| region.starts_with(prefix));
    let (plain, dual_stack) = partition.map_or(("amazonaws.com", "api.aws"), |(_, plain, dual)| (*plain, *dual));
    let suffix = if settings.dual_stack { dual_stack } else { plain };
    let fips = if settings.fips { "-fips" } else { "" };
    format!("https://secretsmanager{fips}.{region}.{suffix}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(settings: Settings, expected: &str) {
        assert_eq!(url(&settings), expected, "{settings:?}");
    }

    fn region(name: &str) -> Settings {
        Settings { region: name.into(), ..Settings::default() }
    }

    /// The expected URLs are those of the test cases in Secrets Manager's own endpoint rules (in every AWS SDK).
    #[test]
    fn each_partition_has_its_own() {
        check(region("us-east-1"), "https://secretsmanager.us-east-1.amazonaws.com");
        check(region("us-gov-west-1"), "https://secretsmanager.us-gov-west-1.amazonaws.com");
        check(region("cn-north-1"), "https://secretsmanager.cn-north-1.amazonaws.com.cn");
        check(region("us-iso-east-1"), "https://secretsmanager.us-iso-east-1.c2s.ic.gov");
        check(region("us-isob-east-1"), "https://secretsmanager.us-isob-east-1.sc2s.sgov.gov");
        check(region("eusc-de-east-1"), "https://secretsmanager.eusc-de-east-1.amazonaws.eu");
        check(Settings { fips: true, ..region("us-east-1") }, "https://secretsmanager-fips.us-east-1.amazonaws.com");
        check(Settings { dual_stack: true, ..region("us-east-1") }, "https://secretsmanager.us-east-1.api.aws");
        check(
            Settings { dual_stack: true, fips: true, ..region("cn-north-1") },
            "https://secretsmanager-fips.cn-north-1.api.amazonwebservices.com.cn",
        );
    }

    #[test]
    fn a_configured_one_goes_first_and_the_services_own_before_that() {
        let general = Settings { url: Some("http://127.0.0.1:4566/".into()), ..region("us-east-1") };
        check(general.clone(), "http://127.0.0.1:4566");
        let own = Settings { service_url: Some("https://vpce-1.example".into()), ..general };
        check(own.clone(), "https://vpce-1.example");
        check(Settings { ignore_urls: true, ..own }, "https://secretsmanager.us-east-1.amazonaws.com");
    }
}
