//! What the build publishes: a component for every shipped plugin, and no other.

use std::collections::BTreeSet;
use std::path::Path;

use bridge_telemetry_tests::{component_folder, plugin};

/// The first bytes of a component: the magic, then layer 1 (a core module has layer 0).
const COMPONENT_PREAMBLE: [u8; 8] = [0x00, b'a', b's', b'm', 0x0d, 0x00, 0x01, 0x00];

fn names(folder: &Path, of: impl Fn(&Path) -> Option<String>) -> BTreeSet<String> {
    std::fs::read_dir(folder).unwrap().filter_map(|entry| of(&entry.unwrap().path())).collect()
}

#[test]
fn every_shipped_plugin_has_its_component_and_no_other_is_there() {
    let crates =
        names(&Path::new(&std::env::var("CARGO_MANIFEST_DIR").unwrap()).join("../plugins"), |path| {
            path.join("Cargo.toml").is_file().then(|| path.file_name().unwrap().to_str().unwrap().to_owned())
        });
    let built = names(&component_folder().unwrap(), |path| {
        path.is_dir().then(|| path.file_name().unwrap().to_str().unwrap().to_owned())
    });
    assert_eq!(built, crates);
    for name in crates {
        let bytes = std::fs::read(plugin(&name).unwrap()).unwrap();
        assert_eq!(bytes[..8], COMPONENT_PREAMBLE, "{name} is no component");
    }
}
