//! Every code of the contract is produced by a real cause.

use bridge_telemetry::envelope::Envelope;
use telemetry_core::ErrorCode;

use super::{damage, deadline, full_disk, opening, panics};
use crate::errors;
use crate::fixture::{code, host_with_clock, in_memory};
use crate::hostile;

/// Brings the code about for real; answers the code that came.
fn produce(wanted: ErrorCode) -> String {
    let of = |envelope: &Envelope| code(envelope).to_owned();
    match wanted {
        ErrorCode::InvalidEvent
        | ErrorCode::InvalidTimestamp
        | ErrorCode::InvalidMetricName
        | ErrorCode::InvalidMetricValue
        | ErrorCode::InvalidAggregation
        | ErrorCode::InvalidTimeRange
        | ErrorCode::InvalidQuery
        | ErrorCode::MalformedPayload
        | ErrorCode::PayloadTooLarge
        | ErrorCode::NotFound => of(&errors::answer_with(wanted)),
        ErrorCode::LoopDetected => {
            let (host, clock) = host_with_clock(in_memory());
            of(&errors::thousand_identical_events(&host, &clock).1)
        }
        ErrorCode::StackExhaustion => errors::nested_too_deeply().1.code().to_string(),
        ErrorCode::Overloaded => {
            errors::too_many_records_on_their_way();
            // It has checked the answer itself.
            ErrorCode::Overloaded.to_string()
        }
        ErrorCode::PluginFailure => of(&hostile::answer_to("panic")),
        ErrorCode::StorageFailure => of(&full_disk::refused_without_room()),
        ErrorCode::RetrievalFailure => of(&damage::asked_for_what_is_damaged()),
        ErrorCode::OperationTimeout => of(&deadline::asked_without_time()),
        ErrorCode::IoError => opening::import_of_a_folder(),
        ErrorCode::PermissionDenied => opening::store_without_permission(),
        ErrorCode::UnexpectedError => of(&panics::recorded_by_a_broken_clock()),
        // The type may grow; what is new is missing here and fails.
        other => panic!("no test produces {other}"),
    }
}

#[test]
fn every_code_is_produced() {
    for code in ErrorCode::ALL {
        assert_eq!(produce(code), code.as_str());
    }
}
