//! Options that several commands share.

use std::net::SocketAddr;

use clap::Args;

/// Where the store is and whose it is.
#[derive(Debug, Clone, Args)]
pub struct Store {
    /// Redis, such as redis://localhost:6379.
    #[arg(long, env = "GLM_REDIS", value_name = "URL")]
    pub redis: String,
    /// What all keys start with.
    #[arg(long, env = "GLM_PREFIX", default_value = "glm")]
    pub prefix: String,
    /// The installation the prefix belongs to; another's is refused.
    #[arg(long, env = "GLM_INSTALLATION", default_value = "run")]
    pub installation: String,
}

/// What a role is started with.
#[derive(Debug, Clone, Args)]
pub struct Role {
    /// The store.
    #[command(flatten)]
    pub store: Store,
    /// The namespace of the account.
    #[arg(long, env = "GLM_NAMESPACE", default_value = "default")]
    pub namespace: String,
    /// The owner of the record: strategy-<name>, gateway or feed.
    #[arg(long, env = "GLM_OWNER")]
    pub owner: String,
    /// The ledger that `worker ledger create` or the operator made.
    #[arg(long, env = "GLM_LEDGER")]
    pub ledger: String,
    /// Counted up by who places the process: a higher one fences this one.
    #[arg(long, env = "GLM_EPOCH")]
    pub epoch: u64,
    /// What to run, as one JSON document.
    #[arg(long, env = "GLM_SPEC", value_name = "JSON")]
    pub spec: String,
    /// Where to serve /healthz, /readyz and /metrics, such as 127.0.0.1:9090.
    #[arg(long, env = "GLM_ADMIN", value_name = "ADDR")]
    pub admin: Option<SocketAddr>,
}
