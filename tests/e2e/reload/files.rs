//! Files that change while the host runs.

use std::path::Path;

use bridge_telemetry::plugins::package::{InstallOptions, install};
use bridge_telemetry::plugins::{ReloadOutcome, ReloadTrigger};
use bridge_telemetry::{Config, Host, HostBuilder, Timestamp};
use serde_json::json;

use super::{Shelf, listing, revised, shipped, test_guest};
use crate::fixture::host_with_clock;

/// Two looks: what changed counts when it was seen twice alike.
pub(super) fn outcomes(host: &Host) -> Vec<(String, Result<ReloadOutcome, String>)> {
    assert!(host.reload_changed_plugins().is_empty(), "it may still be written");
    let outcomes = host.reload_changed_plugins();
    let shown = |outcome: Result<bridge_telemetry::plugins::ReloadReport, _>| match outcome {
        Ok(report) => {
            assert_eq!(report.trigger, ReloadTrigger::File);
            (report.plugin, Ok(report.outcome))
        }
        Err(error) => (String::new(), Err(bridge_telemetry::envelope::cause_chain(&error))),
    };
    outcomes.into_iter().map(shown).collect()
}

#[test]
fn files_that_changed_are_taken_over() {
    let shelf = Shelf::new();
    shelf.put_revised("redact", &shipped("redact"), 1);
    shelf.put_revised("threshold", &shipped("threshold"), 1);
    let mut config = shelf.in_memory();
    config["plugins"]["settings"] = json!({
        "cpu-high": {"component": "threshold.wasm", "config": {"rules": []}}, "off": {"enabled": false},
    });
    let (host, _) = host_with_clock(config);
    assert_eq!(outcomes(&host), []);

    shelf.put_revised("redact", &shipped("redact"), 2);
    assert_eq!(outcomes(&host), [("redact".to_owned(), Ok(ReloadOutcome::Reloaded))]);
    assert_eq!(outcomes(&host), []);

    // Written again with the same content: nothing to do.
    shelf.put_revised("redact", &shipped("redact"), 2);
    assert_eq!(outcomes(&host), []);
    assert_eq!(listing(&host, "redact").history.generation, 2);

    // Both plugins that are made of it.
    shelf.put_revised("threshold", &shipped("threshold"), 2);
    let reloaded = |name: &str| (name.to_owned(), Ok(ReloadOutcome::Reloaded));
    assert_eq!(outcomes(&host), [reloaded("cpu-high"), reloaded("threshold")]);

    // New ones are loaded, unless they are disabled, or sinks without a receiver.
    shelf.put_revised("percentile", &shipped("percentile"), 1);
    shelf.put_revised("off", &test_guest("evil"), 1);
    shelf.put_revised("webhook", &shipped("webhook"), 1);
    assert_eq!(
        outcomes(&host),
        [
            ("percentile".to_owned(), Ok(ReloadOutcome::Loaded)),
            ("webhook".to_owned(), Ok(ReloadOutcome::Unused)),
        ]
    );
    assert_eq!(host.health_json().body["status"], "healthy", "{}", host.health_json().body["issues"]);
}

#[test]
fn a_file_that_is_no_good_is_told_once_and_tried_again_when_it_changes() {
    let shelf = Shelf::new();
    shelf.put_revised("redact", &shipped("redact"), 1);
    let (host, _) = host_with_clock(shelf.in_memory());
    shelf.put("redact", b"nothing");
    let refused = outcomes(&host);
    assert!(matches!(&refused[..], [(_, Err(reason))] if reason.contains("redact")), "{refused:?}");
    assert_eq!(outcomes(&host), []);
    assert_eq!(listing(&host, "redact").history.reloads_refused, 1);
    assert_eq!(host.health_json().body["status"], "degraded");
    // What runs is put back.
    shelf.put_revised("redact", &shipped("redact"), 1);
    assert_eq!(outcomes(&host), []);
    assert_eq!(host.health_json().body["status"], "healthy");
    shelf.put("redact", b"nothing else");
    assert_eq!(outcomes(&host).len(), 1);
    shelf.put_revised("redact", &shipped("redact"), 2);
    assert_eq!(outcomes(&host), [("redact".to_owned(), Ok(ReloadOutcome::Reloaded))]);
}

#[test]
fn a_plugin_whose_file_is_gone_goes_on_and_health_says_so() {
    let shelf = Shelf::new();
    let file = shelf.put("redact", &revised(&shipped("redact"), 1));
    let (host, _) = host_with_clock(shelf.in_memory());
    std::fs::remove_file(&file).unwrap();
    assert_eq!(outcomes(&host), []);
    let issues = host.health_json().body["issues"].to_string();
    assert!(issues.contains("is gone; it goes on until the host is restarted"), "{issues}");
    assert!(listing(&host, "redact").status.unwrap().state.is_active());
    shelf.put_revised("redact", &shipped("redact"), 1);
    outcomes(&host);
    assert_eq!(host.health_json().body["status"], "healthy");
}

/// The host's own thread, on the real clock.
#[test]
fn a_host_with_a_background_watches_by_itself() {
    let shelf = Shelf::new();
    shelf.put_revised("redact", &shipped("redact"), 1);
    let mut config = shelf.in_memory();
    config["plugins"]["reload"] = json!({"interval": "100ms"});
    let host = HostBuilder::new(Config::from_value(config).unwrap()).open().unwrap();
    shelf.put_revised("redact", &shipped("redact"), 2);
    // The test's patience ends it if the thread does nothing.
    let deadline = std::time::Instant::now() + super::monitors::LONG;
    while listing(&host, "redact").history.generation < 2 {
        assert!(std::time::Instant::now() < deadline);
        std::thread::yield_now();
    }
}

/// What nobody installed does not run, though it stands in the place of what runs.
#[test]
fn a_change_is_taken_over_when_its_pin_fits() {
    let shelf = Shelf::new();
    let mut config = shelf.in_memory();
    config["plugins"]["policy"] = json!("pinned");
    let plugins = Config::from_value(config.clone()).unwrap().plugins;
    let sources = tempfile::tempdir().unwrap();
    let put = |source: &Path| {
        let options = InstallOptions { name: None, sha256: None, allow_downgrade: false };
        install(&plugins, source, &options, Timestamp::EPOCH).unwrap();
    };
    let component = |revision: u32| {
        let file = sources.path().join("redact.wasm");
        std::fs::write(&file, revised(&shipped("redact"), revision)).unwrap();
        file
    };
    put(&component(1));
    let (host, _) = host_with_clock(config);
    assert_eq!(listing(&host, "redact").history.generation, 1);

    shelf.put_revised("redact", &shipped("redact"), 2);
    let refused = outcomes(&host);
    assert!(matches!(&refused[..], [(_, Err(reason))] if reason.contains("was changed")), "{refused:?}");
    let refused = super::refusal(&host, "redact");
    assert!(refused.contains("was changed"), "{refused}");
    assert!(listing(&host, "redact").status.unwrap().state.is_active());

    // The same bytes with their pin: the file of pins alone changes.
    put(&component(2));
    let reloaded = || [("redact".to_owned(), Ok(ReloadOutcome::Reloaded))];
    assert_eq!(outcomes(&host), reloaded());
    assert_eq!(outcomes(&host), []);

    // A package in the place of a component: its manifest says what it may reach.
    assert!(!listing(&host, "redact").package.unwrap().grants.has_manifest);
    put(shipped("redact").parent().unwrap());
    assert_eq!(outcomes(&host), reloaded());
    let package = listing(&host, "redact").package.unwrap();
    assert!(package.grants.has_manifest && package.trust.pinned, "{package:?}");
    assert_eq!(host.health_json().body["status"], "healthy", "{}", host.health_json().body["issues"]);
}
