//! What decoders make of a column of integers: the integers, or the doubles that they stand for.

use super::decimals::Divisors;

/// Integers below this are exact doubles, and so are the sums and products that lead to them.
const EXACT: u64 = 1 << f64::MANTISSA_DIGITS;

/// How far a value lies above the least one of its column, in units of the column.
pub(super) trait Distance: Copy + Into<u64> {
    /// The greatest one of the type.
    const GREATEST: u64;

    /// The double next to it.
    fn double(self) -> f64;
}

impl Distance for u16 {
    const GREATEST: u64 = Self::MAX as u64;

    fn double(self) -> f64 {
        self.into()
    }
}

impl Distance for u32 {
    const GREATEST: u64 = Self::MAX as u64;

    fn double(self) -> f64 {
        self.into()
    }
}

impl Distance for u64 {
    const GREATEST: u64 = Self::MAX;

    #[allow(clippy::cast_precision_loss, reason = "only distances that are exact are converted so")]
    fn double(self) -> f64 {
        self as f64
    }
}

/// Where a column's distances count from, and in what unit.
#[derive(Clone, Copy, Debug)]
pub(super) struct Scale {
    pub(super) origin: i64,
    pub(super) unit: u64,
}

impl Scale {
    fn integer(self, distance: impl Distance) -> i64 {
        let distance: u64 = distance.into();
        self.origin.wrapping_add(distance.wrapping_mul(self.unit).cast_signed())
    }

    /// Origin and unit as doubles, if all that is calculated with them and distances of this type is exact.
    #[allow(clippy::cast_precision_loss, reason = "both are exact when they are answered")]
    fn exact<D: Distance>(self) -> Option<(f64, f64)> {
        let furthest = D::GREATEST.checked_mul(self.unit)?.checked_add(self.origin.unsigned_abs())?;
        (furthest <= EXACT).then_some((self.origin as f64, self.unit as f64))
    }
}

/// Makes values of a column's integers.
pub(super) trait Convert: Copy {
    /// What becomes of an integer.
    type Value;

    /// The value of one integer.
    fn value(self, integer: i64) -> Self::Value;

    /// Appends the values of many.
    fn extend<D: Distance>(self, distances: &[D], scale: Scale, out: &mut Vec<Self::Value>) {
        out.extend(distances.iter().map(|distance| self.value(scale.integer(*distance))));
    }
}

/// The integers themselves.
#[derive(Clone, Copy, Debug)]
pub(super) struct Unchanged;

impl Convert for Unchanged {
    type Value = i64;

    fn value(self, integer: i64) -> i64 {
        integer
    }
}

impl Convert for Divisors {
    type Value = f64;

    fn value(self, integer: i64) -> f64 {
        self.quotient(integer)
    }

    /// Processors convert and divide several small numbers at once, but not 64-bit integers: where nothing is rounded on
    /// the way, the integer is calculated as a double.
    fn extend<D: Distance>(self, distances: &[D], scale: Scale, out: &mut Vec<f64>) {
        let Some((origin, unit)) = scale.exact::<D>() else {
            out.extend(distances.iter().map(|distance| self.value(scale.integer(*distance))));
            return;
        };
        let integers = distances.iter().map(|distance| origin + distance.double() * unit);
        let (first, second) = self.powers();
        match (first, second) {
            (None, None) => out.extend(integers),
            (Some(power), None) | (None, Some(power)) => out.extend(integers.map(|integer| integer / power)),
            (Some(first), Some(second)) => out.extend(integers.map(|integer| integer / first / second)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check<D: Distance>(distances: &[D], scale: Scale, divisors: Divisors) {
        let mut values = vec![7.0];
        divisors.extend(distances, scale, &mut values);
        let one_by_one =
            distances.iter().map(|distance| divisors.quotient(scale.integer(*distance)).to_bits());
        assert!(values[1..].iter().map(|value| value.to_bits()).eq(one_by_one));
    }

    proptest! {
        #[test]
        fn many_are_as_one_by_one(
            distances in prop::collection::vec(any::<u32>(), 0..70),
            origin in prop_oneof![-1_000_i64..1_000, any::<i64>(), Just(-1 << 53), Just(1 << 53)],
            unit in prop_oneof![0_u64..2_000, 1_u64 << 20..1 << 22, any::<u64>()],
            exponent in 0_u8..16,
            second in 0_u8..16,
        ) {
            let Some(divisors) = Divisors::new(exponent, second) else { return Ok(()) };
            let scale = Scale { origin, unit };
            check(&distances, scale, divisors);
            let short: Vec<u16> = distances.iter().map(|distance| (distance >> 16) as u16).collect();
            check(&short, scale, divisors);
            let long: Vec<u64> = distances.iter().map(|distance| u64::from(*distance) << 13).collect();
            check(&long, scale, divisors);
        }
    }
}
