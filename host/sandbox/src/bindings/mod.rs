//! Rust forms of the WIT package, generated: here of the version that this host speaks, beside it ([`v0_1`]) of the one before, whose
//! guests still load. One host-side world holds the union of the four plugin worlds, so that every
//! shared type exists once; which imports a component may have is decided in [`crate::world`].
//!
//! The generated code calls typed functions by handles that it type-checked when it loaded them.
#![allow(missing_docs, unreachable_pub, unsafe_code, unused, clippy::all, reason = "generated code")]
#![allow(clippy::allow_attributes_without_reason, reason = "generated code")]

pub(crate) mod v0_1;

wasmtime::component::bindgen!({
    path: "../../wit",
    inline: "
        package bridge:host;
        world every-plugin {
            import bridge:telemetry/log@0.2.2;
            import bridge:telemetry/counters@0.2.2;
            import bridge:telemetry/event-values@0.2.2;
            import bridge:telemetry/patterns@0.2.2;
            import bridge:telemetry/json-schemas@0.2.2;
            import bridge:telemetry/key-value@0.2.2;
            import bridge:telemetry/query@0.2.2;
            import bridge:telemetry/outbound-http@0.2.2;
            export bridge:telemetry/lifecycle@0.2.2;
            export bridge:telemetry/validation@0.2.2;
            export bridge:telemetry/aggregation@0.2.2;
            export bridge:telemetry/monitoring@0.2.2;
            export bridge:telemetry/delivery@0.2.2;
        }
    ",
    world: "bridge:host/every-plugin",
    ownership: Borrowing { duplicate_if_necessary: true },
    imports: { default: trappable },
    with: {
        "bridge:telemetry/patterns.pattern": crate::pattern::Pattern,
        "bridge:telemetry/json-schemas.schema": crate::schema::Schema,
    },
});

pub(crate) use bridge::telemetry::{
    counters, event_values, json_schemas, key_value, log, outbound_http, patterns, query, types,
};
pub(crate) use exports::bridge::telemetry::{aggregation, delivery, lifecycle, monitoring, validation};
