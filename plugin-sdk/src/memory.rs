//! Comparing memory by words. What components have otherwise, Rust's or the C library's, goes byte by byte, and each byte also costs
//! the check of the call's deadline; names of fields and types of events are compared for every record.
//!
//! Nothing here may compare slices, which is done by calling [`memcmp`].

/// C's function, which the compiler calls by its name.
///
/// # Safety
/// Both pointers are valid for reads of `length` bytes.
#[cfg(target_arch = "wasm32")]
#[allow(unsafe_code, reason = "a function of the C library")]
#[unsafe(no_mangle)]
unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, length: usize) -> i32 {
    // SAFETY: the caller vouches for it.
    unsafe { order(left, right, length) }
}

/// Compares one number of each side, at the same place; the first byte is the highest, so that the first that differs decides.
macro_rules! differ {
    ($number:ty, $left:expr, $right:expr, $at:expr) => {{
        let one = <$number>::from_be($left.add($at).cast::<$number>().read_unaligned());
        let other = <$number>::from_be($right.add($at).cast::<$number>().read_unaligned());
        if one != other {
            return if one < other { -1 } else { 1 };
        }
    }};
}

/// Below, at or above zero as the first byte that differs is smaller, not there, or larger on the left. The last numbers overlap those
/// before, which are equal: few texts then need a loop.
///
/// # Safety
/// Both pointers are valid for reads of `length` bytes.
#[allow(unsafe_code, reason = "pointers as C has them: slices bring checks at each step")]
#[inline(always)]
unsafe fn order(left: *const u8, right: *const u8, length: usize) -> i32 {
    let mut at = 0;
    // SAFETY: all reads end at `length` at most, and unaligned ones are asked for.
    unsafe {
        if length >= 8 {
            while at < length - 8 {
                differ!(u64, left, right, at);
                at += 8;
            }
            differ!(u64, left, right, length - 8);
        } else if length >= 4 {
            differ!(u32, left, right, 0);
            differ!(u32, left, right, length - 4);
        } else {
            while at < length {
                differ!(u8, left, right, at);
                at += 1;
            }
        }
    }
    0
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::order;

    proptest! {
        #[test]
        fn the_first_byte_that_differs_decides(
            same in prop::collection::vec(any::<u8>(), 0..24),
            pairs in prop::collection::vec(any::<(u8, u8)>(), 0..24),
        ) {
            let side = |of: fn(&(u8, u8)) -> u8| -> Vec<u8> {
                same.iter().copied().chain(pairs.iter().map(of)).collect()
            };
            let (left, right) = (side(|pair| pair.0), side(|pair| pair.1));
            #[allow(unsafe_code, reason = "what is tested takes pointers")]
            // SAFETY: both have the same length.
            let order = |one: &[u8], other: &[u8]| unsafe { order(one.as_ptr(), other.as_ptr(), one.len()) };
            prop_assert_eq!(order(&left, &right), left.cmp(&right) as i32);
            prop_assert_eq!(order(&left, &left.clone()), 0);
        }
    }
}
