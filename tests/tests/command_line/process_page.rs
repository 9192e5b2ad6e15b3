//! The page about strategies in any language: each of its messages is read by the program's own types, its dialogue is what its
//! strategy says, and who follows it gets what it promises. In both languages.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Stdio};

use engine::strategies::process::messages::{Answer, Events, Message, Ready, Start, Stop, read, write};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tempfile::TempDir;
use tests::worker_binary::run_worker;

use super::folder::copy_python_package;

const PAGES: [&str; 2] = ["docs/process-strategies.md", "docs/zh/process-strategies.md"];

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// The fenced blocks of a page in this language, in order.
fn blocks(page: &str, language: &str) -> Vec<String> {
    let text = fs::read_to_string(repository().join(page)).unwrap();
    let begun = text.split(&format!("```{language}\n")).skip(1).map(str::to_owned).collect::<Vec<_>>();
    let blocks: Vec<_> = begun.iter().map(|rest| rest.split("```").next().unwrap().to_owned()).collect();
    assert!(!blocks.is_empty(), "{page} has no {language}");
    blocks
}

/// The messages of a page.
fn messages(page: &str) -> Vec<String> {
    blocks(page, "json").iter().flat_map(|block| block.lines()).map(str::to_owned).collect()
}

/// Reads a message and writes it: nothing of it may be lost, so every field that is shown is one that acts.
#[track_caller]
fn reads<M: Message + Serialize + DeserializeOwned>(line: &str) {
    let written = write(&read::<M>(line).unwrap_or_else(|error| panic!("{error}: {line}"))).unwrap();
    assert_eq!(with_defaults(&written), with_defaults(line), "{line}");
}

/// A document, with what an action leaves out written as it is meant.
fn with_defaults(line: &str) -> Value {
    let mut document: Value = serde_json::from_str(line).unwrap();
    for action in document["actions"].as_array_mut().into_iter().flatten() {
        if let Some(place) = action["place"].as_object_mut() {
            place.entry("tag").or_insert("".into());
            // Both words are read.
            if place.get("timeInForce").is_some_and(|word| word == "ImmediateOrCancel") {
                place["timeInForce"] = "IOC".into();
            }
        }
    }
    for action in document["actions"].as_array_mut().into_iter().flatten() {
        action.as_object_mut().unwrap().retain(|_, of| !of.is_null());
    }
    document
}

#[test]
fn each_message_of_the_page_is_one_of_the_protocol() {
    for page in PAGES {
        let mut kinds = Vec::new();
        for line in messages(page) {
            let document: Value = serde_json::from_str(&line).unwrap();
            let kind = document["type"].as_str().unwrap().to_owned();
            match kind.as_str() {
                "start" => reads::<Start>(&line),
                "ready" => reads::<Ready>(&line),
                "events" => reads::<Events>(&line),
                "answer" => reads::<Answer>(&line),
                "stop" => reads::<Stop>(&line),
                other => panic!("{page}: {other}"),
            }
            kinds.push(kind);
        }
        let told: Vec<&str> = kinds.iter().map(String::as_str).collect();
        let dialogue = ["start", "ready", "events", "answer", "events", "answer", "events", "answer", "stop"];
        assert_eq!(told, dialogue, "{page}");
        // Each event and each action is shown.
        let all = messages(page).concat();
        for word in ["tick", "bar", "order", "timer", "gap"] {
            assert!(all.contains(&format!("{{\"type\":\"{word}\"")), "{page}: {word}");
        }
        for word in ["place", "cancel", "replace", "say"] {
            assert!(all.contains(&format!("{{\"{word}\":")), "{page}: {word}");
        }
    }
}

/// A folder as the page says it is made, with the strategy and the manifest that it shows.
fn followed(page: &str) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    let mine = folder.path().join("mine");
    fs::create_dir(&mine).unwrap();
    copy_python_package(&mine);
    let data = "btcusdt-1h-2020q2.csv.gz";
    fs::copy(repository().join("examples").join(data), mine.join(data)).unwrap();
    fs::write(mine.join("dips.py"), &blocks(page, "python")[0]).unwrap();
    fs::write(mine.join("dips.yaml"), &blocks(page, "yaml")[0]).unwrap();
    folder
}

#[test]
fn the_strategy_of_the_page_says_what_the_page_shows() {
    for page in PAGES {
        let folder = followed(page);
        let lines = messages(page);
        let (told, said): (Vec<_>, Vec<_>) =
            lines[..6].chunks(2).map(|pair| (pair[0].as_str(), pair[1].as_str())).unzip();
        let mut python = Command::new("python3");
        python.args(["-B", "mine/dips.py"]).current_dir(folder.path()).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut python = python.spawn().unwrap();
        let stop = lines.last().unwrap();
        writeln!(python.stdin.take().unwrap(), "{}\n{stop}", told.join("\n")).unwrap();
        let answered = String::from_utf8(python.wait_with_output().unwrap().stdout).unwrap();
        let answered: Vec<Value> = answered.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
        let said: Vec<Value> = said.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(answered, said, "{page}");
    }
}

#[test]
fn who_follows_the_page_trades_in_backtest_and_run_alike() {
    for page in PAGES {
        let folder = followed(page);
        let commands = blocks(page, "sh")[1].clone();
        let mut nets = Vec::new();
        let results = blocks(page, "text");
        assert_eq!(results.len(), commands.lines().count(), "{page}");
        for (command, result) in commands.lines().zip(results) {
            let arguments = command.split_once(" -- ").unwrap().1;
            let printed = run_worker(folder.path(), &arguments.split(' ').collect::<Vec<_>>()).stdout;
            assert!(printed.ends_with(&result), "{page}: {printed}");
            let arguments = arguments.replace(" --output table", "") + " --output json";
            let arguments: Vec<&str> = arguments.split(' ').collect();
            let done = run_worker(folder.path(), &arguments);
            assert_eq!(done.code, Some(0), "{command}: {}", done.stderr);
            let last: Value = serde_json::from_str(done.stdout.lines().last().unwrap()).unwrap();
            let outcome = last.get("status").unwrap_or(&last);
            nets.push(outcome["pnl"]["net"].clone());
            let filled = outcome["orders"]["filled"].as_u64().unwrap();
            assert!(filled > 5 && outcome["orders"]["denied"] != 1, "{page}: {outcome}");
        }
        assert_eq!(nets.len(), 2, "{page}");
        assert_eq!(nets[0], nets[1], "{page}");
    }
}

/// The code of both languages, comments apart.
#[test]
fn both_languages_show_the_same_code() {
    for language in ["sh", "python", "yaml", "json", "text"] {
        let [english, chinese] = PAGES.map(|page| {
            let lines = blocks(page, language).concat();
            lines.lines().map(|line| line.split('#').next().unwrap().trim_end().to_owned()).collect::<Vec<_>>()
        });
        assert_eq!(english, chinese, "{language}");
    }
}
