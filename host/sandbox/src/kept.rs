//! What the host keeps for one instance under handles: patterns, schemas.

use wasmtime::component::{Resource, ResourceTable, ResourceTableError};

/// Things by their handles, some at most.
pub(crate) struct Kept<T> {
    table: ResourceTable,
    /// The table may keep the places of those that are gone, too.
    count: usize,
    most: usize,
    of: std::marker::PhantomData<T>,
}

impl<T: Send + 'static> Kept<T> {
    /// Nothing yet, and `most` at most.
    pub(crate) fn at_most(most: usize) -> Self {
        Self { table: ResourceTable::new(), count: 0, most, of: std::marker::PhantomData }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.count >= self.most
    }

    pub(crate) fn keep(&mut self, thing: T) -> Result<Resource<T>, ResourceTableError> {
        let handle = self.table.push(thing)?;
        self.count += 1;
        Ok(handle)
    }

    pub(crate) fn get(&mut self, handle: &Resource<T>) -> Result<&mut T, ResourceTableError> {
        self.table.get_mut(handle)
    }

    pub(crate) fn give_back(&mut self, handle: Resource<T>) -> Result<T, ResourceTableError> {
        let thing = self.table.delete(handle)?;
        self.count -= 1;
        Ok(thing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_given_back_makes_room() {
        let mut kept = Kept::at_most(1);
        let handle = kept.keep("a").unwrap();
        let again = Resource::new_own(handle.rep());
        assert!(kept.is_full());
        assert_eq!(kept.get(&handle).unwrap(), &"a");
        assert_eq!(kept.give_back(handle).unwrap(), "a");
        assert!(!kept.is_full());
        assert!(kept.give_back(again).is_err());
    }
}
