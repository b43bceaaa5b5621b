//! The JSON edge: envelopes exactly as the contract shows them. Inside the host nothing knows them.

mod backup;
mod call_panic;
mod calls;
mod dead_letter;
mod event;
mod failure;
mod import;
mod metric;
mod opening;
mod operator;
mod payload;
mod plugins;

pub use event::event_draft;
pub use failure::{Envelope, EnvelopeError, cause_chain, error_envelope};
pub use metric::metric_draft;
pub use opening::{exception_details, io_code};
pub use payload::{MalformedPayload, Payload, parse_payload};
