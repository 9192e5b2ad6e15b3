//! A strategy on bars, behind trades that it never saw: its bars are the venue's.

use std::cell::Cell;

use engine::market::{Bar, BarSeries, Interval, LookBack};
use engine::messages::Tick;
use engine::strategies::Registry;
use tokio::sync::mpsc;
use venue::live::{CandlesWanted, Hole, HoleCause, Wish};

use super::*;

/// Of four hours, as an adaptive grid needs them.
const INTERVAL: Interval = Interval::FourHours;

/// The venue: all trades that ever were, those that nobody was told of too.
#[derive(Debug, Clone, Default)]
struct Venue(Arc<Mutex<Vec<LiveTrade>>>);

impl Venue {
    /// A trade at this time.
    fn trades(&self, time: Timestamp) -> LiveTrade {
        let mut trades = self.0.lock().unwrap();
        let id = trades.len() as u64;
        let price = (60_000 + id * 7 % 31).to_string().parse().unwrap();
        let trade = LiveTrade {
            symbol: SYMBOL.parse().unwrap(),
            id,
            price,
            volume: "0.5".parse().unwrap(),
            bid: Some(price),
            ask: Some(price),
            bid_size: "1".parse().unwrap(),
            ask_size: "1".parse().unwrap(),
            time,
            received: time,
        };
        trades.push(trade.clone());
        trade
    }

    /// The bars that are over by its last trade.
    fn bars(&self) -> Vec<Bar> {
        let mut series = BarSeries::new(INTERVAL, LookBack::new(1_000).unwrap());
        for (trade, sequence) in self.0.lock().unwrap().iter().zip(0..) {
            let tick = Tick::trade(trade.symbol.clone(), trade.price, trade.time, sequence);
            series.take(&Tick { volume: trade.volume, ..tick });
        }
        series.bars().to_vec()
    }

    async fn serve(self, mut wishes: mpsc::UnboundedReceiver<Wish>) {
        while let Some(wish) = wishes.recv().await {
            if let Wish::Candles(CandlesWanted { from, to, .. }, answer) = wish {
                let wanted = |bar: &Bar| bar.open_time >= from && bar.open_time < to;
                let _ = answer.send(Ok(self.bars().into_iter().filter(wanted).collect()));
            }
        }
    }
}

fn manifest() -> String {
    MANIFEST.replace("LATENCY", "0").replace("grid: {gridSizePercent: \"1\", ", "grid: {adaptive: {}, ")
}

/// The closed bars that the strategy's record holds.
async fn closed(stage: &Stage) -> Vec<Bar> {
    stage.field("bars:0:4h").await.map_or_else(Vec::new, |bars| serde_json::from_value(bars).unwrap())
}

/// Says trades from a time on until the newest bar of the strategy is the one that opens then: whenever the feed has it and
/// the worker has looked, the next tick brings it.
async fn comes(stage: &Stage, venue: &Venue, open_time: Timestamp, from: Timestamp) {
    let said = Cell::new(0);
    until("a bar of the venue", DEADLINE, async || {
        let is_there = closed(stage).await.last().is_some_and(|bar| bar.open_time == open_time);
        if !is_there {
            stage.say(News::Trade(venue.trades(from.plus_millis(said.get()))));
            said.set(said.get() + 1);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        is_there.then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_bars_of_a_strategy_behind_a_hole_are_the_venues() {
    let mut stage = Stage::of(&manifest(), Registry::standard()).await;
    let venue = Venue::default();
    // All of it is over: the feed asks for what is closed by the store's clock.
    let now = i64::try_from(stage.bus.now_ms().await.unwrap()).unwrap();
    let begins = INTERVAL.open_of(Timestamp::from_millis(now)).plus_millis(-15 * INTERVAL.millis());
    let at = |bar: i64, sixtieth: i64| begins.plus_millis(bar * INTERVAL.millis() + sixtieth * INTERVAL.millis() / 60);
    let say = |stage: &Stage, places: &[(i64, i64)]| {
        for (bar, sixtieth) in places {
            stage.say(News::Trade(venue.trades(at(*bar, *sixtieth))));
        }
    };
    // Before anybody listened.
    for bar in -30..0 {
        venue.trades(at(bar, 5));
        venue.trades(at(bar, 35));
    }
    let first = venue.trades(at(0, 1));
    tokio::spawn(venue.clone().serve(std::mem::replace(&mut stage.source.wishes, mpsc::unbounded_channel().1)));
    stage.open();
    stage.say(News::Trade(first));
    // It looks back on 44, up to now.
    let before = 44 - 15;
    until("the bars before", DEADLINE, async || (closed(&stage).await.len() == before).then_some(())).await;
    say(&stage, &[(0, 20), (0, 50)]);
    // The one that was under way when it began.
    comes(&stage, &venue, at(0, 0), at(1, 1)).await;
    say(&stage, &[(1, 40), (2, 10)]);
    // Three bars with trades that nobody saw.
    let missed = [(2, 40), (3, 10), (3, 40), (4, 10), (4, 40), (5, 5)];
    for (bar, sixtieth) in missed {
        venue.trades(at(bar, sixtieth));
    }
    stage.say(News::Hole(Hole {
        symbol: SYMBOL.parse().unwrap(),
        cause: HoleCause::Disconnect,
        from: at(2, 10),
        to: at(5, 10),
        missed: missed.len() as u64,
    }));
    say(&stage, &[(5, 10), (6, 1)]);
    comes(&stage, &venue, at(5, 0), at(6, 2)).await;
    let venues = |count: usize| {
        let bars = venue.bars();
        bars[bars.len() - count..].to_vec()
    };
    assert_eq!(closed(&stage).await, venues(before + 6));
    say(&stage, &[(7, 0), (7, 30), (8, 0), (8, 30), (9, 0)]);
    until("the bars behind", DEADLINE, async || (closed(&stage).await.len() == before + 9).then_some(())).await;
    assert_eq!(closed(&stage).await, venues(before + 9));
    stage.is_well();
}
