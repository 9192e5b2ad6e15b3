//! Figures for people: as many digits as the market and the size of the account need. No loss reads as nothing or as a
//! gain, and no price loses a digit.

use serde_json::Value;

use super::folder::{Folder, MANIFEST, prices, with};

/// The manifest for another market; its base price is the first one, and the fee 0.1 %.
fn market(symbol: &str, rules: &str, capital: &str) -> String {
    let manifest = with(MANIFEST, "      basePrice: 600\n", "");
    let manifest = with(&manifest, "takerPercent: 0", "takerPercent: \"0.1\"");
    let manifest = with(&manifest, "tickSize: \"0.01\", lotSize: \"0.001\"", rules);
    let manifest = with(&manifest, "BNB/USDT", symbol);
    manifest.replace("USDT: 10000, BNB: 20", capital).replace("USDT: 3000, BNB: 5", capital)
}

/// What `run` says, and the table that it prints.
fn run(manifest: &str, data: &str) -> (String, String) {
    let finished = Folder::of(manifest, data).worker("run grid.yaml");
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    (finished.stderr, finished.stdout)
}

#[track_caller]
fn holds(text: &str, lines: &[&str]) {
    for line in lines {
        assert!(text.contains(line), "no {line:?} in:\n{text}");
    }
}

const DOGE: &str = "0.00000250 0.00000256 0.00000260 0.00000258 0.00000230 0.00000225 0.00000227 0.00000220";

/// net -0.00096447223 = 0.00006296 - 0.00102347 - 0.00000396223, computed apart from the product.
#[test]
fn bitcoins_have_eight_digits() {
    let manifest = market("DOGE/BTC", "tickSize: \"0.00000001\", lotSize: \"1\"", "BTC: \"0.01\", DOGE: 4000");
    let (said, table) = run(&manifest, &prices(DOGE));
    holds(
        &said,
        &[
            "capital 0.01 BTC + 4000 DOGE = 0.02000000 BTC\n",
            "  start 0.00000250: sells after a turn above 0.00000255, buys after a turn below 0.00000245\n",
            "  11-14 22:16  Sell  787 @ 0.00000258  fee 0.00000203   high 0.00000260, turned down 0.4 %\n",
        ],
    );
    holds(
        &table,
        &[
            "   4064 DOGE   -0.00096447 BTC   MarketDataEnded\n",
            "  equity    0.02000000 -> 0.01903553 BTC, -4.82 % (buy-and-hold: -6.00 %); max drawdown 6.69 %\n",
            "  net       -0.00096447 = realized 0.00006296 + unrealized -0.00102347 - fees 0.00000396\n",
            "  holds     4064 DOGE at 0.00000220 + 0.01009473 BTC; would sell above 0.00000232, buy below 0.00000222\n",
        ],
    );
    let json = Folder::of(&manifest, &prices(DOGE)).worker("run grid.yaml --output json").stdout;
    let strategy: Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    let status = &strategy["status"];
    assert_eq!(status["summary"]["netPnl"], "-0.00096447 BTC");
    assert_eq!(status["pnl"]["net"], "-0.00096447223", "what programs read stays exact");
}

/// 0.001 BNB has lost 3 USDT apiece.
#[test]
fn a_small_loss_is_a_loss() {
    let manifest = market("BNB/USDT", "tickSize: \"0.01\", lotSize: \"0.001\"", "USDT: \"0.3\", BNB: \"0.001\"");
    let (said, table) = run(&manifest, &prices("600 599 598 597"));
    holds(&said, &["capital 0.3 USDT + 0.001 BNB = 0.90000 USDT\n"]);
    holds(
        &table,
        &[
            "   0.001 BNB   -0.00300 USDT   MarketDataEnded\n",
            "  equity    0.90000 -> 0.89700 USDT, -0.33 % (buy-and-hold: -0.33 %);",
            "  net       -0.00300 = realized 0.00000 + unrealized -0.00300 - fees 0.00000\n",
        ],
    );
    // Of an ordinary account it is little, and seen all the same.
    let (_, table) = run(
        &market("BNB/USDT", "tickSize: \"0.01\", lotSize: \"0.001\"", "USDT: 6000, BNB: \"0.001\""),
        &prices("600 599 598 597"),
    );
    holds(
        &table,
        &[
            "   -0.0030 USDT   ",
            "  equity    6000.6000 -> 6000.5970 USDT, -0.000050 % (buy-and-hold: -0.000050 %); max drawdown 0.000050 %\n",
            "  net       -0.0030 = realized 0.0000 + unrealized -0.0030 - fees 0.0000\n",
        ],
    );
}

#[test]
fn nothing_has_no_sign() {
    let manifest = market("BNB/USDT", "tickSize: \"0.01\", lotSize: \"0.001\"", "USDT: 3000, BNB: 5");
    let (_, table) = run(&manifest, &prices("600 600"));
    holds(
        &table,
        &[
            "   5 BNB      0.00 USDT   ",
            "  equity    6000.00 -> 6000.00 USDT, 0.00 % (buy-and-hold: 0.00 %); max drawdown 0.00 %\n",
            "  net       0.00 = realized 0.00 + unrealized 0.00 - fees 0.00\n",
        ],
    );
}

/// 0.0197 at 10,240,000 and 0.0202 at 9,850,000, computed apart from the product.
#[test]
fn yen_have_no_fractions_where_their_prices_have_none() {
    let manifest = market("BTC/JPY", "tickSize: 1, lotSize: \"0.0001\"", "JPY: 1000000, BTC: \"0.1\"");
    let moves = "10000000 10250000 10300000 10240000 9900000 9800000 9850000 9700000";
    let (said, table) = run(&manifest, &prices(moves));
    holds(
        &said,
        &[
            "capital 1000000 JPY + 0.1 BTC = 2000000 JPY\n",
            "  11-14 22:16  Sell  0.0197 @ 10240000  fee 202   high 10300000,",
        ],
    );
    holds(
        &table,
        &[
            "   0.1005 BTC   -22793 JPY   ",
            "  equity    2000000 -> 1977207 JPY, -1.14 %",
            "  net       -22793 = realized 4728 + unrealized -27120 - fees 401\n",
            "  holds     0.1005 BTC at 9700000 + 1002357 JPY; would sell above 10047000, buy below 9653000\n",
        ],
    );
}

/// 100000 x 0.0053 + 10 = 540, and no price of it reads as 0.01.
#[test]
fn a_price_finer_than_the_tick_size_keeps_its_digits() {
    let manifest = market("X/USDT", "tickSize: \"0.01\", lotSize: \"1\"", "USDT: 10, X: 100000");
    let manifest = with(&manifest, "risk: {", "risk: {minPositionPercent: 0, maxPositionPercent: 100, ");
    let (said, table) = run(&manifest, &prices("0.0050 0.0052 0.0054 0.0053 0.0048 0.0047 0.0049 0.0054 0.0053"));
    holds(
        &said,
        &[
            "  warning   DataFinerThanRules: 9 ticks have a price between two steps of tickSize 0.01, the first at \
             prices.csv:2: ",
            "write tickSize: \"0.0001\".\n",
            "  start 0.005: sells after a turn above 0.0051, buys after a turn below 0.0049\n",
            "Sell 5400 limit 0.01 has expired: the market was at 0.0053 (NotMarketable).\n",
            "Buy at 0.0049 (low 0.0047, turned up 0.4 %): needs 50.0",
        ],
    );
    holds(
        &table,
        &[
            "  equity    510.00 -> 540.00 USDT, +5.88 %",
            "  holds     100000 X at 0.0053 + 10.00 USDT; would sell above 0.0051, buy below 0.0049\n",
        ],
    );
}

/// A tick size of nine digits is finer than the eight of an average price: the base keeps the digits of the trade.
#[test]
fn a_base_keeps_the_digits_of_the_tick_size() {
    let manifest = market("X/USDT", "tickSize: \"0.000000001\", lotSize: \"1\"", "USDT: 100, X: 1000000000");
    let data = "0.000000012 0.000000013 0.000000014 0.000000013 0.000000011";
    let run = Folder::of(&manifest, &prices(data)).worker("run grid.yaml --output json");
    let status: Value = serde_json::from_str(run.stdout.lines().last().unwrap()).unwrap();
    let status = &status["status"];
    assert_eq!((&status["orders"]["filled"], &status["strategy"]["basePrice"]), (&1.into(), &"0.000000013".into()));
}

#[test]
fn the_table_of_a_backtest_is_exact() {
    let manifest = market("DOGE/BTC", "tickSize: \"0.00000001\", lotSize: \"1\"", "BTC: \"0.01\", DOGE: 4000");
    let table = Folder::of(&manifest, &prices(DOGE)).prints("backtest grid.yaml --data prices.csv --output table");
    holds(
        &table,
        &[
            "       3  2023-11-14 22:16:20  Sell  787 @ 0.00000258  fee 0.00000203046 BTC\n",
            "  net     -0.00096447223 BTC = realized 0.00006296 + unrealized -0.00102347 - fees 0.00000396223\n",
        ],
    );
}
