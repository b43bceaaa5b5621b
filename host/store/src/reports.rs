//! What the store noticed and an operator should know: damaged rows set aside, shortfalls, jumps of the clock.
//!
//! Invariant: bounded and without repeats, however often the same damage is met.

use parking_lot::Mutex;

/// Most reports kept; later ones are counted only.
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

impl Reports {
    /// Adds a notice unless it is known already.
    pub(crate) fn add(&self, text: String) {
        let mut notices = self.notices.lock();
        if notices.texts.contains(&text) {
            return;
        }
        tracing::warn!(report = %text, "the store noticed damage");
        if notices.texts.len() < MAX_REPORTS {
            notices.texts.push(text);
        } else {
            notices.left_out = notices.left_out.saturating_add(1);
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
}
