"""Tells where expressions that events bring are found in their texts, and what does not fit their schemas"""

from bridge_telemetry_plugin import Unsupported
from bridge_telemetry_plugin.json_schemas import Schema
from bridge_telemetry_plugin.patterns import Pattern
from bridge_telemetry_plugin.validator import Validator, export

# More of each than a plugin may keep.
PATTERNS = 300
SCHEMAS = 1100


class Searching(Validator):
    name = "searching"
    event_types = ["SEARCH"]
    sources = ["me", "*"]
    metrics = []
    places = ["/expression", "/one", "/two", "/three", "/more", "/schema"]

    def start(self):
        for _ in range(PATTERNS):
            Pattern("a").drop()
        for _ in range(SCHEMAS):
            Schema("{}").drop()
        pattern, schema = Pattern("a"), Schema(True)
        for kept in (pattern, schema, pattern, schema):
            kept.drop()

    def validate_event(self, event):
        expression, one, two, three, more, schema = event.values
        texts = {"one": one, "two": two, "three": three + "a" * int(more) if more else three}
        self.search(event, expression, {name: text for name, text in texts.items() if text is not None})
        if schema is not None:
            self.judge(event, schema)
        if "note" in event.data:
            event.warn("note", "/data/note", event.data["note"])

    def search(self, event, expression, texts):
        try:
            pattern = Pattern(expression)
        except Unsupported as error:
            event.reject("wrong_expression", "/data/expression", str(error).rpartition("error: ")[2])
            return
        for (name, text), places in zip(texts.items(), pattern.find(texts.values())):
            if places is None:
                event.reject("given_up", f"/data/{name}", "the text is too long for the expression")
            elif places:
                event.reject("found", f"/data/{name}", ",".join(text[start:end] for start, end in places))
        pattern.drop()

    def judge(self, event, schema_object):
        try:
            schema = Schema(schema_object)
        except Unsupported:
            event.reject("wrong_schema", "/data/schema", "the host takes no such schema")
            return
        for fault in schema.check([event.row]):
            event.reject("unfit", f"/data{fault.path}", fault.message)
        schema.drop()


Lifecycle, Validation = export(Searching)
