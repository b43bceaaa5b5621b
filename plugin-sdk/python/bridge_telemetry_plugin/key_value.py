"""The plugin's own durable key-value space, with a quota; values are bytes. For monitors and sinks.

What a monitor writes becomes durable with its next checkpoint, together with its state and its signals.
"""

from wit_world.imports import key_value as host

from .errors import asked


def get(key):
    """The value of a key, the plugin's own latest writes included; None where there is none."""
    return asked(host.get, key)


def put(key, value):
    """Sets the value of a key."""
    asked(host.put, key, value)


def delete(key):
    """Removes a key; it need not exist."""
    asked(host.delete, key)
