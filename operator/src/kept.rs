//! What an account's registers keep for strategies whose ledger no status tells now. Needs the store.
//!
//! A book that leaves the gateway's register is closed, and would be opened anew with the declared capital.

use std::collections::BTreeMap;

use bus::{Owner, StateStore as _};
use crds::roles::{BookSpec, FeedDesired, GatewayDesired, Stance};
use serde::de::DeserializeOwned;

use crate::context::Context;

/// The gateway's books of these strategies; those that are being deleted are closing. An error: the store is away.
pub async fn books(
    context: &Context,
    gateway: &Owner,
    names: &BTreeMap<String, bool>,
) -> Result<Vec<BookSpec>, String> {
    let mut books = register::<GatewayDesired>(context, gateway, names).await?.books;
    books.retain(|book| names.contains_key(&book.strategy));
    let kept = books.into_iter().map(|book| match names.get(&book.strategy) {
        Some(true) => book.with_stance(Stance::Closed),
        Some(false) | None => book,
    });
    Ok(kept.collect())
}

/// The feed's readers among these strategies; who is being deleted reads no more.
pub async fn readers(context: &Context, feed: &Owner, names: &BTreeMap<String, bool>) -> Result<Vec<String>, String> {
    let mut readers = register::<FeedDesired>(context, feed, names).await?.readers;
    readers.retain(|reader| names.get(reader) == Some(&false));
    Ok(readers)
}

/// A register, if it is asked for anybody; empty where there is none.
async fn register<T: DeserializeOwned + Default>(
    context: &Context,
    owner: &Owner,
    names: &BTreeMap<String, bool>,
) -> Result<T, String> {
    if names.is_empty() {
        return Ok(T::default());
    }
    let Some(register) = context.within(context.bus.desired(owner)).await? else { return Ok(T::default()) };
    // One of another version: nothing is decided on a guess.
    serde_json::from_str(&register.value).map_err(|error| format!("the register of {}: {error}", owner.name()))
}
