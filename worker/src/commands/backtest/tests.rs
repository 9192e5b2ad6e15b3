//! Several strategies at once, what is told of a problem, and what a strategy is told of orders that rest.

mod holes;
mod ladder;
mod process;
mod resting;
mod several_markets;

use serde_json::json;

use venue::replay::Reading;

use super::market::replay;
use super::*;

/// Grids of several sizes, on an account with a latency.
fn simulations() -> Vec<Simulation> {
    (0..5).map(|grid| simulation(grid, &json!({"USDT": 3_000, "BTC": "0.34"}))).collect()
}

fn simulation(grid: u32, capital: &serde_json::Value) -> Simulation {
    let account = json!({"venue": {"paper": {"balances": {"USDT": 1_000_000, "BTC": 1_000}, "latencyMs": 1_500}},
        "marketData": {"replay": {"file": "none.csv"}}});
    let spec = json!({"accountRef": {"name": "paper"},
        "instruments": [{"symbol": "BTC/USDT", "rules": {"tickSize": "0.01", "lotSize": "0.00001"}}],
        "capital": capital,
        "strategy": {"grid": {"gridSizePercent": format!("1.{grid}"), "orderPercent": 5}}});
    let spec = json!({"name": format!("grid-{grid}"), "generation": 1, "spec": spec,
        "account": {"name": "paper", "spec": account}});
    Simulation::new(&serde_json::from_value(spec).unwrap(), &Registry::standard()).unwrap()
}

fn replayed(mut simulations: Vec<Simulation>, threads: usize) -> Vec<Simulation> {
    let data = concat!(env!("CARGO_MANIFEST_DIR"), "/../examples/btcusdt-1h-2020q2.csv.gz");
    let mut ticks = Reading::open(&[data.into()], &"BTC/USDT".parse().unwrap(), &[]).unwrap();
    replay(&mut simulations.iter_mut().collect::<Vec<_>>(), threads, &mut ticks).unwrap().unwrap();
    simulations
}

#[test]
fn any_number_of_threads_gives_the_same_in_the_same_order() {
    let states = |threads| {
        let simulations = replayed(simulations(), threads);
        assert!(simulations.iter().all(|simulation| simulation.trades.len() > 10), "they trade");
        let states = simulations.into_iter().map(|one| (one.spec.name, one.engine.saved().unwrap(), one.trades));
        states.collect::<Vec<_>>()
    };
    let one = states(1);
    for threads in [0, 2, 3, 5, 64] {
        assert_eq!(states(threads), one, "{threads} threads");
    }
}

#[test]
fn the_first_problem_of_the_file_is_told_and_nothing_is_taken_after_it() {
    let mut broken = simulations();
    for (index, problem) in [(3, "a later one"), (1, "the first")] {
        broken[index].problem = Some(problem.to_owned());
    }
    let replayed = replayed(broken, 3);
    let told = replayed.iter().map(|one| one.outcome(&DataHash::default())).collect::<Result<Vec<_>, _>>().unwrap_err();
    assert!(format!("{told:?}").contains("the first"), "{told:?}");
    let taken: Vec<_> = replayed.iter().map(|simulation| simulation.engine.last_sequence().is_some()).collect();
    assert_eq!(taken, [true, false, true, false, true]);
}

#[test]
fn of_what_is_worth_too_much_to_be_counted_that_is_told() {
    let unseen = simulation(0, &json!({"USDT": 3_000})).outcome(&DataHash::default()).unwrap_err();
    assert!(format!("{unseen:?}").contains("grid-0: the data holds no tick"), "{unseen:?}");
    // All the coins there can be, at the first price.
    let replayed = replayed(vec![simulation(0, &json!({"BTC": "999999999999999"}))], 1);
    let told = replayed[0].outcome(&DataHash::default()).unwrap_err();
    let expected =
        "grid-0: spec.capital is worth too much at the data's prices: worths are counted below 10^15; lower it";
    assert!(format!("{told:?}").contains(expected), "{told:?}");
}
