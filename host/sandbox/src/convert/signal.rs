//! What monitors find.
//!
//! A caller's record can bring any monitor that makes keys and labels of its context beyond their limits. They are brought within them,
//! and counted: what was found is not lost, and neither is the monitor.

use std::collections::{BTreeMap, HashSet};

use sha2::{Digest, Sha256};
use telemetry_core::admission::checked_name;
use telemetry_core::extension::FailureReason;
use telemetry_core::{Severity, Signal, Timestamp, limits};

use super::{message, unusable};
use crate::bindings::{monitoring, types};
use crate::text::{cut, shown};

/// Hexadecimal digits of the hash at the end of a key that stands for another one: so many that nobody finds two keys with one hash.
const HASH_DIGITS: usize = 32;

/// The signals of one call, and what it took to bring them within their limits.
#[derive(Debug, Default)]
pub(crate) struct CheckedSignals {
    pub(crate) signals: Vec<Signal>,
    /// Keys that others stand for.
    pub(crate) keys_replaced: u64,
    /// Labels that were left out, or whose values were cut.
    pub(crate) labels_cut: u64,
}

/// Checks the signals of one call.
pub(crate) fn signals(given: Vec<monitoring::Signal>) -> Result<CheckedSignals, FailureReason> {
    if given.len() > limits::MAX_SIGNALS_PER_CALL {
        return Err(unusable(format!(
            "{} signals at once, the limit is {}",
            given.len(),
            limits::MAX_SIGNALS_PER_CALL
        )));
    }
    let mut checked =
        CheckedSignals { signals: Vec::with_capacity(given.len()), ..CheckedSignals::default() };
    for signal in given {
        let signal = checked.signal(signal)?;
        checked.signals.push(signal);
    }
    Ok(checked)
}

impl CheckedSignals {
    fn signal(&mut self, given: monitoring::Signal) -> Result<Signal, FailureReason> {
        if let Some(value) = given.value.filter(|value| !value.is_finite()) {
            return Err(unusable(format!("the value of signal \"{}\" is {value}", given.key)));
        }
        Ok(Signal {
            key: self.key(given.key)?,
            firing: given.firing,
            severity: severity(given.severity),
            summary: message(given.summary),
            value: given.value,
            timestamp: Timestamp::from_nanos(given.timestamp),
            labels: self.labels(given.labels),
        })
    }

    /// A key that is an alert's identity as it is, or the one that stands for it: always the same one, and for no other.
    fn key(&mut self, key: String) -> Result<String, FailureReason> {
        if key.is_empty() {
            return Err(unusable("a signal's key must not be empty"));
        }
        if checked_name(&key).is_ok() {
            return Ok(key);
        }
        self.keys_replaced += 1;
        let hash = format!("{:x}", Sha256::digest(&key));
        let room = limits::MAX_NAME_BYTES.saturating_sub(HASH_DIGITS + 1);
        // Cut once more: an escape is longer than what it stands for.
        let beginning = cut(shown(key, room), room);
        Ok(format!("{beginning}~{}", hash.get(..HASH_DIGITS).unwrap_or(&hash)))
    }

    /// The first labels that an alert has room for, in the order in which they were given.
    fn labels(&mut self, given: Vec<types::LabelResult>) -> BTreeMap<String, String> {
        let is_short = |text: &String| text.len() <= limits::MAX_NAME_BYTES;
        let bytes: usize = given.iter().map(|label| label.name.len() + label.value.len()).sum();
        if given.len() <= limits::MAX_ALERT_LABELS
            && bytes <= limits::MAX_CONTEXT_BYTES
            && given.iter().all(|label| is_short(&label.name) && is_short(&label.value))
        {
            return given.into_iter().map(|label| (label.name, label.value)).collect();
        }
        // Of several with one name the last counts.
        let mut names = HashSet::new();
        let mut once: Vec<_> =
            given.into_iter().rev().filter(|label| names.insert(label.name.clone())).collect();
        once.reverse();
        let mut labels = BTreeMap::new();
        let mut room = limits::MAX_CONTEXT_BYTES;
        for types::LabelResult { name, value } in once {
            let is_whole = is_short(&value);
            let value = if is_whole { value } else { cut(value, limits::MAX_NAME_BYTES) };
            let left = room.checked_sub(name.len().saturating_add(value.len()));
            match left.filter(|_| is_short(&name) && labels.len() < limits::MAX_ALERT_LABELS) {
                Some(left) => {
                    room = left;
                    labels.insert(name, value);
                    self.labels_cut += u64::from(!is_whole);
                }
                None => self.labels_cut += 1,
            }
        }
        labels
    }
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
        let mut checked = signals(vec![given()]).unwrap();
        let signal = checked.signals.remove(0);
        assert_eq!((signal.key.as_str(), signal.summary.as_str()), ("k", "s\\u{1b}[2J"));
        assert_eq!(signal.labels["host"], "a");
        assert!(signals(vec![monitoring::Signal { labels: vec![], ..given() }]).is_ok());
        assert_eq!((checked.keys_replaced, checked.labels_cut), (0, 0));
    }

    #[test]
    fn garbage_is_refused() {
        for garbage in [
            monitoring::Signal { key: String::new(), ..given() },
            monitoring::Signal { value: Some(f64::NAN), ..given() },
        ] {
            assert_eq!(signals(vec![garbage.clone()]).unwrap_err().kind(), "output", "{garbage:?}");
        }
        assert!(signals(vec![given(); limits::MAX_SIGNALS_PER_CALL + 1]).is_err());
    }

    /// The key that stands for another one.
    fn stand_in(key: &str) -> String {
        let mut checked = signals(vec![monitoring::Signal { key: key.to_owned(), ..given() }]).unwrap();
        assert_eq!(checked.keys_replaced, 1, "{key}");
        let key = checked.signals.remove(0).key;
        assert!(checked_name(&key).is_ok(), "{key}");
        key
    }

    #[test]
    fn a_key_that_is_too_long_or_cannot_be_shown_has_one_that_stands_for_it() {
        let long = |end: &str| format!("cpu{{\"path\":\"{}{end}", "é".repeat(limits::MAX_NAME_BYTES));
        assert_eq!(stand_in(&long("a")), stand_in(&long("a")));
        assert_ne!(stand_in(&long("a")), stand_in(&long("b")));
        assert!(stand_in(&long("a")).starts_with("cpu{\"path\":\"éé"));
        // A host that is newer must know an alert again that is older.
        assert_eq!(stand_in("a\u{7f}b"), "a\\u{7f}b~4ef992561c6efb5dd9dc8e156a4bf8d7");
        assert_ne!(stand_in("a\u{7f}b"), stand_in("a\u{80}b"));
        // Every character is escaped, and a name of white space is none.
        assert!(stand_in(&"\u{1}".repeat(limits::MAX_NAME_BYTES)).starts_with("\\u{1}\\u{1}"));
        assert!(stand_in(" ").starts_with(" ~"));
    }

    /// What becomes of labels, and how many were cut.
    fn kept(labels: Vec<types::LabelResult>) -> (BTreeMap<String, String>, u64) {
        let mut checked = signals(vec![monitoring::Signal { labels, ..given() }]).unwrap();
        (checked.signals.remove(0).labels, checked.labels_cut)
    }

    #[test]
    fn surplus_labels_are_left_out_and_counted() {
        let most = limits::MAX_ALERT_LABELS;
        let many = |count: usize| (0..count).rev().map(|n| label(&format!("{n:03}"), "v")).collect();
        let (labels, cut) = kept(many(most));
        assert_eq!((labels.len(), cut), (most, 0));
        let (labels, cut) = kept(many(most + 30));
        assert_eq!((labels.len(), cut), (most, 30));
        assert!(labels.contains_key("061") && !labels.contains_key("000"), "the first that were given");
        let (labels, cut) = kept(vec![label("a", "b"); 100]);
        assert_eq!((labels.len(), cut), (1, 0), "one name is one label");
        let repeated = [label("a", "first")].into_iter().chain(many(most - 1)).chain([label("a", "last")]);
        let (labels, cut) = kept(repeated.collect());
        assert_eq!((labels.len(), labels["a"].as_str(), cut), (most, "last", 0));
    }

    #[test]
    fn labels_that_are_too_long_are_cut_or_left_out_and_counted() {
        let most = limits::MAX_NAME_BYTES;
        let long = |text: &str, bytes: usize| text.repeat(bytes);
        let (labels, cut) = kept(vec![label("a", &long("x", most + 1)), label(&long("n", most + 1), "b")]);
        assert_eq!((labels.len(), cut), (1, 2));
        assert_eq!((labels["a"].len(), labels["a"].ends_with("x…")), (most, true));
        // Seventeen of these are more than a context may have.
        let (labels, cut) = kept((0..17).map(|n| label(&format!("{n:02}"), &long("v", 500))).collect());
        assert_eq!((labels.len(), cut), (16, 1));
    }
}
