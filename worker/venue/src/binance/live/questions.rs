//! Requests to the venue, one after the other: rules and candles.

use std::time::Instant;

use engine::market::Bar;
use tokio::sync::oneshot;

use super::candles;
use super::clock;
use super::exchange_info::{self, ExchangeInfo};
use super::faults::Failure;
use super::product::Product;
use crate::live::{CandlesWanted, LinkFault};
use crate::net::{NetError, Network, Uri, place};

/// What is asked for.
#[derive(Debug)]
pub(super) enum Question {
    /// The rules of these markets.
    Rules(Vec<String>),
    /// Candles, for who waits for them.
    Candles(CandlesWanted, oneshot::Sender<Result<Vec<Bar>, LinkFault>>),
}

/// How it went.
#[derive(Debug)]
pub(super) enum Answered {
    /// The rules, and how many milliseconds they took.
    Rules(Result<(ExchangeInfo, u64), Failure>),
    /// Whoever waited has so many candles, or knows why not.
    Candles(Result<usize, Failure>),
}

/// Asks a host.
pub(super) async fn ask(product: Product, network: &Network, base: &Uri, question: Question) -> Answered {
    match question {
        Question::Rules(names) => Answered::Rules(rules(product, (network, base), &names).await),
        Question::Candles(wanted, answer) => {
            let bars = bars(product, (network, base), &wanted).await;
            let (told, done) = match bars {
                Ok(bars) => {
                    let count = bars.len();
                    (Ok(bars), Ok(count))
                }
                Err(failure) => (Err(failure.fault.clone()), Err(failure)),
            };
            // Who waited may be gone.
            let _ = answer.send(told);
            Answered::Candles(done)
        }
    }
}

/// Of all markets where one of these is unknown: the venue then answers for none of them.
async fn rules(
    product: Product,
    (network, base): (&Network, &Uri),
    names: &[String],
) -> Result<(ExchangeInfo, u64), Failure> {
    let start = Instant::now();
    let (text, took) = match get(network, base, &exchange_info::question(product, names)).await {
        Ok(text) => (text, start.elapsed()),
        Err(NetError::Refused(refusal)) if exchange_info::is_unknown_symbol(refusal.status, &refusal.body) => {
            let again = Instant::now();
            let text = get(network, base, &exchange_info::question(product, &[])).await;
            (text.map_err(|error| failure(base, &error))?, again.elapsed())
        }
        Err(error) => return Err(failure(base, &error)),
    };
    let info = ExchangeInfo::read(product, &text).map_err(|problem| nonsense(base, &problem, &text))?;
    Ok((info, u64::try_from(took.as_millis()).unwrap_or(u64::MAX)))
}

async fn bars(
    product: Product,
    (network, base): (&Network, &Uri),
    wanted: &CandlesWanted,
) -> Result<Vec<Bar>, Failure> {
    let CandlesWanted { interval, from, to, .. } = wanted;
    // By the venue's own clock, asked before: what was over then is closed on each page.
    let text =
        get(network, base, &exchange_info::time_question(product)).await.map_err(|error| failure(base, &error))?;
    let venue_now = exchange_info::time(&text).map_err(|problem| nonsense(base, &problem, &text))?;
    let (mut bars, mut next) = (Vec::new(), Some(*from));
    while let Some(from) = next.filter(|from| from < to) {
        let question = exchange_info::candles_question(product, wanted, from);
        let text = get(network, base, &question).await.map_err(|error| failure(base, &error))?;
        let page =
            candles::read(&text, *interval, from, venue_now).map_err(|problem| nonsense(base, &problem, &text))?;
        bars.extend(page.bars);
        next = page.next;
    }
    bars.retain(|bar| bar.open_time < *to);
    Ok(bars)
}

async fn get(network: &Network, base: &Uri, path: &str) -> Result<String, NetError> {
    network.get(&below(base, path)?).await
}

/// The address of a path on a host, which may have a path of its own.
pub(super) fn below(base: &Uri, path: &str) -> Result<Uri, NetError> {
    let text = format!("{}{path}", base.to_string().trim_end_matches('/'));
    text.parse().map_err(|problem| NetError::Failed(format!("{text}: {problem}; correct the address")))
}

fn failure(base: &Uri, error: &NetError) -> Failure {
    Failure::of(place(base), error, clock::now().wall)
}

fn nonsense(base: &Uri, problem: &str, text: &str) -> Failure {
    Failure::nonsense(place(base), problem, text)
}
