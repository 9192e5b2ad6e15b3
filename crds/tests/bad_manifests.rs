//! Each thing that can be wrong with a manifest, and the whole message that says so.

#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used, reason = "tests may stop at the first surprise")]

#[path = "bad_manifests/limits.rs"]
mod limits;
#[path = "bad_manifests/markets.rs"]
mod markets;

use crds::manifest::{read, read_files};

/// A valid strategy, one field to a line, so that a case can replace a line and name its number.
const STRATEGY: &str = "\
apiVersion: glm.trading/v1alpha1
kind: TradingStrategy
metadata:
  name: grid-1
spec:
  accountRef:
    name: paper
  instruments:
    - symbol: BNB/USDT
  capital:
    USDT: 3000
  strategy:
    grid:
      gridSizePercent: 2
      minTradeIntervalSeconds: 30
  risk:
    maxOrdersPerMinute: 10
  state: Running
";

/// A valid account in the same form.
const ACCOUNT: &str = "\
apiVersion: glm.trading/v1alpha1
kind: TradingAccount
metadata:
  name: paper
spec:
  venue:
    paper:
      balances:
        USDT: 10000
      fees:
        takerPercent: \"0.1\"
        paidIn: Quote
      latencyMs: 0
  marketData:
    replay:
      file: prices.csv
      speed: 1
      repeat: false
";

/// `text` with its line `number` replaced; a replacement may have several lines, or none.
fn with_line(text: &str, number: usize, replacement: &str) -> String {
    let line =
        |(index, line): (usize, &str)| if index + 1 == number { replacement.to_owned() } else { format!("{line}\n") };
    text.lines().enumerate().map(line).collect()
}

fn errors(text: &str) -> String {
    read("bad.yaml", text).expect_err(text).to_string()
}

fn check(base: &str, cases: &[(usize, &str, &str)]) {
    assert!(read("good.yaml", base).is_ok(), "{:?}", read("good.yaml", base));
    for (number, replacement, expected) in cases {
        let text = with_line(base, *number, &format!("{replacement}\n"));
        assert_eq!(errors(&text), *expected, "\n{text}");
    }
}

#[test]
fn decimals_are_integers_or_quoted() {
    let at = "bad.yaml:14: spec.strategy.grid.gridSizePercent:";
    for (value, message) in [
        ("2.5", "2.5 is a float; write \"2.5\""),
        ("2.0", "2.0 is a float; write \"2.0\""),
        (".5", ".5 is a float; write \"0.5\""),
        ("1e1", "1e1 is a float; write \"10\""),
        ("010", "010 is not a plain number; write \"10\""),
        ("+5", "+5 is not a plain number; write \"5\""),
        ("1_0", "1_0 is not a plain number; write \"10\""),
        ("0x10", "0x10 is not a plain number; write \"16\""),
        ("-5", "-5 is negative; write 0 or more"),
        ("\"-5\"", "\"-5\" is negative; write 0 or more"),
        ("~", "has no value; write one, or leave the field out"),
        ("null", "has no value; write one, or leave the field out"),
        ("", "has no value; write one, or leave the field out"),
        ("yes", "yes is not a number; write it like 600 or \"612.50\""),
        ("two", "two is not a number; write it like 600 or \"612.50\""),
        ("[2]", "a list is not a number; write it like 600 or \"612.50\""),
        ("{a: 2}", "a map is not a number; write it like 600 or \"612.50\""),
        (
            "\"1e1\"",
            "\"1e1\" is not a plain decimal; write it like 600 or \"612.50\", with at most 15 digits before and 9 after \
             the point",
        ),
        (
            "\"5.\"",
            "\"5.\" is not a plain decimal; write it like 600 or \"612.50\", with at most 15 digits before and 9 after the \
             point",
        ),
        (
            "\" 5\"",
            "\" 5\" is not a plain decimal; write it like 600 or \"612.50\", with at most 15 digits before and 9 after the \
             point",
        ),
        ("\"0.0100000000\"", "\"0.0100000000\" has more than 9 digits after the point; write \"0.01\""),
        ("5.000000000000", "5.000000000000 has more than 9 digits after the point; write \"5\""),
        ("\"100.00000000000\"", "\"100.00000000000\" has more than 9 digits after the point; write \"100\""),
        ("\"2.1234567891\"", "\"2.1234567891\" has more than 9 digits after the point; round it to 9"),
        (
            "\"0.0000000001\"",
            "\"0.0000000001\" has more than 9 digits after the point, and numbers so small are not supported; count the \
             coin in thousands: trade a symbol such as 1000X/USDT, with prices times 1000 and quantities divided by 1000",
        ),
        (
            "1234567890123456",
            "1234567890123456 is not a plain decimal; write it like 600 or \"612.50\", with at most 15 digits before and \
             9 after the point",
        ),
        ("51", "51 is out of range; write 0.01 to 50, in quotes if it has a point"),
        ("0", "0 is out of range; write 0.01 to 50, in quotes if it has a point"),
    ] {
        let text = with_line(STRATEGY, 14, &format!("      gridSizePercent: {value}\n"));
        assert_eq!(errors(&text), format!("{at} {message}"), "{value}");
    }
}

#[test]
fn fields_of_a_strategy() {
    check(
        STRATEGY,
        &[
            (
                14,
                "      gridSize: 2",
                "bad.yaml:14: spec.strategy.grid.gridSize: unknown field; did you mean gridSizePercent?",
            ),
            (
                14,
                "      stopLoss: 2",
                "bad.yaml:14: spec.strategy.grid.stopLoss: unknown field; known here: adaptive, basePrice, flipThresholdFactor, \
                 gridSizePercent, maxSlippagePercent, minTradeIntervalSeconds, orderPercent, quantity, range",
            ),
            (
                15,
                "      gridSizePercent: 3",
                "bad.yaml:15: spec.strategy.grid.gridSizePercent: written twice, first on line 14; keep one",
            ),
            (
                15,
                "      minTradeIntervalSeconds: \"30\"",
                "bad.yaml:15: spec.strategy.grid.minTradeIntervalSeconds: \"30\" is text; write 30 without quotes",
            ),
            (
                15,
                "      minTradeIntervalSeconds: 1.5",
                "bad.yaml:15: spec.strategy.grid.minTradeIntervalSeconds: 1.5 is not a plain whole number; write one from \
                 0 to 86400",
            ),
            (
                15,
                "      minTradeIntervalSeconds: -1",
                "bad.yaml:15: spec.strategy.grid.minTradeIntervalSeconds: -1 is negative; write a whole number from 0 to \
                 86400",
            ),
            (
                17,
                "    maxOrdersPerMinute: 601",
                "bad.yaml:17: spec.risk.maxOrdersPerMinute: 601 is out of range; write 1 to 600",
            ),
            (18, "  state: Runing", "bad.yaml:18: spec.state: Runing is not known here; did you mean Running?"),
            (
                18,
                "  state: Live",
                "bad.yaml:18: spec.state: Live is not known here; write one of: Running, Paused, Stopped",
            ),
            (18, "  state:", "bad.yaml:18: spec.state: has no value; write one, or leave the field out"),
        ],
    );
}

#[test]
fn what_a_strategy_trades_and_with_what() {
    check(
        STRATEGY,
        &[
            (
                9,
                "    - symbol: BNBUSDT",
                "bad.yaml:9: spec.instruments[0].symbol: \"BNBUSDT\" is not BASE/QUOTE in capital letters and digits; write \
                 it like BTC/USDT",
            ),
            (
                9,
                "    - symbol: 币安人生/USDT",
                "bad.yaml:9: spec.instruments[0].symbol: \"币安人生/USDT\" is not BASE/QUOTE in capital letters and digits; \
                 write it like BTC/USDT",
            ),
            (
                9,
                "    - rules: {tickSize: 1, lotSize: 1}",
                "bad.yaml:9: spec.instruments[0].symbol: missing; this field must be written",
            ),
            (
                9,
                "    - {symbol: BNB/USDT, rules: {tickSize: 0, lotSize: 1}}",
                "bad.yaml:9: spec.instruments[0].rules.tickSize: 0 is zero; write the venue's step, such as \"0.01\"",
            ),
            (
                9,
                "    - symbol: BNB/USDT\n    - symbol: BTC/USDT",
                "bad.yaml:8: spec.instruments: 2 entries, but the grid trades exactly one; keep one and create a strategy \
                 for each other",
            ),
            (
                9,
                "      symbol: BNB/USDT",
                "bad.yaml:8: spec.instruments: a map is not a list; begin each entry with a dash",
            ),
            (11, "    BTC: 1", "bad.yaml:11: spec.capital.BTC: BTC is not traded by an instrument; write BNB or USDT"),
            (
                11,
                "    usdt: 1",
                "bad.yaml:11: spec.capital.usdt: \"usdt\" is not an asset; write capital letters and digits, like USDT",
            ),
            (
                11,
                "    USDT: 0",
                "bad.yaml:10: spec.capital: all amounts are 0; give the strategy something to trade with",
            ),
            (11, "    {}", "bad.yaml:10: spec.capital: 0 entries; write 1 to 16"),
            (
                17,
                "    maxOrderNotional: {BNB: 1}",
                "bad.yaml:17: spec.risk.maxOrderNotional.BNB: BNB is not the quote asset of an instrument; write USDT",
            ),
            (
                17,
                "    minPositionPercent: 90",
                "bad.yaml:17: spec.risk.minPositionPercent: 90 is not below maxPositionPercent 90; lower one or raise the \
                 other",
            ),
            (
                7,
                "    name: pa/per",
                "bad.yaml:7: spec.accountRef.name: \"pa/per\" is not a name; write small letters, digits and inner dashes, like grid-bnb-1",
            ),
        ],
    );
}

#[test]
fn a_long_value_is_not_told_in_full() {
    let text = with_line(STRATEGY, 18, &format!("  state: {}\n", "x".repeat(100_000)));
    let error = errors(&text);
    assert!(error.starts_with("bad.yaml:18: spec.state: xxx") && error.len() < 700, "{}", error.len());
}

#[test]
fn unions_have_exactly_one_member() {
    let head: String = STRATEGY.split_inclusive('\n').take(12).collect();
    for (rest, expected) in [
        (
            "    {}\n",
            "bad.yaml:12: spec.strategy: no member is set; write exactly one of: custom, grid, ladder, positionControl, process",
        ),
        (
            "    grid:\n",
            "bad.yaml:13: spec.strategy.grid: has no value; write {} for the defaults, or leave the field out",
        ),
        ("    gird: {}\n", "bad.yaml:13: spec.strategy.gird: unknown field; did you mean grid?"),
        (
            "    grid: {}\n    trend: {}\n",
            "bad.yaml:14: spec.strategy.trend: unknown field; known here: custom, grid, ladder, positionControl, process",
        ),
        (
            "    grid\n",
            "bad.yaml:12: spec.strategy: grid is not a map; write fields: custom, grid, ladder, positionControl, process",
        ),
    ] {
        assert_eq!(errors(&format!("{head}{rest}")), expected);
    }
}

#[test]
fn fields_of_an_account() {
    check(
        ACCOUNT,
        &[
            (
                11,
                "        takerPercent: 11",
                "bad.yaml:11: spec.venue.paper.fees.takerPercent: 11 is out of range; write 0 to 10",
            ),
            (
                12,
                "        paidIn: quote",
                "bad.yaml:12: spec.venue.paper.fees.paidIn: quote is not known here; did you mean Quote?",
            ),
            (
                13,
                "      latencyMs: 60001",
                "bad.yaml:13: spec.venue.paper.latencyMs: 60001 is out of range; write 0 to 60000",
            ),
            (
                16,
                "      file: data/prices.csv",
                "bad.yaml:16: spec.marketData.replay.file: \"data/prices.csv\" has a folder; write the bare file name and \
                 put the file beside this one",
            ),
            (16, "      file: 5", "bad.yaml:16: spec.marketData.replay.file: 5 is a number; write \"5\""),
            (
                16,
                "      file: on",
                "bad.yaml:16: spec.marketData.replay.file: on is true or false to some programs; write \"on\"",
            ),
            (
                17,
                "      speed: 0",
                "bad.yaml:17: spec.marketData.replay.speed: 0 is out of range; write above 0, up to 1000000",
            ),
            (
                18,
                "      repeat: no",
                "bad.yaml:18: spec.marketData.replay.repeat: no is not read alike by all programs; write false",
            ),
            (
                18,
                "      repeat: \"true\"",
                "bad.yaml:18: spec.marketData.replay.repeat: \"true\" is text; write true without quotes",
            ),
            (
                18,
                "      repeat: 1",
                "bad.yaml:18: spec.marketData.replay.repeat: 1 is not true or false; write one of them",
            ),
        ],
    );
}

#[test]
fn heads_of_documents() {
    check(
        ACCOUNT,
        &[
            (
                1,
                "apiVersion: glm.trading/v1",
                "bad.yaml:1: apiVersion: glm.trading/v1 is not known here; did you mean glm.trading/v1alpha1?",
            ),
            (1, "", "bad.yaml:2: apiVersion: missing; this field must be written"),
            (
                2,
                "kind: TradingAcount",
                "bad.yaml:2: kind: TradingAcount is not known here; did you mean TradingAccount?",
            ),
            (
                2,
                "kind: ConfigMap",
                "bad.yaml:2: kind: ConfigMap is not known here; write one of: TradingStrategy, TradingAccount",
            ),
            (
                2,
                "kind: List",
                "bad.yaml:2: kind: List has no items; write its documents below items, or divided by ---",
            ),
            (2, "", "bad.yaml:1: kind: missing; write one of: TradingStrategy, TradingAccount"),
            (
                4,
                "  name: Paper",
                "bad.yaml:4: metadata.name: \"Paper\" is not a name; write small letters, digits and inner dashes, like \
                 grid-bnb-1",
            ),
            (
                4,
                "  name: a.b",
                "bad.yaml:4: metadata.name: \"a.b\" is not a name; write small letters, digits and inner dashes, like \
                 grid-bnb-1",
            ),
            (
                4,
                "  name: a123456789012345678901234567890123456789012345",
                "bad.yaml:4: metadata.name: \"a123456789012345678901234567890123456789012345\" is longer than 45 \
                 characters; write a shorter name",
            ),
            (4, "  name: 5", "bad.yaml:4: metadata.name: 5 is a number; write \"5\""),
            (4, "  labels: {a: b}", "bad.yaml:3: metadata.name: missing; this field must be written"),
            (
                4,
                "  name: paper\n  uuid: x",
                "bad.yaml:5: metadata.uuid: unknown field; known here: name, namespace, labels, annotations",
            ),
            (4, "  name: paper\n  labels: {a: 5}", "bad.yaml:5: metadata.labels.a: 5 is a number; write \"5\""),
        ],
    );
}

#[test]
fn files_that_hold_no_document() {
    for (text, expected) in [
        ("", "bad.yaml:1: holds no document; write a TradingStrategy or a TradingAccount"),
        ("# only words\n---\n---\n", "bad.yaml:1: holds no document; write a TradingStrategy or a TradingAccount"),
        ("hello\n", "bad.yaml:1: not a map; write apiVersion, kind, metadata and spec"),
        ("- a\n", "bad.yaml:1: not a map; write apiVersion, kind, metadata and spec"),
        ("kind: TradingAccount\nspec:\n\tvenue: {}\n", "bad.yaml:3: a tab in the indentation; use spaces"),
        ("a: &x 1\nb: *x\n", "bad.yaml:1: an anchor is not read; write the value out"),
    ] {
        assert_eq!(errors(text), expected, "{text:?}");
    }
    let unclosed = errors("kind: TradingAccount\nspec: {a: [1\n");
    assert!(unclosed.starts_with("bad.yaml:") && unclosed.contains("not valid YAML: "), "{unclosed}");
}

#[test]
fn all_errors_come_at_once_in_the_order_of_lines() {
    let text = "\
apiVersion: glm.trading/v1alpha1
kind: TradingStrategy
metadata: {name: grid-1}
spec:
  accountRef:
    name: papr
  instruments:
    - {symbol: BNB/USDT}
  capital: {USDT: 3000, BTC: 1}
  strategy:
    grid:
      gridSize: 2
      basePrice: 600
      gridSizePercent: 2.5
  risk: {minPositionPercent: 95}
---
apiVersion: glm.trading/v1alpha1
kind: TradingAccount
metadata: {name: paper}
spec:
  venue: {paper: {balances: {USDT: 10000}}}
  marketData: {replay: {file: prices.csv}}
";
    let reading = read_files([("bad.yaml", text)]);
    assert_eq!(
        reading.complete().unwrap_err().to_string(),
        "\
bad.yaml:6: spec.accountRef.name: \"papr\" not found in this file; it has: paper
bad.yaml:9: spec.capital.BTC: BTC is not traded by an instrument; write BNB or USDT
bad.yaml:12: spec.strategy.grid.gridSize: unknown field; did you mean gridSizePercent?
bad.yaml:14: spec.strategy.grid.gridSizePercent: 2.5 is a float; write \"2.5\"
bad.yaml:15: spec.risk.minPositionPercent: 95 is not below maxPositionPercent 90; lower one or raise the other"
    );
}
