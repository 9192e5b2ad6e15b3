//! The ledger under any events: `net = realized + unrealized − fees = equity − opening equity − transfers` in each currency, to the last
//! digit, and coins, cash and fees as an account in plain integers has them. What is refused changes nothing.

use std::collections::BTreeMap;

use engine::instrument::{Asset, Symbol};
use engine::ledger::Ledger;
use engine::messages::{Fill, Liquidity, Side};
use engine::numbers::{Notional, Price, Quantity};
use engine::time::Timestamp;
use ethnum::I256;
use proptest::prelude::*;

use crate::bench::cases;

const MARKETS: [&str; 3] = ["BTC/USDT", "ETH/USDT", "SOL/USDC"];
const CURRENCIES: [&str; 2] = ["USDT", "USDC"];

/// Units of 10^-18 as text.
fn text(units: i128) -> String {
    let sign = if units < 0 { "-" } else { "" };
    let units = units.unsigned_abs();
    let one = 10_u128.pow(18);
    format!("{sign}{}.{:018}", units / one, units % one)
}

/// Units of 10^-18 of a number's text.
fn units(number: &impl ToString) -> I256 {
    let text = number.to_string();
    let (negative, digits) = text.strip_prefix('-').map_or((false, text.as_str()), |digits| (true, digits));
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let units: I256 = format!("{whole}{fraction:0<18}").parse().unwrap();
    if negative { -units } else { units }
}

#[derive(Debug, Clone)]
enum Event {
    /// The first tick of a market, or a later one.
    Tick(usize, i128),
    Fill {
        market: usize,
        side: Side,
        quantity: i128,
        price: i128,
        /// In quote, base or a third asset.
        fee_in: usize,
        fee: i128,
        fee_quote: i128,
    },
    /// An asset of the list of all, and how much of it is put in or taken out.
    Transfer(usize, i128),
}

const ASSETS: [&str; 5] = ["BTC", "ETH", "SOL", "USDT", "USDC"];

const ONE: i128 = 1_000_000_000_000_000_000;
const MAX: i128 = 1_000_000_000_000_000 * ONE - 1;

/// Dust, usual amounts, and amounts at the bound.
fn quantity() -> impl Strategy<Value = i128> {
    prop_oneof![
        1 => 0..4_i128,
        8 => (0..20_000_i128).prop_map(|lots| lots * ONE / 1_000),
        4 => 0..3 * ONE,
        1 => MAX - 3..=MAX,
    ]
}

fn price() -> impl Strategy<Value = i128> {
    prop_oneof![
        1 => 1..4_i128,
        8 => (1..9_000_000_i128).prop_map(|cents| cents * ONE / 100),
        4 => 1..90_000 * ONE,
        1 => (MAX / 1_000 - 3)..=MAX / 1_000,
    ]
}

fn money() -> impl Strategy<Value = i128> {
    prop_oneof![
        2 => Just(0),
        2 => -3..4_i128,
        8 => 0..20 * ONE,
        2 => -20 * ONE..0,
        1 => prop_oneof![MAX - 3..=MAX, -MAX..=3 - MAX],
    ]
}

fn event() -> impl Strategy<Value = Event> {
    let side = prop_oneof![Just(Side::Buy), Just(Side::Sell)];
    let fill = (0..MARKETS.len(), side, quantity(), price(), 0..3_usize, money(), money(), any::<bool>()).prop_map(
        |(market, side, quantity, price, fee_in, fee, fee_quote, usual)| {
            // A usual fee is a thousandth of what was traded.
            let (fee, fee_quote) = match fee_in {
                1 if usual => (quantity / 1_000, (quantity / ONE).saturating_mul(price / 1_000).min(MAX)),
                _ => (fee, fee_quote),
            };
            Event::Fill { market, side, quantity, price, fee_in, fee, fee_quote }
        },
    );
    let transfer = (0..ASSETS.len(), prop_oneof![money(), quantity(), quantity().prop_map(|coins| -coins)]);
    prop_oneof![
        1 => (0..MARKETS.len(), price()).prop_map(|(market, price)| Event::Tick(market, price)),
        9 => fill,
        3 => transfer.prop_map(|(asset, amount)| Event::Transfer(asset, amount)),
    ]
}

fn asset(market: usize, role: usize) -> Asset {
    let symbol: Symbol = MARKETS[market].parse().unwrap();
    match role {
        0 => symbol.quote().clone(),
        1 => symbol.base().clone(),
        // Of another market: it is third in this one.
        _ => MARKETS[(market + 1) % MARKETS.len()].parse::<Symbol>().unwrap().base().clone(),
    }
}

fn fill(event: &Event) -> Option<Fill> {
    let Event::Fill { market, side, quantity, price, fee_in, fee, fee_quote } = event else { return None };
    Some(Fill {
        strategy: "s".into(),
        ledger: "abc".parse().unwrap(),
        client_order_id: "glm-abc-1".parse().unwrap(),
        venue_order_id: "1".into(),
        trade_id: "1".into(),
        symbol: MARKETS[*market].parse().unwrap(),
        side: *side,
        quantity: text(*quantity).parse().unwrap(),
        price: text(*price).parse::<Price>().unwrap().normalised(),
        cumulative_quantity: text(*quantity).parse().unwrap(),
        fee: text(*fee).parse().unwrap(),
        fee_asset: asset(*market, *fee_in),
        fee_quote: text(*fee_quote).parse().unwrap(),
        liquidity: Liquidity::Taker,
        time: Timestamp::from_millis(0),
        tick_sequence: None,
        index: None,
    })
}

/// What the account holds, by asset, and what was paid in fees and given by transfers, by currency.
#[derive(Default)]
struct Account {
    held: BTreeMap<Asset, I256>,
    fees: BTreeMap<Asset, I256>,
    given: BTreeMap<Asset, I256>,
}

/// `price × quantity` in units of 10^-18, rounded half to even once.
fn worth(price: I256, quantity: I256) -> I256 {
    let one = I256::from(ONE);
    let (whole, rest) = ((price * quantity) / one, (price * quantity) % one);
    let up = rest * 2 > one || (rest * 2 == one && whole % 2 == 1);
    if up { whole + 1 } else { whole }
}

impl Account {
    /// At the price of each market.
    fn transfer(&mut self, asset: usize, amount: i128, prices: &[Price]) {
        let (name, amount) = (ASSETS[asset].parse::<Asset>().unwrap(), I256::from(amount));
        let (currency, given) = match prices.get(asset) {
            Some(price) if amount < 0 => (self::asset(asset, 0), -worth(units(price), -amount)),
            Some(price) => (self::asset(asset, 0), worth(units(price), amount)),
            None => (name.clone(), amount),
        };
        *self.held.entry(name).or_default() += amount;
        *self.given.entry(currency).or_default() += given;
    }

    fn take(&mut self, fill: &Fill) {
        let (coins, cash) = (fill.symbol.base().clone(), fill.symbol.quote().clone());
        let (price, quantity) = (units(&fill.price), units(&fill.quantity));
        let (fee, fee_quote) = (units(&fill.fee), units(&fill.fee_quote));
        let sign = if fill.side == Side::Buy { I256::ONE } else { -I256::ONE };
        let mut held = self.held.get(&coins).copied().unwrap_or_default() + sign * quantity;
        let mut left = self.held.get(&cash).copied().unwrap_or_default() - sign * worth(price, quantity);
        if fill.fee_asset == coins && ((fill.side == Side::Buy && fee <= quantity) || fee <= held) {
            held -= fee;
        } else if fill.fee_asset == coins {
            // All that is left is given for it; the rest is owed.
            left -= fee_quote - worth(price, held).min(fee_quote);
            held = I256::ZERO;
        } else {
            left -= fee_quote;
        }
        self.held.insert(coins, held);
        self.held.insert(cash.clone(), left);
        *self.fees.entry(cash).or_default() += fee_quote;
    }
}

fn currencies() -> [Asset; 2] {
    CURRENCIES.map(|currency| currency.parse().unwrap())
}

/// The worth of all coins together may be rounded once where that of two parts is rounded twice: by one unit of 10^-18.
fn is_unmoved(before: [Option<Notional>; 2], after: [Option<Notional>; 2]) -> bool {
    before.into_iter().zip(after).all(|pair| match pair {
        (Some(before), Some(after)) => {
            let moved = units(&after) - units(&before);
            (-I256::ONE..=I256::ONE).contains(&moved)
        }
        _ => true,
    })
}

fn check(ledger: &Ledger, account: &Account, prices: &[Price]) -> Result<(), TestCaseError> {
    for (asset, amount) in ledger.holdings() {
        let expected = account.held.get(asset).copied().unwrap_or_default();
        prop_assert_eq!(units(&amount), expected, "{}", asset);
    }
    for currency in currencies() {
        let opening = ledger.opening_equity_in(&currency);
        let (equity, profit) = (ledger.equity_in(&currency, prices), ledger.profit_in(&currency, prices));
        // A worth out of range is an error, never another number.
        let (Ok(Some(opening)), Ok(equity), Ok(profit)) = (opening, equity, profit) else { continue };
        let parts = units(&profit.realized) + units(&profit.unrealized) - units(&profit.fees);
        prop_assert_eq!(units(&profit.net), parts);
        let given = account.given.get(&currency).copied().unwrap_or_default();
        prop_assert_eq!(units(&ledger.transferred_in(&currency).unwrap()), given);
        prop_assert_eq!(parts, units(&equity) - units(&opening) - given);
        prop_assert_eq!(units(&profit.fees), account.fees.get(&currency).copied().unwrap_or_default());
    }
    Ok(())
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn profit_is_the_change_of_equity_in_each_currency_whatever_happens(
        capital in prop::collection::vec(quantity(), 5),
        events in prop::collection::vec(event(), 1..40),
        shown in prop::collection::vec(price(), 3),
    ) {
        let assets = ASSETS.map(|asset| asset.parse::<Asset>().unwrap());
        let capital: BTreeMap<Asset, Notional> =
            assets.into_iter().zip(capital).map(|(asset, amount)| (asset, text(amount).parse().unwrap())).collect();
        let markets = MARKETS.map(|market| market.parse().unwrap());
        let mut ledger = Ledger::of(&markets, &capital).unwrap();
        let mut account = Account { held: capital.iter().map(|(asset, amount)| (asset.clone(), units(amount))).collect(), ..Account::default() };
        let shown: Vec<Price> = shown.into_iter().map(|price| text(price).parse::<Price>().unwrap().normalised()).collect();
        for event in &events {
            let before = ledger.clone();
            let done = match (event, fill(event)) {
                (Event::Tick(place, price), _) => ledger.open_market_at(*place, text(*price).parse().unwrap()),
                (Event::Fill { .. }, fill) => {
                    let fill = fill.unwrap();
                    let done = ledger.book(&fill);
                    if done.is_ok() {
                        account.take(&fill);
                    }
                    done
                }
                (Event::Transfer(asset, amount), _) => {
                    let name = ASSETS[*asset].parse().unwrap();
                    // Before a market has a price its coins cost nothing.
                    let net = |ledger: &Ledger| {
                        currencies().map(|currency| {
                            ledger.opening_equity_in(&currency).ok().flatten()?;
                            Some(ledger.profit_in(&currency, &shown).ok()?.net)
                        })
                    };
                    let (before, done) = (net(&ledger), ledger.transfer(&name, text(*amount).parse().unwrap(), &shown));
                    if done.is_ok() {
                        account.transfer(*asset, *amount, &shown);
                        prop_assert!(is_unmoved(before, net(&ledger)), "profit stays as it was: {:?} {:?}", before, net(&ledger));
                    }
                    done.map(drop)
                }
            };
            if done.is_err() {
                prop_assert_eq!(&ledger, &before);
            }
            check(&ledger, &account, &shown)?;
            let saved = serde_json::to_string(&ledger).unwrap();
            prop_assert_eq!(&serde_json::from_str::<Ledger>(&saved).unwrap(), &ledger);
        }
    }

    /// One market through the short names is that market among others.
    #[test]
    fn books_of_one_market_are_those_of_its_currency(
        base in 0..90 * ONE, quote in 0..90_000 * ONE, first in 1..90_000 * ONE, now in 1..90_000 * ONE,
        events in prop::collection::vec(event(), 1..20),
    ) {
        let (base, quote): (Quantity, Notional) = (text(base).parse().unwrap(), text(quote).parse().unwrap());
        let [first, now] = [first, now].map(|price| text(price).parse::<Price>().unwrap().normalised());
        let symbol: Symbol = MARKETS[0].parse().unwrap();
        let mut one = Ledger::new(symbol.clone(), base, quote);
        let capital = [(symbol.base().clone(), Notional::from(base)), (symbol.quote().clone(), quote)].into();
        let mut among = Ledger::of(std::slice::from_ref(&symbol), &capital).unwrap();
        prop_assert_eq!(&one, &among);
        one.open_at(first).unwrap();
        among.open_market_at(0, first).unwrap();
        for fill in events.iter().filter_map(fill) {
            prop_assert_eq!(one.book(&fill), among.book(&fill));
        }
        prop_assert_eq!(&one, &among);
        let currency = symbol.quote();
        prop_assert_eq!(one.equity_at(now).ok(), among.equity_in(currency, &[now]).ok());
        prop_assert_eq!(one.profit_at(now).ok(), among.profit_in(currency, &[now]).ok());
        prop_assert_eq!(one.opening().unwrap().equity_at(first).ok(), among.opening_equity_in(currency).unwrap());
    }
}
