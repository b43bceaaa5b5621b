//! Column families: the fixed ones, and the partitions by time of the two classes of records.

use std::fmt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use telemetry_core::time::NANOS_PER_DAY;
use telemetry_core::{TimeRange, Timestamp};

/// Format, identity, partition catalogue, watermark, counters, last known time.
pub(crate) const META: &str = "meta";
/// The durable log: samples and ticks inline, events by their key.
pub(crate) const LOG: &str = "log";
/// Monitors' cursors and plugins' key-value spaces.
pub(crate) const PLUGIN_STATE: &str = "plugin_state";
/// Alerts, their deliveries and dead letters.
pub(crate) const ALERTS: &str = "alerts";
/// The families that every store has.
pub(crate) const FIXED: [&str; 4] = [META, LOG, PLUGIN_STATE, ALERTS];
/// Begins the names of metrics' partitions.
pub(crate) const METRICS_PREFIX: &str = "m.";
/// Begins the names of events' partitions.
pub(crate) const EVENTS_PREFIX: &str = "e.";

/// A class of records, with a retention of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Class {
    /// Events.
    Events,
    /// Samples of metrics.
    Metrics,
}

impl Class {
    /// Both classes.
    pub(crate) const ALL: [Class; 2] = [Class::Events, Class::Metrics];

    /// The class's number in keys.
    pub(crate) const fn number(self) -> u8 {
        match self {
            Self::Events => 1,
            Self::Metrics => 2,
        }
    }

    /// The class with this number.
    pub(crate) fn from_number(number: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|class| class.number() == number)
    }

    /// What the names of its partitions begin with.
    pub(crate) const fn prefix(self) -> &'static str {
        match self {
            Self::Events => EVENTS_PREFIX,
            Self::Metrics => METRICS_PREFIX,
        }
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Events => "events",
            Self::Metrics => "metrics",
        })
    }
}

/// The records of one class over whole UTC days, in a column family of their own.
#[derive(Debug)]
pub(crate) struct Partition {
    /// What it holds.
    pub(crate) class: Class,
    /// The first instant, nanoseconds since the epoch.
    pub(crate) start: i64,
    /// The first instant after it.
    pub(crate) end: i64,
    /// The family's name.
    pub(crate) family: String,
    records: AtomicU64,
    folded: AtomicBool,
    touched: AtomicU64,
}

impl Partition {
    /// The partition over `start..end`.
    pub(crate) fn new(class: Class, start: i64, end: i64) -> Self {
        Self {
            class,
            start,
            end,
            family: family_name(class, start),
            records: AtomicU64::new(0),
            folded: AtomicBool::new(false),
            touched: AtomicU64::new(0),
        }
    }

    /// Whether an instant lies within.
    pub(crate) fn holds(&self, nanos: i64) -> bool {
        self.start <= nanos && nanos < self.end
    }

    /// Whether any instant of `range` lies within.
    pub(crate) fn meets(&self, range: &TimeRange) -> bool {
        self.start <= range.last().nanos() && range.first().nanos() < self.end
    }

    /// Records stored in it.
    pub(crate) fn records(&self) -> u64 {
        self.records.load(Ordering::Relaxed)
    }

    /// Counts records that were stored in it.
    pub(crate) fn count(&self, records: u64) {
        self.records.fetch_add(records, Ordering::Relaxed);
    }

    /// Sets the count to what was found in it.
    pub(crate) fn set_records(&self, records: u64) {
        self.records.store(records, Ordering::Relaxed);
    }

    /// Notes when a record came, on the monotonic clock, in seconds.
    pub(crate) fn touch(&self, seconds: u64) {
        self.touched.store(seconds, Ordering::Relaxed);
    }

    /// When a record came last, since the store was opened.
    pub(crate) fn touched(&self) -> u64 {
        self.touched.load(Ordering::Relaxed)
    }

    /// Whether it was brought into its final form after it closed: chunks merged, tables compacted.
    pub(crate) fn is_folded(&self) -> bool {
        self.folded.load(Ordering::Relaxed)
    }

    /// Notes whether it is in its final form.
    pub(crate) fn set_folded(&self, folded: bool) {
        self.folded.store(folded, Ordering::Relaxed);
    }
}

/// `m.YYYYMMDD`, by the partition's first day.
fn family_name(class: Class, start: i64) -> String {
    let text = Timestamp::from_nanos(start).to_string();
    let digits = text.split('T').next().unwrap_or_default().chars().filter(|c| *c != '-');
    let mut name = class.prefix().to_owned();
    name.extend(digits);
    name
}

/// Most partitions of both classes together: each costs memory and a file or two, and reads look into each.
pub(crate) const MAX_PARTITIONS: i64 = 64;
/// Partitions beyond the retention's own days: the one that is being left, today's, and the one ahead of midnight.
const EXTRA_PARTITIONS: i64 = 3;

/// How many days a partition of each class spans, so that both classes keep within [`MAX_PARTITIONS`]. The answer is in
/// the order of the arguments.
pub(crate) fn widths(retentions: [std::time::Duration; 2]) -> [i64; 2] {
    let days = retentions.map(|retention| {
        telemetry_core::time::saturating_nanos(retention).div_euclid(NANOS_PER_DAY).saturating_add(1)
    });
    let needed =
        |days: i64, width: i64| (days.saturating_add(width - 1) / width).saturating_add(EXTRA_PARTITIONS);
    let [mut one, mut two] = [1, 1];
    let [days_one, days_two] = days;
    while needed(days_one, one).saturating_add(needed(days_two, two)) > MAX_PARTITIONS {
        if needed(days_one, one) >= needed(days_two, two) {
            one = one.saturating_add(1);
        } else {
            two = two.saturating_add(1);
        }
    }
    [one, two]
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn names_are_the_first_day() {
        let start = Timestamp::parse("2025-05-21T00:00:00Z").unwrap().nanos();
        let partition = Partition::new(Class::Metrics, start, start + NANOS_PER_DAY);
        assert_eq!(partition.family, "m.20250521");
        assert!(partition.holds(start) && !partition.holds(start + NANOS_PER_DAY));
    }

    #[test]
    fn partitions_widen_with_retention() {
        let day = |days: u64| Duration::from_secs(days * 86_400);
        assert_eq!(widths([day(7), day(30)]), [1, 1]);
        assert_eq!(widths([day(7), day(365)]), [1, 8]);
        assert_eq!(widths([day(365), day(365)]), [13, 13]);
        let [one, two] = widths([Duration::MAX, Duration::MAX]);
        assert!(one > 1000 && two > 1000);
    }
}
