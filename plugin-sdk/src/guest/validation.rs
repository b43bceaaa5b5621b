//! The `validation` interface over [`Validator`].

use serde_json::Value;

use crate::JsonObject;
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
            data_json: rewrite.data.map(to_json),
            extra_json: rewrite.extra.map(to_json),
        });
        Ok(wit::EventVerdict { issues: issues(verdict.issues), rewrites: rewrites.collect() })
    }

    fn validate_samples(batch: types::SampleBatch) -> Result<wit::SampleVerdict, types::PluginError> {
        let batch = SampleBatch::try_from(batch)?;
        let mut verdict = SampleVerdict::default();
        with::<E, _>(|plugin| plugin.validate_samples(&batch, &mut verdict))?;
        let rewrites = verdict.rewrites.into_iter().map(|rewrite| wit::SeriesRewrite {
            series: rewrite.series,
            context_json: to_json(rewrite.context),
        });
        Ok(wit::SampleVerdict { issues: issues(verdict.issues), rewrites: rewrites.collect() })
    }
}

fn to_json(object: JsonObject) -> String {
    Value::Object(object).to_string()
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
