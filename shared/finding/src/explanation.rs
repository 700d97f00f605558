//! What `warden explain` says of each finding.

use crate::{ExemptedBy, FindingId};

mod concurrency;
mod role;
mod secret;

/// What a person needs to know about a rule, in plain sentences: `warden explain` prints it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Explanation {
    /// What is the case when the rule fires.
    pub meaning: &'static str,
    /// What somebody could do with it.
    pub attack: &'static str,
    /// What Warden changes, and what it leaves alone.
    pub remedy: &'static str,
    /// How to have what one needs without breaking the rule.
    pub instead: &'static str,
}

impl FindingId {
    /// How the rule is exempted by a tag, and what it finds accepted; none for a rule that no tag exempts.
    pub fn exemption(self) -> Option<String> {
        let whom = match self.exempted_by()? {
            ExemptedBy::Function => "function",
            ExemptedBy::Role => "role, or the customer managed policy that it is found on,",
        };
        Some(format!(
            "For this finding alone, and for 90 days at most, tag the {whom} `warden:exempt` with `{self}@YYYY-MM-DD`. \
             What is there now an operator can let be until it changes: `warden accept ID`, with the id of the record."
        ))
    }

    /// The rules that this release judges, with their explanations, in the order of the documentation.
    pub fn judged() -> impl Iterator<Item = (FindingId, &'static Explanation)> {
        FindingId::ALL.iter().filter_map(|id| Some((*id, id.explanation()?)))
    }

    /// The explanation of the rule; none for a rule that no judge of this release knows.
    pub const fn explanation(self) -> Option<&'static Explanation> {
        match self {
            FindingId::WildcardAdmin => Some(&role::WILDCARD_ADMIN),
            FindingId::WildcardNotAction => Some(&role::WILDCARD_NOT_ACTION),
            FindingId::WildcardNotResource => Some(&role::WILDCARD_NOT_RESOURCE),
            FindingId::PrivilegeEscalation => Some(&role::PRIVILEGE_ESCALATION),
            FindingId::WildcardPassRole => Some(&role::WILDCARD_PASS_ROLE),
            FindingId::WildcardAssumeRole => Some(&role::WILDCARD_ASSUME_ROLE),
            FindingId::WildcardSensitiveService => Some(&role::WILDCARD_SENSITIVE_SERVICE),
            FindingId::WildcardPermissions => Some(&role::WILDCARD_PERMISSIONS),
            FindingId::WildcardDataRead => Some(&role::WILDCARD_DATA_READ),
            FindingId::WildcardInvoke => Some(&role::WILDCARD_INVOKE),
            FindingId::WildcardService => Some(&role::WILDCARD_SERVICE),
            FindingId::WildcardWrite => Some(&role::WILDCARD_WRITE),
            FindingId::SharedRole => Some(&role::SHARED_ROLE),
            FindingId::RoleBroadened => Some(&role::ROLE_BROADENED),
            FindingId::BoundaryRemoved => Some(&role::BOUNDARY_REMOVED),
            FindingId::TrustPublic => Some(&role::TRUST_PUBLIC),
            FindingId::TrustOidcOpen => Some(&role::TRUST_OIDC_OPEN),
            FindingId::TrustExternalAccount => Some(&role::TRUST_EXTERNAL_ACCOUNT),
            FindingId::TrustNewcomer => Some(&role::TRUST_NEWCOMER),
            FindingId::TrustOrganization => Some(&role::TRUST_ORGANIZATION),
            FindingId::TrustConfusedDeputy => Some(&role::TRUST_CONFUSED_DEPUTY),
            FindingId::PublicInvoke => Some(&PUBLIC_INVOKE),
            FindingId::PublicUrl => Some(&PUBLIC_URL),
            FindingId::OpenServicePrincipal => Some(&OPEN_SERVICE_PRINCIPAL),
            FindingId::WildcardInvokeAction => Some(&WILDCARD_INVOKE_ACTION),
            FindingId::ExternalInvoke => Some(&EXTERNAL_INVOKE),
            FindingId::OrganizationInvoke => Some(&ORGANIZATION_INVOKE),
            FindingId::PublicLayer => Some(&PUBLIC_LAYER),
            FindingId::ExternalLayer => Some(&EXTERNAL_LAYER),
            FindingId::CorsAnyOrigin => Some(&CORS_ANY_ORIGIN),
            FindingId::PlaintextSecret => Some(&secret::PLAINTEXT_SECRET),
            FindingId::KnownSecret => Some(&secret::KNOWN_SECRET),
            FindingId::SecretOutOfReach => Some(&secret::SECRET_OUT_OF_REACH),
            FindingId::UnboundedConcurrency => Some(&concurrency::UNBOUNDED_CONCURRENCY),
            FindingId::ConcurrencyAboveCap => Some(&concurrency::CONCURRENCY_ABOVE_CAP),
            FindingId::RecursionAllowed => Some(&concurrency::RECURSION_ALLOWED),
            FindingId::ProvisionedAboveCap => Some(&concurrency::PROVISIONED_ABOVE_CAP),
            FindingId::RunawayConcurrency | FindingId::GuardTampered | FindingId::OptedOut => None,
        }
    }
}

const PUBLIC_INVOKE: Explanation = Explanation {
    meaning: "A statement of the function's resource policy, or of one of its versions or aliases, allows the \
              principal `*`, or everybody but the ones it names (NotPrincipal), and none of its conditions says for \
              sure who that can be. A condition with a wildcard or a policy variable, a negated one, or one on the way \
              of the call (TLS, MFA, Region) limits nobody. Neither do address ranges that add up, over all such \
              statements, to more than a sixteenth of the internet. Info where nobody is let in: the action does not \
              exist, or a condition asks for a key that Lambda never sends.",
    attack: "Whoever has an AWS account of their own can call the function with it: read what it answers, spend your \
             money, and feed it input that was never meant to come from outside. Nothing else in the account has to be \
             broken first.",
    remedy: "Critical. The statement is removed with RemovePermission, or, where it names other principals too, only \
             the public one is taken out of it; a compliant statement that it replaced comes back. Everything else in \
             the policy stays as it is.",
    instead: "Name the accounts or roles that call. For a service, name the service and give `aws:SourceArn` or \
              `aws:SourceAccount` a fixed value. For everybody in your organisation, keep `*` and fix \
              `aws:PrincipalOrgID`. For the public, put CloudFront or API Gateway in front.",
};

const PUBLIC_URL: Explanation = Explanation {
    meaning: "The function has a URL with AuthType NONE, and a statement of its resource policy lets anybody call it. \
              (Statements on `lambda:FunctionUrlAuthType` or `lambda:InvokedViaFunctionUrl` say how one calls, not \
              who.) `warden check` sees the policy alone and takes the URL to be open.",
    attack: "Anybody who learns the address, from a log, a bundle of JavaScript or a scan, calls the function without \
             credentials and as often as they like: its data, its side effects and its bill are theirs. Attackers add \
             such a URL as a back door that needs no key.",
    remedy: "Critical. The URL's AuthType becomes AWS_IAM first, so that the door is shut at once, and then the public \
             statements are removed. The URL itself is never deleted, because a new one would have another address.",
    instead: "Keep AuthType AWS_IAM and let callers sign; CloudFront can sign for the public (origin access control). \
              A URL that must be open, such as a webhook that checks its own signatures, needs an exemption.",
};

const OPEN_SERVICE_PRINCIPAL: Explanation = Explanation {
    meaning: "A statement lets an AWS service invoke the function, without saying for whose resource: neither \
              `aws:SourceAccount` nor the account in `aws:SourceArn` is fixed. Low where the source is an S3 bucket's \
              name, which can pass to another owner once it is deleted.",
    attack: "The confused deputy. Somebody makes a bucket, a topic or a rule in their own account and points it at \
             your function. The service calls it on their behalf, with content they chose, and your function takes it \
             for your own event.",
    remedy: "High. The statement is replaced in one step by the same one with `aws:SourceAccount` fixed to this \
             account, so that a live trigger keeps working. Where the service does not send it, or the source cannot \
             be known, Warden withholds and says what to do.",
    instead: "Pass --source-account, and --source-arn with the resource's ARN, to `aws lambda add-permission`; \
              SourceArn and SourceAccount on AWS::Lambda::Permission. For Alexa, use the skill's id as event source \
              token.",
};

const WILDCARD_INVOKE_ACTION: Explanation = Explanation {
    meaning: "A statement of the resource policy grants `lambda:*`, `*`, or what amounts to it, where invoking is all \
              that a caller needs.",
    attack: "The principal can change the function's code and configuration, read its environment, or give the \
             permission on to others. A caller that is taken over becomes an owner, with everything the function's \
             role may do.",
    remedy: "High. The action is narrowed to `lambda:InvokeFunction`, or the statement that was there before comes \
             back. The principal and its conditions stay.",
    instead: "Grant `lambda:InvokeFunction`, and `lambda:InvokeFunctionUrl` for a URL. Who deploys the function gets \
              that from an identity policy in this account, not from the function's resource policy.",
};

const EXTERNAL_INVOKE: Explanation = Explanation {
    meaning: "A statement lets an account in that is neither this one nor in the list of trusted accounts, or \
              everybody from addresses, a VPC or an endpoint that are not known as the own. High where a list is set, \
              medium where there is none: then nobody has said yet which accounts belong here. A foreign organisation \
              is high once there is a list or the own organisation is known. The owner of a unique id (`aws:userid`) \
              cannot be read from it: medium. Info for a principal that was deleted since, which lets nobody in.",
    attack: "The textbook back door: one AddPermission for the attacker's own account outlives every rotated key and \
             every deleted user, and looks like one integration among many.",
    remedy: "High: the statement is removed, or the outside principal is taken out of it. Medium: reported, and acted \
             on only if the stack's parameter `Threshold` is `medium`.",
    instead: "Put the account into the stack's TrustedAccounts parameter (`--trusted-account` for `warden check`), \
              where it is reviewed once and for all functions; a network or a unique id of your own into \
              TrustedSources (`--trusted-source`).",
};

const ORGANIZATION_INVOKE: Explanation = Explanation {
    meaning: "A statement lets everybody in an organisation in, by `aws:PrincipalOrgID` or a like condition. Low for \
              the own organisation, medium for any other as long as neither the own one nor any trusted account is \
              known; after that it is `external-invoke`.",
    attack: "Any principal in any account of the organisation, a sandbox account or a forgotten one too, can invoke \
             the function. With another organisation, you do not even learn who they are.",
    remedy: "Reported. Medium is acted on only if the stack's parameter `Threshold` is `medium`.",
    instead: "Set the stack's Organization parameter (`--organization` for `warden check`) to your own. Narrow to a \
              path of the organisation (`aws:PrincipalOrgPaths`) or to the accounts that need it.",
};

const PUBLIC_LAYER: Explanation = Explanation {
    meaning: "A statement of a layer version's policy allows the principal `*` without fixing an organisation.",
    attack: "Anybody with an AWS account can download the layer's contents: code, configuration, and whatever was \
             packed with it. Nobody sees them do it.",
    remedy: "High. The statement is removed with RemoveLayerVersionPermission. Layers carry no tags, so they are in \
             scope only by the stack's LayerMode and LayerNames.",
    instead: "Share with single accounts, or with `*` and --organization-id. A layer that is meant for the world stays \
              out of LayerNames.",
};

const EXTERNAL_LAYER: Explanation = Explanation {
    meaning: "A statement of a layer version's policy lets an account in that is neither this one nor in the list of \
              trusted accounts, or an organisation, a network or a unique id. High where a list is set, or for a \
              foreign organisation where the own one is known; medium otherwise, low for the own organisation. Info \
              for a principal that was deleted since.",
    attack: "Whoever is let in downloads the layer's contents, code, configuration, and whatever was packed with it, \
             and keeps the copy after the permission is gone.",
    remedy: "High: the statement is removed with RemoveLayerVersionPermission. Medium: reported, and acted on only if \
             the stack's parameter `Threshold` is `medium`. Layers carry no tags, so they are in scope only by the stack's \
             LayerMode and LayerNames.",
    instead: "Put the account into the stack's TrustedAccounts parameter (`--trusted-account` for `warden check`), or \
              share with the own organisation by --organization-id.",
};

const CORS_ANY_ORIGIN: Explanation = Explanation {
    meaning: "The function URL's CORS settings let pages of any origin read its answers. Low; medium where credentials \
              are allowed too.",
    attack: "A page on any web site can call the URL from a visitor's browser and read the answer; with credentials, \
             in the visitor's name.",
    remedy: "Reported, never changed: which origins belong there is known to the application alone.",
    instead: "List the origins of your own pages in AllowOrigins.",
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_explanation_is_made_of_whole_sentences() {
        for (id, text) in FindingId::judged() {
            for part in [text.meaning, text.attack, text.remedy, text.instead] {
                assert!(part.ends_with(['.', ')']), "{id}: {part}");
                assert!(!part.contains("  ") && !part.contains('\n'), "{id}: {part}");
            }
        }
    }
}
