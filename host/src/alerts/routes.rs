//! Which receivers an alert goes to.

use std::collections::BTreeSet;

use telemetry_core::{Alert, LabelFilter, Severity};

/// One entry of `alerting.routes`.
#[derive(Clone, Debug)]
pub struct Route {
    /// All must match; none matches everything.
    pub matches: Vec<LabelFilter>,
    /// Who is told.
    pub receivers: Vec<String>,
    /// Whether the routes after this one are looked at too.
    pub proceed: bool,
}

/// The ordered routes, and who is told when none matches.
///
/// A route matches on `monitor`, `key`, `severity` and `status`, which are the alert's own, and on its labels. Those four go before
/// labels of the same names: a monitor makes labels of what a sender says, which must not choose who is told. Routes are
/// looked at while an alert fires; its end is told to whom it was told before.
#[derive(Clone, Debug)]
pub struct RoutingTable {
    routes: Vec<Route>,
    default_receivers: Vec<String>,
}

impl RoutingTable {
    /// A table of these routes.
    pub fn new(routes: Vec<Route>, default_receivers: Vec<String>) -> Self {
        Self { routes, default_receivers }
    }

    /// The receivers of an alert as it is now.
    pub fn receivers(&self, alert: &Alert) -> BTreeSet<String> {
        self.receivers_at(alert, alert.severity)
    }

    /// The receivers that the alert has at one severity or another.
    pub fn receivers_at_any_severity(&self, alert: &Alert) -> BTreeSet<String> {
        [Severity::Info, Severity::Warning, Severity::Error, Severity::Critical]
            .into_iter()
            .flat_map(|severity| self.receivers_at(alert, severity))
            .collect()
    }

    /// Every receiver that the table names.
    pub fn named(&self) -> BTreeSet<&str> {
        let routed = self.routes.iter().flat_map(|route| &route.receivers);
        routed.chain(&self.default_receivers).map(String::as_str).collect()
    }

    fn receivers_at(&self, alert: &Alert, severity: Severity) -> BTreeSet<String> {
        let mut receivers = BTreeSet::new();
        let mut matched = false;
        for route in &self.routes {
            if route.matches.iter().all(|filter| filter.matches(label(alert, severity, &filter.key))) {
                matched = true;
                receivers.extend(route.receivers.iter().cloned());
                if !route.proceed {
                    break;
                }
            }
        }
        if !matched {
            receivers.extend(self.default_receivers.iter().cloned());
        }
        receivers
    }
}

fn label<'a>(alert: &'a Alert, severity: Severity, name: &str) -> Option<&'a str> {
    match name {
        "monitor" => Some(&alert.monitor),
        "key" => Some(&alert.key),
        "severity" => Some(severity.as_str()),
        "status" => Some(alert.status.as_str()),
        _ => alert.labels.get(name).map(String::as_str),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::alerts::model::alert;
    use serde_json::json;
    use telemetry_core::LabelFilter;

    fn table() -> RoutingTable {
        let route = |key: &str, value, receivers: &[&str], proceed| Route {
            matches: vec![LabelFilter::parse(key, &value).unwrap()],
            receivers: receivers.iter().map(|name| (*name).to_owned()).collect(),
            proceed,
        };
        RoutingTable::new(
            vec![
                route("team", json!({"regex": "db.*"}), &["database"], true),
                route("severity", json!("critical"), &["pager"], false),
                route("team", json!("web"), &["web", "log"], false),
            ],
            vec!["console".to_owned()],
        )
    }

    #[test]
    fn first_match_ends_unless_it_proceeds() {
        let check = |team: Option<&str>, severity, expected: &[&str]| {
            let mut alert = alert("m", "k", severity);
            alert.labels = team.map(|team| ("team".to_owned(), team.to_owned())).into_iter().collect();
            assert_eq!(table().receivers(&alert).iter().map(String::as_str).collect::<Vec<_>>(), expected);
        };
        check(None, Severity::Warning, &["console"]);
        check(None, Severity::Critical, &["pager"]);
        check(Some("db-1"), Severity::Warning, &["database"]);
        check(Some("db-1"), Severity::Critical, &["database", "pager"]);
        check(Some("web"), Severity::Critical, &["pager"]);
        check(Some("web"), Severity::Error, &["log", "web"]);
    }

    #[test]
    fn no_label_hides_what_the_alert_is() {
        let own = [("monitor", "m"), ("key", "k"), ("severity", "critical"), ("status", "firing")];
        for (name, value) in own {
            let mut alert = alert("m", "k", Severity::Critical);
            alert.labels = own.map(|(name, _)| (name.to_owned(), "other".to_owned())).into();
            let route = Route {
                matches: vec![LabelFilter::parse(name, &json!(value)).unwrap()],
                receivers: vec!["pager".to_owned()],
                proceed: false,
            };
            let table = RoutingTable::new(vec![route], Vec::new());
            assert_eq!(table.receivers(&alert), ["pager".to_owned()].into(), "{name}");
        }
    }
}
