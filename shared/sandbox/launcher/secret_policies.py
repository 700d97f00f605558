"""Resource policies of secrets as AWS keeps them: a principal is a role or a user, not its name (IAM user guide, "AWS JSON
policy elements: Principal": an ARN becomes the principal's unique id when the policy is saved, and is shown as an ARN
for as long as that principal is there)."""

import json

from ministack.core.responses import error_response_json, json_response
from ministack.services import secretsmanager

import function_policy
from principals import arn_of, id_of, named


def principals_exist():
    """PutResourcePolicy refuses a principal that does not exist, a deleted one by its id too; GetResourcePolicy shows the
    id of one that was deleted since, and nobody who was made anew under its name is let in."""
    put, get, found = (secretsmanager._put_resource_policy, secretsmanager._get_resource_policy,
                       secretsmanager.secret_policy_for_arn)

    def saved(data):
        if data.get("BlockPublicPolicy") and _lets_the_public_in(data.get("ResourcePolicy", "{}")):
            return error_response_json("PublicPolicyException", "The BlockPublicPolicy parameter is set to true, and the "
                                       "resource policy did not prevent broad access to the secret.", 400)
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


def _lets_the_public_in(policy):
    try:
        statements = json.loads(policy).get("Statement", [])
    except (ValueError, AttributeError):
        return False
    return function_policy.lets_the_public_in([statements] if isinstance(statements, dict) else statements)
