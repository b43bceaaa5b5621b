"""The plugin's own log: `log.info("text", key=value)`."""

import json

from wit_world.imports import log as host


def _write(level, message, fields):
    host.write(level, message, json.dumps(fields) if fields else "")


def debug(message, **fields):
    """For the plugin's author."""
    _write(host.Level.DEBUG, message, fields)


def info(message, **fields):
    """For the operator, in the normal course."""
    _write(host.Level.INFO, message, fields)


def warn(message, **fields):
    """Something is not as it should be."""
    _write(host.Level.WARN, message, fields)


def error(message, **fields):
    """Something failed."""
    _write(host.Level.ERROR, message, fields)
