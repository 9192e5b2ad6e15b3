//! A list that is never empty. Its first element lies in the value itself, so it is read without a search, a pointer or a
//! case that cannot be.

use serde::{Serialize, Serializer};

/// One or more, in their order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NonEmpty<T> {
    first: T,
    others: Vec<T>,
}

impl<T> NonEmpty<T> {
    pub const fn of(first: T) -> Self {
        Self { first, others: Vec::new() }
    }

    /// `None` where there are none.
    pub fn all_of(all: impl IntoIterator<Item = T>) -> Option<Self> {
        let mut all = all.into_iter();
        Some(Self { first: all.next()?, others: all.collect() })
    }

    pub const fn first(&self) -> &T {
        &self.first
    }

    pub const fn first_mut(&mut self) -> &mut T {
        &mut self.first
    }

    pub fn len(&self) -> usize {
        self.others.len().saturating_add(1)
    }

    pub fn get(&self, place: usize) -> Option<&T> {
        self.iter().nth(place)
    }

    pub fn get_mut(&mut self, place: usize) -> Option<&mut T> {
        self.iter_mut().nth(place)
    }

    pub fn iter(&self) -> impl Iterator<Item = &T> {
        std::iter::once(&self.first).chain(&self.others)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut T> {
        std::iter::once(&mut self.first).chain(&mut self.others)
    }
}

impl<T: Serialize> Serialize for NonEmpty<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter())
    }
}
