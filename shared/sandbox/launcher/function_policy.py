"""Resource policies of functions as Lambda keeps them: one per resource, each with a revision of its own.

MiniStack keeps one list of statements for a function and all its versions and aliases. It stays the only store (its
identity check and CloudFormation use it); this module decides which statement belongs to which resource.
API shapes: https://docs.aws.amazon.com/lambda/latest/api/API_AddPermission.html and the pages of RemovePermission,
GetPolicy, PutResourcePolicy, GetResourcePolicy, DeleteResourcePolicy.
"""

import json
from urllib.parse import unquote

from ministack.core.responses import get_account_id, get_region, json_response, new_uuid
from ministack.services import lambda_svc

import principals

LIMIT = 20 * 1024

# Whether a policy that lets the public in is refused (PublicPolicyException). When AWS does so is said nowhere
# (? public-policy): here, when a test asks for it.
refuses_public = False


class Refused(Exception):
    """An error of the Lambda API."""

    def __init__(self, status, code, message):
        super().__init__(message)
        self.response = lambda_svc.error_response_json(code, message, status)


def _answer(operation):
    """Turns a Refused into the response it stands for."""

    def answered(*args, **kwargs):
        try:
            return operation(*args, **kwargs)
        except Refused as refused:
            return refused.response

    return answered


class Policy:
    """The policy of one resource: a function, a version or an alias."""

    def __init__(self, name, qualifier):
        self.arn = lambda_svc._policy_resource_arn(name, qualifier)
        if name not in lambda_svc._functions or lambda_svc._validate_function_qualifier_exists(name, qualifier):
            raise Refused(404, "ResourceNotFoundException", f"Function not found: {self.arn}")
        self.function = lambda_svc._functions[name]

    @property
    def statements(self):
        return [s for s in self.function["policy"]["Statement"] if _owner(s) == self.arn]

    @property
    def document(self):
        frame = self.function.get("policy_frames", {}).get(self.arn, {"Version": "2012-10-17", "Id": "default"})
        return json.dumps({**frame, "Statement": self.statements})

    def _revisions(self):
        # CloudFormation writes statements behind this module's back: a document that is not the one the revisions were
        # made for gets new ones.
        kept = self.function.setdefault("policy_revisions", {}).get(self.arn)
        if kept is None or kept[0] != self.document:
            kept = (self.document, new_uuid(), new_uuid())
            self.function["policy_revisions"][self.arn] = kept
        return kept

    @property
    def revision(self):
        """The lock of AddPermission and RemovePermission, which GetPolicy gives."""
        return self._revisions()[1]

    @property
    def whole_revision(self):
        """The lock of PutResourcePolicy and DeleteResourcePolicy, which GetResourcePolicy gives. Whether it is the same
        is said nowhere (? policy-revisions): here it is not."""
        return self._revisions()[2]

    def existing(self):
        if not self.statements:
            raise Refused(404, "ResourceNotFoundException", "The resource you requested does not exist.")
        return self

    def at(self, revision, current, source="GetPolicy"):
        if revision is not None and (not self.statements or revision != current):
            raise Refused(412, "PreconditionFailedException",
                          "The Revision Id provided does not match the latest Revision Id. Call the "
                          f"{source} API to retrieve the latest Revision Id")
        return self

    def write(self, statements, frame=None):
        kept = {id(s) for s in self.statements}
        others = [s for s in self.function["policy"]["Statement"] if id(s) not in kept]
        before = self.function["policy"]["Statement"], dict(self.function.setdefault("policy_frames", {}))
        self.function["policy"]["Statement"] = others + statements
        if frame is not None:
            self.function["policy_frames"][self.arn] = frame
        if not statements:
            self.function["policy_frames"].pop(self.arn, None)
        if len(self.document.encode()) > LIMIT:
            self.function["policy"]["Statement"], self.function["policy_frames"] = before
            raise Refused(400, "PolicyLengthExceededException", "The final policy size is bigger than the limit (20480).")
        self.function.setdefault("policy_revisions", {})[self.arn] = (self.document, new_uuid(), new_uuid())


def _resources(statement):
    resource = statement.get("Resource")
    return set(resource) if isinstance(resource, list) else {resource}


def _owner(statement):
    """The ARN of the resource whose policy a statement stands in: the one it names, or for patterns over versions and
    aliases, which only the policy of the function itself may hold here, the function."""
    resources = _resources(statement)
    if len(resources) == 1 and "*" not in (only := next(iter(resources)) or ""):
        return only
    return ":".join(next(iter(resources)).split(":")[:7])


def lets_the_public_in(statements):
    """Everybody without a condition, which no reading of "public" leaves out."""
    everybody = lambda principal: principal == "*" or isinstance(principal, dict) and any(
        "*" in (who if isinstance(who, list) else [who]) for who in principal.values())
    return any(s.get("Effect") == "Allow" and everybody(s.get("Principal")) and not s.get("Condition")
               for s in statements)


def _refuse_public(statements):
    if refuses_public and lets_the_public_in(statements):
        raise Refused(400, "PublicPolicyException", "The resource-based policy would grant public access, which isn't allowed.")


def _existing(name):
    """The principal under the name it is shown by, if it is there."""
    try:
        return principals.shown(name)
    except LookupError as missing:
        raise Refused(400, "InvalidParameterValueException",
                      "The provided principal was invalid. Please check the principal and try again.") from missing


def _principal(text):
    if text == "*":
        return "*"
    if text.endswith((".amazonaws.com", ".amazonaws.com.cn", ".amazon.com")):
        return {"Service": text}
    return {"AWS": f"arn:aws:iam::{text}:root" if text.isdigit() else _existing(text)}


def _first(query, name):
    return lambda_svc._qp_first(query or {}, name) or None


@_answer
def get_policy(name, query=None, path_qualifier=None):
    policy = Policy(name, path_qualifier or _first(query, "Qualifier")).existing()
    return json_response({"Policy": policy.document, "RevisionId": policy.revision})


@_answer
def add_permission(name, data, query=None, path_qualifier=None):
    policy = Policy(name, path_qualifier or _first(query, "Qualifier"))
    policy.at(data.get("RevisionId"), policy.revision)
    sid = data.get("StatementId") or new_uuid()
    if any(s.get("Sid") == sid for s in policy.statements):
        raise Refused(409, "ResourceConflictException",
                      f"The statement id ({sid}) provided already exists. Please provide a new statement id, or "
                      "remove the existing statement.")
    statement = {"Sid": sid, "Effect": "Allow", "Principal": _principal(data.get("Principal", "")),
                 "Action": data.get("Action", "lambda:InvokeFunction"), "Resource": policy.arn}
    equals = {key: data[name] for name, key in (
        ("SourceAccount", "AWS:SourceAccount"), ("PrincipalOrgID", "aws:PrincipalOrgID"),
        ("FunctionUrlAuthType", "lambda:FunctionUrlAuthType"), ("EventSourceToken", "lambda:EventSourceToken"),
    ) if name in data}
    condition = {}
    if equals:
        condition["StringEquals"] = equals
    if "SourceArn" in data:
        condition["ArnLike"] = {"AWS:SourceArn": data["SourceArn"]}
    if "InvokedViaFunctionUrl" in data:
        condition["Bool"] = {"lambda:InvokedViaFunctionUrl": str(data["InvokedViaFunctionUrl"]).lower()}
    if condition:
        statement["Condition"] = condition
    _refuse_public([statement])
    policy.write([*policy.statements, statement])
    return json_response({"Statement": json.dumps(statement)}, 201)


@_answer
def remove_permission(name, sid, query=None, path_qualifier=None):
    policy = Policy(name, path_qualifier or _first(query, "Qualifier")).existing()
    left = [s for s in policy.statements if s.get("Sid") != sid]
    if len(left) == len(policy.statements):
        raise Refused(404, "ResourceNotFoundException", f"Statement {sid} is not found in resource policy.")
    policy.at(_first(query, "RevisionId"), policy.revision).write(left)
    return 204, {}, b""


def statement(path, query):
    """The statement that a RemovePermission names, `/2015-03-31/functions/{name}/policy/{sid}`; None if there is none."""
    parts = unquote(path).split("/")
    name, qualifier = lambda_svc._resolve_name_and_qualifier(parts[3])
    try:
        policy = Policy(name, qualifier or _first(query, "Qualifier"))
    except Refused:
        return None
    return next((s for s in policy.statements if s.get("Sid") == parts[5]), None)


def _resource(arn):
    parts = arn.split(":")
    if len(parts) not in (7, 8) or parts[2] != "lambda" or parts[5] != "function" or "*" in arn:
        raise Refused(400, "InvalidParameterValueException", f"{arn} is not the ARN of a Lambda function.")
    if parts[3] != get_region() or parts[4] != get_account_id():
        raise Refused(404, "ResourceNotFoundException", f"Function not found: {arn}")
    return Policy(parts[6], parts[7] if len(parts) == 8 else None)


def _checked(document, arn):
    """The frame and the statements of a document that Lambda would accept for the resource."""

    def invalid(why):
        return Refused(400, "InvalidParameterValueException", f"The provided policy is not valid: {why}")

    if len((document or "").encode()) > LIMIT:
        raise Refused(400, "PolicyLengthExceededException", "The final policy size is bigger than the limit (20480).")
    try:
        parsed = json.loads(document or "")
    except ValueError as error:
        raise invalid("it is not JSON") from error
    if not isinstance(parsed, dict):
        raise invalid("it is not an object")
    statements = parsed.get("Statement")
    statements = [statements] if isinstance(statements, dict) else statements
    if not isinstance(statements, list) or not statements:
        raise invalid("it has no statement")
    if parsed.get("Version", "2012-10-17") not in ("2012-10-17", "2008-10-17"):
        raise invalid("its version is unknown")
    sids = [s.get("Sid") for s in statements if isinstance(s, dict) and s.get("Sid") is not None]
    if len(sids) != len(set(sids)):
        raise invalid("statement ids must be unique")
    for statement in statements:
        if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
            raise invalid("a statement needs an effect")
        if not ({"Principal", "NotPrincipal"} & statement.keys() and {"Action", "NotAction"} & statement.keys()):
            raise invalid("a statement needs a principal and an action")
        unqualified = len(arn.split(":")) == 7
        if not all(r == arn or unqualified and str(r).startswith(arn + ":") for r in _resources(statement)):
            raise invalid(f"the resource of every statement must be {arn}")
        principals.rename_in(statement, _existing)
        if _owner(statement) != arn:
            raise invalid(f"a statement about one version or alias belongs into its own policy")
    return {key: value for key, value in parsed.items() if key != "Statement"}, statements


@_answer
def resource_policy(method, path, data, query):
    """Put, Get and DeleteResourcePolicy: `/2026-07-09/resource-policy/{arn}`."""
    policy = _resource(unquote(path.split("/resource-policy/", 1)[1]))
    if method == "GET":
        policy.existing()
    elif method == "PUT":
        frame, statements = _checked(data.get("Policy"), policy.arn)
        _refuse_public(statements)
        policy.at(data.get("RevisionId"), policy.whole_revision, "GetResourcePolicy").write(statements, frame)
    elif method == "DELETE":
        policy.existing().at(_first(query, "RevisionId"), policy.whole_revision, "GetResourcePolicy").write([])
        return 204, {}, b""
    return json_response({"Policy": policy.document, "RevisionId": policy.whole_revision})


def apply():
    """Puts these operations in MiniStack's place."""
    lambda_svc._get_policy = get_policy
    lambda_svc._add_permission = add_permission
    lambda_svc._remove_permission = remove_permission
