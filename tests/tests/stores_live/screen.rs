//! The screen of `worker run` on live prices, in a real terminal, as a person has it.

use std::path::Path;

use market_server::control::{ClockChange, Endpoints};
use market_server::process::Server;
use tests::roles::Scene;
use tests::worker_binary::worker_binary;

use crate::session;
use crate::terminal::Terminal;

/// The example, with this exchange in place of its own.
fn example() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/live-paper.yaml");
    let text = std::fs::read_to_string(file).unwrap();
    assert!(text.contains("binance: {market: Spot}"));
    text.replace("binance: {market: Spot}", "binance: {market: Spot, endpoint: local}")
}

fn run_on(server: &Server, scene: &Scene) -> String {
    let Endpoints { rest, stream, .. } = &server.endpoints;
    format!("'{}' run {} --endpoint local={rest},{stream}", worker_binary().display(), scene.manifest().display())
}

fn play(server: &Server) {
    server.control.clock(&ClockChange { paused: Some(false), ..ClockChange::default() }).unwrap();
}

/// How many lines have these words.
fn count(lines: &[String], words: &str) -> usize {
    lines.iter().filter(|line| line.contains(words)).count()
}

/// What is drawn is there once, and whole: its first line, and the strategy's state in its last one.
fn is_drawn_once(lines: &[String], columns: usize) -> bool {
    let Some(first) = lines.iter().position(|line| line.contains(": up,")) else { return false };
    let drawn: Vec<_> = lines[first..].iter().filter(|line| !line.is_empty()).collect();
    count(lines, ": up,") == 1
        && drawn.last().is_some_and(|line| line.ends_with("Trading"))
        && drawn.iter().all(|line| line.chars().count() < columns)
}

#[test]
fn a_person_sees_one_whole_screen_whatever_the_window_does_and_the_result_at_the_end() {
    let server = Server::spawn(&session::program(), &["--random", "7", "--paused"]).unwrap();
    let scene = Scene::without_data(&example());
    let folder = scene.manifest().parent().unwrap();
    let commands = format!(
        "stty -g >before; {}; echo 'it is stopped'; fg; echo \"code $?\"; stty -g >after",
        run_on(&server, &scene)
    );
    let mut terminal = Terminal::start(folder, (24, 80), &commands);
    let lines = terminal.until("it waits for a price", |lines| count(lines, "WaitingForMarketData") == 1);
    assert_eq!((count(&lines, "no price has come yet"), count(&lines, "prices come")), (1, 0), "{lines:#?}");
    assert_eq!(count(&lines, "has no price yet"), 1, "{lines:#?}");
    play(&server);
    terminal.until("prices come, and what is drawn fits", |lines| is_drawn_once(lines, 80));
    let said = ["Ctrl-C ends it, with the result.", "no price has come yet", ": prices come"];
    for (rows, columns) in [(50, 200), (10, 40), (24, 80), (24, 100), (24, 60)] {
        terminal.resize(rows, columns);
        let is_table = columns > 95;
        let lines = terminal.until(&format!("it is drawn for {columns} columns"), |lines| {
            is_drawn_once(lines, columns) && (count(lines, "STRATEGY") == 1) == is_table
        });
        for words in said {
            assert_eq!(count(&lines, words), 1, "{words} is there still: {lines:#?}");
        }
    }
    // Stopped and gone on with: what the shell has written stays.
    terminal.press("\x1a");
    terminal.until("it is stopped and goes on", |lines| {
        let shell = lines.iter().position(|line| line.contains("it is stopped"));
        shell.is_some_and(|shell| is_drawn_once(&lines[shell..], 60))
    });
    terminal.press("\x03");
    let lines = terminal.until("the result", |lines| count(lines, "code 0") == 1);
    assert_eq!((count(&lines, "NAME   "), count(&lines, "Next: change")), (1, 1), "{lines:#?}");
    let shell = lines.iter().position(|line| line.contains("it is stopped")).unwrap();
    assert_eq!(count(&lines[shell..], ": up"), 0, "what lived is gone: {lines:#?}");
    terminal.ended();
    let modes = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    assert_eq!(modes("before"), modes("after"), "the terminal is as it was");
}
