//! One plugin's HTTP client: checks a request against the grant, sends it, bounds the answer.

use std::sync::Arc;
use std::time::Duration;

use telemetry_core::limits;
use ureq::http::{HeaderName, HeaderValue, Method, Request, Uri};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body};
use url::Url;

use super::origin::{Origins, Refusal};
use super::port::{self, HttpPort};
use super::refusal::{Rule, Unanswered};
use super::resolver::{AddressRefused, CheckedResolver, NamePort};
use super::secret::{GrantedSecrets, SecretFault, names_a_secret};
use crate::bindings::outbound_http::{self, Failure, Header, Response};
use crate::error::LoadError;
use crate::grants::{Grants, Secrets};

/// The methods that a plugin may use.
const METHODS: [Method; 6] =
    [Method::GET, Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE];

/// Headers that say how the message is framed and who it is for; they are the host's.
const HOST_HEADERS: [&str; 8] =
    ["connection", "content-length", "expect", "host", "te", "trailer", "transfer-encoding", "upgrade"];

/// Sends the requests of one plugin. Connections are not shared between plugins, as their grants differ.
#[derive(Debug)]
pub(crate) struct HttpClient {
    origins: Origins,
    secrets: GrantedSecrets,
    agent: Agent,
    /// Stands in place of the network.
    port: Option<Arc<dyn HttpPort>>,
}

impl HttpClient {
    /// The client for these grants.
    pub(crate) fn new(
        grants: &Grants,
        secrets: Secrets,
        port: Option<Arc<dyn HttpPort>>,
        names: Option<Arc<dyn NamePort>>,
    ) -> Result<Self, LoadError> {
        let config = Agent::config_builder()
            // The environment's proxy would be an address that nobody checked.
            .proxy(None)
            // Alerts are rare: a kept connection would mostly be found closed by the far side, and look like a failure.
            .max_idle_connections(0)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent(concat!("bridge-telemetry/", env!("CARGO_PKG_VERSION")))
            .build();
        let resolver = CheckedResolver {
            private_addresses: grants.private_addresses,
            system: DefaultResolver::default(),
            names,
        };
        Ok(Self {
            origins: Origins::parse(&grants.http)?,
            secrets: GrantedSecrets::new(grants, secrets),
            agent: Agent::with_parts(config, DefaultConnector::default(), resolver),
            port,
        })
    }

    /// Sends one request and waits for the whole answer, for as long as the request asks but no longer than `time`.
    pub(crate) fn send(
        &self,
        request: outbound_http::Request,
        time: Duration,
    ) -> Result<Response, Unanswered> {
        let time =
            time.min(limits::MAX_HTTP_TIME).min(Duration::from_millis(request.timeout_milliseconds.into()));
        if time.is_zero() {
            return Err(Unanswered::Refused(Rule::Time, Failure::Timeout));
        }
        let request = self.checked(request)?;
        if let Some(port) = &self.port {
            return port::answered(&**port, request);
        }
        let response = if carries_body(request.method()) {
            self.agent.run(self.agent.configure_request(request).timeout_global(Some(time)).build())
        } else {
            let request = request.map(drop);
            self.agent.run(self.agent.configure_request(request).timeout_global(Some(time)).build())
        };
        received(response.map_err(unanswered)?)
    }

    fn checked(&self, request: outbound_http::Request) -> Result<Request<Vec<u8>>, Unanswered> {
        if request.body.len() > limits::MAX_HTTP_REQUEST_BYTES
            || request.headers.len() > limits::MAX_HTTP_HEADERS
            || request.url.len() > limits::MAX_HTTP_URL_BYTES
        {
            return Err(Unanswered::Refused(Rule::Size, Failure::TooLarge));
        }
        // A URL stands in logs on the way and at the far side.
        if names_a_secret(&request.url) {
            return Err(Unanswered::denied(Rule::Secret, "secrets do not belong into a URL"));
        }
        let url = self.origins.allow(&request.url).map_err(|refusal| match refusal {
            Refusal::Malformed(reason) => {
                Unanswered::malformed(Rule::Url, format!("the URL cannot be used: {reason}"))
            }
            Refusal::Denied(origin) => {
                Unanswered::denied(Rule::Origin, format!("the origin {origin} is not granted to this plugin"))
            }
        })?;
        let method = Method::from_bytes(request.method.as_bytes())
            .ok()
            .filter(|method| METHODS.contains(method))
            .ok_or_else(|| {
                Unanswered::denied(Rule::Method, "the method must be GET, HEAD, POST, PUT, PATCH or DELETE")
            })?;
        if !carries_body(&method) && !request.body.is_empty() {
            let reason = format!("a {method} request carries no body");
            return Err(Unanswered::malformed(Rule::Body, reason));
        }
        let mut built = Request::builder().method(&method).uri(url.as_str());
        let mut room = limits::MAX_HTTP_HEAD_BYTES;
        for header in request.headers {
            let (name, value) = self.header(header, &mut room)?;
            built = built.header(name, value);
        }
        let body = self.with_secrets(request.body, limits::MAX_HTTP_REQUEST_BYTES)?;
        let unusable = |error| Unanswered::malformed(Rule::Url, format!("the URL cannot be used: {error}"));
        let built = built.body(body).map_err(unusable)?;
        if !is_same_place(built.uri(), &url) {
            return Err(Unanswered::malformed(Rule::Url, "the URL can be read in two ways"));
        }
        Ok(built)
    }

    /// A header as it is sent; `room` is what the head may still take.
    fn header(&self, header: Header, room: &mut usize) -> Result<(HeaderName, HeaderValue), Unanswered> {
        let name = HeaderName::from_bytes(header.name.as_bytes())
            .map_err(|_| Unanswered::malformed(Rule::Header, "a header's name is malformed"))?;
        if HOST_HEADERS.contains(&name.as_str()) || name.as_str().starts_with("proxy-") {
            return Err(Unanswered::denied(Rule::Header, format!("the header {name} is the host's to set")));
        }
        let value = self.with_secrets(header.value.into_bytes(), *room)?;
        let taken = value.len().saturating_add(name.as_str().len());
        *room = room.checked_sub(taken).ok_or(Unanswered::Refused(Rule::Size, Failure::TooLarge))?;
        let mut value = HeaderValue::from_bytes(&value).map_err(|_| {
            let reason = format!("the value of the header {name} has forbidden characters");
            Unanswered::malformed(Rule::Header, reason)
        })?;
        value.set_sensitive(true);
        Ok((name, value))
    }

    fn with_secrets(&self, text: Vec<u8>, most: usize) -> Result<Vec<u8>, Unanswered> {
        self.secrets.substitute(text, most).map_err(|fault| match fault {
            SecretFault::TooLong => Unanswered::Refused(Rule::Size, Failure::TooLarge),
            fault => Unanswered::denied(Rule::Secret, fault.to_string()),
        })
    }
}

/// Whether the client's reading of the URL is the one that was checked.
fn is_same_place(uri: &Uri, url: &Url) -> bool {
    let known = |scheme: Option<&str>| if scheme == Some("https") { 443 } else { 80 };
    uri.scheme_str() == Some(url.scheme())
        && uri.host() == url.host_str()
        && Some(uri.port_u16().unwrap_or(known(uri.scheme_str()))) == url.port_or_known_default()
        && !uri.authority().is_some_and(|authority| authority.as_str().contains('@'))
}

fn carries_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

fn received(response: ureq::http::Response<Body>) -> Result<Response, Unanswered> {
    let (parts, body) = response.into_parts();
    let headers = parts
        .headers
        .iter()
        .map(|(name, value)| Header {
            name: name.as_str().to_owned(),
            value: String::from_utf8_lossy(value.as_bytes()).into_owned(),
        })
        .collect();
    let limit = limits::MAX_HTTP_RESPONSE_BYTES;
    let body = body.into_with_config().limit(limit as u64 + 1).read_to_vec().map_err(unanswered)?;
    if body.len() > limit {
        return Err(Unanswered::Failed(Failure::TooLarge));
    }
    Ok(Response { status: parts.status.as_u16(), headers, body })
}

fn unanswered(error: ureq::Error) -> Unanswered {
    let failure = match error {
        ureq::Error::Other(inner) if inner.is::<AddressRefused>() => {
            return Unanswered::denied(Rule::Address, inner.to_string());
        }
        ureq::Error::Timeout(_) => Failure::Timeout,
        ureq::Error::BodyExceedsLimit(_) | ureq::Error::LargeResponseHeader(..) => Failure::TooLarge,
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => Failure::Timeout,
        ureq::Error::Http(error) => Failure::Other(error.to_string()),
        ureq::Error::BadUri(reason) => Failure::Other(reason),
        other => Failure::Connection(other.to_string()),
    };
    Unanswered::Failed(failure)
}
