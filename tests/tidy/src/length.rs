//! Length of files and functions: what does not fit on a few screens says more than one thing.

use crate::finding::{Finding, Report};
use crate::lexer::{self, Token};
use crate::tree::SourceFile;

/// Lines of a Rust file above which it is listed, and above which the check fails.
const FILE_LINES: (usize, usize) = (400, 500);
/// Lines of a function, from its name to its closing brace, above which it is listed, and above which the check fails.
const FUNCTION_LINES: (usize, usize) = (70, 100);

/// A function with a body.
#[derive(Debug, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// The line of its name, from 1.
    pub line: usize,
    /// Lines up to and with its closing brace.
    pub lines: usize,
}

/// Judges the length of a Rust file; other files pass.
#[must_use]
pub fn file(file: &SourceFile) -> Report {
    let mut report = Report::default();
    if let Some(text) = file.text.as_deref().filter(|_| file.is_rust()) {
        let lines = text.lines().count();
        judge(&mut report, lines, FILE_LINES, |limit| {
            Finding::at(&file.path, format!("{lines} lines, more than {limit}: split it, one noun a file"))
        });
    }
    report
}

/// Judges the length of every function of a Rust file; other files pass.
#[must_use]
pub fn functions(file: &SourceFile) -> Report {
    let mut report = Report::default();
    for function in file.text.as_deref().filter(|_| file.is_rust()).map(functions_in).unwrap_or_default() {
        let Function { name, line, lines } = function;
        judge(&mut report, lines, FUNCTION_LINES, |limit| {
            Finding::in_line(
                &file.path,
                line,
                format!("`{name}` has {lines} lines, more than {limit}: split it"),
            )
        });
    }
    report
}

fn judge(
    report: &mut Report,
    lines: usize,
    (warn, fail): (usize, usize),
    finding: impl Fn(usize) -> Finding,
) {
    if lines > fail {
        report.failures.push(finding(fail));
    } else if lines > warn {
        report.warnings.push(finding(warn));
    }
}

/// The functions with a body in Rust source, nested ones included.
#[must_use]
pub fn functions_in(source: &str) -> Vec<Function> {
    let code = lexer::code_only(source);
    let tokens = lexer::tokens(&code);
    let mut found = Vec::new();
    for (at, token) in tokens.iter().enumerate().filter(|(_, token)| token.text == "fn") {
        let rest = tokens.get(at + 1..).unwrap_or_default();
        // `fn(u8) -> u8` is a type.
        let Some(name) =
            rest.iter().find(|token| token.text != "$" && token.text != "r" && token.text != "#")
        else {
            continue;
        };
        if !name.text.starts_with(lexer::is_word) {
            continue;
        }
        if let Some(end) = last_line(rest) {
            found.push(Function {
                name: name.text.to_owned(),
                line: token.line,
                lines: end + 1 - token.line,
            });
        }
    }
    found
}

/// The line of the brace that closes the body; none if there is no body.
fn last_line(tokens: &[Token<'_>]) -> Option<usize> {
    let mut brackets = 0_usize;
    let mut braces = 0_usize;
    for token in tokens {
        match token.text {
            "(" | "[" => brackets += 1,
            ")" | "]" => brackets = brackets.saturating_sub(1),
            ";" if brackets == 0 && braces == 0 => return None,
            // Braces in brackets of the signature belong to a constant: `[u8; { 4 }]`.
            "{" if brackets == 0 || braces > 0 => braces += 1,
            "}" if braces == 1 => return Some(token.line),
            "}" if braces > 1 => braces -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rust(text: String) -> SourceFile {
        SourceFile { path: "host/src/lib.rs".into(), text: Some(text) }
    }

    fn check(source: &str, expect: &[(&str, usize, usize)]) {
        let found = functions_in(source);
        let found: Vec<(&str, usize, usize)> =
            found.iter().map(|function| (function.name.as_str(), function.line, function.lines)).collect();
        assert_eq!(found, expect, "{source}");
    }

    #[test]
    fn functions_are_measured_to_their_closing_brace() {
        check("fn a() {}\n", &[("a", 1, 1)]);
        check("pub(crate) fn a<T>(\n  x: T,\n) -> T\nwhere\n  T: Copy,\n{\n  x\n}\n", &[("a", 1, 8)]);
        check("fn a() {\n  fn b() {\n  }\n}\n", &[("a", 1, 4), ("b", 2, 2)]);
        check("fn a() {\n  let x = \"}\"; // }\n  let y = '}';\n}\n", &[("a", 1, 4)]);
        check("fn a(x: [u8; { 4 }]) {\n  f([{ 1 }]);\n}\n", &[("a", 1, 3)]);
        check("macro_rules! m { ($n:ident) => { fn $n() {\n} } }", &[("n", 1, 2)]);
    }

    #[test]
    fn what_has_no_body_is_no_function() {
        check("trait T { fn a(&self); fn b(x: [u8; 4]) -> u8; }", &[]);
        check("type F = fn(u8) -> u8; struct S { f: fn() }", &[]);
        check("// fn a() {\n// }\nconst S: &str = \"fn b() {}\";", &[]);
    }

    #[test]
    fn long_functions_are_listed_and_then_refused() {
        let of = |lines: usize| functions(&rust(format!("fn long() {{{}}}", "\n".repeat(lines - 1))));
        assert!(of(70).warnings.is_empty() && of(70).failures.is_empty());
        assert_eq!(of(71).warnings.len(), 1);
        assert_eq!(of(100).failures.len(), 0);
        assert!(of(101).failures[0].to_string().starts_with("host/src/lib.rs:1: `long` has 101 lines"));
    }

    #[test]
    fn long_files_are_listed_and_then_refused() {
        let of = |lines: usize| file(&rust("//\n".repeat(lines)));
        assert!(of(400).warnings.is_empty() && of(400).failures.is_empty());
        assert_eq!(of(401).warnings.len(), 1);
        assert_eq!(of(500).failures.len(), 0);
        assert_eq!(of(501).failures.len(), 1);
        let prose = SourceFile { path: "README.md".into(), text: Some("\n".repeat(9_999)) };
        assert!(file(&prose).failures.is_empty());
    }
}
