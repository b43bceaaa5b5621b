//! What one reading of events' values may still take: bytes that are found, and time.

use super::ValuesError;
use crate::limits::{MAX_VALUES_BYTES, VALUES_BYTES_PER_LOOK};

/// What is left for one reading. Once something of it is used up, the reading is to end.
pub(super) struct Budget<'t> {
    /// Bytes of values that may still be taken.
    room: usize,
    /// Bytes that may still be stepped over until it is asked whether the time is over.
    unasked: usize,
    is_over: &'t dyn Fn() -> bool,
    exhausted: Option<ValuesError>,
}

impl<'t> Budget<'t> {
    /// All that a reading may take, until `is_over`.
    pub(super) fn new(is_over: &'t dyn Fn() -> bool) -> Self {
        Self { room: MAX_VALUES_BYTES, unasked: VALUES_BYTES_PER_LOOK, is_over, exhausted: None }
    }

    /// Bytes of values are taken; `None` if they are too many.
    #[inline]
    pub(super) fn take(&mut self, bytes: usize) -> Option<()> {
        match self.room.checked_sub(bytes) {
            Some(room) => {
                self.room = room;
                Some(())
            }
            None => self.exhaust(ValuesError::TooLarge),
        }
    }

    /// Bytes were stepped over, or as much was done otherwise; `None` if the time is over.
    #[inline]
    pub(super) fn step(&mut self, bytes: usize) -> Option<()> {
        match self.unasked.checked_sub(bytes) {
            Some(unasked) => {
                self.unasked = unasked;
                Some(())
            }
            None => self.look(),
        }
    }

    /// What was used up, if anything was.
    pub(super) fn check(&self) -> Result<(), ValuesError> {
        self.exhausted.map_or(Ok(()), Err)
    }

    #[cold]
    fn look(&mut self) -> Option<()> {
        self.unasked = VALUES_BYTES_PER_LOOK;
        if (self.is_over)() { self.exhaust(ValuesError::Late) } else { Some(()) }
    }

    #[cold]
    fn exhaust(&mut self, what: ValuesError) -> Option<()> {
        self.exhausted = Some(what);
        None
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;

    #[test]
    fn bytes_end_where_the_limit_is() {
        let mut budget = Budget::new(&|| false);
        assert_eq!(budget.take(MAX_VALUES_BYTES - 1), Some(()));
        assert_eq!(budget.take(1), Some(()));
        assert_eq!(budget.check(), Ok(()));
        assert_eq!(budget.take(1), None);
        assert_eq!(budget.check(), Err(ValuesError::TooLarge));
    }

    #[test]
    fn the_time_is_asked_for_now_and_then() {
        let looks = Cell::new(0);
        let is_over = || {
            looks.set(looks.get() + 1);
            looks.get() > 2
        };
        let mut budget = Budget::new(&is_over);
        assert_eq!(budget.step(VALUES_BYTES_PER_LOOK), Some(()));
        assert_eq!(looks.get(), 0);
        assert_eq!(budget.step(1), Some(()));
        assert_eq!(budget.step(usize::MAX), Some(()));
        assert_eq!(looks.get(), 2);
        assert_eq!(budget.step(usize::MAX), None);
        assert_eq!(budget.check(), Err(ValuesError::Late));
    }
}
