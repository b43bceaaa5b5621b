//! The OpenAPI document: what it says of every answer is true, it names every route, and every route is in it.

use std::collections::BTreeSet;

use bridge_telemetry_server::openapi_document;
use serde_json::{Map, Value, json};
use ureq::http::Method;

use super::{Answer, Served, document};
use crate::fixture::in_memory;

/// What an operation may be called in the document.
const METHODS: [&str; 7] = ["get", "put", "post", "delete", "options", "patch", "trace"];

/// The document, to hold answers against.
pub(super) struct Document(Value);

impl Document {
    pub(super) fn committed() -> Self {
        Self(openapi_document())
    }

    fn paths(&self) -> &Map<String, Value> {
        self.0["paths"].as_object().unwrap()
    }

    /// The path as the document has it; its parts in braces stand for any.
    fn path(&self, asked: &str) -> Option<&Value> {
        let asked: Vec<_> = asked.split('?').next()?.split('/').collect();
        let matches = |known: &str| {
            let known: Vec<_> = known.split('/').collect();
            let mut parts = known.iter().zip(&asked);
            known.len() == asked.len() && parts.all(|(known, asked)| known.starts_with('{') || known == asked)
        };
        self.paths().iter().find(|(known, _)| matches(known)).map(|(_, path)| path)
    }

    /// Every method of every path.
    pub(super) fn operations(&self) -> BTreeSet<(String, String)> {
        let of = |(path, methods): (&String, &Value)| -> Vec<(String, String)> {
            let names = methods.as_object().unwrap().keys().filter(|name| METHODS.contains(&name.as_str()));
            names.map(|name| (path.clone(), name.to_uppercase())).collect()
        };
        self.paths().iter().flat_map(of).collect()
    }

    /// Holds an answer against the schema of its status. What the document does not know is an error envelope.
    pub(super) fn check(&self, method: &Method, asked: &str, answer: &Answer) {
        let operation = self.path(asked).and_then(|path| path.get(method.as_str().to_lowercase()));
        let schema = match operation {
            Some(operation) => {
                let answers = &operation["responses"];
                let schema = answers.get(answer.status.to_string()).or(answers.get("default"));
                let schema = schema.and_then(|answer| answer.pointer("/content/application~1json/schema"));
                schema.unwrap_or_else(|| panic!("{method} {asked} answers {}", answer.status)).clone()
            }
            None => json!({"$ref": "#/components/schemas/Error"}),
        };
        self.validate(schema, &answer.body);
    }

    fn validate(&self, schema: Value, body: &Value) {
        let schema = json!({"components": self.0["components"], "allOf": [schema]});
        let validator = jsonschema::validator_for(&schema).unwrap();
        let objections: Vec<_> = validator
            .iter_errors(body)
            .map(|error| format!("{} at {}", error.masked(), error.instance_path()))
            .collect();
        assert!(objections.is_empty(), "{objections:#?}\n{body:#}");
    }
}

#[test]
fn is_served_as_it_is_committed() {
    let served = Served::start(in_memory());
    let answer = served.get("/v1/openapi.json");
    assert_eq!((answer.status, &answer.body), (200, &openapi_document()));
    assert_eq!(answer.body["openapi"], "3.1.0");
    assert_eq!(answer.body["info"]["version"], "0.8.0");
}

#[test]
fn every_path_takes_the_methods_of_the_document_and_no_other() {
    let served = Served::start(in_memory());
    let operations = document().operations();
    assert!(operations.len() >= 13, "{operations:?}");
    for path in document().paths().keys() {
        let asked = path.replace("{id}", "00000000-0000-0000-0000-000000000000").replace("{name}", "nobody");
        for method in ["GET", "PUT", "POST", "DELETE", "PATCH", "OPTIONS"] {
            let taken = operations.contains(&(path.clone(), method.to_owned()));
            let answer = served.ask(&method.parse().unwrap(), &asked, Some(b"{}"));
            assert_eq!(answer.status != 405, taken, "{method} {path}: {}", answer.body);
            if !taken {
                assert_eq!(answer.body["error"]["code"], "NOT_FOUND");
                let allowed: BTreeSet<_> = answer.header("allow").split(',').map(str::trim).collect();
                let mut expected: BTreeSet<_> = operations
                    .iter()
                    .filter(|(known, _)| known == path)
                    .map(|(_, method)| method.as_str())
                    .collect();
                // Whatever can be got, its head can.
                if expected.contains("GET") {
                    expected.insert("HEAD");
                }
                assert_eq!(allowed, expected, "{path}");
            }
        }
    }
}

/// The router cannot be asked for its routes; its source is.
#[test]
fn every_route_of_the_router_is_in_the_document() {
    let source = include_str!("../../../host/server/src/routes.rs");
    let mut found = BTreeSet::new();
    for route in source.split(".route(\"").skip(1) {
        let (path, rest) = route.split_once('"').unwrap();
        let methods = rest.split(".route(").next().unwrap();
        let methods = methods.split(".fallback(").next().unwrap();
        for (call, method) in [("get(", "GET"), ("post(", "POST"), ("put(", "PUT"), ("delete(", "DELETE")] {
            if methods.contains(call) {
                found.insert((path.to_owned(), method.to_owned()));
            }
        }
    }
    assert_eq!(found, document().operations());
}

#[test]
fn the_examples_of_requests_are_what_the_document_asks_for() {
    let document = document();
    let request = |path: &str| {
        let pointer = "/post/requestBody/content/application~1json/schema";
        document.paths()[path].pointer(pointer).unwrap().clone()
    };
    document.validate(request("/v1/events"), &json!({"event_type": "A", "source": "s", "more": [1]}));
    document.validate(request("/v1/metrics"), &json!([{"metric_name": "m", "metric_value": "text"}]));
    document.validate(
        request("/v1/query"),
        &json!({
            "metric_names": ["m"], "time_range": [null, 1_747_837_937.5], "aggregation": {"m": "P90"},
            "filter": {"k": {"not": ["a", "b"]}}, "group_by": ["k"], "step": "5m", "limit": 3,
        }),
    );
    document.validate(request("/v1/dead-letters/replay"), &json!({"receiver": "ops"}));
    document.validate(request("/v1/clock/accept"), &json!({}));
    document.validate(request("/v1/store/backup"), &json!({"directory": "/a"}));
    document.validate(request("/v1/store/verify"), &json!({}));
}
