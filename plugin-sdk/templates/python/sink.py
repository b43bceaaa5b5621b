"""Posts each alert as JSON."""

import json

from bridge_telemetry_plugin.sink import HttpFault, Sink, delivered, export, rejected, retry, send


class {{type}}(Sink):
    name = "{{name}}"
    config = {"url": "https://hooks.example.com/alerts"}

    def deliver(self, alert):
        body = json.dumps({"text": f"{alert['status']}: {alert['summary']}"}).encode()
        try:
            status, _, _ = send("POST", self.config["url"], body, {"content-type": "application/json"})
        except HttpFault:
            return retry("no answer")
        if status >= 500:
            return retry("the far side failed")
        return delivered(None) if status < 300 else rejected("the far side refused it")


Lifecycle, Delivery = export({{type}})
