//! What the operator role may call. What a guard calls stands in the guard.

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
