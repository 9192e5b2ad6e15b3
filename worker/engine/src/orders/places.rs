//! Orders that ask for another's place: who asks for which, and what each of them adds to what is reserved. One rule for the
//! engine and for the gateway: what the one sends the other must not deny.

use std::collections::{BTreeMap, BTreeSet};

use super::OrderState;

/// By order: the open ones that ask for its place.
#[derive(Debug, Clone)]
pub struct Places<Id> {
    asking: BTreeMap<Id, BTreeSet<Id>>,
}

impl<Id> Default for Places<Id> {
    fn default() -> Self {
        Self { asking: BTreeMap::new() }
    }
}

impl<Id: Ord + Clone> Places<Id> {
    /// `id` asks for the place of `of`.
    pub fn ask(&mut self, of: Id, id: Id) {
        self.asking.entry(of).or_default().insert(id);
    }

    /// `id` asks for the place of `of` no more.
    pub fn leave(&mut self, of: &Id, id: &Id) {
        if let Some(asking) = self.asking.get_mut(of) {
            asking.remove(id);
            if asking.is_empty() {
                self.asking.remove(of);
            }
        }
    }

    /// Those that ask for the place of this one, the first first.
    pub fn asking(&self, of: &Id) -> impl Iterator<Item = &Id> {
        self.asking.get(of).into_iter().flatten()
    }

    /// Whether nobody, or this one, is the first to ask for the place: the others get none.
    pub fn is_first(&self, of: &Id, id: &Id) -> bool {
        self.asking(of).next().is_none_or(|first| first == id)
    }

    /// How many orders' places are asked for.
    pub fn len(&self) -> usize {
        self.asking.len()
    }

    /// Whether no order's place is asked for.
    pub fn is_empty(&self) -> bool {
        self.asking.is_empty()
    }
}

/// How the order stands whose place is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Holder {
    /// It is open, and no more of it has traded than was known.
    Holds,
    /// The same, and it still waits for a place itself.
    Waits,
    /// It has ended, or is not known.
    Gone,
    /// More of it has traded than was known: who asks will be rejected.
    Raced,
}

/// What an order that asks for another's place adds to what is reserved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Share {
    /// All that it may take.
    All,
    /// What it may take beyond the other, because only one of them can trade.
    Beyond,
    /// Nothing: it will never be placed.
    Nothing,
}

impl Share {
    /// Of an order that is the first to ask, or not, and has traded, or not. Where the other waits for a place itself both may
    /// trade, as where that one is withdrawn before it arrives.
    pub const fn of(holder: Holder, is_first: bool, has_traded: bool) -> Self {
        match holder {
            _ if has_traded => Self::All,
            // Whoever asks before it: the venue rejects it.
            Holder::Raced => Self::Nothing,
            _ if !is_first => Self::All,
            Holder::Holds => Self::Beyond,
            Holder::Waits | Holder::Gone => Self::All,
        }
    }
}

/// Whether an order that asks for a place in this state has none yet.
pub const fn waits_in(state: OrderState) -> bool {
    match state {
        OrderState::Committed | OrderState::Sent | OrderState::Unknown => true,
        OrderState::Accepted
        | OrderState::PartiallyFilled
        | OrderState::Filled
        | OrderState::Canceled
        | OrderState::Expired
        | OrderState::Rejected
        | OrderState::Denied => false,
    }
}
