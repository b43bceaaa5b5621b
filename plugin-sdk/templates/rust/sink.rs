//! Posts each alert as JSON.

use std::time::Duration;

use bridge_telemetry_plugin::http::Request;
use bridge_telemetry_plugin::{Alert, Outcome, Plugin, Result, Sink, export_sink};
use schemars::JsonSchema;
use serde::Deserialize;

#[derive(Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
struct Config {
    /// Where to post; its origin must be granted.
    url: String,
}

impl Default for Config {
    fn default() -> Self {
        Self { url: "https://hooks.example.com/alerts".to_owned() }
    }
}

struct PostAlerts(Config);

impl Plugin for PostAlerts {
    const NAME: &'static str = "{{name}}";
    type Config = Config;

    fn new(config: Config) -> Result<Self> {
        Ok(Self(config))
    }
}

impl Sink for PostAlerts {
    fn deliver(&mut self, alert: &Alert, deadline: Duration) -> Result<Outcome> {
        let text = format!("{}: {}", alert.status.as_str(), alert.summary);
        let body = bridge_telemetry_plugin::serde_json::json!({ "text": text });
        let request = Request::post(&self.0.url).json(&body).timeout(deadline);
        Ok(match request.send() {
            Ok(response) if response.is_success() => Outcome::delivered(),
            Ok(response) if response.status < 500 => Outcome::rejected("the far side refused it"),
            Ok(_) => Outcome::retry("the far side failed"),
            Err(_) => Outcome::retry("no answer"),
        })
    }
}

export_sink!(PostAlerts);
