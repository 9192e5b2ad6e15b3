//! All gateways, feeds and workers: each pod that runs has its program here.
//!
//! Told by lines on standard input: `start` (who has not settled looks about each second), `beat` (all beat every ten
//! seconds), `report` (strategies report and nudge as well). A line on standard output each second: what was done so far.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bus::{Keys, RedisBus};
use futures::StreamExt as _;
use k8s_openapi::api::core::v1::Pod;
use kube::runtime::{WatchStreamExt as _, watcher};
use kube::{Api, Client, ResourceExt as _};
use operator::names::OPERATOR;
use tokio::sync::{oneshot, watch};
use tokio::task::JoinHandle;

use crate::program::{Identity, Mode, Program};

/// What all programs share.
pub struct World {
    pub redis: String,
    /// For those that have no connections of their own.
    pub bus: RedisBus,
    pub keys: Keys,
    /// How many connections of its own this process may have still.
    pub connections: AtomicUsize,
    pub counts: Counts,
}

/// What was done so far.
#[derive(Default)]
pub struct Counts {
    pub settled: AtomicUsize,
    pub beats: AtomicUsize,
    pub reports: AtomicUsize,
    pub failures: AtomicUsize,
    /// The longest that a turn came behind its time, in ms, since the last line.
    pub late_ms: AtomicUsize,
}

impl World {
    /// Takes one connection of those that are left.
    pub fn takes_connection(&self) -> bool {
        self.connections.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok()
    }
}

/// Plays until standard input ends.
pub async fn run(namespace: &str, redis: &str, connections: &str, part: &str) -> Result<(), String> {
    let (part, parts) = part.split_once('/').ok_or("PART/PARTS: write 0/1")?;
    let number = |text: &str| text.parse::<u64>().map_err(|error| format!("{text}: {error}; write a number"));
    let (part, parts) = (number(part)?, number(parts)?.max(1));
    let client = Client::try_default().await.map_err(|error| error.to_string())?;
    let world = Arc::new(World {
        redis: redis.to_owned(),
        bus: RedisBus::open(redis).map_err(|error| error.to_string())?,
        keys: Keys::new("glm").map_err(|error| error.to_string())?,
        connections: AtomicUsize::new(usize::try_from(number(connections)?).unwrap_or(0)),
        counts: Counts::default(),
    });
    let (mode, modes) = watch::channel(Mode::Start);
    let pods = tokio::spawn(follow_pods(client, namespace.to_owned(), Arc::clone(&world), (part, parts), modes));
    let told = tokio::spawn(tell(Arc::clone(&world)));
    let (ended, end) = oneshot::channel();
    std::thread::spawn(move || ended.send(hear(&mode)));
    let heard = end.await;
    pods.abort();
    told.abort();
    heard.map_err(|error| error.to_string())?
}

/// Until standard input ends. Not a task: a read of standard input cannot be given up.
fn hear(mode: &watch::Sender<Mode>) -> Result<(), String> {
    for line in std::io::stdin().lines() {
        let line = line.map_err(|error| error.to_string())?;
        mode.send_replace(Mode::of(&line).ok_or_else(|| format!("\"{line}\": write start, beat or report"))?);
    }
    Ok(())
}

async fn tell(world: Arc<World>) {
    let mut turn = tokio::time::interval(Duration::from_secs(1));
    loop {
        turn.tick().await;
        let of = |count: &AtomicUsize| count.load(Ordering::Relaxed);
        let counts = &world.counts;
        println!(
            r#"{{"settled": {}, "beats": {}, "reports": {}, "failures": {}, "late_ms": {}}}"#,
            of(&counts.settled),
            of(&counts.beats),
            of(&counts.reports),
            of(&counts.failures),
            counts.late_ms.swap(0, Ordering::Relaxed),
        );
    }
}

async fn follow_pods(
    client: Client,
    namespace: String,
    world: Arc<World>,
    (part, parts): (u64, u64),
    modes: watch::Receiver<Mode>,
) {
    let api: Api<Pod> = Api::namespaced(client, &namespace);
    let config = watcher::Config::default().labels(&format!("app.kubernetes.io/managed-by={OPERATOR}"));
    let mut events = pin!(watcher(api, config).default_backoff());
    let mut programs: BTreeMap<String, JoinHandle<()>> = BTreeMap::new();
    while let Some(event) = events.next().await {
        let (pod, is_gone) = match event {
            Ok(watcher::Event::Apply(pod) | watcher::Event::InitApply(pod)) => (pod, false),
            Ok(watcher::Event::Delete(pod)) => (pod, true),
            Ok(watcher::Event::Init | watcher::Event::InitDone) | Err(_) => continue,
        };
        let uid = pod.uid().unwrap_or_default();
        if shard(&uid, parts) != part {
            continue;
        }
        if is_gone || pod.metadata.deletion_timestamp.is_some() {
            if let Some(program) = programs.remove(&uid) {
                program.abort();
            }
        } else if runs(&pod) && !programs.contains_key(&uid) {
            let Some(identity) = Identity::of(&pod, &namespace, &world.keys) else { continue };
            let program = Program::new(identity, Arc::clone(&world), modes.clone());
            programs.insert(uid, tokio::spawn(program.run()));
        }
    }
}

fn runs(pod: &Pod) -> bool {
    pod.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Running")
}

fn shard(uid: &str, parts: u64) -> u64 {
    let mut hasher = DefaultHasher::new();
    uid.hash(&mut hasher);
    hasher.finish() % parts
}
