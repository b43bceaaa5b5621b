/** What a plugin throws when it cannot answer; any other error answers its own text. */
export class PluginError extends Error {
  constructor(tag, message) {
    super(message);
    this.tag = tag;
  }
}

/** The configuration is unusable; say which key and why. */
export const invalidConfig = (message) => new PluginError("invalid-config", message);
/** The plugin does not know this name, version or parameter. */
export const unsupported = (message) => new PluginError("unsupported", message);
/** May succeed when tried again. */
export const transient = (message) => new PluginError("transient", message);

/** Lets a function of the contract answer what is thrown as the contract's errors. */
export function answered(call) {
  return function (...given) {
    try {
      return call.apply(this, given);
    } catch (error) {
      const tag = error instanceof PluginError ? error.tag : "other";
      const val = error instanceof PluginError ? error.message : `${error?.name}: ${error?.message}`;
      throw { tag, val, payload: { tag, val } };
    }
  };
}

/** What the host answers, or its error as one that a plugin throws. */
export function asked(call) {
  try {
    return call();
  } catch (error) {
    const { tag, val } = error?.payload ?? error ?? {};
    throw tag ? new PluginError(tag, val) : error;
  }
}
