"""Functions on Lambda Managed Instances: the version `$LATEST.PUBLISHED`, which MiniStack does not know.

`PublishTo` of CreateFunction, UpdateFunctionCode and PublishVersion makes it anew from `$LATEST`. It is not among the
versions that ListVersionsByFunction names: whether AWS lists it is documented nowhere (? latest-published), and without is the worse.
https://docs.aws.amazon.com/lambda/latest/dg/lambda-managed-instances-version-publishing.html; the refusals are those of
LocalStack, whose tests are validated against AWS. Invocations still run what MiniStack runs.
"""

import copy

from ministack.core.responses import json_response, new_uuid
from ministack.services import lambda_svc

VERSION = "$LATEST.PUBLISHED"


def _refused(why):
    return lambda_svc.error_response_json("InvalidParameterValueException", why, 400)


def _publish(name):
    function = lambda_svc._functions[name]
    config = {**copy.deepcopy(function["config"]), "Version": VERSION, "RevisionId": new_uuid(),
              "FunctionArn": f"{lambda_svc._func_arn(name)}:{VERSION}", "State": "Active",
              "LastUpdateStatus": "Successful"}
    function["latest_published"] = {"config": config, "code_zip": function.get("code_zip")}
    return config


def apply():
    """Puts these operations in MiniStack's place."""
    create, update_code, update_config, publish_version = (
        lambda_svc._create_function, lambda_svc._update_code, lambda_svc._update_config, lambda_svc._publish_version)
    record, exists = lambda_svc._effective_func_record_for_qualifier, lambda_svc._function_qualifier_exists

    def managed(name):
        return "CapacityProviderConfig" in lambda_svc._functions.get(name, {}).get("config", {})

    def created(data):
        if "PublishTo" in data and "CapacityProviderConfig" not in data:
            return _refused("PublishTo isn't supported for Lambda Default functions.")
        status, headers, body = create(data)
        if status >= 400 or "PublishTo" not in data:
            return status, headers, body
        return json_response(_publish(data["FunctionName"]), status)

    def code_updated(name, data):
        if "PublishTo" in data and name in lambda_svc._functions and not managed(name):
            return _refused("PublishTo isn't supported for Lambda Default functions.")
        status, headers, body = update_code(name, data)
        if status >= 400 or "PublishTo" not in data:
            return status, headers, body
        return json_response(_publish(name), status)

    def config_updated(name, data):
        if "CapacityProviderConfig" in data and name in lambda_svc._functions and not managed(name):
            return _refused("CapacityProviderConfig isn't supported for Lambda Default functions.")
        return update_config(name, data)

    def published(name, data):
        if "PublishTo" not in data or name not in lambda_svc._functions:
            return publish_version(name, data)
        if not managed(name):
            return _refused("PublishTo isn't supported for Lambda Default functions.")
        return json_response(_publish(name), 201)

    def found(function, qualifier):
        if function is not None and qualifier == VERSION:
            kept = function.get("latest_published")
            return (kept, kept["config"]) if kept else (None, None)
        return record(function, qualifier)

    def there(function, qualifier):
        return exists(function, qualifier) or bool(
            function is not None and qualifier == VERSION and function.get("latest_published"))

    lambda_svc._create_function, lambda_svc._update_code = created, code_updated
    lambda_svc._update_config, lambda_svc._publish_version = config_updated, published
    lambda_svc._effective_func_record_for_qualifier, lambda_svc._function_qualifier_exists = found, there
