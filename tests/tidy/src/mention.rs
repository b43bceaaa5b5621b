//! Paths that the documents name: each leads somewhere in this tree.

use std::collections::BTreeSet;

use crate::finding::Finding;
use crate::tree::SourceFile;

/// Folders of the top level: a path in a code span that begins with one of them is meant from the root.
const TOP_FOLDERS: [&str; 5] = ["host/", "plugin-sdk/", "plugins/", "tests/", "wit/"];
/// What makes a path a pattern, or another address.
const NOT_A_PATH: [&str; 7] = ["*", "<", "{", "…", "$", " ", "://"];

/// All files and folders of the tree, as the documents may name them.
#[must_use]
pub fn places(files: &[SourceFile]) -> BTreeSet<String> {
    let mut places = BTreeSet::new();
    for file in files {
        let mut path = file.path.as_str();
        places.insert(path.to_owned());
        while let Some((folder, _)) = path.rsplit_once('/') {
            places.insert(folder.to_owned());
            path = folder;
        }
    }
    places
}

/// Code spans and links of a Markdown file that lead nowhere.
#[must_use]
pub fn check(file: &SourceFile, places: &BTreeSet<String>) -> Vec<Finding> {
    let Some(text) = file.text.as_deref().filter(|_| file.path.ends_with(".md")) else { return Vec::new() };
    let folder = file.path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut found = Vec::new();
    let mut fenced = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        let spans = spans(line).filter(|span| TOP_FOLDERS.iter().any(|top| span.starts_with(top)));
        let spans = spans.map(str::to_owned);
        let links = links(line).filter(|link| !link.contains("://")).map(|link| joined(folder, link));
        for path in spans.chain(links) {
            let path = path.trim_end_matches('/');
            if !NOT_A_PATH.iter().any(|sign| path.contains(sign)) && !places.contains(path) {
                let text = format!("`{path}` is not there: name the place as it is now");
                found.push(Finding::in_line(&file.path, number, text));
            }
        }
    }
    found
}

/// What stands between backticks.
fn spans(line: &str) -> impl Iterator<Item = &str> {
    line.split('`').skip(1).step_by(2)
}

/// The targets of a line's links, without their anchors.
fn links(line: &str) -> impl Iterator<Item = &str> {
    let targets = line.split("](").skip(1).filter_map(|rest| rest.split_once(')'));
    targets.filter_map(|(target, _)| target.split('#').next()).filter(|path| !path.is_empty())
}

/// `target` as seen from `folder`, from the root.
fn joined(folder: &str, target: &str) -> String {
    let mut parts: Vec<&str> = folder.split('/').filter(|part| !part.is_empty()).collect();
    for part in target.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    parts.join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(text: &str) -> usize {
        let paths = ["host/src/lib.rs", "host/NOTES.md", "README.md"];
        let files = paths.map(|path| SourceFile { path: path.into(), text: None });
        let document = SourceFile { path: "host/NOTES.md".into(), text: Some(text.into()) };
        check(&document, &places(&files)).len()
    }

    #[test]
    fn paths_that_lead_nowhere_are_found() {
        assert_eq!(findings("see `host/src/gone.rs` and [this](src/gone.rs)"), 2);
        assert_eq!(findings("[up](../GONE.md#part)"), 1);
    }

    #[test]
    fn places_patterns_and_addresses_pass() {
        let text = "`host/src/lib.rs`, `host/src/`, `host/*.md`, [here](src/lib.rs#l1), [up](../README.md), \
                    [part](#part), [web](https://example.com/x), `cargo xtask run`, `other/path`";
        assert_eq!(findings(text), 0);
        assert_eq!(findings("```\n`host/src/gone.rs`\n```"), 0);
    }
}
