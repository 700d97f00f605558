"""What an AWS service says of itself when it calls a resource on its own account: the source keys of its call.

Every row has its source. What no source tells is not supplied (? service-context): a policy that asks for it lets the service in nowhere
here, as it would not where AWS does not supply it either. A service without a row names nothing.
"""

import dataclasses
import json
import os

from ministack.core import iam_evaluator
from ministack.core.responses import request_scope
from ministack.services import cloudwatch_logs, kms, sns, sqs

ACCOUNT = os.environ["MINISTACK_ACCOUNT_ID"]
ARN, OF_ACCOUNT, OF_OWNER = "aws:sourcearn", "aws:sourceaccount", "aws:sourceowner"
# No statement with a Condition counts at all.
NO_CONDITION = None

_EVENTS = "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-resource-based.html"
_S3 = "https://docs.aws.amazon.com/AmazonS3/latest/userguide/grant-destinations-permissions-to-s3.html"
_SQS_KEYS = "https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html"
_SNS_KEYS = "https://docs.aws.amazon.com/sns/latest/dg/sns-key-management.html"

# (service, action) -> (keys, source)
ROWS = {
    # The permission of the guide has the rule's ARN alone; with a SourceAccount EventBridge does not invoke the function:
    # its troubleshooting page, awsdocs/aws-cloudformation-user-guide#481 and hashicorp/terraform-provider-aws#4116.
    ("events.amazonaws.com", "lambda:InvokeFunction"):
        ({ARN}, "https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-troubleshooting.html"),
    # "You can't use Condition blocks in Amazon SNS topic policies for EventBridge."
    ("events.amazonaws.com", "sns:Publish"): (NO_CONDITION, _EVENTS),
    # The policy of the guide asks ArnEquals aws:SourceArn for the rule.
    ("events.amazonaws.com", "sqs:SendMessage"): ({ARN}, _EVENTS),
    # Of the two statements of the guide the one for PutLogEvents asks for the rule, that for CreateLogStream for nothing.
    ("events.amazonaws.com", "logs:PutLogEvents"): ({ARN}, _EVENTS),
    ("events.amazonaws.com", "logs:CreateLogStream"): (set(), _EVENTS),
    ("delivery.logs.amazonaws.com", "logs:PutLogEvents"): ({ARN}, _EVENTS),
    ("delivery.logs.amazonaws.com", "logs:CreateLogStream"): (set(), _EVENTS),
    # The key policies of these pages have no condition for EventBridge and for alarms; whether one would hold is said
    # nowhere (? service-context).
    ("events.amazonaws.com", "kms:GenerateDataKey"): (set(), _SQS_KEYS),
    ("events.amazonaws.com", "kms:Decrypt"): (set(), _SQS_KEYS),
    ("cloudwatch.amazonaws.com", "kms:GenerateDataKey"): (set(), _SNS_KEYS),
    ("cloudwatch.amazonaws.com", "kms:Decrypt"): (set(), _SNS_KEYS),
    # `--source-arn` of the topic; the console's permission names it alone.
    ("sns.amazonaws.com", "lambda:InvokeFunction"):
        ({ARN}, "https://docs.aws.amazon.com/lambda/latest/dg/with-sns.html"),
    ("sns.amazonaws.com", "sqs:SendMessage"):
        ({ARN}, "https://docs.aws.amazon.com/sns/latest/dg/subscribe-sqs-queue-to-sns-topic.html"),
    ("sns.amazonaws.com", "kms:GenerateDataKey"): (set(), _SQS_KEYS),
    ("sns.amazonaws.com", "kms:Decrypt"): (set(), _SQS_KEYS),
    # ArnLike aws:SourceArn and StringEquals aws:SourceAccount for alarms.
    ("cloudwatch.amazonaws.com", "sns:Publish"):
        ({ARN, OF_ACCOUNT}, "https://docs.aws.amazon.com/sns/latest/dg/sns-access-policy-use-cases.html"),
    # `--source-account` and `--source-arn` of the alarm.
    ("lambda.alarms.cloudwatch.amazonaws.com", "lambda:InvokeFunction"):
        ({ARN, OF_ACCOUNT}, "https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/alarms-and-actions-Lambda.html"),
    # "aws:SourceArn" of the bucket and "aws:SourceAccount" of its owner in each of the three policies.
    ("s3.amazonaws.com", "lambda:InvokeFunction"):
        ({ARN, OF_ACCOUNT}, "https://docs.aws.amazon.com/lambda/latest/dg/with-s3.html"),
    ("s3.amazonaws.com", "sns:Publish"): ({ARN, OF_ACCOUNT}, _S3),
    ("s3.amazonaws.com", "sqs:SendMessage"): ({ARN, OF_ACCOUNT}, _S3),
    # `--source-arn` of the log group and `--source-account`.
    ("logs.amazonaws.com", "lambda:InvokeFunction"):
        ({ARN, OF_ACCOUNT}, "https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html"),
    # EventBridge Scheduler calls its targets as the schedule's role, never as itself:
    # https://docs.aws.amazon.com/scheduler/latest/UserGuide/setting-up.html. Hence no row of it.
}


def supplied(service, action):
    """The source keys in the context of a service's call."""
    keys, _ = ROWS.get((service.lower(), action), (set(), None))
    return keys or set()


def _statements(document):
    document = json.loads(document) if isinstance(document, str) else document or {}
    statements = document.get("Statement", [])
    return [statements] if isinstance(statements, dict) else statements


def apply():
    """Whoever evaluates a resource's policy for a service sees what the service supplies, whatever else was handed
    over."""
    evaluate = iam_evaluator.evaluate_resource_policy

    def evaluated(document, context, service=None, **rest):
        if service is None:
            return evaluate(document, context, **rest)
        keys = supplied(service, context.action)
        known = {key: value for key, value in context.service_context.items() if key in keys}
        known["aws:principalservicename"] = service
        context = dataclasses.replace(context, principal_type="Service", principal_keys={}, service_context=known)
        row = ROWS.get((service.lower(), context.action))
        if row and row[0] is NO_CONDITION:
            document = {"Statement": [statement for statement in _statements(document)
                                      if statement.get("Effect") == "Deny" or not statement.get("Condition")]}
        return evaluate(document, context, service=service, **rest)

    iam_evaluator.evaluate_resource_policy = evaluated


def admits(service, action, resource, source):
    """Whether a resource's own policy, and that of the key it is encrypted with, let a service do that for a source."""
    kind, region = resource.split(":")[2:4]
    with request_scope(ACCOUNT, region):
        if kind == "logs":
            return _group_admits(resource.removesuffix(":*"), source)
        found = iam_evaluator._resource_policy(kind, resource)
        if found is None or not _allowed(found[0], service, action, resource, source):
            return False
        key = key_of(kind, resource)
        return key is None or all(_allowed(key.get("Policy"), service, use, key["Arn"], source)
                                  for use in ("kms:GenerateDataKey", "kms:Decrypt"))


def _group_admits(group, source):
    """EventBridge writes to a log group as two services, and makes the stream without naming a rule ("CloudWatch Logs
    permissions" in eb-use-resource-based)."""
    policies = cloudwatch_logs._resource_policies.values()
    document = {"Statement": [s for policy in policies for s in _statements(policy["policyDocument"])]}
    return all(_allowed(document, service, action, f"{group}:log-stream:eventbridge", source)
               for service in ("events.amazonaws.com", "delivery.logs.amazonaws.com")
               for action in ("logs:CreateLogStream", "logs:PutLogEvents"))


def key_of(kind, resource):
    """The customer's key that a topic or a queue is encrypted with; None where there is none. A key of AWS's own lets no
    service in ("You can't use an AWS managed key": https://repost.aws/knowledge-center/sns-not-getting-eventbridge-notification)."""
    if kind == "sns":
        holder = sns._topic_by_arn_any_scope(resource)
    elif kind == "sqs":
        holder = sqs._queue_by_arn(resource)
    else:
        return None
    named = (holder or {}).get("attributes", {}).get("KmsMasterKeyId")
    if not named:
        return None
    return kms._resolve_key(named) or {"Arn": "*", "Policy": "{}"}


def _allowed(document, service, action, resource, source):
    context = iam_evaluator.EvalContext(
        principal_arn="", principal_type="Service", principal_account="", action=action, resource_arn=resource,
        region=resource.split(":")[3] if resource != "*" else "",
        service_context={ARN: source, OF_ACCOUNT: ACCOUNT, OF_OWNER: ACCOUNT})
    return iam_evaluator.evaluate_resource_policy(document, context, service=service).decision == "Allow"
