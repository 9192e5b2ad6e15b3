//! Which trades of an order were booked, in bounded room, and what the newest of them told: one id with two contents
//! shows that what is told cannot be trusted.

use std::collections::VecDeque;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::messages::{Fill, Side};

/// How many ids are kept that do not count, or came out of their turn.
const OTHERS_MAX: usize = 1_024;
/// Of how many trades with ids that count the content is kept.
const NEWEST_MAX: usize = 8;

/// A trade's content in 32 bits.
type Print = u32;

/// Whether a trade is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Known {
    /// It is new.
    New,
    /// It was booked.
    Booked,
    /// A trade of its id was booked, with another content.
    Differs,
}

/// The ids of an order's booked trades. Those of the form `<order>-<n>` that come in their turn, from 1 on, are one number;
/// of the others the newest 1,024 are known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TradeIds {
    /// All from 1 to this one are booked.
    through: u64,
    /// Contents of the last of these, oldest first.
    newest: VecDeque<Print>,
    /// Others, oldest first, with their content; `None` where it is not known.
    others: VecDeque<(String, Option<Print>)>,
}

/// `n` of an id `<order>-<n>`.
fn count(order: &str, id: &str) -> Option<u64> {
    let digits = id.strip_prefix(order)?.strip_prefix('-')?;
    let is_number = !digits.starts_with('0') && digits.bytes().all(|byte| byte.is_ascii_digit());
    if is_number { digits.parse().ok() } else { None }
}

/// FNV-1a over what a trade moves.
fn print(fill: &Fill) -> Print {
    let side = match fill.side {
        Side::Buy => 0_u8,
        Side::Sell => 1,
    };
    let amounts = [fill.quantity.to_bytes(), fill.price.to_bytes(), fill.fee.to_bytes()];
    let bytes = std::iter::once(side).chain(amounts.into_iter().flatten());
    bytes.fold(0x811c_9dc5, |print: u32, byte| (print ^ u32::from(byte)).wrapping_mul(0x0100_0193))
}

impl TradeIds {
    /// Of how many trades an id is known.
    pub fn len(&self) -> u64 {
        self.through.saturating_add(self.others.len() as u64)
    }

    /// Whether no trade is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How much room they take, in ids.
    pub fn room(&self) -> usize {
        self.others.len().saturating_add(usize::from(self.through > 0))
    }

    /// Whether a trade of `order` is known.
    pub fn knows(&self, order: &str, fill: &Fill) -> Known {
        let told = match count(order, &fill.trade_id).filter(|count| *count <= self.through) {
            Some(count) => Some(self.newest_of(count)),
            None => self.others.iter().find(|(id, _)| *id == fill.trade_id).map(|(_, print)| *print),
        };
        match told {
            None => Known::New,
            Some(Some(told)) if told != print(fill) => Known::Differs,
            Some(_) => Known::Booked,
        }
    }

    fn newest_of(&self, count: u64) -> Option<Print> {
        let back = usize::try_from(self.through.checked_sub(count)?).ok()?;
        self.newest.len().checked_sub(back.checked_add(1)?).and_then(|place| self.newest.get(place)).copied()
    }

    /// Remembers a trade of `order`.
    pub fn remember(&mut self, order: &str, fill: &Fill) {
        self.push(order, fill.trade_id.clone(), Some(print(fill)));
    }

    fn push(&mut self, order: &str, id: String, print: Option<Print>) {
        self.others.push_back((id, print));
        // What is next in turn, and then what came before its turn.
        while let Some(place) = self.next_in_turn(order) {
            let print = self.others.remove(place).and_then(|(_, print)| print);
            self.through = self.through.saturating_add(1);
            match print {
                Some(print) => self.newest.push_back(print),
                None => self.newest.clear(),
            }
            if self.newest.len() > NEWEST_MAX {
                self.newest.pop_front();
            }
        }
        if self.others.len() > OTHERS_MAX {
            self.others.pop_front();
        }
    }

    fn next_in_turn(&self, order: &str) -> Option<usize> {
        let next = self.through.checked_add(1)?;
        self.others.iter().rposition(|(id, _)| count(order, id) == Some(next))
    }

    /// Those of a list, oldest first; their contents are not known.
    pub fn of_list(order: &str, ids: Vec<String>) -> Self {
        let mut known = Self::default();
        for id in ids {
            known.push(order, id, None);
        }
        known
    }
}

/// As `[through, newest, others]`, without others where there are none.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum Saved {
    Counted(u64, Vec<Print>),
    All(u64, Vec<Print>, Vec<(String, Option<Print>)>),
}

impl Serialize for TradeIds {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let newest = self.newest.iter().copied().collect();
        let saved = if self.others.is_empty() {
            Saved::Counted(self.through, newest)
        } else {
            Saved::All(self.through, newest, self.others.iter().cloned().collect())
        };
        saved.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for TradeIds {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(match Saved::deserialize(deserializer)? {
            Saved::Counted(through, newest) => Self { through, newest: newest.into(), ..Self::default() },
            Saved::All(through, newest, others) => Self { through, newest: newest.into(), others: others.into() },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::client_order_id::ClientOrderId;
    use crate::messages::Liquidity;
    use crate::time::Timestamp;

    const ORDER: &str = "glm-abc-7";

    fn fill(trade_id: &str, quantity: &str) -> Fill {
        Fill {
            strategy: "s".into(),
            ledger: "abc".parse().unwrap(),
            client_order_id: ORDER.parse::<ClientOrderId>().unwrap(),
            venue_order_id: "1".into(),
            trade_id: trade_id.to_owned(),
            symbol: "BNB/USDT".parse().unwrap(),
            side: Side::Buy,
            quantity: quantity.parse().unwrap(),
            price: "600".parse().unwrap(),
            cumulative_quantity: quantity.parse().unwrap(),
            fee: "0".parse().unwrap(),
            fee_asset: "USDT".parse().unwrap(),
            fee_quote: "0".parse().unwrap(),
            liquidity: Liquidity::Maker,
            time: Timestamp::default(),
            tick_sequence: None,
            index: None,
        }
    }

    fn counted(n: u64) -> Fill {
        fill(&format!("{ORDER}-{n}"), "1")
    }

    fn remembering(fills: impl IntoIterator<Item = Fill>) -> TradeIds {
        let mut ids = TradeIds::default();
        for fill in fills {
            assert_eq!(ids.knows(ORDER, &fill), Known::New, "{}", fill.trade_id);
            ids.remember(ORDER, &fill);
        }
        ids
    }

    fn restored(ids: &TradeIds) -> TradeIds {
        serde_json::from_str(&serde_json::to_string(ids).unwrap()).unwrap()
    }

    #[test]
    fn it_is_empty_until_a_trade_is_known() {
        assert!(TradeIds::default().is_empty());
        assert!(!TradeIds::of_list(ORDER, vec![format!("{ORDER}-1")]).is_empty());
        assert!(!TradeIds::of_list(ORDER, vec!["another".to_owned()]).is_empty());
    }

    #[test]
    fn ids_that_count_take_no_room_whatever_their_number() {
        let ids = remembering((1..=10_000).map(counted));
        assert_eq!((ids.len(), ids.room()), (10_000, 1));
        assert!(serde_json::to_string(&ids).unwrap().len() < 120);
        for n in [1, 5_000, 10_000] {
            assert_eq!(restored(&ids).knows(ORDER, &counted(n)), Known::Booked, "{n}");
        }
        assert_eq!(ids.knows(ORDER, &counted(10_001)), Known::New);
    }

    #[test]
    fn what_comes_before_its_turn_is_known_and_what_is_missing_is_not() {
        let mut ids = remembering([2, 4, 3].map(counted));
        assert_eq!((ids.knows(ORDER, &counted(1)), ids.knows(ORDER, &counted(3))), (Known::New, Known::Booked));
        ids.remember(ORDER, &counted(1));
        assert_eq!((ids.len(), ids.room()), (4, 1), "the hole is filled");
        assert!((1..=4).all(|n| ids.knows(ORDER, &counted(n)) == Known::Booked));
    }

    #[test]
    fn of_other_ids_the_newest_are_known() {
        let ids = remembering((0..2_000).map(|n| fill(&format!("venue{n}"), "1")));
        assert_eq!(ids.room(), OTHERS_MAX);
        assert_eq!(ids.knows(ORDER, &fill("venue1999", "1")), Known::Booked);
        // Of another order, and forms that do not count.
        for id in [
            "glm-abc-70-1",
            "glm-abc-7-01",
            "glm-abc-7-0",
            "glm-abc-7-+1",
            "glm-abc-7-",
            "glm-abc-7-99999999999999999999",
        ] {
            let ids = remembering([fill(id, "1")]);
            assert_eq!((ids.through, ids.knows(ORDER, &fill(id, "1"))), (0, Known::Booked), "{id}");
        }
    }

    #[test]
    fn one_id_with_two_contents_is_seen_among_the_newest() {
        let differing = |id: &str| {
            let one = fill(id, "1");
            let price = Fill { price: "600.01".parse().unwrap(), ..one.clone() };
            let fee = Fill { fee: "0.1".parse().unwrap(), ..one.clone() };
            let side = Fill { side: Side::Sell, ..one };
            [fill(id, "1.000000001"), price, fee, side]
        };
        let ids = remembering((1..=20).map(counted).chain([fill("other", "1")]));
        for ids in [restored(&ids), ids] {
            for id in ["glm-abc-7-13", "glm-abc-7-20", "other"] {
                for fill in differing(id) {
                    assert_eq!(ids.knows(ORDER, &fill), Known::Differs, "{fill:?}");
                }
                let longer = Fill { price: "600.00".parse().unwrap(), ..fill(id, "1.0") };
                assert_eq!(ids.knows(ORDER, &longer), Known::Booked, "the same, written otherwise");
            }
            assert_eq!(ids.knows(ORDER, &fill("glm-abc-7-12", "2")), Known::Booked, "too long ago to be judged");
        }
    }

    #[test]
    fn a_list_of_the_release_before_is_taken_up() {
        let ids = TradeIds::of_list(ORDER, ["glm-abc-7-1", "x", "glm-abc-7-2"].map(str::to_owned).to_vec());
        assert_eq!((ids.through, ids.len()), (2, 3));
        assert_eq!(ids.knows(ORDER, &fill("x", "5")), Known::Booked, "its content was not kept");
        assert_eq!(restored(&TradeIds::default()), TradeIds::default());
    }
}
