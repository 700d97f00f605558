"""What Lambda refuses about concurrency, and what it changes beside it, where MiniStack takes and changes nothing.

https://docs.aws.amazon.com/lambda/latest/dg/configuration-concurrency.html and provisioned-concurrency.html; the words of
the refusals are those that users report (hashicorp/terraform-provider-aws#13096, serverless/serverless#4458,
localstack/localstack, whose tests are validated against AWS).
"""

import json
import re

from ministack.core.responses import error_response_json, json_response, new_uuid
from ministack.services import lambda_svc

import settings

# A page of ListProvisionedConcurrencyConfigs holds 50 (Lambda API reference).
PAGE = 50


def apply():
    """Reserved and provisioned concurrency and the account's limit, as Lambda has them."""
    handle, invoke_limit = lambda_svc.handle_request, lambda_svc._get_account_settings
    put, delete = lambda_svc._put_function_concurrency, lambda_svc._delete_function_concurrency
    provision = lambda_svc._put_provisioned_concurrency

    async def handled(method, path, headers, body, query_params):
        named = re.search(r"/functions/([^/]+)/(concurrency|provisioned-concurrency)$", path)
        if not named:
            return await handle(method, path, headers, body, query_params)
        name, qualifier = lambda_svc._resolve_request_scoped_name_and_qualifier(named.group(1))
        if named.group(2) == "concurrency" and qualifier:
            return _refused("This operation is permitted on Lambda functions only. Aliases and versions do not support this "
                            "operation. Please specify either a function name or an unqualified function ARN.")
        if named.group(2) == "provisioned-concurrency" and method == "GET" and "List" in query_params:
            return _listed(name, query_params)
        return await handle(method, path, headers, body, query_params)

    def reserved(name, data):
        function = lambda_svc._functions.get(name)
        if function is None:
            return put(name, data)
        wanted = int(data.get("ReservedConcurrentExecutions") or 0)
        if "CapacityProviderConfig" in function["config"]:
            return _refused("Reserved concurrency isn't supported for functions with a capacity provider.")
        if wanted < _provisioned(function):
            return _refused(f"ReservedConcurrentExecutions  {wanted} should not be lower than function's total provisioned "
                            f"concurrency [{_provisioned(function)}].")
        others = sum(other.get("concurrency") or 0
                     for key, other in lambda_svc._functions.items() if key != name)
        # Lambda keeps some of the account's concurrency for functions that reserve none.
        if settings.account_concurrency - others - wanted < settings.unreserved_floor:
            return _refused("Specified ReservedConcurrentExecutions for function decreases account's "
                            f"UnreservedConcurrentExecution below its minimum value of [{settings.unreserved_floor}].")
        return _moved(function, put(name, data))

    def deleted(name):
        function = lambda_svc._functions.get(name)
        # Seen of PutFunctionConcurrency alone; that it is so here too is the worse (? concurrency-revision).
        return _moved(function, delete(name))

    def provisioned(name, qualifier, data):
        function = lambda_svc._functions.get(name)
        if function is None:
            return provision(name, qualifier, data)
        if qualifier in (None, "$LATEST"):
            return _refused("Provisioned Concurrency Configs cannot be applied to unpublished function versions.")
        wanted = int(data.get("ProvisionedConcurrentExecutions") or 0)
        bound = function.get("concurrency")
        if bound is not None and _provisioned(function, but=qualifier) + wanted > bound:
            return _refused("Requested Provisioned Concurrency should not be greater than the reservedConcurrentExecution "
                            "for function")
        return provision(name, qualifier, data)

    def account():
        status, headers, body = invoke_limit()
        found = json.loads(body)
        limit, reserved = found["AccountLimit"], sum(
            function.get("concurrency") or 0 for function in lambda_svc._functions.values())
        limit["ConcurrentExecutions"] = settings.account_concurrency
        limit["UnreservedConcurrentExecutions"] = max(settings.account_concurrency - reserved, 0)
        return json_response(found)

    lambda_svc.handle_request = handled
    lambda_svc._put_function_concurrency, lambda_svc._delete_function_concurrency = reserved, deleted
    lambda_svc._put_provisioned_concurrency, lambda_svc._get_account_settings = provisioned, account


def _refused(why):
    return error_response_json("InvalidParameterValueException", why, 400)


def _moved(function, answer):
    """The revision of a function moves with its reserved concurrency, and LastModified does not (radkawar/stackd)."""
    if function is not None and answer[0] < 300:
        function["config"]["RevisionId"] = new_uuid()
    return answer


def _provisioned(function, but=None):
    configs = function.get("provisioned_concurrency", {}).items()
    return sum(config["RequestedProvisionedConcurrentExecutions"] for key, config in configs if key != but)


def _listed(name, query):
    """ListProvisionedConcurrencyConfigs."""
    function = lambda_svc._functions.get(name)
    if function is None:
        return error_response_json("ResourceNotFoundException", f"Function not found: {lambda_svc._func_arn(name)}", 404)

    def asked(key, default):
        value = query.get(key, default)
        return value[0] if isinstance(value, list) else value

    all_of_them = sorted(function.get("provisioned_concurrency", {}).items())
    start, most = int(asked("Marker", 0)), min(int(asked("MaxItems", PAGE)), PAGE)
    page = [{**config, "FunctionArn": f"{lambda_svc._func_arn(name)}:{qualifier}"}
            for qualifier, config in all_of_them[start:start + most]]
    more = {"NextMarker": str(start + most)} if start + most < len(all_of_them) else {}
    return json_response({"ProvisionedConcurrencyConfigs": page, **more})
