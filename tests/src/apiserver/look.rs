//! Making an operator look at everything again, and knowing when it has.

use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use kube::ResourceExt as _;
use kube::api::{Patch, PatchParams};
use kube::runtime::reflector::{ObjectRef, Store};
use serde_json::json;

use super::world::{Kind, World};
use super::{await_that, await_told};

/// The annotation by which objects are touched.
pub const TOUCHED: &str = "tests/touched";

/// How often a look lists the pods of its object: at most once for each process of an account.
const LISTS_IN_A_LOOK: usize = 2;

/// What the living operator has seen.
pub struct Caches {
    /// Strategies.
    pub strategies: Store<operator::GuardedStrategy>,
    /// Accounts.
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
        let before: Vec<usize> = seen.iter().map(|uid| self.tap.lists(uid)).collect();
        // One look may be under way, with a cache of before; the next sees all; once a third has begun it has ended.
        await_told("each object is looked at again", || async {
            if let Err(gone) = self.touch(&awaited).await {
                return Ok(Err(gone));
            }
            let lists = |uid: &String| self.tap.lists(uid);
            let behind = seen.iter().zip(&before).find(|(uid, before)| lists(uid) <= **before + 2 * LISTS_IN_A_LOOK);
            behind.map_or(Ok(Ok(())), |(uid, _)| Err(uid.clone()))
        })
        .await?;
        let turns = self.turns.load(Ordering::Relaxed);
        await_that("the programs have had a turn", || async {
            (self.turns.load(Ordering::Relaxed) >= turns + 2).then_some(())
        })
        .await;
        Ok(())
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
        await_told("the operator's caches have caught up", || async {
            for (kind, name) in objects {
                if self.cached_mark(*kind, name).as_ref() != Some(&mark) && !self.get(*kind, name).await.is_null() {
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
