//! serde's view of the reader. What does not depend on the visitor is done by functions that do not either, so that a component has
//! them once.

use std::borrow::Cow;

use json_event_parser::JsonEvent;
use serde::de::value::CowStrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::fault::{Fault, mismatch};
use super::reader::{Reader, Step};

/// A number as the visitors of serde tell them apart.
enum Number {
    Unsigned(u64),
    Signed(i64),
    Float(f64),
}

impl Number {
    fn visit<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self {
            Self::Unsigned(number) => visitor.visit_u64(number),
            Self::Signed(number) => visitor.visit_i64(number),
            Self::Float(number) => visitor.visit_f64(number),
        }
    }
}

/// An integer exactly, and minus zero with its sign; all else as the nearest float.
fn number(text: &str) -> Result<Number, Fault> {
    match integer(text) {
        Some(number) => Ok(number),
        None => float(text).map(Number::Float),
    }
}

fn integer(text: &str) -> Option<Number> {
    if text == "-0" {
        return None;
    }
    text.parse().map(Number::Unsigned).or_else(|_| text.parse().map(Number::Signed)).ok()
}

fn float(text: &str) -> Result<f64, Fault> {
    match text.parse::<f64>() {
        Ok(number) if number.is_finite() => Ok(number),
        _ => Err(Fault::new("the number is out of range")),
    }
}

impl<'de> Reader<'de> {
    fn number(&mut self, expected: &dyn Expected) -> Result<Cow<'de, str>, Fault> {
        match self.take()? {
            JsonEvent::Number(text) => Ok(text),
            found => Err(mismatch(&found, expected)),
        }
    }

    fn integer(&mut self, expected: &dyn Expected) -> Result<Number, Fault> {
        let text = self.number(expected)?;
        integer(&text).ok_or_else(|| mismatch(&JsonEvent::Number(text), expected))
    }

    fn text(&mut self, expected: &dyn Expected) -> Result<Cow<'de, str>, Fault> {
        match self.take()? {
            JsonEvent::String(text) => Ok(text),
            found => Err(mismatch(&found, expected)),
        }
    }

    /// That a value begins, or ends, with this.
    fn mark(&mut self, mark: &JsonEvent<'_>, expected: &dyn Expected) -> Result<(), Fault> {
        let found = self.take()?;
        if found == *mark { Ok(()) } else { Err(mismatch(&found, expected)) }
    }
}

fn visit_text<'de, V: Visitor<'de>>(text: Cow<'de, str>, visitor: V) -> Result<V::Value, Fault> {
    match text {
        Cow::Borrowed(text) => visitor.visit_borrowed_str(text),
        Cow::Owned(text) => visitor.visit_string(text),
    }
}

macro_rules! integers {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            self.integer(&visitor)?.visit(visitor)
        })*
    };
}

macro_rules! texts {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            let text = self.text(&visitor)?;
            visit_text(text, visitor)
        })*
    };
}

impl<'de> Deserializer<'de> for &mut Reader<'de> {
    type Error = Fault;

    integers!(deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64);
    texts!(deserialize_str deserialize_string deserialize_char deserialize_identifier);
    forward_to_deserialize_any!(bytes byte_buf);

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.peek()? {
            JsonEvent::StartArray => self.deserialize_seq(visitor),
            JsonEvent::StartObject => self.deserialize_map(visitor),
            _ => match self.take()? {
                JsonEvent::Null => visitor.visit_unit(),
                JsonEvent::Boolean(value) => visitor.visit_bool(value),
                JsonEvent::Number(text) => number(&text)?.visit(visitor),
                JsonEvent::String(text) => visit_text(text, visitor),
                found => Err(mismatch(&found, &visitor)),
            },
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        match self.take()? {
            JsonEvent::Boolean(value) => visitor.visit_bool(value),
            found => Err(mismatch(&found, &visitor)),
        }
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let text = self.number(&visitor)?;
        visitor.visit_f64(float(&text)?)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if *self.peek()? == JsonEvent::Null {
            self.take()?;
            return visitor.visit_none();
        }
        visitor.visit_some(self)
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.mark(&JsonEvent::Null, &visitor)?;
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_unit(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.mark(&JsonEvent::StartArray, &visitor)?;
        let mut elements = Elements { reader: self, count: 0, ended: false };
        let value = visitor.visit_seq(&mut elements)?;
        if !elements.ended {
            elements.reader.mark(&JsonEvent::EndArray, &"the array's end")?;
        }
        Ok(value)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.mark(&JsonEvent::StartObject, &visitor)?;
        let mut members = Members { reader: self, ended: false };
        let value = visitor.visit_map(&mut members)?;
        if !members.ended {
            members.reader.mark(&JsonEvent::EndObject, &"the object's end")?;
        }
        Ok(value)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        self.deserialize_map(visitor)
    }

    /// A text names a variant without content; an object of one member has its content.
    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        match self.take()? {
            JsonEvent::String(name) => {
                let name: CowStrDeserializer<'de, Fault> = name.into_deserializer();
                visitor.visit_enum(name)
            }
            JsonEvent::StartObject => {
                let value = visitor.visit_enum(&mut *self)?;
                self.mark(&JsonEvent::EndObject, &"the object's end")?;
                Ok(value)
            }
            found => Err(mismatch(&found, &visitor)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.skip()?;
        visitor.visit_unit()
    }
}

struct Elements<'a, 'de> {
    reader: &'a mut Reader<'de>,
    count: usize,
    ended: bool,
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        if self.ended || *self.reader.peek()? == JsonEvent::EndArray {
            if !self.ended {
                self.reader.take()?;
            }
            self.ended = true;
            return Ok(None);
        }
        self.reader.enter(Step::Element(self.count))?;
        self.count += 1;
        let value = seed.deserialize(&mut *self.reader)?;
        self.reader.leave();
        Ok(Some(value))
    }
}

struct Members<'a, 'de> {
    reader: &'a mut Reader<'de>,
    ended: bool,
}

impl<'de> MapAccess<'de> for Members<'_, 'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        if self.ended {
            return Ok(None);
        }
        match self.reader.take()? {
            JsonEvent::ObjectKey(name) => {
                let key = seed.deserialize(Key(name.clone()))?;
                self.reader.enter(Step::Member(name))?;
                Ok(Some(key))
            }
            JsonEvent::EndObject => {
                self.ended = true;
                Ok(None)
            }
            found => Err(mismatch(&found, &"a key")),
        }
    }

    fn next_value_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<T::Value, Fault> {
        let value = seed.deserialize(&mut *self.reader)?;
        self.reader.leave();
        Ok(value)
    }
}

/// A member's name: a text, or what a map with other keys makes of it.
struct Key<'de>(Cow<'de, str>);

macro_rules! integer_keys {
    ($($method:ident)*) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
            match integer(&self.0) {
                Some(number) => number.visit(visitor),
                None => Err(mismatch(&JsonEvent::String(self.0), &visitor)),
            }
        })*
    };
}

impl<'de> Deserializer<'de> for Key<'de> {
    type Error = Fault;

    integer_keys!(deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64);
    forward_to_deserialize_any!(bool f32 f64 char str string bytes byte_buf option unit unit_struct
        seq tuple tuple_struct map struct identifier ignored_any);

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        visit_text(self.0, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let name: CowStrDeserializer<'de, Fault> = self.0.into_deserializer();
        visitor.visit_enum(name)
    }
}

/// An enum's variant with content: the object's one member.
impl<'de> EnumAccess<'de> for &mut Reader<'de> {
    type Error = Fault;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), Fault> {
        match self.take()? {
            JsonEvent::ObjectKey(name) => {
                let variant = seed.deserialize(Key(name.clone()))?;
                self.enter(Step::Member(name))?;
                Ok((variant, self))
            }
            found => Err(mismatch(&found, &"the name of a variant")),
        }
    }
}

impl<'de> VariantAccess<'de> for &mut Reader<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        self.mark(&JsonEvent::Null, &"null")?;
        self.leave();
        Ok(())
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Fault> {
        let value = seed.deserialize(&mut *self)?;
        self.leave();
        Ok(value)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, Fault> {
        let value = self.deserialize_seq(visitor)?;
        self.leave();
        Ok(value)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Fault> {
        let value = self.deserialize_map(visitor)?;
        self.leave();
        Ok(value)
    }
}
