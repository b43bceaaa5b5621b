//! The cells of an answer: a whole range or a bucket of each owner (the metric, a group or a series), found by number.

use std::collections::HashMap;

use telemetry_core::limits;

use crate::query::QueryError;

/// Buckets that are found by one lookup: samples come mostly in time order.
const PAGE: usize = 16;
const ABSENT: u32 = u32::MAX;

/// Marks the whole range of an owner. Owners are groups and series: far fewer.
const WHOLE: u32 = 1 << 31;

/// One cell and what was counted in it. Small, because an answer may have a million.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cell {
    /// The start of the bucket, if it is one.
    start: i64,
    /// Numeric samples.
    pub(super) numeric: u64,
    /// Text samples.
    pub(super) text: u64,
    /// Whose it is, and [`WHOLE`] unless it is a bucket.
    owner: u32,
    number: u32,
}

impl Cell {
    fn new(owner: u32, bucket: Option<i64>) -> Self {
        let kind = if bucket.is_some() { 0 } else { WHOLE };
        Self { start: bucket.unwrap_or(0), numeric: 0, text: 0, owner: owner & !WHOLE | kind, number: ABSENT }
    }

    /// Whose it is.
    pub(super) fn owner(&self) -> u32 {
        self.owner & !WHOLE
    }

    /// The same cell of another owner.
    pub(super) fn of_owner(self, owner: u32) -> Self {
        Self { owner: owner & !WHOLE | self.owner & WHOLE, ..self }
    }

    /// The start of its bucket; `None` for the whole range.
    pub(super) fn bucket(&self) -> Option<i64> {
        (self.owner & WHOLE == 0).then_some(self.start)
    }

    /// Its group in the accumulator, once it has a numeric sample.
    pub(super) fn number(&self) -> Option<u32> {
        (self.number != ABSENT).then_some(self.number)
    }

    /// The same cell with this number.
    pub(super) fn numbered(self, number: u32) -> Self {
        Self { number, ..self }
    }
}

/// Cells by owner and bucket. Accumulator groups are numbered densely, in the order of their first numeric sample.
pub(super) struct Cells {
    step: i64,
    points_left: usize,
    whole: Vec<u32>,
    /// Whether an owner has buckets.
    with_buckets: Vec<bool>,
    pages: HashMap<(u32, i64), usize>,
    slots: Vec<[u32; PAGE]>,
    recent: Option<Place>,
    cells: Vec<Cell>,
    numbered: Vec<u32>,
}

/// Where the slot of an owner's bucket is.
#[derive(Clone, Copy)]
struct Place {
    /// The owner, and the number of its page.
    key: (u32, i64),
    start: i64,
    page: usize,
    within: usize,
}

impl Place {
    /// The place of this bucket or of the one after it, if that is the one looked for: mostly it is, and then needs no division.
    fn near(self, owner: u32, start: i64, step: i64) -> Option<Self> {
        if (owner, start) == (self.key.0, self.start) {
            return Some(self);
        }
        let within = self.within + 1;
        let is_next = owner == self.key.0 && self.start.checked_add(step) == Some(start) && within < PAGE;
        is_next.then_some(Self { start, within, ..self })
    }
}

impl Cells {
    /// No cells yet; at most `points_left` buckets.
    pub(super) fn new(step: Option<i64>, points_left: usize) -> Self {
        Self {
            step: step.unwrap_or(1).max(1),
            points_left,
            whole: Vec::new(),
            with_buckets: Vec::new(),
            pages: HashMap::new(),
            slots: Vec::new(),
            recent: None,
            cells: Vec::new(),
            numbered: Vec::new(),
        }
    }

    /// The cell of an owner's whole range.
    pub(super) fn whole(&mut self, owner: u32) -> usize {
        let place = owner as usize;
        if self.whole.len() <= place {
            self.whole.resize(place + 1, ABSENT);
        }
        match self.whole.get_mut(place) {
            Some(slot) => slot_or_new(slot, &mut self.cells, owner, None),
            None => 0,
        }
    }

    /// The cell of an owner's bucket that starts at `start`.
    pub(super) fn bucket(&mut self, owner: u32, start: i64) -> Result<usize, QueryError> {
        let place = match self.recent.and_then(|recent| recent.near(owner, start, self.step)) {
            Some(place) => place,
            None => {
                let index = start.div_euclid(self.step);
                let key = (owner, index.div_euclid(PAGE as i64));
                let page = match self.recent {
                    Some(recent) if recent.key == key => recent.page,
                    _ => self.page(key),
                };
                let within = usize::try_from(index.rem_euclid(PAGE as i64)).unwrap_or(0);
                Place { key, start, page, within }
            }
        };
        self.recent = Some(place);
        let slot = self.slots.get_mut(place.page).and_then(|slots| slots.get_mut(place.within));
        let Some(slot) = slot else { return Ok(self.whole(owner)) };
        if *slot == ABSENT {
            self.points_left = self.points_left.checked_sub(1).ok_or_else(too_many_points)?;
        }
        Ok(slot_or_new(slot, &mut self.cells, owner, Some(start)))
    }

    fn page(&mut self, key: (u32, i64)) -> usize {
        *self.pages.entry(key).or_insert_with(|| {
            let owner = key.0 as usize;
            if self.with_buckets.len() <= owner {
                self.with_buckets.resize(owner + 1, false);
            }
            if let Some(slot) = self.with_buckets.get_mut(owner) {
                *slot = true;
            }
            self.slots.push([ABSENT; PAGE]);
            self.slots.len() - 1
        })
    }

    /// Counts numeric samples; answers the cell's group in the accumulator, and whether it is new.
    pub(super) fn count(&mut self, cell: usize, samples: u64) -> (u32, bool) {
        let Some(entry) = self.cells.get_mut(cell) else { return (0, false) };
        entry.numeric = entry.numeric.saturating_add(samples);
        if let Some(number) = entry.number() {
            return (number, false);
        }
        let number = u32::try_from(self.numbered.len()).unwrap_or(ABSENT);
        entry.number = number;
        self.numbered.push(u32::try_from(cell).unwrap_or(ABSENT));
        (number, true)
    }

    /// Counts text samples.
    pub(super) fn count_text(&mut self, cell: usize, samples: u64) {
        if let Some(entry) = self.cells.get_mut(cell) {
            entry.text = entry.text.saturating_add(samples);
        }
    }

    /// All cells.
    pub(super) fn all(&self) -> &[Cell] {
        &self.cells
    }

    /// The cells that have a number, by number.
    pub(super) fn numbered(&self) -> impl Iterator<Item = Cell> + '_ {
        self.numbered.iter().filter_map(|place| self.cells.get(*place as usize)).copied()
    }

    /// How many cells have a number: states in the accumulator.
    pub(super) fn states(&self) -> usize {
        self.numbered.len()
    }

    /// Memory that they take, in bytes.
    pub(super) fn bytes(&self) -> u64 {
        let cells = self.cells.capacity().saturating_mul(size_of::<Cell>());
        let pages = self
            .slots
            .capacity()
            .saturating_mul(size_of::<[u32; PAGE]>() + 2 * size_of::<((u32, i64), usize)>());
        let numbers =
            (self.whole.capacity().saturating_add(self.numbered.capacity())).saturating_mul(size_of::<u32>());
        cells.saturating_add(pages).saturating_add(numbers).saturating_add(self.with_buckets.capacity())
            as u64
    }

    /// Adds what another set of cells counted; answers the group here of each numbered cell there.
    pub(super) fn absorb(&mut self, other: &Cells) -> Result<Vec<u32>, QueryError> {
        let mut map = Vec::with_capacity(other.numbered.len());
        for cell in other.numbered() {
            let place = self.like(&cell)?;
            map.push(self.count(place, cell.numeric).0);
        }
        for cell in other.all().iter().filter(|cell| cell.text > 0) {
            let place = self.like(cell)?;
            self.count_text(place, cell.text);
        }
        Ok(map)
    }

    /// Whether no owner has cells here and in the other set.
    pub(super) fn are_apart_from(&self, other: &Cells) -> bool {
        !self.whole.iter().zip(&other.whole).any(|(one, two)| *one != ABSENT && *two != ABSENT)
            && !self.with_buckets.iter().zip(&other.with_buckets).any(|(one, two)| *one && *two)
    }

    /// The cell of the same owner and bucket as one of another set.
    pub(super) fn like(&mut self, cell: &Cell) -> Result<usize, QueryError> {
        match cell.bucket() {
            None => Ok(self.whole(cell.owner())),
            Some(start) => self.bucket(cell.owner(), start),
        }
    }
}

fn slot_or_new(slot: &mut u32, cells: &mut Vec<Cell>, owner: u32, bucket: Option<i64>) -> usize {
    if *slot == ABSENT {
        *slot = u32::try_from(cells.len()).unwrap_or(ABSENT);
        cells.push(Cell::new(owner, bucket));
    }
    *slot as usize
}

pub(super) fn too_many_points() -> QueryError {
    QueryError::TooLarge {
        what: "points",
        limit: limits::MAX_QUERY_POINTS as u64,
        remedy: "ask for a longer step, a shorter range or fewer groups",
    }
}
