//! Shipped sink `router`: hands each alert to other receivers, by its labels.
//!
//! Routes are tried in order; the first that matches decides, unless it says `continue`. All conditions of a route must hold. A
//! condition is a text that the label must equal, or `{"regex": "…"}` that must match all of it. `monitor`, `key`, `severity` and
//! `status` are the alert's own, as in the host's routes: labels of these names are not looked at. A label that the alert has not
//! counts as empty. A route whose label is too long to be searched for its expression does not match, which is logged and counted
//! (`routes_not_judged`).
#![cfg_attr(test, allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "tests"))]

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use bridge_telemetry_plugin::{
    Alert, Outcome, Plugin, PluginError, Result, Sink, counters, export_sink, include_schema, log,
    patterns::Pattern,
};
use schemars::JsonSchema;
use serde::de::{self, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Tried in order.
    #[serde(default)]
    routes: Vec<RouteConfig>,
    /// Receivers of alerts that no route matches.
    #[serde(default = "default_receivers")]
    default: Vec<String>,
}

fn default_receivers() -> Vec<String> {
    vec!["console".to_owned()]
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RouteConfig {
    /// Label names and what they must be; none: every alert matches. `monitor`, `key`, `severity` and `status` are the alert's own.
    #[serde(default, rename = "match")]
    conditions: BTreeMap<String, ConditionConfig>,
    /// Receivers of the alerts that match.
    #[schemars(length(min = 1))]
    receivers: Vec<String>,
    /// Whether the routes behind this one are tried too.
    #[serde(default, rename = "continue")]
    goes_on: bool,
}

#[derive(JsonSchema)]
#[serde(untagged)]
enum ConditionConfig {
    /// The label is this text.
    Equals(String),
    /// The whole label matches.
    Regex { regex: String },
}

/// By hand: what serde derives for this reads all sorts of values first, which is 20 KB of a component. The SDK's reader hands texts
/// to the visitors of maps, too.
impl<'de> Deserialize<'de> for ConditionConfig {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ConditionVisitor)
    }
}

struct ConditionVisitor;

impl<'de> Visitor<'de> for ConditionVisitor {
    type Value = ConditionConfig;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a text or {\"regex\": \"…\"}")
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<ConditionConfig, E> {
        Ok(ConditionConfig::Equals(text.to_owned()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<ConditionConfig, A::Error> {
        let mut regex = None;
        while let Some(name) = members.next_key::<String>()? {
            if name != "regex" {
                return Err(de::Error::unknown_field(&name, &["regex"]));
            }
            regex = Some(members.next_value()?);
        }
        let regex = regex.ok_or_else(|| de::Error::missing_field("regex"))?;
        Ok(ConditionConfig::Regex { regex })
    }
}

enum Condition {
    Equals(String),
    Matches(Pattern),
}

struct Route {
    conditions: Vec<(String, Condition)>,
    receivers: Vec<String>,
    goes_on: bool,
}

struct Router {
    routes: Vec<Route>,
    default: Vec<String>,
}

impl Plugin for Router {
    const NAME: &'static str = "router";
    type Config = Config;
    const CONFIG_SCHEMA: Option<&'static str> = Some(include_schema!("../config.schema.json"));

    fn new(config: Config) -> Result<Self> {
        let routes = config.routes.into_iter().enumerate().map(|(index, route)| compile(index, route));
        Ok(Self { routes: routes.collect::<Result<_>>()?, default: config.default })
    }
}

fn compile(index: usize, route: RouteConfig) -> Result<Route> {
    if route.receivers.is_empty() {
        return Err(PluginError::invalid_config(format!("routes[{index}].receivers is empty")));
    }
    let condition = |(label, condition): (String, ConditionConfig)| {
        let condition = match condition {
            ConditionConfig::Equals(text) => Condition::Equals(text),
            ConditionConfig::Regex { regex } => {
                let fault = |error: PluginError| {
                    let message = format!("routes[{index}].match.{label}.regex: {}", error.message());
                    PluginError::InvalidConfig(message)
                };
                // By itself first: of "a)|(?:b" the anchors' group would be closed within the pattern.
                let alone = Pattern::new(&regex).map(drop);
                let anchored = |end: &str| Pattern::new(&format!("^(?:{regex}{end})$"));
                // A comment, which `(?x)` allows, takes all of its line.
                let whole =
                    alone.and_then(|()| anchored("").or_else(|error| anchored("\n").map_err(|_| error)));
                Condition::Matches(whole.map_err(fault)?)
            }
        };
        Ok((label, condition))
    };
    let conditions = route.conditions.into_iter().map(condition).collect::<Result<_>>()?;
    Ok(Route { conditions, receivers: route.receivers, goes_on: route.goes_on })
}

impl Route {
    fn matches(&self, alert: &Alert) -> Result<bool> {
        for (label, condition) in &self.conditions {
            let value = alert.label(label).unwrap_or_default();
            let holds = match condition {
                Condition::Equals(text) => text == value,
                Condition::Matches(pattern) => pattern.is_match(value)?,
            };
            if !holds {
                return Ok(false);
            }
        }
        Ok(true)
    }
}

impl Sink for Router {
    fn deliver(&mut self, alert: &Alert, _: Duration) -> Result<Outcome> {
        let mut receivers: Vec<&String> = Vec::new();
        let mut not_judged = 0;
        for (index, route) in self.routes.iter().enumerate() {
            let matches = route.matches(alert).unwrap_or_else(|error| {
                // Once for an alert: there may be many routes.
                if not_judged == 0 {
                    log::warn(format!("routes[{index}] does not match: {}", error.message()));
                }
                not_judged += 1;
                false
            });
            if !matches {
                continue;
            }
            for receiver in &route.receivers {
                if !receivers.contains(&receiver) {
                    receivers.push(receiver);
                }
            }
            if !route.goes_on {
                break;
            }
        }
        if not_judged > 0 {
            counters::add("routes_not_judged", not_judged);
        }
        if receivers.is_empty() {
            receivers.extend(&self.default);
        }
        if receivers.is_empty() {
            return Ok(Outcome::rejected("no route matches, and there is no default receiver"));
        }
        Ok(Outcome::forward(receivers))
    }
}

export_sink!(Router);

#[cfg(test)]
mod tests {
    use super::*;
    use bridge_telemetry_plugin::{
        Severity,
        testing::{self, AlertBuilder},
    };

    const CONFIG: &str = r#"{"routes": [
        {"match": {"team": "db", "severity": {"regex": "error|critical"}}, "receivers": ["pager", "chat"], "continue": true},
        {"match": {"team": {"regex": "d."}}, "receivers": ["chat", "mail"]},
        {"match": {"host": ""}, "receivers": ["nowhere"]}
    ], "default": ["console"]}"#;

    fn receivers(alert: AlertBuilder) -> Outcome {
        let mut router: Router = testing::restart(CONFIG, None).unwrap();
        router.deliver(&alert.build(), Duration::from_secs(1)).unwrap()
    }

    #[test]
    fn first_match_decides_unless_it_says_continue() {
        let alert = || AlertBuilder::firing("m", "k").label("host", "a");
        let critical = alert().label("team", "db").severity(Severity::Critical);
        assert_eq!(receivers(critical), Outcome::forward(["pager", "chat", "mail"]));
        assert_eq!(receivers(alert().label("team", "db")), Outcome::forward(["chat", "mail"]));
        assert_eq!(
            receivers(alert().label("team", "dbx")),
            Outcome::forward(["console"]),
            "all of it must match"
        );
        assert_eq!(
            receivers(AlertBuilder::firing("m", "k")),
            Outcome::forward(["nowhere"]),
            "absent is empty"
        );
    }

    /// Whether a route with this condition alone matches.
    fn is_matched(label: &str, condition: &str, alert: AlertBuilder) -> bool {
        let config = format!(r#"{{"routes":[{{"match":{{"{label}":{condition}}},"receivers":["x"]}}]}}"#);
        let mut router: Router = testing::restart(&config, None).unwrap();
        let outcome = router.deliver(&alert.build(), Duration::ZERO).unwrap();
        outcome == Outcome::forward(["x"])
    }

    #[test]
    fn what_an_alert_is_goes_before_its_labels() {
        let alert = || {
            let alert = AlertBuilder::firing("m", "k").severity(Severity::Critical);
            ["monitor", "key", "severity", "status"]
                .iter()
                .fold(alert, |alert, name| alert.label(name, "info"))
        };
        for (name, value) in [("monitor", "m"), ("key", "k"), ("severity", "critical"), ("status", "firing")]
        {
            assert!(is_matched(name, &format!("\"{value}\""), alert()), "{name}");
            assert!(!is_matched(name, "\"info\"", alert()), "{name}");
        }
    }

    #[test]
    fn an_expression_may_end_in_a_comment() {
        let condition = r#"{"regex": "(?x) db - [0-9] # all replicas"}"#;
        let of =
            |host: &str| is_matched("host", condition, AlertBuilder::firing("m", "k").label("host", host));
        assert_eq!(["db-1", "db-12", "db-1\n", "xdb-1"].map(of), [true, false, false, false]);
    }

    #[test]
    fn an_alert_without_a_way_is_not_lost_in_silence() {
        let mut router: Router = testing::restart(r#"{"default": []}"#, None).unwrap();
        let outcome = router.deliver(&AlertBuilder::firing("m", "k").build(), Duration::ZERO).unwrap();
        assert!(matches!(outcome, Outcome::Rejected(_)));
    }

    #[test]
    fn faults_of_the_configuration_are_named() {
        let fault = |config: &str| testing::restart::<Router>(config, None).err().unwrap().to_string();
        assert!(fault(r#"{"routes":[{"receivers":[]}]}"#).contains("routes[0].receivers"));
        let regex = r#"{"routes":[{"match":{"a":{"regex":"("}},"receivers":["x"]}]}"#;
        assert!(fault(regex).contains("routes[0].match.a.regex"));
        assert!(
            fault(&regex.replace('(', "a)|(?:b")).contains("routes[0].match.a.regex"),
            "it escapes its anchors"
        );
        assert!(fault(r#"{"routes":[{"receivers":["x"],"continues":true}]}"#).contains("continues"));
        let of = |condition| {
            fault(&format!(r#"{{"routes":[{{"match":{{"a":{condition}}},"receivers":["x"]}}]}}"#))
        };
        for (condition, told) in [
            ("1", "routes[0].match.a: expected a text or {\"regex\": \"…\"}, found 1"),
            ("{}", "routes[0].match.a: missing field `regex`"),
            (r#"{"regexp":"b"}"#, "routes[0].match.a.regexp: unknown field `regexp`, expected `regex`"),
            (r#"{"regex":[]}"#, "routes[0].match.a.regex: expected a string, found an array"),
        ] {
            assert!(of(condition).ends_with(told), "{}", of(condition));
        }
    }

    #[test]
    fn schemas_are_current() {
        testing::schema::check_config::<Router>(concat!(env!("CARGO_MANIFEST_DIR"), "/config.schema.json"));
    }
}
