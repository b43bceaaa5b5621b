// Takes each alert once while it fires, and says at its end what it was told.
import * as keyValue from "bridge-telemetry-plugin/key-value";
import { delivered, duplicate, exportSink, rejected } from "bridge-telemetry-plugin/sink";
import { decode, encode } from "bridge-telemetry-plugin/utf8";

function take({ key, status, summary }) {
  const name = `told:${key}`;
  const told = keyValue.get(name);
  if (status === "firing") {
    if (told !== undefined) return duplicate();
    keyValue.put(name, encode(summary));
    return delivered();
  }
  if (told === undefined) return rejected("nobody was told");
  keyValue.delete(name);
  return delivered(decode(told));
}

export const { lifecycle, delivery } = exportSink({
  name: "once",
  description: "Takes each alert once while it fires, and says at its end what it was told",

  deliver(alert) {
    try {
      return take(alert);
    } catch (error) {
      return rejected(error.message);
    }
  },
});
