//! Scenes in a cluster that others may share, each with a platform of its own or one of its module's: they mostly wait, so
//! they run beside each other. What changes the cluster itself stands in files of its own.
#![allow(clippy::expect_used, clippy::panic, reason = "tests may stop at the first surprise")]

#[path = "cluster_scenes/changes.rs"]
mod changes;
#[path = "cluster_scenes/deletion.rs"]
mod deletion;
#[path = "cluster_scenes/kills.rs"]
mod kills;
#[path = "cluster_scenes/outages.rs"]
mod outages;
#[path = "cluster_scenes/processes.rs"]
mod processes;
#[path = "cluster_scenes/stops.rs"]
mod stops;
