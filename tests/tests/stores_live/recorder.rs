//! `worker record` that is ended in the middle of a lively market, as a person ends it.

use std::fs;
use std::path::Path;

use market_server::control::Endpoints;
use market_server::process::Server;
use tests::roles::{DEADLINE, until};
use tests::worker_binary::worker_binary;
use venue::replay::Replay;

use crate::session;
use crate::terminal::Terminal;

/// Trades that the exchange has written to its connection so far.
fn written(file: &Path) -> u64 {
    let text = fs::read_to_string(file).unwrap_or_default();
    let whole = text.rfind('\n').map_or("", |end| &text[..end]);
    whole.lines().last().map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

#[test]
fn a_recorder_that_is_interrupted_or_loses_its_terminal_has_all_that_had_come() {
    for is_closed in [false, true] {
        let folder = tempfile::tempdir().unwrap();
        let (log, recording) = (folder.path().join("written"), folder.path().join("btc.gz"));
        let log_of_server = log.display().to_string();
        let options = ["--random", "7", "--speed", "50", "--weight-limit", "1000000", "--written", &log_of_server];
        let server = Server::spawn(&session::program(), &options).unwrap();
        let Endpoints { rest, stream, .. } = &server.endpoints;
        let record = format!(
            "'{}' record btc.gz --source binance-spot --symbols BTC/USDT --endpoint binance-spot={rest},{stream}; \
             echo \"code $?\"",
            worker_binary().display()
        );
        let mut terminal = Terminal::start(folder.path(), (24, 80), &record);
        terminal.until("prices come", |lines| lines.iter().any(|line| line == "prices come"));
        let first = written(&log);
        until("many trades", DEADLINE, || (written(&log) > first + 300).then_some(()));
        let had_come = written(&log);
        let mut said = Vec::new();
        if is_closed {
            terminal.close();
        } else {
            terminal.press("\x03");
            said = terminal.until("its end", |lines| lines.iter().any(|line| line == "code 0"));
        }
        let last = || {
            let summary = Replay::scan(std::slice::from_ref(&recording), &"BTC/USDT".parse().unwrap()).ok()?;
            assert_eq!(summary.missing, 0);
            let text = fs::read(&recording).unwrap();
            let mut lines = String::new();
            std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(&text[..]), &mut lines).ok()?;
            let ids = lines.lines().filter_map(|line| line.split_once("\"t\":")?.1.split(',').next()?.parse().ok());
            ids.max()
        };
        until("nobody listens any more", DEADLINE, || session::listening(&server).is_empty().then_some(()));
        let what = format!("trade {had_come}, which had come, in the recording; closed: {is_closed}");
        until(&what, DEADLINE, || last().filter(|last: &u64| *last >= had_come));
        assert!(is_closed || said.iter().any(|line| line.contains("; the last trade is of ")), "{said:#?}");
    }
}
