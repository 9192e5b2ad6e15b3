//! What an account's schema cannot say. All faults are collected.

use engine::numbers::ExactDecimal;
use engine::validation::Violation;

use super::{MarketData, PaperVenue, Proxy, Replay, ReplayFile, TradingAccountSpec};
use crate::ENTRIES_MAX;
use crate::symbol::spot;

/// What to write where no data are named.
pub(crate) const NO_FILE: &str = "names no data; write file for one market, or files for several";
/// The sources of prices, as the schema has them.
const MEMBERS: &str = "binance, replay";
/// What to do where they are named twice.
pub(crate) const BOTH: &str = "and files are both set; keep one";

impl TradingAccountSpec {
    /// All that is wrong with this spec, with paths from the document's root. An accepted spec has none.
    pub fn validate(&self) -> Vec<Violation> {
        let mut violations = match &self.venue.paper {
            Some(paper) => paper.validate("spec.venue.paper"),
            None => vec![Violation::new("spec.venue", "", "no member is set; write exactly one of: paper")],
        };
        let MarketData { replay, binance } = &self.market_data;
        let not_one = one_member("spec.marketData", (replay.is_some(), binance.is_some()), MEMBERS);
        if not_one.is_none() {
            violations.extend(replay.iter().flat_map(|replay| replay.validate("spec.marketData.replay")));
            violations.extend(binance.iter().flat_map(|binance| &binance.proxy).filter_map(proxy));
        }
        violations.extend(not_one);
        violations.extend(self.limits.iter().flat_map(|limits| limits.validate("spec.limits")));
        violations
    }
}

fn proxy(proxy: &Proxy) -> Option<Violation> {
    let set = (proxy.url.is_some(), proxy.secret_ref.is_some());
    one_member("spec.marketData.binance.proxy", set, "secretRef, url")
}

/// Whether each of two members is set: exactly one is to be.
fn one_member(path: &str, set: (bool, bool), all: &str) -> Option<Violation> {
    let problem = match set {
        (true, false) | (false, true) => return None,
        (false, false) => "no member is set",
        (true, true) => "several members are set",
    };
    Some(Violation::new(path, "", format!("{problem}; write exactly one of: {all}")))
}

impl PaperVenue {
    /// The highest `latencyMs`.
    pub const LATENCY_MS_MAX: u32 = 60_000;

    fn validate(&self, path: &str) -> Vec<Violation> {
        let mut violations = Vec::new();
        let count = self.balances.len();
        if count == 0 || count > ENTRIES_MAX {
            let remedy = format!("{count} entries; write 1 to {ENTRIES_MAX}, such as {{USDT: 10000}}");
            violations.push(Violation::new(format!("{path}.balances"), "", remedy));
        }
        violations.extend(self.fees.validate(&format!("{path}.fees")));
        if self.latency_ms > Self::LATENCY_MS_MAX {
            let remedy = format!("is out of range; write 0 to {}", Self::LATENCY_MS_MAX);
            violations.push(Violation::new(format!("{path}.latencyMs"), self.latency_ms, remedy));
        }
        violations
    }
}

impl Replay {
    /// All that is wrong with it.
    pub(crate) fn validate(&self, path: &str) -> Vec<Violation> {
        let mut violations = Vec::new();
        match (&self.file, &self.files) {
            (Some(_), None) => {}
            (None, Some(files)) => violations.extend(validate_files(files, &format!("{path}.files"))),
            (None, None) => violations.push(Violation::new(path, "", NO_FILE)),
            (Some(file), Some(_)) => violations.push(Violation::new(format!("{path}.file"), file, BOTH)),
        }
        if self.speed.get().is_zero() || self.speed > ExactDecimal::from_integer(1_000_000) {
            let remedy = "is out of range; write above 0, up to 1000000";
            violations.push(Violation::new(format!("{path}.speed"), self.speed, remedy));
        }
        violations
    }
}

fn validate_files(files: &[ReplayFile], path: &str) -> Vec<Violation> {
    let mut violations = Vec::new();
    if files.is_empty() || files.len() > ENTRIES_MAX {
        let remedy = format!("{} entries; write 1 to {ENTRIES_MAX}", files.len());
        violations.push(Violation::new(path, "", remedy));
    }
    for (index, ReplayFile { symbol, .. }) in files.iter().enumerate() {
        let place = format!("{path}[{index}].symbol");
        if files.iter().take(index).any(|before| before.symbol == *symbol) {
            let remedy = "is written twice; join its files in one, or keep one entry";
            violations.push(Violation::new(place.clone(), symbol, remedy));
        }
        violations.extend(spot(symbol, &place));
    }
    violations
}
