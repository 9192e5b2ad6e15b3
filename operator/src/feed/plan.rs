//! What must happen next for a live source's feed. Pure: no client, no clock.
//!
//! The feed belongs to no single resource, so its register stands in the place of a status: the epoch is written there before
//! the pod of it is made, and never goes back. It holds no money: a lost or strange ledger is replaced without a human.

use std::collections::{BTreeMap, BTreeSet};

use crds::roles::{FeedDesired, LiveSpec};
use crds::strategy::WorkerSpec;
use engine::instrument::Symbol;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;

use super::observe::{Observed, Taker};
use crate::Error;
use crate::account::plan::of_ledger;
use crate::apply::restarts;
use crate::build::{Image, PodRequest};
use crate::names::Role;
use crate::observe::SharedPod;
use crate::placement::{Answer, LedgerStatus, PodFacts, Situation, Standing, Step, Stored, place};

/// The largest epoch that is taken over from a pod. Who makes pods of our names must not be able to use epochs up.
const TAKEN_OVER_MAX: u64 = 1 << 52;

/// One thing to do. Each can be repeated without harm.
#[derive(Debug, Clone, PartialEq)]
pub enum Move {
    /// Set the register.
    Register(Box<FeedDesired>),
    /// Make the record.
    CreateLedger,
    /// Close a ledger for good, with the streams of these markets.
    CloseLedger(String, BTreeSet<Symbol>),
    /// Make the pod of an epoch.
    CreatePod(Box<PodRequest>, u64),
    /// Delete a pod, by its name and uid.
    DeletePod(String, String),
    /// Give a pod, by its name and as it was read, these owners.
    Own(String, String, Vec<OwnerReference>),
}

/// What to do, in order, and where the feed stands.
#[derive(Debug, Clone, PartialEq)]
pub struct Plan {
    /// What to do, in order.
    pub moves: Vec<Move>,
    /// Where the feed stands.
    pub standing: Standing,
    /// Whether nobody takes the source's prices, and nothing of its feed is left.
    pub is_over: bool,
    /// The newest epoch that was known before.
    pub epoch: u64,
}

impl Plan {
    /// Whether nothing is under way.
    pub fn is_settled(&self) -> bool {
        self.moves.is_empty() && self.standing.is_resting()
    }
}

/// The next moves.
pub fn plan(observed: &Observed, image: &Image) -> Result<Plan, Error> {
    if observed.takers.is_empty() {
        return Ok(ending(observed));
    }
    let mut told = register(observed);
    let (epoch, ledger) = (told.epoch, observed.ledger().map(|ledger| ledger.id));
    let spec = spec(observed, image);
    let document = spec.as_ref().map(serde_json::to_string).transpose();
    let document = document.map_err(|source| Error::Json { subject: observed.source.clone(), source })?;
    let is_read = !told.readers.is_empty();
    let proxy_secret = spec.as_ref().and_then(|spec| spec.proxy_secret.clone());
    let request = request(observed, (document.unwrap_or_default(), proxy_secret));
    let wanted = (is_read && spec.is_some()).then(|| request.digest(image));
    let situation = situation(observed, &told, wanted);
    let placed = place(&situation);
    // What it is made from is not known now, as the account's endpoint: what runs goes on.
    let (steps, standing) = if is_read && spec.is_none() { of_ledger(placed, &situation.pods) } else { placed };
    let mut moves = Vec::new();
    // Another's register is not written.
    if ledger.is_some() && told != observed.registered {
        moves.push(Move::Register(Box::new(told.clone())));
    }
    for step in steps {
        match step {
            Step::CreateLedger => moves.push(Move::CreateLedger),
            Step::CloseLedger { id } => moves.push(Move::CloseLedger(id, BTreeSet::new())),
            Step::RecordEpoch(epoch) => {
                (told.epoch, told.ledger) = (epoch, ledger.clone());
                moves.push(Move::Register(Box::new(told.clone())));
            }
            Step::RecordEnd(epoch, ends) => {
                (told.epoch, told.ledger) = (epoch, ledger.clone());
                told.restarts = Some(restarts(&ends, observed.now));
                moves.push(Move::Register(Box::new(told.clone())));
            }
            Step::ForgetEnds => {
                told.restarts = None;
                moves.push(Move::Register(Box::new(told.clone())));
            }
            Step::CreatePod(epoch) => moves.push(Move::CreatePod(Box::new(request.clone()), epoch)),
            Step::DeletePod { name, uid } => moves.push(Move::DeletePod(name, uid)),
            // The record itself says which ledger is open, and no human is asked.
            Step::RecordLedger { .. } | Step::ClearAnswer => {}
        }
    }
    moves.extend(strayed(observed));
    Ok(Plan { moves, standing, is_over: false, epoch })
}

/// Pods that others own than those who take the prices now.
fn strayed(observed: &Observed) -> impl Iterator<Item = Move> + '_ {
    let owners = owners(observed);
    let uids = |owners: &[OwnerReference]| owners.iter().map(|owner| owner.uid.clone()).collect::<BTreeSet<_>>();
    let wanted = uids(&owners);
    let strays = move |pod: &&SharedPod| pod.facts.owned && !pod.facts.deleting && uids(&pod.owners) != wanted;
    let own = move |pod: &SharedPod| Move::Own(pod.facts.name.clone(), pod.resource_version.clone(), owners.clone());
    observed.pods.iter().filter(strays).map(own)
}

fn owners(observed: &Observed) -> Vec<OwnerReference> {
    observed.takers.iter().map(|taker| taker.reference.clone()).collect()
}

/// What the register is to hold: who reads what, and what it holds in the place of a status.
fn register(observed: &Observed) -> FeedDesired {
    let registered = &observed.registered;
    let mut readers: BTreeMap<String, Vec<Symbol>> = BTreeMap::new();
    for taker in &observed.takers {
        readers.extend(taker.readers.iter().map(|(name, reads)| (format!("{}/{name}", taker.name), reads.clone())));
    }
    for reader in registered.readers.iter().filter(|reader| is_kept(&observed.takers, reader)) {
        let reads = || registered.reads.get(reader).cloned().unwrap_or_else(|| registered.markets());
        readers.entry(reader.clone()).or_insert_with(reads);
    }
    let read: BTreeSet<Symbol> = readers.values().flatten().cloned().collect();
    let markets: Vec<Symbol> = read.into_iter().collect();
    let epoch = newest_epoch(observed);
    FeedDesired {
        epoch,
        ledger: registered.ledger.clone().filter(|_| epoch == registered.epoch),
        restarts: registered.restarts.clone(),
        told: registered.streamed().into_iter().chain(markets.iter().cloned()).collect(),
        ..FeedDesired::of(&markets, readers)
    }
}

/// Whether a reader that the register names is one of which nothing else is known now.
fn is_kept(takers: &[Taker], reader: &str) -> bool {
    let Some((account, strategy)) = reader.split_once('/') else { return false };
    let taker = takers.iter().find(|taker| taker.name == account);
    taker.is_some_and(|taker| taker.unrecorded.get(strategy) == Some(&false))
}

/// The newest epoch that anybody knows of: a register can be lost.
fn newest_epoch(observed: &Observed) -> u64 {
    let of_pods = observed.pods.iter().filter(|pod| pod.facts.owned).map(|pod| pod.facts.epoch);
    let of_pods = of_pods.filter(|epoch| *epoch <= TAKEN_OVER_MAX);
    let of_accounts = observed.takers.iter().map(|taker| taker.placed.0);
    of_pods.chain(of_accounts).fold(observed.registered.epoch, u64::max)
}

/// What the feed is told; `None`: no account that reads says how to reach the venue.
fn spec(observed: &Observed, image: &Image) -> Option<LiveSpec> {
    let binance = observed.takers.iter().find_map(|taker| taker.binance.clone())?;
    let hosts = match &binance.endpoint {
        Some(name) => Some(image.endpoints.get(name.as_str())?.clone()),
        None => None,
    };
    let proxy_secret = match &binance.proxy {
        Some(_) => binance.proxy_secret().map(ToString::to_string),
        None => image.proxy_secret.clone(),
    };
    Some(LiveSpec { source: observed.source.clone(), binance, hosts, proxy_secret })
}

fn situation(observed: &Observed, told: &FeedDesired, wanted: Option<String>) -> Situation {
    let (uid, epoch) = (observed.uid(), told.epoch);
    let ledger = observed.ledger().map(|ledger| LedgerStatus { id: ledger.id, accepted_by: ledger.resource_uid });
    // Of an epoch that was recorded for this very ledger, accounts say whether its pod was seen; another one is used up.
    let is_of_ledger = ledger.as_ref().is_some_and(|ledger| told.ledger.as_ref() == Some(&ledger.id));
    let seen = || observed.takers.iter().map(|taker| &taker.placed).max().map(|placed| placed.1.clone());
    let known_pod = if is_of_ledger { seen() } else { Some(Role::Feed.pod(&observed.source, epoch)) };
    let is_strange = matches!(&observed.stored, Stored::Found(record) if record.uid != uid && !record.closed);
    Situation {
        role: Role::Feed,
        name: observed.source.clone(),
        ledger,
        uid,
        epoch,
        known_pod,
        stored: observed.stored.clone(),
        pods: facts(observed),
        wanted,
        answer: is_strange.then_some(Answer::Discard),
        ends: observed.ends.clone(),
        released: false,
    }
}

fn facts(observed: &Observed) -> Vec<PodFacts> {
    observed.pods.iter().map(|pod| pod.facts.clone()).collect()
}

fn request(observed: &Observed, (spec, proxy_secret): (String, Option<String>)) -> PodRequest {
    PodRequest {
        role: Role::Feed,
        name: observed.source.clone(),
        namespace: observed.namespace.clone(),
        owners: owners(observed),
        record: observed.owner.name().to_owned(),
        ledger: observed.ledger().map(|ledger| ledger.id).unwrap_or_default(),
        steady: spec.clone(),
        worker: WorkerSpec::default(),
        whole: spec.clone(),
        spec,
        process: None,
        proxy_secret,
    }
}

/// The end of a feed whose prices nobody takes any more: its pod, then its ledger and its streams.
fn ending(observed: &Observed) -> Plan {
    let (mut moves, registered) = (Vec::new(), &observed.registered);
    let ledger = observed.ledger();
    let left = FeedDesired {
        epoch: registered.epoch,
        ledger: registered.ledger.clone(),
        restarts: registered.restarts.clone(),
        told: registered.streamed(),
        ..FeedDesired::default()
    };
    if ledger.is_some() && left != *registered {
        moves.push(Move::Register(Box::new(left)));
    }
    let own: Vec<&PodFacts> = observed.pods.iter().map(|pod| &pod.facts).filter(|pod| pod.owned).collect();
    let there = own.iter().filter(|pod| !pod.deleting);
    moves.extend(there.map(|pod| Move::DeletePod(pod.name.clone(), pod.uid.clone())));
    let is_closed = ledger.is_none();
    moves.extend(ledger.map(|ledger| Move::CloseLedger(ledger.id, registered.streamed())));
    let standing = match &observed.stored {
        Stored::Away(why) => Standing::StoreAway { why: why.clone() },
        Stored::Found(_) | Stored::Missing if own.is_empty() => Standing::Absent,
        Stored::Found(_) | Stored::Missing => Standing::Stopping,
    };
    let is_over = is_closed && standing == Standing::Absent;
    Plan { moves, standing, is_over, epoch: newest_epoch(observed) }
}
