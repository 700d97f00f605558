//! What an action may do to others, as far as the rules tell it apart.

use super::{
    escalation::ROUTES,
    reviewed::{self, Group},
};
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
    /// Who may use something, where nothing that is stored is given away.
    Administration,
    /// What is stored, to a place that the caller names.
    Copy,
    Invoke,
    Write,
    /// A write that every function may need.
    BaselineWrite,
}

impl Sensitivity {
    /// Whether nothing more needs to be said of it where the whole of a service is granted.
    pub(super) fn comes_with_the_service(self) -> bool {
        match self {
            Self::PassRole | Self::AssumeRole | Self::Permissions | Self::DataRead | Self::Invoke => false,
            Self::Administration | Self::Copy | Self::Write | Self::BaselineWrite => true,
        }
    }
}

/// The actions that are of interest to some rule, looked up once.
pub(super) struct Sensitive {
    /// All of them, so that the rest is passed over at a glance.
    pub(super) any: ActionSet,
    pub(super) pass_role: Option<Action>,
    assume_role: Option<Action>,
    invoke: Option<Action>,
    pub(super) put_metric_data: Option<Action>,
    permissions: ActionSet,
    data_reads: ActionSet,
    administration: ActionSet,
    copies: ActionSet,
    baseline: ActionSet,
    /// What is high or critical on everything, alone or as one step of a path.
    pub(super) serious: ActionSet,
}

pub(super) static SENSITIVE: LazyLock<Sensitive> = LazyLock::new(|| {
    let set = |names: &mut dyn Iterator<Item = &&str>| {
        let mut set = ActionSet::new();
        for action in names.filter_map(|name| service_table::action(name)) {
            set.insert(action..action + 1);
        }
        set
    };
    let listed = |groups: &[Group]| set(&mut groups.iter().flat_map(|(_, names)| names.iter()));
    let mut sensitive = Sensitive {
        any: service_table::scopable_writes(),
        pass_role: service_table::action("iam:PassRole"),
        assume_role: service_table::action("sts:AssumeRole"),
        invoke: service_table::action("lambda:InvokeFunction"),
        put_metric_data: service_table::action("cloudwatch:PutMetricData"),
        permissions: service_table::permissions(),
        data_reads: listed(reviewed::DATA_READS),
        administration: listed(reviewed::ADMINISTERS),
        copies: listed(reviewed::COPIES),
        baseline: listed(LAMBDA_BASELINE),
        serious: ActionSet::new(),
    };
    let only_reads = listed(reviewed::ONLY_READS);
    for others in [&listed(reviewed::GIVES_NOTHING), &only_reads, &sensitive.administration] {
        sensitive.permissions.subtract(others);
    }
    sensitive.permissions.unite(&listed(reviewed::GRANTS));
    sensitive.any.subtract(&only_reads);
    for known in [&sensitive.permissions, &sensitive.data_reads, &sensitive.administration, &sensitive.copies] {
        sensitive.any.unite(known);
    }
    sensitive.serious.unite(&sensitive.permissions);
    sensitive.serious.unite(&sensitive.data_reads);
    let steps = ROUTES.iter().flat_map(|route| route.needs.iter().copied());
    for action in steps.chain(sensitive.pass_role).chain(sensitive.assume_role) {
        sensitive.serious.insert_one(action);
    }
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
        } else if self.administration.contains(action) {
            Some(Sensitivity::Administration)
        } else if self.copies.contains(action) {
            Some(Sensitivity::Copy)
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

    /// Every list of what was looked at.
    const REVIEWED: [&[Group]; 7] = [
        reviewed::GRANTS,
        reviewed::ADMINISTERS,
        reviewed::DATA_READS,
        reviewed::COPIES,
        reviewed::GIVES_NOTHING,
        reviewed::ONLY_READS,
        reviewed::LEFT,
    ];

    #[test]
    fn the_lists_name_what_there_is() {
        let reviewed = REVIEWED.iter().flat_map(|list| list.iter());
        for name in reviewed.chain(LAMBDA_BASELINE).flat_map(|(_, names)| *names) {
            assert_eq!(service_table::action(name).map(service_table::name).as_deref(), Some(*name));
        }
        for name in SENSITIVE_SERVICES {
            assert!(service_table::service(name).is_some(), "{name}");
        }
    }

    #[test]
    fn every_action_that_gives_permissions_was_looked_at_once_and_has_a_reason() {
        let mut seen = std::collections::HashSet::new();
        for (why, names) in REVIEWED.iter().flat_map(|list| list.iter()) {
            assert!(why.len() > 10);
            for name in *names {
                assert!(seen.insert(*name), "{name} is in two lists");
            }
        }
        for action in (0..service_table::ACTIONS).filter(|action| service_table::is_permissions(*action)) {
            let name = service_table::name(action);
            assert!(seen.contains(name.as_str()), "{name}: which list of `reviewed.rs` is it for?");
        }
        for name in reviewed::GIVES_NOTHING.iter().chain(reviewed::ONLY_READS).flat_map(|(_, names)| *names) {
            assert!(service_table::action(name).is_some_and(service_table::is_permissions), "{name}");
        }
    }

    #[test]
    fn nothing_of_interest_is_passed_over() {
        for action in 0..service_table::ACTIONS {
            assert_eq!(SENSITIVE.any.contains(action), SENSITIVE.of(action).is_some());
            let is_write = service_table::is_write(action) && service_table::is_scopable(action);
            let name = service_table::name(action);
            let only_reads = reviewed::ONLY_READS.iter().any(|(_, names)| names.contains(&name.as_str()));
            assert!(SENSITIVE.any.contains(action) || !is_write || only_reads, "{name}");
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
