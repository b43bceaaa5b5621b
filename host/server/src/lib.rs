//! Bridge Telemetry.
