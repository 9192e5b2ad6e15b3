//! Bad and good manifests, each through the reader of files and through the API server.

#[path = "table/accounts.rs"]
mod accounts;
#[path = "table/strategies.rs"]
mod strategies;
#[path = "table/whole.rs"]
mod whole;

use std::sync::Mutex;
use std::thread;

use accounts::ACCOUNTS;
use strategies::STRATEGIES;
use tests::apiserver::{Said, client, install, kubectl, namespace};
use whole::WHOLE;

/// A valid strategy, one field to a line, so that a case can replace a line.
const STRATEGY: &str = "\
apiVersion: glm.trading/v1alpha1
kind: TradingStrategy
metadata:
  name: grid-1
spec:
  accountRef:
    name: paper
  instruments:
  - symbol: BNB/USDT
    rules: {tickSize: \"0.01\", lotSize: \"0.001\"}
  capital:
    USDT: 3000
  strategy:
    grid:
      gridSizePercent: 2
      minTradeIntervalSeconds: 30
  risk:
    maxOrdersPerMinute: 10
  state: Running
";

/// A valid account in the same form.
const ACCOUNT: &str = "\
apiVersion: glm.trading/v1alpha1
kind: TradingAccount
metadata:
  name: paper
spec:
  venue:
    paper:
      balances:
        USDT: 10000
      fees:
        takerPercent: \"0.1\"
        paidIn: Quote
      latencyMs: 0
  marketData:
    replay:
      file: prices.csv
      speed: 1
      repeat: false
";

/// Who refuses a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum By {
    /// Nobody.
    Nobody,
    /// Both, in these words of ours.
    BothAlike(&'static str),
    /// Both: the reader of files in these words, the API server in its own, naming this.
    Both(&'static str, &'static str),
    /// Only the reader of files, in these words: the API server never sees the difference.
    File(&'static str),
}
use By::{Both, BothAlike, File, Nobody};

/// A line of the manifest, what stands there instead, the refused field, who refuses it.
type Case = (usize, &'static str, &'static str, By);

const MATCH: &str = "in body should match";
const NO_MULTIPLE: &str = "0.2505 is not a multiple of lotSize 0.001; write a multiple of it";

fn with_line(text: &str, number: usize, replacement: &str) -> String {
    let line = |(index, line)| if index + 1 == number { replacement } else { line };
    text.lines().enumerate().flat_map(|each| [line(each), "\n"]).collect()
}

/// What the reader of files says, an error to a line, without the file's name and the line.
fn file_says(text: &str) -> Vec<String> {
    match crds::manifest::read("f", text) {
        Ok(_) => Vec::new(),
        Err(errors) => errors.iter().map(|error| format!("{}: {}", error.path, error.message)).collect(),
    }
}

fn server_says(text: &str, namespace: &str) -> Said {
    kubectl(&["create", "--namespace", namespace, "--dry-run=server", "-f", "-"], text)
}

/// The words of a refusal at `path`: of the place itself, of an entry of a map, or of the map that has the entry.
fn names_field(said: &str, path: &str, words: &str) -> bool {
    let (parent, last) = path.rsplit_once('.').unwrap_or_default();
    let entry = format!("{parent}[{last}]");
    let told = said.split("Invalid value: ").collect::<Vec<_>>();
    let place =
        |before: &str| [path, parent, &entry].iter().any(|place| before.trim_end_matches([':', ' ']).ends_with(place));
    told.windows(2).any(|pair| pair[1].contains(words) && (place(pair[0]) || pair[1].contains(&format!("{path}: "))))
}

/// One manifest, what is wrong with it, and who says so.
struct Question {
    text: String,
    field: &'static str,
    by: By,
}

fn questions() -> Vec<Question> {
    let line = |base: &'static str| {
        move |case: &'static Case| Question { text: with_line(base, case.0, case.1), field: case.2, by: case.3 }
    };
    let whole = WHOLE.iter().map(|(kind, spec, field, by)| {
        let text = format!("apiVersion: glm.trading/v1alpha1\nkind: {kind}\nmetadata: {{name: a}}\nspec: {spec}\n");
        Question { text, field, by: *by }
    });
    STRATEGIES.iter().map(line(STRATEGY)).chain(ACCOUNTS.iter().map(line(ACCOUNT))).chain(whole).collect()
}

fn check(question: &Question, namespace: &str) -> Result<(), String> {
    let Question { text, field, by } = question;
    let file = file_says(text);
    let server = server_says(text, namespace);
    let file_tells = |words: &str| file.iter().any(|error| error.starts_with(*field) && error.contains(words));
    let holds = match by {
        Nobody => file.is_empty() && server.ok,
        BothAlike(words) => {
            // All of our words, with the value before them.
            let whole = file.iter().find(|error| error.contains(words)).and_then(|error| error.split_once(": "));
            file_tells(words)
                && !server.ok
                && whole.is_some_and(|(path, message)| names_field(&server.stderr, path, message))
        }
        Both(ours, theirs) => file_tells(ours) && !server.ok && server.stderr.contains(theirs),
        File(words) => file_tells(words) && server.ok,
    };
    let told = format!("{text}\n  {by:?}\n  file: {file:?}\n  server: {} {}", server.ok, server.stderr);
    if holds { Ok(()) } else { Err(told) }
}

/// Several at once: each is a process that mostly waits.
fn check_all(questions: Vec<Question>, namespace: &str) -> Vec<String> {
    let (todo, faults) = (Mutex::new(questions), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let next = todo.lock().unwrap().pop();
            let Some(question) = next else { return };
            faults.lock().unwrap().extend(check(&question, namespace).err());
        }
    };
    thread::scope(|scope| (0..6).for_each(|_| drop(scope.spawn(work))));
    faults.into_inner().unwrap()
}

#[tokio::test]
async fn file_and_server_refuse_the_same_manifests() {
    let client = client().await;
    install(&client).await;
    let namespace = namespace(&client, "table").await;
    let questions = questions();
    let count = |wanted: fn(&By) -> bool| questions.iter().filter(|question| wanted(&question.by)).count();
    println!(
        "{} manifests: {} good, {} refused alike, {} refused by both, {} only in files",
        questions.len(),
        count(|by| matches!(by, Nobody)),
        count(|by| matches!(by, BothAlike(_))),
        count(|by| matches!(by, Both(_, _))),
        count(|by| matches!(by, File(_))),
    );
    let faults = check_all(questions, &namespace);
    assert!(faults.is_empty(), "{} cases:\n{}", faults.len(), faults.join("\n"));
}
