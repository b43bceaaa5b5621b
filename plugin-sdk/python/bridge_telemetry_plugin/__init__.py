"""Bridge Telemetry plugins in Python: the columns of the contract as events, samples and alerts.

Take what the plugin's kind needs from `bridge_telemetry_plugin.validator`, `.aggregator`, `.monitor` or `.sink`. There are no
files, sockets, environment or clock: times are nanoseconds since the Unix epoch and come with the records.
"""

from . import counters, log
from .errors import InvalidConfig, Transient, Unsupported

__all__ = ["InvalidConfig", "Transient", "Unsupported", "counters", "log"]
