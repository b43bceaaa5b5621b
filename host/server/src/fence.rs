//! What is refused before a handler sees it: foreign Host headers, which a web page in a browser on this machine could
//! send by DNS rebinding, and bodies that are not declared as JSON, which a page could send without being asked.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{Method, Response, header};
use axum::middleware::Next;
use axum::response::IntoResponse;
use serde_json::{Map, Value};
use telemetry_core::ErrorCode;

use crate::answer::Answer;

/// Which requests may pass.
#[derive(Clone, Debug)]
pub(crate) struct Fence {
    hosts: Arc<Vec<String>>,
}

impl Fence {
    /// The address itself and `localhost`, with the port; and configured names, with or without it.
    pub(crate) fn new(address: SocketAddr, allowed: Vec<String>) -> Self {
        let port = address.port();
        let mut hosts = vec![address.to_string(), format!("localhost:{port}")];
        for name in allowed {
            let name = name.to_ascii_lowercase();
            hosts.push(format!("{name}:{port}"));
            hosts.push(name);
        }
        Self { hosts: Arc::new(hosts) }
    }

    fn admits(&self, host: Option<&str>) -> bool {
        host.is_some_and(|host| self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host)))
    }
}

/// Lets a request pass, or answers why not.
pub(crate) async fn check(State(fence): State<Fence>, request: Request, next: Next) -> Response<Body> {
    let headers = request.headers();
    let host = headers.get(header::HOST).and_then(|value| value.to_str().ok());
    if !fence.admits(host) {
        return refuse("the Host header names another host", "host", host);
    }
    if request.method() == Method::POST {
        let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
        if !is_json(content_type) {
            return refuse("the body must be application/json", "content_type", content_type);
        }
    }
    next.run(request).await
}

fn is_json(content_type: Option<&str>) -> bool {
    let essence = content_type.and_then(|value| value.split(';').next()).map(str::trim);
    essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"))
}

fn refuse(message: &str, what: &str, found: Option<&str>) -> Response<Body> {
    let details = Map::from_iter([(what.to_owned(), found.map_or(Value::Null, Value::from))]);
    Answer::error(ErrorCode::MalformedPayload, message, details).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_names_pass() {
        let fence = Fence::new("127.0.0.1:4600".parse().unwrap(), vec!["Telemetry.example".to_owned()]);
        for host in ["127.0.0.1:4600", "localhost:4600", "LOCALHOST:4600", "telemetry.example"] {
            assert!(fence.admits(Some(host)), "{host}");
        }
        for host in ["localhost", "evil.example:4600", "127.0.0.1:80", ""] {
            assert!(!fence.admits(Some(host)), "{host}");
        }
        assert!(!fence.admits(None));
    }

    #[test]
    fn json_with_parameters_is_json() {
        assert!(is_json(Some("application/json; charset=utf-8")));
        assert!(is_json(Some("Application/JSON")));
        assert!(!is_json(Some("text/plain")));
        assert!(!is_json(None));
    }
}
