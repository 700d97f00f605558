//! What is wrong with a policy or a URL. The rules for documents are `warden-policy`'s.

use serde_json::Value;
use warden_engine::{
    Finding, FindingId, Severity,
    arn::Qualifier,
    content::Content,
    guard::{Facts, Judgement},
    settings::Settings,
    surface::Surface,
};
use warden_policy::{Document, Kind, UrlAuth, function_policy, layer_policy};

/// Judges one surface.
pub(crate) fn judge(facts: &Facts, surface: &Surface, settings: &Settings) -> Judgement {
    let Some(content) = facts.surfaces.get(surface).map(|sighting| &sighting.content) else {
        return Judgement::default();
    };
    match surface {
        Surface::ResourcePolicy(qualifier) => {
            let auth = match facts.surfaces.get(&Surface::FunctionUrl(qualifier.clone())) {
                Some(url) => url_auth(&url.content),
                None if qualifier.as_ref().is_some_and(Qualifier::is_version) => UrlAuth::NoUrl,
                None => UrlAuth::Unknown,
            };
            document(content, |document| function_policy::judge(document, &settings.context(), auth))
        }
        Surface::LayerPolicy(_) => document(content, |document| layer_policy::judge(document, &settings.context())),
        // secret-guard's.
        Surface::Environment(_) => Judgement::default(),
        Surface::FunctionUrl(qualifier) => {
            url(content, &judge(facts, &Surface::ResourcePolicy(qualifier.clone()), settings))
        }
        Surface::Trust
        | Surface::Boundary
        | Surface::Attachment(_)
        | Surface::InlinePolicy(_)
        | Surface::ManagedPolicy(_)
        | Surface::Role => Judgement::default(),
    }
}

/// The text of a policy that is there: what did not parse strictly when it was read is kept as text itself.
pub(crate) fn policy_text(document: &Value) -> String {
    document.as_str().map_or_else(|| document.to_string(), str::to_owned)
}

fn document(content: &Content, judge: impl Fn(&Document<'_>) -> Vec<Finding>) -> Judgement {
    let Some(document) = content.document() else { return Judgement::default() };
    match Document::parse(&policy_text(document), Kind::Resource) {
        Ok(document) => Judgement { findings: judge(&document), unclear: None },
        Err(error) => Judgement { findings: Vec::new(), unclear: Some(format!("the policy does not parse: {error}")) },
    }
}

fn url_auth(content: &Content) -> UrlAuth {
    match content.document().map(|url| url.get("AuthType").and_then(Value::as_str)) {
        None => UrlAuth::NoUrl,
        Some(Some("AWS_IAM")) => UrlAuth::AwsIam,
        Some(Some("NONE")) => UrlAuth::Open,
        Some(Some(_) | None) => UrlAuth::Unknown,
    }
}

fn url(content: &Content, policy: &Judgement) -> Judgement {
    let mut judged = Judgement::default();
    match url_auth(content) {
        UrlAuth::NoUrl | UrlAuth::AwsIam => {}
        UrlAuth::Open => {
            judged.unclear.clone_from(&policy.unclear);
            let open: Vec<&str> = policy
                .findings
                .iter()
                .filter(|finding| finding.id == FindingId::PublicUrl)
                .map(|finding| finding.at.as_str())
                .collect();
            if !open.is_empty() {
                judged.findings.push(Finding {
                    id: FindingId::PublicUrl,
                    severity: Severity::Critical,
                    at: "AuthType".into(),
                    message: format!(
                        "the URL asks for no credentials, and the policy lets anybody call it ({})",
                        open.join(", ")
                    ),
                });
            }
        }
        UrlAuth::Unknown => judged.unclear = Some("the URL's AuthType is neither AWS_IAM nor NONE".into()),
    }
    judged.findings.extend(content.document().and_then(cors));
    judged
}

/// Any web page may read the answers; with credentials that is worth more.
fn cors(url: &Value) -> Option<Finding> {
    let cors = url.get("Cors")?;
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
