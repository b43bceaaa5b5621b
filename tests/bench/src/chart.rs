//! The printed table: each figure with its goal.

use comfy_table::{Table, presets};

/// What a figure counts.
#[derive(Clone, Copy)]
pub(crate) enum Unit {
    /// Seconds of something.
    Seconds,
    /// CPU-seconds for a million samples.
    PerMillion,
    /// So many in a second.
    PerSecond,
    /// Bytes of one sample or series.
    Bytes,
    /// Bytes of a whole process.
    Memory,
    /// Seconds of something that takes a few nanoseconds.
    Nanoseconds,
    /// Bytes of a file.
    Kilobytes,
    /// A ratio.
    Ratio,
}

/// What a figure should be.
#[derive(Clone, Copy)]
pub(crate) enum Goal {
    /// Nothing was agreed on.
    None,
    /// No more than this.
    AtMost(f64),
    /// No less than this.
    AtLeast(f64),
}

/// Rows in the order in which they were measured.
pub(crate) struct Chart(Table);

impl Chart {
    pub(crate) fn new() -> Self {
        let mut table = Table::new();
        table.load_style(presets::ASCII_MARKDOWN);
        table.set_header(["measured", "figure", "beside it", "goal", "reached"]);
        Self(table)
    }

    /// Adds a figure; `beside` is what else belongs to it.
    pub(crate) fn row(&mut self, what: &str, figure: f64, unit: Unit, beside: String, goal: Goal) {
        let (aim, reached) = match goal {
            Goal::None => (String::new(), ""),
            Goal::AtMost(most) => (format!("≤ {}", unit.show(most)), verdict(figure <= most)),
            Goal::AtLeast(least) => (format!("≥ {}", unit.show(least)), verdict(figure >= least)),
        };
        let shown = unit.show(figure);
        eprintln!("  {what}: {shown} {beside} (goal {aim}) {reached}");
        self.0.add_row([what.to_owned(), shown, beside, aim, reached.to_owned()]);
    }

    /// Says of a figure why there is none.
    pub(crate) fn missing(&mut self, what: &str, reason: &str) {
        eprintln!("  {what}: not measured: {reason}");
        self.0.add_row([what, "", &format!("not measured: {reason}"), "", "no"]);
    }

    pub(crate) fn print(&self) {
        println!("{}", self.0);
    }
}

const fn verdict(reached: bool) -> &'static str {
    if reached { "yes" } else { "no" }
}

impl Unit {
    fn show(self, figure: f64) -> String {
        match self {
            Self::Seconds => crate::table::seconds(figure),
            Self::PerMillion => format!("{figure:.3} s/M"),
            Self::PerSecond => format!("{:.0} k/s", figure / 1e3),
            Self::Bytes if figure < 20.0 => format!("{figure:.3} B"),
            Self::Bytes => format!("{figure:.0} B"),
            Self::Memory => format!("{:.0} MB", figure / 1e6),
            Self::Nanoseconds => format!("{:.2} ns", figure * 1e9),
            Self::Kilobytes => format!("{:.1} kB", figure / 1e3),
            Self::Ratio => format!("{figure:.2} x"),
        }
    }
}
