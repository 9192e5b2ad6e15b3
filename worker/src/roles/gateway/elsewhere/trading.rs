//! Once everything is settled: orders are made. Those of one read are recorded as being sent in one commit, and sent
//! together.

use bus::StreamKey;
use venue::{Connection, Trading, Venue};

use super::{ENTRIES_MAX, Elsewhere, Gateway, Reply, Sent};
use crate::roles::session::patiently;
use crate::roles::{Bus, Stop};

impl<B: Bus, V: Venue> Gateway<B, Elsewhere<V, Trading>> {
    pub(in crate::roles::gateway) async fn work(&mut self) -> Result<(), Stop> {
        // What waited is answered before the register is followed to the end: to a ledger that is closed nothing more is told.
        let (cursors, bus) = (self.cursors(), self.runtime.bus.clone());
        let waited = patiently(&self.runtime, || bus.read(&cursors, ENTRIES_MAX, None)).await?;
        self.shows_life(true).await?;
        self.follow_sub_accounts().await?;
        self.cancel_forbidden();
        self.take_entries(waited).await?;
        self.store_turn().await?;
        self.send().await?;
        self.begins();
        loop {
            let Some(heard) = self.hear(self.cursors()).await? else { return self.leave().await };
            let read = heard.read.transpose()?.unwrap_or_default();
            let has_commands = read.iter().any(|(stream, _)| *stream == self.commands);
            self.shows_life(has_commands).await?;
            self.take_replies(heard.replies);
            self.end_inquiries().await?;
            self.take_events(heard.events);
            self.doubt_overdue();
            self.send_absent_again();
            self.take_entries(read).await?;
            self.look_at_prices().await?;
            self.store_turn().await?;
            self.send().await?;
            // What is known of those that are not sent after all.
            self.store_turn().await?;
        }
    }

    async fn take_entries(&mut self, read: Vec<(StreamKey, Vec<bus::Entry>)>) -> Result<(), Stop> {
        for (stream, entries) in read {
            if stream == self.commands {
                self.take_commands(entries).await?;
            } else {
                self.follow_register(&entries).await?;
            }
        }
        Ok(())
    }

    /// Orders that never arrived, as the venue has said twice.
    fn send_absent_again(&mut self) {
        for id in self.manager.send_absent_again(self.place.now) {
            self.place.requests.create(&id);
        }
    }

    /// Sends what waits and is on record: cancels first.
    async fn send(&mut self) -> Result<(), Stop> {
        self.send_cancels();
        self.send_switches();
        if self.place.requests.has_creates() {
            let has_shown_life = self.place.seen_at == self.place.now;
            // Recording them can have taken long; and those that had no room before were recorded some time ago.
            self.place.now = self.now().await?;
            self.shows_life(!has_shown_life).await?;
            self.withdraw_forbidden();
            self.send_creates();
        }
        self.send_questions();
        Ok(())
    }

    /// A newer register may forbid orders that are not sent yet.
    fn withdraw_forbidden(&mut self) {
        for id in self.place.requests.creates() {
            let news = self.manager.withdraw(&id, self.place.now);
            self.tell(&news);
        }
        self.send_cancels();
    }

    fn send_creates(&mut self) {
        let at_once = self.place.connection.facts().at_once;
        while let Some(id) = self.place.requests.next_create(at_once) {
            let now = self.place.now;
            // One that was withdrawn, or that the venue has told of, is not sent.
            let Some(signed_at) = self.manager.stamp(&id) else { continue };
            let Some(command) = self.manager.order(&id).map(|order| order.command.clone()) else { continue };
            if now > command.expires_at {
                let news = self.manager.expire_unsent(&id, now);
                self.tell(&news);
                continue;
            }
            if self.place.connection.facts().is_too_old(signed_at, now) {
                // It has waited so long that the request would be dead on arrival.
                let news = self.manager.doubt(&id, "NotSentInTime", now);
                self.tell(&news);
                continue;
            }
            let connection: Connection<V, Trading> = self.place.connection.clone();
            let creating = async move { Reply::Outcome(connection.create(command, signed_at).await) };
            self.place.requests.sent(Sent::Create(id), now, Box::pin(creating));
        }
    }
}
