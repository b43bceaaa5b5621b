//! What operators do about alerts that could not be delivered, and about a clock that jumped.

use serde_json::{Value, json};

use super::place::{Place, told};
use super::running::{Running, wait_for};
use bridge_telemetry_tests::plugin;

/// A host with a monitor of one metric and a receiver that cannot deliver for good: nobody granted it its origin.
fn configured(place: &Place) {
    let text = format!(
        r#"
[plugins]
policy = "any"
[plugins.settings.high]
component = {threshold:?}
config = {{ rules = [{{ metric = "load", comparison = ">", threshold = 5 }}] }}
[plugins.settings.webhook]
component = {webhook:?}
[alerting]
default_receivers = ["page"]
[alerting.receivers.page]
plugin = "webhook"
config = {{ url = "http://127.0.0.1:9/alerts" }}
"#,
        threshold = plugin("threshold").unwrap(),
        webhook = plugin("webhook").unwrap(),
    );
    place.write("c.toml", &text);
}

fn dead_letters(place: &Place, arguments: &[&str]) -> Vec<Value> {
    let (exit, body) = place.json(&[&["alerts", "dead-letters"], arguments].concat());
    assert_eq!(exit, 0, "{body}");
    body["dead_letters"].as_array().unwrap().clone()
}

#[test]
fn dead_letters_are_listed_and_replayed_with_and_without_a_host() {
    let place = Place::new();
    configured(&place);
    let running = Running::of(place.command(&["run", "--no-system", "--config", "c.toml"]));
    assert_eq!(dead_letters(&place, &[]), Vec::<Value>::new());
    assert_eq!(place.json(&["record", "metric", "load", "9"]).0, 0);
    let letter = wait_for("a dead letter", || dead_letters(&place, &[]).pop());
    assert_eq!(
        (&letter["receiver"], &letter["alert"]["monitor"]),
        (&json!("page"), &json!("high")),
        "{letter}"
    );
    let alert = letter["alert"]["alert_id"].as_str().unwrap();
    let text = String::from_utf8(place.run(&["alerts", "dead-letters"]).stdout).unwrap();
    assert!(text.contains("page") && text.contains(alert), "{text}");
    assert_eq!(dead_letters(&place, &["--receiver", "page", "--alert", alert]).len(), 1);
    assert_eq!(dead_letters(&place, &["--receiver", "console"]).len(), 0);
    // On its way again, it is given up again.
    let (exit, body) = place.json(&["alerts", "replay", "page", "--alert", alert]);
    assert_eq!((exit, &body["replayed"]), (0, &json!(1)), "{body}");
    wait_for("the dead letter", || {
        let again = dead_letters(&place, &[]).pop()?;
        (again["since"] != letter["since"]).then_some(())
    });
    let (exit, body) = place.json(&["alerts", "replay", "nobody"]);
    assert_eq!((exit, &body["error"]["code"]), (1, &json!("NOT_FOUND")), "{body}");
    assert_eq!(running.terminate(), 0);

    // Without a host the store is asked; what is replayed waits in it.
    let config = ["--config", "c.toml"];
    assert_eq!(dead_letters(&place, &config).len(), 1);
    let output = place.run(&["alerts", "replay", "page", "--config", "c.toml"]);
    assert!(output.status.success(), "{}", told(&output));
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "1 deliveries: they go out when the host runs\n");
    assert_eq!(dead_letters(&place, &config).len(), 0);
    let (_, health) = place.json(&["health", "--config", "c.toml"]);
    assert_eq!(health["outbox"]["pending"], 1, "{health}");
    assert_eq!(place.run(&["alerts", "--status", "firing", "replay", "page"]).status.code(), Some(2));
}

#[test]
fn the_clock_is_accepted_with_and_without_a_host() {
    let place = Place::new();
    let now = || bridge_telemetry::Clock::now(&bridge_telemetry::SystemClock::default());
    let accepted = || {
        let before = now().floor_to_millis();
        let (exit, body) = place.json(&["store", "accept-clock"]);
        assert_eq!(exit, 0, "{body}");
        let time = bridge_telemetry::Timestamp::parse(body["time"].as_str().unwrap()).unwrap();
        assert!(before <= time && time <= now(), "{body}");
    };
    accepted();
    let running = Running::start(&place);
    accepted();
    let output = place.run(&["store", "accept-clock"]);
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("accepted: it is 2"), "{}", told(&output));
    assert_eq!(running.terminate(), 0);
}
