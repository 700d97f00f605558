"""Resource policies of secrets as AWS keeps them: a principal is a role or a user, not its name (IAM user guide, "AWS JSON
policy elements: Principal": an ARN becomes the principal's unique id when the policy is saved, and is shown as an ARN
for as long as that principal is there)."""

import json

from ministack.core.responses import error_response_json, json_response
from ministack.services import iam, secretsmanager


def principals_exist():
    """PutResourcePolicy refuses a principal that does not exist, a deleted one by its id too; GetResourcePolicy shows the
    id of one that was deleted since, and nobody who was made anew under its name is let in."""
    put, get, found = (secretsmanager._put_resource_policy, secretsmanager._get_resource_policy,
                       secretsmanager.secret_policy_for_arn)

    def saved(data):
        try:
            policy = named(data.get("ResourcePolicy", "{}"), id_of)
        except (ValueError, LookupError):
            return error_response_json("MalformedPolicyDocumentException",
                                       "This resource policy contains an unsupported principal.", 400)
        return put({**data, "ResourcePolicy": policy})

    def shown(data):
        status, headers, body = get(data)
        answer = json.loads(body)
        if "ResourcePolicy" not in answer:
            return status, headers, body
        return json_response({**answer, "ResourcePolicy": named(answer["ResourcePolicy"], arn_of)})

    def evaluated(resource_arn):
        policy = found(resource_arn)
        return policy and (policy[0] and named(policy[0], arn_of), policy[1])

    secretsmanager._put_resource_policy, secretsmanager._get_resource_policy = saved, shown
    secretsmanager.secret_policy_for_arn = evaluated


def named(text, rename):
    """The policy with its principals under other names."""
    policy = json.loads(text)
    statements = policy.get("Statement", [])
    for statement in statements if isinstance(statements, list) else [statements]:
        principal = statement.get("Principal")
        if isinstance(principal, dict) and "AWS" in principal:
            names = principal["AWS"]
            principal["AWS"] = rename(names) if isinstance(names, str) else [rename(name) for name in names]
    return json.dumps(policy)


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
