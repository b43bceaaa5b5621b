//! What is refused before a handler sees it: foreign Host headers, which a web page in a browser on this machine could
//! send by DNS rebinding, and bodies that are not declared as JSON, which a page could send without being asked.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{Method, Response, header};
use axum::middleware::Next;
use axum::response::IntoResponse;
use serde_json::{Map, Value};
use telemetry_core::ErrorCode;

use crate::answer::Answer;
use crate::body;
use crate::refusals::{Reason, Refusals};

/// Which requests may pass.
#[derive(Clone, Debug)]
pub(crate) struct Fence {
    hosts: Arc<Vec<String>>,
    /// How long a refused body may take.
    patience: Duration,
    refusals: Arc<Refusals>,
}

impl Fence {
    /// The address itself and `localhost`, with the port; and configured names, with or without it.
    pub(crate) fn new(address: SocketAddr, allowed: Vec<String>, patience: Duration) -> Self {
        let port = address.port();
        let mut hosts = vec![address.to_string(), format!("localhost:{port}")];
        for name in allowed {
            let name = name.to_ascii_lowercase();
            hosts.push(format!("{name}:{port}"));
            hosts.push(name);
        }
        Self { hosts: Arc::new(hosts), patience, refusals: Arc::default() }
    }

    /// What was refused here, and what else is refused before the host sees it.
    pub(crate) fn refusals(&self) -> &Arc<Refusals> {
        &self.refusals
    }

    fn admits(&self, host: Option<&str>) -> bool {
        host.is_some_and(|host| self.hosts.iter().any(|known| known.eq_ignore_ascii_case(host)))
    }
}

/// Lets a request pass, or answers why not.
pub(crate) async fn check(State(fence): State<Fence>, request: Request, next: Next) -> Response<Body> {
    match objection(&fence, &request) {
        None => next.run(request).await,
        Some((reason, answer)) => {
            fence.refusals.note(reason, &answer);
            // The request's time is short enough for whoever sends on and on.
            let _ = tokio::time::timeout(fence.patience, body::discard(request.into_body())).await;
            answer.into_response()
        }
    }
}

fn objection(fence: &Fence, request: &Request) -> Option<(Reason, Answer)> {
    let headers = request.headers();
    let target = request.uri().authority().map(Authority::as_str);
    let named = headers.get_all(header::HOST).iter().map(|value| value.to_str().ok());
    // A target with a host of its own counts for more than the header; both must be ours, and the header stand alone.
    let mut hosts = named.chain(target.map(Some));
    if headers.get_all(header::HOST).iter().count() != 1 || !hosts.all(|host| fence.admits(host)) {
        let host = target.or_else(|| headers.get(header::HOST).and_then(|value| value.to_str().ok()));
        return Some((Reason::ForeignHost, refusal("the Host header names another host", "host", host)));
    }
    let content_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if request.method() == Method::POST && !is_json(content_type) {
        let answer = refusal("the body must be application/json", "content_type", content_type);
        return Some((Reason::ContentType, answer));
    }
    None
}

fn is_json(content_type: Option<&str>) -> bool {
    let essence = content_type.and_then(|value| value.split(';').next()).map(str::trim);
    essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"))
}

fn refusal(message: &str, what: &str, found: Option<&str>) -> Answer {
    let details = Map::from_iter([(what.to_owned(), found.map_or(Value::Null, Value::from))]);
    Answer::error(ErrorCode::MalformedPayload, message, details)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fence() -> Fence {
        let allowed = vec!["Telemetry.example".to_owned()];
        Fence::new("127.0.0.1:4600".parse().unwrap(), allowed, Duration::from_secs(1))
    }

    #[test]
    fn a_target_or_a_second_header_cannot_name_another_host() {
        let passes = |target: &str, hosts: &[&str]| {
            let request = hosts
                .iter()
                .fold(Request::builder().uri(target), |request, host| request.header(header::HOST, *host));
            objection(&fence(), &request.body(Body::empty()).unwrap()).is_none()
        };
        assert!(passes("/v1/health", &["localhost:4600"]));
        assert!(passes("http://localhost:4600/v1/health", &["127.0.0.1:4600"]));
        assert!(!passes("http://evil.example/v1/health", &["localhost:4600"]));
        assert!(!passes("/v1/health", &["localhost:4600", "evil.example"]));
        assert!(!passes("/v1/health", &[]));
    }

    #[test]
    fn only_our_own_names_pass() {
        let fence = fence();
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
