//! Signs a package: its manifest gets the component's hash, and a signature beside it.

use std::fs;
use std::path::{Path, PathBuf};

use telemetry_core::{Timestamp, limits};

use super::error::PackageError;
use super::file::{FileError, Folder, Links};
use super::manifest::{MANIFEST_FILE, Manifest};
use super::secret_key::SecretKey;
use super::sha256::Sha256;
use super::source::SIGNATURE_SUFFIX;

/// What was signed.
#[derive(Clone, Debug)]
pub struct Signed {
    /// The manifest, with the component's hash.
    pub manifest: Manifest,
    /// The signature's file.
    pub signature: PathBuf,
}

/// Signs the package in `folder`: fills the component's SHA-256 into its manifest and writes the signature beside it.
pub fn sign(folder: &Path, key: &SecretKey, now: Timestamp) -> Result<Signed, PackageError> {
    let absent = || PackageError::Absent { place: folder.to_owned() };
    let files = Folder::open(folder, Links::Follow)?.ok_or_else(absent)?;
    let get = |name: &str, limit| {
        let missing = || PackageError::Incomplete { place: folder.to_owned(), file: name.to_owned() };
        files.read(name, limit)?.ok_or_else(missing)
    };
    let bytes = get(MANIFEST_FILE, limits::MAX_MANIFEST_BYTES)?;
    let refused = |source| PackageError::Manifest { place: folder.to_owned(), source };
    let manifest = Manifest::parse(&bytes).map_err(refused)?;
    let hash = Sha256::of(&get(&manifest.component, limits::MAX_COMPONENT_BYTES)?);
    let text = with_sha256(&String::from_utf8_lossy(&bytes), &hash);
    let manifest = Manifest::parse(text.as_bytes()).map_err(refused)?;
    if manifest.sha256.as_ref() != Some(&hash) {
        let reason = "its line `sha256 = …` must stand by itself at the top of the manifest";
        return Err(PackageError::not_signed(&manifest.name, reason));
    }
    let comment = format!("timestamp:{}\tfile:{MANIFEST_FILE}\thashed", now.nanos() / 1_000_000_000);
    let signature = folder.join(format!("{MANIFEST_FILE}{SIGNATURE_SUFFIX}"));
    if text.as_bytes() != bytes {
        replace(&folder.join(MANIFEST_FILE), &text)?;
    }
    replace(&signature, &key.sign(text.as_bytes(), &comment))?;
    Ok(Signed { manifest, signature })
}

/// The manifest's text with this hash: in the place of the one it has, else after the component's name. Comments and the order
/// of the keys stay.
pub fn with_sha256(manifest: &str, hash: &Sha256) -> String {
    let line = format!("sha256 = \"{hash}\"\n");
    let is_key = |line: &str, key: &str| line.split_once('=').is_some_and(|(found, _)| found.trim() == key);
    let top_end = manifest.lines().position(|line| line.trim_start().starts_with('[')).unwrap_or(usize::MAX);
    let has_one = manifest.lines().take(top_end).any(|line| is_key(line, "sha256"));
    let mut text = String::new();
    for (number, found) in manifest.lines().enumerate() {
        let is_top = number < top_end;
        if is_top && is_key(found, "sha256") {
            text += &line;
            continue;
        }
        text += found;
        text.push('\n');
        if is_top && !has_one && is_key(found, "component") {
            text += &line;
        }
    }
    text
}

/// Writes a file whole: beside its place first, then renamed.
fn replace(path: &Path, text: &str) -> Result<(), FileError> {
    let draft = path.with_added_extension(format!("{}.draft", std::process::id()));
    let written = fs::write(&draft, text).and_then(|()| fs::rename(&draft, path));
    if written.is_err() {
        // The draft may not exist; there is nothing more to do about one that stays.
        let _ = fs::remove_file(&draft);
    }
    written.map_err(|error| FileError::written(path, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hash_takes_its_place() {
        let hash = Sha256::of(b"x");
        let head = "# mine\nname = \"p\"\ncomponent = \"p.wasm\" # here\n";
        let tail = "description = \"d\"\n\n[[grants.http]]\nsha256 = \"no\"\n";
        let expected = format!("{head}sha256 = \"{hash}\"\n{tail}");
        assert_eq!(with_sha256(&format!("{head}{tail}"), &hash), expected);
        assert_eq!(with_sha256(&format!("{head}sha256=\"old\"\n{tail}"), &hash), expected);
        assert_eq!(with_sha256(&expected, &hash), expected);
    }

    #[test]
    fn a_signed_package_has_its_hash() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let key = SecretKey::generate().unwrap();
        let now = Timestamp::parse("2026-11-28T12:00:00Z").unwrap();
        assert_eq!(sign(folder.path(), &key, now).unwrap_err().kind(), "Incomplete");
        let text = "name = \"p\"\nversion = \"1.0.0\"\nkind = \"monitor\"\ncontract = \"0.1.0\"\ncomponent = \"p.wasm\"\ndescription = \"d\"\n";
        fs::write(at("plugin.toml"), text).unwrap();
        fs::write(at("p.wasm"), "component").unwrap();
        let signed = sign(folder.path(), &key, now).unwrap();
        assert_eq!(signed.manifest.sha256, Some(Sha256::of(b"component")));
        let signature = fs::read_to_string(&signed.signature).unwrap();
        assert!(signature.contains("timestamp:1795867200\tfile:plugin.toml"), "{signature}");
        let signature = minisign_verify::Signature::decode(&signature).unwrap();
        let trusted = crate::config::TrustedKey::parse(&key.public_line()).unwrap();
        assert!(trusted.signed(&fs::read(at("plugin.toml")).unwrap(), &signature));
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 3, "no draft stays");
    }
}
