//! Carrying out what a live source's feed needs, in order. Needs a client. A crash after any write leaves a state that the
//! next plan goes on from.

use bus::Scope;
use crds::roles::FeedDesired;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::observe::{Observed, uid};
use super::plan::Move;
use crate::Error;
use crate::apply::{change_register, close_ledger, create_pod, delete_pod, open_ledger, streams_of_source};
use crate::context::Context;
use crate::names::OPERATOR;
use crate::placement::Stored;

/// The generation of all registers of live feeds: no resource counts their edits.
const GENERATION: u64 = 1;

/// Carries out moves.
pub async fn apply(context: &Context, observed: &Observed, moves: &[Move]) -> Result<(), Error> {
    let (owner, namespace) = (&observed.owner, observed.namespace.as_str());
    // Each write over the one that was seen or made before: an epoch never goes back.
    let mut register = observed.register.clone();
    for next in moves {
        match next {
            Move::Register(wanted) => {
                let json = |source| Error::Json { subject: observed.source.clone(), source };
                let value = serde_json::to_value(wanted).map_err(json)?;
                register = Some(change_register(context, owner, register.as_ref(), GENERATION, &value).await?);
            }
            Move::CreateLedger => {
                open_ledger(context, owner, &observed.uid()).await?;
            }
            Move::CloseLedger(id, markets) => {
                let source = Scope::source(namespace, &observed.source)?;
                close_ledger(context, owner, id, streams_of_source(context, &source, markets)).await?;
            }
            Move::CreatePod(request, epoch) => create_pod(context, request, *epoch).await?,
            Move::DeletePod(name, uid) => delete_pod(context, namespace, name, uid).await?,
            Move::Own(name, seen, owners) => own(context, namespace, (name, seen), owners).await?,
        }
    }
    Ok(())
}

/// Closes the ledger of a source's feed, with its streams, if it is open.
pub async fn close(context: &Context, namespace: &str, source: &str) -> Result<(), Error> {
    let scope = Scope::source(namespace, source)?;
    let owner = context.keys.feed(&scope);
    match context.register_and_record::<FeedDesired>(&owner).await {
        (registered, Stored::Found(record)) if record.uid == uid(namespace, source) && !record.closed => {
            let streams = streams_of_source(context, &scope, &registered.streamed());
            close_ledger(context, &owner, &record.ledger, streams).await
        }
        (_, Stored::Found(_) | Stored::Missing) => Ok(()),
        (_, Stored::Away(why)) => {
            Err(Error::Store { action: "read the record of", subject: owner.name().to_owned(), why })
        }
    }
}

/// Gives a pod its owners, over what was read alone: a write that arrives late must not bring back one that has gone. One that
/// was changed meanwhile is looked at again.
async fn own(
    context: &Context,
    namespace: &str,
    (name, resource_version): (&str, &str),
    owners: &[OwnerReference],
) -> Result<(), Error> {
    let api: Api<Pod> = Api::namespaced(context.client.clone(), namespace);
    let patch = json!({ "metadata": { "resourceVersion": resource_version, "ownerReferences": owners } });
    let params = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
    match api.patch(name, &params, &Patch::Merge(&patch)).await {
        Ok(_) => Ok(()),
        Err(kube::Error::Api(status)) if status.code == 404 || status.code == 409 => Ok(()),
        Err(error) => Err(Error::api("give its owners to pod", name)(error)),
    }
}
