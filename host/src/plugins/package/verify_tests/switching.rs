//! What is disabled, enabled and removed.

use super::*;
use crate::plugins::package::floor::LockEntry;
use crate::plugins::package::{disable, enable, note_put_back, remove};

#[test]
fn what_is_disabled_is_not_enabled() {
    let mut place = Place::new(PluginPolicy::Any);
    fs::write(place.at("other.wasm"), COMPONENT).unwrap();
    let names = |place: &Place| {
        let packages = PluginPackages::of(&place.plugins);
        (packages.enabled().unwrap(), packages.disabled().unwrap())
    };
    assert_eq!(names(&place), (vec!["other".to_owned(), "pager".to_owned()], vec![]));
    assert!(disable(&place.plugins, "pager").unwrap());
    assert!(!disable(&place.plugins, "pager").unwrap(), "it was already");
    assert_eq!(names(&place), (vec!["other".to_owned()], vec!["pager".to_owned()]));
    assert!(enable(&place.plugins, "pager").unwrap());
    assert_eq!(names(&place).1, Vec::<String>::new());
    let unknown = disable(&place.plugins, "pagr").unwrap_err();
    assert!(unknown.to_string().contains("did you mean \"pager\"?"), "{unknown}");
    let required = PluginSettings { required: true, ..PluginSettings::default() };
    place.plugins.settings.insert("pager".to_owned(), required);
    assert_eq!(disable(&place.plugins, "pager").unwrap_err().kind(), "Configured");
    let off = PluginSettings { enabled: false, ..PluginSettings::default() };
    place.plugins.settings.insert("pager".to_owned(), off);
    assert_eq!(enable(&place.plugins, "pager").unwrap_err().kind(), "Configured");
}

#[test]
fn what_is_removed_is_gone_with_its_pin_and_nothing_else_is() {
    let place = Place::new(PluginPolicy::Pinned);
    place.pin();
    fs::write(place.at("other.wasm"), COMPONENT).unwrap();
    let elsewhere = tempfile::tempdir().unwrap();
    fs::write(elsewhere.path().join("kept"), "").unwrap();
    symlink(elsewhere.path(), place.at("pager/way")).unwrap();
    let remove_named = |name: &str| remove(&place.plugins, name, now());
    for name in ["../x", "", ".", "..", "a/b", ".hidden", "other.wasm/"] {
        assert_eq!(remove_named(name).unwrap_err().kind(), "Name", "{name}");
    }
    assert_eq!(remove_named("absent").unwrap_err().kind(), "Unknown");
    remove_named("pager").unwrap();
    assert!(!place.at("pager").exists() && place.at("other.wasm").exists());
    assert!(elsewhere.path().join("kept").exists(), "a link is removed, not what it leads to");
    let lock = PluginLock::read(place.directory.path()).unwrap();
    assert!(lock.plugins.is_empty());
    let noted = (lock.floors["pager"].to_string(), lock.removed["pager"].clone());
    assert_eq!(noted, ("1.2.0".to_owned(), now().to_string()));
    assert_eq!(remove_named("pager").unwrap_err().kind(), "Unknown", "its version alone is no plugin");
    symlink(elsewhere.path(), place.at("pager")).unwrap();
    remove_named("pager").unwrap();
    assert!(elsewhere.path().join("kept").exists());
    let required = PluginSettings { required: true, ..PluginSettings::default() };
    let plugins =
        PluginsConfig { settings: BTreeMap::from([("other".to_owned(), required)]), ..place.plugins.clone() };
    assert_eq!(remove(&plugins, "other", now()).unwrap_err().kind(), "Configured");
}

#[test]
fn a_copy_that_is_disabled_cannot_be_removed_and_stays_disabled() {
    let mut place = Place::new(PluginPolicy::Any);
    let copy = PluginSettings { component: Some("pager".into()), ..PluginSettings::default() };
    place.plugins.settings.insert("copy".to_owned(), copy);
    disable(&place.plugins, "copy").unwrap();
    let refused = remove(&place.plugins, "copy", now()).unwrap_err();
    assert!(refused.to_string().contains("plugins.settings.copy.component"), "{refused}");
    assert_eq!(PluginPackages::of(&place.plugins).disabled().unwrap(), ["copy"]);
    assert!(place.at("pager").exists());
}

#[test]
fn what_was_put_back_and_loaded_counts_as_removed_no_more() {
    let place = Place::new(PluginPolicy::Any);
    remove(&place.plugins, "pager", now()).unwrap();
    fs::create_dir(place.at("pager")).unwrap();
    place.write_package("1.2.0", COMPONENT);
    let entry = place.trusted().entry;
    assert_eq!(entry.removed, Some(now().to_string()));
    note_put_back(&place.plugins, &[LockEntry::default()]).unwrap();
    assert_eq!(PluginLock::read(place.directory.path()).unwrap().removed.len(), 1);
    note_put_back(&place.plugins, std::slice::from_ref(&entry)).unwrap();
    assert!(PluginLock::read(place.directory.path()).unwrap().removed.is_empty());
    fs::remove_dir_all(place.at("pager")).unwrap();
    assert!(PluginPackages::of(&place.plugins).removed().is_empty(), "nobody's word");
}
