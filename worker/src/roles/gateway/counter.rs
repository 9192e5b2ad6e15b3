//! A gateway's order manager and the simulated exchange of one ledger face to face, without a bus: what `backtest` trades
//! through.

use engine::fees::Fees;
use engine::messages::{OrderCommand, Tick};
use engine::numbers::NumberError;
use venue::sim::Exchange;

use super::manager::{OrderManager, Verdict};
use super::order::News;
use super::sub_account::SubAccount;
use crds::roles::{BookSpec, GatewayDesired};

/// The same judgement, the same sub-accounts and the same news as the role's.
#[derive(Debug)]
pub(crate) struct Counter {
    manager: OrderManager,
    exchange: Exchange,
}

impl Counter {
    /// A counter with one sub-account.
    pub fn new(fees: &Fees, exchange: Exchange, book: BookSpec) -> Result<Self, NumberError> {
        let mut manager = OrderManager::new(fees);
        manager.open(&book.ledger, SubAccount::opening(&book)?, 0);
        // With an empty order manager nothing is forgotten.
        let _ = manager.register(&GatewayDesired::of(vec![book]));
        Ok(Self { manager, exchange })
    }

    /// What rests, held against a tick.
    pub fn match_resting(&mut self, tick: &Tick) -> News {
        if self.exchange.is_idle() { News::new() } else { self.manager.match_resting(&mut self.exchange, tick) }
    }

    /// Whether nothing trades and nothing arrives on a tick, whatever is sent on it.
    pub fn is_quiet(&self, tick: &Tick) -> bool {
        self.exchange.is_idle() || !(self.exchange.is_touched(tick) || self.exchange.has_arrivals(tick))
    }

    /// A command on the tick that caused it.
    pub fn command(&mut self, command: &OrderCommand, tick: &Tick) -> News {
        match self.manager.judge(command, command.time) {
            Verdict::Send | Verdict::Cancel => self.manager.hand_over(&mut self.exchange, command, tick),
            Verdict::Tell(news) | Verdict::Reissued(news, _) => news,
            // Nothing is lost here: what would be told again was told, and a worker leaves it out of an order that is closed.
            Verdict::Repeat(_) | Verdict::Ask => News::new(),
            Verdict::NotRegistered => self.manager.deny_unregistered(command),
        }
    }

    /// A transfer that the ledger has booked; its answer tells nothing new here.
    pub fn follow(&mut self, transfer: &OrderCommand) {
        let _ = self.manager.judge(transfer, transfer.time);
    }

    /// Whether anything arrives on a tick.
    pub fn has_arrivals(&self, tick: &Tick) -> bool {
        self.exchange.has_arrivals(tick)
    }

    /// What arrives on a tick. Nobody keeps a record here.
    pub fn arrive(&mut self, tick: &Tick) -> News {
        let news = self.manager.arrive(&mut self.exchange, tick);
        self.manager.forget_changes();
        self.exchange.forget_changes();
        news
    }
}
