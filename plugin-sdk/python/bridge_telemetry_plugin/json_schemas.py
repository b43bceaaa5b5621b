"""JSON Schemas, by which the host judges the `data` of events: faster than a library within the component. For validators and
monitors."""

import json

from wit_world.imports import json_schemas as host

from .errors import asked


class Schema:
    """A JSON Schema of draft 4, 6, 7, 2019-09 or 2020-12, as JSON text or as what `json.loads` makes of it; it refers to what stands in
    it, and to nothing else.

    It takes a part of the plugin's memory: make what every call judges by in `start`, since there is no host yet while the
    plugin's module is loaded.
    """

    def __init__(self, schema):
        self._host = asked(host.Schema.compile, schema if isinstance(schema, str) else json.dumps(schema))

    def check(self, rows, most=16):
        """Judges the events in these rows (`event.row`) of the batch that the plugin is called with: the faults of each in turn, at
        most `most` of each; there are none of an event that fits.

        A fault has a `row`, a `path`, which is a JSON pointer from the top of `data`, empty for the whole, a `keyword`, which is
        what of the schema is not fitted, such as `required`, or `limit` where judging takes too much, and a `message`, which never
        repeats a value.

        Raises when slow events took the call's time (`Transient` in a validator): let that pass, so that the call fails for now.
        """
        return asked(self._host.check, list(rows), most)

    def drop(self):
        """Gives its memory back: nothing can be judged by it any more."""
        if self._host is not None:
            self._host.__exit__(None, None, None)
            self._host = None
