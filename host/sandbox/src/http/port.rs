//! Answers to HTTP requests from elsewhere than the network: what a test recorded.

use ureq::http::Request;

use super::refusal::Unanswered;
use crate::bindings::outbound_http::{Failure, Header, Response};

/// A request that the plugin's grant allows, with its secrets in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpRequest {
    /// The method in capitals.
    pub method: String,
    /// The absolute URL.
    pub url: String,
    /// Names in small letters, in order.
    pub headers: Vec<(String, String)>,
    /// Empty for none.
    pub body: Vec<u8>,
}

/// The far side's answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HttpAnswer {
    /// The HTTP status.
    pub status: u16,
    /// In order.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HttpFault {
    /// No full answer in time.
    #[error("no answer in time")]
    Timeout,
    /// No connection, or it broke.
    #[error("no connection: {0}")]
    Connection(String),
}

/// Stands in place of the network.
pub trait HttpPort: Send + Sync + std::fmt::Debug {
    /// Answers a request that was checked.
    fn send(&self, request: HttpRequest) -> Result<HttpAnswer, HttpFault>;
}

/// Hands a checked request to `port`.
pub(super) fn answered(port: &dyn HttpPort, request: Request<Vec<u8>>) -> Result<Response, Unanswered> {
    let (parts, body) = request.into_parts();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let headers =
        parts.headers.iter().map(|(name, value)| (name.to_string(), text(value.as_bytes()))).collect();
    let request = HttpRequest { method: parts.method.to_string(), url: parts.uri.to_string(), headers, body };
    match port.send(request) {
        Ok(answer) => Ok(Response {
            status: answer.status,
            headers: answer.headers.into_iter().map(|(name, value)| Header { name, value }).collect(),
            body: answer.body,
        }),
        Err(HttpFault::Timeout) => Err(Unanswered::Failed(Failure::Timeout)),
        Err(HttpFault::Connection(reason)) => Err(Unanswered::Failed(Failure::Connection(reason))),
    }
}
