"""Makes requests that AWS would refuse, one fault in each, and says which of them the sandbox does not refuse.

On standard input: {"endpoint", "key", "secret", "services": ["iam", ...], "methods": ["create_role", ...]}: the SDK's
crates, and the methods that the code calls, of which those that are operations are tried. For each operation a request
with every member that its model has is made up. It must be taken but for one member that nobody knows, so that each
fault after it is the only one. On standard output: {"operations": ["iam:CreateRole", ...], "refused": {what: how many},
"taken": [what was not refused], "unbreakable": [patterns that no text breaks]}.
"""

import copy
import http.client
import json
import re
import sys
from itertools import islice
from urllib.parse import parse_qs, quote, urlencode, urlsplit

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.loaders import Loader
from botocore.model import ServiceModel
from botocore.serialize import create_serializer

LOADER = Loader(extra_search_paths=[Loader.BUILTIN_DATA_PATH], include_default_search_paths=False)
# botocore's names of services where they are not the SDK's crate's, and the names that requests are signed for.
MODELS = {"cloudwatchlogs": "logs", "eventbridge": "events", "resourcegroupstagging": "resourcegroupstaggingapi"}
SIGNED_AS = {"cloudwatch": "monitoring", "resourcegroupstaggingapi": "tagging"}
NUMBERS = ("integer", "long", "float", "double")
ARN = "arn:aws:{}:us-east-1:111122223333:{}"

# What a text may be: the first that fits the pattern is taken.
TEXTS = ["a", "1", "A1", "aa", "/", "/a/", "a=", "$LATEST", "f", "aws", "111122223333", "123456", "arn:aws:iam::aws:policy/a",
         "arn:aws:iam::111122223333:role/a", "arn:aws:iam::111122223333:mfa/a", ARN.format("lambda", "function:f"),
         ARN.format("lambda", "function:f:$LATEST"), ARN.format("lambda", "layer:l:1"), ARN.format("lambda", "layer:l"),
         ARN.format("lambda", "code-signing-config:csc-0123456789abcdef0"), ARN.format("kms", "key/a"),
         ARN.format("lambda", "event-source-mapping:01234567-89ab-cdef-0123-456789abcdef"),
         ARN.format("lambda", "capacity-provider:c"),
         ARN.format("secretsmanager", "secret:a"), ARN.format("sqs", "q"), ARN.format("events", "event-bus/b"),
         ARN.format("elasticfilesystem", "access-point/fsap-0123456789abcdef0"), ARN.format("events", "archive/a"),
         ARN.format("lambda", "runtime:" + "0" * 64), "arn:aws:lambda:us-east-1::runtime:" + "0" * 64,
         "01234567-89ab-cdef-0123-456789abcdef", "vpc-0123456789abcdef0", "subnet-0123456789abcdef0", "lambda:a",
         "sg-0123456789abcdef0", "us-east-1", "us-east-1a", "/mnt/a", "0" * 64, "a" * 32, "https://a.b", "s3://a/b",
         "a.b", "a:b", "events:PutEvents", "{}", "rate(1 day)", "subnet-a", "a:9092", "TIMESTAMP", "v1", "lambda:GetLayerVersion", "o-abcdefghij"]


def fits(shape, text):
    limits = shape.metadata
    pattern = limits.get("pattern", r"[\s\S]*")
    for java, python in ((r"\p{L}", "a-zA-Z"), (r"\p{N}", "0-9"), (r"\p{Z}", " "), (r"\p{Print}", " -~")):
        pattern = pattern.replace(java, python)
    return bool(re.fullmatch(pattern, text)) and limits.get("min", 0) <= len(text) <= limits.get("max", len(text))


def sample(shape, within=()):
    """A value with every member that it may have, once on each way down."""
    limits, kind = shape.metadata, shape.type_name
    if kind == "structure":
        members = {name: member for name, member in shape.members.items()
                   if name in shape.required_members or member.name not in within and not ends(member, within)}
        if shape.is_tagged_union:
            members = dict(list(members.items())[:1])
        return {name: sample(member, (*within, shape.name)) for name, member in members.items()}
    if kind == "list":
        one = sample(shape.member, (*within, shape.name))
        return [copy.deepcopy(one) for _ in range(max(1, limits.get("min", 1)))]
    if kind == "map":
        value = sample(shape.value, (*within, shape.name))
        first, least = sample(shape.key), limits.get("min", 1)
        others = (text for text in TEXTS if text != first and fits(shape.key, text))
        return {key: copy.deepcopy(value) for key in [first, *islice(others, max(least, 1) - 1)]}
    if kind == "string":
        if shape.enum:
            return shape.enum[0]
        least = "a" * limits.get("min", 1)
        found = next((text for text in [least, *TEXTS] if fits(shape, text)), None)
        if found is None:
            raise LookupError(f"no text of TEXTS fits {shape.name}: {limits}")
        return found
    if kind == "blob":
        return b"a" * max(1, limits.get("min", 1))
    if kind in NUMBERS:
        return max(1, limits.get("min", 1)) if "max" not in limits or limits["max"] >= 1 else limits["max"]
    return True if kind == "boolean" else 1_700_000_000


def ends(shape, within):
    """Whether a shape is, or is made of, one that we are within."""
    while shape.type_name in ("list", "map"):
        shape = shape.member if shape.type_name == "list" else shape.value
    return shape.name in within


def faults(shape, value, path=(), said=""):
    """Each way to spoil a value: a name for it, what is to be done, and the words of the refusal."""
    kind, limits = shape.type_name, shape.metadata
    if kind == "structure":
        for name, member in shape.members.items():
            if name not in value:
                continue
            place = f"{said}.{name[:1].lower()}{name[1:]}".lstrip(".")
            if name in shape.required_members:
                yield "required members left out", (*path, name), None, (place, "Member must not be null")
            yield from faults(member, value[name], (*path, name), place)
    elif kind == "list":
        yield from faults(shape.member, value[0], (*path, 0), f"{said}.1.member")
    elif kind == "map":
        key = next(iter(value))
        for what, _, wrong, (_, words) in faults(shape.key, key):
            spoilt_keys = {wrong if name == key else name: one for name, one in value.items()}
            yield what.replace(" ", " of keys ", 1), path, spoilt_keys, (said, words)
        yield from faults(shape.value, value[key], (*path, key), f"{said}.member")
    if kind in ("list", "map", "string", "blob"):
        if limits.get("min", 0) > 0:
            short = {"list": [], "map": {}, "string": "a" * (limits["min"] - 1), "blob": b""}[kind]
            yield "lengths too short", path, short, (said, f"length greater than or equal to {limits['min']}")
        # A megabyte says as little of the limit as the request before it.
        if limits.get("max", 1 << 20) < 1 << 20 and kind != "map":
            many = limits["max"] + 1
            long = {"list": lambda: value[:1] * many, "string": lambda: "a" * many, "blob": lambda: b"a" * many}[kind]()
            yield "lengths too long", path, long, (said, f"length less than or equal to {limits['max']}")
    if kind == "string" and shape.enum:
        yield "enums misspelt", path, shape.enum[0] + "x", (said, "enum value set")
    elif kind == "string" and "pattern" in limits:
        tries = [*(f"{value}{more}" for more in "! \n\x07é🦀*<"), "é" * len(value), "", " "]
        wrong = next((text for text in tries if not fits(shape, text)), None)
        if wrong is None:
            yield "patterns that no text breaks", path, limits["pattern"], (said, "")
        else:
            yield "patterns broken", path, wrong, (said, "regular expression pattern")
    if kind in ("integer", "long"):
        yield "numbers that are none", path, "x", (said, f"Member must be of type {kind}")
    if kind in NUMBERS:
        if "min" in limits:
            yield "numbers too small", path, limits["min"] - 1, (said, f"value greater than or equal to {limits['min']}")
        if "max" in limits:
            yield "numbers too large", path, limits["max"] + 1, (said, f"value less than or equal to {limits['max']}")


def spoilt(value, path, wrong):
    value = copy.deepcopy(value)
    if not path:
        return wrong
    place = value
    for step in path[:-1]:
        place = place[step]
    if wrong is None:
        del place[path[-1]]
    else:
        place[path[-1]] = wrong
    return value


class Api:
    """One service at the sandbox's address."""

    def __init__(self, given, service):
        self.signer = SigV4Auth(Credentials(given["key"], given["secret"]), SIGNED_AS.get(service, service), "us-east-1")
        self.endpoint = given["endpoint"]
        self.connection = http.client.HTTPConnection(urlsplit(self.endpoint).netloc)
        versions = LOADER.list_api_versions(service, "service-2")
        self.models = [ServiceModel(LOADER.load_service_model(service, "service-2", version), service)
                       for version in sorted(versions, reverse=True)]

    def operation(self, name):
        return next(model.operation_model(name) for model in self.models if name in model.operation_names)

    def ask(self, operation, value, unheard=False):
        """Sends a request as botocore would; `unheard` adds a member that nobody knows. Status and text."""
        protocol = operation.service_model.metadata["protocol"]
        serializer = create_serializer(protocol, include_validation=False)
        made = serializer.serialize_to_request(value, operation)
        body, query = made["body"], dict(made["query_string"] or {})
        if unheard and protocol == "rest-json" and (not body or operation.input_shape.serialization.get("payload")):
            query["Unheard"] = "of"
        elif unheard and protocol == "smithy-rpc-v2-cbor":
            # A map of fewer than 23 pairs has their number in its first byte (RFC 8949, section 3.1).
            body = bytes([body[0] + 1]) + body[1:] + b"\x67Unheard\x62of"
        elif unheard and isinstance(body, dict):
            body = {**body, "Unheard": "of"}
        elif unheard:
            body = json.dumps({**json.loads(body or b"{}"), "Unheard": "of"}).encode()
        if isinstance(body, dict):
            body = urlencode(body)
        path, _, fixed = made["url_path"].partition("?")
        url = self.endpoint + path
        # botocore's own signer sorts and quotes what it is given.
        pairs = [(name, part) for name, parts in parse_qs(fixed, True).items() for part in parts]
        for name, parts in query.items():
            pairs += [(name, str(part)) for part in (parts if isinstance(parts, list) else [parts])]
        if pairs:
            url += "?" + "&".join(f"{quote(name, safe='-_.~')}={quote(part, safe='-_.~')}" for name, part in pairs)
        request = AWSRequest(method=made["method"], url=url, data=body, headers=made["headers"])
        self.signer.add_auth(request)
        prepared = request.prepare()
        self.connection.request(prepared.method, prepared.url.removeprefix(self.endpoint), prepared.body,
                                dict(prepared.headers))
        answer = self.connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace").replace("&gt;", ">").replace("&lt;", "<")


def another(api, operation, name):
    """Whether the request without that label is another operation's, as GetFunction without a name is ListFunctions."""
    path = re.sub(rf"{{{name}\+?}}", "", operation.http["requestUri"]).rstrip("/")
    others = (model.operation_model(other).http for model in api.models for other in model.operation_names)
    return any(other["method"] == operation.http["method"] and other["requestUri"].rstrip("/") == path
               for other in others)


def called(api, methods):
    """The operations that the SDK's methods of these names stand for."""
    snake = lambda name: re.sub(r"(?<!^)([A-Z])", r"_\1", name).lower()
    names = {name for model in api.models for name in model.operation_names}
    return [api.operation(name) for name in sorted(names) if snake(name) in methods]


def main():
    given = json.load(sys.stdin)
    tried, refused, taken, unbreakable = [], {}, [], set()
    for service in (MODELS.get(crate, crate) for crate in given["services"]):
        api = Api(given, service)
        for operation in called(api, set(given["methods"])):
            tried.append(f"{service}:{operation.name}")
            shape = operation.input_shape
            if shape is None:
                continue
            value = sample(shape)

            def expect(what, place, words, status, text):
                if status in (400, 404) and place in text and words in text:
                    refused[what] = refused.get(what, 0) + 1
                else:
                    taken.append(f"{tried[-1]}: {what} at {place}: {status} {text[:300]}")

            expect("members nobody knows", "1 validation error detected: Value at 'unheard'", "Member is not known",
                   *api.ask(operation, value, unheard=True))
            for what, path, wrong, (place, words) in faults(shape, value):
                member = shape.members[path[0]] if path else None
                if what == "patterns that no text breaks":
                    unbreakable.add(wrong)
                elif len(path) == 1 and member.serialization.get("location") == "uri" and wrong in (None, "", " "):
                    label = member.serialization.get("name", path[0])
                    if not another(api, operation, label):
                        expect(what, "", "", *api.ask(operation, spoilt(value, path, "")))
                else:
                    expect(what, f"Value at '{place}'", words, *api.ask(operation, spoilt(value, path, wrong)))
    json.dump({"operations": tried, "refused": refused, "taken": taken, "unbreakable": sorted(unbreakable)}, sys.stdout)


if __name__ == "__main__":
    main()
