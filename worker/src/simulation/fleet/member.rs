//! One strategy of a fleet: its record, its worker, its books counted anew, and what of them must hold whenever nothing is
//! under way.

use std::collections::BTreeSet;

use bus::{StateStore, Topic};
use crds::TradingStrategySpec;
use crds::record::{POSITION, REPORT};
use crds::roles::{StrategyDesired, transfers};
use engine::Engine;
use engine::fees::PaidIn;
use engine::messages::{Fill, RiskAlert};
use engine::report::{Report, Trade};
use engine::risk::{Release, RiskState};
use engine::strategies::DesiredState;
use engine::transfers::{WantedTransfer, WantedTransfers};
use rust_decimal::Decimal;
use serde_json::Value;

use super::super::account::{Account, Role, at_once};
use super::auditor::{Books, Rates};
use super::pairs::{Pairs, Shape};
use crate::roles::saved;

/// One strategy.
pub(super) struct Member {
    pub account: Account,
    pub worker: Role,
    pub books: Books,
    /// What a human has released, while it is not done.
    asked: Option<Release>,
    /// The transfers that are asked for.
    pub wanted: WantedTransfers,
    /// A human has interfered, which `backtest` does not know of.
    pub is_touched: bool,
    /// How often that was done.
    releases: usize,
    seen: BTreeSet<String>,
    /// While something is latched: how many buys were asked for when that was seen.
    buys_while_latched: Option<u64>,
    /// Where a human wants it to be.
    pub state: DesiredState,
    /// While it is paused: how many orders had been asked for when that was wanted, but for sales because of a limit.
    opened_while_paused: Option<u64>,
}

/// What a human does to a strategy at once.
#[derive(Debug, Default)]
pub(super) struct Wish {
    pub release: Option<Release>,
    /// So much cash is put in or taken out.
    pub amount: Option<&'static str>,
    pub state: Option<DesiredState>,
    /// Another spec, and whether only a new worker follows it.
    pub spec: Option<(TradingStrategySpec, bool)>,
}

impl Wish {
    pub const fn is_none(&self) -> bool {
        self.release.is_none() && self.amount.is_none() && self.state.is_none() && self.spec.is_none()
    }
}

/// The bounds and levels of a ladder.
pub(super) fn shape(spec: &TradingStrategySpec) -> Option<Shape> {
    let written = serde_json::to_value(&spec.strategy).unwrap();
    let ladder = written.get("ladder")?;
    let bound = |name: &str| ladder[name].to_string().trim_matches('"').parse().unwrap();
    let levels = u32::try_from(ladder["levels"].as_u64().unwrap()).unwrap();
    Some(Shape { lower: bound("lowerPrice"), upper: bound("upperPrice"), levels })
}

impl Member {
    pub fn at(account: Account, price: Decimal) -> Self {
        let worker = account.start_paper_worker(1);
        let spec = &account.spec;
        let fees = spec.account.fees();
        let rate = |percent: &Value| percent.as_str().unwrap_or("0").parse::<Decimal>().unwrap() / Decimal::ONE_HUNDRED;
        let written = serde_json::to_value(&fees).unwrap();
        let rates = Rates {
            maker: rate(&written["makerPercent"]),
            taker: rate(&written["takerPercent"]),
            received: fees.paid_in == PaidIn::Received,
        };
        let amount = |asset: &str| {
            let asset = asset.parse().unwrap();
            spec.spec.capital.get(&asset).map_or(Decimal::ZERO, |amount| amount.get())
        };
        let pairs = shape(&spec.spec).map(|shape| Pairs::of(shape, Decimal::new(1, 2)));
        let books = Books::opening((amount("BNB"), amount("USDT")), price, rates, pairs);
        Self {
            wanted: transfers(&account.spec.spec, account.spec.generation),
            account,
            worker,
            books,
            asked: None,
            is_touched: false,
            releases: 0,
            seen: BTreeSet::new(),
            buys_while_latched: None,
            state: DesiredState::Running,
            opened_while_paused: None,
        }
    }

    /// The number of the last tick that its record has.
    pub fn position(&self) -> Option<Value> {
        self.account.field(&self.account.strategy, POSITION)
    }

    pub fn report(&self) -> Report {
        serde_json::from_value(self.account.field(&self.account.strategy, REPORT).unwrap()).unwrap()
    }

    pub fn engine(&self) -> Engine {
        let record = at_once(self.account.bus.record(&self.account.strategy)).unwrap().unwrap();
        let Account { spec, ledger, registry, .. } = &self.account;
        saved::engine(spec, ledger, Some(&record.fields), registry).unwrap()
    }

    pub fn trades(&self) -> Vec<String> {
        let fills = self.account.bus.committed(&self.account.topic(Topic::OrderFill)).into_iter();
        let fills = fills.map(|fill| serde_json::from_value::<Fill>(fill).unwrap());
        let own = fills.filter(|fill| fill.ledger.as_str() == self.account.ledger);
        own.map(|fill| Trade::of(&fill, fill.tick_sequence.unwrap()).line()).collect()
    }

    /// What has latched since the last audit; `Err` tells what does not hold.
    pub fn audit(&mut self, price: Decimal) -> Result<Vec<String>, String> {
        let report = self.report();
        let account = &self.account;
        let sub_account = account.field(&account.gateway, &format!("book:{}", account.ledger)).unwrap_or_default();
        self.books.agree(&self.engine(), &serde_json::to_value(&report).unwrap(), &sub_account, price);
        if !report.risk.reason.is_empty() && report.risk.state == RiskState::Halted {
            return Err(format!("it is halted: {}", report.risk.reason));
        }
        if let Some(first) = self.books.findings.first() {
            return Err(format!("{first}, and {} more", self.books.findings.len() - 1));
        }
        if report.transfers.len() != self.wanted.list.len() {
            return Err(format!("of {} transfers {} are decided", self.wanted.list.len(), report.transfers.len()));
        }
        if self.opened_while_paused.is_some_and(|before| before != self.books.opened) {
            return Err("it was paused, and sent an order".to_owned());
        }
        let mut met = self.follow_release(&report)?;
        if report.risk.state != RiskState::AllowAll {
            met.push(format!("{:?}", report.risk.state));
        }
        let latched = report.latched();
        if self.buys_while_latched.is_some_and(|before| before != self.books.buys) {
            return Err("it was latched, and bought".to_owned());
        }
        self.buys_while_latched = (!latched.is_empty()).then_some(self.books.buys);
        for latch in latched {
            if self.seen.insert(format!("{} {}", latch.name, latch.since.millis())) {
                met.push(latch.name);
            }
        }
        Ok(met)
    }

    /// What was released is latched no more, and was told once.
    fn follow_release(&mut self, report: &Report) -> Result<Vec<String>, String> {
        let Some(asked) = self.asked.take() else { return Ok(Vec::new()) };
        self.releases += 1;
        let alerts = self.account.bus.committed(&self.account.topic(Topic::RiskAlert)).into_iter();
        let alerts = alerts.map(|alert| serde_json::from_value::<RiskAlert>(alert).unwrap());
        let own = alerts.filter(|alert| alert.ledger.as_str() == self.account.ledger);
        let told = own.filter(|alert| alert.message.contains("its measure starts anew")).count();
        if report.latched().contains(&asked) || told != self.releases {
            return Err(format!("{asked} was released {told} times in all, of {}", self.releases));
        }
        Ok(vec!["Released".to_owned()])
    }

    /// Nothing is under way, so it is followed before the next tick is taken.
    pub fn ask(&mut self, wish: Wish) {
        self.account.spec.generation += 1;
        let generation = self.account.spec.generation;
        self.wanted.generation = generation;
        if let Some(amount) = wish.amount {
            let id = format!("later{generation}");
            let (asset, amount) = ("USDT".parse().unwrap(), amount.parse().unwrap());
            self.wanted.list.push(WantedTransfer { id, asset, amount });
        }
        self.state = wish.state.unwrap_or(self.state);
        let needs_another = wish.spec.as_ref().is_some_and(|(_, needs_another)| *needs_another);
        if let Some((spec, _)) = wish.spec {
            self.edit(spec);
        }
        let desired = StrategyDesired {
            state: self.state,
            release: wish.release.clone(),
            transfers: Some(self.wanted.clone()),
            ..StrategyDesired::of(&self.account.spec.spec, generation)
        };
        let owner = self.account.strategy.clone();
        self.account.register(&owner, &desired);
        if needs_another {
            self.worker = self.account.start_paper_worker(self.worker.epoch + 1);
        }
        // Without it a worker whose ticks bring nothing looks when these are stored, which is by the machine's clock.
        self.account.nudge(&owner);
        self.is_touched = true;
        if wish.release.is_some() {
            (self.asked, self.buys_while_latched) = (wish.release, None);
        }
        self.opened_while_paused = (self.state == DesiredState::Paused).then_some(self.books.opened);
    }

    fn edit(&mut self, spec: TradingStrategySpec) {
        let (before, after) = (shape(&self.account.spec.spec), shape(&spec));
        self.account.spec.spec = spec;
        // The next worker goes on behind what is stored.
        let next = self.position().and_then(|position| Some(position.as_u64()? + 1));
        if let (Some(shape), Some(next)) = (after.filter(|_| before != after), next) {
            self.books.will_start_anew(next, shape);
        }
    }
}
