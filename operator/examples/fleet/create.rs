//! Makes accounts and strategies.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use kube::api::{ApiResource, DynamicObject, PostParams};
use kube::{Api, Client};
use serde_json::{Value, json};

/// Requests at once.
const CONCURRENCY: usize = 16;

/// Makes the strategies `first` to `first + count` on so many accounts, and those accounts of them that there are not yet.
pub async fn run(namespace: &str, numbers: [&str; 3]) -> Result<(), String> {
    let number = |text: &str| text.parse::<usize>().map_err(|error| format!("{text}: {error}; write a number"));
    let [first, count, accounts] = [number(numbers[0])?, number(numbers[1])?, number(numbers[2])?];
    let client = Client::try_default().await.map_err(|error| error.to_string())?;
    let last = first + count;
    let old = first.min(accounts);
    let made = (old..last.min(accounts)).map(|number| ("TradingAccount", format!("account-{number}"), account()));
    post_all(&client, namespace, made.collect()).await?;
    let made = (first..last).map(|number| ("TradingStrategy", format!("grid-{number}"), strategy(number % accounts)));
    post_all(&client, namespace, made.collect()).await
}

async fn post_all(client: &Client, namespace: &str, all: Vec<(&str, String, Value)>) -> Result<(), String> {
    stream::iter(all)
        .map(|(kind, name, spec)| post(client, namespace, (kind, name, spec)))
        .buffer_unordered(CONCURRENCY)
        .try_collect()
        .await
}

async fn post(client: &Client, namespace: &str, (kind, name, spec): (&str, String, Value)) -> Result<(), String> {
    let resource = ApiResource {
        group: "glm.trading".to_owned(),
        version: "v1alpha1".to_owned(),
        api_version: crds::API_VERSION.to_owned(),
        kind: kind.to_owned(),
        plural: if kind == "TradingAccount" { "tradingaccounts" } else { "tradingstrategies" }.to_owned(),
    };
    let api: Api<DynamicObject> = Api::namespaced_with(client.clone(), namespace, &resource);
    let object = json!({
        "apiVersion": resource.api_version, "kind": kind, "metadata": {"name": name}, "spec": spec,
    });
    let object: DynamicObject = serde_json::from_value(object).map_err(|error| error.to_string())?;
    api.create(&PostParams::default(), &object)
        .await
        .map(drop)
        .map_err(|error| format!("create {kind} {name}: {error}"))
}

fn account() -> Value {
    json!({
        "venue": {"paper": {"balances": {"USDT": "100000000"}, "fees": {"makerPercent": "0.1", "takerPercent": "0.1"}}},
        "marketData": {"replay": {"file": "data.csv"}},
    })
}

fn strategy(account: usize) -> Value {
    json!({
        "accountRef": {"name": format!("account-{account}")},
        "instruments": [{"symbol": "BTC/USDT", "rules": {"tickSize": "0.01", "lotSize": "0.00001"}}],
        "capital": {"USDT": "1000"},
        "strategy": {"grid": {"gridSizePercent": "2"}},
    })
}
