// Tells of each new highest level of a tank, out of how many: the highest is kept in the key-value space, and a text forgets it.
import * as keyValue from "bridge-telemetry-plugin/key-value";
import { exportMonitor, getMetrics } from "bridge-telemetry-plugin/monitor";
import { decode, encode } from "bridge-telemetry-plugin/utf8";

/** Whether the level is above all before, which it then takes the place of. */
function isNew(key, level) {
  if (level === null) {
    keyValue.delete(key);
    return false;
  }
  const kept = keyValue.get(key);
  if (kept !== undefined && level <= Number(decode(kept))) return false;
  keyValue.put(key, encode(String(level)));
  return true;
}

export const { lifecycle, monitoring } = exportMonitor({
  name: "high-water",
  description: "Tells of each new highest level of a tank, out of how many",
  metrics: ["level"],

  onSample({ series, timestamp, value }) {
    try {
      if (!isNew(`high:${series.contextJson}`, value)) return;
      const count = getMetrics({ metric_names: ["level"], aggregation: "COUNT" }).metrics.level.value;
      return { key: series.contextJson, summary: `the highest of ${count}`, timestamp, value };
    } catch (error) {
      return { key: "fault", summary: error.message, timestamp };
    }
  },
});
