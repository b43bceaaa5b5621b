//! The top level of the checkout: exactly the parts that the design names, so that its listing is a table of contents.

use crate::finding::Finding;

/// What must be at the top level.
const REQUIRED: [&str; 8] =
    ["Cargo.lock", "Cargo.toml", "README.md", "host", "plugin-sdk", "plugins", "tests", "wit"];
/// What may be there besides; names with a dot in front may always.
const ALLOWED: [&str; 7] =
    ["LICENSE", "LICENSE-APACHE", "LICENSE-MIT", "LICENSE.md", "rust-toolchain.toml", "target", "runtime"];
/// What must be below `host`; further parts may stand beside them.
const HOST_PARTS: [&str; 6] = ["cli", "core", "sandbox", "server", "src", "store"];

/// Compares the names at the top level and below `host` with the design.
#[must_use]
pub fn check(top: &[String], host: &[String]) -> Vec<Finding> {
    let mut found = Vec::new();
    for name in top {
        let known =
            REQUIRED.contains(&name.as_str()) || ALLOWED.contains(&name.as_str()) || name.starts_with('.');
        if !known {
            found.push(Finding::at(name, "has no place at the top level: move it into one of the parts"));
        }
    }
    let missing = |required: &[&str], there: &[String], prefix: &str| -> Vec<Finding> {
        let absent = required.iter().filter(|name| !there.iter().any(|there| there == *name));
        absent.map(|name| Finding::at(format!("{prefix}{name}"), "is missing")).collect()
    };
    found.extend(missing(&REQUIRED, top, ""));
    found.extend(missing(&HOST_PARTS, host, "host/"));
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(list: &[&str]) -> Vec<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    #[test]
    fn the_design_s_layout_passes() {
        let mut top = names(&REQUIRED);
        top.extend(names(&[".ci", ".git", "rust-toolchain.toml", "target", "LICENSE-MIT"]));
        let mut host = names(&HOST_PARTS);
        host.push("python".into());
        assert_eq!(check(&top, &host), []);
    }

    #[test]
    fn strays_and_gaps_are_refused() {
        let mut top = names(&REQUIRED);
        top.retain(|name| name != "README.md");
        top.push("scripts".into());
        let host = names(&["cli", "core", "sandbox", "src", "store"]);
        let places: Vec<String> = check(&top, &host).into_iter().map(|finding| finding.place).collect();
        assert_eq!(places, ["scripts", "README.md", "host/server"]);
    }
}
