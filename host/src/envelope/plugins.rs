//! What operators ask about plugins, as JSON in and envelopes out.

use serde_json::{Map, Value};
use telemetry_core::ErrorCode;
use telemetry_core::limits::{DEFAULT_LOG_LINES, MAX_KEPT_LOG_LINES};

use super::calls::one;
use super::failure::{Envelope, error_envelope};
use super::operator::expect_nothing;
use crate::host::Host;
use crate::plugins::{PluginSwitch, SwitchError};
use crate::query::QueryError;

/// Plugins at the JSON edge. Every call answers an envelope; none fails otherwise.
impl Host {
    /// Every plugin with its state.
    pub fn plugins_json(&self) -> Envelope {
        self.answered("plugins", || one("plugins", serde_json::to_value(self.plugins()).unwrap_or_default()))
    }

    /// Reloads a plugin; takes `{}` or nothing. `reloads` says what became of each copy.
    pub fn reload_plugin_json(&self, name: &str, body: &[u8]) -> Envelope {
        if let Err(error) = expect_nothing(body) {
            return Envelope::of_error(&error);
        }
        self.answered("reload_plugin", || match self.reload_plugin(name) {
            Ok(reports) => one("reloads", serde_json::to_value(reports).unwrap_or_default()),
            Err(error) => Envelope::of_error(&error),
        })
    }

    /// Disables a plugin and stops it; takes `{}` or nothing. `reloads` says what became of each copy that ran, `changed` whether it
    /// was not disabled already.
    pub fn disable_plugin_json(&self, name: &str, body: &[u8]) -> Envelope {
        self.switched("disable_plugin", body, || self.disable_plugin(name))
    }

    /// Enables a plugin and loads it; takes `{}` or nothing. `reloads` says what became of each copy that did not run, `changed`
    /// whether it was disabled.
    pub fn enable_plugin_json(&self, name: &str, body: &[u8]) -> Envelope {
        self.switched("enable_plugin", body, || self.enable_plugin(name))
    }

    fn switched(
        &self,
        call: &'static str,
        body: &[u8],
        switch: impl FnOnce() -> Result<PluginSwitch, SwitchError>,
    ) -> Envelope {
        if let Err(error) = expect_nothing(body) {
            return Envelope::of_error(&error);
        }
        self.answered(call, || match switch() {
            Ok(PluginSwitch { changed, reloads }) => Envelope::success(Map::from_iter([
                ("changed".to_owned(), changed.into()),
                ("reloads".to_owned(), serde_json::to_value(reloads).unwrap_or_default()),
            ])),
            Err(error) => Envelope::of_error(&error),
        })
    }

    /// The last lines of a plugin's log: `limit` of those with a number above `after`. `last` is the number to ask after next.
    pub fn plugin_log_json<'a>(
        &self,
        name: &str,
        pairs: impl IntoIterator<Item = (&'a str, &'a str)>,
    ) -> Envelope {
        let (after, limit) = match range(pairs) {
            Ok(range) => range,
            Err(error) => return Envelope::of_error(&error),
        };
        self.answered("plugin_log", || match self.plugin_log(name, after, limit) {
            Some(lines) => {
                let last = lines.last().map_or(after, |line| line.number);
                Envelope::success(Map::from_iter([
                    ("plugin".to_owned(), name.into()),
                    ("lines".to_owned(), serde_json::to_value(lines).unwrap_or_default()),
                    ("last".to_owned(), last.into()),
                ]))
            }
            None => no_such_plugin(name),
        })
    }
}

fn range<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<(u64, usize), QueryError> {
    let (mut after, mut limit) = (0, DEFAULT_LOG_LINES);
    for (key, value) in pairs {
        match key {
            "after" => after = value.parse().map_err(|_| QueryError::invalid(key, "must be a number"))?,
            "limit" => limit = value.parse().map_err(|_| QueryError::invalid(key, "must be a number"))?,
            _ => return Err(QueryError::invalid(key, "use after and limit")),
        }
    }
    Ok((after, limit.min(MAX_KEPT_LOG_LINES)))
}

fn no_such_plugin(name: &str) -> Envelope {
    let shown: String = name.chars().take(64).collect();
    let details: Map<String, Value> = Map::from_iter([("plugin".to_owned(), shown.as_str().into())]);
    error_envelope(ErrorCode::NotFound, &format!("no plugin and no receiver \"{shown}\" runs"), details)
}
