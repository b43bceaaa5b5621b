//! Records until it is killed, and says on standard output what was acknowledged: the child of the crash tests.
//!
//! `crash_writer DIR RUN DURABILITY`: batch `n` of run `r` are five samples of the metric `batch` with the value `n` and the
//! label `run`, one event with a given id made of run and number, and one with an id that the host makes. The monitor `tally`
//! reads them meanwhile; at some batches the first event asks it for a signal. A line is written only after the answer; its
//! reader is another process, so that what stands there survives the kill.

use std::io::Write;

use bridge_telemetry::{Config, Context, EventDraft, Host, JsonObject, MetricDraft};
use bridge_telemetry_tests::{CRASH_MONITOR, CRASH_SAMPLES, crash_event_id, crash_signal, guest};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, directory, run, durability] = arguments.as_slice() else {
        return Err("usage: crash_writer DIR RUN DURABILITY".into());
    };
    let component = guest("tally-monitor")?;
    let config = serde_json::json!({
        "storage_config": {"connection_string": directory, "durability": durability},
        "loop": {"exempt_event_types": ["*"]},
        "plugins": {"policy": "any", "settings": {CRASH_MONITOR: {"component": component, "required": true}}},
    });
    let host = Host::open(Config::from_value(config)?)?;
    let context = Context::from_labels([("run", run.as_str())]);
    let run: u64 = run.parse()?;
    let mut out = std::io::stdout().lock();
    writeln!(out, "open")?;
    out.flush()?;
    for number in 0_u32.. {
        let sample = MetricDraft::new("batch", i64::from(number)).with_context(context.clone());
        for outcome in host.record_metrics(vec![sample; usize::try_from(CRASH_SAMPLES)?]) {
            outcome?;
        }
        let asked = match crash_signal(run, number) {
            None => serde_json::json!({"run": run, "number": number}),
            Some((key, firing)) => {
                serde_json::json!({"run": run, "number": number, "key": key, "firing": firing})
            }
        };
        let data = JsonObject::parse(&asked.to_string())?;
        let given =
            EventDraft::new("GIVEN", "crash_writer").with_id(crash_event_id(run, number)).with_data(data);
        let made = EventDraft::new("MADE", "crash_writer");
        let mut made_id = String::new();
        for outcome in host.record_events(vec![given, made]) {
            made_id = outcome?.event_id.to_string();
        }
        writeln!(out, "{number} {made_id}")?;
        out.flush()?;
    }
    Ok(())
}
