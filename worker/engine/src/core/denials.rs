//! Why an order of each side and mark was last denied: the same reason is told once, not once a tick.

use std::collections::BTreeMap;

use serde::de::{Error, IntoDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::messages::Side;

/// Of how many sides and marks the last denial is remembered. One that is forgotten is told once more.
const DENIALS_MAX: usize = 512;

/// The last denials. Written by `Buy` or `Sell`, for a mark as `Buy 3`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Denials(BTreeMap<(Side, u32), String>);

impl Denials {
    /// Those of the release before, which knew no marks.
    pub fn of_sides(reasons: BTreeMap<Side, String>) -> Self {
        Self(reasons.into_iter().map(|(side, reason)| ((side, 0), reason)).collect())
    }

    /// Whether this was the last reason already; it is from now on.
    pub fn is_told(&mut self, side: Side, tag: u32, reason: &str) -> bool {
        if self.0.get(&(side, tag)).is_some_and(|last| last == reason) {
            return true;
        }
        self.0.insert((side, tag), reason.to_owned());
        while self.0.len() > DENIALS_MAX {
            self.0.pop_first();
        }
        false
    }
}

impl Serialize for Denials {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = |(side, tag): &(Side, u32)| match tag {
            0 => side.to_string(),
            tag => format!("{side} {tag}"),
        };
        serializer.collect_map(self.0.iter().map(|(key, reason)| (name(key), reason)))
    }
}

impl<'de> Deserialize<'de> for Denials {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = |(name, reason): (String, String)| {
            let (side, tag) = name.split_once(' ').unwrap_or((&name, "0"));
            let side = Side::deserialize(side.into_deserializer())?;
            let tag = tag.parse().map_err(|_| Error::custom(format!("`{tag}` is not a mark of an order")))?;
            Ok(((side, tag), reason))
        };
        let denials = BTreeMap::<String, String>::deserialize(deserializer)?;
        Ok(Self(denials.into_iter().map(read).collect::<Result<_, _>>()?))
    }
}
