"""Principals in policies of resources: a role or a user that is there, and not its name (IAM user guide, "AWS JSON policy
elements: Principal": an ARN becomes the principal's unique id when the policy is saved, and is shown as an ARN for as
long as that principal is there)."""

import json

from ministack.core.responses import error_response_json, get_account_id
from ministack.services import iam, kms, lambda_svc
from ministack.services.cloudformation import provisioners


def named(text, rename):
    """The policy with its principals under other names."""
    policy = json.loads(text)
    statements = policy.get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        rename_in(statement, rename)
    return json.dumps(policy)


def rename_in(statement, rename):
    """Gives the principals of a statement other names."""
    principal = statement.get("Principal")
    if isinstance(principal, dict) and "AWS" in principal:
        names = principal["AWS"]
        principal["AWS"] = rename(names) if isinstance(names, str) else [rename(name) for name in names]


def kept():
    """Every role and user: its id and its ARN."""
    return [(role["RoleId"], role["Arn"]) for role in iam._roles.values()] + \
        [(user["UserId"], user["Arn"]) for user in iam._users.values()]


def id_of(name):
    if name == "*" or name.isdigit() or name.endswith(":root"):
        return name
    found = [ident for ident, arn in kept() if name in (ident, arn)]
    if not found:
        raise LookupError(name)
    return found[0]


def arn_of(name):
    return next((arn for ident, arn in kept() if name == ident), name)


def shown(name):
    """A principal as a policy shows it once it is saved; a LookupError for one that is not there. Who is there in another
    account is not known here: everybody."""
    parts = name.split(":")
    if len(parts) > 5 and parts[4] not in ("", get_account_id()):
        return name
    if len(parts) > 5 and parts[2] == "sts" and parts[5].startswith("assumed-role/"):
        role = iam._roles.get(parts[5].split("/")[1])
        if role is None:
            raise LookupError(name)
        return name
    return arn_of(id_of(name))


def apply():
    """Trust policies, key policies and policies of functions take no principal that is not there, and nobody is let in who
    was made anew under the name of one that was deleted."""
    for action, document in (("CreateRole", "AssumeRolePolicyDocument"), ("UpdateAssumeRolePolicy", "PolicyDocument")):
        iam._IAM_HANDLERS[action] = _trusting(iam._IAM_HANDLERS[action], document)
    for action, field, stores in (("DeleteRole", "RoleName", iam._roles), ("DeleteUser", "UserName", iam._users)):
        iam._IAM_HANDLERS[action] = _forgetting(iam._IAM_HANDLERS[action], field, stores)
    delete = provisioners._RESOURCE_HANDLERS["AWS::IAM::Role"]["delete"]

    def deleted(name, props):
        role = iam._roles.get(name)
        answer = delete(name, props)
        if role and name not in iam._roles:
            _forget(role["Arn"], role["RoleId"])
        return answer

    provisioners._RESOURCE_HANDLERS["AWS::IAM::Role"]["delete"] = deleted
    put_key_policy, create_key = kms._put_key_policy, kms._create_key
    kms._put_key_policy, kms._create_key = _keyed(put_key_policy), _keyed(create_key)


def saved(text):
    """The policy as it is kept: its text as it came, where all its principals are named as they will be shown; a
    LookupError where one is not there. What is no policy is left to whoever parses it."""
    try:
        kept_text = named(text, shown)
        return text if json.loads(text) == json.loads(kept_text) else kept_text
    except (ValueError, AttributeError):
        return text


def _trusting(handler, field):
    def checked(params):
        try:
            text = saved(iam._p(params, field))
        except LookupError as missing:
            return iam._error(400, "MalformedPolicyDocument", f'Invalid principal in policy: "AWS":"{missing.args[0]}"',
                              ns="iam")
        return handler({**params, field: [text]})
    return checked


def _keyed(handler):
    def checked(data):
        try:
            data = {**data, "Policy": saved(data["Policy"])} if data.get("Policy") else data
        except LookupError:
            return error_response_json("MalformedPolicyDocumentException",
                                       "Policy contains a statement with one or more invalid principals.", 400)
        return handler(data)
    return checked


def _forgetting(handler, field, store):
    def deleted(params):
        entity = store.get(iam._p(params, field))
        answer = handler(params)
        if entity and answer[0] == 200:
            _forget(entity["Arn"], entity.get("RoleId") or entity.get("UserId"))
        return answer
    return deleted


def _forget(arn, ident):
    """Writes the id of a principal that is gone wherever its ARN stood."""
    rename = lambda name: ident if name == arn else name
    for role in iam._roles.values():
        if arn in role["AssumeRolePolicyDocument"]:
            role["AssumeRolePolicyDocument"] = named(role["AssumeRolePolicyDocument"], rename)
    for key in kms._keys.values():
        if arn in (key.get("Policy") or ""):
            key["Policy"] = named(key["Policy"], rename)
    for function in lambda_svc._functions._data.values():
        for statement in function["policy"]["Statement"]:
            rename_in(statement, rename)
