//! Making an operator look at everything again, and knowing when it has.

use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use kube::api::{ListParams, ObjectMeta};
use kube::runtime::reflector::ObjectRef;
use kube::{Resource as _, ResourceExt as _};
use operator::context::Context;
use serde_json::{Value, json};
use tokio::time::sleep;

use super::world::{Kind, World};
use super::{POLL_MAX, await_that, await_told};

/// How long an operator that is not held up needs to see a change, or to look at what has changed.
const LOOK: Duration = Duration::from_secs(1);

/// How often what lies in this process is looked at.
const TICK: Duration = Duration::from_millis(20);

/// An object as the API server had it.
struct Listed {
    kind: Kind,
    name: String,
    uid: String,
    version: Option<u64>,
}

impl Listed {
    fn new(kind: Kind, object: &Value) -> Self {
        let text = |field: &str| object["metadata"][field].as_str().unwrap_or_default().to_owned();
        Self { kind, name: text("name"), uid: text("uid"), version: version_of(&text("resourceVersion")) }
    }
}

/// Versions of one kind go up.
fn version_of(text: &str) -> Option<u64> {
    text.parse().ok()
}

impl World {
    /// Wakes the operator until it has looked at each object, to the end, with all in its caches that was there before,
    /// and each program has had a turn since. An error: an object went meanwhile.
    pub async fn look_at_all(&self) -> Result<(), String> {
        let mut listed = Vec::new();
        for kind in Kind::ALL {
            listed.extend(self.all(kind).await.iter().map(|object| Listed::new(kind, object)));
        }
        let is_behind = |one: &&Listed| {
            let cached = self.cached(one.kind, &one.name).and_then(|meta| meta.resource_version);
            cached.and_then(|version| version_of(&version)) < one.version
        };
        let is_seen = || listed.iter().all(|one| !is_behind(&one)) && self.count_cached() == listed.len();
        self.reached("the operator's caches have caught up", is_seen, &listed).await?;
        await_that("the operator's cache of pods has caught up", || async { self.has_seen_pods().await.then_some(()) })
            .await;
        // One may be under way, with a cache of before; the next sees all, and has ended once two have.
        for _ in 0..2 {
            let before: Vec<u64> = listed.iter().map(|one| self.looks(&one.uid)).collect();
            self.wake(&listed);
            let is_looked_at = || listed.iter().zip(&before).all(|(one, before)| self.looks(&one.uid) > *before);
            self.reached("each object is looked at again", is_looked_at, &listed).await?;
        }
        let turns = self.turns.load(Ordering::Relaxed);
        await_that("the programs have had a turn", || async {
            (self.turns.load(Ordering::Relaxed) >= turns + 2).then_some(())
        })
        .await;
        Ok(())
    }

    /// Waits until something in this process holds; an error: one of the objects has gone, so that it may never.
    async fn reached(&self, what: &str, holds: impl Fn() -> bool, objects: &[Listed]) -> Result<(), String> {
        await_told(what, || async {
            let until = Instant::now() + LOOK;
            while Instant::now() < until {
                if holds() {
                    return Ok(Ok(()));
                }
                sleep(TICK).await;
            }
            for one in objects {
                if self.get(one.kind, &one.name).await["metadata"]["uid"] != one.uid.as_str() {
                    return Ok(Err(format!("{} is gone", one.name)));
                }
            }
            // What woke an operator that has ended since is lost.
            self.wake(objects);
            Err(String::new())
        })
        .await
    }

    fn wake(&self, objects: &[Listed]) {
        for one in objects {
            match one.kind {
                Kind::Strategy => self.nudge(&one.name),
                Kind::Account => self.nudge_account(&one.name),
            }
        }
    }

    /// The operator that lives now.
    fn living(&self) -> Option<Arc<Context>> {
        self.living.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// How many looks at an object have ended in the living operator.
    fn looks(&self, uid: &str) -> u64 {
        self.living().map_or(0, |context| context.looks.count(uid))
    }

    /// How many objects the living operator looks at ever more seldom.
    pub fn backing_off(&self) -> usize {
        self.living().map_or(0, |context| context.looks.backing_off(Instant::now()))
    }

    /// How many objects the living operator has seen.
    fn count_cached(&self) -> usize {
        self.living().map_or(0, |context| context.strategies.state().len() + context.accounts.state().len())
    }

    /// Whether the living operator has seen all of its pods, as they are now.
    async fn has_seen_pods(&self) -> bool {
        let managed = ListParams::default().labels(&operator::observe::managed());
        let pods = self.pods().list(&managed).await.expect("the API server answers").items;
        let Some(context) = self.living() else { return false };
        let is_seen = |pod: &Pod| {
            let seen = context.pods.version(&self.namespace, &pod.name_any());
            seen.as_deref().and_then(version_of) >= pod.resource_version().as_deref().and_then(version_of)
        };
        context.pods.is_whole() && context.pods.count() == pods.len() && pods.iter().all(is_seen)
    }

    /// What the living operator has seen of an object.
    fn cached(&self, kind: Kind, name: &str) -> Option<ObjectMeta> {
        let context = self.living()?;
        Some(match kind {
            Kind::Strategy => context.strategies.get(&ObjectRef::new(name).within(&self.namespace))?.meta().clone(),
            Kind::Account => context.accounts.get(&ObjectRef::new(name).within(&self.namespace))?.meta().clone(),
        })
    }

    /// Waits for news of an object that was read, for as long as a question may wait: mostly the operator hears of them
    /// by itself, and then nobody need ask the API server again and again.
    pub(super) async fn newer_than(&self, read: &Value, kind: Kind, name: &str) {
        let read = read["metadata"]["resourceVersion"].as_str().and_then(version_of);
        let until = Instant::now() + POLL_MAX;
        while Instant::now() < until {
            let cached = self.cached(kind, name).and_then(|meta| meta.resource_version);
            let seen = cached.and_then(|version| version_of(&version));
            // None of a read object: it is gone, or the operator has just begun.
            if seen.is_none() != read.is_none() || seen > read {
                return;
            }
            sleep(TICK).await;
        }
    }

    /// A kind's objects as the living operator last saw them; one that does not read is null.
    pub fn all_as_seen(&self, kind: Kind) -> Vec<Value> {
        let Some(context) = self.living() else { return Vec::new() };
        match kind {
            Kind::Strategy => context.strategies.state().iter().map(|object| json!(object.0.as_ref().ok())).collect(),
            Kind::Account => context.accounts.state().iter().map(|object| json!(object.0.as_ref().ok())).collect(),
        }
    }
}
