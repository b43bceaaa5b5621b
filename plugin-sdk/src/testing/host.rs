//! The stand-in for the host: what the plugin said, and what it is answered. One per thread.

use std::cell::RefCell;
use std::collections::BTreeMap;

use crate::error::{PluginError, Result};
use crate::http::{HttpError, Request, Response};
use crate::log::Level;
use crate::plugin::{self, Plugin};

/// What a plugin wrote to its log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEntry {
    /// How important it is.
    pub level: Level,
    /// The message.
    pub message: String,
    /// An object as JSON text, or nothing.
    pub fields_json: String,
}

type HttpAnswer = Box<dyn FnMut(&Request) -> Result<Response, HttpError>>;
type QueryAnswer = Box<dyn FnMut(&str) -> Result<String>>;

#[derive(Default)]
struct Host {
    logs: Vec<LogEntry>,
    counters: BTreeMap<String, u64>,
    gauges: BTreeMap<String, f64>,
    keys: BTreeMap<String, Vec<u8>>,
    requests: Vec<Request>,
    http: Option<HttpAnswer>,
    query: Option<QueryAnswer>,
}

thread_local! {
    static HOST: RefCell<Host> = RefCell::default();
}

fn with<T>(act: impl FnOnce(&mut Host) -> T) -> T {
    HOST.with_borrow_mut(act)
}

/// What was logged so far on this thread.
pub fn logs() -> Vec<LogEntry> {
    with(|host| host.logs.clone())
}

/// A counter's value; 0 if it was never added to.
pub fn counter(name: &str) -> u64 {
    with(|host| host.counters.get(name).copied().unwrap_or_default())
}

/// A gauge's value.
pub fn gauge(name: &str) -> Option<f64> {
    with(|host| host.gauges.get(name).copied())
}

/// The requests that were sent so far on this thread.
pub fn http_requests() -> Vec<Request> {
    with(|host| host.requests.clone())
}

/// Says how requests are answered from now on; before that they are denied.
pub fn on_http(answer: impl FnMut(&Request) -> Result<Response, HttpError> + 'static) {
    with(|host| host.http = Some(Box::new(answer)));
}

/// Says how queries are answered from now on, in JSON; before that they fail.
pub fn on_query(answer: impl FnMut(&str) -> Result<String> + 'static) {
    with(|host| host.query = Some(Box::new(answer)));
}

/// Forgets everything.
pub fn reset() {
    with(|host| *host = Host::default());
}

/// Makes an instance from a JSON configuration as the host does, or hands the state of `previous` over to a new one: what
/// happens at a restart or an update.
///
/// ```
/// use bridge_telemetry_plugin::{NoConfig, Plugin, Result, testing};
///
/// struct Nothing;
/// impl Plugin for Nothing {
///     const NAME: &'static str = "nothing";
///     type Config = NoConfig;
///     fn new(_: NoConfig) -> Result<Self> {
///         Ok(Self)
///     }
/// }
///
/// let first: Nothing = testing::restart("{}", None)?;
/// let second = testing::restart("{}", Some(&first))?;
/// assert!(testing::restart::<Nothing>(r#"{"colour":"red"}"#, None).is_err());
/// # Ok::<(), bridge_telemetry_plugin::PluginError>(())
/// ```
///
/// # Errors
/// When the plugin refuses the configuration or the state.
pub fn restart<P: Plugin>(config_json: &str, previous: Option<&P>) -> Result<P> {
    let saved = previous.map(P::save).transpose()?.flatten();
    plugin::create(config_json, saved)
}

pub(crate) fn log(level: Level, message: &str, fields_json: &str) {
    let entry = LogEntry { level, message: message.to_owned(), fields_json: fields_json.to_owned() };
    with(|host| host.logs.push(entry));
}

pub(crate) fn add(name: &str, delta: u64) {
    with(|host| {
        let counter = host.counters.entry(name.to_owned()).or_default();
        *counter = counter.saturating_add(delta);
    });
}

pub(crate) fn set(name: &str, value: f64) {
    with(|host| host.gauges.insert(name.to_owned(), value));
}

pub(crate) fn get(key: &str) -> Option<Vec<u8>> {
    with(|host| host.keys.get(key).cloned())
}

pub(crate) fn put(key: &str, value: &[u8]) {
    with(|host| host.keys.insert(key.to_owned(), value.to_vec()));
}

pub(crate) fn delete(key: &str) {
    with(|host| host.keys.remove(key));
}

/// The answer is taken out while it works, so that it may itself look at the stand-in.
pub(crate) fn answer_http(request: &Request) -> Result<Response, HttpError> {
    let answer = with(|host| {
        host.requests.push(request.clone());
        host.http.take()
    });
    let Some(mut answer) = answer else {
        return Err(HttpError::Denied("the test says no answer: call testing::on_http".to_owned()));
    };
    let result = answer(request);
    with(|host| {
        host.http.get_or_insert(answer);
    });
    result
}

pub(crate) fn answer_query(request_json: &str) -> Result<String> {
    let Some(mut answer) = with(|host| host.query.take()) else {
        return Err(PluginError::unsupported("the test says no answer: call testing::on_query"));
    };
    let result = answer(request_json);
    with(|host| {
        host.query.get_or_insert(answer);
    });
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{counters, log};

    #[test]
    fn keeps_what_the_plugin_says() {
        log::info("hello");
        counters::add("seen", 2);
        counters::add("seen", 3);
        counters::set("depth", 0.5);
        assert_eq!(logs()[0].message, "hello");
        assert_eq!((counter("seen"), counter("other"), gauge("depth")), (5, 0, Some(0.5)));
        reset();
        assert!(logs().is_empty());
    }

    #[test]
    fn requests_are_denied_until_the_test_answers() {
        assert!(matches!(Request::get("http://a").send(), Err(HttpError::Denied(_))));
        on_http(|request| Ok(Response { status: 200, headers: vec![], body: request.url.clone().into() }));
        assert_eq!(Request::get("http://b").send().unwrap().text(), "http://b");
        assert_eq!(http_requests().len(), 2);
    }
}
