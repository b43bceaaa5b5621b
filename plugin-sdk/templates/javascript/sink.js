// Posts each alert as JSON.
import { delivered, exportSink, rejected, retry, send } from "bridge-telemetry-plugin/sink";

export const { lifecycle, delivery } = exportSink({
  name: "{{name}}",
  description: "Posts each alert as JSON",
  config: { url: "https://hooks.example.com/alerts" },

  deliver(alert) {
    const json = { text: `${alert.status}: ${alert.summary}` };
    let status;
    try {
      ({ status } = send("POST", this.config.url, { json }));
    } catch {
      return retry("no answer");
    }
    if (status >= 500) return retry("the far side failed");
    return status < 300 ? delivered() : rejected("the far side refused it");
  },
});
