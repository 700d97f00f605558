//! Layer 1: what is meant to be seen, and looks like a key.

use super::{id, public};
use crate::format::Alphabet::*;
use crate::format::Format;
use crate::format::Part::{Either, Run, Text};

#[rustfmt::skip]
pub(super) const FORMATS: &[Format] = &[
    public("stripe-publishable", "https://docs.stripe.com/keys", &[Either(&["pk_live_", "pk_test_", "pk_org_live_"]), Run(Bearer, 16, 250)]),
    id("stripe-id", "https://docs.stripe.com/api", &[Either(&["price_", "prod_", "acct_", "cus_", "plan_", "sub_", "we_", "in_", "pi_", "pm_", "ca_", "promo_", "txr_", "bpc_", "si_", "evt_", "seti_", "prctbl_", "cs_test_", "cs_live_", "file_", "ba_", "tok_"]), Run(Alnum, 12, 66)]),
    public("stripe-id", "https://docs.stripe.com/api", &[Either(&["price_1", "sub_1", "we_1", "in_1", "evt_1", "promo_1", "seti_1", "txr_1"]), Run(Alnum, 23, 23)]),
    public("posthog-project-key", "https://posthog.com/docs/api", &[Text("phc_"), Run(UrlSafe, 32, 56)]),
    public("supabase-publishable", "https://supabase.com/docs/guides/api/api-keys", &[Text("sb_publishable_"), Run(UrlSafe, 20, 60)]),
    public("langfuse-public", "https://langfuse.com/faq/all/where-are-langfuse-api-keys", &[Text("pk-lf-"), Run(UuidLike, 36, 36)]),
    public("mapbox-public", "https://docs.mapbox.com/help/dive-deeper/access-tokens/", &[Text("pk.eyJ"), Run(UrlSafe, 20, 300), Text("."), Run(UrlSafe, 16, 40)]),
    public("newrelic-browser", "https://docs.newrelic.com/docs/apis/intro-apis/new-relic-api-keys/", &[Either(&["NRJS-", "NRBR-"]), Run(LowerAlnum, 16, 24)]),
    public("google-client-id", "https://developers.google.com/identity/protocols/oauth2", &[Run(Digit, 8, 14), Text("-"), Run(LowerAlnum, 32, 32), Text(".apps.googleusercontent.com")]),
    id("google-analytics", "https://support.google.com/analytics/answer/9539598", &[Either(&["G-", "UA-", "GTM-", "AW-", "DC-", "GT-"]), Run(UpperAlnum, 6, 12), Run(UuidLike, 0, 4)]),
    id("firebase-app-id", "https://firebase.google.com/docs/projects/learn-more", &[Text("1:"), Run(Digit, 9, 14), Either(&[":web:", ":ios:", ":android:"]), Run(Hex, 16, 32)]),
    public("twilio-sid", "https://www.twilio.com/docs/glossary/what-is-a-sid", &[Either(&["AC", "SK", "MG", "PN", "AP", "IS", "VA", "WS", "ZS", "CN", "TK", "SM", "MM", "RM", "CA", "WK", "WF", "WT", "WW", "WQ", "KS", "OR", "US", "FW", "BU", "HX", "HZ"]), Run(Hex, 32, 32)]),
    id("slack-id", "https://docs.slack.dev/reference/", &[Either(&["A0", "B0", "C0", "D0", "G0", "S0", "T0", "U0", "W0"]), Run(UpperAlnum, 7, 11)]),
    public("launchdarkly-mobile", "https://launchdarkly.com/docs/home/account/environment/keys", &[Text("mob-"), Run(UuidLike, 36, 36)]),
    public("statsig-client", "https://docs.statsig.com/sdk-keys/api-keys/", &[Text("client-"), Run(Alnum, 40, 48)]),
    public("square-application", "https://developer.squareup.com/docs/build-basics/access-tokens", &[Either(&["sq0idp-", "sq0idb-", "sandbox-sq0idb-"]), Run(UrlSafe, 22, 22)]),
    public("pubnub-public", "https://www.pubnub.com/docs/general/setup/account-setup", &[Either(&["pub-c-", "sub-c-"]), Run(UuidLike, 36, 36)]),
    public("flutterwave-public", "https://developer.flutterwave.com/docs/authentication", &[Either(&["FLWPUBK-", "FLWPUBK_TEST-"]), Run(Alnum, 32, 40), Text("-X")]),
    public("mercadopago-public", "https://www.mercadopago.com/developers/en/docs/your-integrations/credentials", &[Either(&["APP_USR-", "TEST-"]), Run(UuidLike, 36, 36)]),
    public("paddle-client", "https://developer.paddle.com/paddlejs/client-side-tokens", &[Either(&["live_", "test_"]), Run(LowerAlnum, 27, 27)]),
    public("age-recipient", "https://github.com/C2SP/C2SP/blob/main/age.md", &[Text("age1"), Run(LowerAlnum, 58, 58)]),
    public("ssh-public-key", "https://www.rfc-editor.org/rfc/rfc4253#section-6.6", &[Either(&["AAAAB3NzaC1yc2E", "AAAAC3NzaC1lZDI1NTE5", "AAAAE2VjZHNhLXNoYTItbmlzdH", "AAAAG3NrLXNzaC1lZDI1NTE5"]), Run(Bearer, 30, 2000)]),
    id("ipfs-cid", "https://docs.ipfs.tech/concepts/content-addressing/", &[Text("Qm"), Run(Alnum, 44, 44)]),
    id("ipfs-cid", "https://docs.ipfs.tech/concepts/content-addressing/", &[Either(&["bafy", "bafk", "bafz"]), Run(LowerAlnum, 50, 60)]),
    public("extended-public-key", "https://github.com/bitcoin/bips/blob/master/bip-0032.mediawiki", &[Either(&["xpub", "tpub", "ypub", "zpub"]), Run(Alnum, 107, 108)]),
    id("ethereum-address", "https://ethereum.org/en/developers/docs/accounts/", &[Text("0x"), Run(Alnum, 40, 40)]),
    id("minisign-key", "https://jedisct1.github.io/minisign/", &[Text("RW"), Run(Base64, 54, 54)]),
    id("workos-id", "https://workos.com/docs/reference", &[Either(&["client_", "org_", "conn_", "user_", "directory_", "project_"]), Run(UpperAlnum, 26, 26)]),
    id("clerk-id", "https://clerk.com/docs", &[Either(&["org_", "user_", "ins_", "app_"]), Run(Alnum, 27, 27)]),
    id("vercel-id", "https://vercel.com/docs/rest-api", &[Either(&["prj_", "team_", "dpl_", "ecfg_"]), Run(Alnum, 24, 32)]),
    id("youtube-id", "https://developers.google.com/youtube/v3/docs/playlists", &[Either(&["PL", "UC", "UU"]), Run(UrlSafe, 22, 32)]),
    id("mongodb-atlas-public", "https://www.mongodb.com/docs/atlas/api/service-accounts-overview/", &[Text("mdb_sa_id_"), Run(Hex, 24, 24)]),
    public("sentry-dsn", "https://docs.sentry.io/concepts/key-terms/dsn-explainer/", &[Text("https://"), Run(Hex, 32, 32), Text("@"), Run(Dotted, 4, 80), Text("/"), Run(Digit, 1, 20)]),
    public("datadog-client-token", "https://docs.datadoghq.com/account_management/api-app-keys/#client-tokens", &[Text("pub"), Run(Hex, 32, 32)]),
    public("amplitude-deployment", "https://amplitude.com/docs/apis/keys-and-tokens", &[Text("client-"), Run(Alnum, 32, 39)]),
    public("clerk-publishable", "https://clerk.com/docs/deployments/clerk-environment-variables", &[Either(&["pk_live_", "pk_test_"]), Run(Bearer, 16, 200)]),
    public("lob-publishable", "https://docs.lob.com/#section/API-Keys", &[Either(&["live_pub_", "test_pub_"]), Run(Hex, 31, 31)]),
    public("mailgun-public", "https://github.com/gitleaks/gitleaks/blob/master/config/gitleaks.toml", &[Text("pubkey-"), Run(Hex, 32, 32)]),
    public("devcycle-public", "https://github.com/betterleaks/betterleaks", &[Either(&["dvc_client_", "dvc_mobile_"]), Run(Alnum, 16, 32)]),
];
