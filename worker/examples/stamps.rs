//! The worker of `tests/bench fanout`: its strategy trades nothing and notes when each tick came to it.

use std::fs::File;
use std::io::{BufWriter, Write as _};
use std::process::ExitCode;
use std::time::{Duration, SystemTime};

use engine::instrument::InstrumentIndex;
use engine::messages::Tick;
use engine::risk::PositionBounds;
use engine::strategies::{Context, Definition, Registry, Strategy, StrategyError, parameters};
use serde_json::Value;

/// The variable that names the file: a line a tick, its number and the nanoseconds since 1970.
const FILE: &str = "STAMPS";

/// What manifests name as `custom: {name: stamps}`.
const STAMPS: Definition = Definition {
    name: "stamps",
    instruments_max: 1,
    position_bounds: PositionBounds::Written,
    schema: || schemars::schema_for!(Parameters),
    start: |given, _saved| {
        let Parameters {} = parameters("stamps", given)?;
        Ok(Box::new(Stamps { file: file()? }))
    },
};

#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Parameters {}

/// Written when it is full, and at the end: a write a tick would be part of what is measured.
#[derive(Debug)]
struct Stamps {
    file: Option<BufWriter<File>>,
}

/// None where nothing is named, as while a manifest is read.
fn file() -> Result<Option<BufWriter<File>>, StrategyError> {
    let Some(path) = std::env::var_os(FILE) else { return Ok(None) };
    let opened = File::options().append(true).create(true).open(&path);
    let refused = |error| StrategyError::refused("stamps", format!("{FILE}={}: {error}", path.display()));
    Ok(Some(BufWriter::with_capacity(1 << 20, opened.map_err(refused)?)))
}

impl Strategy for Stamps {
    fn on_tick(&mut self, tick: &Tick, context: &mut Context<'_>) {
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO).as_nanos();
        if let Some(file) = &mut self.file {
            // Who measures finds a line missing.
            drop(writeln!(file, "{} {now}", tick.sequence));
        }
        context.hold("Notes");
    }

    fn on_gap(&mut self, _instrument: InstrumentIndex) {}

    fn snapshot(&self) -> Result<Value, serde_json::Error> {
        Ok(Value::Null)
    }
}

fn main() -> ExitCode {
    let mut registry = Registry::standard();
    registry.register(STAMPS);
    worker::main(&registry)
}
