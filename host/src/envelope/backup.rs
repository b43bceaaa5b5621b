//! Backups, verifying and looking at the store at the JSON edge.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::{Map, Value};
use telemetry_core::ErrorCode;
use telemetry_store::{BackupError, InventoryDepth, RepairError};

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

    /// What the store holds and where, from `quick`: its state as `store`, `limits`, `readers`, `partitions`, `families`.
    pub fn store_stats_json<'a>(&self, pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Envelope {
        let depth = match depth(pairs) {
            Ok(depth) => depth,
            Err(error) => return Envelope::of_error(&error),
        };
        self.answered("store_stats", || match self.store_inventory(depth) {
            Ok(inventory) => fields(&inventory),
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

/// How much of the store is looked at, from `quick=true` or nothing.
fn depth<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> Result<InventoryDepth, QueryError> {
    let mut depth = InventoryDepth::default();
    for (key, value) in pairs {
        depth = match (key, value) {
            ("quick", "true") => InventoryDepth::Quick,
            ("quick", "false") => InventoryDepth::Counted,
            _ => return Err(QueryError::invalid(key, "use quick=true or quick=false")),
        };
    }
    Ok(depth)
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

impl EnvelopeError for RepairError {
    fn code(&self) -> ErrorCode {
        match self {
            Self::Files(error) => EnvelopeError::code(error),
            Self::InMemory | Self::NoStore { .. } => ErrorCode::InvalidQuery,
            // Taken, and whatever else the store says.
            _ => ErrorCode::StorageFailure,
        }
    }

    fn details(&self) -> Map<String, Value> {
        match self {
            Self::Files(error) => error.details(),
            _ => Map::from_iter([("cause".to_owned(), cause_chain(self).into())]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quick_look_is_asked_for() {
        assert_eq!(depth([]).unwrap(), InventoryDepth::Counted);
        assert_eq!(depth([("quick", "true")]).unwrap(), InventoryDepth::Quick);
        assert_eq!(depth([("quick", "yes")]).unwrap_err().code(), ErrorCode::InvalidQuery);
        assert_eq!(depth([("deep", "true")]).unwrap_err().code(), ErrorCode::InvalidQuery);
    }

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
