//! Alertmanager's webhook payload, version 4, for a group of one alert.

use std::borrow::Cow;

use bridge_telemetry_plugin::{Alert, Result, json, number};
use serde::{Deserialize, Serialize, Serializer};

/// What Alertmanager writes for "not ended".
const NOT_ENDED: &str = "0001-01-01T00:00:00Z";

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Payload<'a> {
    version: &'static str,
    group_key: String,
    truncated_alerts: u64,
    status: &'static str,
    receiver: &'a str,
    group_labels: Texts<'a>,
    common_labels: Texts<'a>,
    common_annotations: Texts<'a>,
    #[serde(rename = "externalURL")]
    external_url: &'a str,
    alerts: [Entry<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Entry<'a> {
    status: &'static str,
    labels: Texts<'a>,
    annotations: Texts<'a>,
    starts_at: &'a str,
    ends_at: &'a str,
    #[serde(rename = "generatorURL")]
    generator_url: &'a str,
    fingerprint: String,
}

/// An object of texts, by name. A map in a tree would be several times as large in the component.
#[derive(Clone, Default)]
struct Texts<'a>(Vec<(&'a str, Cow<'a, str>)>);

impl<'a> Texts<'a> {
    fn set(&mut self, name: &'a str, text: impl Into<Cow<'a, str>>) {
        let text = text.into();
        match self.0.binary_search_by(|(there, _)| (*there).cmp(name)) {
            Ok(at) => {
                if let Some((_, there)) = self.0.get_mut(at) {
                    *there = text;
                }
            }
            Err(at) => self.0.insert(at, (name, text)),
        }
    }
}

impl Serialize for Texts<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, text)| (name, text)))
    }
}

/// The alert's times as the host writes them.
#[derive(Deserialize)]
struct Times<'a> {
    first_seen: &'a str,
    resolved_at: Option<&'a str>,
}

/// The monitor becomes the label `alertname`, and key and severity become labels: the alert's own, in place of labels of these names,
/// which may come from whoever sends a metric.
pub(crate) fn of<'a>(alert: &'a Alert, receiver: &'a str, external_url: &'a str) -> Result<Payload<'a>> {
    let times: Times<'_> = json::from_str(&alert.json)?;
    let mut labels = Texts::default();
    for (name, value) in &alert.labels {
        labels.set(name, value);
    }
    let own = [("alertname", &*alert.monitor), ("key", &*alert.key), ("severity", alert.severity.as_str())];
    for (name, value) in own {
        labels.set(name, value);
    }
    let mut annotations = Texts::default();
    annotations.set("summary", &alert.summary);
    if let Some(value) = alert.value {
        annotations.set("value", number::text(value));
    }
    let mut group = Texts::default();
    group.set("alertname", &alert.monitor);
    group.set("key", &alert.key);
    let status = alert.status.as_str();
    Ok(Payload {
        version: "4",
        group_key: format!("{{}}:{{alertname={:?}, key={:?}}}", alert.monitor, alert.key),
        truncated_alerts: 0,
        status,
        receiver,
        group_labels: group,
        common_labels: labels.clone(),
        common_annotations: annotations.clone(),
        external_url,
        alerts: [Entry {
            status,
            labels,
            annotations,
            starts_at: times.first_seen,
            ends_at: times.resolved_at.unwrap_or(NOT_ENDED),
            generator_url: external_url,
            fingerprint: format!("{:016x}", fingerprint(&[&alert.monitor, &alert.key])),
        }],
    })
}

/// FNV-1a over the parts, each ended by a byte that no text holds: the same for all states of one alert.
fn fingerprint(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0xff]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;
    use bridge_telemetry_plugin::testing::AlertBuilder;
    use serde_json::json;

    #[test]
    fn has_every_field_of_version_4() {
        let alert =
            AlertBuilder::firing("threshold", "cpu|a").summary("hot").value(0.5).label("host", "a").build();
        let labels = json!({"alertname": "threshold", "host": "a", "key": "cpu|a", "severity": "warning"});
        let annotations = json!({"summary": "hot", "value": "0.5"});
        let expected = json!({
            "version": "4", "groupKey": "{}:{alertname=\"threshold\", key=\"cpu|a\"}", "truncatedAlerts": 0,
            "status": "firing", "receiver": "ops", "groupLabels": {"alertname": "threshold", "key": "cpu|a"},
            "commonLabels": labels, "commonAnnotations": annotations, "externalURL": "http://bridge",
            "alerts": [{
                "status": "firing", "labels": labels, "annotations": annotations,
                "startsAt": "2025-05-21T14:32:17Z", "endsAt": "0001-01-01T00:00:00Z",
                "generatorURL": "http://bridge", "fingerprint": "1b9bb76cfde5dd2f",
            }],
        });
        assert_eq!(serde_json::to_value(of(&alert, "ops", "http://bridge").unwrap()).unwrap(), expected);
    }

    #[test]
    fn no_label_hides_what_the_alert_is() {
        let own = [("alertname", "m"), ("key", "k"), ("severity", "warning")];
        let alert = AlertBuilder::firing("m", "k").label("team", "db");
        let alert = own.iter().fold(alert, |alert, (name, _)| alert.label(name, "other")).build();
        let payload = serde_json::to_value(of(&alert, "r", "").unwrap()).unwrap();
        let expected = json!({"alertname": "m", "key": "k", "severity": "warning", "team": "db"});
        assert_eq!((&payload["commonLabels"], &payload["alerts"][0]["labels"]), (&expected, &expected));
    }

    #[test]
    fn a_resolved_alert_is_the_same_alert_ended() {
        let payload = |alert: &Alert| serde_json::to_value(of(alert, "r", "").unwrap()).unwrap();
        let firing = payload(&AlertBuilder::firing("m", "k").build());
        let resolved = payload(&AlertBuilder::resolved("m", "k").build());
        assert_eq!(
            (&resolved["status"], &resolved["alerts"][0]["status"]),
            (&json!("resolved"), &json!("resolved"))
        );
        assert_eq!(resolved["alerts"][0]["endsAt"], "2025-05-21T14:33:17Z");
        assert_eq!(resolved["alerts"][0]["fingerprint"], firing["alerts"][0]["fingerprint"]);
        assert_eq!(fingerprint(&[]), 0xcbf2_9ce4_8422_2325);
        assert_ne!(fingerprint(&["ab", "c"]), fingerprint(&["a", "bc"]));
    }
}
