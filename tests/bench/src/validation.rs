//! What one validator plugin adds to recording an event, singly and in batches: the shipped `redact`, which looks
//! through every string.

use bridge_telemetry::config::{PluginPolicy, PluginSettings};
use bridge_telemetry::{Config, Host};
use bridge_telemetry_tests as artifact;

use crate::Scale;
use crate::measure::Runs;
use crate::recording::{event, plain_host};
use crate::table::{Report, seconds};

fn validated_host(directory: &std::path::Path) -> anyhow::Result<Host> {
    let mut config = Config::default();
    config.storage_config.connection_string = directory.join("validated");
    config.loops.exempt_event_types = vec!["*".to_owned()];
    let component = Some(artifact::plugin("redact")?);
    let mut settings = PluginSettings { component, required: true, ..PluginSettings::default() };
    settings.config.0.insert("keys".to_owned(), serde_json::json!(["password", "token"]));
    config.plugins.policy = PluginPolicy::Any;
    config.plugins.settings.insert("redact".to_owned(), settings);
    Ok(Host::open(config)?)
}

pub(crate) fn run(report: &mut Report, scale: &Scale) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let (plain, validated) = (plain_host(folder.path())?, validated_host(folder.path())?);
    let count = scale.records(100_000);
    let singly = |host: &Host| {
        Runs::of(scale.repeat(), count, || {
            (0..count).try_for_each(|number| host.record_event(event(number)).map(drop))?;
            Ok(())
        })
    };
    let batched = |host: &Host| {
        Runs::of(scale.repeat(), count, || {
            for first in (0..count).step_by(1000) {
                for outcome in host.record_events((first..first + 1000).map(event).collect()) {
                    outcome?;
                }
            }
            Ok(())
        })
    };
    let (with, without) = (singly(&validated)?, singly(&plain)?);
    report.time("record_event with the validator redact", &with, "", Some(("without it", &without)));
    report.figure("… added to one event", seconds((with.median() - without.median()).max(0.0)), "≤ 3 µs");
    let (with, without) = (batched(&validated)?, batched(&plain)?);
    report.time("record_events of 1,000 with redact, per event", &with, "", Some(("without it", &without)));
    report.figure(
        "… added to one event of a batch",
        seconds((with.median() - without.median()).max(0.0)),
        "≤ 2 µs",
    );
    Ok(())
}
