//! Logs, metrics, traces, alarms.

use super::secret;
use crate::format::Alphabet::*;
use crate::format::Format;
use crate::format::Part::{Either, Run, Text};

#[rustfmt::skip]
pub(super) const FORMATS: &[Format] = &[
    secret("newrelic-key", "https://docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys/", &[Text("NRAK-"), Run(UpperAlnum, 27, 27)]),
    secret("newrelic-key", "https://docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys/", &[Either(&["NRII-", "NRIQ-", "NRSP-", "NRRA-", "NRAL-", "NRDB-"]), Run(Dotted, 20, 64)]),
    secret("newrelic-license", "https://docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys/", &[Run(Hex, 36, 36), Text("NRAL")]),
    secret("newrelic-license", "https://docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys/", &[Text("eu01xx"), Run(Hex, 30, 30), Text("NRAL")]),
    secret("datadog-token", "https://docs.datadoghq.com/account_management/personal-access-tokens/", &[Either(&["ddpat_", "ddap_", "ddsat_"]), Run(UrlSafe, 30, 128)]),
    secret("grafana-token", "https://grafana.com/docs/grafana/latest/administration/service-accounts/", &[Text("glsa_"), Run(Alnum, 32, 32), Text("_"), Run(Hex, 8, 8)]),
    secret("grafana-token", "https://grafana.com/docs/grafana-cloud/account-management/authentication-and-permissions/access-policies/", &[Text("glc_"), Run(Bearer, 32, 400)]),
    secret("grafana-token", "https://grafana.com/docs/grafana/latest/developers/http_api/auth/", &[Text("eyJrIjoi"), Run(Bearer, 40, 400)]),
    secret("sentry-token", "https://docs.sentry.io/account/auth-tokens/", &[Text("sntrys_eyJ"), Run(Bearer, 80, 600)]),
    secret("sentry-token", "https://docs.sentry.io/account/auth-tokens/", &[Either(&["sntryu_", "sntrya_", "sntryr_"]), Run(Hex, 64, 64)]),
    secret("honeycomb-key", "https://docs.honeycomb.io/configure/environments/manage-api-keys/", &[Either(&["hcaik_", "hcbik_", "hccik_", "hcdik_", "hcxik_", "hcamk_", "hcbmk_", "hccmk_", "hcdmk_", "hcxmk_", "hcalk_", "hcblk_", "hcxlk_", "hcaiv_", "hcaic_"]), Run(Alnum, 54, 66)]),
    secret("dynatrace-token", "https://docs.dynatrace.com/docs/manage/identity-access-management/access-tokens-and-oauth-clients/access-tokens", &[Either(&["dt0c01.", "dt0s01.", "dt0s02.", "dt0s06.", "dt0e01.", "dt0a01.", "dt0s03.", "dt0s16.", "dt0s08."]), Run(UpperAlnum, 8, 24), Text("."), Run(UpperAlnum, 64, 64)]),
    secret("axiom-token", "https://axiom.co/docs/reference/tokens", &[Either(&["xaat-", "xapt-", "xait-"]), Run(UuidLike, 36, 36)]),
    secret("logfire-token", "https://logfire.pydantic.dev/docs/how-to-guides/create-write-tokens/", &[Text("pylf_v"), Run(Digit, 1, 1), Text("_"), Run(Lower, 2, 6), Text("_"), Run(Alnum, 30, 60)]),
    secret("coralogix-key", "https://coralogix.com/docs/user-guides/account-management/api-keys/api-keys/", &[Either(&["cxtp_", "cxup_"]), Run(Alnum, 30, 30)]),
    secret("posthog-key", "https://posthog.com/docs/api", &[Either(&["phx_", "phs_", "phr_", "pha_"]), Run(UrlSafe, 32, 56)]),
    secret("pagerduty-key", "https://support.pagerduty.com/main/docs/api-access-keys", &[Text("pdus+"), Run(Bearer, 20, 60)]),
    secret("pagerduty-key", "https://support.pagerduty.com/main/docs/api-access-keys", &[Text("u+"), Run(UrlSafe, 18, 18)]),
    secret("rootly-key", "https://docs.rootly.com/api-reference/overview", &[Text("rootly_"), Run(Hex, 64, 64)]),
    secret("uptimerobot-key", "https://uptimerobot.com/api/", &[Either(&["ur", "u", "m"]), Run(Digit, 6, 10), Text("-"), Run(Hex, 24, 24)]),
    secret("uptimerobot-key", "https://uptimerobot.com/api/", &[Text("m"), Run(Digit, 6, 10), Text("-"), Run(Hex, 20, 24)]),
    secret("checkly-key", "https://www.checklyhq.com/docs/integrations/pulumi/", &[Text("cu_"), Run(Hex, 32, 32)]),
    secret("tinybird-token", "https://docs.tinybird.co/forward/administration/tokens", &[Text("p.eyJ"), Run(Dotted, 60, 400)]),
    secret("elastic-token", "https://www.elastic.co/docs/deploy-manage/api-keys/elastic-cloud-api-keys", &[Either(&["essu_", "essa_"]), Run(Bearer, 40, 204)]),
    secret("elastic-token", "https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-security-create-service-token", &[Text("AAEAAW"), Run(UrlSafe, 50, 120)]),
    secret("influx-token", "https://docs.influxdata.com/influxdb/v2/admin/tokens/", &[Text("apiv3_"), Run(UrlSafe, 60, 100)]),
    secret("segment-token", "https://segment.com/docs/api/public-api/", &[Text("sgp_"), Run(Alnum, 64, 64)]),
];
