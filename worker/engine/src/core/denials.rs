//! Why an order of each market, side and mark was last denied: the same reason is told once, not once a tick.

use std::collections::BTreeMap;

use serde::de::{Error, IntoDeserializer};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::instrument::InstrumentIndex;
use crate::messages::Side;

/// Of how many markets, sides and marks the last denial is remembered. One that is forgotten is told once more.
const DENIALS_MAX: usize = 512;

/// What an order was to be: market, side and mark.
type Wanted = (InstrumentIndex, Side, u32);

/// The last denials. Written by `Buy` or `Sell`, for a mark as `Buy 3`, for another market than the first as `Buy 3 1`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Denials(BTreeMap<Wanted, String>);

impl Denials {
    /// Those of the release before, which knew no marks.
    pub fn of_sides(reasons: BTreeMap<Side, String>) -> Self {
        Self(reasons.into_iter().map(|(side, reason)| ((InstrumentIndex::FIRST, side, 0), reason)).collect())
    }

    /// Whether this was the last reason already; it is from now on.
    pub fn is_told(&mut self, wanted: Wanted, reason: &str) -> bool {
        if self.0.get(&wanted).is_some_and(|last| last == reason) {
            return true;
        }
        self.0.insert(wanted, reason.to_owned());
        while self.0.len() > DENIALS_MAX {
            self.0.pop_first();
        }
        false
    }
}

impl Serialize for Denials {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let name = |(instrument, side, tag): &Wanted| match (instrument.get(), tag) {
            (0, 0) => side.to_string(),
            (0, tag) => format!("{side} {tag}"),
            (instrument, tag) => format!("{side} {tag} {instrument}"),
        };
        serializer.collect_map(self.0.iter().map(|(key, reason)| (name(key), reason)))
    }
}

impl<'de> Deserialize<'de> for Denials {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let read = |(name, reason): (String, String)| {
            let mut parts = name.splitn(3, ' ');
            let side = Side::deserialize(parts.next().unwrap_or_default().into_deserializer())?;
            let (tag, instrument) = (parts.next().unwrap_or("0"), parts.next().unwrap_or("0"));
            let tag = tag.parse().map_err(|_| Error::custom(format!("`{tag}` is not a mark of an order")))?;
            let instrument = instrument.parse::<u8>().ok();
            let instrument =
                instrument.ok_or_else(|| Error::custom(format!("`{name}` names no market by its number")))?;
            Ok(((InstrumentIndex::of_place(instrument), side, tag), reason))
        };
        let denials = BTreeMap::<String, String>::deserialize(deserializer)?;
        Ok(Self(denials.into_iter().map(read).collect::<Result<_, _>>()?))
    }
}
