//! What the ports of this crate call whoever works through them, and what the operator role may call. What a guard calls
//! beside stands in the guard.

/// What every guard calls, because the engine does: the ledger and its seals, audit events, the check of operators' proofs,
/// its own delay queue, and CloudTrail's word for an event.
pub const EVERY_GUARD: &[&str] = &[
    "cloudtrail:LookupEvents",
    "dynamodb:BatchGetItem",
    "dynamodb:PutItem",
    "dynamodb:Query",
    "dynamodb:UpdateItem",
    "events:PutEvents",
    "kms:GenerateMac",
    "kms:VerifyMac",
    "sqs:SendMessage",
];

/// What undo, apply, pause and the audit commands call beyond what the guards do.
pub const OPERATOR: &[&str] = &[
    "dynamodb:DescribeTable",
    "dynamodb:Scan",
    "iam:DeletePolicy",
    "iam:DeleteRolePermissionsBoundary",
    "lambda:AddLayerVersionPermission",
    "lambda:AddPermission",
    "lambda:DeleteFunctionConcurrency",
    "lambda:GetFunctionConfiguration",
    "logs:FilterLogEvents",
];
