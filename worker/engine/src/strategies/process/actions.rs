//! What a process wants, checked as a whole before anything of it is done, and carried out as any strategy's orders are.

use super::memory::{Mark, Memory};
use super::messages::{
    ACTIONS_MAX, Action, MESSAGE_MAX, OrderEvent, OrderStatus, Place, Replace, STATE_MAX, WORD_MAX, visible,
};
use crate::instrument::{InstrumentIndex, Instruments};
use crate::messages::TimeInForce;
use crate::numbers::{Price, Quantity, Ratio};
use crate::risk::Denial;
use crate::strategies::{Context, Intent, OrderKind, OrderSize, Purpose};

/// Denials since a tick to which it may answer with orders that are denied too: as many as a tick has rounds.
pub(super) const RETRIES_MAX: u32 = Context::ROUNDS_MAX;
/// The reason of its orders.
const PLACED: &str = "ProcessOrder";

/// Why an answer is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadAction {
    /// It answers nothing.
    #[error("it has answered what it was not asked")]
    NotAsked,
    /// It is to another batch.
    #[error("batch {found} is answered where {asked} was asked")]
    Batch {
        /// The batch that it names.
        found: u64,
        /// The one that was asked.
        asked: u64,
    },
    /// It read none of the events, or more than there were.
    #[error("consumed is {consumed}; write 1 to {told}, as many events as the batch has")]
    Consumed {
        /// What it says.
        consumed: usize,
        /// How many there were.
        told: usize,
    },
    /// More than an answer may want.
    #[error("{actions} actions in one answer; write at most {ACTIONS_MAX}, and the rest on a later event")]
    Actions {
        /// How many there are.
        actions: usize,
    },
    /// It orders again on each denial, and is denied again: what it is told of that would grow without end.
    #[error(
        "it has ordered again on {RETRIES_MAX} denials since the last tick and was denied each time, last for {denial}; \
         order again on a later tick, or what the reason of the denial allows"
    )]
    Retries {
        /// Why it was denied last.
        denial: String,
    },
    /// Its state is too large.
    #[error("its state has {bytes} bytes; keep at most {STATE_MAX}")]
    State {
        /// How large it is.
        bytes: usize,
    },
    /// One of its actions cannot be.
    #[error("actions[{index}]: {problem}")]
    Action {
        /// Which one, from 0.
        index: usize,
        /// Why, with the remedy.
        problem: String,
    },
}

/// What is wanted, of known markets.
#[derive(Debug, Clone)]
pub(crate) enum Wanted {
    Place { instrument: InstrumentIndex, place: Place },
    Cancel(u64),
    Replace(Replace),
    Say { reason: String, message: String },
}

impl Wanted {
    /// Whether it can be denied.
    pub(super) const fn orders(&self) -> bool {
        matches!(self, Self::Place { .. } | Self::Replace(_))
    }
}

/// All actions of an answer, or the first that cannot be. `highest` is the highest id used.
pub(crate) fn check(actions: Vec<Action>, instruments: &Instruments, highest: u64) -> Result<Vec<Wanted>, BadAction> {
    if actions.len() > ACTIONS_MAX {
        return Err(BadAction::Actions { actions: actions.len() });
    }
    let checked = actions.into_iter().enumerate().map(|(index, action)| {
        one(action, instruments, highest).map_err(|problem| BadAction::Action { index, problem })
    });
    checked.collect()
}

fn one(action: Action, instruments: &Instruments, highest: u64) -> Result<Wanted, String> {
    let known = |id: u64| {
        let is_known = (1..=highest).contains(&id);
        if is_known { Ok(id) } else { Err(format!("no order has id {id}; write the id that an event or orders names")) }
    };
    match action {
        Action::Place(place) => {
            let instrument = market_of(place.symbol.as_deref(), instruments)?;
            placeable(&place)?;
            Ok(Wanted::Place { instrument, place })
        }
        Action::Cancel { id } => known(id).map(Wanted::Cancel),
        Action::Replace(replace) => {
            known(replace.id)?;
            Ok(Wanted::Replace(replace))
        }
        Action::Say { reason, message } => {
            let letters = |c: char| c.is_ascii_alphanumeric();
            let is_word = reason.starts_with(|c: char| c.is_ascii_alphabetic()) && reason.chars().all(letters);
            if !is_word || reason.len() > WORD_MAX {
                return Err(format!(
                    "reason {reason:.80?}: write at most {WORD_MAX} letters and digits, a letter first"
                ));
            }
            if message.chars().count() > MESSAGE_MAX {
                return Err(format!("message is longer than {MESSAGE_MAX} letters; write less"));
            }
            Ok(Wanted::Say { reason, message: visible(&message) })
        }
    }
}

fn market_of(symbol: Option<&str>, instruments: &Instruments) -> Result<InstrumentIndex, String> {
    match symbol {
        None if instruments.len() == 1 => Ok(InstrumentIndex::FIRST),
        None => Err("symbol is missing; write one of its instruments".to_owned()),
        Some(symbol) => {
            let found = instruments.iter().find(|(_, one)| one.symbol.as_str() == symbol);
            let names = || instruments.iter().map(|(_, one)| one.symbol.as_str()).collect::<Vec<_>>().join(", ");
            found
                .map(|(index, _)| index)
                .ok_or_else(|| format!("symbol {symbol:.40?} is not traded; it has {}", names()))
        }
    }
}

fn placeable(place: &Place) -> Result<(), String> {
    if place.tag.chars().count() > WORD_MAX {
        return Err(format!("tag is longer than {WORD_MAX} letters; write less"));
    }
    match (place.price, place.time_in_force) {
        (None, _) if place.post_only => Err("postOnly needs a price; write one".to_owned()),
        (None, Some(TimeInForce::GoodTillCanceled | TimeInForce::FillOrKill)) => {
            Err("without a price only IOC is possible; write a price, or leave timeInForce out".to_owned())
        }
        (Some(_), Some(TimeInForce::ImmediateOrCancel | TimeInForce::FillOrKill)) if place.post_only => {
            Err("postOnly waits in the book, IOC and FOK do not; write one of them".to_owned())
        }
        (None | Some(_), _) => Ok(()),
    }
}

/// Does all of it, in its order. What is denied is told with what happens next.
pub(crate) fn carry_out(memory: &mut Memory, wanted: Vec<Wanted>, slippage: Ratio, context: &mut Context<'_>) {
    for one in wanted {
        match one {
            Wanted::Place { instrument, place } => {
                let sent = context.place(intent_of(instrument, &place, slippage));
                conclude(memory, (place.tag, place.reduce_only), sent, context);
            }
            Wanted::Cancel(id) if memory.orders.contains_key(&id) => context.cancel(id),
            // It is closed by now, of which the process was not told yet.
            Wanted::Cancel(_) => {}
            Wanted::Replace(replace) => self::replace(memory, &replace, context),
            Wanted::Say { reason, message } => context.say(reason, message),
        }
    }
}

fn replace(memory: &mut Memory, replace: &Replace, context: &mut Context<'_>) {
    let Some((tag, reduces)) = memory.orders.get(&replace.id).map(|mark| (mark.tag.clone(), mark.reduces)) else {
        return deny(memory, String::new(), Denial::NothingToReplace);
    };
    let old = context.order(replace.id).and_then(|old| Some((old.clone(), replace.price.or(old.price)?)));
    let Some((old, price)) = old else { return deny(memory, tag, Denial::NothingToReplace) };
    let intent = Intent {
        instrument: old.instrument,
        side: old.side,
        size: OrderSize::Fixed(replace.quantity.unwrap_or(old.quantity)),
        kind: OrderKind::Limit { price, time_in_force: old.time_in_force, post_only: old.post_only },
        purpose: purpose(reduces),
        tag: 0,
        reason: PLACED,
        message: described(&tag),
    };
    let sent = context.replace(replace.id, intent);
    conclude(memory, (tag, reduces), sent, context);
}

const fn purpose(reduces: bool) -> Purpose {
    if reduces { Purpose::Reduce } else { Purpose::Open }
}

fn intent_of(instrument: InstrumentIndex, place: &Place, slippage: Ratio) -> Intent {
    let limit = |price: Price| OrderKind::Limit {
        price,
        time_in_force: place.time_in_force.unwrap_or(TimeInForce::GoodTillCanceled),
        post_only: place.post_only,
    };
    Intent {
        instrument,
        side: place.side,
        size: OrderSize::Fixed(place.quantity),
        kind: place.price.map_or(OrderKind::Marketable { max_slippage: slippage }, limit),
        purpose: purpose(place.reduce_only),
        tag: 0,
        reason: PLACED,
        message: described(&place.tag),
    }
}

fn described(tag: &str) -> String {
    if tag.is_empty() { "order of the process".to_owned() } else { format!("order {} of the process", visible(tag)) }
}

fn conclude(memory: &mut Memory, mark: (String, bool), sent: Result<u64, Denial>, context: &Context<'_>) {
    let (tag, reduces) = mark;
    match sent {
        Ok(id) => {
            if let Some(quantity) = context.order(id).map(|order| order.quantity) {
                memory.orders.insert(id, Mark { tag, quantity, filled: Quantity::ZERO, reduces });
            }
        }
        Err(denial) => deny(memory, tag, denial),
    }
}

/// Told with what happens next. What is too much at once is told once.
fn deny(memory: &mut Memory, tag: String, denial: Denial) {
    let is_told = |told: &OrderEvent| told.reason == denial.as_str();
    if denial.is_of_callback() && memory.denied.iter().any(is_told) {
        return;
    }
    let (id, status, reason) = (None, OrderStatus::Denied, denial.as_str().to_owned());
    memory.denied.push(OrderEvent { id, tag, status, reason, quantity: None, price: None, fee: None, fee_asset: None });
}
