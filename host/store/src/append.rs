//! Appending: one commit per call with one log row for its samples, one for its events, the events' rows and the
//! definitions of new series; then the call's records are published in order.
//!
//! Invariant: an error means that nothing of the call was stored.

mod late;
mod sealed;

use std::ops::RangeInclusive;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use rocksdb::WriteBatch;
use smallvec::SmallVec;
use telemetry_core::id::{SampleLocation, sample_id};
use telemetry_core::{AdmittedEvent, AdmittedSample, Timestamp};
use uuid::Uuid;

use crate::column::weight;
use crate::database::Promise;
use crate::engine::Engine;
use crate::error::StoreError;
use crate::families::{Class, LOG, Partition};
use crate::head::{Departure, FULL_HEAD, HARD_HEAD, RecordCounts, Series};
use crate::log::record;
use crate::series::Uncommitted;
use late::LateTimes;
use sealed::SealedTimes;

/// Records of one call, stored together or not at all.
#[derive(Clone, Debug, Default)]
pub struct RecordBatch {
    /// Events; they get the first sequence numbers.
    pub events: Vec<AdmittedEvent>,
    /// Samples; they get the sequence numbers after the events'.
    pub samples: Vec<AdmittedSample>,
}

/// What became of a call's records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// The sequence number of the first record; the others follow without a gap.
    pub first_sequence: u64,
    /// The samples' ids, in order.
    pub sample_ids: Vec<Uuid>,
    /// Samples that went to an overflow series, because there may be no further series.
    pub overflowed: u64,
}

/// The partitions of one call's records.
#[derive(Debug, Default)]
struct Slots(SmallVec<[Arc<Partition>; 2]>);

impl Slots {
    fn find(&self, nanos: i64) -> Option<&Arc<Partition>> {
        self.0.iter().find(|partition| partition.holds(nanos))
    }
}

/// The series of each sample, borrowed from the registry: taking a share of each would cost more than finding it.
pub(crate) type SeriesPlan<'r> = SmallVec<[&'r Arc<Series>; 4]>;

/// A call's samples, their series, and their partitions.
type Samples<'c, 'r> = (&'c [AdmittedSample], &'c SeriesPlan<'r>, &'c Slots);

/// What placing a call's samples into the heads answered.
#[derive(Debug, Default)]
struct Placed {
    sample_ids: Vec<Uuid>,
    /// The number of each sample's series.
    series: SmallVec<[u32; 4]>,
    /// Samples that went to an overflow series.
    overflowed: u64,
    /// Samples whose series must be defined in their partition, with that series.
    definitions: SmallVec<[(usize, Arc<Series>); 1]>,
    /// Series whose buffer is so full that this call must empty it.
    crowded: SmallVec<[Arc<Series>; 1]>,
    /// Whether some buffer is worth sealing.
    full: bool,
}

/// A call whose records have their sequence numbers.
#[derive(Debug)]
struct Arranged<'a> {
    departure: Departure<'a>,
    first: u64,
    placed: Placed,
    /// Whether all samples are in the heads.
    complete: Result<(), StoreError>,
}

impl Engine {
    /// Stores records. Returns when they are durable as configured and visible to every reader.
    pub(crate) fn append(&self, records: &RecordBatch) -> Result<Appended, StoreError> {
        self.database.check()?;
        self.space.check()?;
        let total = (records.events.len() as u64).saturating_add(records.samples.len() as u64);
        if total == 0 {
            let first_sequence = self.ledger.published().saturating_add(1);
            return Ok(Appended { first_sequence, ..Appended::default() });
        }
        let pass = self.catalogue.pass();
        let event_slots = self.slots(Class::Events, records.events.iter().map(|event| event.timestamp()))?;
        let sample_slots =
            self.slots(Class::Metrics, records.samples.iter().map(|sample| sample.timestamp()))?;
        let arranged = self.arrange(records, total, &event_slots, &sample_slots)?;
        let Arranged { departure, first, placed, complete } = arranged;
        let stored = complete.and_then(|()| {
            let bytes = records.samples.iter().map(|sample| weight(sample.value())).sum();
            self.buffered.fetch_add(bytes, Ordering::Relaxed);
            self.store(records, &event_slots, &sample_slots, first, &placed).inspect_err(|_| {
                self.buffered.fetch_sub(bytes, Ordering::Relaxed);
            })
        });
        match stored {
            Ok(written) => {
                let last = departure.last();
                departure.land();
                drop(pass);
                self.overflowed.fetch_add(placed.overflowed, Ordering::Relaxed);
                self.log_size.add(last, written);
                self.relieve(&placed);
                if self.space.takes_measure() {
                    self.hold_size_limit();
                }
                let Placed { sample_ids, overflowed, .. } = placed;
                Ok(Appended { first_sequence: first, sample_ids, overflowed })
            }
            Err(error) => {
                self.retract(&placed.series, departure.last());
                drop(departure);
                Err(error)
            }
        }
    }

    /// Puts a tick into the log.
    pub(crate) fn append_tick(&self, time: Timestamp) -> Result<u64, StoreError> {
        self.database.check()?;
        self.space.check()?;
        let mut row = Vec::new();
        record::encode_tick(&mut row, time);
        let (departure, sequence, ()) = self.ledger.assign(1, |_, _| (RecordCounts::new(), ()));
        let mut batch = WriteBatch::new();
        batch.put_cf(&self.database.family(LOG)?, record::key(sequence), &row);
        self.database.commit(batch, Promise::Acknowledged)?;
        departure.land();
        self.log_size.add(sequence, row.len() as u64);
        Ok(sequence)
    }

    fn slots(&self, class: Class, times: impl Iterator<Item = Timestamp>) -> Result<Slots, StoreError> {
        let mut slots = Slots::default();
        for time in times {
            if slots.find(time.nanos()).is_none() {
                let partition = self.catalogue.ensure(&self.database, class, time.nanos())?;
                if partition.is_folded() {
                    self.catalogue.set_folded(&self.database, &partition, false)?;
                }
                partition.touch(self.seconds());
                slots.0.push(partition);
            }
        }
        Ok(slots)
    }

    /// Assigns the records' sequence numbers and puts the samples into their series' heads; where samples are late, chunks are
    /// read before that. The registry is held meanwhile, so that no series is let go between being found and getting its sample.
    fn arrange(
        &self,
        records: &RecordBatch,
        total: u64,
        event_slots: &Slots,
        sample_slots: &Slots,
    ) -> Result<Arranged<'_>, StoreError> {
        loop {
            let active = self.registry.read();
            let (plan, overflowed, missing) = self.resolve_known(&active, &records.samples);
            if missing.is_none() {
                let samples = (records.samples.as_slice(), &plan, sample_slots);
                let mut sealed = SealedTimes::of(times_of(samples));
                self.look_ahead(samples, &mut sealed)?;
                let (departure, first, (placed, complete)) = self.ledger.assign(total, |first, last| {
                    let mut placed = Placed { overflowed, ..Placed::default() };
                    let mut counts = RecordCounts::new();
                    for event in &records.events {
                        count(&mut counts, event_slots.find(event.timestamp().nanos()));
                    }
                    let first = first.saturating_add(records.events.len() as u64);
                    let complete = self.place(samples, first..=last, &mut sealed, &mut counts, &mut placed);
                    (counts, (placed, complete))
                });
                return Ok(Arranged { departure, first, placed, complete });
            }
            let known = plan.len();
            drop(plan);
            drop(active);
            self.introduce_all(records.samples.get(known..).unwrap_or_default(), sample_slots)?;
        }
    }

    /// Introduces the series of these samples that are not active: all in one go, because with each new series looking from the
    /// first sample on again, a call with many would take the square of their number.
    fn introduce_all(&self, samples: &[AdmittedSample], slots: &Slots) -> Result<(), StoreError> {
        for sample in samples {
            let found = self.resolve_known(&self.registry.read(), std::slice::from_ref(sample)).2;
            if let (Some(overflow), Some(partition)) = (found, slots.find(sample.timestamp().nanos())) {
                self.introduce(sample.series(), overflow, partition)?;
            }
        }
        Ok(())
    }

    /// Takes the samples of a call that was not stored out of these series' heads.
    fn retract(&self, series: &[u32], last: u64) {
        let active = self.registry.read();
        for series in series.iter().filter_map(|id| active.by_id(*id)) {
            self.open_heads.change(series, |head| head.retract(last));
        }
    }

    /// Puts the samples into the heads. Called while no other sequence number is assigned.
    fn place(
        &self,
        (samples, plan, slots): Samples<'_, '_>,
        sequences: RangeInclusive<u64>,
        sealed: &mut SealedTimes<impl Iterator<Item = (u32, i64)> + Clone>,
        counts: &mut RecordCounts,
        placed: &mut Placed,
    ) -> Result<(), StoreError> {
        placed.sample_ids.reserve_exact(samples.len());
        placed.series.reserve_exact(samples.len());
        let (published, seconds, last) = (self.ledger.published(), self.seconds(), *sequences.end());
        let mut late = LateTimes::of(times_of((samples, plan, slots)));
        for (index, ((sample, series), sequence)) in samples.iter().zip(plan).zip(sequences).enumerate() {
            let nanos = sample.timestamp().nanos();
            let Some(partition) = slots.find(nanos) else { continue };
            count(counts, Some(partition));
            let mut head = series.head();
            let (_, cuts) = head.buffer();
            let in_chunks = head.sealed_at(nanos).or_else(|| sealed.find(series.id, nanos, cuts));
            let ordinal = match in_chunks {
                Some(count) => {
                    let buffered = head.buffered_at(nanos);
                    count.saturating_add(
                        buffered.unwrap_or_else(|| late.count(series.id, head.buffer(), nanos)),
                    )
                }
                None => {
                    drop(head);
                    let ordinal = self.late_ordinal(series, partition, nanos, &mut late, sealed)?;
                    head = series.head();
                    ordinal
                }
            };
            let length = head.push(nanos, sample.value(), sequence, last, published);
            late.pushed(series.id, head.buffer().1, nanos);
            if length == 1 {
                self.open_heads.opened(series.id, sequence);
            }
            head.touch(seconds);
            let must_define = head.must_define(partition.start, last, published);
            drop(head);
            placed.series.push(series.id);
            if must_define {
                placed.definitions.push((index, Arc::clone(series)));
            }
            if length.is_multiple_of(FULL_HEAD) {
                placed.full = true;
                self.open_heads.filled(series.id);
                if length >= HARD_HEAD && !placed.crowded.iter().any(|other| other.id == series.id) {
                    placed.crowded.push(Arc::clone(series));
                }
            }
            // The id's ordinal wraps at 65,536, as the id's layout says.
            let ordinal = (ordinal & usize::from(u16::MAX)) as u16;
            let location = SampleLocation { timestamp: sample.timestamp(), series: series.id, ordinal };
            placed.sample_ids.push(sample_id(location, self.tag()));
        }
        Ok(())
    }

    /// Commits the call; answers the bytes of its log rows.
    fn store(
        &self,
        records: &RecordBatch,
        event_slots: &Slots,
        sample_slots: &Slots,
        first: u64,
        placed: &Placed,
    ) -> Result<u64, StoreError> {
        let log = self.database.family(LOG)?;
        let mut batch = WriteBatch::new();
        let mut row = Vec::new();
        let mut bytes = 0_u64;
        if !records.events.is_empty() {
            for (sequence, event) in (first..).zip(&records.events) {
                if let Some(partition) = event_slots.find(event.timestamp().nanos()) {
                    self.events.put(&self.database, &mut batch, partition, sequence, event)?;
                }
            }
            record::encode_events(&mut row, records.events.iter().map(|event| event.timestamp().nanos()));
            batch.put_cf(&log, record::key(first), &row);
            bytes = bytes.saturating_add(row.len() as u64);
        }
        if !records.samples.is_empty() {
            let first_sample = first.saturating_add(records.events.len() as u64);
            record::encode_samples(&mut row, placed.series.iter().copied(), &records.samples);
            batch.put_cf(&log, record::key(first_sample), &row);
            bytes = bytes.saturating_add(row.len() as u64);
        }
        let mut uncommitted: SmallVec<[Uncommitted; 1]> = SmallVec::new();
        for (index, series) in &placed.definitions {
            if let Some(sample) = records.samples.get(*index)
                && let Some(partition) = sample_slots.find(sample.timestamp().nanos())
            {
                let Series { id, key, overflow, .. } = &**series;
                let defined =
                    self.index.define(&self.database, &mut batch, partition, *id, key, *overflow)?;
                uncommitted.push(defined);
            }
        }
        if !placed.definitions.is_empty() && self.index.wants_loading() {
            self.nudge();
        }
        let written = batch.size_in_bytes() as u64;
        self.database.commit(batch, Promise::Acknowledged)?;
        drop(uncommitted);
        self.space.wrote(written);
        Ok(bytes)
    }

    /// Has full buffers sealed; by this call itself where waiting would let them grow without bound.
    fn relieve(&self, placed: &Placed) {
        let far_over = self.heads_far_over_budget();
        if placed.crowded.is_empty() && !far_over {
            if placed.full || self.heads_over_budget() {
                self.nudge();
            }
            return;
        }
        // Whoever holds it may be sealing these very heads; only the memory's limit is worth waiting for him.
        let sealing = if far_over { Some(self.sealing.lock()) } else { self.sealing.try_lock() };
        let Some(mut sealing) = sealing else { return self.nudge() };
        // Many small heads take as much as a few crowded ones.
        let relieved = self.seal(&mut sealing, &placed.crowded);
        if let Err(error) = relieved.and_then(|_| self.relieve_heads(&mut sealing)) {
            // The records are stored; the next attempt to seal, or replay, will bring them into chunks.
            tracing::error!(error = &error as &dyn std::error::Error, "full heads could not be sealed");
        }
    }
}

/// The series and time of each sample.
fn times_of((samples, plan, _): Samples<'_, '_>) -> impl Iterator<Item = (u32, i64)> + Clone {
    samples.iter().zip(plan).map(|(sample, series)| (series.id, sample.timestamp().nanos()))
}

fn count(counts: &mut RecordCounts, partition: Option<&Arc<Partition>>) {
    let Some(partition) = partition else { return };
    match counts.iter_mut().find(|(other, _)| Arc::ptr_eq(other, partition)) {
        Some((_, records)) => *records = records.saturating_add(1),
        None => counts.push((Arc::clone(partition), 1)),
    }
}
