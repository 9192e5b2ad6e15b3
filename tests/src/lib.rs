//! What tests of more than one crate share. Not part of any product.

pub mod redis_server;
pub mod worker_binary;
