//! Opens a log and puts it into the process: as a layer of an embedder's subscriber, as the process's own subscriber,
//! or as one that only reaches the code run within it.

use std::path::PathBuf;
use std::sync::Arc;

use telemetry_core::Clock;
use tracing::level_filters::LevelFilter;
use tracing::{Dispatch, Subscriber};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::{Layer, Registry};

use super::console::{Console, ConsoleCopy};
use super::file::{FileOptions, LogFile};
use super::handle::{Log, LogHandle};
use super::layer::LogLayer;
use crate::config::{LogLevel, LoggerConfig};

/// Why the log could not be set up.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum LogError {
    /// The file cannot be opened or made.
    #[error("the log {} cannot be opened; give write permission or choose another logger_config.log_path", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The process has a `tracing` subscriber already.
    #[error("the process has a tracing subscriber already; add the layer to it instead")]
    Installed {
        /// What the subscriber says.
        source: tracing::dispatcher::SetGlobalDefaultError,
    },
}

/// How a log is opened, where `logger_config` alone does not say it.
#[derive(Debug)]
pub struct LogSetup {
    file: Option<FileOptions>,
    least: LogLevel,
    console: Console,
    clock: Arc<dyn Clock>,
}

impl LogSetup {
    /// As configured.
    pub fn new(config: &LoggerConfig, clock: Arc<dyn Clock>) -> Self {
        Self {
            file: Some(FileOptions {
                path: config.log_path.clone(),
                max_size: config.max_log_size.bytes(),
                kept: config.log_rotation_count,
            }),
            least: config.min_log_level,
            console: if config.enable_console { Console::Stderr } else { Console::Off },
            clock,
        }
    }

    /// With another console than the configured one.
    #[must_use]
    pub fn console(mut self, console: Console) -> Self {
        self.console = console;
        self
    }

    /// Without a file: for short-lived commands beside a host that has it.
    #[must_use]
    pub fn without_file(mut self) -> Self {
        self.file = None;
        self
    }

    /// A layer for the embedder's own subscriber. The minimum level holds for this layer alone.
    pub fn layer<S>(self) -> Result<(impl Layer<S> + Send + Sync + 'static, LogHandle), LogError>
    where
        S: Subscriber + for<'a> LookupSpan<'a>,
    {
        let file = match self.file {
            None => None,
            Some(options) => {
                let path = options.path.clone();
                let file =
                    LogFile::open(options).map_err(|source| LogError::Open { path: path.clone(), source })?;
                Some((path, file))
            }
        };
        let log = Arc::new(Log::new(file, ConsoleCopy::open(self.console), self.clock));
        let layer = LogLayer::new(log.clone(), self.least).with_filter(level_filter(self.least));
        Ok((layer, LogHandle::new(log)))
    }

    /// A subscriber with this log alone, for one of several hosts of a process: it reaches what runs within
    /// [`tracing::dispatcher::with_default`].
    pub fn dispatch(self) -> Result<(Dispatch, LogHandle), LogError> {
        let (layer, handle) = self.layer::<Registry>()?;
        Ok((Dispatch::new(tracing_subscriber::registry().with(layer)), handle))
    }

    /// Makes this log the subscriber of the whole process, once.
    pub fn install(self) -> Result<LogHandle, LogError> {
        let (dispatch, handle) = self.dispatch()?;
        tracing::dispatcher::set_global_default(dispatch).map_err(|source| LogError::Installed { source })?;
        Ok(handle)
    }
}

/// A layer for the embedder's own subscriber, as configured.
pub fn layer<S>(
    config: &LoggerConfig,
    clock: Arc<dyn Clock>,
) -> Result<(impl Layer<S> + Send + Sync + 'static, LogHandle), LogError>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
{
    LogSetup::new(config, clock).layer()
}

/// The log of the whole process, as configured.
pub fn install(config: &LoggerConfig, clock: Arc<dyn Clock>) -> Result<LogHandle, LogError> {
    LogSetup::new(config, clock).install()
}

fn level_filter(least: LogLevel) -> LevelFilter {
    match least {
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Warning => LevelFilter::WARN,
        // FATAL is an ERROR that says so; the layer tells them apart.
        LogLevel::Error | LogLevel::Fatal => LevelFilter::ERROR,
    }
}
