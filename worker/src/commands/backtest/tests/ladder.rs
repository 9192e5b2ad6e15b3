//! Ladders beside one written apart, on random markets: with and without quotes, sizes and latency, fees from either asset,
//! short of money, moved up. And a start of each kind by hand.

use engine::messages::Tick;
use engine::numbers::Price;
use engine::testkit::ladder::Naive;
use engine::testkit::ladder::cases::{Case, case_of, near_case, ticks};
use engine::testkit::ladder::shown::{expected, open_orders, parameters, percent, text};
use engine::testkit::quoting::Chance;
use engine::time::Timestamp;
use rust_decimal::Decimal;
use serde_json::{Value, json};

use super::super::*;

fn spec(case: &Case) -> Value {
    let mut risk = json!({});
    if let Some(most) = case.max_notional {
        risk["maxOrderNotional"] = json!({"USDT": text(most)});
    }
    let rules =
        json!({"tickSize": text(case.tick_size), "lotSize": text(case.lot), "minNotional": text(case.min_notional)});
    let account = json!({"venue": {"paper": {"balances": {"USDT": 100_000, "BNB": 100}, "latencyMs": case.latency,
            "restingFills": if case.touch { "Touch" } else { "Through" },
            "fees": {"makerPercent": percent(case.maker), "takerPercent": percent(case.taker),
                "paidIn": if case.received { "Received" } else { "Quote" }}}},
        "marketData": {"replay": {"file": "none.csv"}}});
    let spec = json!({"accountRef": {"name": "paper"}, "instruments": [{"symbol": "BNB/USDT", "rules": rules}],
        "capital": {"USDT": text(case.cash), "BNB": text(case.coins)}, "strategy": {"ladder": parameters(case)}, "risk": risk});
    json!({"name": "ladder", "generation": 1, "spec": spec, "account": {"name": "paper", "spec": account}})
}

fn simulation(case: &Case) -> Simulation {
    Simulation::new(&serde_json::from_value(spec(case)).unwrap(), &Registry::standard()).unwrap()
}

/// All that both are to agree on.
fn shown(simulation: &Simulation) -> Value {
    let outcome = simulation.outcome(&DataHash::default()).unwrap();
    let trade = |trade: &Trade| {
        let (quantity, price, fee) = (trade.quantity.get(), trade.price.get(), trade.fee.get());
        format!(
            "{} {} {} @ {} fee {} {}",
            trade.index,
            trade.side,
            text(quantity),
            text(price),
            text(fee),
            trade.fee_asset
        )
    };
    let kinds: Vec<_> = outcome.warnings.iter().map(|one| one.kind).filter(|kind| *kind != "LadderBelowFees").collect();
    json!({"trades": outcome.trades.iter().map(trade).collect::<Vec<_>>(), "final": outcome.end.strategy,
        "denied": outcome.orders.denied, "open": open_orders(&simulation.engine), "warnings": kinds,
        "holds": [outcome.end.position["USDT"].to_string(), outcome.end.position["BNB"].to_string()]})
}

#[test]
fn a_ladder_is_the_one_that_was_written_apart() {
    let (mut traded, mut matched, mut moved, mut short, mut raced) = (0, 0, 0, 0, 0);
    let seeds = std::env::var("SEEDS").map_or(600, |seeds| seeds.parse().unwrap());
    for seed in 0..seeds {
        let mut chance = Chance::of(seed);
        let case = case_of(seed, &mut chance);
        if spec_is_refused(&case) {
            continue;
        }
        let ticks = ticks(&mut chance, 250);
        let (mut one, mut other) = (simulation(&case), Naive::new(&case));
        for tick in &ticks {
            other.tick(tick);
        }
        one.take(&ticks);
        assert_eq!(one.problem, None);
        moved += other.moves;
        raced += other.raced;
        let (one, other) = (shown(&one), expected(&other, ticks.last().unwrap().price.get()));
        for part in ["trades", "open", "denied", "warnings", "holds", "final"] {
            assert_eq!(one[part], other[part], "{part} of seed {seed}: {case:?}");
        }
        traded += one["trades"].as_array().unwrap().len();
        matched += one["final"]["matchedTrades"].as_u64().unwrap();
        short += usize::from(one["warnings"].as_array().unwrap().contains(&json!("LadderShort")));
    }
    let met = [traded > 3_000, matched > 1_000, moved > 100, short > 100, raced > 10];
    assert!(!met.contains(&false), "{traded} {matched} {moved} {short} {raced}");
}

/// A case whose levels merge is none.
fn spec_is_refused(case: &Case) -> bool {
    let spec: StrategySpec = serde_json::from_value(spec(case)).unwrap();
    !spec.spec.validate().is_empty()
}

/// What a restart behind any tick would change: nothing.
#[test]
fn a_ladder_that_is_restarted_behind_every_tick_is_the_same() {
    for seed in 0..60 {
        let mut chance = Chance::of(seed);
        let case = near_case(&mut chance);
        if spec_is_refused(&case) {
            continue;
        }
        let ticks = ticks(&mut chance, 120);
        let (mut one, mut other) = (simulation(&case), simulation(&case));
        one.take(&ticks);
        for tick in &ticks {
            other.take(std::slice::from_ref(tick));
            let saved = serde_json::from_str(&other.engine.saved().unwrap()).unwrap();
            let config = other.spec.engine_config(LEDGER.parse().unwrap()).unwrap();
            other.engine = Engine::restore(config, &engine::strategies::ladder::DEFINITION, &saved).unwrap();
        }
        assert_eq!(one.engine.saved().unwrap(), other.engine.saved().unwrap(), "seed {seed}");
        assert_eq!(one.trades, other.trades, "seed {seed}");
    }
}

/// A ladder of three steps, 500 to 560, of one coin each.
fn by_hand() -> Case {
    let whole = |number: u32| Decimal::from(number);
    Case {
        lower: whole(500),
        upper: whole(560),
        levels: 3,
        geometric: false,
        quantity: Some(Decimal::ONE),
        reserve: Decimal::ZERO,
        trailing: false,
        trigger: None,
        slippage: Decimal::new(1, 3),
        tick_size: Decimal::new(1, 2),
        lot: Decimal::new(1, 3),
        min_notional: whole(5),
        max_notional: None,
        cash: whole(2_000),
        coins: Decimal::ZERO,
        maker: Decimal::ZERO,
        taker: Decimal::ZERO,
        received: false,
        touch: false,
        latency: 0,
    }
}

/// What a case gives on these prices, a second apart.
fn on(case: &Case, prices: &[&str]) -> Value {
    let timed: Vec<_> = (0..).step_by(1_000).zip(prices.iter().copied()).collect();
    at(case, &timed)
}

/// What it gives on prices at these milliseconds.
fn at(case: &Case, prices: &[(i64, &str)]) -> Value {
    let tick = |(number, (time, price)): (usize, &(i64, &str))| {
        let time = Timestamp::from_millis(1_700_000_000_000 + time);
        let price = price.parse::<Price>().unwrap().normalised();
        Tick::trade("BNB/USDT".parse().unwrap(), price, time, number.try_into().unwrap())
    };
    let mut simulation = simulation(case);
    simulation.take(&prices.iter().enumerate().map(tick).collect::<Vec<_>>());
    assert_eq!(simulation.problem, None);
    shown(&simulation)
}

#[test]
fn coins_are_bought_first_and_each_step_trades_to_and_fro() {
    let told = on(&by_hand(), &["545", "519", "541", "561"]);
    // 540 is nearest and stays empty. The sell at 560 is covered by the purchase.
    let trades = [
        "0 Buy 1 @ 545 fee 0 USDT",
        "1 Buy 1 @ 520 fee 0 USDT",
        "2 Sell 1 @ 540 fee 0 USDT",
        "3 Sell 1 @ 560 fee 0 USDT",
    ];
    assert_eq!(told["trades"], json!(trades));
    assert_eq!(told["open"], json!(["Buy 1 @ 500 0", "Buy 1 @ 520 0", "Buy 1 @ 540 0"]));
    // Net 35: one pair of 20, and 15 of the coin that was bought at 545.
    let figures = json!({"matchedTrades": 1, "gridProfit": "20", "floatingProfit": "15", "buyAndHold": "0"});
    assert_eq!(told["final"], figures);
}

#[test]
fn fees_are_taken_out_of_a_pair_and_a_sell_is_of_the_coins_that_came() {
    let fee = Decimal::new(1, 3);
    let in_quote = Case { maker: fee, taker: fee, ..by_hand() };
    let told = on(&in_quote, &["545", "519", "541"]);
    // 20 - 0.52 - 0.54.
    assert_eq!((&told["final"]["matchedTrades"], &told["final"]["gridProfit"]), (&json!(1), &json!("18.94")));
    let in_coins = Case { received: true, ..in_quote };
    let told = on(&in_coins, &["545", "519", "541"]);
    // One coin of which a thousandth goes is not one lot short: 1 / 0.999 is ceiled to 1.002. The buy brings 0.999.
    let trades =
        ["0 Buy 1.002 @ 545 fee 0.001002 BNB", "1 Buy 1 @ 520 fee 0.001 BNB", "2 Sell 0.999 @ 540 fee 0.53946 USDT"];
    assert_eq!(told["trades"], json!(trades));
    // 0.999 x 20 - 0.52 - 0.53946.
    assert_eq!(told["final"]["gridProfit"], json!("18.92054"));
}

#[test]
fn what_is_not_covered_is_left_out_and_told() {
    let poor = Case { cash: Decimal::from(1_100), ..by_hand() };
    let told = on(&poor, &["545", "545"]);
    // 545 for the coin leaves 555: one buy, at the nearest level.
    assert_eq!(told["open"], json!(["Buy 1 @ 520 0", "Sell 1 @ 560 0"]));
    assert_eq!((&told["warnings"], &told["denied"]), (&json!(["LadderShort"]), &json!({"InsufficientFunds": 1})));
}

#[test]
fn outside_its_bounds_and_before_its_trigger_nothing_is_placed() {
    let told = on(&by_hand(), &["561", "499.99", "545"]);
    assert_eq!((&told["warnings"], told["trades"].as_array().unwrap().len()), (&json!(["LadderOutside"]), 1));
    let for_ever = on(&by_hand(), &["600", "601"]);
    assert_eq!((&for_ever["trades"], &for_ever["open"]), (&json!([]), &json!([])));
    let waits = Case { trigger: Some(Decimal::from(530)), ..by_hand() };
    // From above: at or below 530. Once reached it stays reached, also outside.
    assert_eq!(on(&waits, &["545", "531"])["trades"], json!([]));
    let outside = Case { trigger: Some(Decimal::from(490)), ..by_hand() };
    assert_eq!(on(&outside, &["545", "489", "545"])["trades"], json!(["2 Buy 1 @ 545 fee 0 USDT"]));
}

#[test]
fn it_moves_up_where_nothing_is_left_to_sell() {
    let trailing = Case { trailing: true, ..by_hand() };
    let told = on(&trailing, &["545", "561", "579", "580"]);
    // At 580, a step above 560, the buy at 500 goes to 560.
    assert_eq!(told["open"], json!(["Buy 1 @ 520 0", "Buy 1 @ 540 0", "Buy 1 @ 560 0"]));
    // Over many steps at once.
    let told = on(&trailing, &["545", "561", "700"]);
    assert_eq!(told["open"], json!(["Buy 1 @ 640 0", "Buy 1 @ 660 0", "Buy 1 @ 680 0"]));
}

/// Two steps of one coin from 100 to 102 that follow the price, a tenth of a second away from the exchange.
fn far_away(cash: u32) -> Case {
    let whole = |number: u32| Decimal::from(number);
    Case {
        lower: whole(100),
        upper: whole(102),
        levels: 2,
        trailing: true,
        tick_size: whole(1),
        lot: whole(1),
        cash: whole(cash),
        coins: Decimal::ZERO,
        latency: 100,
        ..by_hand()
    }
}

/// Buys that still wait for a place are moved on: the ladder sends only what its gateway takes.
#[test]
fn what_replaces_a_replacement_is_funded_by_the_same_rule_at_the_gateway() {
    let prices =
        [(0, "102"), (1_000, "102"), (2_000, "103"), (3_000, "105"), (3_000, "107"), (4_000, "107"), (5_000, "99")];
    for cash in 400..450 {
        let told = at(&far_away(cash), &prices);
        assert_eq!(told["denied"].get("InsufficientBook"), None, "{cash}: {told}");
    }
}

/// The buy at 100 trades while the one at 102 is on its way to its place: 100 has not left, and its coin is sold at 101.
#[test]
fn a_buy_that_trades_before_it_is_replaced_is_followed_by_its_sell() {
    let (first, then) = ([(0, "102"), (1_000, "102"), (2_000, "103"), (2_050, "99")], [(3_000, "101"), (4_000, "110")]);
    let told = at(&far_away(1_000), &first);
    assert_eq!(told["trades"], json!(["3 Buy 1 @ 101 fee 0 USDT", "3 Buy 1 @ 100 fee 0 USDT"]));
    let last = [(5_000, "110"), (70_000, "110")];
    let all: Vec<_> = first.into_iter().chain(then).chain(last).collect();
    let told = at(&far_away(1_000), &all);
    let sells = ["4 Sell 1 @ 101 fee 0 USDT", "5 Sell 1 @ 102 fee 0 USDT"];
    assert_eq!(told["trades"].as_array().unwrap()[2..], sells);
    assert_eq!((&told["holds"], &told["final"]["gridProfit"]), (&json!(["1002", "0"]), &json!("2")));
    // From there it goes on up as it does.
    assert_eq!(told["open"], json!(["Buy 1 @ 108 0", "Buy 1 @ 109 0"]));
}
