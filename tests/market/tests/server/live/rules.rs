//! Markets that halt, are left by the exchange, or get other rules.

use std::collections::BTreeMap;

use engine::instrument::Symbol;
use market_server::control::Fault;
use serde_json::json;
use venue::live::{HoleCause, MarketRules, MarketState, News};

use super::follower::{Follower, config, everywhere, play_on};
use crate::client::server;

const MARKETS: [&str; 4] = ["BTC/USDT", "ETH/USDT", "BNB/USDT", "SOL/USDT"];

fn status(symbol: &str, status: &str) -> Fault {
    Fault::Symbol { symbol: symbol.to_owned(), status: status.to_owned() }
}

async fn rules(follower: &mut Follower) -> BTreeMap<Symbol, MarketRules> {
    follower.next("rules", |news| if let News::Rules(rules) = news { Some(rules.clone()) } else { None }).await
}

fn of<'a>(rules: &'a BTreeMap<Symbol, MarketRules>, symbol: &str) -> &'a MarketRules {
    rules.get(&symbol.parse::<Symbol>().expect("a symbol")).unwrap_or_else(|| panic!("{symbol} is not told: {rules:?}"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn markets_that_halt_leave_or_get_other_rules_are_told() {
    let random = ["BTCUSDT=1", "ETHUSDT=2", "BNBUSDT=3", "SOLUSDT=4"].map(|symbol| ["--random", symbol]);
    let options = [random.as_flattened(), &["--speed", "20", "--paused", "--weight-limit", "1000000"]].concat();
    let server = server(&options);
    everywhere(&server, status("ETHUSDT", "CANCEL_ONLY"));
    let mut follower = Follower::start(config(&[&server]), &MARKETS);
    let first = rules(&mut follower).await;
    let state = |symbol: &str| of(&first, symbol).state;
    let trading = MarketState::Trading;
    assert_eq!(MARKETS.map(state), [trading, MarketState::CancelOnly, trading, trading]);
    follower.is_up().await;
    follower.plays(&server);
    let of_btc =
        |news: &News| matches!(news, News::Trade(trade) if trade.symbol.to_string() == "BTC/USDT").then_some(());
    follower.next("the first trade", of_btc).await;
    everywhere(&server, status("ETHUSDT", "TRADING"));
    everywhere(&server, status("BNBUSDT", "HALT"));
    everywhere(&server, Fault::Delist { symbol: "SOLUSDT".to_owned() });
    let set = json!({"tickSize": "0.10000000"}).as_object().cloned().expect("an object");
    everywhere(&server, Fault::Rule { symbol: "BTCUSDT".to_owned(), filter: "PRICE_FILTER".to_owned(), set });
    // After a loss they are asked for again, a minute after the last time.
    everywhere(&server, Fault::Reset);
    follower.is_down().await;
    let changed = rules(&mut follower).await;
    assert_eq!(of(&changed, "ETH/USDT").state, MarketState::Trading);
    assert_eq!(of(&changed, "BNB/USDT").state, MarketState::Halted);
    let left = of(&changed, "SOL/USDT");
    assert_eq!((left.state, &left.steps), (MarketState::Unknown, &None));
    let steps = of(&changed, "BTC/USDT").steps.clone().expect("steps");
    assert_eq!(steps.tick_size.to_string(), "0.1");
    assert_eq!(of(&first, "BTC/USDT").steps.as_ref().expect("steps").tick_size.to_string(), "0.01");
    // What still trades goes on, with the one hole of the loss.
    play_on(&server, 20);
    follower.settles(&server).await;
    let gaps = follower.checked(&server, "BTC/USDT");
    assert!(gaps.iter().all(|gap| gap.cause == HoleCause::Disconnect) && gaps.len() <= 1, "{gaps:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn for_a_market_that_is_none_the_nearest_is_named_whatever_else_is_listed() {
    let server = server(&["--random", "BTCUSDT=1", "--random", "币安人生USDT=2", "--speed", "20"]);
    let mut follower = Follower::start(config(&[&server]), &["BTC/USDT", "BTC/USDR"]);
    let rules = rules(&mut follower).await;
    let unknown = of(&rules, "BTC/USDR");
    assert_eq!((unknown.state, unknown.suggestion.as_deref()), (MarketState::Unknown, Some("BTC/USDT")));
    assert_eq!(of(&rules, "BTC/USDT").state, MarketState::Trading);
    follower.is_up().await;
    follower.next("a trade", |news| matches!(news, News::Trade(_)).then_some(())).await;
}
