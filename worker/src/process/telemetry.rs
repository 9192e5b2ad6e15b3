//! Logs on stderr: JSON off a terminal, text on one. `GLM_LOG` sets the level, such as `debug` or `bus=trace`.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// Starts logging at `default` unless `GLM_LOG` says otherwise.
pub fn start(default: &str) {
    let filter = EnvFilter::try_from_env("GLM_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_writer(process::talk).log_internal_errors(false);
    // A second start in one process is a test's; the first one stands.
    let _ = if std::io::stderr().is_terminal() {
        builder.with_target(false).try_init()
    } else {
        builder.json().flatten_event(true).with_target(false).with_span_list(false).try_init()
    };
}
