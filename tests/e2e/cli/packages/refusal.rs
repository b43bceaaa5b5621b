//! What is not installed, and that nothing is written then.

use std::os::unix::fs::symlink;

use super::*;

#[test]
fn packages_that_contradict_themselves() {
    let place = Place::new();
    place.installed(&package(&place, "ewma"));
    let changed = |from: &str, to: &str| {
        let folder = package(&place, "redact");
        without_line(&folder.join("plugin.toml"), "sha256");
        edit(&folder.join("plugin.toml"), from, to);
        folder
    };
    for (from, to, key) in [
        ("name = \"redact\"", "name = \"redakt\"", "name"),
        ("version = \"0.8.0\"", "version = \"0.9.0\"", "version"),
        ("kind = \"validator\"", "kind = \"monitor\"", "kind"),
        ("contract = \"0.2.2\"", "contract = \"9.1.0\"", "contract"),
    ] {
        let told = place.refuses_to_install(&changed(from, to), "Disagreement");
        assert!(told.contains(&format!("disagree about {key}:")), "{told}");
    }
    let folder = changed("description", "config_schema = \"schema.json\"\ndescription");
    assert!(place.refuses_to_install(&folder, "Incomplete").contains("has no schema.json"));
    fs::write(folder.join("schema.json"), "{}").unwrap();
    assert!(place.refuses_to_install(&folder, "Disagreement").contains("config_schema"));
    let schema =
        place.plugin(&["inspect", folder.join("redact.wasm").to_str().unwrap()]).1["plugin"]["config_schema"]
            .clone();
    fs::write(folder.join("schema.json"), serde_json::to_string_pretty(&schema).unwrap()).unwrap();
    place.installed(&folder);
    assert!(place.path().join("plugins/redact/schema.json").is_file());

    let folder = package(&place, "redact");
    fs::copy(plugin("ewma").unwrap(), folder.join("redact.wasm")).unwrap();
    place.refuses_to_install(&folder, "ManifestHash");
    without_line(&folder.join("plugin.toml"), "sha256");
    place.refuses_to_install(&folder, "Disagreement");
}

#[test]
fn manifests_that_reach_out_or_ask_for_what_they_cannot_have() {
    let place = Place::new();
    for (from, to, told) in [
        (
            "component = \"redact.wasm\"",
            "component = \"../redact.wasm\"",
            "component: \"../redact.wasm\" is not",
        ),
        ("component = \"redact.wasm\"", "component = \"/etc/passwd.wasm\"", "is not the plain name"),
        ("name = \"redact\"", "name = \"../redact\"", "name: a name consists of"),
        ("description", "descripton", "descripton: unknown field"),
        ("contract = \"0.2.2\"", "contract = \"0.2\"", "contract: unexpected end of input"),
        (
            "licence",
            "[[grants.http]]\norigin = \"https://x.example\"\nreason = \"r\"\n#",
            "a validator cannot reach out",
        ),
    ] {
        let folder = package(&place, "redact");
        edit(&folder.join("plugin.toml"), from, to);
        let message = place.refuses_to_install(&folder, "Manifest");
        assert!(message.contains(told), "{message}");
    }
    let folder = package(&place, "redact");
    fs::write(folder.join("plugin.toml"), vec![b'#'; 1 << 20]).unwrap();
    place.refuses_to_install(&folder, "TooLarge");
    assert!(!place.path().join(PLUGINS).exists(), "not even the folder is made");
}

#[test]
fn links_in_a_package() {
    let place = Place::new();
    for file in ["redact.wasm", "plugin.toml"] {
        let folder = package(&place, "redact");
        fs::rename(folder.join(file), place.path().join("moved")).unwrap();
        symlink(place.path().join("moved"), folder.join(file)).unwrap();
        assert!(place.refuses_to_install(&folder, "SymbolicLink").contains(file));
        fs::remove_dir_all(&folder).unwrap();
    }
    let folder = package(&place, "redact");
    symlink("/etc/passwd", folder.join("plugin.toml.minisig")).unwrap();
    place.refuses_to_install(&folder, "SymbolicLink");
}

/// An archive of `redact` with one more entry.
fn archive(place: &Place, path: &str, kind: tar::EntryType) -> PathBuf {
    let folder = package(place, "redact");
    let mut builder = tar::Builder::new(Vec::new());
    builder.append_dir_all(".", &folder).unwrap();
    let mut header = tar::Header::new_ustar();
    header.as_old_mut().name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(kind);
    header.set_size(0);
    if kind != tar::EntryType::Regular {
        header.set_link_name("/etc/passwd").unwrap();
    }
    header.set_cksum();
    builder.append(&header, &b""[..]).unwrap();
    let file = place.path().join("redact.tar");
    fs::write(&file, builder.into_inner().unwrap()).unwrap();
    file
}

#[test]
fn archives_that_lead_out_of_themselves() {
    let place = Place::new();
    for path in ["../evil.wasm", "/tmp/evil.wasm", "a/../../evil.wasm"] {
        let told = place.refuses_to_install(&archive(&place, path, tar::EntryType::Regular), "Archive");
        assert!(told.contains(path) && told.contains("leads out"), "{told}");
    }
    for kind in [tar::EntryType::Symlink, tar::EntryType::Link] {
        assert!(place.refuses_to_install(&archive(&place, "x.wasm", kind), "Archive").contains("link"));
    }
    let whole = fs::read(archive(&place, "README", tar::EntryType::Regular)).unwrap();
    fs::write(place.path().join("cut.tar"), &whole[..whole.len() / 3]).unwrap();
    place.refuses_to_install(&place.path().join("cut.tar"), "Archive");
    place.installed(&archive(&place, "README", tar::EntryType::Regular));
}

#[test]
fn files_that_are_no_plugins() {
    let place = Place::new();
    for bytes in [
        &b"no component"[..],
        b"",
        b"\0asm\x01\0\0\0",
        &fs::read(plugin("redact").unwrap()).unwrap()[..5_000],
    ] {
        fs::write(place.path().join("x.wasm"), bytes).unwrap();
        place.refuses_to_install(&place.path().join("x.wasm"), "Component");
    }
    fs::create_dir(place.path().join("empty")).unwrap();
    place.refuses_to_install(&place.path().join("empty"), "Incomplete");
    let large = fs::File::create(place.path().join("large.wasm")).unwrap();
    large.set_len(65 << 20).unwrap();
    place.refuses_to_install(&place.path().join("large.wasm"), "TooLarge");
}

#[test]
fn another_component_than_was_asked_for() {
    let place = Place::new();
    let folder = package(&place, "redact");
    let right = place.plugin(&["inspect", folder.to_str().unwrap()]).1["plugin"]["sha256"]
        .as_str()
        .unwrap()
        .to_owned();
    let wrong = "0".repeat(64);
    place.refuses(&["install", folder.to_str().unwrap(), "--sha256", &wrong], "ExpectedHash");
    assert_eq!(place.install(&folder, &["--sha256", &right]).0, 0);
    let arguments = ["plugin", "install", folder.to_str().unwrap(), "--sha256", "abc"];
    assert_eq!(place.run(&arguments).status.code(), Some(2), "no hash at all");
    let (exit, body) = place.install(&folder, &["--name", "other"]);
    assert_eq!((exit, &body["error"]["details"]["exception_type"]), (2, &json!("Name")), "{body}");
}
