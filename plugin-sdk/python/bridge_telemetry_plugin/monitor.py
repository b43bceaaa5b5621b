"""A plugin that watches what was stored and raises signals."""

import json

from wit_world.exports import monitoring as contract
from wit_world.imports import query as host_query
from wit_world.imports import types

from . import batch as rows
from . import values
from .errors import answered, asked
from .lifecycle import Plugin, Running, lifecycle_of, subscription_of

_SEVERITIES = {
    "info": types.Severity.INFO,
    "warning": types.Severity.WARNING,
    "error": types.Severity.ERROR,
    "critical": types.Severity.CRITICAL,
}


class Signal:
    """A finding. Signals with one key are one alert; `firing=False` resolves it.

    For a key of more than 512 bytes, or with control characters, its beginning with a hash of the whole stands as the alert's. An alert
    has the first 32 labels, and of these what 8 KiB have room for; a name has at most 512 bytes, and of a longer value these are kept.
    """

    def __init__(self, key, summary, timestamp, *, firing=True, severity="warning", value=None, labels=None):
        self.key = key
        self.summary = summary
        self.timestamp = timestamp
        self.firing = firing
        self.severity = severity
        self.value = value
        self.labels = labels or {}


class Monitor(Plugin):
    """Implement `on_event`, `on_sample`, `tick`: each answers signals, or None. Implement `save` and `restore` for what it has to
    remember: after a crash it goes on from there."""

    #: Event types that are shown; a trailing `*` matches a prefix, and `*` alone all. No names, or None: no events.
    event_types = None
    #: Event sources, narrowing the events further. No names: no events. None: any source.
    sources = None
    #: Places within events' `data`, JSON pointers such as `/command_id`: what stands there is in `event.values`, found by the host,
    #: which is much faster than parsing `event.data`.
    places = []
    #: Metric names. No names, or None: no samples.
    metrics = None
    #: Seconds between two calls of `tick`. None: never.
    tick_seconds = None

    def on_event(self, event):
        """Looks at a stored event."""

    def on_sample(self, sample):
        """Looks at a stored sample."""

    def tick(self, now):
        """The only clock there is."""


def get_metrics(**request):
    """Takes and answers what `get_metrics` of the host does, as of the time of the records: `get_metrics(metric_names=["cpu"])`."""
    return json.loads(asked(host_query.get_metrics, json.dumps(request)))


def _signals(answers):
    found = []
    for answer in answers:
        if answer is None:
            continue
        found.extend([answer] if isinstance(answer, Signal) else answer)
    return [
        contract.Signal(
            signal.key,
            signal.firing,
            _SEVERITIES[signal.severity],
            signal.summary,
            None if signal.value is None else float(signal.value),
            signal.timestamp,
            [types.Label(name, str(value)) for name, value in signal.labels.items()],
        )
        for signal in found
    ]


def export(kind):
    """The exports of a monitor: `Lifecycle, Monitoring = export(MyMonitor)`."""

    class Monitoring:
        def subscribe(self):
            return subscription_of(kind)

        @answered
        def on_events(self, batch):
            return _signals([Running.plugin.on_event(event) for event in rows.events(batch, values.read(kind.places))])

        @answered
        def on_samples(self, batch):
            return _signals([Running.plugin.on_sample(sample) for sample in rows.samples(batch)])

        @answered
        def tick(self, now):
            return _signals([Running.plugin.tick(now)])

    return lifecycle_of(kind), Monitoring
