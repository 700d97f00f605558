//! The rules about secrets in a function's environment.

use super::Explanation;

pub(super) const PLAINTEXT_SECRET: Explanation = Explanation {
    meaning: "A variable of the function's environment holds a credential: a key or token in the format of its provider, a URL or a \
              connection string with its password, a private key, or a random value under a name that says what it is. High is \
              beyond doubt; medium is a weak password, a failed checksum, an access key's id alone, or a random value under a name \
              that says nothing.",
    attack: "Everybody with lambda:GetFunctionConfiguration reads it: auditors, dashboards, deployment tools, whoever gets hold of one \
             of their sessions. It stays in every published version and in the pipeline that set it, and it goes on working wherever \
             it is used.",
    remedy: "High. `warden check environment` reports it; no guard of this release changes an environment. Secret-guard will put the \
             value into Secrets Manager, take it out of the environment, and have it fetched when the function starts. Medium is \
             reported.",
    instead: "Keep the value in Secrets Manager or in a SecureString parameter, give the function's role the right to read that one, put \
              its ARN into the environment, and fetch it at start. Then rotate it: whoever could read the environment may have it. \
              (A dynamic reference of CloudFormation puts the plaintext back.)",
};

pub(super) const KNOWN_SECRET: Explanation = Explanation {
    meaning: "A value that Warden took out of an environment earlier stands in one again, in plaintext. It is recognised by a keyed \
              hash; Warden does not keep the value to compare with.",
    attack: "As with any secret in plaintext; and it shows that a template or a pipeline still holds the value and will set it again.",
    remedy: "High. Secret-guard will take it out again, as often as the breaker allows, and say in the record what to change; no guard \
             of this release changes an environment.",
    instead: "Find where it is set. A `secretsmanager` dynamic reference in a CloudFormation template is resolved into the plaintext at \
              each deployment: put the secret's ARN into the environment instead, and rotate the secret.",
};
