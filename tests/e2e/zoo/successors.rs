//! Attackers at the exports that are entered when a new version takes a plugin's place: what they keep from the new version is
//! their own state, and whoever attacks with a restored one never gets that far.

use std::path::PathBuf;

use bridge_telemetry::plugins::{ReloadOutcome, StateHandover};
use bridge_telemetry_tests::guest;
use serde_json::json;

use super::{
    Attacker, GUESTS, attackers, base, bear_witness, check_serves, check_told, check_undisturbed, listed,
    plugins_of, with_well_meant,
};
use crate::fixture::{code, event};
use crate::reload::revised;

/// An endless loop takes the seconds that any start may take, in each of them.
fn without_loops(kind: &'static str, exports: &[&'static str]) -> Vec<Attacker> {
    let mut attackers = attackers(kind, exports);
    attackers.retain(|attacker| attacker.attack != "loop");
    attackers
}

#[test]
fn states_that_attack_cost_themselves_or_the_new_version() {
    // A monitor's state is saved at each checkpoint: its snapshot is among what costs a monitor its alerts.
    let mut attackers = without_loops("monitor", &["init-restored"]);
    for kind in ["validator", "aggregator", "sink"] {
        attackers.extend(without_loops(kind, &["snapshot", "init-restored"]));
    }
    let folder = tempfile::tempdir().unwrap();
    let place = |guest: &str| -> PathBuf { folder.path().join(guest).with_added_extension("wasm") };
    for (_, name) in GUESTS {
        std::fs::write(place(name), revised(&guest(name).unwrap(), 1)).unwrap();
    }
    let (host, clock) = with_well_meant(plugins_of(base(), &attackers, place));
    check_serves(&host, 0);
    for (_, name) in GUESTS {
        std::fs::write(place(name), revised(&guest(name).unwrap(), 2)).unwrap();
    }
    for (number, attacker) in attackers.iter().enumerate() {
        let name = attacker.name();
        match (attacker.export, host.reload_plugin(&name)) {
            ("snapshot", Ok(reports)) => {
                let [report] = &reports[..] else { panic!("{reports:?}") };
                assert_eq!(report.outcome, ReloadOutcome::Reloaded, "{name}: {report:?}");
                assert!(matches!(report.state, StateHandover::Lost(_)), "{name}: {report:?}");
            }
            ("init-restored", Err(error)) => assert!(error.stage().is_some(), "{name}: {error:?}"),
            (_, outcome) => panic!("{name}: {outcome:?}"),
        }
        // The version that runs, the new one or the one before, does what it is for.
        let shown = event(&host, json!({"event_type": name, "source": "s"}));
        assert_eq!(code(&shown), "success", "{name}: {}", shown.body);
        check_serves(&host, 1 + number as u32);
    }
    bear_witness(&host, &clock);
    check_told(&host, 1);

    let (issues, listed) = (host.health_json().body["issues"].to_string(), listed(&host));
    for attacker in &attackers {
        let name = attacker.name();
        let plugin = &listed[&name];
        assert_eq!(plugin["state"], "active", "{plugin}");
        let last = &plugin["last_reload"];
        if attacker.export == "snapshot" {
            assert!(last["outcome"] == "reloaded" && last["state"]["lost"].is_string(), "{plugin}");
            let failures = plugin["failures_by_kind"][attacker.failure].as_u64();
            assert!(failures.is_some_and(|count| count > 0), "{plugin}");
        } else {
            assert_eq!((&last["outcome"], &plugin["generation"]), (&json!("refused"), &json!(1)), "{plugin}");
            assert!(issues.contains(&format!("plugin {name}: a version was refused")), "{issues}");
        }
    }
    check_undisturbed(&listed);
}
