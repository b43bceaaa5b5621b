//! Exit codes, and the failures that end a command before the host answered.

use std::process::ExitCode;

use bridge_telemetry::config::ConfigError;
use bridge_telemetry::{HostError, OpenError};
use bridge_telemetry_server::ServerError;
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
    cause: anyhow::Error,
}

impl Failure {
    /// The person used the command wrongly.
    pub(crate) fn usage(cause: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Usage, code: ErrorCode::MalformedPayload, cause: cause.into() }
    }

    /// The host or store is out of reach.
    pub(crate) fn unreachable(cause: impl Into<anyhow::Error>) -> Self {
        let cause = cause.into();
        let code = match cause.downcast_ref::<ureq::Error>() {
            Some(ureq::Error::Timeout(_)) => ErrorCode::OperationTimeout,
            _ => ErrorCode::IoError,
        };
        Self { exit: Exit::Unreachable, code, cause }
    }

    /// Input or output failed, or the operation could not be completed.
    pub(crate) fn refused(cause: impl Into<anyhow::Error>) -> Self {
        Self { exit: Exit::Refused, code: ErrorCode::IoError, cause: cause.into() }
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
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::usage(error)
    }
}

impl From<HostError> for Failure {
    fn from(error: HostError) -> Self {
        let (exit, code) = match &error {
            HostError::Config(_) | HostError::Plugins(_) => (Exit::Usage, ErrorCode::MalformedPayload),
            HostError::Store(OpenError::Permission { .. }) => {
                (Exit::Unreachable, ErrorCode::PermissionDenied)
            }
            HostError::Store(_) => (Exit::Unreachable, ErrorCode::StorageFailure),
            _ => (Exit::Unreachable, ErrorCode::UnexpectedError),
        };
        Self { exit, code, cause: error.into() }
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
