//! Every pod that a namespace ever had while it was watched.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};

use super::{await_that, try_run};

/// A pod that came, and whether it has gone.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of these fields say it")]
pub struct PodSeen {
    pub name: String,
    pub uid: String,
    /// Whether it is gone for good.
    pub gone: bool,
    /// The pod of the same process that was still there when it came.
    pub beside: Option<String>,
}

/// What a watch has shown so far.
#[derive(Debug, Default)]
struct Seen {
    pods: Vec<PodSeen>,
    /// The newest version of any pod.
    version: u64,
}

/// A watch that writes down what comes and goes.
#[derive(Debug)]
pub struct PodHistory {
    namespace: String,
    child: Child,
    seen: Arc<Mutex<Seen>>,
    reader: Option<JoinHandle<()>>,
}

impl PodHistory {
    /// Begins to watch; pods that are there already are seen first.
    pub fn begin(namespace: &str) -> Self {
        let columns = r#"-o=jsonpath={.type} {.object.metadata.name} {.object.metadata.uid} {.object.metadata.resourceVersion}{"\n"}"#;
        let arguments = ["-n", namespace, "get", "pods", "--watch", "--output-watch-events"];
        let mut command = Command::new("kubectl");
        command.args(arguments).arg(columns).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null());
        let mut child = command.spawn().expect("kubectl starts");
        let stdout = child.stdout.take().expect("stdout is piped");
        let seen: Arc<Mutex<Seen>> = Arc::default();
        let into = Arc::clone(&seen);
        let reader = thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                note(&mut into.lock().unwrap_or_else(PoisonError::into_inner), &line);
            }
        });
        Self { namespace: namespace.to_owned(), child, seen, reader: Some(reader) }
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// All pods until now: the watch has caught up with whatever a test has seen by other ways.
    pub fn seen(&mut self) -> Vec<PodSeen> {
        self.catch_up();
        self.lock().pods.clone()
    }

    /// How many pods a process has had until now, such as `strategy-grid-btc-1`.
    pub fn pods_of(&mut self, process: &str) -> usize {
        self.seen().iter().filter(|pod| self::process(&pod.name) == process).count()
    }

    /// Marks a pod and waits until the watch shows it: events come in their order.
    fn catch_up(&mut self) {
        let kubectl = |arguments: &[&str]| {
            try_run("kubectl", &[&["-n", &self.namespace], arguments].concat(), "").map(|said| said.trim().to_owned())
        };
        let marked = await_that("a pod is marked", 60, || {
            // One that goes meanwhile cannot be marked; another is there, or comes.
            let pod = kubectl(&["get", "pods", "-o", "name"])?.lines().next().ok_or("no pod to mark")?.to_owned();
            let mark = format!("tests/seen={}", self.lock().version);
            let version =
                kubectl(&["annotate", &pod, "--overwrite", &mark, "-o=jsonpath={.metadata.resourceVersion}"])?;
            version.parse::<u64>().map_err(|error| format!("{version:?}: {error}"))
        });
        await_that("the watch has caught up", 60, || {
            let ended = self.child.try_wait().expect("our own child can be asked");
            assert!(ended.is_none(), "the watch ended before the test: {ended:?}");
            let version = self.lock().version;
            if version >= marked { Ok(()) } else { Err(format!("version {version} of {marked}")) }
        });
    }

    /// Fails where two pods of one process were there at once, or one epoch had two pods.
    pub fn expect_one_at_a_time(&mut self) {
        let seen = self.seen();
        let mut by_name: BTreeMap<&str, usize> = BTreeMap::new();
        for pod in &seen {
            *by_name.entry(&pod.name).or_default() += 1;
            assert!(pod.beside.is_none(), "{} came while {:?} was there: {seen:#?}", pod.name, pod.beside);
        }
        assert!(by_name.values().all(|count| *count == 1), "an epoch had two pods: {seen:#?}");
        assert!(!seen.is_empty(), "the watch saw nothing");
    }
}

impl Drop for PodHistory {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
        if let Some(reader) = self.reader.take() {
            reader.join().ok();
        }
    }
}

/// The name of a pod without its epoch; other pods have none and are not looked at.
fn process(pod: &str) -> &str {
    match pod.rsplit_once('-') {
        Some((process, epoch)) if epoch.parse::<u64>().is_ok() => process,
        Some(_) | None => "",
    }
}

/// One line of the watch: what happened, name, uid, version.
fn note(seen: &mut Seen, line: &str) {
    let mut words = line.split_whitespace();
    let (Some(event), Some(name), Some(uid)) = (words.next(), words.next(), words.next()) else { return };
    let version = words.next().and_then(|version| version.parse().ok()).unwrap_or_default();
    seen.version = seen.version.max(version);
    let seen = &mut seen.pods;
    let known = seen.iter().position(|pod| pod.uid == uid);
    match (event, known) {
        ("DELETED", Some(known)) => seen[known].gone = true,
        ("ADDED", None) if !process(name).is_empty() => {
            let beside = seen.iter().find(|other| !other.gone && process(&other.name) == process(name));
            let beside = beside.map(|other| other.name.clone());
            seen.push(PodSeen { name: name.to_owned(), uid: uid.to_owned(), gone: false, beside });
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_at_once_are_told_from_one_after_the_other() {
        let mut seen = Seen::default();
        for line in [
            "ADDED a-1 u1 5",
            "MODIFIED a-1 u1 7",
            "ADDED b-1 u2 6",
            "DELETED a-1 u1 8",
            "ADDED a-2 u3 9",
            "ADDED a-3 u4 10",
        ] {
            note(&mut seen, line);
        }
        let beside: Vec<_> = seen.pods.iter().map(|pod| pod.beside.as_deref()).collect();
        assert_eq!(beside, [None, None, None, Some("a-2")]);
        note(&mut seen, "ADDED glm-operator-5d8dcf6d89-mkvmq u5 12");
        assert_eq!((seen.pods.len(), seen.version), (4, 12));
    }
}
