//! `${secret:NAME}` in a request is replaced here, after the guest gave the request away.

use std::collections::BTreeSet;

use crate::grants::{Grants, Secrets};

const OPEN: &[u8] = b"${secret:";

/// The secrets that one plugin may name.
#[derive(Debug, Default)]
pub(super) struct GrantedSecrets {
    granted: BTreeSet<String>,
    secrets: Secrets,
}

impl GrantedSecrets {
    pub(super) fn new(grants: &Grants, secrets: Secrets) -> Self {
        Self { granted: grants.secrets.clone(), secrets }
    }

    /// `text` with every secret in its place, no longer than `most` bytes; the error says which name is wrong, never a value.
    pub(super) fn substitute(&self, text: Vec<u8>, most: usize) -> Result<Vec<u8>, SecretFault> {
        let mut rest = text.as_slice();
        let mut replaced: Option<Vec<u8>> = None;
        while let Some((before, name, after)) = next_reference(rest) {
            let replaced = replaced.get_or_insert_default();
            replaced.extend_from_slice(before);
            replaced.extend_from_slice(self.value(name)?.as_bytes());
            // A short body can name a long secret often.
            if replaced.len() > most {
                return Err(SecretFault::TooLong);
            }
            rest = after;
        }
        let replaced = match replaced {
            None => text,
            Some(mut replaced) => {
                replaced.extend_from_slice(rest);
                replaced
            }
        };
        if replaced.len() > most { Err(SecretFault::TooLong) } else { Ok(replaced) }
    }

    fn value(&self, name: &str) -> Result<&str, SecretFault> {
        if !self.granted.contains(name) {
            return Err(SecretFault::NotGranted(name.to_owned()));
        }
        self.secrets.get(name).ok_or_else(|| SecretFault::NoValue(name.to_owned()))
    }
}

/// Why a text cannot have its secrets.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum SecretFault {
    #[error("the secret \"{0}\" is not granted to this plugin")]
    NotGranted(String),
    #[error("the secret \"{0}\" is granted but has no value")]
    NoValue(String),
    #[error("it is too long with its secrets in their places")]
    TooLong,
}

/// Whether a text names a secret, also one whose braces are written as a URL writes them.
pub(super) fn names_a_secret(text: &str) -> bool {
    let text = text.to_ascii_lowercase();
    ["${secret:", "$%7bsecret:", "%24%7bsecret", "%24{secret"]
        .iter()
        .any(|reference| text.contains(reference))
}

/// The first reference to a secret: what stands before it, its name, what stands after it.
fn next_reference(text: &[u8]) -> Option<(&[u8], &str, &[u8])> {
    let mut from = 0;
    loop {
        let start = from + find(text.get(from..)?, OPEN)?;
        let name_start = start + OPEN.len();
        let tail = text.get(name_start..)?;
        let length = tail.iter().position(|byte| !is_name(*byte)).unwrap_or(tail.len());
        if length > 0 && tail.get(length) == Some(&b'}') {
            let name = std::str::from_utf8(tail.get(..length)?).ok()?;
            return Some((text.get(..start)?, name, tail.get(length + 1..)?));
        }
        from = name_start;
    }
}

fn is_name(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.')
}

fn find(text: &[u8], wanted: &[u8]) -> Option<usize> {
    text.windows(wanted.len()).position(|window| window == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: Result<&str, &str>) {
        let grants = Grants { secrets: ["TOKEN", "EMPTY"].map(str::to_owned).into(), ..Grants::default() };
        let secrets = Secrets::from_iter([("TOKEN", "s3"), ("OTHER", "x")]);
        let answer = GrantedSecrets::new(&grants, secrets).substitute(text.as_bytes().to_vec(), 64);
        let answer = answer.map(|bytes| String::from_utf8(bytes).unwrap()).map_err(|fault| fault.to_string());
        assert_eq!(answer.as_deref().map_err(String::as_str), expected, "{text}");
    }

    #[test]
    fn references_are_replaced() {
        check("", Ok(""));
        check("Bearer ${secret:TOKEN}", Ok("Bearer s3"));
        check("${secret:TOKEN}${secret:TOKEN}!", Ok("s3s3!"));
        check("${secret:} ${secret:TOK EN} ${secret:TOKEN", Ok("${secret:} ${secret:TOK EN} ${secret:TOKEN"));
        check("${secret:${secret:TOKEN}", Ok("${secret:s3"));
        check("${secret:OTHER}", Err("the secret \"OTHER\" is not granted to this plugin"));
        check("${secret:EMPTY}", Err("the secret \"EMPTY\" is granted but has no value"));
        check(&"${secret:TOKEN}".repeat(33), Err("it is too long with its secrets in their places"));
    }
}
