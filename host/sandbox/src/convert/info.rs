//! What a plugin says about itself.

use telemetry_core::extension::FailureReason;
use telemetry_core::limits;

use super::{message, unusable};
use crate::bindings::lifecycle;
use crate::text::shown;

/// A plugin's description of itself, checked.
pub(crate) struct CheckedInfo {
    pub(crate) name: String,
    pub(crate) version: String,
    pub(crate) description: String,
    pub(crate) config_schema_json: String,
}

/// Checks a description. The schema is compiled elsewhere.
pub(crate) fn info(given: lifecycle::Info) -> Result<CheckedInfo, FailureReason> {
    telemetry_core::admission::checked_name(&given.name)
        .map_err(|reason| unusable(format!("its name for itself {reason}")))?;
    Ok(CheckedInfo {
        name: given.name,
        version: shown(given.version, limits::MAX_NAME_BYTES),
        description: message(given.description),
        config_schema_json: given.config_schema_json,
    })
}
