"""Environments that a customer's KMS key encrypts: Lambda uses the key with the caller's own permissions ("Securing Lambda
environment variables" in the Lambda developer guide)."""

import json

from ministack.core import iam_evaluator
from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import lambda_svc


def apply():
    """Who may not decrypt sees an error in the environment's place; who may not encrypt and grant changes neither the
    environment, nor the role, nor the key. What AWS checks for which of these is not written down: all of it here."""
    get, get_config, update = lambda_svc._get_function, lambda_svc._get_function_config, lambda_svc._update_config
    functions, versions = lambda_svc._list_functions, lambda_svc._list_versions

    def shown(config):
        key, environment = config.get("KMSKeyArn"), config.get("Environment")
        if not key or not environment or may("kms:Decrypt", key):
            return config
        return {**config, "Environment": {"Error": {"ErrorCode": "AccessDeniedException", "Message":
                "Lambda was unable to decrypt your environment variables because the KMS access was denied."}}}

    def answered(operation, change):
        def answer(*arguments):
            status, headers, body = operation(*arguments)
            return (status, headers, body) if status != 200 else json_response(change(json.loads(body)))
        return answer

    def all_of(field):
        return lambda found: {**found, field: [shown(config) for config in found[field]]}

    def updated(name, data):
        known = lambda_svc._functions.get(name)
        key = data.get("KMSKeyArn", known["config"].get("KMSKeyArn") if known else None)
        asked = {"Environment", "KMSKeyArn", "Role"} & set(data)
        if key and asked:
            for action in ("kms:Decrypt", "kms:Encrypt", "kms:CreateGrant"):
                if not may(action, key):
                    return error_response_json(
                        "InvalidParameterValueException", "Lambda was unable to configure access to your environment "
                        "variables because the KMS key is invalid for CreateGrant. Please check your KMS key settings. "
                        f"KMS Exception: AccessDeniedException KMS Message: not authorized to perform: {action}", 400)
        return update(name, data)

    lambda_svc._get_function = answered(get, lambda found: {**found, "Configuration": shown(found["Configuration"])})
    lambda_svc._get_function_config = answered(get_config, shown)
    lambda_svc._list_functions = answered(functions, all_of("Functions"))
    lambda_svc._list_versions = answered(versions, all_of("Versions"))
    lambda_svc._update_config = updated


def may(action, key):
    """Whether the caller may do that with the key, through Lambda."""
    caller = lambda_svc._request_access_key.get()
    through = {"kms:ViaService": f"lambda.{get_region()}.amazonaws.com", "kms:CallerAccount": get_account_id()}
    return not caller or iam_evaluator.enforce(caller, action, "kms", get_region(), key, through) is None
