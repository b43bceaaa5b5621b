"""A plugin that refuses or normalises records before they are stored."""

import json

from wit_world.exports import validation as contract

from . import batch as rows
from . import values
from .errors import answered
from .lifecycle import Plugin, Running, lifecycle_of, subscription_of


class Validator(Plugin):
    """Implement `validate_event`, `validate_sample` or both. Each row is judged by itself."""

    #: Event types that are shown; a trailing `*` matches a prefix, and `*` alone all. No names, or None: no events.
    event_types = None
    #: Event sources, narrowing the events further. No names: no events. None: any source.
    sources = None
    #: Places within events' `data`, JSON pointers such as `/command_id`: what stands there is in `event.values`, found by the host,
    #: which is much faster than parsing `event.data`.
    places = []
    #: Metric names. No names, or None: no samples.
    metrics = None

    def validate_event(self, event):
        """Call `event.reject`, `event.warn` or `event.replace_data`; nothing for an event that is fine."""

    def validate_sample(self, sample):
        """Call `sample.reject` or `sample.warn`; nothing for a sample that is fine."""


def _compact(value):
    """JSON that is no longer than the host's own: its limits count these bytes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


class _Verdict:
    def __init__(self):
        self.issues, self.rewrites, self.series = [], {}, {}

    def issue(self, row, reject, code, path, message):
        self.issues.append(contract.Issue(row, reject, code, path, message))

    def rewrite(self, row, data, extra):
        found = self.rewrites.setdefault(row, contract.EventRewrite(row, None, None))
        if data is not None:
            found.data_json = _compact(data)
        if extra is not None:
            found.extra_json = _compact(extra)

    def rewrite_series(self, number, context):
        self.series[number] = contract.SeriesRewrite(number, _compact(context))


def export(kind):
    """The exports of a validator: `Lifecycle, Validation = export(MyValidator)`."""

    class Validation:
        def subscribe(self):
            return subscription_of(kind)

        @answered
        def validate_events(self, batch):
            verdict, plugin = _Verdict(), Running.plugin
            for event in rows.events(batch, values.read(kind.places), verdict):
                plugin.validate_event(event)
            return contract.EventVerdict(verdict.issues, list(verdict.rewrites.values()))

        @answered
        def validate_samples(self, batch):
            verdict, plugin = _Verdict(), Running.plugin
            for sample in rows.samples(batch, verdict):
                plugin.validate_sample(sample)
            return contract.SampleVerdict(verdict.issues, list(verdict.series.values()))

    return lifecycle_of(kind), Validation
