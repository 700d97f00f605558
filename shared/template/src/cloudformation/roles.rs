//! Roles, their policies and boundaries.

use super::{Resource, Scope, missing};
use crate::{
    NotJudged, aws_managed,
    deployment::{Deployment, Role, absent, text},
    node::Node,
    policy::Policy,
    unknown,
};
use std::collections::{BTreeMap, HashSet};

/// What the template defines by itself.
pub(super) struct Defined<'r, 't> {
    resources: &'r [Resource<'t>],
    /// Managed policies by their logical id.
    managed: BTreeMap<&'t str, Policy>,
}

/// The roles of a template by their logical id, with everything that the template attaches to them.
pub(super) struct Roles<'r, 't> {
    pub(super) defined: Defined<'r, 't>,
    roles: BTreeMap<&'t str, Role>,
}

impl<'r, 't> Roles<'r, 't> {
    pub(super) fn read(scope: &Scope<'t>, resources: &'r [Resource<'t>], deployment: &mut Deployment) -> Self {
        let own = scope.context.account;
        let mut managed = BTreeMap::new();
        for resource in resources.iter().filter(|resource| resource.kind == "AWS::IAM::ManagedPolicy") {
            if let Some(document) = resource.required("PolicyDocument", &mut deployment.errors)
                && let Some(policy) = Policy::of_node(resource.id, document, own, &mut deployment.not_judged)
            {
                managed.insert(resource.id, policy);
            }
        }
        let defined = Defined { resources, managed };
        let mut roles: BTreeMap<&str, Role> = BTreeMap::new();
        for resource in resources.iter().filter(|resource| resource.kind == "AWS::IAM::Role") {
            let mut role = Role { at: resource.id.to_owned(), ..Role::default() };
            defined.read_inline(scope, resource, &mut role, deployment);
            defined.read_attached(resource, &mut role, deployment);
            defined.read_boundary(resource, &mut role, &mut deployment.not_judged);
            if let Some(trust) = resource.properties.get("AssumeRolePolicyDocument") {
                let at = format!("{}.AssumeRolePolicyDocument", resource.id);
                role.trust = Policy::of_node(&at, trust, own, &mut deployment.not_judged);
            }
            roles.insert(resource.id, role);
        }
        Self { defined, roles }
    }

    /// Attaches what other resources attach to them, once all are there.
    pub(super) fn attach(&mut self, scope: &Scope<'t>, deployment: &mut Deployment) {
        for resource in self.defined.resources {
            self.defined.attach(scope, resource, &mut self.roles, deployment);
        }
    }

    /// Adds a role that comes with a resource.
    pub(super) fn add(&mut self, resource: &Resource<'t>, role: Role) {
        self.roles.insert(resource.id, role);
    }

    /// Notes that a function has the role of that name or ARN.
    pub(super) fn give(&mut self, named: &str, function: &Resource<'t>, deployment: &mut Deployment) {
        let functions = match self.defined.role(named).and_then(|id| self.roles.get_mut(id)) {
            Some(role) => &mut role.functions,
            None => deployment.roles_elsewhere.entry(named.to_owned()).or_default(),
        };
        functions.push(function.id.to_owned());
    }

    /// Puts them into the deployment, in the order of the template, and the managed policies that no role has.
    pub(super) fn put_into(mut self, scope: &Scope<'t>, deployment: &mut Deployment) {
        for (id, role) in &mut self.roles {
            self.defined.name(scope, id, role);
        }
        let attached: HashSet<&str> =
            self.roles.values().flat_map(|role| role.policies.iter().map(|policy| policy.at.as_str())).collect();
        let managed = self.defined.managed.values();
        let alone: Vec<Policy> = managed.filter(|policy| !attached.contains(policy.at.as_str())).cloned().collect();
        deployment.policies.extend(alone);
        let in_order = self.defined.resources.iter();
        deployment.roles.extend(in_order.filter_map(|resource| self.roles.remove(resource.id)));
    }
}

impl<'t> Defined<'_, 't> {
    /// The logical id of the role that a name or an ARN is of.
    fn role(&self, named: &str) -> Option<&'t str> {
        self.named(named, "AWS::IAM::Role", "RoleName")
    }

    /// The logical id of the function or state machine for which SAM makes the role of that name.
    fn made(&self, named: &str) -> Option<&'t str> {
        let of_sam = self.resources.iter().filter(|resource| resource.kind.starts_with("AWS::Serverless::"));
        of_sam.map(|resource| resource.id).find(|id| is_last(named, &unknown::value(&made_role(id))))
    }

    fn named(&self, named: &str, kind: &str, property: &str) -> Option<&'t str> {
        let is_it = |resource: &&Resource<'_>| {
            resource.kind == kind
                && (is_last(named, &resource.reference)
                    || resource.properties.text_of(property).is_some_and(|name| is_last(named, name)))
        };
        self.resources.iter().find(is_it).map(|resource| resource.id)
    }

    fn managed(&self, arn: &str) -> Option<&Policy> {
        // A managed policy of AWS may have the same name.
        let is_aws = aws_managed::name(arn).is_some();
        let id = self.named(arn, "AWS::IAM::ManagedPolicy", "ManagedPolicyName").filter(|_| !is_aws)?;
        self.managed.get(id)
    }

    /// Says what names a role, its policies and its boundary in a document.
    fn name(&self, scope: &Scope<'_>, id: &str, role: &mut Role) {
        let find = |id: &str| self.resources.iter().find(|resource| resource.id == id);
        let Some(resource) = find(id) else { return };
        let itself = &mut role.itself;
        let text_of = |key: &str| resource.properties.text_of(key);
        if resource.kind == "AWS::IAM::Role" {
            itself.names = scope.iam_arns("role", id, text_of("RoleName"), text_of("Path"));
        } else {
            // The role that SAM makes, whose `Fn::GetAtt` is known only by its name.
            let id = made_role(id);
            itself.names = scope.iam_arns("role", &id, None, text_of("RolePath"));
            itself.names.insert(unknown::value(&format!("{id}.Arn")));
        }
        for policy in role.policies.iter().chain(&role.boundary) {
            let managed = find(&policy.at).filter(|resource| resource.kind == "AWS::IAM::ManagedPolicy");
            if let Some(managed) = managed {
                let text_of = |key: &str| managed.properties.text_of(key);
                let arns = scope.iam_arns("policy", managed.id, text_of("ManagedPolicyName"), text_of("Path"));
                itself.policies.extend(arns);
            }
        }
        itself.boundary = text_of("PermissionsBoundary").map(str::to_owned);
    }

    /// The policies that stand in the role itself.
    fn read_inline(&self, scope: &Scope<'_>, resource: &Resource<'_>, role: &mut Role, deployment: &mut Deployment) {
        for (index, policy) in resource.properties.get("Policies").map(Node::items).unwrap_or_default() {
            let at = format!("{}.Policies[{index}]", resource.id);
            match policy.get("PolicyDocument").or_else(|| policy.text().map(|_| policy)) {
                Some(document) => {
                    let own = scope.context.account;
                    role.policies.extend(Policy::of_node(&at, document, own, &mut deployment.not_judged));
                }
                None => deployment.errors.push(missing(at, "PolicyDocument")),
            }
        }
    }

    fn read_attached(&self, resource: &Resource<'_>, role: &mut Role, deployment: &mut Deployment) {
        for (index, arn) in resource.properties.get("ManagedPolicyArns").map(Node::items).unwrap_or_default() {
            let at = format!("{}.ManagedPolicyArns[{index}]", resource.id);
            match arn.text() {
                Some(arn) => self.attach_managed(at, arn, role, &mut deployment.not_judged),
                None => deployment.errors.push(NotJudged { at, why: "an ARN is text".to_owned() }),
            }
        }
    }

    pub(super) fn attach_managed(&self, at: String, arn: &str, role: &mut Role, not_judged: &mut Vec<NotJudged>) {
        match self.managed(arn) {
            Some(policy) => role.policies.push(policy.clone()),
            None => role.attach_aws(at, arn, not_judged),
        }
    }

    pub(super) fn read_boundary(&self, resource: &Resource<'_>, role: &mut Role, not_judged: &mut Vec<NotJudged>) {
        let at = format!("{}.PermissionsBoundary", resource.id);
        let Some(arn) = text(resource.properties.get("PermissionsBoundary")) else { return };
        role.boundary = self.managed(arn).cloned().or_else(|| aws_managed::policy(&at, arn));
        if role.boundary.is_none() {
            let mut note = absent(at, arn);
            note.why.push_str(", so the role is judged without its boundary");
            not_judged.push(note);
        }
    }

    /// What other resources attach to roles.
    fn attach(
        &self,
        scope: &Scope<'_>,
        resource: &Resource<'_>,
        roles: &mut BTreeMap<&str, Role>,
        deployment: &mut Deployment,
    ) {
        let (key, policy) = match resource.kind {
            "AWS::IAM::ManagedPolicy" => ("Roles", self.managed.get(resource.id).cloned()),
            "AWS::IAM::Policy" | "AWS::IAM::RolePolicy" => {
                let key = if resource.kind == "AWS::IAM::Policy" { "Roles" } else { "RoleName" };
                let document = resource.required("PolicyDocument", &mut deployment.errors);
                let policy = document.and_then(|document| {
                    Policy::of_node(resource.id, document, scope.context.account, &mut deployment.not_judged)
                });
                (key, policy)
            }
            _ => return,
        };
        let Some(policy) = policy else { return };
        let holders = resource.properties.get(key).map(Node::items).unwrap_or_default();
        for (_, named) in &holders {
            let named = text(Some(named));
            match named.and_then(|named| self.role(named).or_else(|| self.made(named))).and_then(|id| roles.get_mut(id))
            {
                Some(role) => role.policies.push(policy.clone()),
                // A role that is not in the template gets it.
                None if resource.kind != "AWS::IAM::ManagedPolicy" => deployment.policies.push(policy.clone()),
                None => {}
            }
        }
    }
}

/// The logical id of the role that SAM makes for a function or a state machine
/// (<https://docs.aws.amazon.com/serverless-application-model/latest/developerguide/sam-specification-generated-resources-function.html>).
fn made_role(id: &str) -> String {
    format!("{id}Role")
}

/// Whether a name or ARN ends in that name: `name`, `arn:aws:iam::111122223333:role/path/name`.
fn is_last(named: &str, name: &str) -> bool {
    named.strip_suffix(name).is_some_and(|before| before.is_empty() || before.ends_with(['/', ':']))
}
