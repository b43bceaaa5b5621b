//! What operators see of the outbox.

use serde::Serialize;
use telemetry_core::Timestamp;

/// The outbox and its receivers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct OutboxStatus {
    /// Deliveries that wait or are on their way.
    pub pending: usize,
    /// Dead letters kept.
    pub dead_letters: usize,
    /// Dead letters that were removed because there were too many.
    pub dead_letters_dropped: u64,
    /// Each receiver.
    pub receivers: Vec<ReceiverStatus>,
}

/// One receiver since the start of the host.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReceiverStatus {
    /// Its name.
    pub receiver: String,
    /// Whether its sink is there; without it, deliveries wait.
    pub available: bool,
    /// Deliveries that wait.
    pub waiting: usize,
    /// Deliveries that are on their way.
    pub on_the_way: usize,
    /// When the next delivery is due.
    pub next_due: Option<Timestamp>,
    /// What became of the attempts.
    #[serde(flatten)]
    pub tally: Tally,
}

/// What became of attempts to deliver.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Tally {
    /// Delivered.
    pub delivered: u64,
    /// The far side had them already.
    pub duplicates: u64,
    /// Handed on to other receivers.
    pub forwarded: u64,
    /// To be tried again.
    pub retried: u64,
    /// Given up.
    pub dead: u64,
    /// Why the last attempt failed that did.
    pub last_error: Option<String>,
}

impl Tally {
    pub(super) fn add(&mut self, other: Self) {
        self.delivered += other.delivered;
        self.duplicates += other.duplicates;
        self.forwarded += other.forwarded;
        self.retried += other.retried;
        self.dead += other.dead;
        if other.last_error.is_some() {
            self.last_error = other.last_error;
        }
    }
}
