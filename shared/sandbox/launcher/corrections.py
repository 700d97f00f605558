"""Where MiniStack 1.5.33 differs from AWS in something a guard or its role depends on, put right.

One function per correction, each tried by a test in `shared/sandbox/tests/corrections.rs` through the real API.
"""

import contextvars
import dataclasses
import json
import re
from urllib.parse import parse_qs, unquote

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import error_response_json, get_region, json_response
from ministack.services import cloudwatch_logs, eventbridge, iam, lambda_svc, sts, tagging

import async_failures
import concurrency
import context_keys
import dropped_properties
import environment_keys
import function_policy
import function_updates
import iam_lag
import iam_pages
import managed_instances
import principals
import queues
import secret_policies
import secret_versions
import stacks
import tracing


def apply():
    """All of them."""
    lambda_action_names()
    lambda_resources()
    resource_tags_of_qualified_functions()
    condition_keys()
    tags_of_get_function()
    tags_on_creation()
    pass_role()
    principal_arn_of_a_session()
    set_default_policy_version()
    role_resources()
    tags_of_managed_policies()
    policy_sizes()
    attached_policies_exist()
    managed_policies_per_role()
    service_linked_roles()
    source_identity()
    latest_event_invoke_config()
    code_signing()
    put_events_delivers_nothing()
    rules_with_targets()
    pages_of_logs()
    policies_of_buses()
    bootstrap_environment()
    environment_keys.apply()
    principals.apply()
    function_policy.apply()
    managed_instances.apply()
    concurrency.apply()
    secret_policies.principals_exist()
    secret_versions.apply()
    stacks.apply()
    dropped_properties.apply()
    tracing.apply()
    async_failures.apply()
    queues.apply()
    context_keys.apply()
    lambda_requests()
    function_updates.apply()
    iam_pages.apply()
    iam_lag.apply()


def lambda_action_names():
    """IAM action names of Lambda calls: from botocore's model, where MiniStack has a table that names many wrongly
    (UpdateFunctionUrlConfig is checked as CreateFunctionUrlConfig) and leaves others unchecked."""
    renamed = {"Invoke": "InvokeFunction", "InvokeAsync": "InvokeFunction",
               "InvokeWithResponseStream": "InvokeFunction", "GetLayerVersionByArn": "GetLayerVersion"}
    match = iam_actions._match_rest_action

    def named(service, method, path, query_params=None):
        operation = match(service, method, path, query_params)
        return renamed.get(operation, operation) if service == "lambda" else operation

    iam_actions._BOTOCORE_SERVICE_MAP["lambda"] = ["lambda"]
    iam_actions._lambda_action = lambda _method, _path: None
    iam_actions._match_rest_action = named


def lambda_resources():
    """The resource of a Lambda call where MiniStack has none or another: functions that are made, layer versions,
    resource-policy."""
    extract = iam_actions.extract_resource_arn

    def resource(service, method, path, headers, body, query_params, region, account_id):
        parts = [part for part in unquote(path).split("/") if part]
        if service == "lambda" and parts[1:2] == ["resource-policy"]:
            return "/".join(parts[2:])
        if service == "lambda" and method == "POST" and parts[1:] == ["functions"]:
            return _function_to_be_made(body, region, account_id)
        if service == "lambda" and parts[1:2] == ["layers"] and len(parts) > 4 and parts[3] == "versions":
            return f"arn:aws:lambda:{region}:{account_id}:layer:{parts[2]}:{parts[4]}"
        if service == "lambda" and parts[1:] == ["layers"] and query_params.get("find"):
            named = query_params.get("Arn", "*")
            return unquote(named[0] if isinstance(named, list) else named)
        return extract(service, method, path, headers, body, query_params, region, account_id)

    iam_actions.extract_resource_arn = resource


def _function_to_be_made(body, region, account_id):
    """The ARN that CreateFunction's function will have: it is named in the body, by its name or an ARN."""
    try:
        name = str(json.loads(body or b"{}").get("FunctionName", "")).rpartition(":")[2]
    except ValueError:
        name = ""
    return f"arn:aws:lambda:{region}:{account_id}:function:{name}"


def resource_tags_of_qualified_functions():
    """aws:ResourceTag for a call that names a version or alias by ARN: the tags are the function's. (The service
    authorization reference gives the key to the resource types `function alias` and `function version` too, which can
    have no tags of their own.)"""
    find = tagging.resource_tags

    def tags(arn):
        parts = arn.split(":")
        return find(":".join(parts[:7]) if parts[2:3] == ["lambda"] and parts[5:6] == ["function"] else arn)

    tagging.resource_tags = tags


def condition_keys():
    """The services' own condition keys that Warden's roles are bounded by (service authorization reference, pages of
    Lambda, EventBridge, IAM and Secrets Manager)."""
    extract, context = iam_actions.extract_iam_action, iam_actions.request_tag_context
    removed = contextvars.ContextVar("warden_removed_statement", default=None)

    def action(service, method, path, headers, body, query_params):
        name = extract(service, method, path, headers, body, query_params)
        removed.set(function_policy.statement(path, query_params) if name == "lambda:RemovePermission" else None)
        return name

    def with_keys(service, iam_action, body, params):
        found = context(service, iam_action, body, params)
        try:
            asked = json.loads(body) if body[:1] == b"{" else {}
        except ValueError:
            asked = {}
        if iam_action in ("lambda:AddPermission", "lambda:CreateFunctionUrlConfig", "lambda:UpdateFunctionUrlConfig"):
            found["lambda:FunctionUrlAuthType"] = asked.get("FunctionUrlAuthType", asked.get("AuthType"))
        if iam_action == "lambda:AddPermission":
            found["lambda:Principal"] = asked.get("Principal")
        if removed.get():
            equals = removed.get().get("Condition", {}).get("StringEquals", {})
            found["lambda:FunctionUrlAuthType"] = equals.get("lambda:FunctionUrlAuthType")
            principal = removed.get().get("Principal")
            found["lambda:Principal"] = next(iter(principal.values())) if isinstance(principal, dict) else principal
        if iam_action in ("iam:AttachRolePolicy", "iam:DetachRolePolicy"):
            found["iam:PolicyARN"] = iam_actions._query_param(params, "PolicyArn")
        if iam_action == "events:PutEvents":
            entries = [entry for entry in asked.get("Entries", []) if isinstance(entry, dict)]
            found["events:source"] = [entry.get("Source") for entry in entries]
            found["events:detail-type"] = [entry.get("DetailType") for entry in entries]
        if iam_action == "secretsmanager:DeleteSecret":
            days = asked.get("RecoveryWindowInDays")
            found["secretsmanager:RecoveryWindowInDays"] = None if days is None else str(days)
        return {key: value for key, value in found.items() if value is not None}

    iam_actions.extract_iam_action, iam_actions.request_tag_context = action, with_keys


def tags_of_get_function():
    """GetFunction tells the tags to those alone who may also ListTags; others get a TagsError."""
    get = lambda_svc._get_function

    def function(name, qualifier=None):
        status, headers, body = get(name, qualifier)
        key = lambda_svc._request_access_key.get()
        if status != 200 or not key:
            return status, headers, body
        arn = lambda_svc._func_arn(name)
        denied = iam_evaluator.enforce(key, "lambda:ListTags", "lambda", get_region(), arn, {})
        if not denied:
            return status, headers, body
        found = json.loads(body)
        found.pop("Tags", None)
        found["TagsError"] = {"ErrorCode": "AccessDeniedException", "Message": f"not authorized to perform: "
                              f"lambda:ListTags on resource: {arn}"}
        return json_response(found)

    lambda_svc._get_function = function


def tags_on_creation():
    """Whoever makes something with tags must be allowed to tag it as well: the action that sets tags is asked for with
    the same resource and the same tags (openshift/installer#1073 for roles, alexcasalboni/aws-lambda-power-tuning#154
    and aws-samples/amazon-mwaa-examples#63 for functions; service authorization reference, IAM, Lambda and Secrets
    Manager, for the rest)."""
    kinds = ("CodeSigningConfig", "CapacityProvider", "EventSourceMapping", "Function")
    tagging_actions = {f"lambda:Create{kind}": "lambda:TagResource" for kind in kinds}
    kinds = ("InstanceProfile", "OpenIDConnectProvider", "Policy", "Role", "SAMLProvider", "User")
    tagging_actions |= {f"iam:Create{kind}": f"iam:Tag{kind}" for kind in kinds}
    tagging_actions |= {"iam:CreateVirtualMFADevice": "iam:TagMFADevice",
                        "iam:UploadServerCertificate": "iam:TagServerCertificate",
                        "secretsmanager:CreateSecret": "secretsmanager:TagResource"}
    enforce = iam_evaluator.enforce

    def enforced(access_key_id, iam_action, service, region, resource_arn="*", service_context=None):
        denied = enforce(access_key_id, iam_action, service, region, resource_arn, service_context)
        tagging_action = tagging_actions.get(iam_action)
        if denied or not tagging_action or not (service_context or {}).get("aws:TagKeys"):
            return denied
        return enforce(access_key_id, tagging_action, service, region, resource_arn, service_context)

    iam_evaluator.enforce = enforced


def pass_role():
    """iam:PassRole for the role that CreateFunction or UpdateFunctionConfiguration hands to Lambda."""
    handed = contextvars.ContextVar("warden_passed_role", default=None)
    extract, enforce = iam_actions.extract_iam_action, iam_evaluator.enforce

    def action(service, method, path, headers, body, query_params):
        name = extract(service, method, path, headers, body, query_params)
        handed.set(None)
        if name in ("lambda:CreateFunction", "lambda:UpdateFunctionConfiguration"):
            try:
                handed.set(json.loads(body or b"{}").get("Role"))
            except ValueError:
                pass
        return name

    def enforced(access_key_id, iam_action, service, region, resource_arn="*", service_context=None):
        denied = enforce(access_key_id, iam_action, service, region, resource_arn, service_context)
        role = handed.get()
        if denied or service != "lambda" or not role:
            return denied
        return enforce(access_key_id, "iam:PassRole", "iam", region, role,
                       {"iam:PassedToService": "lambda.amazonaws.com"})

    iam_actions.extract_iam_action = action
    iam_evaluator.enforce = enforced


def principal_arn_of_a_session():
    """aws:PrincipalArn of a role's session is the role's ARN, path and all, not the session's."""
    resolve = iam_evaluator._resolve_condition_key

    def resolved(key, context):
        if key.lower() == "aws:principalarn" and ":assumed-role/" in context.principal_arn:
            name = iam_evaluator._role_name_from_assumed_arn(context.principal_arn)
            role = iam._roles.get_scoped(context.principal_account, None, name)
            if role:
                return role["Arn"]
        return resolve(key, context)

    iam_evaluator._resolve_condition_key = resolved


def set_default_policy_version():
    """IAM's SetDefaultPolicyVersion, which MiniStack does not have."""

    def operation(params):
        policy = iam._policies.get(iam._p(params, "PolicyArn"))
        wanted = iam._p(params, "VersionId")
        if policy is None or wanted not in policy["Versions"]:
            return iam._error(404, "NoSuchEntity", f"Policy version {wanted} does not exist or is not attachable.")
        for name, version in policy["Versions"].items():
            version["IsDefaultVersion"] = name == wanted
        policy["DefaultVersionId"] = wanted
        policy["UpdateDate"] = iam._now()
        return iam._xml(200, "SetDefaultPolicyVersionResponse", "")

    iam._IAM_HANDLERS["SetDefaultPolicyVersion"] = operation


def role_resources():
    """The resource of an IAM call on a role: its whole ARN, with its path, which tags and permissions go by. Of
    CreateRole and CreatePolicy it is the ARN that the role or the policy will have."""
    extract = iam_actions.extract_resource_arn

    def resource(service, method, path, headers, body, query_params, region, account_id):
        found = extract(service, method, path, headers, body, query_params, region, account_id)
        kind, _, name = found.rpartition(":")[2].partition("/")
        asked = lambda name: iam_actions._query_param(query_params, name)
        if service == "iam" and asked("Action") in ("CreatePolicy", "CreateRole"):
            made = asked("Action").removeprefix("Create")
            return f"arn:aws:iam::{account_id}:{made.lower()}{asked('Path') or '/'}{asked(f'{made}Name')}"
        role = iam._roles.get(name) if service == "iam" and kind == "role" else None
        return role["Arn"] if role else found

    iam_actions.extract_resource_arn = resource


def tags_of_managed_policies():
    """aws:ResourceTag for a call on a managed policy."""
    others = tagging._RESOURCE_TAG_COLLECTORS["iam"]

    def collected():
        yield from others()
        for arn, policy in iam._policies.items():
            yield arn, tagging._normalise_list(policy.get("Tags"))

    tagging._RESOURCE_TAG_COLLECTORS["iam"] = collected


def policy_sizes():
    """The quotas on the size of policies, in characters that are no whitespace: 10,240 for all that stand in a role,
    6,144 for a managed one, 2,048 for a trust policy (which AWS raises where it is asked to)."""
    put_in_role, create, add_version = (iam._IAM_HANDLERS[name] for name in
                                        ("PutRolePolicy", "CreatePolicy", "CreatePolicyVersion"))

    def size(document):
        return len("".join(str(document).split()))

    def put(params):
        name, role = iam._p(params, "RoleName"), iam._roles.get(iam._p(params, "RoleName"))
        others = [document for policy, document in role["InlinePolicies"].items()
                  if policy != iam._p(params, "PolicyName")] if role else []
        if role and sum(map(size, others)) + size(iam._p(params, "PolicyDocument")) > 10240:
            return iam._error(409, "LimitExceeded", f"Maximum policy size of 10240 bytes exceeded for role {name}")
        return put_in_role(params)

    def managed(handler):
        def checked(params):
            if size(iam._p(params, "PolicyDocument")) > 6144:
                return iam._error(409, "LimitExceeded", "Cannot exceed quota for PolicySize: 6144")
            return handler(params)
        return checked

    def trusting(handler, field):
        def checked(params):
            if size(iam._p(params, field)) > 2048:
                return iam._error(409, "LimitExceeded", "Cannot exceed quota for ACLSizePerRole: 2048")
            return handler(params)
        return checked

    iam._IAM_HANDLERS.update(PutRolePolicy=put, CreatePolicy=managed(create), CreatePolicyVersion=managed(add_version))
    for name, field in (("CreateRole", "AssumeRolePolicyDocument"), ("UpdateAssumeRolePolicy", "PolicyDocument")):
        iam._IAM_HANDLERS[name] = trusting(iam._IAM_HANDLERS[name], field)


def attached_policies_exist():
    """AttachRolePolicy takes no policy that is not there."""
    attach = iam._IAM_HANDLERS["AttachRolePolicy"]

    def attached(params):
        arn = iam._p(params, "PolicyArn")
        if not iam._policy_exists(arn):
            return iam._error(404, "NoSuchEntity", f"Policy {arn} does not exist or is not attachable.")
        return attach(params)

    iam._IAM_HANDLERS["AttachRolePolicy"] = attached


def managed_policies_per_role():
    """The quota of ten managed policies for a role."""
    attach = iam._IAM_HANDLERS["AttachRolePolicy"]

    def within_quota(params):
        role = iam._roles.get(iam._p(params, "RoleName"))
        others = [arn for arn in role["AttachedPolicies"] if arn != iam._p(params, "PolicyArn")] if role else []
        if len(others) >= 10:
            return iam._error(409, "LimitExceeded", "Cannot exceed quota for PoliciesPerRole: 10")
        return attach(params)

    iam._IAM_HANDLERS["AttachRolePolicy"] = within_quota


def service_linked_roles():
    """Roles of AWS's services, below /aws-service-role/, are AWS's alone to change."""

    def protected(handler):
        def checked(params):
            name = iam._p(params, "RoleName")
            role = iam._roles.get(name)
            if role and role["Path"].startswith("/aws-service-role/"):
                return iam._error(400, "UnmodifiableEntity", f"Cannot perform the operation on the protected role "
                                  f"'{name}' - this role is only modifiable by AWS")
            return handler(params)
        return checked

    for name in ("AttachRolePolicy", "DeleteRole", "DeleteRolePermissionsBoundary", "DeleteRolePolicy",
                 "DetachRolePolicy", "PutRolePermissionsBoundary", "PutRolePolicy", "UpdateAssumeRolePolicy",
                 "UpdateRole", "UpdateRoleDescription"):
        iam._IAM_HANDLERS[name] = protected(iam._IAM_HANDLERS[name])


def source_identity():
    """SourceIdentity of AssumeRole: the trust policy must allow sts:SetSourceIdentity and may ask for one, and the
    session keeps it."""
    given = contextvars.ContextVar("warden_source_identity", default=None)
    handle, register, trusted = sts.handle_request, sts.register_session, iam_evaluator.evaluate_trust_policy

    async def handled(method, path, headers, body, query_params):
        form = parse_qs(body.decode("utf-8", errors="replace"))
        given.set(form.get("SourceIdentity", [None])[0])
        return await handle(method, path, headers, body, query_params)

    def trust(document, caller_arn, context=None):
        identity = given.get()
        if context is not None and identity:
            context.service_context["sts:sourceidentity"] = identity
            setting = dataclasses.replace(context, action="sts:SetSourceIdentity")
            if context.action == "sts:AssumeRole" and not trusted(document, caller_arn, setting):
                return False
        return trusted(document, caller_arn, context)

    def registered(access_key, session):
        if given.get():
            session["SourceIdentity"] = given.get()
        register(access_key, session)

    sts.handle_request, sts.register_session = handled, registered
    iam_evaluator.evaluate_trust_policy = trust


def latest_event_invoke_config():
    """EventInvokeConfig of $LATEST is that of the unqualified function, not one beside it."""
    for name in ("_get_event_invoke_config", "_put_event_invoke_config", "_delete_event_invoke_config"):
        operation = getattr(lambda_svc, name)

        def unqualified(func_name, qualifier=None, *rest, operation=operation):
            return operation(func_name, None if qualifier == "$LATEST" else qualifier, *rest)

        setattr(lambda_svc, name, unqualified)


def code_signing():
    """GetFunctionCodeSigningConfig refuses container images (aws-controllers-k8s/community#1117), functions that are
    not there, and, in a Region without code signing, everybody, in words of its own
    (aws-controllers-k8s/community#2971)."""
    handle = lambda_svc.handle_request

    async def handled(method, path, headers, body, query_params):
        found = re.search(r"/functions/([^/]+)/code-signing-config$", path)
        if not found or method != "GET":
            return await handle(method, path, headers, body, query_params)
        if get_region() == "eu-central-2":
            return lambda_svc.error_response_json(
                "AccessDeniedException", "Unable to determine service/operation name to be authorized.", 403)
        name = lambda_svc._resolve_request_scoped_name(found.group(1))
        if name not in lambda_svc._functions:
            return lambda_svc.error_response_json(
                "ResourceNotFoundException", f"Function not found: {lambda_svc._func_arn(name)}", 404)
        if lambda_svc._functions[name]["config"].get("PackageType") == "Image":
            return lambda_svc.error_response_json(
                "InvalidParameterValueException",
                "Code signing is not supported for functions created with container images.", 400)
        return await handle(method, path, headers, body, query_params)

    lambda_svc.handle_request = handled


def put_events_delivers_nothing():
    """PutEvents only takes the entries: the trail brings them to targets, as it does for CloudTrail's events, with
    resource policies, retries, dead-letter queues and log groups, which MiniStack leaves out."""
    taking = contextvars.ContextVar("warden_taking_events", default=False)
    put, dispatch = eventbridge._put_events, eventbridge._dispatch_event

    def take(data, allow_aws_source=False):
        token = taking.set(not allow_aws_source)
        try:
            return put(data, allow_aws_source)
        finally:
            taking.reset(token)

    def unless_taking(event, view=None):
        if not taking.get():
            dispatch(event, view)

    eventbridge._put_events, eventbridge._dispatch_event = take, unless_taking


def rules_with_targets():
    """DeleteRule refuses a rule that has targets ("Before you can delete the rule, you must remove all targets": its API
    reference)."""
    delete = eventbridge._delete_rule

    def deleted(data):
        if eventbridge._targets.get(eventbridge._rule_key(data.get("Name"), data.get("EventBusName", "default"))):
            return error_response_json("ValidationException", "Rule can't be deleted since it has targets.", 400)
        return delete(data)

    eventbridge._delete_rule = deleted


def pages_of_logs():
    """FilterLogEvents answers page by page, and a page may be empty while another one follows ("This operation can return
    empty results while there are more log events available through the token": its API reference). MiniStack gives ten
    thousand events and leaves the rest out."""
    answer = cloudwatch_logs._filter_log_events
    page = 50

    def filtered(data):
        token = data.get("nextToken")
        whole = answer(data)
        if whole[0] != 200:
            return whole
        body = json.loads(whole[2])
        events = body["events"]
        if token is None and events:
            return json_response({**body, "events": [], "nextToken": "0"})
        start = int(token or 0)
        body["events"] = events[start:start + page]
        if start + page < len(events):
            body["nextToken"] = str(start + page)
        return json_response(body)

    cloudwatch_logs._filter_log_events = filtered


def policies_of_buses():
    """The policy of a bus is asked as well when somebody puts events on it, and PutPermission takes a whole one."""
    put = eventbridge._put_permission

    def permitted(data):
        if "Policy" not in data:
            return put(data)
        eventbridge._event_bus_policies[data.get("EventBusName", "default")] = json.loads(data["Policy"])
        return json_response({})

    def of(arn):
        policy = eventbridge._event_bus_policies.get(arn.rpartition("/")[2])
        return policy and (policy, arn.split(":")[4])

    eventbridge._put_permission = permitted
    eventbridge.policy_for_arn = of
    iam_evaluator._RESOURCE_POLICY_LOOKUPS["events"] = ("eventbridge", "policy_for_arn")


def bootstrap_environment():
    """The environment of a bootstrap: what Lambda gives it, without the settings of the server itself."""
    build = lambda_svc._provided_worker_env
    lent = ("PATH", "HOME", "LANG", "TZ", "LD_LIBRARY_PATH", "TMPDIR")

    def environment(config, code_dir, port):
        own = (config.get("Environment") or {}).get("Variables") or {}
        full = build(config, code_dir, port)
        full["AWS_LAMBDA_LOG_GROUP_NAME"] = f"/aws/lambda/{config.get('FunctionName')}"
        full["AWS_EXECUTION_ENV"] = f"AWS_Lambda_{config.get('Runtime')}"
        return {name: value for name, value in full.items()
                if name in own or name in lent or name.startswith(("AWS_", "LAMBDA_TASK_", "_"))}

    lambda_svc._provided_worker_env = environment


def lambda_requests():
    """The routes that MiniStack lacks, and the trace id of every request."""
    handle = lambda_svc.handle_request

    async def handled(method, path, headers, body, query_params):
        tracing.receive(headers)
        if "/resource-policy/" in path:
            return function_policy.resource_policy(method, path, json.loads(body) if body else {}, query_params)
        return await handle(method, path, headers, body, query_params)

    lambda_svc.handle_request = handled
