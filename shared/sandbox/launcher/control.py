"""What the trail asks of the launcher, under `/_warden/` beside MiniStack's own paths.

GET  /_warden/caller?key=AKIA...      the principal behind an access key, as CloudTrail's userIdentity needs it
POST /_warden/session?role=&name=     credentials of a session of a role, whatever its trust policy says
GET  /_warden/busy                    how many invocations are running, or to come
GET  /_warden/waiting?within=         how many messages start functions within so many seconds
GET  /_warden/process?trace=          the pid of the bootstrap serving that trace
POST /_warden/kill?trace=&function=   kills the bootstraps serving that trace, or running that function
GET  /_warden/admits?resource=&action=&source=    does the resource's policy let EventBridge do that for that rule
POST /_warden/set?name=number&...      sets what `settings.py` has
POST /_warden/refuse_public?on=       whether policies of functions that let the public in are refused from now on
POST /_warden/given_up                sends what a function failed on for good where it has it sent; who took it
"""

import json
import os
import signal
import time
import uuid
from urllib.parse import parse_qs

from ministack.core import iam_evaluator, lambda_runtime
from ministack.core.responses import request_scope
from ministack.services import iam, lambda_svc, sts

import async_failures
import function_policy
import queues
import service_principals
import settings
import tracing

ACCOUNT = os.environ["MINISTACK_ACCOUNT_ID"]


def beside(app):
    """The ASGI application that answers `/_warden/` itself and leaves everything else to MiniStack."""

    async def both(scope, receive, send):
        if scope["type"] != "http" or not scope["path"].startswith("/_warden/"):
            await app(scope, receive, send)
            return
        query = {name: values[0] for name, values in parse_qs(scope["query_string"].decode()).items()}
        query |= json.loads(await _body(receive) or b"{}")
        answer = ANSWERS.get(scope["path"].removeprefix("/_warden/"))
        body = json.dumps(answer(**query) if answer else None).encode()
        await send({"type": "http.response.start", "status": 200 if answer else 404,
                    "headers": [(b"content-type", b"application/json")]})
        await send({"type": "http.response.body", "body": body})

    return both


async def _body(receive):
    """All of a request's body."""
    parts, more = [], True
    while more:
        message = await receive()
        parts.append(message.get("body", b""))
        more = message.get("more_body", False)
    return b"".join(parts)


def _role(name):
    role = iam._roles.get_scoped(ACCOUNT, None, name)
    return role and {"arn": role["Arn"], "principalId": role["RoleId"], "userName": role["RoleName"]}


def caller(key):
    """The principal behind an access key; None for a key nobody has."""
    credential = iam_evaluator.resolve_credential(key, ACCOUNT)
    if isinstance(credential, iam_evaluator.CredentialResolutionError):
        return None
    session = sts._sessions.get(key) or {}
    found = {"type": credential.principal_type, "arn": credential.principal_arn, "account": credential.account_id,
             "principalId": credential.principal_id, "userName": credential.principal_name,
             "created": session.get("IssuedAt"), "sourceIdentity": session.get("SourceIdentity")}
    if credential.principal_type == "AssumedRole":
        _, role_name, session_name = credential.principal_arn.split("/", 2)
        found["issuer"] = _role(role_name)
        if found["issuer"]:
            # MiniStack's own sessions for functions carry the role's name where AWS has its id.
            found["principalId"] = f"{found['issuer']['principalId']}:{session_name}"
    return found


def session(role, name):
    """Registers a session of the role (an ARN) and returns its credentials; None when there is no such role."""
    role_name = role.rsplit("/", 1)[-1]
    known = _role(role_name)
    if known is None or known["arn"] != role:
        return None
    key, secret, token = "ASIA" + uuid.uuid4().hex[:16].upper(), uuid.uuid4().hex, uuid.uuid4().hex
    sts.register_session(key, {
        "Arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/{role_name}/{name}", "UserId": f"{known['principalId']}:{name}",
        "SecretAccessKey": secret, "SessionToken": token, "AccountId": ACCOUNT, "PrincipalType": "AssumedRole",
        "Expiration": time.time() + 12 * 3600})
    return {"accessKeyId": key, "secretAccessKey": secret, "sessionToken": token}


def busy():
    """The number of invocations that are running now, and of events that Lambda has taken and is not done with."""
    return lambda_svc.executions_in_flight()[0] + async_failures.under_way()


def _bootstraps(trace=None, function=None):
    """The pids of the bootstraps that serve an invocation of that trace, or any of that function."""
    with lambda_runtime._lock:
        workers = [worker for pool in lambda_runtime._workers.values() for worker in pool]
    for worker in workers:
        chosen = (trace and trace in (tracing.serving(worker) or "")) or (function and worker.func_name == function)
        process = worker._proc
        if chosen and process is not None and process.poll() is None:
            yield process.pid


def process(trace):
    """The pid of the bootstrap that serves an invocation of that trace; None where there is none."""
    return next(_bootstraps(trace), None)


def kill(trace=None, function=None):
    """Kills the bootstraps that serve an invocation of that trace, or any of that function; returns their pids."""
    killed = list(_bootstraps(trace, function))
    for pid in killed:
        os.kill(pid, signal.SIGKILL)
    return killed


def admits(resource, action, source):
    """Whether a resource's own policy lets EventBridge do that to it for the rule `source`."""
    return service_principals.admits("events.amazonaws.com", action, resource, source)


def refuse_public(on):
    """Sets whether policies of functions that let the public in are refused."""
    function_policy.refuses_public = on == "true"


ANSWERS = {"caller": caller, "session": session, "busy": busy, "waiting": queues.waiting, "process": process, "kill": kill,
           "admits": admits, "given_up": async_failures.given_up, "refuse_public": refuse_public, "set": settings.put}
