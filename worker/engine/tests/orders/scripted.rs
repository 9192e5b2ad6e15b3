//! A strategy that acts as its parameters say, and remembers what it was told.

use std::collections::BTreeMap;

use engine::instrument::InstrumentIndex;
use engine::messages::{OrderCommand, OrderStatus, OrderUpdate, Side, Tick, TimeInForce};
use engine::numbers::Ratio;
use engine::risk::PositionBounds;
use engine::strategies::{
    Context, Definition, Figures, Intent, OrderEvent, OrderKind, OrderNews, OrderSize, Outcome, Purpose, Strategy,
    StrategyError,
};
use engine::{Config, Effect, Engine};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::bench::{USUAL, commands, config, step_tick, step_update, tick};

/// One action.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Action {
    Place(Wanted),
    Cancel(u64),
    Replace(u64, Wanted),
    Hold,
}

/// An order.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Wanted {
    pub side: Side,
    pub quantity: String,
    /// None: marketable.
    pub price: Option<String>,
    pub time_in_force: TimeInForce,
    pub tag: u32,
    pub reduce: bool,
    pub post_only: bool,
    /// Of a marketable one, in percent; none: 100.
    pub slippage: Option<String>,
}

/// A resting order.
pub fn rest(side: Side, quantity: &str, price: &str) -> Wanted {
    Wanted {
        side,
        quantity: quantity.to_owned(),
        price: Some(price.to_owned()),
        time_in_force: TimeInForce::GoodTillCanceled,
        tag: 0,
        reduce: false,
        post_only: false,
        slippage: None,
    }
}

/// What is done on each tick, and on each piece of news.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Script {
    pub ticks: Vec<Vec<Action>>,
    pub on_order: Vec<Action>,
}

#[derive(Debug)]
struct Scripted {
    script: Script,
    told: Vec<String>,
}

impl Wanted {
    fn intent(&self) -> Intent {
        let kind = match &self.price {
            None => {
                let percent = self.slippage.as_deref().unwrap_or("100").parse().unwrap();
                OrderKind::Marketable { max_slippage: Ratio::from_percent(percent) }
            }
            Some(price) => OrderKind::Limit {
                price: price.parse().unwrap(),
                time_in_force: self.time_in_force,
                post_only: self.post_only,
            },
        };
        Intent {
            instrument: InstrumentIndex::FIRST,
            side: self.side,
            size: OrderSize::Fixed(self.quantity.parse().unwrap()),
            kind,
            purpose: if self.reduce { Purpose::Reduce } else { Purpose::Open },
            tag: self.tag,
            reason: "Scripted",
            message: "as its script says".to_owned(),
        }
    }
}

impl Scripted {
    fn act(&mut self, actions: &[Action], context: &mut Context<'_>) {
        for action in actions {
            let done = match action {
                Action::Place(wanted) => context.place(wanted.intent()),
                Action::Replace(of, wanted) => context.replace(*of, wanted.intent()),
                Action::Cancel(order) => {
                    context.cancel(*order);
                    continue;
                }
                Action::Hold => {
                    context.hold("Scripted");
                    continue;
                }
            };
            self.told.push(match done {
                Ok(sequence) => format!("sent {sequence}"),
                Err(denial) => denial.as_str().to_owned(),
            });
        }
    }
}

impl Strategy for Scripted {
    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        assert_eq!(context.tick().sequence, tick.sequence);
        self.told.push(format!("tick {}", tick.sequence));
        let actions = usize::try_from(tick.sequence).ok().and_then(|at| self.script.ticks.get(at)).cloned();
        self.act(&actions.unwrap_or_default(), context);
    }

    fn on_order(&mut self, event: &OrderEvent, context: &mut Context<'_>) {
        let what = match &event.news {
            OrderNews::Accepted => "accepted".to_owned(),
            OrderNews::Filled(execution) => format!("filled {} @ {}", execution.quantity, execution.price),
            OrderNews::Closed(Outcome::Traded { quantity, .. }) => format!("closed with {quantity}"),
            OrderNews::Closed(Outcome::Nothing { why }) => format!("closed: {why}"),
        };
        self.told.push(format!("{} {what} at {}", event.order, context.tick().sequence));
        let actions = self.script.on_order.clone();
        self.act(&actions, context);
    }

    fn on_gap(&mut self, _instrument: InstrumentIndex) {}
    fn snapshot(&self) -> Result<Value, serde_json::Error> {
        serde_json::to_value(&self.told)
    }
    fn outcome(&self) -> Figures {
        Figures::from([("told".to_owned(), self.told.join(", "))])
    }
}

pub const SCRIPTED: Definition = Definition {
    name: "scripted",
    instruments_max: 1,
    position_bounds: PositionBounds::Free,
    schema: || schemars::schema_for!(bool),
    start: |parameters, saved| {
        let script = Script::deserialize(parameters).unwrap();
        let read = |told| Vec::deserialize(told).map_err(|source| StrategyError::Snapshot { name: "strategy", source });
        let told = saved.map(read).transpose()?.unwrap_or_default();
        Ok(Box::new(Scripted { script, told }))
    },
};

/// The usual market with 5 BNB and 3000 USDT.
pub fn usual(script: &Script) -> Config {
    Config { parameters: json!(script), ..config(&USUAL, &json!({})) }
}

pub fn start(config: Config) -> Engine {
    Engine::new(config, &SCRIPTED).unwrap()
}

/// With these actions on the first ticks.
pub fn acting(ticks: &[&[Action]]) -> Engine {
    start(usual(&Script { ticks: ticks.iter().map(|actions| actions.to_vec()).collect(), ..Script::default() }))
}

pub fn restored(engine: &Engine, config: Config) -> Engine {
    Engine::restore(config, &SCRIPTED, &engine.snapshot().unwrap()).unwrap()
}

pub fn from_record(record: &BTreeMap<String, String>, config: Config) -> Engine {
    let fields = record.iter().map(|(name, text)| (name.as_str(), text.as_str()));
    Engine::restore_fields(config, &SCRIPTED, fields).unwrap()
}

/// Takes a tick at 600; gives the commands.
pub fn at_600(engine: &mut Engine, sequence: u64) -> Vec<OrderCommand> {
    commands(&step_tick(engine, &tick(sequence, "600".parse().unwrap())))
}

/// News of an order without a trade.
pub fn update(command: &OrderCommand, status: OrderStatus, matched: Option<u64>) -> OrderUpdate {
    OrderUpdate {
        client_order_id: command.client_order_id.clone(),
        status,
        reason: String::new(),
        cumulative_quantity: "0".parse().unwrap(),
        fill: None,
        matched,
        time: command.time,
    }
}

pub fn tell(engine: &mut Engine, command: &OrderCommand, status: OrderStatus) -> Vec<Effect> {
    step_update(engine, &update(command, status, None))
}

/// What the strategy was told and did, since the last tick that is named.
pub fn told(engine: &Engine) -> String {
    engine.report().strategy["told"].to_string()
}

/// Coins and cash that open orders may take.
pub fn reserved(engine: &Engine) -> (String, String) {
    let reserved = engine.reserved();
    (reserved.base.to_string(), reserved.quote.to_string())
}
