//! A posting list: the series that have something in common.

use roaring::RoaringBitmap;
use smallvec::SmallVec;

use crate::envelope;
use crate::error::Damage;
use crate::wire::{Reader, put_varint};

/// Lists up to here are kept without a bitmap: a label that tells series apart has a list of one for each.
const FEW: usize = 4;
const VERSION: u8 = 1;
const ROW: &str = "posting list";
const LIST: u8 = 0;
const BITMAP: u8 = 1;

/// Series numbers, ascending and distinct.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Postings {
    /// At most [`FEW`].
    Few(SmallVec<[u32; FEW]>),
    /// More.
    Many(Box<RoaringBitmap>),
}

impl Default for Postings {
    fn default() -> Self {
        Self::Few(SmallVec::new())
    }
}

impl Postings {
    /// Adds a series.
    pub(super) fn insert(&mut self, id: u32) {
        match self {
            Self::Few(ids) => {
                let Err(place) = ids.binary_search(&id) else { return };
                if ids.len() < FEW {
                    ids.insert(place, id);
                } else {
                    let mut bitmap: RoaringBitmap = ids.iter().copied().collect();
                    bitmap.insert(id);
                    *self = Self::Many(Box::new(bitmap));
                }
            }
            Self::Many(bitmap) => {
                bitmap.insert(id);
            }
        }
    }

    /// Adds all of them to `set`.
    pub(super) fn add_to(&self, set: &mut RoaringBitmap) {
        match self {
            Self::Few(ids) => set.extend(ids.iter().copied()),
            Self::Many(bitmap) => *set |= &**bitmap,
        }
    }

    /// Whether any of them is in `set`.
    pub(super) fn meets(&self, set: &RoaringBitmap) -> bool {
        match self {
            Self::Few(ids) => ids.iter().any(|id| set.contains(*id)),
            Self::Many(bitmap) => !bitmap.is_disjoint(set),
        }
    }

    /// How many they are.
    pub(super) fn len(&self) -> u64 {
        match self {
            Self::Few(ids) => ids.len() as u64,
            Self::Many(bitmap) => bitmap.len(),
        }
    }

    /// Whether they are neither more than those in `all` nor beyond its last.
    pub(super) fn fits(&self, all: &RoaringBitmap) -> bool {
        let last = match self {
            Self::Few(ids) => ids.last().copied(),
            Self::Many(bitmap) => bitmap.max(),
        };
        last <= all.max() && self.len() <= all.len()
    }

    /// About how much memory they take beside the list itself, in bytes.
    pub(super) fn heap_bytes(&self) -> usize {
        match self {
            Self::Few(_) => 0,
            Self::Many(bitmap) => bitmap.serialized_size().saturating_add(64),
        }
    }

    /// The row's value.
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut payload = Vec::new();
        match self {
            Self::Few(ids) => {
                payload.push(LIST);
                let mut before = 0;
                for id in ids {
                    put_varint(&mut payload, u64::from(id.wrapping_sub(before)));
                    before = *id;
                }
            }
            Self::Many(bitmap) => {
                payload.push(BITMAP);
                // Writing to memory does not fail; a short value would be noticed as damage and made again.
                let _ = bitmap.serialize_into(&mut payload);
            }
        }
        envelope::wrap(VERSION, &payload)
    }

    /// Reads the row's value.
    pub(super) fn decode(value: &[u8]) -> Result<Self, Damage> {
        let mut reader = Reader::new(ROW, envelope::open(ROW, VERSION, value)?);
        match reader.byte()? {
            LIST => {
                let mut ids = SmallVec::new();
                let mut before = 0_u32;
                while !reader.is_done() {
                    if ids.len() == FEW {
                        return Err(reader.damage("it has too many series for its form"));
                    }
                    let distance = reader.varint32()?;
                    if distance == 0 && !ids.is_empty() {
                        return Err(reader.damage("its series do not ascend"));
                    }
                    before =
                        before.checked_add(distance).ok_or_else(|| reader.damage("a series is too large"))?;
                    ids.push(before);
                }
                Ok(Self::Few(ids))
            }
            BITMAP => {
                let mut rest = reader.rest();
                let bitmap = RoaringBitmap::deserialize_from(&mut rest)
                    .map_err(|error| Damage::new(ROW, error.to_string()))?;
                if rest.is_empty() {
                    Ok(Self::Many(Box::new(bitmap)))
                } else {
                    Err(reader.damage("it is longer than its content"))
                }
            }
            _ => Err(reader.damage("its form is not known")),
        }
    }
}

impl From<&RoaringBitmap> for Postings {
    fn from(bitmap: &RoaringBitmap) -> Self {
        Self::Many(Box::new(bitmap.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn behave_like_a_set(ids in prop::collection::vec(prop_oneof![0_u32..8, any::<u32>()], 0..40)) {
            let mut postings = Postings::default();
            ids.iter().for_each(|id| postings.insert(*id));
            let expected: RoaringBitmap = ids.iter().copied().collect();
            let back = Postings::decode(&postings.encode()).unwrap();
            prop_assert_eq!(&back, &postings);
            let mut set = RoaringBitmap::new();
            back.add_to(&mut set);
            prop_assert_eq!(&set, &expected);
            prop_assert_eq!(back.meets(&expected), !expected.is_empty());
            prop_assert!(!back.meets(&RoaringBitmap::new()));
        }

        #[test]
        fn any_payload_is_damage_at_worst(payload: Vec<u8>) {
            let _ = Postings::decode(&envelope::wrap(VERSION, &payload));
            let _ = Postings::decode(&[&[VERSION], &payload[..]].concat());
        }
    }

    #[test]
    fn what_follows_a_bitmap_is_damage() {
        let mut postings = Postings::default();
        (0..9).for_each(|id| postings.insert(id));
        let payload = postings.encode()[envelope::ENVELOPE_BYTES..].to_vec();
        assert!(Postings::decode(&envelope::wrap(VERSION, &payload)).is_ok());
        assert!(Postings::decode(&envelope::wrap(VERSION, &[&payload[..], &[0]].concat())).is_err());
    }

    /// The bytes of FORMAT.md.
    #[test]
    fn the_format_stays() {
        let check = |ids: &[u32], expected: &[u8]| {
            let mut postings = Postings::default();
            ids.iter().for_each(|id| postings.insert(*id));
            assert_eq!(postings.encode().escape_ascii().to_string(), expected.escape_ascii().to_string());
        };
        check(&[7, 300], b"\x01W\xed\xc81\x00\x07\xa5\x02");
        check(&[1, 2, 3, 4, 70_000], b"\x01\xdc\x88X\xfb\x01:0\x00\x00\x02\x00\x00\x00\x00\x00\x03\x00\x01\x00\x00\x00\x18\x00\x00\x00 \x00\x00\x00\x01\x00\x02\x00\x03\x00\x04\x00p\x11");
    }
}
