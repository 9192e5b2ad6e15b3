//! Taking ticks: the engine steps through what was read, as far as the barrier lets it. Publishes nothing itself.

use bus::{Entry, Poison, Topic};

use super::Worker;
use super::barrier::At;
use super::markets::Unread;
use crate::outcome::hashes::{LinedTick, Standing};
use crate::roles::Bus;
use crate::roles::document::DeadLetter;

impl<B: Bus> Worker<'_, B> {
    /// Steps the engine through the ticks that were read until there are no more, or until the gateway must be waited for.
    pub(super) fn take_ticks(&mut self) {
        self.let_owed_arrive();
        let (mut ahead, mut read, mut passed) = (std::mem::take(&mut self.ahead), 0, 0);
        let mut data = self.data.take().map(Standing::Own);
        for Unread { market, entry } in &ahead {
            if self.engine.asks() {
                break;
            }
            let lacks_news = !self.is_told_ahead() && self.barrier.lacks_news(self.engine.open_orders());
            if lacks_news || !self.may_take_ticks() {
                break;
            }
            match entry.lend::<LinedTick>() {
                Ok(tick) if self.must_match(&At { market: *market, id: entry.id, tick: &tick }) => break,
                Ok(tick) => {
                    read += 1;
                    self.markets.took(*market, entry.id);
                    if self.take_tick(&At { market: *market, id: entry.id, tick: &tick })
                        && let Some(data) = &mut data
                    {
                        data.take(tick);
                    }
                    if !self.pending.is_empty() {
                        // What was told ahead may be of this very tick.
                        self.apply_pending();
                        self.let_owed_arrive();
                    }
                }
                Err(problem) => {
                    self.markets.took(*market, entry.id);
                    self.bury(*market, entry, &problem);
                }
            }
            passed += 1;
        }
        self.data = data.map(Standing::into_hash);
        ahead.drain(..passed);
        self.ahead = ahead;
        self.runtime.health.ticks(read);
    }

    /// Whether it was taken: one that was delivered before is not.
    fn take_tick(&mut self, at: &At<'_>) -> bool {
        let tick = at.tick;
        self.put_in_whole_bars(at);
        let (now, taken) = (self.now_at(at), self.engine.ticks());
        let effects = self.engine.tick(now, tick);
        let is_new = self.engine.ticks() > taken;
        self.batch.tick();
        self.absorb(effects);
        if is_new && self.engine.asks() {
            self.unjudged = Some(tick.clone());
        } else if is_new {
            self.let_arrive(at);
        }
        if tick.last {
            self.batch.touch();
        }
        is_new
    }

    /// A tick that does not read is stepped over and kept for who looks into it.
    fn bury(&mut self, market: usize, entry: &Entry, problem: &Poison) {
        self.runtime.health.poison();
        self.batch.tick();
        let Some(stream) = self.markets.stream(market) else { return };
        tracing::error!(%stream, id = %entry.id, %problem, "a tick does not read; it is skipped");
        let letter = DeadLetter::of(stream, entry, problem);
        self.batch.messages.push(self.for_outsiders(Topic::DeadLetter, &letter));
    }
}
