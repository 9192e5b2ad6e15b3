//! The wish to stop: asked once, heard everywhere.

use std::time::Duration;

use tokio::sync::watch;

/// Tells when the process is asked to stop.
#[derive(Debug, Clone)]
pub struct Shutdown(watch::Receiver<bool>);

impl Shutdown {
    /// The two ends: send `true` to ask.
    pub fn channel() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Whether it was asked.
    pub fn asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is asked.
    pub async fn wait(&mut self) {
        // An error means that the sender is gone: then nobody can ask any more but the process is ending.
        let _ = self.0.wait_for(|asked| *asked).await;
    }

    /// `work`, or `None` if asked to stop first.
    pub async fn or<T>(&mut self, work: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            () = self.wait() => None,
            done = work => Some(done),
        }
    }

    /// Sleeps, unless asked to stop.
    pub async fn sleep(&mut self, time: Duration) {
        self.or(tokio::time::sleep(time)).await;
    }
}
