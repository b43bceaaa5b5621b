"""What stands at some places in the `data` of events, found by the host."""

import json

from wit_world.imports import event_values as host

from .batch import texts
from .errors import asked


def read(places):
    """For each event of the batch, what stands at each of the places; nothing where none is asked for."""
    if not places:
        return None
    table = asked(host.read, list(places))
    numbers = table.numbers or [0.0] * len(table.kinds)
    values = [_value(*found) for found in zip(table.kinds, numbers, texts(table.texts))]
    return [values[start : start + len(places)] for start in range(0, len(values), len(places))]


def _value(kind, number, text):
    if kind == 5:
        return text
    if kind == 4:
        return int(text) if text else number
    if kind in (2, 3):
        return kind == 3
    return json.loads(text) if kind in (6, 7) else None
