//! Strict reading of manifests (being written).
