//! `store accept-clock`.

use crate::arguments::{Shared, Store};
use crate::connection::Connection;
use crate::exit::{Exit, Failure};
use crate::output::{self, text};

pub(super) fn execute(connection: &Connection, store: &Store, shared: &Shared) -> Result<Exit, Failure> {
    match store {
        Store::AcceptClock => {
            let envelope = connection.accept_clock()?;
            Ok(output::answer(&envelope, shared.json, |body| {
                output::line(&format!(
                    "accepted: it is {}; records expire by this clock",
                    text(body, "/time")
                ));
            }))
        }
    }
}
