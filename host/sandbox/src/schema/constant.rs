//! The keyword `const`, as the validator has it, but of our own.
//!
//! Where it is somebody's own, the validator does not analyse the branches of `anyOf` and `oneOf` for values that tell them apart. For
//! some schemas of a few kilobytes that never ends, and nothing counts meanwhile.

use jsonschema::json::cmp::equal;
use jsonschema::paths::Location;
use jsonschema::{Keyword, ValidationError, ValidationOptions};
use serde_json::{Map, Value};

/// The keyword.
pub(super) const KEYWORD: &str = "const";

/// The value that everything has to be.
struct Constant(Value);

impl<'i> Keyword<'i> for Constant {
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        if equal(instance, &self.0) {
            Ok(())
        } else {
            // In the validator's words.
            Err(ValidationError::custom(format!("{} was expected", self.0)))
        }
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        equal(instance, &self.0)
    }
}

/// Options that know the keyword.
pub(super) fn with_constants(options: ValidationOptions<'_>) -> ValidationOptions<'_> {
    options.with_keyword(KEYWORD, |_: &Map<String, Value>, value: &Value, _: Location| {
        Ok(Box::new(Constant(value.clone())))
    })
}
