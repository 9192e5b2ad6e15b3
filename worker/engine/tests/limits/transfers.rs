//! Transfers: what is booked when, what is refused and tried again, and that limits and exits are held against what was earned.

use std::collections::BTreeMap;

use engine::messages::{AlertKind, CommandKind, Side, Transfer};
use engine::numbers::Notional;
use engine::transfers::{WantedTransfer, WantedTransfers};
use engine::{Config, Effect, Event};
use serde_json::{Value, json};

use crate::bench::commands;
use crate::scripted::Action;
use crate::stand::{Stand, buy, config, market};

fn amount(text: &str) -> Notional {
    text.parse().unwrap()
}

/// Entries such as `june 500 USDT`.
fn wanted(generation: u64, entries: &[&str]) -> WantedTransfers {
    let entry = |entry: &&str| {
        let [id, amount, asset] = entry.split(' ').collect::<Vec<_>>()[..] else { panic!("{entry}") };
        WantedTransfer { id: id.to_owned(), asset: asset.parse().unwrap(), amount: amount.parse().unwrap() }
    };
    WantedTransfers { generation, list: entries.iter().map(entry).collect() }
}

/// One coin and 900 of cash, and what the manifest asks for when the ledger opens.
fn stand(actions: &[&[Action]], (risk, exit): (Value, Value), entries: &[&str]) -> Stand {
    Stand::of(Config { transfers: wanted(1, entries), ..config(actions, ("1", "900"), risk, exit) })
}

fn plain(entries: &[&str]) -> Stand {
    stand(&[], (json!({}), Value::Null), entries)
}

impl Stand {
    /// A human edits the manifest; gives what goes to the account.
    fn edit(&mut self, generation: u64, entries: &[&str]) -> Vec<Transfer> {
        self.config.transfers = wanted(generation, entries);
        let event = Event::Transfers(self.config.transfers.clone());
        let effects = self.engine.step(self.report().as_of, event);
        let told = transfers(&effects);
        self.effects.extend(effects);
        told
    }

    /// Each that was decided, as `june Booked`.
    fn decided(&self) -> Vec<String> {
        self.report().transfers.iter().map(|one| format!("{} {:?}", one.id, one.state)).collect()
    }

    fn net(&self) -> String {
        self.report().pnl.unwrap().net.to_string()
    }

    fn position(&self) -> String {
        let position = self.report().position;
        format!("{} {}", position["BNB"], position["USDT"])
    }
}

fn transfers(effects: &[Effect]) -> Vec<Transfer> {
    let told = commands(effects)
        .into_iter()
        .filter_map(|command| if let CommandKind::Transfer(transfer) = command.kind { Some(transfer) } else { None });
    told.collect()
}

/// What is free, and what was asked for.
fn refused_alert(effect: &Effect) -> Option<(String, String)> {
    let Effect::Alert(alert) = effect else { return None };
    (alert.kind == AlertKind::TransferRefused).then(|| (alert.current_value.clone(), alert.threshold.clone()))
}

#[test]
fn what_stands_in_the_manifest_is_booked_with_the_first_tick_and_what_comes_later_between_two() {
    let mut stand = plain(&["june 500 USDT", "coins 2 BNB"]);
    assert_eq!(stand.decided(), Vec::<String>::new(), "no price, nothing booked");
    stand.run(["100"]);
    assert_eq!((stand.decided().join(", "), stand.position()), ("june Booked, coins Booked".into(), "3 1400".into()));
    let told: Vec<_> = transfers(&stand.effects).iter().map(|one| (one.number, one.amount.to_string())).collect();
    assert_eq!(told, [(1, "500".to_owned()), (2, "2".to_owned())]);
    let opening = stand.engine.performance().unwrap();
    assert_eq!((opening.opening_equity.to_string(), opening.transferred.to_string()), ("1000".into(), "700".into()));
    assert_eq!(stand.net(), "0");
    stand.run(["110"]);
    assert_eq!(stand.net(), "30");
    // Three coins cost 300: one of them is worth 110 now, and its share of the cost is 100.
    assert_eq!(stand.edit(2, &["june 500 USDT", "coins 2 BNB", "out -1 BNB", "cash -1400 USDT"]).len(), 2);
    let pnl = stand.report().pnl.unwrap();
    assert_eq!([pnl.realized, pnl.unrealized, pnl.net].map(|one| one.to_string()), ["10", "20", "30"]);
    assert_eq!(stand.position(), "2 0");
    assert_eq!(stand.engine.performance().unwrap().transferred.to_string(), "-810");
    assert!(stand.edit(3, &[]).is_empty());
    assert_eq!(stand.decided().len(), 4, "what was taken out of the manifest stays booked");
}

#[test]
fn an_id_is_booked_once_whatever_is_restarted_or_written_anew() {
    let mut stand = plain(&["june 500 USDT"]);
    stand.run(["100"]);
    stand.restart();
    stand.run(["100"]);
    assert_eq!(stand.edit(2, &[]), []);
    stand.restart();
    assert_eq!(stand.edit(3, &["june 300 USDT"]), []);
    stand.run(["100"]);
    assert_eq!(stand.position(), "1 1400");
    let told = &stand.report().transfers[0].message;
    assert_eq!(told, "500 USDT was booked under this id and stays; 300 USDT is not booked: give it another id");
    assert_eq!(
        stand.edit(4, &["july 300 USDT"]),
        [Transfer { number: 2, asset: "USDT".parse().unwrap(), amount: amount("300") }]
    );
}

#[test]
fn out_goes_only_what_no_order_reserves_and_a_refusal_stays_until_the_next_generation() {
    // 4 coins at 50 are reserved: 200 of 900.
    let mut stand = stand(&[&[buy("4", "50")], &[], &[Action::Cancel(1)]], (json!({}), Value::Null), &[]);
    stand.run(["100"]);
    assert_eq!(stand.edit(2, &["all -900 USDT", "most -700 USDT"]).len(), 1, "one is free");
    assert_eq!(stand.decided(), ["all Refused", "most Booked"]);
    assert_eq!((stand.report().summary.alert, stand.position()), ("TransferRefused".to_owned(), "1 200".to_owned()));
    let refused = &stand.report().transfers[0].message;
    assert!(
        refused.starts_with("Transfer all of -900 USDT is refused: 700 USDT is free, 200 is reserved"),
        "{refused}"
    );
    let told: Vec<_> = stand.effects.iter().filter_map(refused_alert).collect();
    assert_eq!(told, [("700".to_owned(), "-900".to_owned())]);
    let entries = ["all -900 USDT", "most -700 USDT", "rest -200 USDT"];
    assert_eq!(stand.edit(2, &entries), []);
    stand.run(["100", "100"]);
    stand.restart();
    stand.run(["100"]);
    assert_eq!(stand.edit(2, &entries), [], "free by now, but nothing was changed");
    assert_eq!(stand.edit(3, &entries).len(), 1);
    assert_eq!(stand.decided(), ["all Refused", "most Booked", "rest Booked"]);
    assert_eq!(stand.edit(4, &["rest -200 USDT"]), []);
    assert_eq!((stand.decided().len(), stand.report().summary.alert), (2, String::new()), "asked for no more");
}

#[test]
fn coins_are_refused_by_what_is_free_and_more_coins_than_any_never_go() {
    let mut stand =
        stand(&[&[crate::stand::sell("0.4", "200")]], (json!({}), Value::Null), &["b -0.5 BNB", "a -2 BNB"]);
    stand.run(["100"]);
    assert_eq!(stand.decided(), ["b Booked", "a Refused"]);
    assert_eq!(stand.edit(2, &["c -0.101 BNB", "d -0.1 BNB", "e 1 ETH"]).len(), 1);
    assert_eq!(stand.decided(), ["b Booked", "c Refused", "d Booked", "e Refused"]);
    assert_eq!(stand.position(), "0.4 900");
}

#[test]
fn limits_and_exits_are_held_against_what_was_earned() {
    let limits = json!({"maxDrawdownPercent": 10, "maxDailyLossPercent": 10});
    let exit = json!({"takeProfitPercent": 20, "giveBackPercent": 50});
    let mut stand = stand(&[], (limits, exit), &[]);
    stand.run(["100", "250"]);
    // The peak is 1150, the first of the day 1000; both are 1000 higher then.
    assert_eq!(stand.edit(2, &["in 1000 USDT"]).len(), 1);
    stand.run(["250"]);
    assert_eq!(stand.latched(), Vec::<String>::new(), "1000 was put in, and nothing earned");
    stand.run(["35"]);
    assert_eq!(stand.latched(), Vec::<String>::new(), "215 of 2150 is not more than a tenth");
    assert_eq!(stand.edit(3, &["in 1000 USDT", "out -1900 USDT"]).len(), 1);
    stand.run(["35"]);
    // 35 of a peak of 250; the day began at 100.
    assert_eq!(stand.latched(), ["maxDrawdownPercent 4 86 10", "maxDailyLossPercent 4 65 10"]);
}

#[test]
fn an_exit_is_of_the_opening_equity_whatever_was_put_in() {
    let exit = json!({"takeProfitPercent": 20});
    let mut one = stand(&[], (json!({}), exit.clone()), &["in 5000 USDT"]);
    one.run(["100", "299.99"]);
    assert_eq!(one.latched(), Vec::<String>::new());
    one.run(["300"]);
    assert_eq!(one.latched(), ["takeProfitPercent 2 200 200"]);
    let mut other = stand(&[], (json!({}), json!({"giveBackPercent": 50})), &[]);
    other.run(["100", "200"]);
    other.edit(2, &["out -900 USDT"]);
    other.run(["150.01"]);
    assert_eq!(other.latched(), Vec::<String>::new());
    other.run(["150"]);
    assert_eq!(other.latched(), ["giveBackPercent 3 50 50"]);
}

#[test]
fn a_halted_ledger_moves_nothing() {
    let mut stand = plain(&[]);
    stand.run(["100"]);
    assert!(!stand.engine.halt_on_mismatch(stand.report().as_of, "a test").is_empty());
    assert_eq!(stand.edit(2, &["in 1 USDT", "out -1 USDT"]), []);
    assert_eq!(stand.decided(), ["in Refused", "out Refused"]);
}

#[test]
fn a_sub_account_agrees_that_has_not_come_so_far() {
    let mut stand = stand(&[&[market(Side::Buy, "1")]], (json!({}), Value::Null), &["june 500 USDT", "out -1 BNB"]);
    stand.run(["100"]);
    let held = |coins: &str, cash: &str| -> BTreeMap<_, _> {
        [("BNB".parse().unwrap(), amount(coins)), ("USDT".parse().unwrap(), amount(cash))].into()
    };
    let differs = |stand: &Stand, (coins, cash), up_to| stand.engine.differs_from(&held(coins, cash), up_to);
    assert_eq!(differs(&stand, ("1", "1300"), 2), None);
    assert_eq!(differs(&stand, ("2", "1300"), 1), None);
    assert_eq!(differs(&stand, ("2", "800"), 0), None);
    assert!(differs(&stand, ("2", "1300"), 2).is_some(), "the second was not followed");
    assert!(differs(&stand, ("2", "800"), 1).is_some());
    assert!(differs(&stand, ("1", "1300"), 3).unwrap().contains("has booked 2 transfers"));
}

#[test]
fn no_more_is_booked_than_is_remembered() {
    let mut stand = plain(&[]);
    stand.run(["100"]);
    for number in 0..100 {
        assert_eq!(stand.edit(number, &[&format!("t{number} 1 USDT")]).len(), 1);
    }
    assert_eq!(stand.edit(200, &["t0 1 USDT", "last 1 USDT"]), []);
    assert_eq!(stand.position(), "1 1000");
    assert_eq!(stand.decided().last().unwrap(), "last Refused");
}
