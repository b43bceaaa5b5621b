"""Tells of each new highest level of a tank, out of how many."""

from bridge_telemetry_plugin import key_value
from bridge_telemetry_plugin.monitor import Monitor, Signal, export, get_metrics


class HighWater(Monitor):
    name = "high-water"
    metrics = ["level"]

    def on_sample(self, sample):
        context = sample.series.context_json
        try:
            if not self.is_new(f"high:{context}", sample.value):
                return None
            count = get_metrics(metric_names=["level"], aggregation="COUNT")["metrics"]["level"]["value"]
        except Exception as error:
            return Signal("fault", str(error), sample.timestamp)
        return Signal(context, f"the highest of {count}", sample.timestamp, value=sample.value)

    def is_new(self, key, level):
        """Whether the level is above all before, which it then takes the place of; a text forgets them."""
        if level is None:
            key_value.delete(key)
            return False
        kept = key_value.get(key)
        if kept is not None and level <= float(kept):
            return False
        key_value.put(key, str(level).encode())
        return True


Lifecycle, Monitoring = export(HighWater)
