// Refuses commands without an id, or with one that is too long.
import { exportValidator } from "bridge-telemetry-plugin/validator";

export const { lifecycle, validation } = exportValidator({
  name: "{{name}}",
  description: "Refuses commands without an id, or with one that is too long",
  eventTypes: ["COMMAND_*"],
  places: ["/command_id"],
  config: { longest: 64 }, // in characters of two bytes, as JavaScript counts

  validateEvent(event) {
    const [id] = event.values;
    if (typeof id !== "string") {
      event.reject("bad_command", "/data", "the command has no id");
    } else if (id.length > this.config.longest) {
      event.reject("too_long", "/data/command_id", "the command's id is too long");
    }
  },
});
