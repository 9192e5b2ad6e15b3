//! The machine in virtual time.

use engine::time::Timestamp;

use super::super::faults::Failure;
use super::super::machine::ConnectionId;
use super::super::product::Product;
use super::stage::{START, Stage, book, info, trade, trade_of};
use crate::live::{Hole, HoleCause, LastTrade, Link, LinkFault, MarketState, News};

/// A stage with quotes, and the only connection.
fn quoted(seed: u64) -> (Stage, ConnectionId) {
    let mut stage = Stage::following(seed, &["BTC/USDT"]);
    let connection = stage.newest();
    stage.frame(connection, &book(1, "61837.63", "61837.64"));
    (stage, connection)
}

fn links(stage: &Stage) -> Vec<Link> {
    let link = |news: &News| if let News::Link(link) = news { Some(link.clone()) } else { None };
    stage.news.iter().filter_map(link).collect()
}

fn hour(hours: u64) -> u64 {
    hours * 3_600_000
}

#[test]
fn a_market_is_subscribed_when_its_rules_are_known() {
    let mut stage = Stage::new(1);
    stage.listed.push(("BTCD", "USDT", "BREAK"));
    stage.follow(&["BTC/USDT", "BTCD/USDT", "BTX/USDT", "BTC/USDT:USDT"], None);
    stage.run(2_000);
    let streams: Vec<&str> = stage.open.values().flatten().map(String::as_str).collect();
    assert_eq!(streams, ["btcdusdt@bookTicker", "btcdusdt@trade", "btcusdt@bookTicker", "btcusdt@trade"]);
    assert_eq!(links(&stage), [Link::Up]);
    let News::Rules(rules) = &stage.news[0] else { panic!("{:?}", stage.news) };
    let of = |symbol: &str| {
        let rules = &rules[&symbol.parse().unwrap()];
        (rules.state, rules.steps.as_ref().map(|steps| steps.tick_size.to_string()), rules.suggestion.as_deref())
    };
    assert_eq!(of("BTC/USDT"), (MarketState::Trading, Some("0.01".into()), None));
    assert_eq!(of("BTCD/USDT"), (MarketState::Halted, Some("0.01".into()), None));
    assert_eq!(of("BTX/USDT"), (MarketState::Unknown, None, Some("BTC/USDT")));
    assert_eq!(of("BTC/USDT:USDT"), (MarketState::Unknown, None, Some("BTC/USDT")));
}

#[test]
fn markets_of_other_alphabets_do_no_harm_and_are_no_suggestion() {
    let mut stage = Stage::new(1);
    stage.listed.extend([("币安人生", "USDT", "TRADING"), ("币", "USDT", "TRADING")]);
    stage.follow(&["BTC/USDT", "A/USDT"], None);
    stage.run(2_000);
    let News::Rules(rules) = &stage.news[0] else { panic!("{:?}", stage.news) };
    let of =
        |symbol: &str| (rules[&symbol.parse().unwrap()].state, rules[&symbol.parse().unwrap()].suggestion.as_deref());
    assert_eq!(of("BTC/USDT"), (MarketState::Trading, None));
    // The nearest name is one that no manifest can have.
    assert_eq!(of("A/USDT"), (MarketState::Unknown, None));
    let connection = stage.newest();
    stage.frame(connection, &book(1, "61837.63", "61837.64"));
    stage.frame(connection, &trade(1));
    assert_eq!(stage.ids(), [1]);
}

#[test]
fn trades_before_a_quote_are_no_news_but_count() {
    let mut stage = Stage::following(1, &["BTC/USDT"]);
    let connection = stage.newest();
    assert!(stage.frame(connection, &trade(10)));
    stage.frame(connection, &book(1, "61837.63", "0.00"));
    stage.frame(connection, &trade(11));
    stage.frame(connection, &trade(13));
    assert_eq!((stage.ids(), stage.holes()), (vec![11, 13], vec![(HoleCause::Skipped, 1)]));
    let trades = stage.trades();
    assert_eq!(
        (trades[0].ask, trades[0].ask_size.to_string(), trades[0].bid_size.to_string()),
        (None, "0".into(), "3.5".into())
    );
}

#[test]
fn a_known_market_names_what_it_missed_while_nobody_listened() {
    let mut stage = Stage::new(1);
    stage.follow(&["BTC/USDT"], Some(LastTrade { id: 5, time: Timestamp::from_millis(START + 5) }));
    stage.run(2_000);
    let connection = stage.newest();
    stage.frame(connection, &book(1, "1", "2"));
    assert!(!stage.frame(connection, &trade(4)) && !stage.frame(connection, &trade(5)));
    stage.frame(connection, &trade(8));
    let hole = stage.news.iter().find_map(|news| if let News::Hole(hole) = news { Some(hole.clone()) } else { None });
    let (symbol, [from, to]) = ("BTC/USDT".parse().unwrap(), [5, 8].map(|ms| Timestamp::from_millis(START + ms)));
    assert_eq!(hole, Some(Hole { symbol, cause: HoleCause::Restart, from, to, missed: 2 }));
    assert_eq!(stage.ids(), [8]);
}

#[test]
fn a_lost_connection_comes_back_after_a_pause_and_names_what_is_missing() {
    let (mut stage, first) = quoted(2);
    stage.frame(first, &trade(1));
    stage.breaks(first);
    stage.step();
    assert_eq!(links(&stage), [Link::Up, Link::Down(LinkFault::Unreachable("broken".into()))]);
    let lost_at = stage.now;
    stage.run(3_000);
    assert_eq!(links(&stage).len(), 3);
    let (again, host) = *stage.connects.last().unwrap();
    assert!((250..=700).contains(&(again - lost_at)) && host == 0, "{}", again - lost_at);
    let second = stage.newest();
    // What still comes from the first is nothing.
    assert!(!stage.frame(first, &trade(2)));
    stage.frame(second, &trade(4));
    stage.frame(second, &trade(5));
    assert_eq!((stage.ids(), stage.holes()), (vec![1, 4, 5], vec![(HoleCause::Disconnect, 2)]));
}

#[test]
fn a_loss_without_a_missing_trade_makes_no_hole() {
    let (mut stage, first) = quoted(3);
    stage.frame(first, &trade(1));
    stage.breaks(first);
    stage.run(3_000);
    let second = stage.newest();
    stage.frame(second, &trade(2));
    // And the cause is forgotten: what jumps later jumps on a connection that is well.
    stage.frame(second, &trade(4));
    assert_eq!((stage.ids(), stage.holes()), (vec![1, 2, 4], vec![(HoleCause::Skipped, 1)]));
}

#[test]
fn before_the_venue_ends_a_connection_the_next_one_takes_over_without_a_hole() {
    for seed in 0..20 {
        let (mut stage, old) = quoted(seed);
        stage.frame(old, &trade(1));
        while stage.open.len() == 1 {
            assert!(stage.now < hour(24), "it was not opened in time");
            // In leaps, for it is a day.
            stage.now += 2_000;
            stage.step();
        }
        assert!(stage.now > hour(23));
        let new = stage.newest();
        // The new one is ahead, then the old one brings what it lacks.
        stage.frame(old, &trade(2));
        assert!(!stage.frame(new, &trade(4)));
        stage.run(200);
        stage.frame(old, &trade(3));
        stage.frame(old, &trade(4));
        stage.run(200);
        assert_eq!(stage.open.keys().collect::<Vec<_>>(), [&new]);
        assert!(!stage.frame(old, &trade(5)));
        assert!(!stage.frame(new, &trade(4)));
        stage.frame(new, &trade(5));
        assert_eq!((stage.ids(), stage.holes()), (vec![1, 2, 3, 4, 5], vec![]));
        assert_eq!(links(&stage), [Link::Up]);
    }
}

#[test]
fn a_quiet_market_changes_over_when_nothing_can_be_under_way() {
    let mut stage = Stage::following(4, &["BTC/USDT", "ETH/USDT"]);
    let old = stage.newest();
    stage.frame(old, r#"{"event":{"e":"serverShutdown","E":1770123456789}}"#);
    stage.run(1_000);
    let new = stage.newest();
    assert_ne!(new, old);
    stage.frame(old, &trade(1));
    stage.frame(new, &trade(1));
    stage.run(3_000);
    // One that is busy has changed over, one that is quiet has not, and its trade under way is not lost.
    assert!(!stage.frame(old, &trade(2)) && stage.frame(new, &trade(2)));
    assert!(stage.frame(old, &trade_of("ETHUSDT", 7)));
    assert_eq!(stage.open.len(), 2);
    stage.run(6_000);
    assert_eq!(stage.open.keys().collect::<Vec<_>>(), [&new]);
    assert!(stage.frame(new, &trade_of("ETHUSDT", 8)));
    assert_eq!(stage.holes(), []);
}

#[test]
fn the_next_connection_serves_where_the_old_one_ends_first() {
    for message in [r#"{"e":"serverShutdown","E":1}"#, r#"{"stream":"","data":{"e":"serverShutdown","E":1}}"#] {
        let (mut stage, old) = quoted(5);
        stage.frame(old, &trade(1));
        stage.frame(old, message);
        stage.run(200);
        let new = stage.newest();
        stage.frame(new, &trade(2));
        stage.breaks(old);
        stage.run(1_000);
        stage.frame(new, &trade(3));
        assert_eq!((stage.ids(), stage.holes()), (vec![1, 3], vec![(HoleCause::Disconnect, 1)]));
        assert_eq!(stage.connects.len(), 2, "no third connection");
    }
}

#[test]
fn a_connection_is_stale_after_30_s_and_a_quiet_market_never() {
    let (mut stage, first) = quoted(6);
    stage.run(hour(1));
    assert_eq!((stage.connects.len(), links(&stage).len()), (1, 1), "pongs are enough");
    let alive = stage.news.iter().filter(|news| matches!(news, News::Alive { .. })).count();
    assert!((600..=800).contains(&alive), "{alive}: one for each pong");
    stage.answers = false;
    let silent_from = stage.now;
    while links(&stage).len() == 1 {
        stage.run(100);
    }
    let after = stage.now - silent_from;
    assert!((25_000..=30_200).contains(&after), "{after}");
    let Some(Link::Down(LinkFault::Unreachable(words))) = links(&stage).pop() else { panic!("{:?}", links(&stage)) };
    assert!(words.contains("nothing came for 30 s"), "{words}");
    assert!(!stage.open.contains_key(&first));
}

#[test]
fn a_reader_that_is_slow_makes_no_connection_stale() {
    let (mut stage, _) = quoted(6);
    stage.answers = false;
    for _ in 0..1_200 {
        stage.machine.not_read(stage.clocks());
        stage.run(100);
    }
    assert_eq!(stage.connects.len(), 1);
}

#[test]
fn a_subscription_that_is_refused_is_told() {
    let (mut stage, connection) = quoted(7);
    stage.frame(connection, r#"{"error":{"code":2,"msg":"Invalid request: too many streams"},"id":3}"#);
    stage.step();
    let Some(Link::Down(LinkFault::Unreachable(words))) = links(&stage).pop() else { panic!("{:?}", links(&stage)) };
    assert!(words.contains("too many streams"), "{words}");
}

#[test]
fn during_a_ban_nothing_is_asked_or_opened() {
    let (mut stage, first) = quoted(8);
    let until = Some(stage.wall().plus_millis(120_000));
    let fault = LinkFault::Banned { until, message: "banned".into() };
    stage.refusal = Some(Failure { fault: fault.clone(), hold_millis: Some(120_000) });
    stage.breaks(first);
    while stage.connects.len() < 2 {
        stage.run(100);
    }
    stage.step();
    let (banned_at, asked) = (stage.now, stage.asked.len());
    assert_eq!(links(&stage).pop(), Some(Link::Down(fault)));
    stage.refusal = None;
    stage.run(119_000);
    assert_eq!((stage.connects.len(), stage.asked.len()), (2, asked));
    stage.run(40_000);
    assert!(stage.connects[2].0 >= banned_at + 120_000 && stage.asked[asked].0 >= banned_at + 120_000);
    assert_eq!(links(&stage).pop(), Some(Link::Up));
}

#[test]
fn another_host_serves_where_the_first_one_refuses_the_place() {
    let mut stage = Stage::new(9);
    stage.refusal = Some(Failure { fault: LinkFault::Region("451".into()), hold_millis: None });
    stage.follow(&["BTC/USDT"], None);
    stage.step();
    stage.refusal = None;
    stage.run(2_000);
    assert_eq!(stage.asked.iter().map(|(_, host)| *host).collect::<Vec<_>>(), [0, 1]);
    let said = stage.news.iter().any(
        |news| matches!(news, News::Notice(words) if words.contains("by api.two from now on, in place of api.one")),
    );
    assert!(said, "{:?}", stage.news);
    assert_eq!(links(&stage), [Link::Up], "while another host is left to try, the way is not down");
}

#[test]
fn a_place_that_is_refused_in_the_midst_goes_on_while_its_streams_come_and_is_told_when_they_end() {
    let (mut stage, connection) = quoted(21);
    let refused = Failure { fault: LinkFault::Region("451".into()), hold_millis: None };
    stage.refusal = Some(refused.clone());
    for id in 0..370 {
        stage.frame(connection, &trade(id));
        stage.run(10_000);
    }
    assert_eq!(links(&stage), [Link::Up]);
    let notices = |stage: &Stage| {
        stage.news.iter().filter(|news| matches!(news, News::Notice(words) if words.contains("451"))).count()
    };
    assert_eq!(notices(&stage), 1, "{:?}", stage.news.last());
    // Whoever asks for candles meanwhile waits for the same pause.
    stage.machine.request_failed(&refused, stage.now);
    stage.machine.request_failed(&refused, stage.now);
    assert!(stage.machine.requests_due() > stage.now);
    stage.breaks(connection);
    stage.run(60_000);
    assert_eq!(links(&stage).pop(), Some(Link::Down(refused.fault)));
    stage.refusal = None;
    stage.run(60_000);
    assert_eq!(links(&stage).pop(), Some(Link::Up));
}

#[test]
fn while_nothing_answers_attempts_come_more_and_more_seldom() {
    let mut stage = Stage::new(10);
    stage.follow(&["BTC/USDT"], None);
    stage.refusal = Some(Failure::unreachable("down"));
    stage.run(300_000);
    assert!((20..=60).contains(&stage.asked.len()), "{} in 5 min", stage.asked.len());
    stage.refusal = None;
    stage.run(31_000);
    assert_eq!(links(&stage), [Link::Down(LinkFault::Unreachable("down".into())), Link::Up]);
    // Later, what is known stays, and that is told once.
    stage.refusal = Some(Failure::unreachable("down"));
    stage.run(hour(2));
    let words: Vec<&News> = stage.news.iter().filter(|news| matches!(news, News::Notice(_))).collect();
    assert_eq!(words, [&News::Notice("rules of the markets: down; those that are known stay".into())]);
    assert_eq!(links(&stage).len(), 2);
}

#[test]
fn connections_that_break_at_once_stay_below_the_venues_bound() {
    let (mut stage, _) = quoted(11);
    let end = stage.now + 300_000;
    while stage.now < end {
        if !stage.open.is_empty() {
            let connection = stage.newest();
            stage.breaks(connection);
        }
        stage.run(100);
    }
    assert!(stage.connects.len() < 60 && stage.asked.len() < 10, "{} and {}", stage.connects.len(), stage.asked.len());
}

#[test]
fn who_was_not_run_drops_what_came_and_names_the_hole() {
    let (mut stage, first) = quoted(12);
    stage.frame(first, &trade(1));
    stage.machine.suspended(5_000);
    assert!(!stage.frame(first, &trade(2)), "what was buffered is dropped");
    let told = stage.news.iter().position(|news| *news == News::Suspended { millis: 5_000 }).unwrap();
    stage.run(2_000);
    assert!(!stage.open.contains_key(&first));
    let second = stage.newest();
    stage.frame(second, &trade(9));
    assert_eq!((stage.ids(), stage.holes()), (vec![1, 9], vec![(HoleCause::Suspend, 7)]));
    let hole = stage.news.iter().position(|news| matches!(news, News::Hole(_))).unwrap();
    assert!(told < hole);
    assert_eq!(links(&stage).len(), 3);
}

#[test]
fn a_trade_that_does_not_read_is_a_hole_of_that_cause() {
    let (mut stage, connection) = quoted(13);
    stage.frame(connection, &trade(1));
    assert!(!stage.frame(connection, &trade(2).replace("61837.63000000", "x")));
    stage.frame(connection, &trade(3));
    stage.frame(connection, &book(2, "9", "8"));
    stage.frame(connection, &trade(5));
    assert_eq!(stage.holes(), [(HoleCause::Malformed, 1), (HoleCause::Skipped, 1)]);
    assert_eq!(stage.trades().last().unwrap().bid.unwrap().to_string(), "61837.63", "a crossed quote changes nothing");
}

#[test]
fn a_wrong_digit_is_refused_or_healed() {
    let (mut stage, connection) = quoted(18);
    stage.frame(connection, &trade(1));
    // Of the time, of the market, of the id.
    assert!(!stage.frame(connection, &trade(2).replace("\"T\":18", "\"T\":98")));
    assert!(!stage.frame(connection, &trade(3).replace("\"s\":\"BTCUSDT", "\"s\":\"BTCUSDU")));
    stage.frame(connection, &trade(9_004));
    for id in 5..=9 {
        stage.frame(connection, &trade(id));
    }
    assert_eq!(stage.ids(), [1, 9_004, 7, 8, 9]);
    assert_eq!(stage.holes(), [(HoleCause::Malformed, 9_002)]);
    stage.run(61_000);
    let count = |news: &News| if let News::Malformed { count, .. } = news { *count } else { 0 };
    assert_eq!(stage.news.iter().map(count).sum::<u64>(), 2);
}

#[test]
fn markets_come_and_go_on_the_connection_that_stands() {
    let (mut stage, connection) = quoted(14);
    stage.frame(connection, &trade(1));
    stage.follow(&["BTC/USDT", "ETH/USDT"], None);
    stage.run(2_000);
    stage.frame(connection, &trade(2));
    stage.frame(connection, &trade_of("ETHUSDT", 100));
    stage.follow(&["ETH/USDT"], None);
    stage.run(2_000);
    assert!(!stage.frame(connection, &trade(3)));
    assert_eq!((stage.connects.len(), stage.ids(), stage.holes()), (1, vec![1, 2], vec![]));
    assert_eq!(stage.open[&connection].iter().collect::<Vec<_>>(), ["ethusdt@bookTicker", "ethusdt@trade"]);
}

#[test]
fn as_few_connections_as_the_bounds_allow_each_within_the_pace() {
    let names: Vec<&'static str> = (0..1_030).map(|n| &*Box::leak(format!("C{n}").into_boxed_str())).collect();
    let mut stage = Stage::new(15);
    stage.listed = names.iter().map(|name| (*name, "USDT", "TRADING")).collect();
    let symbols: Vec<String> = names.iter().map(|name| format!("{name}/USDT")).collect();
    stage.follow(&symbols.iter().map(String::as_str).collect::<Vec<_>>(), None);
    stage.run(10_000);
    let streams: Vec<usize> = stage.open.values().map(std::collections::BTreeSet::len).collect();
    assert_eq!(streams, [1_024, 1_024, 12]);
    for sent in stage.sent.values() {
        assert!(sent.windows(5).all(|five| five[4] - five[0] >= 1_000));
    }
    assert_eq!(links(&stage), [Link::Up]);
}

#[test]
fn rules_are_asked_for_each_hour_and_only_changes_are_told() {
    let (mut stage, connection) = quoted(16);
    // Who trades is no market that may have halted.
    for id in 0..360 {
        stage.frame(connection, &trade(id));
        stage.run(20_000);
    }
    let rules = |stage: &Stage| stage.news.iter().filter(|news| matches!(news, News::Rules(_))).count();
    assert_eq!((stage.asked.len(), rules(&stage)), (3, 1));
    stage.listed[0].2 = "CANCEL_ONLY";
    stage.run(hour(1));
    assert_eq!(rules(&stage), 2);
    let Some(News::Rules(changed)) = stage.news.iter().rfind(|news| matches!(news, News::Rules(_))) else { panic!() };
    assert_eq!(changed.values().map(|rules| rules.state).collect::<Vec<_>>(), [MarketState::CancelOnly]);
}

/// A bid below zero does not read, and a stream may not come through: then its user waits for ever, and is to know for what.
#[test]
fn trades_that_come_for_seconds_without_a_quote_are_told_of_once() {
    let mut stage = Stage::following(19, &["BTC/USDT"]);
    let connection = stage.newest();
    let told = |stage: &Stage| stage.news.iter().filter(|news| matches!(news, News::Unquoted(_))).count();
    stage.run(60_000);
    assert_eq!(told(&stage), 0, "a quiet market");
    for id in 0..60 {
        stage.frame(connection, &book(1, "-0.00987655", "0.00012345"));
        stage.frame(connection, &trade(id));
        assert_eq!(told(&stage), usize::from(id > 5), "{id}");
        stage.run(1_000);
    }
    stage.frame(connection, &book(2, "61837.63", "61837.64"));
    stage.frame(connection, &trade(60));
    stage.run(60_000);
    assert_eq!((told(&stage), stage.ids()), (1, vec![60]));
}

#[test]
fn a_halt_is_told_within_a_minute_of_the_last_trade_and_a_quiet_market_is_asked_for_seldom() {
    let (mut stage, connection) = quoted(17);
    for id in 0..30 {
        stage.frame(connection, &trade(id));
        stage.run(10_000);
    }
    assert_eq!(stage.asked.len(), 1);
    stage.listed[0].2 = "BREAK";
    let last = stage.now - 10_000;
    let newest = |stage: &Stage| match stage.news.iter().rfind(|news| matches!(news, News::Rules(_))) {
        Some(News::Rules(rules)) => rules[&"BTC/USDT".parse().unwrap()].state,
        _ => panic!("{:?}", stage.news),
    };
    while newest(&stage) == MarketState::Trading {
        stage.run(1_000);
        assert!(stage.now - last <= 60_000, "not told");
    }
    assert_eq!((newest(&stage), stage.asked.len()), (MarketState::Halted, 2));
    // It goes on to be quiet: ever more seldom, so its end is seen too.
    stage.run(hour(2));
    assert!((6..=12).contains(&stage.asked.len()), "{}", stage.asked.len());
    stage.listed[0].2 = "TRADING";
    let asked = stage.asked.len();
    let connection = stage.newest();
    stage.frame(connection, &trade(30));
    stage.run(60_000);
    assert_eq!((newest(&stage), stage.asked.len()), (MarketState::Trading, asked + 1));
}

#[test]
fn many_quiet_markets_are_asked_for_together_once_a_minute_at_most() {
    let mut stage = Stage::new(18);
    stage.follow(&["BTC/USDT", "ETH/USDT"], None);
    stage.run(hour(1));
    assert!(stage.asked.windows(2).all(|two| two[1].0 - two[0].0 >= 60_000), "{:?}", stage.asked);
    assert!(stage.asked.len() <= 12, "{}", stage.asked.len());
}

#[test]
fn a_wrong_clock_is_told_once_in_words() {
    let mut stage = Stage::new(17);
    stage.follow(&["BTC/USDT"], None);
    for _ in 0..3 {
        let server = info(Product::Spot, &stage.listed, stage.wall().plus_millis(90_000));
        stage.machine.rules_came(&server, 40, stage.clocks());
    }
    let told: Vec<News> =
        stage.machine.take_news().into_iter().filter(|news| matches!(news, News::Notice(_))).collect();
    assert_eq!(told.len(), 1);
    assert!(matches!(&told[0], News::Notice(words) if words.contains("is 90020 ms behind the exchange's")), "{told:?}");
}
