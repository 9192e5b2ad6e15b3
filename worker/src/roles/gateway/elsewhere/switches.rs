//! The dead man's switches of a venue elsewhere: armed while orders are open, renewed well before they fire, disarmed when the
//! gateway stops in good order. Who is lost leaves its orders to its successor, or, if none comes in time, to the switch.

use std::collections::{BTreeMap, BTreeSet};

use engine::instrument::Symbol;
use engine::time::Timestamp;
use venue::{DeadMansSwitch, Guarded, SwitchReach, Switching, Venue, VenueError};

use super::{Elsewhere, Gateway, Reply, Sent};
use crate::roles::gateway::manager::DOUBT_INTERVAL_MS;
use crate::roles::{Bus, Stop};

/// A switch is renewed after this part of its time.
const RENEWED_AFTER: i64 = 3;

/// One switch, as far as it is known here.
#[derive(Debug, Default)]
struct Watched {
    /// When it was armed last: the time of the request, which is before that of the venue.
    armed: Option<Timestamp>,
    asked: Option<Timestamp>,
    is_on_its_way: bool,
}

/// Those that were armed, and those that are to be.
#[derive(Debug, Default)]
pub(super) struct Switches(BTreeMap<Guarded, Watched>);

impl Switches {
    /// What is to be done next, while orders in these markets are open. A switch that nobody needs any more is disarmed when it
    /// would be renewed: who trades again and again does not arm it again and again.
    fn next(
        &mut self,
        switch: DeadMansSwitch,
        open: &BTreeSet<Symbol>,
        now: Timestamp,
    ) -> Option<(Guarded, Switching)> {
        let needed: BTreeSet<Guarded> = match switch.reach {
            SwitchReach::Symbol => open.iter().cloned().map(Guarded::Symbol).collect(),
            SwitchReach::Tag if open.is_empty() => BTreeSet::new(),
            SwitchReach::Tag => BTreeSet::from([Guarded::All]),
        };
        for guarded in &needed {
            self.0.entry(guarded.clone()).or_default();
        }
        let renewed_after = switch.fires_after_ms / RENEWED_AFTER;
        let (guarded, watched) = self.0.iter_mut().find(|(_, watched)| {
            let is_old = watched.armed.is_none_or(|armed| now.millis_since(armed) >= renewed_after);
            let again = watched.asked.is_none_or(|asked| now.millis_since(asked) >= DOUBT_INTERVAL_MS);
            is_old && again && !watched.is_on_its_way
        })?;
        (watched.asked, watched.is_on_its_way) = (Some(now), true);
        let arm = Switching::Arm { fires_after_ms: switch.fires_after_ms };
        Some((guarded.clone(), if needed.contains(guarded) { arm } else { Switching::Disarm }))
    }

    /// All are to be disarmed.
    fn disarm(&mut self) -> Vec<Guarded> {
        self.0.values_mut().for_each(|watched| watched.is_on_its_way = true);
        self.0.keys().cloned().collect()
    }

    /// The venue has answered what was asked at `sent_at`, or not.
    pub fn answered(
        &mut self,
        guarded: &Guarded,
        switching: Switching,
        sent_at: Timestamp,
        done: Result<(), VenueError>,
    ) {
        match (switching, done) {
            (_, Err(error)) => {
                tracing::warn!(?guarded, %error, "it is asked again");
                self.unanswered(guarded);
            }
            (Switching::Arm { .. }, Ok(())) => {
                if let Some(watched) = self.0.get_mut(guarded) {
                    (watched.armed, watched.is_on_its_way) = (Some(sent_at), false);
                }
            }
            (Switching::Disarm, Ok(())) => {
                self.0.remove(guarded);
            }
        }
    }

    /// The venue has not answered in time.
    pub fn unanswered(&mut self, guarded: &Guarded) {
        if let Some(watched) = self.0.get_mut(guarded) {
            watched.is_on_its_way = false;
        }
    }

    fn is_any_on_its_way(&self) -> bool {
        self.0.values().any(|watched| watched.is_on_its_way)
    }
}

impl<B: Bus, V: Venue, S: 'static> Gateway<B, Elsewhere<V, S>> {
    /// Arms, renews and disarms what is due.
    pub(super) fn send_switches(&mut self) {
        let facts = self.place.connection.facts();
        let Some(switch) = facts.switch else { return };
        let at_once = facts.at_once;
        let open: BTreeSet<_> = self.manager.open_commands().map(|command| command.symbol.clone()).collect();
        while self.place.requests.has_room(at_once)
            && let Some((guarded, switching)) = self.place.switches.next(switch, &open, self.place.now)
        {
            self.send_switch(guarded, switching);
        }
    }

    fn send_switch(&mut self, guarded: Guarded, switching: Switching) {
        let (connection, sent) = (self.place.connection.clone(), Sent::Switch(guarded.clone(), switching));
        let asking = async move { Reply::Switched(connection.switch(guarded, switching).await) };
        self.place.requests.sent(sent, self.place.now, Box::pin(asking));
    }

    /// Stops in good order: orders that rest stay, so no switch may end them later. Who was replaced leaves the switches to its
    /// successor. Waits for the venue's answer, and no longer than one may take.
    pub(super) async fn leave(&mut self) -> Result<(), Stop> {
        if self.place.switches.0.is_empty() {
            return Ok(());
        }
        self.session.beat().await?;
        self.place.now = self.now().await?;
        for guarded in self.place.switches.disarm() {
            self.send_switch(guarded, Switching::Disarm);
        }
        let until = self.place.now.plus_millis(self.place.connection.facts().answer_ms);
        while self.place.switches.is_any_on_its_way() && self.place.now <= until {
            let nudges = self.owner.inbox().clone();
            let heard = self.listen(vec![(nudges.clone(), self.nudge_cursor)]).await?;
            for (_, entries) in heard.read.transpose()?.unwrap_or_default().iter().filter(|(from, _)| *from == nudges) {
                self.nudge_cursor = entries.last().map_or(self.nudge_cursor, |last| last.id);
            }
            self.take_replies(heard.replies);
            self.take_events(heard.events);
        }
        if self.place.switches.is_any_on_its_way() {
            tracing::warn!("the venue has not said that its switch is disarmed: it may cancel what rests");
        }
        self.store_what_is_new().await?;
        Ok(())
    }
}
