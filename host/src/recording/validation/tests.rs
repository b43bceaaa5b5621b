//! Validators that are native here judge more than a batch holds, and share batches.

mod doors;
mod properties;
mod sharing;

use std::sync::Mutex;
use std::time::Duration;

use telemetry_core::admission::{AcceptedTimes, admit_event, admit_sample};
use telemetry_core::batch::EventTexts;
use telemetry_core::extension::{
    EventRewrite, EventVerdict, FailureReason, RowIssue, SampleVerdict, SeriesRewrite,
};
use telemetry_core::limits::{MAX_VALIDATOR_BYTES, MAX_VALIDATOR_ROWS};
use telemetry_core::{
    Context, EventDraft, EventIdGenerator, JsonObject, ManualClock, MetricDraft, Subscription, Timestamp,
};

use super::*;

/// Answers for a batch, given how many came before it.
type Judge<B, V> = Box<dyn Fn(usize, &B) -> Result<V, PluginFailure> + Send + Sync>;

/// A validator that remembers what it was given.
struct Native {
    subscription: Subscription,
    door: Arc<Door>,
    events: Judge<EventBatch, EventVerdict>,
    samples: Judge<SampleBatch, SampleVerdict>,
    rows: Mutex<Vec<usize>>,
    texts: Mutex<Vec<Arc<EventTexts>>>,
}

impl Native {
    fn new() -> Self {
        Self {
            subscription: to(&[]),
            door: Arc::default(),
            events: Box::new(|_, _| Ok(EventVerdict::default())),
            samples: Box::new(|_, _| Ok(SampleVerdict::default())),
            rows: Mutex::default(),
            texts: Mutex::default(),
        }
    }

    fn of_events(
        judge: impl Fn(usize, &EventBatch) -> Result<EventVerdict, PluginFailure> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { events: Box::new(judge), ..Self::new() })
    }

    fn of_samples(
        judge: impl Fn(usize, &SampleBatch) -> Result<SampleVerdict, PluginFailure> + Send + Sync + 'static,
    ) -> Arc<Self> {
        Arc::new(Self { samples: Box::new(judge), ..Self::new() })
    }

    /// The rows of each batch.
    fn rows(&self) -> Vec<usize> {
        self.rows.lock().unwrap().clone()
    }

    /// Another batch of so many rows; the answer is how many came before it.
    fn note(&self, rows: usize) -> usize {
        let mut all = self.rows.lock().unwrap();
        all.push(rows);
        all.len() - 1
    }
}

impl Validator for Native {
    fn name(&self) -> &str {
        "native"
    }

    fn subscription(&self) -> &Subscription {
        &self.subscription
    }

    fn door(&self) -> Option<Arc<Door>> {
        Some(Arc::clone(&self.door))
    }

    fn validate_events(&self, batch: &EventBatch) -> Result<EventVerdict, PluginFailure> {
        self.texts.lock().unwrap().push(batch.texts());
        (self.events)(self.note(batch.len()), batch)
    }

    fn validate_samples(&self, batch: &SampleBatch) -> Result<SampleVerdict, PluginFailure> {
        (self.samples)(self.note(batch.len()), batch)
    }
}

/// To events of these types and metrics of these names; to all where there is none.
fn to(names: &[&str]) -> Subscription {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    Subscription { event_types: Some(names.clone()), sources: None, metrics: Some(names), tick: None }
}

/// The host's parts that validators' failures reach.
struct Bench {
    counters: Counters,
    faults: Faults,
    clock: Arc<ManualClock>,
}

impl Bench {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::at(now()));
        Self { counters: Counters::default(), faults: Faults::new(Arc::clone(&clock) as _), clock }
    }

    fn chain(validators: &[&Arc<Native>], on_failure: OnFailure) -> ValidatorChain {
        let entry = |validator: &&Arc<Native>| {
            let validator: Arc<dyn Validator> = Arc::<Native>::clone(validator);
            ValidatorEntry { validator, on_failure }
        };
        ValidatorChain::new(validators.iter().map(entry).collect())
    }

    fn judging(&self) -> Judging<'_> {
        Judging { counters: &self.counters, faults: &self.faults, clock: &*self.clock }
    }

    fn judge_events(
        &self,
        validators: &[&Arc<Native>],
        on_failure: OnFailure,
        records: Vec<AdmittedEvent>,
    ) -> Round<AdmittedEvent> {
        let mut round = round(records);
        Self::chain(validators, on_failure).judge_events(&mut round, &self.judging());
        round
    }

    fn judge_samples(
        &self,
        validators: &[&Arc<Native>],
        on_failure: OnFailure,
        records: Vec<AdmittedSample>,
    ) -> Round<AdmittedSample> {
        let mut round = round(records);
        Self::chain(validators, on_failure).judge_samples(&mut round, &self.judging());
        round
    }
}

fn now() -> Timestamp {
    Timestamp::from_millis(1_772_000_000_000)
}

fn times() -> AcceptedTimes {
    AcceptedTimes::at(now(), Duration::from_secs(60))
}

fn events(drafts: impl Iterator<Item = EventDraft>) -> Vec<AdmittedEvent> {
    let (times, ids) = (times(), EventIdGenerator::new(1, 1));
    drafts.map(|draft| admit_event(draft.at(now()), &times, &ids).unwrap()).collect()
}

fn many_events(count: usize) -> Vec<AdmittedEvent> {
    events((0..count).map(|_| EventDraft::new("a", "s")))
}

fn samples(drafts: impl Iterator<Item = MetricDraft>) -> Vec<AdmittedSample> {
    let times = times();
    drafts.map(|draft| admit_sample(draft.at(now()), &times).unwrap()).collect()
}

fn many_samples(count: usize) -> Vec<AdmittedSample> {
    samples((0..count).map(|_| MetricDraft::new("m", 1.0)))
}

/// The context of one of many series, with some text.
fn numbered(series: usize, text: &str) -> Context {
    Context::from_labels([("a", text), ("series", series.to_string().as_str())])
}

/// An event whose `data` has so many bytes.
fn large_event(bytes: usize) -> EventDraft {
    EventDraft::new("a", "s").with_data(object(&"x".repeat(bytes - r#"{"a":""}"#.len())))
}

fn object(text: &str) -> JsonObject {
    JsonObject::parse(&format!("{{\"a\":\"{text}\"}}")).unwrap()
}

fn round<T: Admitted>(records: Vec<T>) -> Round<T> {
    let mut round = Round::of_size(records.len());
    for (place, record) in records.into_iter().enumerate() {
        round.send(place, record, None);
    }
    round
}

fn refused<T>(round: &Round<T>) -> Vec<usize> {
    let notes = round.notes.iter().enumerate();
    notes.filter(|(_, note)| note.refusal.is_some()).map(|(row, _)| row).collect()
}

fn issue(row: usize) -> RowIssue {
    RowIssue {
        row: u32::try_from(row).unwrap(),
        reject: true,
        code: "c".to_owned(),
        path: String::new(),
        message: String::new(),
    }
}

fn failure() -> PluginFailure {
    PluginFailure { plugin: "native".to_owned(), reason: FailureReason::Trap("t".to_owned()) }
}

#[test]
fn more_events_than_a_batch_holds_are_judged_in_parts() {
    // The first row of each batch is rewritten, the last one refused.
    let validator = Native::of_events(|before, batch| {
        let data = Some(object(&before.to_string()));
        let rewrites = vec![EventRewrite { row: 0, data, extra: None }];
        Ok(EventVerdict { issues: vec![issue(batch.len() - 1)], rewrites })
    });
    let records = many_events(2 * MAX_VALIDATOR_ROWS + 3);
    let round = Bench::new().judge_events(&[&validator], OnFailure::Reject, records);
    assert_eq!(validator.rows(), [MAX_VALIDATOR_ROWS, MAX_VALIDATOR_ROWS, 3]);
    let (second, third) = (MAX_VALIDATOR_ROWS, 2 * MAX_VALIDATOR_ROWS);
    assert_eq!(refused(&round), [second - 1, third - 1, third + 2]);
    let rewritten = round.records.iter().enumerate().filter(|(_, event)| !event.data().is_empty());
    let rewritten: Vec<_> = rewritten.map(|(row, event)| (row, event.data().as_str())).collect();
    assert_eq!(rewritten, [(0, r#"{"a":"0"}"#), (second, r#"{"a":"1"}"#), (third, r#"{"a":"2"}"#)]);
}

#[test]
fn batches_of_large_events_have_few() {
    let validator = Native::of_events(|_, _| Ok(EventVerdict::default()));
    let half = MAX_VALIDATOR_BYTES / 2;
    // The second is as large as an event may be, and larger than a batch.
    let sizes = [half, MAX_VALIDATOR_BYTES - 2, half - 100, half - 100, 100, 9];
    let records = events(sizes.into_iter().map(large_event));
    Bench::new().judge_events(&[&validator], OnFailure::Reject, records);
    assert_eq!(validator.rows(), [1, 1, 2, 2]);
}

#[test]
fn events_that_a_validator_made_large_are_judged_in_parts_by_the_next() {
    let enlarging = Native::of_events(|_, batch| {
        let data = Some(object(&"x".repeat(MAX_VALIDATOR_BYTES / 2)));
        let rewrite = |row| EventRewrite { row, data: data.clone(), extra: None };
        let rows = u32::try_from(batch.len()).unwrap();
        Ok(EventVerdict { issues: vec![], rewrites: (0..rows).map(rewrite).collect() })
    });
    let next = Native::of_events(|_, _| Ok(EventVerdict { issues: vec![issue(0)], rewrites: vec![] }));
    let round = Bench::new().judge_events(&[&enlarging, &next], OnFailure::Reject, many_events(3));
    assert_eq!((enlarging.rows(), next.rows()), (vec![3], vec![1, 1, 1]));
    assert_eq!(refused(&round), [0, 1, 2]);
}

#[test]
fn parts_are_packed_once_for_all_that_want_them() {
    let quiet = || Native::of_events(|_, _| Ok(EventVerdict::default()));
    let (first, second) = (quiet(), quiet());
    let records = many_events(MAX_VALIDATOR_ROWS + 1);
    Bench::new().judge_events(&[&first, &second], OnFailure::Reject, records);
    assert_eq!(first.rows(), [MAX_VALIDATOR_ROWS, 1]);
    let (first, second) = (first.texts.lock().unwrap(), second.texts.lock().unwrap());
    assert_eq!(second.len(), 2);
    assert!(first.iter().zip(&*second).all(|(first, second)| Arc::ptr_eq(first, second)));
}

#[test]
fn a_part_that_cannot_be_judged_costs_no_other() {
    let judge = || {
        Native::of_events(|before, _| match before {
            1 => Ok(EventVerdict { issues: vec![issue(7)], rewrites: vec![] }),
            _ => Err(failure()),
        })
    };
    let (second, third) = (MAX_VALIDATOR_ROWS, 2 * MAX_VALIDATOR_ROWS);
    let (bench, records) = (Bench::new(), many_events(third + 2));
    let round = bench.judge_events(&[&judge()], OnFailure::Reject, records.clone());
    let expected: Vec<_> = (0..second).chain([second + 7, third, third + 1]).collect();
    assert_eq!(refused(&round), expected);
    let refusal = |row: usize| round.notes[row].refusal.as_ref().map(RecordError::code);
    assert_eq!(refusal(0), Some(ErrorCode::PluginFailure));
    assert_eq!(refusal(second + 7), Some(ErrorCode::InvalidEvent));
    assert_eq!(bench.faults.count(), 1, "one call is one fault");

    let round = bench.judge_events(&[&judge()], OnFailure::Accept, records);
    assert_eq!(refused(&round), [second + 7]);
    assert_eq!(bench.counters.snapshot().unvalidated_records, second as u64 + 2);
    assert_eq!(bench.faults.count(), 1);
}

#[test]
fn more_samples_than_a_batch_holds_are_judged_in_parts() {
    // Of the second batch the only series is rewritten and the second row refused.
    let validator = Native::of_samples(|before, _| match before {
        1 => Ok(SampleVerdict {
            issues: vec![issue(1)],
            rewrites: vec![SeriesRewrite {
                series: 0,
                context: Context::from_labels([("rewritten", "yes")]),
            }],
        }),
        _ => Ok(SampleVerdict::default()),
    });
    let records = many_samples(MAX_VALIDATOR_ROWS + 3);
    let round = Bench::new().judge_samples(&[&validator], OnFailure::Reject, records);
    assert_eq!(validator.rows(), [MAX_VALIDATOR_ROWS, 3]);
    assert_eq!(refused(&round), [MAX_VALIDATOR_ROWS + 1]);
    let rewritten = round.records.iter().position(|sample| !sample.series().context.is_empty());
    assert_eq!(rewritten, Some(MAX_VALIDATOR_ROWS));
}

#[test]
fn a_series_takes_its_text_once_in_a_batch() {
    let validator = Native::of_samples(|_, _| Ok(SampleVerdict::default()));
    let long = "x".repeat(8_000);
    let sample = |series: usize| MetricDraft::new("m", 1.0).with_context(numbered(series, &long));
    // A thousand series of eight kilobytes are two batches, one of them a thousand times is none more.
    let records = samples((0..1_000).chain([999; 1_000]).map(sample));
    Bench::new().judge_samples(&[&validator], OnFailure::Reject, records);
    let rows = validator.rows();
    assert_eq!((rows.len(), rows.iter().sum::<usize>()), (2, 2_000));
    assert!((500..530).contains(&rows[0]), "{rows:?}");
}
