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

const AIRFLOW: &str = "airflow.amazonaws.com";
const AMPLIFY: &str = "amplify.amazonaws.com";
const APPRUNNER: &str = "tasks.apprunner.amazonaws.com";
const BATCH_OPERATIONS: &str = "batchoperations.s3.amazonaws.com";
const BEDROCK: &str = "bedrock-agentcore.amazonaws.com";
const BRAKET: &str = "braket.amazonaws.com";
const CLOUDFORMATION: &str = "cloudformation.amazonaws.com";
const CODEBUILD: &str = "codebuild.amazonaws.com";
const CODEPIPELINE: &str = "codepipeline.amazonaws.com";
const COGNITO_IDENTITY: &str = "cognito-identity.amazonaws.com";
const DATAPIPELINE: &str = "datapipeline.amazonaws.com";
const EC2: &str = "ec2.amazonaws.com";
const ECS: &str = "ecs-tasks.amazonaws.com";
const EMR_SERVERLESS: &str = "emr-serverless.amazonaws.com";
const FIS: &str = "fis.amazonaws.com";
const GAMELIFT: &str = "gamelift.amazonaws.com";
const GLUE: &str = "glue.amazonaws.com";
const IOT_CREDENTIALS: &str = "credentials.iot.amazonaws.com";
const KAFKACONNECT: &str = "kafkaconnect.amazonaws.com";
const KINESISANALYTICS: &str = "kinesisanalytics.amazonaws.com";
const ELASTICMAPREDUCE: &str = "elasticmapreduce.amazonaws.com";
const LAMBDA: &str = "lambda.amazonaws.com";
const OMICS: &str = "omics.amazonaws.com";
const PODS: &str = "pods.eks.amazonaws.com";
const ROLES_ANYWHERE: &str = "rolesanywhere.amazonaws.com";
const SAGEMAKER: &str = "sagemaker.amazonaws.com";
const SCHEDULER: &str = "scheduler.amazonaws.com";
const SSM: &str = "ssm.amazonaws.com";
const STATES: &str = "states.amazonaws.com";
const TRANSFER: &str = "transfer.amazonaws.com";

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
    // Assuming a role that trusts the whole account (https://pathfinding.cloud/paths/sts-001) has a rule of its own,
    // `wildcard-assume-role`: told of here too, its exemption would keep nothing.
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
    passing("glue-007", GLUE, &["iam:PassRole", "glue:CreateSession", "glue:RunStatement"]),
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
    // Whoever starts a task may give it another role than its definition does.
    passing("ecs-008", ECS, &["iam:PassRole", "ecs:RunTask"]),
    passing("ecs-009", ECS, &["iam:PassRole", "ecs:StartTask"]),
    passing("cognitoidentity-001", COGNITO_IDENTITY, &["iam:PassRole", "cognito-identity:SetIdentityPoolRoles"]),
    passing("gamelift-001", GAMELIFT, &["iam:PassRole", "gamelift:CreateBuild", "gamelift:CreateFleet"]),
    passing(
        "imagebuilder-001",
        EC2,
        &[
            "iam:PassRole",
            "imagebuilder:CreateComponent",
            "imagebuilder:CreateImageRecipe",
            "imagebuilder:CreateInfrastructureConfiguration",
            "imagebuilder:CreateImage",
        ],
    ),
    passing(
        "kinesisanalytics-001",
        KINESISANALYTICS,
        &["iam:PassRole", "kinesisanalytics:CreateApplication", "kinesisanalytics:StartApplication"],
    ),
    passing("omics-001", OMICS, &["iam:PassRole", "omics:CreateWorkflow", "omics:StartRun"]),
    passing("ssm-003", SSM, &["iam:PassRole", "ssm:CreateDocument", "ssm:StartAutomationExecution"]),
    handing("mwaa/latest/userguide/mwaa-create-role.html", AIRFLOW, &["iam:PassRole", "airflow:CreateEnvironment"]),
    handing(
        "amplify/latest/APIReference/API_CreateApp.html",
        AMPLIFY,
        &["iam:PassRole", "amplify:CreateApp", "amplify:CreateBranch", "amplify:StartJob"],
    ),
    handing(
        "autoscaling/ec2/APIReference/API_CreateLaunchConfiguration.html",
        EC2,
        &["iam:PassRole", "autoscaling:CreateLaunchConfiguration", "autoscaling:CreateAutoScalingGroup"],
    ),
    handing(
        "autoscaling/ec2/APIReference/API_CreateLaunchConfiguration.html",
        EC2,
        &["iam:PassRole", "autoscaling:CreateLaunchConfiguration", "autoscaling:UpdateAutoScalingGroup"],
    ),
    handing(
        "bedrock-agentcore/latest/devguide/runtime-permissions.html",
        BEDROCK,
        &["iam:PassRole", "bedrock-agentcore:CreateAgentRuntime", "bedrock-agentcore:InvokeAgentRuntime"],
    ),
    handing(
        "bedrock-agentcore/latest/devguide/runtime-permissions.html",
        BEDROCK,
        &["iam:PassRole", "bedrock-agentcore:UpdateAgentRuntime", "bedrock-agentcore:InvokeAgentRuntime"],
    ),
    handing(
        "codepipeline/latest/userguide/action-reference-Commands.html",
        CODEPIPELINE,
        &["iam:PassRole", "codepipeline:CreatePipeline"],
    ),
    handing(
        "codepipeline/latest/userguide/action-reference-Commands.html",
        CODEPIPELINE,
        &["iam:PassRole", "codepipeline:UpdatePipeline"],
    ),
    handing(
        "AWSEC2/latest/APIReference/API_AssociateIamInstanceProfile.html",
        EC2,
        &["iam:PassRole", "ec2:AssociateIamInstanceProfile"],
    ),
    handing(
        "AWSEC2/latest/APIReference/API_ReplaceIamInstanceProfileAssociation.html",
        EC2,
        &["iam:PassRole", "ec2:ReplaceIamInstanceProfileAssociation"],
    ),
    handing("AWSEC2/latest/APIReference/API_CreateFleet.html", EC2, &["iam:PassRole", "ec2:CreateFleet"]),
    handing(
        "IAM/latest/APIReference/API_AddRoleToInstanceProfile.html",
        EC2,
        &["iam:PassRole", "iam:AddRoleToInstanceProfile"],
    ),
    handing(
        "AmazonECS/latest/APIReference/API_UpdateService.html",
        ECS,
        &["iam:PassRole", "ecs:RegisterTaskDefinition", "ecs:UpdateService"],
    ),
    handing(
        "AmazonECS/latest/APIReference/API_CreateTaskSet.html",
        ECS,
        &["iam:PassRole", "ecs:RegisterTaskDefinition", "ecs:CreateTaskSet"],
    ),
    handing(
        "eks/latest/userguide/pod-id-association.html",
        PODS,
        &["iam:PassRole", "eks:UpdatePodIdentityAssociation"],
    ),
    handing(
        "elasticbeanstalk/latest/api/API_CreateEnvironment.html",
        EC2,
        &["iam:PassRole", "elasticbeanstalk:CreateEnvironment", "elasticbeanstalk:CreateApplicationVersion"],
    ),
    handing(
        "emr-serverless/latest/APIReference/API_StartJobRun.html",
        EMR_SERVERLESS,
        &["iam:PassRole", "emr-serverless:StartJobRun"],
    ),
    handing(
        "fis/latest/userguide/fis-actions-reference.html",
        FIS,
        &["iam:PassRole", "fis:CreateExperimentTemplate", "fis:StartExperiment"],
    ),
    handing(
        "iot/latest/developerguide/authorizing-direct-aws.html",
        IOT_CREDENTIALS,
        &["iam:PassRole", "iot:CreateRoleAlias"],
    ),
    handing(
        "msk/latest/developerguide/msk-connect-plugins.html",
        KAFKACONNECT,
        &["iam:PassRole", "kafkaconnect:CreateConnector", "kafkaconnect:CreateCustomPlugin"],
    ),
    handing(
        "rolesanywhere/latest/APIReference/API_CreateProfile.html",
        ROLES_ANYWHERE,
        &["iam:PassRole", "rolesanywhere:CreateProfile"],
    ),
    handing(
        "AmazonS3/latest/userguide/batch-ops-iam-role-policies.html",
        BATCH_OPERATIONS,
        &["iam:PassRole", "s3:CreateJob"],
    ),
    handing(
        "sagemaker/latest/APIReference/API_CreateModel.html",
        SAGEMAKER,
        &["iam:PassRole", "sagemaker:CreateModel", "sagemaker:CreateTransformJob"],
    ),
    handing(
        "sagemaker/latest/APIReference/API_CreateModel.html",
        SAGEMAKER,
        &["iam:PassRole", "sagemaker:CreateModel", "sagemaker:CreateEndpointConfig", "sagemaker:CreateEndpoint"],
    ),
    handing(
        "sagemaker/latest/APIReference/API_CreateMonitoringSchedule.html",
        SAGEMAKER,
        &["iam:PassRole", "sagemaker:CreateMonitoringSchedule"],
    ),
    handing(
        "sagemaker/latest/APIReference/API_CreatePipeline.html",
        SAGEMAKER,
        &["iam:PassRole", "sagemaker:CreatePipeline", "sagemaker:StartPipelineExecution"],
    ),
    handing(
        "sagemaker/latest/APIReference/API_CreateCluster.html",
        SAGEMAKER,
        &["iam:PassRole", "sagemaker:CreateCluster"],
    ),
    handing(
        "sagemaker/latest/APIReference/API_UpdateUserProfile.html",
        SAGEMAKER,
        &["iam:PassRole", "sagemaker:UpdateUserProfile", "sagemaker:CreateApp"],
    ),
    handing("step-functions/latest/apireference/API_TestState.html", STATES, &["iam:PassRole", "states:TestState"]),
    // A canary is a function.
    handing(
        "AmazonSynthetics/latest/APIReference/API_CreateCanary.html",
        LAMBDA,
        &["iam:PassRole", "synthetics:CreateCanary", "synthetics:StartCanary"],
    ),
    // Whatever registers with the code that comes back has the role.
    handing(
        "systems-manager/latest/APIReference/API_CreateActivation.html",
        SSM,
        &["iam:PassRole", "ssm:CreateActivation"],
    ),
    handing("transfer/latest/APIReference/API_CreateUser.html", TRANSFER, &["iam:PassRole", "transfer:CreateUser"]),
    // Run one's own code in something that has a role already.
    documented("mwaa/latest/API/API_UpdateEnvironment.html", &["airflow:UpdateEnvironment"]),
    documented("amplify/latest/APIReference/API_UpdateApp.html", &["amplify:UpdateApp", "amplify:StartJob"]),
    documented("amplify/latest/APIReference/API_UpdateBranch.html", &["amplify:UpdateBranch", "amplify:StartJob"]),
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
    // In an organisation, stack sets have roles of CloudFormation's own, which nobody passes.
    documented(
        "AWSCloudFormation/latest/UserGuide/stacksets-orgs-activate-trusted-access.html",
        &["cloudformation:CreateStackSet", "cloudformation:CreateStackInstances"],
    ),
    documented(
        "AWSCloudFormation/latest/UserGuide/stacksets-orgs-activate-trusted-access.html",
        &["cloudformation:UpdateStackSet"],
    ),
    path("cloudformation-005", &["cloudformation:ExecuteChangeSet", "cloudformation:CreateChangeSet"]),
    path("codebuild-002", &["codebuild:StartBuild"]),
    path("codebuild-003", &["codebuild:StartBuildBatch"]),
    // Whoever starts the next build.
    documented("codebuild/latest/APIReference/API_UpdateProject.html", &["codebuild:UpdateProject"]),
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
    documented(
        "autoscaling/ec2/APIReference/API_UpdateAutoScalingGroup.html",
        &["autoscaling:UpdateAutoScalingGroup", "ec2:CreateLaunchTemplateVersion"],
    ),
    documented("AWSEC2/latest/UserGuide/replace-root.html", &["ec2:CreateReplaceRootVolumeTask"]),
    documented(
        "ec2-instance-connect/latest/APIReference/API_SendSSHPublicKey.html",
        &["ec2-instance-connect:SendSSHPublicKey"],
    ),
    documented(
        "AWSEC2/latest/UserGuide/connect-to-serial-console.html",
        &["ec2-instance-connect:SendSerialConsoleSSHPublicKey"],
    ),
    documented("AmazonECS/latest/developerguide/ecs-exec.html", &["ecs:ExecuteCommand"]),
    // Whoever the entry names is an administrator of the cluster, and runs as whatever runs there.
    documented("eks/latest/userguide/access-policies.html", &["eks:AssociateAccessPolicy", "eks:CreateAccessEntry"]),
    documented(
        "elasticbeanstalk/latest/api/API_UpdateEnvironment.html",
        &["elasticbeanstalk:UpdateEnvironment", "elasticbeanstalk:CreateApplicationVersion"],
    ),
    documented(
        "fis/latest/userguide/fis-actions-reference.html",
        &["fis:UpdateExperimentTemplate", "fis:StartExperiment"],
    ),
    documented("gameliftservers/latest/apireference/API_GetComputeAccess.html", &["gamelift:GetComputeAccess"]),
    documented("gameliftservers/latest/apireference/API_GetInstanceAccess.html", &["gamelift:GetInstanceAccess"]),
    path("glue-002", &["glue:UpdateDevEndpoint"]),
    // What is deployed runs on the devices, with the role that they exchange their certificates for.
    documented("greengrass/v2/developerguide/create-deployments.html", &["greengrass:CreateDeployment"]),
    // An application that runs is started anew.
    documented("managed-flink/latest/apiv2/API_UpdateApplication.html", &["kinesisanalytics:UpdateApplication"]),
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
    // The scripts of a notebook, and of a studio's applications, run with its role when it starts.
    documented(
        "sagemaker/latest/dg/notebook-lifecycle-config.html",
        &["sagemaker:UpdateNotebookInstanceLifecycleConfig", "sagemaker:StartNotebookInstance"],
    ),
    documented(
        "sagemaker/latest/dg/studio-lcc.html",
        &["sagemaker:CreateStudioLifecycleConfig", "sagemaker:UpdateDomain"],
    ),
    documented(
        "sagemaker/latest/dg/studio-lcc.html",
        &["sagemaker:CreateStudioLifecycleConfig", "sagemaker:UpdateSpace"],
    ),
    documented(
        "sagemaker/latest/dg/studio-lcc.html",
        &["sagemaker:CreateStudioLifecycleConfig", "sagemaker:UpdateUserProfile"],
    ),
    documented(
        "sagemaker/latest/APIReference/API_UpdatePipeline.html",
        &["sagemaker:UpdatePipeline", "sagemaker:StartPipelineExecution"],
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
    Path {
        on: &[INSTANCES, COMMAND_DOCUMENTS],
        ..documented("systems-manager/latest/APIReference/API_UpdateAssociation.html", &["ssm:UpdateAssociation"])
    },
    Path {
        on: &[INSTANCES, COMMAND_DOCUMENTS],
        ..documented(
            "systems-manager/latest/APIReference/API_CreateAssociationBatch.html",
            &["ssm:CreateAssociationBatch"],
        )
    },
    documented(
        "systems-manager/latest/APIReference/API_RegisterTaskWithMaintenanceWindow.html",
        &["ssm:RegisterTaskWithMaintenanceWindow"],
    ),
    documented(
        "systems-manager/latest/APIReference/API_UpdateDocument.html",
        &["ssm:UpdateDocument", "ssm:UpdateDocumentDefaultVersion"],
    ),
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
