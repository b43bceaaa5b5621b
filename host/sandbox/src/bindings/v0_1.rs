//! Rust forms of version 0.1.0 of the WIT package. Its shared types are all in the present version with the same form, so that they
//! exist once; what the exported interfaces define is turned into the present form by [`crate::guest`].
#![allow(missing_docs, unreachable_pub, unsafe_code, unused, clippy::all, reason = "generated code")]
#![allow(clippy::allow_attributes_without_reason, reason = "generated code")]

wasmtime::component::bindgen!({
    path: "contract-0.1.0",
    inline: "
        package bridge:host;
        world every-plugin {
            import bridge:telemetry/log@0.1.0;
            import bridge:telemetry/counters@0.1.0;
            import bridge:telemetry/key-value@0.1.0;
            import bridge:telemetry/query@0.1.0;
            import bridge:telemetry/outbound-http@0.1.0;
            export bridge:telemetry/lifecycle@0.1.0;
            export bridge:telemetry/validation@0.1.0;
            export bridge:telemetry/aggregation@0.1.0;
            export bridge:telemetry/monitoring@0.1.0;
            export bridge:telemetry/delivery@0.1.0;
        }
    ",
    world: "bridge:host/every-plugin",
    ownership: Borrowing { duplicate_if_necessary: true },
    imports: { default: trappable },
    with: { "bridge:telemetry/types@0.1.0": crate::bindings::bridge::telemetry::types },
});

pub(crate) use bridge::telemetry::{counters, key_value, log, outbound_http, query};
pub(crate) use exports::bridge::telemetry::{aggregation, delivery, lifecycle, monitoring, validation};
