import { write } from "bridge:telemetry/log@0.2.2";

const line = (level) => (message, fields) => write(level, message, fields ? JSON.stringify(fields) : "");

/** For the plugin's author. */
export const debug = line("debug");
/** For the operator, in the normal course. */
export const info = line("info");
/** Something is not as it should be. */
export const warn = line("warn");
/** Something failed. */
export const error = line("error");
