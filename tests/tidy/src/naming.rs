//! Names that say nothing: a file or module is called after the one noun that it is about.

use crate::finding::Finding;
use crate::lexer;
use crate::tree::SourceFile;

/// Words that may not be a part of a file's, folder's or module's name.
const BANNED: [&str; 13] = [
    "util", "utils", "helper", "helpers", "common", "manager", "managers", "misc", "handler", "handlers",
    "item", "items", "data2",
];

/// Names of the file, of its folders and of its modules that say nothing.
#[must_use]
pub fn check(file: &SourceFile) -> Vec<Finding> {
    let mut found = Vec::new();
    for part in file.path.split('/') {
        if let Some(word) = banned_word(part) {
            found.push(Finding::at(
                &file.path,
                format!("`{word}` says nothing: name it after what it is about"),
            ));
        }
    }
    if let Some(text) = file.text.as_deref().filter(|_| file.is_rust()) {
        let code = lexer::code_only(text);
        let tokens = lexer::tokens(&code);
        for pair in tokens.windows(2) {
            if let [keyword, name] = pair
                && keyword.text == "mod"
                && let Some(word) = banned_word(name.text)
            {
                found.push(Finding::in_line(
                    &file.path,
                    name.line,
                    format!("module `{}`: `{word}` says nothing", name.text),
                ));
            }
        }
    }
    found
}

fn banned_word(name: &str) -> Option<&'static str> {
    let name = name.to_lowercase();
    name.split(['_', '-', '.']).find_map(|part| BANNED.into_iter().find(|banned| *banned == part))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> usize {
        check(&SourceFile { path: path.into(), text: Some(text.into()) }).len()
    }

    #[test]
    fn names_that_say_nothing_are_refused() {
        for path in [
            "host/src/utils.rs",
            "host/common/src/lib.rs",
            "plugins/io-helpers/src/lib.rs",
            "host/src/Data2.rs",
            "docs/misc.md",
        ] {
            assert_eq!(findings(path, ""), 1, "{path}");
        }
        assert_eq!(findings("host/src/lib.rs", "mod manager;\npub mod event_handler {}\n"), 2);
    }

    #[test]
    fn names_that_only_contain_such_letters_pass() {
        for path in
            ["host/src/itemise.rs", "host/src/utility.rs", "host/src/handle.rs", "host/src/commonality.rs"]
        {
            assert_eq!(findings(path, "// mod utils;\nconst S: &str = \"mod helpers\";"), 0, "{path}");
        }
    }
}
