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
/// As many events as a batch has.
const WINDOW_LIMIT: usize = 1_000;

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

    /// The most ticks that are told at once. `Err` says what of the environment does not read.
    pub fn window_max() -> Result<usize, String> {
        window_of(std::env::var_os(WINDOW_MAX).map(|said| said.to_string_lossy().into_owned()).as_deref())
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

fn window_of(said: Option<&str>) -> Result<usize, String> {
    let Some(said) = said else { return Ok(WINDOW_USUAL) };
    let most = said.parse().ok().filter(|most| (1..=WINDOW_LIMIT).contains(most));
    most.ok_or_else(|| {
        format!("{WINDOW_MAX} is {said:.40?}; write a whole number from 1 to {WINDOW_LIMIT}, or leave it out")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ticks_of_a_batch_are_a_number_that_can_be() {
        assert_eq!((window_of(None), window_of(Some("1")), window_of(Some("1000"))), (Ok(256), Ok(1), Ok(1_000)));
        for said in ["0", "abc", "", "-1", "1001", "2.5"] {
            let problem = window_of(Some(said)).unwrap_err();
            assert_eq!(
                problem,
                format!("GLM_PROCESS_BATCH is {said:?}; write a whole number from 1 to 1000, or leave it out")
            );
        }
    }
}
