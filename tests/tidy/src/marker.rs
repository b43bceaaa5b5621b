//! Marks of work left undone. What is not built has an issue, not a mark in the tree.

use crate::finding::Finding;
use crate::lexer;
use crate::tree::SourceFile;

/// Words for people, anywhere in a text. Split, so that this file does not find itself.
const WORDS: [&str; 2] = [concat!("TO", "DO"), concat!("FIX", "ME")];
/// Macros that stand for code that nobody wrote.
const MACROS: [&str; 2] = ["todo", "unimplemented"];

/// The marks in a file.
#[must_use]
pub fn check(file: &SourceFile) -> Vec<Finding> {
    let Some(text) = file.text.as_deref() else { return Vec::new() };
    let mut found = Vec::new();
    for (number, line) in text.lines().enumerate() {
        for word in line.split(|sign| !lexer::is_word(sign)).filter(|word| WORDS.contains(word)) {
            found.push(Finding::in_line(
                &file.path,
                number + 1,
                format!("`{word}`: do it, or file it as an issue"),
            ));
        }
    }
    if file.is_rust() {
        let code = lexer::code_only(text);
        for pair in lexer::tokens(&code).windows(2) {
            if let [name, sign] = pair
                && sign.text == "!"
                && MACROS.contains(&name.text)
            {
                found.push(Finding::in_line(
                    &file.path,
                    name.line,
                    format!("`{}!` stands for code that is missing", name.text),
                ));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(path: &str, text: &str) -> usize {
        check(&SourceFile { path: path.into(), text: Some(text.into()) }).len()
    }

    #[test]
    fn marks_are_found_in_code_and_in_prose() {
        for word in WORDS {
            assert_eq!(findings("host/src/lib.rs", &format!("// {word}: later\n")), 1);
            assert_eq!(findings("README.md", &format!("A list ({word}).")), 1);
        }
        assert_eq!(findings("host/src/lib.rs", "fn f() { todo!() }\nfn g() { unimplemented!(\"x\") }"), 2);
    }

    #[test]
    fn other_words_and_text_about_the_macros_pass() {
        assert_eq!(findings("Cargo.toml", "todo = \"warn\""), 0);
        assert_eq!(
            findings("host/src/lib.rs", "// A todo!() is refused.\nlet todo = !x; fn mastodon() {}"),
            0
        );
        assert_eq!(findings("host/src/lib.rs", "const S: &str = \"todo!()\";"), 0);
    }
}
