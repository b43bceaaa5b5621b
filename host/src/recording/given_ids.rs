//! The ids that callers gave the events of one call.
//!
//! Of racing calls with one id exactly one stores an event: from the last look at what is known to the write the ids are claimed.
//! A claim keeps others waiting, also some with other ids, and validators may take seconds; so they run before it, after a first
//! look that spares them what is known.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};

use parking_lot::Mutex;
use telemetry_core::{AdmittedEvent, Timestamp};
use telemetry_store::{IdClaim, StoreError};
use uuid::Uuid;

use super::recorder::Recorder;
use super::round::{Admitted, Round};

pub(super) struct GivenIds<'a> {
    recorder: &'a Recorder,
    ids: Vec<Uuid>,
    known: HashMap<Uuid, Timestamp>,
    /// Each once, where others are told that they are under way.
    ids_once: HashSet<Uuid>,
    /// Those that other calls brought, which are not through yet.
    under_way: HashSet<Uuid>,
    claim: Option<IdClaim<'a>>,
}

/// The ids of the calls that validators judge now, with the number of calls that brought each.
#[derive(Debug, Default)]
pub(super) struct IdsUnderWay(Mutex<HashMap<Uuid, usize>>);

impl IdsUnderWay {
    /// Adds a call's ids; answers those that others have brought.
    fn enter(&self, ids: &HashSet<Uuid>) -> HashSet<Uuid> {
        let mut all = self.0.lock();
        let others = ids.iter().filter(|id| all.contains_key(id)).copied().collect();
        for id in ids {
            let calls = all.entry(*id).or_default();
            *calls = calls.saturating_add(1);
        }
        others
    }

    fn leave(&self, ids: &HashSet<Uuid>) {
        let mut all = self.0.lock();
        for id in ids {
            if let Entry::Occupied(mut calls) = all.entry(*id) {
                *calls.get_mut() = calls.get().saturating_sub(1);
                if *calls.get() == 0 {
                    calls.remove();
                }
            }
        }
    }
}

impl<'a> GivenIds<'a> {
    /// Finds out which of `ids` are known. Where no validator runs, they are claimed at once.
    pub(super) fn look_up(recorder: &'a Recorder, ids: Vec<Uuid>) -> Result<Self, StoreError> {
        let (known, under_way, ids_once) = (HashMap::new(), HashSet::new(), HashSet::new());
        let mut given = Self { recorder, ids, ids_once, known, under_way, claim: None };
        if given.ids.is_empty() {
            return Ok(given);
        }
        let store = &recorder.parts.store;
        if recorder.validators.load().is_empty() {
            given.claim = Some(store.claim(&given.ids)?);
        } else {
            // Before the look: whoever is through by then is known.
            given.ids_once = given.ids.iter().copied().collect();
            given.under_way = recorder.ids_under_way.enter(&given.ids_once);
            given.known = store.known_events(&given.ids)?;
        }
        Ok(given)
    }

    /// Whether another call that is not through yet brought this id: what comes here is most likely a repeat.
    pub(super) fn is_under_way(&self, id: Uuid) -> bool {
        self.under_way.contains(&id)
    }

    /// When the event with this id happened, if the store has it.
    pub(super) fn known(&self, id: Uuid) -> Option<Timestamp> {
        self.claim.as_ref().map_or_else(|| self.known.get(&id).copied(), |claim| claim.known(id))
    }

    /// Claims them until this is dropped; what others stored meanwhile is answered, and so are repeats within the call.
    pub(super) fn claim(&mut self, round: &mut Round<AdmittedEvent>) -> Result<(), StoreError> {
        if self.ids.is_empty() {
            return Ok(());
        }
        if self.claim.is_none() {
            self.claim = Some(self.recorder.parts.store.claim(&self.ids)?);
            round.answer_where(|event, _| {
                let id = event.given_id()?;
                self.known(id).map(|first| Ok(self.recorder.duplicate(id, first)))
            });
        }
        round.hold_back_repeats();
        Ok(())
    }
}

impl Drop for GivenIds<'_> {
    fn drop(&mut self) {
        self.recorder.ids_under_way.leave(&self.ids_once);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::mpsc::{Receiver, Sender, channel};

    use serde_json::json;
    use telemetry_core::extension::{EventVerdict, PluginFailure, SampleVerdict, Validator};
    use telemetry_core::{EventBatch, EventDraft, SampleBatch, Subscription};

    use super::*;
    use crate::builder::HostBuilder;
    use crate::config::Config;
    use crate::host::Host;
    use crate::recording::{OnFailure, ValidatorEntry};

    /// Judges events of the type SLOW until it may go on.
    struct Slow {
        subscription: Subscription,
        came: Sender<()>,
        goes_on: Mutex<Receiver<()>>,
    }

    impl Validator for Slow {
        fn name(&self) -> &str {
            "slow"
        }

        fn subscription(&self) -> &Subscription {
            &self.subscription
        }

        fn validate_events(&self, batch: &EventBatch) -> Result<EventVerdict, PluginFailure> {
            if batch.rows().any(|row| row.event_type == "SLOW") {
                self.came.send(()).unwrap();
                // Whoever waits holds the lock; each of the others gets its word after it.
                self.goes_on.lock().recv().unwrap();
            }
            Ok(EventVerdict::default())
        }

        fn validate_samples(&self, _: &SampleBatch) -> Result<SampleVerdict, PluginFailure> {
            Ok(SampleVerdict::default())
        }
    }

    /// A host whose validator is slow; who judges tells the one, and goes on with the other.
    fn slow_host() -> (Host, Receiver<()>, Sender<()>) {
        let config = Config::from_value(json!({"storage_config": {"backend": "memory"}})).unwrap();
        let host = HostBuilder::new(config).without_background().open().unwrap();
        let ((came, comes), (go_on, goes_on)) = (channel(), channel());
        let types = vec!["SLOW".to_owned(), "FAST".to_owned()];
        let subscription =
            Subscription { event_types: Some(types), sources: None, metrics: Some(vec![]), tick: None };
        let slow = Slow { subscription, came, goes_on: Mutex::new(goes_on) };
        host.recorder.set_validators(vec![ValidatorEntry {
            validator: Arc::new(slow),
            on_failure: OnFailure::Reject,
        }]);
        (host, comes, go_on)
    }

    #[test]
    fn repeats_that_overtake_each_other_are_no_loop() {
        const CALLS: usize = 20;
        let (host, comes, go_on) = slow_host();
        let id = Uuid::new_v4();
        std::thread::scope(|scope| {
            let calls: Vec<_> = (0..CALLS)
                .map(|_| scope.spawn(|| host.record_event(EventDraft::new("SLOW", "s").with_id(id))))
                .collect();
            // All of them are judged before any is stored.
            (0..CALLS).for_each(|_| comes.recv().unwrap());
            (0..CALLS).for_each(|_| go_on.send(()).unwrap());
            calls.into_iter().for_each(|call| drop(call.join().unwrap().unwrap()));
        });
        let stats = host.health_check().stats;
        assert_eq!((stats.events_total, stats.recording.duplicate_events), (1, CALLS as u64 - 1));
        assert!(host.recorder.ids_under_way.0.lock().is_empty());
    }

    #[test]
    fn a_slow_validator_keeps_nobody_else_with_the_same_id_waiting() {
        let (host, comes, go_on) = slow_host();
        let id = Uuid::new_v4();
        let record = |kind: &str| host.record_event(EventDraft::new(kind, "s").with_id(id));
        std::thread::scope(|scope| {
            let slow = scope.spawn(|| record("SLOW"));
            comes.recv().unwrap();
            let fast = record("FAST").unwrap();
            go_on.send(()).unwrap();
            assert_eq!(slow.join().unwrap().unwrap().timestamp, fast.timestamp);
        });
        let stored = host.event_json(&id.to_string());
        assert_eq!(stored.body["event"]["event_type"], "FAST", "{}", stored.body);
        let stats = host.health_check().stats;
        assert_eq!((stats.events_total, stats.recording.duplicate_events), (1, 1));
    }
}
