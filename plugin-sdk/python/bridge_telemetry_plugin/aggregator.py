"""A plugin that adds aggregate functions to queries."""

import json

from wit_world.exports import aggregation as contract
from wit_world.imports import types

from .errors import Unsupported, answered
from .lifecycle import Plugin, description_of, lifecycle_of, schema_of

#: The number of the format in which groups are saved.
_FORMAT = 1


class Aggregate:
    """One aggregate function; an object of it has the parameters of a query as attributes."""

    #: The name that queries call it by.
    name = None
    #: The parameters with their defaults; the schema is derived from them.
    parameters = {}
    #: A JSON Schema of the parameters, where defaults do not say enough.
    parameters_schema = None
    #: Whether groups can be merged: the host may then split work and keep rollups.
    mergeable = False
    #: Whether the result depends on the samples' times.
    needs_timestamps = False

    def check(self):
        """Raises Unsupported when the parameters make no sense."""

    def open(self):
        """The state of a new group: an object that `update` and `merge` change."""
        raise NotImplementedError

    def update(self, group, values, timestamps):
        """Adds samples; `timestamps` is empty unless needed."""
        raise NotImplementedError

    def merge(self, group, other):
        """Adds what another group has seen."""
        raise NotImplementedError

    def evaluate(self, group):
        """A number, any other JSON value, or None."""
        raise NotImplementedError

    def save(self, group):
        """The group as JSON values."""
        return group

    def load(self, saved):
        """The group that `save` wrote."""
        return saved


class Functions:
    """The functions that the plugin offers, by name."""

    by_name = {}


class Accumulator:
    """The contract's resource: groups of one function."""

    def __init__(self, function):
        self.function = function
        self.groups = []

    @classmethod
    def create(cls, name, parameters_json):
        return _create(cls, name, parameters_json)

    def _group(self, number):
        while len(self.groups) <= number:
            self.groups.append(self.function.open())
        return self.groups[number]

    @answered
    def update(self, groups, lengths, timestamps, values):
        start = 0
        for number, length in zip(groups, lengths):
            end = start + length
            self.function.update(self._group(number), values[start:end], timestamps[start:end])
            start = end

    @answered
    def merge(self, saved, group_map):
        if saved.version != _FORMAT:
            raise Unsupported(f"the state has format {saved.version}, not {_FORMAT}")
        for number, group in zip(group_map, json.loads(saved.bytes)):
            self.function.merge(self._group(number), self.function.load(group))

    @answered
    def save(self):
        saved = json.dumps([self.function.save(group) for group in self.groups])
        return types.State(_FORMAT, saved.encode())

    @answered
    def evaluate(self):
        return [_value(self.function.evaluate(group)) for group in self.groups]


@answered
def _create(cls, name, parameters_json):
    kind = Functions.by_name.get(name)
    if kind is None:
        raise Unsupported(f"there is no aggregate {name}")
    function = kind()
    for key, value in {**kind.parameters, **json.loads(parameters_json or "{}")}.items():
        setattr(function, key, value)
    function.check()
    return cls(function)


def _value(value):
    if value is None:
        return contract.Value_None_()
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return contract.Value_Number(float(value))
    return contract.Value_Json(json.dumps(value))


def export(*functions, name=None, version="0.1.0"):
    """The exports of an aggregator: `Lifecycle, Aggregation = export(MyFunction)`.

    The plugin is called like its first function, unless `name` says otherwise.
    """
    first = functions[0]
    own = {"name": name or first.name, "version": version, "__doc__": description_of(first)}
    kind = type("Aggregator", (Plugin,), own)
    Functions.by_name = {function.name: function for function in functions}

    class Aggregation:
        def aggregates(self):
            return [
                contract.Aggregate(
                    function.name,
                    description_of(function),
                    json.dumps(function.parameters_schema or schema_of(function.parameters)),
                    function.mergeable,
                    function.needs_timestamps,
                )
                for function in functions
            ]

    return lifecycle_of(kind), Aggregation
