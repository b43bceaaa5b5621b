//! Buckets of samples: making and merging them, and whether they pay.

use telemetry_core::aggregation::SeriesDigest;

use super::row::Resolution;
use crate::codec::digest_of;

/// Samples of a bucket on average from which a rollup pays: with fewer, chunks are about as quick to read.
const PAYING_SAMPLES: u64 = 20;

/// The digests of numeric samples, which come by time and then by arrival, in the buckets of `resolution`.
pub(super) fn digests(samples: &[(i64, f64)], resolution: Resolution) -> Vec<SeriesDigest> {
    let mut digests = Vec::new();
    let mut rest = samples;
    while let Some((first, _)) = rest.first() {
        // Worked out once a bucket: dividing costs more than all else that is done with a sample.
        let after =
            first.saturating_sub(first.rem_euclid(resolution.width())).saturating_add(resolution.width());
        let (bucket, behind) = split_at_time(rest, after);
        digests.extend(digest_of(bucket.iter().copied()));
        rest = behind;
    }
    digests
}

/// Times and values.
type Samples<'a> = &'a [(i64, f64)];

/// The samples before an instant, and the others. The first one always belongs to those before it.
pub(super) fn split_at_time(samples: Samples<'_>, after: i64) -> (Samples<'_>, Samples<'_>) {
    let before = samples.partition_point(|(time, _)| *time < after).max(1);
    samples.split_at_checked(before).unwrap_or((samples, &[]))
}

/// Whether samples that come as often as these fill buckets of `resolution` well enough.
pub(super) fn pays(samples: &[(i64, f64)], resolution: Resolution) -> bool {
    let (Some((first, _)), Some((last, _))) = (samples.first(), samples.last()) else { return false };
    fills(samples.len() as u64, i128::from(*last) - i128::from(*first), resolution)
}

/// Whether `count` samples over `span` nanoseconds do.
pub(super) fn fills(count: u64, span: i128, resolution: Resolution) -> bool {
    let steps = i128::from(count.saturating_sub(1));
    count >= PAYING_SAMPLES.div_ceil(2)
        && steps * i128::from(resolution.width()) >= span * i128::from(PAYING_SAMPLES)
}

/// Adds digests of samples that arrived later than those of `buckets`; both ascend.
pub(super) fn merge(
    buckets: Vec<SeriesDigest>,
    later: Vec<SeriesDigest>,
    resolution: Resolution,
) -> Vec<SeriesDigest> {
    let bucket = |digest: &SeriesDigest| digest.first_time.nanos().div_euclid(resolution.width());
    // The usual case: the later ones follow.
    let mut merged = buckets;
    let mut rest = Vec::new();
    for digest in later {
        match merged.last_mut() {
            Some(last) if bucket(last) > bucket(&digest) => rest.push(digest),
            Some(last) if bucket(last) == bucket(&digest) => add(last, &digest),
            _ => merged.push(digest),
        }
    }
    for digest in rest {
        match merged.binary_search_by_key(&bucket(&digest), bucket) {
            Ok(place) => {
                if let Some(held) = merged.get_mut(place) {
                    add(held, &digest);
                }
            }
            Err(place) => merged.insert(place, digest),
        }
    }
    merged
}

/// Adds the digest of samples of the same bucket that arrived later.
pub(super) fn add(held: &mut SeriesDigest, later: &SeriesDigest) {
    held.count = held.count.saturating_add(later.count);
    held.sum += later.sum;
    held.min = if later.min < held.min { later.min } else { held.min };
    held.max = if later.max > held.max { later.max } else { held.max };
    if later.first_time < held.first_time {
        (held.first_time, held.first) = (later.first_time, later.first);
    }
    if later.last_time >= held.last_time {
        (held.last_time, held.last) = (later.last_time, later.last);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const SECOND: i64 = 1_000_000_000;

    proptest! {
        #[test]
        fn merging_is_like_having_all_at_once(
            parts in prop::collection::vec(prop::collection::vec((-500..500_i64, -9..9_i32), 0..30), 1..6),
        ) {
            let sorted = |samples: &[(i64, i32)]| {
                let mut samples: Vec<(i64, f64)> =
                    samples.iter().map(|(time, value)| (time * SECOND, f64::from(*value))).collect();
                samples.sort_by_key(|(time, _)| *time);
                samples
            };
            let merged = parts.iter().fold(Vec::new(), |merged, part| {
                merge(merged, digests(&sorted(part), Resolution::Minute), Resolution::Minute)
            });
            let all: Vec<(i64, i32)> = parts.concat();
            prop_assert_eq!(merged, digests(&sorted(&all), Resolution::Minute));
        }
    }

    #[test]
    fn what_comes_seldom_does_not_pay() {
        let every =
            |seconds: i64| -> Vec<(i64, f64)> { (0..60).map(|n| (n * seconds * SECOND, 0.0)).collect() };
        assert!(pays(&every(3), Resolution::Minute) && pays(&every(180), Resolution::Hour));
        assert!(!pays(&every(4), Resolution::Minute) && !pays(&every(200), Resolution::Hour));
        assert!(!pays(&[], Resolution::Hour) && !pays(&every(0)[..5], Resolution::Hour));
    }
}
