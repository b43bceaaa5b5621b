//! Panics in what the embedding program gave the host: answered at the JSON edge, and the host goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use bridge_telemetry::envelope::Envelope;
use bridge_telemetry::{Clock, Host, ManualClock, Timestamp};
use serde_json::json;
use telemetry_core::{ErrorCode, Subscription};

use super::{serves, shown_by_health, unique};
use crate::fixture::{code, event, in_memory, message, metric, open, query, start};

/// Panics once, after a number of looks.
#[derive(Debug)]
struct BrokenClock {
    clock: ManualClock,
    looks_left: AtomicI64,
}

impl BrokenClock {
    fn look(&self) {
        assert_ne!(self.looks_left.fetch_sub(1, Ordering::SeqCst), 0, "the clock broke");
    }

    fn panics_after(&self, looks: i64) {
        self.looks_left.store(looks, Ordering::SeqCst);
    }
}

impl Clock for BrokenClock {
    fn now(&self) -> Timestamp {
        self.look();
        self.clock.now()
    }

    fn monotonic(&self) -> Duration {
        self.look();
        self.clock.monotonic()
    }
}

fn host_on_a_broken_clock() -> (Host, Arc<BrokenClock>) {
    let clock = Arc::new(BrokenClock { clock: ManualClock::at(start()), looks_left: AtomicI64::new(-1) });
    (open(in_memory(), Arc::clone(&clock) as Arc<dyn Clock>), clock)
}

/// The answer to an event during whose recording the clock panicked.
pub(super) fn recorded_by_a_broken_clock() -> Envelope {
    let (host, clock) = host_on_a_broken_clock();
    clock.panics_after(0);
    event(&host, json!({"event_type": "A", "source": "s"}))
}

#[test]
fn wherever_a_call_breaks_off_it_is_answered_and_the_next_ones_are_served() {
    let (host, clock) = host_on_a_broken_clock();
    let calls: [&dyn Fn() -> Envelope; 5] = [
        &|| event(&host, json!({"event_type": "A", "source": "s", "data": {"id": unique()}})),
        &|| event(&host, json!({"event_type": "A", "source": "s", "event_id": unique()})),
        &|| metric(&host, json!({"metric_name": "m", "metric_value": 1})),
        &|| query(&host, json!({"aggregation": "SUM"})),
        &|| host.health_json(),
    ];
    let (mut broken, mut stored) = (0, (0, 0));
    for call in calls {
        for looks in 0.. {
            clock.panics_after(looks);
            let answer = call();
            let reached = clock.looks_left.load(Ordering::SeqCst) < 0;
            clock.panics_after(-1);
            if answer.error != Some(ErrorCode::UnexpectedError) {
                assert!(!reached, "the panic at look {looks} was lost: {}", answer.body);
                break;
            }
            broken += 1;
            assert!(message(&answer).contains("the clock broke"), "{}", answer.body);
            assert_eq!(answer.body["error"]["details"]["exception_type"], "panic");
            serves(&host);
            // Whatever was under way is stored whole or not at all.
            let stats = host.health_check().stats;
            let page = host.events_json([("limit", "10000")]).body;
            assert_eq!(page["events"].as_array().unwrap().len() as u64, stats.events_total);
            let counted = query(&host, json!({"aggregation": "COUNT"})).body;
            let counts = counted["metrics"].as_object().unwrap().values();
            assert_eq!(counts.map(|one| one["value"].as_u64().unwrap()).sum::<u64>(), stats.metrics_total);
            assert!(stats.events_total > stored.0 && stats.metrics_total > stored.1);
            stored = (stats.events_total, stats.metrics_total);
        }
    }
    assert!(broken >= 10, "{broken}");
    shown_by_health(&host, "UNEXPECTED_ERROR");
}

#[test]
fn a_subscriber_that_panics_costs_no_record() {
    let (host, _) = host_on_a_broken_clock();
    let everything = Subscription { event_types: Some(Vec::new()), ..Subscription::default() };
    host.subscribe(everything, |_| panic!("the subscriber's bug"));
    serves(&host);
    let stats = host.health_check().stats;
    assert_eq!((stats.events_total, stats.subscriber_panics), (1, 1));
    assert_eq!(code(&event(&host, json!({"event_type": "", "source": "s"}))), "INVALID_EVENT");
}
