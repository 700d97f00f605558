//! What `Ref` and `Fn::GetAtt` of a resource give, as far as it is known before the resource exists.

use super::Scope;
use crate::unknown;
use serde_json::Value;
use std::collections::BTreeSet;

/// Types whose `Ref` is an ARN (the "Return values" of each in
/// <https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-template-resource-type-ref.html>).
const REF_IS_ARN: [&str; 16] = [
    "AWS::CertificateManager::Certificate",
    "AWS::CloudFormation::Stack",
    "AWS::ECS::Service",
    "AWS::ECS::TaskDefinition",
    "AWS::ElasticLoadBalancingV2::Listener",
    "AWS::ElasticLoadBalancingV2::LoadBalancer",
    "AWS::ElasticLoadBalancingV2::TargetGroup",
    "AWS::IAM::ManagedPolicy",
    "AWS::IAM::OIDCProvider",
    "AWS::IAM::SAMLProvider",
    "AWS::Lambda::Alias",
    "AWS::Lambda::LayerVersion",
    "AWS::Lambda::Version",
    "AWS::SNS::Topic",
    "AWS::SecretsManager::Secret",
    "AWS::StepFunctions::StateMachine",
];

/// Attributes that are a secret themselves: types and attributes ("Return values" of each, as above). Those of other
/// types name the secret that holds it.
const SECRET_ATTRIBUTES: [(&str, &str); 3] = [
    ("AWS::AppSync::ApiKey", "ApiKey"),
    ("AWS::Cognito::UserPoolClient", "ClientSecret"),
    ("AWS::IAM::AccessKey", "SecretAccessKey"),
];

impl Scope<'_> {
    pub(super) fn ref_of(&self, id: &str, resource: &Value) -> String {
        match kind(resource) {
            kind if REF_IS_ARN.contains(&kind) => self.arn_of(id, resource),
            _ => unknown::value(id),
        }
    }

    pub(super) fn attribute(&self, id: &str, attribute: &str) -> String {
        match self.resources.get(id) {
            // An output of a nested stack or a custom resource may be anything.
            Some(resource)
                if attribute.ends_with("Arn")
                    && !attribute.contains('.')
                    && kind(resource).starts_with("AWS::")
                    && !kind(resource).starts_with("AWS::CloudFormation::") =>
            {
                self.arn_of(id, resource)
            }
            Some(_) | None => unknown::value(&format!("{id}.{attribute}")),
        }
    }

    /// Whether an attribute, `Key.SecretAccessKey`, is a secret itself.
    pub(super) fn is_secret_attribute(&self, attribute: &str) -> bool {
        attribute.split_once('.').is_some_and(|(id, attribute)| {
            let kind = self.resources.get(id).map(kind).unwrap_or_default();
            SECRET_ATTRIBUTES.contains(&(kind, attribute))
        })
    }

    /// Whether an attribute may be anything: an output of a nested stack or of a custom resource.
    pub(super) fn is_of_unknown_kind(&self, attribute: &str) -> bool {
        let resource = attribute.split_once('.').and_then(|(id, _)| self.resources.get(id));
        resource.is_some_and(|resource| {
            let kind = kind(resource);
            kind.starts_with("Custom::") || kind.starts_with("AWS::CloudFormation::") || kind.contains("::MODULE")
        })
    }

    /// The ARN of a resource of this template: its account is the own one, its name is the resource.
    fn arn_of(&self, id: &str, resource: &Value) -> String {
        let kind = kind(resource);
        let (partition, name) = (&self.context.partition, unknown::value(id));
        let region = unknown::value("AWS::Region");
        let account = self.context.account.map_or_else(|| unknown::value("AWS::AccountId"), |own| own.to_string());
        let mut words = kind.split("::").skip(1);
        let (service, of_kind) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        match (service, of_kind) {
            // Neither a Region nor an account.
            ("S3", _) => format!("arn:{partition}:s3:::{name}"),
            ("IAM", of_kind) => {
                let (of_kind, name) = match of_kind {
                    "User" => ("user", name),
                    "Group" => ("group", name),
                    "ManagedPolicy" => ("policy", name),
                    "InstanceProfile" => ("instance-profile", name),
                    "SAMLProvider" => ("saml-provider", name),
                    "OIDCProvider" => ("oidc-provider", self.provider(resource).unwrap_or(name)),
                    _ => ("role", name),
                };
                format!("arn:{partition}:iam::{account}:{of_kind}/{name}")
            }
            ("Lambda" | "Serverless", "LayerVersion") => {
                format!("arn:{partition}:lambda:{region}:{account}:layer:{name}")
            }
            ("Lambda" | "Serverless", _) => format!("arn:{partition}:lambda:{region}:{account}:function:{name}"),
            ("DynamoDB", _) => format!("arn:{partition}:dynamodb:{region}:{account}:table/{name}"),
            ("Logs", "LogGroup") => format!("arn:{partition}:logs:{region}:{account}:log-group:{name}:*"),
            ("StepFunctions", _) => format!("arn:{partition}:states:{region}:{account}:stateMachine:{name}"),
            (service, _) => format!("arn:{partition}:{}:{region}:{account}:{name}", service.to_ascii_lowercase()),
        }
    }

    /// The ARNs by which a document may name a role (`role`) or a managed policy (`policy`): by the resource, by the
    /// name it is given, or else by the one that CloudFormation makes of the stack's name and the logical id
    /// (<https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/aws-properties-name.html>), with its path
    /// and, as `Fn::GetAtt` is put together here, without.
    pub(super) fn iam_arns(&self, kind: &str, id: &str, name: Option<&str>, path: Option<&str>) -> BTreeSet<String> {
        let reference = unknown::value(id);
        let name = name.map_or_else(
            || format!("{}-{id}-{}", unknown::value("AWS::StackName"), unknown::value("AWS::StackId")),
            str::to_owned,
        );
        let account = self.context.account.map_or_else(|| unknown::value("AWS::AccountId"), |own| own.to_string());
        let start = format!("arn:{}:iam::{account}:{kind}", self.context.partition);
        let paths = ["/", path.unwrap_or("/")];
        paths.into_iter().flat_map(|path| [&reference, &name].map(|name| format!("{start}{path}{name}"))).collect()
    }

    /// An OpenID provider's name is the address it signs at.
    fn provider(&self, resource: &Value) -> Option<String> {
        // It may be put together of a provider again, and of itself.
        if self.in_provider.replace(true) {
            return None;
        }
        let url = resource.get("Properties").and_then(|properties| self.resolve(properties.get("Url")?));
        self.in_provider.set(false);
        Some(url?.text()?.trim_start_matches("https://").to_owned())
    }
}

fn kind(resource: &Value) -> &str {
    resource.get("Type").and_then(Value::as_str).unwrap_or_default()
}
