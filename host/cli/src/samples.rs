//! Values as a person or a file writes them.

use serde_json::{Number, Value};

/// An integer if it is one, else a float, else the text itself. The error says why it is none: what a value "must" be.
pub(crate) fn number_or_text(text: &str) -> Result<Value, &'static str> {
    let trimmed = text.trim();
    if let Ok(integer) = trimmed.parse::<i64>() {
        return Ok(integer.into());
    }
    let digits = trimmed.strip_prefix(['-', '+']).unwrap_or(trimmed);
    if !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return Err("must fit 64 bits");
    }
    match trimmed.parse::<f64>() {
        Ok(float) => Number::from_f64(float).map(Value::Number).ok_or("must be finite"),
        Err(_) => Ok(text.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn kinds() {
        assert_eq!(number_or_text("42"), Ok(json!(42)));
        assert_eq!(number_or_text("42.0"), Ok(json!(42.0)));
        assert_eq!(number_or_text("-1e3"), Ok(json!(-1000.0)));
        assert_eq!(number_or_text("up"), Ok(json!("up")));
        assert_eq!(number_or_text("-"), Ok(json!("-")));
        assert_eq!(number_or_text(""), Ok(json!("")));
        assert_eq!(number_or_text("NaN"), Err("must be finite"));
        assert_eq!(number_or_text("inf"), Err("must be finite"));
        assert_eq!(number_or_text("-9223372036854775808"), Ok(json!(i64::MIN)));
        assert_eq!(number_or_text("9223372036854775808"), Err("must fit 64 bits"));
    }
}
