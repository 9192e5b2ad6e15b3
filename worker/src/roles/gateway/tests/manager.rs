//! The order manager alone: what it does with each command, outcome, report and answer; time is an argument.

use engine::client_order_id::ClientOrderId;
use engine::fees::Fees;
use engine::messages::{Fill, Liquidity, OrderCommand, OrderStatus, OrderUpdate};
use engine::numbers::Quantity;
use engine::time::Timestamp;
use serde_json::{Value, json};
use venue::{Alphabet, Answers, IdCodec, Outcome, Question, RequestExpiry, VenueFacts, VenueReport, VenueTrade};

use super::super::manager::{Found, OrderManager, Verdict};
use super::super::sub_account::SubAccount;
use super::{cancel, command};
use crds::roles::{GatewayDesired, Stance};

const WINDOW: i64 = 5_000;
const VISIBILITY: i64 = 2_000;
pub(super) const ELSEWHERE: &VenueFacts = &VenueFacts {
    ids: IdCodec { alphabet: Alphabet::WithHyphens, length_max: 36 },
    answers: Answers::Final,
    expiry: RequestExpiry::ReceiveWindow { window_ms: WINDOW - 500 },
    margin_ms: 500,
    visibility_ms: VISIBILITY,
    answer_ms: 1_000,
    at_once: 8,
    switch: None,
    prevention: &[],
};

/// Adopts a register, with new sub-accounts at the declared capital.
pub(super) fn open(manager: &mut OrderManager, desired: &GatewayDesired) {
    for spec in manager.without_sub_account(desired) {
        manager.open(&spec.ledger, SubAccount::opening(&spec).unwrap(), 0);
    }
    let _ = manager.register(desired);
}

fn at(milliseconds: i64) -> Timestamp {
    Timestamp::from_millis(milliseconds)
}

fn registered() -> OrderManager {
    let mut manager = OrderManager::default();
    open(&mut manager, &registered_sub_accounts());
    manager
}

fn buy(sequence: u64) -> OrderCommand {
    command("abc", sequence, 0, &json!({}))
}

fn judge(manager: &mut OrderManager, command: &OrderCommand, now: i64) -> Verdict {
    manager.judge(command, at(now))
}

/// An order manager that has sent order 1 at time 0.
fn sent() -> OrderManager {
    let mut manager = registered();
    assert_eq!(judge(&mut manager, &buy(1), 0), Verdict::Send);
    manager
}

/// An order manager that does not know whether order 1 arrived.
fn doubting() -> OrderManager {
    let mut manager = sent();
    assert_eq!(
        brief(&manager.settle(&buy(1).client_order_id, &Outcome::Unknown("TimedOut".into()), at(0))),
        ["Unknown"]
    );
    manager
}

/// The order manager as its record would give it after a restart.
fn restarted(manager: &mut OrderManager) -> OrderManager {
    let changes = manager.take_changes();
    let fields = changes.set.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    OrderManager::restore(&Fees::default(), fields).unwrap()
}

fn trade(id: &str, quantity: &str) -> VenueTrade {
    VenueTrade {
        trade_id: id.to_owned(),
        quantity: quantity.parse().unwrap(),
        price: "600.00".parse().unwrap(),
        fee: "0".parse().unwrap(),
        fee_asset: "USDT".parse().unwrap(),
        fee_quote: "0".parse().unwrap(),
        liquidity: Liquidity::Taker,
        time: at(0),
    }
}

/// A report of order 1.
fn report(status: OrderStatus, cumulative: &str, trades: &[(&str, &str)]) -> VenueReport {
    VenueReport {
        client_order_id: buy(1).client_order_id,
        venue_order_id: "7".to_owned(),
        status,
        reason: String::new(),
        cumulative_quantity: cumulative.parse().unwrap(),
        prevented_quantity: Quantity::ZERO,
        trades: trades.iter().map(|(id, quantity)| trade(id, quantity)).collect(),
        matched: None,
        ordered: None,
        time: at(0),
    }
}

/// News in a few letters: `Filled 1+0.4` is a status with a trade.
fn brief(news: &[OrderUpdate]) -> Vec<String> {
    let line = |update: &OrderUpdate| {
        let fill = update.fill.as_ref().map(|fill: &Fill| format!(" {}+{}", fill.trade_id, fill.quantity));
        format!("{:?}{}", update.status, fill.unwrap_or_default())
    };
    news.iter().map(line).collect()
}

/// Whether there is anything to ask the venue about, now or later.
fn has_questions(manager: &OrderManager) -> bool {
    let mut manager = manager.clone();
    [100_000, 200_000].iter().any(|time| !manager.questions(at(*time)).is_empty())
}

fn reasons(verdict: Verdict) -> (Vec<String>, Option<u64>) {
    let (news, highest) = match verdict {
        Verdict::Tell(news) | Verdict::Repeat(news) => (news, None),
        Verdict::Reissued(news, highest) => (news, Some(highest)),
        Verdict::Send | Verdict::Cancel | Verdict::NotRegistered | Verdict::Ask => panic!("{verdict:?}"),
    };
    (news.iter().map(|update| format!("{:?} {}", update.status, update.reason)).collect(), highest)
}

fn book(manager: &mut OrderManager) -> Value {
    let changes = manager.take_changes();
    let found = changes.set.iter().rfind(|(name, _)| name == "book:abc").expect("a book that changed");
    serde_json::from_str(&found.1).unwrap()
}

#[test]
fn commands_that_are_never_sent() {
    let cases = [
        (buy(1), 30_001, "Denied CommandExpired"),
        (command("abc", 1, 0, &json!({"quantity": "5.001"})), 0, "Denied InsufficientBook"),
        (command("abc", 1, 0, &json!({"side": "Sell", "quantity": "5.001"})), 0, "Denied InsufficientBook"),
        (command("abc", 1, 0, &json!({"sequence": 2})), 0, "Denied IdMismatch"),
        (command("abc", 1, 0, &json!({"ledger": "xyz"})), 0, "Denied IdMismatch"),
        (cancel("abc", 9, 0), 0, "Denied UnknownOrder"),
    ];
    for (command, now, told) in cases {
        assert_eq!(reasons(judge(&mut registered(), &command, now)), (vec![told.to_owned()], None), "{command:?}");
    }
    for name in [json!({"strategy": "other"}), json!({"clientOrderId": "glm-xyz-1", "ledger": "xyz"})] {
        let command = command("abc", 1, 0, &name);
        assert_eq!(judge(&mut registered(), &command, 0), Verdict::NotRegistered, "{command:?}");
    }
}

/// The order may have been lost with the gateway's record, and its end be told already: a second end of it would halt its
/// strategy.
#[test]
fn that_an_order_is_not_known_is_news_to_who_has_it_open_alone() {
    for manager in [registered(), registered().elsewhere()] {
        let verdict = manager.not_there(&cancel("abc", 9, 0));
        assert!(matches!(verdict, Verdict::Repeat(_)), "{verdict:?}");
    }
}

#[test]
fn an_id_never_means_a_second_try() {
    // Denied first: also after a restart, and whatever has become possible since.
    let mut manager = registered();
    assert_eq!(reasons(judge(&mut manager, &buy(1), 30_001)).0, ["Denied CommandExpired"]);
    let mut manager = restarted(&mut manager);
    assert_eq!(reasons(judge(&mut manager, &buy(1), 0)), (vec!["Denied SequenceUsed".to_owned()], Some(1)));
    // Denied while not registered.
    let mut manager = OrderManager::default();
    assert_eq!(brief(&manager.deny_unregistered(&buy(4))), ["Denied"]);
    assert_eq!(reasons(judge(&mut manager, &buy(4), 0)).1, Some(4));
    // Sent first: only told again.
    let mut manager = sent();
    assert_eq!(reasons(judge(&mut manager, &buy(1), 0)).0, ["Sent "]);
    manager.hear(&report(OrderStatus::Filled, "1", &[("1", "1")]));
    assert_eq!(reasons(judge(&mut manager, &buy(1), 0)).0, ["Filled "]);
    assert_eq!(reasons(judge(&mut manager, &cancel("abc", 1, 0), 0)).0, ["Filled "]);
}

#[test]
fn what_an_open_order_can_still_take_is_not_there_for_another() {
    let big = |sequence| command("abc", sequence, 0, &json!({"quantity": "3"}));
    let mut manager = registered();
    assert_eq!(judge(&mut manager, &big(1), 0), Verdict::Send);
    assert_eq!(reasons(judge(&mut manager, &big(2), 0)).0, ["Denied InsufficientBook"]);
    // Only the rest is held back once a part has traded, and nothing once it is closed.
    manager.hear(&report(OrderStatus::PartiallyFilled, "1", &[("1", "1")]));
    assert_eq!(reasons(judge(&mut manager, &big(3), 0)).0, ["Denied InsufficientBook"]);
    manager.hear(&report(OrderStatus::Expired, "1", &[]));
    assert_eq!(judge(&mut manager, &big(4), 0), Verdict::Send);
}

/// Reports in any order and number: what is told of them, and what the sub-account holds at the end.
#[test]
fn reports() {
    use OrderStatus::{Accepted, Canceled, Expired, Filled, PartiallyFilled, Unknown};
    type Report = (OrderStatus, &'static str, &'static [(&'static str, &'static str)]);
    let cases: [(&str, &[Report], &[&str], &str); 8] = [
        ("twice", &[(Filled, "1", &[("1", "1")]), (Filled, "1", &[("1", "1")])], &["Filled 1+1"], "6"),
        ("one trade twice in a report", &[(Filled, "0.5", &[("1", "0.5"), ("1", "0.5")])], &["Filled 1+0.5"], "5.5"),
        (
            "the end first, trades later and mixed up",
            &[
                (Canceled, "0.9", &[]),
                (PartiallyFilled, "0.9", &[("2", "0.5")]),
                (PartiallyFilled, "0.4", &[("1", "0.4")]),
            ],
            &["Canceled", "Canceled 2+0.5", "Canceled 1+0.4"],
            "5.9",
        ),
        ("old news after the end", &[(Expired, "0", &[]), (Accepted, "0", &[])], &["Expired"], "5"),
        ("another end", &[(Filled, "1", &[("1", "1")]), (Canceled, "1", &[])], &["Filled 1+1"], "6"),
        (
            "a trade after the end",
            &[(Canceled, "0", &[]), (PartiallyFilled, "0.4", &[("1", "0.4")])],
            &["Canceled", "Canceled 1+0.4"],
            "5.4",
        ),
        (
            "a total that grows without its trade",
            &[(PartiallyFilled, "0.1", &[]), (PartiallyFilled, "0.2", &[])],
            &["PartiallyFilled", "PartiallyFilled"],
            "5",
        ),
        ("nothing known", &[(Accepted, "0", &[]), (Unknown, "0", &[])], &["Accepted"], "5"),
    ];
    for (name, reports, told, coins) in cases {
        let mut manager = sent();
        let news: Vec<_> =
            reports.iter().flat_map(|(status, sum, trades)| manager.hear(&report(*status, sum, trades))).collect();
        assert_eq!(brief(&news), told, "{name}");
        assert_eq!(book(&mut manager)["amounts"]["BNB"], coins, "{name}");
        // The same again, after a restart and all at once: nothing is new.
        let mut manager = sent();
        for (status, sum, trades) in reports {
            manager.hear(&report(*status, sum, trades));
        }
        let mut manager = restarted(&mut manager);
        for (status, sum, trades) in reports {
            assert_eq!(brief(&manager.hear(&report(*status, sum, trades))), Vec::<String>::new(), "{name}");
        }
    }
}

#[test]
fn a_refusal_ends_only_what_the_venue_has_not_told_of() {
    let refused = Outcome::Rejected("DuplicateClientOrderId".into());
    let id = buy(1).client_order_id;
    assert_eq!(brief(&sent().settle(&id, &refused, at(0))), ["Rejected"]);
    let mut manager = sent();
    manager.hear(&report(OrderStatus::PartiallyFilled, "0.4", &[("1", "0.4")]));
    assert_eq!(brief(&manager.settle(&id, &refused, at(0))), Vec::<String>::new());
    assert!(has_questions(&manager));
    assert_eq!(brief(&manager.settle(&id, &Outcome::Unknown("TimedOut".into()), at(0))), Vec::<String>::new());
}

/// Look-ups that find nothing: when asked, and what follows.
#[test]
fn absence() {
    let id = buy(1).client_order_id;
    let first = WINDOW + 1;
    for (asked, end) in [
        (vec![0, WINDOW], Found::Wait),
        (vec![first], Found::Wait),
        (vec![WINDOW, first, first + VISIBILITY - 1], Found::Wait),
        (vec![first, first + VISIBILITY], Found::Absent),
        (vec![first, 29_999], Found::Absent),
    ] {
        let mut manager = doubting();
        let answers: Vec<_> = asked.iter().map(|time| manager.found(&id, None, ELSEWHERE, at(*time))).collect();
        assert_eq!(answers.last(), Some(&end), "{asked:?}");
        assert!(answers[..asked.len() - 1].iter().all(|answer| *answer == Found::Wait), "{asked:?}");
        let last = at(*asked.last().unwrap());
        let stamp = (end == Found::Absent).then_some(last);
        assert_eq!(manager.send_absent_again(last), stamp.map(|_| id.clone()).as_slice(), "{asked:?}");
        assert_eq!(manager.stamp(&id), stamp, "{asked:?}");
    }
    let ended = |manager: &mut OrderManager, last: i64| {
        assert_eq!(manager.found(&id, None, ELSEWHERE, at(first)), Found::Wait);
        match manager.found(&id, None, ELSEWHERE, at(last)) {
            Found::News(news) => (brief(&news), has_questions(manager)),
            other @ (Found::Wait | Found::Absent) => panic!("{other:?}"),
        }
    };
    assert_eq!(ended(&mut doubting(), 30_000), (vec!["Expired".to_owned()], false));
    let mut cancelled = doubting();
    assert_eq!(judge(&mut cancelled, &cancel("abc", 1, 0), 0), Verdict::Cancel);
    assert_eq!(ended(&mut cancelled, first + VISIBILITY), (vec!["Canceled".to_owned()], false));
}

#[test]
fn what_appears_after_all_is_booked() {
    let id = buy(1).client_order_id;
    let mut manager = doubting();
    manager.found(&id, None, ELSEWHERE, at(WINDOW + 1));
    let late = report(OrderStatus::Filled, "1", &[("1", "1")]);
    match manager.found(&id, Some(&late), ELSEWHERE, at(WINDOW + 2)) {
        Found::News(news) => assert_eq!(brief(&news), ["Filled 1+1"]),
        other @ (Found::Wait | Found::Absent) => panic!("{other:?}"),
    }
    assert_eq!(book(&mut manager)["amounts"], json!({"BNB": "6", "USDT": "2400"}));
}

#[test]
fn a_restart_doubts_only_what_was_on_its_way() {
    let mut manager = restarted(&mut sent());
    assert_eq!(brief(&manager.doubt_sending(at(9))), ["Unknown"]);
    assert_eq!(manager.stamp(&buy(1).client_order_id), None);
    let mut manager = sent();
    manager.hear(&report(OrderStatus::Accepted, "0", &[]));
    assert_eq!(brief(&restarted(&mut manager).doubt_sending(at(9))), Vec::<String>::new());
}

#[test]
fn doubts_are_asked_about_soon_and_silent_orders_now_and_then() {
    let asked = |manager: &mut OrderManager| {
        (0..=20_000).step_by(100).filter(|time| !manager.questions(at(*time)).is_empty()).count()
    };
    assert_eq!(asked(&mut sent()), 0);
    assert_eq!(asked(&mut doubting()), 40);
    let with = |status, cumulative, trades| {
        let mut manager = sent();
        manager.hear(&report(status, cumulative, trades));
        manager
    };
    assert_eq!(asked(&mut with(OrderStatus::Accepted, "0", &[])), 4);
    assert_eq!(asked(&mut with(OrderStatus::Canceled, "0.4", &[])), 40);
    // One that has ended: until it has been asked about once more.
    let mut ended = with(OrderStatus::Filled, "1", &[("1", "1")]);
    assert_eq!((asked(&mut ended), has_questions(&ended)), (4, true));
    assert_eq!(ended.found(&buy(1).client_order_id, None, ELSEWHERE, at(20_001)), Found::Wait);
    assert_eq!((asked(&mut ended), has_questions(&ended)), (0, false));
    let mut cancelled = with(OrderStatus::Accepted, "0", &[]);
    judge(&mut cancelled, &cancel("abc", 1, 0), 0);
    assert_eq!(asked(&mut cancelled), 41, "at once, and then soon");
    assert!(cancelled.must_cancel(&buy(1).client_order_id));
}

#[test]
fn ended_orders_are_forgotten_oldest_first_and_open_ones_never() {
    let mut manager = sent();
    let small =
        |sequence: u64| command("abc", sequence, i64::try_from(sequence).unwrap(), &json!({"quantity": "0.001"}));
    for sequence in 2..=300 {
        let command = small(sequence);
        assert_eq!(judge(&mut manager, &command, 0), Verdict::Send);
        manager.settle(&command.client_order_id, &Outcome::Rejected("Full".into()), at(0));
        if sequence == 280 {
            manager = restarted(&mut manager);
            manager.register(&registered_sub_accounts());
        }
    }
    let known = |sequence: u64| manager.order(&small(sequence).client_order_id).is_some();
    assert!(known(1) && known(300) && known(45));
    assert!(!known(44) && !known(2));
}

fn registered_sub_accounts() -> GatewayDesired {
    let book = json!({"strategy": "grid", "ledger": "abc", "capital": {"USDT": 3000, "BNB": 5}, "tickSizes": {}});
    serde_json::from_value(json!({"books": [book]})).unwrap()
}

/// News of one strategy's order concerns its own fields of the record, however many strategies there are.
#[test]
fn what_is_committed_is_what_changed() {
    let mut manager = OrderManager::default();
    let ledger = |number: usize| format!("l{number}");
    let book = |number| {
        json!({"strategy": format!("grid-{number}"), "ledger": ledger(number),
        "capital": {"USDT": 3000, "BNB": 5}, "tickSizes": {}})
    };
    let mut books = (0..200).map(book).collect::<Vec<_>>();
    open(&mut manager, &serde_json::from_value(json!({"books": books})).unwrap());
    for number in 0..200 {
        let order = command(&ledger(number), 1, 0, &json!({"strategy": format!("grid-{number}")}));
        assert_eq!(judge(&mut manager, &order, 0), Verdict::Send);
    }
    assert_eq!(manager.take_changes().set.iter().filter(|(name, _)| name.starts_with("order:")).count(), 200);
    let names =
        |manager: &mut OrderManager| manager.take_changes().set.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
    let id: ClientOrderId = "glm-l7-1".parse().unwrap();
    let waits = VenueReport { client_order_id: id.clone(), ..report(OrderStatus::Accepted, "0", &[]) };
    manager.hear(&waits);
    assert_eq!(names(&mut manager), ["order:glm-l7-1"]);
    manager.hear(&VenueReport { client_order_id: id, ..report(OrderStatus::Filled, "1", &[("1", "1")]) });
    let changed = names(&mut manager);
    assert!(!changed.is_empty() && changed.iter().all(|name| name.contains("l7")), "{changed:?}");
    // A closed ledger is silent once no order of its own is open, whatever stands open of the others.
    for number in [7, 8] {
        books[number]["stance"] = json!("Closed");
    }
    manager.register(&serde_json::from_value(json!({"books": books})).unwrap());
    manager.acknowledged();
    let silent: Vec<_> = (0..200).filter(|number| manager.is_silent(&ledger(*number).parse().unwrap())).collect();
    assert_eq!(silent, [7]);
    let id: ClientOrderId = "glm-l8-1".parse().unwrap();
    manager.hear(&VenueReport { client_order_id: id, ..report(OrderStatus::Canceled, "0", &[]) });
    manager.acknowledged();
    assert!(manager.is_silent(&ledger(8).parse().unwrap()));
}

/// An order that the release before placed for a ledger whose id allows the new form too.
#[test]
fn an_order_whose_id_is_of_the_old_form_keeps_its_field_whoever_writes_it_otherwise() {
    const LEDGER: &str = "k3f9q2x7c1zd";
    let mut manager = OrderManager::default();
    let books = json!({"books": [{"strategy": "grid", "ledger": LEDGER, "capital": {"USDT": 3000}, "tickSizes": {}}]});
    open(&mut manager, &serde_json::from_value(books).unwrap());
    let old = format!("glm-{LEDGER}-1");
    let of = |sequence| command(LEDGER, sequence, 0, &json!({}));
    assert_eq!(judge(&mut manager, &command(LEDGER, 1, 0, &json!({"clientOrderId": old})), 0), Verdict::Send);
    assert_eq!(judge(&mut manager, &of(2), 0), Verdict::Send);
    let mut manager = restarted(&mut manager);
    let fields = |manager: &mut OrderManager| {
        let names = manager.take_changes().set.into_iter().map(|(name, _)| name);
        names.filter(|name| name.starts_with("order:")).collect::<Vec<_>>()
    };
    fields(&mut manager);
    let new = of(1).client_order_id;
    assert_eq!(new.to_string(), format!("glm{LEDGER}0000000000001"));
    assert!(matches!(judge(&mut manager, &of(1), 1), Verdict::Repeat(_)), "it is the same order");
    assert_eq!(judge(&mut manager, &cancel(LEDGER, 1, 1), 1), Verdict::Cancel);
    assert_eq!(fields(&mut manager), [format!("order:{old}")]);
    let waits =
        |id: &ClientOrderId| VenueReport { client_order_id: id.clone(), ..report(OrderStatus::Accepted, "0", &[]) };
    let told = manager.hear(&waits(&new));
    assert_eq!(told[0].client_order_id.to_string(), old);
    assert_eq!(fields(&mut manager), [format!("order:{old}")]);
    manager.hear(&waits(&of(2).client_order_id));
    assert_eq!(fields(&mut manager), [format!("order:glm{LEDGER}0000000000002")]);
}

#[test]
fn a_strategy_that_is_being_deleted_is_cancelled_and_orders_no_more() {
    let mut manager = sent();
    let closed = registered_sub_accounts().books.into_iter().map(|book| book.with_stance(Stance::Closed)).collect();
    let books = GatewayDesired::of(closed);
    manager.register(&books);
    let cancelled: Vec<_> = manager.cancel_forbidden().into_iter().map(|(id, _)| id).collect();
    assert_eq!(cancelled, [buy(1).client_order_id]);
    assert!(manager.order(&cancelled[0]).unwrap().cancel, "the cancel is on record");
    let Verdict::Tell(news) = judge(&mut manager, &buy(2), 0) else { panic!("it was not denied") };
    assert_eq!((brief(&news), news[0].reason.as_str()), (vec!["Denied".to_owned()], "StrategyClosing"));
}

#[test]
fn a_book_goes_with_its_strategy_but_not_before_its_orders() {
    let mut manager = sent();
    manager.register(&GatewayDesired::default());
    assert!(manager.order(&buy(1).client_order_id).is_some(), "news of the open order must find it");
    assert!(!manager.take_changes().delete.contains(&"book:abc".to_owned()));
    let _ = manager.settle(&buy(1).client_order_id, &Outcome::Rejected("PriceFilter".into()), at(1));
    manager.register(&GatewayDesired::default());
    assert_eq!(manager.strategy_of(buy(1).client_order_id.ledger()), None);
    assert!(manager.take_changes().delete.contains(&"book:abc".to_owned()));
}

/// The record of a venue elsewhere as the release before wrote it (git 83caf4d): an order that has ended, one in doubt that
/// is to be cancelled, one being sent, one of which a part has traded. Never written anew.
#[test]
fn orders_of_the_release_before_go_on_where_they_stood() {
    let fields: std::collections::BTreeMap<String, String> =
        serde_json::from_str(include_str!("release_before.json")).unwrap();
    let saved = fields.iter().map(|(name, value)| (name.as_str(), value.as_str()));
    let mut manager = OrderManager::restore(&Fees::default(), saved).unwrap();
    manager.register(&registered_sub_accounts());
    let id = |sequence| buy(sequence).client_order_id;
    // Its two trades are told again, and it needs not be asked about any more.
    assert_eq!(reasons(judge(&mut manager, &buy(1), 60_000)).0, ["PartiallyFilled ", "Filled "]);
    let about = |sequence| Question::Order { id: id(sequence), symbol: "BNB/USDT".parse().unwrap() };
    assert_eq!(manager.questions(at(60_000)), [about(2)]);
    // The one that waits is asked about with all that are open.
    assert_eq!(manager.questions(at(65_000)), [about(2), Question::OpenOrders]);
    // Absent since 9,001: two full look-ups a visibility window apart, and it never was.
    assert_eq!(manager.found(&id(2), None, ELSEWHERE, at(9_001 + VISIBILITY - 1)), Found::Wait);
    let Found::News(news) = manager.found(&id(2), None, ELSEWHERE, at(9_001 + VISIBILITY)) else { panic!("no news") };
    assert_eq!((brief(&news), news[0].reason.as_str()), (vec!["Canceled".to_owned()], "NeverArrived"));
    let news = manager.doubt_sending(at(60_000));
    assert_eq!((brief(&news), &news[0].client_order_id), (vec!["Unknown".to_owned()], &id(3)));
    // A trade that is known counts no second time; the other one closes the order.
    let all = VenueReport { client_order_id: id(4), ..report(OrderStatus::Filled, "1", &[("3", "0.4"), ("4", "0.6")]) };
    assert_eq!(brief(&manager.hear(&all)), ["Filled 4+0.6"]);
    assert_eq!(book(&mut manager)["amounts"], json!({"BNB": "7", "USDT": "1800"}));
    // Its ids are used up.
    assert_eq!(
        reasons(judge(&mut manager, &command("abc", 2, 60_000, &json!({})), 60_000)).0,
        ["Canceled NeverArrived"]
    );
    assert_eq!(judge(&mut manager, &command("abc", 5, 60_000, &json!({})), 60_000), Verdict::Send);
}
