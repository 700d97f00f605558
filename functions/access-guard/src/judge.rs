//! What is wrong with a policy or a URL. The rules for documents are `warden-policy`'s.

use crate::Facts;
use serde_json::Value;
use warden_engine::{
    Finding, FindingId,
    guard::Judgement,
    model::{content::Content, settings::Settings, surface::Surface},
    name::lambda::Qualifier,
};
use warden_policy::{Document, Kind, Statement, UrlAuth, function_policy, function_url, layer_policy};

/// Judges one surface.
pub(crate) fn judge(facts: &Facts, surface: &Surface, settings: &Settings) -> Judgement {
    let Some(content) = facts.surfaces.get(surface).map(|snapshot| &snapshot.content) else {
        return Judgement::default();
    };
    if let Surface::ResourcePolicy(qualifier) = surface {
        // The function's own URL runs what is published.
        let of_url = qualifier.clone().filter(|qualifier| !qualifier.is_latest_published());
        let own = match facts.surfaces.get(&Surface::FunctionUrl(of_url.clone())) {
            Some(url) => url_auth(&url.content),
            None if facts.context.no_urls => UrlAuth::NoUrl,
            None if of_url.is_some_and(|qualifier| qualifier.is_version()) => UrlAuth::NoUrl,
            None => UrlAuth::Unknown,
        };
        document(content, |document| {
            let others_unseen = is_about_others(document, qualifier.as_ref()) && !facts.context.no_urls;
            let auth = if others_unseen { UrlAuth::Unknown } else { own };
            function_policy::judge(document, &settings.context(), auth)
        })
    } else if let Surface::LayerPolicy(_) = surface {
        document(content, |document| layer_policy::judge(document, &settings.context()))
    } else if let Surface::FunctionUrl(qualifier) = surface {
        url(content, &policies(facts, qualifier.as_ref(), settings))
    } else {
        Judgement::default()
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

/// Whether a policy has statements about others than the qualifier that it belongs to. Which URLs those have was not
/// looked at.
fn is_about_others(document: &Document<'_>, qualifier: Option<&Qualifier>) -> bool {
    const UNGUESSABLE: &str = "\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}\u{1}";
    let own = qualifier.map(Qualifier::as_str);
    let is_own = |statement: &Statement<'_>| {
        function_policy::may_cover(statement, own) && !function_policy::may_cover(statement, Some(UNGUESSABLE))
    };
    !document.statements.iter().all(is_own)
}

/// What is wrong with the policies that a URL is opened by: that of its own qualifier, and for an alias what of the
/// function's own policy is about it. The function's own URL runs what is published.
fn policies(facts: &Facts, qualifier: Option<&Qualifier>, settings: &Settings) -> Judgement {
    let mut judgement = judge(facts, &Surface::ResourcePolicy(qualifier.cloned()), settings);
    let (more, place) = match qualifier {
        Some(qualifier) => (of_function(facts, qualifier, settings), "the function's own policy".to_owned()),
        None => {
            let published = Qualifier::latest_published();
            let place = published.to_string();
            (judge(facts, &Surface::ResourcePolicy(Some(published)), settings), place)
        }
    };
    let at = |finding: Finding| Finding { at: format!("{} of {place}", finding.at), ..finding };
    judgement.findings.extend(more.findings.into_iter().map(at));
    judgement.unclear = judgement.unclear.or(more.unclear);
    judgement
}

/// What of the function's own policy is about a qualifier that has an open URL.
fn of_function(facts: &Facts, qualifier: &Qualifier, settings: &Settings) -> Judgement {
    let Some(function) = facts.surfaces.get(&Surface::ResourcePolicy(None)) else { return Judgement::default() };
    document(&function.content, |document| {
        let findings = function_policy::judge(document, &settings.context(), UrlAuth::Open);
        let about_it = |finding: &Finding| {
            let statement = finding.statement().and_then(|index| document.statements.get(index));
            statement.is_some_and(|statement| function_policy::may_cover(statement, Some(qualifier.as_str())))
        };
        findings.into_iter().filter(about_it).collect()
    })
}

fn url_auth(content: &Content) -> UrlAuth {
    content.document().map_or(UrlAuth::NoUrl, function_url::auth)
}

fn url(content: &Content, policy: &Judgement) -> Judgement {
    let Some(config) = content.document() else { return Judgement::default() };
    let unclear = match function_url::auth(config) {
        UrlAuth::NoUrl | UrlAuth::AwsIam => None,
        UrlAuth::Open => policy.unclear.clone(),
        UrlAuth::Unknown => Some("the URL's AuthType is neither AWS_IAM nor NONE".into()),
    };
    let is_public = |finding: &&Finding| finding.id == FindingId::PublicUrl;
    let open: Vec<&str> = policy.findings.iter().filter(is_public).map(|finding| finding.at.as_str()).collect();
    Judgement { findings: function_url::judge(config, &open), unclear }
}
