//! Bad and good manifests, each through the reader of files and through the API server.

use std::sync::Mutex;
use std::thread;

use tests::apiserver::{Said, client, install, kubectl, namespace};

/// A valid strategy, one field to a line, so that a case can replace a line.
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
    rules: {tickSize: \"0.01\", lotSize: \"0.001\"}
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

/// Who refuses a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// Nobody.
    Nobody,
    /// Both, in these words of ours.
    BothAlike(&'static str),
    /// Both: the reader of files in these words, the API server in its own, naming this.
    Both(&'static str, &'static str),
    /// Only the reader of files, in these words: the API server never sees the difference.
    File(&'static str),
}
use By::{Both, BothAlike, File, Nobody};

/// A line of the manifest, what stands there instead, the refused field, who refuses it.
type Case = (usize, &'static str, &'static str, By);

const MATCH: &str = "in body should match";
const TYPE: &str = "must be of type integer,string";
const RANGE: &str = "is out of range; write 0.01 to 50, in quotes if it has a point";

const NO_MULTIPLE: &str = "0.2505 is not a multiple of lotSize 0.001; write a multiple of it";

const LIMIT: &str = "is out of range; write above 0, up to 100, or leave it out";

const SIZE: &str = "spec.strategy.grid.gridSizePercent";

const STRATEGIES: &[Case] = &[
    (15, "      gridSizePercent: 2", "", Nobody),
    (15, "      gridSizePercent: \"2\"", "", Nobody),
    (15, "      gridSizePercent: \"0.01\"", "", Nobody),
    (15, "      gridSizePercent: 50", "", Nobody),
    (15, "      basePrice: \"999999999.999999999\"", "", Nobody),
    (12, "    USDT: 0\n    BNB: \"0.000000001\"", "", Nobody),
    (18, "    maxOrderNotional: {USDT: 100}", "", Nobody),
    (
        18,
        "    maxDrawdownPercent: 100\n    maxDailyLossPercent: \"0.000000001\"\n    priceCollarPercent: 100",
        "",
        Nobody,
    ),
    (
        18,
        "    maxConsecutiveLosses: 0\n    maxExposure: {USDT: 100}\n    cooldown: {}\n    onBreach: Flatten",
        "",
        Nobody,
    ),
    (
        19,
        "  exit: {takeProfitPercent: 100000, giveBackPercent: 100, belowPrice: 1, abovePrice: 2, afterHours: 1}",
        "",
        Nobody,
    ),
    (19, "  transfers: [{id: a, asset: USDT, amount: 5}, {id: b, asset: BNB, amount: \"-0.000000001\"}]", "", Nobody),
    (19, "  transfers: []", "", Nobody),
    (
        19,
        "  transfers: [{id: a, asset: USDT, amount: 0}]",
        "spec.transfers[0].amount",
        BothAlike("is zero; write an amount above 0 to add"),
    ),
    (
        19,
        "  transfers: [{id: a, asset: USDT, amount: \"-0.0\"}]",
        "spec.transfers[0].amount",
        BothAlike("is zero; write an amount above 0 to add"),
    ),
    (
        19,
        "  transfers: [{id: a, asset: ETH, amount: 1}]",
        "spec.transfers",
        Both("ETH is not traded by an instrument; write BNB or USDT", "an asset is not traded by an instrument"),
    ),
    (
        19,
        "  transfers: [{id: a, asset: USDT, amount: 1}, {id: a, asset: BNB, amount: 1}]",
        "spec.transfers[1].id",
        Both("is written twice", "Duplicate value"),
    ),
    (19, "  transfers: [{id: A, asset: USDT, amount: 1}]", "spec.transfers[0].id", Both("is not a name", MATCH)),
    (19, "  transfers: [{id: a, asset: usdt, amount: 1}]", "spec.transfers[0].asset", Both("is not an asset", MATCH)),
    (19, "  transfers: [{id: a, asset: USDT, amount: 2.5}]", "spec.transfers[0].amount", Both("is a float", TYPE)),
    (19, "  transfers: [{id: a, asset: USDT, amount: -5}]", "spec.transfers[0].amount", File("write \"-5\"")),
    (10, "    rules: {tickSize: \"0.0000010\", lotSize: \"0.00000100\"}", "", Nobody),
    // What can never trade, seen without a price.
    (15, "      quantity: \"0.25\"", "", Nobody),
    (15, "      quantity: \"0.0250\"", "", Nobody),
    (15, "      quantity: 7", "", Nobody),
    (15, "      basePrice: \"0.01\"", "", Nobody),
    (
        15,
        "      quantity: \"0.2505\"",
        "spec.strategy.grid.quantity",
        Both("0.2505 is not a multiple of lotSize 0.001; write 0.25 or 0.251", NO_MULTIPLE),
    ),
    (
        15,
        "      quantity: \"0.0005\"",
        "spec.strategy.grid.quantity",
        Both(
            "0.0005 is not a multiple of lotSize 0.001, but below it; write 0.001",
            "0.0005 is not a multiple of lotSize 0.001; write a multiple of it",
        ),
    ),
    (
        15,
        "      quantity: \"999999999999999.0001\"",
        "spec.strategy.grid.quantity",
        Both(
            "999999999999999.0001 is not a multiple of lotSize 0.001",
            "999999999999999.0001 is not a multiple of lotSize 0.001; write a multiple of it",
        ),
    ),
    (
        15,
        "      basePrice: \"0.009\"",
        "spec.strategy.grid.basePrice",
        BothAlike("0.009 is below tickSize 0.01; write the tick size of this market"),
    ),
    // Decimals in other forms.
    (15, "      gridSizePercent: 2.5", SIZE, Both("2.5 is a float; write \"2.5\"", TYPE)),
    (15, "      gridSizePercent: -2", SIZE, Both("-2 is negative; write 0 or more", "greater than or equal to 0")),
    (15, "      gridSizePercent: \"-2\"", SIZE, Both("\"-2\" is negative; write 0 or more", MATCH)),
    (15, "      gridSizePercent: \"2.\"", SIZE, Both("is not a plain decimal", MATCH)),
    (15, "      gridSizePercent: \"1e1\"", SIZE, Both("is not a plain decimal", MATCH)),
    (15, "      gridSizePercent: two", SIZE, Both("two is not a number", MATCH)),
    (15, "      gridSizePercent: true", SIZE, Both("true is not a number", TYPE)),
    (15, "      gridSizePercent: [2]", SIZE, Both("a list is not a number", TYPE)),
    // kubectl sends these as other numbers before the API server sees them.
    (15, "      gridSizePercent: 2.0", SIZE, File("2.0 is a float; write \"2.0\"")),
    (15, "      gridSizePercent: 1e1", SIZE, File("1e1 is a float; write \"10\"")),
    (15, "      gridSizePercent: 010", SIZE, File("010 is not a plain number; write \"10\"")),
    // A null is dropped, and its field gets its default.
    (15, "      gridSizePercent: null", SIZE, File("has no value; write one, or leave the field out")),
    (19, "  state: ~", "spec.state", File("has no value; write one, or leave the field out")),
    // Ranges.
    (15, "      gridSizePercent: 51", SIZE, BothAlike(RANGE)),
    (15, "      gridSizePercent: \"50.000000001\"", SIZE, BothAlike(RANGE)),
    (15, "      gridSizePercent: \"0.009999999\"", SIZE, BothAlike(RANGE)),
    (15, "      gridSizePercent: 0", SIZE, BothAlike(RANGE)),
    // A size that follows the market, and a range.
    (15, "      adaptive: {}", "", Nobody),
    (15, "      adaptive: {minPercent: \"0.01\", maxPercent: 50, centreVolatility: 10, sensitivity: 1000}", "", Nobody),
    (15, "      range: {lowerPrice: \"0.000000001\", upperPrice: \"999999999.999999999\"}", "", Nobody),
    (15, "      gridSizePercent: 2\n      adaptive: {}", SIZE, BothAlike("2 and adaptive are both set; keep one")),
    (15, "      adaptive: {minPercent: 0}", "spec.strategy.grid.adaptive.minPercent", BothAlike(RANGE)),
    (15, "      adaptive: {maxPercent: 51}", "spec.strategy.grid.adaptive.maxPercent", BothAlike(RANGE)),
    (15, "      adaptive: {basePercent: \"50.1\"}", "spec.strategy.grid.adaptive.basePercent", BothAlike(RANGE)),
    (
        15,
        "      adaptive: {centreVolatility: \"10.1\"}",
        "spec.strategy.grid.adaptive.centreVolatility",
        BothAlike("10.1 is out of range; write 0 to 10, in quotes if it has a point"),
    ),
    (
        15,
        "      adaptive: {sensitivity: 1001}",
        "spec.strategy.grid.adaptive.sensitivity",
        BothAlike("1001 is out of range; write 0 to 1000, in quotes if it has a point"),
    ),
    (
        15,
        "      adaptive: {minPercent: \"4.01\"}",
        "spec.strategy.grid.adaptive.minPercent",
        BothAlike("4.01 is above maxPercent 4; lower it or raise the other"),
    ),
    (
        15,
        "      range: {lowerPrice: 5, upperPrice: 5}",
        "spec.strategy.grid.range.lowerPrice",
        BothAlike("5 is not below upperPrice 5; lower it or raise the other"),
    ),
    (
        15,
        "      range: {lowerPrice: 5, upperPrice: 1000000000}",
        "spec.strategy.grid.range.upperPrice",
        BothAlike("1000000000 is out of range; write a price above 0 and below 1000000000"),
    ),
    (
        15,
        "      basePrice: 0",
        "spec.strategy.grid.basePrice",
        BothAlike(
            "0 is out of range; write a price above 0 and below 1000000000, or leave it out for the first tick's",
        ),
    ),
    (
        15,
        "      basePrice: 1000000000",
        "spec.strategy.grid.basePrice",
        BothAlike("1000000000 is out of range; write a price above 0 and below 1000000000"),
    ),
    (
        15,
        "      flipThresholdFactor: \"1.1\"",
        "spec.strategy.grid.flipThresholdFactor",
        BothAlike("1.1 is out of range; write 0 to 1, in quotes if it has a point"),
    ),
    (
        15,
        "      orderPercent: 101",
        "spec.strategy.grid.orderPercent",
        BothAlike("101 is out of range; write above 0, up to 100"),
    ),
    (
        15,
        "      quantity: 0",
        "spec.strategy.grid.quantity",
        BothAlike("0 is zero; write an amount above 0, or orderPercent instead"),
    ),
    (
        15,
        "      quantity: \"0.1\"\n      orderPercent: 10",
        "spec.strategy.grid.quantity",
        BothAlike("0.1 and orderPercent are both set; keep one"),
    ),
    (
        15,
        "      maxSlippagePercent: 11",
        "spec.strategy.grid.maxSlippagePercent",
        BothAlike("11 is out of range; write 0 to 10, in quotes if it has a point"),
    ),
    (
        16,
        "      minTradeIntervalSeconds: 86401",
        "spec.strategy.grid.minTradeIntervalSeconds",
        Both("86401 is out of range; write 0 to 86400", "less than or equal to 86400"),
    ),
    (
        16,
        "      minTradeIntervalSeconds: \"30\"",
        "spec.strategy.grid.minTradeIntervalSeconds",
        Both("\"30\" is text; write 30 without quotes", "must be of type integer"),
    ),
    (
        18,
        "    minPositionPercent: 101",
        "spec.risk.minPositionPercent",
        BothAlike("101 is out of range; write 0 to 100"),
    ),
    (
        18,
        "    maxPositionPercent: \"100.1\"",
        "spec.risk.maxPositionPercent",
        BothAlike("100.1 is out of range; write 0 to 100"),
    ),
    (
        18,
        "    minPositionPercent: 90",
        "spec.risk.minPositionPercent",
        BothAlike("90 is not below maxPositionPercent 90; lower one or raise the other"),
    ),
    (
        18,
        "    minPositionPercent: 50\n    maxPositionPercent: \"49.5\"",
        "spec.risk.minPositionPercent",
        BothAlike("50 is not below maxPositionPercent 49.5; lower one or raise the other"),
    ),
    (
        18,
        "    maxOrderNotional: {USDT: 0}",
        "spec.risk.maxOrderNotional.USDT",
        BothAlike("0 would deny every order; write an amount above 0"),
    ),
    (
        18,
        "    maxOrderNotional: {BNB: 5}",
        "spec.risk.maxOrderNotional.BNB",
        BothAlike("BNB is not the quote asset of an instrument; write USDT"),
    ),
    (
        18,
        "    maxExposure: {USDT: 0}",
        "spec.risk.maxExposure.USDT",
        BothAlike("0 would deny every order; write an amount above 0"),
    ),
    (
        18,
        "    maxExposure: {BNB: 5}",
        "spec.risk.maxExposure.BNB",
        BothAlike("BNB is not the quote asset of an instrument; write USDT"),
    ),
    (18, "    maxDrawdownPercent: \"100.000000001\"", "spec.risk.maxDrawdownPercent", BothAlike(LIMIT)),
    (18, "    maxDailyLossPercent: \"100.000000001\"", "spec.risk.maxDailyLossPercent", BothAlike(LIMIT)),
    (18, "    priceCollarPercent: \"100.000000001\"", "spec.risk.priceCollarPercent", BothAlike(LIMIT)),
    (
        18,
        "    maxConsecutiveLosses: 1001",
        "spec.risk.maxConsecutiveLosses",
        Both("1001 is out of range; write 0 to 1000", "less than or equal to 1000"),
    ),
    (
        18,
        "    cooldown: {rejects: 101}",
        "spec.risk.cooldown.rejects",
        Both("101 is out of range; write 1 to 100", "less than or equal to 100"),
    ),
    (19, "  exit: {stopLossPercent: \"100.000000001\"}", "spec.exit.stopLossPercent", BothAlike(LIMIT)),
    (19, "  exit: {giveBackPercent: \"100.000000001\"}", "spec.exit.giveBackPercent", BothAlike(LIMIT)),
    (
        19,
        "  exit: {takeProfitPercent: \"100000.000000001\"}",
        "spec.exit.takeProfitPercent",
        BothAlike("is out of range; write above 0, up to 100000, or leave it out"),
    ),
    (
        19,
        "  exit: {belowPrice: 1000000000}",
        "spec.exit.belowPrice",
        BothAlike("is out of range; write a price above 0 and below 1000000000, or leave it out"),
    ),
    (
        19,
        "  exit: {belowPrice: 600, abovePrice: \"600.0\"}",
        "spec.exit.belowPrice",
        BothAlike("600 is not below abovePrice 600.0, so it would end at once; lower one or raise the other"),
    ),
    (
        19,
        "  exit: {afterHours: 87601}",
        "spec.exit.afterHours",
        Both("87601 is out of range; write 1 to 87600", "less than or equal to 87600"),
    ),
    (
        18,
        "    maxOrdersPerMinute: 0",
        "spec.risk.maxOrdersPerMinute",
        Both("0 is out of range; write 1 to 600", "greater than or equal to 1"),
    ),
    (
        18,
        "    maxTickAgeSeconds: 3601",
        "spec.risk.maxTickAgeSeconds",
        Both("3601 is out of range; write 1 to 3600", "less than or equal to 3600"),
    ),
    // Instruments.
    (
        9,
        "  - symbol: BNB/BNB",
        "spec.instruments[0].symbol",
        BothAlike("\"BNB/BNB\" is not BASE/QUOTE in capital letters and digits; write it like BTC/USDT"),
    ),
    (9, "  - symbol: bnb/usdt", "spec.instruments[0].symbol", Both("is not BASE/QUOTE in capital letters", MATCH)),
    (
        9,
        "  - symbol: ETH/USDT\n  - symbol: BNB/USDT",
        "spec.instruments",
        BothAlike("2 entries, but the grid trades exactly one; keep one and create a strategy for each other"),
    ),
    (
        9,
        "  - symbol: BNB/USDT\n  - symbol: BNB/USDT",
        "spec.instruments[1]",
        Both("BNB/USDT is written twice; keep one entry", "Duplicate value"),
    ),
    (
        10,
        "    rules: {tickSize: 0, lotSize: \"0.001\"}",
        "spec.instruments[0].rules.tickSize",
        BothAlike("0 is zero; write the venue's step, such as \"0.01\""),
    ),
    (
        10,
        "    rules: {tickSize: \"0.01\", lotSize: \"0.000\"}",
        "spec.instruments[0].rules.lotSize",
        BothAlike("is zero; write the venue's step, such as \"0.01\""),
    ),
    (
        10,
        "    rules: {tickSize: \"0.00000001\", lotSize: \"0.000010\"}",
        "spec.instruments[0].rules.lotSize",
        BothAlike("0.000010 and tickSize have 13 digits after the point together; at most 12 stay exact"),
    ),
    (
        10,
        "    rules: {tickSize: \"0.000000001\", lotSize: \"0.000000001\"}",
        "spec.instruments[0].rules.lotSize",
        BothAlike("0.000000001 and tickSize have 18 digits after the point together; at most 12 stay exact"),
    ),
    (
        10,
        "    rules: {tickSize: \"0.01\"}",
        "spec.instruments[0].rules.lotSize",
        Both("missing; this field must be written", "Required value"),
    ),
    // Capital.
    (12, "    XRP: 1", "spec.capital.XRP", BothAlike("XRP is not traded by an instrument; write BNB or USDT")),
    (
        12,
        "    usdt: 1",
        "spec.capital.usdt",
        Both("\"usdt\" is not an asset; write capital letters", "usdt is not traded by an instrument"),
    ),
    (
        12,
        "    USDT: 0\n    BNB: \"0.000\"",
        "spec.capital",
        BothAlike("all amounts are 0; give the strategy something to trade with"),
    ),
    (12, "    USDT: \"1234567890123456\"", "spec.capital.USDT", Both("is not a plain decimal", MATCH)),
    (12, "    USDT: \"0.0000000001\"", "spec.capital.USDT", Both("has more than 9 digits after the point", MATCH)),
    // The union, names, references, fields.
    (
        4,
        "  name: grid.1",
        "metadata.name",
        BothAlike("\"grid.1\" is not a name; write small letters, digits and inner dashes, like grid-bnb-1"),
    ),
    (
        4,
        "  name: a123456789-123456789-123456789-123456789-12345",
        "metadata.name",
        BothAlike("is longer than 45 characters; write a shorter name"),
    ),
    (4, "  name: Grid", "metadata.name", Both("\"Grid\" is not a name", "RFC 1123")),
    (7, "    name: pa_per", "spec.accountRef.name", Both("\"pa_per\" is not a name", MATCH)),
    (7, "    name: a.b", "spec.accountRef.name", Both("\"a.b\" is not a name", MATCH)),
    (19, "  state: Halted", "spec.state", Both("Halted is not known here", "Unsupported value")),
    (19, "  sate: Running", "spec.sate", Both("unknown field; did you mean state?", "unknown field")),
    (15, "      gridSize: 2", "spec.strategy.grid.gridSize", Both("did you mean gridSizePercent?", "unknown field")),
    (16, "      gridSizePercent: 3", SIZE, File("written twice, first on line 15; keep one")),
];

const ACCOUNTS: &[Case] = &[
    (17, "      speed: \"0.5\"", "", Nobody),
    (17, "      speed: 1000000", "", Nobody),
    (13, "      latencyMs: 60000", "", Nobody),
    (11, "        takerPercent: \"0.10000\"", "", Nobody),
    (
        11,
        "        takerPercent: \"10.1\"",
        "spec.venue.paper.fees.takerPercent",
        BothAlike("10.1 is out of range; write 0 to 10"),
    ),
    (
        11,
        "        makerPercent: \"0.00001\"",
        "spec.venue.paper.fees.makerPercent",
        BothAlike("0.00001 has more than 4 digits after the point; fees are never rounded"),
    ),
    (12, "        paidIn: Base", "spec.venue.paper.fees.paidIn", Both("Base is not known here", "Unsupported value")),
    (
        9,
        "        usdt: 1",
        "spec.venue.paper.balances.usdt",
        BothAlike("\"usdt\" is not an asset; write capital letters and digits, like USDT"),
    ),
    (
        13,
        "      latencyMs: 60001",
        "spec.venue.paper.latencyMs",
        Both("60001 is out of range; write 0 to 60000", "less than or equal to 60000"),
    ),
    (
        17,
        "      speed: 0",
        "spec.marketData.replay.speed",
        BothAlike("0 is out of range; write above 0, up to 1000000"),
    ),
    (
        17,
        "      speed: \"1000000.1\"",
        "spec.marketData.replay.speed",
        BothAlike("1000000.1 is out of range; write above 0, up to 1000000"),
    ),
    (16, "      file: data/prices.csv", "spec.marketData.replay.file", Both("has a folder; write the bare", MATCH)),
    (16, "      file: ../prices.csv", "spec.marketData.replay.file", Both("has a folder; write the bare", MATCH)),
    (
        18,
        "      repeat: \"no\"",
        "spec.marketData.replay.repeat",
        Both("is text; write false", "must be of type boolean"),
    ),
    (
        18,
        "      repeat: yes",
        "spec.marketData.replay.repeat",
        File("yes is not read alike by all programs; write true"),
    ),
    (
        18,
        "  limits:\n    maxExposure: {USDT: \"0.01\", BTC: 1}\n    maxOrderNotional: {USDT: 1}\n    maxOrdersPerMinute: 600",
        "",
        Nobody,
    ),
    (18, "  limits: {}", "", Nobody),
    (
        18,
        "  limits: {maxExposure: {USDT: 0}}",
        "spec.limits.maxExposure.USDT",
        BothAlike("0 would deny every order; write an amount above 0"),
    ),
    (
        18,
        "  limits: {maxOrderNotional: {usdt: 1}}",
        "spec.limits.maxOrderNotional.usdt",
        BothAlike("\"usdt\" is not an asset; write capital letters and digits, like USDT"),
    ),
    (
        18,
        "  limits: {maxOrdersPerMinute: 601}",
        "spec.limits.maxOrdersPerMinute",
        Both("601 is out of range; write 1 to 600", "less than or equal to 600"),
    ),
    (17, "      speed: null", "spec.marketData.replay.speed", File("has no value; write one, or leave the field out")),
    (4, "  name: a.b", "metadata.name", BothAlike("\"a.b\" is not a name; write small letters")),
];

/// Whole specs, where a line is not enough.
const WHOLE: &[(&str, &str, &str, By)] = &[
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, capital: {USDT: 1}, instruments: [{symbol: BNB/USDT, rules: {tickSize: \"0.01\", lotSize: \"0.001\"}}], strategy: {ladder: {lowerPrice: 500, upperPrice: 700}}}",
        "",
        Nobody,
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, capital: {USDT: 1}, instruments: [{symbol: BNB/USDT, rules: {tickSize: \"0.01\", lotSize: \"0.001\"}}], strategy: {ladder: {lowerPrice: 500, upperPrice: 700, levels: 200, spacing: Geometric, quantity: \"0.001\", triggerPrice: 800}}}",
        "",
        Nobody,
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, capital: {USDT: 1}, instruments: [{symbol: BNB/USDT, rules: {tickSize: \"0.01\", lotSize: \"0.001\"}}], strategy: {ladder: {lowerPrice: 700, upperPrice: 700}}}",
        "spec.strategy.ladder.lowerPrice",
        BothAlike("700 is not below upperPrice 700; lower one or raise the other"),
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, capital: {USDT: 1}, instruments: [{symbol: BNB/USDT, rules: {tickSize: \"0.01\", lotSize: \"0.001\"}}], strategy: {ladder: {lowerPrice: 500, upperPrice: 1000000000}}}",
        "spec.strategy.ladder.upperPrice",
        BothAlike("is out of range; write a price above 0 and below 1000000000"),
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, capital: {USDT: 1}, instruments: [{symbol: BNB/USDT, rules: {tickSize: \"0.01\", lotSize: \"0.001\"}}], strategy: {ladder: {lowerPrice: 500, upperPrice: 700, triggerPrice: 0}}}",
        "spec.strategy.ladder.triggerPrice",
        BothAlike("is out of range; write a price above 0 and below 1000000000"),
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, capital: {USDT: 1}, instruments: [{symbol: BNB/USDT, rules: {tickSize: \"0.01\", lotSize: \"0.001\"}}], strategy: {ladder: {lowerPrice: 500, upperPrice: 700, reservePercent: 100}}}",
        "spec.strategy.ladder.reservePercent",
        BothAlike("is out of range; write 0 to 99, in quotes if it has a point"),
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, capital: {USDT: 1}, instruments: [{symbol: BNB/USDT, rules: {tickSize: \"0.01\", lotSize: \"0.001\"}}], strategy: {ladder: {lowerPrice: 500, upperPrice: 700, quantity: 0}}}",
        "spec.strategy.ladder.quantity",
        BothAlike("is zero; write an amount above 0, or leave it out for what the equity covers"),
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, capital: {USDT: 1}, instruments: [{symbol: BNB/USDT, rules: {tickSize: \"0.01\", lotSize: \"0.001\"}}], strategy: {ladder: {lowerPrice: 500, upperPrice: 700, levels: 1}}}",
        "spec.strategy.ladder.levels",
        Both("write 2 to 200", "greater than or equal to 2"),
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, capital: {USDT: 1}, instruments: [{symbol: BNB/USDT, rules: {tickSize: \"0.01\", lotSize: \"0.001\"}}], strategy: {ladder: {lowerPrice: 500, upperPrice: 700, levels: 201}}}",
        "spec.strategy.ladder.levels",
        Both("write 2 to 200", "less than or equal to 200"),
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, capital: {USDT: 1}, instruments: [{symbol: BNB/USDT, rules: {tickSize: \"0.01\", lotSize: \"0.001\"}}], strategy: {ladder: {upperPrice: 700}}}",
        "spec.strategy.ladder",
        Both("lowerPrice", "lowerPrice"),
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, capital: {USDT: 1}, instruments: [{symbol: BNB/USDT, rules: {tickSize: \"0.01\", lotSize: \"0.001\"}}], strategy: {ladder: {lowerPrice: \"0.005\", upperPrice: 700}}}",
        "spec.strategy.ladder.lowerPrice",
        BothAlike("0.005 is below tickSize 0.01; write the tick size of this market"),
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, capital: {USDT: 1}, instruments: [{symbol: BNB/USDT, rules: {tickSize: \"0.01\", lotSize: \"0.001\"}}], strategy: {ladder: {lowerPrice: 500, upperPrice: 700, quantity: \"0.2505\"}}}",
        "spec.strategy.ladder.quantity",
        Both("0.2505 is not a multiple of lotSize 0.001; write 0.25 or 0.251", NO_MULTIPLE),
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, capital: {USDT: 1}, instruments: [{symbol: BNB/USDT, rules: {tickSize: \"0.01\", lotSize: \"0.001\"}}], strategy: {ladder: {lowerPrice: 500, upperPrice: \"500.05\"}}}",
        "spec.strategy.ladder.levels",
        File("write 5 or fewer"),
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, capital: {USDT: 1}, instruments: [{symbol: BNB/USDT, rules: {tickSize: 1, lotSize: 100, minNotional: 0}}], strategy: {grid: {quantity: 300}}}",
        "",
        Nobody,
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, capital: {USDT: 1}, instruments: [{symbol: BNB/USDT, rules: {tickSize: 1, lotSize: \"0.00000001\", minNotional: 0}}], strategy: {grid: {quantity: \"0.12345678\"}}}",
        "",
        Nobody,
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, capital: {USDT: 1}, instruments: [{symbol: BNB/USDT, rules: {tickSize: 1, lotSize: \"0.25\", minNotional: 0}}], strategy: {grid: {quantity: \"0.50\"}}}",
        "",
        Nobody,
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, capital: {USDT: 1}, instruments: [{symbol: BNB/USDT, rules: {tickSize: 1, lotSize: 7, minNotional: 0}}], strategy: {grid: {quantity: 20}}}",
        "spec.strategy.grid.quantity",
        Both(
            "20 is not a multiple of lotSize 7; write 14 or 21",
            "20 is not a multiple of lotSize 7; write a multiple of it",
        ),
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, capital: {USDT: 1}, instruments: [{symbol: BNB/USDT, rules: {tickSize: 1, lotSize: 1, minNotional: 10}}], strategy: {grid: {}}, risk: {maxOrderNotional: {USDT: 10}}}",
        "",
        Nobody,
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, capital: {USDT: 1}, instruments: [{symbol: BNB/USDT, rules: {tickSize: 1, lotSize: 1, minNotional: 10}}], strategy: {grid: {}}, risk: {maxOrderNotional: {USDT: 5}}}",
        "spec.risk.maxOrderNotional.USDT",
        Both(
            "5 is below minNotional 10 of BNB/USDT, so no order could pass; write 10 or more",
            "a limit is below the minNotional of an instrument, so no order could pass; raise it",
        ),
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, instruments: [{symbol: BNB/USDT}], capital: {USDT: 1}, strategy: {grid: {}}}",
        "",
        Nobody,
    ),
    ("TradingAccount", "{venue: {paper: {balances: {USDT: 0}}}, marketData: {replay: {file: a.csv}}}", "", Nobody),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, instruments: [{symbol: BNB/USDT}], capital: {USDT: 1}, strategy: {}}",
        "spec.strategy",
        BothAlike("no member is set; write exactly one of: custom, grid, ladder, positionControl, process"),
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, instruments: [{symbol: BNB/USDT}], capital: {USDT: 1}, \
         strategy: {positionControl: {}}}",
        "",
        Nobody,
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, instruments: [{symbol: BNB/USDT}], capital: {USDT: 1}, \
         strategy: {positionControl: {lookBackDays: 1, sellTargetPercent: 0, buyTargetPercent: 100, usePercent: 100, maxSlippagePercent: 10}}}",
        "",
        Nobody,
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, instruments: [{symbol: BNB/USDT}], capital: {USDT: 1}, \
         strategy: {positionControl: {lookBackDays: 1001}}}",
        "spec.strategy.positionControl.lookBackDays",
        Both("1001 is out of range; write 1 to 1000", "less than or equal to 1000"),
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, instruments: [{symbol: BNB/USDT}], capital: {USDT: 1}, \
         strategy: {positionControl: {sellTargetPercent: 101}}}",
        "spec.strategy.positionControl.sellTargetPercent",
        BothAlike("101 is out of range; write 0 to 100"),
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, instruments: [{symbol: BNB/USDT}], capital: {USDT: 1}, \
         strategy: {positionControl: {buyTargetPercent: 101}}}",
        "spec.strategy.positionControl.buyTargetPercent",
        BothAlike("101 is out of range; write 0 to 100"),
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, instruments: [{symbol: BNB/USDT}], capital: {USDT: 1}, \
         strategy: {positionControl: {usePercent: 0}}}",
        "spec.strategy.positionControl.usePercent",
        BothAlike("0 is out of range; write above 0, up to 100"),
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, instruments: [{symbol: BNB/USDT}], capital: {USDT: 1}, \
         strategy: {positionControl: {maxSlippagePercent: 11}}}",
        "spec.strategy.positionControl.maxSlippagePercent",
        BothAlike("11 is out of range; write 0 to 10, in quotes if it has a point"),
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, instruments: [{symbol: BNB/USDT}, {symbol: ETH/USDT}], capital: {USDT: 1}, \
         strategy: {positionControl: {}}}",
        "spec.instruments",
        BothAlike("2 entries, but positionControl trades exactly one; keep one and create a strategy for each other"),
    ),
    (
        "TradingAccount",
        "{venue: {}, marketData: {replay: {file: a.csv}}}",
        "spec.venue",
        BothAlike("no member is set; write exactly one of: paper"),
    ),
    (
        "TradingAccount",
        "{venue: {paper: {balances: {USDT: 1}}}, marketData: {}}",
        "spec.marketData",
        BothAlike("no member is set; write exactly one of: replay"),
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, instruments: [], capital: {USDT: 1}, strategy: {grid: {}}}",
        "spec.instruments",
        Both("0 entries; write 1 to 16", "should have at least 1 items"),
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, instruments: [{symbol: BNB/USDT}], capital: {}, strategy: {grid: {}}}",
        "spec.capital",
        Both("0 entries; write 1 to 16", "should have at least 1 properties"),
    ),
    // A strategy of a user's own, on several markets.
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, instruments: [{symbol: BNB/USDT}, {symbol: ETH/USDT}], capital: {USDT: 1}, strategy: {custom: {name: mean, parameters: {window: 20, deep: {list: [a, 1, true]}}}}}",
        "",
        Nobody,
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, instruments: [{symbol: BNB/USDT}], capital: {USDT: 1}, strategy: {custom: {name: Mean.1}}}",
        "spec.strategy.custom.name",
        Both("is not", MATCH),
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, instruments: [{symbol: \"BNB/USDT:USDT\"}], capital: {USDT: 1}, strategy: {grid: {}}}",
        "spec.instruments[0].symbol",
        BothAlike("this release trades spot, such as BTC/USDT"),
    ),
    (
        "TradingStrategy",
        "{accountRef: {name: paper}, instruments: [{symbol: BNB/USDT-PERP}], capital: {USDT: 1}, strategy: {grid: {}}}",
        "spec.instruments[0].symbol",
        Both("BNB/USDT-PERP", MATCH),
    ),
    // Data of several markets.
    (
        "TradingAccount",
        "{venue: {paper: {balances: {USDT: 1}}}, marketData: {replay: {files: [{symbol: BTC/USDT, file: b.csv}, {symbol: ETH/USDT, file: e.csv}]}}}",
        "",
        Nobody,
    ),
    (
        "TradingAccount",
        "{venue: {paper: {balances: {USDT: 1}}}, marketData: {replay: {speed: 1}}}",
        "spec.marketData.replay",
        BothAlike("names no data; write file for one market, or files for several"),
    ),
    (
        "TradingAccount",
        "{venue: {paper: {balances: {USDT: 1}}}, marketData: {replay: {file: a.csv, files: [{symbol: BTC/USDT, file: b.csv}]}}}",
        "spec.marketData.replay",
        BothAlike("a.csv and files are both set; keep one"),
    ),
    (
        "TradingAccount",
        "{venue: {paper: {balances: {USDT: 1}}}, marketData: {replay: {files: [{symbol: BTC/USDT, file: b.csv}, {symbol: BTC/USDT, file: e.csv}]}}}",
        "spec.marketData.replay.files[1].symbol",
        Both("BTC/USDT is written twice; join its files in one, or keep one entry", "Duplicate value"),
    ),
    (
        "TradingAccount",
        "{venue: {paper: {balances: {USDT: 1}}}, marketData: {replay: {files: [{symbol: \"BTC/USD:BTC\", file: b.csv}]}}}",
        "spec.marketData.replay.files[0].symbol",
        BothAlike("this release trades spot, such as BTC/USDT"),
    ),
    (
        "TradingStrategy",
        "{instruments: [{symbol: BNB/USDT}], capital: {USDT: 1}, strategy: {grid: {}}}",
        "spec.accountRef",
        Both("missing; this field must be written", "Required value"),
    ),
    (
        "TradingAccount",
        "{venue: {paper: {}}, marketData: {replay: {file: a.csv}}}",
        "spec.venue.paper.balances",
        Both("missing; this field must be written", "Required value"),
    ),
];

fn with_line(text: &str, number: usize, replacement: &str) -> String {
    let line = |(index, line)| if index + 1 == number { replacement } else { line };
    text.lines().enumerate().flat_map(|each| [line(each), "\n"]).collect()
}

/// What the reader of files says, an error to a line, without the file's name and the line.
fn file_says(text: &str) -> Vec<String> {
    match crds::manifest::read("f", text) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(|error| format!("{}: {}", error.path, error.message)).collect(),
    }
}

fn server_says(text: &str, namespace: &str) -> Said {
    kubectl(&["create", "--namespace", namespace, "--dry-run=server", "-f", "-"], text)
}

/// The words of a refusal at `path`: of the place itself, of an entry of a map, or of the map that has the entry.
fn names_field(said: &str, path: &str, words: &str) -> bool {
    let (parent, last) = path.rsplit_once('.').unwrap_or_default();
    let entry = format!("{parent}[{last}]");
    let told = said.split("Invalid value: ").collect::<Vec<_>>();
    let place =
        |before: &str| [path, parent, &entry].iter().any(|place| before.trim_end_matches([':', ' ']).ends_with(place));
    told.windows(2).any(|pair| pair[1].contains(words) && (place(pair[0]) || pair[1].contains(&format!("{path}: "))))
}

/// One manifest, what is wrong with it, and who says so.
struct Question {
    text: String,
    field: &'static str,
    by: By,
}

fn questions() -> Vec<Question> {
    let line = |base: &'static str| {
        move |case: &'static Case| Question { text: with_line(base, case.0, case.1), field: case.2, by: case.3 }
    };
    let whole = WHOLE.iter().map(|(kind, spec, field, by)| {
        let text = format!("apiVersion: glm.trading/v1alpha1\nkind: {kind}\nmetadata: {{name: a}}\nspec: {spec}\n");
        Question { text, field, by: *by }
    });
    STRATEGIES.iter().map(line(STRATEGY)).chain(ACCOUNTS.iter().map(line(ACCOUNT))).chain(whole).collect()
}

fn check(question: &Question, namespace: &str) -> Result<(), String> {
    let Question { text, field, by } = question;
    let file = file_says(text);
    let server = server_says(text, namespace);
    let file_tells = |words: &str| file.iter().any(|error| error.starts_with(*field) && error.contains(words));
    let holds = match by {
        Nobody => file.is_empty() && server.ok,
        BothAlike(words) => {
            // All of our words, with the value before them.
            let whole = file.iter().find(|error| error.contains(words)).and_then(|error| error.split_once(": "));
            file_tells(words)
                && !server.ok
                && whole.is_some_and(|(path, message)| names_field(&server.stderr, path, message))
        }
        Both(ours, theirs) => file_tells(ours) && !server.ok && server.stderr.contains(theirs),
        File(words) => file_tells(words) && server.ok,
    };
    let told = format!("{text}\n  {by:?}\n  file: {file:?}\n  server: {} {}", server.ok, server.stderr);
    if holds { Ok(()) } else { Err(told) }
}

/// Several at once: each is a process that mostly waits.
fn check_all(questions: Vec<Question>, namespace: &str) -> Vec<String> {
    let (todo, faults) = (Mutex::new(questions), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let next = todo.lock().unwrap().pop();
            let Some(question) = next else { return };
            faults.lock().unwrap().extend(check(&question, namespace).err());
        }
    };
    thread::scope(|scope| (0..6).for_each(|_| drop(scope.spawn(work))));
    faults.into_inner().unwrap()
}

#[tokio::test]
async fn file_and_server_refuse_the_same_manifests() {
    let client = client().await;
    install(&client).await;
    let namespace = namespace(&client, "table").await;
    let questions = questions();
    let count = |wanted: fn(&By) -> bool| questions.iter().filter(|question| wanted(&question.by)).count();
    println!(
        "{} manifests: {} good, {} refused alike, {} refused by both, {} only in files",
        questions.len(),
        count(|by| matches!(by, Nobody)),
        count(|by| matches!(by, BothAlike(_))),
        count(|by| matches!(by, Both(_, _))),
        count(|by| matches!(by, File(_))),
    );
    let faults = check_all(questions, &namespace);
    assert!(faults.is_empty(), "{} cases:\n{}", faults.len(), faults.join("\n"));
}
