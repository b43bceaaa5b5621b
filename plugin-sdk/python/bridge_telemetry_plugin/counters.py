"""The plugin's own measurements, kept and shown by the host."""

from wit_world.imports import counters as host


def add(name, delta=1):
    """Adds to a counter that starts at 0."""
    host.add(name, delta)


def set(name, value):
    """Sets a gauge."""
    host.set(name, float(value))
