import { answered, unsupported } from "./errors.js";
import { lifecycleOf, schemaOf } from "./lifecycle.js";
import { decode, encode } from "./utf8.js";

/** The number of the format in which groups are saved. */
const FORMAT = 1;

const valueOf = (value) => {
  if (value === null || value === undefined) return { tag: "none" };
  if (typeof value === "number") return { tag: "number", val: value };
  return { tag: "json", val: JSON.stringify(value) };
};

const accumulatorOf = (functions) =>
  class Accumulator {
    groups = [];

    constructor(kind, parameters) {
      this.function = Object.create(kind);
      Object.assign(this.function, kind.parameters, parameters);
      this.function.check?.();
    }

    static create(name, parametersJson) {
      return answered(() => {
        const kind = functions.find((one) => one.name === name);
        if (!kind) throw unsupported(`there is no aggregate ${name}`);
        return new Accumulator(kind, JSON.parse(parametersJson || "{}"));
      })();
    }

    group(number) {
      while (this.groups.length <= number) this.groups.push(this.function.open());
      return this.groups[number];
    }

    update(groups, lengths, timestamps, values) {
      answered(() => {
        let start = 0;
        groups.forEach((number, run) => {
          const end = start + lengths[run];
          this.function.update(this.group(number), values.slice(start, end), timestamps.slice(start, end));
          start = end;
        });
      })();
    }

    merge(saved, groupMap) {
      answered(() => {
        if (saved.version !== FORMAT) throw unsupported(`the state has format ${saved.version}, not ${FORMAT}`);
        const groups = JSON.parse(decode(saved.bytes));
        groups.forEach((group, at) => {
          this.function.merge(this.group(groupMap[at]), this.function.load ? this.function.load(group) : group);
        });
      })();
    }

    save() {
      return answered(() => {
        const save = (group) => (this.function.save ? this.function.save(group) : group);
        return { version: FORMAT, bytes: encode(JSON.stringify(this.groups.map(save))) };
      })();
    }

    evaluate() {
      return answered(() => this.groups.map((group) => valueOf(this.function.evaluate(group))))();
    }
  };

/**
 * The exports of a plugin that adds aggregate functions to queries:
 * `export const { lifecycle, aggregation } = exportAggregator({ name, functions: [{ name, open, update, merge, evaluate }] });`
 *
 * A function has `name`, `description`, `parameters` (with their defaults; they become properties of `this`), `mergeable`,
 * `needsTimestamps`, and the functions `check()`, `open()`, `update(group, values, timestamps)`, `merge(group, other)`,
 * `evaluate(group)`; `save(group)` and `load(saved)` where a group is no JSON value.
 */
export const exportAggregator = (plugin) => ({
  lifecycle: lifecycleOf(plugin),
  aggregation: {
    aggregates: () =>
      plugin.functions.map((one) => ({
        name: one.name,
        description: one.description ?? "",
        parametersSchemaJson: JSON.stringify(one.parametersSchema ?? schemaOf(one.parameters)),
        mergeable: one.mergeable ?? false,
        needsTimestamps: one.needsTimestamps ?? false,
      })),
    Accumulator: accumulatorOf(plugin.functions),
  },
});
