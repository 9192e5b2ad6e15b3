//! What is run for a strategy that is a process, and by what name it is known.

use std::time::Duration;

use crds::roles::StrategySpec;
use crds::strategy::ProcessStrategy;
use engine::instrument::Instruments;
use engine::running_hash::RunningHash;
use engine::strategies::process::messages::{InstrumentRules, Mode, Start};
use serde_json::value::{RawValue, to_raw_value};

use super::files::{hash_files, placed};

/// The variable that bounds the ticks of a batch. It changes no trade.
const WINDOW_MAX: &str = "GLM_PROCESS_BATCH";
/// That bound where nothing is said.
const WINDOW_USUAL: usize = 256;

/// A program with its parameters.
#[derive(Debug, Clone)]
pub(crate) struct Program {
    name: String,
    process: ProcessStrategy,
    command: Vec<String>,
    id: String,
}

impl Program {
    /// That of a strategy; `None` where it is no process.
    pub fn of(spec: &StrategySpec) -> Option<Self> {
        let process = spec.spec.strategy.process.clone()?;
        let folder = spec.source_folder.as_deref();
        let command = process.command.iter().map(|argument| placed(argument, folder)).collect();
        let mut id = RunningHash::default();
        id.update(serde_json::to_string(&process).unwrap_or_default().as_bytes());
        hash_files(spec, &mut id);
        Some(Self { name: spec.name.clone(), process, command, id: id.hex() })
    }

    /// The strategy's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Names what is run and its parameters: another name is another program.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// What is run.
    pub fn command(&self) -> Vec<String> {
        self.command.clone()
    }

    /// How long an answer may take.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(u64::from(self.process.timeout_ms))
    }

    /// The most ticks that are told at once.
    pub fn window_max() -> usize {
        let said = std::env::var(WINDOW_MAX).ok().and_then(|said| said.parse().ok());
        said.unwrap_or(WINDOW_USUAL).max(1)
    }

    /// What it is told first. `state` is what it answered last.
    pub fn start(
        &self,
        mode: Mode,
        instruments: &Instruments,
        state: Option<String>,
    ) -> Result<Start, serde_json::Error> {
        let rules = instruments.iter().map(|(_, one)| InstrumentRules {
            symbol: one.symbol.to_string(),
            tick_size: one.tick_size,
            lot_size: one.lot_size,
            min_notional: one.min_notional,
        });
        Ok(Start {
            strategy: self.name.clone(),
            mode,
            parameters: to_raw_value(&self.process.parameters)?,
            instruments: rules.collect(),
            state: state.map(RawValue::from_string).transpose()?,
        })
    }
}
