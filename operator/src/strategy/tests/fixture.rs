//! A strategy as it may be seen, for tests: with a ledger, a pod that trades, and a gateway and a feed that live.

use std::collections::BTreeMap;
use std::sync::Arc;

use bus::{Cursors, Desired, Keys, RegisterVersion, Scope};
use crds::record::{PARAMETERS, PHASE, POSITION, Phase, PhaseState, REPORT, RefusedEdit};
use crds::roles::{BookSpec, Stance, StrategyDesired};
use crds::strategy::status::Ledger;
use crds::{TradingAccount, TradingStrategy, TradingStrategyStatus};
use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use serde_json::{Value, json};

use super::observe::Observed;
use crate::build::Image;
use crate::names::FINALIZER;
use crate::placement::{PodFacts, RecordFacts, Stored};
use crate::stop::InboxFacts;

pub const LEDGER: &str = "abcdef";
/// The store's clock.
pub const NOW_MS: u64 = 1_000_000_000;

pub fn image() -> Image {
    Image {
        name: "glm:1".to_owned(),
        pull_policy: "Never".to_owned(),
        service_account: "glm-worker".to_owned(),
        redis_url: Some("redis://redis".to_owned()),
        redis_secret: None,
        prefix: "t".to_owned(),
        installation: "i".to_owned(),
        processes: false,
        endpoints: BTreeMap::new(),
        proxy_secret: None,
    }
}

pub fn account() -> TradingAccount {
    serde_json::from_value(json!({
        "apiVersion": "glm.trading/v1alpha1", "kind": "TradingAccount", "metadata": {"name": "paper"},
        "spec": {
            "venue": {"paper": {"balances": {"USDT": 10000}}}, "marketData": {"replay": {"file": "prices.csv"}},
        },
    }))
    .unwrap()
}

/// A strategy of the account; `opened`: when its ledger was.
pub fn strategy(name: &str, symbol: &str, capital: u32, made: &str, opened: Option<&str>) -> TradingStrategy {
    let ledger = opened.map(|opened| json!({"id": LEDGER, "resourceUid": "u1", "startedAt": opened}));
    serde_json::from_value(json!({
        "apiVersion": "glm.trading/v1alpha1", "kind": "TradingStrategy",
        "metadata": {"name": name, "uid": "u1", "creationTimestamp": made},
        "spec": {
            "accountRef": {"name": "paper"},
            "instruments": [{"symbol": symbol, "rules": {"tickSize": "0.01", "lotSize": "0.001"}}],
            "capital": {"USDT": capital}, "strategy": {"grid": {}},
        },
        "status": ledger.map(|ledger| json!({"ledger": ledger})),
    }))
    .unwrap()
}

pub fn phase(state: PhaseState, reason: &str) -> (String, String) {
    let phase = Phase {
        state,
        reason: reason.to_owned(),
        message: String::new(),
        generation: 0,
        follows: Vec::new(),
        refused: None,
    };
    (PHASE.to_owned(), phase.to_field().1)
}

/// A worker that trades by this generation, and says that it follows parameters by its register.
pub fn following(observed: &mut Observed, generation: u64, refused: Option<RefusedEdit>) {
    let follows = vec![PARAMETERS.to_owned()];
    let (state, reason) = (PhaseState::Running, "Trading".to_owned());
    let phase = Phase { state, reason, message: String::new(), generation, follows, refused };
    edit(&mut observed.stored, |record| record.fields.extend([phase.to_field()]));
}

/// What trades, with parameters that are edited in generation 6.
pub fn edited() -> Observed {
    let mut observed = Observed { generation: 6, ..trading() };
    set(&mut observed, "strategy", json!({"grid": {"gridSizePercent": 3}}));
    observed
}

/// A record that was committed a second ago.
pub fn record(fields: impl IntoIterator<Item = (String, String)>) -> RecordFacts {
    RecordFacts {
        uid: "u1".to_owned(),
        ledger: LEDGER.to_owned(),
        epoch: 3,
        version: 9,
        seen_ms: NOW_MS - 1_000,
        now_ms: NOW_MS,
        followed: Some(RegisterVersion { generation: 1, token: 1 }),
        fields: fields.into_iter().collect(),
        ..RecordFacts::default()
    }
}

pub fn found(record: RecordFacts) -> Stored {
    Stored::Found(Arc::new(record))
}

/// The gateway's record, with what it acknowledged.
pub fn gateway(stance: Option<Stance>, more: &[(&str, &str)]) -> Stored {
    let stance = stance.map(|stance| (format!("stance:{LEDGER}"), json!(stance).to_string()));
    let more = more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()));
    found(record(stance.into_iter().chain(more)))
}

/// What the strategy's register holds.
pub fn held(state: &str) -> Desired {
    let spec = strategy("grid", "BTC/USDT", 3_000, "2026-01-01T00:00:00Z", None).spec;
    register(&StrategyDesired { state: serde_json::from_value(json!(state)).unwrap(), ..StrategyDesired::of(&spec, 5) })
}

/// A register that holds this.
pub fn register(desired: &StrategyDesired) -> Desired {
    Desired { generation: 1, token: 1, value: json!(desired).to_string().into() }
}

/// The field of a record with a report under which these limits are latched, and this exit is reached.
pub fn reporting(limits: &Value, stopped: &Value) -> (String, String) {
    let report = json!({
        "asOf": "2026-01-01T00:00:00Z", "position": {}, "recentTrades": [], "strategy": {},
        "orders": {"open": 0, "unknown": 0, "filled": 0, "denied": 0, "rejected": 0},
        "risk": {"state": "AllowAll", "reason": "", "limits": limits}, "stopped": stopped,
        "decision": {"reason": "PriceBetweenBands", "message": "Waits."},
        "summary": {"symbol": "BTC/USDT", "position": "", "netPnl": "", "lastTrade": "", "alert": ""},
    });
    serde_json::from_value::<engine::report::Report>(report.clone()).unwrap();
    (REPORT.to_owned(), report.to_string())
}

/// A limit that is latched since this day of the year.
pub fn latched(day: u32) -> Value {
    let since = format!("2026-01-{day:02}T00:00:00Z");
    json!({"name": "maxDrawdownPercent", "since": since, "figure": "10.4", "threshold": "10"})
}

pub fn pod() -> PodFacts {
    PodFacts {
        name: "strategy-grid-3".to_owned(),
        uid: "p3".to_owned(),
        epoch: 3,
        owned: true,
        ready: true,
        ..PodFacts::default()
    }
}

/// What trades, in generation 5.
pub fn trading() -> Observed {
    let keys = Keys::new("t").unwrap();
    let scope = Scope::account("ns", "paper").unwrap();
    let owner = keys.strategy(&scope, "grid");
    let seen = strategy("grid", "BTC/USDT", 3_000, "2026-01-01T00:00:00Z", None);
    let position = (POSITION.to_owned(), "7".to_owned());
    let ledger =
        Ledger { id: LEDGER.to_owned(), resource_uid: "u1".to_owned(), started_at: "2026-01-01T00:00:05Z".to_owned() };
    let mut observed = Observed {
        name: "grid".to_owned(),
        namespace: "ns".to_owned(),
        uid: "u1".to_owned(),
        resource_version: "1".to_owned(),
        generation: 5,
        made: Some("2026-01-01T00:00:00Z".parse().unwrap()),
        deleting_since: None,
        finalizers: vec![FINALIZER.to_owned()],
        annotations: BTreeMap::new(),
        spec: seen.spec,
        unknown_fields: Vec::new(),
        status: TradingStrategyStatus {
            applied_generation: Some(4),
            epoch: Some(3),
            ledger: Some(ledger),
            ..TradingStrategyStatus::default()
        },
        owner_reference: OwnerReference::default(),
        reference: ObjectReference::default(),
        gateway_owner: keys.gateway(&scope),
        account: Ok(Some(account().into())),
        neighbours: Vec::new(),
        kept: None,
        granted: BTreeMap::new(),
        pods: vec![pod()],
        ends: None,
        allows_processes: false,
        files: Ok(None),
        register: Some(held("Running")),
        stored: found(record([phase(PhaseState::Running, "Trading"), position])),
        book: Some(BookSpec::new("grid".to_owned(), LEDGER.parse().unwrap(), BTreeMap::new(), Stance::Open)),
        gateway: gateway(Some(Stance::Open), &[]),
        feed: found(record([])),
        ticks: None,
        inbox: InboxFacts { stream: owner.inbox().clone(), last: None },
        owner,
    };
    let (digest, whole) = digests(&observed);
    (observed.pods[0].digest, observed.pods[0].whole_digest) = (digest, Some(whole));
    observed
}

/// What the pod of a valid spec is made from.
pub fn digests(observed: &Observed) -> (String, String) {
    let spec = super::validate::validate(observed).unwrap();
    let plan = super::plan::plan(observed, Ok(&spec), &image()).unwrap();
    let placed = plan.moves.iter().find_map(|next| {
        let super::plan::Move::Place(request, _) = next else { return None };
        Some((request.digest(&image()), request.whole_digest(&image())))
    });
    placed.unwrap()
}

/// Writes into a record.
pub fn edit(stored: &mut Stored, change: impl FnOnce(&mut RecordFacts)) {
    let Stored::Found(record) = stored else { panic!("there is a record") };
    change(Arc::make_mut(record));
}

/// Sets a field of the spec, as a user would.
pub fn set(observed: &mut Observed, field: &str, value: Value) {
    let mut spec = serde_json::to_value(&observed.spec).unwrap();
    spec[field] = value;
    observed.spec = serde_json::from_value(spec).unwrap();
}

/// Cursors at one stream.
pub fn at(stream: &bus::StreamKey, id: bus::StreamId) -> Cursors {
    Cursors::from([(stream.clone(), id)])
}
