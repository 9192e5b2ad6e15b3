//! The sub-accounts: exact in every asset a fee can be in, and closed for good once they cannot be.

use engine::messages::{Fill, Transfer};
use engine::numbers::Notional;
use serde_json::{Value, json};

use super::super::sub_account::{Need, SubAccount};
use super::command;
use crds::roles::BookSpec;

fn opening() -> SubAccount {
    let spec = json!({"strategy": "grid", "ledger": "abc", "capital": {"USDT": 3000, "BNB": 5}, "tickSizes": {}});
    SubAccount::opening(&serde_json::from_value::<BookSpec>(spec).unwrap()).unwrap()
}

fn fill(changes: &Value) -> Fill {
    let mut fill = json!({
        "strategy": "grid", "ledger": "abc", "clientOrderId": "glm-abc-1", "venueOrderId": "1", "tradeId": "t1",
        "symbol": "BNB/USDT", "side": "Buy", "quantity": "0.333", "price": "600.50", "cumulativeQuantity": "0.333",
        "fee": "0", "feeAsset": "USDT", "feeQuote": "0", "liquidity": "Taker", "time": 0,
    });
    for (name, value) in changes.as_object().unwrap() {
        fill[name] = value.clone();
    }
    serde_json::from_value(fill).unwrap()
}

#[test]
fn a_fee_leaves_the_asset_it_is_paid_in_and_one_in_a_third_asset_is_owed_in_quote() {
    let cases = [
        (json!({"side": "Buy"}), "5.333", "2800.0335"),
        (json!({"side": "Sell"}), "4.667", "3199.9665"),
        (json!({"fee": "0.2", "feeAsset": "USDT", "feeQuote": "0.2"}), "5.333", "2799.8335"),
        (json!({"fee": "0.000333", "feeAsset": "BNB", "feeQuote": "0.2"}), "5.332667", "2800.0335"),
        (json!({"fee": "0.01", "feeAsset": "ETH", "feeQuote": "0.2"}), "5.333", "2799.8335"),
        // All of it sold, or nearly: what the coins cannot pay of a fee in coins is owed in quote.
        (
            json!({"side": "Sell", "quantity": "5", "fee": "0.005", "feeAsset": "BNB", "feeQuote": "3.0025"}),
            "0",
            "5999.4975",
        ),
        (
            json!({"side": "Sell", "quantity": "4.998", "fee": "0.005", "feeAsset": "BNB", "feeQuote": "3.0025"}),
            "0",
            "5999.4975",
        ),
        (json!({"quantity": "0.001", "fee": "0.005", "feeAsset": "BNB", "feeQuote": "3.0025"}), "4.996", "2999.3995"),
    ];
    for (changes, coins, cash) in cases {
        let mut book = opening();
        book.apply(&fill(&changes));
        let saved = serde_json::to_value(&book).unwrap();
        assert_eq!(saved, json!({"amounts": {"BNB": coins, "USDT": cash}}), "{changes}");
        assert_eq!(serde_json::from_value::<SubAccount>(saved).unwrap(), book);
    }
}

/// Only data finer than the rules make figures of more than 18 digits after the point: they are rounded once.
#[test]
fn a_trade_of_long_figures_is_booked_in_18_digits() {
    let mut book = opening();
    let long =
        json!({"price": "0.123456789", "quantity": "123456.123456789", "feeQuote": "0.1234567890123456789012345678"});
    book.apply(&fill(&long));
    let saved = serde_json::to_value(&book).unwrap();
    // 3000 - 15241.496584362750190521 - 0.123456789012345679
    assert_eq!(saved, json!({"amounts": {"BNB": "123461.123456789", "USDT": "-12241.6200411517625362"}}));
}

#[test]
fn a_trade_out_of_range_closes_the_book_and_changes_no_amount() {
    let mut book = opening();
    book.apply(&fill(&json!({"price": "999999999999", "quantity": "1001"})));
    let saved = serde_json::to_value(&book).unwrap();
    assert_eq!(saved["amounts"], json!({"BNB": "5", "USDT": "3000"}));
    assert!(saved["broken"].as_str().unwrap().starts_with("trade t1 cannot be booked: "), "{saved}");
    let book: SubAccount = serde_json::from_value(saved).unwrap();
    assert_eq!(
        book.check(&need(&json!({"side": "Sell", "quantity": "0.1"})).unwrap(), Some(Notional::ZERO)),
        Err("BookBroken")
    );
}

fn need(changes: &Value) -> Result<Need, &'static str> {
    let engine::messages::CommandKind::Create(order) = command("abc", 1, 0, changes).kind else {
        panic!("not an order");
    };
    Need::of(&"BNB/USDT".parse().unwrap(), &order, order.quantity, &engine::orders::Terms::default())
}

#[test]
fn a_market_buy_needs_a_worst_price() {
    assert_eq!(need(&json!({"price": null})).err(), Some("NoWorstPrice"));
    // A sale takes coins, whatever their price.
    let sale = need(&json!({"price": null, "side": "Sell"})).unwrap();
    assert_eq!(opening().check(&sale, Some(Notional::ZERO)), Ok(()));
    let bounded = need(&json!({"orderType": "Market", "price": "3000.01"})).unwrap();
    assert_eq!(opening().check(&bounded, Some(Notional::ZERO)), Err("InsufficientBook"));
}

#[test]
fn a_transfer_is_followed_once_and_in_its_order() {
    let transfer = |number: u64, asset: &str, amount: &str| Transfer {
        number,
        asset: asset.parse().unwrap(),
        amount: amount.parse().unwrap(),
    };
    let mut book = opening();
    assert!(!book.follow(&transfer(2, "USDT", "7")), "the first is missing");
    assert!(book.follow(&transfer(1, "USDT", "500")) && !book.follow(&transfer(1, "USDT", "500")));
    assert!(book.follow(&transfer(2, "BNB", "-1.5")));
    let saved = serde_json::to_value(&book).unwrap();
    let expected = json!({
        "amounts": {"BNB": "3.5", "USDT": "3500"}, "transfers": 2, "transferred": {"BNB": "-1.5", "USDT": "500"},
    });
    assert_eq!(saved, expected);
    assert_eq!(serde_json::from_value::<SubAccount>(saved).unwrap(), book);
    assert!(book.follow(&transfer(3, "USDT", "999999999999999")));
    assert_eq!((book.transfers(), book.holdings()), (2, None), "what cannot be counted closes the book");
}
