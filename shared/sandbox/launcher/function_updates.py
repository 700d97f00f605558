"""Updates of functions that take their time, counted in looks and not in seconds (`settings.update_looks`).

While one is under way, UpdateFunctionCode, UpdateFunctionConfiguration and PublishVersion answer 409
(https://docs.aws.amazon.com/lambda/latest/dg/functions-states.html; Optum/dce#418 for PublishVersion). A function that is
updated stays Active. The revision moves once more when Lambda is done.
"""

from urllib.parse import unquote

from ministack.core.responses import error_response_json, new_uuid
from ministack.services import lambda_svc

import settings

UPDATES = {("PUT", "code"), ("PUT", "configuration"), ("POST", "versions")}
LOOKS = {("GET", ""), ("GET", "configuration")}


def apply():
    """Puts looks in the place of MiniStack's half second, in which it also takes every further update."""
    handle = lambda_svc.handle_request

    async def handled(method, path, headers, body, query_params):
        name, operation = _named(method, path)
        function = lambda_svc._functions.get(name) if name else None
        if function is None or not function.get("update_looks"):
            return await handle(method, path, headers, body, query_params)
        if operation in UPDATES:
            state = function["config"].get("State")
            why = (f"The function is currently in the following state: {state}" if state == "Pending" else
                   f"An update is in progress for resource: {function['config']['FunctionArn']}")
            _look(function)
            return error_response_json("ResourceConflictException",
                                       f"The operation cannot be performed at this time. {why}", 409)
        answer = await handle(method, path, headers, body, query_params)
        if operation in LOOKS:
            _look(function)
        return answer

    lambda_svc.handle_request = handled
    lambda_svc._schedule_state_transition = _begin


def _named(method, path):
    """The function that a request is about, and what it asks of it."""
    parts = unquote(path).strip("/").split("/")
    if len(parts) < 3 or parts[1] != "functions":
        return None, None
    name, _ = lambda_svc._resolve_name_and_qualifier(parts[2])
    return name, (method, "/".join(parts[3:]))


def _begin(name, _delay):
    function = lambda_svc._functions[name]
    function["update_looks"] = settings.update_looks
    if function["config"].get("StateReasonCode") == "Updating":
        function["config"].update(State="Active", StateReason="", StateReasonCode="")
    if not settings.update_looks:
        _end(function)


def _look(function):
    function["update_looks"] -= 1
    if not function["update_looks"]:
        _end(function)


def _end(function):
    function["config"]["RevisionId"] = new_uuid()
    for config in [function["config"], *(version["config"] for version in function.get("versions", {}).values())]:
        if config.get("State") == "Pending" or config.get("LastUpdateStatus") == "InProgress":
            config.update(State="Active", StateReason="", StateReasonCode="", LastUpdateStatus="Successful",
                          LastUpdateStatusReason="", LastUpdateStatusReasonCode="")
