"""A plugin that delivers alerts or routes them on."""

import json

from componentize_py_types import Err
from wit_world.exports import delivery as contract
from wit_world.imports import outbound_http as host

from .errors import answered
from .lifecycle import Plugin, Running, lifecycle_of

delivered = contract.Outcome_Delivered
duplicate = contract.Outcome_Duplicate
rejected = contract.Outcome_Rejected
forward = contract.Outcome_Forward


def retry(reason, after_seconds=None):
    """To be tried again later."""
    milliseconds = None if after_seconds is None else max(1, round(after_seconds * 1000))
    return contract.Outcome_Retry(contract.Retry(milliseconds, reason))


class HttpFault(Exception):
    """There is no answer: not granted, no connection, too large, out of time."""


def send(method, url, body=b"", headers=None, timeout_seconds=10.0):
    """Sends one request to a granted origin; `${secret:NAME}` in a header or the body is replaced by the host.

    Answers the status, the headers and the body.
    """
    lines = [host.Header(name, value) for name, value in (headers or {}).items()]
    try:
        answer = host.send(host.Request(method, url, lines, body, round(timeout_seconds * 1000)))
    except Err as error:
        name = type(error.value).__name__.removeprefix("Failure_")
        raise HttpFault(f"{name}: {getattr(error.value, 'value', '')}") from error
    return answer.status, {header.name.lower(): header.value for header in answer.headers}, answer.body


class Sink(Plugin):
    """Implement `deliver`."""

    def deliver(self, alert):
        """Answers what became of an alert: `delivered(None)`, `retry("why")`, `rejected("why")`, `forward(["receiver"])`.

        `alert` is the alert's JSON with `idempotency_key` and `attempt` besides.
        """
        raise NotImplementedError


def export(kind):
    """The exports of a sink: `Lifecycle, Delivery = export(MySink)`."""

    class Delivery:
        @answered
        def deliver(self, alerts, deadline_milliseconds):
            found = []
            for given in alerts:
                alert = json.loads(given.alert_json)
                alert.update(idempotency_key=given.idempotency_key, attempt=given.attempt)
                try:
                    found.append(Running.plugin.deliver(alert) or delivered(None))
                except Exception as error:
                    found.append(retry(f"{type(error).__name__}: {error}"))
            return found

    return lifecycle_of(kind), Delivery
