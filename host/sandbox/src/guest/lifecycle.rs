//! Every kind's `lifecycle`.

use wasmtime::Store;

use super::{Answer, versions};
use crate::bindings::lifecycle::Info;
use crate::bindings::types::{StateParam, StateResult};
use crate::bindings::v0_1;
use crate::state::HostState;

versions! {
    /// The functions that every plugin has.
    Lifecycle, LifecycleIndices, lifecycle
}

impl Lifecycle {
    pub(crate) fn call_describe(&self, store: &mut Store<HostState>) -> wasmtime::Result<Info> {
        match self {
            Self::Current(guest) => guest.call_describe(store),
            Self::V0_1(guest) => guest.call_describe(store).map(Info::from),
        }
    }

    pub(crate) fn call_init(
        &self,
        store: &mut Store<HostState>,
        config: &str,
        restored: Option<StateParam<'_>>,
    ) -> Answer<()> {
        match self {
            Self::Current(guest) => guest.call_init(store, config, restored),
            Self::V0_1(guest) => guest.call_init(store, config, restored),
        }
    }

    pub(crate) fn call_snapshot(&self, store: &mut Store<HostState>) -> Answer<Option<StateResult>> {
        match self {
            Self::Current(guest) => guest.call_snapshot(store),
            Self::V0_1(guest) => guest.call_snapshot(store),
        }
    }
}

impl From<v0_1::lifecycle::Info> for Info {
    fn from(info: v0_1::lifecycle::Info) -> Self {
        Self {
            name: info.name,
            version: info.version,
            description: info.description,
            config_schema_json: info.config_schema_json,
            attributes_json: info.attributes_json,
        }
    }
}
