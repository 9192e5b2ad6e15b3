//! What a person asks for on the command line, a folder or a file each.

pub(crate) mod backtest;
pub(crate) mod bench;
pub(crate) mod endpoint;
pub(crate) mod ledger;
pub(crate) mod record;
pub(crate) mod run;
pub(crate) mod validate;
