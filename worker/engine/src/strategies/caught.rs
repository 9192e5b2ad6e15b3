//! A strategy whose panics end itself alone: what unwinds out of a callback halts it, with its message, and the process goes on.
//!
//! Only what unwinds can be caught: a worker of one's own is built so unless its profile says `panic = "abort"`, as that of the
//! stock programs does. What panics inside the engine, called by the strategy, is the engine's fault and goes on unwinding:
//! its books may be half written, so nothing of them may be stored.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::process::Process;
use super::{
    BarsOf, Context, Definition, Figures, Needs, NeedsError, OrderEvent, Standing, Strategy, StrategyError, Warning,
};
use crate::fees::Fees;
use crate::instrument::{InstrumentIndex, Instruments};
use crate::market::Bar;
use crate::messages::{AlertKind, Tick};
use crate::numbers::{Price, Ratio};
use crate::running_hash::RunningHash;

/// The words of a panic that has none.
const SILENT: &str = "it panicked without words";

/// What is saved of a strategy that has panicked, around what it saves itself.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Failed {
    /// With what.
    panicked: String,
    /// Under which parameters, by their hash: under others it is called again.
    under: String,
    /// What it had saved last; null where that was nothing.
    strategy: Value,
}

/// A strategy whose panics are caught.
#[derive(Debug)]
pub(crate) struct Caught {
    inner: Box<dyn Strategy>,
    /// By their hash.
    parameters: String,
    failed: Option<Failed>,
    released: Option<AlertKind>,
}

impl Caught {
    /// Starts a strategy of this definition. One that has panicked under these parameters is called no more.
    pub fn start(
        definition: &Definition,
        given: &Value,
        snapshot: Option<&Value>,
    ) -> Result<Box<dyn Strategy>, StrategyError> {
        let parameters = RunningHash::of(&given.to_string());
        // A list of three would read as one too, and is what some strategy saves.
        let failed = snapshot.filter(|saved| saved.is_object()).and_then(|saved| Failed::deserialize(saved).ok());
        let saved = match &failed {
            Some(failed) => Some(&failed.strategy).filter(|saved| !saved.is_null()),
            None => snapshot,
        };
        let inner = (definition.start)(given, saved)?;
        let released = failed.as_ref().filter(|failed| failed.under != parameters).map(|_| AlertKind::StrategyCrashed);
        let failed = failed.filter(|_| released.is_none());
        Ok(Box::new(Self { inner, parameters, failed, released }))
    }

    /// Calls it, unless it has panicked before.
    fn call(&mut self, callback: impl FnOnce(&mut dyn Strategy)) {
        if self.failed.is_none()
            && let Err(panicked) = catch_unwind(AssertUnwindSafe(|| callback(&mut *self.inner)))
        {
            self.fail(panicked.as_ref());
        }
    }

    /// The same for a callback that may act.
    fn call_with(&mut self, context: &mut Context<'_>, callback: impl FnOnce(&mut dyn Strategy, &mut Context<'_>)) {
        if self.failed.is_some() {
            return;
        }
        if let Err(panicked) = catch_unwind(AssertUnwindSafe(|| callback(&mut *self.inner, context))) {
            if context.is_at_work() {
                resume_unwind(panicked);
            }
            self.fail(panicked.as_ref());
        }
    }

    fn fail(&mut self, panicked: &(dyn Any + Send)) {
        let text = panicked.downcast_ref::<&str>().map(|text| (*text).to_owned());
        let words = text.or_else(|| panicked.downcast_ref::<String>().cloned()).unwrap_or_else(|| SILENT.to_owned());
        // What it remembers may be half changed, but is all that there is of it.
        let strategy = catch_unwind(AssertUnwindSafe(|| self.inner.snapshot().unwrap_or(Value::Null)));
        let strategy = strategy.unwrap_or(Value::Null);
        self.failed = Some(Failed { panicked: words, under: self.parameters.clone(), strategy });
    }
}

impl Strategy for Caught {
    fn needs(&self) -> Needs {
        self.inner.needs()
    }

    fn needs_of(&self, instruments: &Instruments) -> Result<Needs, NeedsError> {
        self.inner.needs_of(instruments)
    }

    fn process(&mut self) -> Option<&mut Process> {
        self.inner.process()
    }

    fn failure(&self) -> Option<(AlertKind, &str)> {
        let own = self.failed.as_ref().map(|failed| (AlertKind::StrategyCrashed, failed.panicked.as_str()));
        own.or_else(|| self.inner.failure())
    }

    fn take_released(&mut self) -> Option<AlertKind> {
        self.released.take().or_else(|| self.inner.take_released())
    }

    fn on_bar(&mut self, bar: &Bar, of: BarsOf, context: &mut Context<'_>) {
        self.call_with(context, |strategy, context| strategy.on_bar(bar, of, context));
    }

    fn on_warming_up(&mut self) {
        self.call(|strategy| strategy.on_warming_up());
    }

    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        self.call_with(context, |strategy, context| strategy.on_tick(tick, context));
    }

    fn on_order(&mut self, event: &OrderEvent, context: &mut Context<'_>) {
        self.call_with(context, |strategy, context| strategy.on_order(event, context));
    }

    fn on_round(&mut self, context: &mut Context<'_>) {
        self.call_with(context, |strategy, context| strategy.on_round(context));
    }

    fn on_gap(&mut self, instrument: InstrumentIndex) {
        self.call(|strategy| strategy.on_gap(instrument));
    }

    fn explain(&self, reason: &str) -> String {
        self.inner.explain(reason)
    }

    fn warnings(&self, first: &Tick, fees: &Fees) -> Vec<Warning> {
        self.inner.warnings(first, fees)
    }

    fn found(&self) -> Vec<Warning> {
        self.inner.found()
    }

    fn alerts(&self) -> Vec<AlertKind> {
        self.inner.alerts()
    }

    fn described(&self, instruments: &Instruments) -> String {
        self.inner.described(instruments)
    }

    fn start_line(&self, first: Price, instruments: &Instruments) -> Option<String> {
        self.inner.start_line(first, instruments)
    }

    fn outlook(&self, price: Price, instruments: &Instruments) -> Option<String> {
        self.inner.outlook(price, instruments)
    }

    fn max_slippage(&self) -> Option<Ratio> {
        self.inner.max_slippage()
    }

    fn snapshot(&self) -> Result<Value, serde_json::Error> {
        self.failed.as_ref().map_or_else(|| self.inner.snapshot(), serde_json::to_value)
    }

    fn figures(&self) -> Figures {
        self.inner.figures()
    }

    fn outcome(&self) -> Figures {
        self.inner.outcome()
    }

    fn figures_at(&self, standing: &Standing) -> Figures {
        self.inner.figures_at(standing)
    }

    fn outcome_at(&self, standing: &Standing) -> Figures {
        self.inner.outcome_at(standing)
    }
}
