//! Repeated timing: wall and CPU time per operation, as median and range.

use std::time::{Duration, Instant};

/// Several runs of one measurement.
pub(crate) struct Runs {
    operations: usize,
    wall: Vec<Duration>,
}

impl Runs {
    /// Runs `measured` as often as asked; each run does `operations` operations.
    pub(crate) fn of(
        repeat: usize,
        operations: usize,
        mut measured: impl FnMut() -> anyhow::Result<()>,
    ) -> anyhow::Result<Self> {
        let mut wall = Vec::with_capacity(repeat);
        for _ in 0..repeat {
            let start = Instant::now();
            measured()?;
            wall.push(start.elapsed());
        }
        wall.sort();
        Ok(Self { operations, wall })
    }

    fn at(&self, place: usize) -> Duration {
        self.wall.get(place).copied().unwrap_or_default()
    }

    /// Median seconds of one operation.
    pub(crate) fn median(&self) -> f64 {
        self.at(self.wall.len() / 2).as_secs_f64() / self.operations as f64
    }

    /// Fastest and slowest, seconds of one operation.
    pub(crate) fn range(&self) -> (f64, f64) {
        let per = |duration: Duration| duration.as_secs_f64() / self.operations as f64;
        (per(self.at(0)), per(self.at(self.wall.len().saturating_sub(1))))
    }

    /// Operations a second, median.
    pub(crate) fn rate(&self) -> f64 {
        1.0 / self.median()
    }
}
