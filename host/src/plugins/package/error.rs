//! Why a package is not loaded or not installed.

use std::path::PathBuf;

use telemetry_core::ErrorCode;
use telemetry_sandbox::{LoadError, SandboxError};

use super::file::FileError;
use super::floor::KnownVersion;
use super::lock::LockError;
use super::manifest::{MANIFEST_FILE, ManifestError};
use super::sha256::Sha256;

/// Why a package is refused. Nothing of it was loaded or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PackageError {
    /// There is nothing at the path.
    #[error("there is nothing at {}", place.display())]
    Absent {
        /// Where.
        place: PathBuf,
    },
    /// A file is a link, too long, or cannot be read.
    #[error(transparent)]
    File(#[from] FileError),
    /// The manifest cannot be used.
    #[error("the manifest of {} cannot be used", place.display())]
    Manifest {
        /// The package.
        place: PathBuf,
        /// Why.
        #[source]
        source: ManifestError,
    },
    /// A file that the package must have is missing.
    #[error("{} has no {file}", place.display())]
    Incomplete {
        /// The package.
        place: PathBuf,
        /// The file's name.
        file: String,
    },
    /// An archive holds what a package must not, or is damaged.
    #[error("{}{}: {reason}", place.display(), if entry.is_empty() { String::new() } else { format!(", {entry}") })]
    Archive {
        /// The archive.
        place: PathBuf,
        /// The entry.
        entry: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The folder is named otherwise than the plugin in it.
    #[error("{} holds the plugin \"{manifest}\": a package's folder has its name", place.display())]
    FolderName {
        /// The folder.
        place: PathBuf,
        /// The name in the manifest.
        manifest: String,
    },
    /// A name that no plugin can have.
    #[error("a plugin cannot be called \"{name}\": {reason}")]
    Name {
        /// The name.
        name: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A component and a package have one name.
    #[error("both {} and {} are called \"{name}\"; remove one of them", file.display(), folder.display())]
    Ambiguous {
        /// The name.
        name: String,
        /// The component.
        file: PathBuf,
        /// The package.
        folder: PathBuf,
    },
    /// The component is not the one that its manifest names.
    #[error(
        "the component of \"{name}\" is not the one of its manifest: its SHA-256 is {found}, {MANIFEST_FILE} says {expected}"
    )]
    ManifestHash {
        /// The plugin.
        name: String,
        /// What the manifest says.
        expected: Sha256,
        /// What was found.
        found: Sha256,
    },
    /// A file was changed since the plugin was installed.
    #[error(
        "the {file} of \"{name}\" was changed after it was installed: its SHA-256 is {found}, pinned is {expected}; install it again if that was you"
    )]
    PinnedHash {
        /// The plugin.
        name: String,
        /// Which file: `component` or `manifest`.
        file: &'static str,
        /// What is pinned.
        expected: Sha256,
        /// What was found.
        found: Sha256,
    },
    /// A manifest came or went since the plugin was installed.
    #[error("the manifest of \"{name}\" {} after it was installed; install it again if that was you", if *came { "was added" } else { "was removed" })]
    PinnedManifest {
        /// The plugin.
        name: String,
        /// Whether it was added.
        came: bool,
    },
    /// The component is not the one of the configuration.
    #[error(
        "the component of \"{name}\" has the SHA-256 {found}, plugins.settings.{name}.sha256 is {expected}"
    )]
    ConfiguredHash {
        /// The plugin.
        name: String,
        /// What the configuration says.
        expected: Sha256,
        /// What was found.
        found: Sha256,
    },
    /// The component is not the one that was asked for.
    #[error("the component of \"{name}\" has the SHA-256 {found}, asked for is {expected}")]
    ExpectedHash {
        /// The plugin.
        name: String,
        /// What was asked for.
        expected: Sha256,
        /// What was found.
        found: Sha256,
    },
    /// Nobody vouches for the plugin.
    #[error(
        "\"{name}\" is not pinned: install it with `bridge-telemetry plugin install`, or set plugins.settings.{name}.sha256 = \"{found}\", or plugins.policy = \"any\""
    )]
    NotPinned {
        /// The plugin.
        name: String,
        /// Its component's SHA-256.
        found: Sha256,
    },
    /// Only signed plugins are taken, and this one is not.
    #[error("\"{name}\" is not signed, and plugins.policy is \"signed\": {reason}")]
    NotSigned {
        /// The plugin.
        name: String,
        /// What is missing.
        reason: &'static str,
    },
    /// The signature was made with a key that is not trusted.
    #[error("\"{name}\" is signed with the key {key}, which is none of plugins.trusted_keys")]
    UnknownKey {
        /// The plugin.
        name: String,
        /// The key's id.
        key: String,
    },
    /// The signature is not over this manifest.
    #[error(
        "the signature of \"{name}\" with the key \"{key}\" is not over this {MANIFEST_FILE}: either was changed, or the signature is another file's"
    )]
    WrongSignature {
        /// The plugin.
        name: String,
        /// The name of the trusted key that it claims.
        key: String,
    },
    /// The signature file is no minisign signature.
    #[error("the signature of \"{name}\" is no minisign signature")]
    MalformedSignature {
        /// The plugin.
        name: String,
    },
    /// The version is older than one that was installed, or that ran.
    #[error(
        "\"{name}\" {found} is older than {known}, which {how}; bridge-telemetry plugin install --allow-downgrade goes back"
    )]
    Rollback {
        /// The plugin.
        name: String,
        /// The version that is known.
        known: String,
        /// The version that came.
        found: String,
        /// How the other one is known.
        how: KnownVersion,
    },
    /// The component says something else of itself than its manifest.
    #[error(
        "{MANIFEST_FILE} of \"{name}\" and its component disagree about {key}: {manifest} and {component}"
    )]
    Disagreement {
        /// The plugin.
        name: String,
        /// The manifest's key.
        key: &'static str,
        /// What the manifest says.
        manifest: String,
        /// What the component says.
        component: String,
    },
    /// The plugin was replaced while it was loaded.
    #[error("\"{name}\" was replaced while it was loaded")]
    Replaced {
        /// The plugin.
        name: String,
    },
    /// The pins cannot be read or written.
    #[error(transparent)]
    Lock(#[from] LockError),
    /// The component is no plugin for this host.
    #[error("the component of {} cannot be used", place.display())]
    Component {
        /// The package.
        place: PathBuf,
        /// Why.
        #[source]
        source: LoadError,
    },
    /// The plugin runtime could not be started.
    #[error("the plugin runtime could not be started")]
    Sandbox(#[from] SandboxError),
    /// No folder of plugins is configured.
    #[error("there is no folder of plugins: set plugins.directory or --plugins")]
    NoDirectory,
    /// No plugin has that name.
    #[error("there is no plugin \"{name}\" in {}{}", directory.display(), hint.as_ref().map(|near| format!("; did you mean \"{near}\"?")).unwrap_or_default())]
    Unknown {
        /// The name.
        name: String,
        /// Where it was looked for.
        directory: PathBuf,
        /// The name that it looks most like.
        hint: Option<String>,
    },
    /// The configuration says otherwise.
    #[error("plugins.settings.{name}.{key} in the configuration forbids it: {reason}")]
    Configured {
        /// The plugin.
        name: String,
        /// The key.
        key: &'static str,
        /// What it means.
        reason: &'static str,
    },
}

impl PackageError {
    /// The error's name, for machines.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Absent { .. } => "Absent",
            Self::File(FileError::Link { .. }) => "SymbolicLink",
            Self::File(FileError::TooLarge { .. }) => "TooLarge",
            Self::File(_) => "File",
            Self::Manifest { .. } => "Manifest",
            Self::Incomplete { .. } => "Incomplete",
            Self::Archive { .. } => "Archive",
            Self::FolderName { .. } => "FolderName",
            Self::Name { .. } => "Name",
            Self::Ambiguous { .. } => "Ambiguous",
            Self::ManifestHash { .. } => "ManifestHash",
            Self::PinnedHash { .. } => "PinnedHash",
            Self::PinnedManifest { .. } => "PinnedManifest",
            Self::ConfiguredHash { .. } => "ConfiguredHash",
            Self::ExpectedHash { .. } => "ExpectedHash",
            Self::NotPinned { .. } => "NotPinned",
            Self::NotSigned { .. } => "NotSigned",
            Self::UnknownKey { .. } => "UnknownKey",
            Self::WrongSignature { .. } => "WrongSignature",
            Self::MalformedSignature { .. } => "MalformedSignature",
            Self::Rollback { .. } => "Rollback",
            Self::Disagreement { .. } => "Disagreement",
            Self::Replaced { .. } => "Replaced",
            Self::Lock(_) => "Lock",
            Self::Component { .. } => "Component",
            Self::Sandbox(_) => "Sandbox",
            Self::NoDirectory => "NoDirectory",
            Self::Unknown { .. } => "Unknown",
            Self::Configured { .. } => "Configured",
        }
    }

    /// The contract's code.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::File(FileError::Io { source, .. })
            | Self::Lock(LockError::File(FileError::Io { source, .. })) => crate::envelope::io_code(source),
            Self::Sandbox(_) => ErrorCode::UnexpectedError,
            Self::Absent { .. } | Self::NoDirectory | Self::Unknown { .. } => ErrorCode::NotFound,
            _ => ErrorCode::PermissionDenied,
        }
    }

    /// Whether the caller asked for what does not exist, rather than for what is refused.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Absent { .. } | Self::NoDirectory | Self::Unknown { .. } | Self::Name { .. })
    }

    pub(super) fn not_signed(name: &str, reason: &'static str) -> Self {
        Self::NotSigned { name: name.to_owned(), reason }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Error, ErrorKind};
    use std::path::Path;

    #[test]
    fn a_file_that_cannot_be_read_or_written_says_what_the_system_said() {
        let file = |kind| FileError::read(Path::new("plugins.lock"), Error::from(kind));
        for (kind, code) in [
            (ErrorKind::StorageFull, ErrorCode::IoError),
            (ErrorKind::PermissionDenied, ErrorCode::PermissionDenied),
            (ErrorKind::TimedOut, ErrorCode::OperationTimeout),
        ] {
            assert_eq!(PackageError::from(file(kind)).code(), code);
            assert_eq!(PackageError::from(LockError::from(file(kind))).code(), code);
        }
    }
}
