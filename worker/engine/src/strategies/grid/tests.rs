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
