//! The one list of AWS calls: what the code calls, what each role allows and what the README says are kept equal by
//! tests.

/// The calls that access-guard makes, as IAM actions.
pub const ACCESS_GUARD: &[&str] = &[
    "dynamodb:BatchGetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
    "events:PutEvents",
    "kms:VerifyMac",
    "lambda:DeleteResourcePolicy",
    "lambda:GetFunction",
    "lambda:GetFunctionUrlConfig",
    "lambda:GetLayerVersionPolicy",
    "lambda:GetPolicy",
    "lambda:GetResourcePolicy",
    "lambda:ListAliases",
    "lambda:ListFunctionUrlConfigs",
    "lambda:ListTags",
    "lambda:ListVersionsByFunction",
    "lambda:PutResourcePolicy",
    "lambda:RemoveLayerVersionPermission",
    "lambda:RemovePermission",
    "lambda:UpdateFunctionUrlConfig",
];

/// The calls that role-guard makes, as IAM actions; `iam:PassRole` is asked for by UpdateFunctionConfiguration with a
/// role.
pub const ROLE_GUARD: &[&str] = &[
    "dynamodb:BatchGetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
    "events:PutEvents",
    "iam:AttachRolePolicy",
    "iam:CreatePolicy",
    "iam:CreatePolicyVersion",
    "iam:DeletePolicyVersion",
    "iam:DeleteRolePolicy",
    "iam:DetachRolePolicy",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:GetRole",
    "iam:GetRolePolicy",
    "iam:ListAttachedRolePolicies",
    "iam:ListEntitiesForPolicy",
    "iam:ListPolicyVersions",
    "iam:ListRolePolicies",
    "iam:PassRole",
    "iam:PutRolePermissionsBoundary",
    "iam:PutRolePolicy",
    "iam:SetDefaultPolicyVersion",
    "iam:UpdateAssumeRolePolicy",
    "kms:VerifyMac",
    "lambda:GetFunction",
    "lambda:ListTags",
    "lambda:UpdateFunctionConfiguration",
];

/// The calls that secret-guard makes, as IAM actions. GetLayerVersion is also what Lambda asks of whoever sets layers,
/// TagResource what Secrets Manager asks of whoever creates a secret with tags, ListTags what Lambda asks of whoever
/// wants GetFunction to name the tags.
pub const SECRET_GUARD: &[&str] = &[
    "dynamodb:BatchGetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
    "events:PutEvents",
    "iam:GetPolicy",
    "iam:GetPolicyVersion",
    "iam:GetRole",
    "kms:GenerateMac",
    "kms:VerifyMac",
    "lambda:GetFunction",
    "lambda:GetFunctionCodeSigningConfig",
    "lambda:GetLayerVersion",
    "lambda:ListFunctions",
    "lambda:ListTags",
    "lambda:ListVersionsByFunction",
    "lambda:UpdateFunctionConfiguration",
    "secretsmanager:CreateSecret",
    "secretsmanager:DeleteSecret",
    "secretsmanager:DescribeSecret",
    "secretsmanager:GetResourcePolicy",
    "secretsmanager:GetSecretValue",
    "secretsmanager:PutResourcePolicy",
    "secretsmanager:PutSecretValue",
    "secretsmanager:RestoreSecret",
    "secretsmanager:TagResource",
    "secretsmanager:UpdateSecretVersionStage",
];

/// What undo, apply, pause and the audit commands call beyond what the guards do.
pub const OPERATOR: &[&str] = &[
    "dynamodb:DescribeTable",
    "dynamodb:Scan",
    "iam:DeletePolicy",
    "iam:DeleteRolePermissionsBoundary",
    "kms:GenerateMac",
    "lambda:AddLayerVersionPermission",
    "lambda:GetFunctionConfiguration",
];
