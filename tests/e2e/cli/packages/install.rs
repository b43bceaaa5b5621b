//! What is installed runs, and is listed and inspected with all that is known of it.

use flate2::Compression;
use flate2::write::GzEncoder;

use super::*;

#[test]
fn a_component_alone_is_installed_under_its_own_name() {
    let place = Place::new();
    fs::copy(plugin("redact").unwrap(), place.path().join("built.wasm")).unwrap();
    let output = place.run(&["plugin", "install", "built.wasm", "--plugins", PLUGINS]);
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", told(&output));
    assert!(text.starts_with("installed redact 0.8.0 (validator) in plugins/redact.wasm\n"), "{text}");
    assert!(text.contains("no trusted signature; pinned by its hash "), "{text}");
    assert!(place.masks());
    let listed = place.listed("redact");
    assert_eq!((&listed["load"], &listed["trust"]["pinned"]), (&json!("ready"), &json!(true)), "{listed}");
    let running = place.host();
    let listed = place.listed("redact");
    assert_eq!(
        (&listed["load"], &listed["trust"]["policy"]),
        (&json!("loaded"), &json!("pinned")),
        "{listed}"
    );
    assert_eq!(listed["grants"]["has_manifest"], false);
    assert_eq!(running.terminate(), 0);
    let installed = place.install(Path::new("built.wasm"), &["--name", "mask"]);
    assert_eq!((installed.0, &installed.1["plugin"]["name"]), (0, &json!("mask")));
}

#[test]
fn a_package_comes_from_a_folder_or_an_archive() {
    let place = Place::new();
    let folder = package(&place, "webhook");
    let mut tar = tar::Builder::new(Vec::new());
    tar.append_dir_all("webhook-0.8.0", &folder).unwrap();
    let bytes = tar.into_inner().unwrap();
    let plain = place.path().join("webhook.tar");
    fs::write(&plain, &bytes).unwrap();
    let packed = place.path().join("webhook.tgz");
    let mut encoder = GzEncoder::new(fs::File::create(&packed).unwrap(), Compression::default());
    std::io::Write::write_all(&mut encoder, &bytes).unwrap();
    encoder.finish().unwrap();
    let mut pins = Vec::new();
    for source in [folder.clone(), plain, packed, folder.join("webhook.wasm")] {
        let installed = place.installed(&source);
        assert_eq!((&installed["name"], &installed["kind"]), (&json!("webhook"), &json!("sink")));
        let at = place.path().join(PLUGINS).join("webhook");
        assert_eq!(fs::read(at.join("plugin.toml")).unwrap(), fs::read(folder.join("plugin.toml")).unwrap());
        assert_eq!(
            fs::read(at.join("webhook.wasm")).unwrap(),
            fs::read(folder.join("webhook.wasm")).unwrap()
        );
        assert_eq!(fs::read_dir(&at).unwrap().count(), 2);
        pins.push(installed["sha256"].clone());
    }
    assert_eq!(pins, vec![pins[0].clone(); 4]);
    let names = contents(&place.path().join(PLUGINS));
    assert!(
        !names.keys().any(|path| path.file_name().unwrap().to_str().unwrap().starts_with('.')),
        "{names:?}"
    );
}

#[test]
fn a_package_takes_the_place_of_a_component_and_the_other_way_round() {
    let place = Place::new();
    let folder = package(&place, "redact");
    let bare = place.path().join("redact.wasm");
    fs::copy(plugin("redact").unwrap(), &bare).unwrap();
    for (source, is_package) in [(&bare, false), (&folder, true), (&bare, false)] {
        place.installed(source);
        let at = |name: &str| place.path().join(PLUGINS).join(name).exists();
        assert_eq!((at("redact"), at("redact.wasm")), (is_package, !is_package));
        assert!(place.masks());
    }
}

#[test]
fn newer_versions_replace_older_ones_and_older_ones_only_on_demand() {
    let place = Place::new();
    let folder = package(&place, "redact");
    place.installed(&folder);
    let replaced = place.installed(&folder);
    assert_eq!(replaced["replaced"], "0.8.0", "the same version may be installed again");
    // The folder's note says that a newer one was there.
    edit(&place.path().join(PLUGINS).join("plugins.lock"), "version = \"0.8.0\"", "version = \"0.9.0\"");
    let told = place.refuses_to_install(&folder, "Rollback");
    assert!(told.contains("0.8.0 is older than 0.9.0") && told.contains("--allow-downgrade"), "{told}");
    let (exit, body) = place.install(&folder, &["--allow-downgrade"]);
    assert_eq!((exit, &body["plugin"]["replaced"]), (0, &json!("0.9.0")), "{body}");
}

#[test]
fn a_package_is_inspected_before_it_is_installed() {
    let place = Place::new();
    let folder = package(&place, "webhook");
    let (exit, body) = place.plugin(&["inspect", folder.to_str().unwrap()]);
    assert_eq!((exit, &body["plugin"]["name"]), (0, &json!("webhook")), "{body}");
    assert_eq!(body["manifest"]["grants"]["http"][0]["origin"], "*", "{body}");
    assert_eq!(
        body["grants"]["http"][0],
        json!({
            "value": "*", "requested": true, "configured": false, "effective": false,
            "reason": "alerts are posted to the url of its configuration",
        })
    );
    assert_eq!((&body["trust"]["pinned"], &body["refused"]), (&json!(false), &Value::Null));
    fs::write(folder.join("webhook.wasm"), fs::read(plugin("redact").unwrap()).unwrap()).unwrap();
    let (exit, body) = place.plugin(&["inspect", folder.to_str().unwrap()]);
    assert_eq!((exit, &body["refused"]["kind"]), (0, &json!("ManifestHash")), "{body}");
    let output = place.run(&["plugin", "inspect", folder.to_str().unwrap()]);
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(
        text.contains("refused       the component of \"webhook\" is not the one of its manifest"),
        "{text}"
    );
}

#[test]
fn what_is_named_must_exist() {
    let place = Place::new();
    for arguments in
        [&["install", "absent"][..], &["inspect", "absent"], &["remove", "absent"], &["enable", "absent"]]
    {
        fs::create_dir_all(place.path().join(PLUGINS)).unwrap();
        let (exit, body) = place.plugin(arguments);
        assert_eq!((exit, &body["error"]["code"]), (2, &json!("NOT_FOUND")), "{arguments:?}: {body}");
    }
    let folder = package(&place, "redact");
    let (exit, body) = place.json(&["plugin", "install", folder.to_str().unwrap()]);
    assert_eq!((exit, &body["error"]["details"]["exception_type"]), (2, &json!("NoDirectory")), "{body}");
}
