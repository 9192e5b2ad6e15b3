//! Several strategies in one run: each line tells whose it is, and equal names in two namespaces stay apart.

use super::folder::{Folder, MANIFEST, V1, prices, strategy_of, with};

/// The manifest once more, in another namespace, on its own prices.
fn elsewhere() -> String {
    let there = MANIFEST.replace("metadata:\n", "metadata:\n  namespace: other\n");
    let there = with(&there, "file: prices.csv", "file: double.csv");
    with(&there, "basePrice: 600", "basePrice: 1200")
}

fn doubled() -> String {
    let twice: Vec<_> =
        V1.split_whitespace().map(|price| format!("{:.2}", price.parse::<f64>().unwrap() * 2.0)).collect();
    prices(&twice.join(" "))
}

#[test]
fn equal_names_in_two_namespaces_stay_apart() {
    let manifest = format!("{MANIFEST}---\n{}", elsewhere());
    let folder = Folder::of(&manifest, &prices(V1));
    folder.write("double.csv", doubled());
    let run = folder.worker("run grid.yaml -v");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    for line in [
        "  data      prices.csv: 22 ticks, ",
        "  data      double.csv: 22 ticks, ",
        "capital 3000 USDT + 5 BNB = 6000.00 USDT",
        "capital 3000 USDT + 5 BNB = 9000.00 USDT",
        "start 1200.00: sells after a turn above 1224.00",
        "Sell  0.989 @ 612.50  fee 0.00   high 615.00, turned down 0.4 %",
        "@ 1225.00  fee 0.00   high 1230.00, turned down 0.4 %",
    ] {
        assert!(run.stderr.contains(line), "no {line:?} in: {}", run.stderr);
    }
}

#[test]
fn lines_come_in_the_order_of_events_and_name_their_strategy() {
    let second = strategy_of(MANIFEST).replace("grid-bnb-1", "second");
    let folder = Folder::of(&format!("{MANIFEST}---\n{second}"), &prices(V1));
    let run = folder.worker("run grid.yaml -v");
    let lines: Vec<&str> = run.stderr.lines().filter(|line| line.starts_with("  11-14 ")).collect();
    let times: Vec<&str> = lines.iter().map(|line| &line[2..13]).collect();
    assert!(times.is_sorted(), "{}", run.stderr);
    for name in ["grid-bnb-1  ", "second      "] {
        assert_eq!(
            lines.iter().filter(|line| line[15..].starts_with(name) && line.contains(" @ ")).count(),
            3,
            "{name}"
        );
    }
}

/// The manifest with a second strategy, on a market of its own of the same account.
fn on_two_markets() -> String {
    let files = "files: [{symbol: BNB/USDT, file: prices.csv}, {symbol: ETH/USDT, file: double.csv}]";
    let account = with(MANIFEST, "file: prices.csv", files);
    let account = with(&account, "balances: {", "balances: {ETH: 5, ");
    let second = strategy_of(MANIFEST).replace("grid-bnb-1", "grid-eth-1").replace("BNB", "ETH");
    format!("{account}---\n{}", with(&second, "basePrice: 600", "basePrice: 1200"))
}

/// Each takes the ticks of its own market; those of the other, which come between them, are none of its own.
#[test]
fn on_two_markets_of_an_account_each_tick_is_counted_once() {
    let folder = Folder::of(&on_two_markets(), &prices(V1));
    folder.write("double.csv", doubled());
    let run = folder.worker("run grid.yaml");
    assert_eq!(run.code, Some(0), "{}", run.stderr);
    for line in [
        "  data      BNB/USDT  prices.csv: 22 ticks, ",
        "  data      ETH/USDT  double.csv: 22 ticks, ",
        "  data ended: 44 ticks in ",
    ] {
        assert!(run.stderr.contains(line), "no {line:?} in: {}", run.stderr);
    }
}

#[test]
fn a_reader_that_goes_away_is_no_failure() {
    let folder = Folder::of(MANIFEST, &prices(V1));
    for arguments in ["backtest grid.yaml --data prices.csv", "run grid.yaml", "validate grid.yaml"] {
        let (code, stderr) = folder.with_a_closed_pipe(arguments);
        assert_eq!(code, Some(0), "worker {arguments}: {stderr}");
        assert!(!stderr.contains("panicked"), "{stderr}");
    }
}
