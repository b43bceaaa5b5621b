//! Whatever fails and whenever the host dies, what arrives is what arrives in an undisturbed run.

use std::time::Duration;

use proptest::prelude::*;
use telemetry_core::extension::DeliveryOutcome;
use telemetry_core::{Alert, Severity};

use super::{Bench, retry};
use crate::alerts::delivery;
use crate::alerts::model::{Fault, alert};

fn outcome() -> impl Strategy<Value = DeliveryOutcome> {
    prop_oneof![
        3 => Just(DeliveryOutcome::Delivered(None)),
        1 => Just(DeliveryOutcome::Duplicate),
        3 => (0..400_u64).prop_map(|seconds| retry(Some(Duration::from_secs(seconds)))),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever sinks answer, whatever the store refuses and whenever the host dies: every state arrives, each alert's
    /// states in their order, always with the same key, and nothing is left.
    #[test]
    fn every_state_arrives_in_order(
        states in prop::collection::vec((0..3_usize, 0..2_usize), 1..30),
        outcomes in prop::collection::vec(outcome(), 0..40),
        faults in prop::collection::vec((0..30_usize, prop::bool::ANY), 0..6),
        restarts in prop::collection::btree_set(0..60_usize, 0..5),
    ) {
        let receivers = ["a", "b"];
        let mut bench = Bench::new(&receivers);
        for (place, outcome) in outcomes.into_iter().enumerate() {
            bench.mailbox(receivers[place % 2]).answer(outcome);
        }
        let alerts = ["x", "y", "z"].map(|key| alert("m", key, Severity::Info));
        let mut expected = Vec::new();
        for step in 0..200 {
            if let Some((which, receiver)) = states.get(step) {
                bench.store.clear_faults();
                let state = Alert { times_seen: step as u64, ..alerts[*which].clone() };
                bench.enqueue(&state, receivers[*receiver]);
                expected.push((receivers[*receiver], state));
            }
            for (_, before) in faults.iter().filter(|(at, _)| *at == step) {
                bench.store.fail_next(if *before { Fault::Before } else { Fault::After });
            }
            bench.dispatcher.drain_due();
            bench.clock.advance(Duration::from_secs(30));
            if restarts.contains(&step) || bench.store.state.lock().poisoned {
                bench = bench.restart();
            }
        }
        prop_assert_eq!(bench.pending(), 0);
        for receiver in receivers {
            let received = bench.mailbox(receiver).received.lock().clone();
            for alert in &alerts {
                let mut arrived: Vec<Alert> = Vec::new();
                for given in received.iter().filter(|given| given.alert.alert_id == alert.alert_id) {
                    prop_assert_eq!(&given.idempotency_key, &delivery::idempotency_key(&given.alert, receiver));
                    if arrived.last() != Some(&given.alert) {
                        arrived.push(given.alert.clone());
                    }
                }
                let mine = |(to, state): &&(&str, Alert)| *to == receiver && state.alert_id == alert.alert_id;
                let wanted: Vec<Alert> = expected.iter().filter(mine).map(|(_, state)| state.clone()).collect();
                prop_assert_eq!(arrived, wanted);
            }
        }
    }
}
