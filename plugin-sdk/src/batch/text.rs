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
        let ascii = is_ascii(&bytes);
        let text = text(bytes, ascii)?;
        // In ASCII every place is a boundary, and an end that is too large is no later one's predecessor: the last is the length.
        let fine = ascend(&ends) && (ascii || ends.iter().all(|end| text.is_char_boundary(*end as usize)));
        if !fine {
            return Err(broken("a string ends before it starts, outside the text or inside a character"));
        }
        let last = ends.last().map_or(0, |end| *end as usize);
        if last != text.len() {
            return Err(broken("text is left over behind the last string"));
        }
        Ok(Self { text, ends })
    }

    /// String `index`; empty beyond the end, which callers rule out by the number of rows.
    #[inline]
    pub(crate) fn get(&self, index: usize) -> &str {
        let end = |index: usize| self.ends.get(index).map_or(0, |end| *end as usize);
        let start = index.checked_sub(1).map_or(0, end);
        self.text.get(start..end(index)).unwrap_or_default()
    }

    #[inline]
    pub(crate) fn len(&self) -> usize {
        self.ends.len()
    }
}

/// The bytes as text. Nearly all of it is ASCII, which is found several times faster than that other text is UTF-8; every byte of
/// every batch is looked at here.
fn text(bytes: Vec<u8>, ascii: bool) -> Result<String> {
    if !ascii {
        return String::from_utf8(bytes).map_err(|_| broken("its text is not UTF-8"));
    }
    #[allow(unsafe_code, reason = "what was just checked need not be checked again; see the safety comment")]
    // SAFETY: bytes below 128 are UTF-8, whatever their order.
    Ok(unsafe { String::from_utf8_unchecked(bytes) })
}

/// Whether all bytes are below 128. Eight words in one turn, written out: every turn of a loop checks the deadline.
fn is_ascii(bytes: &[u8]) -> bool {
    let (words, rest) = bytes.as_chunks::<8>();
    let (steps, words) = words.as_chunks::<8>();
    let word = |bytes: [u8; 8]| u64::from_ne_bytes(bytes);
    let plain = |word: u64| word & 0x8080_8080_8080_8080 == 0;
    let step = |&[a, b, c, d, e, f, g, h]: &[[u8; 8]; 8]| {
        plain(word(a) | word(b) | word(c) | word(d) | word(e) | word(f) | word(g) | word(h))
    };
    steps.iter().all(step) && words.iter().all(|bytes| plain(word(*bytes))) && rest.is_ascii()
}

/// Whether none is less than the one before it; four in one turn.
fn ascend(ends: &[u32]) -> bool {
    let (fours, rest) = ends.as_chunks::<4>();
    let (mut before, mut fine) = (0, true);
    for &[a, b, c, d] in fours {
        fine &= (before <= a) & (a <= b) & (b <= c) & (c <= d);
        before = d;
    }
    for &end in rest {
        fine &= before <= end;
        before = end;
    }
    fine
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
    fn one_byte_beyond_ascii_is_found_wherever_it_stands() {
        for length in 0..200 {
            assert!(super::is_ascii(&vec![0x7f; length]));
            for place in 0..length {
                let mut bytes = vec![b'a'; length];
                bytes[place] = 0x80;
                assert!(!super::is_ascii(&bytes), "{place} of {length}");
                assert!(TextArena::checked(bytes, vec![u32::try_from(length).unwrap()]).is_err());
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
