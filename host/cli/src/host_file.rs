//! `DIR/host.json`: where a running host of this data directory listens. It may be stale; a reader trusts it only if
//! that very instance answers.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The content of the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct HostAddress {
    pub(crate) address: SocketAddr,
    pub(crate) pid: u32,
    pub(crate) instance: Uuid,
}

fn path(directory: &Path) -> PathBuf {
    directory.join("host.json")
}

/// What the file says; `None` when there is none that can be read.
pub(crate) fn read(directory: &Path) -> Option<HostAddress> {
    serde_json::from_slice(&std::fs::read(path(directory)).ok()?).ok()
}

/// Writes the file whole: beside it first, then renamed.
pub(crate) fn write(directory: &Path, host: &HostAddress) -> std::io::Result<()> {
    std::fs::create_dir_all(directory)?;
    let beside = directory.join(format!("host.json.{}", host.pid));
    std::fs::write(&beside, serde_json::to_vec(host)?)?;
    std::fs::rename(&beside, path(directory))
}

/// Removes the file if it is still this instance's.
pub(crate) fn remove(directory: &Path, instance: Uuid) {
    if read(directory).is_some_and(|host| host.instance == instance) {
        // A file that stays behind is harmless: the instance in it answers no more.
        let _ = std::fs::remove_file(path(directory));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_file_is_removed() {
        let directory = tempfile::tempdir().unwrap();
        let host =
            HostAddress { address: "127.0.0.1:4600".parse().unwrap(), pid: 1, instance: Uuid::new_v4() };
        write(directory.path(), &host).unwrap();
        remove(directory.path(), Uuid::new_v4());
        assert_eq!(read(directory.path()), Some(host.clone()));
        remove(directory.path(), host.instance);
        assert_eq!(read(directory.path()), None);
        std::fs::write(directory.path().join("host.json"), "{").unwrap();
        assert_eq!(read(directory.path()), None);
    }
}
