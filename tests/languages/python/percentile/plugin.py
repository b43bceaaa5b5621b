"""Quantile q (default 0.99) within 1 % of the true value, from a mergeable sketch."""

from math import ceil, exp, log

from bridge_telemetry_plugin import Unsupported
from bridge_telemetry_plugin.aggregator import Aggregate, export

# Values of one bucket are within 1 % of its middle: bucket k of a sign holds GAMMA^(k-1) < |value| <= GAMMA^k.
GAMMA = 1.01 / 0.99
LOG_GAMMA = log(GAMMA)


class Percentile(Aggregate):
    name = "percentile"
    parameters = {"q": 0.99}
    mergeable = True

    def check(self):
        if not 0 <= self.q <= 1:
            raise Unsupported("q must lie between 0 and 1; for the 99th percentile write q=0.99")

    def open(self):
        return {}

    def update(self, group, values, timestamps):
        for value in values:
            if value == 0:
                bucket = (0, 0)
            else:
                k = ceil(log(abs(value)) / LOG_GAMMA)
                bucket = (1, k) if value > 0 else (-1, -k)
            group[bucket] = group.get(bucket, 0) + 1

    def merge(self, group, other):
        for bucket, count in other.items():
            group[bucket] = group.get(bucket, 0) + count

    def evaluate(self, group):
        rank = self.q * (sum(group.values()) - 1)
        seen = 0
        for sign, k in sorted(group):
            seen += group[sign, k]
            if seen > rank:
                return sign * 2 * exp(LOG_GAMMA * sign * k) / (GAMMA + 1)
        return None

    def save(self, group):
        return [[sign, k, count] for (sign, k), count in group.items()]

    def load(self, saved):
        return {(sign, k): count for sign, k, count in saved}


Lifecycle, Aggregation = export(Percentile)
