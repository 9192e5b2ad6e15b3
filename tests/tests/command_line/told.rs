//! What did not happen, and what is odd, is told by `backtest`: on stderr for people, in its JSON for programs.

use serde_json::{Value, json};

use super::folder::{Folder, MANIFEST, START_MS, V1, backtest, prices, ticks, with};

/// What `backtest` prints and says.
fn told(manifest: &str, data: &str) -> (Value, String) {
    let finished = Folder::of(manifest, data).worker("backtest grid.yaml --data prices.csv");
    assert_eq!(finished.code, Some(0), "{finished:?}");
    (serde_json::from_str(&finished.stdout).unwrap(), finished.stderr)
}

fn kinds(result: &Value) -> Vec<&str> {
    result["warnings"].as_array().unwrap().iter().map(|warning| warning["kind"].as_str().unwrap()).collect()
}

const SWING: &str = "600 606 620 612 600 590 580 586 600";

#[test]
fn orders_that_were_not_sent_are_counted_with_the_limit_and_the_remedy() {
    // From 60 USDT of equity each order is about 6 USDT: one chance to sell, one to buy.
    let small = with(
        &with(MANIFEST, "\"0.001\"", "\"0.001\", minNotional: 100"),
        "{USDT: 3000, BNB: 5}",
        "{USDT: 30, BNB: \"0.05\"}",
    );
    let (result, said) = told(&small, &prices(SWING));
    let expected = "grid-bnb-1: 2 orders not sent: BelowMinNotional 2\n  first 11-14 22:16  BelowMinNotional: Sell at 612.00 \
                    (high 620.00, turned down 0.4 %): the order is worth 5.508 USDT, minNotional is 100; raise orderPercent or \
                    the capital.\n";
    assert_eq!(said, expected);
    let counts = json!({"filled": 0, "expired": 0, "rejected": 0, "denied": {"BelowMinNotional": 2}});
    assert_eq!((&result["orders"], &result["trades"], &result["warnings"]), (&counts, &json!([]), &json!([])));
    // Others of its kind.
    for (old, new, reason, why) in [
        (
            "gridSizePercent: 2",
            "gridSizePercent: 2\n      orderPercent: 100",
            "InsufficientFunds",
            "lower orderPercent.",
        ),
        (
            "risk: {",
            "risk: {maxOrderNotional: {USDT: 100}, ",
            "MaxOrderNotional",
            "maxOrderNotional allows 100; raise it,",
        ),
        ("lotSize: \"0.001\"", "lotSize: 10", "BelowLotSize", "less than one lot of 10; raise orderPercent"),
    ] {
        let (result, said) = told(&with(MANIFEST, old, new), &prices(SWING));
        assert_eq!(result["orders"]["denied"], json!({reason: 2}), "{said}");
        assert!(said.contains(&format!("2 orders not sent: {reason} 2\n")) && said.contains(why), "{said}");
    }
}

#[test]
fn orders_that_expired_are_counted_and_say_where_the_market_was() {
    let slow = with(MANIFEST, "latencyMs: 0", "latencyMs: 30000");
    let (result, said) = told(&slow, &prices("600 590 580 584 620 621 600 590 580 584 640"));
    let expected = "grid-bnb-1: 2 orders expired\n  first 11-14 22:17  Buy 1.013 limit 584.00 has expired: the market was at \
                    620.00 (NotMarketable).\n";
    assert_eq!(said, expected);
    let counts = json!({"filled": 0, "expired": 2, "rejected": 0, "denied": {}});
    assert_eq!((&result["orders"], &result["trades"]), (&counts, &json!([])));
}

#[test]
fn a_side_that_the_quote_has_empty_denies_with_no_quote_and_is_counted() {
    let rows = ["600,599.90,600.10", "616,615.90,616.10", "613,0,613.10", "612.90,612.80,613"];
    let (result, said) = told(MANIFEST, &ticks("time,price,bid,ask", rows));
    assert_eq!((kinds(&result), &result["orders"]["denied"]), (vec!["EmptyQuotes"], &json!({"NoQuote": 1})));
    let expected = "warning: EmptyQuotes: 1 tick has nobody on one side of the quote, the first at prices.csv:4: an order to that side is \
                    denied there (NoQuote).\ngrid-bnb-1: 1 order not sent: NoQuote 1\n  first 11-14 22:15  NoQuote: Sell at \
                    613.00 (high 616.00, turned down 0.4 %): nobody buys: the quote has no bid.\n";
    assert_eq!(said, expected);
    assert_eq!(result["trades"][0]["price"], "612.80", "the chance stands until somebody buys");
}

#[test]
fn prices_finer_than_the_tick_size_are_warned_of_with_the_size_that_fits() {
    let fine = with(MANIFEST, "lotSize: \"0.001\"", "lotSize: 1");
    let data = prices("0.0050 0.0052 0.0054 0.0053 0.0048 0.0047 0.0049 0.0054 0.0053");
    let free = with(&fine, "basePrice: 600\n      ", "");
    let (result, said) = told(&free, &data);
    let message = "9 ticks have a price between two steps of tickSize 0.01, the first at prices.csv:2: orders are rounded to \
                   tickSize, so they trade at worse prices, or never. If the data are right, write tickSize: \"0.0001\".";
    assert_eq!(result["warnings"], json!([{"kind": "DataFinerThanRules", "message": message}]));
    assert!(said.starts_with(&format!("warning: DataFinerThanRules: {message}\n")), "{said}");
    // And that size does fit.
    let (result, _) = told(&with(&free, "tickSize: \"0.01\"", "tickSize: \"0.0001\""), &data);
    assert_eq!(result["warnings"], json!([]));
}

#[test]
fn backtest_warns_of_what_run_warns_of() {
    let cheap = with(&with(MANIFEST, "{takerPercent: 0}", "{takerPercent: \"0.1\"}"), "Percent: 2", "Percent: \"0.1\"");
    let (result, said) = told(&cheap, &prices(V1));
    let message = "A round trip costs 0.2 % in fees and gains 0.1 % at most: raise gridSizePercent.";
    assert_eq!(result["warnings"], json!([{"kind": "GridBelowFees", "message": message}]));
    assert!(said.starts_with(&format!("warning: grid-bnb-1: GridBelowFees: {message}\n")), "{said}");

    let (result, said) = told(&with(MANIFEST, "basePrice: 600", "basePrice: 60"), &prices(V1));
    assert_eq!(kinds(&result), ["BasePriceFar"]);
    assert!(
        said.starts_with(
            "warning: grid-bnb-1: BasePriceFar: basePrice 60 lies 90.00 % from the first price 600: correct"
        ),
        "{said}"
    );

    let candle = |minute: i64| format!("{},600,600,600,600,1\n", START_MS + 60_000 * minute);
    let candles: String = [0, 1, 502].into_iter().map(candle).collect();
    let (result, said) = told(MANIFEST, &format!("open_time_ms,open,high,low,close,volume\n{candles}"));
    assert_eq!((kinds(&result), &result["data"]), (vec!["MissingCandles"], &json!({"ticks": 12, "missing": 500})));
    assert!(
        said.starts_with(
            "warning: MissingCandles: 500 candles are missing in 1 place, the first before prices.csv:4: "
        ),
        "{said}"
    );
}

#[test]
fn a_result_without_anything_odd_says_nothing_and_has_its_hashes() {
    let (result, said) = told(MANIFEST, &prices(V1));
    assert_eq!(
        (said.as_str(), &result["warnings"], &result["data"]),
        ("", &json!([]), &json!({"ticks": 22, "missing": 0}))
    );
    let hash = |text: String| engine::running_hash::RunningHash::of(&text);
    let normal = |price: &'static str| match price.split_once('.') {
        Some(_) => price.trim_end_matches('0').trim_end_matches('.'),
        None => price,
    };
    let line = |(price, minute): (&'static str, i64)| {
        format!("BNB/USDT,{},{},,,,,0\n", START_MS + 60_000 * minute, normal(price))
    };
    let lines: String = V1.split_whitespace().zip(0..).map(line).collect();
    assert_eq!(result["hashes"]["data"], hash(lines));
    assert_eq!(result["hashes"]["program"], hash(format!("{}\ngrid\n", env!("CARGO_PKG_VERSION"))));
    // Capital is no parameter, what is written as its default neither; another order size is one.
    let parameters = |manifest: &str| told(manifest, &prices(V1)).0["hashes"]["parameters"].clone();
    let same = with(&with(MANIFEST, "BNB: 5}", "BNB: 4}"), "Percent: 2", "Percent: 2\n      orderPercent: 10");
    assert_eq!(parameters(&same), result["hashes"]["parameters"]);
    assert_ne!(parameters(&with(&same, "orderPercent: 10", "orderPercent: 11")), result["hashes"]["parameters"]);
    assert_eq!(backtest(MANIFEST, &prices(V1)), backtest(MANIFEST, &prices(V1)));
}
