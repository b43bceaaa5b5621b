//! A bound on what judging by a foreign schema costs.
//!
//! A few hundred bytes of references that refer to one another make a validator visit more schemas than there are atoms, and
//! nothing stops it. So each schema is judged behind one of ours, which counts, and unwinds out of the validator when there was
//! enough: `S` becomes `{"allOf": [{"x-…": weight}, S]}`. Where faults are told, it also counts what they may take, before they are
//! made.

use std::cell::Cell;
use std::hint::black_box;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::ptr;
use std::time::Instant;

use jsonschema::paths::Location;
use jsonschema::{Keyword, ValidationError, ValidationOptions};
use serde_json::{Map, Value, json};

use super::measure::{bytes_of, names_bytes};

/// The keyword that counts; its value is a weight.
pub(super) const KEYWORD: &str = "x-bridge-telemetry-steps";
/// A fault names the way to it through all references. Each of them on the way takes at least about so many bytes of the stack.
const STACK_PER_REFERENCE: u64 = 512;

/// What a schema weighs by itself, without those in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Weight {
    /// Steps of judging something by it.
    pub(super) steps: u64,
    /// Most faults that it finds with something.
    pub(super) faults: u64,
    /// How many of these list what is within that.
    pub(super) lists: u64,
    /// Bytes of the schema that these repeat.
    pub(super) bytes: u64,
    /// Steps of searching for its pattern, for each byte of a text.
    pub(super) of_text: u64,
    /// Steps of searching for the patterns of its members, for each byte of their names.
    pub(super) of_names: u64,
}

impl Weight {
    /// The value of the keyword that counts it.
    pub(super) fn to_value(self) -> Value {
        json!([self.steps, self.faults, self.lists, self.bytes, self.of_text, self.of_names])
    }

    pub(super) fn of(value: &Value) -> Self {
        let part = |place: usize| value.get(place).and_then(Value::as_u64).unwrap_or(1);
        Self {
            steps: part(0),
            faults: part(1),
            lists: part(2),
            bytes: part(3),
            of_text: part(4),
            of_names: part(5),
        }
    }

    /// Steps of the searches that it makes at once in what is judged by it: nothing looks at the clock between those for names.
    fn searches(self, instance: &Value) -> u64 {
        match instance {
            Value::String(text) => self.of_text.saturating_mul(text.len() as u64),
            Value::Object(members) if self.of_names > 0 => {
                self.of_names.saturating_mul(names_bytes(members) as u64)
            }
            _ => 0,
        }
    }
}

/// What something may take.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Budget {
    /// Steps.
    pub(super) steps: u64,
    /// Steps of searches that are made at once: nothing stops one that has begun.
    pub(super) search: u64,
    /// Bytes of the stack.
    pub(super) stack: usize,
    /// When it is over.
    pub(super) end: Option<Instant>,
}

/// What is copied for each fault of a schema that has alternatives: they keep the faults of each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Copied {
    /// Nothing.
    #[default]
    Nothing,
    /// What is faulty.
    Part,
    /// All of an object, if its name is faulty: at most the document.
    Whole,
}

/// What telling the faults of a document may take.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Telling {
    /// Bytes of all of them.
    pub(super) bytes: u64,
    /// Bytes of each, with the path to what is faulty.
    pub(super) fault: u64,
    /// Bytes of a path within the schema.
    pub(super) path: u64,
    /// What is copied for each.
    pub(super) copied: Copied,
    /// Bytes of the document.
    pub(super) document: u64,
}

/// Why something was left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// It took too many steps, too much of the stack, or too much memory.
    Exhausted,
    /// A text, or names, would be searched for longer than they may.
    TooLong,
    /// Its time is over.
    Late,
    /// It panicked.
    Panicked,
}

/// What is left to what a thread does.
#[derive(Clone, Copy)]
struct Left {
    budget: Budget,
    /// Where its stack begins.
    base: usize,
}

thread_local! {
    static LEFT: Cell<Left> =
        const { Cell::new(Left { budget: Budget { steps: 0, search: 0, stack: 0, end: None }, base: 0 }) };
    static TELLING: Cell<Telling> =
        const { Cell::new(Telling { bytes: 0, fault: 0, path: 0, copied: Copied::Nothing, document: 0 }) };
}

/// About where the stack ends now.
#[inline(never)]
fn stack_end() -> usize {
    let here = 0_u8;
    ptr::from_ref(black_box(&here)).addr()
}

fn stop(cause: Cause) -> ! {
    resume_unwind(Box::new(cause))
}

/// Counts what a schema weighs.
struct Count(Weight);

impl Count {
    /// Counts its steps; answers how many bytes of the stack are used.
    fn step(&self) -> usize {
        let mut left = LEFT.get();
        let steps = left.budget.steps.checked_sub(self.0.steps);
        let used = left.base.abs_diff(stack_end());
        let Some(steps) = steps.filter(|_| used <= left.budget.stack) else { stop(Cause::Exhausted) };
        // Each time: between two may be a search that takes long.
        if left.budget.end.is_some_and(|end| Instant::now() >= end) {
            stop(Cause::Late);
        }
        left.budget.steps = steps;
        LEFT.set(left);
        used
    }

    /// Counts its steps with something that is judged by it, before that is searched.
    fn step_with(&self, instance: &Value) -> usize {
        let used = self.step();
        if self.0.searches(instance) > LEFT.get().budget.search {
            stop(Cause::TooLong);
        }
        used
    }

    /// Counts what its faults may take.
    fn tell(&self, instance: &Value, used: usize) {
        let mut telling = TELLING.get();
        let Weight { faults, lists, bytes, .. } = self.0;
        let (copies, copy) = match telling.copied {
            Copied::Nothing if lists == 0 => (0, 0),
            Copied::Nothing => (lists, bytes_of(instance) as u64),
            Copied::Part => (faults.saturating_add(lists), bytes_of(instance) as u64),
            Copied::Whole => (faults.saturating_add(lists), telling.document),
        };
        let references = 1 + used as u64 / STACK_PER_REFERENCE;
        let fault = telling.fault.saturating_add(telling.path.saturating_mul(references));
        let own = faults.saturating_mul(fault).saturating_add(bytes);
        let needs = own.saturating_add(copies.saturating_mul(copy));
        let Some(left) = telling.bytes.checked_sub(needs) else { stop(Cause::Exhausted) };
        telling.bytes = left;
        TELLING.set(telling);
    }
}

impl<'i> Keyword<'i> for Count {
    /// Asked where faults are told.
    fn validate(&self, instance: &'i Value) -> Result<(), ValidationError<'i>> {
        let used = self.step_with(instance);
        self.tell(instance, used);
        Ok(())
    }

    fn is_valid(&self, instance: &'i Value) -> bool {
        self.step_with(instance);
        true
    }
}

/// Options that know the keyword. That it is compiled is counted as well.
pub(super) fn counting(options: ValidationOptions<'_>) -> ValidationOptions<'_> {
    options.with_keyword(KEYWORD, |_: &Map<String, Value>, weight: &Value, _: Location| {
        Count(Weight { steps: 1, ..Weight::default() }).step();
        Ok(Box::new(Count(Weight::of(weight))))
    })
}

/// What `act` answers, within a budget. No panic of what is called gets out of it.
pub(super) fn within<R>(budget: Budget, act: impl FnOnce() -> R) -> Result<R, Cause> {
    LEFT.set(Left { budget, base: stack_end() });
    catch_unwind(AssertUnwindSafe(act))
        .map_err(|cause| cause.downcast_ref::<Cause>().copied().unwrap_or(Cause::Panicked))
}

/// The same where `act` collects the faults of a document.
pub(super) fn telling<R>(budget: Budget, telling: Telling, act: impl FnOnce() -> R) -> Result<R, Cause> {
    TELLING.set(telling);
    within(budget, act)
}
