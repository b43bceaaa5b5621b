//! The version below which a plugin does not run: the one that was installed, or a newer one that ran under the policy `signed`.
//!
//! A newer signed version runs without being installed. That it ran is noted in `plugins.lock`, so that none between the installed
//! one and this one comes back: an old signature stays good for ever. Under `pinned` the pin says which bytes run; under `any` a
//! version is only what unverified bytes say of themselves. What runs there is compared with no version, and none of it is noted;
//! `plugin install` compares, and `plugin remove` notes, under every policy.
//!
//! Invariant: a floor only rises, but for what an operator installs and for a version that a host takes back by itself.

use std::fmt;

use semver::Version;

use super::error::PackageError;
use super::lock::{LockError, Pin, PluginLock};
use crate::config::{PluginPolicy, PluginsConfig};

/// How a version is known that is newer than the one that came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KnownVersion {
    /// It was installed last.
    Installed,
    /// It ran, or was installed and removed.
    Ran,
    /// It runs.
    Runs,
}

impl fmt::Display for KnownVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Installed => "was installed",
            Self::Ran => "ran or was installed here",
            Self::Runs => "runs",
        })
    }
}

/// The lowest version of one plugin that may run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct VersionFloor {
    pub(crate) version: Version,
    pub(crate) known: KnownVersion,
}

/// What `plugins.lock` said of a plugin when it was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct LockEntry {
    /// The name that it has there: of its place in the folder of plugins, or its own where it lies elsewhere.
    pub(crate) name: String,
    pub(crate) pin: Option<Pin>,
    /// When it was removed last.
    pub(crate) removed: Option<String>,
}

/// A plugin that runs, and in which version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct RunningVersion {
    pub(crate) entry: LockEntry,
    pub(crate) version: Version,
}

impl VersionFloor {
    /// The higher one of a pin's version and of what ran. A pin's version that is not semantic cannot be compared, and is none.
    pub(super) fn of(pin: Option<&Pin>, ran: Option<&Version>) -> Option<Self> {
        let installed = pin.and_then(|pin| Version::parse(&pin.version).ok());
        let floor = |version: &Version, known| Self { version: version.clone(), known };
        match (&installed, ran) {
            (Some(installed), Some(ran)) if ran.cmp_precedence(installed).is_gt() => {
                Some(floor(ran, KnownVersion::Ran))
            }
            (Some(installed), _) => Some(floor(installed, KnownVersion::Installed)),
            (None, ran) => ran.map(|ran| floor(ran, KnownVersion::Ran)),
        }
    }

    /// Refuses a version below it. What a version says of its build makes it neither older nor newer.
    pub(crate) fn check(&self, plugin: &str, found: &Version) -> Result<(), PackageError> {
        if found.cmp_precedence(&self.version).is_ge() {
            return Ok(());
        }
        Err(PackageError::Rollback {
            name: plugin.to_owned(),
            known: self.version.to_string(),
            found: found.to_string(),
            how: self.known,
        })
    }

    fn is_exceeded_by(&self, version: &Version) -> bool {
        version.cmp_precedence(&self.version).is_gt()
    }
}

impl LockEntry {
    /// Whether the plugin was installed after `before` was looked at: the operator means this very version.
    pub(crate) fn is_installed_since(&self, before: &Self) -> bool {
        self.pin.is_some() && self.pin != before.pin
    }
}

impl PluginLock {
    /// The lowest version of `name` that may run; `None` where nothing is known that could be compared.
    pub(super) fn floor(&self, name: &str) -> Option<VersionFloor> {
        VersionFloor::of(self.plugins.get(name), self.floors.get(name))
    }

    /// What there is to say of `name`; a plugin that lies elsewhere has neither pin nor removal.
    pub(super) fn entry(&self, name: &str, is_in_directory: bool) -> LockEntry {
        LockEntry {
            name: name.to_owned(),
            pin: self.plugins.get(name).filter(|_| is_in_directory).cloned(),
            removed: self.removed.get(name).filter(|_| is_in_directory).cloned(),
        }
    }

    /// Raises the floors to what runs; whether any rose. What was installed since it began to run is left alone.
    fn raise(&mut self, running: &[RunningVersion]) -> bool {
        let mut rose = false;
        for RunningVersion { entry, version } in running {
            let is_lower = self.floor(&entry.name).is_none_or(|floor| floor.is_exceeded_by(version));
            if is_lower && !self.entry(&entry.name, true).is_installed_since(entry) {
                self.floors.insert(entry.name.clone(), version.clone());
                rose = true;
            }
        }
        rose
    }

    /// Lowers a floor that `failed` had raised to `back`; whether it did.
    fn lower(&mut self, failed: &RunningVersion, back: &Version) -> bool {
        let name = failed.entry.name.as_str();
        let had_raised = |floor: &Version| floor.cmp_precedence(&failed.version).is_eq();
        if !self.floors.get(name).is_some_and(had_raised) || back.cmp_precedence(&failed.version).is_ge() {
            return false;
        }
        self.floors.remove(name);
        if self.floor(name).is_none_or(|floor| floor.is_exceeded_by(back)) {
            self.floors.insert(name.to_owned(), back.clone());
        }
        true
    }
}

/// Notes which versions run, for as long as none is installed anew. Where nothing is to be noted nothing is written, and nobody
/// waits; without a folder of plugins there is no place for it.
pub(crate) fn note_running(plugins: &PluginsConfig, running: &[RunningVersion]) -> Result<(), LockError> {
    change(plugins, |lock| lock.raise(running))
}

/// Notes that a host took `failed` back by itself: `back` runs again, and may after a restart.
pub(crate) fn note_taken_back(
    plugins: &PluginsConfig,
    failed: &RunningVersion,
    back: &Version,
) -> Result<(), LockError> {
    change(plugins, |lock| lock.lower(failed, back))
}

fn change(plugins: &PluginsConfig, change: impl Fn(&mut PluginLock) -> bool) -> Result<(), LockError> {
    match plugins.directory.as_deref().filter(|_| plugins.policy == PluginPolicy::Signed) {
        Some(directory) => PluginLock::change(directory, change),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plugins::package::lock::Claim;
    use crate::plugins::package::sha256::Sha256;
    use telemetry_core::Timestamp;

    fn version(text: &str) -> Version {
        Version::parse(text).unwrap()
    }

    fn pin(version: &str, second: i64) -> Pin {
        Pin::new(version.to_owned(), Sha256::of(version.as_bytes()), Timestamp::from_millis(second * 1_000))
    }

    fn lock(pinned: Option<Pin>, ran: Option<&str>) -> PluginLock {
        let mut lock = PluginLock::default();
        lock.plugins.extend(pinned.map(|pin| ("p".to_owned(), pin)));
        lock.floors.extend(ran.map(|ran| ("p".to_owned(), version(ran))));
        lock
    }

    fn running(entry: LockEntry, text: &str) -> RunningVersion {
        RunningVersion { entry, version: version(text) }
    }

    #[test]
    fn the_floor_is_the_higher_one_of_what_was_installed_and_what_ran() {
        let floor = |pinned: Option<&str>, ran| {
            let floor = lock(pinned.map(|text| pin(text, 0)), ran).floor("p");
            floor.map(|floor| (floor.version.to_string(), floor.known))
        };
        let is = |text: &str, known| Some((text.to_owned(), known));
        assert_eq!(floor(None, None), None);
        assert_eq!(floor(Some("1.2.0"), None), is("1.2.0", KnownVersion::Installed));
        assert_eq!(floor(Some("1.2.0"), Some("1.4.0")), is("1.4.0", KnownVersion::Ran));
        assert_eq!(floor(Some("1.10.0"), Some("1.9.0")), is("1.10.0", KnownVersion::Installed));
        assert_eq!(floor(Some("yesterday's"), None), None, "nothing that could be compared");
        assert_eq!(floor(Some("yesterday's"), Some("1.0.0")), is("1.0.0", KnownVersion::Ran));
    }

    #[test]
    fn what_is_older_is_refused_and_says_why() {
        let floor = VersionFloor { version: version("1.4.0"), known: KnownVersion::Ran };
        for good in ["1.4.0", "1.4.1", "2.0.0-rc.1", "1.4.0+a"] {
            floor.check("p", &version(good)).unwrap();
        }
        for old in ["1.3.9", "1.4.0-rc.1", "0.9.0"] {
            let told = floor.check("p", &version(old)).unwrap_err().to_string();
            let expected = format!("\"p\" {old} is older than 1.4.0, which ran or was installed here");
            assert!(told.contains(&expected), "{told}");
        }
    }

    #[test]
    fn what_a_version_says_of_its_build_is_no_age() {
        let mut lock = lock(Some(pin("1.2.0+b", 1)), None);
        lock.floor("p").unwrap().check("p", &version("1.2.0+a")).unwrap();
        let entry = lock.entry("p", true);
        assert!(!lock.raise(&[running(entry.clone(), "1.2.0+c")]));
        assert!(lock.raise(&[running(entry.clone(), "1.4.0+a")]));
        assert!(!lock.raise(&[running(entry.clone(), "1.4.0+b")]));
        assert!(lock.lower(&running(entry, "1.4.0+b"), &version("1.2.0+b")), "it is the same version");
        assert!(lock.floors.is_empty());
    }

    #[test]
    fn what_runs_raises_the_floor_until_something_is_installed() {
        let mut lock = lock(Some(pin("1.2.0", 1)), None);
        let before = lock.entry("p", true);
        assert!(!lock.raise(&[running(before.clone(), "1.2.0")]), "it is pinned");
        assert!(lock.raise(&[running(before.clone(), "1.4.0")]));
        assert!(!lock.raise(&[running(before.clone(), "1.4.0"), running(before.clone(), "1.3.0")]));
        assert_eq!(lock.floors["p"], version("1.4.0"));
        // The operator goes back while 1.4.0 still runs.
        lock.floors.clear();
        lock.plugins.insert("p".to_owned(), pin("1.3.0", 2));
        assert!(!lock.raise(&[running(before.clone(), "1.4.0")]));
        // A pin that is gone is no installation.
        lock.plugins.clear();
        assert!(lock.raise(&[running(before, "1.4.0")]));
    }

    #[test]
    fn a_version_that_is_taken_back_lowers_only_what_it_had_raised() {
        let mut lock = lock(Some(pin("1.2.0", 1)), Some("1.3.0"));
        let failed = running(lock.entry("p", true), "1.4.0");
        assert!(!lock.lower(&failed, &version("1.3.0")), "it raised nothing");
        assert!(lock.raise(std::slice::from_ref(&failed)));
        assert!(lock.lower(&failed, &version("1.3.0")));
        assert_eq!(lock.floors["p"], version("1.3.0"));
        assert!(lock.raise(std::slice::from_ref(&failed)));
        assert!(lock.lower(&failed, &version("1.2.0")));
        assert!(lock.floors.is_empty(), "the pin says it");
        lock.floors.insert("p".to_owned(), version("1.5.0"));
        assert!(!lock.lower(&failed, &version("1.3.0")), "another raised it since");
    }

    #[test]
    fn what_ran_is_noted_durably_and_only_where_versions_are_compared() {
        let directory = tempfile::tempdir().unwrap();
        let mut plugins =
            PluginsConfig { directory: Some(directory.path().to_owned()), ..PluginsConfig::default() };
        let runs = [running(PluginLock::default().entry("p", true), "1.4.0")];
        for policy in [PluginPolicy::Any, PluginPolicy::Pinned] {
            plugins.policy = policy;
            note_running(&plugins, &runs).unwrap();
            assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 0, "{policy}");
        }
        plugins.policy = PluginPolicy::Signed;
        note_running(&plugins, &runs).unwrap();
        assert_eq!(PluginLock::read(directory.path()).unwrap().floors["p"], version("1.4.0"));
        // Who only looks needs no claim.
        let claim = Claim::of(directory.path()).unwrap();
        note_running(&plugins, &runs).unwrap();
        let newer = [running(PluginLock::default().entry("p", true), "1.5.0")];
        assert!(matches!(note_running(&plugins, &newer), Err(LockError::Busy { .. })));
        drop(claim);
        note_running(&plugins, &newer).unwrap();
        note_taken_back(&plugins, &newer[0], &version("1.4.0")).unwrap();
        assert_eq!(PluginLock::read(directory.path()).unwrap().floors["p"], version("1.4.0"));
        plugins.directory = None;
        note_running(&plugins, &newer).unwrap();
    }
}
