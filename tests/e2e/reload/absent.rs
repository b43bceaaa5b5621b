//! What is not there is listed once, with the reason as it is now, and health is well again when that is mended.

use bridge_telemetry::envelope::EnvelopeError;
use bridge_telemetry::plugins::package;
use bridge_telemetry::plugins::{PluginKind, PluginState, ReloadOutcome};
use bridge_telemetry::{Config, Host, Timestamp};
use serde_json::json;
use telemetry_core::ErrorCode;

use super::files::outcomes;
use super::monitors::LONG;
use super::switching::{disable, enable, issues, sample};
use super::{Shelf, listing, shipped, test_guest, without_settings};
use crate::alerts::hook::Hook;
use crate::fixture::{host_with_clock, open};

/// All that is listed under a name.
fn listed(host: &Host, name: &str) -> Vec<(PluginState, Option<PluginKind>)> {
    let listings = host.plugins().into_iter().filter(|plugin| plugin.name == name);
    listings.map(|plugin| (plugin.load, plugin.kind)).collect()
}

fn is_healthy(host: &Host) -> bool {
    host.health_json().body["status"] == "healthy"
}

#[test]
fn a_sink_that_is_not_used_is_damaged_and_mended() {
    let shelf = Shelf::new();
    shelf.put_revised("webhook", &shipped("webhook"), 1);
    let (host, _) = host_with_clock(without_settings(shelf.in_memory(), "webhook"));
    let sink = Some(PluginKind::Sink);
    assert_eq!(listed(&host, "webhook"), [(PluginState::Unused, sink)]);
    shelf.put("webhook", b"nothing");
    assert!(matches!(&outcomes(&host)[..], [(_, Err(_))]));
    assert_eq!((listed(&host, "webhook"), is_healthy(&host)), (vec![(PluginState::Failed, sink)], false));
    shelf.put_revised("webhook", &shipped("webhook"), 2);
    assert_eq!(outcomes(&host), [("webhook".to_owned(), Ok(ReloadOutcome::Unused))]);
    assert_eq!((listed(&host, "webhook"), is_healthy(&host)), (vec![(PluginState::Unused, sink)], true));
    let compiled = std::fs::read_dir(shelf.path().join("code")).map_or(0, Iterator::count);
    assert_eq!(compiled, 0, "nobody uses it");
    std::fs::remove_file(shelf.path().join("webhook.wasm")).unwrap();
    assert_eq!((outcomes(&host), listed(&host, "webhook")), (vec![], vec![]));
}

#[test]
fn a_sink_that_was_damaged_at_the_start_is_listed_no_more_when_its_receiver_has_it() {
    let (shelf, hook) = (Shelf::new(), Hook::start());
    shelf.put("webhook", b"nothing");
    for receiver in ["ops", "webhook"] {
        let mut config = shelf.in_memory();
        config["alerting"] = json!({"receivers": {receiver: hook.receiver()}});
        shelf.put("webhook", b"nothing");
        let (host, _) = host_with_clock(config);
        assert_eq!((listed(&host, receiver).len(), is_healthy(&host)), (1, false), "{receiver}");
        assert!(issues(&host).contains("could not be loaded"), "{}", issues(&host));
        shelf.put_revised("webhook", &shipped("webhook"), 1);
        assert_eq!(outcomes(&host), [(receiver.to_owned(), Ok(ReloadOutcome::Loaded))]);
        assert_eq!(listed(&host, receiver), [(PluginState::Loaded, Some(PluginKind::Sink))]);
        assert!(is_healthy(&host), "{}", issues(&host));
        assert_eq!(host.plugins().len(), 1);
    }
}

#[test]
fn a_file_that_is_no_good_and_is_deleted_by_hand_leaves_what_the_next_start_would_tell() {
    for is_configured in [false, true] {
        let shelf = Shelf::new();
        let mut config = shelf.in_memory();
        if is_configured {
            config["plugins"]["settings"]["tally"] = json!({});
        }
        let (host, _) = host_with_clock(config);
        for _ in 0..2 {
            let file = shelf.put("tally", b"nothing");
            assert!(matches!(&outcomes(&host)[..], [(_, Err(_))]), "also when it was there before");
            assert_eq!(listed(&host, "tally"), [(PluginState::Failed, None)]);
            std::fs::remove_file(file).unwrap();
            assert_eq!(outcomes(&host), []);
            assert_eq!(
                (listed(&host, "tally").len(), is_healthy(&host)),
                match is_configured {
                    true => (1, false),
                    false => (0, true),
                }
            );
            assert_eq!(issues(&host).contains("plugins.settings names"), is_configured, "{}", issues(&host));
        }
    }
}

#[test]
fn deliveries_wait_for_the_console_that_nobody_configured() {
    let shelf = Shelf::new();
    shelf.put_revised("tally", &test_guest("tally"), 1);
    shelf.put_revised("console", &shipped("console"), 1);
    let (host, clock) = host_with_clock(shelf.in_folder());
    disable(&host, "console", &["console"]);
    sample(&host, 5);
    let waits = |host: &Host| {
        assert!(host.drain(LONG));
        assert_eq!(listed(host, "console"), [(PluginState::Disabled, Some(PluginKind::Sink))]);
        assert!(issues(host).contains("deliveries wait: receiver \\\"console\\\""), "{}", issues(host));
    };
    waits(&host);
    drop(host);
    let host = open(shelf.in_folder(), clock);
    waits(&host);
    enable(&host, "console", &["console"]);
    assert!(host.drain(LONG));
    assert_eq!(listing(&host, "console").lag_records, Some(0));
    assert!(is_healthy(&host), "{}", issues(&host));
}

#[test]
fn a_plugin_is_enabled_though_a_receiver_has_its_name() {
    let (shelf, hook) = (Shelf::new(), Hook::start());
    shelf.put_revised("tally", &test_guest("tally"), 1);
    shelf.put_revised("webhook", &shipped("webhook"), 1);
    let mut config = without_settings(shelf.in_memory(), "tally");
    config["alerting"] = json!({"receivers": {"tally": hook.receiver()}, "default_receivers": ["tally"]});
    let (host, _) = host_with_clock(config);
    let monitors = || host.health_check().monitors.len();
    disable(&host, "tally", &["tally"]);
    assert_eq!(monitors(), 0);
    enable(&host, "tally", &["tally"]);
    assert_eq!(monitors(), 1);
}

#[test]
fn a_sink_that_is_required_goes_on_and_its_receivers_say_so() {
    let (shelf, hook) = (Shelf::new(), Hook::start());
    shelf.put_revised("webhook", &shipped("webhook"), 1);
    let mut config = shelf.in_memory();
    let others = Config::from_value(config.clone()).unwrap().plugins;
    config["plugins"]["settings"]["webhook"]["required"] = json!(true);
    config["alerting"] = json!({"receivers": {"ops": hook.receiver()}});
    let (host, _) = host_with_clock(config);
    package::disable(&others, "webhook").unwrap();
    assert!(host.reload_changed_plugins().is_empty());
    assert!(
        issues(&host).contains("plugin ops: it was disabled by command, and goes on"),
        "{}",
        issues(&host)
    );
}

/// That it was removed once is forgotten when it was put back and loaded: gone by hand, it keeps its place and its alerts.
#[test]
fn what_was_put_back_is_not_removed_at_a_later_start() {
    let shelf = Shelf::new();
    let tally = std::fs::read(test_guest("tally")).unwrap();
    shelf.put("tally", &tally);
    let mut config = shelf.in_folder();
    config["plugins"]["settings"]["tally"]["enabled"] = json!(true);
    let (host, clock) = host_with_clock(config.clone());
    package::remove(&host.config().plugins, "tally", Timestamp::EPOCH).unwrap();
    host.reload_changed_plugins();
    let file = shelf.put("tally", &tally);
    assert_eq!(outcomes(&host), [("tally".to_owned(), Ok(ReloadOutcome::Loaded))]);
    sample(&host, 5);
    assert!(host.drain(LONG));
    drop(host);
    std::fs::remove_file(file).unwrap();
    let host = open(config, clock);
    assert_eq!(host.alerts(bridge_telemetry::alerts::AlertFilter::Firing).unwrap().len(), 1);
}

#[test]
fn a_folder_that_cannot_be_read_is_a_fault_of_the_host() {
    let shelf = Shelf::new();
    shelf.put_revised("redact", &shipped("redact"), 1);
    let (host, _) = host_with_clock(shelf.in_memory());
    host.disable_plugin("nobody").unwrap_err();
    assert_eq!(host.health_check().stats.host_faults, 0, "that was the caller's");
    std::fs::remove_dir_all(shelf.path()).unwrap();
    for failed in [host.disable_plugin("redact"), host.enable_plugin("redact")] {
        assert_eq!(EnvelopeError::code(&failed.unwrap_err()), ErrorCode::IoError);
    }
    assert_eq!(host.health_check().stats.host_faults, 2);
}
