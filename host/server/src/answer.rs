//! From envelopes to HTTP answers.

use axum::body::Body;
use axum::http::{HeaderValue, Response, StatusCode, header};
use axum::response::IntoResponse;
use bridge_telemetry::envelope::{Envelope, error_envelope};
use serde_json::{Map, Value};
use telemetry_core::ErrorCode;

/// An envelope on its way out.
pub(crate) struct Answer(pub(crate) Envelope);

impl Answer {
    pub(crate) fn error(code: ErrorCode, message: &str, details: Map<String, Value>) -> Self {
        Self(error_envelope(code, message, details))
    }
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response<Body> {
        let Envelope { body, error } = self.0;
        let status = error.map_or(StatusCode::OK, |code| {
            StatusCode::from_u16(code.http_status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
        });
        let mut response = Response::new(Body::from(body.to_string()));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if error == Some(ErrorCode::Overloaded) {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(retry_after_seconds(&body)));
        }
        response
    }
}

/// Whole seconds, rounded up: the header knows no fractions.
fn retry_after_seconds(body: &Value) -> u64 {
    let millis = body.pointer("/error/details/retry_after_ms").and_then(Value::as_u64).unwrap_or(1000);
    millis.div_ceil(1000).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn overload_says_when_to_come_back() {
        let details = Map::from_iter([("retry_after_ms".to_owned(), 1500.into())]);
        let response = Answer::error(ErrorCode::Overloaded, "later", details).into_response();
        assert_eq!(response.status(), 429);
        assert_eq!(response.headers()[header::RETRY_AFTER], "2");
    }
}
