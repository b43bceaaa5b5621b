//! health_check: one object that says how the host does and why.

mod issues;
mod report;

pub use issues::HealthStatus;
pub use report::{Health, HealthStats};
