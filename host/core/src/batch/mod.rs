//! Batches of records as columns: the form in which records meet validators and monitors, native or plugin.
//!
//! The columns are those of the WIT package, so that a batch is packed once and crosses the boundary without another pass.
//! What is called for each row is marked as to be inlined: other crates would call it.

mod budget;
mod events;
mod places;
mod samples;
mod seek;
mod steps;
mod text;
mod values;

pub use events::{EventBatch, EventRow, EventTexts, FIELDS_PER_EVENT};
pub use places::{PlaceError, Places};
pub use samples::{SampleBatch, SampleRow};
pub use text::TextColumn;
pub use values::{EventValues, ValueKind, ValuesError};
