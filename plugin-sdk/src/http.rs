//! HTTP to the origins that the plugin's grant names, and nowhere else. For sinks.
//!
//! `${secret:NAME}` in a header's value or in the body is replaced by the host: the plugin never sees the secret. What others wrote,
//! such as an alert's texts, belongs into [`Request::json`], where it names none. Redirects are not followed. In native builds the
//! answers come from [`testing::on_http`](crate::testing::on_http).

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use crate::error::PluginError;

/// Time for one exchange unless said otherwise.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(10);

/// A request.
///
/// ```
/// use std::time::Duration;
/// use bridge_telemetry_plugin::http::{HttpError, Request, Response};
///
/// # bridge_telemetry_plugin::testing::on_http(|_| Ok(Response { status: 204, headers: vec![], body: vec![] }));
/// let response = Request::post("https://chat.example/hook")
///     .header("Authorization", "Bearer ${secret:CHAT_TOKEN}")
///     .json(&serde_json::json!({ "text": "disk full" }))
///     .timeout(Duration::from_secs(2))
///     .send()?;
/// assert!(response.is_success());
/// # Ok::<(), HttpError>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET`, `POST`, …
    pub method: String,
    /// Absolute, of a granted origin.
    pub url: String,
    /// Names and values, in order.
    pub headers: Vec<(String, String)>,
    /// Empty for none.
    pub body: Vec<u8>,
    /// Time for the whole exchange; the host may allow less.
    pub timeout: Duration,
}

impl Request {
    /// A request with any method.
    pub fn new(method: impl Into<String>, url: impl Into<String>) -> Self {
        let (method, url) = (method.into(), url.into());
        Self { method, url, headers: Vec::new(), body: Vec::new(), timeout: DEFAULT_TIMEOUT }
    }

    /// A `GET`.
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// A `POST`.
    pub fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }

    /// Sets the body. `${secret:NAME}` in it is replaced, whoever wrote it.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sets the body to JSON and says so in `Content-Type`. Its texts arrive as they are: `${secret:NAME}` in one of them names no
    /// secret. A value that JSON cannot express, such as a map with keys that are not text, becomes `null`.
    #[must_use]
    pub fn json<T: Serialize + ?Sized>(self, value: &T) -> Self {
        let body = serde_json::to_vec(value).unwrap_or_else(|_| b"null".to_vec());
        self.header("Content-Type", "application/json").body(without_references(&body))
    }

    /// Sets the time for the whole exchange.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// Sends it and waits for the answer.
    ///
    /// # Errors
    /// When there is no answer. An answer with an error status is an answer.
    #[cfg(target_arch = "wasm32")]
    pub fn send(self) -> Result<Response, HttpError> {
        use crate::bindings::imports::outbound_http as host;
        let headers = self.headers.into_iter().map(|(name, value)| host::Header { name, value }).collect();
        let timeout_milliseconds = crate::milliseconds(self.timeout);
        let (method, url, body) = (self.method, self.url, self.body);
        let response = host::send(&host::Request { method, url, headers, body, timeout_milliseconds })?;
        let headers = response.headers.into_iter().map(|header| (header.name, header.value)).collect();
        Ok(Response { status: response.status, headers, body: response.body })
    }

    /// Sends it and waits for the answer.
    ///
    /// # Errors
    /// When there is no answer. An answer with an error status is an answer.
    #[cfg(not(target_arch = "wasm32"))]
    pub fn send(self) -> Result<Response, HttpError> {
        crate::testing::host::answer_http(&self)
    }
}

/// The same JSON without `${`, which the host would look at: in JSON it only stands within texts, where it can be written otherwise.
fn without_references(json: &[u8]) -> Vec<u8> {
    let mut written = Vec::with_capacity(json.len());
    let mut rest = json;
    while let Some((&byte, after)) = rest.split_first() {
        match (byte, after.first()) {
            (b'$', Some(b'{')) => written.extend_from_slice(br"\u0024"),
            _ => written.push(byte),
        }
        rest = after;
    }
    written
}

/// The far side's answer, whatever its status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Response {
    /// The HTTP status.
    pub status: u16,
    /// Names and values, in order.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Response {
    /// Whether the status is 2xx.
    pub const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }

    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(found, _)| found.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The body as text, with replacement characters where it is not UTF-8.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum HttpError {
    /// Not granted: the message names the rule. Trying again will not help.
    Denied(String),
    /// No full answer in time.
    Timeout,
    /// No connection, or it broke.
    Connection(String),
    /// The request or its answer is over the host's size limit.
    TooLarge,
    /// Anything else, such as a malformed URL.
    Other(String),
}

impl fmt::Display for HttpError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (what, detail) = match self {
            Self::Denied(rule) => ("not granted: ", &**rule),
            Self::Timeout => ("no answer in time", ""),
            Self::Connection(why) => ("connection failed: ", &**why),
            Self::TooLarge => ("over the size limit", ""),
            Self::Other(why) => ("", &**why),
        };
        formatter.write_str(what)?;
        formatter.write_str(detail)
    }
}

impl std::error::Error for HttpError {}

impl From<HttpError> for PluginError {
    fn from(error: HttpError) -> Self {
        let message = error.to_string();
        match error {
            HttpError::Timeout | HttpError::Connection(_) => Self::Transient(message),
            HttpError::Denied(_) => Self::InvalidConfig(message),
            HttpError::TooLarge | HttpError::Other(_) => Self::Other(message),
        }
    }
}

#[cfg(target_arch = "wasm32")]
impl From<crate::bindings::imports::outbound_http::Failure> for HttpError {
    fn from(failure: crate::bindings::imports::outbound_http::Failure) -> Self {
        use crate::bindings::imports::outbound_http::Failure;
        match failure {
            Failure::Denied(rule) => Self::Denied(rule),
            Failure::Timeout => Self::Timeout,
            Failure::Connection(why) => Self::Connection(why),
            Failure::TooLarge => Self::TooLarge,
            Failure::Other(why) => Self::Other(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_in_json_name_no_secret_and_arrive_as_they_are() {
        let texts = serde_json::json!({
            "${secret:A}": "${secret:A} $${secret:B}",
            "escaped": "\\${secret:A}\"$",
            "harmless": ["$", "{", "$ {", "100 $", "\u{e4}"],
        });
        let body = Request::post("http://a").json(&texts).body;
        let text = std::str::from_utf8(&body).unwrap();
        assert!(!text.contains("${"), "{text}");
        assert_eq!(serde_json::from_str::<serde_json::Value>(text).unwrap(), texts);
        assert_eq!(Request::post("http://a").body("${secret:A}").body, b"${secret:A}");
    }
}
