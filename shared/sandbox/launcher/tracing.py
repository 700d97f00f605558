"""Carries X-Amzn-Trace-Id from Invoke to the bootstrap, as Lambda does.

The SDK in the bootstrap sends it back with every call, so the trail knows which invocation a call belongs to. MiniStack
passes a trace id on only with active tracing, and then one of its own making.
"""

import contextvars
import secrets
import time

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

_inbound = contextvars.ContextVar("warden_trace", default=None)


def serving(worker):
    """The trace id of the invocation the worker is busy with, or None."""
    return getattr(worker, "warden_trace", None)


def receive(headers):
    """Remembers the trace id of the Invoke request that is being handled."""
    _inbound.set(headers.get("x-amzn-trace-id"))


def apply():
    """Gives every invocation a trace id: the caller's, or a new one."""

    def trace_id(_config, _inbound_header=None):
        return _inbound.get() or f"Root=1-{int(time.time()):08x}-{secrets.token_hex(12)};Sampled=0"

    lambda_svc._xray_trace_id_for_invocation = trace_id

    invoke = lambda_runtime.ProvidedWorker.invoke

    def remembering(self, event, request_id, *, trace_id=None, **rest):
        self.warden_trace = trace_id
        try:
            return invoke(self, event, request_id, trace_id=trace_id, **rest)
        finally:
            self.warden_trace = None

    lambda_runtime.ProvidedWorker.invoke = remembering
