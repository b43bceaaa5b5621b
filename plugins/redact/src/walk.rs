//! The way through a JSON text: one for the search for secrets and for the copy without them, so that both meet the same texts in
//! the same order.

use std::ops::Range;

use bridge_telemetry_plugin::{
    Result,
    json::{Kind, Reader},
};

use crate::Redact;

/// What is done on the way. Both are told where the value stands, its quotes included.
pub(crate) trait Visitor {
    /// A text, without its escapes. Keys are none, nor is what stands under a secret key.
    fn text(&mut self, text: &str, place: Range<usize>) -> Result<()>;

    /// The value of a secret key, unless it is the mask already.
    fn secret(&mut self, place: Range<usize>);
}

/// Goes through one value.
pub(crate) fn walk(plugin: &Redact, json: &str, visitor: &mut dyn Visitor) -> Result<()> {
    value(plugin, &mut Reader::new(json), visitor)
}

fn value(plugin: &Redact, reader: &mut Reader<'_>, visitor: &mut dyn Visitor) -> Result<()> {
    let mut first = true;
    match reader.kind()? {
        Kind::Object => {
            reader.open_object()?;
            while let Some(key) = reader.member(&mut first)? {
                if plugin.is_secret(&key) {
                    secret(plugin, reader, visitor)?;
                } else {
                    value(plugin, reader, visitor)?;
                }
            }
        }
        Kind::Array => {
            reader.open_array()?;
            while reader.element(&mut first)? {
                value(plugin, reader, visitor)?;
            }
        }
        Kind::Text => {
            let start = reader.position();
            let text = reader.text()?;
            visitor.text(&text, start..reader.position())?;
        }
        Kind::Null | Kind::Boolean | Kind::Number => {
            reader.skip()?;
        }
    }
    Ok(())
}

fn secret(plugin: &Redact, reader: &mut Reader<'_>, visitor: &mut dyn Visitor) -> Result<()> {
    // Moves past the spaces, so that the value's start is known.
    let is_text = reader.kind()? == Kind::Text;
    let start = reader.position();
    let is_masked = if is_text {
        reader.text()? == plugin.mask
    } else {
        reader.skip()?;
        false
    };
    if !is_masked {
        visitor.secret(start..reader.position());
    }
    Ok(())
}
