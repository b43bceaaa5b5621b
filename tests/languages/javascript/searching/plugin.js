import { Schema } from "bridge-telemetry-plugin/json-schemas";
import { Pattern } from "bridge-telemetry-plugin/patterns";
import { exportValidator } from "bridge-telemetry-plugin/validator";

// More of each than a plugin may keep.
const PATTERNS = 300;
const SCHEMAS = 1100;

function search(event, expression, texts) {
  let pattern;
  try {
    pattern = new Pattern(expression);
  } catch (error) {
    event.reject("wrong_expression", "/data/expression", error.message.split("error: ").at(-1));
    return;
  }
  const names = Object.keys(texts).filter((name) => typeof texts[name] === "string");
  pattern.find(names.map((name) => texts[name])).forEach((places, at) => {
    const name = names[at];
    if (places === undefined) {
      event.reject("given_up", `/data/${name}`, "the text is too long for the expression");
    } else if (places.length > 0) {
      const found = places.map(({ start, end }) => texts[name].slice(start, end));
      event.reject("found", `/data/${name}`, found.join());
    }
  });
  pattern.drop();
}

function judge(event, schemaObject) {
  let schema;
  try {
    schema = new Schema(schemaObject);
  } catch {
    event.reject("wrong_schema", "/data/schema", "the host takes no such schema");
    return;
  }
  for (const fault of schema.check([event.row])) event.reject("unfit", `/data${fault.path}`, fault.message);
  schema.drop();
}

export const { lifecycle, validation } = exportValidator({
  name: "searching",
  description: "Tells where expressions that events bring are found in their texts, and what does not fit their schemas",
  eventTypes: ["SEARCH"],
  sources: ["me", "*"],
  metrics: [],
  places: ["/expression", "/one", "/two", "/three", "/more", "/schema"],

  start() {
    for (let made = 0; made < PATTERNS; made++) new Pattern("a").drop();
    for (let made = 0; made < SCHEMAS; made++) new Schema("{}").drop();
    const [pattern, schema] = [new Pattern("a"), new Schema(true)];
    for (const kept of [pattern, schema, pattern, schema]) kept.drop();
  },

  validateEvent(event) {
    const [expression, one, two, three, more, schema] = event.values;
    search(event, expression, { one, two, three: more ? three + "a".repeat(more) : three });
    if (schema !== undefined) judge(event, schema);
    const { note } = event.data;
    if (note !== undefined) event.warn("note", "/data/note", note);
  },
});
