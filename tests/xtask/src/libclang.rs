//! Looks for the libclang that RocksDB's bindings are generated with, in the places where bindgen looks.
//! Only looks: what to do when there is none is the set-up's business.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

/// What was found, or what is missing.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Libclang {
    /// The library, with its own headers beside it.
    Found(PathBuf),
    /// The library alone: bindgen would fail on `stddef.h`.
    WithoutHeaders(PathBuf),
    /// `LIBCLANG_PATH` names a place that holds no libclang; bindgen looks nowhere else then.
    NotAtPath(PathBuf),
    /// No library anywhere.
    Absent,
}

/// Looks at `LIBCLANG_PATH` if it is set, else below `system` (`/` but for tests).
pub(crate) fn find(system: &Path, libclang_path: Option<OsString>) -> Libclang {
    if let Some(path) = libclang_path.filter(|path| !path.is_empty()).map(PathBuf::from) {
        // Whoever sets the variable answers for the headers too.
        return match library_at(&path) {
            Some(library) => Libclang::Found(library),
            None => Libclang::NotAtPath(path),
        };
    }
    let mut incomplete = None;
    for folder in library_folders(system) {
        if let Some(library) = library_at(&folder) {
            if has_headers(system, &folder) {
                return Libclang::Found(library);
            }
            incomplete.get_or_insert(library);
        }
    }
    incomplete.map_or(Libclang::Absent, Libclang::WithoutHeaders)
}

/// Debian's folders first (newest LLVM last in the listing, so tried first), then the general ones.
fn library_folders(system: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    for parent in ["usr/lib", "usr/local"] {
        let mut versions: Vec<PathBuf> = entries(&system.join(parent))
            .into_iter()
            .filter(|path| name_of(path).starts_with("llvm"))
            .map(|path| path.join("lib"))
            .collect();
        versions.sort();
        folders.extend(versions.into_iter().rev());
    }
    let mut triples: Vec<PathBuf> = entries(&system.join("usr/lib"))
        .into_iter()
        .filter(|path| name_of(path).ends_with("-linux-gnu"))
        .collect();
    triples.sort();
    folders.extend(triples);
    folders.extend(["usr/lib64", "usr/lib", "usr/local/lib"].map(|path| system.join(path)));
    folders
}

/// The libclang in a folder, or the file itself if that is what `path` names.
fn library_at(path: &Path) -> Option<PathBuf> {
    if path.is_file() {
        return is_libclang(&name_of(path)).then(|| path.to_path_buf());
    }
    let mut found: Vec<PathBuf> =
        entries(path).into_iter().filter(|path| is_libclang(&name_of(path))).collect();
    found.sort();
    found.into_iter().next()
}

/// `libclang.so`, `libclang.so.1`, `libclang-14.so.13`; not `libclang-cpp.so.14`, nor the runtime's `libclang_rt…`.
fn is_libclang(file: &str) -> bool {
    let Some(rest) = file.strip_prefix("libclang") else { return false };
    let version_or_end = rest
        .strip_prefix('-')
        .is_none_or(|version| version.starts_with(|first: char| first.is_ascii_digit()));
    version_or_end
        && (rest.starts_with('-') || rest.starts_with('.'))
        && (rest.ends_with(".so") || rest.contains(".so."))
}

/// Clang's own headers lie in `lib/clang/VERSION/include`, beside the library or in the system's folder.
fn has_headers(system: &Path, library_folder: &Path) -> bool {
    let below_llvm = entries(&system.join("usr/lib"))
        .into_iter()
        .filter(|path| name_of(path).starts_with("llvm"))
        .map(|path| path.join("lib/clang"));
    [library_folder.join("clang"), system.join("usr/lib/clang"), system.join("usr/lib64/clang")]
        .into_iter()
        .chain(below_llvm)
        .flat_map(|folder| entries(&folder))
        .any(|version| version.join("include/stddef.h").is_file())
}

/// A folder's entries; a folder that is not there or not readable has none.
fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path()).collect()
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file system of empty files, removed at the end.
    struct System(PathBuf);

    impl System {
        fn with(test: &str, files: &[&str]) -> System {
            let root = std::env::temp_dir().join(format!("xtask-libclang-{test}-{}", std::process::id()));
            std::fs::create_dir_all(&root).unwrap();
            for file in files {
                let path = root.join(file);
                std::fs::create_dir_all(path.parent().unwrap()).unwrap();
                std::fs::write(path, "").unwrap();
            }
            System(root)
        }
    }

    impl Drop for System {
        fn drop(&mut self) {
            let _ = std::fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn debian_s_layout_is_found() {
        let system = System::with(
            "debian",
            &[
                "usr/lib/llvm-14/lib/libclang.so.1",
                "usr/lib/llvm-14/lib/clang/14.0.6/include/stddef.h",
                "usr/lib/x86_64-linux-gnu/libclang-14.so.1",
            ],
        );
        assert_eq!(
            find(&system.0, None),
            Libclang::Found(system.0.join("usr/lib/llvm-14/lib/libclang.so.1"))
        );
    }

    #[test]
    fn the_library_without_its_headers_is_not_enough() {
        let system = System::with("headers", &["usr/lib/x86_64-linux-gnu/libclang-14.so.1"]);
        assert!(matches!(find(&system.0, None), Libclang::WithoutHeaders(_)));
    }

    #[test]
    fn look_alikes_are_not_libclang() {
        let system = System::with(
            "alike",
            &["usr/lib/llvm-14/lib/libclang-cpp.so.14", "usr/lib/llvm-14/lib/libclang_rt.asan-x86_64.so"],
        );
        assert_eq!(find(&system.0, None), Libclang::Absent);
        for (file, expect) in [
            ("libclang.so", true),
            ("libclang-14.so", true),
            ("libclang-14.so.14.0.6", true),
            ("libclang.a", false),
            ("libclangd.so", false),
        ] {
            assert_eq!(is_libclang(file), expect, "{file}");
        }
    }

    #[test]
    fn libclang_path_is_the_only_place_when_set() {
        let system = System::with(
            "path",
            &["opt/clang/libclang.so", "usr/lib/libclang.so", "usr/lib/clang/17/include/stddef.h"],
        );
        let there = system.0.join("opt/clang");
        assert_eq!(find(&system.0, Some(there.clone().into())), Libclang::Found(there.join("libclang.so")));
        assert_eq!(
            find(&system.0, Some(there.join("libclang.so").into())),
            Libclang::Found(there.join("libclang.so"))
        );
        let elsewhere = system.0.join("usr");
        assert_eq!(find(&system.0, Some(elsewhere.clone().into())), Libclang::NotAtPath(elsewhere));
        assert!(matches!(find(&system.0, Some("".into())), Libclang::Found(_)));
    }
}
