//! Books by hand: one market in each asset of fee, several markets, and both saved forms.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::*;
use crate::messages::{Liquidity, Side};
use crate::time::Timestamp;

fn fill(side: Side, quantity: &str, price: &str, fee: (&str, &str, &str)) -> Fill {
    Fill {
        strategy: "s".into(),
        ledger: "abc".parse().unwrap(),
        client_order_id: "glm-abc-1".parse().unwrap(),
        venue_order_id: "1".into(),
        trade_id: "1".into(),
        symbol: "BNB/USDT".parse().unwrap(),
        side,
        quantity: quantity.parse().unwrap(),
        price: price.parse().unwrap(),
        cumulative_quantity: quantity.parse().unwrap(),
        fee: fee.0.parse().unwrap(),
        fee_asset: fee.1.parse().unwrap(),
        fee_quote: fee.2.parse().unwrap(),
        liquidity: Liquidity::Taker,
        time: Timestamp::from_millis(0),
        tick_sequence: None,
        index: None,
    }
}

fn ledger() -> Ledger {
    let mut ledger = Ledger::new("BNB/USDT".parse().unwrap(), "5".parse().unwrap(), "3000".parse().unwrap());
    ledger.open_at("600".parse().unwrap()).unwrap();
    ledger
}

/// The identity every test ends with.
fn net_is_change_of_equity(ledger: &Ledger, price: &str) {
    let price = price.parse().unwrap();
    let opening = ledger.opening().unwrap();
    let change = ledger.equity_at(price).unwrap().minus(opening.equity_at(opening.price).unwrap()).unwrap();
    assert_eq!(ledger.profit_at(price).unwrap().net, change);
}

#[test]
fn a_sale_relieves_its_share_of_the_cost() {
    let mut ledger = ledger();
    ledger.book(&fill(Side::Sell, "0.989", "612.50", ("0", "USDT", "0"))).unwrap();
    assert_eq!(ledger.quote().to_string(), "3605.7625");
    assert_eq!(ledger.profit_at("612.50".parse().unwrap()).unwrap().realized.to_string(), "12.3625");
    net_is_change_of_equity(&ledger, "592");
}

#[test]
fn the_identity_holds_for_fees_in_each_asset() {
    let fees = [("0.6057625", "USDT", "0.6057625"), ("0.000989", "BNB", "0.6057625"), ("0.001", "ETH", "0.6057625")];
    for side in [Side::Buy, Side::Sell] {
        for fee in fees {
            let mut ledger = ledger();
            ledger.book(&fill(side, "0.989", "612.50", fee)).unwrap();
            ledger.book(&fill(Side::Sell, "1.333", "601.01", fee)).unwrap();
            net_is_change_of_equity(&ledger, "592");
        }
    }
}

/// Binance takes the fee in BNB, and all the BNB was sold: the account paid, the strategy owes.
#[test]
fn a_fee_that_the_base_cannot_pay_is_owed_in_quote() {
    let none = ("0.005", "BNB", "3.0625");
    let mut ledger = ledger();
    ledger.book(&fill(Side::Sell, "5", "612.50", none)).unwrap();
    assert_eq!((ledger.base().to_string(), ledger.quote().to_string()), ("0".into(), "6059.4375".into()));
    net_is_change_of_equity(&ledger, "592");
    // 0.002 are left for a fee of 0.005: they are sold for 1.225, and 1.8375 are owed.
    let mut ledger = self::ledger();
    ledger.book(&fill(Side::Sell, "4.998", "612.50", none)).unwrap();
    assert_eq!((ledger.base().to_string(), ledger.quote().to_string()), ("0".into(), "6059.4375".into()));
    assert_eq!(ledger.profit_at("592".parse().unwrap()).unwrap().fees.to_string(), "3.0625");
    net_is_change_of_equity(&ledger, "592");
    // A fee above what was bought takes of what was held before.
    let mut ledger = self::ledger();
    ledger.book(&fill(Side::Buy, "0.001", "612.50", none)).unwrap();
    assert_eq!((ledger.base().to_string(), ledger.quote().to_string()), ("4.996".into(), "2999.3875".into()));
    net_is_change_of_equity(&ledger, "592");
}

#[test]
fn what_is_not_held_cannot_be_sold_and_nothing_changes() {
    let mut books = ledger();
    let before = books.clone();
    assert!(matches!(
        books.book(&fill(Side::Sell, "5.001", "600", ("0", "USDT", "0"))),
        Err(LedgerError::Short { .. })
    ));
    assert_eq!(books, before);
}

fn symbols(names: &[&str]) -> Vec<Symbol> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn amounts(amounts: &[(&str, &str)]) -> BTreeMap<Asset, Notional> {
    amounts.iter().map(|(asset, amount)| (asset.parse().unwrap(), amount.parse().unwrap())).collect()
}

fn prices(prices: &[&str]) -> Vec<Price> {
    prices.iter().map(|price| price.parse().unwrap()).collect()
}

fn in_market(symbol: &str, fill: Fill) -> Fill {
    Fill { symbol: symbol.parse().unwrap(), ..fill }
}

#[test]
fn the_first_price_alone_values_the_opening_coins_and_a_trade_before_the_first_tick_has_it() {
    let mut books = ledger();
    books.open_at("700".parse().unwrap()).unwrap();
    let opening = Opening { price: "600".parse().unwrap(), base: "5".parse().unwrap(), quote: "3000".parse().unwrap() };
    assert_eq!(books.opening(), Some(opening));
    assert_eq!(books.average_price(), Some(opening.price));
    let mut books = Ledger::new("BNB/USDT".parse().unwrap(), "5".parse().unwrap(), "3000".parse().unwrap());
    assert_eq!(books.opening(), None);
    books.book(&fill(Side::Sell, "5", "610", ("1", "USDT", "1"))).unwrap();
    books.open_at("600".parse().unwrap()).unwrap();
    assert_eq!(books.opening(), Some(Opening { price: "610".parse().unwrap(), ..opening }));
    assert_eq!(books.average_price(), None);
    assert_eq!(books.profit_at("592".parse().unwrap()).unwrap().net.to_string(), "-1");
    net_is_change_of_equity(&books, "592");
}

/// Each boundary of who pays a fee in coins: as many as were bought, or as are held, are paid in coins.
#[test]
fn a_fee_in_coins_is_owed_only_where_they_are_not_there() {
    for (side, quantity, fee, base, quote) in [
        (Side::Buy, "1", "1", "5", "2400"),
        (Side::Buy, "1", "1.001", "4.999", "2400"),
        (Side::Sell, "4", "1", "0", "5400"),
        (Side::Sell, "4", "1.001", "0", "5399.4"),
        (Side::Sell, "5", "0.001", "0", "5999.4"),
        (Side::Sell, "5", "0", "0", "6000"),
    ] {
        let mut books = ledger();
        let worth = fee.parse::<Quantity>().unwrap();
        let worth = "600".parse::<Price>().unwrap().times(worth).unwrap().to_string();
        books.book(&fill(side, quantity, "600", (fee, "BNB", &worth))).unwrap();
        assert_eq!(
            (books.base().to_string(), books.quote().to_string()),
            (base.into(), quote.into()),
            "{side:?} {fee}"
        );
        assert_eq!(books.profit_at("600".parse().unwrap()).unwrap().fees.to_string(), worth);
        net_is_change_of_equity(&books, "592");
    }
}

/// Coins of a sale's fee are sold; of a purchase, as many as it brought never arrive, and have no cost.
#[test]
fn a_fee_in_coins_is_sold_at_a_gain_but_for_coins_that_never_arrive() {
    // 5 coins that cost 600 each; all trades are at 700.
    for (side, quantity, (fee, worth), realized, cost, quote) in [
        (Side::Sell, "1", ("1", "700"), "200", "1800", "3700"),
        (Side::Buy, "1", ("0.5", "350"), "0", "3350", "2300"),
        (Side::Buy, "1", ("1", "700"), "0", "3000", "2300"),
        // More than it brought: of 6 coins that cost 3700, 1.2 are sold.
        (Side::Buy, "1", ("1.2", "840"), "100", "2960", "2300"),
        // What the venue says the coins are worth is what they are sold for, also the last ones.
        (Side::Sell, "4", ("1", "701"), "501", "0", "5800"),
        (Side::Sell, "4", ("2", "1400"), "500", "0", "5100"),
    ] {
        let mut books = ledger();
        books.book(&fill(side, quantity, "700", (fee, "BNB", worth))).unwrap();
        let position = books.positions().next().unwrap();
        let at = position.profit_at("700".parse().unwrap()).unwrap();
        let found = position.worth_at("700".parse().unwrap()).unwrap().minus(at.unrealized).unwrap();
        let told = [at.realized.to_string(), found.to_string(), books.quote().to_string()];
        assert_eq!(told, [realized, cost, quote], "{side:?} {quantity} {fee}");
        net_is_change_of_equity(&books, "592");
    }
}

/// The venue contradicts itself; the gateway's sub-account takes it the same way, or the two would differ for ever.
#[test]
fn no_coins_that_are_said_to_be_worth_something_leave_the_cash_alone() {
    for (side, worth, quote) in [(Side::Sell, "1", "3600"), (Side::Sell, "-1", "3600"), (Side::Buy, "1", "2400")] {
        let mut books = ledger();
        books.book(&fill(side, "1", "600", ("0", "BNB", worth))).unwrap();
        assert_eq!(books.quote().to_string(), quote, "{side:?} {worth}");
        net_is_change_of_equity(&books, "592");
    }
}

#[test]
fn a_fill_that_does_not_fit_changes_nothing() {
    let mut books = ledger();
    let before = books.clone();
    let none = ("0", "USDT", "0");
    let max = "999999999999999";
    for bad in [
        in_market("ETH/USDT", fill(Side::Buy, "1", "600", none)),
        in_market("BNB/BTC", fill(Side::Buy, "1", "600", none)),
        fill(Side::Buy, max, "600", none),
        fill(Side::Buy, "1", "600", ("1", "USDT", "-999999999999999")),
        fill(Side::Buy, "1", "600", ("-1", "BNB", "1")),
        fill(Side::Sell, "5.000000000000000001", "600", none),
        fill(Side::Buy, "999999999999995", "0.000001", none),
    ] {
        let error = books.book(&bad).unwrap_err();
        assert_eq!(books, before, "{error}");
    }
    let error = books.book(&in_market("ETH/USDT", fill(Side::Buy, "1", "600", none))).unwrap_err();
    assert_eq!(error.to_string(), "the fill is in ETH/USDT, the ledger in BNB/USDT");
}

#[test]
fn markets_of_one_currency_share_its_cash_and_their_profits_add_up() {
    let markets = symbols(&["BTC/USDT", "ETH/USDT", "SOL/USDC"]);
    let capital = amounts(&[("USDT", "10000"), ("BTC", "0.1"), ("USDC", "500")]);
    let mut books = Ledger::of(&markets, &capital).unwrap();
    let [usdt, other]: [Asset; 2] = ["USDT", "USDC"].map(|asset| asset.parse().unwrap());
    assert_eq!(books.opening_equity_in(&usdt), Ok(None));
    for (place, price) in [(0, "30000"), (1, "2000"), (2, "20")] {
        books.open_market_at(place, price.parse().unwrap()).unwrap();
    }
    for (symbol, side, quantity, price, fee) in [
        ("ETH/USDT", Side::Buy, "2", "2000", ("4", "USDT", "4")),
        ("BTC/USDT", Side::Sell, "0.05", "32000", ("0.002", "ETH", "4")),
        ("SOL/USDC", Side::Buy, "10", "20", ("0.01", "SOL", "0.2")),
    ] {
        books.book(&in_market(symbol, fill(side, quantity, price, fee))).unwrap();
    }
    let held: Vec<_> = books.holdings().map(|(asset, amount)| format!("{amount} {asset}")).collect();
    assert_eq!(held, ["0.05 BTC", "2 ETH", "9.99 SOL", "7592 USDT", "300 USDC"]);
    let now = prices(&["31000", "1900", "21"]);
    let profit = books.profit_in(&usdt, &now).unwrap();
    let [realized, unrealized, fees, net] = [profit.realized, profit.unrealized, profit.fees, profit.net];
    // 0.05 x 2000 realized; 0.05 x 1000 - 2 x 100 not yet.
    assert_eq!([realized, unrealized, fees, net].map(|sum| sum.to_string()), ["100", "-150", "8", "-58"]);
    for (currency, equity, opening) in [(&usdt, "12942", "13000"), (&other, "509.79", "500")] {
        assert_eq!(books.equity_in(currency, &now).unwrap().to_string(), equity);
        assert_eq!(books.opening_equity_in(currency).unwrap().unwrap().to_string(), opening);
    }
    assert_eq!(books.profit_in(&other, &now).unwrap().net.to_string(), "9.79");
    // The first market is what the engine of one market asks for.
    assert_eq!((books.base().to_string(), books.quote().to_string()), ("0.05".into(), "7592".into()));
    assert_eq!(books.profit_at(now[0]).unwrap(), books.positions().next().unwrap().profit_at(now[0]).unwrap());
}

#[test]
fn what_has_no_profit_in_one_currency_is_refused() {
    let none = amounts(&[]);
    for (markets, why) in [
        (&[][..], "a ledger needs a market; name one such as BTC/USDT"),
        (&["BTC/USDT", "ETH/USDT", "ETH/BTC"][..], "BTC is in both BTC/USDT and ETH/BTC,"),
        (&["ETH/BTC", "BTC/USDT"], "BTC is in both ETH/BTC and BTC/USDT,"),
        (&["BTC/USDT", "BTC/USDC"], "BTC is in both BTC/USDT and BTC/USDC,"),
        (&["BTC/USDT", "BTC/USDT"], "BTC is in both BTC/USDT and BTC/USDT,"),
    ] {
        let error = Ledger::of(&symbols(markets), &none).unwrap_err().to_string();
        assert!(error.starts_with(why), "{error}");
    }
    let markets = symbols(&["BTC/USDT", "ETH/USDT"]);
    let refused = |capital: &[(&str, &str)]| Ledger::of(&markets, &amounts(capital)).unwrap_err().to_string();
    assert_eq!(
        refused(&[("DOGE", "1")]),
        "the capital has DOGE, but the ledger trades BTC/USDT, ETH/USDT; leave it out"
    );
    assert!(refused(&[("BTC", "-1")]).contains("out of range"));

    let mut books = Ledger::of(&markets, &amounts(&[("USDT", "-1")])).unwrap();
    let [usdt, btc]: [Asset; 2] = ["USDT", "BTC"].map(|asset| asset.parse().unwrap());
    let two = prices(&["1", "1"]);
    let error = books.profit_in(&btc, &two).unwrap_err();
    assert_eq!(error.to_string(), "no market of the ledger is priced in BTC; it trades BTC/USDT, ETH/USDT");
    assert_eq!(books.equity_in(&btc, &two).unwrap_err(), error);
    assert_eq!(books.opening_equity_in(&btc).unwrap_err(), error);
    for given in [prices(&["1"]), prices(&["1", "1", "1"])] {
        let expected = LedgerError::Prices { given: given.len(), needed: 2 };
        assert_eq!(books.equity_in(&usdt, &given).unwrap_err(), expected);
        assert_eq!(books.profit_in(&usdt, &given).unwrap_err(), expected);
    }
    assert!(books.open_market_at(2, two[0]).is_err());
}

#[test]
fn books_are_read_as_they_were_saved() {
    let markets = symbols(&["BTC/USDT", "ETH/USDT", "SOL/USDC"]);
    let mut books = Ledger::of(&markets, &amounts(&[("USDT", "100.5"), ("BTC", "1"), ("USDC", "-2")])).unwrap();
    books.open_market_at(0, "30000.0".parse().unwrap()).unwrap();
    books.book(&in_market("BTC/USDT", fill(Side::Sell, "0.25", "30001", ("1", "USDT", "1")))).unwrap();
    let saved = serde_json::to_string(&books).unwrap();
    assert_eq!(
        saved,
        r#"{"cash":[{"asset":"USDT","amount":"7599.75","opening":"100.5"},{"asset":"USDC","amount":"-2","opening":"-2"}],"#.to_owned()
            + r#""positions":[{"symbol":"BTC/USDT","quantity":"0.75","cost":"22500","realized":"0.25","fees":"1","#
            + r#""opening":{"price":"30000.0","quantity":"1"}},"#
            + r#"{"symbol":"ETH/USDT","quantity":"0","cost":"0","realized":"0","fees":"0"},"#
            + r#"{"symbol":"SOL/USDC","quantity":"0","cost":"0","realized":"0","fees":"0"}]}"#
    );
    assert_eq!(serde_json::from_str::<Ledger>(&saved).unwrap(), books);
    let saved: Value = serde_json::from_str(&saved).unwrap();
    assert_eq!(serde_json::from_value::<Ledger>(saved.clone()).unwrap(), books);
    for (path, bad) in [
        ("/positions", json!([])),
        ("/cash", json!([])),
        ("/cash/0/asset", json!("EUR")),
        ("/positions/1/symbol", json!("BTC/USDT")),
        ("/positions/2/symbol", json!("USDT/USDC")),
        ("/positions/0/quantity", json!("-1")),
        ("/positions/0", json!({"symbol": "BTC/USDT"})),
    ] {
        let mut broken = saved.clone();
        *broken.pointer_mut(path).unwrap() = bad;
        assert!(serde_json::from_value::<Ledger>(broken).is_err(), "{path}");
    }
    // The first market's cash is the first.
    let mut turned = saved.clone();
    turned["cash"].as_array_mut().unwrap().reverse();
    assert!(serde_json::from_value::<Ledger>(turned).is_err());
}

#[test]
fn books_of_the_release_before_are_read() {
    let traded = r#"{"symbol":"BNB/USDT","base":"4.011","quote":"3605.1567375","cost":"2406.6","realized":"12.3625","fees":"0.6057625",
        "opening":{"price":"600.00","base":"5","quote":"3000"}}"#;
    let mut expected = Ledger::new("BNB/USDT".parse().unwrap(), "5".parse().unwrap(), "3000".parse().unwrap());
    expected.open_at("600.00".parse().unwrap()).unwrap();
    expected.book(&fill(Side::Sell, "0.989", "612.50", ("0.6057625", "USDT", "0.6057625"))).unwrap();
    let read = |text: &str| serde_json::from_str::<v1::Ledger>(text).map(Ledger::from);
    let again = read(traded).unwrap();
    assert_eq!(again, expected);
    assert_eq!(again.opening().unwrap().price.to_string(), "600.00", "as it was written");
    net_is_change_of_equity(&again, "592");
    let new = r#"{"symbol":"BNB/USDT","base":"5","quote":"3000","cost":"0","realized":"0","fees":"0","opening":null}"#;
    let expected = Ledger::new("BNB/USDT".parse().unwrap(), "5".parse().unwrap(), "3000".parse().unwrap());
    assert_eq!(read(new).unwrap(), expected);
    assert!(read(&new.replace("\"base\":\"5\",", "")).is_err());
    assert!(serde_json::from_str::<Ledger>(new).is_err(), "it is of another version");
}
