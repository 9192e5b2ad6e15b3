//! Each resource with its final status, in the shape that the operator gives it.

use std::collections::BTreeMap;

use bus::{Fields, Record};
use crds::account::balances::{BOOK, Balances, BookReport, balances};
use crds::account::status::{AccountOrders, AccountRisk, AccountSummary, TradingAccountStatus};
use crds::condition::{self, Condition, ConditionStatus};
use crds::strategy::status::{Ledger, Mode, StrategyState, TradingStrategyStatus};
use crds::yaml_text;
use engine::Engine;
use engine::report::Report;
use engine::risk::EXIT_REACHED;
use engine::strategies::Registry;
use engine::time::{Timestamp, rfc3339};
use serde_json::{Value, json};

use super::Output;
use super::ended::Ended;
use super::observe::Observer;
use crate::fleet::provision::{Place, Places};
use crate::process::exit::{Failure, print as print_out};
use crate::roles::Bus;
use crate::roles::saved::{self, ENGINE};
use crds::record::{LATCHED, ORDER, PHASE, Phase, PhaseState, REPORT, WAITING_FOR_MARKET_DATA, WARMING_UP, latched};
use crds::roles::{GatewaySpec, StrategySpec};

/// Prints every resource.
pub(super) async fn print<B: Bus>(
    observer: &Observer<B>,
    accounts: &[Places],
    output: Output,
    registry: &Registry,
) -> Result<(), Failure> {
    let mut strategies = Vec::new();
    let mut objects = Vec::new();
    for places in accounts {
        let mut ended = Vec::new();
        for place in &places.strategies {
            let record = observer.record(&place.owner).await?;
            ended.push(strategy(place, record.as_ref(), registry)?);
        }
        let record = observer.record(&places.gateway.owner).await?;
        objects.push(account(&places.gateway, &places.namespace, &ended, record.as_ref()));
        for strategy in &ended {
            objects.push(object("TradingStrategy", &strategy.place.spec.name, &places.namespace, &strategy.status));
        }
        strategies.extend(ended);
    }
    match output {
        Output::Table => {
            print_out(&super::Screen::table(&strategies))?;
            let parameters = strategies.iter().filter_map(|ended| ended.place.spec.spec.strategy.parameter_to_try());
            super::Screen::next(parameters.min().unwrap_or("a parameter"));
            Ok(())
        }
        Output::Json => print_out(&lines(&objects, Value::to_string)),
        Output::Yaml => print_out(&lines(&objects, |object| format!("---\n{}", yaml_text::print(object).trim_end()))),
    }
}

fn lines(objects: &[Value], line: impl Fn(&Value) -> String) -> String {
    objects.iter().map(line).collect::<Vec<_>>().join("\n") + "\n"
}

fn object(kind: &str, name: &str, namespace: &str, status: &impl serde::Serialize) -> Value {
    json!({
        "apiVersion": crds::API_VERSION,
        "kind": kind,
        "metadata": { "name": name, "namespace": namespace },
        "status": status,
    })
}

fn strategy(place: &Place<StrategySpec>, record: Option<&Record>, registry: &Registry) -> Result<Ended, Failure> {
    let field = |name: &str| record.and_then(|record| record.fields.get(name));
    let broken = |error: &dyn std::fmt::Display| Failure::error(format!("the record of {}: {error}", place.spec.name));
    let mut report: Option<Report> =
        field(REPORT).map(|text| serde_json::from_str(text)).transpose().map_err(|error| broken(&error))?;
    let phase = Phase::of(field(PHASE));
    let (reason, message) = phase.as_ref().map_or(("Starting", ""), |phase| (&phase.reason, &phase.message));
    if let Some(report) = &mut report
        && report.summary.alert.is_empty()
        && matches!(reason, "MarketDataEnded" | "PoisonInbox")
    {
        reason.clone_into(&mut report.summary.alert);
    }
    let state = match phase.as_ref().map(|phase| phase.state) {
        Some(PhaseState::Running) if reason == EXIT_REACHED => StrategyState::Stopped,
        Some(PhaseState::Running) if crds::source::REASONS.contains(&reason) => StrategyState::Degraded,
        Some(PhaseState::Running) => StrategyState::Running,
        Some(PhaseState::Paused) => StrategyState::Paused,
        Some(PhaseState::Stopped) => StrategyState::Stopped,
        Some(PhaseState::Quarantined) => StrategyState::Quarantined,
        None => StrategyState::Starting,
    };
    let generation = i64::try_from(place.spec.generation).ok();
    let time = report.as_ref().map(|report| rfc3339::text(report.as_of)).unwrap_or_default();
    let status = TradingStrategyStatus {
        observed_generation: generation,
        applied_generation: generation,
        state: Some(state),
        mode: Some(Mode::Paper),
        epoch: Some(place.epoch),
        ledger: Some(Ledger {
            id: place.ledger.clone(),
            resource_uid: String::new(),
            started_at: rfc3339::text(Timestamp::from_millis(place.started_at)),
        }),
        worker: None,
        restarts: None,
        conditions: conditions(state, reason, message, generation, &time),
        report,
    };
    Ok(Ended { engine: engine(place, record.map(|record| &*record.fields), registry)?, place: place.clone(), status })
}

fn engine(place: &Place<StrategySpec>, saved: Option<&Fields>, registry: &Registry) -> Result<Option<Engine>, Failure> {
    let Some(saved) = saved.filter(|saved| saved.contains_key(ENGINE)) else { return Ok(None) };
    let refuse = |problem| Failure::error(format!("the record of {}: {problem}", place.spec.name));
    saved::engine(&place.spec, &place.ledger, Some(saved), registry).map(Some).map_err(refuse)
}

fn conditions(
    state: StrategyState,
    reason: &str,
    message: &str,
    generation: Option<i64>,
    time: &str,
) -> Vec<Condition> {
    let ready = match state {
        // Nothing is traded yet.
        StrategyState::Running if [WAITING_FOR_MARKET_DATA, WARMING_UP].contains(&reason) => ConditionStatus::False,
        // What is done is not in progress.
        StrategyState::Running | StrategyState::Paused | StrategyState::Stopped => ConditionStatus::True,
        StrategyState::Pending
        | StrategyState::Starting
        | StrategyState::Stopping
        | StrategyState::Degraded
        | StrategyState::Quarantined
        | StrategyState::Deleting => ConditionStatus::False,
    };
    let condition = |type_: &str, status, reason: &str, message: &str| Condition {
        type_: type_.to_owned(),
        status,
        reason: reason.to_owned(),
        message: message.to_owned(),
        observed_generation: generation,
        last_transition_time: time.to_owned(),
    };
    let mut conditions = vec![
        condition(condition::ACCEPTED, ConditionStatus::True, "Valid", "The manifest is valid."),
        condition(condition::READY, ready, reason, message),
    ];
    if state == StrategyState::Quarantined {
        conditions.push(condition(condition::STALLED, ConditionStatus::True, reason, message));
    }
    conditions
}

/// An account at the end of a run, as its gateway's record tells it.
fn account(place: &Place<GatewaySpec>, namespace: &str, strategies: &[Ended], record: Option<&Record>) -> Value {
    let mut states: BTreeMap<String, u32> = BTreeMap::new();
    for state in strategies.iter().filter_map(|strategy| strategy.status.state) {
        *states.entry(format!("{state:?}")).or_default() += 1;
    }
    let fields = record.map(|record| &record.fields);
    let held = |prefix: &str| {
        let prefix = prefix.to_owned();
        fields
            .into_iter()
            .flat_map(|fields| fields.iter())
            .filter(move |(name, _)| name.starts_with(&prefix))
            .map(|(_, text)| &**text)
    };
    let books: Vec<BookReport> = held(BOOK).filter_map(|text| serde_json::from_str(text).ok()).collect();
    let capitals: Vec<_> = strategies.iter().map(|strategy| &strategy.place.spec.spec.capital).collect();
    let opening = place.spec.account.spec.venue.paper.as_ref().map(|paper| paper.balances.clone()).unwrap_or_default();
    let Balances { total, unassigned } = balances(&opening, &capitals, &books);
    let orders = AccountOrders::of(held(ORDER));
    let limits = latched(fields.and_then(|fields| fields.get(LATCHED)));
    let risk = AccountRisk::of(limits.unwrap_or_default());
    let reason = if strategies.iter().all(|ended| ended.status.state == Some(StrategyState::Stopped)) {
        "MarketDataEnded"
    } else {
        "Stopped"
    };
    let generation = i64::try_from(place.spec.generation).ok();
    let asof = strategies.iter().filter_map(|ended| ended.status.report.as_ref()).map(|report| report.as_of).max();
    let time = rfc3339::text(asof.unwrap_or_default());
    let told = TradingAccountStatus {
        observed_generation: generation,
        state: Some(StrategyState::Stopped),
        epoch: Some(place.epoch),
        ledger: Some(Ledger {
            id: place.ledger.clone(),
            resource_uid: String::new(),
            started_at: rfc3339::text(Timestamp::from_millis(place.started_at)),
        }),
        gateway: None,
        restarts: None,
        feed: None,
        conditions: conditions(StrategyState::Stopped, reason, "", generation, &time),
        balances: Some(total),
        unassigned: Some(unassigned),
        orders: Some(orders),
        strategies: Some(states),
        summary: Some(AccountSummary {
            venue: "paper".to_owned(),
            mode: Mode::Paper,
            strategies: u32::try_from(strategies.len()).unwrap_or(u32::MAX),
            halted: AccountRisk::halted(risk.as_ref()),
        }),
        risk,
    };
    object("TradingAccount", &place.spec.account.name, namespace, &told)
}
