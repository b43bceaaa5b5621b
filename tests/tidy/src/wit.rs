//! The plugin contract's version: whatever changes in `wit/` but comments and white space needs a new one, or plugins
//! built before would meet a host that means something else by the same name.

use sha2::{Digest, Sha256};

use crate::finding::Finding;

/// Where the contract's versions and fingerprints are kept, from the root.
pub const RECORD: &str = "tests/tidy/wit.fingerprint";

/// The version that the contract's `package` line states.
#[must_use]
pub fn version<'t>(texts: impl IntoIterator<Item = &'t str>) -> Option<String> {
    texts.into_iter().find_map(|text| {
        let code = without_comments(text);
        let line = code.split(';').next()?.trim();
        Some(line.strip_prefix("package ")?.split_once('@')?.1.trim().to_owned())
    })
}

/// The fingerprint of the contract's texts, given in the order of their paths. Comments, white space and the version
/// itself do not count.
#[must_use]
pub fn fingerprint<'t>(texts: impl IntoIterator<Item = &'t str>) -> String {
    let mut hash = Sha256::new();
    for text in texts {
        let mut names_package = false;
        for word in without_comments(text).split_whitespace() {
            let counted = if names_package { word.split('@').next().unwrap_or_default() } else { word };
            hash.update(counted);
            hash.update(b" ");
            names_package = word == "package";
        }
        hash.update(b"\n");
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Compares the contract with the record: a line `VERSION FINGERPRINT` for each version there ever was, `#` for comments.
#[must_use]
pub fn check(record: &str, version: &str, fingerprint: &str) -> Vec<Finding> {
    let mut found = Vec::new();
    let mut known: Vec<(&str, &str)> = Vec::new();
    for (number, line) in record.lines().enumerate() {
        let words: Vec<&str> = line.split('#').next().unwrap_or_default().split_whitespace().collect();
        match words.as_slice() {
            [] => {}
            [version, _] if known.iter().any(|(earlier, _)| earlier == version) => {
                found.push(Finding::in_line(
                    RECORD,
                    number + 1,
                    format!("version {version} stands here twice"),
                ));
            }
            [version, fingerprint] => known.push((version, fingerprint)),
            _ => found.push(Finding::in_line(RECORD, number + 1, "not of the form `VERSION FINGERPRINT`")),
        }
    }
    match known.iter().find(|(recorded, _)| *recorded == version) {
        Some((_, recorded)) if *recorded == fingerprint => {}
        Some(_) => found.push(Finding::at(
            "wit",
            format!(
                "changed, but its version is still {version}: raise it in the `package` line and add the line \
                 `NEW-VERSION {fingerprint}` to {RECORD}; replace the line of {version} only while nothing has \
                 been released with it"
            ),
        )),
        None => found.push(Finding::at(RECORD, format!("add the line `{version} {fingerprint}`"))),
    }
    found
}

/// WIT has no strings, so that `//` and `/*` always start a comment; block comments nest.
fn without_comments(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    let mut depth = 0_usize;
    while let Some(first) = rest.chars().next() {
        let step = if rest.starts_with("/*") {
            depth += 1;
            2
        } else if depth > 0 && rest.starts_with("*/") {
            depth -= 1;
            out.push(' ');
            2
        } else if depth == 0 && rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else {
            if depth == 0 {
                out.push(first);
            }
            first.len_utf8()
        };
        rest = rest.get(step..).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTRACT: &str =
        "/// What it is.\npackage bridge:telemetry@0.1.0;\ninterface types { type timestamp = s64; }\n";

    #[test]
    fn the_version_is_that_of_the_package_line() {
        assert_eq!(version([CONTRACT]).as_deref(), Some("0.1.0"));
        assert_eq!(version(["interface other {}", CONTRACT]).as_deref(), Some("0.1.0"));
        assert_eq!(version(["// package bridge:telemetry@9.0.0;\ninterface types {}"]), None);
    }

    #[test]
    fn only_the_contract_itself_counts() {
        let same = "package bridge:telemetry@0.1.0; /* a /* nested */ note */\n\n interface types {\n  type timestamp = s64; }";
        assert_eq!(fingerprint([CONTRACT]), fingerprint([same]));
        assert_eq!(fingerprint([CONTRACT]), fingerprint([CONTRACT.replace("0.1.0", "0.2.0").as_str()]));
        assert_ne!(fingerprint([CONTRACT]), fingerprint([CONTRACT.replace("s64", "u64").as_str()]));
        assert_ne!(fingerprint([CONTRACT]), fingerprint([CONTRACT.replace("bridge:", "other:").as_str()]));
        assert_ne!(fingerprint(["a b", "c"]), fingerprint(["a", "b c"]));
    }

    #[test]
    fn a_change_needs_a_new_version() {
        assert!(check("# versions\n0.1.0 aa\n", "0.1.0", "aa").is_empty());
        let changed = check("0.1.0 aa\n", "0.1.0", "bb");
        assert_eq!(changed.len(), 1);
        assert!(changed[0].message.contains("raise it"), "{}", changed[0]);
        let unrecorded = check("0.1.0 aa\n", "0.2.0", "bb");
        assert!(unrecorded[0].message.contains("`0.2.0 bb`"), "{}", unrecorded[0]);
        assert!(check("0.1.0 aa\n0.2.0 bb\n", "0.2.0", "bb").is_empty());
    }

    #[test]
    fn a_record_that_contradicts_itself_is_refused() {
        assert_eq!(check("0.1.0 aa\n0.1.0 bb\n", "0.1.0", "aa").len(), 1);
        assert_eq!(check("0.1.0 aa\nnonsense\n", "0.1.0", "aa").len(), 1);
    }
}
