//! Who may open a ledger next. An account grants its capital once, one strategy at a time: two that look at once would
//! either both count the other or both overlook it. Nobody waits inside a look, which holds a place that others need: whose
//! turn it is not is woken when it comes.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::channel::mpsc;
use kube::runtime::reflector::ObjectRef;

use crate::GuardedStrategy;

/// Namespace and name of an account.
type Account = (String, String);

/// One turn at a time for each account.
#[derive(Debug)]
pub struct Admission {
    lines: Arc<Mutex<HashMap<Account, Line>>>,
    wake: mpsc::UnboundedSender<ObjectRef<GuardedStrategy>>,
    woken: Mutex<Option<mpsc::UnboundedReceiver<ObjectRef<GuardedStrategy>>>>,
}

/// Who stands before an account.
#[derive(Debug, Default)]
struct Line {
    is_taken: bool,
    waiting: BTreeSet<String>,
    /// What the last turn wrote: the strategy, and the version that made. The next one's turn begins when that is seen.
    written: Option<Written>,
}

/// A strategy as a turn has left it.
#[derive(Debug, Clone, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names of these fields say it")]
pub struct Written {
    pub name: String,
    pub resource_version: String,
}

/// The right to look, decide and open a ledger; the next one's turn comes when it is dropped.
#[derive(Debug)]
pub struct Turn {
    lines: Arc<Mutex<HashMap<Account, Line>>>,
    wake: mpsc::UnboundedSender<ObjectRef<GuardedStrategy>>,
    account: Account,
    before: Option<Written>,
    now: Option<Written>,
}

impl Default for Admission {
    fn default() -> Self {
        let (wake, woken) = mpsc::unbounded();
        Self { lines: Arc::default(), wake, woken: Mutex::new(Some(woken)) }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic while this short lock is held leaves a whole state behind.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Admission {
    /// This account's turn, if nobody has it. Else the strategy is woken when it is free.
    pub fn turn(&self, namespace: &str, account: &str, strategy: &str) -> Option<Turn> {
        let account = (namespace.to_owned(), account.to_owned());
        let mut lines = lock(&self.lines);
        let line = lines.entry(account.clone()).or_default();
        if line.is_taken {
            line.waiting.insert(strategy.to_owned());
            return None;
        }
        line.is_taken = true;
        line.waiting.remove(strategy);
        let before = line.written.clone();
        drop(lines);
        let (lines, wake) = (Arc::clone(&self.lines), self.wake.clone());
        Some(Turn { lines, wake, account, now: before.clone(), before })
    }

    /// Whose turn may have come, for who wakes them. There is one reader.
    pub fn woken(&self) -> Option<mpsc::UnboundedReceiver<ObjectRef<GuardedStrategy>>> {
        lock(&self.woken).take()
    }
}

impl Turn {
    /// What the turn before wrote: who looks must have seen it.
    pub const fn before(&self) -> Option<&Written> {
        self.before.as_ref()
    }

    /// What this turn has written.
    pub fn wrote(&mut self, name: &str, resource_version: &str) {
        self.now = Some(Written { name: name.to_owned(), resource_version: resource_version.to_owned() });
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut lines = lock(&self.lines);
        let Some(line) = lines.get_mut(&self.account) else { return };
        line.is_taken = false;
        line.written = self.now.take();
        if let Some(next) = line.waiting.pop_first() {
            // The strategies' controller has stopped: nobody is left to be woken.
            self.wake.unbounded_send(ObjectRef::new(&next).within(&self.account.0)).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_turn_of_an_account_ends_before_the_next_begins_and_who_waits_is_woken() {
        let admission = Admission::default();
        let mut woken = admission.woken().unwrap();
        assert!(admission.woken().is_none(), "there is one reader");
        let mut first = admission.turn("ns", "paper", "a").unwrap();
        assert_eq!(first.before(), None);
        for name in ["c", "b", "c"] {
            assert!(admission.turn("ns", "paper", name).is_none());
        }
        assert!(admission.turn("ns", "other", "d").is_some());
        assert!(woken.try_recv().is_err(), "nobody's turn has come");
        first.wrote("a", "7");
        drop(first);
        let next = |woken: &mut mpsc::UnboundedReceiver<ObjectRef<GuardedStrategy>>| {
            woken.try_recv().ok().map(|strategy| strategy.name)
        };
        assert_eq!(next(&mut woken).as_deref(), Some("b"));
        let second = admission.turn("ns", "paper", "b").unwrap();
        assert_eq!(second.before(), Some(&Written { name: "a".to_owned(), resource_version: "7".to_owned() }));
        drop(second);
        assert_eq!(next(&mut woken).as_deref(), Some("c"));
        // It has gone meanwhile: whoever comes has the turn, and what was written is still to be seen.
        let third = admission.turn("ns", "paper", "e").unwrap();
        assert_eq!(third.before().map(|written| written.name.as_str()), Some("a"));
        drop(third);
        assert_eq!(next(&mut woken), None);
    }
}
