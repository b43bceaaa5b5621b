//! Generated bindings of the WIT package.
//!
//! Every exported interface has its own small world here, because an interface shared by several `generate!` calls would
//! define its export macro twice. The linker puts the worlds of the interfaces that a plugin exports together again, and drops
//! the imports that it never calls, so that a component ends up with exactly one of the contract's four worlds.
#![allow(
    missing_docs,
    unreachable_pub,
    unsafe_code,
    clippy::allow_attributes_without_reason,
    clippy::undocumented_unsafe_blocks,
    reason = "generated code; the WIT documents it"
)]

pub mod imports {
    wit_bindgen::generate!({
        path: "../wit",
        inline: "
            package bridge:telemetry-sdk;
            world imports {
                import bridge:telemetry/types@0.2.2;
                import bridge:telemetry/log@0.2.2;
                import bridge:telemetry/counters@0.2.2;
                import bridge:telemetry/event-values@0.2.2;
                import bridge:telemetry/patterns@0.2.2;
                import bridge:telemetry/json-schemas@0.2.2;
                import bridge:telemetry/key-value@0.2.2;
                import bridge:telemetry/query@0.2.2;
                import bridge:telemetry/outbound-http@0.2.2;
            }",
        generate_all,
        generate_unused_types: true,
        pub_export_macro: true,
        additional_derives: [PartialEq],
    });
    pub use bridge::telemetry::{
        counters, event_values, json_schemas, key_value, log, outbound_http, patterns, query, types,
    };
}

macro_rules! export_bindings {
    ($module:ident, $world:literal, $wit:literal, $export:literal, $path:literal) => {
        pub mod $module {
            wit_bindgen::generate!({
                path: "../wit",
                inline: $wit,
                world: $world,
                with: { "bridge:telemetry/types@0.2.2": crate::bindings::imports::types },
                generate_all,
                pub_export_macro: true,
                export_macro_name: $export,
                default_bindings_module: $path,
            });
        }
    };
}

export_bindings!(
    lifecycle,
    "lifecycle",
    "package bridge:telemetry-sdk; world lifecycle { export bridge:telemetry/lifecycle@0.2.2; }",
    "__export_lifecycle",
    "::bridge_telemetry_plugin::bindings::lifecycle"
);
export_bindings!(
    validation,
    "validation",
    "package bridge:telemetry-sdk; world validation { export bridge:telemetry/validation@0.2.2; }",
    "__export_validation",
    "::bridge_telemetry_plugin::bindings::validation"
);
export_bindings!(
    aggregation,
    "aggregation",
    "package bridge:telemetry-sdk; world aggregation { export bridge:telemetry/aggregation@0.2.2; }",
    "__export_aggregation",
    "::bridge_telemetry_plugin::bindings::aggregation"
);
export_bindings!(
    monitoring,
    "monitoring",
    "package bridge:telemetry-sdk; world monitoring { export bridge:telemetry/monitoring@0.2.2; }",
    "__export_monitoring",
    "::bridge_telemetry_plugin::bindings::monitoring"
);
export_bindings!(
    delivery,
    "delivery",
    "package bridge:telemetry-sdk; world delivery { export bridge:telemetry/delivery@0.2.2; }",
    "__export_delivery",
    "::bridge_telemetry_plugin::bindings::delivery"
);
