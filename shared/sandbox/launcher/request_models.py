"""Requests as AWS takes them: each is held against botocore's model of its API before MiniStack sees it.

It is so before anybody looks at the signature. botocore's own check knows no patterns and no enums, and MiniStack checks
little of the rest. Refused are: a member that is required and absent, one that the operation does not have, another
type, a length, a number or a pattern that does not fit, and a word that an enum does not have. Services whose requests
go unread (S3's are XML) are left to MiniStack.

The refusal is in AWS's words, which name member and constraint ("1 validation error detected: Value at 'functionName'
failed to satisfy constraint: Member must not be null"). AWS shows the value too unless it is marked as sensitive; here
none is shown, nor a map's key, since any of them may be a secret.
"""

import base64
import functools
import json
import re
import uuid
from urllib.parse import parse_qs, unquote
from xml.sax.saxutils import escape

from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.parsers import RpcV2CBORParser

# Services by the name in a signature's scope, and what each calls a request that does not fit.
SERVICES = {
    "cloudformation": ("cloudformation", "ValidationError"),
    "cloudtrail": ("cloudtrail", "ValidationException"),
    "dynamodb": ("dynamodb", "ValidationException"),
    "events": ("events", "ValidationException"),
    "iam": ("iam", "ValidationError"),
    "kms": ("kms", "ValidationException"),
    "lambda": ("lambda", "ValidationException"),
    "logs": ("logs", "InvalidParameterException"),
    "monitoring": ("cloudwatch", "ValidationError"),
    "secretsmanager": ("secretsmanager", "ValidationException"),
    "sns": ("sns", "InvalidParameter"),
    "sqs": ("sqs", "InvalidParameterValue"),
    "sts": ("sts", "ValidationError"),
    "tagging": ("resourcegroupstaggingapi", "InvalidParameterException"),
}

# What Java's patterns have and Python's do not. `\\w` is letters, numbers and the underscore, which is a member of every
# class that has the two. The separators are all there are (Unicode 15, DerivedGeneralCategory.txt).
JAVA = {r"\p{L}": r"\w", r"\p{N}": r"\w", r"\p{Print}": r"\x20-\x7e",
        r"\p{Z}": r" \xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000",
        r"\uD800\uDC00-\uDBFF\uDFFF": r"\U00010000-\U0010ffff", r"\w-_": r"\w\-_"}


class Unreadable(Exception):
    """A request whose operation or body cannot be read; the text is the error's code."""


class Unmodelled(Exception):
    """A request in a form that the model does not describe: it is left to MiniStack."""


@functools.cache
def _models(service):
    """The models of every version of a service's API, the newest first. botocore's own data alone, whatever else lies
    in the user's ~/.aws/models."""
    loader = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
    versions = sorted(loader.list_api_versions(service, "service-2"), reverse=True)
    return [ServiceModel(loader.load_service_model(service, "service-2", version), service) for version in versions]


@functools.cache
def _operation(service, name):
    for model in _models(service):
        if name in model.operation_names:
            return model.operation_model(name)
    raise Unreadable("UnknownOperationException")


@functools.cache
def _routes(service):
    """Method, pattern of the path, query and operation of every REST operation; the ones with more of a path first."""
    routes = []
    for model in _models(service):
        for name in model.operation_names:
            operation = model.operation_model(name)
            path, _, query = operation.http["requestUri"].partition("?")
            pattern = re.sub(r"\\{(\w+)(\\\+)?\\}", lambda label: f"(?P<{label[1]}>{'.+' if label[2] else '[^/]+'})",
                             re.escape(path.strip("/")))
            literal = path.count("/") - path.count("{")
            routes.append((-literal, not query, operation.http["method"], re.compile(pattern), parse_qs(query, True),
                           operation))
    return sorted(routes, key=lambda route: route[:2])


@functools.cache
def _pattern(text):
    # Java's \\w, \\d and \\s know ASCII alone.
    flags = 0 if r"\p{" in text else re.ASCII
    for java, python in JAVA.items():
        text = text.replace(java, python)
    return re.compile(text, flags)


# ---- what a request says

def _routed(service, method, path, query, headers, body):
    for _, _, verb, pattern, wanted, operation in _routes(service):
        found = pattern.fullmatch(path.strip("/"))
        if found and verb == method and all(query.get(name) == value for name, value in wanted.items()):
            labels = {name: unquote(value) for name, value in found.groupdict().items()}
            rest = {name: values for name, values in query.items() if name not in wanted}
            return operation, _rest(operation.input_shape, labels, rest, headers, body)
    raise Unreadable("UnknownOperationException")


def _rest(shape, labels, query, headers, body):
    """The members of a request whose path, query, headers and body carry some each."""
    given, bodily = {}, {}
    payload = shape and shape.serialization.get("payload")
    for name, member in (shape.members if shape else {}).items():
        place, key = member.serialization.get("location"), member.serialization.get("name", name)
        if place == "uri" and key in labels:
            given[name] = _scalar(member, labels[key])
        elif place == "querystring" and key in query:
            values = query.pop(key)
            given[name] = ([_scalar(member.member, value) for value in values] if member.type_name == "list"
                           else _scalar(member, values[0]))
        elif place == "header" and key.lower() in headers:
            given[name] = _scalar(member, headers[key.lower()])
        elif place is None and name != payload:
            bodily[key] = name
    given.update({name: values for name, values in query.items() if not name.lower().startswith("x-amz-")})
    if payload:
        if body:
            given[payload] = body if shape.members[payload].type_name == "blob" else _json(body)
    elif body:
        given.update({bodily.get(key, key): value for key, value in _json(body).items()})
    return given


def _json(body):
    try:
        found = json.loads(body or b"{}")
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise Unreadable("SerializationException")
    return found


def _scalar(shape, text):
    """A value of a form, a query or a header; its text where it is none of the type."""
    kind = shape.type_name
    if kind in ("integer", "long") and re.fullmatch(r"[+-]?\d+", text):
        return int(text)
    if kind in ("float", "double") and re.fullmatch(r"[+-]?\d+(\.\d*)?([eE][+-]?\d+)?", text):
        return float(text)
    return {"true": True, "false": False}.get(text.lower(), text) if kind == "boolean" else text


class Form:
    """The parameters of the query protocol, which numbers the members of lists and maps
    (https://smithy.io/2.0/aws/protocols/aws-query-protocol.html)."""

    def __init__(self, pairs):
        self.left = dict(pairs)

    def has(self, name):
        return name in self.left or any(key.startswith(f"{name}.") for key in self.left)

    def read(self, shape, prefix):
        if shape.type_name == "structure":
            given = {}
            for name, member in shape.members.items():
                key = self.name(member, ".".join(filter(None, (prefix, member.serialization.get("name", name)))))
                if self.has(key):
                    given[name] = self.read(member, key)
            return given
        if shape.type_name == "list":
            if not shape.serialization.get("flattened"):
                prefix = f"{prefix}.{shape.member.serialization.get('name', 'member')}"
            return [self.read(shape.member, place) for place in self.numbered(prefix)]
        if shape.type_name == "map":
            places = self.numbered(prefix if shape.serialization.get("flattened") else f"{prefix}.entry")
            key, value = (part.serialization.get("name", default)
                          for part, default in ((shape.key, "key"), (shape.value, "value")))
            return {self.read(shape.key, f"{place}.{key}"): self.read(shape.value, f"{place}.{value}")
                    for place in places}
        text = self.left.pop(prefix, None)
        return None if text is None else _scalar(shape, text)

    @staticmethod
    def name(member, key):
        """The key of a flattened list is the name of its members, where they have one."""
        named = member.type_name == "list" and member.serialization.get("flattened") and \
            member.member.serialization.get("name")
        return ".".join(key.split(".")[:-1] + [named]) if named else key

    def numbered(self, prefix):
        # An empty list is written as its name with no value.
        self.left = {key: value for key, value in self.left.items() if value or key != prefix.rpartition(".")[0]}
        number = 1
        while self.has(f"{prefix}.{number}"):
            yield f"{prefix}.{number}"
            number += 1


def _form(service, body):
    if "query" not in _models(service)[0].metadata["protocols"]:
        # SQS takes forms from old clients, and its model has no word of them any more.
        raise Unmodelled
    pairs = {name: values[0] for name, values in parse_qs(body.decode("utf-8", "replace"), True).items()}
    operation = _operation(service, pairs.pop("Action", ""))
    pairs.pop("Version", None)
    form = Form(pairs)
    given = form.read(operation.input_shape, "") if operation.input_shape else {}
    return operation, {**given, **form.left}


def _cbor(service, path, body):
    operation = _operation(service, path.rpartition("/operation/")[2])
    reader = RpcV2CBORParser()
    try:
        return operation, reader.parse_data_item(reader.get_peekable_stream_from_bytes(body)) if body else {}
    except Exception as error:
        raise Unreadable("SerializationException") from error


def read(service, method, path, query, headers, body):
    """The operation of a request and its members, whatever the protocol."""
    if "x-amz-target" in headers:
        prefix, _, name = headers["x-amz-target"].rpartition(".")
        operation = _operation(service, name)
        # CloudTrail takes its service's name with and without the namespace: botocore sends the one, the Rust SDK, which
        # knows Smithy's model alone, the other (https://smithy.io/2.0/aws/protocols/aws-json-1_1-protocol.html).
        known = operation.metadata.get("targetPrefix", "")
        if prefix not in (known, known.rpartition(".")[2]):
            raise Unreadable("UnknownOperationException")
        return operation, _json(body)
    if headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        return _form(service, body)
    if "/operation/" in path:
        return _cbor(service, path, body)
    return _routed(service, method, path, query, headers, body)


# ---- what is wrong with it

TYPES = {"string": str, "character": str, "structure": dict, "map": dict, "list": list, "boolean": bool,
         "integer": int, "long": int, "float": (int, float), "double": (int, float)}


def problems(shape, value, path=""):
    """What of a value does not fit its shape: where, and the constraint, in AWS's words."""
    kind, limits = shape.type_name, shape.metadata
    if kind == "blob":
        value = _bytes(value)
    if not isinstance(value, TYPES.get(kind, object)) or value is None or \
            isinstance(value, bool) and kind != "boolean":
        yield path, f"Member must be of type {kind}"
        return
    sized = kind in ("string", "blob", "list", "map")
    for name, wrong, words in (("min", lambda size, limit: size < limit, "greater"),
                               ("max", lambda size, limit: size > limit, "less")):
        if name in limits and kind != "structure" and wrong(len(value) if sized else value, limits[name]):
            what = "length" if sized else "value"
            yield path, f"Member must have {what} {words} than or equal to {limits[name]}"
    if kind == "string":
        if "pattern" in limits and not _pattern(limits["pattern"]).fullmatch(value):
            yield path, f"Member must satisfy regular expression pattern: {limits['pattern']}"
        if "enum" in limits and value not in limits["enum"]:
            yield path, f"Member must satisfy enum value set: [{', '.join(limits['enum'])}]"
    elif kind == "list":
        for number, element in enumerate(value, 1):
            yield from problems(shape.member, element, f"{path}.{number}.member")
    elif kind == "map":
        for key, element in value.items():
            for _, constraint in problems(shape.key, key):
                yield path, f"Map keys must satisfy constraint: [{constraint}]"
            yield from problems(shape.value, element, f"{path}.member")
    elif kind == "structure" and not shape.is_document_type:
        yield from _members(shape, value, f"{path}." if path else "")


def _members(shape, given, prefix):
    given = {name: value for name, value in given.items() if value is not None}
    place = lambda name: f"{prefix}{name[:1].lower()}{name[1:]}"
    for name in shape.required_members:
        if name not in given:
            yield place(name), "Member must not be null"
    if shape.is_tagged_union and len(given) != 1:
        yield prefix.rstrip("."), "Member must have exactly one of its members set"
    for name, value in given.items():
        if name in shape.members:
            yield from problems(shape.members[name], value, place(name))
        else:
            yield place(name), "Member is not known"


def _bytes(value):
    """A blob, which JSON and forms carry in base64; None where it is none."""
    if isinstance(value, str):
        try:
            return base64.b64decode(value, validate=True)
        except ValueError:
            return None
    return value if isinstance(value, (bytes, bytearray)) else None


# ---- the refusal

def refusal(service, cbor, code, message):
    """Status, headers and body of an error, in the service's own form."""
    headers, protocol = {"x-amzn-requestid": str(uuid.uuid4())}, _models(SERVICES[service][0])[0].metadata["protocol"]
    if cbor:
        text = lambda words: b"\x79" + len(words.encode()).to_bytes(2, "big") + words.encode()
        headers |= {"content-type": "application/cbor", "smithy-protocol": "rpc-v2-cbor"}
        return headers, b"\xa2" + b"".join(map(text, ("__type", code, "message", message)))
    if protocol == "query":
        body = (f"<ErrorResponse><Error><Type>Sender</Type><Code>{code}</Code><Message>{escape(message)}</Message>"
                f"</Error><RequestId>{headers['x-amzn-requestid']}</RequestId></ErrorResponse>")
        return headers | {"content-type": "text/xml"}, body.encode()
    headers |= {"content-type": "application/json", "x-amzn-errortype": code}
    return headers, json.dumps({"__type": code, "message": message}).encode()


def judge(service, method, path, query, headers, body):
    """The error's code and message for a request that AWS would refuse; None for one that fits."""
    name, code = SERVICES[service]
    try:
        operation, given = read(name, method, path, query, headers, body)
    except Unmodelled:
        return None
    except Unreadable as unreadable:
        return str(unreadable), "The request names no operation of this API, or its body cannot be read."
    if operation.input_shape is None:
        found = [(member, "Member is not known") for member in given]
    else:
        found = list(problems(operation.input_shape, given))
    if not found:
        return None
    listed = "; ".join(f"Value at '{place}' failed to satisfy constraint: {constraint}" for place, constraint in found)
    return code, f"{len(found)} validation error{'s'[:len(found) > 1]} detected: {listed}"


def checked(app):
    """The ASGI application that refuses what does not fit and leaves everything else to MiniStack."""

    async def answered(scope, receive, send):
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope.get("headers") or ()}
        signed = re.search(r"Credential=[^/]+/\d+/[^/]*/([^/]+)/aws4_request", headers.get("authorization", ""))
        # A function's URL is signed for Lambda too and is no request of its API; nor are MiniStack's own addresses, such
        # as those of packages of code.
        other = ".lambda-url." in headers.get("host", "") or scope["path"].startswith("/_")
        if not signed or signed[1] not in SERVICES or other:
            await app(scope, receive, send)
            return
        parts, more = [], True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                return
            parts.append(message.get("body", b""))
            more = message.get("more_body", False)
        body = b"".join(parts)
        query = parse_qs(scope["query_string"].decode("latin-1"), True)
        wrong = judge(signed[1], scope["method"], scope["raw_path"].decode("latin-1").partition("?")[0], query, headers,
                      body)
        if wrong:
            answer, text = refusal(signed[1], headers.get("smithy-protocol") == "rpc-v2-cbor", *wrong)
            status = 404 if wrong[0] == "UnknownOperationException" else 400
            await send({"type": "http.response.start", "status": status,
                        "headers": [(name.encode(), value.encode()) for name, value in answer.items()]})
            await send({"type": "http.response.body", "body": text})
            return
        whole = iter([{"type": "http.request", "body": body, "more_body": False}])

        async def again():
            return next(whole, None) or await receive()

        await app(scope, again, send)

    return answered
