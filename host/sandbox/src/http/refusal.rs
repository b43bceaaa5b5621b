//! Why a request was not sent, or was sent in vain: what is counted beside what the guest is told.

use crate::bindings::outbound_http::Failure;

/// The rule that a request broke. Nothing of it left the host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Rule {
    /// The origin (scheme, host and port) is not granted.
    Origin,
    /// The host is at an address that is not granted.
    Address,
    /// The URL is none that can be sent to.
    Url,
    /// The method is not one of those that plugins may use.
    Method,
    /// A header is malformed, or the host's to set.
    Header,
    /// A secret is not granted, has no value, or stands in the URL.
    Secret,
    /// The request is over a size.
    Size,
    /// The body belongs to a method that has none.
    Body,
    /// No time was left for it.
    Time,
}

impl Rule {
    /// Its name in counts.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::Origin => "origin",
            Self::Address => "address",
            Self::Url => "url",
            Self::Method => "method",
            Self::Header => "header",
            Self::Secret => "secret",
            Self::Size => "size",
            Self::Body => "body",
            Self::Time => "time",
        }
    }
}

/// A request without an answer.
#[derive(Debug)]
pub(crate) enum Unanswered {
    /// It was not sent.
    Refused(Rule, Failure),
    /// It was sent, or a connection was tried.
    Failed(Failure),
}

impl Unanswered {
    /// A request that breaks `rule`, said in words.
    pub(super) fn denied(rule: Rule, reason: impl Into<String>) -> Self {
        Self::Refused(rule, Failure::Denied(reason.into()))
    }

    /// A request that makes no sense.
    pub(super) fn malformed(rule: Rule, reason: impl Into<String>) -> Self {
        Self::Refused(rule, Failure::Other(reason.into()))
    }
}
