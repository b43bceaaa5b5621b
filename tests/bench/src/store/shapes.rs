//! Values as systems have them, from a seeded generator: every run measures the same ones.

/// A small fast generator (splitmix64).
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn seeded(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    /// Evenly within 0 and 1.
    pub(crate) fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Of the standard normal distribution.
    pub(crate) fn normal(&mut self) -> f64 {
        let (one, two) = (self.unit().max(f64::MIN_POSITIVE), self.unit());
        (-2.0 * one.ln()).sqrt() * (std::f64::consts::TAU * two).cos()
    }
}

/// What kind of values a metric has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Whole percents that wander by a step or two, as TSBS makes them.
    Integers,
    /// A level with noise, to two decimals.
    Decimals,
    /// A counter that grows by about four hundred a step.
    Counter,
    /// Milliseconds of log-normal distribution, to the microsecond.
    Latency,
    /// Two decimals, measured up to 5 ms off the rhythm.
    Jittered,
}

/// A value, whole or not.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Value {
    Whole(i64),
    Decimal(f64),
}

/// One series' values, one after the other.
pub(crate) struct Source {
    shape: Shape,
    random: Random,
    state: f64,
}

impl Source {
    pub(crate) fn new(shape: Shape, seed: u64) -> Self {
        let mut random = Random::seeded(seed);
        let state = if shape == Shape::Counter { 0.0 } else { random.unit() * 100.0 };
        Self { shape, random, state }
    }

    /// The next value, and by how many nanoseconds it is off the rhythm.
    #[allow(clippy::cast_possible_truncation, reason = "small by construction")]
    pub(crate) fn next(&mut self) -> (Value, i64) {
        match self.shape {
            Shape::Integers => {
                self.state = (self.state + self.random.normal()).clamp(0.0, 100.0);
                (Value::Whole(self.state as i64), 0)
            }
            Shape::Decimals => (self.noisy_level(), 0),
            Shape::Counter => {
                self.state += (400.0 + 20.0 * self.random.normal()).round().max(0.0);
                (Value::Whole(self.state as i64), 0)
            }
            Shape::Latency => {
                let milliseconds = (3.0 + 0.5 * self.random.normal()).exp();
                (Value::Decimal((milliseconds * 1e3).round() / 1e3), 0)
            }
            Shape::Jittered => {
                let off = (self.random.unit() * 1e7) as i64 - 5_000_000;
                (self.noisy_level(), off)
            }
        }
    }

    fn noisy_level(&mut self) -> Value {
        let value = self.state + 2.0 * self.random.normal();
        Value::Decimal((value * 100.0).round() / 100.0)
    }
}
