//! The rules about roles: what they may do, and who may be them.

use super::Explanation;

pub(super) const WILDCARD_ADMIN: Explanation = Explanation {
    meaning: "A statement, or all of the role's statements together, grants effectively every action there is \
              (nineteen in twenty are enough) on every resource. A resource such as `**` or `arn:*` is as broad as \
              `*`, and a Deny or a permissions boundary counts only for what it really takes away.",
    attack: "Whoever gets hold of the function, by a flaw in its code, in one of its packages or in what it is fed, \
             owns the account: they read its credentials from the environment, make a user of their own, and are \
             still there when the function is mended.",
    remedy: "Critical. Role-guard detaches such a policy or takes the statement out of it, and puts back what was \
             there before. In a customer managed policy that carries the tag itself, the version that was in force \
             before comes back, or a new one is written. Where there are five, the oldest makes room; an undo makes \
             a version of it again, under a new id.",
    instead: "Name the actions the function calls and the resources it calls them on. For logs, X-Ray, a VPC or an \
              event source, attach the AWSLambda...ExecutionRole policy that is made for it.",
};

pub(super) const WILDCARD_NOT_ACTION: Explanation = Explanation {
    meaning: "A statement allows every action but the ones it names (NotAction) on a broad resource. Info where its \
              resource bounds it.",
    attack: "What was left out looks like a fence, but all the rest is granted, including services that did not \
             exist when it was written. `NotAction: iam:*` still leaves ways to an administrator, by running code \
             under another role for one.",
    remedy: "Critical. Role-guard removes the statement, because what it was meant to grant cannot be known, and \
             puts back a compliant one that it replaced.",
    instead: "Use Action and name what is needed. To forbid some actions whatever else is granted, add a Deny \
              statement.",
};

pub(super) const WILDCARD_NOT_RESOURCE: Explanation = Explanation {
    meaning: "A statement allows its actions on everything but the resources it names (NotResource). \
              Critical where it allows every action, otherwise as serious as the worst of its actions, and \
              high at most.",
    attack: "Everything that is not on the list is open: resources made next year, and those of other accounts that \
             let this one in. A typing error in the list protects nothing, and nobody notices.",
    remedy: "Where it is serious, role-guard takes the actions at fault out of the statement; one that \
             allows every action goes.",
    instead: "Use Resource and name what the function works on. To keep it from something in particular, add a Deny \
              statement for that.",
};

pub(super) const PRIVILEGE_ESCALATION: Explanation = Explanation {
    meaning: "The role's policies, taken together and cut down by its boundary, hold every permission of a \
              documented path from some permissions to more, on broad resources: rewriting a policy, making \
              keys for another user, or passing a role to something that one controls. Patterns that are \
              narrow one by one and add up to everything (`role/a*` to `role/z*`) are broad. Where the \
              guard knows the role, a statement that names the role itself, one of its policies or a part \
              of Warden's stack counts as broad too. The message names the permissions and the page that \
              describes the path.",
    attack: "The role looks modest, and is an administrator in two calls. Who takes the function over attaches a \
             policy to itself, or starts another function or instance with a stronger role and works with its \
             credentials.",
    remedy: "Critical. Role-guard takes out the permission whose loss closes the path, `iam:PassRole` for most, and \
             leaves the others.",
    instead: "Name the one role, user or policy as the Resource. For `iam:PassRole` fix `iam:PassedToService` too. \
              Let whatever must manage identities do so under a permissions boundary that it cannot remove.",
};

pub(super) const WILDCARD_PASS_ROLE: Explanation = Explanation {
    meaning: "A statement allows `iam:PassRole` on every role. Medium where `iam:PassedToService` is fixed.",
    attack: "PassRole alone does nothing. But with it, any right to create a function, an instance or a task is a way \
             to every role in the account, an administrator's too. Whoever holds the function waits for that one other \
             right, or asks for it with a good reason.",
    remedy: "High. Role-guard takes the action out of the statement, or keeps it for the roles that the statement \
             names.",
    instead: "Name the roles that are passed, by their ARN or by a path of their own such as `role/workers/*`, and \
              fix `iam:PassedToService`.",
};

pub(super) const WILDCARD_ASSUME_ROLE: Explanation = Explanation {
    meaning: "A statement allows `sts:AssumeRole` on every role. Medium where `aws:ResourceOrgID` is fixed.",
    attack: "Every role that trusts the account as a whole, here or in another account, is open to the function. It \
             is the way that an intruder goes on from one account to the next.",
    remedy: "High. Role-guard takes the action out of the statement, or keeps it for the roles that the statement \
             names.",
    instead: "Name the roles to assume. For the same role in many accounts, `arn:aws:iam::*:role/NAME` with \
              `aws:ResourceOrgID` fixed to your organisation.",
};

pub(super) const WILDCARD_SENSITIVE_SERVICE: Explanation = Explanation {
    meaning: "A statement grants every action, or nearly, of a service where that is serious, on every resource: \
              CloudFormation, DynamoDB, EC2, IAM, KMS, Lambda, Organizations, S3, Secrets Manager, Systems Manager, \
              IAM Identity Center or STS. A service that Warden does not know counts as one of them. Medium where a \
              condition limits it.",
    attack: "A function that writes to one bucket can delete every bucket, change their policies and read every \
             backup. What it needed one action for, an intruder has all of.",
    remedy: "High. Role-guard takes the pattern out of the statement and leaves the other actions.",
    instead: "Name the actions: the function's own calls are a good start, and IAM Access Analyzer can write a \
              policy from what CloudTrail saw. Name the bucket, table or key.",
};

pub(super) const WILDCARD_PERMISSIONS: Explanation = Explanation {
    meaning: "A statement grants, on every resource, actions that give stored data away, let one act as \
              somebody else, or write permissions. High; medium where a condition limits it, and for actions that \
              only administer who may use a queue, a topic, a bus, an API or a log, that sign or set a password for \
              somebody else, or that stop a trail or a detector or close an account. Info for an action that \
              is not in AWS's reference: it grants nothing, unless AWS has added it since.",
    attack: "Who holds the function opens what it could not reach, or keeps a way in for later: a bucket \
             policy, a key's grants, a snapshot or an image shared with their own account. The data then \
             leaves without a further call by the function.",
    remedy: "Role-guard takes what is high out of the statement, or keeps it for the resources that the \
             statement names. Of a wildcard it takes only that: the rest stays, in as many wildcards as it \
             needs.",
    instead: "A function seldom needs them: let the deployment set permissions. Where it does, name the resource. \
              If the message shows an action that AWS's reference does not have, look for a typing error.",
};

pub(super) const WILDCARD_DATA_READ: Explanation = Explanation {
    meaning: "A statement allows reading secrets (`secretsmanager:GetSecretValue`), parameters \
              (`ssm:GetParameter`), objects (`s3:GetObject`), tables, disks' snapshots \
              (`ebs:GetSnapshotBlock`), or decrypting (`kms:Decrypt`), on every resource. Medium where \
              `kms:ViaService`, a resource tag, a secret's id or another condition truly limits it, and for \
              exports to a place that the caller names (`dynamodb:ExportTableToPointInTime`).",
    attack: "One flaw in one function gives away the data and the passwords of all the others. Reads leave little \
             trace: most accounts do not log them.",
    remedy: "High. Role-guard takes the actions out of the statement, or keeps them for the resources that the \
             statement names.",
    instead: "Name the secret, the path of parameters, the bucket, the table or the key. For many that change, fix \
              a tag on them (`aws:ResourceTag/...`) where the service looks at it.",
};

pub(super) const WILDCARD_INVOKE: Explanation = Explanation {
    meaning: "A statement allows `lambda:InvokeFunction` on every function.",
    attack: "Who holds this function calls all the others with input that those never expect from inside: payments, \
             user administration, maintenance jobs. It is the way from an unimportant function to an important one.",
    remedy: "Medium: role-guard acts on it only if the stack's parameter `Threshold` is `medium`.",
    instead: "Name the functions, or a prefix that belongs to the application, such as `function:shop-*`.",
};

pub(super) const WILDCARD_SERVICE: Explanation = Explanation {
    meaning: "A statement grants every action, or nearly, of a service that is not among the most sensitive \
              ones, on every resource. What is serious in it (`rds:ModifyDBSnapshotAttribute`) is a finding \
              of its own. Low for a service that AWS's reference does not have.",
    attack: "The function can delete, stop or reconfigure everything in that service, for all applications in the \
             account. New actions of the service are granted on the day that AWS adds them.",
    remedy: "Medium: role-guard acts on it only if the stack's parameter `Threshold` is `medium`.",
    instead: "Name the actions that the function calls, and the resource where the service has one.",
};

pub(super) const WILDCARD_WRITE: Explanation = Explanation {
    meaning: "A statement allows actions that write, on every resource, though they could be bound to one. Info for \
              what AWS's own policies for execution roles allow, such as writing logs.",
    attack: "The function can change what belongs to other applications. By itself that is seldom more than a \
             nuisance, which is why it is low.",
    remedy: "Low: it is reported, and no guard will ever act on it.",
    instead: "Name the resource. Where one ARN does for all of the actions, the message shows it.",
};

pub(super) const SHARED_ROLE: Explanation = Explanation {
    meaning: "Several functions have the same role.",
    attack: "Each of them can do what any of them needs, and CloudTrail shows one role for all. A flaw in the least \
             of them is a flaw in all.",
    remedy: "Low: no guard will ever act on it. `warden check template` reports it for the functions of a template, \
             and `warden opt-in --role` before it tags a role. Role-guard does not: which functions have a role \
             shows nowhere but in a list of all functions, which is too much to read for every change.",
    instead: "Give each function a role of its own, as most deployment tools do unless told otherwise, and with it \
              only what that function calls. Until then, what role-guard takes out of the role is taken from all of \
              them.",
};

pub(super) const ROLE_BROADENED: Explanation = Explanation {
    meaning: "A function was given another role, and that one breaks a rule, or did so later.",
    attack: "Who may change a function's configuration and pass a strong role to it needs no change to any policy: \
             the function's code has the rights of that role from the next call on.",
    remedy: "As severe as the worst finding of the new role. Role-guard gives the last role back that the function had \
             and that still complies, also where the new one was clean and is widened later. Published versions keep \
             theirs: one with such a role is critical, and withheld with the aliases that lead to it.",
    instead: "Narrow the new role first: what complies may be swapped in at any time.",
};

pub(super) const BOUNDARY_REMOVED: Explanation = Explanation {
    meaning: "A role's permissions boundary was removed or replaced by one that allows more, or a new version of its \
              policy allows more.",
    attack: "The boundary was what kept a broad policy harmless. Without it the role can do at once what the policy \
             says, and no policy was changed.",
    remedy: "High, and critical where the boundary's own policy has a wider version. Role-guard puts the previous \
             boundary back, if its policy still says what it said. The policy goes back to its earlier version where it \
             and everybody who has it are opted in to `enforce`; a boundary is never narrowed. `warden check` reads one \
             state, and this takes two to see.",
    instead: "Change the boundary where it is reviewed, so that it allows what the function needs and no more.",
};

pub(super) const TRUST_PUBLIC: Explanation = Explanation {
    meaning: "The trust policy lets anybody assume the role: the principal is `*`, or everybody but the ones named \
              (NotPrincipal), and no condition says for sure who that can be. `sts:ExternalId` alone limits nobody, \
              because it is no secret. Neither do address ranges that add up, over all such statements, to more than \
              a sixteenth of the internet.",
    attack: "Anybody with an AWS account calls `sts:AssumeRole` and works with the function's rights, from outside, \
             for as long as they like. They need to know only the role's name and the account's number.",
    remedy: "Critical. Role-guard takes the statement out of the trust policy; where nothing is left, only Lambda \
             may assume the role. Sessions that were started before live on: revoke them.",
    instead: "A function's role needs to trust `lambda.amazonaws.com` alone. For people and pipelines name the \
              account or the role, or keep `*` and fix `aws:PrincipalOrgID` or `aws:PrincipalArn`.",
};

pub(super) const TRUST_OIDC_OPEN: Explanation = Explanation {
    meaning: "The trust policy lets in whoever has a token of an OpenID Connect provider, without fixing both for whom \
              the token was made (the audience, `aud`) and whose it is (the subject, `sub`). For providers that serve \
              everybody, GitHub for one, the subject must fix the owner. Medium where every pod of one Kubernetes \
              cluster gets in, everybody of one customer of a provider, or whoever calls one workflow of GitHub's \
              (`job_workflow_ref`): a public one anybody may call. With a fixed subject alone it is low, since the provider in the account has a list of \
              audiences, and medium for a public provider, which has none. Info where the conditions ask for claims of \
              another provider: they let nobody in.",
    attack: "Somebody makes a repository of their own at the same provider, and its pipeline gets a token that the \
             role accepts. Roles like that are found by trying role names.",
    remedy: "Critical. Role-guard takes the provider out of the trust policy, since the right subject cannot be \
             known.",
    instead: "Fix both, with StringEquals where you can: for GitHub `token.actions.githubusercontent.com:aud` to \
              `sts.amazonaws.com`, and `:sub` to `repo:OWNER/REPOSITORY:ref:refs/heads/main`, or StringLike with \
              `repo:OWNER/REPOSITORY:*`.",
};

pub(super) const TRUST_EXTERNAL_ACCOUNT: Explanation = Explanation {
    meaning: "The trust policy lets an account in that is neither this one nor in the list of trusted accounts, or \
              everybody from addresses, a VPC or an endpoint that are not known as the own, or a foreign organisation \
              once there is a list or the own organisation is known. Medium for a unique id (`aws:userid`), whose \
              owner cannot be read from it. Info for a principal that was deleted since, which lets nobody in. A trust \
              policy does not say whose it is, so `warden check` needs `--account` to tell the own account.",
    attack: "A lasting back door: one statement for the attacker's own account outlives every rotated key and every \
             deleted user. Or a supplier was let in once, and their account is broken into now.",
    remedy: "High. Role-guard takes the outside principal out of the statement. Sessions that were started before \
             live on: revoke them.",
    instead: "Put the account into the stack's TrustedAccounts parameter (`--trusted-account` for `warden check`), \
              where it is reviewed once; a network or a unique id of your own into TrustedSources \
              (`--trusted-source`). Let a supplier assume a role that is theirs alone, and no function's.",
};

pub(super) const TRUST_NEWCOMER: Explanation = Explanation {
    meaning: "The trust policy lets somebody other than Lambda in who could not assume the role when it was opted in to \
              `enforce`: a user, a role or the whole of the own account, another service, an identity provider, or \
              one of these with a condition less. Who was let in then is kept in the ledger for good; tagging again \
              changes nothing about it.",
    attack: "The trust back door of well-known attack tools: one line for a user of the attacker's, or for the \
             account's root, and whoever has that can take the function's rights at any time. Such a line also used to \
             make the role one that serves others, which Warden leaves alone.",
    remedy: "High. Role-guard takes the newcomer out of the trust policy. Sessions that were started before live on: \
             revoke them.",
    instead: "Give whoever needs the rights a role of their own. Where the newcomer is right, `warden undo ID` \
              lets them in again, for 90 days at most, and `warden accept ID` after it lets them stay in for good.",
};

pub(super) const TRUST_ORGANIZATION: Explanation = Explanation {
    meaning: "The trust policy lets everybody in an organisation in, by `aws:PrincipalOrgID` or a like condition. Low \
              for the own organisation, medium for any other as long as neither the own one nor any trusted account is \
              known; after that it is `trust-external-account`.",
    attack: "Any principal in any account of the organisation that may call `sts:AssumeRole`, in a sandbox account \
             too, gets the function's rights.",
    remedy: "Role-guard acts on medium only if the stack's parameter `Threshold` is `medium`.",
    instead: "Set the stack's Organization parameter (`--organization` for `warden check`) to your own. Name the \
              accounts or roles that need it, or a path of the organisation (`aws:PrincipalOrgPaths`).",
};

pub(super) const TRUST_CONFUSED_DEPUTY: Explanation = Explanation {
    meaning: "The trust policy lets a service assume the role without saying for whose resource, `aws:SourceAccount` \
              or the account in `aws:SourceArn`, and somebody other than the account's own people may tell it which \
              role to take: IAM Roles Anywhere, or a service that is not of AWS. The other services of AWS get a role \
              only from whoever may pass it within its own account, so they are not reported.",
    attack: "The confused deputy. Somebody makes the service use this role for them: with Roles Anywhere, whoever has \
             a certificate of any trust anchor in the account.",
    remedy: "Low: it is reported, and no guard will change it, because not every service sends its source when it \
             assumes a role.",
    instead: "Fix `aws:SourceAccount` or `aws:SourceArn` where the service's documentation says that it sends them. \
              Take the service out if only Lambda uses the role.",
};
