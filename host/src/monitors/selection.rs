//! Batches as one monitor sees them: only what it subscribed to, decided on the host's side.

use std::borrow::Cow;

use telemetry_core::{EventBatch, SampleBatch, Subscription};

/// The subscribed events of a batch; `None` when there is none. A batch that is wanted whole is passed on as it is.
pub(crate) fn select_events<'a>(
    subscription: &Subscription,
    batch: &'a EventBatch,
) -> Option<Cow<'a, EventBatch>> {
    if !subscription.wants_events() || batch.is_empty() {
        return None;
    }
    let wanted: Vec<bool> =
        batch.rows().map(|row| subscription.wants_event(row.event_type, row.source)).collect();
    match wanted.iter().position(|wanted| *wanted) {
        None => None,
        Some(_) if wanted.iter().all(|wanted| *wanted) => Some(Cow::Borrowed(batch)),
        Some(first) => {
            let mut selected = EventBatch::starting_at(batch.first_sequence.saturating_add(first as u64));
            for (row, _) in batch.rows().zip(&wanted).filter(|(_, wanted)| **wanted) {
                selected.push(row);
            }
            Some(Cow::Owned(selected))
        }
    }
}

/// The subscribed samples of a batch; `None` when there is none. A batch that is wanted whole is passed on as it is.
pub(crate) fn select_samples<'a>(
    subscription: &Subscription,
    batch: &'a SampleBatch,
) -> Option<Cow<'a, SampleBatch>> {
    if !subscription.wants_samples() || batch.is_empty() {
        return None;
    }
    let count = u32::try_from(batch.series_count()).unwrap_or(u32::MAX);
    let wanted: Vec<bool> = (0..count)
        .map(|number| batch.series(number).is_some_and(|(name, _)| subscription.wants_metric(name)))
        .collect();
    if wanted.iter().all(|wanted| *wanted) {
        return Some(Cow::Borrowed(batch));
    }
    let is_wanted = |series: u32| wanted.get(series as usize).copied().unwrap_or(false);
    let first = batch.series_indices().iter().position(|series| is_wanted(*series))?;
    let mut selected = SampleBatch::starting_at(batch.first_sequence.saturating_add(first as u64));
    let mut numbers: Vec<Option<u32>> = vec![None; wanted.len()];
    for row in batch.rows().filter(|row| is_wanted(row.series)) {
        let Some(place) = numbers.get_mut(row.series as usize) else { continue };
        let number = *place.get_or_insert_with(|| selected.add_series(row.name, row.context));
        selected.push(number, row.timestamp, row.value);
    }
    Some(Cow::Owned(selected))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use telemetry_core::EventRow;

    fn list(texts: &[&str]) -> Option<Vec<String>> {
        Some(texts.iter().map(|text| (*text).to_owned()).collect())
    }

    fn event(event_type: &str) -> EventRow<'_> {
        EventRow { timestamp: 1, id: "i", event_type, source: "s", data: "{}", extra: "{}" }
    }

    #[test]
    fn events_by_type() {
        let mut batch = EventBatch::starting_at(10);
        for event_type in ["A", "B", "B", "A"] {
            batch.push(event(event_type));
        }
        let wants = |types: &[&str]| Subscription { event_types: list(types), ..Subscription::default() };
        assert!(matches!(select_events(&wants(&[]), &batch), Some(Cow::Borrowed(_))));
        assert!(matches!(select_events(&wants(&["A", "B"]), &batch), Some(Cow::Borrowed(_))));
        assert!(select_events(&wants(&["C"]), &batch).is_none());
        assert!(select_events(&Subscription::default(), &batch).is_none());
        let selected = select_events(&wants(&["B"]), &batch).unwrap();
        assert_eq!((selected.len(), selected.first_sequence), (2, 11));
    }

    proptest! {
        #[test]
        fn samples_keep_their_order_and_series(rows in prop::collection::vec((0..5_u32, any::<i64>()), 0..50)) {
            let mut batch = SampleBatch::starting_at(100);
            for name in ["a.1", "b.1", "a.2", "b.2", "c"] {
                batch.add_series(name, "{}");
            }
            for (series, timestamp) in &rows {
                batch.push(*series, *timestamp, 0.5);
            }
            let wants = Subscription { metrics: list(&["a.*", "c"]), ..Subscription::default() };
            let expected: Vec<_> = batch
                .rows()
                .filter(|row| row.name != "b.1" && row.name != "b.2")
                .map(|row| (row.name.to_owned(), row.timestamp))
                .collect();
            let selected = select_samples(&wants, &batch);
            let found: Vec<_> = selected
                .iter()
                .flat_map(|batch| batch.rows().map(|row| (row.name.to_owned(), row.timestamp)).collect::<Vec<_>>())
                .collect();
            prop_assert_eq!(found, expected);
            if let Some(selected) = selected {
                let first = rows.iter().position(|(series, _)| [0, 2, 4].contains(series)).unwrap();
                prop_assert_eq!(selected.first_sequence, 100 + first as u64);
            }
        }
    }
}
