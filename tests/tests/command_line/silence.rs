//! Nothing happens in silence: of orders that did not trade each run tells how many, why, and what to do.

use super::folder::{Folder, MANIFEST, prices, strategy_of, with};

/// Sells at 612 after a high of 620, buys at 586 after a low of 580.
const MOVES: &str = "600 606 620 612 600 590 580 586 600";

/// What is said after the head, without the time that the run took.
fn told(folder: &Folder, arguments: &str) -> String {
    let finished = folder.worker(arguments);
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    let (_, told) = finished.stderr.split_once("  start 600.00: ").expect("a start line");
    let (_, told) = told.split_once('\n').expect("lines after it");
    let (told, _) = told.split_once("  data ended: ").expect("an end");
    told.to_owned()
}

#[test]
fn orders_below_the_minimum_are_counted_and_the_first_is_told() {
    let manifest = with(MANIFEST, "lotSize: \"0.001\"", "lotSize: \"0.001\", minNotional: \"100\"");
    let manifest = with(&manifest, "capital: {USDT: 3000, BNB: 5}", "capital: {USDT: 30, BNB: \"0.05\"}");
    let folder = Folder::of(&manifest, &prices(MOVES));
    let sell = "BelowMinNotional: Sell at 612.00 (high 620.00, turned down 0.4 %): the order is worth 5.508";
    let buy = "BelowMinNotional: Buy at 586.00 (low 580.00, turned up 0.4 %): the order is worth 5.86";
    let said = told(&folder, "run grid.yaml");
    let lines = format!("  2 orders not sent: BelowMinNotional 2 (-v shows each)\n    first 11-14 22:16  {sell}");
    assert!(said.starts_with(&lines) && said.lines().count() == 2, "{said}");
    let all = told(&folder, "run grid.yaml -v");
    for line in [
        format!("  11-14 22:16  Not sent  {sell}"),
        format!("  11-14 22:20  Not sent  {buy}"),
        "  2 orders not sent: BelowMinNotional 2\n".to_owned(),
    ] {
        assert!(all.contains(&line), "no {line:?} in:\n{all}");
    }
}

#[test]
fn an_order_that_the_market_ran_away_from_is_told_with_its_limit_and_the_market() {
    let folder = Folder::of(
        &with(MANIFEST, "latencyMs: 0", "latencyMs: 30000"),
        &prices("600 590 580 584 620 621 600 590 580 584 640"),
    );
    let first = "Buy 1.013 limit 584.00 has expired: the market was at 620.00 (NotMarketable).";
    assert_eq!(
        told(&folder, "run grid.yaml"),
        format!("  2 orders expired (-v shows each)\n    first 11-14 22:17  {first}\n")
    );
    let all = told(&folder, "run grid.yaml -v");
    for line in [
        format!("  11-14 22:17  Expired  {first}\n"),
        "  11-14 22:23  Expired  Buy 1.013 limit 584.00 has expired: the market was at 640.00 (NotMarketable).\n"
            .to_owned(),
        "  2 orders expired\n".to_owned(),
    ] {
        assert!(all.contains(&line), "no {line:?} in:\n{all}");
    }
}

#[test]
fn what_the_offer_could_not_fill_is_told() {
    let data = super::folder::ticks(
        "time,price,bid,ask,bidSize,askSize",
        ["600,600,600,9,9", "620,620,620,9,9", "612,612,612,0,9", "630,630,630,9,9"],
    );
    let all = told(&Folder::of(MANIFEST, &data), "run grid.yaml");
    let line = "first 11-14 22:15  Sell 0.99 limit 612.00 has expired: 0 was on offer at the best price, less than one lot of \
         0.001 (NoSize).\n";
    assert!(all.contains(line), "{all}");
}

/// An order of which a part has traded is a filled one; what of it did not trade is told all the same.
#[test]
fn what_an_order_could_trade_in_part_is_told() {
    let rows = ["600,600,600,9,9", "620,620,620,9,9", "612,612,612,0.257,9", "612,612,612,9,9"];
    let data = super::folder::ticks("time,price,bid,ask,bidSize,askSize", rows);
    let folder = Folder::of(&with(MANIFEST, "lotSize: \"0.001\"", "lotSize: \"0.1\""), &data);
    let why =
        "Sell 0.9 limit 612.00 has expired after 0.2 had traded: 0.257 was on offer at the best price (NoSize).\n";
    let lines = format!("  1 order traded in part (-v shows each)\n    first 11-14 22:15  {why}");
    let said = told(&folder, "run grid.yaml");
    assert!(said.ends_with(&lines), "{said}");
    let all = told(&folder, "run grid.yaml -v");
    assert!(all.contains(&format!("  11-14 22:15  In part  {why}")), "{all}");
    let backtest = folder.worker("backtest grid.yaml --data prices.csv");
    assert!(backtest.stderr.contains("grid-bnb-1: 1 order traded in part\n"), "{}", backtest.stderr);
}

#[test]
fn an_order_that_the_end_of_the_data_overtook_is_told() {
    let folder = Folder::of(&with(MANIFEST, "latencyMs: 0", "latencyMs: 60000"), &prices("600 606 620 612"));
    let said = told(&folder, "run grid.yaml");
    let line = "Sell 0.99 limit 612.00 has expired: the data ended before it arrived (MarketDataEnded).\n";
    assert!(said.contains("  1 order expired") && said.contains(line) && !said.contains("no trade"), "{said}");
}

/// Why there was no trade, where not even an order was wanted; by strategy where there are several.
#[test]
fn a_strategy_that_did_nothing_says_why() {
    let folder = Folder::of(MANIFEST, &prices("600 601 600"));
    let why = "no trade: PriceBetweenBands: Sells after a turn above 612, buys after a turn below 588.\n";
    assert_eq!(told(&folder, "run grid.yaml"), format!("  {why}"));
    let paused = strategy_of(MANIFEST).replace("grid-bnb-1", "second") + "  state: Paused\n";
    folder.write("grid.yaml", format!("{MANIFEST}---\n{paused}"));
    let finished = folder.worker("run grid.yaml");
    for line in [
        format!("  grid-bnb-1  {why}"),
        "  second      no trade: Paused: Paused on request: follows prices, sends no order.\n".to_owned(),
    ] {
        assert!(finished.stderr.contains(&line), "no {line:?} in:\n{}", finished.stderr);
    }
}

#[test]
fn a_strategy_that_looks_back_further_than_the_data_reach_says_how_much_is_there() {
    let looks_back = "positionControl:\n      lookBackDays: 52\n";
    let manifest = with(MANIFEST, "grid:\n      basePrice: 600\n      gridSizePercent: 2\n", looks_back);
    let why = "no trade: WarmingUp: 0 of 52 bars of 1d of BNB/USDT are there; nothing is traded before all are.\n";
    let finished = Folder::of(&manifest, &prices("600 500 700")).worker("run grid.yaml");
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    assert!(finished.stderr.contains(&format!("  {why}")), "{}", finished.stderr);
}

#[test]
fn a_run_in_which_all_went_well_says_no_more_than_before() {
    let said = told(&Folder::of(MANIFEST, &prices("600 620 612 600")), "run grid.yaml");
    assert_eq!(said.lines().count(), 1, "one trade: {said}");
}
