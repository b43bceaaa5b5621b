//! `wasi:clocks`: the time of the batch, standing still during a call, so that a run can be replayed. Sleeping takes no time.

use telemetry_core::time::NANOS_PER_SECOND;
use wasmtime::StoreContextMut;
use wasmtime::component::{ComponentType, Lift, Linker, Lower};

use super::wasi;
use super::wasi_io::ready;
use crate::state::HostState;

#[derive(ComponentType, Lift, Lower)]
#[component(record)]
struct Datetime {
    #[component(name = "seconds")]
    seconds: u64,
    #[component(name = "nanoseconds")]
    nanoseconds: u32,
}

type Store<'a> = StoreContextMut<'a, HostState>;

pub(super) fn add(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    let mut wall = linker.instance(&wasi("clocks/wall-clock"))?;
    wall.func_wrap("now", |store: Store<'_>, (): ()| {
        let now = store.data().now.nanos();
        let seconds = u64::try_from(now.div_euclid(NANOS_PER_SECOND)).unwrap_or(0);
        let nanoseconds = u32::try_from(now.rem_euclid(NANOS_PER_SECOND)).unwrap_or(0);
        Ok((Datetime { seconds, nanoseconds },))
    })?;
    wall.func_wrap("resolution", |_: Store<'_>, (): ()| Ok((Datetime { seconds: 0, nanoseconds: 1 },)))?;

    let mut monotonic = linker.instance(&wasi("clocks/monotonic-clock"))?;
    monotonic.func_wrap("now", |store: Store<'_>, (): ()| {
        Ok((u64::try_from(store.data().now.nanos()).unwrap_or(0),))
    })?;
    monotonic.func_wrap("resolution", |_: Store<'_>, (): ()| Ok((1_u64,)))?;
    monotonic.func_wrap("subscribe-instant", |_: Store<'_>, (_,): (u64,)| Ok((ready(),)))?;
    monotonic.func_wrap("subscribe-duration", |_: Store<'_>, (_,): (u64,)| Ok((ready(),)))
}
