//! One violation of one rule, said so that the reader knows where and what to do.

use std::fmt;

/// A violation.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// The file, folder or package, as seen from the root.
    pub place: String,
    /// The line, from 1, where there is one.
    pub line: Option<usize>,
    /// What is wrong and what to do.
    pub message: String,
}

impl Finding {
    /// A finding about a whole file, folder or package.
    pub fn at(place: impl Into<String>, message: impl Into<String>) -> Finding {
        Finding { place: place.into(), line: None, message: message.into() }
    }

    /// A finding about one line, counted from 1.
    pub fn in_line(place: impl Into<String>, line: usize, message: impl Into<String>) -> Finding {
        Finding { place: place.into(), line: Some(line), message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(out, "{}:{line}: {}", self.place, self.message),
            None => write!(out, "{}: {}", self.place, self.message),
        }
    }
}

/// What a rule with two levels found.
#[derive(Debug, Default)]
pub struct Report {
    /// These fail the check.
    pub failures: Vec<Finding>,
    /// These are only listed.
    pub warnings: Vec<Finding>,
}
