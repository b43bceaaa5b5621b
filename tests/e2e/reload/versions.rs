//! Versions under the policy `signed`: newer ones come by themselves, older ones only when an operator installs them.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use bridge_telemetry::plugins::package::{
    InstallOptions, Installation, LOCK_FILE, PackageError, PluginLock, SecretKey, install, remove, sign,
};
use bridge_telemetry::plugins::{CONTRACT_VERSION, PluginState, ReloadOutcome};
use bridge_telemetry::{Config, Host, ManualClock, Timestamp};
use serde_json::{Value, json};
use telemetry_core::limits::RELOAD_FAILURES;

use super::files::outcomes;
use super::monitors::LONG;
use super::{Shelf, listing, test_guest};
use crate::fixture::{code, event, host_with_clock, open, with_order};

/// A folder of plugins that takes what one key signed, and packages of one plugin in many versions.
struct Signed {
    shelf: Shelf,
    key: SecretKey,
    packages: tempfile::TempDir,
}

const FILES: [&str; 3] = ["plugin.toml", "plugin.toml.minisig", "evil.wasm"];

impl Signed {
    fn new() -> Self {
        let (key, packages) = (SecretKey::generate().unwrap(), tempfile::tempdir().unwrap());
        Self { shelf: Shelf::new(), key, packages }
    }

    fn config(&self) -> Value {
        let mut config = self.shelf.in_folder();
        config["plugins"]["policy"] = json!("signed");
        config["plugins"]["trusted_keys"] = json!({"ada": self.key.public_line()});
        config
    }

    /// A package as its author gives it away.
    fn package(&self, version: &str) -> PathBuf {
        let folder = self.packages.path().join(version);
        fs::create_dir_all(&folder).unwrap();
        let component = with_order(&test_guest("evil"), &format!("describe/version-{version}"));
        fs::write(folder.join("evil.wasm"), component).unwrap();
        let manifest = format!(
            "name = \"evil\"\nversion = \"{version}\"\nkind = \"validator\"\ncontract = \"{CONTRACT_VERSION}\"\ncomponent = \"evil.wasm\"\ndescription = \"d\"\n"
        );
        fs::write(folder.join("plugin.toml"), manifest).unwrap();
        sign(&folder, &self.key, Timestamp::EPOCH).unwrap();
        folder
    }

    /// Puts a version into the folder of plugins without a word to anybody.
    fn put(&self, version: &str) {
        let (package, place) = (self.package(version), self.shelf.path().join("evil"));
        fs::create_dir_all(&place).unwrap();
        for file in FILES {
            fs::copy(package.join(file), place.join(file)).unwrap();
        }
    }

    fn install(&self, version: &str, allow_downgrade: bool) -> Result<Installation, PackageError> {
        let options = InstallOptions { allow_downgrade, ..InstallOptions::default() };
        let plugins = Config::from_value(self.config()).unwrap().plugins;
        install(&plugins, &self.package(version), &options, Timestamp::EPOCH)
    }

    fn remove(&self, second: i64) {
        let plugins = Config::from_value(self.config()).unwrap().plugins;
        remove(&plugins, "evil", Timestamp::from_millis(second * 1_000)).unwrap();
    }

    /// What is noted of versions beside the pins.
    fn floor(&self) -> Option<String> {
        let lock = PluginLock::read(self.shelf.path()).unwrap();
        lock.floors.get("evil").map(ToString::to_string)
    }

    /// A version that is put there is refused, and what runs goes on.
    fn refuses(&self, host: &Host, version: &str, why: &str) {
        let before = listing(host, "evil");
        self.put(version);
        let refused = outcomes(host);
        assert!(matches!(&refused[..], [(_, Err(reason))] if reason.contains(why)), "{refused:?}");
        assert_eq!(listing(host, "evil").version, before.version);
    }

    /// A version that is put there is taken over.
    fn takes(&self, host: &Host, version: &str, outcome: ReloadOutcome) {
        self.put(version);
        assert_eq!(outcomes(host), [("evil".to_owned(), Ok(outcome))]);
        runs(host, version);
    }
}

fn runs(host: &Host, version: &str) {
    let listed = listing(host, "evil");
    assert_eq!((listed.load, listed.version.as_deref()), (PluginState::Loaded, Some(version)), "{listed:?}");
}

/// Lets a version fail as often as it takes to have it taken back.
fn fail(host: &Host, clock: &ManualClock) {
    for _ in 0..RELOAD_FAILURES {
        assert_eq!(code(&event(host, json!({"event_type": "panic", "source": "s"}))), "PLUGIN_FAILURE");
        clock.advance(Duration::from_secs(1));
    }
}

#[test]
fn a_signed_version_that_ran_is_not_gone_back_from() {
    let signed = Signed::new();
    signed.install("1.2.0", false).unwrap();
    let (host, clock) = host_with_clock(signed.config());
    runs(&host, "1.2.0");
    assert_eq!(signed.floor(), None, "its pin says it");
    signed.takes(&host, "1.4.0", ReloadOutcome::Reloaded);
    assert_eq!(signed.floor().as_deref(), Some("1.4.0"));
    for older in ["1.3.0", "1.2.0"] {
        signed.refuses(
            &host,
            older,
            &format!("{older} is older than 1.4.0, which ran or was installed here"),
        );
    }
    drop(host);

    // The installed version lies there again, and does not run either.
    let host = open(signed.config(), clock);
    let listed = listing(&host, "evil");
    assert_eq!(listed.load, PluginState::Failed);
    assert!(listed.reason.unwrap().contains("1.2.0 is older than 1.4.0"));
    signed.takes(&host, "1.4.0", ReloadOutcome::Loaded);

    // Without the note it is held against what runs.
    fs::remove_file(signed.shelf.path().join(LOCK_FILE)).unwrap();
    signed.refuses(&host, "1.3.0", "1.3.0 is older than 1.4.0, which runs");
    signed.takes(&host, "1.5.0", ReloadOutcome::Reloaded);
    assert_eq!(signed.floor().as_deref(), Some("1.5.0"));
    assert_eq!(host.health_json().body["status"], "healthy", "{}", host.health_json().body["issues"]);
}

#[test]
fn an_operator_goes_back_by_installing() {
    let signed = Signed::new();
    signed.install("1.2.0", false).unwrap();
    let (host, clock) = host_with_clock(signed.config());
    signed.takes(&host, "1.4.0", ReloadOutcome::Reloaded);
    let refused = signed.install("1.3.0", false).unwrap_err();
    assert_eq!(
        refused.kind(),
        "Rollback",
        "newer than what was installed, and older than what ran: {refused}"
    );
    runs(&host, "1.4.0");
    signed.install("1.3.0", true).unwrap();
    assert_eq!(outcomes(&host), [("evil".to_owned(), Ok(ReloadOutcome::Reloaded))]);
    runs(&host, "1.3.0");
    assert_eq!(signed.floor(), None);
    signed.refuses(&host, "1.2.0", "1.2.0 is older than 1.3.0, which was installed");
    signed.put("1.3.0");
    drop(host);
    let host = open(signed.config(), clock);
    runs(&host, "1.3.0");

    // What is put there after it was removed is nobody's word.
    signed.remove(1);
    let removed = host.reload_changed_plugins().remove(0).unwrap();
    assert_eq!(removed.outcome, ReloadOutcome::Removed);
    signed.put("1.2.0");
    let refused = outcomes(&host);
    assert!(
        matches!(&refused[..], [(_, Err(reason))] if reason.contains("1.2.0 is older than 1.3.0")),
        "{refused:?}"
    );
    assert_eq!(listing(&host, "evil").load, PluginState::Failed);
    assert_eq!(signed.install("1.2.0", false).unwrap_err().kind(), "Rollback", "something lies there");
    // What is installed after it was removed begins anew.
    signed.remove(2);
    signed.install("1.2.0", false).unwrap();
    assert_eq!(outcomes(&host), [("evil".to_owned(), Ok(ReloadOutcome::Loaded))]);
    runs(&host, "1.2.0");
}

#[test]
fn a_version_that_was_taken_back_does_not_count() {
    let signed = Signed::new();
    signed.install("1.2.0", false).unwrap();
    let (host, clock) = host_with_clock(signed.config());
    signed.takes(&host, "1.4.0", ReloadOutcome::Reloaded);
    fail(&host, &clock);
    assert!(host.drain(LONG));
    runs(&host, "1.2.0");
    assert_eq!((listing(&host, "evil").history.rollbacks, signed.floor()), (1, None));
    signed.takes(&host, "1.3.0", ReloadOutcome::Reloaded);
}

#[test]
fn what_cannot_be_noted_is_told_and_noted_later() {
    let signed = Signed::new();
    signed.install("1.2.0", false).unwrap();
    let (host, _) = host_with_clock(signed.config());
    let is_told = || host.health_json().body["issues"].to_string().contains("run is not noted");
    // A command is changing the folder.
    let folder = fs::File::open(signed.shelf.path()).unwrap();
    folder.lock().unwrap();
    signed.takes(&host, "1.4.0", ReloadOutcome::Reloaded);
    assert!(is_told());
    signed.refuses(&host, "1.3.0", "1.3.0 is older than 1.4.0, which runs");
    assert_eq!(signed.floor(), None);
    drop(folder);
    assert!(host.reload_changed_plugins().is_empty());
    assert!(!is_told());
    assert_eq!(signed.floor().as_deref(), Some("1.4.0"));
}

#[test]
fn that_a_version_was_taken_back_is_noted_later_where_it_cannot_be_at_once() {
    let signed = Signed::new();
    signed.install("1.2.0", false).unwrap();
    let (host, clock) = host_with_clock(signed.config());
    let is_told = || host.health_json().body["issues"].to_string().contains("run is not noted");
    signed.takes(&host, "1.4.0", ReloadOutcome::Reloaded);
    // A command is changing the folder.
    let folder = fs::File::open(signed.shelf.path()).unwrap();
    folder.lock().unwrap();
    fail(&host, &clock);
    assert!(host.drain(LONG));
    runs(&host, "1.2.0");
    assert!(host.reload_changed_plugins().is_empty());
    assert_eq!((is_told(), signed.floor().as_deref()), (true, Some("1.4.0")));
    drop(folder);
    assert!(host.drain(LONG));
    assert_eq!((is_told(), signed.floor()), (false, None));
    signed.takes(&host, "1.3.0", ReloadOutcome::Reloaded);
}
