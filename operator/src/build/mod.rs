//! The Kubernetes objects that the operator makes. Pure.

mod endpoints;
mod pod;

pub use endpoints::{EndpointError, endpoints};
pub use pod::{Image, PodRequest, ProcessFiles, pod};
