//! What keeps a host from being opened, as the contract's errors.

use std::error::Error;
use std::io::ErrorKind;

use serde_json::{Map, Value, json};
use telemetry_core::ErrorCode;
use telemetry_store::OpenError;

use super::failure::{EnvelopeError, cause_chain};
use crate::builder::HostError;
use crate::logging::LogError;
use crate::plugins::PluginLoadError;

/// The contract's code of a failure of the operating system.
pub fn io_code(error: &std::io::Error) -> ErrorCode {
    match error.kind() {
        ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => ErrorCode::PermissionDenied,
        ErrorKind::TimedOut => ErrorCode::OperationTimeout,
        _ => ErrorCode::IoError,
    }
}

/// The contract's `details` of an error that only its kind and its place describe.
pub fn exception_details(exception_type: &str, context: &str) -> Map<String, Value> {
    Map::from_iter([
        ("exception_type".to_owned(), exception_type.into()),
        ("context".to_owned(), context.into()),
    ])
}

impl EnvelopeError for HostError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Config(_) => ErrorCode::MalformedPayload,
            Self::Store(OpenError::Permission { .. }) => ErrorCode::PermissionDenied,
            Self::Store(_) => ErrorCode::StorageFailure,
            Self::Plugins(PluginLoadError::Directory { source, .. }) => io_code(source),
            Self::Plugins(_) => ErrorCode::PluginFailure,
            _ => ErrorCode::UnexpectedError,
        }
    }

    fn details(&self) -> Map<String, Value> {
        let causes = self.source().map(cause_chain).unwrap_or_default();
        let details = match self {
            Self::Store(_) => {
                json!({"exception_type": "OpenError", "context": "opening the store", "cause": causes})
            }
            Self::Plugins(
                PluginLoadError::Component { plugin, .. } | PluginLoadError::Secret { plugin, .. },
            ) => {
                json!({"plugin": plugin, "reason": "load", "message": causes})
            }
            _ => return exception_details("HostError", "opening the host"),
        };
        details.as_object().cloned().unwrap_or_default()
    }
}

impl EnvelopeError for LogError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Open { source, .. } => io_code(source),
            Self::Installed { .. } => ErrorCode::UnexpectedError,
        }
    }

    fn details(&self) -> Map<String, Value> {
        exception_details("LogError", "opening the log")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    #[test]
    fn permission_has_a_code_of_its_own() {
        let permission = |kind: ErrorKind| {
            let (path, source) = ("/data".into(), io::Error::from(kind));
            HostError::from(OpenError::Permission { path, source })
        };
        for kind in [ErrorKind::PermissionDenied, ErrorKind::ReadOnlyFilesystem] {
            assert_eq!(io_code(&kind.into()), ErrorCode::PermissionDenied);
            assert_eq!(permission(kind).code(), ErrorCode::PermissionDenied);
        }
        assert_eq!(io_code(&ErrorKind::StorageFull.into()), ErrorCode::IoError);
        let log = LogError::Open { path: "/log".into(), source: ErrorKind::PermissionDenied.into() };
        assert_eq!(
            (log.code(), &log.details()["exception_type"]),
            (ErrorCode::PermissionDenied, &json!("LogError"))
        );
        let locked = HostError::from(OpenError::Locked { directory: "/data".into() });
        assert_eq!(locked.code(), ErrorCode::StorageFailure);
        assert!(locked.details()["cause"].as_str().unwrap().contains("stop the other host"));
    }
}
