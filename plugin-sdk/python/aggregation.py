"""Where the contract looks for the accumulator of an aggregator."""

from bridge_telemetry_plugin.aggregator import Accumulator

__all__ = ["Accumulator"]
