//! The names of families that no readable manifest tells: RocksDB's options file lists all families in the order of their
//! numbers, and the logs tell the numbers.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::io;
use std::path::Path;

use super::staging::{is_options, names};

/// What begins the section of a family.
const SECTION: &str = "[CFOptions \"";

/// The families that the newest options file lists, in its order.
pub(super) fn listed(rocks: &Path) -> io::Result<Vec<String>> {
    let Some(newest) = names(rocks, is_options)?.pop() else { return Ok(Vec::new()) };
    // Text of RocksDB's own; where it is damaged, no section is found.
    let bytes = fs::read(rocks.join(newest))?;
    let text = String::from_utf8_lossy(&bytes);
    let section = |line: &str| Some(line.strip_prefix(SECTION)?.split_once('"')?.0.to_owned());
    Ok(text.lines().filter_map(section).collect())
}

/// Adds the names of `unknown` numbers to `families`: those that are listed between two known families, where as many numbers
/// are missing between theirs.
pub(super) fn complete(families: &mut BTreeMap<u32, String>, unknown: &BTreeSet<u32>, listed: &[String]) {
    let mut found = Vec::new();
    let mut waiting: Vec<&String> = Vec::new();
    let mut after = 0;
    let number_of =
        |name: &String| families.iter().find(|(_, known)| *known == name).map(|(number, _)| *number);
    for name in listed.iter().map(Some).chain([None]) {
        let until = match name.map(|name| (name, number_of(name))) {
            Some((name, None)) => {
                waiting.push(name);
                continue;
            }
            Some((_, Some(number))) => number,
            None => u32::MAX,
        };
        let between: Vec<u32> =
            unknown.iter().copied().filter(|number| after < *number && *number < until).collect();
        if between.len() == waiting.len() {
            found.extend(between.into_iter().zip(waiting.iter().map(|name| (*name).clone())));
        }
        waiting.clear();
        after = until;
    }
    families.extend(found);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_by_their_place() {
        let known =
            || BTreeMap::from([(0, "default".to_owned()), (1, "meta".to_owned()), (6, "m.b".to_owned())]);
        let listed = ["default", "meta", "m.a", "m.b", "m.c", "m.d"].map(str::to_owned);
        let check = |unknown: &[u32], expected: &[(u32, &str)]| {
            let mut families = known();
            complete(&mut families, &unknown.iter().copied().collect(), &listed);
            for (number, name) in expected {
                assert_eq!(families.get(number).map(String::as_str), Some(*name), "{unknown:?}");
            }
            assert_eq!(families.len(), 3 + expected.len(), "{families:?}");
        };
        check(&[5, 7, 9], &[(5, "m.a"), (7, "m.c"), (9, "m.d")]);
        // One of the two last ones has no rows in the log: which one, nobody knows.
        check(&[5, 9], &[(5, "m.a")]);
        check(&[], &[]);
    }

    #[test]
    fn sections_are_found_in_the_newest_file() {
        let folder = tempfile::tempdir().unwrap();
        assert!(listed(folder.path()).unwrap().is_empty());
        fs::write(folder.path().join("OPTIONS-000007"), "[CFOptions \"old\"]\n").unwrap();
        fs::write(
            folder.path().join("OPTIONS-000010"),
            "[DBOptions]\n[CFOptions \"default\"]\n a=b\n[CFOptions \"m.1\"]\n",
        )
        .unwrap();
        assert_eq!(listed(folder.path()).unwrap(), ["default", "m.1"]);
    }
}
