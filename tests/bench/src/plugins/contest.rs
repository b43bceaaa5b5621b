//! Contestants that take turns, so that whatever else the machine does meets them alike: CPU time, medians over the rounds, and
//! ratios and differences within a round.

use std::time::Duration;

/// One way of doing the work.
pub(super) type Contestant<'a> = &'a mut dyn FnMut() -> anyhow::Result<()>;

/// Seconds of one operation, by contestant and round.
pub(super) struct Times(Vec<Vec<f64>>);

/// Lets all take turns, after one round that is not counted.
pub(super) fn contest(
    rounds: usize,
    operations: usize,
    clock: fn() -> Duration,
    contestants: &mut [Contestant<'_>],
) -> anyhow::Result<Times> {
    let mut times = vec![Vec::with_capacity(rounds); contestants.len()];
    for round in 0..=rounds {
        for (contestant, times) in contestants.iter_mut().zip(&mut times) {
            let start = clock();
            contestant()?;
            let took = clock().saturating_sub(start);
            if round > 0 {
                times.push(took.as_secs_f64() / operations as f64);
            }
        }
    }
    Ok(Times(times))
}

impl Times {
    /// The median of a contestant.
    pub(super) fn median(&self, of: usize) -> f64 {
        median(self.rounds(of).to_vec())
    }

    /// The median over the rounds of how many times as long `of` takes as `beside`.
    pub(super) fn ratio(&self, of: usize, beside: usize) -> f64 {
        self.pairs(of, beside, |of, beside| of / beside)
    }

    /// The median over the rounds of how much longer `of` takes than `beside`.
    pub(super) fn difference(&self, of: usize, beside: usize) -> f64 {
        self.pairs(of, beside, |of, beside| of - beside)
    }

    fn pairs(&self, of: usize, beside: usize, pair: impl Fn(f64, f64) -> f64) -> f64 {
        let pairs = self.rounds(of).iter().zip(self.rounds(beside));
        median(pairs.map(|(of, beside)| pair(*of, *beside)).collect())
    }

    fn rounds(&self, of: usize) -> &[f64] {
        self.0.get(of).map(Vec::as_slice).unwrap_or_default()
    }
}

/// The median; not a number where there is none.
pub(super) fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}
