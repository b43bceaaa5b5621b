// Fires while a queue is longer than its limit, each series by itself.
import { exportMonitor } from "bridge-telemetry-plugin/monitor";

export const { lifecycle, monitoring } = exportMonitor({
  name: "{{name}}",
  description: "Fires while a queue is longer than its limit, each series by itself",
  metrics: ["queue_length"],
  config: { limit: 100 },

  start() {
    this.firing = new Set(); // the contexts of the series that are too long now
  },

  onSample({ series, timestamp, value }) {
    if (value === null) return;
    const key = series.contextJson;
    const { limit } = this.config;
    if (value > limit && !this.firing.has(key)) {
      this.firing.add(key);
      return { key, summary: `a queue is longer than ${limit}`, timestamp, value };
    }
    if (value <= limit && this.firing.delete(key)) {
      return { key, summary: "the queue is short again", timestamp, firing: false };
    }
  },

  save() {
    return [...this.firing].sort();
  },
  restore(state) {
    this.firing = new Set(state);
  },
});
