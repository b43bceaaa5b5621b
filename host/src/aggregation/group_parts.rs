//! Parts of grouped series of which no two have series of one group: each is worked out by one thread, up to the state of all its
//! series. Where there are few accumulators that state alone goes from one to another, however many groups and buckets there are.
//!
//! Invariant: the points of all parts together are no more than the query may answer, and their memory is counted while they wait for
//! the other parts.

use std::sync::atomic::{AtomicUsize, Ordering};

use super::cells::too_many_points;
use super::level::Level;
use super::merging::climb;
use super::outcome::Outcome;
use super::parallel::{Parts, each};
use super::stop::Stop;
use super::task::Task;

/// Groups for each part from which the parts are of about the same size, mostly.
const GROUPS_PER_PART: usize = 2;
/// How many times as large as the average the largest part may be: the other threads wait for the one that has it.
const LARGEST_PART: usize = 2;

/// The places of each part's series, in order; `None` where another way is better, or the series are not split at all.
pub(super) fn of(task: &Task<'_>) -> Option<Vec<Vec<usize>>> {
    let count = task.parts.count(task.groups.len());
    let groups = task.groups.iter().max().map_or(0, |last| *last as usize + 1);
    let pays = count > 1 && groups >= count.saturating_mul(GROUPS_PER_PART);
    let parts =
        (task.grouped && task.has_few_accumulators() && pays).then(|| cut(task.groups, groups, count));
    parts.filter(|parts| are_even(parts, count))
}

/// Whether parts, of which there were to be `count`, are of about the same size.
fn are_even(parts: &[Vec<usize>], count: usize) -> bool {
    let sizes = || parts.iter().map(Vec::len);
    let largest = sizes().max().unwrap_or(0);
    largest.saturating_mul(count) <= sizes().sum::<usize>().saturating_mul(LARGEST_PART)
}

/// Places by parts, `count` of them at most, of about the same size; `of_place` has the group of each place, all below `groups`.
fn cut(of_place: &[u32], groups: usize, count: usize) -> Vec<Vec<usize>> {
    let mut sizes = vec![0_usize; groups];
    for group in of_place {
        if let Some(size) = sizes.get_mut(*group as usize) {
            *size += 1;
        }
    }
    let mut before = 0_usize;
    let part_of_next = |size: &usize| {
        let part = before.saturating_mul(count) / of_place.len().max(1);
        before += size;
        part
    };
    let part_of: Vec<usize> = sizes.iter().map(part_of_next).collect();
    let mut parts = vec![Vec::new(); count];
    for (place, group) in of_place.iter().enumerate() {
        if let Some(part) = part_of.get(*group as usize).and_then(|part| parts.get_mut(*part)) {
            part.push(place);
        }
    }
    parts.retain(|part| !part.is_empty());
    parts
}

/// Works a metric out.
pub(super) fn run(task: &Task<'_>, parts: &[Vec<usize>]) -> Result<Outcome, Stop> {
    let taken = AtomicUsize::new(0);
    let done = each(parts.len(), task.crew(), |part, role| {
        let places = parts.get(part).map(Vec::as_slice).unwrap_or_default();
        let series: Vec<u32> = places.iter().filter_map(|place| task.series.get(*place)).copied().collect();
        let groups: Vec<u32> = places.iter().map(|place| task.group(*place)).collect();
        let part =
            Task { series: &series, groups: &groups, continued: &[], parts: Parts::ONE, role, ..*task };
        let (outcome, level) = climb(&part)?;
        let piece = level.save(task)?;
        let points = outcome.point_count();
        if taken.fetch_add(points, Ordering::Relaxed).saturating_add(points) > task.points_left {
            return Err(too_many_points().into());
        }
        let mut charge = task.watch.memory.holder();
        charge.resize(outcome.bytes())?;
        Ok((outcome, piece, charge))
    })?;
    let mut outcome = Outcome::empty();
    let (mut pieces, mut charges) = (Vec::with_capacity(done.len()), Vec::with_capacity(done.len()));
    for (part, piece, charge) in done {
        outcome.append(part);
        pieces.extend(piece);
        charges.push(charge);
    }
    Level::joined(task, pieces)?.total(task, &mut outcome)?;
    Ok(outcome)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_group_is_cut_and_parts_are_of_about_the_same_size() {
        // Groups come in turns.
        let turns: Vec<u32> = (0..60).map(|place| place % 6).collect();
        let parts = cut(&turns, 6, 3);
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [20, 20, 20]);
        assert!(are_even(&parts, 3));
        for (part, places) in parts.iter().enumerate() {
            assert!(places.iter().all(|place| turns[*place] as usize / 2 == part), "{places:?}");
            assert!(places.is_sorted());
        }
        // One group has nearly all: it stays whole, and parts without a group are left out.
        let uneven: Vec<u32> = [0; 50].into_iter().chain(1..11).collect();
        let parts = cut(&uneven, 11, 4);
        assert_eq!(parts.iter().map(Vec::len).collect::<Vec<_>>(), [50, 10]);
        assert!(!are_even(&parts, 4), "one thread would have nearly all");
        assert_eq!(cut(&[], 0, 2), Vec::<Vec<usize>>::new());
    }
}
