//! What a manifest says, and every way in which it can be wrong.

use expect_test::{Expect, expect, expect_file};

use super::manifest::{Manifest, ManifestError};
use super::sha256::Sha256;

const GOOD: &str = r#"
name = "pager"
version = "1.2.0"
kind = "sink"
contract = "0.1.0"
component = "pager.wasm"
description = "Pages whoever is on call"

[[grants.http]]
origin = "https://pages.example.com"
reason = "pages are sent there"

[[grants.secrets]]
name = "PAGER_TOKEN"
reason = "the pager's account"
"#;

fn parse(text: &str) -> Result<Manifest, ManifestError> {
    Manifest::parse(text.as_bytes())
}

/// The good manifest with one text in the place of another.
fn check(from: &str, to: &str, expect: Expect) {
    assert!(GOOD.contains(from), "{from}");
    let error = parse(&GOOD.replacen(from, to, 1)).unwrap_err();
    expect.assert_eq(&error.to_string());
}

#[test]
fn a_good_manifest_is_read() {
    let manifest = parse(GOOD).unwrap();
    assert_eq!((manifest.name.as_str(), manifest.version.to_string().as_str()), ("pager", "1.2.0"));
    assert_eq!(manifest.grants.http[0].origin, "https://pages.example.com");
    assert_eq!((manifest.sha256.as_ref(), manifest.grants.key_value.as_ref()), (None, None));
    let hash = Sha256::of(b"component");
    let whole = format!(
        "licence = \"MIT\"\nauthors = [\"Ada\"]\nsha256 = \"{hash}\"\nconfig_schema = \"s.json\"\n{GOOD}"
    );
    let manifest = parse(&whole).unwrap();
    assert_eq!(manifest.sha256, Some(hash));
    let again = toml::to_string(&manifest).unwrap();
    assert_eq!(parse(&again).unwrap(), manifest);
}

#[test]
fn keys_are_refused_by_their_path() {
    check(
        "description",
        "licens",
        expect![
            "plugin.toml:7:1: licens: unknown field `licens`, expected one of `name`, `version`, `kind`, `contract`, `component`, `sha256`, `description`, `licence`, `authors`, `config_schema`, `grants`"
        ],
    );
    check(
        "reason = \"pages are sent there\"",
        "because = \"x\"",
        expect![
            "plugin.toml:11:1: grants.http[0].because: unknown field `because`, expected `origin` or `reason`"
        ],
    );
    check(
        "[[grants.secrets]]",
        "[grants.files]",
        expect![
            "plugin.toml:13:9: grants.files: unknown field `files`, expected one of `http`, `private_addresses`, `secrets`, `key_value`"
        ],
    );
    check(
        "reason = \"the pager's account\"\n",
        "",
        expect!["plugin.toml:13:1: grants.secrets[0]: missing field `reason`"],
    );
    check(
        "version = \"1.2.0\"",
        "version = \"1.2\"",
        expect!["plugin.toml:3:11: version: unexpected end of input while parsing minor version number"],
    );
    check(
        "\"sink\"",
        "\"pager\"",
        expect![
            "plugin.toml:4:8: kind: unknown variant `pager`, expected one of `validator`, `aggregator`, `monitor`, `sink`"
        ],
    );
    check("name = \"pager\"\n", "", expect!["plugin.toml:1:1: the manifest: missing field `name`"]);
    check(
        "name = \"pager\"",
        "name = \"pager",
        expect![[r#"plugin.toml:2:14: invalid basic string, expected `"`"#]],
    );
    check(
        "contract = \"0.1.0\"",
        "contract = 1",
        expect!["plugin.toml:5:12: contract: invalid type: integer `1`, expected semver version"],
    );
    check(
        "contract",
        "sha256 = \"abc\"\ncontract",
        expect!["plugin.toml:5:10: sha256: a SHA-256 has 64 hexadecimal digits"],
    );
}

#[test]
fn values_are_checked_together() {
    check(
        "\"pager.wasm\"",
        "\"../pager.wasm\"",
        expect![[
            r#"plugin.toml: component: "../pager.wasm" is not the plain name of a file beside the manifest"#
        ]],
    );
    check(
        "name = \"pager\"",
        "name = \"../pager\"",
        expect!["plugin.toml: name: a name consists of letters a to z, digits, '-', '_' and '.'"],
    );
    check(
        "\"sink\"",
        "\"validator\"",
        expect![
            "plugin.toml: grants.http: a validator cannot reach out, only a sink can; grants.secrets: a validator cannot reach out, only a sink can"
        ],
    );
    check(
        "https://pages.example.com",
        "https://pages.example.com/path",
        expect![[
            r#"plugin.toml: grants.http[0].origin: must be an origin such as "https://hooks.example.com": without user, path, query and fragment, here "https://pages.example.com""#
        ]],
    );
    check(
        "Pages whoever",
        "Pages\\u001b[2J whoever",
        expect!["plugin.toml: description: must be one line without control characters"],
    );
    check(
        "[[grants.secrets]]",
        "[[grants.http]]\norigin = \"https://pages.example.com\"\nreason = \" \"\n[grants.key_value]\nbytes = \"1 TiB\"\nreason = \"x\"\n[[grants.secrets]]",
        expect![
            "plugin.toml: grants.http[1].origin: is requested twice; grants.http[1].reason: must not be empty; grants.key_value.bytes: must be above 0 and at most 64.0 MiB"
        ],
    );
    check(
        "description",
        "config_schema = \"pager.wasm\"\ndescription",
        expect!["plugin.toml: config_schema: must be a file of its own"],
    );
}

#[test]
fn a_component_is_beside_its_manifest() {
    for name in [
        "/etc/passwd.wasm",
        "a/b.wasm",
        "..",
        "../x.wasm",
        "./x.wasm",
        ".x.wasm",
        "a\\\\b.wasm",
        "x.wasm/",
        "",
        "x.txt",
        "x\\u0000.wasm",
        "C:\\\\x.wasm",
    ] {
        let error = parse(&GOOD.replace("pager.wasm", name)).unwrap_err();
        assert!(matches!(error, ManifestError::Values { .. }), "{name}: {error}");
        assert!(error.to_string().contains("component: "), "{name}: {error}");
    }
    let long = format!("{}.wasm", "x".repeat(300));
    assert!(parse(&GOOD.replace("pager.wasm", &long)).is_err());
}

#[test]
fn what_is_no_manifest_at_all() {
    assert_eq!(Manifest::parse(b"\xff"), Err(ManifestError::NotText));
    let large = vec![b'#'; telemetry_core::limits::MAX_MANIFEST_BYTES as usize + 1];
    assert!(matches!(Manifest::parse(&large), Err(ManifestError::TooLarge { .. })));
    assert!(matches!(parse(""), Err(ManifestError::Key { .. })));
    for end in 0..GOOD.len() {
        // Whatever is cut off, there is an answer.
        let _ = parse(&GOOD[..end]);
    }
}

/// The committed schema is generated. To renew it:
/// `UPDATE_EXPECT=1 cargo test --workspace --lib the_committed_schema_of_manifests_is_in_step`
#[test]
fn the_committed_schema_of_manifests_is_in_step() {
    let schema = Manifest::schema();
    for (name, definition) in schema["$defs"].as_object().unwrap() {
        for (key, property) in definition["properties"].as_object().into_iter().flatten() {
            assert!(property.get("description").is_some(), "{name}.{key} has no description");
        }
        if definition.get("properties").is_some() {
            assert_eq!(definition["additionalProperties"], serde_json::json!(false), "{name}");
        }
    }
    let text = serde_json::to_string_pretty(&schema).unwrap() + "\n";
    expect_file!["../../../plugin.schema.json"].assert_eq(&text);
}
