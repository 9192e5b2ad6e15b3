//! Manifests and made-up prices for tests: the same arguments give the same bytes.

use std::fmt::Write as _;

/// The account's name in all of these manifests.
pub const ACCOUNT: &str = "paper";

/// A price path that rises and falls around 600, with some noise: a grid trades at most of its turns.
#[derive(Debug, Clone, Copy)]
pub struct Wave {
    /// How many ticks, one a second.
    pub ticks: u64,
    /// Ticks from low to low.
    pub period: u64,
    /// How much a price strays at most, in cents.
    pub noise_cents: u64,
    /// Draws the noise.
    pub seed: u64,
}

/// The data file of a wave: `time,price`.
pub fn wave(wave: Wave) -> String {
    const START_MS: u64 = 1_700_000_000_000;
    const MIDDLE_CENTS: u64 = 60_000;
    /// Three per cent.
    const SWING_CENTS: u64 = 1_800;
    let mut text = "time,price\n".to_owned();
    let mut random = wave.seed;
    for tick in 0..wave.ticks {
        random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let noise = (random >> 33) % wave.noise_cents.max(1);
        let half = wave.period / 2;
        let place = (tick + half / 2) % wave.period;
        let height = if place < half { place } else { wave.period - place };
        let cents = MIDDLE_CENTS - SWING_CENTS + 2 * SWING_CENTS * height / half + noise;
        let _ = writeln!(text, "{},{}.{:02}", START_MS + 1_000 * tick, cents / 100, cents % 100);
    }
    text
}

/// A manifest of one paper account with a fee, a latency and these strategies.
pub fn manifest(file: &str, latency_ms: u32, strategies: &[String]) -> String {
    let mut text = format!(
        "apiVersion: glm.trading/v1alpha1
kind: TradingAccount
metadata: {{name: {ACCOUNT}}}
spec:
  venue:
    paper:
      balances: {{USDT: 20000, BNB: 40, BTC: 2}}
      fees: {{makerPercent: \"0.1\", takerPercent: \"0.1\"}}
      latencyMs: {latency_ms}
  marketData: {{replay: {{file: {file}, speed: 1000000}}}}
"
    );
    for strategy in strategies {
        text.push_str("---\n");
        text.push_str(strategy);
    }
    text
}

/// A manifest of one paper account whose replay has a file for each of these markets, and of these strategies.
pub fn accounts_of_markets(files: &[(&str, &str)], latency_ms: u32, strategies: &[String]) -> String {
    let files: Vec<_> = files.iter().map(|(symbol, file)| format!("{{symbol: {symbol}, file: {file}}}")).collect();
    let text = manifest("FILE", latency_ms, strategies);
    text.replace("file: FILE", &format!("files: [{}]", files.join(", "))).replace("BTC: 2}", "BTC: 2, ETH: 60}")
}

/// A grid on the wave.
pub fn strategy(name: &str, grid_size_percent: &str) -> String {
    format!(
        "apiVersion: glm.trading/v1alpha1
kind: TradingStrategy
metadata: {{name: {name}}}
spec:
  accountRef: {{name: {ACCOUNT}}}
  instruments: [{{symbol: BNB/USDT, rules: {{tickSize: \"0.01\", lotSize: \"0.001\"}}}}]
  capital: {{USDT: 3000, BNB: 5}}
  strategy: {{grid: {{gridSizePercent: \"{grid_size_percent}\", orderPercent: 10}}}}
"
    )
}

/// The quoter of the test kit, by its seed.
pub fn quoter(name: &str, seed: u64) -> String {
    custom(name, &["BNB/USDT"], "5", &format!("{{name: quoter, parameters: {{seed: {seed}}}}}"))
}

/// The pair of the test kit on these markets, by its seed.
pub fn pair(name: &str, symbols: &[&str], seed: u64) -> String {
    custom(name, symbols, "0.1", &format!("{{name: pair, parameters: {{seed: {seed}}}}}"))
}

/// The crossing of the test kit, by how many bars it looks back on.
pub fn crossing(name: &str, bars: u64) -> String {
    custom(name, &["BNB/USDT"], "5", &format!("{{name: crossing, parameters: {{bars: {bars}}}}}"))
}

/// A strategy that is this program of Python, with these parameters.
pub fn process(name: &str, program: &str, parameters: &str) -> String {
    let command = format!("[python3, {program}]");
    let process = format!("{{process: {{command: {command}, parameters: {parameters}, timeoutMs: 20000}}}}");
    resting(name, &["BNB/USDT"], "5", &process)
}

/// A ladder around 600 with these parameters beside its bounds.
pub fn ladder(name: &str, (lower, upper): (u64, u64), more: &str) -> String {
    let strategy = format!("{{ladder: {{lowerPrice: {lower}, upperPrice: {upper}, {more}}}}}");
    resting(name, &["BNB/USDT"], "5", &strategy)
}

/// A strategy of the test kit on these markets, all of which have this least notional.
fn custom(name: &str, symbols: &[&str], min_notional: &str, strategy: &str) -> String {
    resting(name, symbols, min_notional, &format!("{{custom: {strategy}}}"))
}

fn resting(name: &str, symbols: &[&str], min_notional: &str, strategy: &str) -> String {
    let rules = format!("rules: {{tickSize: \"0.01\", lotSize: \"0.001\", minNotional: \"{min_notional}\"}}");
    let instruments: Vec<_> = symbols.iter().map(|symbol| format!("{{symbol: {symbol}, {rules}}}")).collect();
    let coins = symbols.iter().filter_map(|symbol| symbol.split_once('/')).map(|(coin, _)| format!(", {coin}: 5"));
    let coins = coins.collect::<Vec<_>>().concat();
    format!(
        "apiVersion: glm.trading/v1alpha1
kind: TradingStrategy
metadata: {{name: {name}}}
spec:
  accountRef: {{name: {ACCOUNT}}}
  instruments: [{}]
  capital: {{USDT: 3000{coins}}}
  strategy: {strategy}
  risk: {{maxOrdersPerMinute: 600}}
",
        instruments.join(", ")
    )
}
