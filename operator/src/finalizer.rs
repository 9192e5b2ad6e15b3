//! What holds a resource that is being deleted, and what lets it go. Pure.

use std::collections::BTreeMap;

use crate::names::{FINALIZER, FORCE_DELETE_ANNOTATION, RELEASE_ANNOTATION};

/// Whether this operator holds the resource.
pub fn is_set(finalizers: &[String]) -> bool {
    finalizers.iter().any(|name| name == FINALIZER)
}

/// The finalizers with this operator's.
pub fn with(finalizers: &[String]) -> Vec<String> {
    finalizers.iter().cloned().chain([FINALIZER.to_owned()]).collect()
}

/// The finalizers without this operator's.
pub fn without(finalizers: &[String]) -> Vec<String> {
    finalizers.iter().filter(|name| *name != FINALIZER).cloned().collect()
}

/// Whether a human has said that the resource is to be let go whatever it still holds.
pub fn is_waived(annotations: &BTreeMap<String, String>) -> bool {
    [FORCE_DELETE_ANNOTATION, RELEASE_ANNOTATION]
        .iter()
        .any(|name| annotations.get(*name).is_some_and(|answer| answer == "now"))
}
