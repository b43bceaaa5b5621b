import { Schema as HostSchema } from "bridge:telemetry/json-schemas@0.2.2";

import { asked } from "./errors.js";

/**
 * A JSON Schema by which the host judges the `data` of events: faster than a library within the component, and no megabytes of it. For
 * validators and monitors. Of draft 4, 6, 7, 2019-09 or 2020-12, as JSON text or as what `JSON.parse` makes of it; it refers to what
 * stands in it, and to nothing else. It takes a part of the plugin's memory: make what every call judges by in `start()`, since there is
 * no host yet while the plugin's module is loaded.
 */
export class Schema {
  #host;

  constructor(schema) {
    const schemaJson = typeof schema === "string" ? schema : JSON.stringify(schema);
    this.#host = asked(() => HostSchema.compile(schemaJson));
  }

  /**
   * Judges the events in these rows (`event.row`) of the batch that the plugin is called with: the faults of each in turn, at most
   * `most` of each; there are none of an event that fits. A fault is `{ row, path, keyword, message }`: `path` is a JSON pointer from
   * the top of `data`, empty for the whole, and `keyword` what of the schema is not fitted, such as `required`, or `limit` where
   * judging takes too much. A message never repeats a value.
   *
   * Throws when slow events took the call's time: let that pass, so that the call fails for now.
   */
  check(rows, most = 16) {
    return asked(() => this.#host.check(rows, most));
  }

  /** Gives its memory back: nothing can be judged by it any more. */
  drop() {
    this.#host?.[Symbol.dispose]();
    this.#host = undefined;
  }
}
