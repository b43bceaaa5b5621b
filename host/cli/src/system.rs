//! Samples this machine every second: CPU, memory, disks, network, load. Every context has `source: system`.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError};
use std::time::Duration;

use bridge_telemetry::Host;
use sysinfo::{Disks, Networks, System};
use telemetry_core::{Context, MetricDraft};

/// How often the machine is sampled.
const INTERVAL: Duration = Duration::from_secs(1);

/// What is sampled, with its state between two samples. Parts that this system does not tell of are left out.
pub(crate) struct Machine {
    system: Option<System>,
    disks: Option<Disks>,
    networks: Option<Networks>,
}

impl Machine {
    pub(crate) fn new() -> Self {
        Self {
            system: told("processor and memory", System::new()),
            disks: told("disks", Disks::new_with_refreshed_list()),
            networks: told("networks", Networks::new_with_refreshed_list()),
        }
    }

    /// One sample of everything; CPU figures are of the time since the last one.
    pub(crate) fn sample(&mut self) -> Vec<MetricDraft> {
        let mut samples = Vec::new();
        if let Some(system) = &mut self.system {
            system.refresh_cpu_usage();
            system.refresh_memory();
            sample_processor(system, &mut samples);
            sample_memory(system, &mut samples);
        }
        if let Some(disks) = &mut self.disks {
            disks.refresh(true);
            sample_disks(disks, &mut samples);
        }
        if let Some(networks) = &mut self.networks {
            networks.refresh(true);
            sample_networks(networks, &mut samples);
        }
        samples
    }
}

fn told<T>(what: &str, part: Result<T, sysinfo::Error>) -> Option<T> {
    part.map_err(|error| {
        tracing::warn!(source = "system", "this machine's {what} cannot be sampled: {error}")
    })
    .ok()
}

fn sample_processor(system: &System, samples: &mut Vec<MetricDraft>) {
    let whole = Context::from_labels([("source", "system")]);
    let usage = |percent: f32| f64::from((percent * 100.0).round()) / 100.0;
    samples.push(float("cpu_usage_percent", usage(system.global_cpu_usage()), &whole));
    for core in system.cpus() {
        let context = Context::from_labels([("source", "system"), ("core", core.name())]);
        samples.push(float("cpu_core_usage_percent", usage(core.usage()), &context));
    }
    let Ok(load) = System::load_average() else { return };
    for (name, value) in [("load_1m", load.one), ("load_5m", load.five), ("load_15m", load.fifteen)] {
        samples.push(float(name, value, &whole));
    }
}

fn sample_memory(system: &System, samples: &mut Vec<MetricDraft>) {
    let whole = Context::from_labels([("source", "system")]);
    let (used, total) = (system.used_memory(), system.total_memory());
    samples.push(count("memory_used_bytes", used, &whole));
    samples.push(count("memory_available_bytes", system.available_memory(), &whole));
    samples.push(count("swap_used_bytes", system.used_swap(), &whole));
    samples.push(float("memory_usage_percent", percent(used, total), &whole));
}

fn sample_disks(disks: &Disks, samples: &mut Vec<MetricDraft>) {
    for disk in disks {
        let mount = disk.mount_point().to_string_lossy();
        let context = Context::from_labels([("source", "system"), ("mount", mount.as_ref())]);
        let used = disk.total_space().saturating_sub(disk.available_space());
        samples.push(count("disk_available_bytes", disk.available_space(), &context));
        samples.push(float("disk_usage_percent", percent(used, disk.total_space()), &context));
    }
}

fn sample_networks(networks: &Networks, samples: &mut Vec<MetricDraft>) {
    for (interface, data) in networks {
        let context =
            Context::from_labels([("source", "system"), ("interface", interface.to_string_lossy().as_ref())]);
        samples.push(count("network_received_bytes", data.total_received(), &context));
        samples.push(count("network_transmitted_bytes", data.total_transmitted(), &context));
    }
}

fn float(name: &str, value: f64, context: &Context) -> MetricDraft {
    MetricDraft::new(name, value).with_context(context.clone())
}

fn count(name: &str, value: u64, context: &Context) -> MetricDraft {
    let value = i64::try_from(value).unwrap_or(i64::MAX);
    MetricDraft::new(name, value).with_context(context.clone())
}

fn percent(used: u64, total: u64) -> f64 {
    if total == 0 { 0.0 } else { (used as f64 / total as f64 * 10_000.0).round() / 100.0 }
}

/// Samples the machine until `stop` is closed.
pub(crate) fn sample_until_stopped(host: &Arc<Host>, stop: &Receiver<()>) {
    let mut machine = Machine::new();
    // The first figures of the CPU have no time to be of.
    machine.sample();
    while stop.recv_timeout(INTERVAL) == Err(RecvTimeoutError::Timeout) {
        // Refusals are counted and logged by the host.
        host.record_metrics(machine.sample());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_has_memory_and_a_processor() {
        let samples = Machine::new().sample();
        for name in ["cpu_usage_percent", "memory_used_bytes", "load_1m"] {
            assert!(samples.iter().any(|sample| &*sample.name == name), "{name}");
        }
        assert!(samples.iter().all(|sample| sample.context.label("source").as_deref() == Some("system")));
    }
}
