//! What is to be kept: a function's states over buckets of a width, of the metrics that some patterns mean.

use std::time::Duration;

use telemetry_core::Subscription;
use telemetry_core::aggregation::{KeptStates, StateIdentity};
use telemetry_core::time::{NANOS_PER_DAY, saturating_nanos};
use xxhash_rust::xxh3::xxh3_64;

use crate::envelope;
use crate::error::Damage;
use crate::wire::{Reader, put_bytes, put_varint};

const ROW: &str = "kind of kept states";
const VERSION: u8 = 1;

/// States of one function that the store keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StateRollup {
    /// What determines the states.
    pub identity: StateIdentity,
    /// The length of a bucket; divides a day, and is at least [`telemetry_core::limits::MIN_STATE_BUCKET`].
    pub width: Duration,
    /// Names of metrics, a trailing `*` matches a prefix; all when empty.
    pub metrics: Vec<String>,
}

impl StateRollup {
    /// How scans name these states.
    pub fn states(&self) -> KeptStates {
        Self::states_of(&self.identity, self.width)
    }

    /// How scans name the states of an identity in buckets of a width.
    pub fn states_of(identity: &StateIdentity, width: Duration) -> KeptStates {
        let width = saturating_nanos(width);
        KeptStates { fingerprint: xxh3_64(&payload(identity, width)), width }
    }

    /// Whether a day consists of whole buckets that are long enough.
    pub fn is_possible(&self) -> bool {
        let width = saturating_nanos(self.width);
        self.width >= telemetry_core::limits::MIN_STATE_BUCKET && width > 0 && NANOS_PER_DAY % width == 0
    }

    /// Whether states of this metric are kept.
    pub(super) fn wants(&self, metric: &str) -> bool {
        Subscription { metrics: Some(self.metrics.clone()), ..Subscription::default() }.wants_metric(metric)
    }

    /// Stands for the metrics, whatever the order of the patterns.
    pub(super) fn metrics_hash(&self) -> u64 {
        let mut patterns: Vec<&String> = self.metrics.iter().collect();
        patterns.sort_unstable();
        let mut bytes = Vec::new();
        patterns.iter().for_each(|pattern| put_bytes(&mut bytes, pattern.as_bytes()));
        xxh3_64(&bytes)
    }

    /// The row that names them in `meta`.
    pub(super) fn row(&self) -> Vec<u8> {
        envelope::wrap(VERSION, &payload(&self.identity, saturating_nanos(self.width)))
    }
}

fn payload(identity: &StateIdentity, width: i64) -> Vec<u8> {
    let mut payload = Vec::new();
    put_varint(&mut payload, width.unsigned_abs());
    for text in [&identity.function, &identity.parameters, &identity.origin] {
        put_bytes(&mut payload, text.as_bytes());
    }
    payload
}

/// The identity and width of a row of `meta`.
pub(crate) fn read_row(value: &[u8]) -> Result<(StateIdentity, KeptStates), Damage> {
    let payload = envelope::open(ROW, VERSION, value)?;
    let mut reader = Reader::new(ROW, payload);
    let width = i64::try_from(reader.varint()?).unwrap_or(0);
    let mut text = || reader.text().map(str::to_owned);
    let identity = StateIdentity { function: text()?, parameters: text()?, origin: text()? };
    if width <= 0 || NANOS_PER_DAY % width != 0 {
        return Err(reader.damage("its buckets do not divide a day"));
    }
    reader.finish()?;
    Ok((identity, KeptStates { fingerprint: xxh3_64(payload), width }))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rollup(origin: &str, minutes: u64) -> StateRollup {
        let identity = StateIdentity {
            function: "percentile".into(),
            parameters: "{\"q\":0.99}".into(),
            origin: origin.into(),
        };
        StateRollup { identity, width: Duration::from_secs(60 * minutes), metrics: vec!["http_*".into()] }
    }

    #[test]
    fn what_may_change_states_changes_the_fingerprint() {
        let one = rollup("v1", 60);
        assert_eq!(one.states(), rollup("v1", 60).states());
        assert_ne!(one.states().fingerprint, rollup("v2", 60).states().fingerprint);
        assert_ne!(one.states().fingerprint, rollup("v1", 5).states().fingerprint);
        assert_eq!(read_row(&one.row()).unwrap(), (one.identity.clone(), one.states()));
        assert!(one.wants("http_time") && !one.wants("cpu"));
    }

    #[test]
    fn buckets_divide_a_day() {
        for (minutes, possible) in [(1, true), (5, true), (1440, true), (7, false), (0, false), (2880, false)]
        {
            assert_eq!(rollup("v1", minutes).is_possible(), possible, "{minutes}");
        }
    }
}
