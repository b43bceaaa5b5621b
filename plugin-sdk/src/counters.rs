//! The plugin's own measurements. The host keeps them and shows them beside its own. A call that floods it with them fails: more
//! than a thousand calls, and eight for each record, sample, alert or group that the call is about. Who has more to count adds it up
//! first.
//!
//! In native builds they are kept for [`testing::counter`](crate::testing::counter) and
//! [`testing::gauge`](crate::testing::gauge).

/// Adds to a counter that starts at 0.
pub fn add(name: &str, delta: u64) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::imports::counters::add(name, delta);
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::host::add(name, delta);
}

/// Sets a gauge.
pub fn set(name: &str, value: f64) {
    #[cfg(target_arch = "wasm32")]
    crate::bindings::imports::counters::set(name, value);
    #[cfg(not(target_arch = "wasm32"))]
    crate::testing::host::set(name, value);
}
