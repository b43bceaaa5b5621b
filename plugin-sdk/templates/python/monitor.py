"""Fires while a queue is longer than its limit, each series by itself."""

from bridge_telemetry_plugin.monitor import Monitor, Signal, export


class QueueLength(Monitor):
    name = "{{name}}"
    metrics = ["queue_length"]
    config_schema = {
        "type": "object",
        "properties": {"limit": {"type": "number", "description": "Longest queue that is fine."}},
        "additionalProperties": False,
    }
    config = {"limit": 100}

    def start(self):
        self.firing = set()  # the contexts of the series that are too long now

    def on_sample(self, sample):
        if sample.value is None:
            return None
        key, limit = sample.series.context_json, self.config["limit"]
        if sample.value > limit and key not in self.firing:
            self.firing.add(key)
            return Signal(key, f"a queue is longer than {limit}", sample.timestamp, value=sample.value)
        if sample.value <= limit and key in self.firing:
            self.firing.remove(key)
            return Signal(key, "the queue is short again", sample.timestamp, firing=False)

    def save(self):
        return sorted(self.firing)

    def restore(self, state, version):
        self.firing = set(state)


Lifecycle, Monitoring = export(QueueLength)
