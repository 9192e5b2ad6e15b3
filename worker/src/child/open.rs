//! The engine of a strategy with its child, where it is a process: the child goes on from the state that the engine holds, and
//! says what it needs before the engine is made.

use bus::Fields;
use crds::roles::StrategySpec;
use engine::Engine;
use engine::strategies::Registry;
use engine::strategies::process::messages::{Mode, Ready};
use serde_json::{Map, Value, json};

use super::{Child, Fault, Program};
use crate::roles::saved;

/// A strategy to be driven.
pub(crate) struct Opened {
    pub engine: Engine,
    /// None of a strategy that is no process, or of one that has failed.
    pub child: Option<Child>,
    /// Why the child could not be started. The engine was not told yet.
    pub fault: Option<Fault>,
}

/// Opens a strategy as `saved`, or new where nothing is. Waits until its child is ready. `Err` says what does not read.
pub(crate) fn open(
    spec: &StrategySpec,
    ledger: &str,
    saved: Option<&Fields>,
    registry: &Registry,
    mode: Mode,
) -> Result<Opened, String> {
    let Some(program) = Program::of(spec) else {
        let mut engine = saved::engine(spec, ledger, saved, registry)?;
        if engine.is_process() {
            return Err(
                "spec.strategy.custom.name: a process is no custom strategy; write spec.strategy.process".to_owned()
            );
        }
        return Ok(Opened { engine, child: None, fault: None });
    };
    let window_max = Program::window_max()?;
    let engine_of = |ready: Option<&Ready>| {
        let known = Map::from_iter([
            ("ready".to_owned(), ready.map_or(Value::Null, |ready| json!(ready))),
            ("program".to_owned(), json!(program.id())),
        ]);
        saved::engine_knowing(&known, (spec, ledger), saved, registry)
    };
    let mut engine = engine_of(None)?;
    if engine.strategy_failure().is_some() {
        return Ok(Opened { engine, child: None, fault: None });
    }
    let state = engine.process_state();
    let start = program.start(mode, engine.instruments(), state).map_err(|error| error.to_string())?;
    match Child::start(&program, &start, window_max) {
        Ok((mut child, ready)) => Ok(match engine_of(Some(&ready)) {
            Ok(engine) => Opened { engine, child: Some(child), fault: None },
            Err(problem) => Opened { engine, child: None, fault: Some(child.bad(problem)) },
        }),
        Err(fault) => Ok(Opened { engine, child: None, fault: Some(fault) }),
    }
}
