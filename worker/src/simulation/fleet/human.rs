//! A human who interferes with a fleet while nothing is under way: releases what is latched, moves money, pauses and resumes,
//! and edits bounds and parameters. `backtest` knows nothing of it.

use crds::TradingStrategySpec;
use crds::roles::{GatewayDesired, Stance};
use engine::risk::Release;
use engine::strategies::DesiredState;
use serde_json::{Value, json};

use super::drawn;
use super::member::Wish;
use super::story::{Fleet, book};

impl Fleet {
    /// Does something to some strategies.
    pub fn interfere(&mut self) {
        if self.is_untouched {
            return;
        }
        let mut has_switched = false;
        for place in 0..self.members.len() {
            let (release, amount) = (self.released(place), self.amount());
            let state = self.switched(place);
            // What a paused ladder has cancelled already would not be told from what it cancels because it is edited.
            let spec = if state.is_none() { self.spec(place) } else { None };
            has_switched |= state.is_some();
            let wish = Wish { release, amount, state, spec };
            if !wish.is_none() {
                self.members[place].ask(wish);
            }
        }
        if has_switched {
            self.tell_gateway();
        }
    }

    fn released(&mut self, place: usize) -> Option<Release> {
        let mut latched = self.members[place].report().latched();
        if latched.is_empty() || !self.chance.one_in(2) {
            return None;
        }
        let which = usize::try_from(self.chance.below(latched.len() as u64)).unwrap();
        Some(latched.swap_remove(which))
    }

    /// Cash alone: which trades stand before it, and which behind it, makes no difference to what it is worth.
    fn amount(&mut self) -> Option<&'static str> {
        self.chance.one_in(4).then(|| self.chance.pick(&["120", "7.25", "-40", "-300", "-90000"]))
    }

    fn switched(&mut self, place: usize) -> Option<DesiredState> {
        let (state, what) = match self.members[place].state {
            DesiredState::Running => (DesiredState::Paused, "Paused"),
            DesiredState::Paused | DesiredState::Stopped => (DesiredState::Running, "Resumed"),
        };
        let does = self.chance.one_in(if state == DesiredState::Paused { 8 } else { 2 });
        if does {
            self.meet(what);
        }
        does.then_some(state)
    }

    /// Another spec, and whether only a new worker follows it.
    fn spec(&mut self, place: usize) -> Option<(TradingStrategySpec, bool)> {
        if !self.chance.one_in(4) {
            return None;
        }
        let mut spec = self.members[place].account.spec.spec.clone();
        if self.chance.one_in(2) {
            let name = self.members[place].account.spec.name.clone();
            spec.risk = serde_json::from_value(drawn::limits(&mut self.chance, &name)).unwrap();
            spec.exit = serde_json::from_value(drawn::exit(&mut self.chance)).unwrap();
            self.meet("EditedBounds");
            return Some((spec, false));
        }
        if self.members[place].state != DesiredState::Running {
            return None;
        }
        let mut strategy = serde_json::to_value(&spec.strategy).unwrap();
        let what = self.edit(&mut strategy)?;
        spec.strategy = serde_json::from_value(strategy).unwrap();
        self.meet(what);
        Some((spec, true))
    }

    /// Other parameters, if the strategy has some.
    fn edit(&mut self, strategy: &mut Value) -> Option<&'static str> {
        if let Some(ladder) = strategy.get_mut("ladder") {
            let trails = ladder["trailingUp"] == true;
            let price = self.dollars();
            let bounds = drawn::bounds(&mut self.chance, price, trails);
            ladder.as_object_mut().unwrap().extend(bounds.as_object().unwrap().clone());
            return Some("EditedLadder");
        }
        let (kind, other) = if strategy.get("grid").is_some() {
            ("grid", json!({"gridSizePercent": self.chance.pick(&["0.2", "0.5", "1.1"])}))
        } else {
            let target = self.chance.pick(&["10", "25", "40"]);
            ("positionControl", json!({"sellTargetPercent": target}))
        };
        strategy.get_mut(kind)?.as_object_mut().unwrap().extend(other.as_object().unwrap().clone());
        Some("EditedParameters")
    }

    /// The gateway's register follows those of the strategies, with or without a nudge: it may hear of it after they do.
    fn tell_gateway(&mut self) {
        let stance = |state: DesiredState| match state {
            DesiredState::Running => Stance::Open,
            DesiredState::Paused => Stance::StopOpening,
            DesiredState::Stopped => Stance::CancelOrders,
        };
        let books = self.members.iter().map(|member| book(&member.account, stance(member.state)));
        let desired = GatewayDesired::of(books.collect());
        let owner = self.first().gateway.clone();
        self.members[0].account.register(&owner, &desired);
        if self.chance.one_in(2) {
            self.first().nudge(&owner);
        }
    }
}
