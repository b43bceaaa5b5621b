//! How large the log is, and where to cut it to make it smaller.

use std::collections::VecDeque;

use parking_lot::Mutex;

/// Bytes that are counted together; the log is cut between such segments.
const SEGMENT_BYTES: u64 = 1 << 20;

/// The bytes of the log's rows, by sequence number.
#[derive(Debug, Default)]
pub(crate) struct LogSize {
    segments: Mutex<Segments>,
}

#[derive(Debug, Default)]
struct Segments {
    list: VecDeque<Segment>,
    total: u64,
}

#[derive(Clone, Copy, Debug)]
struct Segment {
    last: u64,
    bytes: u64,
}

impl LogSize {
    /// Counts a row that ends with `last`. Rows may come slightly out of order.
    pub(crate) fn add(&self, last: u64, bytes: u64) {
        let mut segments = self.segments.lock();
        segments.total = segments.total.saturating_add(bytes);
        match segments.list.back_mut() {
            Some(segment) if segment.bytes < SEGMENT_BYTES || last <= segment.last => {
                segment.last = segment.last.max(last);
                segment.bytes = segment.bytes.saturating_add(bytes);
            }
            _ => segments.list.push_back(Segment { last, bytes }),
        }
    }

    /// All rows up to `sequence` are gone.
    pub(crate) fn forget(&self, sequence: u64) {
        let mut segments = self.segments.lock();
        while let Some(segment) = segments.list.front().copied()
            && segment.last <= sequence
        {
            segments.list.pop_front();
            segments.total = segments.total.saturating_sub(segment.bytes);
        }
    }

    /// Bytes of all rows.
    pub(crate) fn bytes(&self) -> u64 {
        self.segments.lock().total
    }

    /// Bytes of the rows above `sequence`, to a segment.
    pub(crate) fn bytes_after(&self, sequence: u64) -> u64 {
        let segments = self.segments.lock();
        let above = segments.list.iter().rev().take_while(|segment| segment.last > sequence);
        above.map(|segment| segment.bytes).fold(0, u64::saturating_add)
    }

    /// The sequence number up to which the log must be cut to have at most `limit` bytes; `None` when it has not more.
    pub(crate) fn cut_for(&self, limit: u64) -> Option<u64> {
        let segments = self.segments.lock();
        let mut excess = segments.total.checked_sub(limit).filter(|excess| *excess > 0)?;
        let mut cut = None;
        for segment in &segments.list {
            if excess == 0 {
                break;
            }
            excess = excess.saturating_sub(segment.bytes);
            cut = Some(segment.last);
        }
        cut
    }

    /// When more than `limit` bytes lie above `sequence`: the number up to which half of them do.
    pub(crate) fn cut_after(&self, sequence: u64, limit: u64) -> Option<u64> {
        let segments = self.segments.lock();
        let above = || segments.list.iter().filter(|segment| segment.last > sequence);
        let bytes = above().map(|segment| segment.bytes).fold(0, u64::saturating_add);
        if bytes <= limit {
            return None;
        }
        let mut passed = 0_u64;
        for segment in above() {
            passed = passed.saturating_add(segment.bytes);
            if passed >= bytes / 2 {
                return Some(segment.last);
            }
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cut_between_segments() {
        let size = LogSize::default();
        for sequence in 1..=10 {
            size.add(sequence, SEGMENT_BYTES);
        }
        assert_eq!(size.bytes(), 10 * SEGMENT_BYTES);
        assert_eq!(size.cut_for(10 * SEGMENT_BYTES), None);
        assert_eq!(size.cut_for(8 * SEGMENT_BYTES), Some(2));
        assert_eq!(size.cut_for(8 * SEGMENT_BYTES - 1), Some(3));
        assert_eq!(size.cut_after(2, 8 * SEGMENT_BYTES), None);
        assert_eq!(size.cut_after(2, 7 * SEGMENT_BYTES), Some(6));
        assert_eq!((size.bytes_after(0), size.bytes_after(7)), (10 * SEGMENT_BYTES, 3 * SEGMENT_BYTES));
        size.forget(3);
        assert_eq!(size.bytes(), 7 * SEGMENT_BYTES);
        size.forget(10);
        assert_eq!(size.bytes(), 0);
    }

    #[test]
    fn small_rows_share_a_segment() {
        let size = LogSize::default();
        for sequence in 1..=1000 {
            size.add(sequence, 10);
        }
        size.forget(500);
        assert_eq!(size.bytes(), 10_000, "only whole segments are forgotten");
        assert_eq!(size.cut_for(0), Some(1000));
    }
}
