//! Who reads a replay, where each stands, and for whom the feed waits.
//!
//! A nudge names the reader whose record has changed, and only that one is read: with many readers, all of them would
//! else be read for each commit of one. Nudges may be lost, so all are looked at now and then.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use bus::{Desired, Fields, Owner, Record, RegisterVersion, StreamId, StreamKey};
use engine::instrument::Symbol;
use engine::messages::Nudge;
use venue::MarketData;

use super::Feed;
use super::markets::Markets;
use crate::outcome::hashes::LinedTick;
use crate::roles::session::{Change, patiently};
use crate::roles::source::{NEEDS, needs};
use crate::roles::{Bus, IDLE, Runtime, Stop};
use crds::record::{PHASE, POSITION, Phase, WAITS_FOR};
use crds::roles::FeedDesired;

/// How long a wait for the same readers at the same tick is nobody's concern.
const WAIT_TOLD: Duration = Duration::from_secs(10);
/// How long a lost nudge can stay unnoticed.
pub(super) const LOOK_AROUND: Duration = Duration::from_secs(IDLE.as_secs() / 5);

/// The registered readers, and where each stood when its record was last read.
#[derive(Debug, Default)]
pub(super) struct Readers {
    owners: BTreeMap<String, Owner>,
    /// What each reads, where it does not read all markets.
    reads: BTreeMap<String, Vec<Symbol>>,
    /// The register that told of them; `None` before one has in this life.
    register: Option<RegisterVersion>,
    /// Those that have not committed once.
    absent: BTreeSet<String>,
    /// Where each stands; without those for whom nobody waits.
    places: BTreeMap<String, Place>,
    /// The same, the slowest first.
    by_place: BTreeMap<Place, BTreeSet<String>>,
    /// When all were last looked at.
    looked: Option<Instant>,
    /// Those of which it does not read what they need: each is told once.
    unread: BTreeSet<String>,
    /// When it was last looked for those who join.
    looked_for_joiners: Option<Instant>,
}

impl Readers {
    /// Follows a register.
    fn register(&mut self, version: RegisterVersion, readers: impl IntoIterator<Item = (Owner, Option<Vec<Symbol>>)>) {
        *self = Self { register: Some(version), ..Self::default() };
        for (owner, reads) in readers {
            let name = owner.name().to_owned();
            self.reads.extend(reads.map(|reads| (name.clone(), reads)));
            self.owners.insert(name, owner);
        }
    }

    /// A reader has committed or not, and stands there; `None`: nobody waits for it.
    fn note(&mut self, name: &str, committed: bool, place: Option<Place>) {
        if let Some(before) = self.places.remove(name)
            && let Some(there) = self.by_place.get_mut(&before)
        {
            there.remove(name);
            if there.is_empty() {
                self.by_place.remove(&before);
            }
        }
        if let Some(place) = place {
            self.places.insert(name.to_owned(), place);
            self.by_place.entry(place).or_default().insert(name.to_owned());
        }
        if committed {
            self.absent.remove(name);
        } else {
            self.absent.insert(name.to_owned());
        }
    }

    /// Where the slowest stand, and who they are; `None` if nobody is waited for. Who has all that is out of its markets
    /// stands where the feed does, before tick `next`.
    fn slowest(&self, markets: &Markets, next: u64) -> Option<(Place, BTreeSet<&str>)> {
        if !markets.are_several() {
            let (place, names) = self.by_place.first_key_value()?;
            return Some((*place, names.iter().map(String::as_str).collect()));
        }
        let stands = |name: &str, place: Place| {
            let has_all = markets.has_all(place.taken(), self.reads.get(name).map(Vec::as_slice));
            if has_all { Place::after(next.checked_sub(1)) } else { place }
        };
        let mut slowest: Option<(Place, BTreeSet<&str>)> = None;
        for (name, place) in &self.places {
            let place = stands(name, *place);
            match &mut slowest {
                Some((least, names)) if *least == place => {
                    names.insert(name);
                }
                Some((least, _)) if *least < place => {}
                Some(_) | None => slowest = Some((place, BTreeSet::from([name.as_str()]))),
            }
        }
        slowest
    }

    /// Whether these nudges may tell of any reader: a long name comes cut, and one that does not read names nobody.
    fn may_be_any(&self, nudged: &BTreeSet<String>) -> bool {
        let is_strategy = |name: &String| name.is_empty() || name.starts_with("strategy-");
        nudged.iter().any(|name| is_strategy(name) && !self.owners.contains_key(name))
    }
}

/// For how many readers the feed waits at which tick, and since when.
pub(super) struct Waiting {
    since: Instant,
    behind: (usize, Option<u64>),
    /// What the record says of it.
    told: String,
}

impl Waiting {
    pub(super) fn of(fields: &Fields) -> Self {
        let told = fields.get(WAITS_FOR).map(ToString::to_string).unwrap_or_default();
        Self { since: Instant::now(), behind: (0, None), told }
    }

    /// Whether it waits for the same ones at the same tick for so long that it says so.
    fn is_long(&mut self, readers: usize, taken: Option<u64>) -> bool {
        if self.behind != (readers, taken) {
            self.behind = (readers, taken);
            self.since = Instant::now();
        }
        self.since.elapsed() >= WAIT_TOLD
    }
}

impl<B: Bus, D: MarketData> Feed<B, D> {
    /// Waits until every registered reader has committed once, before the first tick, and at any tick for a register:
    /// without one nobody is known to read, and the ticks of those who do would go by. `false` if asked to stop first.
    pub(super) async fn wait_for_readers(&mut self) -> Result<bool, Stop> {
        let mut nudged = BTreeSet::new();
        loop {
            self.look(&nudged).await?;
            if self.next > 0 && self.readers.register.is_some() {
                // Who comes later joins at the feed's position, and is not waited for.
                return Ok(true);
            }
            let absent = &self.readers.absent;
            let complete = self.next == 0 && absent.is_empty() && !self.readers.owners.is_empty();
            let is_long = self.waiting.is_long(absent.len(), None);
            let names = if is_long { joined(absent.iter().map(String::as_str)) } else { String::new() };
            self.tell_waiting(names, None).await?;
            if complete {
                return Ok(true);
            }
            nudged = self.wait_for_news().await?;
            if self.runtime.shutdown.asked() {
                return Ok(false);
            }
        }
    }

    async fn follow_register(&mut self) -> Result<(), Stop> {
        let Some(desired) = patiently(&self.runtime, || self.runtime.bus.desired(&self.owner)).await? else {
            return Ok(());
        };
        let version = Desired::version(&desired);
        if self.readers.register == Some(version) {
            return Ok(());
        }
        let desired: FeedDesired = serde_json::from_str(&desired.value).map_err(|error| Stop::Record {
            owner: self.owner.name().to_owned(),
            problem: format!("the register: {error}"),
        })?;
        self.session.follow(Some(version));
        let account = self.runtime.account_scope(&self.spec.account)?;
        let keys = &self.runtime.identity.keys;
        let reader = |name: &String| (keys.strategy(&account, name), desired.reads.get(name).cloned());
        self.readers.register(version, desired.readers.iter().map(reader));
        Ok(())
    }

    /// Reads the records of these readers. Now and then the register and all, and when one nudges that the register that is
    /// followed does not name: it may have joined, and is waited for from then on.
    async fn look(&mut self, nudged: &BTreeSet<String>) -> Result<(), Stop> {
        let is_due = self.readers.looked.is_none_or(|looked| looked.elapsed() >= LOOK_AROUND);
        let all = is_due || self.readers.may_be_any(nudged);
        if all {
            self.follow_register().await?;
            self.readers.looked = Some(Instant::now());
        }
        let owners = self.readers.owners.values().filter(|owner| all || nudged.contains(owner.name()));
        for owner in owners.cloned().collect::<Vec<_>>() {
            let record = patiently(&self.runtime, || self.runtime.bus.record(&owner)).await?;
            self.hear_needs(&owner, record.as_ref());
            let committed = record.as_ref().is_some_and(|record| record.version > 0);
            let place = match &record {
                Some(record) => self.place(record).await?,
                None => None,
            };
            self.readers.note(owner.name(), committed, place);
        }
        Ok(())
    }

    fn hear_needs(&mut self, owner: &Owner, record: Option<&Record>) {
        match record.filter(|record| !record.closed).map_or_else(|| Ok(Vec::new()), |record| needs(&record.fields)) {
            Ok(needs) => {
                self.readers.unread.remove(owner.name());
                self.bars.need(needs);
            }
            Err(problem) if self.readers.unread.insert(owner.name().to_owned()) => {
                tracing::error!("the record of {} does not read: {problem}", owner.name());
            }
            Err(_) => {}
        }
    }

    /// Looks for who has joined, while nobody is waited for: a feed may go on for long without.
    pub(super) async fn look_for_joiners(&mut self) -> Result<(), Stop> {
        let readers = &self.readers;
        if readers.looked.max(readers.looked_for_joiners).is_some_and(|looked| looked.elapsed() < LOOK_AROUND) {
            return Ok(());
        }
        self.readers.looked_for_joiners = Some(Instant::now());
        let register = patiently(&self.runtime, || self.runtime.bus.desired(&self.owner)).await?;
        let is_news = register.is_some_and(|register| self.readers.register != Some(Desired::version(&register)));
        if is_news || !self.readers.absent.is_empty() {
            self.readers.looked = None;
            self.look(&BTreeSet::new()).await?;
        }
        Ok(())
    }

    /// Where a reader stands; `None` if nobody waits for it: it is stopped, or it has not joined yet, and when it does, it
    /// is at the feed's position.
    async fn place(&mut self, record: &Record) -> Result<Option<Place>, Stop> {
        if joins(&self.markets.streams(), record) {
            return Ok(None);
        }
        let stopped = record.closed || Phase::of(record.fields.get(PHASE)).is_some_and(|phase| !phase.takes_ticks());
        if stopped || record.version == 0 {
            return Ok(None);
        }
        let place = place(&self.runtime, &self.markets.streams(), record).await?;
        Ok(Some(place.unwrap_or(Place::after(self.next.checked_sub(1)))))
    }

    /// Waits for a reader's nudge, or for a while: a lost nudge costs time, never truth. Gives the names of those who
    /// nudged.
    async fn wait_for_news(&mut self) -> Result<BTreeSet<String>, Stop> {
        let cursors = [(self.reports.clone(), self.report_cursor)];
        let (bus, runtime) = (self.runtime.bus.clone(), self.runtime.clone());
        let reading = patiently(&runtime, || bus.read(&cursors, 1_000, Some(LOOK_AROUND)));
        let mut nudged = BTreeSet::new();
        if let Some(found) = self.runtime.shutdown.or(reading).await {
            let found = found?;
            // Its readers' nudges may come all the time while it waits for one that is dead.
            if found.is_empty() || self.session.is_silent() {
                self.session.beat().await?;
            }
            for (_, entries) in found {
                self.report_cursor = entries.last().map_or(self.report_cursor, |entry| entry.id);
                nudged.extend(
                    entries.iter().map(|entry| entry.decode::<Nudge>().map_or(String::new(), |nudge| nudge.owner)),
                );
            }
        }
        Ok(nudged)
    }

    pub(super) async fn wait_for_slowest(&mut self) -> Result<(), Stop> {
        let nudged = self.wait_for_news().await?;
        self.look(&nudged).await?;
        let (taken, names) = match self.readers.slowest(&self.markets, self.next) {
            Some((place, names)) => {
                let is_long = self.waiting.is_long(names.len(), place.taken());
                (place.taken(), if is_long { joined(names) } else { String::new() })
            }
            // Nobody reads: nobody is waited for.
            None => (self.next.checked_sub(1), String::new()),
        };
        self.tell_waiting(names, taken).await?;
        self.slowest = taken;
        while self.ahead.front().is_some_and(|(sequence, _)| self.slowest.is_some_and(|slowest| *sequence <= slowest)) {
            self.ahead.pop_front();
        }
        Ok(())
    }

    /// Says for whom it waits at which tick, as all others stand still meanwhile; for nobody with no names.
    pub(super) async fn tell_waiting(&mut self, names: String, taken: Option<u64>) -> Result<(), Stop> {
        if names == self.waiting.told {
            return Ok(());
        }
        let change = if names.is_empty() {
            tracing::info!("the feed waits for {} no longer", self.waiting.told);
            self.runtime.health.remark("");
            Change { delete: vec![WAITS_FOR.to_owned()], ..Change::default() }
        } else {
            let place = taken.map_or_else(|| "before the first tick".to_owned(), |taken| format!("at tick {taken}"));
            let remark = format!("waits for {names}, which has stood {place} for {} s", WAIT_TOLD.as_secs());
            tracing::warn!("the feed {remark}; nobody else of this replay gets a tick meanwhile: look at its pod");
            self.runtime.health.remark(&remark);
            Change { set: vec![(WAITS_FOR.to_owned(), names.clone())], ..Change::default() }
        };
        self.waiting.told = names;
        self.commit(change).await
    }
}

fn joined<'a>(names: impl IntoIterator<Item = &'a str>) -> String {
    names.into_iter().collect::<Vec<_>>().join(",")
}

/// Where a reader stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Place {
    /// Before the first tick.
    First,
    /// It has taken the tick of this sequence, or joined right after it.
    After(u64),
}

impl Place {
    fn after(taken: Option<u64>) -> Self {
        taken.map_or(Self::First, Self::After)
    }

    /// The last tick that it has taken.
    const fn taken(self) -> Option<u64> {
        match self {
            Self::First => None,
            Self::After(sequence) => Some(sequence),
        }
    }
}

/// Whether it has said which bars it needs, and waits for them before it joins.
fn joins(streams: &[StreamKey], record: &Record) -> bool {
    record.fields.contains_key(NEEDS) && !streams.iter().any(|stream| record.cursors.contains_key(stream))
}

/// By its record; `None`: the tick it joined at is long gone. It was not waited for, and is not now.
async fn place<B: Bus>(runtime: &Runtime<B>, streams: &[StreamKey], record: &Record) -> Result<Option<Place>, Stop> {
    if let Some(position) = record.fields.get(POSITION).and_then(|position| position.parse().ok()) {
        return Ok(Some(Place::After(position)));
    }
    let cursor = |stream: &StreamKey| record.cursors.get(stream).copied().filter(|cursor| *cursor != StreamId::ZERO);
    let joined: Vec<_> = streams.iter().filter_map(|stream| Some((stream, cursor(stream)?))).collect();
    if joined.is_empty() {
        return Ok(Some(Place::First));
    }
    let mut place = None;
    for (stream, id) in joined {
        let found = patiently(runtime, || runtime.bus.range(stream, id, id, 1)).await?;
        let tick = found.first().and_then(|entry| entry.decode_once::<LinedTick>().ok());
        place = place.max(tick.map(|tick| Place::After(tick.source_sequence)));
    }
    Ok(place)
}

#[cfg(test)]
mod tests {
    use bus::{Keys, Scope};

    use super::*;

    fn readers(names: &[&str]) -> Readers {
        let (keys, account) = (Keys::new("glm").unwrap(), Scope::account("default", "paper").unwrap());
        let mut readers = Readers::default();
        let readers_of = names.iter().map(|name| (keys.strategy(&account, name), None));
        readers.register(RegisterVersion { generation: 1, token: 1 }, readers_of);
        readers
    }

    /// Of a feed of one market.
    fn markets() -> Markets {
        let (keys, source) = (Keys::new("glm").unwrap(), Scope::source("default", "replay-paper").unwrap());
        Markets::of(&keys, &source, &[], &Fields::default()).unwrap()
    }

    fn slowest(readers: &Readers) -> Option<(Option<u64>, String)> {
        readers.slowest(&markets(), 100).map(|(place, names)| (place.taken(), joined(names)))
    }

    #[test]
    fn the_slowest_is_known_whoever_moves_stops_and_comes_back() {
        let mut readers = readers(&["a", "b", "c"]);
        assert_eq!(slowest(&readers), None);
        let at = |taken| Some(Place::After(taken));
        for (name, place, expected) in [
            ("strategy-a", at(7), Some((Some(7), "strategy-a"))),
            ("strategy-b", Some(Place::First), Some((None, "strategy-b"))),
            ("strategy-c", at(7), Some((None, "strategy-b"))),
            ("strategy-b", at(9), Some((Some(7), "strategy-a,strategy-c"))),
            ("strategy-a", at(7), Some((Some(7), "strategy-a,strategy-c"))),
            ("strategy-a", None, Some((Some(7), "strategy-c"))),
            ("strategy-c", at(8), Some((Some(8), "strategy-c"))),
            // Its record can go back in time.
            ("strategy-b", at(2), Some((Some(2), "strategy-b"))),
            ("strategy-b", None, Some((Some(8), "strategy-c"))),
            ("strategy-c", None, None),
        ] {
            readers.note(name, true, place);
            let expected = expected.map(|(taken, names)| (taken, names.to_owned()));
            assert_eq!(slowest(&readers), expected, "{name} at {place:?}");
        }
        assert!(readers.places.is_empty() && readers.by_place.is_empty());
    }

    #[test]
    fn a_nudge_that_names_no_reader_may_be_any() {
        let readers = readers(&["a", "b"]);
        for (name, any) in [
            ("strategy-a", false),
            ("gateway", false),
            ("feed", false),
            // A long name is cut, an unreadable nudge has none, and one may be new.
            ("strategy-", true),
            ("", true),
            ("strategy-c", true),
        ] {
            assert_eq!(readers.may_be_any(&BTreeSet::from([name.to_owned()])), any, "{name:?}");
        }
        assert!(!readers.may_be_any(&BTreeSet::new()));
    }
}
