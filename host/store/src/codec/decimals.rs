//! Doubles as decimals: an integer over a power of ten, exactly or a few steps beside it.
//!
//! Most measured doubles are decimals. Those that a program calculated lie a few units in the last place beside one:
//! 44.833999999999996 is a step below 44834 / 1000. Often the calculation is that of a percentage, and it is known by its
//! rounding: that number is 44834 / 10 / 100.

/// The powers of ten that are tried; each is an exact double.
pub(super) const POWERS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];
/// Integers up to here are exact doubles.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
/// Steps that a double may lie beside its decimal: more than a few additions of decimals make.
pub(super) const MAX_STEPS: u64 = 64;
/// Values that are looked at to choose the exponent.
const PROBES: usize = 32;
/// The largest exponent that is tried where doubles may lie beside their decimal: to fifteen digits every double of everyday size
/// lies beside one, and nothing is won.
const MAX_NEAR_EXPONENT: usize = 10;
/// The exponent of the second division that percentages have.
const PERCENT: u8 = 2;
/// One value in this many may not fit the exponent.
pub(super) const EXCEPTION_SHARE: usize = 8;

/// What an integer is divided by: 10^exponent, in two steps.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Divisors {
    /// The exponent of both together.
    pub(super) exponent: u8,
    /// Of it, that of the second division.
    pub(super) second: u8,
    power: f64,
    divisors: [f64; 2],
}

impl Divisors {
    /// 10^exponent, of which 10^second apart.
    pub(super) fn new(exponent: u8, second: u8) -> Option<Self> {
        let power = |exponent: u8| POWERS.get(usize::from(exponent)).copied();
        let divisors = [power(exponent.checked_sub(second)?)?, power(second)?];
        Some(Self { exponent, second, power: power(exponent)?, divisors })
    }

    /// No division: the integers themselves.
    pub(super) const NONE: Self = Self { exponent: 0, second: 0, power: 1.0, divisors: [1.0; 2] };

    /// What is divided by first and then, where that is not 1.
    pub(super) fn powers(self) -> (Option<f64>, Option<f64>) {
        let [first, second] = self.divisors;
        ((self.exponent > self.second).then_some(first), (self.second > 0).then_some(second))
    }

    /// The double that the divisions make of `integer`.
    pub(super) fn quotient(self, integer: i64) -> f64 {
        let [first, second] = self.divisors;
        quotient(integer, first) / second
    }

    /// The integer whose quotient is `value`, or lies at most `most` steps beside it, and the steps from there to `value`.
    pub(super) fn split(self, value: f64, most: u64) -> Option<(i64, i64)> {
        let scaled = (value * self.power).round_ties_even();
        // NaN fails the comparison.
        if scaled.is_nan() || scaled.abs() > MAX_EXACT {
            return None;
        }
        #[allow(clippy::cast_possible_truncation, reason = "a whole number within the exact range")]
        let integer = scaled as i64;
        // −0.0 is as far from 0 as can be.
        let steps = value.to_bits().wrapping_sub(self.quotient(integer).to_bits()).cast_signed();
        (steps.unsigned_abs() <= most).then_some((integer, steps))
    }

    /// Those with the least exponent that fits nearly all of a few probes. In two steps only where that makes more probes
    /// exact.
    pub(super) fn choose(values: &[f64], most: u64) -> Option<Self> {
        let probes = || values.iter().step_by(values.len().div_ceil(PROBES).max(1));
        let mut fits = [0_usize; POWERS.len()];
        let tried = if most > 0 { MAX_NEAR_EXPONENT + 1 } else { POWERS.len() };
        for value in probes() {
            let least = (0_u8..).take(tried).find(|exponent| {
                Self::new(*exponent, 0).is_some_and(|divisors| divisors.split(*value, most).is_some())
            });
            if let Some(exponent) = least {
                fits.iter_mut().skip(usize::from(exponent)).for_each(|count| *count += 1);
            }
        }
        let count = probes().count();
        let enough = (count - count / EXCEPTION_SHARE).max(1);
        let exponent = u8::try_from(fits.iter().position(|count| *count >= enough)?).ok()?;
        let plain = Self::new(exponent, 0)?;
        let Some(percentage) = Self::new(exponent, PERCENT).filter(|_| most > 0) else { return Some(plain) };
        let exact = |divisors: Self| probes().filter(|value| divisors.split(**value, 0).is_some()).count();
        Some(if exact(percentage) > exact(plain) { percentage } else { plain })
    }
}

/// The double `steps` beside `value`.
pub(super) fn beside(value: f64, steps: i64) -> f64 {
    f64::from_bits(value.to_bits().wrapping_add(steps.cast_unsigned()))
}

/// The double next to `integer / power`.
#[allow(clippy::cast_precision_loss, reason = "encoders take only integers that are exact doubles")]
pub(super) fn quotient(integer: i64, power: f64) -> f64 {
    integer as f64 / power
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn any_double_comes_back(value: f64, exponent in 0_u8..16, second in 0_u8..16, near: bool) {
            let Some(divisors) = Divisors::new(exponent, second) else {
                prop_assert!(second > exponent);
                return Ok(());
            };
            if let Some((integer, steps)) = divisors.split(value, if near { MAX_STEPS } else { 0 }) {
                prop_assert_eq!(beside(divisors.quotient(integer), steps).to_bits(), value.to_bits());
            }
        }

        #[test]
        fn sums_of_decimals_are_near_one(parts in prop::collection::vec(-9_999_i64..9_999, 1..9)) {
            let sum: f64 = parts.iter().map(|part| quotient(*part, 1e3)).sum();
            // Where nearly all is cancelled, the rest is far from its decimal.
            if sum.abs() > 9.0 {
                let (integer, _) = Divisors::new(3, 0).unwrap().split(sum, MAX_STEPS).unwrap();
                prop_assert_eq!(integer, parts.iter().sum::<i64>());
            }
        }
    }

    #[test]
    fn zeros_keep_their_sign() {
        let tenths = Divisors::new(1, 0).unwrap();
        assert_eq!(tenths.split(0.0, 0), Some((0, 0)));
        assert_eq!(tenths.split(-0.0, MAX_STEPS), None);
    }

    #[test]
    fn percentages_are_known_by_their_rounding() {
        let value = 44.833_999_999_999_996;
        assert_eq!(Divisors::new(3, 0).unwrap().split(value, 0), None);
        assert_eq!(Divisors::new(3, 0).unwrap().split(value, MAX_STEPS), Some((44_834, -1)));
        assert_eq!(Divisors::new(3, 2).unwrap().split(value, 0), Some((44_834, 0)));
        let values: Vec<f64> = (40_000..40_400).map(|value| quotient(value, 10.0) / 100.0).collect();
        assert_eq!(Divisors::choose(&values, MAX_STEPS), Divisors::new(3, 2));
        assert_eq!(Divisors::choose(&[0.5, 0.25, 12.75], MAX_STEPS), Divisors::new(2, 0));
    }
}
