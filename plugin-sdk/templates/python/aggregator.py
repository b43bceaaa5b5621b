"""Adds `{{function}}(factor=1)` to queries: the distance from the least to the greatest sample."""

from bridge_telemetry_plugin.aggregator import Aggregate, export


class Spread(Aggregate):
    """Distance from the least to the greatest sample, times factor (default 1)"""

    name = "{{function}}"
    parameters = {"factor": 1.0}
    mergeable = True

    def open(self):
        return []

    def update(self, group, values, timestamps):
        if values:
            group[:] = [min(group + values), max(group + values)]

    def merge(self, group, other):
        self.update(group, other, [])

    def evaluate(self, group):
        return (group[1] - group[0]) * self.factor if group else None


Lifecycle, Aggregation = export(Spread, name="{{name}}")
