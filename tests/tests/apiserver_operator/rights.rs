//! What the chart lets the operator do. Every other test here runs under the same rights, so they suffice; here they
//! are shown to be no more, and to reach into a namespace that is going.

use bus::StateStore as _;
use tests::apiserver::{World, await_that, kubectl};

use super::scenarios::{ACCOUNT, STRATEGY, create};

#[tokio::test]
async fn the_rights_are_those_that_are_needed_and_no_more() {
    let world = World::alone().await;
    for (verb, resource, allowed) in [
        ("create", "pods", true),
        ("delete", "pods", true),
        ("patch", "pods", true),
        ("patch", "pods --subresource=status", false),
        ("patch", "tradingstrategies.glm.trading --subresource=status", true),
        ("get", "secrets", false),
        ("list", "secrets", false),
        ("update", "pods", false),
        ("create", "pods --subresource=exec", false),
        ("delete", "tradingstrategies.glm.trading", false),
        ("create", "tradingstrategies.glm.trading", false),
        ("impersonate", "users", false),
    ] {
        let user = world.user();
        let asked = ["auth", "can-i", "--namespace", &world.namespace, "--as", &user, verb];
        let asked: Vec<&str> = asked.into_iter().chain(resource.split(' ')).collect();
        // What was granted a moment ago may not be known to the API server yet.
        let (what, asked) = (format!("{verb} {resource}: {allowed}"), &asked);
        await_that(&what, || async { (kubectl(asked, "").ok == allowed).then_some(()) }).await;
    }
}

#[tokio::test]
async fn a_namespace_that_is_deleted_is_released_and_its_ledgers_are_closed() {
    let world = World::alone().await;
    create(&world).await;
    let scope = bus::Scope::account(&world.namespace, ACCOUNT).unwrap();
    let source = bus::Scope::source(&world.namespace, "replay-paper").unwrap();
    let (strategy, gateway) = (world.keys.strategy(&scope, STRATEGY), world.keys.gateway(&scope));
    world.delete_namespace().await;
    assert_eq!(world.metrics.released.get(), 2, "the strategy and its account");
    for owner in [strategy, gateway, world.keys.feed(&source)] {
        let record = world.bus.record(&owner).await.unwrap().unwrap();
        assert!(record.closed, "{} is open", owner.name());
    }
    assert_eq!(world.stored_keys("*inbox*"), Vec::<String>::new(), "streams of closed ledgers");
}
