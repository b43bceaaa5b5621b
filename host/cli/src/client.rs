//! Talks to a running host over HTTP.

use std::time::Duration;

use bridge_telemetry::envelope::Envelope;
use bridge_telemetry_server::INSTANCE_HEADER;
use serde_json::Value;
use telemetry_core::{ErrorCode, json, limits};
use ureq::http::Response;
use ureq::{Agent, Body};

use crate::exit::Failure;
use crate::host_file::HostAddress;

/// Time for the question whether the host is there; it answers in well under a millisecond when it is. On a machine that is busy it may
/// take long, and a host that is taken for gone holds its store all the same.
const PROBE_TIME: Duration = Duration::from_secs(10);
/// Time for one call, beyond the server's own limit.
const CALL_TIME: Duration = Duration::from_secs(120);
/// Time for a call that reads the whole store.
const WHOLE_STORE_TIME: Duration = Duration::from_secs(24 * 3_600);
/// Largest answer in bytes.
const MAX_ANSWER_BYTES: u64 = 256 << 20;

/// A running host.
pub(crate) struct Client {
    agent: Agent,
    base: String,
}

impl Client {
    /// The host that the file names, if that very instance answers.
    pub(crate) fn reach(host: &HostAddress) -> Option<Self> {
        let base = format!("http://{}", host.address);
        let agent = |time| -> Agent {
            Agent::config_builder()
                .timeout_global(Some(time))
                .http_status_as_error(false)
                .max_redirects(0)
                .proxy(None)
                .build()
                .into()
        };
        let answer = agent(PROBE_TIME).get(format!("{base}/v1/health")).call().ok()?;
        let instance = answer.headers().get(INSTANCE_HEADER)?.to_str().ok()?;
        (instance == host.instance.to_string()).then(|| Self { agent: agent(CALL_TIME), base })
    }

    pub(crate) fn get(&self, path: &str, pairs: &[(&str, &str)]) -> Result<Envelope, Failure> {
        let request = self.agent.get(format!("{}{path}", self.base)).query_pairs(pairs.iter().copied());
        self.envelope(request.call())
    }

    /// A request for which the whole store may be read.
    pub(crate) fn get_unhurried(&self, path: &str, pairs: &[(&str, &str)]) -> Result<Envelope, Failure> {
        let request = self.agent.get(format!("{}{path}", self.base)).query_pairs(pairs.iter().copied());
        self.envelope(request.config().timeout_global(Some(WHOLE_STORE_TIME)).build().call())
    }

    pub(crate) fn post(&self, path: &str, body: &[u8]) -> Result<Envelope, Failure> {
        let request = self.agent.post(format!("{}{path}", self.base)).content_type("application/json");
        self.envelope(request.send(body))
    }

    /// A request that reads the whole store.
    pub(crate) fn post_unhurried(&self, path: &str, body: &[u8]) -> Result<Envelope, Failure> {
        let request = self.agent.post(format!("{}{path}", self.base)).content_type("application/json");
        self.envelope(request.config().timeout_global(Some(WHOLE_STORE_TIME)).build().send(body))
    }

    fn envelope(&self, answer: Result<Response<Body>, ureq::Error>) -> Result<Envelope, Failure> {
        let text = answer
            .and_then(|mut answer| answer.body_mut().with_config().limit(MAX_ANSWER_BYTES).read_to_vec())
            .map_err(|error| self.unreachable(error.into(), "does not answer"))?;
        let body =
            parsed(&text).map_err(|error| self.unreachable(error.into(), "does not answer in JSON"))?;
        Ok(envelope(body))
    }

    fn unreachable(&self, error: anyhow::Error, what: &str) -> Failure {
        Failure::unreachable(error.context(format!("the host at {} {what}", self.base)))
    }
}

/// An answer; what makes it too deep to be parsed is elided. Events that were stored before their depth had a limit do so:
/// one of them must not hide all others.
fn parsed(text: &[u8]) -> serde_json::Result<Value> {
    serde_json::from_slice(text).or_else(|error| {
        let text = String::from_utf8_lossy(text);
        serde_json::from_str(&json::elided(&text, limits::MAX_PARSED_JSON_DEPTH)).map_err(|_| error)
    })
}

/// A name as one segment of a path.
pub(crate) fn segment(name: &str) -> String {
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    name.bytes()
        .map(|byte| if plain(&byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

fn envelope(body: Value) -> Envelope {
    let error = match body.pointer("/error/code").and_then(Value::as_str) {
        Some(code) => ErrorCode::ALL.into_iter().find(|known| known.as_str() == code),
        None if body.get("status").and_then(Value::as_str) == Some("error") => {
            Some(ErrorCode::UnexpectedError)
        }
        None => None,
    };
    Envelope { body, error }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_event_that_is_too_deep_hides_no_other() {
        let deep = "[".repeat(126) + &"]".repeat(126);
        let page = format!("{{\"events\":[{{\"data\":{deep},\"n\":1}},{{\"n\":2}}]}}");
        assert!(serde_json::from_str::<Value>(&page).is_err());
        let events = parsed(page.as_bytes()).unwrap()["events"].clone();
        assert_eq!((&events[0]["n"], &events[1]["n"]), (&Value::from(1), &Value::from(2)));
        assert!(events[0]["data"].to_string().contains(json::ELIDED));
        assert!(parsed(b"<html>").is_err());
    }
}
