//! Recording from within the callbacks of a recording call: the depth is carried by the thread.

use std::cell::Cell;
use std::marker::PhantomData;

thread_local! {
    /// Recording calls that are under way on this thread, of whatever host: two hosts that record into each other are
    /// one recursion.
    static DEPTH: Cell<u32> = const { Cell::new(0) };
}

/// Bounds how deep recording calls may nest on one thread.
#[derive(Clone, Copy, Debug)]
pub struct RecursionDepth {
    limit: u32,
}

/// A recording call that would nest too deeply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("recording is nested {depth} deep; the limit is {limit}")]
pub struct RecursionTrip {
    /// The recording calls that are under way.
    pub depth: u32,
    /// How many may be.
    pub limit: u32,
}

/// A recording call that is under way, until it is dropped.
#[derive(Debug)]
#[must_use = "the depth counts only while this is held"]
pub struct Nested {
    /// The depth belongs to the thread that counted it.
    not_send: PhantomData<*const ()>,
}

impl RecursionDepth {
    /// At most `limit` recording calls at once on one thread.
    pub fn new(limit: u32) -> Self {
        Self { limit }
    }

    /// The recording calls that are under way on this thread.
    pub fn current() -> u32 {
        DEPTH.get()
    }

    /// Begins a recording call; it lasts until the answer is dropped, the callbacks within included.
    pub fn enter(&self) -> Result<Nested, RecursionTrip> {
        let depth = DEPTH.get();
        if depth >= self.limit {
            return Err(RecursionTrip { depth, limit: self.limit });
        }
        DEPTH.set(depth + 1);
        Ok(Nested { not_send: PhantomData })
    }
}

impl Drop for Nested {
    fn drop(&mut self) {
        DEPTH.set(DEPTH.get().saturating_sub(1));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nest(guard: RecursionDepth, wanted: u32) -> Result<(), RecursionTrip> {
        if wanted == 0 {
            return Ok(());
        }
        let _depth = guard.enter()?;
        nest(guard, wanted - 1)
    }

    #[test]
    fn a_hundred_deep_and_no_deeper() {
        let guard = RecursionDepth::new(100);
        assert_eq!(nest(guard, 100), Ok(()));
        assert_eq!(nest(guard, 101), Err(RecursionTrip { depth: 100, limit: 100 }));
        assert_eq!(RecursionDepth::current(), 0);
    }

    #[test]
    fn the_depth_survives_a_panic_in_a_callback() {
        let guard = RecursionDepth::new(2);
        let outer = guard.enter().unwrap();
        let panic = std::panic::catch_unwind(|| {
            let _inner = guard.enter().unwrap();
            std::panic::resume_unwind(Box::new("callback"));
        });
        assert!(panic.is_err());
        assert_eq!(RecursionDepth::current(), 1);
        drop(outer);
        assert_eq!(RecursionDepth::current(), 0);
    }

    #[test]
    fn threads_do_not_count_for_each_other() {
        let guard = RecursionDepth::new(1);
        let _here = guard.enter().unwrap();
        std::thread::scope(|scope| scope.spawn(|| guard.enter().map(drop)).join().unwrap()).unwrap();
        assert!(guard.enter().is_err());
    }
}
