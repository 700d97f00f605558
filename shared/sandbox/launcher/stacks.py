"""Stacks as CloudFormation creates, rolls back and deletes them, where MiniStack is kinder.

Each function is tried by a test in `shared/sandbox/tests/corrections/stacks.rs`.
"""

import json

from ministack.core.responses import get_account_id, get_region
from ministack.services import (cloudwatch, cloudwatch_logs, dynamodb, eventbridge, iam, lambda_svc, sns, sqs)
from ministack.services.cloudformation import changesets, engine, handlers, helpers, provisioners, stacks


def apply():
    """All of them."""
    unknown_parameters()
    pseudo_parameters_in_conditions()
    taken_names()
    protected_tables()
    topics()
    policies_of_buses()
    code_that_is_not_there()
    failed_creations()


def unknown_parameters():
    """A parameter that the template does not have is refused, where MiniStack leaves it aside."""
    resolve = engine._resolve_parameters

    def resolved(template, provided, *previous):
        unknown = sorted({given["Key"] for given in provided if "Key" in given} - template.get("Parameters", {}).keys())
        if unknown:
            raise ValueError(f"Parameters: [{', '.join(unknown)}] do not exist in the template")
        return resolve(template, provided, *previous)

    for module in (engine, handlers, changesets):
        module._resolve_parameters = resolved


def pseudo_parameters_in_conditions():
    """AWS::Region and the like in the template's conditions."""
    evaluate = engine._evaluate_conditions

    def evaluated(template, params):
        pseudo = {"AWS::Region": get_region(), "AWS::AccountId": get_account_id(), "AWS::Partition": "aws"}
        return evaluate(template, {**{name: {"Value": value} for name, value in pseudo.items()}, **params})

    for module in (engine, handlers, changesets, stacks, provisioners):
        if hasattr(module, "_evaluate_conditions"):
            module._evaluate_conditions = evaluated


def _policy_arn(name, props):
    return f"arn:aws:iam::{get_account_id()}:policy{props.get('Path', '/')}{name}"


# What a template may name itself: the property with the name, and whether that is taken.
NAMED = {
    "AWS::CloudWatch::Alarm": ("AlarmName", lambda name, _: name in cloudwatch._alarms),
    "AWS::DynamoDB::Table": ("TableName", lambda name, _: name in dynamodb._tables),
    "AWS::Events::Rule": ("Name", lambda name, props:
                          eventbridge._rule_key(name, provisioners._eb_rule_bus_name(props)) in eventbridge._rules),
    "AWS::IAM::ManagedPolicy": ("ManagedPolicyName", lambda name, props: _policy_arn(name, props) in iam._policies),
    "AWS::IAM::Role": ("RoleName", lambda name, _: name in iam._roles),
    "AWS::Lambda::Function": ("FunctionName", lambda name, _: name in lambda_svc._functions),
    "AWS::Logs::LogGroup": ("LogGroupName", lambda name, _: name in cloudwatch_logs._log_groups),
    "AWS::Logs::ResourcePolicy": ("PolicyName", lambda name, _: name in cloudwatch_logs._resource_policies),
    "AWS::SNS::Topic": ("TopicName", lambda name, _: any(topic["name"] == name for topic in sns._topics.values())),
    "AWS::SQS::Queue": ("QueueName", lambda name, _: any(queue["name"] == name for queue in sqs._queues.values())),
}


def taken_names():
    """A resource of a name that is taken cannot be created: MiniStack puts an empty one in its place."""
    provision = stacks._provision_resource

    def provisioned(kind, logical_id, props, stack_name):
        named, taken = NAMED.get(kind, (None, None))
        if props.get(named) and taken(props[named], props):
            raise ValueError(f"Resource of type '{kind}' with identifier '{props[named]}' already exists. "
                             "(HandlerErrorCode: AlreadyExists)")
        return provision(kind, logical_id, props, stack_name)

    stacks._provision_resource = provisioned


def protected_tables():
    """A stack cannot delete a table whose deletion protection is on, nobody can."""
    delete = provisioners._ddb_delete

    def deleted(name, props):
        if (dynamodb._tables.get(name) or {}).get("DeletionProtectionEnabled"):
            raise ValueError("Resource cannot be deleted as it is currently protected against deletion. "
                             "Disable deletion protection first.")
        delete(name, props)

    provisioners._ddb_delete = provisioners._RESOURCE_HANDLERS["AWS::DynamoDB::Table"]["delete"] = deleted


def topics():
    """A topic has the key that its template names, and at first a policy that lets its owner in and no service: MiniStack
    drops the one and lets everybody in."""
    handler = provisioners._RESOURCE_HANDLERS["AWS::SNS::Topic"]
    create, update = handler["create"], handler["update"]

    def created(logical_id, props, stack_name):
        answer = create(logical_id, props, stack_name)
        attributes = sns._topics[answer[0]]["attributes"]
        policy = json.loads(attributes["Policy"])
        policy["Statement"][0]["Condition"] = {"StringEquals": {"AWS:SourceOwner": get_account_id()}}
        attributes["Policy"] = json.dumps(policy)
        return keyed(answer, props)

    def updated(physical_id, old_props, new_props, *rest, **named):
        return keyed(update(physical_id, old_props, new_props, *rest, **named), new_props)

    def keyed(answer, props):
        attributes = sns._topics[answer[0]]["attributes"]
        attributes.pop("KmsMasterKeyId", None)
        if props.get("KmsMasterKeyId"):
            attributes["KmsMasterKeyId"] = props["KmsMasterKeyId"]
        return answer

    handler["create"], handler["update"] = created, updated


def policies_of_buses():
    """AWS::Events::EventBusPolicy with a Statement, which MiniStack does not know. Each is one statement of the bus's
    policy, under its StatementId; a bus that is not there, or a statement that is none, is refused."""

    def statement(props):
        bus, statement = props["EventBusName"], props["Statement"]
        if bus not in eventbridge._event_buses:
            raise ValueError(f"Event bus {bus} does not exist. (HandlerErrorCode: NotFound)")
        missing = sorted({"Effect", "Principal", "Action", "Resource"} - statement.keys())
        own = eventbridge._event_buses[bus]["Arn"]
        if missing or statement["Resource"] not in (own, [own]):
            raise ValueError(f"Policy is not valid: {', '.join(missing) or 'its resource is not the bus'}. "
                             "(HandlerErrorCode: InvalidRequest)")
        return bus, {"Sid": props["StatementId"], **statement}

    def create(logical_id, props, stack_name):
        bus, made = statement(props)
        policy = eventbridge._event_bus_policies.get(bus) or {"Version": "2012-10-17", "Statement": []}
        others = [other for other in policy["Statement"] if other.get("Sid") != made["Sid"]]
        eventbridge._event_bus_policies[bus] = {**policy, "Statement": [*others, made]}
        return f"{bus}|{made['Sid']}", {}

    def update(physical_id, old_props, new_props, stack_name=None):
        delete(physical_id, old_props)
        return create(None, new_props, stack_name)

    def delete(physical_id, props):
        bus, _, sid = physical_id.partition("|")
        policy = eventbridge._event_bus_policies.get(bus)
        if policy:
            left = [other for other in policy["Statement"] if other.get("Sid") != sid]
            eventbridge._event_bus_policies[bus] = {**policy, "Statement": left}

    provisioners._RESOURCE_HANDLERS["AWS::Events::EventBusPolicy"] = {
        "create": create, "update": update, "delete": delete}


NO_SUCH_KEY = ("Error occurred while GetObject. S3 Error Code: NoSuchKey. S3 Error Message: "
               "The specified key does not exist.")


def code_that_is_not_there():
    """A function or a layer whose object is not in the bucket cannot be made, by a stack or by a call."""

    def missing(code):
        key = code and code.get("S3Key")
        return key and lambda_svc._fetch_code_from_s3(code["S3Bucket"], key, code.get("S3ObjectVersion")) is None

    for kind, where in (("AWS::Lambda::Function", "Code"), ("AWS::Lambda::LayerVersion", "Content")):
        handler = provisioners._RESOURCE_HANDLERS[kind]

        def created(logical_id, props, stack_name, create=handler["create"], where=where):
            if missing(props.get(where)):
                raise ValueError(NO_SUCH_KEY)
            return create(logical_id, props, stack_name)

        handler["create"] = created

    create_function, publish_layer = lambda_svc._create_function, lambda_svc._publish_layer_version

    def function(data):
        if missing(data.get("Code")):
            return lambda_svc.error_response_json("InvalidParameterValueException", NO_SUCH_KEY, 400)
        return create_function(data)

    def layer(name, data):
        if missing(data.get("Content")):
            return lambda_svc.error_response_json("InvalidParameterValueException", NO_SUCH_KEY, 400)
        return publish_layer(name, data)

    lambda_svc._create_function, lambda_svc._publish_layer_version = function, layer


def failed_creations():
    """A stack whose creation was rolled back keeps its name until it is deleted."""

    def unless_failed(action, code, message):
        handle = handlers._ACTION_HANDLERS[action]

        def handled(params):
            name = helpers._p(params, "StackName")
            stack = handlers._resolve_stack(name)
            if stack and stack.get("StackStatus") == "ROLLBACK_COMPLETE":
                return helpers._error(code, message.format(name=name, id=stack["StackId"]))
            return handle(params)

        handlers._ACTION_HANDLERS[action] = handled

    unless_failed("CreateStack", "AlreadyExistsException", "Stack [{name}] already exists")
    unless_failed("CreateChangeSet", "ValidationError",
                  "Stack:{id} is in ROLLBACK_COMPLETE state and can not be updated.")
