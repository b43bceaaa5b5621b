//! What lies in the folder of plugins, told without a host: nothing is compiled and nothing runs.

use std::path::Path;

use telemetry_sandbox::{PluginKind, Sandbox};

use super::inspect::sandbox;
use super::listing::{PluginListing, PluginState};
use super::package::{FileError, GrantReport, PackageError, PluginPackages, VerifiedPackage};
use super::prepared::PackageReport;
use crate::config::Config;
use crate::envelope::cause_chain;

/// Every plugin of the configuration as a host would find it, by name.
pub fn installed_plugins(config: &Config) -> Result<Vec<PluginListing>, PackageError> {
    let sandbox = sandbox()?;
    let packages = PluginPackages::of(&config.plugins);
    let off = config.plugins.settings.iter().filter(|(_, settings)| !settings.enabled);
    let mut listings: Vec<PluginListing> = off
        .map(|(name, _)| {
            PluginListing::not_running(name, PluginState::Disabled, None, "its settings say enabled = false")
        })
        .collect();
    let unread = |error| {
        let directory = config.plugins.directory.as_deref().unwrap_or(Path::new(""));
        PackageError::from(FileError::read(directory, error))
    };
    let disabled = packages.disabled().map_err(unread)?;
    for name in packages.enabled().map_err(unread)?.iter().chain(&disabled) {
        let mut listing = match packages.verified(name).and_then(|package| ready(config, &sandbox, package)) {
            Ok(listing) => listing,
            Err(error) => PluginListing::not_running(name, PluginState::Failed, None, &cause_chain(&error)),
        };
        if disabled.contains(name) {
            listing.load = PluginState::Disabled;
            listing.reason.get_or_insert_with(|| super::load::DISABLED.to_owned());
        }
        listings.push(listing);
    }
    listings.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(listings)
}

/// A plugin that would be loaded, or a sink that would if a receiver named it.
fn ready(
    config: &Config,
    sandbox: &Sandbox,
    mut package: VerifiedPackage,
) -> Result<PluginListing, PackageError> {
    let component = std::mem::take(&mut package.component);
    let (name, place) = (package.name.clone(), package.place.clone());
    let outline = sandbox.outline(component).map_err(|source| PackageError::Component { place, source })?;
    let configured = config.plugins.settings_of(&name).grants;
    let grants = GrantReport::of(package.manifest.as_ref(), outline.kind, &configured);
    let is_named = config.alerting.all_receivers().values().any(|receiver| receiver.plugin == name);
    let load =
        if outline.kind == PluginKind::Sink && !is_named { PluginState::Unused } else { PluginState::Ready };
    let mut listing = PluginListing::not_running(&name, load, Some(outline.kind), "");
    listing.reason = (load == PluginState::Unused).then(|| "no receiver names it".to_owned());
    listing.package = Some(PackageReport::of(&package, grants));
    listing.sha256 = Some(package.sha256.to_string());
    listing.version = package.manifest.as_ref().map(|manifest| manifest.version.to_string());
    listing.description = package.manifest.map(|manifest| manifest.description);
    Ok(listing)
}
