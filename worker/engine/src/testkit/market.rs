//! A market: its rules and fees, and ticks in it.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

use serde_json::{Value, json};

use crate::Config;
use crate::fees::{Fees, PaidIn};
use crate::instrument::{Asset, Instrument, Symbol};
use crate::messages::Tick;
use crate::numbers::Notional;
use crate::risk::RiskParameters;
use crate::strategies::DesiredState;
use crate::time::Timestamp;
use crate::transfers::WantedTransfers;

/// Event time of tick 0, in milliseconds.
pub const START_MS: i64 = 1_700_000_000_000;

/// What a test's market and account are like. Decimals are text, as in a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Market {
    /// What is traded.
    pub symbol: &'static str,
    /// Prices of orders are multiples of it.
    pub tick_size: &'static str,
    /// Quantities are multiples of it.
    pub lot_size: &'static str,
    /// The least worth of an order, in quote.
    pub min_notional: &'static str,
    /// The fee of an order that trades at once, in percent.
    pub taker_percent: &'static str,
    /// From which asset fees are taken.
    pub paid_in: PaidIn,
    /// From one tick to the next, in milliseconds.
    pub tick_ms: i64,
}

impl Market {
    /// BNB in USDT, a tick a second, no fees.
    pub const USUAL: Self = Self {
        symbol: "BNB/USDT",
        tick_size: "0.01",
        lot_size: "0.001",
        min_notional: "1",
        taker_percent: "0",
        paid_in: PaidIn::Quote,
        tick_ms: 1_000,
    };

    /// The market with its rules.
    #[track_caller]
    pub fn instrument(&self) -> Instrument {
        let rules = json!({"tickSize": self.tick_size, "lotSize": self.lot_size, "minNotional": self.min_notional});
        let rules = serde_json::from_value(rules).expect("the rules of a market are decimals");
        Instrument::new(read(self.symbol), &rules).expect("the rules of a market agree")
    }

    /// The account's fees.
    #[track_caller]
    pub fn fees(&self) -> Fees {
        Fees { taker_percent: read(self.taker_percent), paid_in: self.paid_in, ..Fees::default() }
    }

    /// A strategy with these parameters that runs here on a capital of 5 coins and 3000 of the quote, under the default
    /// limits. Change a field with `Config { capital, ..market.config(&parameters) }`.
    #[track_caller]
    pub fn config(&self, parameters: &Value) -> Config {
        Config {
            name: "test".to_owned(),
            ledger: read("abc"),
            instruments: self.instrument().into(),
            capital: self.capital("5", "3000"),
            fees: self.fees(),
            risk: RiskParameters::default(),
            exit: None,
            transfers: WantedTransfers::default(),
            desired: DesiredState::Running,
            parameters: parameters.clone(),
        }
    }

    /// A capital of so many coins and so much of the quote.
    #[track_caller]
    pub fn capital(&self, base: &str, quote: &str) -> BTreeMap<Asset, Notional> {
        let symbol: Symbol = read(self.symbol);
        BTreeMap::from([(symbol.base().clone(), read(base)), (symbol.quote().clone(), read(quote))])
    }

    /// The tick of this number at this price, without quotes.
    #[track_caller]
    pub fn tick(&self, sequence: u64, price: &str) -> Tick {
        let number = i64::try_from(sequence).expect("no test has so many ticks");
        let time = Timestamp::from_millis(START_MS + number * self.tick_ms);
        Tick::trade(read(self.symbol), read::<crate::numbers::Price>(price).normalised(), time, sequence)
    }
}

/// A value of its text.
#[track_caller]
pub(super) fn read<T: FromStr<Err: Display>>(text: &str) -> T {
    text.parse().unwrap_or_else(|error| panic!("{text}: {error}"))
}
