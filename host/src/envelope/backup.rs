//! Backups and verifying at the JSON edge.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value};
use telemetry_core::ErrorCode;
use telemetry_store::BackupError;

use super::failure::{Envelope, EnvelopeError, cause_chain};
use super::opening::{exception_details, io_code};
use super::operator::expect_nothing;
use super::payload::MalformedPayload;
use crate::host::Host;
use crate::query::QueryError;

impl Host {
    /// Makes a backup, from `{"directory"}`: an absolute path on the host's machine, absent or empty. Answers
    /// `last_sequence`, `made_at`, `files` and `bytes`.
    pub fn backup_json(&self, body: &[u8]) -> Envelope {
        let directory = match directory(body) {
            Ok(directory) => directory,
            Err(error) => return Envelope::of_error(&error),
        };
        self.answered("backup", || match self.backup(&directory) {
            Ok(summary) => fields(&summary),
            Err(error) => Envelope::of_error(&error),
        })
    }

    /// Checks the whole store; takes `{}` or nothing. `sound` says whether nothing is damaged, `findings` what is.
    pub fn verify_json(&self, body: &[u8]) -> Envelope {
        if let Err(error) = expect_nothing(body) {
            return Envelope::of_error(&error);
        }
        self.answered("verify", || match self.verify_store() {
            Ok(report) => {
                let mut envelope = fields(&report);
                if let Some(body) = envelope.body.as_object_mut() {
                    body.insert("sound".to_owned(), report.is_sound().into());
                }
                envelope
            }
            Err(error) => Envelope::of_error(&error),
        })
    }
}

/// A success with the fields of `value`.
fn fields(value: &impl Serialize) -> Envelope {
    match serde_json::to_value(value) {
        Ok(Value::Object(fields)) => Envelope::success(fields),
        _ => Envelope::success(Map::new()),
    }
}

fn directory(body: &[u8]) -> Result<PathBuf, QueryError> {
    let request: Map<String, Value> = serde_json::from_slice(body).map_err(MalformedPayload::from)?;
    if let Some(unknown) = request.keys().find(|key| *key != "directory") {
        return Err(QueryError::invalid(unknown, "this request takes directory alone"));
    }
    let directory = request.get("directory").and_then(Value::as_str).map(Path::new);
    match directory {
        Some(directory) if directory.is_absolute() => Ok(directory.to_owned()),
        _ => Err(QueryError::invalid("directory", "it must be an absolute path on the host's machine")),
    }
}

impl EnvelopeError for BackupError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Io { source, .. } => io_code(source),
            Self::Store(error) => EnvelopeError::code(error),
            Self::Engine(_) | Self::Taken(_) => ErrorCode::StorageFailure,
            Self::NotABackup { .. } | Self::NewerFormat { .. } | Self::Damaged { .. } => {
                ErrorCode::RetrievalFailure
            }
            // InMemory, NotEmpty, Unfinished: another request would do.
            _ => ErrorCode::InvalidQuery,
        }
    }

    fn details(&self) -> Map<String, Value> {
        match self {
            Self::Io { path, source, .. } => {
                exception_details(&format!("{:?}", source.kind()), &path.to_string_lossy())
            }
            _ => Map::from_iter([("cause".to_owned(), cause_chain(self).into())]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_directory_is_an_absolute_path() {
        assert_eq!(directory(br#"{"directory":"/a/b"}"#).unwrap(), Path::new("/a/b"));
        for body in
            [&br#"{"directory":"a"}"#[..], br#"{"directory":7}"#, b"{}", br#"{"directory":"/a","b":1}"#]
        {
            assert_eq!(directory(body).unwrap_err().code(), ErrorCode::InvalidQuery);
        }
        assert_eq!(directory(b"").unwrap_err().code(), ErrorCode::MalformedPayload);
    }
}
