//! The `validation` interface over [`Validator`].

use crate::batch::{EventBatch, SampleBatch};
use crate::bindings::imports::types;
use crate::bindings::validation::exports::bridge::telemetry::validation::{self as wit, Guest};
use crate::guest::{Exported, with};
use crate::validator::{EventVerdict, Issue, SampleVerdict, Validator};

impl<E: Exported> Guest for E
where
    E::Plugin: Validator,
{
    fn subscribe() -> types::Subscription {
        with::<E, _>(|plugin| Ok(plugin.subscribe())).unwrap_or_default().into()
    }

    fn validate_events(batch: types::EventBatch) -> Result<wit::EventVerdict, types::PluginError> {
        let batch = EventBatch::try_from(batch)?;
        let mut verdict = EventVerdict::default();
        with::<E, _>(|plugin| plugin.validate_events(&batch, &mut verdict))?;
        let rewrites = verdict.rewrites.into_iter().map(|rewrite| wit::EventRewrite {
            row: rewrite.row,
            data_json: rewrite.data_json,
            extra_json: rewrite.extra_json,
        });
        Ok(wit::EventVerdict { issues: issues(verdict.issues), rewrites: rewrites.collect() })
    }

    fn validate_samples(batch: types::SampleBatch) -> Result<wit::SampleVerdict, types::PluginError> {
        let batch = SampleBatch::try_from(batch)?;
        let mut verdict = SampleVerdict::default();
        with::<E, _>(|plugin| plugin.validate_samples(&batch, &mut verdict))?;
        let rewrites = verdict
            .rewrites
            .into_iter()
            .map(|rewrite| wit::SeriesRewrite { series: rewrite.series, context_json: rewrite.context_json });
        Ok(wit::SampleVerdict { issues: issues(verdict.issues), rewrites: rewrites.collect() })
    }
}

fn issues(issues: Vec<Issue>) -> Vec<wit::Issue> {
    let issues = issues.into_iter().map(|issue| wit::Issue {
        row: issue.row,
        reject: issue.reject,
        code: issue.code,
        path: issue.path,
        message: issue.message,
    });
    issues.collect()
}
