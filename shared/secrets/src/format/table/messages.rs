//! Mail, chat, telephone, notifications.

use super::secret;
use crate::format::Alphabet::*;
use crate::format::Format;
use crate::format::Part::{Either, Run, Text};

#[rustfmt::skip]
pub(super) const FORMATS: &[Format] = &[
    secret("slack-token", "https://docs.slack.dev/authentication/tokens/", &[Either(&["xoxb-", "xoxp-", "xoxa-", "xoxr-", "xoxo-", "xoxs-", "xoxc-", "xoxd-", "xoxa-2-", "xoxr-2-"]), Run(Bearer, 24, 250)]),
    secret("slack-token", "https://docs.slack.dev/authentication/using-token-rotation/", &[Either(&["xoxe.xoxp-1-", "xoxe.xoxb-1-", "xoxe-1-", "xoxe-"]), Run(Dotted, 24, 250)]),
    secret("slack-token", "https://docs.slack.dev/authentication/tokens/#app-level", &[Text("xapp-1-"), Run(UpperAlnum, 8, 14), Text("-"), Run(Digit, 8, 16), Text("-"), Run(Hex, 32, 64)]),
    secret("slack-token", "https://docs.slack.dev/authentication/tokens/", &[Text("xwfp-"), Run(UrlSafe, 40, 250)]),
    secret("discord-token", "https://discord.com/developers/docs/reference#authentication", &[Either(&["M", "N", "O"]), Run(UrlSafe, 23, 27), Text("."), Run(UrlSafe, 6, 6), Text("."), Run(UrlSafe, 27, 40)]),
    secret("discord-token", "https://discord.com/developers/docs/reference#authentication", &[Text("mfa."), Run(UrlSafe, 84, 84)]),
    secret("telegram-token", "https://core.telegram.org/bots/features#botfather", &[Run(Digit, 8, 10), Text(":AA"), Run(UrlSafe, 32, 34)]),
    secret("sendgrid-key", "https://www.twilio.com/docs/sendgrid/ui/account-and-settings/api-keys", &[Text("SG."), Run(UrlSafe, 22, 22), Text("."), Run(UrlSafe, 43, 43)]),
    secret("mailgun-key", "https://documentation.mailgun.com/docs/mailgun/api-reference/mg-auth", &[Either(&["key-", "private-api-"]), Run(Hex, 32, 32)]),
    secret("mailgun-key", "https://documentation.mailgun.com/docs/mailgun/api-reference/mg-auth", &[Run(Hex, 32, 32), Text("-"), Run(Hex, 8, 8), Text("-"), Run(Hex, 8, 8)]),
    secret("mailchimp-key", "https://mailchimp.com/developer/marketing/guides/quick-start/", &[Run(Hex, 32, 32), Text("-us"), Run(Digit, 1, 2)]),
    secret("mandrill-key", "https://mailchimp.com/developer/transactional/guides/quick-start/", &[Text("md-"), Run(UrlSafe, 22, 22)]),
    secret("brevo-key", "https://developers.brevo.com/docs/getting-started", &[Either(&["xkeysib-", "xsmtpsib-"]), Run(Hex, 64, 64), Text("-"), Run(Alnum, 16, 16)]),
    // Eight characters and twenty-four: https://github.com/trufflesecurity/trufflehog/blob/main/pkg/detectors/resend/resend.go
    secret("resend-key", "https://resend.com/docs/api-reference/introduction", &[Text("re_"), Run(Alnum, 8, 8), Text("_"), Run(Alnum, 24, 24)]),
    secret("mailersend-token", "https://developers.mailersend.com/general.html#authentication", &[Text("mlsn."), Run(Alnum, 30, 100)]),
    secret("courier-key", "https://www.courier.com/docs/reference/intro", &[Either(&["pk_prod_", "pk_dev_", "dk_prod_"]), Run(UpperAlnum, 28, 28)]),
    secret("onesignal-key", "https://documentation.onesignal.com/docs/en/keys-and-ids", &[Either(&["os_v2_app_", "os_v2_org_"]), Run(LowerAlnum, 90, 120)]),
    secret("firebase-server-key", "https://firebase.google.com/docs/cloud-messaging/auth-server", &[Text("AAAA"), Run(UrlSafe, 7, 7), Text(":APA91b"), Run(UrlSafe, 130, 140)]),
    secret("line-token", "https://developers.line.biz/en/docs/basics/channel-access-token/", &[Run(Base64, 160, 170), Text("/1O/w1cDnyilFU=")]),
    secret("telnyx-key", "https://developers.telnyx.com/development/api-fundamentals/authentication", &[Text("KEY0"), Run(UpperAlnum, 20, 40), Text("_"), Run(Alnum, 20, 24)]),
    secret("telnyx-key", "https://developers.telnyx.com/development/api-fundamentals/authentication", &[Text("KEY"), Run(UrlSafe, 55, 55)]),
    secret("webhook-secret", "https://docs.stripe.com/webhooks/signature", &[Either(&["whsec_", "whsk_"]), Run(Bearer, 24, 80)]),
    secret("ably-key", "https://ably.com/docs/auth/basic", &[Run(Alnum, 6, 6), Text("."), Run(UrlSafe, 6, 6), Text(":"), Run(UrlSafe, 40, 48)]),
    secret("pubnub-key", "https://www.pubnub.com/docs/general/setup/account-setup", &[Text("sec-c-"), Run(Alnum, 36, 64), Run(Bearer, 0, 2)]),
    secret("signalwire-token", "https://developer.signalwire.com/", &[Text("PT"), Run(Hex, 48, 52)]),
    secret("intercom-token", "https://developers.intercom.com/docs/build-an-integration/learn-more/authentication", &[Text("dG9rO"), Run(Base64, 50, 60), Run(Bearer, 0, 2)]),
    secret("zoom-token", "https://developers.zoom.us/docs/internal-apps/s2s-oauth/", &[Text("eyJzdiI6"), Run(Bearer, 100, 1000)]),
];
