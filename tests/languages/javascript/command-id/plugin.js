import { exportValidator } from "bridge-telemetry-plugin/validator";

export const { lifecycle, validation } = exportValidator({
  name: "command-id",
  description: "Refuses commands without an id of bounded length",
  eventTypes: ["COMMAND_*"],
  places: ["/command_id"],
  config: { longest: 64 },

  validateEvent(event) {
    const [id] = event.values;
    if (typeof id !== "string") {
      event.reject("bad_command", "/data", "the command has no id");
    } else if (id.length > this.config.longest) {
      event.reject("too_long", "/data/command_id", "the command's id is too long");
    }
  },
});
