//! Payment, shops, accounting.

use super::{public, secret};
use crate::format::Alphabet::*;
use crate::format::Format;
use crate::format::Part::{Either, Run, Text};

#[rustfmt::skip]
pub(super) const FORMATS: &[Format] = &[
    secret("stripe-key", "https://docs.stripe.com/keys", &[Either(&["sk_live_", "rk_live_", "sk_test_", "rk_test_", "sk_org_live_", "sk_org_test_", "ek_live_", "ek_test_"]), Run(Word, 16, 250)]),
    secret("square-token", "https://developer.squareup.com/docs/build-basics/access-tokens", &[Text("sq0atp-"), Run(UrlSafe, 22, 22)]),
    secret("square-token", "https://developer.squareup.com/docs/build-basics/access-tokens", &[Text("sq0csp-"), Run(UrlSafe, 43, 43)]),
    secret("square-token", "https://developer.squareup.com/docs/build-basics/access-tokens", &[Text("EAAA"), Run(UrlSafe, 60, 60)]),
    secret("paypal-token", "https://developer.paypal.com/braintree/docs/guides/extend/oauth/access-tokens", &[Text("access_token$"), Either(&["production", "sandbox"]), Text("$"), Run(LowerAlnum, 16, 16), Text("$"), Run(Hex, 32, 32)]),
    secret("adyen-key", "https://docs.adyen.com/development-resources/api-credentials/", &[Text("AQE"), Run(Bearer, 80, 260)]),
    secret("mollie-key", "https://docs.mollie.com/reference/authentication", &[Either(&["live_", "test_"]), Run(Alnum, 30, 30)]),
    secret("mollie-token", "https://docs.mollie.com/reference/authentication", &[Text("access_"), Run(Alnum, 40, 40)]),
    secret("gocardless-token", "https://developer.gocardless.com/", &[Either(&["live_", "sandbox_"]), Run(UrlSafe, 40, 40)]),
    secret("paddle-key", "https://developer.paddle.com/api-reference/about/api-keys", &[Either(&["pdl_live_apikey_", "pdl_sdbx_apikey_"]), Run(Word, 50, 60)]),
    secret("paddle-key", "https://developer.paddle.com/webhooks/signature-verification", &[Text("pdl_ntfset_"), Run(Word, 50, 64)]),
    secret("flutterwave-key", "https://developer.flutterwave.com/docs/authentication", &[Either(&["FLWSECK-", "FLWSECK_TEST-"]), Run(Alnum, 32, 40), Text("-X")]),
    secret("razorpay-key", "https://razorpay.com/docs/api/authentication/", &[Either(&["rzp_live_", "rzp_test_"]), Run(Alnum, 24, 24)]),
    public("razorpay-id", "https://razorpay.com/docs/api/authentication/", &[Either(&["rzp_live_", "rzp_test_"]), Run(Alnum, 14, 14)]),
    secret("mercadopago-token", "https://www.mercadopago.com/developers/en/docs/your-integrations/credentials", &[Either(&["APP_USR-", "TEST-"]), Run(Digit, 12, 20), Text("-"), Run(Digit, 6, 6), Text("-"), Run(Hex, 32, 32), Text("-"), Run(Digit, 6, 12)]),
    secret("plaid-token", "https://plaid.com/docs/api/tokens/", &[Either(&["access-sandbox-", "access-development-", "access-production-"]), Run(UuidLike, 36, 36)]),
    secret("klarna-key", "https://docs.klarna.com/", &[Either(&["klarna_live_api_", "klarna_test_api_"]), Run(Bearer, 40, 400)]),
    secret("polar-token", "https://docs.polar.sh/", &[Either(&["polar_pat_", "polar_oat_", "polar_at_", "polar_whs_"]), Run(UrlSafe, 20, 100)]),
    secret("shopify-token", "https://shopify.dev/docs/apps/build/authentication-authorization", &[Either(&["shpat_", "shpca_", "shppa_", "shpss_", "shptka_", "shpua_", "shpit_"]), Run(Hex, 32, 40)]),
    secret("shopify-token", "https://shopify.dev/docs/api/shopify-cli", &[Either(&["shptka_", "shpoak_", "prtapi_", "atkn_"]), Run(UrlSafe, 30, 64)]),
    secret("easypost-key", "https://docs.easypost.com/docs/authentication", &[Either(&["EZAK", "EZTK"]), Run(Alnum, 50, 60)]),
    secret("shippo-token", "https://docs.goshippo.com/docs/guides_general/authentication/", &[Either(&["shippo_live_", "shippo_test_"]), Run(Hex, 40, 40)]),
    secret("duffel-token", "https://duffel.com/docs/api/overview/making-requests", &[Either(&["duffel_live_", "duffel_test_"]), Run(UrlSafe, 43, 44)]),
    secret("lob-key", "https://docs.lob.com/", &[Either(&["live_", "test_"]), Run(Hex, 35, 35)]),
    secret("revenuecat-key", "https://www.revenuecat.com/docs/projects/authentication", &[Text("sk_"), Run(Alnum, 28, 32)]),
    secret("coinbase-key", "https://docs.cdp.coinbase.com/", &[Text("organizations/"), Run(UuidLike, 36, 36), Text("/apiKeys/"), Run(UuidLike, 36, 36)]),
    secret("ramp-secret", "https://github.com/betterleaks/betterleaks", &[Text("ramp_sec_"), Run(Alnum, 48, 48)]),
    secret("onfido-token", "https://documentation.onfido.com/api/latest/", &[Either(&["api_live.", "api_live_us.", "api_live_ca.", "api_sandbox."]), Run(UrlSafe, 20, 80)]),
    secret("mercury-token", "https://github.com/betterleaks/betterleaks", &[Text("mercury_production_"), Run(Lower, 3, 6), Text("_"), Run(Alnum, 40, 50), Text("_yrucrem")]),
    secret("persona-key", "https://github.com/betterleaks/betterleaks", &[Either(&["persona_production_", "persona_sandbox_"]), Run(UrlSafe, 20, 80)]),
    secret("asaas-key", "https://github.com/betterleaks/betterleaks", &[Either(&["$aact_prod_", "$aact_hmlg_"]), Run(UrlSafe, 20, 200)]),
    secret("checkout-key", "https://github.com/betterleaks/betterleaks", &[Text("sk_"), Run(Hex, 8, 8), Text("-"), Run(Hex, 4, 4), Text("-"), Run(Hex, 4, 4), Text("-"), Run(Hex, 4, 4), Text("-"), Run(Hex, 12, 12)]),
    secret("xendit-key", "https://github.com/betterleaks/betterleaks", &[Either(&["xnd_production_", "xnd_development_"]), Run(Alnum, 56, 72)]),
    secret("midtrans-key", "https://github.com/betterleaks/betterleaks", &[Either(&["Mid-server-", "SB-Mid-server-"]), Run(Word, 10, 24)]),
    secret("flutterwave-key", "https://github.com/betterleaks/betterleaks", &[Text("FLWSECK_TEST-"), Run(Hex, 12, 12)]),
    secret("rainforest-pay-key", "https://github.com/betterleaks/betterleaks", &[Text("apikey_"), Run(Hex, 64, 64)]),
];
