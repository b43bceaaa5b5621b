//! The OpenAPI document: `openapi.json` beside this crate's manifest, with the version of this build.

use serde_json::Value;

const TEXT: &str = include_str!("../openapi.json");

/// The document, as `GET /v1/openapi.json` answers it.
pub fn openapi_document() -> Value {
    let mut document: Value = serde_json::from_str(TEXT).unwrap_or_default();
    if let Some(version) = document.pointer_mut("/info/version") {
        *version = env!("CARGO_PKG_VERSION").into();
    }
    document
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_is_whole() {
        let document = openapi_document();
        assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
        let text = document.to_string();
        for reference in text.split("\"$ref\":\"#").skip(1).filter_map(|rest| rest.split('"').next()) {
            assert!(document.pointer(reference).is_some(), "{reference}");
        }
    }
}
