//! What an order meets on the paper venue: fees in coins, latency, the size on offer, and the orders not sent.

use super::folder::{Folder, MANIFEST, V1, backtest, prices, ticks, with};
use super::outcome::Outcome;

#[test]
fn a_fee_in_what_is_received_leaves_the_coins_of_a_buy() {
    let manifest = with(MANIFEST, "{takerPercent: 0}", "{takerPercent: \"0.1\", paidIn: Received}");
    let expected = Outcome {
        ticks: 22,
        trades: &[
            (7, "Sell", "612.50", "0.989", "0.6057625"),
            (13, "Buy", "598.40", "1.003", "0.001003 BNB"),
            (20, "Buy", "586.40", "1.013", "0.001013 BNB"),
        ],
        // 5 - 0.989 + 1.003 - 0.001003 + 1.013 - 0.001013
        position: ("6.024984", "2410.9383375"),
        price: "592",
        equity: "5977.7288655",
        base_price: "586.40",
        // The fees as in V1, valued at each fill; net = 5977.7288655 - 6000.
        pnl: ["12.3625", "-32.8336536", "1.7999809", "-22.2711345"],
    };
    assert_eq!(backtest(&manifest, &prices(V1)), expected.line());
}

/// Nothing is traded, so nothing but the price moves.
fn untraded<'a>(ticks: u64, price: &'a str, equity: &'a str, net: &'a str) -> Outcome<'a> {
    Outcome { ticks, trades: &[], position: ("5", "3000"), price, equity, base_price: "600", pnl: ["0", net, "0", net] }
}

#[test]
fn an_order_meets_the_first_tick_after_its_latency() {
    let slow = |latency_ms: u32| with(MANIFEST, "latencyMs: 0", &format!("latencyMs: {latency_ms}"));
    // The turn at 613 sells at 613 or better. 60 s later the bid is 613.50.
    let data = prices("600 612 616 613 613.50 614 612.90");
    let sold = Outcome {
        ticks: 7,
        trades: &[(4, "Sell", "613.50", "0.989", "0")],
        position: ("4.011", "3606.7515"),
        price: "612.9",
        equity: "6065.0934",
        base_price: "613.50",
        // 0.989 x 13.50; 4.011 x 12.90
        pnl: ["13.3515", "51.7419", "0", "65.0934"],
    };
    for latency_ms in [1, 59_999, 60_000] {
        assert_eq!(backtest(&slow(latency_ms), &data), sold.line(), "{latency_ms} ms");
    }
    // A price that has run away: the order expires, and the next turn at 612.60 meets 605, out of the zone.
    let away = prices("600 612 616 613 612.60 605");
    assert_eq!(backtest(&slow(60_000), &away), untraded(6, "605", "6025", "25").line());
    assert_eq!(backtest(MANIFEST, &away).matches("\"price\":\"613.00\"").count(), 1);
}

#[test]
fn an_order_takes_no_more_than_the_size_on_offer() {
    let rows = [
        "600,599.90,600.10,1,1",
        "616,615.90,616.10,1,1",
        // Sells 0.989 at a bid of 612.90 with 0.4 there; the rest is dropped, the base moves to 612.90.
        "613,612.90,613.10,0.4,1",
        "613,612.90,613.10,9,9",
        "630,629.90,630.10,9,9",
        // Sells again, but nothing is there: the chance stands for the next tick.
        "627,626.90,627.10,0,9",
        "626.50,626.40,626.60,9,9",
    ];
    let expected = Outcome {
        ticks: 7,
        trades: &[(2, "Sell", "612.90", "0.4", "0"), (6, "Sell", "626.40", "0.978", "0")],
        position: ("3.622", "3857.7792"),
        price: "626.5",
        equity: "6126.9622",
        base_price: "626.40",
        // 0.4 x 12.90 + 0.978 x 26.40; 3.622 x 26.50
        pnl: ["30.9792", "95.983", "0", "126.9622"],
    };
    assert_eq!(backtest(MANIFEST, &ticks("time,price,bid,ask,bidSize,askSize", rows)), expected.line());
}

#[test]
fn an_order_not_sent_is_shown_with_why() {
    let slipped =
        ticks("time,price,bid,ask", ["600,599.90,600.10", "616,615.90,616.10", "613,612,613.10", "612.90,612.80,613"]);
    let turned = prices("600 616 613 605");
    let large = "gridSizePercent: 2\n      orderPercent: 60";
    let cases = [
        (
            "lotSize: \"0.001\"",
            "lotSize: \"0.001\"",
            &slipped,
            "SlippageTooHigh",
            "612 is further from 613 than maxSlippagePercent allows, 0.1 %; raise it to trade here.",
        ),
        ("gridSizePercent: 2", large, &turned, "InsufficientFunds", "needs 5.936 BNB, has 5; lower orderPercent."),
        (
            "lotSize: \"0.001\"",
            "lotSize: 2",
            &turned,
            "BelowLotSize",
            "the order is less than one lot of 2; raise orderPercent or the capital.",
        ),
        (
            "lotSize: \"0.001\"",
            "lotSize: \"0.001\", minNotional: 1000",
            &turned,
            "BelowMinNotional",
            "the order is worth 606.257 USDT, minNotional is 1000; raise orderPercent or the capital.",
        ),
        (
            "risk: {",
            "risk: {maxOrderNotional: {USDT: 100}, ",
            &turned,
            "MaxOrderNotional",
            "the order is worth 606.257 USDT, maxOrderNotional allows 100; raise it, or lower orderPercent.",
        ),
    ];
    for (old, new, data, reason, why) in cases {
        let folder = Folder::of(&with(MANIFEST, old, new), data);
        let at = if reason == "SlippageTooHigh" { "612.00" } else { "613.00" };
        let told = format!("{reason}: Sell at {at} (high 616.00, turned down 0.4 %): {why}");
        let verbose = folder.worker("run grid.yaml -v");
        assert_eq!(verbose.code, Some(0));
        let lines = [format!("  11-14 22:15  Not sent  {told}"), format!("  1 order not sent: {reason} 1\n")];
        assert!(lines.iter().all(|line| verbose.stderr.contains(line)), "{reason}: {}", verbose.stderr);
        let quiet = folder.worker("run grid.yaml");
        let lines = format!("  1 order not sent: {reason} 1 (-v shows each)\n    first 11-14 22:15  {told}");
        assert!(quiet.stderr.contains(&lines), "{}", quiet.stderr);
        let status = folder.worker("run grid.yaml --output json").stdout;
        assert!(status.contains("\"denied\":1,"), "{reason}: {status}");
    }
}
