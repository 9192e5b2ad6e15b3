//! What a feed of live prices tells of its source: what came, what was lost, and how old it is.

use std::collections::BTreeSet;
use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;
use venue::live::{Counts, Traffic};

/// Seconds, or a time in seconds since 1970.
type Seconds = Gauge<f64, AtomicU64>;

/// The metrics of a feed.
#[derive(Debug, Clone, Default)]
pub(super) struct FeedMetrics {
    gaps: Family<Cause, Counter>,
    frames: Family<Stream, Counter>,
    bytes: Counter,
    sent: Counter,
    reconnects: Family<Cause, Counter>,
    malformed: Family<Kind, Counter>,
    candles: Counter,
    frame_age: Seconds,
    tick_age: Family<Market, Seconds>,
    banned_until: Seconds,
}

/// The label of what was lost.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Cause {
    cause: String,
}

/// The label of messages.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Stream {
    stream: String,
}

/// The label of what is wrong with messages.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: String,
}

/// The label of a market.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Market {
    symbol: String,
}

impl FeedMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register("gaps", "Holes in the ticks of a live source", self.gaps.clone());
        registry.register("feed_frames", "Messages of the venue", self.frames.clone());
        registry.register("feed_bytes", "Bytes of the venue's messages", self.bytes.clone());
        registry.register("feed_sent", "Messages and pings to the venue's streams", self.sent.clone());
        registry.register("feed_reconnects", "Connections that were lost or not had", self.reconnects.clone());
        registry.register("feed_malformed", "Messages of the venue that did not read", self.malformed.clone());
        registry.register("feed_candles", "Candles that the venue answered", self.candles.clone());
        let age = "Age of the last message or pong, of the quietest connection";
        registry.register("feed_frame_age_seconds", age, self.frame_age.clone());
        registry.register("tick_age_seconds", "Age of a market's last tick", self.tick_age.clone());
        let until = "Until when the venue bans this address, in seconds since 1970; 0 where it does not";
        registry.register("feed_banned_until_timestamp_seconds", until, self.banned_until.clone());
    }

    pub(super) fn gap(&self, cause: &str) {
        self.gaps.get_or_create(&Cause { cause: cause.to_owned() }).inc();
    }

    /// What has passed since `before`.
    pub(super) fn passed(&self, before: &Traffic, traffic: &Traffic) {
        let more = |counter: &Counter, before: u64, now: u64| counter.inc_by(now.saturating_sub(before));
        let each = |before: &Counts, now: &Counts, count: &dyn Fn(&str, u64)| {
            for (word, now) in now {
                count(word, now.saturating_sub(before.get(word).copied().unwrap_or(0)));
            }
        };
        each(&before.frames, &traffic.frames, &|stream, count| {
            self.frames.get_or_create(&Stream { stream: stream.to_owned() }).inc_by(count);
        });
        each(&before.reconnects, &traffic.reconnects, &|cause, count| {
            self.reconnects.get_or_create(&Cause { cause: cause.to_owned() }).inc_by(count);
        });
        each(&before.malformed, &traffic.malformed, &|kind, count| {
            self.malformed.get_or_create(&Kind { kind: kind.to_owned() }).inc_by(count);
        });
        more(&self.bytes, before.bytes, traffic.bytes);
        more(&self.sent, before.sent, traffic.sent);
        more(&self.candles, before.candles, traffic.candles);
        // Without a connection the age is that of nothing: no number says it.
        self.frame_age.set(traffic.frame_age.map_or(f64::NAN, |age| age.as_secs_f64()));
        self.banned_until.set(traffic.banned_until.map_or(0.0, |until| seconds(until.millis())));
    }

    /// How many milliseconds old the last tick of each market is; of others nothing is told any more.
    pub(super) fn ages<'a>(&self, told: &mut BTreeSet<String>, ages: impl Iterator<Item = (&'a str, i64)>) {
        let mut gone = std::mem::take(told);
        for (symbol, age) in ages {
            self.tick_age.get_or_create(&Market { symbol: symbol.to_owned() }).set(seconds(age.max(0)));
            gone.remove(symbol);
            told.insert(symbol.to_owned());
        }
        for symbol in gone {
            self.tick_age.remove(&Market { symbol });
        }
    }
}

fn seconds(millis: i64) -> f64 {
    #[allow(clippy::cast_precision_loss, reason = "times of this age of the world are exact in 53 bits")]
    let millis = millis as f64;
    millis / 1_000.0
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use engine::time::Timestamp;
    use prometheus_client::encoding::text::encode;

    use super::*;

    fn shown(registry: &Registry) -> String {
        let mut text = String::new();
        encode(&mut text, registry).unwrap();
        text
    }

    fn has(registry: &Registry, lines: &[&str]) {
        let text = shown(registry);
        for line in lines {
            assert!(text.contains(&format!("\n{line}\n")), "{line} is not in {text}");
        }
    }

    #[test]
    fn what_has_passed_is_counted_on_over_a_source_that_starts_anew() {
        let (metrics, mut registry) = (FeedMetrics::default(), Registry::with_prefix("glm"));
        metrics.register(&mut registry);
        metrics.gap("Disconnect");
        let first = Traffic {
            frames: [("trade", 3), ("other", 1)].into(),
            bytes: 700,
            sent: 2,
            malformed: [("json", 1)].into(),
            candles: 42,
            frame_age: Some(Duration::from_millis(1_500)),
            ..Traffic::default()
        };
        metrics.passed(&Traffic::default(), &first);
        let second = Traffic {
            frames: [("trade", 5), ("other", 1)].into(),
            bytes: 900,
            reconnects: [("Stale", 1)].into(),
            frame_age: None,
            banned_until: Some(Timestamp::from_millis(1_700_000_000_500)),
            ..first.clone()
        };
        metrics.passed(&first, &second);
        has(
            &registry,
            &[
                "glm_gaps_total{cause=\"Disconnect\"} 1",
                "glm_feed_frames_total{stream=\"trade\"} 5",
                "glm_feed_frames_total{stream=\"other\"} 1",
                "glm_feed_bytes_total 900",
                "glm_feed_sent_total 2",
                "glm_feed_reconnects_total{cause=\"Stale\"} 1",
                "glm_feed_malformed_total{kind=\"json\"} 1",
                "glm_feed_candles_total 42",
                "glm_feed_frame_age_seconds NaN",
                "glm_feed_banned_until_timestamp_seconds 1700000000.5",
            ],
        );
        // Another source begins at 0, and a counter never falls.
        metrics.passed(&Traffic::default(), &first);
        has(
            &registry,
            &[
                "glm_feed_frames_total{stream=\"trade\"} 8",
                "glm_feed_bytes_total 1600",
                "glm_feed_frame_age_seconds 1.5",
                "glm_feed_banned_until_timestamp_seconds 0.0",
            ],
        );
    }

    #[test]
    fn a_market_that_nobody_follows_has_no_age() {
        let (metrics, mut registry, mut told) = (FeedMetrics::default(), Registry::with_prefix("glm"), BTreeSet::new());
        metrics.register(&mut registry);
        metrics.ages(&mut told, [("BTC/USDT", 2_500), ("ETH/USDT", -7)].into_iter());
        has(
            &registry,
            &["glm_tick_age_seconds{symbol=\"BTC/USDT\"} 2.5", "glm_tick_age_seconds{symbol=\"ETH/USDT\"} 0.0"],
        );
        metrics.ages(&mut told, [("ETH/USDT", 1_000)].into_iter());
        has(&registry, &["glm_tick_age_seconds{symbol=\"ETH/USDT\"} 1.0"]);
        assert!(!shown(&registry).contains("BTC/USDT"));
    }
}
