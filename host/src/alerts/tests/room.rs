//! The outbox's limits: what has no room, and whose dead letters make some.

use telemetry_core::extension::DeliveryOutcome;
use telemetry_core::{Alert, PendingDelivery, Severity, limits};
use telemetry_store::AlertChanges;

use super::Bench;
use crate::alerts::AlertStore;
use crate::alerts::delivery::fresh;
use crate::alerts::model::{alert, at};

/// Stores so many rows of one alert for a receiver.
fn fill(bench: &Bench, alert: &Alert, receiver: &str, rows: usize) {
    let row = |n: usize| PendingDelivery { idempotency_key: n.to_string(), ..fresh(alert, receiver, at(0)) };
    let mut changes = AlertChanges { enqueue: (0..rows).map(row).collect(), ..AlertChanges::default() };
    bench.dispatcher.admit(&mut changes);
    bench.store.commit_alerts(&changes).unwrap();
    bench.dispatcher.stored(&changes);
}

fn forward(names: &[&str]) -> DeliveryOutcome {
    DeliveryOutcome::Forward(names.iter().map(|name| (*name).to_owned()).collect())
}

#[test]
fn forwarded_rows_need_room_as_all_others_do() {
    let bench = Bench::new(&["away", "b", "c", "router"]);
    bench.dispatcher.attach("away", None);
    let alert = alert("noisy", "k", Severity::Info);
    fill(&bench, &alert, "away", limits::MAX_PENDING_PER_MONITOR - 1);
    bench.mailbox("router").answer(forward(&["b", "c"]));
    bench.enqueue(&alert, "router");
    assert!(bench.dispatcher.drain_due());
    // One takes the router's place, for the other there is no room.
    assert_eq!((bench.mailbox("b").states().len(), bench.mailbox("c").states().len()), (1, 0));
    assert_eq!(bench.reasons(), ["the outbox is full"]);
    assert_eq!(bench.pending(), limits::MAX_PENDING_PER_MONITOR - 1);
    let bench = bench.restart();
    assert_eq!(bench.dispatcher.status().dead_letters, 1, "it was stored with the outcome");
    assert_eq!(bench.dispatcher.replay(alert.alert_id, "c").unwrap(), 1);
    assert!(bench.dispatcher.drain_due());
    assert_eq!((bench.mailbox("c").states().len(), bench.reasons().len()), (1, 0));
}

#[test]
fn what_is_forwarded_to_nobody_is_a_dead_letter() {
    let bench = Bench::new(&["router"]);
    let lost = alert("m", "k", Severity::Info);
    bench.mailbox("router").answer(forward(&[]));
    bench.enqueue(&lost, "router");
    assert!(bench.dispatcher.drain_due());
    assert_eq!((bench.reasons(), bench.pending()), (vec!["router forwarded it to nobody".to_owned()], 0));
    assert_eq!(bench.dispatcher.replay(lost.alert_id, "router").unwrap(), 1);
}

#[test]
fn a_monitor_that_flaps_costs_no_other_one_its_dead_letters() {
    let bench = Bench::new(&["a"]);
    let calm = alert("calm", "k", Severity::Info);
    // The oldest of all.
    fill(&bench, &calm, "unheard", 3);
    let noisy = alert("noisy", "k", Severity::Info);
    for _ in 0..2 {
        bench.clock.advance(std::time::Duration::from_secs(1));
        fill(&bench, &noisy, "unheard", limits::MAX_DEAD_LETTERS);
    }
    let letters = bench.dispatcher.dead_letters().unwrap();
    let of_calm = letters.iter().filter(|letter| letter.delivery.alert.monitor == "calm").count();
    assert_eq!((of_calm, letters.len()), (3, limits::MAX_DEAD_LETTERS * 9 / 10));
    assert!(letters.iter().skip(3).all(|letter| letter.since == at(2)), "its own oldest went");
    let status = bench.dispatcher.status();
    let buried = 3 + 2 * limits::MAX_DEAD_LETTERS;
    assert_eq!(status.dead_letters, letters.len());
    assert_eq!(status.dead_letters_dropped, (buried - letters.len()) as u64);
}
