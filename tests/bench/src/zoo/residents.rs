//! The attackers that live in a host: each attack at each export that a host enters while it runs, in a plugin of its own.
//!
//! What is entered only while a plugin is loaded, or put in another's place, is attacked by the impostors.

use bridge_telemetry::config::{Config, ReceiverConfig};
use bridge_telemetry::plugins::PluginKind;
use bridge_telemetry_tests as artifact;
use serde_json::{Value, json};

use super::configuration::{STEADY, Shelf, add};
use super::far_side::{FarSide, MANNERS};

/// Attacks that any export can make: on time, memory and stack, by traps, handles that are kept, floods, and a giant answer.
const ANYWHERE: [&str; 10] = [
    "loop",
    "loop-in-host",
    "memory",
    "stack",
    "stack-arrays",
    "trap",
    "handles",
    "log-flood",
    "counter-flood",
    "giant-error",
];

/// An export, and the attacks that it makes besides: by an answer of its own, or through what only its kind can call. A validator that
/// leaks is not among them: see the head of the benchmark.
struct Place {
    kind: PluginKind,
    export: &'static str,
    own: &'static [&'static str],
}

static PLACES: [Place; 11] = [
    place(
        PluginKind::Validator,
        "validate-events",
        &["giant-string", "giant-list", "no-utf8", "broken-json", "wrong-row"],
    ),
    place(
        PluginKind::Validator,
        "validate-samples",
        &["giant-string", "giant-list", "broken-json", "wrong-row"],
    ),
    place(PluginKind::Aggregator, "create", &[]),
    place(PluginKind::Aggregator, "update", &["leak"]),
    place(
        PluginKind::Aggregator,
        "evaluate",
        &["giant-string", "giant-list", "broken-json", "nan", "wrong-row"],
    ),
    place(PluginKind::Aggregator, "drop", &[]),
    place(
        PluginKind::Monitor,
        "on-events",
        &[
            "leak",
            "giant-string",
            "giant-list",
            "no-utf8",
            "nan",
            "nondeterminism",
            "key-value.put*",
            "query.get-metrics*",
        ],
    ),
    place(PluginKind::Monitor, "on-samples", &["giant-list", "nan"]),
    place(PluginKind::Monitor, "tick", &["nan"]),
    place(PluginKind::Monitor, "snapshot", &["leak", "giant-list"]),
    place(
        PluginKind::Sink,
        "deliver",
        &[
            "leak",
            "giant-string",
            "giant-list",
            "no-utf8",
            "wrong-row",
            "key-value.put*",
            "outbound-http.send*",
        ],
    ),
];

const fn place(kind: PluginKind, export: &'static str, own: &'static [&'static str]) -> Place {
    Place { kind, export, own }
}

impl Place {
    fn attacks(&self) -> impl Iterator<Item = &'static str> + use<> {
        // The end of an accumulator answers nobody.
        let answers = self.export != "drop";
        let anyones = ANYWHERE.into_iter().filter(move |attack| answers || *attack != "giant-error");
        anyones.chain(self.own.iter().copied())
    }
}

/// One attack at one export.
struct Attacker {
    kind: PluginKind,
    export: &'static str,
    attack: &'static str,
}

impl Attacker {
    /// As plugins and receivers may be called.
    fn name(&self) -> String {
        format!("evil-{}-{}-{}", self.kind, self.export, self.attack.trim_end_matches('*'))
    }

    /// The aggregate function of this attacker alone.
    fn function(&self) -> String {
        self.name().replace(['-', '.'], "_")
    }

    /// The records that it is shown, or the function that it offers.
    fn only(&self) -> String {
        match (self.kind, self.export) {
            (PluginKind::Aggregator, _) => self.function(),
            (_, "validate-samples" | "on-samples") => "load".to_owned(),
            (_, "tick") => "nothing".to_owned(),
            _ => "COMMAND_COMPLETED".to_owned(),
        }
    }

    fn settle(&self, config: &mut Config, shelf: &Shelf) -> anyhow::Result<()> {
        let order = json!({"order": format!("{}/{}", self.export, self.attack), "only": self.only()});
        let guest = artifact::guest(guest_of(self.kind))?;
        if self.kind != PluginKind::Sink {
            let name = self.name();
            let component = if name == STEADY { shelf.place(STEADY) } else { guest };
            return add(config, &name, component, order);
        }
        let sink = format!("sink-{}", self.attack.trim_end_matches('*'));
        add(config, &sink, guest, Value::Null)?;
        receive(config, self.name(), json!({"plugin": sink, "config": order}))
    }
}

/// The hostile guest of a kind.
pub(super) const fn guest_of(kind: PluginKind) -> &'static str {
    match kind {
        PluginKind::Validator => "evil",
        PluginKind::Aggregator => "evil-aggregation",
        PluginKind::Monitor => "evil-monitor",
        PluginKind::Sink => "evil-sink",
    }
}

fn receive(config: &mut Config, name: String, receiver: Value) -> anyhow::Result<()> {
    let receiver: ReceiverConfig = serde_json::from_value(receiver)?;
    config.alerting.receivers.insert(name, receiver);
    Ok(())
}

fn all() -> impl Iterator<Item = Attacker> {
    PLACES.iter().flat_map(|place| {
        let Place { kind, export, .. } = *place;
        place.attacks().map(move |attack| Attacker { kind, export, attack })
    })
}

/// Adds them all, and sinks that wait for a slow far side.
pub(super) fn settle(config: &mut Config, shelf: &Shelf, far_side: &FarSide) -> anyhow::Result<()> {
    all().try_for_each(|attacker| attacker.settle(config, shelf))?;
    add(config, "webhook", artifact::plugin("webhook")?, Value::Null)?;
    MANNERS.into_iter().try_for_each(|manner| {
        let origin = far_side.origin();
        let own = json!({"url": format!("{origin}/{manner}")});
        let grants = json!({"http": [origin], "allow_private": true});
        let receiver = json!({"plugin": "webhook", "config": own, "grants": grants});
        receive(config, format!("evil-sink-slow-{manner}"), receiver)
    })
}

/// The aggregate functions that attack.
pub(super) fn functions() -> Vec<String> {
    let aggregators = all().filter(|attacker| attacker.kind == PluginKind::Aggregator);
    aggregators.map(|attacker| attacker.function()).collect()
}

/// Whether a plugin or receiver is one of them.
pub(super) fn is_one(name: &str) -> bool {
    name.starts_with("evil-")
}

/// Whether it is a validator that attacks at this export.
pub(super) fn validates(name: &str, export: &str) -> bool {
    name.strip_prefix("evil-validator-").is_some_and(|rest| rest.starts_with(export))
}

/// Attacks at each export, for readers.
pub(super) fn summary() -> String {
    let of = |place: &Place| format!("{} at {} of a {}", place.attacks().count(), place.export, place.kind);
    let places: Vec<String> = PLACES.iter().map(of).collect();
    format!("{}; {} slow sinks", places.join(", "), MANNERS.len())
}
