//! The state of APPROX_QUANTILE: a DDSketch (Masson, Rim, Lee: "DDSketch: A fast and fully-mergeable quantile sketch with
//! relative-error guarantees", VLDB 2019) of the library `sketches-ddsketch`.
//!
//! Invariant: a saved sketch is checked before the library sees it, since the library trusts its own fields.

use serde::Deserialize;
use sketches_ddsketch::{Config, DDSketch};

use crate::aggregation::grouped::GroupState;
use crate::aggregation::saved::{Damage, StateReader, StateWriter};

/// Largest distance of an answer from the true quantile, relative to it.
pub(super) const RELATIVE_ERROR: f64 = 0.01;
/// Most buckets for each sign: with 1 % they span 17 decades. Beyond that the values nearest to zero lose accuracy.
const MAX_BUCKETS: u32 = 2048;
/// Values nearer to zero than this count as zero.
const SMALLEST_VALUE: f64 = 1e-9;
/// Keys of buckets lie well within these: the logarithms of the greatest `f64` and of `SMALLEST_VALUE`, to the base of 1.02.
const KEYS: std::ops::RangeInclusive<i32> = -4_096..=65_536;

/// A sketch of the samples of one group.
#[derive(Default)]
pub(super) struct Sketch(Option<Box<DDSketch>>);

fn config() -> Config {
    Config::new(RELATIVE_ERROR, MAX_BUCKETS, SMALLEST_VALUE)
}

impl Sketch {
    /// The value at `q` (0 to 1), within the relative error; `None` without samples.
    pub(super) fn quantile(&self, q: f64) -> Option<f64> {
        let sketch = self.0.as_deref()?;
        let quantile = sketch.quantile(q).ok().flatten()?;
        // The middle of a bucket may lie beyond all samples.
        Some(quantile.max(sketch.min()?).min(sketch.max()?))
    }
}

impl GroupState for Sketch {
    const TAG: u8 = 10;

    fn add(&mut self, _timestamps: &[i64], values: &[f64]) {
        if !values.is_empty() {
            let sketch = self.0.get_or_insert_with(|| Box::new(DDSketch::new(config())));
            values.iter().filter(|value| value.is_finite()).for_each(|value| sketch.add(*value));
        }
    }

    fn absorb(&mut self, other: Self) -> Result<(), Damage> {
        match (&mut self.0, other.0) {
            (_, None) => Ok(()),
            (Some(ours), Some(theirs)) => {
                ours.merge(&theirs).map_err(|_| "it is a sketch of another accuracy")
            }
            (ours, theirs) => {
                *ours = theirs;
                Ok(())
            }
        }
    }

    fn heap_bytes(&self) -> usize {
        let buckets = |sketch: &DDSketch| sketch.length().saturating_mul(size_of::<u64>());
        self.0.as_deref().map_or(0, |sketch| size_of::<DDSketch>().saturating_add(buckets(sketch)))
    }

    /// The median; see [`Sketch::quantile`] for others.
    fn value(&mut self) -> Option<f64> {
        self.quantile(0.5)
    }

    fn write(&self, out: &mut StateWriter) {
        // What memory holds can be serialised; were it otherwise, the empty bytes would be refused by `read`.
        let bytes = self.0.as_deref().map(|sketch| postcard::to_allocvec(sketch).unwrap_or_default());
        out.flag(bytes.is_some());
        if let Some(bytes) = bytes {
            out.sized(&bytes);
        }
    }

    fn read(from: &mut StateReader<'_>) -> Result<Self, Damage> {
        if !from.flag()? {
            return Ok(Self(None));
        }
        let bytes = from.sized()?;
        let (fields, rest) =
            postcard::take_from_bytes::<Fields>(bytes).map_err(|_| "its sketch cannot be read")?;
        if !rest.is_empty() {
            return Err("it is longer than its sketch");
        }
        fields.check()?;
        let sketch = postcard::from_bytes(bytes).map_err(|_| "its sketch cannot be read")?;
        Ok(Self(Some(Box::new(sketch))))
    }
}

/// The library's fields, in its order.
#[derive(Deserialize)]
struct Fields {
    config: Config,
    positive: Buckets,
    negative: Buckets,
    min: f64,
    max: f64,
    _sum: f64,
    zeros: u64,
}

#[derive(Deserialize)]
struct Buckets {
    counts: Vec<u64>,
    count: u64,
    min_key: i32,
    max_key: i32,
    offset: i32,
    limit: usize,
    _collapsed: bool,
}

impl Fields {
    fn check(&self) -> Result<(), Damage> {
        if self.config != config() {
            return Err("it is a sketch of another accuracy");
        }
        self.positive.check()?;
        self.negative.check()?;
        let count = self.positive.count.checked_add(self.negative.count);
        let count = count.and_then(|count| count.checked_add(self.zeros)).ok_or("it counts too much")?;
        let ordered = self.min.is_finite() && self.max.is_finite() && self.min <= self.max;
        // The sum may leave the range of f64, and even be no number; nothing is made of it.
        if count > 0 && !ordered {
            return Err("its extremes are impossible");
        }
        Ok(())
    }
}

impl Buckets {
    /// The library finds the count of a key at `key - offset`, for all keys from the least to the greatest.
    fn check(&self) -> Result<(), Damage> {
        if self.limit != MAX_BUCKETS as usize || self.counts.len() > self.limit {
            return Err("its sketch has another size");
        }
        let counted = self.counts.iter().try_fold(0_u64, |sum, count| sum.checked_add(*count));
        if counted != Some(self.count) {
            return Err("its sketch does not add up");
        }
        if self.count == 0 {
            let untouched = self.counts.is_empty() && self.min_key == i32::MAX && self.max_key == i32::MIN;
            return if untouched && self.offset == 0 { Ok(()) } else { Err("its empty sketch has keys") };
        }
        let keys_fit = [self.min_key, self.max_key, self.offset].iter().all(|key| KEYS.contains(key));
        let length = i32::try_from(self.counts.len()).unwrap_or(i32::MAX);
        let within = |key: i32| (0..length).contains(&key.saturating_sub(self.offset));
        if keys_fit && self.min_key <= self.max_key && within(self.min_key) && within(self.max_key) {
            Ok(())
        } else {
            Err("its sketch has keys without place")
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sketch(values: &[f64]) -> Sketch {
        let mut sketch = Sketch::default();
        sketch.add(&[], values);
        sketch
    }

    fn saved(sketch: &Sketch) -> Vec<u8> {
        let mut out = StateWriter::new(Sketch::TAG, 1);
        sketch.write(&mut out);
        out.finish()
    }

    fn read(bytes: &[u8]) -> Result<Sketch, Damage> {
        let (mut reader, _) = StateReader::open(bytes, Sketch::TAG)?;
        let sketch = Sketch::read(&mut reader)?;
        reader.finish().map(|()| sketch)
    }

    fn value() -> impl Strategy<Value = f64> {
        prop_oneof![
            Just(0.0),
            -1e12..1e12_f64,
            -1.0..1.0_f64,
            Just(f64::MAX),
            Just(f64::MIN),
            Just(f64::MIN_POSITIVE)
        ]
    }

    proptest! {
        #[test]
        fn what_is_saved_comes_back(values in prop::collection::vec(value(), 0..200), q in 0.0..=1.0_f64) {
            let sketch = sketch(&values);
            prop_assert_eq!(read(&saved(&sketch)).unwrap().quantile(q), sketch.quantile(q));
        }

        #[test]
        fn damaged_bytes_are_refused_or_harmless(
            values in prop::collection::vec(value(), 1..50),
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        ) {
            let mut bytes = saved(&sketch(&values));
            for (place, byte) in flips {
                let place = place.index(bytes.len());
                bytes[place] ^= byte;
            }
            if let Ok(damaged) = read(&bytes) {
                let _ = damaged.quantile(0.5);
                let mut other = sketch(&[1.0, -1e9, 1e-9, 3e300]);
                let _ = other.absorb(damaged);
                let _ = other.quantile(0.99);
            }
        }

        #[test]
        fn any_bytes_are_refused_or_harmless(bytes: Vec<u8>) {
            let _ = read(&bytes);
        }
    }
}
