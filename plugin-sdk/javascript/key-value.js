// The plugin's own durable key-value space, with a quota; values are bytes (`encode` and `decode` of `utf8` make them of text). For
// monitors and sinks. What a monitor writes becomes durable with its next checkpoint, together with its state and its signals.
import * as host from "bridge:telemetry/key-value@0.2.2";

import { asked } from "./errors.js";

/** The value of a key, the plugin's own latest writes included; undefined where there is none. */
export const get = (key) => asked(() => host.get(key)) ?? undefined;
/** Sets the value of a key, a Uint8Array. */
export const put = (key, value) => asked(() => host.put(key, value));
/** Removes a key; it need not exist. */
const remove = (key) => asked(() => host.delete(key));
export { remove as delete };
