//! Hostile validators are contained and named, and the next call is served.

use std::time::{Duration, Instant};

use telemetry_core::extension::{FailureReason, PluginFailure};
use telemetry_sandbox::{Plugin, PluginState};

use crate::fixture::{Fixture, events, sample, spec};

/// Beyond any work of a busy machine: only a test that fails waits for so long.
const LONG: Duration = Duration::from_secs(120);

/// Makes one attack; the answer is its failure, and the same plugin must serve the next call.
fn attacked(plugin: &Plugin, attack: &str) -> PluginFailure {
    let validator = plugin.validator().unwrap();
    let failure = validator.validate_events(&events(&[attack])).unwrap_err();
    assert_eq!(failure.plugin, "evil");
    let verdict = validator.validate_events(&events(&["harmless"])).unwrap_or_else(|next| {
        panic!("after {attack} ({failure}) the plugin did not serve: {next}");
    });
    assert!(verdict.issues.is_empty() && verdict.rewrites.is_empty());
    failure
}

fn check(attack: &str, kind: &str, text: &str) {
    let plugin = Fixture::new().guest("evil");
    let failure = attacked(&plugin, attack);
    assert_eq!(failure.reason.kind(), kind, "{attack}: {failure}");
    assert!(failure.reason.to_string().contains(text), "{attack}: {failure}");
    let status = plugin.status();
    assert_eq!(status.failures_by_kind[kind], 1);
    assert_eq!(status.last_failure.as_deref(), Some(failure.reason.to_string().as_str()));
}

#[test]
fn an_infinite_loop_meets_its_deadline() {
    let plugin = Fixture::new().hurried_guest("evil");
    let failure = attacked_in_a_hurry(&plugin, "loop");
    assert_eq!(failure.reason.kind(), "deadline");
}

/// As [`attacked`], for a plugin with so little time that a busy machine may take it away from the harmless call too.
fn attacked_in_a_hurry(plugin: &Plugin, attack: &str) -> PluginFailure {
    let validator = plugin.validator().unwrap();
    let failure = validator.validate_events(&events(&[attack])).unwrap_err();
    let next = validator.validate_events(&events(&["harmless"]));
    assert!(
        matches!(&next, Ok(_) | Err(PluginFailure { reason: FailureReason::Deadline(_), .. })),
        "{next:?}"
    );
    failure
}

#[test]
fn a_memory_bomb_meets_its_limit() {
    check("memory", "limit", "67108864");
}

#[test]
fn a_refused_allocation_is_no_failure() {
    let plugin = Fixture::new().guest("evil");
    plugin.validator().unwrap().validate_events(&events(&["ask_for_memory"])).unwrap();
    assert_eq!(plugin.status().failures, 0);
}

#[test]
fn an_exhausted_stack_is_a_trap() {
    check("shadow_stack", "trap", "");
    check("stack", "trap", "call stack exhausted");
}

#[test]
fn a_panic_is_a_trap_with_its_message() {
    check("panic", "trap", "it was all a trap");
}

#[test]
fn an_exit_is_a_trap() {
    check("exit", "trap", "exited");
}

#[test]
fn giant_answers_are_not_taken() {
    check("giant_message", "output", "too much data");
    check("giant_list", "output", "too much data");
}

#[test]
fn garbage_is_not_taken() {
    check("many_issues", "output", "10000 issues about 1 rows");
    check("row", "output", "row 1000000, the batch has 1");
    check("rewrite_row", "output", "row 77, the batch has 1");
    check("rewrite_twice", "output", "2 rewrites of 1 row");
    check("broken_json", "output", "no JSON object");
    check("no_object", "output", "no JSON object");
    check("no_utf8", "output", "");
}

#[test]
fn garbage_about_samples_is_not_taken() {
    let plugin = Fixture::new().guest("evil");
    let validator = plugin.validator().unwrap();
    let failure = validator.validate_samples(&sample("broken_context", 1.0)).unwrap_err();
    assert_eq!(failure.reason.kind(), "output", "{failure}");
    validator.validate_samples(&sample("harmless", 1.0)).unwrap();
}

/// A validator that writes more than it reads can be brought there by what a caller sends: it loses neither its instance nor its
/// good name.
#[test]
fn rewrites_to_more_than_is_stored_cost_their_rows_alone() {
    let plugin = Fixture::new().guest("evil");
    let validator = plugin.validator().unwrap();
    let verdict = validator.validate_events(&events(&["rewrite_giant", "harmless"])).unwrap();
    let refused: Vec<_> = verdict.issues.iter().map(|issue| (issue.row, issue.code.as_str())).collect();
    assert_eq!(refused, [(0, "rewrite_too_large")]);
    assert!(verdict.rewrites[0].data.as_ref().unwrap().is_empty(), "not as it was");
    let verdict = validator.validate_events(&events(&["deep_json"])).unwrap();
    assert_eq!((verdict.issues[0].row, verdict.issues[0].code.as_str()), (0, "rewrite_too_large"));
    let verdict = validator.validate_samples(&sample("giant_context", 1.0)).unwrap();
    assert_eq!((verdict.issues[0].row, verdict.issues[0].code.as_str()), (0, "rewrite_too_large"));
    assert!(verdict.rewrites[0].context.is_empty(), "not as it was");
    let status = plugin.status();
    assert_eq!((status.failures, status.restarts, status.instances), (0, 0, 1));
}

#[test]
fn an_error_of_its_own_keeps_the_instance() {
    let plugin = Fixture::new().guest("evil");
    let failure = attacked(&plugin, "error");
    assert_eq!(failure.reason, FailureReason::Other("no luck\\n".to_owned()));
    let status = plugin.status();
    assert_eq!((status.restarts, status.state, status.instances), (0, PluginState::Active, 1));
}

#[test]
fn a_flood_of_counters_names_is_cut() {
    let plugin = Fixture::new().guest("evil");
    // In company: alone it would be too many calls.
    let mut batch = vec!["harmless"; 2_000];
    batch.push("counter_flood");
    plugin.validator().unwrap().validate_events(&events(&batch)).unwrap();
    let status = plugin.status();
    assert_eq!(status.counters.len(), 256);
    assert_eq!(status.counters_dropped, 10_000 - 256 + 1);
}

#[test]
fn verdicts_reach_the_host_and_text_is_made_safe() {
    let plugin = Fixture::new().guest("evil");
    let verdict =
        plugin.validator().unwrap().validate_events(&events(&["harmless", "escape_codes", "warn"])).unwrap();
    let seen: Vec<_> =
        verdict.issues.iter().map(|issue| (issue.row, issue.reject, issue.message.as_str())).collect();
    assert_eq!(seen, [(1, true, "\\u{1b}[2Jnew\\nline"), (2, false, "be careful")]);
    let verdict = plugin.validator().unwrap().validate_events(&events(&["rewrite"])).unwrap();
    assert_eq!(verdict.rewrites[0].data.as_ref().unwrap().as_str(), r#"{"rewritten":true}"#);
}

#[test]
fn a_worn_instance_is_replaced() {
    let plugin = Fixture::new().guest("evil");
    let validator = plugin.validator().unwrap();
    validator.validate_events(&events(&["hoard"])).unwrap();
    assert_eq!(plugin.status().instances, 0, "it grew above its mark");
    assert_eq!(plugin.status().memory_bytes, 0);
    validator.validate_events(&events(&["harmless"])).unwrap();
    let status = plugin.status();
    assert_eq!((status.instances, status.restarts, status.failures), (1, 0, 0));
    assert!(status.memory_bytes > 0 && status.memory_bytes < 32 << 20, "{}", status.memory_bytes);
}

#[test]
fn a_call_waits_for_a_free_instance_only_so_long() {
    let fixture = Fixture::new();
    let mut spec = spec("evil");
    spec.limits.instances = Some(1);
    spec.limits.wait_ms = 20;
    spec.limits.deadline_ms = 10_000;
    let plugin = fixture.sandbox.load(spec).unwrap();
    let looping = plugin.validator().unwrap();
    let thread = std::thread::spawn(move || looping.validate_events(&events(&["chatty", "loop"])));
    // It says when it has the instance, which it then holds for seconds; nobody else asks for it before.
    let begun = Instant::now();
    while !plugin.log().after(0, 10).iter().any(|line| line.message == "saw a row") {
        assert!(begun.elapsed() < LONG && !thread.is_finished(), "{:?}", plugin.status());
        std::thread::yield_now();
    }
    let failure = plugin.validator().unwrap().validate_events(&events(&["harmless"])).unwrap_err();
    assert_eq!(failure.reason.kind(), "busy", "{failure}");
    assert_eq!(thread.join().unwrap().unwrap_err().reason.kind(), "deadline");
}

#[test]
fn many_threads_share_the_instances() {
    let fixture = Fixture::new();
    let mut spec = spec("evil");
    spec.limits.instances = Some(2);
    spec.limits.wait_ms = 60_000;
    let plugin = fixture.sandbox.load(spec).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let validator = plugin.validator().unwrap();
                for _ in 0..50 {
                    assert_eq!(validator.validate_events(&events(&["warn"])).unwrap().issues.len(), 1);
                }
            });
        }
    });
    assert!(plugin.status().instances <= 2);
    assert!(plugin.status().calls >= 400);
}

#[test]
fn values_within_events_are_found_while_there_are_events() {
    let plugin = Fixture::new().guest("evil");
    let validator = plugin.validator().unwrap();
    let verdict = validator.validate_events(&events(&["values"])).unwrap();
    assert_eq!(verdict.issues[0].message, "[4, 0] [1.0, 0.0] [0, 0]");
    let failure = validator.validate_events(&events(&["values_of_no_place"])).unwrap_err();
    assert!(failure.to_string().contains("place 0 is no JSON pointer"), "{failure}");
    let failure = validator.validate_samples(&sample("values", 1.0)).unwrap_err();
    assert!(failure.to_string().contains("there are no events in this call"), "{failure}");
}
