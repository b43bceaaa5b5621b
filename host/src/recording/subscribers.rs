//! Native subscribers: callbacks of the embedding program, called on the recording thread after the record is stored.
//!
//! A subscriber may record; the depth is carried by [`crate::guards::RecursionDepth`]. A subscriber that panics is
//! counted and never hurts the recording call, whose record is stored already.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use arc_swap::ArcSwap;
use parking_lot::Mutex;
use telemetry_core::{AdmittedEvent, AdmittedSample, Subscription};
use uuid::Uuid;

/// A stored record as a subscriber sees it.
#[derive(Clone, Copy, Debug)]
pub enum RecordRef<'a> {
    /// An event.
    Event(&'a AdmittedEvent),
    /// A sample with its id.
    Sample(&'a AdmittedSample, Uuid),
}

/// Names a subscription, to end it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SubscriberId(u64);

type Callback = dyn Fn(RecordRef<'_>) + Send + Sync;

#[derive(Clone)]
struct Subscriber {
    id: SubscriberId,
    subscription: Arc<Subscription>,
    callback: Arc<Callback>,
}

/// All subscribers; reading the list takes no lock.
#[derive(Default)]
pub(crate) struct Subscribers {
    list: ArcSwap<Vec<Subscriber>>,
    changes: Mutex<u64>,
    panics: AtomicU64,
}

impl Subscribers {
    pub(crate) fn add(
        &self,
        subscription: Subscription,
        callback: impl Fn(RecordRef<'_>) + Send + Sync + 'static,
    ) -> SubscriberId {
        let mut last = self.changes.lock();
        *last = last.wrapping_add(1);
        let id = SubscriberId(*last);
        let mut list = self.list.load().as_ref().clone();
        list.push(Subscriber { id, subscription: Arc::new(subscription), callback: Arc::new(callback) });
        self.list.store(Arc::new(list));
        id
    }

    pub(crate) fn remove(&self, id: SubscriberId) -> bool {
        let _changing = self.changes.lock();
        let mut list = self.list.load().as_ref().clone();
        let before = list.len();
        list.retain(|subscriber| subscriber.id != id);
        let removed = list.len() < before;
        self.list.store(Arc::new(list));
        removed
    }

    pub(crate) fn panics(&self) -> u64 {
        self.panics.load(Ordering::Relaxed)
    }

    pub(crate) fn tell_events(&self, events: &[AdmittedEvent]) {
        for subscriber in self.list.load().iter().filter(|s| s.subscription.wants_events()) {
            for event in events {
                if subscriber.subscription.wants_event(event.event_type(), event.source()) {
                    self.call(subscriber, RecordRef::Event(event));
                }
            }
        }
    }

    pub(crate) fn tell_samples(&self, samples: &[AdmittedSample], ids: &[Uuid]) {
        for subscriber in self.list.load().iter().filter(|s| s.subscription.wants_samples()) {
            for (sample, id) in samples.iter().zip(ids) {
                if subscriber.subscription.wants_metric(&sample.series().name) {
                    self.call(subscriber, RecordRef::Sample(sample, *id));
                }
            }
        }
    }

    fn call(&self, subscriber: &Subscriber, record: RecordRef<'_>) {
        if catch_unwind(AssertUnwindSafe(|| (subscriber.callback)(record))).is_err() {
            self.panics.fetch_add(1, Ordering::Relaxed);
            tracing::error!(
                source = "Bridge_Telemetry",
                subscriber = subscriber.id.0,
                "a native subscriber panicked"
            );
        }
    }
}
