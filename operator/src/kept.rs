//! What an account's registers keep for strategies whose ledger no status tells now.
//!
//! A book that leaves the gateway's register is closed, and would be opened anew with the declared capital.

use std::collections::BTreeMap;

use bus::{Desired, Owner, StateStore as _};
use crds::roles::{BookSpec, FeedDesired, GatewayDesired, Stance};
use serde::de::DeserializeOwned;

use crate::context::Context;

/// The gateway's books of these strategies; those that are being deleted are closing.
pub fn books(register: &GatewayDesired, names: &BTreeMap<String, bool>) -> Vec<BookSpec> {
    let known = register.books.iter().filter_map(|book| Some((book.clone(), names.get(&book.strategy)?)));
    known.map(|(book, is_deleted)| if *is_deleted { book.with_stance(Stance::Closed) } else { book }).collect()
}

/// The feed's readers among these strategies; who is being deleted reads no more.
pub fn readers(register: &FeedDesired, names: &BTreeMap<String, bool>) -> Vec<String> {
    register.readers.iter().filter(|reader| names.get(*reader) == Some(&false)).cloned().collect()
}

/// The first of the strategies that fix the account's symbol though they are not known now: those that read the feed, and
/// those that have stopped and keep a book. What the feed was last made for stays: nobody else's prices come meanwhile.
pub fn holder<'a>(readers: &'a [String], books: &'a [BookSpec]) -> Option<&'a str> {
    let stopped = books.iter().filter(|book| book.stance() < Stance::Closed).map(|book| book.strategy.as_str());
    readers.iter().map(String::as_str).chain(stopped).min()
}

/// What a register holds; empty where there is none. An error: the store is away, or it is one of another version, and nothing
/// is decided on a guess.
pub async fn register<T: DeserializeOwned + Default>(context: &Context, owner: &Owner) -> Result<T, String> {
    read(context, owner).await.map(|(_, held)| held)
}

/// The same, with the register as it stands.
pub async fn read<T: DeserializeOwned + Default>(
    context: &Context,
    owner: &Owner,
) -> Result<(Option<Desired>, T), String> {
    let register = context.within(context.bus.desired(owner)).await?;
    let held = register.as_ref().map(|register| parse(owner, register)).transpose()?;
    Ok((register, held.unwrap_or_default()))
}

/// What a register holds.
pub fn parse<T: DeserializeOwned>(owner: &Owner, register: &Desired) -> Result<T, String> {
    serde_json::from_str(&register.value).map_err(|error| format!("the register of {}: {error}", owner.name()))
}
