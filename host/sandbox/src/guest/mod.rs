//! What a guest exports, whichever version of the contract it was built for: a guest of the version before is called in that
//! version's form, and what it answers is turned into the present one. Callers see the present form alone.

mod aggregation;
mod delivery;
mod lifecycle;
mod monitoring;
mod validation;

pub(crate) use aggregation::{Aggregation, Runs};
pub(crate) use delivery::Delivery;
pub(crate) use lifecycle::Lifecycle;
pub(crate) use monitoring::Monitoring;
pub(crate) use validation::Validation;

use wasmtime::Store;
use wasmtime::component::InstancePre;

use crate::bindings::types::PluginError;
use crate::state::HostState;
use crate::world::Contract;

/// What a call of a guest answers: a trap or the like, or the guest's own answer.
pub(crate) type Answer<T> = wasmtime::Result<Result<T, PluginError>>;

/// The typed functions of an interface that guests export.
pub(crate) trait Export: Sized + Send + 'static {
    /// Where the functions are in the component, found once.
    type Indices: Send + Sync;
    /// Finds the functions.
    fn indices(pre: &InstancePre<HostState>, contract: Contract) -> wasmtime::Result<Self::Indices>;
    /// The functions of one instance, type-checked.
    fn load(
        indices: &Self::Indices,
        store: &mut Store<HostState>,
        instance: &wasmtime::component::Instance,
    ) -> wasmtime::Result<Self>;
}

/// An interface's functions in each version of the contract.
macro_rules! versions {
    ($(#[$doc:meta])* $name:ident, $indices:ident, $interface:ident) => {
        $(#[$doc])*
        pub(crate) enum $name {
            /// Of the version that this host speaks.
            Current(crate::bindings::$interface::Guest),
            /// Of version 0.1.
            V0_1(crate::bindings::v0_1::$interface::Guest),
        }

        /// Where the functions are.
        pub(crate) enum $indices {
            /// Of the version that this host speaks.
            Current(crate::bindings::$interface::GuestIndices),
            /// Of version 0.1.
            V0_1(crate::bindings::v0_1::$interface::GuestIndices),
        }

        impl crate::guest::Export for $name {
            type Indices = $indices;

            fn indices(
                pre: &wasmtime::component::InstancePre<crate::state::HostState>,
                contract: crate::world::Contract,
            ) -> wasmtime::Result<Self::Indices> {
                use crate::bindings::{$interface as current, v0_1::$interface as v0_1};
                Ok(match contract {
                    crate::world::Contract::Current => $indices::Current(current::GuestIndices::new(pre)?),
                    crate::world::Contract::V0_1 => $indices::V0_1(v0_1::GuestIndices::new(pre)?),
                })
            }

            fn load(
                indices: &Self::Indices,
                store: &mut wasmtime::Store<crate::state::HostState>,
                instance: &wasmtime::component::Instance,
            ) -> wasmtime::Result<Self> {
                Ok(match indices {
                    $indices::Current(indices) => Self::Current(indices.load(store, instance)?),
                    $indices::V0_1(indices) => Self::V0_1(indices.load(store, instance)?),
                })
            }
        }
    };
}
use versions;
