//! Kept states: what identifies the saved states of a function, so that a store may keep them instead of samples, and one such
//! state as a scan shows it.
//!
//! A store that keeps states has them made through [`Aggregation`] alone: it never knows whether a plugin stands behind it.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::extension::SavedState;
use crate::time::Timestamp;

/// What determines the saved states of a function. Of two functions with equal identities each can merge the other's states,
/// and both mean the same by them. The identity of a plugin's function changes with everything that may change its states.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StateIdentity {
    /// The function's name as it is shown.
    pub function: String,
    /// Its parameters as JSON, keys sorted; see [`StateIdentity::canonical`]. Empty where states do not depend on them.
    pub parameters: String,
    /// What made it: `built-in` and the version of its states, or the plugin's name, version, component and configuration.
    pub origin: String,
}

impl StateIdentity {
    /// Parameters as one text, whatever their order.
    pub fn canonical(parameters: &Map<String, Value>) -> String {
        let sorted: BTreeMap<&String, &Value> = parameters.iter().collect();
        serde_json::to_string(&sorted).unwrap_or_default()
    }

    /// The identity of states that serve whatever the parameters are, because somebody who knows the function says so.
    #[must_use]
    pub fn for_any_parameters(mut self) -> Self {
        self.parameters.clear();
        self
    }
}

/// Which kept states a scan may show: those of one function, in buckets of one width.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeptStates {
    /// Stands for the [`StateIdentity`] and the width.
    pub fingerprint: u64,
    /// Nanoseconds of a bucket; divides a day.
    pub width: i64,
}

/// The state of one function over the numeric samples of one series and bucket. `count` is never 0.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptState {
    /// Numeric samples that it has seen.
    pub count: u64,
    /// When the first of them was measured.
    pub first_time: Timestamp,
    /// When the last of them was measured.
    pub last_time: Timestamp,
    /// An accumulator that has seen them as its group 0, and no other group.
    pub state: SavedState,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_parameters_does_not_matter() {
        let canonical = |text: &str| StateIdentity::canonical(&serde_json::from_str(text).unwrap());
        assert_eq!(canonical(r#"{"q":0.99,"a":"x"}"#), canonical(r#"{"a":"x","q":0.990}"#));
        assert_ne!(canonical(r#"{"q":0.99}"#), canonical(r#"{"q":0.9}"#));
        assert_eq!(canonical("{}"), "{}");
    }
}
