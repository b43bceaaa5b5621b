//! The routes of plugins.

use std::time::Duration;

use axum::extract::rejection::PathRejection;
use axum::extract::{Path, Query, Request, State};
use bridge_telemetry::Host;
use bridge_telemetry::envelope::Envelope;
use serde_json::Map;
use telemetry_core::ErrorCode;

use super::{Pairs, Served, texts, unreadable};
use crate::answer::Answer;

/// Time of a request that compiles a component: an interpreter takes some ten seconds.
const COMPILE_TIME: Duration = Duration::from_secs(600);

/// A plugin's name, as the path has it.
type Name = Result<Path<String>, PathRejection>;

pub(super) async fn list(State(served): State<Served>) -> Answer {
    served.call(Host::plugins_json).await
}

pub(super) async fn reload(State(served): State<Served>, name: Name, request: Request) -> Answer {
    of_one(served, name, request, Host::reload_plugin_json).await
}

pub(super) async fn disable(State(served): State<Served>, name: Name, request: Request) -> Answer {
    of_one(served, name, request, Host::disable_plugin_json).await
}

pub(super) async fn enable(State(served): State<Served>, name: Name, request: Request) -> Answer {
    of_one(served, name, request, Host::enable_plugin_json).await
}

pub(super) async fn log(State(served): State<Served>, name: Name, pairs: Pairs) -> Answer {
    match (name, pairs) {
        (Ok(Path(name)), Ok(Query(pairs))) => {
            served.call(move |host| host.plugin_log_json(&name, texts(&pairs))).await
        }
        (Err(rejection), _) => no_name(&rejection),
        (_, Err(rejection)) => unreadable(&rejection),
    }
}

/// A call about one plugin, which may have to wait until a component is compiled.
async fn of_one(
    served: Served,
    name: Name,
    request: Request,
    call: fn(&Host, &str, &[u8]) -> Envelope,
) -> Answer {
    let name = match name {
        Ok(Path(name)) => name,
        Err(rejection) => return no_name(&rejection),
    };
    served.call_with_body_within(COMPILE_TIME, request, move |host, body| call(host, &name, body)).await
}

fn no_name(rejection: &PathRejection) -> Answer {
    Answer::error(ErrorCode::NotFound, &rejection.body_text(), Map::new())
}
