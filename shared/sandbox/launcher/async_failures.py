"""Where an event goes that a function failed on for good, or that grew too old: to the destination for failures and to the
dead-letter queue, to both where there are both ("You can configure destinations in addition to or instead of a dead-letter
queue": API reference, PutFunctionEventInvokeConfig).

Sent with the function's own role: what it may not do reaches nobody
(https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html, "Configuring destinations" and "Adding a
dead-letter queue").
"""

import contextvars
import datetime
import json
import os
import threading
import time

from ministack.core import iam_evaluator
from ministack.core.responses import error_response_json, new_uuid, request_scope
from ministack.services import iam, lambda_svc, sns, sqs

import service_principals

ACCOUNT = os.environ["MINISTACK_ACCOUNT_ID"]


# How often a function is tried that cannot be run before an event is too old: Lambda tries for six hours.
NOT_RUN = 3
DELAY = 0.1

_lock = threading.Lock()
_under_way = 0


def apply():
    """Asynchronous Invoke: tried again as Lambda does, and given up as Lambda does."""
    lambda_svc.invoke_async_with_retry = _begin
    _permitted_beforehand()


def under_way():
    """How many events Lambda has taken that are neither done nor given up."""
    return _under_way


def _begin(function, event):
    global _under_way
    with _lock:
        _under_way += 1
    threading.Thread(target=contextvars.copy_context().run, args=(_run, function, event), daemon=True).start()


def _run(function, event):
    global _under_way
    config = function.get("config") or function
    try:
        with request_scope(*lambda_svc._account_region_from_function_config(config)):
            ended = _attempts(function, event)
        if ended:
            given_up(config["FunctionArn"], event, *ended)
    finally:
        with _lock:
            _under_way -= 1


def _attempts(function, event):
    """Tries the function until it takes the event (None), or says why and after how many attempts not, with the last
    answer."""
    retries = (function.get("event_invoke_config") or {}).get("MaximumRetryAttempts", 2)
    failed = not_run = 0
    while True:
        result = lambda_svc._execute_function(function, event)
        if not result.get("error"):
            return None
        if not result.get("throttle"):
            failed += 1
            if failed > retries:
                return "RetriesExhausted", failed, result.get("body")
        elif function.get("concurrency") == 0:
            return "ZeroReservedConcurrency", failed, None
        else:
            not_run += 1
            if not_run >= NOT_RUN:
                return "EventAgeExceeded", failed + not_run, None
        time.sleep(DELAY)


def _permitted_beforehand():
    """Where failures go is taken only if the function's role may send there (aws-amplify/amplify-js#9869 for destinations,
    elastic/beats#13963 for dead-letter queues)."""
    put, update = lambda_svc._put_event_invoke_config, lambda_svc._update_config

    def refused(message):
        return error_response_json("InvalidParameterValueException", message, 400)

    def kept(name, qualifier, data):
        places = [place.get("Destination") for place in data.get("DestinationConfig", {}).values()]
        for place in filter(None, places):
            if name in lambda_svc._functions and not _permits(lambda_svc._func_arn(name), place, asks_target=False):
                return refused(f"The function's execution role does not have permissions to call "
                               f"{_action(place).partition(':')[2]} on {place}")
        return put(name, qualifier, data)

    def updated(name, data):
        place = (data.get("DeadLetterConfig") or {}).get("TargetArn")
        function = lambda_svc._functions.get(name)
        if place and function and not _permits(lambda_svc._func_arn(name), place, data.get("Role"), asks_target=False):
            return refused(f"The provided execution role does not have permissions to call "
                           f"{_action(place).partition(':')[2]} on {place.split(':')[2].upper()}")
        return update(name, data)

    lambda_svc._put_event_invoke_config, lambda_svc._update_config = kept, updated


def given_up(function, event, condition, count, response):
    """Sends what failed where the function (an ARN) has it sent; returns the ARNs that took it."""
    with request_scope(ACCOUNT, function.split(":")[3]):
        record, config, _ = lambda_svc._get_func_record_for_ref(function)
        if record is None:
            return []
        invoked = record.get("event_invoke_config") or {}
        destination = invoked.get("DestinationConfig", {}).get("OnFailure", {}).get("Destination")
        queue = (config.get("DeadLetterConfig") or {}).get("TargetArn")
        request = new_uuid()
        sent = []
        if destination and _send(function, destination, json.dumps(_record(
                function, request, event, condition, count, response)), {}):
            sent.append(destination)
        if queue and _send(function, queue, json.dumps(event), _attributes(request, condition, response)):
            sent.append(queue)
        return sent


def _record(function, request, event, condition, count, response):
    """The invocation record ("Example invocation record" of the guide). One that was never run to its end has no
    response."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    record = {"version": "1.0", "timestamp": now,
              "requestContext": {"requestId": request, "functionArn": f"{function}:$LATEST", "condition": condition,
                                 "approximateInvokeCount": count},
              "requestPayload": event}
    if condition == "RetriesExhausted":
        record["responseContext"] = {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"}
        record["responsePayload"] = response
    return record


def _attributes(request, condition, response):
    """The attributes of a message in a dead-letter queue: the message itself is the event as it came."""
    code = "200" if condition == "RetriesExhausted" else "429"
    message = response.get("errorMessage") if isinstance(response, dict) else None
    texts = {"RequestID": request, "ErrorMessage": str(message or condition)[:1024]}
    return {**{name: {"DataType": "String", "StringValue": text} for name, text in texts.items()},
            "ErrorCode": {"DataType": "Number", "StringValue": code}}


def _send(function, target, text, attributes):
    """Whether the target took it. What Lambda sends to otherwise (a function, a bus, a bucket) the sandbox does not
    know: there it is lost."""
    if not _permits(function, target):
        return False
    if target.split(":")[2] == "sqs":
        queue = sqs._queue_by_arn(target)
        if queue is None:
            return False
        sqs._act_send_message({"QueueUrl": queue["url"], "MessageBody": text, "MessageAttributes": attributes}, "")
        return True
    if sns._topic_by_arn_any_scope(target) is None:
        return False
    sns._fanout(target, new_uuid(), text, "", message_attributes=attributes)
    return True


def _action(target):
    """What it takes to send to a target; nothing of that name for one that the sandbox does not know."""
    return {"sqs": "sqs:SendMessage", "sns": "sns:Publish"}.get(target.split(":")[2], "")


def _permits(function, target, role=None, asks_target=True):
    """Whether the role of a function may send to a target: Lambda parks failures with it. What the target's own policy
    says shows when something is sent
    (https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html)."""
    return bool(_action(target)) and permits(function, _action(target), target, role, asks_target)


def permits(function, action, target, role=None, asks_target=True):
    """Whether the role of a function (an ARN), or the one that it is to have, may do that with a target. A customer's key
    that the target is encrypted with is used by the role too."""
    region = function.split(":")[3]
    with request_scope(ACCOUNT, region):
        record, config, _ = lambda_svc._get_func_record_for_ref(function)
        if record is None:
            return False
        name = (role or config["Role"]).rsplit("/", 1)[-1]
        kind = target.split(":")[2]
        asked = [(kind, action, target)]
        key = service_principals.key_of(kind, target) if asks_target else None
        if key is not None:
            asked += [("kms", use, key["Arn"]) for use in ("kms:GenerateDataKey", "kms:Decrypt")]
        return all(_permitted(name, config["FunctionName"], region, *one, asks_target) for one in asked)


def _permitted(role, name, region, service, action, resource, asks_target):
    context = iam_evaluator.EvalContext(
        principal_arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/{role}/{name}", principal_type="AssumedRole",
        principal_account=ACCOUNT, action=action, resource_arn=resource, region=region)
    policies = iam_evaluator._gather_role_policies(role, ACCOUNT)
    limits = iam_evaluator._permissions_boundary(iam._roles, role, ACCOUNT)
    verdict = iam_evaluator.evaluate(context, policies, *limits)
    found = iam_evaluator._resource_policy(service, resource) if asks_target else None
    if found is not None:
        verdict = iam_evaluator.combine_resource_policy(
            verdict, context, *found, required=service in iam_evaluator._POLICY_REQUIRED, limits=limits)
    return verdict.decision == "Allow"
