//! What may change in a stored object, and who may write which part of its status.

use kube::Client;
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};
use tests::apiserver::{Said, client, install, kubectl, kubectl_json, namespace};

const ACCOUNT: &str = "
apiVersion: glm.trading/v1alpha1
kind: TradingAccount
metadata: {name: paper}
spec:
  venue: {paper: {balances: {USDT: 10000}}}
  marketData: {replay: {file: prices.csv}}
";

const STRATEGY: &str = "
apiVersion: glm.trading/v1alpha1
kind: TradingStrategy
metadata: {name: grid}
spec:
  accountRef: {name: paper}
  instruments: [{symbol: BNB/USDT, rules: {tickSize: \"0.01\", lotSize: \"0.001\"}}]
  capital: {USDT: 3000, BNB: 5}
  strategy: {grid: {}}
";

/// A namespace that holds both.
async fn stored(hint: &str) -> (Client, String) {
    let client = client().await;
    install(&client).await;
    let namespace = namespace(&client, hint).await;
    for text in [ACCOUNT, STRATEGY] {
        let said = kubectl(&["create", "--namespace", &namespace, "-f", "-"], text);
        assert!(said.ok, "{}", said.stderr);
    }
    (client, namespace)
}

fn patch(namespace: &str, resource: &str, patch: &Value, more: &[&str]) -> Said {
    let patch = patch.to_string();
    let arguments = ["patch", "--namespace", namespace, resource, "--type=merge", "--patch", &patch];
    kubectl(&[&arguments, more].concat(), "")
}

#[tokio::test]
async fn what_is_immutable_stays_and_all_else_can_change() {
    let (_, namespace) = stored("changes").await;
    let rules = |tick: &str| json!([{"symbol": "BNB/USDT", "rules": {"tickSize": tick, "lotSize": "0.001"}}]);
    let fixed = "; create a second strategy instead";
    let changes = [
        (
            json!({"accountRef": {"name": "other"}}),
            format!(
                "spec.accountRef.name: Invalid value: \"string\": \"other\" cannot be changed from \"paper\"{fixed}"
            ),
        ),
        (
            json!({"instruments": [{"symbol": "ETH/USDT"}], "capital": {"BNB": null, "USDT": 3000}}),
            format!("ETH/USDT cannot be changed from BNB/USDT{fixed}"),
        ),
        (json!({"instruments": rules("0.1")}), String::new()),
        (json!({"capital": {"USDT": 3001}}), format!("USDT cannot be changed from 3000{fixed}")),
        (json!({"capital": {"BNB": null}}), format!("BNB cannot be changed from 5{fixed}")),
        // The same amount in another form.
        (json!({"capital": {"USDT": "3000.000", "BNB": "5"}}), String::new()),
        (json!({"strategy": {"grid": {"gridSizePercent": 3, "basePrice": "612.5"}}}), String::new()),
        (
            json!({"strategy": {"grid": null}}),
            "no member is set; write exactly one of: custom, grid, ladder, positionControl, process".to_owned(),
        ),
        (json!({"risk": {"maxOrderNotional": {"USDT": 100}}, "state": "Paused"}), String::new()),
        (json!({"transfers": [{"id": "june", "asset": "USDT", "amount": 500}]}), String::new()),
        (
            json!({"transfers": [{"id": "june", "asset": "USDT", "amount": 501}]}),
            "transfer june cannot be changed; add an entry with another id instead".to_owned(),
        ),
        (
            json!({"transfers": [{"id": "june", "asset": "BNB", "amount": 500}]}),
            "transfer june cannot be changed; add an entry with another id instead".to_owned(),
        ),
        // The same amount in another form, in another place.
        (
            json!({"transfers": [
                {"id": "out", "asset": "BNB", "amount": "-2"}, {"id": "june", "asset": "USDT", "amount": "500.0"},
            ]}),
            String::new(),
        ),
        (json!({"transfers": [{"id": "out", "asset": "BNB", "amount": -2}]}), String::new()),
        (json!({"transfers": null}), String::new()),
    ];
    for (change, expected) in changes {
        let said = patch(&namespace, "ts/grid", &json!({ "spec": change }), &[]);
        assert_eq!(said.ok, expected.is_empty(), "{change}: {}", said.stderr);
        assert!(said.stderr.contains(&expected), "{change}: {}", said.stderr);
    }
    for (change, good) in [
        (json!({"venue": {"paper": {"balances": {"USDT": 1, "BTC": 2}}}}), true),
        (json!({"marketData": {"replay": {"file": "other.csv"}}}), true),
        (json!({"venue": {"paper": null}}), false),
        (json!({"marketData": {"replay": null}}), false),
    ] {
        let said = patch(&namespace, "tacct/paper", &json!({ "spec": change }), &[]);
        assert_eq!(said.ok, good, "{change}: {}", said.stderr);
    }
}

#[tokio::test]
async fn an_epoch_never_goes_back() {
    let (_, namespace) = stored("epochs").await;
    let status = ["--subresource=status"];
    let epoch = |epoch: Value| json!({"status": {"epoch": epoch}});
    let feed = |feed: Value| json!({"status": {"feed": feed}});
    let words = "is below what it was; an epoch only goes up";
    for (resource, change, good) in [
        ("ts/grid", epoch(json!(3)), true),
        ("ts/grid", epoch(json!(3)), true),
        ("ts/grid", epoch(json!(4)), true),
        ("ts/grid", epoch(json!(3)), false),
        ("ts/grid", epoch(json!(null)), false),
        ("ts/grid", json!({"status": null}), false),
        ("ts/grid", json!({"status": {"appliedGeneration": 1}}), true),
        ("tacct/paper", epoch(json!(2)), true),
        ("tacct/paper", epoch(json!(1)), false),
        ("tacct/paper", feed(json!({"source": "s", "epoch": 5})), true),
        ("tacct/paper", feed(json!({"epoch": 4})), false),
        ("tacct/paper", feed(json!(null)), false),
        ("tacct/paper", feed(json!({"epoch": 6})), true),
    ] {
        let said = patch(&namespace, resource, &change, &status);
        assert_eq!(said.ok, good, "{change}: {}", said.stderr);
        assert!(good || said.stderr.contains(words), "{change}: {}", said.stderr);
    }
}

/// Applies a part of a status as the operator does.
async fn apply(client: &Client, namespace: &str, manager: &str, status: Value) {
    let api: kube::Api<crds::TradingStrategy> = kube::Api::namespaced(client.clone(), namespace);
    let body = json!({
        "apiVersion": crds::API_VERSION, "kind": "TradingStrategy", "metadata": {"name": "grid"}, "status": status,
    });
    api.patch_status("grid", &PatchParams::apply(manager).force(), &Patch::Apply(&body)).await.unwrap();
}

#[tokio::test]
async fn the_two_managers_of_a_status_never_delete_each_others_fields() {
    let (client, namespace) = stored("managers").await;
    let (placement, figures) = (operator::names::PLACEMENT_MANAGER, operator::names::STATUS_MANAGER);
    let ledger = json!({"id": "abc123", "resourceUid": "u", "startedAt": "2026-01-01T00:00:00Z"});
    let now = |field: &str| kubectl_json(&["get", "--namespace", &namespace, "ts/grid"])["status"][field].clone();
    apply(&client, &namespace, placement, json!({"epoch": 1, "ledger": ledger})).await;
    apply(&client, &namespace, figures, json!({"state": "Running", "appliedGeneration": 1})).await;
    assert_eq!((now("epoch"), now("ledger"), now("state")), (json!(1), ledger.clone(), json!("Running")));
    apply(&client, &namespace, placement, json!({"epoch": 2, "ledger": ledger})).await;
    assert_eq!((now("epoch"), now("state"), now("appliedGeneration")), (json!(2), json!("Running"), json!(1)));
    // A field that its own manager leaves out goes; those of the other stay.
    apply(&client, &namespace, figures, json!({"state": "Degraded"})).await;
    assert_eq!((now("epoch"), now("ledger"), now("appliedGeneration")), (json!(2), ledger, json!(null)));
    apply(&client, &namespace, placement, json!({"epoch": 2})).await;
    assert_eq!((now("ledger"), now("state")), (json!(null), json!("Degraded")));
}
