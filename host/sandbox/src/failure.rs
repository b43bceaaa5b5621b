//! Why a call failed, told by type and never by the text of a message.

use std::time::Duration;

use telemetry_core::extension::FailureReason;
use telemetry_core::limits;
use wasmtime::Trap;

use crate::bindings::types::PluginError;
use crate::state::{HostState, Stopped};
use crate::text::shown;

/// The reason of a call that wasmtime ended. The instance is lost.
pub(crate) fn of_call(error: &wasmtime::Error, state: &mut HostState, allowance: Duration) -> FailureReason {
    let words = state.last_words();
    if let Some(Stopped(reason)) = error.downcast_ref() {
        return reason.clone();
    }
    match error.downcast_ref::<Trap>() {
        Some(Trap::Interrupt | Trap::OutOfFuel) => FailureReason::Deadline(allowance),
        Some(trap) => state.limiter.refusal().unwrap_or_else(|| of_trap(*trap, words)),
        // What is neither a trap nor ours is the conversion's: strings that are not UTF-8, lists outside memory, values
        // that no case has, more bytes than an answer may have.
        None => FailureReason::Output(message(format!("{error:#}"))),
    }
}

/// The reason of an instance that could not be made.
pub(crate) fn of_birth(error: &wasmtime::Error, state: &mut HostState, allowance: Duration) -> FailureReason {
    match of_call(error, state, allowance) {
        FailureReason::Output(reason) => state
            .limiter
            .refusal()
            .unwrap_or_else(|| FailureReason::Other(format!("it cannot be instantiated: {reason}"))),
        reason => reason,
    }
}

/// The reason that the plugin itself gave. The instance is as good as before.
pub(crate) fn of_plugin(error: PluginError) -> FailureReason {
    match error {
        PluginError::InvalidConfig(reason) => FailureReason::Config(message(reason)),
        PluginError::Unsupported(reason) => FailureReason::Unsupported(message(reason)),
        PluginError::Transient(reason) => FailureReason::Transient(message(reason)),
        PluginError::Other(reason) => FailureReason::Other(message(reason)),
    }
}

/// Whether the instance must not be used again after this: it was ended by force, or its answers make no sense.
pub(crate) fn loses_instance(reason: &FailureReason) -> bool {
    matches!(
        reason,
        FailureReason::Trap(_)
            | FailureReason::Deadline(_)
            | FailureReason::Limit { .. }
            | FailureReason::Output(_)
    )
}

fn of_trap(trap: Trap, words: Option<String>) -> FailureReason {
    let what = trap.to_string();
    let what = what.strip_prefix("wasm trap: ").unwrap_or(&what);
    FailureReason::Trap(match words {
        Some(words) => message(format!("{what}; it said: {words}")),
        None => what.to_owned(),
    })
}

fn message(text: String) -> String {
    shown(text, limits::MAX_PLUGIN_MESSAGE_BYTES)
}
