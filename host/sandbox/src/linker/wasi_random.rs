//! `wasi:random`: a generator per instance; standard libraries seed their hash maps with it.

use rand::Rng;
use telemetry_core::extension::FailureReason;
use telemetry_core::limits;
use wasmtime::StoreContextMut;
use wasmtime::component::Linker;

use super::wasi;
use crate::state::{HostState, stop};

type Store<'a> = StoreContextMut<'a, HostState>;

pub(super) fn add(linker: &mut Linker<HostState>) -> wasmtime::Result<()> {
    for (interface, bytes_name, number_name) in [
        ("random/random", "get-random-bytes", "get-random-u64"),
        ("random/insecure", "get-insecure-random-bytes", "get-insecure-random-u64"),
    ] {
        let mut random = linker.instance(&wasi(interface))?;
        random.func_wrap(bytes_name, |mut store: Store<'_>, (length,): (u64,)| {
            Ok((random_bytes(&mut store, length)?,))
        })?;
        random.func_wrap(number_name, |mut store: Store<'_>, (): ()| {
            Ok((store.data_mut().random.next_u64(),))
        })?;
    }
    linker.instance(&wasi("random/insecure-seed"))?.func_wrap(
        "insecure-seed",
        |mut store: Store<'_>, (): ()| {
            let random = &mut store.data_mut().random;
            Ok(((random.next_u64(), random.next_u64()),))
        },
    )
}

fn random_bytes(store: &mut Store<'_>, length: u64) -> wasmtime::Result<Vec<u8>> {
    let limit = limits::MAX_PLUGIN_RANDOM_BYTES;
    let length = usize::try_from(length)
        .ok()
        .filter(|length| *length as u64 <= limit)
        .ok_or_else(|| stop(FailureReason::Limit { what: "random bytes at once", limit }))?;
    let mut bytes = vec![0; length];
    store.data_mut().random.fill_bytes(&mut bytes);
    Ok(bytes)
}
