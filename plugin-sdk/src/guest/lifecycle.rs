//! Every kind's `lifecycle`.

use crate::bindings::imports::types;
use crate::bindings::lifecycle::exports::bridge::telemetry::lifecycle::{Guest, Info};
use crate::error::PluginError;
use crate::guest::{Exported, with};
use crate::plugin::{self, Plugin};

const ATTRIBUTES_JSON: &str =
    concat!("{\"sdk\":\"bridge-telemetry-plugin ", env!("CARGO_PKG_VERSION"), "\"}");

/// A target without standard error would keep a panic's message to itself; the host names the last error as a trap's reason.
fn panics_are_logged() {
    #[cfg(all(target_arch = "wasm32", target_os = "unknown"))]
    std::panic::set_hook(Box::new(|panic| crate::log::error(panic.to_string())));
}

impl<E: Exported> Guest for E {
    fn describe() -> Info {
        panics_are_logged();
        Info {
            name: E::Plugin::NAME.to_owned(),
            version: E::VERSION.to_owned(),
            description: E::DESCRIPTION.to_owned(),
            config_schema_json: plugin::config_schema::<E::Plugin>(),
            attributes_json: ATTRIBUTES_JSON.to_owned(),
        }
    }

    fn init(config_json: String, restored: Option<types::State>) -> Result<(), types::PluginError> {
        panics_are_logged();
        let plugin = plugin::create::<E::Plugin>(&config_json, restored.map(Into::into))?;
        let before = E::slot().with(|slot| slot.try_borrow_mut().map(|mut slot| slot.replace(plugin)));
        match before {
            Ok(None) => Ok(()),
            _ => Err(PluginError::other("init was called twice").into()),
        }
    }

    fn snapshot() -> Result<Option<types::State>, types::PluginError> {
        Ok(with::<E, _>(|plugin| plugin.save())?.map(Into::into))
    }
}
