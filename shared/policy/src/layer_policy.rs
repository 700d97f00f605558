//! Who may use a layer version: the policy made of AddLayerVersionPermission's statements.

use crate::{
    Context, Document, DocumentError, Effect, Kind, Statement,
    display::quoted,
    effective_principals::{EffectivePrincipals, ExternalRules, own_account},
    function_policy::UNGUESSABLE,
    principal::{self, Principal},
    together::{Beside, Together},
    violation::{Part, Verdict, Violation},
};
use warden_finding::{Finding, FindingId, Severity};

/// What is open about a layer version's policy: who beside the own and the trusted accounts may use and download it,
/// of each statement the worst. A Deny is never a finding.
pub fn judge(document: &Document<'_>, context: &Context) -> Vec<Finding> {
    Together::judge(document, context, UNGUESSABLE, |index, statement, beside| {
        let worst = worst(statement, document, beside, context).filter(|_| statement.effect == Effect::Allow);
        // A layer's statement can only be removed as a whole.
        worst.map(|verdict| Violation::new(index, Part::NotPrincipal, true, verdict)).into_iter().collect()
    })
}

fn worst(
    statement: &Statement<'_>,
    document: &Document<'_>,
    beside: &Beside<'_>,
    context: &Context,
) -> Option<Verdict> {
    let rules = ExternalRules {
        external: FindingId::ExternalLayer,
        external_severity: if context.trusted_accounts.is_empty() { Severity::Medium } else { Severity::High },
        organization: FindingId::ExternalLayer,
        deputy: FindingId::ExternalLayer,
        // No service uses the layers of others.
        deputy_severity: Severity::Low,
    };
    let limits = beside.limits(statement, document);
    let principals = EffectivePrincipals::new(context, own_account(statement, context), limits, rules);
    let verdict = |text: &str, who: Principal<'_>| match who {
        Principal::Everybody if principals.are_unlimited() => {
            let message = "anybody with an AWS account may use and download the layer version".to_owned();
            Some((FindingId::PublicLayer, Severity::High, message))
        }
        Principal::Everybody => principals.everybody_limited(),
        Principal::Account(account) if principals.trusts(account) => None,
        Principal::Account(_) | Principal::Unknown => {
            let message = format!("`{}`, which is not trusted, may use and download the layer version", quoted(text));
            principals.somebody(principals.external(message))
        }
        Principal::Deleted => {
            let message = format!("`{}` is a principal that was deleted; the statement lets nobody in", quoted(text));
            Some((FindingId::ExternalLayer, Severity::Info, message))
        }
        // No service uses the layers of others: a function's owner does.
        Principal::Service(_) => None,
    };
    match principal::named(&statement.principals) {
        Some(named) => principal::each(named)
            .into_iter()
            .filter_map(|(_, text, who)| verdict(text, who))
            .max_by_key(|(_, severity, _)| *severity),
        None => verdict("*", Principal::Everybody),
    }
}

/// The Sids of the statements with the named findings: a layer's statements can only be removed, with
/// RemoveLayerVersionPermission. A statement of a layer always has a Sid; one without cannot be removed and is left
/// out.
///
/// # Errors
///
/// [`DocumentError`] when the document does not parse: then nothing may be changed.
pub fn narrow(document: &str, findings: &[Finding], context: &Context) -> Result<Vec<String>, DocumentError> {
    let document = Document::parse(document, Kind::Resource)?;
    let named = |index: usize| {
        let at = format!("Statement[{index}]");
        judge(&document, context)
            .iter()
            .any(|found| found.at == at && findings.iter().any(|finding| finding.id == found.id && finding.at == at))
    };
    Ok(document
        .statements
        .iter()
        .enumerate()
        .filter(|(index, _)| named(*index))
        .filter_map(|(_, statement)| statement.sid.as_deref().map(str::to_owned))
        .collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(statement: &str, expected: &[&str]) {
        let text = format!(r#"{{"Version":"2012-10-17","Statement":[{statement}]}}"#);
        let document = Document::parse(&text, Kind::Resource).unwrap();
        let context = Context::of_account("111122223333".parse().unwrap());
        let findings = judge(&document, &context);
        let shown: Vec<String> = findings.iter().map(|f| format!("{} {} {}", f.id, f.severity, f.at)).collect();
        assert_eq!(shown, expected, "{statement}");
        assert_eq!(narrow(&text, &findings, &context).unwrap().len(), expected.len());
    }

    #[test]
    fn everybody_without_an_organisation_is_public() {
        let public = &["public-layer high Statement[0]"];
        check(
            r#"{"Sid":"a","Effect":"Allow","Principal":"*","Action":"lambda:GetLayerVersion","Resource":"x"}"#,
            public,
        );
        check(
            r#"{"Sid":"a","Effect":"Allow","Principal":{"AWS":["1","*"]},"Action":"lambda:GetLayerVersion"}"#,
            public,
        );
        check(
            r#"{"Sid":"a","Effect":"Allow","Principal":"*","Action":"lambda:GetLayerVersion","Condition":{"StringLike":{"aws:PrincipalOrgID":"o-*"}}}"#,
            public,
        );
    }

    #[test]
    fn an_organisation_and_an_account_are_not_everybody() {
        check(
            r#"{"Sid":"a","Effect":"Allow","Principal":"*","Action":"lambda:GetLayerVersion","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-exampleorgid"}}}"#,
            &["external-layer medium Statement[0]"],
        );
        check(
            r#"{"Sid":"a","Effect":"Allow","Principal":{"AWS":"999999999999"},"Action":"lambda:GetLayerVersion"}"#,
            &["external-layer medium Statement[0]"],
        );
        check(
            r#"{"Sid":"a","Effect":"Allow","Principal":{"AWS":"111122223333"},"Action":"lambda:GetLayerVersion"}"#,
            &[],
        );
        check(r#"{"Sid":"a","Effect":"Deny","Principal":"*","Action":"lambda:GetLayerVersion"}"#, &[]);
    }

    #[test]
    fn only_the_named_statements_go() {
        let text = r#"{"Statement":[
            {"Sid":"a","Effect":"Allow","Principal":"*","Action":"lambda:GetLayerVersion"},
            {"Sid":"b","Effect":"Allow","Principal":{"AWS":"999999999999"},"Action":"lambda:GetLayerVersion"},
            {"Sid":"c","Effect":"Allow","Principal":"*","Action":"lambda:GetLayerVersion"}]}"#;
        let context = Context::default();
        let findings = judge(&Document::parse(text, Kind::Resource).unwrap(), &context);
        assert_eq!(narrow(text, &findings[2..], &context).unwrap(), ["c"]);
    }

    #[track_caller]
    fn check_in(context: &Context, principal: &str, condition: &str, expected: &[&str]) {
        let text = format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Sid":"a","Effect":"Allow","Principal":{principal},"Action":"lambda:GetLayerVersion","Condition":{condition}}}]}}"#
        );
        let findings = judge(&Document::parse(&text, Kind::Resource).unwrap(), context);
        let shown: Vec<String> = findings.iter().map(|f| format!("{} {} {}", f.id, f.severity, f.at)).collect();
        assert_eq!(shown, expected, "{principal} {condition}");
        let sids = if expected.is_empty() { Vec::new() } else { vec!["a".to_owned()] };
        assert_eq!(narrow(&text, &findings, context).unwrap(), sids);
    }

    #[test]
    fn whom_a_layer_is_given_to_is_judged_as_whom_a_function_lets_in() {
        let alone = Context::of_account("111122223333".parse().unwrap());
        let listed = Context { trusted_accounts: ["444455556666".parse().unwrap()].into(), ..alone.clone() };
        let organised = Context { organization: Some("o-exampleorgid".parse().unwrap()), ..alone.clone() };
        let medium = &["external-layer medium Statement[0]"];
        let high = &["external-layer high Statement[0]"];
        for outsider in [
            r#"{"AWS":"arn:aws:iam::999999999999:root"}"#,
            r#"{"AWS":"999999999999"}"#,
            r#"{"AWS":["444455556666","999999999999"]}"#,
        ] {
            check_in(&alone, outsider, "{}", medium);
            check_in(&listed, outsider, "{}", high);
        }
        check_in(&alone, r#"{"AWS":"111122223333"}"#, "{}", &[]);
        check_in(&listed, r#"{"AWS":"arn:aws:iam::444455556666:root"}"#, "{}", &[]);
        let of = |id: &str| format!(r#"{{"StringEquals":{{"aws:PrincipalOrgID":"{id}"}}}}"#);
        check_in(&alone, r#""*""#, &of("o-anotherorgid"), medium);
        check_in(&listed, r#""*""#, &of("o-anotherorgid"), high);
        check_in(&organised, r#""*""#, &of("o-anotherorgid"), high);
        check_in(&organised, r#""*""#, &of("o-exampleorgid"), &["external-layer low Statement[0]"]);
        // Addresses and unique ids.
        check_in(
            &alone,
            r#""*""#,
            r#"{"IpAddress":{"aws:SourceIp":["64.0.0.0/3","198.18.0.0/16"]}}"#,
            &["public-layer high Statement[0]"],
        );
        check_in(&alone, r#""*""#, r#"{"IpAddress":{"aws:SourceIp":"198.18.7.7/32"}}"#, medium);
        check_in(&listed, r#""*""#, r#"{"StringLike":{"aws:userid":"AROAQWERTZUIOPASDFGHJ:*"}}"#, medium);
        // A deleted principal is nobody.
        check_in(&listed, r#"{"AWS":"AIDACKCEVSQ6C2EXAMPLE"}"#, "{}", &["external-layer info Statement[0]"]);
    }

    #[test]
    fn a_deny_of_everything_leaves_nothing_public() {
        let public = r#"{"Sid":"a","Effect":"Allow","Principal":"*","Action":"lambda:GetLayerVersion"}"#;
        check(&format!(r#"{public},{{"Sid":"b","Effect":"Deny","Principal":"*","Action":"lambda:*"}}"#), &[]);
        check(
            &format!(
                r#"{public},{{"Sid":"b","Effect":"Deny","Principal":"*","Action":"lambda:GetLayerVersion","Condition":{{"Bool":{{"aws:SecureTransport":"false"}}}}}}"#
            ),
            &["public-layer high Statement[0]"],
        );
    }
}
