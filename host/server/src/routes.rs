//! The routes. Handlers only hand bytes to the host's JSON edge, on a thread that may block.
//!
//! Besides what the contract lists, for operators:
//!
//! | route | takes | answers |
//! |---|---|---|
//! | `GET /v1/dead-letters` | `receiver`, `alert_id`, `limit` (100; at most 10,000), all optional | `{"status","dead_letters":[{"alert":{…},"receiver","reason","since","attempts","forwarded_by","idempotency_key"}],"total"}`, oldest first |
//! | `POST /v1/dead-letters/replay` | `{"receiver","alert_id"}`; without `alert_id` all of the receiver | `{"status","replayed":n}`; 404 when there is none or no such receiver, 429 when the outbox is full |
//! | `POST /v1/store/backup` | `{"directory"}`, an absolute path that is absent or an empty directory | `{"status","last_sequence","made_at","files","bytes"}`, however long it takes |
//! | `GET /v1/store/stats` | `quick` (`true` leaves out what must be counted) | `{"status","store":{…},"limits":{…},"readers":{…},"partitions":[…],"families":[…]}` |
//! | `POST /v1/store/verify` | `{}` or nothing | `{"status","sound","tables","bytes","rows","families":[…],"findings":[{"family","file","rows","reason"}],"findings_left_out"}`, however long it takes |
//! | `POST /v1/plugins/{name}/reload` | `{}` or nothing | `{"status","reloads":[{"plugin","outcome",…}]}`, however long the component takes to compile; 404 when there is no such plugin, 500 when the new version was refused and the one before goes on |
//! | `POST /v1/plugins/{name}/disable` | `{}` or nothing | `{"status","changed","reloads":[{"plugin","outcome":"disabled",…}]}` when it has stopped, for good as by `plugin disable`; 404 when there is no such plugin or no folder of plugins, 400 when the configuration requires it |
//! | `POST /v1/plugins/{name}/enable` | `{}` or nothing | the same with `"outcome":"loaded"`, however long the component takes to compile; 500 when it was refused and does not run |
//! | `GET /v1/plugins/{name}/logs` | `after` (0), `limit` (100; at most 1,000), both optional | `{"status","plugin","lines":[{"number","timestamp","level","message","fields"}],"last":n}`, oldest first; `after` = `last` asks for what came since |
//! | `POST /v1/clock/accept` | `{}` or nothing | `{"status","time"}`: records expire by this clock from now on |

mod plugins;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::rejection::{PathRejection, QueryRejection};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderName, HeaderValue, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::{get, post};
use axum::{Router, middleware};
use bridge_telemetry::Host;
use bridge_telemetry::alerts::AlertFilter;
use bridge_telemetry::envelope::{Envelope, cause_chain};
use serde_json::{Map, Value, json};
use telemetry_core::{ErrorCode, limits};
use tokio::sync::Semaphore;
use tokio::time::Instant;
use tower_http::catch_panic::CatchPanicLayer;

use crate::answer::Answer;
use crate::body::{self, BodyError};
use crate::call_fault::CallFault;
use crate::fence::{self, Fence};
use crate::openapi::openapi_document;
use crate::refusals::{Reason, Refusals};
use crate::server::INSTANCE_HEADER;

/// What handlers share.
#[derive(Clone)]
struct Served {
    host: Arc<Host>,
    timeout: Duration,
    body_limit: usize,
    refusals: Arc<Refusals>,
    /// Those of the calls that may run at once which read the store.
    readers: Arc<Semaphore>,
    /// Whether this call is one of them.
    reads: bool,
}

/// All routes, behind the fence.
pub(crate) fn router(host: Arc<Host>, fence: Fence) -> Router {
    let server = &host.config().server;
    let body_limit = usize::try_from(server.max_body_bytes.0).unwrap_or(usize::MAX);
    let refusals = Arc::clone(fence.refusals());
    let served = Served {
        timeout: server.request_timeout.0,
        body_limit,
        refusals,
        host: Arc::clone(&host),
        readers: Arc::new(Semaphore::new(limits::MAX_READING_CALLS)),
        reads: false,
    };
    let instance = HeaderValue::from_str(&host.instance().to_string()).ok();
    Router::new()
        .route("/v1/events", post(record_events).get(query_events))
        .route("/v1/events/{id}", get(event))
        .route("/v1/metrics", post(record_metrics))
        .route("/v1/import", post(import))
        .route("/v1/query", post(query))
        .route("/v1/health", get(health))
        .route("/v1/alerts", get(alerts))
        .route("/v1/dead-letters", get(dead_letters))
        .route("/v1/dead-letters/replay", post(replay))
        .route("/v1/clock/accept", post(accept_clock))
        .route("/v1/store/backup", post(backup))
        .route("/v1/store/stats", get(store_stats))
        .route("/v1/store/verify", post(verify))
        .route("/v1/plugins", get(plugins::list))
        .route("/v1/plugins/{name}/reload", post(plugins::reload))
        .route("/v1/plugins/{name}/disable", post(plugins::disable))
        .route("/v1/plugins/{name}/enable", post(plugins::enable))
        .route("/v1/plugins/{name}/logs", get(plugins::log))
        .route("/v1/openapi.json", get(document))
        .fallback(no_such_route)
        .method_not_allowed_fallback(wrong_method)
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

/// Time of a request that reads the whole store.
const WHOLE_STORE_TIME: Duration = Duration::from_secs(24 * 3_600);

impl Served {
    /// For calls that read the store, which may take long: only so many run at once, the others wait for as long as they may take.
    /// So they leave threads to calls that record, and to health.
    fn reading(self) -> Self {
        Self { reads: true, ..self }
    }

    /// Runs a call of the host where it may block.
    async fn call(&self, call: impl FnOnce(&Host) -> Envelope + Send + 'static) -> Answer {
        self.call_by(Instant::now() + self.timeout, call).await
    }

    /// Runs a call with the request's body; reading it takes of the request's time.
    async fn call_with_body(
        &self,
        request: Request,
        call: impl FnOnce(&Host, &[u8]) -> Envelope + Send + 'static,
    ) -> Answer {
        self.call_with_body_within(Duration::ZERO, request, call).await
    }

    /// The same where the call itself may take `more` than the request's time: its body may not.
    async fn call_with_body_within(
        &self,
        more: Duration,
        request: Request,
        call: impl FnOnce(&Host, &[u8]) -> Envelope + Send + 'static,
    ) -> Answer {
        let deadline = Instant::now() + self.timeout;
        match tokio::time::timeout_at(deadline, body::read(request.into_body(), self.body_limit)).await {
            Ok(Ok(body)) => self.call_by(deadline + more, move |host| call(host, &body)).await,
            Ok(Err(error @ BodyError::TooLarge { limit })) => {
                let details = json!({"limit": limit, "unit": "bytes"});
                let answer = Answer::error(ErrorCode::PayloadTooLarge, &error.to_string(), object(details));
                self.refused(Reason::BodyTooLarge, answer)
            }
            Ok(Err(error @ BodyError::Broken(_))) => {
                let answer = Answer::error(ErrorCode::MalformedPayload, &cause_chain(&error), Map::new());
                self.refused(Reason::BodyBroken, answer)
            }
            Err(_) => self.refused(Reason::BodyLate, self.late("the body did not arrive in time")),
        }
    }

    /// The answer to a request that the host does not see.
    fn refused(&self, reason: Reason, answer: Answer) -> Answer {
        self.refusals.note(reason, &answer);
        answer
    }

    /// A call that takes too long is answered, and goes on to its end.
    async fn call_by(
        &self,
        deadline: Instant,
        call: impl FnOnce(&Host) -> Envelope + Send + 'static,
    ) -> Answer {
        let mut place = None;
        if self.reads {
            let free = tokio::time::timeout_at(deadline, Arc::clone(&self.readers).acquire_owned()).await;
            let Ok(Ok(free)) = free else { return self.refused(Reason::ReadersBusy, readers_busy()) };
            place = Some(free);
        }
        let host = Arc::clone(&self.host);
        let work = tokio::task::spawn_blocking(move || {
            // Until its end, also where nobody waits for that any more.
            let _place = place;
            call(&host)
        });
        match tokio::time::timeout_at(deadline, work).await {
            Ok(Ok(envelope)) => Answer(envelope),
            Ok(Err(error)) => CallFault::Broken(error).answer(&self.host),
            Err(_) => CallFault::Late { limit: self.timeout }.answer(&self.host),
        }
    }

    fn late(&self, message: &str) -> Answer {
        let seconds = self.timeout.as_secs_f64();
        let details = json!({"exception_type": "timeout", "context": format!("{seconds} s")});
        Answer::error(ErrorCode::OperationTimeout, message, object(details))
    }
}

fn readers_busy() -> Answer {
    let retry = u64::try_from(limits::OVERLOAD_RETRY.as_millis()).unwrap_or(u64::MAX);
    let message = format!("{} calls read the store already; try again", limits::MAX_READING_CALLS);
    Answer::error(ErrorCode::Overloaded, &message, object(json!({"retry_after_ms": retry})))
}

/// The pairs of a query string.
type Pairs = Result<Query<Vec<(String, String)>>, QueryRejection>;

fn unreadable(rejection: &QueryRejection) -> Answer {
    Answer::error(ErrorCode::InvalidQuery, &rejection.body_text(), Map::new())
}

fn texts(pairs: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> {
    pairs.iter().map(|(key, value)| (key.as_str(), value.as_str()))
}

async fn record_events(State(served): State<Served>, request: Request) -> Answer {
    served.call_with_body(request, Host::record_event_json).await
}

async fn record_metrics(State(served): State<Served>, request: Request) -> Answer {
    served.call_with_body(request, Host::record_metric_json).await
}

async fn import(State(served): State<Served>, request: Request) -> Answer {
    served.call_with_body(request, Host::import_json).await
}

async fn query(State(served): State<Served>, request: Request) -> Answer {
    served.reading().call_with_body(request, Host::query_json).await
}

async fn query_events(State(served): State<Served>, pairs: Pairs) -> Answer {
    match pairs {
        Ok(Query(pairs)) => served.reading().call(move |host| host.events_json(texts(&pairs))).await,
        Err(rejection) => unreadable(&rejection),
    }
}

async fn event(State(served): State<Served>, id: Result<Path<String>, PathRejection>) -> Answer {
    match id {
        Ok(Path(id)) => served.reading().call(move |host| host.event_json(&id)).await,
        Err(rejection) => Answer::error(ErrorCode::NotFound, &rejection.body_text(), Map::new()),
    }
}

async fn health(State(served): State<Served>) -> Answer {
    let refusals = Arc::clone(&served.refusals);
    served.call(move |host| refusals.shown_in(host.health_json())).await
}

async fn alerts(State(served): State<Served>, pairs: Pairs) -> Answer {
    let pairs = match pairs {
        Ok(Query(pairs)) => pairs,
        Err(rejection) => return unreadable(&rejection),
    };
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
    served.reading().call(move |host| host.alerts_json(filter)).await
}

async fn dead_letters(State(served): State<Served>, pairs: Pairs) -> Answer {
    match pairs {
        Ok(Query(pairs)) => served.reading().call(move |host| host.dead_letters_json(texts(&pairs))).await,
        Err(rejection) => unreadable(&rejection),
    }
}

async fn replay(State(served): State<Served>, request: Request) -> Answer {
    served.call_with_body(request, Host::replay_dead_letters_json).await
}

async fn accept_clock(State(served): State<Served>, request: Request) -> Answer {
    served.call_with_body(request, Host::accept_clock_json).await
}

async fn backup(State(served): State<Served>, request: Request) -> Answer {
    served.reading().call_with_body_within(WHOLE_STORE_TIME, request, Host::backup_json).await
}

async fn verify(State(served): State<Served>, request: Request) -> Answer {
    served.reading().call_with_body_within(WHOLE_STORE_TIME, request, Host::verify_json).await
}

async fn store_stats(State(served): State<Served>, pairs: Pairs) -> Answer {
    match pairs {
        Ok(Query(pairs)) => {
            let deadline = Instant::now() + WHOLE_STORE_TIME;
            served.reading().call_by(deadline, move |host| host.store_stats_json(texts(&pairs))).await
        }
        Err(rejection) => unreadable(&rejection),
    }
}

/// The one body that is no envelope.
async fn document() -> Answer {
    Answer(Envelope { body: openapi_document(), error: None })
}

async fn no_such_route(uri: axum::http::Uri) -> Answer {
    let details = object(json!({"path": uri.path()}));
    Answer::error(
        ErrorCode::NotFound,
        "there is nothing at this path; GET /v1/openapi.json lists the paths",
        details,
    )
}

/// The contract has no code of its own for this; HTTP has the status, and the methods in `Allow`.
async fn wrong_method(method: axum::http::Method, uri: axum::http::Uri) -> (StatusCode, Answer) {
    let details = object(json!({"path": uri.path(), "method": method.as_str()}));
    let message = "this path does not take this method; GET /v1/openapi.json lists them";
    (StatusCode::METHOD_NOT_ALLOWED, Answer::error(ErrorCode::NotFound, message, details))
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(map) => map,
        _ => Map::new(),
    }
}

#[cfg(test)]
mod tests {
    use bridge_telemetry::{Config, HostBuilder};

    use super::*;

    #[test]
    fn calls_that_read_leave_others_their_threads() {
        let config = Config::from_value(json!({"storage_config": {"backend": "memory"}})).unwrap();
        let host = Arc::new(HostBuilder::new(config).without_background().open().unwrap());
        let patient = Duration::from_secs(60);
        let served = |timeout: Duration, places: usize| Served {
            host: Arc::clone(&host),
            timeout,
            body_limit: 0,
            refusals: Arc::default(),
            readers: Arc::new(Semaphore::new(places)),
            reads: false,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        let crowded = served(Duration::ZERO, 0);
        let answer = runtime.block_on(crowded.clone().reading().call(Host::health_json));
        assert_eq!(answer.0.error, Some(ErrorCode::Overloaded));
        let counts = crowded.refusals.shown_in(host.health_json()).body;
        assert_eq!(counts["stats"]["refused_requests"]["readers_busy"], 1);
        let crowded = Served { timeout: patient, ..crowded };
        let answer = runtime.block_on(crowded.call(Host::health_json));
        assert_eq!(answer.0.error, None, "what does not read waits for nobody");
        let free = served(patient, 1);
        for _ in 0..3 {
            let answer = runtime.block_on(free.clone().reading().call(Host::health_json));
            assert_eq!(answer.0.error, None, "a place is free again");
        }
    }
}
