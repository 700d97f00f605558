//! The documented ways from a few permissions to many.

use crate::service_table::{self, Action};
use std::sync::LazyLock;

/// One way, with the page that documents it.
pub(super) struct Path {
    /// All of these are needed. The first is the one that is taken away to close the path.
    needs: &'static [&'static str],
    /// The service that a role is passed to on this path.
    pub(super) passes_to: Option<&'static str>,
    /// What the first of them has to reach, where it acts on several things at once: one of each list.
    pub(super) on: &'static [&'static [&'static str]],
    /// Where it is described.
    pub(super) page: Page,
}

/// Whatever runs the agent of Systems Manager, as ARN templates of the service table.
const INSTANCES: &[&str] =
    &["arn:\u{1}:ec2:\u{2}:\u{3}:instance/\u{4}", "arn:\u{1}:ssm:\u{2}:\u{3}:managed-instance/\u{4}"];

/// Where a session can be started: on those, and in a container
/// (<https://docs.aws.amazon.com/AmazonECS/latest/developerguide/ecs-exec.html>).
const SESSION_TARGETS: &[&str] = &[
    "arn:\u{1}:ec2:\u{2}:\u{3}:instance/\u{4}",
    "arn:\u{1}:ssm:\u{2}:\u{3}:managed-instance/\u{4}",
    "arn:\u{1}:ecs:\u{2}:\u{3}:task/\u{4}",
];

/// Any document, and those of AWS that run what the caller gives them: a script, a package, or a playbook from anywhere
/// (<https://docs.aws.amazon.com/systems-manager/latest/userguide/documents-command-ssm-plugin-reference.html>).
const COMMAND_DOCUMENTS: &[&str] = &[
    "arn:\u{1}:ssm:\u{2}:\u{3}:document/\u{4}",
    "arn:\u{1}:ssm:\u{2}::document/AWS-ApplyAnsiblePlaybooks",
    "arn:\u{1}:ssm:\u{2}::document/AWS-ApplyChefRecipes",
    "arn:\u{1}:ssm:\u{2}::document/AWS-ApplyDSCMofs",
    "arn:\u{1}:ssm:\u{2}::document/AWS-ConfigureAWSPackage",
    "arn:\u{1}:ssm:\u{2}::document/AWS-InstallApplication",
    "arn:\u{1}:ssm:\u{2}::document/AWS-InstallPowerShellModule",
    "arn:\u{1}:ssm:\u{2}::document/AWS-RunAnsiblePlaybook",
    "arn:\u{1}:ssm:\u{2}::document/AWS-RunDockerAction",
    "arn:\u{1}:ssm:\u{2}::document/AWS-RunDocument",
    "arn:\u{1}:ssm:\u{2}::document/AWS-RunPowerShellScript",
    "arn:\u{1}:ssm:\u{2}::document/AWS-RunRemoteScript",
    "arn:\u{1}:ssm:\u{2}::document/AWS-RunSaltState",
    "arn:\u{1}:ssm:\u{2}::document/AWS-RunShellScript",
];

/// A page that describes a path.
#[derive(Clone, Copy)]
pub(super) enum Page {
    /// `https://pathfinding.cloud/paths/ID`, Datadog's library of paths.
    Pathfinding(&'static str),
    /// The service's own documentation of what the permissions do.
    Aws(&'static str),
    /// Rhino Security Labs, "AWS IAM Privilege Escalation - Methods and Mitigation".
    Rhino,
}

impl Page {
    pub(super) fn url(self) -> String {
        match self {
            Page::Pathfinding(id) => format!("https://pathfinding.cloud/paths/{id}"),
            Page::Aws(page) => format!("https://docs.aws.amazon.com/{page}"),
            Page::Rhino => "https://rhinosecuritylabs.com/aws/aws-privilege-escalation-methods-mitigation/".to_owned(),
        }
    }
}

const fn path(id: &'static str, needs: &'static [&'static str]) -> Path {
    Path { needs, passes_to: None, on: &[], page: Page::Pathfinding(id) }
}

const fn passing(id: &'static str, service: &'static str, needs: &'static [&'static str]) -> Path {
    Path { needs, passes_to: Some(service), on: &[], page: Page::Pathfinding(id) }
}

/// A path that the service's own documentation describes.
const fn documented(page: &'static str, needs: &'static [&'static str]) -> Path {
    Path { needs, passes_to: None, on: &[], page: Page::Aws(page) }
}

/// The same, with a role that is passed to a service.
const fn handing(page: &'static str, service: &'static str, needs: &'static [&'static str]) -> Path {
    Path { needs, passes_to: Some(service), on: &[], page: Page::Aws(page) }
}

const fn rhino(needs: &'static [&'static str]) -> Path {
    Path { needs, passes_to: None, on: &[], page: Page::Rhino }
}

const APPRUNNER: &str = "tasks.apprunner.amazonaws.com";
const BEDROCK: &str = "bedrock-agentcore.amazonaws.com";
const BRAKET: &str = "braket.amazonaws.com";
const CLOUDFORMATION: &str = "cloudformation.amazonaws.com";
const CODEBUILD: &str = "codebuild.amazonaws.com";
const DATAPIPELINE: &str = "datapipeline.amazonaws.com";
const EC2: &str = "ec2.amazonaws.com";
const ECS: &str = "ecs-tasks.amazonaws.com";
const EMR_SERVERLESS: &str = "emr-serverless.amazonaws.com";
const GLUE: &str = "glue.amazonaws.com";
const ELASTICMAPREDUCE: &str = "elasticmapreduce.amazonaws.com";
const LAMBDA: &str = "lambda.amazonaws.com";
const PODS: &str = "pods.eks.amazonaws.com";
const SAGEMAKER: &str = "sagemaker.amazonaws.com";
const SCHEDULER: &str = "scheduler.amazonaws.com";
const STATES: &str = "states.amazonaws.com";

const PATHS: &[Path] = &[
    // Rewrite one's own permissions.
    path("iam-001", &["iam:CreatePolicyVersion"]),
    rhino(&["iam:SetDefaultPolicyVersion"]),
    path("iam-005", &["iam:PutRolePolicy"]),
    path("iam-007", &["iam:PutUserPolicy"]),
    path("iam-008", &["iam:AttachUserPolicy"]),
    path("iam-009", &["iam:AttachRolePolicy"]),
    path("iam-010", &["iam:AttachGroupPolicy"]),
    path("iam-011", &["iam:PutGroupPolicy"]),
    path("iam-013", &["iam:AddUserToGroup"]),
    // Become somebody else.
    path("iam-002", &["iam:CreateAccessKey"]),
    path("iam-003", &["iam:CreateAccessKey", "iam:DeleteAccessKey"]),
    path("iam-004", &["iam:CreateLoginProfile"]),
    path("iam-006", &["iam:UpdateLoginProfile"]),
    path("iam-012", &["iam:UpdateAssumeRolePolicy"]),
    path("iam-014", &["iam:AttachRolePolicy", "sts:AssumeRole"]),
    path("iam-015", &["iam:AttachUserPolicy", "iam:CreateAccessKey"]),
    path("iam-016", &["iam:CreatePolicyVersion", "sts:AssumeRole"]),
    path("iam-017", &["iam:PutRolePolicy", "sts:AssumeRole"]),
    path("iam-018", &["iam:PutUserPolicy", "iam:CreateAccessKey"]),
    path("iam-019", &["iam:AttachRolePolicy", "iam:UpdateAssumeRolePolicy"]),
    path("iam-020", &["iam:CreatePolicyVersion", "iam:UpdateAssumeRolePolicy"]),
    path("iam-021", &["iam:PutRolePolicy", "iam:UpdateAssumeRolePolicy"]),
    path("sts-001", &["sts:AssumeRole"]),
    documented("STS/latest/APIReference/API_AssumeRoot.html", &["sts:AssumeRoot"]),
    // Give a role to something that runs one's own code.
    passing("apprunner-001", APPRUNNER, &["iam:PassRole", "apprunner:CreateService"]),
    passing(
        "bedrock-001",
        BEDROCK,
        &[
            "iam:PassRole",
            "bedrock-agentcore:CreateCodeInterpreter",
            "bedrock-agentcore:StartCodeInterpreterSession",
            "bedrock-agentcore:InvokeCodeInterpreter",
        ],
    ),
    passing("batch-001", ECS, &["iam:PassRole", "batch:RegisterJobDefinition", "batch:SubmitJob"]),
    passing("braket-001", BRAKET, &["iam:PassRole", "braket:CreateJob"]),
    passing("cloudformation-001", CLOUDFORMATION, &["iam:PassRole", "cloudformation:CreateStack"]),
    passing(
        "cloudformation-003",
        CLOUDFORMATION,
        &["iam:PassRole", "cloudformation:CreateStackSet", "cloudformation:CreateStackInstances"],
    ),
    passing("cloudformation-004", CLOUDFORMATION, &["iam:PassRole", "cloudformation:UpdateStackSet"]),
    passing("codebuild-001", CODEBUILD, &["iam:PassRole", "codebuild:CreateProject", "codebuild:StartBuild"]),
    passing("codebuild-004", CODEBUILD, &["iam:PassRole", "codebuild:CreateProject", "codebuild:StartBuildBatch"]),
    passing(
        "datapipeline-001",
        DATAPIPELINE,
        &[
            "iam:PassRole",
            "datapipeline:CreatePipeline",
            "datapipeline:PutPipelineDefinition",
            "datapipeline:ActivatePipeline",
        ],
    ),
    passing("ec2-001", EC2, &["iam:PassRole", "ec2:RunInstances"]),
    passing("ec2-003", EC2, &["iam:PassRole", "ec2:RequestSpotInstances"]),
    passing("ecs-001", ECS, &["iam:PassRole", "ecs:CreateCluster", "ecs:RegisterTaskDefinition", "ecs:CreateService"]),
    passing("ecs-002", ECS, &["iam:PassRole", "ecs:CreateCluster", "ecs:RegisterTaskDefinition", "ecs:RunTask"]),
    passing("ecs-003", ECS, &["iam:PassRole", "ecs:RegisterTaskDefinition", "ecs:CreateService"]),
    passing("ecs-004", ECS, &["iam:PassRole", "ecs:RegisterTaskDefinition", "ecs:RunTask"]),
    passing("ecs-005", ECS, &["iam:PassRole", "ecs:RegisterTaskDefinition", "ecs:StartTask"]),
    passing(
        "emrserverless-001",
        EMR_SERVERLESS,
        &["iam:PassRole", "emr-serverless:CreateApplication", "emr-serverless:StartJobRun"],
    ),
    passing("glue-001", GLUE, &["iam:PassRole", "glue:CreateDevEndpoint"]),
    passing("glue-003", GLUE, &["iam:PassRole", "glue:CreateJob", "glue:StartJobRun"]),
    passing("glue-004", GLUE, &["iam:PassRole", "glue:CreateJob", "glue:CreateTrigger"]),
    passing("glue-005", GLUE, &["iam:PassRole", "glue:UpdateJob", "glue:StartJobRun"]),
    passing("glue-006", GLUE, &["iam:PassRole", "glue:UpdateJob", "glue:CreateTrigger"]),
    passing("lambda-001", LAMBDA, &["iam:PassRole", "lambda:CreateFunction", "lambda:InvokeFunction"]),
    passing("lambda-002", LAMBDA, &["iam:PassRole", "lambda:CreateFunction", "lambda:CreateEventSourceMapping"]),
    passing("lambda-006", LAMBDA, &["iam:PassRole", "lambda:CreateFunction", "lambda:AddPermission"]),
    passing("sagemaker-001", SAGEMAKER, &["iam:PassRole", "sagemaker:CreateNotebookInstance"]),
    passing("sagemaker-002", SAGEMAKER, &["iam:PassRole", "sagemaker:CreateTrainingJob"]),
    passing("sagemaker-003", SAGEMAKER, &["iam:PassRole", "sagemaker:CreateProcessingJob"]),
    handing(
        "eks/latest/userguide/pod-id-association.html",
        PODS,
        &["iam:PassRole", "eks:CreatePodIdentityAssociation"],
    ),
    handing(
        "emr/latest/APIReference/API_RunJobFlow.html",
        ELASTICMAPREDUCE,
        &["iam:PassRole", "elasticmapreduce:RunJobFlow"],
    ),
    handing(
        "glue/latest/webapi/API_RunStatement.html",
        GLUE,
        &["iam:PassRole", "glue:CreateSession", "glue:RunStatement"],
    ),
    handing(
        "sagemaker/latest/APIReference/API_CreateHyperParameterTuningJob.html",
        SAGEMAKER,
        &["iam:PassRole", "sagemaker:CreateHyperParameterTuningJob"],
    ),
    handing(
        "scheduler/latest/UserGuide/managing-targets-universal.html",
        SCHEDULER,
        &["iam:PassRole", "scheduler:CreateSchedule"],
    ),
    handing(
        "scheduler/latest/UserGuide/managing-targets-universal.html",
        SCHEDULER,
        &["iam:PassRole", "scheduler:UpdateSchedule"],
    ),
    handing(
        "step-functions/latest/dg/supported-services-awssdk.html",
        STATES,
        &["iam:PassRole", "states:CreateStateMachine", "states:StartExecution"],
    ),
    handing(
        "step-functions/latest/dg/supported-services-awssdk.html",
        STATES,
        &["iam:PassRole", "states:CreateStateMachine", "states:StartSyncExecution"],
    ),
    // Run one's own code in something that has a role already.
    path("apprunner-002", &["apprunner:UpdateService"]),
    path("bedrock-002", &["bedrock-agentcore:InvokeCodeInterpreter", "bedrock-agentcore:StartCodeInterpreterSession"]),
    documented(
        "bedrock-agentcore/latest/devguide/runtime-execute-command.html",
        &["bedrock-agentcore:InvokeAgentRuntimeCommand"],
    ),
    documented(
        "bedrock-agentcore/latest/devguide/runtime-get-started-command-shell.html",
        &["bedrock-agentcore:InvokeAgentRuntimeCommandShell"],
    ),
    // The session has the browser's own role.
    documented(
        "bedrock-agentcore/latest/devguide/browser-resource-session-management.html",
        &["bedrock-agentcore:StartBrowserSession", "bedrock-agentcore:ConnectBrowserAutomationStream"],
    ),
    documented(
        "bedrock-agentcore/latest/devguide/browser-resource-session-management.html",
        &["bedrock-agentcore:StartBrowserSession", "bedrock-agentcore:ConnectBrowserLiveViewStream"],
    ),
    path("cloudformation-002", &["cloudformation:UpdateStack"]),
    path("cloudformation-005", &["cloudformation:ExecuteChangeSet", "cloudformation:CreateChangeSet"]),
    path("codebuild-002", &["codebuild:StartBuild"]),
    path("codebuild-003", &["codebuild:StartBuildBatch"]),
    documented(
        "codebuild/latest/userguide/sandbox.html",
        &["codebuild:StartSandbox", "codebuild:StartCommandExecution"],
    ),
    documented(
        "codebuild/latest/userguide/sandbox.html",
        &["codebuild:StartSandbox", "codebuild:StartSandboxConnection"],
    ),
    documented(
        "codedeploy/latest/APIReference/API_CreateDeployment.html",
        &["codedeploy:CreateDeployment", "codedeploy:RegisterApplicationRevision"],
    ),
    path("ec2-002", &["ec2:ModifyInstanceAttribute", "ec2:StopInstances", "ec2:StartInstances"]),
    path("ec2-004", &["ec2:ModifyLaunchTemplate", "ec2:CreateLaunchTemplateVersion"]),
    path("ec2instanceconnect-003", &["ec2-instance-connect:SendSSHPublicKey", "ec2:DescribeInstances"]),
    Path {
        needs: &["ecs:ExecuteCommand", "ecs:DescribeTasks"],
        passes_to: None,
        on: &[],
        page: Page::Aws("AmazonECS/latest/developerguide/ecs-exec.html"),
    },
    // Whoever the entry names is an administrator of the cluster, and runs as whatever runs there.
    documented("eks/latest/userguide/access-policies.html", &["eks:AssociateAccessPolicy", "eks:CreateAccessEntry"]),
    documented(
        "elasticbeanstalk/latest/api/API_UpdateEnvironment.html",
        &["elasticbeanstalk:UpdateEnvironment", "elasticbeanstalk:CreateApplicationVersion"],
    ),
    path("glue-002", &["glue:UpdateDevEndpoint"]),
    documented("lambda/latest/dg/microvms-security.html", &["lambda:CreateMicrovmShellAuthToken"]),
    path("lambda-003", &["lambda:UpdateFunctionCode"]),
    path("lambda-004", &["lambda:UpdateFunctionCode", "lambda:InvokeFunction"]),
    path("lambda-005", &["lambda:UpdateFunctionCode", "lambda:AddPermission"]),
    rhino(&["lambda:UpdateFunctionConfiguration"]),
    path("sagemaker-004", &["sagemaker:CreatePresignedNotebookInstanceUrl"]),
    path(
        "sagemaker-005",
        &[
            "sagemaker:UpdateNotebookInstance",
            "sagemaker:CreateNotebookInstanceLifecycleConfig",
            "sagemaker:StopNotebookInstance",
            "sagemaker:StartNotebookInstance",
        ],
    ),
    documented(
        "sagemaker/latest/APIReference/API_CreatePresignedDomainUrl.html",
        &["sagemaker:CreatePresignedDomainUrl"],
    ),
    documented("sagemaker/latest/APIReference/API_StartSession.html", &["sagemaker:StartSession"]),
    documented(
        "servicecatalog/latest/dg/API_CreateProvisioningArtifact.html",
        &["servicecatalog:CreateProvisioningArtifact", "servicecatalog:ProvisionProduct"],
    ),
    documented(
        "servicecatalog/latest/dg/API_CreateProvisioningArtifact.html",
        &["servicecatalog:CreateProvisioningArtifact", "servicecatalog:UpdateProvisionedProduct"],
    ),
    Path { on: &[SESSION_TARGETS], ..path("ssm-001", &["ssm:StartSession"]) },
    Path { on: &[INSTANCES, COMMAND_DOCUMENTS], ..path("ssm-002", &["ssm:SendCommand"]) },
    Path {
        on: &[INSTANCES, COMMAND_DOCUMENTS],
        ..documented("systems-manager/latest/APIReference/API_CreateAssociation.html", &["ssm:CreateAssociation"])
    },
    documented(
        "systems-manager/latest/APIReference/API_UpdateMaintenanceWindowTask.html",
        &["ssm:UpdateMaintenanceWindowTask"],
    ),
    // The definition is the caller's; the role stays, so that nobody is asked whether it may be passed.
    documented(
        "step-functions/latest/apireference/API_UpdateStateMachine.html",
        &["states:UpdateStateMachine", "states:StartExecution"],
    ),
    documented(
        "step-functions/latest/apireference/API_UpdateStateMachine.html",
        &["states:UpdateStateMachine", "states:StartSyncExecution"],
    ),
];

/// A path with its actions looked up.
pub(super) struct Route {
    pub(super) path: &'static Path,
    pub(super) needs: Vec<Action>,
}

impl Route {
    /// The action whose loss closes the path.
    pub(super) fn pivot(&self) -> Option<Action> {
        self.needs.first().copied()
    }

    /// The name of the first action that it needs.
    pub(super) fn first(&self) -> &'static str {
        self.path.needs.first().copied().unwrap_or_default()
    }

    /// `iam:PassRole + lambda:CreateFunction`.
    pub(super) fn shown(&self) -> String {
        self.path.needs.join(" + ")
    }
}

/// All paths. The longer ones that a shorter one implies are left out: they close together.
pub(super) static ROUTES: LazyLock<Vec<Route>> = LazyLock::new(|| {
    PATHS
        .iter()
        .map(|path| Route { path, needs: path.needs.iter().filter_map(|name| service_table::action(name)).collect() })
        .filter(|route| route.needs.len() == route.path.needs.len())
        .collect()
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_action_of_every_path_exists() {
        for path in PATHS {
            for name in path.needs {
                assert_eq!(service_table::action(name).map(service_table::name).as_deref(), Some(*name));
            }
        }
        assert_eq!(ROUTES.len(), PATHS.len());
    }

    #[test]
    fn what_a_path_acts_on_is_what_its_first_action_acts_on() {
        for path in PATHS.iter().filter(|path| !path.on.is_empty()) {
            let action = service_table::action(path.needs[0]).unwrap();
            let known: Vec<&[u8]> =
                service_table::templates(service_table::type_set(action)).map(service_table::template).collect();
            for target in path.on.iter().copied().flatten().filter(|target| !target.contains("document/AWS-")) {
                assert!(known.contains(&target.as_bytes()), "{target}");
            }
        }
    }

    #[test]
    fn a_path_passes_a_role_or_does_not_and_is_there_once() {
        let mut seen = std::collections::HashSet::new();
        for path in PATHS {
            assert_eq!(path.needs.contains(&"iam:PassRole"), path.passes_to.is_some(), "{:?}", path.needs);
            assert!(path.passes_to.is_none() || path.needs[0] == "iam:PassRole");
            assert!(seen.insert(path.needs), "{:?}", path.needs);
            assert!(path.page.url().starts_with("https://"));
        }
    }
}
