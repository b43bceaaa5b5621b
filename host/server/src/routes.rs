//! The routes. Handlers only hand bytes to the host's JSON edge, on a thread that may block.

use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::extract::rejection::BytesRejection;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Router, middleware};
use bridge_telemetry::Host;
use bridge_telemetry::alerts::AlertFilter;
use bridge_telemetry::envelope::Envelope;
use serde_json::{Map, Value, json};
use telemetry_core::ErrorCode;
use tower_http::catch_panic::CatchPanicLayer;

use crate::answer::Answer;
use crate::fence::{self, Fence};
use crate::openapi::openapi_document;
use crate::server::INSTANCE_HEADER;

/// What handlers share.
#[derive(Clone)]
struct Served {
    host: Arc<Host>,
    timeout: Duration,
    body_limit: usize,
}

/// All routes, behind the fence.
pub(crate) fn router(host: Arc<Host>, fence: Fence) -> Router {
    let server = &host.config().server;
    let body_limit = usize::try_from(server.max_body_bytes.0).unwrap_or(usize::MAX);
    let served = Served { timeout: server.request_timeout.0, body_limit, host: Arc::clone(&host) };
    let instance = HeaderValue::from_str(&host.instance().to_string()).ok();
    Router::new()
        .route("/v1/events", post(record_events).get(query_events))
        .route("/v1/events/{id}", get(event))
        .route("/v1/metrics", post(record_metrics))
        .route("/v1/import", post(import))
        .route("/v1/query", post(query))
        .route("/v1/health", get(health))
        .route("/v1/alerts", get(alerts))
        .route("/v1/plugins", get(plugins))
        .route("/v1/openapi.json", get(async || axum::Json(openapi_document())))
        .fallback(no_such_route)
        .method_not_allowed_fallback(wrong_method)
        .layer(DefaultBodyLimit::max(body_limit))
        .layer(middleware::from_fn_with_state(fence, fence::check))
        .layer(CatchPanicLayer::custom(|_: Box<dyn std::any::Any + Send>| {
            Answer::error(ErrorCode::UnexpectedError, "the request could not be handled", Map::new())
                .into_response()
        }))
        .layer(middleware::map_response(move |mut response: Response<Body>| {
            if let Some(instance) = &instance {
                response.headers_mut().insert(HeaderName::from_static(INSTANCE_HEADER), instance.clone());
            }
            std::future::ready(response)
        }))
        .with_state(served)
}

impl Served {
    /// Runs a call of the host where it may block. A call that takes too long is answered, and goes on to its end.
    async fn call(&self, call: impl FnOnce(&Host) -> Envelope + Send + 'static) -> Answer {
        let host = Arc::clone(&self.host);
        let work = tokio::task::spawn_blocking(move || call(&host));
        match tokio::time::timeout(self.timeout, work).await {
            Ok(Ok(envelope)) => Answer(envelope),
            Ok(Err(error)) => {
                let details = json!({"exception_type": "panic", "context": error.to_string()});
                Answer::error(ErrorCode::UnexpectedError, "the call could not be completed", object(details))
            }
            Err(_) => {
                let seconds = self.timeout.as_secs_f64();
                let details = json!({"exception_type": "timeout", "context": format!("{seconds} s")});
                Answer::error(ErrorCode::OperationTimeout, "the call took too long", object(details))
            }
        }
    }

    async fn call_with_body(
        &self,
        body: Result<Bytes, BytesRejection>,
        call: impl FnOnce(&Host, &[u8]) -> Envelope + Send + 'static,
    ) -> Answer {
        match body {
            Ok(body) => self.call(move |host| call(host, &body)).await,
            Err(rejection) if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE => {
                let details = json!({"limit": self.body_limit, "unit": "bytes"});
                let message = format!("the body is over the limit of {} bytes", self.body_limit);
                Answer::error(ErrorCode::PayloadTooLarge, &message, object(details))
            }
            Err(rejection) => Answer::error(ErrorCode::MalformedPayload, &rejection.body_text(), Map::new()),
        }
    }
}

async fn record_events(State(served): State<Served>, body: Result<Bytes, BytesRejection>) -> Answer {
    served.call_with_body(body, Host::record_event_json).await
}

async fn record_metrics(State(served): State<Served>, body: Result<Bytes, BytesRejection>) -> Answer {
    served.call_with_body(body, Host::record_metric_json).await
}

async fn import(State(served): State<Served>, body: Result<Bytes, BytesRejection>) -> Answer {
    served.call_with_body(body, Host::import_json).await
}

async fn query(State(served): State<Served>, body: Result<Bytes, BytesRejection>) -> Answer {
    served.call_with_body(body, Host::query_json).await
}

async fn query_events(State(served): State<Served>, Query(pairs): Query<Vec<(String, String)>>) -> Answer {
    served
        .call(move |host| host.events_json(pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))))
        .await
}

async fn event(State(served): State<Served>, Path(id): Path<String>) -> Answer {
    served.call(move |host| host.event_json(&id)).await
}

async fn health(State(served): State<Served>) -> Answer {
    served.call(Host::health_json).await
}

async fn alerts(State(served): State<Served>, Query(pairs): Query<Vec<(String, String)>>) -> Answer {
    let mut filter = AlertFilter::All;
    for (key, value) in &pairs {
        match (key.as_str(), value.parse()) {
            ("status", Ok(asked)) => filter = asked,
            _ => {
                let details = object(json!({"parameter": key, "value": value}));
                let message = "use status=firing, status=resolved or status=all";
                return Answer::error(ErrorCode::InvalidQuery, message, details);
            }
        }
    }
    served.call(move |host| host.alerts_json(filter)).await
}

async fn plugins(State(served): State<Served>) -> Answer {
    served.call(Host::plugins_json).await
}

async fn no_such_route(uri: axum::http::Uri) -> Answer {
    let details = object(json!({"path": uri.path()}));
    Answer::error(
        ErrorCode::NotFound,
        "there is nothing at this path; GET /v1/openapi.json lists the paths",
        details,
    )
}

async fn wrong_method(method: axum::http::Method, uri: axum::http::Uri) -> Answer {
    let details = object(json!({"path": uri.path(), "method": method.as_str()}));
    Answer::error(
        ErrorCode::NotFound,
        "this path does not take this method; GET /v1/openapi.json lists them",
        details,
    )
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}
