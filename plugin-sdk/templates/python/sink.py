"""Posts each alert as JSON."""

from bridge_telemetry_plugin.sink import HttpFault, Sink, delivered, export, rejected, retry, send


class PostAlerts(Sink):
    name = "{{name}}"
    config = {"url": "https://hooks.example.com/alerts"}

    def deliver(self, alert):
        text = f"{alert['status']}: {alert['summary']}"
        try:
            status, _, _ = send("POST", self.config["url"], json={"text": text})
        except HttpFault:
            return retry("no answer")
        if status >= 500:
            return retry("the far side failed")
        return delivered() if status < 300 else rejected("the far side refused it")


Lifecycle, Delivery = export(PostAlerts)
