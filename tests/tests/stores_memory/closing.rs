//! Accounts that come and go leave next to nothing.

use tests::{redis_server::RedisServer, result::comparable, roles::Scene};

use crate::fleet::{accounts, busy, used};

/// How often accounts come and go after the first time, which brings scripts and buffers into being.
const ROUNDS: u64 = 4;
/// How many do so at a time.
const ACCOUNTS: u64 = 8;
/// What a closed account with a strategy may leave: tombstones and registers of three owners, for a day.
const LEFT_MAX: u64 = 6 * 1024;
/// As the chart's small Redis has it.
const SMALL: &str = "48mb";

fn done(scene: &Scene, arguments: &[&str]) -> String {
    let output = scene.worker(arguments);
    assert!(output.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn accounts_that_come_and_go_leave_next_to_nothing() {
    let redis = RedisServer::start_with(&["--maxmemory", SMALL]);
    let url = redis.url();
    let data = busy(300);
    let (mut first, mut most) = (0, 0);
    for round in 0..=ROUNDS {
        let names: Vec<_> = (0..ACCOUNTS).map(|number| format!("account-{round}-{number}")).collect();
        let scene = Scene::new(&accounts(&names, 1), &data);
        let file = scene.manifest().to_str().unwrap();
        done(&scene, &["run", file, "--redis", &url]);
        let full = used(&redis);
        most = full.max(most);
        let shown = done(&scene, &["ledger", "show", file, "--redis", &url]);
        assert_eq!(comparable(&shown), scene.backtest());
        done(&scene, &["ledger", "close", file, "--redis", &url]);
        let after = used(&redis);
        if round == 0 {
            first = after;
            assert!(full - after > 500_000, "an account in use takes more than a closed one: {full}, then {after}");
        }
    }
    let mut left: Vec<_> = redis.cli(&["KEYS", "glm:*"]).lines().map(str::to_owned).collect();
    left.retain(|key| !key.contains(":state:") && !key.contains(":desired:"));
    assert_eq!(left, ["glm:installation"], "no stream is left");
    let each = used(&redis).saturating_sub(first) / (ROUNDS * ACCOUNTS);
    println!("{each} bytes are left of a closed account, for a day; {most} were in use at most");
    assert!(each <= LEFT_MAX, "{each} bytes are left of each closed account");
}
