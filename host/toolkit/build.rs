//! Generates what building a plugin in C needs of the contract, so that its author needs a compiler and nothing else: for each
//! world the bindings, and a component around a module that does nothing, in whose place the author's is put later.
//!
//! The generators are dependencies of the build alone: linked into the program they would change the features of crates that the
//! WebAssembly runtime shares, and with them all that is compiled once.

#[path = "generate/stub.rs"]
mod stub;

use std::error::Error;
use std::path::Path;

use wit_bindgen_core::Files;
use wit_component::{ComponentEncoder, StringEncoding, embed_component_metadata};
use wit_parser::{Resolve, WorldId};

const WORLDS: [&str; 4] = ["validator", "aggregator", "monitor", "alert-sink"];
/// What the world is called in C, whatever the kind, so that the modules for authors can name its types.
const NAME: &str = "bt_world";

fn main() -> Result<(), Box<dyn Error>> {
    let contract = Path::new("../../wit/bridge-telemetry.wit");
    for watched in [contract, Path::new("build.rs"), Path::new("generate")] {
        println!("cargo:rerun-if-changed={}", watched.display());
    }
    let text = std::fs::read_to_string(contract)?;
    let out = std::env::var("OUT_DIR")?;
    for name in WORLDS {
        let mut resolve = Resolve::default();
        let package = resolve.push_str("bridge-telemetry.wit", &text)?;
        let world = resolve.select_world(&[package], Some(name))?;
        let folder = Path::new(&out).join(name);
        std::fs::create_dir_all(&folder)?;
        std::fs::write(folder.join("frame.wasm"), frame(&resolve, world)?)?;
        bindings(&mut resolve, world, &folder)?;
    }
    Ok(())
}

fn bindings(resolve: &mut Resolve, world: WorldId, folder: &Path) -> Result<(), Box<dyn Error>> {
    let options = wit_bindgen_c::Opts {
        rename_world: Some(NAME.to_owned()),
        no_object_file: true,
        ..wit_bindgen_c::Opts::default()
    };
    let mut files = Files::default();
    options.build().generate(resolve, world, &mut files)?;
    for (name, bytes) in files.iter() {
        std::fs::write(folder.join(name), bytes)?;
    }
    Ok(())
}

/// A component of the world with all of its imports and exports.
fn frame(resolve: &Resolve, world: WorldId) -> Result<Vec<u8>, Box<dyn Error>> {
    let mut module = stub::module(resolve, world);
    embed_component_metadata(&mut module, resolve, world, StringEncoding::UTF8)?;
    Ok(ComponentEncoder::default().module(&module)?.validate(true).encode()?)
}
