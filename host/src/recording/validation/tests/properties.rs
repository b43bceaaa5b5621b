//! Whatever validators do, each is given what packing its records anew would give it, and the outcome is that of one chain for each.

use std::fmt::Debug;

use proptest::prelude::*;
use telemetry_core::{EventRow, SeriesKey};

use super::*;

/// What a validator does with a batch: each nth row, or series, is concerned.
#[derive(Clone, Copy, Debug)]
struct Deed {
    refuses: Option<usize>,
    warns: Option<usize>,
    rewrites: Option<usize>,
    fails: bool,
}

impl Deed {
    fn issues(self, rows: usize) -> Vec<RowIssue> {
        let each = |nth: Option<usize>| nth.into_iter().flat_map(move |nth| (0..rows).step_by(nth));
        let warnings = each(self.warns).map(|row| RowIssue { reject: false, ..issue(row) });
        each(self.refuses).map(issue).chain(warnings).collect()
    }

    /// What is rewritten of so many, and to which text: one of two, so that several series become one.
    fn rewrites(self, count: usize) -> Vec<(u32, String)> {
        let rewrite = |number: usize| (u32::try_from(number).unwrap(), (number % 2).to_string());
        self.rewrites.map_or_else(Vec::new, |nth| (0..count).step_by(nth).map(rewrite).collect())
    }

    fn on_events(self, batch: &EventBatch) -> Result<EventVerdict, PluginFailure> {
        if self.fails {
            return Err(failure());
        }
        let rewrite =
            |(row, text): (u32, String)| EventRewrite { row, data: Some(object(&text)), extra: None };
        let rewrites = self.rewrites(batch.len()).into_iter().map(rewrite).collect();
        Ok(EventVerdict { issues: self.issues(batch.len()), rewrites })
    }

    fn on_samples(self, batch: &SampleBatch) -> Result<SampleVerdict, PluginFailure> {
        if self.fails {
            return Err(failure());
        }
        let rewrite = |(series, text): (u32, String)| SeriesRewrite { series, context: labelled(&text) };
        let rewrites = self.rewrites(batch.series_count()).into_iter().map(rewrite).collect();
        Ok(SampleVerdict { issues: self.issues(batch.len()), rewrites })
    }
}

fn labelled(text: &str) -> Context {
    Context::from_labels([("a", text)])
}

/// Which names a validator wants, and what it does.
type Plan = (Vec<&'static str>, Deed);

/// A validator, and the batches that it was given.
struct Witness {
    native: Arc<Native>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Witness {
    fn of((names, deed): &Plan) -> Self {
        let (deed, seen) = (*deed, Arc::<Mutex<Vec<String>>>::default());
        let (of_events, of_samples) = (Arc::clone(&seen), Arc::clone(&seen));
        let native = Arc::new(Native {
            subscription: to(names),
            events: Box::new(move |_, batch| {
                of_events.lock().unwrap().push(shown_events(batch));
                deed.on_events(batch)
            }),
            samples: Box::new(move |_, batch| {
                of_samples.lock().unwrap().push(format!("{batch:?}"));
                deed.on_samples(batch)
            }),
            ..Native::new()
        });
        Self { native, seen }
    }
}

fn shown_events(batch: &EventBatch) -> String {
    format!("{:?}", batch.rows().collect::<Vec<_>>())
}

fn packed_events(events: &[&AdmittedEvent]) -> String {
    let mut batch = EventBatch::default();
    for event in events {
        batch.push(EventRow {
            timestamp: event.timestamp().nanos(),
            id: &event.id().uuid().to_string(),
            event_type: event.event_type(),
            source: event.source(),
            data: event.data().as_str(),
            extra: event.extra().as_str(),
        });
    }
    shown_events(&batch)
}

fn packed_samples(samples: &[&AdmittedSample]) -> String {
    let mut batch = SampleBatch::default();
    let mut known: Vec<(&SeriesKey, u32)> = Vec::new();
    for sample in samples {
        let series = sample.series();
        let number = known.iter().find(|(key, _)| *key == series).map(|(_, number)| *number);
        let number = number.unwrap_or_else(|| {
            let number = batch.add_series(&series.name, series.context.as_str());
            known.push((series, number));
            number
        });
        batch.push(number, sample.timestamp().nanos(), sample.value().as_f64().unwrap_or(f64::NAN));
    }
    format!("{batch:?}")
}

/// How records of a class are judged, chosen and packed.
struct Class<T> {
    judge: fn(&Bench, &ValidatorChain, &mut Round<T>),
    wants: fn(&Subscription, &T) -> bool,
    packed: fn(&[&T]) -> String,
}

const EVENTS: Class<AdmittedEvent> = Class {
    judge: |bench, chain, round| chain.judge_events(round, &bench.judging()),
    wants: |subscription, event| subscription.wants_event(event.event_type(), event.source()),
    packed: packed_events,
};

const SAMPLES: Class<AdmittedSample> = Class {
    judge: |bench, chain, round| chain.judge_samples(round, &bench.judging()),
    wants: |subscription, sample| subscription.wants_metric(&sample.series().name),
    packed: packed_samples,
};

/// Has a chain of all validators judge the records, and beside it a chain for each, with what is expected of packing before it.
fn check<T: Admitted + Clone + Debug>(
    class: &Class<T>,
    records: &[T],
    plans: &[Plan],
    on_failure: OnFailure,
) {
    let bench = Bench::new();
    let together: Vec<_> = plans.iter().map(Witness::of).collect();
    let natives: Vec<_> = together.iter().map(|witness| &witness.native).collect();
    let mut all = round(records.to_vec());
    (class.judge)(&bench, &Bench::chain(&natives, on_failure), &mut all);

    let mut one_by_one = round(records.to_vec());
    for (plan, witness) in plans.iter().zip(&together) {
        let alone = Witness::of(plan).native;
        let wanted: Vec<&T> = (one_by_one.records.iter().zip(&one_by_one.notes))
            .filter(|(record, note)| note.refusal.is_none() && (class.wants)(&alone.subscription, record))
            .map(|(record, _)| record)
            .collect();
        let expected = if wanted.is_empty() { vec![] } else { vec![(class.packed)(&wanted)] };
        assert_eq!(*witness.seen.lock().unwrap(), expected);
        (class.judge)(&bench, &Bench::chain(&[&alone], on_failure), &mut one_by_one);
    }
    assert_eq!(outcome(&all), outcome(&one_by_one));
}

/// The records as they are now, and of each why it is refused, with what is shown of it then, and its warnings.
fn outcome<T: Debug>(round: &Round<T>) -> (String, Vec<String>) {
    let notes = round.notes.iter().map(|note| format!("{:?} {:?}", note.refusal, note.warnings));
    (format!("{:?}", round.records), notes.collect())
}

fn plans() -> impl Strategy<Value = Vec<Plan>> {
    let names = prop_oneof![
        3 => Just(vec![]),
        2 => Just(vec!["a"]),
        1 => Just(vec!["b"]),
        1 => Just(vec!["a", "c"]),
        1 => Just(vec!["none"]),
    ];
    let nth = || proptest::option::weighted(0.3, 1_usize..4);
    let deeds = (nth(), nth(), nth(), proptest::bool::weighted(0.1));
    let deeds = deeds.prop_map(|(refuses, warns, rewrites, fails)| Deed { refuses, warns, rewrites, fails });
    proptest::collection::vec((names, deeds), 1..8)
}

/// Names, and what makes records of one name differ: texts that rewriting makes are among them.
fn contents() -> impl Strategy<Value = Vec<(&'static str, u8)>> {
    proptest::collection::vec((proptest::sample::select(vec!["a", "b", "c"]), 0_u8..4), 0..16)
}

fn on_failure() -> impl Strategy<Value = OnFailure> {
    prop_oneof![Just(OnFailure::Reject), Just(OnFailure::Accept)]
}

proptest! {
    #[test]
    fn events_are_given_as_if_packed_anew(
        contents in contents(), plans in plans(), on_failure in on_failure(),
    ) {
        let draft = |(name, text): (&str, u8)| EventDraft::new(name, "s").with_data(object(&text.to_string()));
        check(&EVENTS, &events(contents.into_iter().map(draft)), &plans, on_failure);
    }

    #[test]
    fn samples_are_given_as_if_packed_anew(
        contents in contents(), plans in plans(), on_failure in on_failure(),
    ) {
        let draft = |(name, text): (&str, u8)| {
            let draft = match text {
                0 => MetricDraft::new(name, "text"),
                _ => MetricDraft::new(name, f64::from(text)),
            };
            draft.with_context(labelled(&text.to_string()))
        };
        check(&SAMPLES, &samples(contents.into_iter().map(draft)), &plans, on_failure);
    }
}
