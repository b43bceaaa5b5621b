//! Just enough of Rust's lexical rules to tell code from text: comments, strings and characters are blanked out, line
//! by line, and the rest is cut into words and signs.

/// A word (identifier, keyword, number) or a single sign of code, with its line counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token<'t> {
    /// The line, from 1.
    pub line: usize,
    /// The word, or one sign.
    pub text: &'t str,
}

/// The code alone: comments and literals become spaces, line ends stay.
#[must_use]
pub fn code_only(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut rest = source;
    let mut after_word = false;
    while let Some(first) = rest.chars().next() {
        let length = literal_length(rest, after_word);
        let (piece, tail) = rest.split_at(if length == 0 { first.len_utf8() } else { length });
        if length == 0 {
            out.push(first);
        } else {
            out.extend(piece.chars().map(|sign| if sign == '\n' { '\n' } else { ' ' }));
        }
        after_word = length == 0 && is_word(first);
        rest = tail;
    }
    out
}

/// The words and signs of code from which `code_only` has removed the text.
#[must_use]
pub fn tokens(code: &str) -> Vec<Token<'_>> {
    let mut found = Vec::new();
    for (number, line) in code.lines().enumerate() {
        let mut rest = line.trim_start();
        while let Some(first) = rest.chars().next() {
            let end = if is_word(first) {
                rest.find(|sign| !is_word(sign)).unwrap_or(rest.len())
            } else {
                first.len_utf8()
            };
            let (text, tail) = rest.split_at(end);
            found.push(Token { line: number + 1, text });
            rest = tail.trim_start();
        }
    }
    found
}

/// Whether the sign belongs to a word.
#[must_use]
pub fn is_word(sign: char) -> bool {
    sign.is_alphanumeric() || sign == '_'
}

/// The bytes of the comment or literal that `rest` starts with; 0 if it starts with code. The end of the file ends all.
fn literal_length(rest: &str, after_word: bool) -> usize {
    if rest.starts_with("//") {
        return rest.find('\n').unwrap_or(rest.len());
    }
    if rest.starts_with("/*") {
        return block_comment_length(rest);
    }
    if rest.starts_with('"') {
        return quoted_length(rest);
    }
    if rest.starts_with('\'') {
        return character_length(rest);
    }
    if after_word {
        return 0;
    }
    // b"…", c"…" and the raw forms: a prefix belongs to the literal only where a word could start.
    let unprefixed = rest.trim_start_matches(['b', 'c']);
    let prefix = rest.len() - unprefixed.len();
    match unprefixed.chars().next() {
        Some('"') if prefix == 1 => prefix + quoted_length(unprefixed),
        Some('r') if prefix <= 1 => {
            unprefixed.get(1..).and_then(raw_length).map_or(0, |raw| prefix + 1 + raw)
        }
        _ => 0,
    }
}

fn block_comment_length(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut at = 0;
    while let Some(tail) = rest.get(at..) {
        if tail.starts_with("/*") {
            depth += 1;
            at += 2;
        } else if tail.starts_with("*/") {
            depth -= 1;
            at += 2;
            if depth == 0 {
                return at;
            }
        } else {
            let Some(sign) = tail.chars().next() else { break };
            at += sign.len_utf8();
        }
    }
    rest.len()
}

fn quoted_length(rest: &str) -> usize {
    let mut escaped = false;
    for (at, sign) in rest.char_indices().skip(1) {
        match sign {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return at + 1,
            _ => {}
        }
    }
    rest.len()
}

/// From the first `#` or quote on; none if it is a raw identifier (`r#type`) or no raw string at all.
fn raw_length(rest: &str) -> Option<usize> {
    let hashes = rest.len() - rest.trim_start_matches('#').len();
    let body = rest.get(hashes..)?.strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    Some(body.find(&end).map_or(rest.len(), |at| hashes + 1 + at + end.len()))
}

/// `'x'` and `'\n'` are characters; `'a` is a lifetime, which is code.
fn character_length(rest: &str) -> usize {
    let mut signs = rest.char_indices().skip(1);
    match signs.next() {
        Some((_, '\\')) => {
            signs.next();
            signs.find(|(_, sign)| *sign == '\'').map_or(rest.len(), |(at, _)| at + 1)
        }
        Some(_) => match signs.next() {
            Some((at, '\'')) => at + 1,
            _ => 0,
        },
        None => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(source: &str, expect: &str) {
        let code = code_only(source);
        assert_eq!(code.matches('\n').count(), source.matches('\n').count(), "{source}");
        let words: Vec<&str> = tokens(&code).into_iter().map(|token| token.text).collect();
        assert_eq!(words.join(" "), expect, "{source}");
    }

    #[test]
    fn comments_are_no_code() {
        check("a // { b\nc", "a c");
        check("a /* { /* nested */ \n } */ b", "a b");
        check("/// doc {\nfn f", "fn f");
        check("a /* without end {", "a");
    }

    #[test]
    fn strings_are_no_code() {
        check(r#"x = "{ \" { \\"; y"#, "x = ; y");
        check("x = r#\"{ \" {\"#; y", "x = ; y");
        check("x = br##\"{ \"# {\"##; y", "x = ; y");
        check("x = b\"{\" + c\"{\"; y", "x = + ; y");
        check("x = \"over\ntwo {\"; y", "x = ; y");
        check("x = \"without end {", "x =");
    }

    #[test]
    fn raw_identifiers_and_words_that_end_in_r_stay_code() {
        check("r#type { }", "r # type { }");
        check("for b in c { }", "for b in c { }");
        check("writer \"{\" bar", "writer bar");
    }

    #[test]
    fn characters_are_no_code_and_lifetimes_are() {
        check(r"a = '{'; b = '\''; c = '\u{7b}'; d", "a = ; b = ; c = ; d");
        check("fn f<'a>(x: &'a str) {}", "fn f < ' a > ( x : & ' a str ) { }");
        check("b = b'{'; c", "b = b ; c");
        check("'outer: loop { break 'outer }", "' outer : loop { break ' outer }");
    }

    #[test]
    fn tokens_know_their_line() {
        let lines: Vec<usize> = tokens("a\n\n b c").iter().map(|token| token.line).collect();
        assert_eq!(lines, [1, 3, 3]);
    }
}
