//! Who made a call, by the key that it was signed with.

use serde::Deserialize;
use serde_json::{Value, json};

/// Who signed a call, as the launcher knows it (`launcher/control.py`).
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Caller {
    #[serde(rename = "type")]
    kind: String,
    pub(crate) arn: String,
    account: String,
    principal_id: String,
    user_name: String,
    created: Option<f64>,
    source_identity: Option<String>,
    issuer: Option<Issuer>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Issuer {
    arn: String,
    principal_id: String,
    user_name: String,
}

impl Caller {
    /// CloudTrail's `userIdentity` (its user guide, "CloudTrail userIdentity element").
    pub(crate) fn identity(&self, access_key: &str) -> Value {
        let mut identity = json!({
            "type": if self.kind == "User" { "IAMUser" } else { &self.kind },
            "principalId": self.principal_id,
            "arn": self.arn,
            "accountId": self.account,
            "accessKeyId": access_key,
        });
        if self.kind == "User" {
            identity["userName"] = json!(self.user_name);
        }
        if let Some(issuer) = &self.issuer {
            let created = self.created.and_then(|seconds| jiff::Timestamp::from_second(seconds as i64).ok());
            identity["sessionContext"] = json!({
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": issuer.principal_id,
                    // With the role's path, which the session's own ARN leaves out.
                    "arn": issuer.arn,
                    "accountId": self.account,
                    "userName": issuer.user_name,
                },
                "attributes": {
                    "creationDate": created.map(|time| time.to_string()),
                    "mfaAuthenticated": "false",
                },
            });
            if let Some(source) = &self.source_identity {
                identity["sessionContext"]["sourceIdentity"] = json!(source);
            }
        }
        identity
    }
}
