//! A package as it was found: read into memory once, with nobody vouching for it yet.

use std::path::{Path, PathBuf};

use telemetry_core::limits;

use super::archive::{ArchivedFiles, is_archive};
use super::error::PackageError;
use super::file::{self, FileError, Folder, Links};
use super::manifest::{MANIFEST_FILE, Manifest};
use super::sha256::Sha256;

/// What a signature's file is called: the signed file's name with this after it.
pub const SIGNATURE_SUFFIX: &str = ".minisig";

/// A component with what lies beside it.
#[derive(Clone, Debug)]
pub(super) struct UnverifiedPackage {
    /// Where it was found.
    pub(super) place: PathBuf,
    pub(super) manifest: Option<FoundManifest>,
    pub(super) component: Vec<u8>,
    pub(super) sha256: Sha256,
}

/// A manifest with the bytes that say it.
#[derive(Clone, Debug)]
pub(super) struct FoundManifest {
    pub(super) manifest: Manifest,
    pub(super) bytes: Vec<u8>,
    pub(super) sha256: Sha256,
    pub(super) signature: Option<Vec<u8>>,
    /// The file that it names as its configuration's schema.
    pub(super) config_schema: Option<Vec<u8>>,
}

/// Where a package's files are.
enum Files<'a> {
    Folder(&'a Folder),
    Archive(&'a ArchivedFiles, &'a Path),
}

impl Files<'_> {
    fn place(&self) -> &Path {
        match self {
            Self::Folder(folder) => folder.path(),
            Self::Archive(_, place) => place,
        }
    }

    /// The bytes of a file, if there is one. `name` is a plain file name.
    fn find(&self, name: &str, limit: u64) -> Result<Option<Vec<u8>>, PackageError> {
        match self {
            Self::Folder(folder) => Ok(folder.read(name, limit)?),
            Self::Archive(files, place) => match files.get(name) {
                Some(bytes) if bytes.len() as u64 > limit => {
                    Err(FileError::TooLarge { path: place.join(name), limit }.into())
                }
                bytes => Ok(bytes.map(<[u8]>::to_vec)),
            },
        }
    }

    fn get(&self, name: &str, limit: u64) -> Result<Vec<u8>, PackageError> {
        let incomplete =
            || PackageError::Incomplete { place: self.place().to_owned(), file: name.to_owned() };
        self.find(name, limit)?.ok_or_else(incomplete)
    }

    fn package(&self) -> Result<UnverifiedPackage, PackageError> {
        let bytes = self.get(MANIFEST_FILE, limits::MAX_MANIFEST_BYTES)?;
        let manifest = parse_manifest(&bytes, self.place())?;
        let component = self.get(&manifest.component, limits::MAX_COMPONENT_BYTES)?;
        let signature =
            self.find(&format!("{MANIFEST_FILE}{SIGNATURE_SUFFIX}"), limits::MAX_SIGNATURE_BYTES)?;
        let config_schema = match &manifest.config_schema {
            Some(name) => Some(self.get(name, limits::MAX_PLUGIN_SCHEMA_BYTES as u64)?),
            None => None,
        };
        let sha256 = Sha256::of(&bytes);
        let manifest = FoundManifest { manifest, bytes, sha256, signature, config_schema };
        let sha256 = Sha256::of(&component);
        Ok(UnverifiedPackage { place: self.place().to_owned(), manifest: Some(manifest), component, sha256 })
    }
}

fn parse_manifest(bytes: &[u8], place: &Path) -> Result<Manifest, PackageError> {
    Manifest::parse(bytes).map_err(|source| PackageError::Manifest { place: place.to_owned(), source })
}

impl UnverifiedPackage {
    /// Reads what lies at a path: a package's folder, an archive of one, or a component. A component with a manifest beside
    /// it that names it is a package.
    pub(super) fn read(place: &Path, links: Links) -> Result<Self, PackageError> {
        let absent = || PackageError::Absent { place: place.to_owned() };
        if place.is_dir() {
            let folder = Folder::open(place, links)?.ok_or_else(absent)?;
            return Files::Folder(&folder).package();
        }
        let limit = limits::MAX_PACKAGE_BYTES;
        let bytes = file::read(place, limit, links)?.ok_or_else(absent)?;
        if is_archive(&bytes) {
            let files = ArchivedFiles::of(&bytes, place)?;
            return Files::Archive(&files, place).package();
        }
        if bytes.len() as u64 > limits::MAX_COMPONENT_BYTES {
            let (path, limit) = (place.to_owned(), limits::MAX_COMPONENT_BYTES);
            return Err(FileError::TooLarge { path, limit }.into());
        }
        match Self::with_manifest_beside(place)? {
            Some(package) => Ok(package),
            None => Ok(Self::bare(place, bytes)),
        }
    }

    /// A component without a manifest.
    fn bare(place: &Path, component: Vec<u8>) -> Self {
        let sha256 = Sha256::of(&component);
        Self { place: place.to_owned(), manifest: None, component, sha256 }
    }

    /// The package that the component at `place` is part of.
    fn with_manifest_beside(place: &Path) -> Result<Option<Self>, PackageError> {
        let parent = match place.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let Some(folder) = Folder::open(parent, Links::Follow)? else { return Ok(None) };
        let Some(bytes) = folder.read(MANIFEST_FILE, limits::MAX_MANIFEST_BYTES)? else { return Ok(None) };
        let manifest = parse_manifest(&bytes, parent)?;
        if place.file_name().is_some_and(|name| name == manifest.component.as_str()) {
            Files::Folder(&folder).package().map(Some)
        } else {
            Ok(None)
        }
    }

    /// The manifest, without what lies beside it.
    pub(super) fn manifest(&self) -> Option<&Manifest> {
        self.manifest.as_ref().map(|found| &found.manifest)
    }
}
