//! The Kubernetes objects that the operator makes. Pure.

mod pod;

pub use pod::{Image, PodRequest, ProcessFiles, pod};
