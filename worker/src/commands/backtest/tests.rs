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
    let account = json!({"venue": {"paper": {"balances": {"USDT": 1_000_000, "BTC": 1_000}, "latencyMs": 1_500}},
        "marketData": {"replay": {"file": "none.csv"}}});
    let simulation = |grid: u32| {
        let spec = json!({"accountRef": {"name": "paper"},
            "instruments": [{"symbol": "BTC/USDT", "rules": {"tickSize": "0.01", "lotSize": "0.00001"}}],
            "capital": {"USDT": 3_000, "BTC": "0.34"},
            "strategy": {"grid": {"gridSizePercent": format!("1.{grid}"), "orderPercent": 5}}});
        let spec = json!({"name": format!("grid-{grid}"), "generation": 1, "spec": spec,
            "account": {"name": "paper", "spec": account}});
        Simulation::new(&serde_json::from_value(spec).unwrap(), &Registry::standard()).unwrap()
    };
    (0..5).map(simulation).collect()
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
