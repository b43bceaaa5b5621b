//! A validator's functions.

use wasmtime::Store;

use super::{Answer, versions};
use crate::bindings::types::{EventBatch, SampleBatch, Subscription};
use crate::bindings::v0_1;
use crate::bindings::validation::{EventRewrite, EventVerdict, Issue, SampleVerdict, SeriesRewrite};
use crate::state::HostState;

versions! {
    /// The functions of a validator.
    Validation, ValidationIndices, validation
}

impl Validation {
    pub(crate) fn call_subscribe(&self, store: &mut Store<HostState>) -> wasmtime::Result<Subscription> {
        match self {
            Self::Current(guest) => guest.call_subscribe(store),
            Self::V0_1(guest) => guest.call_subscribe(store),
        }
    }

    pub(crate) fn call_validate_events(
        &self,
        store: &mut Store<HostState>,
        batch: EventBatch<'_>,
    ) -> Answer<EventVerdict> {
        match self {
            Self::Current(guest) => guest.call_validate_events(store, batch),
            Self::V0_1(guest) => Ok(guest.call_validate_events(store, batch)?.map(EventVerdict::from)),
        }
    }

    pub(crate) fn call_validate_samples(
        &self,
        store: &mut Store<HostState>,
        batch: SampleBatch<'_>,
    ) -> Answer<SampleVerdict> {
        match self {
            Self::Current(guest) => guest.call_validate_samples(store, batch),
            Self::V0_1(guest) => Ok(guest.call_validate_samples(store, batch)?.map(SampleVerdict::from)),
        }
    }
}

impl From<v0_1::validation::EventVerdict> for EventVerdict {
    fn from(verdict: v0_1::validation::EventVerdict) -> Self {
        let rewrite = |rewrite: v0_1::validation::EventRewrite| EventRewrite {
            row: rewrite.row,
            data_json: rewrite.data_json,
            extra_json: rewrite.extra_json,
        };
        Self { issues: issues(verdict.issues), rewrites: verdict.rewrites.into_iter().map(rewrite).collect() }
    }
}

impl From<v0_1::validation::SampleVerdict> for SampleVerdict {
    fn from(verdict: v0_1::validation::SampleVerdict) -> Self {
        let rewrite = |rewrite: v0_1::validation::SeriesRewrite| SeriesRewrite {
            series: rewrite.series,
            context_json: rewrite.context_json,
        };
        Self { issues: issues(verdict.issues), rewrites: verdict.rewrites.into_iter().map(rewrite).collect() }
    }
}

fn issues(issues: Vec<v0_1::validation::Issue>) -> Vec<Issue> {
    let issue = |issue: v0_1::validation::Issue| Issue {
        row: issue.row,
        reject: issue.reject,
        code: issue.code,
        path: issue.path,
        message: issue.message,
    };
    issues.into_iter().map(issue).collect()
}
