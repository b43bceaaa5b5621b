//! Why work on a metric, or on a part of it, ended before it was done.

use crate::query::QueryError;

/// Why work ended before it was done.
#[derive(Debug)]
pub(super) enum Stop {
    /// The query cannot be answered.
    Failed(QueryError),
    /// Somebody waits for the accumulator of this thread, which only helps: others do its work.
    GaveWay,
    /// States did not go from one accumulator to another: the metric is to be read into a single one.
    Unsplit,
}

impl Stop {
    /// What the query answers. A thread that asks neither gives way nor leaves a metric unread; were it to, it would have given
    /// up.
    pub(super) fn into_error(self) -> QueryError {
        match self {
            Self::Failed(error) => error,
            Self::GaveWay | Self::Unsplit => QueryError::Cancelled,
        }
    }

    /// Whether this says more than another of why work that several threads share has ended: those that another's failure stopped
    /// say only that.
    pub(super) fn says_more_than(&self, other: &Self) -> bool {
        self.weight() > other.weight()
    }

    fn weight(&self) -> u8 {
        match self {
            Self::Failed(QueryError::Cancelled) => 0,
            Self::GaveWay => 1,
            Self::Unsplit => 2,
            Self::Failed(_) => 3,
        }
    }
}

impl From<QueryError> for Stop {
    fn from(error: QueryError) -> Self {
        Self::Failed(error)
    }
}
