//! The batches that validators were given of the records that are judged together, so that those after them need not have the same
//! rows packed again.

use telemetry_core::limits::MAX_KEPT_BATCHES;

/// Batches by their rows. Whoever changes records, or sees to it that nobody wants them any more, has what holds them forgotten.
#[derive(Default)]
pub(super) struct PackedBatches<B> {
    /// The one that was shown last.
    last: Option<Packed<B>>,
    /// Those that were shown before it, in order.
    others: Vec<Packed<B>>,
}

struct Packed<B> {
    /// In rising order.
    rows: Vec<usize>,
    batch: B,
}

impl<B> Packed<B> {
    fn has_any(&self, rows: &[usize]) -> bool {
        rows.iter().any(|row| self.rows.binary_search(row).is_ok())
    }
}

impl<B> PackedBatches<B> {
    /// The batch of `rows`, which are in rising order; `pack` makes it where it is not kept.
    pub(super) fn of(&mut self, rows: &[usize], pack: impl FnOnce() -> B) -> &B {
        let kept = self.last.take_if(|last| last.rows == rows).or_else(|| self.take(rows));
        if let Some(before) = self.last.take() {
            self.keep(before);
        }
        let shown = kept.unwrap_or_else(|| {
            #[cfg(test)]
            tests::PACKINGS.set(tests::PACKINGS.get() + 1);
            Packed { rows: rows.to_vec(), batch: pack() }
        });
        &self.last.insert(shown).batch
    }

    fn take(&mut self, rows: &[usize]) -> Option<Packed<B>> {
        let place = self.others.iter().position(|other| other.rows == rows)?;
        Some(self.others.remove(place))
    }

    /// Keeps what was shown. Where that is too much, what has most rows stays, since packing it again would cost most; of the rest
    /// goes what was shown the longest ago.
    fn keep(&mut self, shown: Packed<B>) {
        self.others.push(shown);
        if self.others.len() >= MAX_KEPT_BATCHES {
            let by_rows = |(_, other): &(usize, &Packed<B>)| other.rows.len();
            let largest = self.others.iter().enumerate().max_by_key(by_rows).map(|(place, _)| place);
            self.others.remove(usize::from(largest == Some(0)));
        }
    }

    /// Forgets what holds any of these rows.
    pub(super) fn forget(&mut self, rows: &[usize]) {
        if rows.is_empty() {
            return;
        }
        drop(self.last.take_if(|last| last.has_any(rows)));
        self.others.retain(|other| !other.has_any(rows));
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::cell::Cell;

    use super::*;

    thread_local! {
        /// Batches that this thread packed.
        pub(in super::super) static PACKINGS: Cell<usize> = const { Cell::new(0) };
    }

    /// What is kept of `rows`, or packed anew as `new`.
    fn shown(packed: &mut PackedBatches<&'static str>, rows: &[usize], new: &'static str) -> &'static str {
        packed.of(rows, || new)
    }

    #[test]
    fn the_same_rows_are_packed_once() {
        let mut packed = PackedBatches::default();
        assert_eq!(shown(&mut packed, &[0, 1, 2], "all"), "all");
        assert_eq!(shown(&mut packed, &[0, 1, 2], "again"), "all");
        assert_eq!(shown(&mut packed, &[0, 2], "some"), "some");
        assert_eq!(shown(&mut packed, &[0, 1, 2], "again"), "all");
        assert_eq!(shown(&mut packed, &[0, 2], "again"), "some");
        assert_eq!(shown(&mut packed, &[0, 1], "others"), "others");
    }

    #[test]
    fn the_largest_and_the_last_stay() {
        let mut packed = PackedBatches::default();
        let all: Vec<usize> = (0..9).collect();
        shown(&mut packed, &all, "all");
        for row in 0..MAX_KEPT_BATCHES {
            shown(&mut packed, &[row], "one");
        }
        assert_eq!(packed.others.len() + 1, MAX_KEPT_BATCHES);
        assert_eq!(shown(&mut packed, &[MAX_KEPT_BATCHES - 1], "again"), "one");
        assert_eq!(shown(&mut packed, &all, "again"), "all");
        assert_eq!(shown(&mut packed, &[0], "again"), "again");
        assert_eq!(shown(&mut packed, &all, "again"), "all");
    }

    #[test]
    fn what_holds_a_changed_row_is_forgotten_and_nothing_else() {
        let mut packed = PackedBatches::default();
        let sets: [&[usize]; 3] = [&[0, 1, 2, 3], &[0, 1], &[2, 3]];
        for rows in sets {
            shown(&mut packed, rows, "old");
        }
        packed.forget(&[]);
        packed.forget(&[7, 3]);
        assert_eq!(sets.map(|rows| shown(&mut packed, rows, "new")), ["new", "old", "new"]);
        packed.forget(&[2]);
        assert_eq!(sets.map(|rows| shown(&mut packed, rows, "newer")), ["newer", "old", "newer"]);
    }
}
