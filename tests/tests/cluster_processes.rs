//! Strategies that are programs of a user, in pods of the image with Python: installed, made and edited as the page about
//! them says. What they trade is what `backtest` says, and they reach nothing of their worker.
#![allow(clippy::expect_used, clippy::panic, reason = "tests may stop at the first surprise")]

use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use serde_json::Value;
use tempfile::TempDir;
use tests::cluster::manifest::{edit, in_namespace};
use tests::cluster::{
    Platform, PodHistory, Scenario, await_that, backtest, condition, is_of_epoch, number, repository, signal_container,
    text,
};

const PAGE: &str = "docs/process-strategies.md";
const STRATEGY: &str = "dips-btc-1";
/// The moving average, and beside it the package, which the image has too.
const EXAMPLES: &str = "examples/python-strategy";
const REACH: &str = "tests/processes/reach.py";

static PLATFORM: LazyLock<Platform> = LazyLock::new(|| {
    let values = ["--set", "image.tag=python,processStrategies.enabled=true"];
    Platform::install("processes", &["mean", "files", "broken"], &values)
});

/// What the page shows in this language: a strategy, and its manifest.
fn of_page(language: &str) -> String {
    let page = fs::read_to_string(repository().join(PAGE)).expect("the page is there");
    let (_, rest) = page.split_once(&format!("```{language}\n")).expect("the page shows it");
    rest.split("```").next().unwrap_or_default().to_owned()
}

/// The page's manifest, with more time for an answer: other scenes start their pods meanwhile.
fn manifest_of_page() -> String {
    edit(&of_page("yaml"), "timeoutMs: 1000 ", "timeoutMs: 30000 ")
}

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().expect("a folder can be made");
    for (name, content) in files {
        fs::write(folder.path().join(name), content).expect("a file can be written");
    }
    folder
}

/// Makes the ConfigMap from a file or a folder, or applies it anew.
fn apply_files(scenario: &Scenario, from: &Path) {
    let files = format!("--from-file={}", from.display());
    let made = scenario.kubectl(&["create", "configmap", "dips", &files, "--dry-run=client", "-o", "yaml"]);
    scenario.apply(&made);
}

fn position(scenario: &Scenario) -> Result<u64, String> {
    let key = format!("glm:{{{}/paper}}:state:strategy-{STRATEGY}", scenario.namespace);
    // Before the first commit there is none.
    let found = PLATFORM.try_redis(&["hget", &key, "field:position"])?;
    found.parse().map_err(|_| format!("position {found:?}"))
}

fn parsed(told: &str) -> Value {
    serde_json::from_str(told).expect("JSON")
}

#[test]
fn a_moving_average_in_python_is_killed_and_ends_with_the_bytes_of_backtest() {
    let scenario = Scenario::of(&PLATFORM, "mean");
    let mut history = PodHistory::begin(&scenario.namespace);
    let manifest = edit(&manifest_of_page(), "/strategies/dips.py]", "/strategies/mean.py]");
    let manifest = edit(&manifest, "{fallPercent: 5, risePercent: 4}", "{window: 20, bandPercent: 1}");
    // Half a minute.
    let manifest = in_namespace(&edit(&manifest, "speed: 3600", "speed: 180000"), &scenario.namespace);
    apply_files(&scenario, &Path::new(EXAMPLES).join("mean.py"));
    scenario.apply(&manifest);
    let taken = |ticks: u64| {
        await_that(&format!("{ticks} ticks are taken"), 120, || match position(&scenario)? {
            position if position + 1 >= ticks => Ok(()),
            position => Err(format!("{} are taken", position + 1)),
        });
    };
    taken(1_000);
    signal_container(&scenario.pod_of("strategy", STRATEGY).expect("there is a worker"), "SIGKILL");
    taken(2_500);
    scenario.kubectl(&["delete", "pod", &format!("strategy-{STRATEGY}-1"), "--wait=false"]);
    let ended = scenario.await_strategy(STRATEGY, "the replay has ended", 120, |strategy| {
        condition(strategy, "Ready").starts_with("True MarketDataEnded")
    });
    assert!(number(&ended, "/status/orders/filled") > 50, "{ended}");
    assert_eq!(number(&ended, "/status/epoch"), 2);
    let source = format!("dips={EXAMPLES}");
    let [there, here] = [PLATFORM.ledger(&manifest), backtest(&manifest, &["--source", &source])];
    // All files name the program: here the package lies beside the script, there it is the image's.
    let [program, other] = [&there, &here].map(|told| text(&parsed(told), "/hashes/program"));
    assert_ne!(program, other);
    assert_eq!(there.replace(&program, &other), here);
    history.expect_one_at_a_time();
}

/// Whether this machine's kernel bounds which files are read.
fn has_landlock() -> bool {
    fs::read_to_string("/proc/kallsyms").is_ok_and(|symbols| symbols.contains("sys_landlock_restrict_self"))
}

fn decision(strategy: &Value) -> String {
    format!("{}: {}", text(strategy, "/status/decision/reason"), text(strategy, "/status/decision/message"))
}

#[test]
fn edited_files_come_with_one_new_pod_whose_program_reaches_nothing_of_its_worker() {
    let scenario = Scenario::of(&PLATFORM, "files");
    let mut history = PodHistory::begin(&scenario.namespace);
    let refused = |words: &str| {
        scenario.await_strategy(STRATEGY, words, 60, |strategy| {
            let accepted = condition(strategy, "Accepted");
            accepted.starts_with("False SourceNotFound") && accepted.contains(words)
        })
    };
    scenario.apply(&manifest_of_page());
    refused("\"dips\" not found in namespace processes-files; create it");
    apply_files(&scenario, folder(&[("Dips.py", &of_page("python"))]).path());
    refused("which has Dips.py;");
    apply_files(&scenario, folder(&[("dips.py", &of_page("python"))]).path());
    scenario.await_trading(STRATEGY);
    // The same files under another label are no reason for another pod.
    scenario.kubectl(&["label", "configmap", "dips", "team=a"]);
    let reach = fs::read_to_string(repository().join(REACH)).expect("it is there");
    apply_files(&scenario, folder(&[("dips.py", &reach)]).path());
    let told = scenario.await_strategy(STRATEGY, "the edited program has spoken", 120, |strategy| {
        decision(strategy).starts_with("Reach: ")
    });
    let denied = ["environ", "mem", "maps", "fd/0", "root/usr/local/bin/worker", "users", "signal", "fork", "socket"];
    let denied = denied.map(|name| match name {
        "users" if !has_landlock() => "users reached".to_owned(),
        _ => format!("{name} PermissionError"),
    });
    let environment =
        "HOME LC_ALL OMP_NUM_THREADS OPENBLAS_NUM_THREADS OPENSSL_CONF PATH PYTHONHASHSEED PYTHONUNBUFFERED TZ";
    let expected = format!("Reach: script reached, {}, file OSError; environment {environment}", denied.join(", "));
    assert_eq!(decision(&told), expected);
    assert_eq!(number(&told, "/status/epoch"), 2);
    history.expect_one_at_a_time();
    assert_eq!(history.pods_of(&format!("strategy-{STRATEGY}")), 2);
    // Deleted files stop nothing that runs.
    scenario.kubectl(&["delete", "configmap", "dips"]);
    let refused = refused("not found");
    assert!(condition(&refused, "Ready").contains("generation 1 keeps trading"), "{refused}");
    let pod = scenario.pod_of("strategy", STRATEGY).expect("its pod is there");
    assert_eq!(text(&pod, "/metadata/name"), format!("strategy-{STRATEGY}-2"));
}

/// How many orders of the strategy its record says are open: figures of a status are written seldom.
fn open_orders(scenario: &Scenario) -> Result<u64, String> {
    let key = format!("glm:{{{}/paper}}:state:strategy-{STRATEGY}", scenario.namespace);
    let report = PLATFORM.try_redis(&["hget", &key, "field:report"])?;
    let report: Value = serde_json::from_str(&report).map_err(|error| format!("{error}: {report}"))?;
    Ok(number(&report, "/orders/open"))
}

/// It has an order far below the price.
const RESTS: &str = "import glm

class Rests(glm.Strategy):
    def on_tick(self, tick, context):
        if not context.orders:
            context.place(\"Buy\", glm.decimal(\"0.01\"), tick.price / 2)

glm.run(Rests)
";

#[test]
fn a_program_that_cannot_start_halts_with_its_words_and_the_mended_one_goes_on_by_itself() {
    let scenario = Scenario::of(&PLATFORM, "broken");
    let mut history = PodHistory::begin(&scenario.namespace);
    let of = |program: &str| apply_files(&scenario, folder(&[("dips.py", program)]).path());
    let orders = |wanted: u64| {
        await_that(&format!("{wanted} orders are open"), 120, || match open_orders(&scenario)? {
            open if open == wanted => Ok(()),
            open => Err(format!("{open} are open")),
        });
    };
    let rests = |epoch: u64| {
        scenario.await_strategy(STRATEGY, "it trades", 120, |strategy| {
            condition(strategy, "Ready").starts_with("True Trading") && is_of_epoch(strategy, epoch)
        });
        orders(1);
    };
    scenario.apply(&manifest_of_page());
    of(RESTS);
    rests(1);
    // A parenthesis is missing.
    of(&RESTS.replace("tick.price / 2)", "tick.price / 2"));
    let halted = scenario.await_strategy(STRATEGY, "it is halted", 120, |strategy| {
        condition(strategy, "Ready").starts_with("False StrategyCrashed")
            && number(strategy, "/status/orders/open") == 0
    });
    let ready = condition(&halted, "Ready");
    for words in ["its process has ended (exit status: 1)", "/strategies/dips.py", "SyntaxError: '(' was never closed"]
    {
        assert!(ready.contains(words), "{words}: {ready}");
    }
    let resource = format!("ts/{STRATEGY}");
    let [shown, described] =
        [["get", &resource], ["describe", &resource]].map(|arguments| scenario.kubectl(&arguments));
    println!("{shown}\n{described}");
    assert!(shown.contains("StrategyCrashed") && shown.contains("Degraded"), "{shown}");
    assert!(described.contains("SyntaxError: '(' was never closed"), "{described}");
    let pod = scenario.pod_of("strategy", STRATEGY).expect("its pod is there");
    assert_eq!(number(&pod, "/status/containerStatuses/0/restartCount"), 0, "the worker runs on");
    of(RESTS);
    rests(3);
    history.expect_one_at_a_time();
    assert_eq!(history.pods_of(&format!("strategy-{STRATEGY}")), 3);
}
