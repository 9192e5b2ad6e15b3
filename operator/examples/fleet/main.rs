//! What `tests/bench fleet` runs beside the operator: `create` makes a fleet's objects, `nodes` says that its pods run,
//! `play` is all gateways, feeds and workers of it.

use std::process::ExitCode;

mod create;
mod nodes;
mod play;
mod program;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match words[..] {
        ["create", namespace, first, count, accounts] => create::run(namespace, [first, count, accounts]).await,
        ["nodes", namespace, count] => nodes::run(namespace, count).await,
        ["play", namespace, redis, connections, part] => play::run(namespace, redis, connections, part).await,
        _ => Err("usage: fleet create NAMESPACE FIRST COUNT ACCOUNTS | fleet nodes NAMESPACE COUNT | \
             fleet play NAMESPACE REDIS CONNECTIONS PART/PARTS"
            .to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("fleet: {why}");
            ExitCode::FAILURE
        }
    }
}
