"""Takes each alert once while it fires, and says at its end what it was told."""

from bridge_telemetry_plugin import key_value
from bridge_telemetry_plugin.sink import Sink, delivered, duplicate, export, rejected


class Once(Sink):
    name = "once"

    def deliver(self, alert):
        try:
            return self.take(f"told:{alert['key']}", alert)
        except Exception as error:
            return rejected(str(error))

    def take(self, key, alert):
        told = key_value.get(key)
        if alert["status"] == "firing":
            if told is not None:
                return duplicate()
            key_value.put(key, alert["summary"].encode())
            return delivered(None)
        if told is None:
            return rejected("nobody was told")
        key_value.delete(key)
        return delivered(told.decode())


Lifecycle, Delivery = export(Once)
