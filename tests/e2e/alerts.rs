//! Alerts end to end: from samples and events over monitors, routes and sinks to what a real HTTP server is sent, through
//! failures of that server and restarts of the host.

mod delivery;
mod flow;
pub(crate) mod hook;
mod refusal;
mod restart;
mod senders;
mod slow;

use std::sync::Arc;
use std::time::Duration;

use bridge_telemetry::alerts::AlertFilter;
use bridge_telemetry::{Clock, Context, EventDraft, Host, ManualClock, MetricDraft};
use bridge_telemetry_tests::plugin;
use hook::Hook;
use serde_json::{Value, json};
use telemetry_core::Alert;

use crate::fixture::{open, start, with_plugin};

/// Beyond any work of a host under load.
const LONG: Duration = Duration::from_secs(120);

/// A shipped plugin under its own name.
fn shipped(config: Value, name: &str, settings: Value) -> Value {
    with_plugin(config, name, &plugin(name).unwrap(), settings)
}

/// The monitor `threshold` on the metric `cpu`, each series by itself; `rule` goes over the rule's defaults.
fn watching_cpu(config: Value, rule: Value) -> Value {
    let mut whole = json!({
        "name": "hot", "metric": "cpu", "comparison": ">", "threshold": 0.9, "clear": 0.7,
        "severity": "critical", "labels": {"team": "ops"},
    });
    whole.as_object_mut().unwrap().extend(rule.as_object().unwrap().clone());
    shipped(config, "threshold", json!({"config": {"rules": [whole], "stale_after": "30d"}}))
}

/// Every alert goes to one webhook, the receiver `ops`.
fn to_hook(config: Value, hook: &Hook) -> Value {
    let mut config = shipped(config, "webhook", json!({}));
    config["alerting"] = json!({"receivers": {"ops": hook.receiver()}, "default_receivers": ["ops"]});
    config
}

/// A host without threads of its own and its clock, which outlives it.
struct Scene<H = Host> {
    host: H,
    clock: Arc<ManualClock>,
}

impl Scene {
    fn open(config: Value) -> Self {
        Self::at(config, &Arc::new(ManualClock::at(start())))
    }

    fn at(config: Value, clock: &Arc<ManualClock>) -> Self {
        let clock = Arc::clone(clock);
        Self { host: open(config, Arc::clone(&clock) as Arc<dyn Clock>), clock }
    }

    /// Closes the host and opens one with this configuration.
    fn reopen(self, config: Value) -> Self {
        let Self { host, clock } = self;
        host.close();
        drop(host);
        Self::at(config, &clock)
    }

    /// A sample of `cpu` of a machine, now.
    fn cpu(&self, machine: &str, value: f64) {
        let context = Context::from_labels([("host", machine)]);
        self.host.record_metric(MetricDraft::new("cpu", value).with_context(context)).unwrap();
    }

    fn event(&self, event_type: &str, number: u32) {
        let data = bridge_telemetry::JsonObject::from(json!({"number": number}).as_object().unwrap());
        self.host.record_event(EventDraft::new(event_type, "test").with_data(data)).unwrap();
    }

    fn drain(&self) {
        assert!(self.host.drain(LONG));
    }

    /// As `health_check` shows it.
    fn outbox(&self) -> Value {
        self.host.health_json().body["outbox"].clone()
    }

    fn receiver(&self, name: &str) -> Value {
        let outbox = self.outbox();
        let mut receivers = outbox["receivers"].as_array().unwrap().iter();
        receivers.find(|receiver| receiver["receiver"] == name).unwrap_or(&Value::Null).clone()
    }

    /// What became of a receiver's deliveries: delivered, forwarded, retried, given up.
    fn tally(&self, name: &str) -> [u64; 4] {
        let receiver = self.receiver(name);
        ["delivered", "forwarded", "retried", "dead"].map(|key| receiver[key].as_u64().unwrap())
    }

    fn pending(&self) -> u64 {
        self.outbox()["pending"].as_u64().unwrap()
    }

    fn alerts(&self) -> Vec<Alert> {
        self.host.alerts(AlertFilter::All).unwrap()
    }

    fn firing(&self) -> Vec<Alert> {
        self.host.alerts(AlertFilter::Firing).unwrap()
    }

    fn is_degraded_by(&self, what: &str) -> bool {
        let health = self.host.health_json().body;
        let issues = health["issues"].as_array().unwrap();
        health["status"] == "degraded" && issues.iter().any(|issue| issue.as_str().unwrap().contains(what))
    }
}

impl<H> Scene<H> {
    fn pass(&self, seconds: u64) {
        self.clock.advance(Duration::from_secs(seconds));
    }
}
