"""A plugin that delivers alerts or routes them on."""

import json

from componentize_py_types import Err
from wit_world.exports import delivery as contract
from wit_world.imports import outbound_http as host

from .errors import answered
from .lifecycle import Plugin, Running, lifecycle_of

duplicate = contract.Outcome_Duplicate
rejected = contract.Outcome_Rejected
forward = contract.Outcome_Forward


def delivered(reference=None):
    """The far side has it; with its reference, if it gave one."""
    return contract.Outcome_Delivered(reference)


def retry(reason, after_seconds=None):
    """To be tried again later."""
    milliseconds = None if after_seconds is None else max(1, round(after_seconds * 1000))
    return contract.Outcome_Retry(contract.Retry(milliseconds, reason))


class HttpFault(Exception):
    """There is no answer: not granted, no connection, too large, out of time."""


# In place of a value that is not given: `None` is one, `null`.
_ABSENT = object()


def _without_references(value):
    """A value as JSON without `${`, which the host would look at: in JSON it only stands within texts, where it can be written otherwise."""
    return json.dumps(value, allow_nan=False).replace("${", "\\u0024{").encode()


def send(method, url, body=b"", headers=None, timeout_seconds=10.0, *, json=_ABSENT):
    """Sends one request to a granted origin, with bytes as `body` (of a text: `text.encode()`) or a value as `json`.

    `${secret:NAME}` in a header or in `body` is replaced by the host, whoever wrote it: what others wrote, such as an alert's texts,
    belongs into `json`, where it arrives as it is; a number in it that is not finite is a `ValueError`. Answers the status, the headers
    and the body, as bytes.
    """
    headers = dict(headers or {})
    if json is not _ABSENT:
        body = _without_references(json)
        if not any(name.lower() == "content-type" for name in headers):
            headers["content-type"] = "application/json"
    lines = [host.Header(name, value) for name, value in headers.items()]
    try:
        answer = host.send(host.Request(method, url, lines, body, round(timeout_seconds * 1000)))
    except Err as error:
        name = type(error.value).__name__.removeprefix("Failure_")
        raise HttpFault(f"{name}: {getattr(error.value, 'value', '')}") from error
    return answer.status, {header.name.lower(): header.value for header in answer.headers}, answer.body


class Sink(Plugin):
    """Implement `deliver`."""

    def deliver(self, alert):
        """Answers what became of an alert: `delivered()`, `retry("why")`, `rejected("why")`, `forward(["receiver"])`.

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
                    found.append(Running.plugin.deliver(alert) or delivered())
                except Exception as error:
                    found.append(retry(f"{type(error).__name__}: {error}"))
            return found

    return lifecycle_of(kind), Delivery
