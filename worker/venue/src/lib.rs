//! Where orders and market data come from and go to. May not know the bus, Kubernetes or strategies.

pub mod binance;
mod data;
pub mod replay;
