//! A plugin's output becomes lines of the host's log, bounded and safe.

use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

use telemetry_core::limits;
use telemetry_sandbox::PluginStatus;
use tracing::field::{Field, Visit};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::{Context, SubscriberExt};

use crate::fixture::{Fixture, events};

/// Keeps the lines of the target `plugin`.
#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<String>>>);

impl<S: tracing::Subscriber> Layer<S> for Lines {
    fn on_event(&self, event: &tracing::Event<'_>, _: Context<'_, S>) {
        if event.metadata().target() == "plugin" {
            let mut line = Line(event.metadata().level().to_string());
            event.record(&mut line);
            self.0.lock().unwrap().push(line.0);
        }
    }
}

struct Line(String);

impl Visit for Line {
    fn record_str(&mut self, field: &Field, value: &str) {
        write!(self.0, " {}={value}", field.name()).unwrap();
    }

    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        write!(self.0, " {}={value:?}", field.name()).unwrap();
    }
}

fn logged(attack: &str) -> (Vec<String>, PluginStatus) {
    let plugin = Fixture::new().guest("evil");
    let lines = Lines::default();
    let subscriber = tracing_subscriber::registry().with(lines.clone());
    tracing::subscriber::with_default(subscriber, || {
        // What becomes of it stands in the status.
        drop(plugin.validator().unwrap().validate_events(&events(&[attack])));
    });
    let lines = lines.0.lock().unwrap().clone();
    (lines, plugin.status())
}

#[test]
fn every_way_to_speak() {
    let (lines, status) = logged("print");
    assert_eq!((status.failures, status.log_dropped), (0, 0));
    assert_eq!(
        lines,
        [
            "INFO message=to standard output plugin=evil",
            "WARN message=to standard error plugin=evil",
            "INFO message=to the log plugin=evil fields={\"a\":1}",
        ]
    );
}

#[test]
fn a_flood_is_cut_and_control_characters_are_escaped() {
    let (lines, status) = logged("log_flood");
    let at_once = limits::PLUGIN_LOG_LINES_PER_SECOND * limits::PLUGIN_LOG_BURST_SECONDS;
    let taken = limits::MAX_LOG_LINES_PER_CALL + at_once + limits::MAX_LOG_LINES_PER_ROW;
    assert_eq!(status.failures_by_kind, [("limit", 1)].into());
    assert_eq!(lines.len() as u64 + status.log_dropped, u64::from(taken));
    assert_eq!(lines.len(), at_once as usize);
    assert_eq!(lines[0], "ERROR message=line 0\\n\\u{1b}[31mred plugin=evil");
}
