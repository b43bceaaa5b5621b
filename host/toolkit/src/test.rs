//! Runs a project's test cases and compares what comes out with what is expected.

use std::path::{Path, PathBuf};

use serde::Serialize;
use serde_json::Value;
use similar::TextDiff;
use telemetry_sandbox::Grants;

use crate::case::{Case, CaseError};
use crate::check::{chain, requested};
use crate::project::{Project, ProjectError, write_whole};
use crate::run::{RunError, run_case};

/// Lines around a difference.
const CONTEXT_LINES: usize = 3;

/// What became of a project's cases.
#[derive(Clone, Debug, Serialize)]
pub struct TestReport {
    /// By name.
    pub results: Vec<TestResult>,
}

/// What became of one case.
#[derive(Clone, Debug, Serialize)]
pub struct TestResult {
    /// The case.
    pub name: String,
    /// Whether all is as expected.
    pub passed: bool,
    /// Whether the expected result was written anew.
    pub blessed: bool,
    /// How the result differs from what is expected, line by line.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub difference: Option<String>,
    /// Where the plugin breaks its contract.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub breaches: Vec<String>,
    /// Why the case could not be run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Calls of the plugin.
    pub calls: u64,
    /// Fuel that they burnt.
    pub fuel: u64,
}

/// Cases could not be run at all.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TestError {
    /// The folder is no project, or not built.
    #[error(transparent)]
    Project(#[from] ProjectError),
    /// A case cannot be read.
    #[error(transparent)]
    Case(#[from] CaseError),
    /// There is no case.
    #[error("{} has no test case; write one as NAME.toml there", directory.display())]
    NoCase {
        /// Where they are looked for.
        directory: PathBuf,
    },
    /// An expected result cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        #[source]
        source: std::io::Error,
    },
}

impl TestReport {
    /// Whether all passed.
    pub fn passed(&self) -> bool {
        self.results.iter().all(|result| result.passed)
    }
}

/// Runs the cases of the project in `directory` whose names contain `filter`; with `bless`, what comes out is expected from
/// now on.
pub fn test(directory: &Path, filter: &str, bless: bool) -> Result<TestReport, TestError> {
    let project = Project::open(directory)?;
    let suite = Suite {
        component: project.built_component()?,
        name: project.manifest.name.clone(),
        cases: project.cases(),
        grants: requested(&project.manifest),
    };
    suite.run(filter, bless)
}

/// Cases for a component, wherever the two are.
#[derive(Clone, Debug)]
pub struct Suite {
    /// The component.
    pub component: PathBuf,
    /// The plugin's name.
    pub name: String,
    /// The folder of the cases.
    pub cases: PathBuf,
    /// What a case is granted that says nothing of grants.
    pub grants: Grants,
}

impl Suite {
    /// As [`test()`].
    pub fn run(&self, filter: &str, bless: bool) -> Result<TestReport, TestError> {
        let mut cases = Case::all(&self.cases)?;
        if cases.is_empty() {
            return Err(TestError::NoCase { directory: self.cases.clone() });
        }
        cases.retain(|case| case.name.contains(filter));
        let mut results = Vec::new();
        for case in &mut cases {
            if case.grants == Grants::default() {
                case.grants = self.grants.clone();
            }
            results.push(run_one(&self.component, &self.name, case, bless)?);
        }
        Ok(TestReport { results })
    }
}

fn run_one(component: &Path, name: &str, case: &Case, bless: bool) -> Result<TestResult, TestError> {
    let mut result = TestResult {
        name: case.name.clone(),
        passed: false,
        blessed: false,
        difference: None,
        breaches: Vec::new(),
        error: None,
        calls: 0,
        fuel: 0,
    };
    let outcome = match run_case(component, name, case) {
        Ok(outcome) => outcome,
        Err(error) => {
            result.error = Some(reason(&error));
            return Ok(result);
        }
    };
    (result.calls, result.fuel) = (outcome.calls, outcome.fuel);
    result.breaches.clone_from(&outcome.breaches);
    let found = outcome.to_json();
    let path = case.expected_path();
    let expected = read_expected(&path)?;
    if expected.as_ref() == Some(&found) {
        result.passed = result.breaches.is_empty();
    } else if bless {
        let text = format!("{}\n", pretty(&found));
        write_whole(&path, text.as_bytes()).map_err(|source| TestError::Write { path, source })?;
        result.blessed = true;
        result.passed = result.breaches.is_empty();
    } else if let Some(expected) = expected {
        result.difference = Some(difference(&expected, &found));
    } else {
        result.error = Some(format!(
            "{} is not there; `--bless` writes what comes out now:\n{}",
            path.display(),
            pretty(&found)
        ));
    }
    Ok(result)
}

fn read_expected(path: &Path) -> Result<Option<Value>, CaseError> {
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(source) => return Err(CaseError::Read { path: path.to_owned(), source }),
    };
    serde_json::from_slice(&bytes)
        .map(Some)
        .map_err(|error| CaseError::Malformed { path: path.to_owned(), reason: error.to_string() })
}

/// How two results differ, as a unified difference of their lines.
fn difference(expected: &Value, found: &Value) -> String {
    let (expected, found) = (pretty(expected), pretty(found));
    TextDiff::from_lines(&expected, &found)
        .unified_diff()
        .context_radius(CONTEXT_LINES)
        .header("expected", "found")
        .to_string()
}

/// JSON for people: a line for each step; what fits into a line stays in one.
fn pretty(value: &Value) -> String {
    let mut text = String::new();
    write_pretty(value, 0, &mut text);
    text
}

/// Longest line that is not broken.
const LINE: usize = 110;
/// Down to this indent all lines are broken.
const BROKEN: usize = 2;

fn write_pretty(value: &Value, indent: usize, text: &mut String) {
    let line = one_line(value);
    let (open, close, parts): (_, _, Vec<(String, &Value)>) = match value {
        Value::Array(values) if indent <= BROKEN || indent + line.len() > LINE => {
            ('[', ']', values.iter().map(|value| (String::new(), value)).collect())
        }
        Value::Object(map) if indent <= BROKEN || indent + line.len() > LINE => {
            let key = |key: &String| format!("{}: ", Value::from(key.as_str()));
            ('{', '}', map.iter().map(|(name, value)| (key(name), value)).collect())
        }
        _ => return text.push_str(&line),
    };
    if parts.is_empty() {
        return text.push_str(&line);
    }
    text.push(open);
    for (number, (key, part)) in parts.into_iter().enumerate() {
        text.push_str(if number == 0 { "\n" } else { ",\n" });
        text.push_str(&" ".repeat(indent + 2));
        text.push_str(&key);
        write_pretty(part, indent + 2, text);
    }
    text.push('\n');
    text.push_str(&" ".repeat(indent));
    text.push(close);
}

fn one_line(value: &Value) -> String {
    match value {
        Value::Array(values) => format!("[{}]", values.iter().map(one_line).collect::<Vec<_>>().join(", ")),
        Value::Object(map) => {
            let pairs =
                map.iter().map(|(key, value)| format!("{}: {}", Value::from(key.as_str()), one_line(value)));
            format!("{{{}}}", pairs.collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

fn reason(error: &RunError) -> String {
    chain(error)
}

#[cfg(test)]
mod tests {
    use super::*;
    use expect_test::expect;
    use serde_json::json;

    #[test]
    fn results_are_read_by_people() {
        let long = "x".repeat(100);
        let found = json!({"steps": [{"step": 1, "events": 2, "issues": [{"row": 0, "message": long}]}, {"tick": "t"}]});
        let text = pretty(&found);
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), found);
        assert!(text.contains("\n    {\"tick\": \"t\"}\n"), "{text}");
        assert!(text.contains("\n          {\n") || text.contains("\n        {\n"), "{text}");
    }

    #[test]
    fn a_difference_shows_its_surroundings() {
        let expected = json!({"steps": [{"step": 1, "values": [1]}, {"step": 2, "values": []}]});
        let found = json!({"steps": [{"step": 1, "values": [2]}, {"step": 2, "values": []}]});
        expect![[r#"
            --- expected
            +++ found
            @@ -1,6 +1,6 @@
             {
               "steps": [
            -    {"step": 1, "values": [1]},
            +    {"step": 1, "values": [2]},
                 {"step": 2, "values": []}
               ]
             }
            \ No newline at end of file
        "#]]
        .assert_eq(&difference(&expected, &found));
    }
}
