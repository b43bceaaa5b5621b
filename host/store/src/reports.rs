//! What the store noticed and an operator should know: damaged rows set aside, shortfalls, jumps of the clock.
//!
//! Invariant: bounded and without repeats, however often the same damage is met.

use parking_lot::Mutex;

/// Most reports kept; later ones are counted only: those that repeat cannot be told from new ones any more.
const MAX_REPORTS: usize = 100;

/// Notices since the store was opened.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    notices: Mutex<Notices>,
}

#[derive(Debug, Default)]
struct Notices {
    texts: Vec<String>,
    left_out: u64,
}

/// What is to be logged of a notice.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Telling {
    /// The notice.
    Whole,
    /// The notice, and that further ones are only counted.
    Last,
    Nothing,
}

impl Notices {
    fn add(&mut self, text: &str) -> Telling {
        if self.texts.iter().any(|known| known == text) {
            return Telling::Nothing;
        }
        if self.texts.len() < MAX_REPORTS {
            self.texts.push(text.to_owned());
            return Telling::Whole;
        }
        let is_first = self.left_out == 0;
        self.left_out = self.left_out.saturating_add(1);
        if is_first { Telling::Last } else { Telling::Nothing }
    }
}

impl Reports {
    /// Adds a notice unless it is known already.
    pub(crate) fn add(&self, text: String) {
        let telling = self.notices.lock().add(&text);
        if telling != Telling::Nothing {
            tracing::warn!(report = %text, "the store noticed damage");
        }
        if telling == Telling::Last {
            tracing::warn!(
                "the store noticed more than {MAX_REPORTS} kinds of damage; further ones are only counted"
            );
        }
    }

    /// All notices, oldest first.
    pub(crate) fn list(&self) -> Vec<String> {
        let notices = self.notices.lock();
        let mut texts = notices.texts.clone();
        if notices.left_out > 0 {
            texts.push(format!("{} more", notices.left_out));
        }
        texts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounded_and_without_repeats() {
        let reports = Reports::default();
        for n in 0..300 {
            reports.add(format!("row {n}"));
            reports.add("the same".to_owned());
        }
        let list = reports.list();
        assert_eq!(list.len(), MAX_REPORTS + 1);
        assert_eq!(list.iter().filter(|text| *text == "the same").count(), 1);
        assert_eq!(list.last().unwrap(), "201 more");
    }

    #[test]
    fn what_is_left_out_is_logged_once() {
        let mut notices = Notices::default();
        let told: Vec<Telling> = (0..300).map(|n| notices.add(&format!("row {}", n % 150))).collect();
        let count = |telling: Telling| told.iter().filter(|told| **told == telling).count();
        assert_eq!((count(Telling::Whole), count(Telling::Last)), (MAX_REPORTS, 1));
        assert_eq!(notices.left_out, 100, "50 twice");
    }
}
