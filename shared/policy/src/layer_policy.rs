//! Who may use a layer version: the policy made of AddLayerVersionPermission's statements.

use crate::{Context, Document, DocumentError, Effect, Kind, Statement, conditions, principal};
use warden_finding::{Finding, FindingId, Severity};

/// What is open about a layer version's policy: a statement for everybody that no condition limits, say to an
/// organisation. A Deny is never a finding. The context does not matter yet: to share a layer with an account is no
/// finding.
pub fn judge(document: &Document<'_>, _context: &Context) -> Vec<Finding> {
    document
        .statements
        .iter()
        .enumerate()
        .filter(|(_, statement)| is_public(statement, document))
        .map(|(index, _)| Finding {
            id: FindingId::PublicLayer,
            severity: Severity::High,
            at: format!("Statement[{index}]"),
            message: "anybody with an AWS account may use and download the layer version".to_owned(),
        })
        .collect()
}

fn is_public(statement: &Statement<'_>, document: &Document<'_>) -> bool {
    let everybody = match principal::named(&statement.principals) {
        Some(principals) => {
            principal::each(principals).iter().any(|(_, _, who)| *who == principal::Principal::Everybody)
        }
        None => true,
    };
    statement.effect == Effect::Allow
        && everybody
        && conditions::limits(&statement.conditions, document.version).is_empty()
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
    fn an_organisation_an_account_and_a_deny_are_not() {
        check(
            r#"{"Sid":"a","Effect":"Allow","Principal":"*","Action":"lambda:GetLayerVersion","Condition":{"StringEquals":{"aws:PrincipalOrgID":"o-exampleorgid"}}}"#,
            &[],
        );
        check(
            r#"{"Sid":"a","Effect":"Allow","Principal":{"AWS":"999999999999"},"Action":"lambda:GetLayerVersion"}"#,
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
        assert_eq!(narrow(text, &findings[1..], &context).unwrap(), ["c"]);
    }
}
