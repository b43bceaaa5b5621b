//! Monitors that are loaded and could not be started: asked for again they are tried again, and once nobody wants them health names
//! them no more.

use bridge_telemetry::Host;
use bridge_telemetry::alerts::HOST_MONITOR;
use serde_json::json;
use telemetry_core::limits::MAX_MONITORS;

use super::files::outcomes;
use super::switching::{disable, issues};
use super::{Shelf, is_reloaded, refusal, reload, test_guest};
use crate::fixture::host_with_clock;

fn is_unstarted(host: &Host, monitor: &str) -> bool {
    issues(host).contains(&format!("monitor {monitor} could not be started"))
}

fn is_healthy(host: &Host) -> bool {
    host.health_json().body["status"] == "healthy"
}

#[test]
fn one_that_there_was_no_room_for_is_started_when_there_is_and_it_is_asked_for() {
    const LAST: &str = "the-last-by-name";
    let shelf = Shelf::new();
    shelf.put_revised("monitor", &test_guest("tally"), 1);
    let mut config = shelf.in_memory();
    let others = (1..MAX_MONITORS).map(|number| format!("copy-{number:02}"));
    for name in others.chain([LAST.to_owned()]) {
        config["plugins"]["settings"][name] = json!({"component": "monitor.wasm"});
    }
    let (host, _) = host_with_clock(config);
    let monitors =
        || -> Vec<String> { host.health_check().monitors.into_iter().map(|status| status.monitor).collect() };
    assert_eq!((monitors().len(), is_unstarted(&host, LAST)), (MAX_MONITORS, true), "{}", issues(&host));
    let refused = refusal(&host, LAST);
    assert!(refused.contains("one more than the 64 that may run"), "{refused}");

    disable(&host, "copy-01", &["copy-01"]);
    assert!(is_unstarted(&host, LAST), "it is not tried by itself");
    let report = reload(&host, LAST);
    assert!(is_reloaded(&report), "{report:?}");
    assert!(monitors().contains(&LAST.to_owned()));
    assert!(is_healthy(&host), "{}", issues(&host));
    // What runs and is well is left alone.
    assert!(!is_reloaded(&reload(&host, LAST)));
}

/// Under the name of the host's own alerts no monitor can be started, and it gets no place in the log.
#[test]
fn one_that_nobody_wants_any_more_is_no_fault() {
    for is_by_hand in [false, true] {
        let shelf = Shelf::new();
        let (host, _) = host_with_clock(shelf.in_memory());
        let file = shelf.put(HOST_MONITOR, &std::fs::read(test_guest("tally")).unwrap());
        assert!(matches!(&outcomes(&host)[..], [(_, Err(reason))] if reason.contains("is taken")));
        assert!(is_unstarted(&host, HOST_MONITOR), "{}", issues(&host));
        if is_by_hand {
            std::fs::remove_file(file).unwrap();
            assert_eq!(outcomes(&host), []);
        } else {
            assert!(host.disable_plugin(HOST_MONITOR).unwrap().changed);
        }
        assert!(is_healthy(&host), "{}", issues(&host));
    }
}
