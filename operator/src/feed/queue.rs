//! Which live sources of a namespace are to be looked at, and when: woken by the accounts that take their prices, whom their
//! strategies and the feed's pods wake. One at a time, so that nobody places a source's feed beside another.

use std::collections::{BTreeMap, BTreeSet};
use std::pin::pin;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::api::ObjectMeta;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use super::plan::Plan;
use super::reconcile;
use crate::Error;
use crate::context::Shared;
use crate::metrics::{Kind, counted, span};
use crate::pace::{REFUSED, SETTLED, SOON, UNDER_WAY};

/// How long one look may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a failed look waits.
const RETRY: Duration = Duration::from_secs(2);

/// What one operator knows of a namespace's live sources beside what stands in the store.
#[derive(Debug, Default)]
pub struct Feeds {
    state: Mutex<State>,
    woken: Notify,
}

#[derive(Debug, Default)]
struct State {
    woken: BTreeSet<String>,
    /// What the API server said where it admitted no pod, by source.
    refused: BTreeMap<String, String>,
}

impl Feeds {
    fn state(&self) -> MutexGuard<'_, State> {
        // A panic while this short lock is held leaves a whole state behind.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A source is to be looked at.
    pub fn wake(&self, source: &str) {
        self.state().woken.insert(source.to_owned());
        self.woken.notify_one();
    }

    fn take(&self) -> BTreeSet<String> {
        std::mem::take(&mut self.state().woken)
    }

    /// Why the API server admits no pod of a source's feed.
    pub fn refused(&self, source: &str) -> Option<String> {
        self.state().refused.get(source).cloned()
    }

    fn tell_refused(&self, source: &str, why: Option<String>) {
        let mut state = self.state();
        match why {
            Some(why) => state.refused.insert(source.to_owned(), why),
            None => state.refused.remove(source),
        };
    }
}

/// When a source is looked at again.
pub(super) fn next_look(plan: &Plan) -> Duration {
    match (plan.moves.is_empty(), plan.is_settled()) {
        (false, _) => SOON,
        (true, true) => SETTLED,
        (true, false) => UNDER_WAY,
    }
}

/// Looks at the sources of a namespace until asked to stop.
pub async fn run(context: Shared, namespace: String, stop: impl Future<Output = ()>) {
    let mut due: BTreeMap<String, Instant> = BTreeMap::new();
    let mut stop = pin!(stop);
    loop {
        let next = due.values().min().copied();
        tokio::select! {
            biased;
            () = &mut stop => return,
            () = context.feeds.woken.notified() => {}
            () = sleep_until(next.unwrap_or_else(Instant::now)), if next.is_some() => {}
        }
        let now = Instant::now();
        due.extend(context.feeds.take().into_iter().map(|source| (source, now)));
        let sources: Vec<String> = due.iter().filter(|(_, at)| **at <= now).map(|(source, _)| source.clone()).collect();
        for source in sources {
            match look(&context, &namespace, &source).await {
                Some(pause) => due.insert(source, Instant::now() + pause),
                None => due.remove(&source),
            };
        }
    }
}

/// One look, bounded: an API server that hangs must not hold up the other sources for ever.
async fn look(context: &Shared, namespace: &str, source: &str) -> Option<Duration> {
    let (namespaced, name) = (Some(namespace.to_owned()), Some(source.to_owned()));
    let meta = ObjectMeta { namespace: namespaced, name, ..ObjectMeta::default() };
    // In a box: what it is made of is too much for one type.
    let looks = Box::pin(reconcile(context, namespace, source));
    let patient = async {
        let looked = tokio::time::timeout(PATIENCE, looks).await;
        looked.unwrap_or(Err(Error::TimedOut { seconds: PATIENCE.as_secs() }))
    };
    let error = match counted(&context.metrics, Kind::Feed, &meta, patient).await {
        Ok(next) => {
            context.feeds.tell_refused(source, None);
            if next.is_none() {
                context.metrics.forget(Kind::Feed, namespace, source);
            }
            return next;
        }
        Err(Error::Changed { .. }) => return Some(SOON),
        Err(Error::PodRefused { why, .. }) => {
            context.feeds.tell_refused(source, Some(why));
            return Some(REFUSED);
        }
        Err(error) => error,
    };
    span(Kind::Feed, &meta).in_scope(|| {
        tracing::warn!(reason = error.reason(), %error, "a look at a live source failed; it is tried again");
    });
    Some(RETRY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_source_that_is_woken_twice_is_looked_at_once_and_no_wake_is_lost() {
        let feeds = Feeds::default();
        feeds.wake("binance-spot");
        feeds.wake("binance-spot");
        feeds.woken.notified().await;
        assert_eq!(feeds.take(), BTreeSet::from(["binance-spot".to_owned()]));
        assert!(feeds.take().is_empty());
        feeds.tell_refused("binance-spot", Some("a quota".to_owned()));
        assert_eq!(feeds.refused("binance-spot").as_deref(), Some("a quota"));
        feeds.tell_refused("binance-spot", None);
        assert_eq!(feeds.refused("binance-spot"), None);
    }
}
