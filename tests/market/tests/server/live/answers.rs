//! Answers that the exchange does not give, gives late, or gives to others only.

use market_server::control::{Fault, Kind};
use venue::live::LinkFault;

use super::follower::{Follower, config, everywhere, logged, open_the_gate, play_on, still};
use crate::client::{server, until};

const fn status(status: u16, count: Option<u64>) -> Fault {
    Fault::Status { status, retry_after: None, for_ms: None, count, path: None, on: Kind::All }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_it_is_banned_nothing_is_asked() {
    let server = server(&["--random", "7", "--speed", "20", "--weight-limit", "1000000"]);
    let ban = Fault::Status { status: 418, retry_after: Some(3), for_ms: None, count: None, path: None, on: Kind::All };
    everywhere(&server, ban);
    let mut follower = Follower::start(config(&[&server]), &["BTC/USDT"]);
    let fault = follower.is_down().await;
    assert!(
        matches!(&fault, LinkFault::Banned { until: Some(_), message } if message.contains("answered 418")),
        "{fault:?}"
    );
    until("it asks again", || logged(&server, "status").len() > 1);
    let asked = logged(&server, "status");
    // Three seconds are sixty by the exchange's clock.
    assert!(asked.windows(2).all(|pair| pair[1].time - pair[0].time >= 20 * 2_990), "{asked:?}");
    open_the_gate(&server);
    follower.is_up().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_one_host_does_not_serve_this_place_another_one_does() {
    let (closed, open) = (still(), still());
    everywhere(&closed, status(451, None));
    let mut hosts = config(&[&closed]);
    let named = |address: &str| address.replace("127.0.0.1", "localhost").parse().expect("an address");
    hosts.rest.push(named(&open.endpoints.rest));
    hosts.stream.push(named(&open.endpoints.stream));
    let mut follower = Follower::start(hosts, &["BTC/USDT"]);
    for what in ["requests", "streams"] {
        let notice = follower.notices(&format!("{what} are answered by localhost:")).await;
        let words = ["from now on, in place of 127.0.0.1:", "which did not serve"];
        assert!(words.iter().all(|words| notice.contains(words)), "{notice}");
    }
    follower.is_up().await;
    follower.plays(&open);
    play_on(&open, 20);
    follower.settles(&open).await;
    assert_eq!(follower.checked(&open, "BTC/USDT"), []);
    assert_eq!(logged(&closed, "status").len(), 2, "each host was asked once");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_no_host_serves_this_place_it_says_so() {
    let server = still();
    everywhere(&server, status(451, None));
    let mut follower = Follower::start(config(&[&server]), &["BTC/USDT"]);
    let fault = follower.is_down().await;
    assert!(matches!(&fault, LinkFault::Region(words) if words.contains("data-api.binance.vision")), "{fault:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_exchange_in_trouble_is_asked_until_it_serves() {
    let server = still();
    everywhere(&server, status(503, Some(3)));
    let mut follower = Follower::start(config(&[&server]), &["BTC/USDT"]);
    let fault = follower.is_down().await.to_string();
    assert!(fault.contains("answered 503"), "{fault}");
    follower.is_up().await;
    assert_eq!(logged(&server, "status").len(), 3);
    follower.plays(&server);
    play_on(&server, 20);
    follower.settles(&server).await;
    assert_eq!(follower.checked(&server, "BTC/USDT"), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn answers_that_come_late_are_waited_for() {
    let server = still();
    everywhere(&server, Fault::Slow { ms: 1_500, for_ms: None, path: None, on: Kind::All });
    let mut follower = Follower::up(&server).await;
    assert_eq!(logged(&server, "slow").len(), 2, "rules and the streams' handshake, each once");
    open_the_gate(&server);
    follower.plays(&server);
    play_on(&server, 20);
    follower.settles(&server).await;
    assert_eq!(follower.checked(&server, "BTC/USDT"), []);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_clock_that_is_wrong_it_is_told_and_trades_keep_the_exchanges_times() {
    let server = still();
    everywhere(&server, Fault::Clock { offset_ms: -7_200_000 });
    let mut follower = Follower::start(config(&[&server]), &["BTC/USDT"]);
    let words = follower.notices("ms ahead of the exchange's").await;
    let amount = words.split_whitespace().find_map(|word| word.parse::<i64>().ok()).expect("how much");
    // The server was started a moment ago and stands still since.
    assert!((7_200_000..7_300_000).contains(&amount), "{words}");
    follower.is_up().await;
    everywhere(&server, Fault::Clock { offset_ms: 0 });
    follower.plays(&server);
    play_on(&server, 20);
    follower.settles(&server).await;
    assert_eq!(follower.checked(&server, "BTC/USDT"), []);
}
