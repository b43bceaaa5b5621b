//! Where in time a series is known to have nothing sealed: a sample there needs no look into chunks to get its ordinal.

/// An open interval of time in which the series is known to have no sample in any chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Vacancy {
    /// Begins after this instant.
    pub(crate) after: i64,
    /// Ends before this instant.
    pub(crate) before: i64,
}

impl Vacancy {
    /// Nothing is known.
    pub(crate) const UNKNOWN: Vacancy = Vacancy { after: 0, before: 0 };
    /// The series has no chunk at all.
    pub(crate) const ALL: Vacancy = Vacancy { after: i64::MIN, before: i64::MAX };

    /// Whether no chunk has a sample at this time.
    pub(crate) fn holds(self, nanos: i64) -> bool {
        self.after < nanos && nanos < self.before
    }

    /// Whether no chunk has a sample from `start` until just before `end`.
    pub(crate) fn spans(self, start: i64, end: i64) -> bool {
        self.after < start && end <= self.before
    }

    /// What is left when a chunk over `first..=last` is added: the later part, where the next samples are expected.
    pub(crate) fn without(self, first: i64, last: i64) -> Vacancy {
        if last <= self.after || first >= self.before {
            self
        } else if last < self.before {
            Vacancy { after: last, before: self.before }
        } else {
            Vacancy { after: self.after, before: first.max(self.after) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_vacancy_shrinks_where_a_chunk_is_added() {
        let vacancy = Vacancy { after: 10, before: 50 };
        assert_eq!(vacancy.without(20, 30), Vacancy { after: 30, before: 50 });
        assert_eq!(vacancy.without(0, 10), vacancy);
        assert_eq!(vacancy.without(40, 60), Vacancy { after: 10, before: 40 });
        assert!(!vacancy.without(0, 60).holds(30));
        assert!(vacancy.spans(11, 50) && !vacancy.spans(10, 20) && !vacancy.spans(20, 51));
        assert!(Vacancy::ALL.spans(-5, 5) && !Vacancy::UNKNOWN.spans(0, 1));
    }
}
