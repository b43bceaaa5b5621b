//! Monitors, alerts and their delivery.

use std::time::Duration;

/// Most hops of a forwarded alert (spec §7).
pub const MAX_FORWARD_HOPS: u32 = 4;

/// Most monitors of one host: each has a thread of its own.
pub const MAX_MONITORS: usize = 64;
/// Most receivers of one host: each has a thread of its own.
pub const MAX_RECEIVERS: usize = 64;
/// Records that a monitor reads from the log at once: enough to amortise the read.
pub const MAX_LOG_READ: usize = 4096;
/// Bytes of events shown by one reading of the log, give or take the last event: a batch must fit a plugin's memory.
pub const MAX_LOG_READ_BYTES: usize = 4 << 20;
/// Readings of the log that are kept for other monitors that come to the same records: those that keep up are within one or two.
/// Each has at most [`MAX_LOG_READ_BYTES`] of events, with what was found in them, and at most [`MAX_LOG_READ`] samples, whose names and
/// contexts are not counted: some 32 MiB where each is of a series of its own with the largest context.
pub const MAX_SHARED_READINGS: usize = 4;
/// Longest time between two checkpoints of a monitor that moves on: bounds what is replayed after a crash (design.md).
pub const CHECKPOINT_INTERVAL: Duration = Duration::from_secs(1);
/// Most records between two checkpoints, so that catching up at full speed does not widen the replay.
pub const CHECKPOINT_RECORDS: u64 = 50_000;
/// How long a monitor that caught up waits for the log in one go: also the longest it takes to notice a stop.
pub const LOG_WAIT: Duration = Duration::from_millis(50);
/// Failures on one batch before its poison record is searched for: a passing fault gets two more tries.
pub const MONITOR_KILLS_BEFORE_HUNT: u32 = 3;
/// Poison records in a row, without a good one between, after which the monitor itself is taken for broken and no more
/// records are skipped.
pub const MAX_POISON_IN_A_ROW: u32 = 16;
/// First pause of a failing monitor; doubles with each failure that follows without progress.
pub const MIN_MONITOR_BACKOFF: Duration = Duration::from_millis(50);
/// Longest pause of a failing monitor.
pub const MAX_MONITOR_BACKOFF: Duration = Duration::from_secs(30);
/// Shortest interval between the ticks of a monitor: each tick is a record of the log.
pub const MIN_TICK_INTERVAL: Duration = Duration::from_millis(100);
/// Longest interval between the ticks of a monitor.
pub const MAX_TICK_INTERVAL: Duration = Duration::from_secs(86_400);

/// Alerts of one monitor that may fire at once: more than people can look at, few enough to hold in memory.
pub const MAX_FIRING_ALERTS: usize = 1_000;
/// Resolved alerts kept for listing, for each monitor.
pub const MAX_RESOLVED_ALERTS: usize = 200;
/// How long resolved alerts are kept for listing.
pub const RESOLVED_ALERT_AGE: Duration = Duration::from_secs(7 * 86_400);
/// Largest summary of an alert in bytes: one line for a person.
pub const MAX_SUMMARY_BYTES: usize = 1 << 10;
/// Most labels of one alert; each name and value has at most [`MAX_NAME_BYTES`](super::MAX_NAME_BYTES).
pub const MAX_ALERT_LABELS: usize = 32;
/// How long an alert of the host's own about an incident fires after the incident's last sign.
pub const INCIDENT_HOLD: Duration = Duration::from_secs(300);
/// Deliveries that may wait in the outbox: it is mirrored in memory. More become dead letters at once.
pub const MAX_PENDING_DELIVERIES: usize = 20_000;
/// Deliveries of one monitor's alerts that may wait, so that one noisy monitor leaves room for the others.
pub const MAX_PENDING_PER_MONITOR: usize = 4_000;
/// Dead letters kept; of more the oldest of the monitor that has most go first, counted.
pub const MAX_DEAD_LETTERS: usize = 10_000;
/// When a replay that found the outbox full is worth another try: a receiver's thread brings some hundred rows to its sink in
/// this time.
pub const REPLAY_RETRY: Duration = Duration::from_secs(5);
/// Dead letters of one listing when the caller names no limit.
pub const DEFAULT_DEAD_LETTERS: usize = 100;
/// Attempts before a delivery is given up: with the longest pause between them, a receiver may be away for a day.
pub const MAX_DELIVERY_ATTEMPTS: u32 = 300;
/// Age of a delivery after which a failed attempt is the last one, and after which it no longer waits for a sink that could
/// not be loaded: a weekend on which nobody mends the receiver passes; older news is for whoever replays dead letters.
pub const MAX_DELIVERY_AGE: Duration = Duration::from_secs(3 * 86_400);
/// First pause before a delivery is tried again; doubles with each attempt, with jitter up to twice the pause.
pub const MIN_DELIVERY_BACKOFF: Duration = Duration::from_secs(1);
/// Longest pause before jitter.
pub const MAX_DELIVERY_BACKOFF: Duration = Duration::from_secs(300);
/// Longest pause that a sink may ask for.
pub const MAX_RETRY_AFTER: Duration = Duration::from_secs(3600);
/// Alerts handed to a sink in one call.
pub const MAX_DELIVERY_BATCH: usize = 64;
/// Time that a sink has for one call.
pub const DELIVERY_DEADLINE: Duration = Duration::from_secs(10);
/// Largest reason kept of a failed delivery in bytes.
pub const MAX_REASON_BYTES: usize = 1 << 10;
/// Pause after the store refused a write, before it is asked again.
pub const STORE_RETRY_PAUSE: Duration = Duration::from_secs(1);
/// Longest sleep of a timer: a wall clock that jumps is noticed after this.
pub const MAX_TIMER_WAIT: Duration = Duration::from_secs(1);
