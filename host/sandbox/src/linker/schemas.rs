//! JSON Schemas, applied to events for plugins.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use serde_json::Value;
use telemetry_core::limits;
use wasmtime::Trap;
use wasmtime::component::Resource;

use crate::bindings::json_schemas::{Fault, Host, HostSchema};
use crate::bindings::types::PluginError;
use crate::linker::unsupported;
use crate::schema::{Late, Measured, Schema, SchemaFault, limit};
use crate::state::HostState;

impl Host for HostState {}

/// Its time is the guest's own, as if it compiled and judged itself, and ends the call when it is over.
impl HostSchema for HostState {
    fn compile(&mut self, schema: String) -> wasmtime::Result<Result<Resource<Schema>, PluginError>> {
        let end = self.count_search()?;
        if self.schemas.is_full() {
            return unsupported(format!("the plugin keeps {} schemas already", limits::MAX_KEPT_SCHEMAS));
        }
        let measured = match Measured::of(&schema) {
            Ok(measured) => measured,
            Err(reason) => return unsupported(reason),
        };
        // Before it is compiled: that takes what it needs.
        if !self.limiter.host_grows(measured.memory()) {
            return unsupported("the plugin's memory has no room for this schema".to_owned());
        }
        match measured.compiled(end) {
            Ok(compiled) => Ok(Ok(self.schemas.keep(compiled)?)),
            Err(reason) => {
                self.limiter.host_shrank(measured.memory());
                if end.is_some_and(|end| Instant::now() >= end) {
                    return Err(Trap::Interrupt.into());
                }
                unsupported(reason)
            }
        }
    }

    fn check(
        &mut self,
        schema: Resource<Schema>,
        rows: Vec<u32>,
        most: u32,
    ) -> wasmtime::Result<Result<Vec<Fault>, PluginError>> {
        let end = self.count_search()?;
        // Where calls have no end in time, what is found must not depend on it.
        let is_timed = self.own_end().is_some();
        let Some(events) = self.events.clone() else {
            return unsupported("there are no events in this call that could be judged".to_owned());
        };
        if rows.len().checked_sub(1).is_some_and(|last| events.data_of(last).is_none()) {
            return unsupported(format!("there are fewer than {} rows in this batch", rows.len()));
        }
        let schema = self.schemas.get(&schema)?;
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(limits::MAX_JUDGED_FAULTS_PER_EVENT);
        let mut told = Told::default();
        let begun = Instant::now();
        // As a guest ends whose own code takes too long.
        if end.is_some_and(|end| begun >= end) {
            return Err(Trap::Interrupt.into());
        }
        // The plugin has a quarter of its time left for what it does with them.
        let most_time = end.map(|end| end.saturating_duration_since(begun) / 4 * 3).filter(|_| is_timed);
        let fair = fair_share(self.plugin.limits.deadline());
        // Monitors alone have one: their records are in the log, and who asks for them can ask for fewer at once.
        let is_of_log = self.ports.query.is_some();
        for row in rows {
            let Some(text) = usize::try_from(row).ok().and_then(|row| events.data_of(row)) else {
                return unsupported(format!("there is no row {row} in this batch"));
            };
            // One sender's event is no reason to judge no others: however many are slow, there is time for those that come after.
            let now = Instant::now();
            let share = most_time.map(|most| share_of_one(most, now.saturating_duration_since(begun)));
            let own_end = share.map_or(end, |share| now.checked_add(share));
            let needs = bytes_of(text);
            let found = if self.limiter.has_room(needs) {
                // It is the plugin's memory, as if it parsed itself.
                self.limiter.host_grows(needs);
                let found = judged(schema, text, most, own_end);
                self.limiter.host_shrank(needs);
                found
            } else {
                Ok(limit("the plugin's memory has no room for its data"))
            };
            let found = match found {
                Ok(found) => found,
                // Others took the time that it might have needed.
                Err(Late) if share.is_some_and(|share| share < fair) => {
                    self.plugin.left_untold.fetch_add(1, Ordering::Relaxed);
                    return Ok(Err(untold(is_of_log)));
                }
                Err(Late) if is_timed => limit("judging it takes too long"),
                Err(Late) => return Err(Trap::Interrupt.into()),
            };
            told.add(row, found.into_iter().take(most));
        }
        Ok(Ok(told.faults))
    }

    fn drop(&mut self, schema: Resource<Schema>) -> wasmtime::Result<()> {
        let schema = self.schemas.give_back(schema)?;
        self.limiter.host_shrank(schema.memory());
        Ok(())
    }
}

/// Time of the next event of several that have so much together, of which some was used: a quarter of what is left, so that some is
/// left for the others.
fn share_of_one(most: Duration, used: Duration) -> Duration {
    (most.saturating_sub(used) / 4).min(limits::MAX_JUDGEMENT_TIME)
}

/// What each event has to have at least, to be told that it is the one that takes too long. The first of a call has three times as much.
fn fair_share(deadline: Duration) -> Duration {
    limits::MIN_JUDGEMENT_TIME.min(deadline / 16)
}

/// Why a call's events are not all judged. That is no fault of the plugin, nor of the event at which the time was over: senders may come
/// again, with less at once. A monitor would be shown the same again and again if it were to be tried again.
fn untold(is_of_log: bool) -> PluginError {
    let reason = "the call's time was over before all events were judged by their schemas: slow ones took it, or they are too many";
    let reason = reason.to_owned();
    if is_of_log { PluginError::Unsupported(reason) } else { PluginError::Transient(reason) }
}

/// What a schema finds wrong with one event.
fn judged(schema: &Schema, text: &str, most: usize, end: Option<Instant>) -> Result<Vec<SchemaFault>, Late> {
    match serde_json::from_str::<Value>(text) {
        Ok(data) => schema.masked_faults(&data, most, end),
        Err(error) => Ok(limit(format!("its data cannot be read: {error}"))),
    }
}

/// What is told of all events.
#[derive(Default)]
struct Told {
    faults: Vec<Fault>,
    bytes: usize,
}

impl Told {
    /// Tells of an event's faults as many as there is room for, and that there is one in any case.
    fn add(&mut self, row: u32, found: impl Iterator<Item = SchemaFault>) {
        for (place, SchemaFault { pointer: path, keyword, message }) in found.enumerate() {
            let fault = Fault { row, path, keyword, message };
            let size = size_of::<Fault>() + fault.path.len() + fault.keyword.len() + fault.message.len();
            if self.bytes.saturating_add(size) <= limits::MAX_JUDGED_BYTES {
                self.bytes = self.bytes.saturating_add(size);
                self.faults.push(fault);
                continue;
            }
            if place == 0 {
                let message = "there is no room to say more of this event".to_owned();
                self.faults.push(Fault { path: String::new(), message, ..fault });
            }
            break;
        }
    }
}

/// Bytes that JSON needs when it is parsed: each value stands behind one of these, but for the first.
fn bytes_of(json: &str) -> usize {
    let values = json.bytes().filter(|byte| matches!(byte, b',' | b'[' | b'{' | b':')).count();
    (values + 1).saturating_mul(limits::JUDGED_VALUE_BYTES).saturating_add(json.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn faults(count: usize, bytes: usize) -> impl Iterator<Item = SchemaFault> {
        let fault =
            SchemaFault { pointer: "/a".to_owned(), keyword: "type".to_owned(), message: "x".repeat(bytes) };
        std::iter::repeat_n(fault, count)
    }

    /// How many events that take all their time are told as such in a call, each by what `most` of its time leaves them.
    fn told_as_slow(deadline: Duration) -> usize {
        let (most, mut used) = (deadline / 4 * 3, Duration::ZERO);
        let shares = std::iter::repeat_with(|| {
            let share = share_of_one(most, used);
            used += share;
            share
        });
        shares.take(1_000).take_while(|share| *share >= fair_share(deadline)).count()
    }

    #[test]
    fn events_to_which_others_leave_too_little_time_are_not_told_as_slow() {
        assert_eq!(told_as_slow(limits::PLUGIN_CALL_DEADLINE), 11);
        // However short a call is, one is found that takes all of it; in long ones all that there is time for.
        assert_eq!(told_as_slow(Duration::from_millis(1)), 4);
        assert!(told_as_slow(Duration::from_secs(20)) > 150);
        assert_eq!(share_of_one(Duration::from_secs(1), Duration::from_secs(2)), Duration::ZERO);
        assert!(Duration::ZERO < fair_share(Duration::from_millis(1)), "who has no time had no fair share");
    }

    #[test]
    fn who_can_come_again_is_told_to_and_a_monitor_to_take_fewer() {
        assert!(matches!(untold(false), PluginError::Transient(_)));
        // Of this kind none is tried again as it is.
        assert!(matches!(untold(true), PluginError::Unsupported(_)));
    }

    #[test]
    fn that_an_event_is_faulty_is_told_when_there_is_no_room_for_more() {
        let mut told = Told::default();
        told.add(0, faults(3, limits::MAX_JUDGED_BYTES / 2));
        told.add(1, faults(0, 0));
        told.add(2, faults(5, limits::MAX_JUDGED_BYTES));
        told.add(3, faults(2, 10));
        let found: Vec<_> = told
            .faults
            .iter()
            .map(|fault| (fault.row, fault.keyword.as_str(), fault.path.as_str()))
            .collect();
        assert_eq!(found, [(0, "type", "/a"), (2, "type", ""), (3, "type", "/a"), (3, "type", "/a")]);
        assert!(told.faults[1].message.contains("no room"));
    }
}
