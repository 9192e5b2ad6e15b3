//! Connections that end in every way: what was lost meanwhile is one hole, from the last trade that the server has sent to the
//! first one after the streams are back.

use fastrand::Rng;
use market_server::control::{AfterCut, Aim, Fault};
use market_server::process::Server;
use venue::live::{HoleCause, LinkFault, News};

use super::follower::{
    Follower, config, everywhere, logged, newest_stream, open_the_gate, pause, play_on, played, still,
};
use crate::client::{server, until};

/// Sources whose frames are cut, each at another byte.
const CUTS: u64 = 20;

/// The connection of each source meets its fault, and no other one is let in until some trades were missed. Then, while the
/// market stands still, all listen again. The first trade after it, which is the same for all.
async fn held_off(server: &Server, followers: &mut [Follower], faults: &[(u64, Fault)]) -> u64 {
    everywhere(server, Fault::Refuse { for_ms: None });
    for (connection, fault) in faults {
        let aim = Aim { connection: Some(*connection), ..Aim::default() };
        server.control.fault(aim, fault.clone()).expect("an order that can be");
    }
    pause(server, false);
    for follower in &mut *followers {
        let fault = follower.is_down().await;
        assert!(matches!(fault, LinkFault::Unreachable(_)), "{fault:?}");
    }
    play_on(server, 5);
    pause(server, true);
    open_the_gate(server);
    for follower in &mut *followers {
        follower.is_up().await;
    }
    let first = played(server) + 1;
    pause(server, false);
    for follower in followers {
        follower.reaches(first + 5).await;
    }
    first
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_frame_is_cut_at_any_byte_or_the_connection_ends_in_or_out_of_order() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let mut random = Rng::with_seed(seed);
    let server = still();
    let (mut followers, mut faults) = (Vec::new(), Vec::new());
    for number in 0..CUTS + 2 {
        followers.push(Follower::up(&server).await);
        let then = [AfterCut::Close, AfterCut::Reset, AfterCut::Garbage][random.usize(0..3)];
        let fault = match number.checked_sub(CUTS) {
            // A quote and a trade are some 330 bytes together.
            None => Fault::Cut { byte: random.usize(0..340), then, seed: random.u64(..) },
            Some(0) => Fault::Close { code: 1001, reason: "24 hours are over".to_owned() },
            Some(_) => Fault::Reset,
        };
        faults.push((newest_stream(&server), fault));
    }
    pause(&server, false);
    play_on(&server, 20);
    for follower in &mut followers {
        follower.settles(&server).await;
    }
    let first = held_off(&server, &mut followers, &faults).await;
    let closed = logged(&server, "closed");
    for (follower, (connection, fault)) in followers.iter().zip(&faults) {
        let gaps = follower.checked(&server, "BTC/USDT");
        let [gap] = gaps[..] else { panic!("{fault:?}: one hole is expected: {gaps:?}") };
        assert_eq!((gap.cause, gap.before), (HoleCause::Disconnect, first), "{fault:?}");
        let closed = closed.iter().find(|line| line.connection == Some(*connection)).expect("the log tells its end");
        let sent = closed.trade.expect("trades were sent");
        match fault {
            // Random bytes stand for trades that are no more; a reset may overtake what was sent. A cut behind a frame's very
            // last byte lets the whole frame through, which the log, as the connection failed with it, does not count.
            Fault::Cut { then: AfterCut::Garbage | AfterCut::Reset, .. } => {
                assert!(gap.after <= sent + 1, "{fault:?}: {gap:?}");
            }
            Fault::Cut { .. } => assert!((sent..=sent + 1).contains(&gap.after), "{fault:?}: {gap:?}, sent {sent}"),
            _ => assert_eq!(gap.after, sent, "{fault:?}"),
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn before_an_announced_end_another_connection_takes_over_without_a_hole() {
    let server = still();
    let mut follower = Follower::following(&server).await;
    let old = newest_stream(&server);
    everywhere(&server, Fault::Shutdown { after_ms: 20_000 });
    // The old one falls behind: what the new one gives already, the old one has not given yet.
    everywhere(&server, Fault::Drip { bytes: 50, every_ms: 50, for_ms: Some(2_000) });
    let closed = server.control.wait(|line| line.event == "closed" && line.connection == Some(old)).expect("it ends");
    assert_ne!(closed.detail, "server shutdown", "the client has closed it before");
    assert!(newest_stream(&server) > old);
    play_on(&server, 20);
    follower.settles(&server).await;
    assert_eq!(follower.checked(&server, "BTC/USDT"), []);
    let told = follower.told();
    assert!(
        !told.iter().any(|news| matches!(news, News::Hole(_))) && told.len() == 2,
        "rules and a link that is up: {told:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn over_tls_the_servers_authority_is_trusted_only_if_it_is_named() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().display().to_string();
    let server = server(&["--random", "7", "--speed", "20", "--tls", &path]);
    let mut stranger = Follower::start(config(&[&server]), &["BTC/USDT"]);
    let fault = stranger.is_down().await.to_string();
    assert!(fault.contains("TLS with 127.0.0.1 failed") && fault.contains("give its CA's file"), "{fault}");
    let mut secure = config(&[&server]);
    secure.ca.clone_from(&server.endpoints.ca);
    let mut follower = Follower::start(secure, &["BTC/USDT"]);
    follower.is_up().await;
    follower.next("a trade", |news| matches!(news, News::Trade(_)).then_some(())).await;
    let first = follower.trades().next().expect("a trade").id;
    follower.reaches(first + 20).await;
    for (trade, id) in follower.trades().zip(first..) {
        assert_eq!(trade.id, id);
        // The walk's trades hit one of the quotes that were the last before them.
        assert!(trade.bid == Some(trade.price) || trade.ask == Some(trade.price), "{trade:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_that_drip_and_bursts_lose_nothing() {
    let server = still();
    let mut follower = Follower::following(&server).await;
    everywhere(&server, Fault::Drip { bytes: 50, every_ms: 5, for_ms: Some(1_500) });
    follower.reaches(played(&server) + 5).await;
    everywhere(&server, Fault::Hold { bytes: 30_000 });
    let held = played(&server);
    until("the burst is long", || played(&server) >= held + 100);
    follower.reaches(held + 100).await;
    follower.settles(&server).await;
    assert_eq!(follower.checked(&server, "BTC/USDT"), []);
}
