//! A strategy's engine as its record holds it: for its worker, and for who looks at a result.

use std::fmt::Display;

use crds::roles::StrategySpec;
use engine::Engine;
use engine::strategy::Registry;

/// The field that holds the engine's state.
pub const ENGINE: &str = "engine";

/// The field of a record at this version. Only a record that was never committed to may be without: an engine made
/// anew beside what has traded would trade on the declared capital once more, under order ids that are used.
pub fn field(version: u64, saved: Option<&str>) -> Result<Option<&str>, String> {
    match saved {
        None if version > 0 => Err(format!(
            "LedgerBroken: it is at version {version}, but its field {ENGINE} is gone. Nothing is traded on declared \
             capital by itself: restore the store from its backup, or start a new ledger"
        )),
        Some(_) | None => Ok(saved),
    }
}

/// The engine of a strategy: as `saved`, or new where nothing is. `Err` says what does not read.
pub fn engine(spec: &StrategySpec, ledger: &str, saved: Option<&str>, registry: &Registry) -> Result<Engine, String> {
    fn text(error: impl Display) -> String {
        error.to_string()
    }
    let config = spec.engine_config(ledger.parse().map_err(text)?).map_err(text)?;
    let (name, _) = spec.strategy().map_err(text)?;
    let definition = registry.get(&name).map_err(text)?;
    let most = definition.capability.instruments_max;
    if spec.spec.instruments.len() > most || !definition.capability.kinds.contains(&config.instrument.kind) {
        let kinds: Vec<String> = definition.capability.kinds.iter().map(|kind| format!("{kind:?}")).collect();
        return Err(format!("{name} trades at most {most} instruments of the kinds {}", kinds.join(", ")));
    }
    match saved {
        Some(saved) => {
            let saved = serde_json::from_str(saved).map_err(text)?;
            Engine::restore(config, definition, &saved).map_err(text)
        }
        None => Engine::new(config, definition).map_err(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_record_that_was_never_committed_to_starts_on_the_declared_capital() {
        assert_eq!(field(0, None), Ok(None));
        assert_eq!(field(7, Some("{}")), Ok(Some("{}")));
        let problem = field(7, None).unwrap_err();
        assert!(problem.contains("version 7") && problem.contains("field engine is gone"), "{problem}");
    }
}
