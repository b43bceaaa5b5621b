//! The library that stands between a process and the disk: built, preloaded, told what fails.

use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

/// The folder that is watched.
pub const TREE: &str = "FAULTS_TREE";
const TRACE: &str = "FAULTS_TRACE";
const CONTROL: &str = "FAULTS_CONTROL";
const LIE: &str = "FAULTS_LIE";
/// Of `struct control`.
const CONTROL_BYTES: usize = 80;
const NAME_BYTES: usize = 40;

/// Kinds of operations, as in the library.
pub const WRITE: u32 = 1;
pub const SYNC: u32 = 2;
pub const OPEN: u32 = 4;
pub const CREATE: u32 = 8;
pub const RENAME: u32 = 16;
pub const REMOVE: u32 = 32;
pub const MKDIR: u32 = 64;
pub const RESIZE: u32 = 128;
pub const READ: u32 = 256;

/// What the operating system says, by its number on Linux.
pub const EIO: i32 = 5;
pub const EMFILE: i32 = 24;
pub const ENOSPC: i32 = 28;

/// Builds the library, once a process.
fn library() -> &'static Path {
    static BUILT: OnceLock<(TempDir, PathBuf)> = OnceLock::new();
    let (_, path) = BUILT.get_or_init(|| {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("preload.so");
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("preload.c");
        let compiled = Command::new("cc")
            .args(["-shared", "-fPIC", "-O2", "-Wall", "-Wextra", "-Werror", "-o"])
            .args([&path, &source])
            .arg("-lpthread")
            .output()
            .expect("cc is among the tools that the set-up installs");
        assert!(compiled.status.success(), "{}", String::from_utf8_lossy(&compiled.stderr));
        (folder, path)
    });
    path
}

/// A process of this binary that runs one test, `name`, and nothing else.
pub fn this_test(name: &str) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", name, "--include-ignored", "--nocapture", "--test-threads=1"]);
    command
}

/// Puts the library before the file system of a process.
pub fn watch(command: &mut Command, tree: &Path, trace: &Path, lie: bool) {
    command.env("LD_PRELOAD", library()).env(TREE, tree).env(TRACE, trace);
    if lie {
        command.env(LIE, "1");
    }
}

/// Runs the calling test, `name`, in a process whose disk can be made to fail; whether this is that process.
pub fn in_child(name: &str) -> bool {
    if std::env::var_os(CONTROL).is_some() {
        return true;
    }
    let folder = tempfile::tempdir().unwrap();
    let control = folder.path().join("control");
    let tree = folder.path().join("tree");
    std::fs::write(&control, [0; CONTROL_BYTES]).unwrap();
    std::fs::create_dir(&tree).unwrap();
    let ended = this_test(name)
        .env("LD_PRELOAD", library())
        .env(TREE, &tree)
        .env(CONTROL, &control)
        .output()
        .unwrap();
    let said =
        format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
    assert!(ended.status.success(), "{said}");
    assert!(said.contains("1 passed"), "{said}");
    said.lines().filter(|line| line.starts_with("disk:")).for_each(|line| println!("{line}"));
    false
}

/// Which operations fail.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    /// Their kinds, added up.
    pub kinds: u32,
    /// What the system says.
    pub error: i32,
    /// Of a file whose name contains this.
    pub name: &'static str,
    /// Operations that pass first.
    pub after: i64,
    /// Whether all later ones fail too.
    pub lasting: bool,
    /// Whether half of a failing write arrives.
    pub torn: bool,
}

/// Tells the library of this process what fails.
pub struct Control(File);

impl Control {
    pub fn of_this_process() -> Self {
        let path = std::env::var_os(CONTROL).unwrap();
        Self(File::options().read(true).write(true).open(path).unwrap())
    }

    pub fn arm(&self, fault: Fault) {
        self.disarm();
        let mut bytes = Vec::with_capacity(CONTROL_BYTES);
        bytes.extend(fault.error.to_ne_bytes());
        bytes.extend(fault.after.to_ne_bytes());
        bytes.extend(u32::from(fault.lasting).to_ne_bytes());
        bytes.extend(u32::from(fault.torn).to_ne_bytes());
        bytes.extend(fault.name.as_bytes());
        bytes.resize(20 + NAME_BYTES + 16, 0);
        self.0.write_all_at(&bytes, 4).unwrap();
        // Last: what comes before is complete.
        self.0.write_all_at(&fault.kinds.to_ne_bytes(), 0).unwrap();
    }

    /// Nothing fails any more.
    pub fn disarm(&self) {
        self.0.write_all_at(&[0; 4], 0).unwrap();
    }

    /// How many operations failed since the arming.
    pub fn failed(&self) -> u64 {
        let mut number = [0; 8];
        self.0.read_exact_at(&mut number, 72).unwrap();
        u64::from_ne_bytes(number)
    }
}
