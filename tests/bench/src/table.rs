//! The printed table.

use comfy_table::{Table, presets};

use crate::measure::Runs;

/// Rows of what was measured.
pub(crate) struct Report {
    table: Table,
}

impl Report {
    pub(crate) fn new() -> Self {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header([
            "measured",
            "median",
            "range",
            "aim",
            "alternative in the same run",
            "its median",
            "ratio",
        ]);
        Self { table }
    }

    /// A rate, with an alternative's rate.
    pub(crate) fn rate(&mut self, what: &str, runs: &Runs, aim: &str, alternative: Option<(&str, &Runs)>) {
        let (fast, slow) = runs.range();
        let (name, median, ratio) = match alternative {
            None => (String::new(), String::new(), String::new()),
            Some((name, other)) => {
                let ratio = runs.rate() / other.rate();
                (name.to_owned(), per_second(other.rate()), format!("{ratio:.2} x"))
            }
        };
        let range = format!("{} … {}", per_second(1.0 / slow), per_second(1.0 / fast));
        self.row([what.to_owned(), per_second(runs.rate()), range, aim.to_owned(), name, median, ratio]);
    }

    /// A time of one operation, with an alternative's.
    pub(crate) fn time(&mut self, what: &str, runs: &Runs, aim: &str, alternative: Option<(&str, &Runs)>) {
        let (fast, slow) = runs.range();
        let (name, median, ratio) = match alternative {
            None => (String::new(), String::new(), String::new()),
            Some((name, other)) => {
                let ratio = runs.median() / other.median();
                (name.to_owned(), seconds(other.median()), format!("{ratio:.3} x"))
            }
        };
        let range = format!("{} … {}", seconds(fast), seconds(slow));
        self.row([what.to_owned(), seconds(runs.median()), range, aim.to_owned(), name, median, ratio]);
    }

    /// Any figure.
    pub(crate) fn figure(&mut self, what: &str, value: String, aim: &str) {
        let none = String::new;
        self.row([what.to_owned(), value, none(), aim.to_owned(), none(), none(), none()]);
    }

    fn row(&mut self, cells: [String; 7]) {
        self.table.add_row(cells);
    }

    pub(crate) fn print(&self) {
        println!("{}", self.table);
    }
}

fn per_second(rate: f64) -> String {
    if rate >= 1e6 { format!("{:.2} M/s", rate / 1e6) } else { format!("{:.0} k/s", rate / 1e3) }
}

/// A time in the unit that suits it.
pub(crate) fn seconds(seconds: f64) -> String {
    match seconds {
        s if s >= 1.0 => format!("{s:.2} s"),
        s if s >= 1e-3 => format!("{:.2} ms", s * 1e3),
        s if s >= 1e-6 => format!("{:.2} µs", s * 1e6),
        s => format!("{:.0} ns", s * 1e9),
    }
}
