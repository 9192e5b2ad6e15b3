//! What the store says of those that all strategies of an account trade with: its gateway and its feed. A look that goes by
//! what is remembered takes what another one was told a moment ago: an account of thousands has one register and one record
//! that hold something of each of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bus::Scope;
use crds::TradingAccount;
use crds::roles::{AccountSpec, FeedDesired, GatewayDesired};
use tokio::time::Instant;

use crate::context::Context;
use crate::placement::Stored;
use crate::{Error, kept};

/// How old what is remembered may be.
const RECENT: Duration = Duration::from_secs(1);

/// What the store says of them, each register read before the record of who follows it.
#[derive(Debug, Clone)]
pub struct Partners {
    /// The gateway's register; empty where it could not be read, and then the record is away.
    pub books: GatewayDesired,
    /// The gateway's record.
    pub gateway: Stored,
    /// The feed's register; empty without an account.
    pub readers: Result<FeedDesired, String>,
    /// The feed's record.
    pub feed: Stored,
    /// Where its prices come; absent without an account.
    pub source: Option<Scope>,
}

/// Whose gateway and feed.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "the names of these fields say it")]
pub struct Of<'a> {
    pub namespace: &'a str,
    pub name: &'a str,
    /// The account itself, if it is there and reads.
    pub account: Option<&'a TradingAccount>,
}

/// Asks the store now.
pub async fn read(context: &Context, of: Of<'_>) -> Result<Partners, Error> {
    let gateway = context.keys.gateway(&Scope::account(of.namespace, of.name)?);
    let (books, gateway) = context.register_and_record::<GatewayDesired>(&gateway).await;
    let mut partners =
        Partners { books, gateway, readers: Ok(FeedDesired::default()), feed: Stored::Missing, source: None };
    if let Some(account) = of.account {
        let source = AccountSpec { name: of.name.to_owned(), spec: account.spec.clone() }.source();
        let source = Scope::source(of.namespace, &source)?;
        let feed = context.keys.feed(&source);
        partners.readers = kept::register(context, &feed).await;
        partners.feed = context.stored(&feed).await;
        partners.source = Some(source);
    }
    Ok(partners)
}

/// What was told last, by account.
#[derive(Debug, Default)]
pub struct Recent(Mutex<HashMap<(String, String), Arc<Told>>>);

/// Who asks first is waited for, so that thousands ask once.
type Told = tokio::sync::Mutex<Option<(Instant, Arc<Partners>)>>;

impl Recent {
    /// What the store said a moment ago, or says now.
    pub async fn read(&self, context: &Context, of: Of<'_>) -> Result<Arc<Partners>, Error> {
        let told = Arc::clone(self.map().entry((of.namespace.to_owned(), of.name.to_owned())).or_default());
        let mut told = told.lock().await;
        if let Some((at, partners)) = &*told
            && at.elapsed() < RECENT
        {
            return Ok(Arc::clone(partners));
        }
        let partners = Arc::new(read(context, of).await?);
        *told = Some((Instant::now(), Arc::clone(&partners)));
        Ok(partners)
    }

    /// An account has changed or gone: what was told of its gateway and feed is not what is asked for now.
    pub fn forget(&self, namespace: &str, name: &str) {
        self.map().remove(&(namespace.to_owned(), name.to_owned()));
    }

    fn map(&self) -> std::sync::MutexGuard<'_, HashMap<(String, String), Arc<Told>>> {
        // A panic while this short lock is held leaves a whole state behind.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
