//! Many strings in one buffer. Invariant: every end lies on a character boundary, none is before the one before it.

use super::broken;
use crate::error::Result;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct TextArena {
    text: String,
    ends: Vec<u32>,
}

impl TextArena {
    /// Takes a column over without copying it, after checking all of it.
    pub(crate) fn checked(bytes: Vec<u8>, ends: Vec<u32>) -> Result<Self> {
        let text = String::from_utf8(bytes).map_err(|_| broken("its text is not UTF-8"))?;
        let mut before = 0;
        for &end in &ends {
            if end < before || !text.is_char_boundary(end as usize) {
                return Err(broken("a string ends before it starts, outside the text or inside a character"));
            }
            before = end;
        }
        if before as usize != text.len() {
            return Err(broken("text is left over behind the last string"));
        }
        Ok(Self { text, ends })
    }

    /// String `index`; empty beyond the end, which callers rule out by the number of rows.
    pub(crate) fn get(&self, index: usize) -> &str {
        let end = |index: usize| self.ends.get(index).map_or(0, |end| *end as usize);
        let start = index.checked_sub(1).map_or(0, end);
        self.text.get(start..end(index)).unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn gives_back_what_was_packed(texts: Vec<String>) {
            let (mut bytes, mut ends) = (Vec::new(), Vec::new());
            for text in &texts {
                bytes.extend_from_slice(text.as_bytes());
                ends.push(u32::try_from(bytes.len()).unwrap());
            }
            let arena = TextArena::checked(bytes, ends).unwrap();
            prop_assert_eq!(arena.len(), texts.len());
            for (index, text) in texts.iter().enumerate() {
                prop_assert_eq!(arena.get(index), text);
            }
            prop_assert_eq!(arena.get(texts.len()), "");
        }

        #[test]
        fn any_input_is_taken_or_refused_without_panic(bytes: Vec<u8>, ends in prop::collection::vec(0u32..64, 0..8)) {
            if let Ok(arena) = TextArena::checked(bytes.clone(), ends) {
                let joined: String = (0..arena.len()).map(|index| arena.get(index)).collect();
                prop_assert_eq!(joined.as_bytes(), &bytes[..]);
            }
        }
    }

    #[test]
    fn refuses_broken_columns() {
        let refused = |bytes: &[u8], ends: &[u32]| TextArena::checked(bytes.to_vec(), ends.to_vec()).is_err();
        assert!(refused(&[0xff], &[1]), "not UTF-8");
        assert!(refused("é".as_bytes(), &[1, 2]), "inside a character");
        assert!(refused(b"abc", &[2, 1, 3]), "going back");
        assert!(refused(b"abc", &[4]), "beyond the end");
        assert!(refused(b"abc", &[2]), "left over");
        assert!(refused(b"abc", &[]), "no string at all");
    }
}
