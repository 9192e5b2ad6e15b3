//! Who wakes whom: strategies their account, an account its strategies, and both by what their processes tell.

use std::collections::HashMap;
use std::sync::Arc;

use crds::{TradingAccount, TradingStrategy};
use futures::channel::mpsc;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::runtime::reflector::{ObjectRef, Store};
use kube::runtime::watcher;
use kube::{Resource as _, ResourceExt};

use crate::controller::Told;
use crate::strategy::{self, waits_for_account};
use crate::{GuardedAccount, GuardedStrategy};

/// Wakes the reconcile of one object. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Wake {
    strategies: mpsc::UnboundedSender<ObjectRef<GuardedStrategy>>,
    accounts: mpsc::UnboundedSender<ObjectRef<GuardedAccount>>,
}

/// Who is woken.
type Woken<K> = mpsc::UnboundedReceiver<ObjectRef<K>>;

impl Wake {
    /// With what the controllers listen to.
    pub fn new() -> (Self, Woken<GuardedStrategy>, Woken<GuardedAccount>) {
        let ((strategies, woken_strategies), (accounts, woken_accounts)) = (mpsc::unbounded(), mpsc::unbounded());
        (Self { strategies, accounts }, woken_strategies, woken_accounts)
    }

    /// One strategy's.
    pub fn strategy(&self, strategy: ObjectRef<GuardedStrategy>) {
        // Its controller has stopped: nobody is left to be woken.
        self.strategies.unbounded_send(strategy).ok();
    }

    /// Everybody's: a watch has told all anew, in pages, and only now the caches hold it.
    pub fn all(&self, strategies: &Store<GuardedStrategy>, accounts: &Store<GuardedAccount>) {
        self.strategies(strategies);
        for account in accounts.state() {
            self.account(ObjectRef::from_obj(&*account));
        }
    }

    /// All strategies'.
    pub fn strategies(&self, strategies: &Store<GuardedStrategy>) {
        for strategy in strategies.state() {
            self.strategy(ObjectRef::from_obj(&*strategy));
        }
    }

    /// One account's.
    pub fn account(&self, account: ObjectRef<GuardedAccount>) {
        self.accounts.unbounded_send(account).ok();
    }
}

/// The strategy of which something was told. An account of which something was told is woken instead.
pub fn strategy_of(told: Told, wake: &Wake) -> Option<ObjectRef<GuardedStrategy>> {
    match told {
        Told::Strategy { namespace, name } => Some(ObjectRef::new(&name).within(&namespace)),
        Told::Account { namespace, name } => {
            wake.account(ObjectRef::new(&name).within(&namespace));
            None
        }
    }
}

/// The accounts that an event of a strategy concerns: its own, or each there is where nobody can tell.
pub fn accounts_of(
    event: &watcher::Event<GuardedStrategy>,
    accounts: &Store<GuardedAccount>,
) -> Vec<ObjectRef<GuardedAccount>> {
    let all = || accounts.state().iter().map(|account| ObjectRef::from_obj(&**account)).collect();
    match event {
        watcher::Event::Apply(strategy) | watcher::Event::Delete(strategy) => match strategy::account_of(strategy) {
            Some((namespace, name)) => vec![ObjectRef::new(&name).within(&namespace)],
            None => all(),
        },
        // The store is filled anew: what has gone meanwhile has no event.
        watcher::Event::InitDone => all(),
        watcher::Event::Init | watcher::Event::InitApply(_) => Vec::new(),
    }
}

/// The strategies and accounts that own a pod of which something is told.
pub fn owners_of(event: &watcher::Event<Pod>) -> (Vec<ObjectRef<GuardedStrategy>>, Vec<ObjectRef<GuardedAccount>>) {
    let (mut strategies, mut accounts) = (Vec::new(), Vec::new());
    let (watcher::Event::Apply(pod) | watcher::Event::InitApply(pod) | watcher::Event::Delete(pod)) = event else {
        return (strategies, accounts);
    };
    let namespace = pod.namespace().unwrap_or_default();
    let of_ours = |owner: &&OwnerReference| owner.api_version == crds::API_VERSION;
    for owner in pod.owner_references().iter().filter(of_ours) {
        if owner.kind == TradingStrategy::kind(&()) {
            strategies.push(ObjectRef::new(&owner.name).within(&namespace));
        } else if owner.kind == TradingAccount::kind(&()) {
            accounts.push(ObjectRef::new(&owner.name).within(&namespace));
        }
    }
    (strategies, accounts)
}

/// What all strategies of an account follow: what is asked of it, whether it goes, and the epochs of its gateway and its feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Followed {
    generation: Option<i64>,
    is_deleted: bool,
    gateway: Option<u64>,
    feed: Option<u64>,
}

impl Followed {
    /// `None`: it does not read.
    fn of(account: &GuardedAccount) -> Option<Self> {
        let account = account.0.as_ref().ok()?;
        let status = account.status.as_ref();
        Some(Self {
            generation: account.metadata.generation,
            is_deleted: account.metadata.deletion_timestamp.is_some(),
            gateway: status.and_then(|status| status.epoch),
            feed: status.and_then(|status| status.feed.as_ref()).map(|feed| feed.epoch),
        })
    }
}

/// Whom an account's events concern. Its status says new balances with each fill: that wakes who waits for money or for the
/// account's word, and nobody who trades.
#[derive(Debug, Default)]
pub struct Followers(HashMap<String, Followed>);

impl Followers {
    /// The strategies that an event of an account concerns.
    pub fn of(
        &mut self,
        event: &watcher::Event<GuardedAccount>,
        strategies: impl FnOnce() -> Vec<Arc<GuardedStrategy>>,
    ) -> Vec<ObjectRef<GuardedStrategy>> {
        let (account, concerns_all) = match event {
            watcher::Event::Apply(account) | watcher::Event::InitApply(account) => (account, self.learn(account)),
            watcher::Event::Delete(account) => {
                self.0.remove(&account.uid().unwrap_or_default());
                (account, true)
            }
            watcher::Event::Init | watcher::Event::InitDone => return Vec::new(),
        };
        let wanted = (account.namespace().unwrap_or_default(), account.name_any());
        let all = strategies();
        let concerned = all.iter().filter(|strategy| {
            strategy::account_of(strategy).is_some_and(|account| account == wanted)
                && (concerns_all || strategy.0.as_ref().is_ok_and(|strategy| waits_for_account(strategy)))
        });
        concerned.map(|strategy| ObjectRef::from_obj(&**strategy)).collect()
    }

    /// Whether there is something new in what all follow.
    fn learn(&mut self, account: &GuardedAccount) -> bool {
        let uid = account.uid().unwrap_or_default();
        let Some(followed) = Followed::of(account) else {
            self.0.remove(&uid);
            return true;
        };
        self.0.insert(uid, followed) != Some(followed)
    }
}

#[cfg(test)]
mod tests {
    use kube::core::DeserializeGuard;
    use kube::runtime::watcher::Event;
    use serde_json::{Value, json};

    use super::*;

    fn account(change: impl FnOnce(&mut Value)) -> GuardedAccount {
        let mut account = json!({
            "apiVersion": crds::API_VERSION, "kind": "TradingAccount",
            "metadata": {"name": "paper", "namespace": "desk", "uid": "a1", "generation": 1},
            "spec": {
                "venue": {"paper": {"balances": {"USDT": "1000"}}}, "marketData": {"replay": {"file": "ticks.csv"}},
            },
            "status": {"epoch": 1},
        });
        change(&mut account);
        serde_json::from_value(account).unwrap()
    }

    fn strategies() -> Vec<Arc<GuardedStrategy>> {
        let named = |name: &str, account: &str, status: Value| {
            let strategy = json!({
                "apiVersion": crds::API_VERSION, "kind": "TradingStrategy",
                "metadata": {"name": name, "namespace": "desk", "uid": name},
                "spec": {
                    "accountRef": {"name": account}, "instruments": [{"symbol": "BTC/USDT"}],
                    "capital": {"USDT": "500"}, "strategy": {"grid": {"levelPercent": "1"}},
                },
                "status": status,
            });
            let guarded: GuardedStrategy = serde_json::from_value(strategy).unwrap();
            assert!(guarded.0.is_ok(), "{:?}", guarded.0.err());
            Arc::new(guarded)
        };
        let trading = json!({"ledger": {"id": "k3", "startedAt": "2026-01-01T00:00:00Z"}});
        vec![
            named("trading", "paper", trading.clone()),
            named("waiting", "paper", json!({})),
            named("elsewhere", "other", json!({})),
        ]
    }

    fn woken(followers: &mut Followers, event: &Event<GuardedAccount>) -> Vec<String> {
        followers.of(event, strategies).into_iter().map(|strategy| strategy.name).collect()
    }

    #[test]
    fn a_status_of_an_account_wakes_who_waits_and_what_all_follow_wakes_all() {
        let known = &mut Followers::default();
        let all = ["trading", "waiting"];
        assert_eq!(woken(known, &Event::InitApply(account(|_| {}))), all, "it is seen for the first time");
        let balances = account(|account| account["status"]["phase"] = json!("new balances"));
        assert_eq!(woken(known, &Event::Apply(balances)), ["waiting"]);
        let edits: [fn(&mut Value); 4] = [
            |account| account["metadata"]["generation"] = json!(2),
            |account| account["status"]["epoch"] = json!(2),
            |account| account["status"]["feed"] = json!({"epoch": 1, "source": "s1"}),
            |account| account["metadata"]["deletionTimestamp"] = json!("2026-01-02T00:00:00Z"),
        ];
        for change in edits {
            let changed = account(change);
            assert!(changed.0.is_ok(), "{:?}", changed.0.err());
            assert_eq!(woken(known, &Event::Apply(changed.clone())), all);
            assert_eq!(woken(known, &Event::Apply(changed)), ["waiting"], "it is known now");
        }
        let unreadable = account(|account| account["spec"] = json!({"venue": 7}));
        assert!(matches!(unreadable, DeserializeGuard(Err(_))));
        for _ in 0..2 {
            assert_eq!(woken(known, &Event::Apply(unreadable.clone())), all, "nobody can tell what is new");
        }
        assert_eq!(woken(known, &Event::Delete(account(|_| {}))), all);
    }
}
