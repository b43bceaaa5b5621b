import { answered } from "./errors.js";
import { decode, encode } from "./utf8.js";

/** The one instance of the plugin: its configuration, and what it keeps. */
export const running = { plugin: null };

const names = { boolean: "boolean", number: "number", string: "string", object: "object" };

/** The JSON Schema of an object with these defaults. */
export function schemaOf(defaults = {}) {
  const properties = {};
  for (const [key, value] of Object.entries(defaults)) {
    const type = Array.isArray(value) ? "array" : names[typeof value];
    properties[key] = value === null ? {} : { type, default: value };
  }
  return { type: "object", properties, additionalProperties: false };
}

/** The contract's `lifecycle` of a plugin. */
export function lifecycleOf(plugin) {
  return {
    describe: () => ({
      name: plugin.name,
      version: plugin.version ?? "0.1.0",
      description: plugin.description ?? "",
      configSchemaJson: JSON.stringify(plugin.configSchema ?? schemaOf(plugin.config)),
      attributesJson: "{}",
    }),
    init: answered((configJson, restored) => {
      const self = Object.create(plugin);
      self.config = { ...plugin.config, ...JSON.parse(configJson || "{}") };
      self.start?.();
      if (restored) {
        self.restore(JSON.parse(decode(restored.bytes)), restored.version);
      }
      running.plugin = self;
    }),
    snapshot: answered(() => {
      const state = running.plugin.save?.();
      if (state === undefined || state === null) return undefined;
      return { version: plugin.stateVersion ?? 1, bytes: encode(JSON.stringify(state)) };
    }),
  };
}

/** Names as the contract has them, where an empty list is all of them: here it is none, and `*` is all. */
function named(names) {
  if (!names?.length) return undefined;
  return names.includes("*") ? [] : names;
}

/** What a plugin subscribes to. */
export const subscriptionOf = (plugin) => ({
  eventTypes: plugin.sources?.length === 0 ? undefined : named(plugin.eventTypes),
  sources: named(plugin.sources),
  metrics: named(plugin.metrics),
  tickMilliseconds: plugin.tickSeconds === undefined ? undefined : Math.max(1, Math.round(plugin.tickSeconds * 1000)),
});
