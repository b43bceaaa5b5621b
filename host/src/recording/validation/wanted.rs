//! Which of the records that are judged together each validator wants: found once for all whose subscriptions say the same.

use telemetry_core::Subscription;

/// The rows that each of a chain's subscriptions wants. They stand until a record is refused.
pub(super) struct WantedRows {
    by_subscription: Vec<Option<Vec<usize>>>,
}

impl WantedRows {
    /// None known yet, of so many subscriptions.
    pub(super) fn of(subscriptions: usize) -> Self {
        Self { by_subscription: vec![None; subscriptions] }
    }

    /// The rows that the subscription of this number wants, in rising order; `find` finds them where they are not known.
    pub(super) fn by(&mut self, number: usize, find: impl FnOnce() -> Vec<usize>) -> &[usize] {
        match self.by_subscription.get_mut(number) {
            Some(known) => known.get_or_insert_with(find),
            // There is none of that number.
            None => &[],
        }
    }

    /// Records may have been refused.
    pub(super) fn forget(&mut self) {
        self.by_subscription.fill(None);
    }
}

/// Adds a subscription where there is none like it yet; answers its number.
pub(super) fn numbered(all: &mut Vec<Subscription>, subscription: &Subscription) -> usize {
    all.iter().position(|known| known == subscription).unwrap_or_else(|| {
        all.push(subscription.clone());
        all.len() - 1
    })
}
