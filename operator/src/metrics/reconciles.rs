//! Each reconcile by itself: how it ended, how long it took, and the span that its log lines stand in.

use std::time::Instant;

use kube::api::ObjectMeta;
use tracing::{Instrument as _, Span};

use super::{Kind, Metrics, Outcome, Path};
use crate::Error;

/// How a reconcile ended that is not tried again because of an error.
const DONE: &str = "Done";
/// One that looked at everything.
const WHOLE: &str = "whole";

/// What log lines of one object are found by. Its name is `object`: `name` is the span's own there.
pub fn span(kind: Kind, meta: &ObjectMeta) -> Span {
    let (namespace, object) = (meta.namespace.as_deref(), meta.name.as_deref());
    tracing::info_span!("reconcile", kind = kind.as_str(), namespace, object, generation = meta.generation)
}

/// A reconcile of an object, in its span, that is counted when it ends.
pub async fn counted<T>(
    metrics: &Metrics,
    kind: Kind,
    meta: &ObjectMeta,
    reconcile: impl Future<Output = Result<T, Error>>,
) -> Result<T, Error> {
    let started = Instant::now();
    let done = reconcile.instrument(span(kind, meta)).await;
    let outcome = done.as_ref().map_or_else(Error::reason, |_| DONE);
    metrics.reconciles.get_or_create(&Outcome { kind: kind.as_str(), outcome }).inc();
    let taken = metrics.durations.get_or_create_owned(&Path { kind: kind.as_str(), path: WHOLE });
    taken.observe(started.elapsed().as_secs_f64());
    // One that somebody else wrote to is looked at again at once: it waits for nothing.
    let fails = matches!(&done, Err(error) if !matches!(error, Error::Changed { .. }));
    let (namespace, name) = (meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default());
    metrics.fleet.reconciled(kind, namespace, name, fails);
    done
}
