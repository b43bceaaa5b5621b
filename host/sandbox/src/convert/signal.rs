//! What monitors find.

use std::collections::BTreeMap;

use telemetry_core::extension::FailureReason;
use telemetry_core::{Severity, Signal, Timestamp, limits};

use super::{message, unusable};
use crate::bindings::{monitoring, types};

/// Checks the signals of one call.
pub(crate) fn signals(given: Vec<monitoring::Signal>) -> Result<Vec<Signal>, FailureReason> {
    if given.len() > limits::MAX_SIGNALS_PER_CALL {
        return Err(unusable(format!(
            "{} signals at once, the limit is {}",
            given.len(),
            limits::MAX_SIGNALS_PER_CALL
        )));
    }
    given.into_iter().map(signal).collect()
}

fn signal(given: monitoring::Signal) -> Result<Signal, FailureReason> {
    let key = &given.key;
    telemetry_core::admission::checked_name(key)
        .map_err(|reason| unusable(format!("a signal's key {reason}")))?;
    if let Some(value) = given.value.filter(|value| !value.is_finite()) {
        return Err(unusable(format!("the value of signal \"{key}\" is {value}")));
    }
    Ok(Signal {
        labels: labels(key, given.labels)?,
        key: given.key,
        firing: given.firing,
        severity: severity(given.severity),
        summary: message(given.summary),
        value: given.value,
        timestamp: Timestamp::from_nanos(given.timestamp),
    })
}

fn labels(key: &str, given: Vec<types::LabelResult>) -> Result<BTreeMap<String, String>, FailureReason> {
    let bytes: usize = given.iter().map(|label| label.name.len() + label.value.len()).sum();
    if bytes > limits::MAX_CONTEXT_BYTES {
        return Err(unusable(format!("the labels of signal \"{key}\" have {bytes} bytes")));
    }
    if given.len() > limits::MAX_SIGNAL_LABELS {
        return Err(unusable(format!("signal \"{key}\" has {} labels", given.len())));
    }
    Ok(given.into_iter().map(|label| (label.name, label.value)).collect())
}

fn severity(given: types::Severity) -> Severity {
    match given {
        types::Severity::Info => Severity::Info,
        types::Severity::Warning => Severity::Warning,
        types::Severity::Error => Severity::Error,
        types::Severity::Critical => Severity::Critical,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given() -> monitoring::Signal {
        monitoring::Signal {
            key: "k".into(),
            firing: true,
            severity: types::Severity::Error,
            summary: "s\u{1b}[2J".into(),
            value: Some(1.5),
            timestamp: 7,
            labels: vec![label("host", "a")],
        }
    }

    fn label(name: &str, value: &str) -> types::LabelResult {
        types::LabelResult { name: name.into(), value: value.into() }
    }

    #[test]
    fn a_good_signal() {
        let signal = signals(vec![given()]).unwrap().remove(0);
        assert_eq!(signal.summary, "s\\u{1b}[2J");
        assert_eq!(signal.labels["host"], "a");
        assert!(signals(vec![monitoring::Signal { labels: vec![], ..given() }]).is_ok());
    }

    #[test]
    fn garbage_is_refused() {
        for garbage in [
            monitoring::Signal { key: String::new(), ..given() },
            monitoring::Signal { key: "k".repeat(limits::MAX_NAME_BYTES + 1), ..given() },
            monitoring::Signal { value: Some(f64::NAN), ..given() },
            monitoring::Signal { labels: vec![label("a", &"x".repeat(9000))], ..given() },
            monitoring::Signal { labels: vec![label("a", "b"); limits::MAX_SIGNAL_LABELS + 1], ..given() },
        ] {
            assert_eq!(signals(vec![garbage.clone()]).unwrap_err().kind(), "output", "{garbage:?}");
        }
        assert!(signals(vec![given(); limits::MAX_SIGNALS_PER_CALL + 1]).is_err());
    }
}
