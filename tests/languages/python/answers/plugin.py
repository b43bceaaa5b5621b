"""Posts what each alert's key stands for as JSON, and says what came back"""

from bridge_telemetry_plugin.sink import Sink, delivered, export, rejected, send

VALUES = {"nothing": None, "no number": float("nan")}


class Answers(Sink):
    name = "answers"

    def deliver(self, alert):
        key = alert["key"]
        try:
            status, headers, body = send("POST", "https://answers.example.com/keys", json=VALUES.get(key, {"key": key}))
        except ValueError as error:
            return rejected(type(error).__name__)
        return delivered(f"{status} {headers['x-sent']} {len(body)} {body.decode()}")


Lifecycle, Delivery = export(Answers)
