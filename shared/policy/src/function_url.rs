//! A function URL's configuration, in the form of Lambda's API: `{"AuthType": ..., "Cors": {...}}`.

use crate::UrlAuth;
use serde_json::Value;
use warden_finding::{Finding, FindingId, Severity};

/// How the URL authenticates.
pub fn auth(config: &Value) -> UrlAuth {
    match config.get("AuthType").and_then(Value::as_str) {
        Some("AWS_IAM") => UrlAuth::AwsIam,
        Some("NONE") => UrlAuth::Open,
        Some(_) | None => UrlAuth::Unknown,
    }
}

/// What is open about the URL, given the places of the statements that let anybody call it ([`FindingId::PublicUrl`]).
pub fn judge(config: &Value, open: &[&str]) -> Vec<Finding> {
    let public = (auth(config) == UrlAuth::Open && !open.is_empty()).then(|| Finding {
        id: FindingId::PublicUrl,
        severity: Severity::Critical,
        at: "AuthType".into(),
        message: format!("the URL asks for no credentials, and the policy lets anybody call it ({})", open.join(", ")),
    });
    public.into_iter().chain(cors(config)).collect()
}

/// Any web page may read the answers; with credentials that is worth more.
fn cors(config: &Value) -> Option<Finding> {
    let cors = config.get("Cors")?;
    let any = cors.get("AllowOrigins")?.as_array()?.iter().any(|origin| origin == "*");
    let credentials = cors.get("AllowCredentials").and_then(Value::as_bool).unwrap_or_default();
    any.then(|| Finding {
        id: FindingId::CorsAnyOrigin,
        severity: if credentials { Severity::Medium } else { Severity::Low },
        at: "Cors.AllowOrigins".into(),
        message: match credentials {
            true => "any web origin may call the URL with the user's credentials".into(),
            false => "any web origin may call the URL".into(),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn check(config: Value, open: &[&str], expected: &[&str]) {
        let found = judge(&config, open);
        let shown: Vec<String> = found.iter().map(|it| format!("{} {} {}", it.severity, it.id, it.at)).collect();
        assert_eq!(shown, expected, "{config}");
    }

    #[test]
    fn a_url_is_public_when_the_policy_lets_anybody_call_it() {
        check(json!({"AuthType": "NONE"}), &["Statement[0]"], &["critical public-url AuthType"]);
        check(json!({"AuthType": "NONE"}), &[], &[]);
        check(json!({"AuthType": "AWS_IAM"}), &["Statement[0]"], &[]);
        check(json!({"AuthType": "SOMETHING"}), &["Statement[0]"], &[]);
    }

    #[test]
    fn any_origin_is_worth_a_word_and_more_with_credentials() {
        let low = &["low cors-any-origin Cors.AllowOrigins"];
        check(json!({"AuthType": "AWS_IAM", "Cors": {"AllowOrigins": ["https://a.example", "*"]}}), &[], low);
        let medium = &["medium cors-any-origin Cors.AllowOrigins"];
        check(json!({"Cors": {"AllowOrigins": ["*"], "AllowCredentials": true}}), &[], medium);
        check(json!({"Cors": {"AllowOrigins": ["https://a.example"]}}), &[], &[]);
    }
}
