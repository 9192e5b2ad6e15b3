//! Prices of many digits, and sides on which nobody offers.

use engine::numbers::Quantity;
use market_server::control::{Aim, Fault};
use venue::live::News;

use super::follower::{Follower, config, everywhere, pause, play_on, still};
use crate::client::server;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn where_nobody_sells_there_is_no_ask_and_nothing_on_offer() {
    let server = still();
    let mut follower = Follower::following(&server).await;
    follower.settles(&server).await;
    // The last quote that comes, whatever the market does.
    let quotes = Aim { stream: Some("btcusdt@bookTicker".to_owned()), ..Aim::default() };
    server.control.fault(quotes, Fault::Drop { count: 1_000_000 }).expect("an order that can be");
    let empty = r#"{"stream":"btcusdt@bookTicker","data":{"u":9000000000,"s":"BTCUSDT","b":"59000.00000000","B":"2.00000000","a":"0.00000000","A":"0.00000000"}}"#;
    everywhere(&server, Fault::Inject { text: empty.to_owned() });
    let before = follower.trades().count();
    pause(&server, false);
    play_on(&server, 20);
    follower.settles(&server).await;
    let trades: Vec<_> = follower.trades().skip(before).collect();
    assert!(trades.len() >= 20);
    for trade in trades {
        assert_eq!((trade.ask, trade.ask_size), (None, Quantity::ZERO), "{trade:?}");
        assert_eq!(trade.bid.map(|bid| bid.to_string()), Some("59000".to_owned()), "{trade:?}");
    }
    assert_eq!(follower.checked(&server, "BTC/USDT"), [], "a quote makes no hole");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prices_of_ten_digits_on_either_side_of_the_point_come_exactly() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, price) in [("large", "1234567890.12"), ("small", "0.00012345"), ("both", "98765.43210987")] {
        let file = folder.path().join(name);
        let rows: Vec<_> = (0..600)
            .map(|n| format!("{},{price},{price},{price},{price},8", 1_700_000_040_000_i64 + 60_000 * n))
            .collect();
        let text = format!("open_time_ms,open,high,low,close,volume\n{}\n", rows.join("\n"));
        std::fs::write(&file, text).expect("a file");
        let candles = format!("BTCUSDT={}", file.display());
        let options = ["--candles", &candles, "--history", "60", "--speed", "60", "--loop", "--paused"];
        let server = server(&options);
        let mut follower = Follower::start(config(&[&server]), &["BTC/USDT"]);
        follower.is_up().await;
        follower.plays(&server);
        follower.next("a trade", |news| matches!(news, News::Trade(_)).then_some(())).await;
        play_on(&server, 4);
        follower.settles(&server).await;
        assert!(follower.trades().count() >= 4);
        for trade in follower.trades() {
            assert_eq!(trade.price.to_string(), price, "{trade:?}");
            // A step of this market is more than the small price: nobody bids below it.
            assert_eq!(trade.bid.is_none(), name == "small", "{trade:?}");
            assert_eq!(trade.bid_size == Quantity::ZERO, name == "small", "{trade:?}");
        }
        follower.checked(&server, "BTC/USDT");
    }
}
