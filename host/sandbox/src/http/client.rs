//! One plugin's HTTP client: checks a request against the grant, sends it, bounds the answer.

use std::sync::Arc;
use std::time::Duration;

use telemetry_core::limits;
use ureq::http::{HeaderName, HeaderValue, Method, Request};
use ureq::unversioned::resolver::DefaultResolver;
use ureq::unversioned::transport::DefaultConnector;
use ureq::{Agent, Body};

use super::origin::{Origins, Refusal};
use super::port::{self, HttpPort};
use super::resolver::{AddressRefused, CheckedResolver};
use super::secret::GrantedSecrets;
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
        };
        Ok(Self {
            origins: Origins::parse(&grants.http)?,
            secrets: GrantedSecrets::new(grants, secrets),
            agent: Agent::with_parts(config, DefaultConnector::default(), resolver),
            port,
        })
    }

    /// Sends one request and waits for the whole answer, for as long as the request asks but no longer than `time`.
    pub(crate) fn send(&self, request: outbound_http::Request, time: Duration) -> Result<Response, Failure> {
        let time =
            time.min(limits::MAX_HTTP_TIME).min(Duration::from_millis(request.timeout_milliseconds.into()));
        if time.is_zero() {
            return Err(Failure::Timeout);
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
        received(response.map_err(failure)?)
    }

    fn checked(&self, request: outbound_http::Request) -> Result<Request<Vec<u8>>, Failure> {
        if request.body.len() > limits::MAX_HTTP_REQUEST_BYTES
            || request.headers.len() > limits::MAX_HTTP_HEADERS
        {
            return Err(Failure::TooLarge);
        }
        let url = self.origins.allow(&request.url).map_err(|refusal| match refusal {
            Refusal::Malformed(reason) => Failure::Other(format!("the URL cannot be used: {reason}")),
            Refusal::Denied(origin) => {
                Failure::Denied(format!("the origin {origin} is not granted to this plugin"))
            }
        })?;
        let method = Method::from_bytes(request.method.as_bytes())
            .ok()
            .filter(|method| METHODS.contains(method))
            .ok_or_else(|| {
                Failure::Denied("the method must be GET, HEAD, POST, PUT, PATCH or DELETE".to_owned())
            })?;
        let mut built = Request::builder().method(&method).uri(url.as_str());
        for header in request.headers {
            let (name, value) = self.header(header)?;
            built = built.header(name, value);
        }
        if !carries_body(&method) && !request.body.is_empty() {
            return Err(Failure::Other(format!("a {method} request carries no body")));
        }
        let body = self.secrets.substitute(request.body).map_err(Failure::Denied)?;
        built.body(body).map_err(|error| Failure::Other(format!("the request cannot be built: {error}")))
    }

    fn header(&self, header: Header) -> Result<(HeaderName, HeaderValue), Failure> {
        let name = HeaderName::from_bytes(header.name.as_bytes())
            .map_err(|_| Failure::Other("a header's name is malformed".to_owned()))?;
        if HOST_HEADERS.contains(&name.as_str()) || name.as_str().starts_with("proxy-") {
            return Err(Failure::Denied(format!("the header {name} is the host's to set")));
        }
        let value = self.secrets.substitute(header.value.into_bytes()).map_err(Failure::Denied)?;
        let mut value = HeaderValue::from_bytes(&value).map_err(|_| {
            Failure::Other(format!("the value of the header {name} has forbidden characters"))
        })?;
        value.set_sensitive(true);
        Ok((name, value))
    }
}

fn carries_body(method: &Method) -> bool {
    matches!(*method, Method::POST | Method::PUT | Method::PATCH)
}

fn received(response: ureq::http::Response<Body>) -> Result<Response, Failure> {
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
    let body = body.into_with_config().limit(limit as u64 + 1).read_to_vec().map_err(failure)?;
    if body.len() > limit {
        return Err(Failure::TooLarge);
    }
    Ok(Response { status: parts.status.as_u16(), headers, body })
}

fn failure(error: ureq::Error) -> Failure {
    match error {
        ureq::Error::Timeout(_) => Failure::Timeout,
        ureq::Error::BodyExceedsLimit(_) | ureq::Error::LargeResponseHeader(..) => Failure::TooLarge,
        ureq::Error::Other(inner) if inner.is::<AddressRefused>() => Failure::Denied(inner.to_string()),
        ureq::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut => Failure::Timeout,
        ureq::Error::Http(error) => Failure::Other(error.to_string()),
        ureq::Error::BadUri(reason) => Failure::Other(reason),
        other => Failure::Connection(other.to_string()),
    }
}
