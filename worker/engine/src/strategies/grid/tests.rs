//! The grid alone: zones, turns and memory, one price at a time.

use serde_json::json;

use super::*;
use crate::risk::RiskState;

fn grid(parameters: &Value) -> Grid {
    Grid::start(parameters, None).unwrap()
}

fn take(grid: &mut Grid, price: &str, risk: RiskState) -> Choice {
    grid.decide(price.parse().unwrap(), View { now: Timestamp::from_millis(0), risk, order_open: false })
}

/// The side that each price of a path signals, `-` for none.
fn path(grid: &mut Grid, prices: &str) -> String {
    let side = |price| match take(grid, price, RiskState::AllowAll) {
        Choice::Trade(side, _) => side.to_string(),
        Choice::Hold(_) => "-".to_owned(),
    };
    prices.split(' ').map(side).collect::<Vec<_>>().join(" ")
}

#[test]
fn bands_and_turns_are_inclusive() {
    let base = json!({ "basePrice": 600 });
    // 612 is the upper band and 588 the lower one; a turn is 0.4 % of the extreme.
    assert_eq!(path(&mut grid(&base), "611.99 615 612.55 612.54"), "- - - Sell");
    assert_eq!(path(&mut grid(&base), "588 585 587.33 587.34"), "- - - Buy");
}

#[test]
fn each_side_has_its_own_memory() {
    let mut grid = grid(&json!({ "basePrice": 600 }));
    assert_eq!(path(&mut grid, "615 600 585 587.34"), "- - - Buy", "the sell side's zone wipes no low");
    assert_eq!((grid.memory.high, grid.memory.low.map(|low| low.to_string())), (None, Some("585".to_owned())));
}

#[test]
fn leaving_the_zone_forgets_the_extreme() {
    assert_eq!(path(&mut grid(&json!({ "basePrice": 600 })), "620 611 612.50 612.10"), "- - - -");
}

#[test]
fn a_blocked_side_remembers_nothing() {
    let mut grid = grid(&json!({ "basePrice": 600 }));
    take(&mut grid, "615", RiskState::AllowAll);
    assert_eq!(take(&mut grid, "614", RiskState::BuyOnly), Choice::Hold(SELL_BLOCKED));
    assert_eq!(path(&mut grid, "613 612.50"), "- -", "the high of 615 went with the block");
    assert_eq!(grid.memory.high.map(|high| high.to_string()), Some("613".to_owned()));
}

#[test]
fn a_factor_of_nothing_sells_at_the_band() {
    let parameters = json!({ "basePrice": 600, "flipThresholdFactor": 0 });
    assert_eq!(path(&mut grid(&parameters), "611.99 612"), "- Sell");
}

#[test]
fn the_first_price_is_the_base_where_none_is_written() {
    let mut grid = grid(&json!({}));
    assert_eq!(path(&mut grid, "500 510 512 509.95"), "- - - -");
    assert_eq!(grid.outcome()["basePrice"], "500");
    assert_eq!(grid.figures()["upperBand"], "510");
}

#[test]
fn each_reason_has_words() {
    let mut grid = grid(&json!({ "basePrice": 600, "range": {"lowerPrice": 500, "upperPrice": "650.50"} }));
    path(&mut grid, "615");
    for reason in [
        BETWEEN_BANDS,
        WAITING_FOR_FALL,
        WAITING_FOR_RISE,
        TRADE_INTERVAL,
        ORDER_OPEN,
        SELL_BLOCKED,
        BUY_BLOCKED,
        OUTSIDE_RANGE,
    ] {
        assert!(grid.explain(reason).ends_with('.'), "{reason}");
    }
    assert_eq!(grid.explain(WAITING_FOR_FALL), "High 615: sells at 612.54 or below, while at or above 612.");
}

#[test]
fn a_side_that_is_blocked_is_named_where_its_zone_is_reached() {
    let mut grid = grid(&json!({ "basePrice": 600 }));
    for (price, risk, reason) in [
        ("600", RiskState::BuyOnly, BETWEEN_BANDS),
        ("612", RiskState::BuyOnly, SELL_BLOCKED),
        ("588", RiskState::SellOnly, BUY_BLOCKED),
        ("600", RiskState::SellOnly, BETWEEN_BANDS),
    ] {
        assert_eq!(take(&mut grid, price, risk), Choice::Hold(reason), "{price}");
    }
}

#[test]
fn it_says_what_it_is_and_what_it_would_do() {
    let instruments = crate::testkit::Market::USUAL.instrument().into();
    let price = "600".parse().unwrap();
    let mut shares = grid(&json!({ "basePrice": 610, "orderPercent": 25 }));
    assert_eq!(shares.described(&instruments), "grid 2 %, 25 % of equity per order");
    assert_eq!(
        shares.start_line(price, &instruments).as_deref(),
        Some("start 610.00: sells after a turn above 622.20, buys after a turn below 597.80")
    );
    take(&mut shares, "610", RiskState::AllowAll);
    assert_eq!(shares.outlook(price, &instruments).as_deref(), Some("would sell above 622.20, buy below 597.80"));
    let fixed = grid(&json!({ "quantity": "0.5", "gridSizePercent": 1 }));
    assert_eq!(fixed.described(&instruments), "grid 1 %, 0.5 BNB per order");
    assert_eq!(
        fixed.start_line(price, &instruments).as_deref(),
        Some("start 600.00: sells after a turn above 606.00, buys after a turn below 594.00"),
        "from the first price"
    );
    let adaptive = grid(&json!({ "adaptive": {"minPercent": 1, "maxPercent": 3} }));
    assert_eq!(adaptive.described(&instruments), "grid 1 to 3 % by volatility, 10 % of equity per order");
}
