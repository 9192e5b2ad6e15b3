//! Making an operator look at everything again, and knowing when it has.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
use kube::runtime::reflector::{ObjectRef, Store};
use serde_json::json;
use tokio::time::sleep;

use super::world::{Kind, World};
use super::{POLL, await_that, await_told};

/// The annotation by which objects are touched.
pub const TOUCHED: &str = "tests/touched";

/// How long an operator that is not held up needs to see a change, or to look at what has changed.
const LOOK: Duration = Duration::from_secs(1);

/// How often a look lists the pods of its object: at most once for each process of an account.
const LISTS_IN_A_LOOK: usize = 2;

/// What the living operator has seen.
pub struct Caches {
    pub strategies: Store<operator::GuardedStrategy>,
    pub accounts: Store<operator::GuardedAccount>,
}

impl World {
    /// Touches each object until the operator has looked at each, to the end, with all in its caches that was there
    /// before, and each program has had a turn since. An error: an object went meanwhile.
    pub async fn look_at_all(&self) -> Result<(), String> {
        let mut awaited = Vec::new();
        for kind in Kind::ALL {
            for object in self.all(kind).await {
                awaited.push((kind, object["metadata"]["name"].as_str().unwrap_or_default().to_owned()));
            }
        }
        let seen = self.touch(&awaited).await?;
        let before = self.lists(&seen);
        // One look may be under way, with a cache of before; the next sees all; once a third has begun it has ended.
        let behind = |lists: Vec<usize>| {
            lists.iter().zip(&before).position(|(now, before)| *now <= before + 2 * LISTS_IN_A_LOOK)
        };
        await_told("each object is looked at again", || async {
            let touched = self.lists(&seen);
            if let Err(gone) = self.touch(&awaited).await {
                return Ok(Err(gone));
            }
            // A touch leads to a look; touching meanwhile would lead to more of them than anybody waits for.
            let until = Instant::now() + LOOK;
            while Instant::now() < until && self.lists(&seen).iter().zip(&touched).any(|(now, then)| now == then) {
                sleep(POLL).await;
            }
            behind(self.lists(&seen)).map_or(Ok(Ok(())), |place| Err(seen[place].clone()))
        })
        .await?;
        let turns = self.turns.load(Ordering::Relaxed);
        await_that("the programs have had a turn", || async {
            (self.turns.load(Ordering::Relaxed) >= turns + 2).then_some(())
        })
        .await;
        Ok(())
    }

    /// How often the pods of each of these were listed.
    fn lists(&self, uids: &[String]) -> Vec<usize> {
        uids.iter().map(|uid| self.tap.lists(uid)).collect()
    }

    /// Changes what nobody reads of objects, and waits until the operator's caches have it; the objects' uids.
    async fn touch(&self, objects: &[(Kind, String)]) -> Result<Vec<String>, String> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let (mut uids, mark) = (Vec::new(), COUNT.fetch_add(1, Ordering::Relaxed).to_string());
        for (kind, name) in objects {
            let patch = json!({"metadata": {"annotations": {TOUCHED: mark}}});
            let touched = self.api(*kind).patch(name, &PatchParams::default(), &Patch::Merge(&patch)).await;
            uids.push(touched.map_err(|error| format!("{name}: {error}"))?.uid().unwrap_or_default());
        }
        let is_behind = |(kind, name): &&(Kind, String)| self.cached_mark(*kind, name).as_ref() != Some(&mark);
        await_told("the operator's caches have caught up", || async {
            // They mostly do so by themselves; what is gone never will, and only the API server can say that.
            let until = Instant::now() + LOOK;
            while Instant::now() < until && objects.iter().any(|object| is_behind(&object)) {
                sleep(POLL).await;
            }
            for (kind, name) in objects.iter().filter(is_behind) {
                if !self.get(*kind, name).await.is_null() {
                    return Err(name.clone());
                }
            }
            Ok(())
        })
        .await;
        Ok(uids)
    }

    /// The mark of the last touch that the living operator has seen of an object.
    fn cached_mark(&self, kind: Kind, name: &str) -> Option<String> {
        let caches = self.caches.lock().unwrap_or_else(PoisonError::into_inner);
        let caches = caches.as_ref()?;
        let annotations = match kind {
            Kind::Strategy => {
                caches.strategies.get(&ObjectRef::new(name).within(&self.namespace))?.annotations().clone()
            }
            Kind::Account => caches.accounts.get(&ObjectRef::new(name).within(&self.namespace))?.annotations().clone(),
        };
        annotations.get(TOUCHED).cloned()
    }
}
