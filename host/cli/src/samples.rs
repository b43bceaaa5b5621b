//! Values as a person or a file writes them.

use serde_json::{Number, Value};

/// An integer if it is one, else a float, else the text itself. `None` for NaN and infinities, which are no values.
pub(crate) fn number_or_text(text: &str) -> Option<Value> {
    let trimmed = text.trim();
    if let Ok(integer) = trimmed.parse::<i64>() {
        return Some(integer.into());
    }
    match trimmed.parse::<f64>() {
        Ok(float) => Number::from_f64(float).map(Value::Number),
        Err(_) => Some(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn kinds() {
        assert_eq!(number_or_text("42"), Some(json!(42)));
        assert_eq!(number_or_text("42.0"), Some(json!(42.0)));
        assert_eq!(number_or_text("-1e3"), Some(json!(-1000.0)));
        assert_eq!(number_or_text("up"), Some(json!("up")));
        assert_eq!(number_or_text("NaN"), None);
        assert_eq!(number_or_text("inf"), None);
    }
}
