//! Names of what the operator makes. Deterministic: the same resource and epoch give the same name.

/// The operator's name as a reporter of Events and a manager of pods.
pub const OPERATOR: &str = "glm-operator";
/// The field manager of epoch and ledger.
pub const PLACEMENT_MANAGER: &str = "glm-operator-placement";
/// The field manager of figures and conditions.
pub const STATUS_MANAGER: &str = "glm-operator-status";
/// The finalizer of strategies and accounts.
pub const FINALIZER: &str = "glm.trading/ledger";
/// Answers LedgerLost and LedgerFound: `resume` or `discard`.
pub const LEDGER_ANNOTATION: &str = "glm.trading/ledger";
/// Lets a deletion go on without certainty: `now`.
pub const FORCE_DELETE_ANNOTATION: &str = "glm.trading/force-delete";
/// Lets what waits for a human go on: `CrashLoop COUNT`. While a deletion waits, `now` is read as the release before
/// wrote it.
pub const RELEASE_ANNOTATION: &str = "glm.trading/release";
/// On pods: their role.
pub const COMPONENT_LABEL: &str = "app.kubernetes.io/component";
/// On pods: the name in their own: of a resource, or of a live source.
pub const INSTANCE_LABEL: &str = "app.kubernetes.io/instance";
/// On pods: the epoch they run under.
pub const EPOCH_LABEL: &str = "glm.trading/epoch";
/// On pods: the uid of the resource they run for; not on those that several share.
pub const OWNER_LABEL: &str = "glm.trading/owner-uid";
/// On pods: a digest of what they were made from, without what is followed by a register.
pub const DIGEST_ANNOTATION: &str = "glm.trading/digest";
/// On pods of strategies: the same with the parameters, as the release before wrote it in the place of the other.
pub const WHOLE_DIGEST_ANNOTATION: &str = "glm.trading/whole-digest";

/// A process that the operator places.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// One per TradingStrategy.
    Strategy,
    /// One per TradingAccount.
    Gateway,
    /// One per market data source in use.
    Feed,
}

impl Role {
    /// The role's command in the image, and its component label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Strategy => "strategy",
            Self::Gateway => "gateway",
            Self::Feed => "feed",
        }
    }

    /// The name of its pod: `strategy-<name>-<epoch>`.
    pub fn pod(self, name: &str, epoch: u64) -> String {
        format!("{}-{name}-{epoch}", self.name())
    }
}
