//! Bars of a market: their intervals, one bar, and the series of closed bars that ticks make. May not know a strategy, nor
//! where ticks come from.

mod bar;
mod interval;
mod series;

pub use bar::{Bar, BarError};
pub use interval::{Interval, IntervalError};
pub use series::{BarSeries, History, HistoryError, LOOK_BACK_MAX, LookBack, LookBackError, Unfinished};
