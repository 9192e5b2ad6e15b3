//! Whole specs, where a line is not enough.

use super::By::{Both, BothAlike, File, Nobody};
use super::{By, MATCH, NO_MULTIPLE};

/// Kind, spec, the refused field, who refuses it.
pub(super) const WHOLE: &[(&str, &str, &str, By)] = &[
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
        BothAlike("no member is set; write exactly one of: binance, replay"),
    ),
    // Live prices.
    (
        "TradingAccount",
        "{venue: {paper: {balances: {USDT: 1}}}, marketData: {replay: {file: a.csv}, binance: {market: Spot}}}",
        "spec.marketData",
        Both(
            "binance stands beside replay of line 4; keep exactly one",
            "several members are set; write exactly one of: binance, replay",
        ),
    ),
    (
        "TradingAccount",
        "{venue: {paper: {balances: {USDT: 1}}}, marketData: {binance: {market: Spot, endpoint: local, proxy: {url: \"socks5://p:1080\"}}}}",
        "",
        Nobody,
    ),
    (
        "TradingAccount",
        "{venue: {paper: {balances: {USDT: 1}}}, marketData: {binance: {market: Spot, proxy: {url: \"http://me:secret@p:1\"}}}}",
        "spec.marketData.binance.proxy.url",
        Both("give it by", MATCH),
    ),
    (
        "TradingAccount",
        "{venue: {paper: {balances: {USDT: 1}}}, marketData: {binance: {market: Spot, proxy: {secretRef: {name: way}}}}}",
        "",
        Nobody,
    ),
    (
        "TradingAccount",
        "{venue: {paper: {balances: {USDT: 1}}}, marketData: {binance: {market: Spot, proxy: {}}}}",
        "spec.marketData.binance.proxy",
        BothAlike("no member is set; write exactly one of: secretRef, url"),
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
