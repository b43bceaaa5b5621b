//! Attacks through JSON Schemas, the same for every kind that has them.

use bridge_telemetry_plugin::bindings::imports::json_schemas::Schema;

/// Bytes of a giant schema: half of what the host takes from a guest at once in the tests.
const GIANT: usize = 1 << 19;

/// Makes the attack, if it is one of these: none of them ends by itself.
pub(crate) fn attack(attack: &str) {
    match attack {
        "json-schemas.compile*" => loop {
            drop(Schema::compile("{}"));
        },
        "json-schemas.compile-giant" => {
            let giant = format!("{{\"title\":\"{}\"}}", "x".repeat(GIANT));
            loop {
                drop(Schema::compile(&giant));
            }
        }
        // Goes on when it gets no more.
        "json-schemas.compile-leak" => {
            let mut kept = Vec::new();
            loop {
                kept.extend(Schema::compile(r#"{"required":["a"]}"#));
            }
        }
        "json-schemas.check*" => check(&[0]),
        "json-schemas.check-giant" => check(&vec![u32::MAX; GIANT / size_of::<u32>()]),
        _ => {}
    }
}

fn check(rows: &[u32]) -> ! {
    let schema = Schema::compile("{}").unwrap();
    loop {
        drop(schema.check(rows, u32::MAX));
    }
}
