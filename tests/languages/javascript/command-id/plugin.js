import { Schema } from "bridge-telemetry-plugin/json-schemas";
import { Pattern } from "bridge-telemetry-plugin/patterns";
import { exportValidator } from "bridge-telemetry-plugin/validator";

export const { lifecycle, validation } = exportValidator({
  name: "command-id",
  description: "Refuses commands without an id of bounded length",
  eventTypes: ["COMMAND_*"],
  places: ["/command_id"],
  config: { longest: 64, forbidden: "", schema: "" },

  start() {
    this.forbidden = this.config.forbidden ? new Pattern(this.config.forbidden) : undefined;
    this.schema = this.config.schema ? new Schema(this.config.schema) : undefined;
  },

  validateEvent(event) {
    const [id] = event.values;
    if (typeof id !== "string") {
      event.reject("bad_command", "/data", "the command has no id");
    } else if (id.length > this.config.longest) {
      event.reject("too_long", "/data/command_id", "the command's id is too long");
    } else if (this.forbidden?.isMatch(id)) {
      const [places] = this.forbidden.find([id]);
      const { start, end } = places.at(-1);
      const found = JSON.stringify(id.slice(start, end));
      event.reject("bad_command_id", "/data/command_id", `the command's id may not have ${found} in it`);
    } else if (this.schema) {
      for (const fault of this.schema.check([event.row], 1)) {
        event.reject("bad_command", `/data${fault.path}`, fault.message);
      }
    }
  },
});
