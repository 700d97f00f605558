"""The context keys that a condition sees: those that AWS documents for the action, and no others.

Documented are the keys of the service authorization reference (`condition_keys.txt`, which shared/policy/table writes)
and the global ones (https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html), each of
which says there when it is in a request's context. What a service names that calls on its own account stands in
`service_principals.py`. A key that is not there is absent: affirmative operators fail, negated ones and `IfExists` hold.
"""

import contextvars
import functools
import json
from pathlib import Path

from ministack.core import iam_actions, iam_evaluator, lambda_runtime
from ministack.core.responses import get_account_id
from ministack.services import iam, lambda_svc, sts, tagging

import service_principals

# Global keys that need no line in the reference: of the principal, its session, the network and the request. Whether a
# request has one of them is its value's business (aws:username is a user's alone, aws:TokenIssueTime a session's).
GLOBAL = frozenset({
    "aws:currenttime", "aws:epochtime", "aws:multifactorauthpresent", "aws:principalaccount", "aws:principalarn",
    "aws:principalisawsservice", "aws:principalorgid", "aws:principaltype", "aws:requestedregion", "aws:resourceaccount",
    "aws:securetransport", "aws:sourceidentity", "aws:sourceip", "aws:tokenissuetime", "aws:useragent", "aws:userid",
    "aws:username", "aws:viaawsservice",
    # Of every call that the code of a function makes:
    # https://docs.aws.amazon.com/lambda/latest/dg/permissions-source-function-arn.html
    "lambda:sourcefunctionarn",
})
# Of a service's own call neither a caller, nor a session, nor an address is known.
OF_SERVICES = frozenset({
    "aws:currenttime", "aws:epochtime", "aws:principalisawsservice", "aws:principalservicename", "aws:requestedregion",
    "aws:resourceaccount", "aws:securetransport", "aws:sourceaccount", "aws:sourcearn", "aws:sourceorgid",
    "aws:sourceorgpaths", "aws:sourceowner", "aws:viaawsservice",
})

_agent = contextvars.ContextVar("warden_user_agent", default=None)


@functools.cache
def _services():
    """The line of each service."""
    text = (Path(__file__).parent / "condition_keys.txt").read_text()
    return dict(line.split("\t", 1) for line in text.splitlines())


@functools.cache
def _service(prefix):
    line = _services().get(prefix)
    return json.loads(line) if line else {"sets": [[]], "types": [], "actions": {}}


@functools.cache
def documented(action, resource):
    """The keys that the reference has for an action on a resource (an ARN, or `*` where none is named)."""
    prefix, _, name = action.lower().partition(":")
    service = _service(prefix)
    found, rows = service["actions"].get(name, (0, []))
    keys = set(service["sets"][found])
    for kind, of_row in rows:
        pattern, of_kind = service["types"][kind]
        if resource != "*" and iam_evaluator.fnmatch_iam_cs(resource, pattern):
            keys.update(service["sets"][of_kind], service["sets"][of_row])
    if action.lower() == "iam:passrole":
        # "This approach does not have reliable results":
        # https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html
        keys -= {"aws:resourcetag/", "iam:resourcetag/"}
    return frozenset(keys)


def has(key, context):
    """Whether the context of a request may have a key (in lower case) at all."""
    if context.principal_type == "Service":
        if key in OF_SERVICES:
            return True
    elif key in GLOBAL or key.startswith("aws:principaltag/"):
        return True
    keys = documented(context.action, context.resource_arn)
    return key in keys or any(key.startswith(known) for known in keys if known[-1] in "/:")


def resource_tag(name, resource):
    """The value of a tag of the resource. "The condition matches a resource tag key named either TagKey1 or tagkey1,
    but not both" (IAM user guide, "Controlling access to AWS resources using tags"): of both, neither is taken."""
    tags = tagging.resource_tags(resource) or {}
    values = [value for key, value in tags.items() if key.lower() == name]
    return values[0] if len(values) == 1 else None


def of_request(action, body, params):
    """The services' own keys that a request's parameters say, for those actions that have them."""
    try:
        asked = json.loads(body) if body[:1] == b"{" else {}
    except ValueError:
        asked = {}
    service, _, name = action.partition(":")
    if service == "lambda":
        network = asked.get("VpcConfig") or {}
        return {"lambda:Layer": asked.get("Layers") or None, "lambda:CodeSigningConfigArn": asked.get("CodeSigningConfigArn"),
                "lambda:SubnetIds": network.get("SubnetIds") or None,
                "lambda:SecurityGroupIds": network.get("SecurityGroupIds") or None}
    if service == "secretsmanager":
        flags = {f"secretsmanager:{flag}": str(asked.get(flag, False)).lower()
                 for flag in ("BlockPublicPolicy", "ForceDeleteWithoutRecovery")}
        return {"secretsmanager:Name": asked.get("Name"), **flags}
    if service == "iam":
        role = iam._roles.get(iam_actions._query_param(params, "RoleName")) or {}
        asked_for = name in ("CreateRole", "PutRolePermissionsBoundary")
        boundary = iam_actions._query_param(params, "PermissionsBoundary") if asked_for else role.get("PermissionsBoundary")
        return {"iam:PermissionsBoundary": boundary or None}
    if service == "kms":
        return {"kms:CallerAccount": get_account_id(), "kms:MacAlgorithm": asked.get("MacAlgorithm")}
    if action == "events:PutEvents":
        return {"events:eventBusInvocation": "false"}
    return {}


def apply():
    """Puts the rules of presence around MiniStack's values."""
    resolve, principal_keys = iam_evaluator._resolve_condition_key, iam_evaluator._principal_keys
    extract, context = iam_actions.extract_iam_action, iam_actions.request_tag_context

    def action(service, method, path, headers, body, query_params):
        _agent.set(headers.get("user-agent"))
        return extract(service, method, path, headers, body, query_params)

    def with_keys(service, iam_action, body, params):
        known = {key: value for key, value in of_request(iam_action, body, params).items() if value is not None}
        return {**known, **context(service, iam_action, body, params)}

    def keys_of(credential):
        session = sts._sessions.get(credential.access_key_id) or {}
        keys = principal_keys(credential)
        keys["aws:sourceidentity"] = session.get("SourceIdentity")
        keys["lambda:sourcefunctionarn"] = session.get("SourceFunctionArn")
        return {key: value for key, value in keys.items() if value is not None}

    def value(name, key, context):
        prefix, _, tag = name.partition("/")
        if prefix in ("aws:resourcetag", "iam:resourcetag", "secretsmanager:resourcetag"):
            return resource_tag(tag, context.resource_arn)
        if name == "aws:principalisawsservice":
            return str(context.principal_type == "Service").lower()
        if name == "aws:useragent":
            return _agent.get()
        found = resolve(key, context)
        return "false" if name == "aws:viaawsservice" and found is None else found

    def resolved(key, context):
        name = key.lower()
        return value(name, key, context) if has(name, context) else None

    credentials = lambda_runtime.execution_credentials

    def of_function(config):
        found = credentials(config)
        arn = ":".join(config.get("FunctionArn", "").split(":")[:7])
        sts._sessions.get(found["AWS_ACCESS_KEY_ID"], {})["SourceFunctionArn"] = arn
        return found

    lambda_runtime.execution_credentials = lambda_svc.execution_credentials = of_function
    iam_actions.extract_iam_action, iam_actions.request_tag_context = action, with_keys
    iam_evaluator._principal_keys = keys_of
    iam_evaluator._resolve_condition_key = resolved
    service_principals.apply()
