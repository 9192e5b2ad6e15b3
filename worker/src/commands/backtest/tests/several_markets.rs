//! One strategy on two markets: each trade has its place over the ticks of both, and what is odd or lacking is told first.

use engine::testkit::quoting::{Market, PAIR, merged};
use serde_json::{Value, json};

use super::super::*;

const ETH: &str = "ETH/USDT";
const TICKS: u64 = 600;

/// A folder with a manifest and the data of two markets.
struct Folder(tempfile::TempDir);

impl Folder {
    fn new(seed: u64, latency_ms: u32) -> Self {
        let folder = Self(tempfile::tempdir().unwrap());
        folder.write("pair.yaml", &manifest(seed, latency_ms));
        for (name, market) in [("bnb.csv", bnb(seed)), ("eth.csv", eth(seed))] {
            folder.write(name, &market.csv());
        }
        folder
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.0.path().join(name), text).unwrap();
    }

    /// The result of `--data` with these files, each as `SYMBOL=FILE` or `FILE`, or what is told instead.
    fn run(&self, data: &[&str]) -> Result<Value, String> {
        let place = |name: &str| self.0.path().join(name);
        let data = data.iter().map(|data| match data.split_once('=') {
            Some((symbol, file)) => Data { symbol: Some(symbol.parse().unwrap()), file: place(file) },
            None => Data { symbol: None, file: place(data) },
        });
        let mut registry = Registry::standard();
        registry.register(PAIR);
        let results = run(&place("pair.yaml"), &data.collect::<Vec<_>>(), &[], &registry);
        let mut results = results.map_err(|failure| format!("{failure:?}"))?;
        assert_eq!(results.outcomes.len(), 1);
        Ok(serde_json::to_value(results.outcomes.remove(0)).unwrap())
    }
}

fn bnb(seed: u64) -> Market {
    Market::of(seed, TICKS)
}

fn eth(seed: u64) -> Market {
    Market::of(seed + 1, TICKS).named(ETH)
}

fn manifest(seed: u64, latency_ms: u32) -> String {
    let rules = r#"rules: {tickSize: "0.01", lotSize: "0.001"}"#;
    format!(
        r#"
apiVersion: glm.trading/v1alpha1
kind: TradingAccount
metadata: {{name: paper}}
spec:
  venue: {{paper: {{balances: {{USDT: 100000, BNB: 50, ETH: 50}}, fees: {{makerPercent: "0.02", takerPercent: "0.1"}}, latencyMs: {latency_ms}}}}}
  marketData: {{replay: {{files: [{{symbol: BNB/USDT, file: bnb.csv}}, {{symbol: {ETH}, file: eth.csv}}]}}}}
---
apiVersion: glm.trading/v1alpha1
kind: TradingStrategy
metadata: {{name: pair}}
spec:
  accountRef: {{name: paper}}
  instruments: [{{symbol: BNB/USDT, {rules}}}, {{symbol: {ETH}, {rules}}}]
  capital: {{USDT: 3000, BNB: 5, ETH: 2}}
  strategy: {{custom: {{name: pair, parameters: {{seed: {seed}}}}}}}
  risk: {{maxOrdersPerMinute: 600}}
"#
    )
}

#[test]
fn each_trade_is_of_the_tick_at_its_index_over_both_markets() {
    let mut traded = 0;
    for (seed, latency_ms) in [(1, 0), (2, 1_500), (3, 700)] {
        let folder = Folder::new(seed, latency_ms);
        let result = folder.run(&["BNB/USDT=bnb.csv", "ETH/USDT=eth.csv"]).unwrap();
        // Whichever is named first.
        assert_eq!(folder.run(&["ETH/USDT=eth.csv", "BNB/USDT=bnb.csv"]).unwrap(), result);
        let ticks = merged([bnb(seed), eth(seed)]);
        assert_eq!((&result["ticks"], &result["data"]["ticks"]), (&json!(2 * TICKS), &json!(2 * TICKS)));
        let mut symbols = BTreeSet::new();
        for trade in result["trades"].as_array().unwrap() {
            let tick = &ticks[usize::try_from(trade["index"].as_u64().unwrap()).unwrap()];
            assert_eq!((&trade["symbol"], &trade["time"]), (&json!(tick.symbol), &json!(tick.time)), "{trade}");
            symbols.insert(trade["symbol"].as_str().unwrap());
            traded += 1;
        }
        assert_eq!(symbols.len(), 2, "it trades in both");
        let last = |symbol: &str| ticks.iter().rfind(|tick| tick.symbol.as_str() == symbol).unwrap().price.to_string();
        let (price, other) = (last("BNB/USDT"), last(ETH));
        assert_eq!(result["final"]["price"], json!(price));
        assert_eq!(result["final"]["prices"], json!({"BNB/USDT": price, ETH: other}));
        let assets: Vec<_> = result["final"]["position"].as_object().unwrap().keys().collect();
        assert_eq!(assets, ["BNB", "ETH", "USDT"]);
    }
    assert!(traded > 60, "{traded} trades");
}

#[test]
fn what_of_the_data_is_odd_or_lacking_is_told() {
    let folder = Folder::new(7, 0);
    let both = folder.run(&["BNB/USDT=bnb.csv", "ETH/USDT=eth.csv"]).unwrap();
    assert_eq!(
        both["warnings"],
        json!([{"kind": "EmptyQuotes", "message": both["warnings"][0]["message"]},
        {"kind": "EmptyQuotes", "message": both["warnings"][1]["message"]}])
    );
    // A market that no strategy trades changes nothing.
    folder.write("sol.csv", "time,price\n1700000000000,20\n");
    assert_eq!(folder.run(&["SOL/USDT=sol.csv", "BNB/USDT=bnb.csv", "ETH/USDT=eth.csv"]).unwrap(), both);

    let told = |data: &[&str]| folder.run(data).unwrap_err();
    let lacks = told(&["BNB/USDT=bnb.csv"]);
    assert!(lacks.contains("no --data for ETH/USDT; write --data ETH/USDT=FILE"), "{lacks}");
    let words = "does not say of which market it is, and BNB/USDT, ETH/USDT are traded; write --data BNB/USDT=";
    for (data, file) in [(&["BNB/USDT=bnb.csv", "eth.csv"][..], "eth.csv"), (&["bnb.csv"], "bnb.csv")] {
        let nameless = told(data);
        assert!(nameless.contains(words) && nameless.contains(file), "{nameless}");
    }
    let twice = told(&["BNB/USDT=bnb.csv", "BNB/USDT=bnb.csv", "ETH/USDT=eth.csv"]);
    assert!(twice.contains("bnb.csv: is named twice; name it once"), "{twice}");
}

#[test]
fn a_market_that_ends_early_is_told_and_what_is_sent_to_it_later_never_arrives() {
    let folder = Folder::new(9, 0);
    let rows = eth(9).csv();
    let short: Vec<_> = rows.lines().take(200).collect();
    folder.write("eth.csv", &(short.join("\n") + "\n"));
    let result = folder.run(&["BNB/USDT=bnb.csv", "ETH/USDT=eth.csv"]).unwrap();
    let warnings = result["warnings"].as_array().unwrap();
    let spans = warnings.iter().find(|warning| warning["kind"] == "UnequalSpans").unwrap()["message"].as_str().unwrap();
    let (begin, end) = (
        "the data of its markets do not begin and end together: BNB/USDT from 2023-11-14T",
        "ETH/USDT from 2023-11-14T",
    );
    assert!(spans.starts_with(begin) && spans.contains(end), "{spans}");
    assert_eq!(result["ticks"], json!(TICKS + 199));
    let ended = merged([eth(9)])[198].time.unwrap().millis();
    let of_eth = |trade: &&Value| trade["symbol"] == ETH;
    let late =
        result["trades"].as_array().unwrap().iter().filter(of_eth).filter(|trade| trade["time"].as_i64() > Some(ended));
    assert_eq!(late.count(), 0);
    assert!(result["orders"]["expired"].as_u64() > Some(0), "{}", result["orders"]);
}
