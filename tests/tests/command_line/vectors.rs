//! The worked vectors of the grid, to the last digit.

use super::folder::{Folder, MANIFEST, STEP_MS, V1, backtest, figures, prices, strategy_of, ticks, with};
use super::outcome::Outcome;

/// V1 as the contract prints it.
pub const V1_LINE: &str = "{\"strategy\":\"grid-bnb-1\",\"ticks\":22,\"trades\":[\
    {\"index\":7,\"time\":1700000420000,\"symbol\":\"BNB/USDT\",\"side\":\"Sell\",\"price\":\"612.50\",\
    \"quantity\":\"0.989\",\"fee\":\"0\",\"feeAsset\":\"USDT\"},\
    {\"index\":13,\"time\":1700000780000,\"symbol\":\"BNB/USDT\",\"side\":\"Buy\",\"price\":\"598.40\",\
    \"quantity\":\"1.003\",\"fee\":\"0\",\"feeAsset\":\"USDT\"},\
    {\"index\":20,\"time\":1700001200000,\"symbol\":\"BNB/USDT\",\"side\":\"Buy\",\"price\":\"586.40\",\
    \"quantity\":\"1.013\",\"fee\":\"0\",\"feeAsset\":\"USDT\"}],\
    \"final\":{\"position\":{\"BNB\":\"6.027\",\"USDT\":\"2411.5441\"},\"price\":\"592\",\"equity\":\"5979.5281\",\
    \"strategy\":{\"basePrice\":\"586.40\"}},\
    \"pnl\":{\"currency\":\"USDT\",\"realized\":\"12.3625\",\"unrealized\":\"-32.8344\",\"fees\":\"0\",\
    \"funding\":\"0\",\"net\":\"-20.4719\"}}\n";

const V1_OUTCOME: Outcome<'_> = Outcome {
    ticks: 22,
    trades: &[
        (7, "Sell", "612.50", "0.989", "0"),
        (13, "Buy", "598.40", "1.003", "0"),
        (20, "Buy", "586.40", "1.013", "0"),
    ],
    position: ("6.027", "2411.5441"),
    price: "592",
    equity: "5979.5281",
    base_price: "586.40",
    pnl: ["12.3625", "-32.8344", "0", "-20.4719"],
};

fn capital(base: &str, quote: &str) -> String {
    with(MANIFEST, "capital: {USDT: 3000, BNB: 5}", &format!("capital: {{USDT: {quote}, BNB: \"{base}\"}}"))
}

/// The same with a fee of a tenth of a percent, paid in quote.
pub fn with_fee(manifest: &str) -> String {
    with(manifest, "takerPercent: 0", "takerPercent: \"0.1\"")
}

#[test]
fn v1() {
    assert_eq!(V1_OUTCOME.line(), V1_LINE, "the other vectors' lines are made in this way");
    assert_eq!(backtest(MANIFEST, &prices(V1)), V1_LINE);
    let fees = Outcome {
        trades: &[
            (7, "Sell", "612.50", "0.989", "0.6057625"),
            (13, "Buy", "598.40", "1.003", "0.6001952"),
            (20, "Buy", "586.40", "1.013", "0.5940232"),
        ],
        position: ("6.027", "2409.7441191"),
        equity: "5977.7281191",
        pnl: ["12.3625", "-32.8344", "1.7999809", "-22.2718809"],
        ..V1_OUTCOME
    };
    assert_eq!(backtest(&with_fee(MANIFEST), &prices(V1)), fees.line());
}

#[test]
fn v1_with_every_tick_twice() {
    let rows = prices(V1);
    let (header, rows) = rows.split_once('\n').unwrap();
    let twice: String = rows.lines().flat_map(|row| [row, "\n", row, "\n"]).collect();
    let expected = Outcome { ticks: 44, ..V1_OUTCOME }.line_of(2, STEP_MS);
    assert_eq!(backtest(MANIFEST, &format!("{header}\n{twice}")), expected);
}

#[test]
fn v1_with_quotes_that_equal_the_price() {
    let rows: Vec<String> = V1.split(' ').filter(|row| !row.is_empty()).map(|p| format!("{p},{p},{p},7")).collect();
    let data = ticks("time,price,bid,ask,volume", rows.iter().map(String::as_str));
    assert_eq!(backtest(MANIFEST, &data), V1_LINE);
}

#[test]
fn v1_without_an_account_is_free_and_says_so() {
    let finished = Folder::of(strategy_of(MANIFEST), &prices(V1)).worker("backtest grid.yaml --data prices.csv");
    assert_eq!(finished.code, Some(0));
    assert_eq!(figures(&finished.stdout), V1_LINE);
    assert_eq!(finished.stderr, "account paper is not in this file: paper, fee 0\n");
}

#[test]
#[allow(clippy::cast_precision_loss, reason = "small whole numbers are exact")]
fn v3_a_sine() {
    let price = |index: u32| {
        let turn = std::f64::consts::TAU * f64::from(index) / 200.0;
        format!("{:.2}", 600.0 * (1.0 + 0.06 * turn.sin()))
    };
    let path: Vec<String> = (0..=1000).map(price).collect();
    let data = prices(&path.join(" "));
    let free = Outcome {
        ticks: 1001,
        trades: &[
            (63, "Sell", "633.04", "0.973", "0"),
            (162, "Buy", "566.53", "1.04", "0"),
            (263, "Sell", "633.04", "0.984", "0"),
            (362, "Buy", "566.53", "1.052", "0"),
            (463, "Sell", "633.04", "0.995", "0"),
            (562, "Buy", "566.53", "1.064", "0"),
            (663, "Sell", "633.04", "1.007", "0"),
            (762, "Buy", "566.53", "1.076", "0"),
            (863, "Sell", "633.04", "1.018", "0"),
            (962, "Buy", "566.53", "1.087", "0"),
        ],
        position: ("5.342", "3137.26701"),
        price: "600",
        equity: "6342.46701",
        base_price: "566.53",
        pnl: ["220.65640271", "121.81060729", "0", "342.46701"],
    };
    assert_eq!(backtest(MANIFEST, &data), free.line());
    let fees = Outcome {
        trades: &[
            (63, "Sell", "633.04", "0.973", "0.61594792"),
            (162, "Buy", "566.53", "1.04", "0.5891912"),
            (263, "Sell", "633.04", "0.984", "0.62291136"),
            (362, "Buy", "566.53", "1.052", "0.59598956"),
            (463, "Sell", "633.04", "0.995", "0.6298748"),
            (562, "Buy", "566.53", "1.063", "0.60222139"),
            (663, "Sell", "633.04", "1.006", "0.63683824"),
            (762, "Buy", "566.53", "1.075", "0.60901975"),
            (863, "Sell", "633.04", "1.017", "0.64380168"),
            (962, "Buy", "566.53", "1.086", "0.61525158"),
        ],
        position: ("5.341", "3131.53947252"),
        equity: "6336.13947252",
        pnl: ["220.54514655", "121.75537345", "6.16104748", "336.13947252"],
        ..free
    };
    assert_eq!(backtest(&with_fee(MANIFEST), &data), fees.line());
}

#[test]
fn v4_with_too_many_coins_only_sells() {
    let data = prices("600 588 585 587.40 580 575 577.30 600 612 616 613 612.10");
    let free = Outcome {
        ticks: 12,
        trades: &[(10, "Sell", "613.00", "1.015", "0")],
        position: ("8.485", "1022.195"),
        price: "612.1",
        equity: "6215.8635",
        base_price: "613.00",
        pnl: ["13.195", "102.6685", "0", "115.8635"],
    };
    assert_eq!(backtest(&capital("9.5", "400"), &data), free.line());
    let fees = Outcome {
        trades: &[(10, "Sell", "613.00", "1.015", "0.622195")],
        position: ("8.485", "1021.572805"),
        equity: "6215.241305",
        pnl: ["13.195", "102.6685", "0.622195", "115.241305"],
        ..free
    };
    assert_eq!(backtest(&with_fee(&capital("9.5", "400")), &data), fees.line());
}

#[test]
fn v5_with_too_few_coins_only_buys() {
    let data = prices("600 612 616 613 600 588 585 587.40 600");
    let free = Outcome {
        ticks: 9,
        trades: &[(7, "Buy", "587.40", "1.026", "0")],
        position: ("1.926", "4897.3276"),
        price: "600",
        equity: "6052.9276",
        base_price: "587.40",
        pnl: ["0", "12.9276", "0", "12.9276"],
    };
    assert_eq!(backtest(&capital("0.9", "5500"), &data), free.line());
    let fees = Outcome {
        trades: &[(7, "Buy", "587.40", "1.026", "0.6026724")],
        position: ("1.926", "4896.7249276"),
        equity: "6052.3249276",
        pnl: ["0", "12.9276", "0.6026724", "12.3249276"],
        ..free
    };
    assert_eq!(backtest(&with_fee(&capital("0.9", "5500")), &data), fees.line());
}
