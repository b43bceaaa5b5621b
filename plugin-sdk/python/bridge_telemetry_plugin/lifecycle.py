"""Birth, self-description and handing over, the same for every kind."""

import inspect
import json

from wit_world.exports import lifecycle as contract
from wit_world.imports import types

from .errors import answered


class Plugin:
    """What every plugin says of itself."""

    #: The plugin's name.
    name = None
    #: Its version, semantic versioning.
    version = "0.1.0"
    #: The configuration's keys with their defaults; the schema is derived from them.
    config = {}
    #: A JSON Schema of the configuration, where defaults do not say enough.
    config_schema = None
    #: The number of the format of what `save` answers.
    state_version = 1

    def start(self):
        """Called once, with the configuration in `self.config`."""

    def save(self):
        """The state to continue from in another instance, as JSON values; None for a plugin without state."""
        return None

    def restore(self, state, version):
        """Continues from what `save` answered."""


def schema_of(defaults):
    """The JSON Schema of an object with these defaults."""
    names = {bool: "boolean", int: "integer", float: "number", str: "string", list: "array", dict: "object"}
    properties = {}
    for key, value in defaults.items():
        known = names.get(type(value))
        properties[key] = {"type": known, "default": value} if known else {"default": value}
    return {"type": "object", "properties": properties, "additionalProperties": False}


def description_of(thing):
    """The first paragraph of a class's documentation, or else of its module's, in one line."""
    text = thing.__dict__.get("__doc__") or inspect.getmodule(thing).__doc__ or ""
    return " ".join(text.strip().split("\n\n")[0].split())


class Running:
    """The one instance of the plugin."""

    plugin = None


def lifecycle_of(kind):
    """The contract's `lifecycle` for a plugin's class."""

    class Lifecycle:
        def describe(self):
            schema = kind.config_schema or schema_of(kind.config)
            return contract.Info(kind.name, kind.version, description_of(kind), json.dumps(schema), "{}")

        @answered
        def init(self, config_json, restored):
            plugin = kind()
            plugin.config = {**kind.config, **json.loads(config_json or "{}")}
            plugin.start()
            if restored is not None:
                plugin.restore(json.loads(restored.bytes), restored.version)
            Running.plugin = plugin

        @answered
        def snapshot(self):
            state = Running.plugin.save()
            if state is None:
                return None
            return types.State(kind.state_version, json.dumps(state).encode())

    return Lifecycle


def _named(names):
    """Names as the contract has them, where an empty list is all of them: here it is none, and `*` is all."""
    if not names:
        return None
    return [] if "*" in names else list(names)


def subscription_of(kind):
    """What a plugin's class subscribes to."""
    tick = getattr(kind, "tick_seconds", None)
    milliseconds = None if tick is None else max(1, round(tick * 1000))
    has_no_source = kind.sources is not None and not kind.sources
    event_types = None if has_no_source else _named(kind.event_types)
    return types.Subscription(event_types, _named(kind.sources), _named(kind.metrics), milliseconds)
