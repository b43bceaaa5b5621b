//! Bridge Telemetry.
fn main() {}
