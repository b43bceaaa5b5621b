//! The validator as a bare module through wasmtime's core API: columns copied into the memory, one call, objections read out of it.
//! Compiled and interrupted as the sandbox's components are.

use std::path::Path;

use anyhow::Context as _;
use bridge_telemetry_bench_checks::OBJECTIONS;
use telemetry_core::batch::EventBatch;
use telemetry_core::extension::{EventVerdict, RowIssue};
use wasmtime::{Config, Engine, Linker, Memory, Module, Store, TypedFunc};

/// Never reached: nothing moves the epoch.
const DEADLINE: u64 = 1 << 40;

/// An instance of the module.
pub(super) struct Bare {
    store: Store<()>,
    memory: Memory,
    input: TypedFunc<u32, u32>,
    validate: TypedFunc<u32, u64>,
}

impl Bare {
    pub(super) fn load(path: &Path) -> anyhow::Result<Self> {
        let of_wasm = |error: wasmtime::Error| anyhow::anyhow!("{error:#}");
        let engine = Engine::new(Config::new().epoch_interruption(true).concurrency_support(false));
        let engine = engine.map_err(of_wasm)?;
        let module = Module::new(&engine, std::fs::read(path)?).map_err(of_wasm)?;
        let mut linker = Linker::new(&engine);
        // The standard library's, for panics; the checks never call them.
        linker.define_unknown_imports_as_traps(&module).map_err(of_wasm)?;
        let mut store = Store::new(&engine, ());
        store.set_epoch_deadline(DEADLINE);
        let instance = linker.instantiate(&mut store, &module).map_err(of_wasm)?;
        let memory = instance.get_memory(&mut store, "memory").context("the module exports no memory")?;
        let input = instance.get_typed_func(&mut store, "input").map_err(of_wasm)?;
        let validate = instance.get_typed_func(&mut store, "validate").map_err(of_wasm)?;
        Ok(Self { store, memory, input, validate })
    }

    pub(super) fn validate(&mut self, batch: &EventBatch) -> anyhow::Result<EventVerdict> {
        let of_wasm = |error: wasmtime::Error| anyhow::anyhow!("{error:#}");
        let (ends, text) = (batch.fields().ends(), batch.fields().bytes());
        let length = ends.len() * 4 + text.len();
        self.store.set_epoch_deadline(DEADLINE);
        let place = self.input.call(&mut self.store, u32::try_from(length)?).map_err(of_wasm)? as usize;
        let room = self.memory.data_mut(&mut self.store).get_mut(place..place + length);
        let (first, second) = room.context("the room is outside the memory")?.split_at_mut(ends.len() * 4);
        for (room, end) in first.as_chunks_mut::<4>().0.iter_mut().zip(ends) {
            *room = end.to_le_bytes();
        }
        second.copy_from_slice(text);
        let answer = self.validate.call(&mut self.store, u32::try_from(batch.len())?).map_err(of_wasm)?;
        let (place, length) = ((answer & 0xffff_ffff) as usize, (answer >> 32) as usize);
        let found = self.memory.data(&self.store).get(place..place.saturating_add(length));
        let found = found.context("the module found its input broken")?;
        let mut verdict = EventVerdict::default();
        for [row, number] in found.as_chunks::<4>().0.as_chunks::<2>().0 {
            let number = u32::from_le_bytes(*number) as usize;
            let objection = OBJECTIONS.get(number).context("there is no such objection")?;
            verdict.issues.push(RowIssue {
                row: u32::from_le_bytes(*row),
                reject: true,
                code: objection.code.to_owned(),
                path: objection.path.to_owned(),
                message: objection.message.to_owned(),
            });
        }
        Ok(verdict)
    }
}
