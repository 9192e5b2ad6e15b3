//! Topic `order.command`: what a strategy asks its account's gateway to do.

use serde::{Deserialize, Serialize};

use crate::client_order_id::{ClientOrderId, LedgerId};
use crate::instrument::{Asset, Symbol};
use crate::numbers::{Notional, Price, Quantity};
use crate::time::Timestamp;

use super::Tick;

/// The side of an order or a trade.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, schemars::JsonSchema)]
pub enum Side {
    /// Base for quote.
    Buy,
    /// Quote for base.
    Sell,
}

impl std::fmt::Display for Side {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(match self {
            Self::Buy => "Buy",
            Self::Sell => "Sell",
        })
    }
}

/// How an order names its price.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum OrderType {
    /// At `price` or better.
    Limit,
    /// At the best price there is.
    Market,
}

/// How long an order stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum TimeInForce {
    /// Trades at once what it can; the rest waits in the book.
    #[serde(rename = "GTC")]
    GoodTillCanceled,
    /// Trades at once what it can; the rest is dropped.
    #[serde(alias = "IOC")]
    ImmediateOrCancel,
    /// Trades at once and whole, or not at all.
    #[serde(rename = "FOK")]
    FillOrKill,
}

/// An order to be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct NewOrder {
    /// Buy or Sell.
    pub side: Side,
    /// Limit or Market.
    pub order_type: OrderType,
    /// How long it stands.
    pub time_in_force: TimeInForce,
    /// May only wait in the book: the venue refuses it if it could trade at once.
    #[serde(skip_serializing_if = "std::ops::Not::not", default)]
    pub post_only: bool,
    /// In base; a multiple of the lot size.
    pub quantity: Quantity,
    /// The instrument's lot size: what trades is a multiple of it, too. Absent in orders of the release before.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub lot_size: Option<Quantity>,
    /// The limit; absent for Market.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub price: Option<Price>,
    /// May only make the position smaller.
    pub reduce_only: bool,
    /// Whether it counts towards the order rates of strategy and account.
    #[serde(skip_serializing_if = "is_true", default = "yes")]
    pub counts: bool,
}

const fn yes() -> bool {
    true
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde gives a reference")]
const fn is_true(value: &bool) -> bool {
    *value
}

/// Money that has been put into a ledger or taken out of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Transfer {
    /// Dense per ledger, from 1 on: who follows them takes each once, in this order.
    pub number: u64,
    /// What was moved.
    pub asset: Asset,
    /// How much; below 0 where it was taken out.
    pub amount: Notional,
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command")]
pub enum CommandKind {
    /// Make this order.
    Create(NewOrder),
    /// Cancel the order of this id.
    Cancel,
    /// Cancel an order, and make this one in its place, but only if the cancelled one ended as the strategy knew it.
    #[serde(rename_all = "camelCase")]
    Replace {
        /// The order to be cancelled.
        of: ClientOrderId,
        /// What the strategy knew to have traded of it in all.
        known_quantity: Quantity,
        /// The order in its place.
        #[serde(flatten)]
        order: NewOrder,
    },
    /// Match this ledger's orders as of the tick, and say so. Only of a simulated venue. Names order 0 of the ledger.
    Advance {
        /// 0: what rests is held against the tick. From 1 on: what arrives on it acts.
        round: u32,
        /// Which tick it is among those that the strategy reads, from 0; absent where that is its number in the source.
        #[serde(skip_serializing_if = "Option::is_none", default)]
        index: Option<u64>,
    },
    /// The ledger has booked a transfer: the sub-account follows. Names order 0 of the ledger.
    Transfer(Transfer),
}

impl CommandKind {
    /// The order that it asks to make.
    pub const fn order(&self) -> Option<&NewOrder> {
        match self {
            Self::Create(order) | Self::Replace { order, .. } => Some(order),
            Self::Cancel | Self::Advance { .. } | Self::Transfer(_) => None,
        }
    }
}

/// One request to the gateway.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OrderCommand {
    /// The order's id.
    pub client_order_id: ClientOrderId,
    /// The strategy's name.
    pub strategy: String,
    /// The strategy's ledger.
    pub ledger: LedgerId,
    /// The order's sequence, dense within the ledger.
    pub sequence: u64,
    /// What is asked for.
    #[serde(flatten)]
    pub kind: CommandKind,
    /// The market.
    pub symbol: Symbol,
    /// Stream id of the tick that caused it; absent where no tick did.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tick: Option<String>,
    /// With an Advance that tick itself, as it stands in its stream: so it need not be read for its id.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub market: Option<Box<Tick>>,
    /// The market of that tick, where it is another.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub tick_symbol: Option<Symbol>,
    /// Event time.
    pub time: Timestamp,
    /// Not to be sent to the venue after this time.
    pub expires_at: Timestamp,
}

impl OrderCommand {
    /// A command of event time `time`, of which nobody says yet what caused it, and which is as good later.
    pub fn new(
        strategy: impl Into<String>,
        client_order_id: ClientOrderId,
        kind: CommandKind,
        symbol: Symbol,
        time: Timestamp,
    ) -> Self {
        Self {
            strategy: strategy.into(),
            ledger: client_order_id.ledger().clone(),
            sequence: client_order_id.sequence(),
            client_order_id,
            kind,
            symbol,
            tick: None,
            market: None,
            tick_symbol: None,
            time,
            expires_at: Timestamp::from_millis(i64::MAX),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn command(kind: CommandKind) -> OrderCommand {
        let id = ClientOrderId::new("abc".parse().unwrap(), 3);
        let (symbol, time) = ("BNB/USDT".parse().unwrap(), Timestamp::from_millis(1));
        OrderCommand { expires_at: Timestamp::from_millis(2), ..OrderCommand::new("s", id, kind, symbol, time) }
    }

    fn order(time_in_force: TimeInForce) -> NewOrder {
        NewOrder {
            side: Side::Buy,
            order_type: OrderType::Limit,
            time_in_force,
            post_only: false,
            quantity: "1".parse().unwrap(),
            lot_size: None,
            price: Some("600".parse().unwrap()),
            reduce_only: false,
            counts: true,
        }
    }

    /// The words that others read, and that what they leave out has its default.
    #[test]
    fn each_command_is_written_in_the_words_of_the_contract_and_read_again() {
        let of = ClientOrderId::new("abc".parse().unwrap(), 2);
        let known_quantity = "0.5".parse().unwrap();
        let replace = |order| CommandKind::Replace { of: of.clone(), known_quantity, order };
        let cases = [
            (
                CommandKind::Create(order(TimeInForce::ImmediateOrCancel)),
                json!({"command": "Create", "timeInForce": "ImmediateOrCancel"}),
            ),
            (CommandKind::Create(order(TimeInForce::FillOrKill)), json!({"command": "Create", "timeInForce": "FOK"})),
            (
                CommandKind::Create(NewOrder {
                    post_only: true,
                    counts: false,
                    ..order(TimeInForce::GoodTillCanceled)
                }),
                json!({"command": "Create", "timeInForce": "GTC", "postOnly": true, "counts": false}),
            ),
            (
                replace(order(TimeInForce::GoodTillCanceled)),
                json!({"command": "Replace", "of": "glm-abc-2", "knownQuantity": "0.5", "quantity": "1", "price": "600"}),
            ),
            (CommandKind::Cancel, json!({"command": "Cancel"})),
            (CommandKind::Advance { round: 2, index: None }, json!({"command": "Advance", "round": 2})),
            (
                CommandKind::Transfer(Transfer {
                    number: 3,
                    asset: "USDT".parse().unwrap(),
                    amount: "-20.5".parse().unwrap(),
                }),
                json!({"command": "Transfer", "number": 3, "asset": "USDT", "amount": "-20.5"}),
            ),
        ];
        for (kind, expected) in cases {
            let command = command(kind);
            let text = serde_json::to_string(&command).unwrap();
            let written: Value = serde_json::from_str(&text).unwrap();
            for (name, value) in expected.as_object().unwrap() {
                assert_eq!(&written[name], value, "{text}");
            }
            assert_eq!(serde_json::from_str::<OrderCommand>(&text).unwrap(), command, "{text}");
        }
        let text = serde_json::to_string(&command(CommandKind::Create(order(TimeInForce::ImmediateOrCancel)))).unwrap();
        assert!(!text.contains("postOnly") && !text.contains("counts"), "{text}");
        let other = text.replace("ImmediateOrCancel", "IOC");
        assert_eq!(serde_json::from_str::<OrderCommand>(&other).unwrap(), serde_json::from_str(&text).unwrap());
    }
}
