//! Frames that are missing, come twice, in another order, or are none.

use market_server::control::{Aim, Fault};
use venue::live::{HoleCause, News};

use super::follower::{Follower, Gap, everywhere, logged, play_on, still};

const TRADES: &str = "btcusdt@trade";
const QUOTES: &str = "btcusdt@bookTicker";

/// What a source that followed a market through this fault has for holes, and the trades whose frames met it.
async fn meeting(stream: Option<&str>, fault: Fault, kind: &str) -> (Vec<Gap>, Vec<u64>) {
    let server = still();
    let mut follower = Follower::following(&server).await;
    let aim = Aim { stream: stream.map(str::to_owned), ..Aim::default() };
    server.control.fault(aim, fault).expect("an order that can be");
    play_on(&server, 40);
    follower.settles(&server).await;
    let met: Vec<_> = logged(&server, kind);
    assert!(
        !met.is_empty() && met.iter().all(|line| stream.is_none_or(|stream| line.stream.as_deref() == Some(stream)))
    );
    (follower.checked(&server, "BTC/USDT"), met.iter().filter_map(|line| line.trade).collect())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gap_is_named_with_the_trades_that_the_server_left_out() {
    let (gaps, dropped) = meeting(Some(TRADES), Fault::Drop { count: 10 }, "drop").await;
    assert_eq!(dropped, (dropped[0]..dropped[0] + 10).collect::<Vec<_>>());
    assert_eq!(gaps, [Gap { cause: HoleCause::Skipped, after: dropped[0] - 1, before: dropped[9] + 1 }]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quotes_that_are_missing_make_no_hole() {
    assert_eq!(meeting(Some(QUOTES), Fault::Drop { count: 10 }, "drop").await, (vec![], vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_comes_twice_is_told_once() {
    let (gaps, doubled) = meeting(None, Fault::Duplicate { count: 30 }, "duplicate").await;
    assert_eq!((gaps, doubled.len()), (vec![], 15), "quotes and trades, half and half");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trades_that_are_overtaken_lie_in_a_hole() {
    let (gaps, reordered) = meeting(Some(TRADES), Fault::Reorder { count: 4 }, "reorder").await;
    // The last of them comes first; prices from before it are none to trade on.
    assert_eq!(gaps, [Gap { cause: HoleCause::Skipped, after: reordered[0] - 1, before: reordered[3] }]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn quotes_that_are_overtaken_make_no_hole() {
    assert_eq!(meeting(Some(QUOTES), Fault::Reorder { count: 4 }, "reorder").await, (vec![], vec![]));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn frames_that_do_not_read_are_counted_and_change_nothing() {
    let server = still();
    let mut follower = Follower::following(&server).await;
    everywhere(&server, Fault::Inject { text: "{cut".to_owned() });
    let malformed = |news: &News| {
        if let News::Malformed { count, problem } = news { Some((*count, problem.clone())) } else { None }
    };
    let (count, problem) = follower.next("it is told", malformed).await;
    assert!(count == 1 && problem.ends_with(": {cut"), "{count}: {problem}");
    play_on(&server, 20);
    follower.settles(&server).await;
    assert_eq!(follower.checked(&server, "BTC/USDT"), []);
    assert_eq!(logged(&server, "inject").len(), 1);
}
