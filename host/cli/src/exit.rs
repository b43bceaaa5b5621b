//! Exit codes, and the failures that end a command before the host answered.

use std::error::Error;
use std::process::ExitCode;

use bridge_telemetry::config::ConfigError;
use bridge_telemetry::envelope::{EnvelopeError, exception_details, io_code};
use bridge_telemetry::logging::LogError;
use bridge_telemetry::plugins::package::PackageError;
use bridge_telemetry::{BackupError, HostError, RepairError};
use bridge_telemetry_server::ServerError;
use serde_json::{Map, Value};
use telemetry_core::ErrorCode;

/// How a command ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Done.
    Done,
    /// The operation answered an error.
    Refused,
    /// Wrong usage or configuration.
    Usage,
    /// The store or host could not be reached.
    Unreachable,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Done => 0,
            Exit::Refused => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 3,
        })
    }
}

/// Why a command could not do its work.
#[derive(Debug)]
pub(crate) struct Failure {
    exit: Exit,
    code: ErrorCode,
    details: Map<String, Value>,
    cause: anyhow::Error,
}

impl Failure {
    /// `code` is the one of causes that have none of their own.
    fn new(exit: Exit, code: ErrorCode, cause: anyhow::Error) -> Self {
        let place = cause.to_string();
        let own = cause.chain().find_map(|cause| code_of(cause, &place));
        let (code, details) = own.unwrap_or_else(|| (code, exception_details("Failure", &place)));
        Self { exit, code, details, cause }
    }

    /// The person used the command wrongly.
    pub(crate) fn usage(cause: impl Into<anyhow::Error>) -> Self {
        Self::new(Exit::Usage, ErrorCode::MalformedPayload, cause.into())
    }

    /// The host or store is out of reach.
    pub(crate) fn unreachable(cause: impl Into<anyhow::Error>) -> Self {
        Self::new(Exit::Unreachable, ErrorCode::IoError, cause.into())
    }

    /// Input or output failed, or the operation could not be completed.
    pub(crate) fn refused(cause: impl Into<anyhow::Error>) -> Self {
        Self::new(Exit::Refused, ErrorCode::IoError, cause.into())
    }

    pub(crate) fn exit(&self) -> Exit {
        self.exit
    }

    /// The whole chain of causes.
    pub(crate) fn message(&self) -> String {
        format!("{:#}", self.cause)
    }

    /// The contract's code for a failure at the JSON edge.
    pub(crate) fn code(&self) -> ErrorCode {
        self.code
    }

    /// The contract's details of it.
    pub(crate) fn details(&self) -> Map<String, Value> {
        self.details.clone()
    }
}

/// Code and details of one cause, if its type says them.
fn code_of(cause: &(dyn Error + 'static), place: &str) -> Option<(ErrorCode, Map<String, Value>)> {
    if let Some(error) = cause.downcast_ref::<HostError>() {
        return Some((error.code(), error.details()));
    }
    if let Some(error) = cause.downcast_ref::<BackupError>() {
        return Some((error.code(), error.details()));
    }
    if let Some(error) = cause.downcast_ref::<RepairError>() {
        return Some((error.code(), error.details()));
    }
    if let Some(error) = cause.downcast_ref::<PackageError>() {
        return Some((error.code(), exception_details(error.kind(), place)));
    }
    if let Some(error) = cause.downcast_ref::<LogError>() {
        return Some((error.code(), error.details()));
    }
    if let Some(ureq::Error::Timeout(_)) = cause.downcast_ref() {
        return Some((ErrorCode::OperationTimeout, exception_details("Timeout", place)));
    }
    let error = cause.downcast_ref::<std::io::Error>()?;
    Some((io_code(error), exception_details(&format!("{:?}", error.kind()), place)))
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error)
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        let exit = match &error {
            HostError::Config(_) | HostError::Plugins(_) => Exit::Usage,
            _ => Exit::Unreachable,
        };
        Self::new(exit, error.code(), error.into())
    }
}

impl From<ServerError> for Failure {
    fn from(error: ServerError) -> Self {
        match error {
            ServerError::NotLoopback { .. } => Self::usage(error),
            _ => Self::unreachable(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bridge_telemetry::OpenError;
    use std::io::{self, ErrorKind};

    #[test]
    fn a_cause_brings_its_code_and_details() {
        let check = |failure: Failure, exit: Exit, code: ErrorCode, exception_type: &str| {
            assert_eq!((failure.exit(), failure.code()), (exit, code), "{failure:?}");
            assert_eq!(failure.details()["exception_type"], exception_type);
        };
        let denied = || anyhow::Error::new(io::Error::from(ErrorKind::PermissionDenied)).context("a.jsonl");
        check(Failure::usage(denied()), Exit::Usage, ErrorCode::PermissionDenied, "PermissionDenied");
        let broken = io::Error::from(ErrorKind::BrokenPipe);
        check(Failure::refused(broken), Exit::Refused, ErrorCode::IoError, "BrokenPipe");
        let wrong = anyhow::anyhow!("--from: not a time");
        check(Failure::usage(wrong), Exit::Usage, ErrorCode::MalformedPayload, "Failure");
        let locked = HostError::from(OpenError::Locked { directory: "data".into() });
        check(locked.into(), Exit::Unreachable, ErrorCode::StorageFailure, "OpenError");
    }
}
