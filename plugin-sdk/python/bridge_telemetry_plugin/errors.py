"""What a plugin raises when it cannot answer; any other exception answers its own text."""

from componentize_py_types import Err
from wit_world.imports import types


class InvalidConfig(Exception):
    """The configuration is unusable; say which key and why."""


class Unsupported(Exception):
    """The plugin does not know this name, version or parameter."""


class Transient(Exception):
    """May succeed when tried again."""


def answered(function):
    """Lets a function of the contract answer exceptions as the contract's errors."""

    def call(*arguments):
        try:
            return function(*arguments)
        except InvalidConfig as error:
            raise Err(types.PluginError_InvalidConfig(str(error))) from error
        except Unsupported as error:
            raise Err(types.PluginError_Unsupported(str(error))) from error
        except Transient as error:
            raise Err(types.PluginError_Transient(str(error))) from error
        except Exception as error:
            raise Err(types.PluginError_Other(f"{type(error).__name__}: {error}")) from error

    return call


_KINDS = {
    types.PluginError_InvalidConfig: InvalidConfig,
    types.PluginError_Unsupported: Unsupported,
    types.PluginError_Transient: Transient,
}


def asked(function, *arguments):
    """What the host answers; where it refuses, its reason is raised: `Unsupported`, `Transient`, or else `RuntimeError`."""
    try:
        return function(*arguments)
    except Err as error:
        raise _KINDS.get(type(error.value), RuntimeError)(error.value.value) from error
