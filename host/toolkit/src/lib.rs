//! What authors of plugins work with: a project from a template ([`create`]), its build ([`build()`]), a check of the component
//! ([`check()`]), test cases ([`Case`], [`test()`]), a replay over a real store ([`replay()`]) and measurements ([`measure()`]).
//!
//! Everything runs in the sandbox that hosts use. Tests, replays and counts of fuel run repeatably
//! ([`telemetry_sandbox::Execution::Repeatable`]): the same component and input give the same answer on every machine.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::indexing_slicing,
        clippy::panic,
        reason = "tests"
    )
)]

mod bench;
mod build;
mod cache;
mod case;
mod check;
mod language;
mod project;
mod replay;
mod run;
mod sdk;
mod shown;
mod template;
mod test;

pub use bench::{
    BenchError, BenchReport, LeftOut, Measurement, Regression, baseline_of, measure, regressions,
};
pub use build::{BuildError, Built, build};
pub use case::{Case, CaseError, Step};
pub use check::{CheckError, CheckReport, Finding, Severity, check};
pub use language::{Language, UnknownLanguage, kind_named};
pub use project::{Project, ProjectError};
pub use replay::{CopyError, ReplayError, ReplayReport, ReplayRequest, StoreCopy, replay};
pub use run::{Outcome, RunError, name_of, run_case};
pub use template::{CreateError, NewProject, create};
pub use test::{Suite, TestError, TestReport, TestResult, test};
