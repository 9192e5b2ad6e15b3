//! Whether a cache holds all that there is. The cache's own word wakes one waiter alone, whoever asked last; here many
//! reconciles wait, and a probe asks in between.

use std::sync::Arc;

use tokio::sync::watch;

/// Told once, by the watch that fills the cache. Cheap to clone; all clones are one.
#[derive(Debug, Clone, Default)]
pub struct Known(Arc<watch::Sender<bool>>);

impl Known {
    /// All is known.
    pub fn tell(&self) {
        self.0.send_replace(true);
    }

    #[expect(missing_docs, reason = "the name says it")]
    pub fn is_told(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until all is known.
    pub async fn wait(&self) {
        // The sender lives as long as this.
        self.0.subscribe().wait_for(|known| *known).await.ok();
    }
}

/// The caches of a namespace.
#[derive(Debug, Clone, Default)]
#[expect(missing_docs, reason = "the names say it")]
pub struct Caches {
    pub strategies: Known,
    pub accounts: Known,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn all_who_wait_are_woken_also_when_somebody_asked_in_between() {
        let known = Known::default();
        let wait = || {
            let known = known.clone();
            tokio::spawn(async move { known.wait().await })
        };
        let waiters = [wait(), wait(), wait()];
        tokio::task::yield_now().await;
        assert!(!known.is_told() && waiters.iter().all(|waiter| !waiter.is_finished()));
        known.tell();
        known.tell();
        for waiter in waiters {
            tokio::time::timeout(Duration::from_secs(10), waiter).await.unwrap().unwrap();
        }
        assert!(known.is_told());
    }
}
