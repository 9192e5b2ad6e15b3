//! How long candles are: by their own ends where the data say them, else by the steps between them. May not read
//! files.
//!
//! Outages move candles off a grid, and days and months of a calendar are not equally long; so no grid is
//! demanded. A candle never reaches into the next one.

use std::collections::BTreeMap;

/// From this length on, candles may follow a calendar: days over a change of clocks, months.
const CALENDAR_MS: i64 = 20 * 3_600_000;
/// Steps of different lengths that are told apart: more means that there is no interval.
const KINDS_MAX: usize = 10_000;

/// A candle between its neighbours, as far as times matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    /// How long the candle is by the data.
    pub own: Option<i64>,
    /// From its open to the next one's; above 0.
    pub step: Option<i64>,
}

impl Span {
    /// How long the candle is where most are `interval_ms` long.
    pub(super) fn length(self, interval_ms: i64) -> i64 {
        match (self.own, self.step) {
            (Some(own), Some(step)) => own.min(step),
            (Some(own), None) => own,
            (None, Some(step)) if is_next(step, interval_ms) => step,
            (None, Some(_) | None) => interval_ms,
        }
    }
}

/// Whether a candle that opens `step` after another follows it at once.
fn is_next(step: i64, interval_ms: i64) -> bool {
    step <= interval_ms || (interval_ms >= CALENDAR_MS && step <= interval_ms + interval_ms / 10)
}

/// How many candles are missing in a hole of `hole_ms`.
pub(super) fn missing_in(hole_ms: i64, interval_ms: i64) -> u64 {
    if interval_ms <= 0 || hole_ms <= 0 {
        return 0;
    }
    let mut count = hole_ms / interval_ms;
    if interval_ms >= CALENDAR_MS {
        // A month of 28 days is one of 31, and a day of 23 hours is one of 24.
        let nearest = (hole_ms + interval_ms / 2) / interval_ms;
        if (hole_ms - nearest * interval_ms).abs() <= nearest * interval_ms / 10 {
            count = nearest;
        }
    }
    u64::try_from(count).unwrap_or_default()
}

/// Whether both are months.
pub(super) fn are_months(a: i64, b: i64) -> bool {
    let months = 28 * 24 * 3_600_000..=31 * 24 * 3_600_000;
    months.contains(&a) && months.contains(&b)
}

/// How often a length is there, and the line where it is there first.
#[derive(Debug, Clone, Copy)]
struct Kind {
    count: u64,
    line: u64,
}

/// Lengths by how often they are there.
#[derive(Debug, Clone, Default)]
struct Lengths {
    kinds: BTreeMap<i64, Kind>,
    /// The last one, counted apart: mostly all are alike.
    run: Option<(i64, Kind)>,
    full: bool,
}

impl Lengths {
    fn add(&mut self, length: i64, line: u64) {
        match &mut self.run {
            Some((same, kind)) if *same == length => kind.count += 1,
            run => {
                let ended = run.replace((length, Kind { count: 1, line }));
                self.take(ended);
            }
        }
    }

    fn take(&mut self, run: Option<(i64, Kind)>) {
        let Some((length, Kind { count, line })) = run else { return };
        if self.kinds.len() >= KINDS_MAX && !self.kinds.contains_key(&length) {
            self.full = true;
            return;
        }
        self.kinds.entry(length).or_insert(Kind { count: 0, line }).count += count;
    }

    fn finish(&mut self) {
        let run = self.run.take();
        self.take(run);
    }

    /// The length that is there most often; of equally many the smallest.
    fn most_frequent(&self) -> Option<i64> {
        self.kinds.iter().rev().max_by_key(|(_, kind)| kind.count).map(|(length, _)| *length)
    }

    /// The smallest length, if all others are multiples of it.
    fn grid(&self) -> Option<i64> {
        let smallest = *self.kinds.keys().next()?;
        (smallest > 0 && self.kinds.keys().all(|length| length % smallest == 0)).then_some(smallest)
    }

    /// The length that is there most often, if few are no multiples of it: a candle that an outage cut to its half says
    /// nothing of the others.
    fn usual(&self) -> Option<i64> {
        let usual = self.most_frequent().filter(|usual| *usual > 0)?;
        let times = self.kinds.get(&usual)?.count;
        let odd = self.kinds.iter().filter(|(length, _)| *length % usual != 0).map(|(_, kind)| kind.count).sum::<u64>();
        (odd <= times / 5 && odd <= 2 + times / 50).then_some(usual)
    }
}

/// What a file's candles say of their lengths.
#[derive(Debug, Clone, Default)]
pub(super) struct Intervals {
    /// Own lengths.
    own: Lengths,
    /// Between the own end of a candle and the next one.
    holes: Lengths,
    /// From open to open, of candles that tell no length.
    steps: Lengths,
}

/// What came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// How long most candles are.
    pub interval_ms: i64,
    /// How long the last one is at least, as far as the candles before it tell.
    pub last_ms: i64,
    /// Holes with at least one candle missing.
    pub gaps: u64,
    pub missing: u64,
    /// The line of the first candle after a gap.
    pub first_gap: Option<u64>,
}

/// Most steps are no interval.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Irregular {
    /// The most frequent step.
    pub interval_ms: i64,
    /// How often it, or a multiple of it, is there.
    pub regular: u64,
    pub steps: u64,
    /// The line of the first step that is neither.
    pub line: u64,
}

impl Intervals {
    /// Takes note of a candle and the step to the next one, which stands on `line`.
    pub(super) fn add(&mut self, span: Span, line: u64) {
        match span {
            Span { own: Some(own), step: Some(step) } => {
                self.own.add(own.min(step), line);
                if step > own {
                    self.holes.add(step - own, line);
                }
            }
            Span { own: Some(own), step: None } => self.own.add(own, line),
            Span { own: None, step: Some(step) } => self.steps.add(step, line),
            Span { own: None, step: None } => {}
        }
    }

    /// What the candles say together; nothing where they tell no length.
    pub(super) fn finish(&mut self) -> Result<Option<Found>, Irregular> {
        for lengths in [&mut self.own, &mut self.holes, &mut self.steps] {
            lengths.finish();
        }
        let by_steps = self.steps.usual().or_else(|| self.steps.grid()).or_else(|| self.steps.most_frequent());
        let Some(interval_ms) = self.own.most_frequent().or(by_steps) else { return Ok(None) };
        self.check(interval_ms)?;
        let mut found =
            Found { interval_ms, last_ms: self.smallest(interval_ms), gaps: 0, missing: 0, first_gap: None };
        let steps = self.steps.kinds.iter().filter(|(step, _)| !is_next(**step, interval_ms));
        let holes = steps.map(|(step, kind)| (*step - interval_ms, kind));
        for (hole, kind) in holes.chain(self.holes.kinds.iter().map(|(hole, kind)| (*hole, kind))) {
            let missing = missing_in(hole, interval_ms);
            if missing > 0 {
                found.gaps += kind.count;
                found.missing += missing * kind.count;
                found.first_gap = Some(found.first_gap.map_or(kind.line, |line| line.min(kind.line)));
            }
        }
        Ok(Some(found))
    }

    /// Whether the candles are as long by `guessed` as by `interval_ms`, the last one apart. Once they are all counted.
    pub(super) fn are_alike(&self, guessed: i64, interval_ms: i64) -> bool {
        let length = |step: i64, interval_ms| Span { own: None, step: Some(step) }.length(interval_ms);
        guessed == interval_ms
            || self.steps.kinds.keys().all(|step| length(*step, guessed) == length(*step, interval_ms))
    }

    /// A step that is almost an interval: the shortest month, where most have 31 days.
    fn smallest(&self, interval_ms: i64) -> i64 {
        let near = |step: &i64| *step >= interval_ms - interval_ms / 10;
        let calendar = interval_ms >= CALENDAR_MS;
        let shortest = self.steps.kinds.keys().copied().find(|step| calendar && near(step));
        shortest.unwrap_or(interval_ms).min(interval_ms)
    }

    /// Refuses steps of which most fit no interval: then they are no candles of one length.
    fn check(&self, interval_ms: i64) -> Result<(), Irregular> {
        let fits =
            |step: i64| step % interval_ms == 0 || (interval_ms >= CALENDAR_MS && is_calendar(step, interval_ms));
        let (mut steps, mut regular, mut first) = (0, 0, None::<u64>);
        for (step, kind) in &self.steps.kinds {
            steps += kind.count;
            if fits(*step) {
                regular += kind.count;
            } else {
                first = Some(first.map_or(kind.line, |line| line.min(kind.line)));
            }
        }
        // Past the bound not each step is counted, so nothing could be said of what is missing.
        let full = [&self.own, &self.holes, &self.steps].iter().any(|lengths| lengths.full);
        if full || regular * 2 < steps {
            return Err(Irregular { interval_ms, regular, steps, line: first.unwrap_or(1) });
        }
        Ok(())
    }
}

/// Whether a step is one or more candles of a calendar.
fn is_calendar(step: i64, interval_ms: i64) -> bool {
    let nearest = (step + interval_ms / 2) / interval_ms;
    nearest > 0 && (step - nearest * interval_ms).abs() <= nearest * interval_ms / 10
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;
    const DAY: i64 = 24 * HOUR;

    fn by_steps(steps: &[i64]) -> Result<Option<Found>, Irregular> {
        let mut intervals = Intervals::default();
        for (line, step) in (3..).zip(steps) {
            intervals.add(Span { own: None, step: Some(*step) }, line);
        }
        intervals.finish()
    }

    fn found(steps: &[i64]) -> (i64, u64, u64, Option<u64>) {
        let found = by_steps(steps).unwrap().unwrap();
        (found.interval_ms, found.gaps, found.missing, found.first_gap)
    }

    #[test]
    fn on_a_grid_the_smallest_step_is_the_interval_and_larger_ones_are_gaps() {
        assert_eq!(found(&[120, 60, 60, 180, 60]), (60, 2, 3, Some(3)));
        assert_eq!(found(&[60, 120, 120]), (60, 2, 2, Some(4)));
        assert_eq!(by_steps(&[]), Ok(None));
    }

    #[test]
    fn an_outage_moves_candles_off_the_grid() {
        assert_eq!(found(&[HOUR, HOUR, 32 * HOUR + 1_695_000, HOUR]), (HOUR, 1, 31, Some(5)));
        // The last candle before the grid is taken up again is cut short.
        assert_eq!(found(&[HOUR, HOUR, 1_905_000, HOUR]), (HOUR, 0, 0, None));
        assert_eq!(found(&[60_000, 90_000, 60_000]), (60_000, 0, 0, None));
    }

    #[test]
    fn a_candle_that_was_cut_to_its_half_leaves_the_others_as_long_as_they_are() {
        let mut steps = vec![HOUR; 20];
        steps.extend([HOUR / 2, 5 * HOUR / 2]);
        assert_eq!(found(&steps), (HOUR, 1, 1, Some(24)));
        steps.extend([HOUR / 2; 2]);
        assert_eq!(found(&steps).0, HOUR / 2, "what comes again and again is no exception");
        // Of a market with little trade the shortest step may be rare, but the others are no multiples of a longer one.
        let thin: Vec<_> =
            [1, 2, 3, 5, 7].into_iter().flat_map(|step| vec![step * 60; if step == 1 { 1 } else { 12 }]).collect();
        assert_eq!(found(&thin).0, 60);
    }

    #[test]
    fn a_calendar_is_no_grid() {
        let months = [31, 29, 31, 30, 31, 30, 31, 31, 30, 31].map(|days| days * DAY);
        assert_eq!(found(&months), (31 * DAY, 0, 0, None));
        // June, and then November and December, are missing.
        let holes = [31, 29, 31, 30, 61, 31, 31, 91].map(|days| days * DAY);
        assert_eq!(found(&holes), (31 * DAY, 2, 3, Some(7)));
        assert_eq!(found(&[24, 24, 23, 24, 47, 24, 25].map(|hours| hours * HOUR)), (DAY, 1, 1, Some(7)));
    }

    #[test]
    fn own_ends_tell_all() {
        let mut intervals = Intervals::default();
        let hour = |step| Span { own: Some(HOUR), step };
        intervals.add(hour(Some(HOUR)), 2);
        intervals.add(hour(Some(32 * HOUR + 1_695_000)), 3);
        intervals.add(hour(Some(HOUR)), 4);
        intervals.add(hour(None), 5);
        let expected = Found { interval_ms: HOUR, last_ms: HOUR, gaps: 1, missing: 31, first_gap: Some(3) };
        assert_eq!(intervals.finish(), Ok(Some(expected)));
    }

    #[test]
    fn steps_of_no_interval_are_refused() {
        let irregular = by_steps(&[60, 70, 85, 60, 97, 111]).unwrap_err();
        assert_eq!(irregular, Irregular { interval_ms: 60, regular: 2, steps: 6, line: 4 });
        let many: Vec<i64> = (0..20_000).map(|n| 60_000 + n * 7).collect();
        assert!(by_steps(&many).is_err());
    }

    #[test]
    fn a_candle_ends_where_the_data_say_and_never_in_the_next() {
        for (own, step, length) in [
            (Some(50), Some(60), 50),
            (Some(70), Some(60), 60),
            (Some(50), None, 50),
            (None, Some(40), 40),
            (None, Some(90), 60),
            (None, None, 60),
        ] {
            assert_eq!(Span { own, step }.length(60), length, "{own:?} {step:?}");
        }
        assert_eq!(Span { own: None, step: Some(25 * HOUR) }.length(DAY), 25 * HOUR);
    }
}
