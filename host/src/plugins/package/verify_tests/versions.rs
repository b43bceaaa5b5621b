//! Versions under the policy `signed`.

use super::*;
use crate::plugins::package::floor::{RunningVersion, note_running};
use crate::plugins::package::remove;

#[test]
fn a_signed_older_version_does_not_come_back() {
    let place = Place::new(PluginPolicy::Signed);
    place.sign(&place.key);
    place.pin();
    place.trusted();
    place.write_package("1.3.0", b"newer");
    place.sign(&place.key);
    assert!(!place.trusted().trust.pinned, "a newer one may come without being installed");
    place.write_package("1.1.9", b"older");
    place.sign(&place.key);
    let told = place.refused("Rollback");
    assert!(told.contains("1.1.9") && told.contains("1.2.0"), "{told}");
    place.write_package("1.2.0-rc.1", b"older");
    place.sign(&place.key);
    place.refused("Rollback");
}

#[test]
fn a_signed_version_that_ran_is_the_lowest_though_nobody_installed_it() {
    let mut place = Place::new(PluginPolicy::Signed);
    place.put_signed("1.2.0");
    place.pin();
    place.put_signed("1.4.0");
    let package = place.trusted();
    let runs = [RunningVersion { entry: package.entry, version: package.manifest.unwrap().version }];
    note_running(&place.plugins, &runs).unwrap();
    for older in ["1.3.0", "1.2.0"] {
        place.put_signed(older);
        let told = place.refused("Rollback");
        let expected = format!("{older} is older than 1.4.0, which ran or was installed here");
        assert!(told.contains(&expected), "{told}");
    }
    // The very bytes that the configuration names are meant.
    let named = PluginSettings { sha256: Some(Sha256::of(b"1.2.0")), ..PluginSettings::default() };
    place.plugins.settings.insert("pager".to_owned(), named);
    place.trusted();
    place.plugins.settings.clear();
    place.put_signed("1.4.0");
    place.trusted();
    // What is put there after the plugin was removed is nobody's word.
    remove(&place.plugins, "pager", now()).unwrap();
    fs::create_dir(place.at("pager")).unwrap();
    place.put_signed("1.3.0");
    place.refused("Rollback");
    place.put_signed("1.5.0");
    place.trusted();
    // Without the policy the version is only what the bytes say of themselves.
    place.plugins.policy = PluginPolicy::Any;
    place.put_signed("1.3.0");
    place.trusted();
}

#[test]
fn a_component_elsewhere_has_a_floor_of_its_own() {
    let place = Place::new(PluginPolicy::Signed);
    place.put_signed("1.4.0");
    let elsewhere = tempfile::tempdir().unwrap();
    let folder = elsewhere.path().join("pager");
    fs::create_dir(&folder).unwrap();
    let copy = || {
        for file in ["plugin.toml", "plugin.toml.minisig", "pager.wasm"] {
            fs::copy(place.at("pager").join(file), folder.join(file)).unwrap();
        }
    };
    copy();
    let settings = PluginSettings { component: Some(folder.clone()), ..PluginSettings::default() };
    let plugins =
        PluginsConfig { settings: BTreeMap::from([("other".to_owned(), settings)]), ..place.plugins.clone() };
    let verified = || PluginPackages::of(&plugins).verified("other");
    let package = verified().unwrap();
    assert_eq!((package.entry.name.as_str(), &package.entry.pin), ("other", &None));
    let runs = [RunningVersion { entry: package.entry, version: package.manifest.unwrap().version }];
    note_running(&plugins, &runs).unwrap();
    place.put_signed("1.3.0");
    copy();
    assert_eq!(verified().unwrap_err().kind(), "Rollback");
    // The one in the folder is another plugin, which never ran.
    place.trusted();
}
