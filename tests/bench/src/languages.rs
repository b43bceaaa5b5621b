//! What plugins cost in each language: the same validator and the same percentile, in the sandbox that hosts use.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bridge_telemetry::SystemClock;
use bridge_telemetry_tests as artifact;
use comfy_table::{Table, presets};
use telemetry_sandbox::{Component, PluginSpec, Sandbox, SandboxOptions};
use telemetry_toolkit::{Measurement, measure};

use crate::plugins::no_host;
use crate::table::seconds;

/// From the cheapest to the dearest.
const LANGUAGES: [&str; 4] = ["rust", "c", "javascript", "python"];

/// Prints the table.
pub(crate) fn run() -> anyhow::Result<()> {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header([
        "language",
        "plugin",
        "size",
        "compile",
        "load from cache and start",
        "memory",
        "one a call",
        "each in a large call",
        "fuel for each",
    ]);
    for (name, rows) in
        [("command-id", "1000 events a call"), ("percentile", "percentile: 10000 values a call")]
    {
        for language in LANGUAGES {
            eprintln!("measuring {name} in {language} …");
            let project = artifact::language_project(&format!("{language}-{name}"))?;
            let component = project.join(name).with_extension("wasm");
            table.add_row(row(language, name, rows, &component)?);
        }
    }
    println!("{table}");
    Ok(())
}

fn row(language: &str, name: &str, large: &str, component: &Path) -> anyhow::Result<[String; 9]> {
    let loading = Loading::of(component)?;
    let measured = measure(component, &serde_json::Value::Null, None)?.measurements;
    let small = large.replace("1000 ", "1 ").replace("10000 ", "1 ");
    let time = |figure: Option<&Measurement>| {
        figure.map(|figure| seconds(figure.nanoseconds / 1e9)).unwrap_or_default()
    };
    let find = |wanted: &str| measured.iter().find(|figure| figure.name == wanted);
    let each = find(large);
    Ok([
        language.to_owned(),
        name.to_owned(),
        format!("{} KiB", std::fs::metadata(component)?.len().div_ceil(1024)),
        seconds(loading.compile.as_secs_f64()),
        seconds(loading.cached.as_secs_f64()),
        format!("{} KiB", loading.memory.div_ceil(1024)),
        time(find(&small)),
        time(each),
        each.map(|figure| format!("{:.0}", figure.fuel)).unwrap_or_default(),
    ])
}

/// What loading takes.
struct Loading {
    compile: Duration,
    cached: Duration,
    memory: u64,
}

impl Loading {
    fn of(component: &Path) -> anyhow::Result<Self> {
        let folder = tempfile::tempdir()?;
        let options = SandboxOptions {
            cache_directory: Some(folder.path().join("cache")),
            ..SandboxOptions::default()
        };
        let ports = no_host();
        let sandbox = Sandbox::new(options, ports, Arc::new(SystemClock::default()))?;
        let load = || -> anyhow::Result<_> {
            let start = Instant::now();
            let plugin = sandbox.load(PluginSpec::new("measured", Component::File(component.to_owned())))?;
            Ok((start.elapsed(), plugin.status().memory_bytes))
        };
        let (first, _) = load()?;
        let mut later = Vec::new();
        let mut memory = 0;
        for _ in 0..5 {
            let (took, bytes) = load()?;
            later.push(took);
            memory = bytes;
        }
        later.sort();
        let cached = later.get(later.len() / 2).copied().unwrap_or_default();
        Ok(Self { compile: first.saturating_sub(cached), cached, memory })
    }
}
