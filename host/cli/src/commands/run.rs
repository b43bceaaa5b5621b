//! `run`: the host, its HTTP interface and what samples this machine, until an interrupt.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::JoinHandle;
use std::time::Duration;

use bridge_telemetry::config::{Config, ConfigFault};
use bridge_telemetry::logging::LogSetup;
use bridge_telemetry::plugins::{PluginListing, PluginState};
use bridge_telemetry::{Host, HostBuilder, HostError};
use bridge_telemetry_server::Server;
use serde_json::json;
use telemetry_core::{Clock, SystemClock};

use crate::arguments::{Run, Shared};
use crate::exit::{Exit, Failure};
use crate::host_file::{self, HostAddress};
use crate::interrupt::Interrupt;
use crate::last_run::LastRun;
use crate::live_line::LiveLine;
use crate::{output, settings, status_line, system};

/// Threads of the HTTP interface; calls of the host run on threads of their own.
const SERVER_THREADS: usize = 2;
/// Most calls of the host at once; the others wait.
const MAX_BLOCKING_CALLS: usize = 64;
/// Time that calls of the host have once everything is stored, such as the check of a whole store; then they are cut off.
const LAST_CALLS_TIME: Duration = Duration::from_secs(5);

pub(super) fn execute(shared: &Shared, run: &Run) -> Result<Exit, Failure> {
    let mut layers = settings::layers(shared);
    if let Some(listen) = run.listen {
        layers = layers.set(["server", "listen"], listen.to_string(), "--listen");
    }
    if run.no_system {
        layers = layers.set(["plugins", "runtime_metrics", "enabled"], false, "--no-system");
    }
    let (config, faults) = layers.load_with_plugins()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(SERVER_THREADS)
        .max_blocking_threads(MAX_BLOCKING_CALLS)
        .enable_all()
        .build()
        .map_err(Failure::unreachable)?;
    let interrupt = Interrupt::catch()?;
    let line = LiveLine::new();
    let Some(host) = open(config, &faults, &line, &interrupt)? else {
        line.clear();
        eprintln!("stopped before the host was open; nothing was recorded");
        return Ok(Exit::Done);
    };
    let served = runtime.block_on(serve(&host, shared, run, &line, interrupt));
    host.close();
    if served.is_ok() && !shared.json {
        eprintln!("stopped; everything is stored");
    }
    // Only now: what a call that goes on still does to the store is nothing that was answered.
    runtime.shutdown_timeout(LAST_CALLS_TIME);
    if Arc::strong_count(&host) > 1 {
        eprintln!("a call that had not come to its end was cut off");
    }
    served
}

/// The open host; `None` when an interrupt came first.
fn open(
    config: Config,
    faults: &[ConfigFault],
    line: &LiveLine,
    interrupt: &Interrupt,
) -> Result<Option<Arc<Host>>, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::default());
    let mut setup = LogSetup::new(&config.logger_config, Arc::clone(&clock));
    if config.logger_config.enable_console {
        setup = setup.console(line.console());
    }
    let log = setup.install().map_err(Failure::usage)?;
    for fault in faults {
        tracing::warn!(source = "Bridge_Telemetry", "{fault}");
    }
    let (line, asked) = (line.clone(), interrupt.clone());
    let opened = HostBuilder::new(config)
        .clock(clock)
        .log(log)
        .on_progress(move |step| {
            if asked.came() {
                return ControlFlow::Break(());
            }
            line.show_opening(step);
            ControlFlow::Continue(())
        })
        .open();
    match opened {
        Ok(host) => Ok(Some(Arc::new(host))),
        Err(HostError::Interrupted) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn serve(
    host: &Arc<Host>,
    shared: &Shared,
    run: &Run,
    line: &LiveLine,
    interrupt: Interrupt,
) -> Result<Exit, Failure> {
    let server = Server::bind(host.config().server.listen).await?;
    let directory = &host.config().storage_config.connection_string;
    let address =
        HostAddress { address: server.address(), pid: std::process::id(), instance: host.instance() };
    host_file::write(directory, &address).map_err(Failure::unreachable)?;
    if let Err(error) = LastRun::of(shared, host.config()).and_then(|run| run.write(directory)) {
        tracing::warn!(source = "Bridge_Telemetry", "what this host runs with is not noted: {error}");
    }
    print_summary(host, &address, shared);
    let mut workers = Workers::default();
    if !run.no_system {
        workers.start("system-sampler", host, system::sample_until_stopped)?;
    }
    if !shared.json {
        let line = line.clone();
        workers.start("status-line", host, move |host, stop| {
            status_line::show_until_stopped(&line, host, stop);
        })?;
    }
    let result = server.serve(Arc::clone(host), interrupt.wait()).await;
    workers.stop();
    host_file::remove(directory, host.instance());
    result?;
    Ok(Exit::Done)
}

/// Threads that end when their channel is closed.
#[derive(Default)]
struct Workers {
    running: Vec<(Sender<()>, JoinHandle<()>)>,
}

impl Workers {
    fn start(
        &mut self,
        name: &str,
        host: &Arc<Host>,
        work: impl FnOnce(&Arc<Host>, &Receiver<()>) + Send + 'static,
    ) -> Result<(), Failure> {
        let (sender, receiver) = channel();
        let host = Arc::clone(host);
        let thread = std::thread::Builder::new()
            .name(name.to_owned())
            .spawn(move || work(&host, &receiver))
            .map_err(Failure::unreachable)?;
        self.running.push((sender, thread));
        Ok(())
    }

    fn stop(self) {
        let (senders, threads): (Vec<_>, Vec<_>) = self.running.into_iter().unzip();
        drop(senders);
        for thread in threads {
            // A worker that panicked has told so on standard error.
            let _ = thread.join();
        }
    }
}

fn print_summary(host: &Host, address: &HostAddress, shared: &Shared) {
    let config = host.config();
    let storage = &config.storage_config;
    if shared.json {
        let body = json!({
            "status": "success", "address": address.address, "pid": address.pid, "instance": address.instance,
            "data": storage.connection_string, "version": env!("CARGO_PKG_VERSION"),
        });
        return output::line(&body.to_string());
    }
    let stats = host.health_json().body;
    output::line(&format!("Bridge Telemetry {}", env!("CARGO_PKG_VERSION")));
    output::line(&format!("  listening   http://{}", address.address));
    output::line(&format!(
        "  store       {} ({} events, {} samples)",
        storage.connection_string.display(),
        output::text(&stats, "/stats/events_total"),
        output::text(&stats, "/stats/metrics_total")
    ));
    let (events, metrics) =
        (config.retention_policy.events.duration_days, config.retention_policy.metrics.duration_days);
    output::line(&format!("  retention   events {events} days, metrics {metrics} days"));
    output::line(&format!("  log         {}", config.logger_config.log_path.display()));
    for plugin in host.plugins() {
        output::line(&output::one_line(&plugin_line(&plugin)));
    }
    output::line("Ctrl-C stops it. In another terminal: bridge-telemetry get cpu_usage_percent --last 1m");
}

fn plugin_line(plugin: &PluginListing) -> String {
    let kind = plugin.kind.map(|kind| kind.as_str()).unwrap_or_default();
    let reason = plugin.reason.as_deref().unwrap_or_default();
    let state = match plugin.load {
        PluginState::Failed => format!("NOT LOADED: {reason}"),
        PluginState::Unused => format!("unused: {reason}"),
        PluginState::Disabled => format!("disabled: {reason}"),
        _ => String::new(),
    };
    format!("  plugin      {:<14} {kind:<11} {state}", plugin.name).trim_end().to_owned()
}
