//! The reconcile of a live source in a namespace: one feed for all accounts that take its prices,
//! `observe → plan → apply`. What it comes to stands in the status of each of these accounts.

mod apply;
pub mod observe;
pub mod plan;
mod queue;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::Arc;
use std::time::Duration;

use crds::source::{Fault, fault};
use crds::strategy::status::{Ledger, Restarts};
use engine::instrument::Symbol;
use engine::time::Timestamp;
use kube::{Resource as _, ResourceExt as _};

pub use queue::{Feeds, run};

use crate::context::Context;
use crate::metrics::{Kind, Process};
use crate::names::Role;
use crate::observe::{Look, is_terminating};
use crate::placement::{Ends, PodFacts, Standing, Stored};
use crate::{Error, GuardedAccount};

/// What an account shows of the feed that it shares.
#[derive(Debug, Clone)]
pub struct Shared {
    /// Where the feed stands.
    pub standing: Standing,
    /// Its newest epoch; 0 before the first.
    pub epoch: u64,
    #[expect(missing_docs, reason = "the name says it")]
    pub ledger: Option<Ledger>,
    /// Ends before readiness, as its register has them.
    pub restarts: Option<Restarts>,
    /// The same up to now.
    pub ends: Option<Ends>,
    /// Its pods.
    pub pods: Vec<PodFacts>,
    /// Its record.
    pub stored: Stored,
    /// Whether nothing of it holds an account that takes its prices no more.
    pub lets_go: bool,
}

/// How a source's feed stands now. Changes nothing.
pub async fn look(context: &Context, look: Look, namespace: &str, source: &str) -> Result<Shared, Error> {
    let observed = observe::observe(context, look, namespace, source).await?;
    let plan = plan::plan(&observed, &context.image)?;
    let standing = match (context.feeds.refused(source), plan.standing) {
        (Some(why), Standing::Starting { .. }) => Standing::Blocked { why },
        (Some(_) | None, standing) => standing,
    };
    Ok(Shared {
        standing,
        epoch: plan.epoch,
        ledger: observed.ledger(),
        lets_go: plan.is_over || !observed.takers.is_empty(),
        restarts: observed.registered.restarts,
        ends: observed.ends,
        pods: observed.pods.into_iter().map(|pod| pod.facts).collect(),
        stored: observed.stored,
    })
}

/// Why a source has no prices of these markets, by its feed's record; `None` where it has, or nobody says.
pub fn price_fault<'a>(stored: &Stored, symbols: impl IntoIterator<Item = &'a Symbol>) -> Option<Fault> {
    let Stored::Found(record) = stored else { return None };
    let now = Timestamp::from_millis(i64::try_from(record.now_ms).unwrap_or(i64::MAX));
    fault(|name| record.fields.get(name).map(String::as_str), symbols, now)
}

/// The end of a source's feed whose namespace is being deleted; `None`: it is not. Nothing can be made there any more, and what
/// the chart granted there may be gone, so this reads nothing there. After the last account the ledger is closed.
async fn with_namespace(context: &Context, namespace: &str, source: &str) -> Result<Option<Option<Duration>>, Error> {
    let accounts = context.accounts_seen().await?;
    let (is_empty, all_go) = going(&accounts, namespace);
    if !all_go || !is_terminating(&context.client, namespace).await? {
        return Ok(None);
    }
    if !is_empty {
        return Ok(Some(Some(AFTER_AN_ACCOUNT)));
    }
    apply::close(context, namespace, source).await?;
    Ok(Some(None))
}

/// Whether a namespace has no accounts, and whether all that it has are going.
fn going(accounts: &[Arc<GuardedAccount>], namespace: &str) -> (bool, bool) {
    let mut here = accounts.iter().filter(|account| account.namespace().as_deref() == Some(namespace)).peekable();
    (here.peek().is_none(), here.all(|account| account.meta().deletion_timestamp.is_some()))
}

/// How long until it is looked again whether the last account of a namespace that goes has gone.
const AFTER_AN_ACCOUNT: Duration = Duration::from_millis(500);

/// One look at a source, and what follows from it. Gives when it is looked at again; `None`: it is over.
async fn reconcile(context: &Context, namespace: &str, source: &str) -> Result<Option<Duration>, Error> {
    // client: needed
    if let Some(next) = with_namespace(context, namespace, source).await? {
        return Ok(next);
    }
    let observed = observe::observe(context, Look::Fresh, namespace, source).await?;
    let feed = Process::new(Role::Feed, observed.pods.iter().map(|pod| &pod.facts), &observed.stored);
    context.metrics.saw((Kind::Feed, namespace, source), [feed]);
    // client: not needed
    let plan = plan::plan(&observed, &context.image)?;
    // client: needed
    apply::apply(context, &observed, &plan.moves).await?;
    Ok((!plan.is_over).then(|| queue::next_look(&plan)))
}
