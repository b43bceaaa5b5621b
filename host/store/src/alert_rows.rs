//! The values of the family `alerts`: JSON in envelopes of version 2. Values of version 1 are read as well.

use std::collections::BTreeSet;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use telemetry_core::{Alert, DeadLetter, PendingDelivery};

use crate::envelope;
use crate::error::{Damage, StoreError};

const VERSION: u8 = 2;

/// An alert with what the host keeps of it besides its public form.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredAlert {
    /// The alert.
    pub alert: Alert,
    /// The receivers that were told of it; `None` when a release stored it that did not keep them.
    pub told: Option<BTreeSet<String>>,
}

/// A value of the family.
pub(crate) trait AlertRow: Serialize + DeserializeOwned {
    /// What a reader calls it.
    const WHAT: &'static str;
    /// From the JSON of version 1 to that of version 2.
    fn upgrade(old: Value) -> Value;
}

impl AlertRow for StoredAlert {
    const WHAT: &'static str = "alert";

    /// It was the alert alone.
    fn upgrade(old: Value) -> Value {
        json!({"alert": old, "told": null})
    }
}

impl AlertRow for PendingDelivery {
    const WHAT: &'static str = "delivery";

    /// It had no `created`; when it was due is the nearest that is known.
    fn upgrade(mut old: Value) -> Value {
        if let Some(fields) = old.as_object_mut()
            && let Some(due) = fields.get("due").cloned()
        {
            fields.insert("created".to_owned(), due);
        }
        old
    }
}

impl AlertRow for DeadLetter {
    const WHAT: &'static str = "dead letter";

    /// The delivery in it was of version 1.
    fn upgrade(mut old: Value) -> Value {
        if let Some(delivery) = old.get_mut("delivery") {
            *delivery = PendingDelivery::upgrade(delivery.take());
        }
        old
    }
}

pub(crate) fn encode<T: AlertRow>(value: &T) -> Result<Vec<u8>, StoreError> {
    let mut out = Vec::new();
    envelope::begin(&mut out, VERSION);
    serde_json::to_writer(&mut out, value).map_err(|error| Damage::new(T::WHAT, error.to_string()))?;
    envelope::finish(&mut out);
    Ok(out)
}

pub(crate) fn decode<T: AlertRow>(value: &[u8]) -> Result<T, Damage> {
    let damage = |error: serde_json::Error| Damage::new(T::WHAT, error.to_string());
    match envelope::open_any(T::WHAT, value)? {
        (VERSION, payload) => serde_json::from_slice(payload).map_err(damage),
        (1, payload) => {
            let old = serde_json::from_slice(payload).map_err(damage)?;
            serde_json::from_value(T::upgrade(old)).map_err(damage)
        }
        (other, _) => Err(Damage::new(T::WHAT, format!("version {other} is not known"))),
    }
}

/// A row as the release before wrote it.
#[cfg(any(test, feature = "fuzzing"))]
const ALERT_1: &str = r#"{"alert_id":"0196f3a0-0000-7000-8000-000000000001","monitor":"threshold","key":"k",
    "status":"firing","severity":"critical","summary":"hot","value":0.5,"labels":{"host":"a"},
    "first_seen":"2025-05-21T14:32:17Z","last_seen":"2025-05-21T14:32:18Z","resolved_at":null,"times_seen":2}"#;

/// The same of a delivery.
#[cfg(any(test, feature = "fuzzing"))]
fn delivery_1() -> String {
    format!(
        r#"{{"alert":{ALERT_1},"receiver":"ops","due":"2025-05-21T14:40:00Z","attempts":3,
        "forwarded_by":["switch"],"idempotency_key":"i","last_error":"status 500"}}"#
    )
}

/// Inputs of one decoder.
#[cfg(any(test, feature = "fuzzing"))]
type Inputs = Vec<Vec<u8>>;

/// For the fuzzer, alerts, deliveries and dead letters: the version's number, then the JSON.
#[cfg(any(test, feature = "fuzzing"))]
pub(crate) fn examples() -> (Inputs, Inputs, Inputs) {
    let of = |version: u8, json: &str| [&[version], json.as_bytes()].concat();
    let created = delivery_1().replacen("\"due\"", "\"created\":\"2025-05-21T14:32:17Z\",\"due\"", 1);
    let letter = |delivery: &str| {
        format!(r#"{{"delivery":{delivery},"reason":"given up","since":"2025-05-22T00:00:00Z"}}"#)
    };
    (
        vec![of(2, &format!(r#"{{"alert":{ALERT_1},"told":["ops"]}}"#)), of(1, ALERT_1)],
        vec![of(2, &created), of(1, &delivery_1())],
        vec![of(2, &letter(&created)), of(1, &letter(&delivery_1()))],
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use telemetry_core::Timestamp;

    fn read_1<T: AlertRow>(json: &str) -> T {
        decode(&envelope::wrap(1, json.as_bytes())).unwrap()
    }

    #[test]
    fn rows_of_the_release_before_are_read() {
        let alert: StoredAlert = read_1(ALERT_1);
        assert_eq!((alert.alert.times_seen, alert.alert.value, alert.told), (2, Some(0.5), None));
        let due = Timestamp::parse("2025-05-21T14:40:00Z").unwrap();
        let delivery: PendingDelivery = read_1(&delivery_1());
        assert_eq!((delivery.created, delivery.due, delivery.attempts), (due, due, 3));
        let letter =
            format!(r#"{{"delivery":{},"reason":"given up","since":"2025-05-22T00:00:00Z"}}"#, delivery_1());
        let letter: DeadLetter = read_1(&letter);
        assert_eq!((letter.delivery, letter.reason.as_str()), (delivery, "given up"));
    }

    #[test]
    fn rows_come_back() {
        let delivery: PendingDelivery = read_1(&delivery_1());
        let created = Timestamp::EPOCH;
        let delivery = PendingDelivery { created, ..delivery };
        assert_eq!(decode::<PendingDelivery>(&encode(&delivery).unwrap()).unwrap(), delivery);
        let told = Some(["ops".to_owned(), "switch".to_owned()].into());
        let alert = StoredAlert { told, ..read_1(ALERT_1) };
        assert_eq!(decode::<StoredAlert>(&encode(&alert).unwrap()).unwrap(), alert);
    }

    #[test]
    fn what_is_no_row_is_damage() {
        for (version, payload) in [(3, ALERT_1), (1, "[]"), (1, "5"), (1, "{}"), (2, ALERT_1), (2, "{")] {
            assert!(
                decode::<StoredAlert>(&envelope::wrap(version, payload.as_bytes())).is_err(),
                "{payload}"
            );
        }
        for payload in ["[]", "{}", r#"{"delivery":[]}"#, r#"{"due":5}"#] {
            assert!(decode::<DeadLetter>(&envelope::wrap(1, payload.as_bytes())).is_err(), "{payload}");
        }
    }
}
