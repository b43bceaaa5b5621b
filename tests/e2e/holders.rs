//! A saturated recording: as many records on their way as there may be, held until they are let go.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use bridge_telemetry::{Host, MetricDraft, Receipt, RecordError};
use telemetry_core::{Subscription, limits};

/// Beyond any work of a host under load: only a test that fails waits for so long.
const LONG: Duration = Duration::from_secs(300);
/// Samples of one series in a batch: one instant has many of them, and a head holds them.
const SAMPLES_OF_A_SERIES: usize = 1_000;

type Outcomes = Vec<Result<Receipt, RecordError>>;

/// Threads that record batches of the largest size; their last sample's subscriber does not return before
/// [`Holders::let_go`].
pub(crate) struct Holders {
    threads: Vec<JoinHandle<Outcomes>>,
    gates: Vec<Sender<()>>,
}

impl Holders {
    /// Fills a host with records on their way; returns when not one more has room.
    pub(crate) fn of(host: &Arc<Host>) -> Self {
        let count = limits::MAX_RECORDS_IN_FLIGHT / limits::MAX_BATCH_RECORDS;
        let (gates, waiting): (Vec<_>, Vec<_>) = (0..count).map(|_| channel::<()>()).unzip();
        let waiting: Mutex<Vec<Receiver<()>>> = Mutex::new(waiting);
        let (entered, arrivals) = channel();
        let entered = Mutex::new(entered);
        let last = Subscription { metrics: Some(vec!["held".to_owned()]), ..Subscription::default() };
        host.subscribe(last, move |_| {
            let gate = waiting.lock().unwrap().pop().unwrap();
            entered.lock().unwrap().send(()).unwrap();
            // A test that failed has dropped the other side.
            let _ = gate.recv_timeout(LONG);
        });
        let threads = (0..count).map(|holder| {
            let host = Arc::clone(host);
            std::thread::spawn(move || host.record_metrics(batch(holder)))
        });
        let holders = Self { threads: threads.collect(), gates };
        for _ in 0..count {
            arrivals.recv_timeout(LONG).expect("every batch is stored and held");
        }
        holders
    }

    /// Lets the batches go to their end; every record of them was stored.
    pub(crate) fn let_go(self) {
        drop(self.gates);
        for thread in self.threads {
            assert!(thread.join().unwrap().iter().all(Result::is_ok));
        }
    }
}

fn batch(holder: usize) -> Vec<MetricDraft> {
    let name = |number: usize| format!("m{holder}-{}", number / SAMPLES_OF_A_SERIES);
    let mut drafts: Vec<_> =
        (1..limits::MAX_BATCH_RECORDS).map(|number| MetricDraft::new(name(number), 1)).collect();
    drafts.push(MetricDraft::new("held", 1));
    drafts
}
