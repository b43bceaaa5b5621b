//! Shipped sink `webhook`: posts each alert to a URL in the form of Alertmanager's webhook, version 4.
//!
//! One request per alert, with the alert's idempotency key in the header `Idempotency-Key`. An answer 2xx is a delivery; 408,
//! 425, 429, 5xx and a broken connection are tried again, not before `Retry-After`; any other answer is final. The URL's origin
//! must be in the plugin's grant; `${secret:NAME}` in a header's value is replaced by the host.
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests"))]

mod payload;

use std::collections::BTreeMap;
use std::time::Duration;

use bridge_telemetry_plugin::http::{HttpError, Request, Response};
use bridge_telemetry_plugin::{
    Alert, Outcome, Period, Plugin, PluginError, Result, Sink, export_sink, include_schema,
};
use schemars::JsonSchema;
use serde::Deserialize;

/// Characters of a refusing answer that are kept as the reason.
const REASON_CHARS: usize = 200;

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Where to post, `https` or `http`.
    url: String,
    /// Further headers. `${secret:NAME}` in a value is replaced by the host.
    #[serde(default)]
    headers: BTreeMap<String, String>,
    /// What the payload calls the receiver.
    #[serde(default = "default_receiver")]
    receiver: String,
    /// What the payload gives as the address of this system.
    #[serde(default)]
    external_url: String,
    /// Whether resolved alerts are sent too.
    #[serde(default = "yes")]
    send_resolved: bool,
    /// Time for one request.
    #[serde(default = "default_timeout")]
    timeout: Period,
}

fn default_receiver() -> String {
    "bridge-telemetry".to_owned()
}

const fn yes() -> bool {
    true
}

const fn default_timeout() -> Period {
    Period::from_seconds(10)
}

struct Webhook {
    config: Config,
}

impl Plugin for Webhook {
    const NAME: &'static str = "webhook";
    type Config = Config;
    const CONFIG_SCHEMA: Option<&'static str> = Some(include_schema!("../config.schema.json"));

    fn new(config: Config) -> Result<Self> {
        if !config.url.starts_with("https://") && !config.url.starts_with("http://") {
            return Err(PluginError::invalid_config("url must start with https:// or http://"));
        }
        if config.timeout.is_zero() {
            return Err(PluginError::invalid_config("timeout must be longer than nothing"));
        }
        Ok(Self { config })
    }
}

impl Sink for Webhook {
    fn deliver(&mut self, alert: &Alert, deadline: Duration) -> Result<Outcome> {
        let Config { url, headers, receiver, external_url, send_resolved, timeout } = &self.config;
        if !alert.is_firing() && !send_resolved {
            return Ok(Outcome::Delivered(Some("resolved alerts are not sent".to_owned())));
        }
        let mut request = Request::post(url)
            .header("Idempotency-Key", &alert.idempotency_key)
            .json(&payload::of(alert, receiver, external_url)?)
            .timeout(timeout.as_duration().min(deadline));
        for (name, value) in headers {
            request = request.header(name, value);
        }
        Ok(match request.send() {
            Ok(response) => judge(&response),
            Err(error @ (HttpError::Denied(_) | HttpError::TooLarge)) => Outcome::rejected(error.to_string()),
            Err(error) => Outcome::retry(error.to_string()),
        })
    }
}

fn judge(response: &Response) -> Outcome {
    let status = response.status;
    if response.is_success() {
        return Outcome::delivered();
    }
    let text: String = response.text().chars().take(REASON_CHARS).collect();
    let reason = format!("status {status}: {text}");
    if !matches!(status, 408 | 425 | 429 | 500..=599) {
        return Outcome::rejected(reason);
    }
    let seconds = response.header("Retry-After").and_then(|wait| wait.trim().parse().ok());
    match seconds {
        Some(seconds) => Outcome::retry_after(Duration::from_secs(seconds), reason),
        None => Outcome::retry(reason),
    }
}

export_sink!(Webhook);

#[cfg(test)]
mod tests {
    use super::*;
    use bridge_telemetry_plugin::testing::{self, AlertBuilder};

    const CONFIG: &str =
        r#"{"url":"https://chat.example/hook","headers":{"Authorization":"Bearer ${secret:CHAT}"}}"#;

    fn deliver(answer: Result<Response, HttpError>) -> Outcome {
        let mut plugin: Webhook = testing::restart(CONFIG, None).unwrap();
        testing::on_http(move |_| answer.clone());
        plugin.deliver(&AlertBuilder::firing("threshold", "cpu").build(), Duration::from_secs(2)).unwrap()
    }

    fn answer(status: u16, headers: &[(&str, &str)]) -> Result<Response, HttpError> {
        let headers = headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Ok(Response { status, headers, body: b"no".to_vec() })
    }

    #[test]
    fn posts_with_key_headers_and_the_shorter_time() {
        assert_eq!(deliver(answer(204, &[])), Outcome::delivered());
        let requests = testing::http_requests();
        let [request] = &requests[..] else { unreachable!() };
        assert_eq!((&*request.method, &*request.url), ("POST", "https://chat.example/hook"));
        assert_eq!(request.timeout, Duration::from_secs(2));
        let header = |name| request.headers.iter().find(|header| header.0 == name).map(|header| &*header.1);
        assert_eq!(header("Authorization"), Some("Bearer ${secret:CHAT}"), "the host puts the secret in");
        assert_eq!(header("Content-Type"), Some("application/json"));
        assert_eq!(header("Idempotency-Key"), Some("0196f3a0-0000-7000-8000-000000000001/firing/test"));
    }

    #[test]
    fn the_answer_decides_what_becomes_of_the_alert() {
        let refused = Outcome::rejected("status 400: no");
        assert_eq!(deliver(answer(400, &[])), refused);
        assert_eq!(deliver(answer(302, &[])), Outcome::rejected("status 302: no"));
        assert_eq!(deliver(answer(503, &[])), Outcome::retry("status 503: no"));
        let wait = Outcome::retry_after(Duration::from_secs(30), "status 429: no");
        assert_eq!(deliver(answer(429, &[("retry-after", "30")])), wait);
        assert_eq!(deliver(answer(429, &[("retry-after", "tomorrow")])), Outcome::retry("status 429: no"));
        assert_eq!(deliver(Err(HttpError::Timeout)), Outcome::retry("no answer in time"));
        assert!(matches!(deliver(Err(HttpError::Denied("origin".into()))), Outcome::Rejected(_)));
    }

    #[test]
    fn resolved_alerts_can_be_kept_back() {
        let mut plugin: Webhook =
            testing::restart(r#"{"url":"http://a","send_resolved":false}"#, None).unwrap();
        let outcome =
            plugin.deliver(&AlertBuilder::resolved("m", "k").build(), Duration::from_secs(1)).unwrap();
        assert!(matches!(outcome, Outcome::Delivered(Some(_))));
        assert!(testing::http_requests().is_empty());
        for wrong in ["{}", r#"{"url":"ftp://a"}"#, r#"{"url":"http://a","timeout":0}"#] {
            assert!(testing::restart::<Webhook>(wrong, None).is_err(), "{wrong}");
        }
    }

    #[test]
    fn schemas_are_current() {
        testing::schema::check_config::<Webhook>(concat!(env!("CARGO_MANIFEST_DIR"), "/config.schema.json"));
    }
}
