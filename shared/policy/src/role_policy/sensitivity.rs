//! What an action may do to others, as far as the rules tell it apart.

use crate::service_table::{self, Action, ActionSet, Service};
use std::sync::LazyLock;
use strum::VariantArray;

/// Services where every action on everything is serious.
const SENSITIVE_SERVICES: &[&str] = &[
    "cloudformation",
    "dynamodb",
    "ec2",
    "iam",
    "kms",
    "lambda",
    "organizations",
    "s3",
    "secretsmanager",
    "ssm",
    "sso",
    "sts",
];

/// Whether the service is one of them.
pub(super) fn is_sensitive(service: Service) -> bool {
    let name = service_table::service_name(service);
    SENSITIVE_SERVICES.contains(&name)
}

/// Actions that read what people keep secret or store.
const DATA_READS: &[&str] = &[
    "dynamodb:BatchGetItem",
    "dynamodb:GetItem",
    "dynamodb:PartiQLSelect",
    "dynamodb:Query",
    "dynamodb:Scan",
    "kms:Decrypt",
    "s3:GetObject",
    "s3:GetObjectVersion",
    "secretsmanager:GetSecretValue",
    "ssm:GetParameter",
    "ssm:GetParameterHistory",
    "ssm:GetParameters",
    "ssm:GetParametersByPath",
];

/// What AWS files under "Permissions management" and what only reads.
const ONLY_READS: &[&str] = &[
    "arc-region-switch:GetResourcePolicy",
    "backup:ListIndexedRecoveryPointsForSearch",
    "billing:GetResourcePolicy",
    "fsx:GetResourcePolicy",
    "glue:BatchGetStageFiles",
    "glue:DescribeConnectionType",
    "glue:DescribeEntity",
    "glue:GetDataPreviewStatement",
    "glue:GetEnvironment",
    "glue:GetExecutors",
    "glue:GetExecutorsThreads",
    "glue:GetLogParsingStatus",
    "glue:GetNotebookInstanceStatus",
    "glue:GetQueries",
    "glue:GetQuery",
    "glue:GetRecipeAction",
    "glue:GetStage",
    "glue:GetStageAttempt",
    "glue:GetStageAttemptTaskList",
    "glue:GetStageAttemptTaskSummary",
    "glue:GetStageFiles",
    "glue:GetStages",
    "glue:GetStorage",
    "glue:GetStorageUnit",
    "glue:ListConnectionTypes",
    "glue:ListEntities",
    "glue:RequestLogParsing",
    "glue:TestConnection",
    "monitron:ListProjectAdminUsers",
    "opensearch:ViewLoginPage",
    "quicksight:DescribeKnowledgeBasePermissions",
    "quicksight:DescribeSpacePermissions",
    "quicksight:DescribeTopicPermissions",
    "secretsmanager:ValidateResourcePolicy",
    "ssm-sap:GetResourcePermission",
];

/// What AWS files under "Permissions management" and what nevertheless gives nobody a permission: each group with the
/// reason. Everything else of that level counts as giving one, and so does whatever AWS adds to it. Taking away a whole
/// policy is not among them: a policy may hold a Deny.
const GIVES_NOTHING: &[(&str, &[&str])] = &[
    (
        "takes back one grant, or forbids more",
        &[
            "acm-pca:DeletePermission",
            "apigateway:RejectAccessAssociation",
            "apigateway:RemoveCertificateFromDomain",
            "cloudwatch:DeleteAccessGrant",
            "codestar:DisassociateTeamMember",
            "datazone:RemovePolicyGrant",
            "datazone:RevokeSubscription",
            "deadline:DisassociateMemberFromFarm",
            "deadline:DisassociateMemberFromFleet",
            "deadline:DisassociateMemberFromJob",
            "deadline:DisassociateMemberFromQueue",
            "ec2:CancelImageLaunchPermission",
            "ec2:DeleteCoipPoolPermission",
            "ec2:DeleteLocalGatewayRouteTablePermission",
            "ec2:DeleteNetworkInterfacePermission",
            "ec2:DeleteOdbNetworkPeering",
            "ec2:DetachApplianceFromNatGateway",
            "ec2:DetachResourcesFromPlacementGroup",
            "ec2:EnableImageBlockPublicAccess",
            "ec2:EnableSnapshotBlockPublicAccess",
            "ec2:ResetSnapshotAttribute",
            "elasticmapreduce:DeleteWorkspaceAccess",
            "health:DisableHealthServiceAccessForOrganization",
            "kms:RetireGrant",
            "kms:RevokeGrant",
            "lakeformation:BatchRevokePermissions",
            "lakeformation:RevokePermissions",
            "lambda:DisableReplication",
            "monitron:DeleteProjectUserAssociation",
            "monitron:DeleteUserAccessRoleAssociation",
            "monitron:DisassociateProjectAdminUser",
            "notifications:DisableNotificationsAccessForOrganization",
            "redshift:DeauthorizeDataShare",
            "redshift:RejectDataShare",
            "redshift:RevokeEndpointAccess",
            "redshift:RevokeSnapshotAccess",
            "s3:DeleteAccessGrant",
            "s3:DissociateAccessGrantsIdentityCenter",
            "servicecatalog:DeletePortfolioShare",
            "ssm-sap:DeleteResourcePermission",
        ],
    ),
    (
        // https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_CreateNetworkInterfacePermission.html
        "to accounts that AWS has authorised",
        &["ec2:CreateNetworkInterfacePermission"],
    ),
    (
        // https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/AWS-logs-infrastructure-V2-service-specific.html
        "to the log delivery of AWS, to a destination that needs a permission of its own",
        &[
            "aidevops:AllowVendedLogDeliveryForResource",
            "bedrock:AllowVendedLogDeliveryForResource",
            "bedrock-agentcore:AllowVendedLogDeliveryForResource",
            "cloudfront:AllowVendedLogDeliveryForResource",
            "codewhisperer:AllowVendedLogDeliveryForResource",
            "ecs:AllowVendedLogDeliveryForResource",
            "elasticloadbalancing:AllowVendedLogDeliveryForResource",
            "identity-sync:AllowVendedLogDeliveryForResource",
            "qbusiness:AllowVendedLogDeliveryForResource",
            "quicksight:AllowVendedLogDeliveryForResource",
            "route53globalresolver:AllowVendedLogDeliveryForResource",
            "securityhub:AllowVendedLogDeliveryForResource",
            "ses:AllowVendedLogDeliveryForResource",
            "wisdom:AllowVendedLogDeliveryForResource",
        ],
    ),
    ("opens a door to other actions, which have to be granted as well", &["ds:AccessDSData", "glue:UseGlueStudio"]),
    (
        "no permission: where things run, or what they do",
        &[
            "ec2:AttachResourcesToPlacementGroup",
            "glue:DeregisterDataPreview",
            "glue:TerminateNotebook",
            "managedblockchain:GET",
            "managedblockchain:Invoke",
            "managedblockchain:POST",
            "xray:PutEncryptionConfig",
        ],
    ),
];

/// What every function may need: the union of the AWS managed policies for execution roles, by policy
/// (<https://docs.aws.amazon.com/aws-managed-policy/latest/reference/policy-list.html>).
const LAMBDA_BASELINE: &[(&str, &[&str])] = &[
    ("AWSLambdaBasicExecutionRole", &["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"]),
    (
        "AWSLambdaVPCAccessExecutionRole",
        &[
            "ec2:AssignPrivateIpAddresses",
            "ec2:CreateNetworkInterface",
            "ec2:DeleteNetworkInterface",
            "ec2:DescribeNetworkInterfaces",
            "ec2:DescribeSubnets",
            "ec2:UnassignPrivateIpAddresses",
        ],
    ),
    ("AWSLambdaENIManagementAccess", &["ec2:CreateNetworkInterface", "ec2:DeleteNetworkInterface"]),
    (
        "AWSLambdaDynamoDBExecutionRole",
        &["dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"],
    ),
    (
        "AWSLambdaKinesisExecutionRole",
        &[
            "kinesis:DescribeStream",
            "kinesis:DescribeStreamSummary",
            "kinesis:GetRecords",
            "kinesis:GetShardIterator",
            "kinesis:ListShards",
            "kinesis:ListStreams",
            "kinesis:SubscribeToShard",
        ],
    ),
    (
        "AWSLambdaMSKExecutionRole",
        &[
            "ec2:DescribeSecurityGroups",
            "ec2:DescribeVpcs",
            "kafka:DescribeCluster",
            "kafka:DescribeClusterV2",
            "kafka:GetBootstrapBrokers",
        ],
    ),
    ("AWSLambdaSQSQueueExecutionRole", &["sqs:DeleteMessage", "sqs:GetQueueAttributes", "sqs:ReceiveMessage"]),
    (
        "AWSLambdaBasicDurableExecutionRolePolicy",
        &["lambda:CheckpointDurableExecution", "lambda:GetDurableExecutionState"],
    ),
    (
        "AWSXRayDaemonWriteAccess",
        &[
            "xray:GetSamplingRules",
            "xray:GetSamplingStatisticSummaries",
            "xray:GetSamplingTargets",
            "xray:PutTelemetryRecords",
            "xray:PutTraceSegments",
        ],
    ),
    (
        "CloudWatchLambdaInsightsExecutionRolePolicy",
        &["logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents"],
    ),
];

/// Whether a policy of AWS is one of those.
pub(super) fn is_baseline_policy(name: &str) -> bool {
    LAMBDA_BASELINE.iter().any(|(known, _)| *known == name)
}

/// The rules that look at one action at a time, most serious first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, VariantArray)]
pub(super) enum Sensitivity {
    PassRole,
    AssumeRole,
    Permissions,
    DataRead,
    Invoke,
    Write,
    /// A write that every function may need.
    BaselineWrite,
}

/// The actions that are of interest to some rule, looked up once.
pub(super) struct Sensitive {
    /// All of them, so that the rest is passed over at a glance.
    pub(super) any: ActionSet,
    pub(super) pass_role: Option<Action>,
    assume_role: Option<Action>,
    invoke: Option<Action>,
    permissions: ActionSet,
    data_reads: ActionSet,
    baseline: ActionSet,
}

pub(super) static SENSITIVE: LazyLock<Sensitive> = LazyLock::new(|| {
    let set = |names: &mut dyn Iterator<Item = &&str>| {
        let mut set = ActionSet::new();
        for action in names.filter_map(|name| service_table::action(name)) {
            set.insert(action..action + 1);
        }
        set
    };
    let mut sensitive = Sensitive {
        any: ActionSet::new(),
        pass_role: service_table::action("iam:PassRole"),
        assume_role: service_table::action("sts:AssumeRole"),
        invoke: service_table::action("lambda:InvokeFunction"),
        permissions: service_table::permissions(),
        data_reads: set(&mut DATA_READS.iter()),
        baseline: set(&mut LAMBDA_BASELINE.iter().flat_map(|(_, names)| names.iter())),
    };
    sensitive.permissions.subtract(&set(&mut GIVES_NOTHING.iter().flat_map(|(_, names)| names.iter())));
    sensitive.any = service_table::scopable_writes();
    sensitive.any.unite(&sensitive.permissions);
    let only_reads = set(&mut ONLY_READS.iter());
    sensitive.permissions.subtract(&only_reads);
    sensitive.any.subtract(&only_reads);
    sensitive.any.unite(&sensitive.data_reads);
    sensitive
});

impl Sensitive {
    /// The most serious rule that an action falls under.
    pub(super) fn of(&self, action: Action) -> Option<Sensitivity> {
        if !self.any.contains(action) {
            None
        } else if Some(action) == self.pass_role {
            Some(Sensitivity::PassRole)
        } else if Some(action) == self.assume_role {
            Some(Sensitivity::AssumeRole)
        } else if self.permissions.contains(action) {
            Some(Sensitivity::Permissions)
        } else if self.data_reads.contains(action) {
            Some(Sensitivity::DataRead)
        } else if Some(action) == self.invoke {
            Some(Sensitivity::Invoke)
        } else if service_table::is_write(action) && service_table::is_scopable(action) {
            Some(if self.baseline.contains(action) { Sensitivity::BaselineWrite } else { Sensitivity::Write })
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lists_name_what_there_is() {
        for name in DATA_READS.iter().chain(LAMBDA_BASELINE.iter().flat_map(|(_, names)| *names)) {
            assert_eq!(service_table::action(name).map(service_table::name).as_deref(), Some(*name));
        }
        for name in GIVES_NOTHING.iter().flat_map(|(_, names)| *names).chain(ONLY_READS) {
            let action = service_table::action(name).filter(|action| service_table::name(*action) == *name);
            assert!(action.is_some_and(service_table::is_permissions), "{name}");
        }
        for name in SENSITIVE_SERVICES {
            assert!(service_table::service(name).is_some(), "{name}");
        }
    }

    #[test]
    fn nothing_of_interest_is_passed_over() {
        for action in 0..service_table::ACTIONS {
            assert_eq!(SENSITIVE.any.contains(action), SENSITIVE.of(action).is_some());
            let is_write = service_table::is_write(action) && service_table::is_scopable(action);
            let name = service_table::name(action);
            assert!(SENSITIVE.any.contains(action) || !is_write || ONLY_READS.contains(&name.as_str()), "{name}");
        }
    }

    #[test]
    fn nothing_that_every_function_may_need_is_serious() {
        for name in LAMBDA_BASELINE.iter().flat_map(|(_, names)| *names) {
            let found = SENSITIVE.of(service_table::action(name).unwrap());
            assert!(matches!(found, None | Some(Sensitivity::BaselineWrite)), "{name}: {found:?}");
        }
    }
}
