//! The benchmark's validator as a component that does not parse: it asks the host for the values that it judges.

use bridge_telemetry_bench_checks::{Command, OBJECTIONS, judge};
use bridge_telemetry_plugin::{
    Event, EventBatch, EventValues, EventVerdict, NoConfig, Plugin, Result, Subscription, Validator,
    export_validator,
};

struct Checks;

impl Plugin for Checks {
    const NAME: &'static str = "checks-values";
    type Config = NoConfig;

    fn new(_: NoConfig) -> Result<Self> {
        Ok(Self)
    }
}

impl Validator for Checks {
    fn subscribe(&self) -> Subscription {
        Subscription::none().all_events()
    }

    fn validate_events(&mut self, batch: &EventBatch, verdict: &mut EventVerdict) -> Result<()> {
        let values = batch.values(&Command::PLACES)?;
        for event in batch.events() {
            let found = match command(event, &values) {
                Some(command) => judge(event.event_type(), event.source(), &command),
                None => Some(0),
            };
            if let Some(objection) = found.and_then(|place| OBJECTIONS.get(place)) {
                verdict.reject(event, objection.code, objection.path, objection.message);
            }
        }
        Ok(())
    }
}

fn command<'a>(event: Event<'_>, values: &'a EventValues) -> Option<Command<'a>> {
    let text = |place| values.get(event, place).as_str();
    let number = |place| values.get(event, place).as_f64();
    Command::new(text(0)?, text(1)?, text(2)?, number(3)?, number(4)?)
}

export_validator!(Checks);
