//! Live prices on a real cluster: two accounts of a namespace take the same source, which a market server in the box plays for
//! their pods. One story, because its feed is one: shared, killed, left by one account, and gone with the other.
#![allow(clippy::expect_used, clippy::panic, reason = "tests may stop at the first surprise")]

use std::collections::BTreeSet;

use market_server::process::Server;
use serde_json::{Value, json};
use tests::cluster::{Kind, Platform, PodHistory, Scenario, await_that, condition, kubectl, number, repository, text};
use tests::worker_binary::worker_binary;

/// Accounts, each with one strategy of its own symbol.
const ACCOUNTS: [(&str, &str); 2] = [("one", "BTC"), ("two", "ETH")];

/// An exchange that pods reach: real candles of a day, four trades each, two minutes of them each second, for both symbols.
fn exchange() -> Server {
    let program = worker_binary().with_file_name("market-server");
    assert!(program.is_file(), "{} is not there; run `cargo build -p market-server` first", program.display());
    let address = "-o=jsonpath={.items[0].status.addresses[?(@.type=='InternalIP')].address}";
    let address = kubectl(&["get", "nodes", address]);
    let file = repository().join("tests/market/testdata/BTCBUSD-1m.csv.gz");
    let candles = ACCOUNTS.map(|(_, coin)| format!("--candles={coin}USDT={}", file.display()));
    let [one, two] = candles.each_ref().map(String::as_str);
    let options = ["--address", &address, "--speed", "120", "--loop", "--weight-limit", "1000000", one, two];
    Server::spawn(&program, &options).expect("the exchange starts")
}

/// An account and its strategy. An age of prices is no matter here: the exchange's clock is not the machine's.
fn manifest((account, coin): (&str, &str)) -> String {
    format!(
        r#"apiVersion: glm.trading/v1alpha1
kind: TradingAccount
metadata: {{name: {account}}}
spec:
  venue:
    paper: {{balances: {{USDT: 10000, {coin}: 1}}, fees: {{makerPercent: "0.1", takerPercent: "0.1"}}, latencyMs: 100}}
  marketData: {{binance: {{market: Spot, endpoint: local}}}}
---
apiVersion: glm.trading/v1alpha1
kind: TradingStrategy
metadata: {{name: of-{account}}}
spec:
  accountRef: {{name: {account}}}
  instruments: [{{symbol: {coin}/USDT}}]
  capital: {{USDT: 5000, {coin}: "0.3"}}
  strategy: {{grid: {{gridSizePercent: "0.02", minTradeIntervalSeconds: 1}}}}
  risk: {{maxOrdersPerMinute: 600, maxTickAgeSeconds: 3600}}
"#
    )
}

/// The accounts' scene.
struct Scene {
    scenario: Scenario,
    exchange: Server,
}

impl Scene {
    fn get(&self, kind: Kind, name: &str) -> Value {
        self.scenario.get(kind, name).unwrap_or_else(|| panic!("{kind:?} {name} is not there"))
    }

    /// From now on the strategy of an account trades.
    fn trades(&self, account: &str) {
        let name = format!("of-{account}");
        let before = number(&self.get(Kind::Strategy, &name), "/status/orders/filled");
        self.scenario.await_strategy(&name, "trades on live prices", 120, |strategy| {
            number(strategy, "/status/orders/filled") > before
                && condition(strategy, "Ready").starts_with("True Trading")
        });
    }

    /// There is one feed for all: of this epoch, ready, and owned by these accounts, whom it shows its pod. That pod.
    fn is_fed(&self, epoch: u64, accounts: &[&str]) -> Value {
        let owners: BTreeSet<_> =
            accounts.iter().map(|account| text(&self.get(Kind::Account, account), "/metadata/uid")).collect();
        let what = format!("one feed of epoch {epoch} for {accounts:?}");
        let feed = await_that(&what, 120, || {
            let pods = self.scenario.list(Kind::Pod);
            let component = "/metadata/labels/app.kubernetes.io~1component";
            let feeds: Vec<_> = pods.iter().filter(|pod| text(pod, component) == "feed").collect();
            let [feed] = feeds[..] else { return Err(format!("{} feeds", feeds.len())) };
            let references = feed.pointer("/metadata/ownerReferences").and_then(Value::as_array);
            let references = references.map(Vec::as_slice).unwrap_or_default();
            assert!(references.iter().all(|owner| owner["controller"] != true), "somebody controls it: {feed}");
            let found: BTreeSet<_> = references.iter().map(|owner| text(owner, "/uid")).collect();
            let name = text(feed, "/metadata/name");
            if !name.ends_with(&format!("-{epoch}")) || found != owners {
                return Err(format!("{name} of {references:?}"));
            }
            Ok(feed.clone())
        });
        let name = text(&feed, "/metadata/name");
        for account in accounts {
            self.scenario.await_object((Kind::Account, account), "shows the feed, ready", 60, |account| {
                let shown = ["source", "epoch", "pod"].map(|field| text(account, &format!("/status/feed/{field}")));
                let [source, shown_epoch, pod] = shown;
                shown_epoch == epoch.to_string()
                    && pod == name
                    && name == format!("feed-{source}-{epoch}")
                    && condition(account, "Ready").starts_with("True")
            });
        }
        feed
    }

    /// The exchange has one connection of streams, with the trades of these coins, or none.
    fn is_heard(&self, coins: &[&str]) {
        let wanted: BTreeSet<_> = coins.iter().map(|coin| format!("{}usdt@trade", coin.to_lowercase())).collect();
        let wanted = if coins.is_empty() { vec![] } else { vec![wanted] };
        await_that(&format!("the exchange is heard for {coins:?}"), 60, || {
            let state = self.exchange.control.state().map_err(|error| error.to_string())?;
            let streams = state.connections.iter().filter(|connection| connection.websocket);
            let trades = |name: &&String| name.ends_with("@trade");
            let heard: Vec<BTreeSet<_>> =
                streams.map(|connection| connection.streams.iter().filter(trades).cloned().collect()).collect();
            if heard == wanted { Ok(()) } else { Err(format!("{heard:?}")) }
        });
    }

    /// An account and its strategy go.
    fn delete(&self, account: &str) {
        let names = [format!("ts/of-{account}"), format!("tacct/{account}")];
        self.scenario.kubectl(&["delete", &names[0], &names[1], "--wait=false"]);
        self.scenario.await_gone(Kind::Strategy, &format!("of-{account}"), 90);
        self.scenario.await_gone(Kind::Account, account, 90);
    }
}

#[test]
fn accounts_of_a_source_share_a_feed_that_is_killed_and_goes_with_the_last_of_them() {
    let exchange = exchange();
    let hosts = json!([{"name": "local", "rest": exchange.endpoints.rest, "stream": exchange.endpoints.stream}]);
    let platform = Platform::install("live", &["shared"], &["--set-json", &format!("endpoints={hosts}")]);
    let scene = Scene { scenario: Scenario::of(&platform, "shared"), exchange };
    let mut history = PodHistory::begin(&scene.scenario.namespace);
    let [one, two] = ACCOUNTS.map(|(account, _)| account);
    let [btc, eth] = ACCOUNTS.map(|(_, coin)| coin);

    scene.scenario.apply(&ACCOUNTS.map(manifest).join("---\n"));
    for account in [one, two] {
        scene.trades(account);
    }
    let first = scene.is_fed(1, &[one, two]);
    scene.is_heard(&[btc, eth]);

    scene.scenario.kubectl(&["delete", "pod", &text(&first, "/metadata/name"), "--wait=false"]);
    let second = scene.is_fed(2, &[one, two]);
    scene.is_heard(&[btc, eth]);
    for account in [one, two] {
        scene.trades(account);
    }

    scene.delete(one);
    let kept = scene.is_fed(2, &[two]);
    assert_eq!(text(&kept, "/metadata/uid"), text(&second, "/metadata/uid"), "the feed of the other goes on");
    scene.is_heard(&[eth]);
    scene.trades(two);
    history.expect_one_at_a_time();
    let source = text(&scene.get(Kind::Account, two), "/status/feed/source");
    assert_eq!(history.pods_of(&format!("feed-{source}")), 2);

    scene.delete(two);
    await_that("no pod is left", 60, || {
        let pods = scene.scenario.list(Kind::Pod);
        if pods.is_empty() { Ok(()) } else { Err(format!("{} pods", pods.len())) }
    });
    scene.is_heard(&[]);
}
