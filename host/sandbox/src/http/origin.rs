//! The allow-list of origins: scheme, host and port, compared exactly after normalisation.

use std::collections::BTreeSet;

use telemetry_core::limits;
use url::Url;

use crate::error::LoadError;

/// The granted origins of one plugin.
#[derive(Debug, Default)]
pub(super) struct Origins(BTreeSet<String>);

impl Origins {
    /// Reads a grant; each entry must be an origin and nothing more.
    pub(super) fn parse(grants: &[String]) -> Result<Self, LoadError> {
        let refused = |grant: &str, reason: &str| LoadError::Grant {
            grant: format!("http \"{grant}\""),
            reason: reason.to_owned(),
        };
        if grants.len() > limits::MAX_GRANTED_ORIGINS {
            return Err(refused("…", &format!("more than {} origins", limits::MAX_GRANTED_ORIGINS)));
        }
        let mut origins = BTreeSet::new();
        for grant in grants {
            let url = Url::parse(grant).map_err(|error| refused(grant, &error.to_string()))?;
            origin_of(&url).map_err(|reason| refused(grant, reason))?;
            if url.path() != "/" || url.query().is_some() || url.fragment().is_some() {
                return Err(refused(grant, "name the origin alone, such as https://hooks.example.com"));
            }
            origins.insert(url.origin().ascii_serialization());
        }
        Ok(Self(origins))
    }

    /// The URL in normal form, if its origin is granted.
    pub(super) fn allow(&self, url: &str) -> Result<Url, Refusal> {
        // The parser leaves line ends and tabs out in silence, and takes spaces off the ends.
        if url.chars().any(|character| character.is_control() || character.is_whitespace()) {
            return Err(Refusal::Malformed(
                "spaces and control characters do not belong into a URL".to_owned(),
            ));
        }
        let mut url = Url::parse(url).map_err(|error| Refusal::Malformed(error.to_string()))?;
        let origin = origin_of(&url).map_err(|reason| Refusal::Malformed(reason.to_owned()))?;
        if !self.0.contains(&origin) {
            return Err(Refusal::Denied(origin));
        }
        url.set_fragment(None);
        Ok(url)
    }
}

/// Why a URL is not sent to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    Malformed(String),
    /// The origin that is not granted.
    Denied(String),
}

fn origin_of(url: &Url) -> Result<String, &'static str> {
    if !matches!(url.scheme(), "http" | "https") {
        return Err("the scheme must be https or http");
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("user names and passwords do not belong into a URL");
    }
    if !url.has_host() {
        return Err("there is no host");
    }
    Ok(url.origin().ascii_serialization())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn origins(grants: &[&str]) -> Result<Origins, LoadError> {
        Origins::parse(&grants.iter().map(|grant| (*grant).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn origins_compare_exactly() {
        let origins = origins(&["https://Hooks.Example.com", "http://127.0.0.1:9093/"]).unwrap();
        for url in
            ["https://hooks.example.com/a?b#c", "https://HOOKS.example.com:443/", "http://127.0.0.1:9093/x"]
        {
            assert!(origins.allow(url).is_ok(), "{url}");
        }
        for url in [
            "http://hooks.example.com/",
            "https://hooks.example.com:8443/",
            "https://hooks.example.com.evil.org/",
            "https://evil.org/hooks.example.com",
            "https://hooks.example.com./",
            "https://sub.hooks.example.com/",
            "http://127.0.0.1:80/",
            "http://localhost:9093/",
        ] {
            assert!(matches!(origins.allow(url), Err(Refusal::Denied(_))), "{url}");
        }
        for url in [
            "https://hooks.example.com@evil.org/",
            "file:///etc/passwd",
            "//hooks.example.com",
            "",
            "data:,x",
            "https://hooks.example.com/a\r\nhost: evil.org",
            " https://hooks.example.com/",
            "https://hooks.exa\tmple.com/",
        ] {
            assert!(matches!(origins.allow(url), Err(Refusal::Malformed(_))), "{url}");
        }
        // Other spellings of a granted address are the same origin; an address is checked again before the connection.
        assert_eq!(origins.allow("http://0x7f.1:9093/").unwrap().host_str(), Some("127.0.0.1"));
    }

    #[test]
    fn a_grant_is_an_origin_and_nothing_more() {
        for grant in
            ["hooks.example.com", "https://h/x", "https://h/?q", "ftp://h", "https://u:p@h", "https://*/", ""]
        {
            let refused = origins(&[grant]).is_err();
            assert!(refused || grant == "https://*/", "{grant}");
        }
        assert!(
            origins(&["https://*"]).is_err() || origins(&["https://*"]).unwrap().allow("https://a/").is_err()
        );
    }
}
