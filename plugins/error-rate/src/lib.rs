//! Shipped monitor `error-rate`: fires while too many of the events in a sliding window are errors.
//!
//! An event is an error when its type matches `error_types`: by default `ERROR` and whatever ends in `_ERROR`. It fires when at
//! least `minimum` events are in the window and the share of errors among them is above `threshold`, and resolves when the share
//! is at `clear` or below, or when fewer events than that are left. Errors are judged as they come, and all on each tick, so that
//! it resolves when all goes quiet.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests"))]

mod window;

use std::collections::BTreeMap;
use std::time::Duration;

use bridge_telemetry_plugin::{
    EventBatch, Monitor, Period, Plugin, PluginError, Result, SavedState, Severity, Signal, Subscription,
    Timestamp, counters, export_monitor, include_schema,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use window::Window;

/// Most sources that are watched apart; further ones are counted as `sources_ignored`.
const MAX_SOURCES: usize = 1_000;
/// The number of the format of the saved state.
const STATE_VERSION: u32 = 1;

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Event types that are errors; a `*` at the start or end matches anything there.
    error_types: Vec<String>,
    /// Event types that are counted at all, as in a subscription: a trailing `*` matches a prefix; none: all.
    event_types: Vec<String>,
    /// How far back it looks.
    window: Period,
    /// The share of errors above which it fires, between 0 and 1.
    #[schemars(range(min = 0.0, max = 1.0))]
    threshold: f64,
    /// The share at which it resolves. Unless given: the threshold.
    #[schemars(range(min = 0.0, max = 1.0))]
    clear: Option<f64>,
    /// With fewer events in the window it does not fire.
    minimum: u64,
    /// Whether each source is watched by itself.
    per_source: bool,
    /// How bad it is.
    severity: Severity,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            error_types: vec!["ERROR".to_owned(), "*_ERROR".to_owned()],
            event_types: Vec::new(),
            window: Period::from_seconds(300),
            threshold: 0.05,
            clear: None,
            minimum: 20,
            per_source: false,
            severity: Severity::Error,
        }
    }
}

impl Config {
    /// A sixtieth of the window, within reason.
    fn tick(&self) -> Duration {
        (self.window.as_duration() / 60).clamp(Duration::from_secs(1), Duration::from_secs(30))
    }

    fn is_error(&self, event_type: &str) -> bool {
        self.error_types.iter().any(|pattern| match (pattern.strip_prefix('*'), pattern.strip_suffix('*')) {
            (Some(_), Some(_)) => event_type.contains(pattern.trim_matches('*')),
            (Some(suffix), None) => event_type.ends_with(suffix),
            (None, Some(prefix)) => event_type.starts_with(prefix),
            (None, None) => event_type == pattern,
        })
    }
}

#[derive(Default, Serialize, Deserialize)]
struct State {
    /// The latest tick.
    now: Option<Timestamp>,
    /// By source; a single one without a name unless `per_source`.
    sources: BTreeMap<String, Watched>,
}

#[derive(Default, Serialize, Deserialize)]
struct Watched {
    window: Window,
    firing: bool,
}

struct ErrorRate {
    config: Config,
    state: State,
}

impl Plugin for ErrorRate {
    const NAME: &'static str = "error-rate";
    type Config = Config;
    const CONFIG_SCHEMA: Option<&'static str> = Some(include_schema!("../config.schema.json"));

    fn new(config: Config) -> Result<Self> {
        let share = 0.0..=1.0;
        if !share.contains(&config.threshold) {
            return Err(PluginError::invalid_config("threshold is a share between 0 and 1; 5 % is 0.05"));
        }
        if config.clear.is_some_and(|clear| clear > config.threshold || clear < 0.0) {
            return Err(PluginError::invalid_config("clear must lie between 0 and threshold"));
        }
        if config.window.is_zero() {
            return Err(PluginError::invalid_config("window must be longer than nothing"));
        }
        Ok(Self { config, state: State::default() })
    }

    fn save(&self) -> Result<Option<SavedState>> {
        SavedState::new(STATE_VERSION, &self.state).map(Some)
    }

    fn restore(&mut self, saved: SavedState) -> Result<()> {
        self.state = saved.read_version(STATE_VERSION)?;
        Ok(())
    }
}

impl Monitor for ErrorRate {
    fn subscribe(&self) -> Subscription {
        let subscription = Subscription::none().tick(self.config.tick());
        match &self.config.event_types[..] {
            [] => subscription.all_events(),
            types => subscription.event_types(types),
        }
    }

    fn on_events(&mut self, batch: &EventBatch) -> Result<Vec<Signal>> {
        let State { now, sources } = &mut self.state;
        let length = self.config.window.as_nanos();
        // A time ahead of the next tick counts as that, or one bad clock would outlive the window.
        let tick = Period::from(self.config.tick()).as_nanos();
        let latest = now.map_or(Timestamp::MAX, |now| now.saturating_add(tick));
        let mut signals = Vec::new();
        for event in batch.events() {
            let source = if self.config.per_source { event.source() } else { "" };
            if !sources.contains_key(source) && sources.len() >= MAX_SOURCES {
                counters::add("sources_ignored", 1);
                continue;
            }
            let is_error = self.config.is_error(event.event_type());
            let watched = sources.entry(source.to_owned()).or_default();
            watched.window.add(event.timestamp().min(latest), length, is_error);
            if is_error && !watched.firing {
                signals.extend(judge(&self.config, source, watched, event.timestamp()));
            }
        }
        Ok(signals)
    }

    fn tick(&mut self, now: Timestamp) -> Result<Vec<Signal>> {
        self.state.now = Some(now);
        let mut signals = Vec::new();
        for (source, watched) in &mut self.state.sources {
            watched.window.forget_before(now.saturating_sub(self.config.window.as_nanos()));
            signals.extend(judge(&self.config, source, watched, now));
        }
        self.state.sources.retain(|_, watched| !watched.window.is_empty());
        Ok(signals)
    }
}

/// A signal when the state changes.
fn judge(config: &Config, source: &str, watched: &mut Watched, now: Timestamp) -> Option<Signal> {
    let (events, errors) = watched.window.counts();
    let share = if events == 0 { 0.0 } else { errors as f64 / events as f64 };
    let limit = if watched.firing { config.clear.unwrap_or(config.threshold) } else { config.threshold };
    let fires = events >= config.minimum.max(1) && share > limit;
    if fires == watched.firing {
        return None;
    }
    watched.firing = fires;
    let key = if source.is_empty() { "error-rate" } else { source };
    let of = if source.is_empty() { String::new() } else { format!(" of {source}") };
    let (percent, tenth) = tenths_of_percent(share);
    let summary = format!("{percent}.{tenth} % of {events} events{of} are errors");
    let make = if fires { Signal::firing } else { Signal::resolved };
    let signal = make(key.to_owned(), now, summary).severity(config.severity).value(share);
    Some(if source.is_empty() { signal } else { signal.label("source", source) })
}

/// Whole percent and the tenth: formatting floats would double the component.
fn tenths_of_percent(share: f64) -> (u64, u64) {
    let tenths = (share * 1000.0).round() as u64;
    (tenths / 10, tenths % 10)
}

export_monitor!(ErrorRate);

#[cfg(test)]
mod tests {
    use super::*;
    use bridge_telemetry_plugin::testing::{self, EventBatchBuilder};

    const SECOND: i64 = 1_000_000_000;

    fn started(config: &str) -> ErrorRate {
        testing::restart(config, None).unwrap()
    }

    /// `good` and `bad` events of a source at one second; the signals that they raise.
    fn feed(plugin: &mut ErrorRate, second: i64, source: &str, good: usize, bad: usize) -> Vec<Signal> {
        let types =
            std::iter::repeat_n("COMMAND_COMPLETED", good).chain(std::iter::repeat_n("COMMAND_ERROR", bad));
        let batch = EventBatchBuilder::new().at(second * SECOND);
        let batch = types.fold(batch, |batch, event_type| batch.event(event_type, source, "{}"));
        plugin.on_events(&batch.build()).unwrap()
    }

    #[test]
    fn fires_above_the_share_and_resolves_when_quiet() {
        let mut plugin = started("{}");
        assert_eq!(plugin.tick(0).unwrap(), []);
        assert_eq!(feed(&mut plugin, 0, "a", 95, 5), [], "5 % is not above 5 %");
        let signals = feed(&mut plugin, 0, "a", 0, 3);
        let [signal] = &signals[..] else { unreachable!("{signals:?}") };
        assert_eq!((signal.firing, &*signal.key, signal.severity), (true, "error-rate", Severity::Error));
        assert_eq!(signal.summary, "5.9 % of 101 events are errors");
        assert_eq!(plugin.tick(299 * SECOND).unwrap(), []);
        let signals = plugin.tick(306 * SECOND).unwrap();
        assert_eq!((signals[0].firing, &*signals[0].summary), (false, "0.0 % of 0 events are errors"));
        assert!(plugin.state.sources.is_empty());
    }

    #[test]
    fn few_events_do_not_fire_and_clear_holds_it() {
        let mut plugin = started(r#"{"threshold":0.5,"clear":0.1,"minimum":10}"#);
        plugin.tick(0).unwrap();
        assert_eq!(feed(&mut plugin, 0, "a", 0, 9), []);
        assert!(feed(&mut plugin, 0, "a", 0, 1)[0].firing);
        feed(&mut plugin, 0, "a", 80, 0);
        assert_eq!(plugin.tick(SECOND).unwrap(), [], "11 % is not clear");
        feed(&mut plugin, 0, "a", 10, 0);
        assert!(!plugin.tick(SECOND).unwrap()[0].firing);
    }

    #[test]
    fn sources_are_watched_apart_where_asked() {
        let mut plugin = started(r#"{"per_source":true}"#);
        assert_eq!(feed(&mut plugin, 0, "good", 100, 0), []);
        let signals = feed(&mut plugin, 0, "bad", 10, 10);
        assert_eq!((&*signals[0].key, &*signals[0].labels["source"]), ("bad", "bad"));
    }

    #[test]
    fn a_time_ahead_counts_as_the_next_tick() {
        let mut plugin = started(r#"{"minimum":1}"#);
        plugin.tick(0).unwrap();
        assert!(feed(&mut plugin, 3600, "a", 0, 1)[0].firing);
        assert_eq!(plugin.tick(304 * SECOND).unwrap(), []);
        assert!(!plugin.tick(310 * SECOND).unwrap()[0].firing);
    }

    #[test]
    fn goes_on_after_a_restart() {
        let mut plugin = started(r#"{"minimum":1}"#);
        plugin.tick(0).unwrap();
        feed(&mut plugin, 0, "a", 0, 1);
        let mut plugin: ErrorRate = testing::restart(r#"{"minimum":1}"#, Some(&plugin)).unwrap();
        assert_eq!(feed(&mut plugin, 1, "a", 0, 1), [], "fires already");
        assert!(!plugin.tick(400 * SECOND).unwrap()[0].firing);
    }

    #[test]
    fn what_is_an_error_is_configured() {
        let types = |types: &str, event_type| {
            started(&format!("{{\"error_types\":{types}}}")).config.is_error(event_type)
        };
        let default = Config::default();
        assert!(default.is_error("ERROR") && default.is_error("COMMAND_ERROR"));
        assert!(!default.is_error("ERRORS") && !default.is_error("COMMAND_COMPLETED"));
        assert!(types(r#"["FATAL*"]"#, "FATAL_DISK") && !types(r#"["FATAL*"]"#, "ERROR"));
        assert!(types(r#"["*FAIL*"]"#, "A_FAILED"));
        for wrong in [r#"{"threshold":5}"#, r#"{"clear":0.2}"#, r#"{"window":0}"#, r#"{"windows":1}"#] {
            assert!(testing::restart::<ErrorRate>(wrong, None).is_err(), "{wrong}");
        }
    }

    #[test]
    fn all_events_are_counted_unless_some_are_named() {
        let subscription = |config| Subscription { tick: None, ..started(config).subscribe() };
        assert_eq!(subscription("{}"), Subscription::none().all_events());
        let some = subscription(r#"{"event_types":["COMMAND_*"]}"#);
        assert_eq!(some, Subscription::none().event_types(["COMMAND_*"]));
    }

    #[test]
    fn schemas_are_current() {
        testing::schema::check_config::<ErrorRate>(concat!(
            env!("CARGO_MANIFEST_DIR"),
            "/config.schema.json"
        ));
    }
}
