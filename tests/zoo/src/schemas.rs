//! Attacks through JSON Schemas, the same for every kind that has them.

use bridge_telemetry_plugin::bindings::imports::json_schemas::Schema;
use bridge_telemetry_plugin::bindings::imports::types::PluginError;

/// Bytes of a giant schema: half of what the host takes from a guest at once in the tests.
const GIANT: usize = 1 << 19;

/// Makes the attack, if it is one of these: none of them ends by itself.
pub fn attack(attack: &str) {
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
        // Rows that there are, more often than there are any, and with a fault each time.
        "json-schemas.check-repeated" => {
            let schema = Schema::compile("false").unwrap();
            loop {
                drop(schema.check(&vec![0; GIANT / size_of::<u32>()], u32::MAX));
                drop(schema.check(&[1, 1], u32::MAX));
            }
        }
        _ => {}
    }
}

/// Not hostile at all: what the host says of the first rows. The order is `schemas ROWS MOST`; the answer how many faults there are, how
/// many rows have some, and how many faults are without a place.
///
/// # Errors
/// When the host refuses.
pub fn judged(order: &str) -> Result<String, PluginError> {
    let mut numbers = order.split(' ').skip(1).map(|number| number.parse::<u32>().unwrap());
    let (rows, most) = (numbers.next().unwrap(), numbers.next().unwrap());
    let schema = Schema::compile(r#"{"additionalProperties":{"additionalProperties":{"type":"string"}}}"#)?;
    let faults = schema.check(&(0..rows).collect::<Vec<_>>(), most)?;
    let short = faults.iter().filter(|fault| fault.path.is_empty()).count();
    let mut faulty: Vec<u32> = faults.iter().map(|fault| fault.row).collect();
    faulty.dedup();
    Ok(format!("{} {} {short}", faults.len(), faulty.len()))
}

fn check(rows: &[u32]) -> ! {
    let schema = Schema::compile("{}").unwrap();
    loop {
        drop(schema.check(rows, u32::MAX));
    }
}
