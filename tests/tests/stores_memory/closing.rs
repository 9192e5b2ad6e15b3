//! Accounts that come and go leave next to nothing.

use std::time::Instant;

use tests::{redis_server::RedisServer, result::comparable, roles::Scene};

use crate::fleet::{accounts, busy, used};

/// How often accounts come and go after the first time, which brings scripts and buffers into being.
const ROUNDS: u64 = 4;
/// Instead of so few rounds, accounts may come and go for so long.
const SECONDS: &str = "GLM_CLOSING_SECONDS";
/// How many do so at a time.
const ACCOUNTS: u64 = 8;
/// What a closed account with a strategy may leave: tombstones and registers of three owners, for a while.
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
    // On a busy machine its log of slow commands takes more than all the accounts leave.
    let redis = RedisServer::start_with(&["--maxmemory", SMALL, "--slowlog-log-slower-than", "-1"]);
    let url = redis.url();
    let data = busy(300);
    let (mut first, mut most) = (0, 0);
    let seconds = std::env::var(SECONDS).map_or(0, |seconds| seconds.parse().expect("a number of seconds"));
    let started = Instant::now();
    let mut rounds = 0;
    while rounds <= ROUNDS || started.elapsed().as_secs() < seconds {
        let round = rounds;
        rounds += 1;
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
    let closed = rounds * ACCOUNTS;
    // After an hour the first of them have left nothing any more.
    let each = used(&redis).saturating_sub(first) / (closed - ACCOUNTS);
    println!(
        "{each} bytes are left of a closed account, for a while; {most} were in use at most, after {closed} accounts"
    );
    assert!(each <= LEFT_MAX, "{each} bytes are left of each closed account");
}
