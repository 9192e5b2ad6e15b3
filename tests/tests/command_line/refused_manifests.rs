//! Manifests that are not valid, and command lines that cannot be read: whole messages, all at once, and the exit
//! code.

use super::folder::{Folder, MANIFEST, V1, prices, strategy_of, with};

/// What the three commands that read manifests say to one that is wrong.
#[track_caller]
fn refuse(manifest: &str, words: &str) {
    let folder = Folder::of(manifest, &prices(V1));
    for command in ["validate grid.yaml", "run grid.yaml", "backtest grid.yaml --data prices.csv"] {
        folder.refuses(command, 4, words);
    }
}

#[test]
fn a_field_is_refused_with_its_line_and_what_to_write() {
    let grid = "grid.yaml:29: spec.strategy.grid";
    let cases = [
        ("gridSizePercent: 2", "gridSize: 2", format!("{grid}.gridSize: unknown field; did you mean gridSizePercent?")),
        ("gridSizePercent: 2", "gridSizePercent: 2.5", format!("{grid}.gridSizePercent: 2.5 is a float; write \"2.5\"")),
        (
            "gridSizePercent: 2",
            "gridSizePercent: -2",
            format!("{grid}.gridSizePercent: -2 is negative; write 0 or more"),
        ),
        (
            "gridSizePercent: 2",
            "gridSizePercent: 51",
            format!("{grid}.gridSizePercent: 51 is out of range; write 0.01 to 50, in quotes if it has a point"),
        ),
        (
            "gridSizePercent: 2",
            "gridSizePercent: null",
            format!("{grid}.gridSizePercent: has no value; write one, or leave the field out"),
        ),
        (
            "basePrice: 600",
            "orderPercent: 10\n      quantity: \"0.1\"",
            format!("{grid}.quantity: 0.1 and orderPercent are both set; keep one"),
        ),
        (
            "symbol: BNB/USDT",
            "symbol: BNBUSDT",
            "grid.yaml:23: spec.instruments[0].symbol: \"BNBUSDT\" is not BASE/QUOTE in capital letters and digits; write \
             it like BTC/USDT"
                .to_owned(),
        ),
        (
            "BNB: 5}",
            "BNB: 21}",
            "grid.yaml:25: spec.capital.BNB: 21 exceeds what account \"paper\" has left: 20 of 20 BNB; lower it or raise \
             balances"
                .to_owned(),
        ),
        (
            "latencyMs: 0",
            "latencyMs: 60001",
            "grid.yaml:10: spec.venue.paper.latencyMs: 60001 is out of range; write 0 to 60000".to_owned(),
        ),
        (
            "name: grid-bnb-1",
            "name: grid_bnb_1",
            "grid.yaml:18: metadata.name: \"grid_bnb_1\" is not a name; write small letters, digits and inner dashes, \
             like grid-bnb-1"
                .to_owned(),
        ),
    ];
    for (old, new, words) in cases {
        refuse(&with(MANIFEST, old, new), &words);
    }
}

#[test]
fn a_name_is_taken_once() {
    let twice = format!(
        "{MANIFEST}---\n{}",
        strategy_of(MANIFEST).replace("capital: {USDT: 3000, BNB: 5}", "capital: {USDT: 1}")
    );
    refuse(&twice, "grid.yaml:35: metadata.name: duplicate name \"grid-bnb-1\"; first at grid.yaml:18; rename one");
}

#[test]
fn all_errors_of_all_files_come_at_once_in_order() {
    let mut first = MANIFEST.to_owned();
    for (old, new) in [
        ("takerPercent: 0", "takerPercent: 0.1"),
        ("    name: paper\n  instruments", "    name: papr\n  instruments"),
        ("basePrice: 600", "basePrise: 600"),
        ("maxOrdersPerMinute: 10", "maxOrdersPerMinute: 0"),
    ] {
        first = with(&first, old, new);
    }
    let second = with(&with(strategy_of(MANIFEST), "grid-bnb-1", "grid-bnb-2"), "USDT: 3000", "USDT: +3000");
    let folder = Folder::with(&[("a.yaml", &first), ("b.yaml", &second)]);
    let errors = "\
a.yaml:9: spec.venue.paper.fees.takerPercent: 0.1 is a float; write \"0.1\"
a.yaml:21: spec.accountRef.name: \"papr\" not found in these files; they have: paper
a.yaml:28: spec.strategy.grid.basePrise: unknown field; did you mean basePrice?
a.yaml:30: spec.risk.maxOrdersPerMinute: 0 is out of range; write 1 to 600
b.yaml:11: spec.capital.USDT: +3000 is not a plain number; write \"3000\"";
    folder.refuses("run a.yaml b.yaml", 4, errors);
    // To validate, an account may exist elsewhere.
    let (note, others): (Vec<&str>, Vec<&str>) = errors.lines().partition(|line| line.contains("papr"));
    folder.refuses("validate a.yaml b.yaml", 4, &format!("note: {}\n{}", note[0], others.join("\n")));
}

#[test]
fn an_unknown_account_is_a_note_to_validate_and_an_error_to_run() {
    let words = "grid.yaml:21: spec.accountRef.name: \"papr\" not found in this file; it has: paper";
    let manifest = with(MANIFEST, "    name: paper\n  instruments", "    name: papr\n  instruments");
    let folder = Folder::of(&manifest, &prices(V1));
    folder.refuses("run grid.yaml", 4, words);
    let validated = folder.worker("validate grid.yaml");
    assert_eq!(validated.code, Some(0));
    assert_eq!(validated.stdout, "TradingAccount paper is valid\nTradingStrategy grid-bnb-1 is valid\n");
    assert_eq!(validated.stderr, format!("note: {words}\n"));
}

#[test]
fn a_replay_needs_rules_in_the_manifest() {
    let folder = Folder::of(&with(MANIFEST, "    rules: {tickSize: \"0.01\", lotSize: \"0.001\"}\n", ""), &prices(V1));
    let words = "grid.yaml:23: spec.instruments[0].rules: BNB/USDT has no rules and a replay gives none; write rules: \
                 {tickSize: \"0.01\", lotSize: \"0.00001\"} (NoInstrumentRules)";
    folder.refuses("run grid.yaml", 4, words);
    folder.refuses("backtest grid.yaml --data prices.csv", 4, words);
}

#[test]
fn a_manifest_without_a_strategy_runs_nothing() {
    let account = MANIFEST.split_once("---\n").unwrap().0;
    let folder = Folder::of(account, &prices(V1));
    assert_eq!(folder.prints("validate grid.yaml"), "TradingAccount paper is valid\n");
    folder.refuses(
        "run grid.yaml",
        4,
        "grid.yaml: no TradingStrategy in it; write one, or name the file that holds it",
    );
    folder.refuses("backtest grid.yaml --data prices.csv", 4, "grid.yaml: no TradingStrategy in it");
}

#[test]
fn a_command_line_that_cannot_be_read_is_another_failure() {
    let folder = Folder::of(MANIFEST, &prices(V1));
    let cases = [
        ("frobnicate", "error: unrecognized subcommand 'frobnicate'\n"),
        ("run", "error: the following required arguments were not provided:\n  <FILES>...\n"),
        (
            "backtest grid.yaml",
            "error: the following required arguments were not provided:\n  --data <[SYMBOL=]FILE>...\n",
        ),
        ("run grid.yaml --output xml", "error: invalid value 'xml' for '--output <OUTPUT>'\n"),
        (
            "run grid.yaml --speed fast",
            "error: invalid value 'fast' for '--speed <N>': \"fast\" is not a plain decimal",
        ),
        ("run grid.yaml --new-ledger", "error: the following required arguments were not provided:\n  --redis <URL>\n"),
        (
            "backtest grid.yaml --data bnb/usdt=prices.csv",
            "error: invalid value 'bnb/usdt=prices.csv' for '--data <[SYMBOL=]FILE>...': \"bnb/usdt\" is not BASE/QUOTE",
        ),
    ];
    for (arguments, words) in cases {
        let finished = folder.worker(arguments);
        assert_eq!((finished.code, finished.stdout.as_str()), (Some(2), ""), "worker {arguments}");
        assert!(finished.stderr.starts_with(words), "worker {arguments}: {}", finished.stderr);
    }
    folder.refuses("run grid.yaml --speed 0", 4, "--speed: 0 would never end; write a number above 0");
}

#[test]
fn what_has_no_end_is_read_no_further_than_a_manifest_may_go() {
    let folder = Folder::of(MANIFEST, &prices(V1));
    let words = "/dev/zero:1: larger than 4194304 bytes; divide it into several files";
    for command in ["validate /dev/zero", "run /dev/zero", "backtest /dev/zero --data prices.csv"] {
        folder.refuses(command, 4, words);
    }
    folder.refuses("validate .", 4, ".: Is a directory (os error 21)");
    folder.write("latin.yaml", b"kind: Pr\xe4mie\n");
    folder.refuses("validate latin.yaml", 4, "latin.yaml:1: the line is not UTF-8 text; save the file as UTF-8");
}

#[test]
fn a_manifest_may_come_through_a_pipe_and_waiting_for_it_can_be_ended() {
    let folder = Folder::of(MANIFEST, &prices(V1));
    folder.pipe("pipe.yaml");
    let waiting = folder.start("validate pipe.yaml");
    waiting.terminate();
    assert_eq!(waiting.end().code, None, "nobody writes, and a signal ends it");

    let waiting = folder.start("validate pipe.yaml");
    folder.write("pipe.yaml", strategy_of(MANIFEST));
    let finished = waiting.end();
    assert_eq!((finished.code, finished.stdout.as_str()), (Some(0), "TradingStrategy grid-bnb-1 is valid\n"));
}
