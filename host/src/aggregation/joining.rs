//! Series that are one: a series that was idle for long may go on under another number of the reader. For functions that
//! look at each series alone, all numbers of one definition stand side by side and are read as one series.

use std::borrow::Cow;
use std::collections::HashMap;

use super::engine::OneSeries;

/// The series, those of one definition side by side, and which of them go on with the one before; of no series nothing is said
/// where every one stands alone.
pub(super) fn side_by_side(series: &[OneSeries]) -> (Cow<'_, [OneSeries]>, Vec<bool>) {
    let mut firsts: HashMap<(&str, bool), usize> = HashMap::with_capacity(series.len());
    let first_of: Vec<usize> = series
        .iter()
        .enumerate()
        .map(|(place, one)| *firsts.entry((one.context.as_str(), one.overflow)).or_insert(place))
        .collect();
    if firsts.len() == series.len() {
        return (Cow::Borrowed(series), Vec::new());
    }
    let mut placed: Vec<(usize, &OneSeries)> = first_of.into_iter().zip(series).collect();
    placed.sort_by_key(|(first, _)| *first);
    let mut before = None;
    let goes_on = |(first, _): &(usize, &OneSeries)| before.replace(*first) == Some(*first);
    let continued = placed.iter().map(goes_on).collect();
    (placed.into_iter().map(|(_, one)| one.clone()).collect(), continued)
}

#[cfg(test)]
mod tests {
    use super::*;
    use telemetry_core::Context;

    #[test]
    fn numbers_of_one_definition_stand_side_by_side() {
        let one = |id, host: &str, overflow| OneSeries {
            id,
            context: Context::from_labels([("host", host)]),
            overflow,
        };
        let apart = [one(1, "a", false), one(2, "b", false)];
        assert_eq!(side_by_side(&apart), (Cow::Borrowed(&apart[..]), vec![]));
        let twins = [
            one(1, "a", false),
            one(2, "b", false),
            one(3, "a", true),
            one(4, "a", false),
            one(5, "b", false),
        ];
        let (series, continued) = side_by_side(&twins);
        assert_eq!(series.iter().map(|one| one.id).collect::<Vec<_>>(), [1, 4, 2, 5, 3]);
        assert_eq!(continued, [false, true, false, true, false]);
    }
}
