//! What tests of more than one crate share. Not part of any product.

pub mod apiserver;
pub mod cluster;
pub mod figures;
pub mod proxy;
pub mod redis_server;
pub mod result;
pub mod roles;
pub mod worker_binary;
