//! Which check a row of a family gets.

use crate::error::Damage;
use crate::families::{ALERTS, EVENTS_PREFIX, LOG, META, METRICS_PREFIX, PLUGIN_STATE};
use crate::log::record::{self, LogRecord};
use crate::{alerts, chunks, events, meta, plugin_state, rollups, series};

/// Whether a row is as its family's code writes it.
pub(super) fn check_row(family: &str, key: &[u8], value: &[u8]) -> Result<(), Damage> {
    let kind = key.first().copied().unwrap_or_default();
    match family {
        META => meta::check_row(key, value),
        LOG => record::sequence_of(key).and_then(|_| LogRecord::decode(value)).map(drop),
        PLUGIN_STATE => plugin_state::check_row(key, value),
        ALERTS => alerts::check_row(key, value),
        _ if family.starts_with(EVENTS_PREFIX) => events::check_row(key, value),
        _ if family.starts_with(METRICS_PREFIX) && chunks::FIRST_CHUNK_KEY == [kind] => {
            chunks::check_row(key, value)
        }
        _ if family.starts_with(METRICS_PREFIX) && rollups::FIRST_ROLLUP_KEY == [kind] => {
            rollups::check_row(key, value)
        }
        _ if family.starts_with(METRICS_PREFIX) && rollups::FIRST_STATE_KEY == [kind] => {
            rollups::check_state_row(key, value)
        }
        _ if family.starts_with(METRICS_PREFIX) => series::check_row(key, value),
        _ => Err(Damage::new("row", "its family is not known")),
    }
}
