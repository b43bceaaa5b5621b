//! serde's view of the reader. What does not depend on the visitor is done by functions that do not either, so that a component has
//! them once.

use std::borrow::Cow;

use serde::de::value::CowStrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, Expected, IntoDeserializer, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use serde::forward_to_deserialize_any;

use super::fault::{Fault, mismatch};
use super::raw;
use super::reader::{Kind, Reader, Step};
use crate::number;

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
    let number = number::parse(text);
    if number.is_finite() { Ok(number) } else { Err(Fault::new("the number is out of range")) }
}

impl<'de> Reader<'de> {
    /// That the next value is of that kind.
    #[inline(never)]
    fn need(&mut self, kind: Kind, expected: &dyn Expected) -> Result<(), Fault> {
        if self.kind()? == kind {
            return Ok(());
        }
        let found = self.skip()?;
        Err(mismatch(found, expected))
    }

    #[inline(never)]
    fn integer(&mut self, expected: &dyn Expected) -> Result<Number, Fault> {
        self.need(Kind::Number, expected)?;
        let text = self.number()?;
        integer(text).ok_or_else(|| mismatch(text, expected))
    }

    #[inline(never)]
    fn float(&mut self, expected: &dyn Expected) -> Result<f64, Fault> {
        self.need(Kind::Number, expected)?;
        float(self.number()?)
    }

    #[inline(never)]
    fn needed_text(&mut self, expected: &dyn Expected) -> Result<Cow<'de, str>, Fault> {
        self.need(Kind::Text, expected)?;
        self.text()
    }

    #[inline(never)]
    fn open(&mut self, kind: Kind, expected: &dyn Expected) -> Result<(), Fault> {
        self.need(kind, expected)?;
        match kind {
            Kind::Array => self.open_array(),
            _ => self.open_object(),
        }
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
            visit_text(self.needed_text(&visitor)?, visitor)
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
        match self.kind()? {
            Kind::Array => self.deserialize_seq(visitor),
            Kind::Object => self.deserialize_map(visitor),
            Kind::Null => self.deserialize_unit(visitor),
            Kind::Boolean => visitor.visit_bool(self.boolean()?),
            Kind::Number => number(self.number()?)?.visit(visitor),
            Kind::Text => visit_text(self.text()?, visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.need(Kind::Boolean, &visitor)?;
        visitor.visit_bool(self.boolean()?)
    }

    fn deserialize_f32<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.deserialize_f64(visitor)
    }

    fn deserialize_f64<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        let number = self.float(&visitor)?;
        visitor.visit_f64(number)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.null()? { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.need(Kind::Null, &visitor)?;
        self.null()?;
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
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Fault> {
        if name == raw::NAME {
            return visitor.visit_borrowed_str(self.skip()?);
        }
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.open(Kind::Array, &visitor)?;
        let mut elements = Elements { reader: self, count: 0, first: true, ended: false };
        let value = visitor.visit_seq(&mut elements)?;
        if elements.next()? { Err(Fault::new("the array has too many elements")) } else { Ok(value) }
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

    /// A text goes to the visitor, too, which refuses it unless it knows better: a value may then be a text or an object without
    /// the reading of numbers that `deserialize_any` brings along.
    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        if self.kind()? == Kind::Text {
            return visit_text(self.text()?, visitor);
        }
        self.open(Kind::Object, &visitor)?;
        let mut members = Members { reader: self, first: true, ended: false };
        let value = visitor.visit_map(&mut members)?;
        if members.next()?.is_some() { Err(Fault::new("the object has too many members")) } else { Ok(value) }
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
        if self.kind()? == Kind::Text {
            let name: CowStrDeserializer<'de, Fault> = self.text()?.into_deserializer();
            return visitor.visit_enum(name);
        }
        self.open(Kind::Object, &visitor)?;
        let value = visitor.visit_enum(&mut *self)?;
        let more = self.member(&mut false)?;
        if more.is_some() { Err(Fault::new("the object has more than one variant")) } else { Ok(value) }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Fault> {
        self.skip()?;
        visitor.visit_unit()
    }
}

struct Elements<'a, 'de> {
    reader: &'a mut Reader<'de>,
    count: usize,
    first: bool,
    ended: bool,
}

impl Elements<'_, '_> {
    #[inline(never)]
    fn next(&mut self) -> Result<bool, Fault> {
        self.ended = self.ended || !self.reader.element(&mut self.first)?;
        if !self.ended {
            self.reader.enter(Step::Element(self.count));
            self.count += 1;
        }
        Ok(!self.ended)
    }
}

impl<'de> SeqAccess<'de> for Elements<'_, 'de> {
    type Error = Fault;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Fault> {
        if !self.next()? {
            return Ok(None);
        }
        let value = seed.deserialize(&mut *self.reader)?;
        self.reader.leave();
        Ok(Some(value))
    }
}

struct Members<'a, 'de> {
    reader: &'a mut Reader<'de>,
    first: bool,
    ended: bool,
}

impl<'de> Members<'_, 'de> {
    #[inline(never)]
    fn next(&mut self) -> Result<Option<Cow<'de, str>>, Fault> {
        if self.ended {
            return Ok(None);
        }
        let name = self.reader.member(&mut self.first)?;
        self.ended = name.is_none();
        Ok(name)
    }
}

impl<'de> MapAccess<'de> for Members<'_, 'de> {
    type Error = Fault;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Fault> {
        let Some(name) = self.next()? else { return Ok(None) };
        let key = seed.deserialize(Key(name.clone()))?;
        self.reader.enter(Step::Member(name));
        Ok(Some(key))
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
                None => Err(mismatch(&self.0, &visitor)),
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
        let name = self.member(&mut true)?.ok_or_else(|| Fault::new("the name of a variant is missing"))?;
        let variant = seed.deserialize(Key(name.clone()))?;
        self.enter(Step::Member(name));
        Ok((variant, self))
    }
}

impl<'de> VariantAccess<'de> for &mut Reader<'de> {
    type Error = Fault;

    fn unit_variant(self) -> Result<(), Fault> {
        self.need(Kind::Null, &"null")?;
        self.null()?;
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
