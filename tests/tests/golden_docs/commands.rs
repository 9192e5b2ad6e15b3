//! The commands that the READMEs show: the same in both languages, and each run by a test, or by name not run.

use crate::page::{Block, READMES, blocks, files, read, without_comment};

/// How a command is known to work.
enum Shown {
    /// This test runs it; beside its name, words that its file must hold for that to be so.
    By(&'static str, &'static [&'static str]),
    /// This script of the tests runs it, in this line.
    In(&'static str, &'static str),
    /// Nothing here runs it, for this reason.
    Never(&'static str),
}

use Shown::{By, In, Never};

const STORY: &str = "the_platform_is_installed_used_upgraded_uninstalled_and_installed_again";
const STATE: &str = "the_state_is_paused_stopped_and_running_as_asked";
const LEDGER: &str = "the_ledger_commands_of_the_readme_run";
const ENGINE: &str = "there is no container engine";

/// All commands, in the order of the page.
const COMMANDS: &[(&str, Shown)] = &[
    (
        "cargo run --release -p worker -- run examples/quickstart.yaml",
        By("the_first_command_shows_this", &[r#"&["run", "examples/quickstart.yaml"]"#]),
    ),
    ("tests/run", In(".ci/run", "exec tests/run")),
    // The same but for the profile: the tests' images hold the programs that other tests have built.
    (
        "cargo build --release --locked --workspace --exclude tests --exclude market-server --bins",
        In("tests/cluster/archives", "cargo build --locked --workspace --bins"),
    ),
    ("charts/image/build", In("tests/cluster/archives", "charts/image/build --binaries")),
    ("docker build --tag localhost/glm:dev .", Never(ENGINE)),
    ("kind load image-archive target/glm.tar", Never(ENGINE)),
    ("kind load docker-image localhost/glm:dev", Never(ENGINE)),
    ("sudo k3s ctr images import target/glm.tar", Never("there is no k3s; tests/cluster/load is its like")),
    ("docker save localhost/glm:dev | sudo k3s ctr images import -", Never(ENGINE)),
    // With a namespace that is there already, and a Redis that needs no registry.
    (
        "helm install glm charts/glm -n trading --create-namespace --set image.repository=localhost/glm,image.tag=dev",
        By(STORY, &[r#"platform.helm("install""#]),
    ),
    ("kubectl -n trading apply -f examples/quickstart.yaml", By(STORY, &[r#"&["apply", "-f", QUICKSTART]"#])),
    (
        "kubectl -n trading wait --for=condition=Ready ts/grid-btc-1 --timeout=2m",
        By(STORY, &[r#"&["wait", "--for=condition=Ready", &format!("ts/{STRATEGY}")"#]),
    ),
    ("kubectl -n trading get ts -w", By(STORY, &[r#"&["get", "ts"]"#])),
    ("kubectl -n trading describe ts grid-btc-1", By(STORY, &[r#"&["describe", "ts", STRATEGY]"#])),
    (
        "kubectl explain ts.spec.strategy.grid",
        By("kubectl_explain_reads_well", &[r#"&["explain", field]"#, "ts.spec.strategy.grid"]),
    ),
    (
        r#"kubectl -n trading patch ts grid-btc-1 --type=merge -p '{"spec":{"strategy":{"grid":{"gridSizePercent":1}}}}'"#,
        By("an_edited_rule_makes_exactly_one_new_pod_an_edited_parameter_and_a_bad_spec_none", &["gridSizePercent: 1"]),
    ),
    (
        r#"kubectl -n trading patch ts grid-btc-1 --type=merge -p '{"spec":{"state":"Paused"}}'"#,
        By(STATE, &[r#"{"spec":{"state":"Paused"}}"#]),
    ),
    (
        r#"kubectl -n trading patch ts grid-btc-1 --type=merge -p '{"spec":{"state":"Stopped"}}'"#,
        By(STATE, &[r#"{"spec":{"state":"Stopped"}}"#]),
    ),
    (
        r#"kubectl -n trading patch ts grid-btc-1 --type=merge -p '{"spec":{"state":"Running"}}'"#,
        By(STATE, &[r#"{"spec":{"state":"Running"}}"#]),
    ),
    (
        "kubectl -n trading delete tradingstrategies --all --wait",
        By(STORY, &[r#"&["delete", "tradingstrategies", "--all", "--wait""#]),
    ),
    (
        "kubectl -n trading delete tradingaccounts --all --wait",
        By(STORY, &[r#"&["delete", "tradingaccounts", "--all", "--wait""#]),
    ),
    ("helm -n trading uninstall glm", By(STORY, &[r#""uninstall", "glm""#])),
    ("tests/run demo", Never("it leaves a cluster up for somebody to look at")),
    ("worker ledger create examples/quickstart.yaml --redis redis://localhost:6379", By(LEDGER, &["README.md"])),
    ("worker ledger show examples/quickstart.yaml --redis redis://localhost:6379", By(LEDGER, &["README.md"])),
];

/// The commands that nothing here runs.
const NEVER: [&str; 6] = [
    "docker build --tag localhost/glm:dev .",
    "kind load image-archive target/glm.tar",
    "kind load docker-image localhost/glm:dev",
    "sudo k3s ctr images import target/glm.tar",
    "docker save localhost/glm:dev | sudo k3s ctr images import -",
    "tests/run demo",
];

/// The commands of a page, in order.
fn commands(page: &str) -> Vec<String> {
    let blocks = blocks(&read(page)).into_iter().filter(|block| block.language == "sh");
    blocks.flat_map(|block| block.lines).map(|line| without_comment(&line).to_owned()).collect()
}

#[test]
fn both_languages_show_the_same_code() {
    let [english, chinese] = READMES.map(|page| blocks(&read(page)));
    let code = |block: &Block| block.lines.iter().map(|line| without_comment(line).to_owned()).collect::<Vec<_>>();
    for (english, chinese) in english.iter().zip(&chinese) {
        assert_eq!((&english.language, code(english)), (&chinese.language, code(chinese)));
    }
    assert_eq!(english.len(), chinese.len(), "blocks");
}

#[test]
fn each_command_is_run_by_a_test_or_named_as_never_run() {
    let listed: Vec<&str> = COMMANDS.iter().map(|(command, _)| *command).collect();
    assert_eq!(commands(READMES[0]), listed, "the commands of the page, and of the list in this file");
    let tests = files("tests/tests", ".rs").into_iter().map(|path| (read(&path), path)).collect::<Vec<_>>();
    for (command, shown) in COMMANDS {
        match shown {
            By(test, words) => {
                let function = format!("fn {test}()");
                let file = tests.iter().find(|(text, _)| text.contains(&function));
                let (source, path) = file.unwrap_or_else(|| panic!("{command}: there is no test {test}"));
                for words in *words {
                    assert!(source.contains(words), "{command}: {path} does not hold {words}");
                }
            }
            In(script, line) => assert!(read(script).contains(line), "{command}: {script} does not hold {line}"),
            Never(why) => assert!(!why.is_empty(), "{command}: why?"),
        }
    }
}

#[test]
fn what_is_never_run_does_not_grow() {
    let never = COMMANDS.iter().filter(|(_, shown)| matches!(shown, Never(_))).map(|(command, _)| *command);
    assert_eq!(never.collect::<Vec<_>>(), NEVER);
    for (page, words) in READMES.iter().zip(["What no test has run", "尚无测试运行过的"]) {
        let text = read(page);
        let paragraph = text.split("\n\n").find(|paragraph| paragraph.contains(words));
        let paragraph = paragraph.unwrap_or_else(|| panic!("{page} does not say what no test has run"));
        for named in ["Dockerfile", "kind", "k3s", "demo", "NetworkPolicy"] {
            assert!(paragraph.contains(named), "{page} does not say that no test has run {named}");
        }
    }
}

#[test]
fn the_manifest_shown_is_the_example() {
    let shown = blocks(&read(READMES[0])).into_iter().find(|block| block.language == "yaml").expect("it is shown");
    let shown: Vec<_> = shown.lines.iter().map(|line| without_comment(line).to_owned()).collect();
    let example = read("examples/quickstart.yaml");
    let example = example.lines().filter(|line| !line.starts_with('#') && !line.starts_with("apiVersion: "));
    assert_eq!(shown, example.map(without_comment).collect::<Vec<_>>());
}
