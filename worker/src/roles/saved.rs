//! A strategy's engine as its record holds it: for its worker, and for who looks at a result.

use std::fmt::Display;

use bus::Fields;
use crds::record::{PHASE, POSITION, Phase, REPORT};
use crds::roles::StrategySpec;
use engine::strategies::{Definition, Registry};
use engine::{Config, Engine};
use serde_json::{Map, Value};

use crate::outcome::hashes::MADE;

/// The field that holds the engine's state; its open orders and what its strategy remembers stand in fields beside it.
pub const ENGINE: &str = "engine";

/// The fields of a record at this version, where they hold an engine. Only a record that was never committed to may be
/// without: an engine made anew beside what has traded would trade on the declared capital once more, under order ids
/// that are used.
pub fn fields(version: u64, saved: &Fields) -> Result<Option<&Fields>, String> {
    match saved.contains_key(ENGINE) {
        false if version > 0 && !never_made(saved) => Err(format!(
            "LedgerBroken: it is at version {version}, but its field {ENGINE} is gone. Nothing is traded on declared \
             capital by itself: restore the store from its backup, or start a new ledger"
        )),
        is_there => Ok(is_there.then_some(saved)),
    }
}

/// Whether no engine was made yet: its worker has only said why there can be none.
fn never_made(saved: &Fields) -> bool {
    let has_traded = [REPORT, POSITION, MADE].into_iter().any(|name| saved.contains_key(name));
    !has_traded && Phase::of(saved.get(PHASE)).is_some_and(|phase| phase.is_of_invalid_spec())
}

fn text(error: impl Display) -> String {
    error.to_string()
}

/// What the engine of a strategy is made from. `Err` says what does not read.
pub fn config<'a>(
    spec: &StrategySpec,
    ledger: &str,
    registry: &'a Registry,
) -> Result<(Config, &'a Definition), String> {
    let config = spec.engine_config(ledger.parse().map_err(text)?).map_err(text)?;
    let (name, _) = spec.strategy().map_err(text)?;
    Ok((config, registry.get(&name).map_err(text)?))
}

/// The engine of a strategy: as `saved`, or new where nothing is. `Err` says what does not read.
pub fn engine(
    spec: &StrategySpec,
    ledger: &str,
    saved: Option<&Fields>,
    registry: &Registry,
) -> Result<Engine, String> {
    engine_knowing(&Map::new(), (spec, ledger), saved, registry)
}

/// The same for who knows more of a strategy than its spec says: these parameters stand beside its own.
pub fn engine_knowing(
    more: &Map<String, Value>,
    (spec, ledger): (&StrategySpec, &str),
    saved: Option<&Fields>,
    registry: &Registry,
) -> Result<Engine, String> {
    let (mut config, definition) = config(spec, ledger, registry)?;
    if let Some(parameters) = config.parameters.as_object_mut() {
        parameters.extend(more.clone());
    }
    match saved {
        Some(saved) => {
            let fields = saved.iter().map(|(name, text)| (name.as_str(), &**text));
            Engine::restore_fields(config, definition, fields).map_err(text)
        }
        None => Engine::new(config, definition).map_err(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_record_that_was_never_committed_to_starts_on_the_declared_capital() {
        let (none, some) = (Fields::new(), Fields::from([(ENGINE.to_owned(), "{}".into())]));
        assert_eq!(fields(0, &none), Ok(None));
        assert_eq!(fields(7, &some), Ok(Some(&some)));
        // Nor one of which the worker has only said why it trades nothing, but where there was more of it.
        let phase = |reason: &str| format!(r#"{{"state": "Paused", "reason": "{reason}", "generation": 0}}"#).into();
        let mut refused = Fields::from([(PHASE.to_owned(), phase("InvalidSpec"))]);
        assert_eq!(fields(1, &refused), Ok(None));
        for more in [REPORT, POSITION, MADE] {
            let fuller = refused.clone().into_iter().chain([(more.to_owned(), "{}".into())]).collect();
            assert!(fields(7, &fuller).is_err(), "{more}");
        }
        refused.insert(PHASE.to_owned(), phase("Trading"));
        assert!(fields(1, &refused).is_err());
        let problem = fields(7, &none).unwrap_err();
        assert!(problem.contains("version 7") && problem.contains("field engine is gone"), "{problem}");
    }
}
