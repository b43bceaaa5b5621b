//! The line at the bottom of the terminal: what is being done, later how the host does. The log's copy for people is
//! written above it. Where standard error is no terminal there is no such line.

use std::io::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bridge_telemetry::OpenProgress;
use bridge_telemetry::logging::Console;
use indicatif::{ProgressBar, ProgressStyle};

/// How often the line moves by itself while something takes its time.
const TICK: Duration = Duration::from_millis(100);

/// The line. Cloning shares it.
#[derive(Clone)]
pub(crate) struct LiveLine(Arc<Mutex<ProgressBar>>);

impl LiveLine {
    pub(crate) fn new() -> Self {
        Self(Arc::new(Mutex::new(spinner())))
    }

    /// Whether there is one.
    pub(crate) fn is_visible(&self) -> bool {
        !self.bar().is_hidden()
    }

    /// Shows this text until the next one.
    pub(crate) fn show(&self, text: String) {
        let bar = self.bar();
        bar.set_message(text);
        bar.tick();
    }

    /// Leaves nothing of it on the terminal; it can be shown again.
    pub(crate) fn clear(&self) {
        // A bar that is brought back to life draws itself at once; a fresh one waits for its text.
        let shown = std::mem::replace(&mut *self.bar(), spinner());
        shown.finish_and_clear();
    }

    fn bar(&self) -> MutexGuard<'_, ProgressBar> {
        // The bar is whole whatever a thread that held it did.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what is done while a host is opened; where there is no line, in lines of their own on standard error.
    pub(crate) fn show_opening(&self, step: OpenProgress<'_>) {
        match step {
            OpenProgress::Compiling { name, number, total } => {
                let text = format!("compiling {name} … ({number} of {total})");
                if self.is_visible() {
                    self.bar().enable_steady_tick(TICK);
                    self.show(text);
                } else {
                    eprintln!("{text}");
                }
            }
            _ => self.clear(),
        }
    }

    /// Where the log's copy for people goes.
    pub(crate) fn console(&self) -> Console {
        if !self.is_visible() {
            return Console::Stderr;
        }
        let color = anstream::AutoStream::choice(&std::io::stderr()) != anstream::ColorChoice::Never;
        Console::Writer { writer: Box::new(Above(self.clone())), color }
    }
}

/// Writes to standard error above the line.
struct Above(LiveLine);

impl Write for Above {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.bar().suspend(|| std::io::stderr().lock().write(bytes))
    }

    fn flush(&mut self) -> std::io::Result<()> {
        std::io::stderr().flush()
    }
}

fn spinner() -> ProgressBar {
    let bar = ProgressBar::new_spinner();
    if let Ok(style) = ProgressStyle::with_template("{spinner} {wide_msg}") {
        bar.set_style(style);
    }
    bar
}
