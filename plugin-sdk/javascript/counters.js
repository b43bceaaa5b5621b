import * as host from "bridge:telemetry/counters@0.2.2";

/** Adds to a counter that starts at 0. */
export const add = (name, delta = 1) => host.add(name, BigInt(delta));
/** Sets a gauge. */
export const set = (name, value) => host.set(name, value);
