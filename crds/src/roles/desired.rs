//! A strategy's register: what of its spec must not wait for a new pod, and what a worker makes of that beside what it was
//! started with.

use engine::risk::{ExitParameters, Release, RiskParameters};
use engine::strategies::DesiredState;
use engine::transfers::{WantedTransfer, WantedTransfers};
use serde::{Deserialize, Serialize};

use super::StrategySpec;
use crate::TradingStrategySpec;
use crate::strategy::StrategyChoice;

/// A strategy's register: what must not wait for a new pod.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct StrategyDesired {
    /// Where a human wants it to be.
    pub state: DesiredState,
    /// The bounds that it trades under; where there are none, those that it was started with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bounds: Option<Bounds>,
    /// What its strategy trades by; absent in registers of the release before, whose edits made a new pod.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<Parameters>,
    /// The transfers that are asked for; absent in registers of a release that knew none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfers: Option<WantedTransfers>,
    /// What a human has released: it is done once, by its name and since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub release: Option<Release>,
}

impl StrategyDesired {
    /// What a spec of this generation asks.
    pub fn of(spec: &TradingStrategySpec, generation: u64) -> Self {
        Self {
            state: spec.state,
            bounds: Some(Bounds::of(spec)),
            parameters: Some(Parameters::of(spec, generation)),
            transfers: Some(transfers(spec, generation)),
            release: None,
        }
    }
}

/// What a strategy trades by, and since which edit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Parameters {
    /// The generation of the spec that was accepted last: of these parameters, and of the bounds beside them.
    pub generation: u64,
    /// The strategy with its parameters.
    pub strategy: StrategyChoice,
}

impl Parameters {
    /// Those of a spec of this generation.
    pub fn of(spec: &TradingStrategySpec, generation: u64) -> Self {
        Self { generation, strategy: spec.strategy.clone() }
    }
}

/// The transfers that a spec of this generation asks for.
pub fn transfers(spec: &TradingStrategySpec, generation: u64) -> WantedTransfers {
    let list = spec.transfers.iter().map(|one| WantedTransfer {
        id: one.id.to_string(),
        asset: one.asset.clone(),
        amount: one.amount.into(),
    });
    WantedTransfers { generation, list: list.collect() }
}

/// The limits and the exit of a spec.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Bounds {
    /// Bounds of orders, and limits.
    pub risk: RiskParameters,
    /// What ends the strategy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub exit: Option<ExitParameters>,
}

impl Bounds {
    /// Those of a spec.
    pub fn of(spec: &TradingStrategySpec) -> Self {
        Self { risk: spec.risk.clone(), exit: spec.exit.clone() }
    }
}

impl StrategySpec {
    /// What it trades by under this register: of the two the newer one counts, and the register where they are as old. One of
    /// the release before has bounds alone, and no word on how old they are.
    #[must_use]
    pub fn under(mut self, register: &StrategyDesired) -> Self {
        if let Some(Parameters { generation, strategy }) = &register.parameters {
            if *generation < self.generation {
                return self;
            }
            if strategy.steady() != self.spec.strategy.steady() {
                // It comes with a new pod.
                return self;
            }
            (self.generation, self.spec.strategy) = (*generation, strategy.clone());
        }
        if let Some(Bounds { risk, exit }) = &register.bounds {
            (self.spec.risk, self.spec.exit) = (risk.clone(), exit.clone());
        }
        self
    }

    /// Whether an engine of this spec trades as one of the other does, as far as a register can say.
    pub fn trades_as(&self, other: &Self) -> bool {
        (&self.spec.strategy, &self.spec.risk, &self.spec.exit)
            == (&other.spec.strategy, &other.spec.risk, &other.spec.exit)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn spec(generation: u64, size: &str, risk: &serde_json::Value) -> StrategySpec {
        serde_json::from_value(json!({
            "name": "g", "generation": generation, "account": {"name": "paper", "spec": {
                "venue": {"paper": {"balances": {}}}, "marketData": {"replay": {"file": "d.csv"}}}},
            "spec": {"accountRef": {"name": "paper"}, "capital": {"USDT": 3000}, "risk": risk,
                "strategy": {"grid": {"gridSizePercent": size}}, "instruments": [{"symbol": "BNB/USDT"}]},
        }))
        .unwrap()
    }

    #[test]
    fn an_edit_of_where_a_process_has_its_files_is_left_to_the_pod_that_has_them() {
        let strategy = |source: &str, parameter: u32| json!({"process": {"command": ["a"], "parameters": {"n": parameter}, "source": {"configMap": source}}});
        let mut running = spec(4, "2", &json!({}));
        running.spec.strategy = serde_json::from_value(strategy("one", 1)).unwrap();
        for (source, generation) in [("one", 5), ("two", 4)] {
            let parameters = json!({"generation": 5, "strategy": strategy(source, 2)});
            let register: StrategyDesired =
                serde_json::from_value(json!({"state": "Running", "parameters": parameters})).unwrap();
            let followed = running.clone().under(&register);
            assert_eq!((followed.generation, followed.trades_as(&running)), (generation, generation == 4), "{source}");
        }
    }

    #[test]
    fn of_document_and_register_the_newer_one_counts() {
        let (loose, tight) = (json!({}), json!({"maxDrawdownPercent": "5"}));
        let document = spec(4, "2", &loose);
        for (generation, followed) in [(3, false), (4, true), (5, true)] {
            let edited = spec(generation, "3", &tight);
            let told = document.clone().under(&StrategyDesired::of(&edited.spec, generation));
            let expected = if followed { edited } else { document.clone() };
            assert_eq!(told, expected, "{generation}");
            assert_eq!(told.trades_as(&document), !followed);
        }
    }

    /// Neither of them says how old it is: what a process follows of parameters stays.
    #[test]
    fn the_register_of_the_release_before_tells_bounds_and_keeps_the_parameters() {
        let (document, edited) = (spec(4, "2", &json!({})), spec(0, "3", &json!({"maxDrawdownPercent": "5"})));
        let before = StrategyDesired { parameters: None, ..StrategyDesired::of(&edited.spec, 9) };
        let written = serde_json::to_value(&before).unwrap();
        assert_eq!(written.get("parameters"), None);
        let told = document.clone().under(&serde_json::from_value(written).unwrap());
        assert_eq!((told.generation, &told.spec.strategy), (4, &document.spec.strategy));
        assert_eq!((&told.spec.risk, &told.spec.exit), (&edited.spec.risk, &edited.spec.exit));
        // Without any word it stays as it is.
        assert_eq!(document.clone().under(&StrategyDesired::default()), document);
    }
}
