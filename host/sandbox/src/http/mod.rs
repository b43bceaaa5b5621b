//! HTTP on behalf of sinks: to granted origins only, at checked addresses only, with secrets that the guest never sees.

mod address;
mod client;
mod origin;
mod port;
mod refusal;
mod resolver;
mod secret;

pub(crate) use client::HttpClient;
pub use port::{HttpAnswer, HttpFault, HttpPort, HttpRequest};
pub(crate) use refusal::{Rule, Unanswered};
pub use resolver::NamePort;
