//! What a plugin can see of the world: nothing but the time of its batch.

use telemetry_core::Timestamp;

use crate::fixture::{Fixture, NOW, events};

#[test]
fn nothing_but_the_time_of_the_batch() {
    let fixture = Fixture::new();
    let plugin = fixture.guest("evil");
    fixture.clock.advance(std::time::Duration::from_secs(86_400));
    let verdict = plugin.validator().unwrap().validate_events(&events(&["surroundings"])).unwrap();
    let seconds = Timestamp::parse(NOW).unwrap().nanos() / 1_000_000_000;
    assert_eq!(
        verdict.issues[0].message,
        format!("variables 0, arguments 0, input true, map 1, seconds {seconds}")
    );
}

#[test]
fn sleeping_takes_no_time() {
    let plugin = Fixture::new().guest("evil");
    plugin.validator().unwrap().validate_events(&events(&["sleep"])).unwrap();
}
