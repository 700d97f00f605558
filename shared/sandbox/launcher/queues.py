"""Queues that start functions, where MiniStack's poller does otherwise than Lambda or than a test can wait for."""

import copy
import time

from ministack.core.responses import request_scope
from ministack.services import lambda_svc, sqs

import async_failures
import settings

# What Lambda calls with the function's role to poll a queue for it
# (https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html, "Execution role permissions").
POLLING = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


def apply():
    """Polls with the function's role alone, and lets what failed come again soon."""
    run, send = lambda_svc._run_sqs_batch, sqs._act_send_message

    def polled(esm, func_rec, event, batch, queue_url, queue_name):
        function, queue = esm["FunctionArn"], esm["EventSourceArn"]
        if all(async_failures.permits(function, action, queue) for action in POLLING):
            run(esm, func_rec, event, batch, queue_url, queue_name)
        taken = {message["id"] for message in batch}
        with sqs._queues_lock:
            for message in sqs._get_q(queue_url)["messages"]:
                if message["id"] in taken:
                    message["visible_at"] = time.time() + settings.queue_redelivery

    def sent(data, qurl):
        answer = send(data, qurl)
        queue = sqs._get_q(data.get("QueueUrl") or qurl)
        if settings.queue_copies and _starts_a_function(queue["attributes"].get("QueueArn")):
            with sqs._queues_lock:
                last = queue["messages"][-1]
                queue["messages"] += [{**copy.deepcopy(last), "id": f"{last['id']}-{number}"}
                                      for number in range(settings.queue_copies)]
        return answer

    lambda_svc._run_sqs_batch = polled
    sqs._act_send_message = sent
    sqs._HANDLERS["SendMessage"] = sent


def _starts_a_function(queue):
    return any(esm.get("EventSourceArn") == queue for _, _, esm in lambda_svc._iter_all_esms())


def waiting(within):
    """How many messages of queues that start functions come within so many seconds, or have come and are not done with."""
    end = time.time() + float(within)
    count = 0
    for account, region, esm in lambda_svc._iter_all_esms():
        with request_scope(account, region):
            queue = sqs._queue_by_arn(esm.get("EventSourceArn", ""))
            messages = list(queue["messages"]) if queue else []
            count += sum(message["visible_at"] <= end or message["receive_count"] > 0 for message in messages)
    return count
