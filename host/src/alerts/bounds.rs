//! Limits on what a monitor says. The runtime checked the shape; here sizes and times are bounded, and nothing is lost that
//! identifies an alert.

use telemetry_core::{Signal, Timestamp, limits};
use xxhash_rust::xxh3::xxh3_64;

/// A hash of 16 hexadecimal digits behind a tilde stands for the end of a name that is too long.
const HASH_BYTES: usize = 17;

/// `text`, cut to at most `max` bytes between two characters.
pub(crate) fn cut(text: &str, max: usize) -> &str {
    text.get(..text.floor_char_boundary(max)).unwrap_or(text)
}

/// The signal within the limits. Two keys that differ still differ.
pub(super) fn bounded(signal: Signal, now: Timestamp) -> Signal {
    let labels = signal
        .labels
        .into_iter()
        .take(limits::MAX_ALERT_LABELS)
        .map(|(name, value)| (bounded_name(name), cut(&value, limits::MAX_NAME_BYTES).to_owned()))
        .collect();
    Signal {
        key: bounded_name(signal.key),
        summary: match signal.summary.len() <= limits::MAX_SUMMARY_BYTES {
            true => signal.summary,
            false => cut(&signal.summary, limits::MAX_SUMMARY_BYTES).to_owned(),
        },
        value: signal.value.filter(|value| value.is_finite()),
        timestamp: signal.timestamp.min(now.plus(limits::MAX_AHEAD)),
        labels,
        ..signal
    }
}

fn bounded_name(name: String) -> String {
    if name.len() <= limits::MAX_NAME_BYTES {
        return name;
    }
    let hash = xxh3_64(name.as_bytes());
    format!("{}~{hash:016x}", cut(&name, limits::MAX_NAME_BYTES - HASH_BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;
    use telemetry_core::Severity;

    fn signal(key: String) -> Signal {
        Signal {
            key,
            firing: true,
            severity: Severity::Info,
            summary: "é".repeat(limits::MAX_SUMMARY_BYTES),
            value: Some(f64::NAN),
            timestamp: Timestamp::MAX,
            labels: (0..100).map(|n| (format!("{n:03}"), "v".repeat(5000))).collect(),
        }
    }

    #[test]
    fn sizes_and_times_are_bounded() {
        let now = Timestamp::from_millis(1);
        let bounded = bounded(signal("k".to_owned()), now);
        assert_eq!(bounded.summary.len(), limits::MAX_SUMMARY_BYTES);
        assert_eq!(bounded.value, None);
        assert_eq!(bounded.timestamp, now.plus(limits::MAX_AHEAD));
        assert_eq!(bounded.labels.len(), limits::MAX_ALERT_LABELS);
        assert!(bounded.labels.values().all(|value| value.len() == limits::MAX_NAME_BYTES));
    }

    #[test]
    fn long_keys_keep_their_difference() {
        let now = Timestamp::EPOCH;
        let key = |end: &str| bounded(signal(format!("{}{end}", "é".repeat(1000))), now).key;
        assert!(key("a").len() <= limits::MAX_NAME_BYTES);
        assert_ne!(key("a"), key("b"));
        assert_eq!(key("a"), key("a"));
    }
}
