//! What all plugins of one sandbox share: the engine and its ticker, the linkers, the ports, the clock.

use std::sync::Arc;

use telemetry_core::Clock;
use wasmtime::Engine;
use wasmtime::component::Linker;

use crate::cache::CodeCache;
use crate::engine::engine;
use crate::error::SandboxError;
use crate::linker::Linkers;
use crate::spec::{Ports, SandboxOptions};
use crate::state::HostState;
use crate::ticker::Ticker;
use crate::world::{Contract, PluginKind};

/// Lives as long as the sandbox and any of its plugins.
pub(crate) struct Runtime {
    pub(crate) engine: Engine,
    pub(crate) ticker: Ticker,
    pub(crate) cache: Option<CodeCache>,
    pub(crate) options: SandboxOptions,
    pub(crate) ports: Ports,
    pub(crate) clock: Arc<dyn Clock>,
    linkers: Linkers,
}

impl Runtime {
    pub(crate) fn new(
        options: SandboxOptions,
        ports: Ports,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, SandboxError> {
        let failed = |error: wasmtime::Error| SandboxError::Engine { reason: format!("{error:#}") };
        let engine = engine(options.execution).map_err(failed)?;
        let ticker =
            Ticker::start(&engine, options.epoch_tick).map_err(|source| SandboxError::Ticker { source })?;
        let cache = options.cache_directory.as_deref().and_then(|directory| {
            CodeCache::open(directory, &engine)
                .inspect_err(|error| {
                    tracing::warn!(path = %directory.display(), %error, "the cache of compiled code is not used");
                })
                .ok()
        });
        let linkers = Linkers::new(&engine).map_err(failed)?;
        Ok(Self { linkers, engine, ticker, cache, options, ports, clock })
    }

    /// The linker for plugins of `kind` that were built for `contract`.
    pub(crate) fn linker(&self, kind: PluginKind, contract: Contract) -> &Linker<HostState> {
        self.linkers.of(kind, contract)
    }

    /// Instances of one validator or aggregation at most.
    pub(crate) fn instances(&self, configured: Option<u32>) -> usize {
        let cores = || std::thread::available_parallelism().map_or(1, usize::from);
        configured
            .or(self.options.instances_per_plugin.map(std::num::NonZeroU32::get))
            .map_or_else(cores, |instances| instances as usize)
    }
}
