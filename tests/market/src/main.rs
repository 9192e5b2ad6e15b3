//! The program: starts a server, says where it listens, and ends with SIGTERM or with who started it.

use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use clap::Parser;
use market_server::server::{Options, start};
use tokio::signal::unix::{SignalKind, signal};

fn main() -> ExitCode {
    let options = Options::parse();
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return failed(&error.to_string()),
    };
    match runtime.block_on(run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => failed(&error),
    }
}

fn failed(error: &str) -> ExitCode {
    // If even this cannot be written, the exit code has to do.
    drop(writeln!(std::io::stderr(), "market-server: {error}"));
    ExitCode::FAILURE
}

async fn run(options: &Options) -> Result<(), String> {
    // Before all else, so that a parent that ends early is not missed.
    let parent = std::os::unix::process::parent_id();
    let mut terminated = signal(SignalKind::terminate()).map_err(|error| error.to_string())?;
    let mut interrupted = signal(SignalKind::interrupt()).map_err(|error| error.to_string())?;
    let server = start(options).await.map_err(|error| error.to_string())?;
    let ready = serde_json::to_string(&server.endpoints).map_err(|error| error.to_string())?;
    writeln!(std::io::stdout(), "{ready}").map_err(|error| error.to_string())?;
    // By its id: a signal at the parent's death would come when a thread of it ends.
    let orphaned = async {
        while std::os::unix::process::parent_id() == parent {
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::select! {
        _ = terminated.recv() => {}
        _ = interrupted.recv() => {}
        () = orphaned => {}
    }
    server.stop().await;
    Ok(())
}
