//! What anybody may write into a record that an alert is made of: it keeps no alert from being raised and none from being delivered.

use std::path::Path;

use bridge_telemetry::{Context, MetricDraft};
use bridge_telemetry_tests::language_project;
use serde_json::{Map, Value, json};

use super::hook::Hook;
use super::{Scene, to_hook, watching_cpu};
use crate::fixture::{in_memory, with_plugin};

impl Scene {
    /// A sample of `cpu` that is too high.
    fn hot(&self, context: Map<String, Value>) {
        let draft = MetricDraft::new("cpu", 1.0).with_context(Context::from(context));
        self.host.record_metric(draft).unwrap();
        self.drain();
    }
}

fn labels(labels: Value) -> Map<String, Value> {
    labels.as_object().unwrap().clone()
}

#[test]
fn a_long_context_one_of_many_keys_and_one_that_cannot_be_shown_raise_alerts() {
    let hook = Hook::start();
    let scene = Scene::open(to_hook(watching_cpu(in_memory(), json!({})), &hook));
    scene.hot(labels(json!({"path": "x".repeat(520)})));
    scene.hot(labels(json!({"path": format!("{}y", "x".repeat(519))})));
    scene.hot((0..63).map(|key| (format!("key{key:02}"), json!("a"))).collect());
    scene.hot(labels(json!({"path": "a\u{7f}b"})));
    scene.hot(labels(json!({"path": "a\u{80}b"})));
    let mut keys: Vec<String> = scene.firing().into_iter().map(|alert| alert.key).collect();
    keys.sort_unstable();
    keys.dedup();
    assert_eq!((keys.len(), hook.received().len()), (5, 5), "{keys:?}");
    let health = scene.host.health_json().body;
    let monitor = &health["monitors"][0];
    assert_eq!((&monitor["failures"], &monitor["lag"]), (&json!(0), &json!(0)), "{monitor}");
}

#[test]
fn a_label_that_names_a_secret_is_a_text_like_any_other() {
    let hook = Hook::start();
    let scene = Scene::open(to_hook(watching_cpu(in_memory(), json!({})), &hook));
    scene.cpu("${secret:CHAT}", 1.0);
    scene.drain();
    assert_eq!(hook.told("host"), [("${secret:CHAT}".to_owned(), "firing".to_owned())]);
    assert_eq!(scene.tally("ops"), [1, 0, 0, 0]);
}

#[test]
fn an_answer_that_is_no_text_is_an_answer_in_every_language() {
    for language in ["c", "javascript", "python", "rust"] {
        let name = format!("new-{language}-sink");
        let built = language_project(&name).unwrap().join(&name).with_extension("wasm");
        // Without the manifest beside it, which asks for the far side of the template alone.
        let folder = tempfile::tempdir().unwrap();
        let component = folder.path().join("poster.wasm");
        std::fs::copy(built, &component).unwrap();
        let hook = Hook::start();
        hook.garble();
        // An interpreter that a busy machine holds up is not what is tested.
        let settings = json!({"limits": {"deadline_ms": 30_000}});
        let mut config = with_plugin(watching_cpu(in_memory(), json!({})), "poster", &component, settings);
        config["plugins"]["cache_directory"] =
            json!(Path::new(env!("CARGO_TARGET_TMPDIR")).join("code-cache"));
        let receiver = hook.receiver_of("poster", json!({}));
        config["alerting"] = json!({"receivers": {"ops": receiver}, "default_receivers": ["ops"]});
        let scene = Scene::open(config);
        scene.cpu("a", 1.0);
        scene.drain();
        assert_eq!(hook.received().len(), 1, "{language}: {}", scene.receiver("ops"));
        assert_eq!(scene.tally("ops"), [1, 0, 0, 0], "{language}: {}", scene.receiver("ops"));
        let text = hook.received()[0].body["text"].as_str().unwrap().to_owned();
        assert!(text.starts_with("firing: cpu is 1"), "{language}: {text}");
    }
}
