//! A worker with one strategy more than the stock one: it buys each fall from the highest price since its last order.

use std::process::ExitCode;

use engine::instrument::InstrumentIndex;
use engine::messages::{Side, Tick};
use engine::numbers::{ExactDecimal, Price, Quantity, Ratio};
use engine::risk::PositionBounds;
use engine::strategies::{
    Context, Definition, Intent, OrderKind, OrderSize, Purpose, Registry, Strategy, StrategyError, parameters,
    remembered,
};
use serde::de::Error as _;
use serde::{Deserialize, Serialize};
use serde_json::{Value, to_value};

/// What manifests name as `custom: {name: dips}`.
const DIPS: Definition = Definition {
    name: "dips",
    instruments_max: 1,
    position_bounds: PositionBounds::Written,
    schema: || schemars::schema_for!(Parameters),
    start: |given, saved| {
        let parameters: Parameters = parameters("dips", given)?;
        parameters
            .check()
            .map_err(|said| StrategyError::Parameters { name: "dips", source: serde_json::Error::custom(said) })?;
        Ok(Box::new(Dips { parameters, memory: remembered("dips", saved)?.unwrap_or_default() }))
    },
};

/// Its parameters.
#[derive(Debug, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Parameters {
    /// How far the price must fall, in percent: more than 0, at most 50.
    fall_percent: ExactDecimal,
    /// How much is bought each time, in base.
    quantity: ExactDecimal,
}

impl Parameters {
    fn check(&self) -> Result<(), String> {
        let (zero, most) = (ExactDecimal::from_integer(0), ExactDecimal::from_integer(50));
        match self {
            Self { fall_percent, .. } if *fall_percent <= zero || *fall_percent > most => {
                Err(format!("fallPercent: {fall_percent} is out of range; write more than 0, at most 50"))
            }
            Self { quantity, .. } if *quantity <= zero => {
                Err(format!("quantity: {quantity} buys nothing; write more than 0"))
            }
            Self { .. } => Ok(()),
        }
    }
}

/// All that outlives a restart.
#[derive(Debug, Default, Serialize, Deserialize)]
struct Memory {
    high: Option<Price>,
}

#[derive(Debug)]
struct Dips {
    parameters: Parameters,
    memory: Memory,
}

impl Strategy for Dips {
    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        let high = self.memory.high.map_or(tick.price, |high| high.max(tick.price));
        self.memory.high = Some(high);
        let fallen = high.bound_below(Ratio::from_percent(self.parameters.fall_percent).below_one());
        let Ok(quantity) = Quantity::new(self.parameters.quantity.get()) else { return };
        if context.has_open_orders() || !tick.price.is_at_or_below(fallen) {
            return context.hold("WaitingForFall");
        }
        let sent = context.place(Intent {
            instrument: InstrumentIndex::FIRST,
            side: Side::Buy,
            size: OrderSize::Fixed(quantity),
            kind: OrderKind::Marketable { max_slippage: Ratio::from_percent(ExactDecimal::from_integer(1)) },
            purpose: Purpose::Open,
            tag: 0,
            reason: "Fallen",
            message: format!("fell from {high}"),
        });
        // What was denied is told by the engine, and tried again on the next tick.
        if sent.is_ok() {
            self.memory.high = Some(tick.price);
        }
    }

    fn on_gap(&mut self, _instrument: InstrumentIndex) {
        self.memory.high = None;
    }

    fn snapshot(&self) -> Result<Value, serde_json::Error> {
        to_value(&self.memory)
    }
}

fn main() -> ExitCode {
    let mut registry = Registry::standard();
    registry.register(DIPS);
    worker::main(&registry)
}

#[cfg(test)]
mod tests {
    use engine::testkit::{Bench, Market};
    use serde_json::json;

    use super::*;

    #[test]
    fn it_buys_each_fall_and_remembers_the_high() {
        let market = Market::USUAL;
        let parameters = json!({"fallPercent": 5, "quantity": "0.5"});
        let mut bench = Bench::of(&market, market.config(&parameters), &DIPS);
        bench.run("600 620 600 589.01".split(' '));
        assert_eq!(bench.trades(), [""; 0]);
        bench.restart();
        // 620 × 0.95 = 589, then 589 × 0.95 = 559.55.
        bench.run("589 560 559.55".split(' '));
        assert_eq!(bench.trades(), ["4 Buy 0.5 @ 589.00", "6 Buy 0.5 @ 559.55"]);
    }

    #[test]
    fn bad_parameters_are_refused_with_the_remedy() {
        for (given, words) in [
            (
                json!({"fallPercent": 51, "quantity": 1}),
                "fallPercent: 51 is out of range; write more than 0, at most 50",
            ),
            (json!({"fallPercent": 1, "quantity": 0}), "quantity: 0 buys nothing; write more than 0"),
            (json!({"fallPercent": 1, "quantity": 1, "fall": 1}), "unknown field `fall`"),
        ] {
            let refused = (DIPS.start)(&given, None).map(|_| ()).unwrap_err().to_string();
            assert!(refused.contains(words), "{refused}");
        }
    }
}
