//! Every reason that a condition or an Event of the operator can give. Stable words: scripts match them.

/// A reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Reason {
    /// The spec is valid and its references exist.
    Valid,
    /// A field is wrong.
    InvalidSpec,
    /// The spec is valid but for fields that this operator does not know; they are ignored.
    UnknownField,
    /// The object, or its account, does not read as this version's kind.
    Unreadable,
    /// The account does not exist.
    AccountNotFound,
    /// The files of a process do not exist.
    SourceNotFound,
    /// No rules for the instrument.
    NoInstrumentRules,
    /// The account does not have the declared capital.
    CapitalExceedsAccount,
    /// The account replays another symbol.
    SymbolMismatch,
    /// The venue lacks the market.
    SymbolUnknown,
    /// The strategy trades.
    Trading,
    /// An edit is followed by the pod that runs.
    EditFollowed,
    /// The account's gateway and feed are up.
    Available,
    /// No tick has arrived yet.
    WaitingForMarketData,
    /// Bars are missing that the strategy looks back on.
    WarmingUp,
    /// A limit was breached, and is not released.
    LimitReached,
    /// An exit has ended it.
    ExitReached,
    /// Something is on its way.
    Starting,
    /// Paused on request.
    Paused,
    /// Stopped on request.
    Stopped,
    /// On its way out.
    Stopping,
    /// The replay has ended.
    MarketDataEnded,
    /// The worker has shown no sign of life.
    WorkerSilent,
    /// The account's gateway has shown no sign of life.
    GatewaySilent,
    /// The account's feed has shown no sign of life.
    FeedSilent,
    /// The worker does not take what its feed has given out.
    BehindFeed,
    /// The venue gives no answer, or none that makes sense.
    FeedUnreachable,
    /// The venue has banned the address that the feed comes from.
    FeedBanned,
    /// The venue does not serve the place that the feed comes from.
    FeedRegion,
    /// Nothing was heard of the venue for 30 s.
    MarketDataStale,
    /// The venue trades the market not now.
    SymbolHalted,
    /// The image cannot be started, or the like.
    PodBlocked,
    /// A process ends before it has been ready for a minute, again and again.
    CrashLoop,
    /// The store does not answer.
    RedisUnavailable,
    /// The account holds something else than the strategy's ledger.
    AccountMismatch,
    /// The strategy's process has ended by itself.
    StrategyCrashed,
    /// The strategy's process has not answered in time.
    StrategyTimeout,
    /// The strategy's process has answered what is no answer.
    BadAction,
    /// The store has no record of the ledger.
    LedgerLost,
    /// The store has another ledger, or one made for another resource.
    LedgerFound,
    /// An entry of the inbox does not read.
    PoisonInbox,
    /// Strategies use the account.
    InUse,
    /// A deletion waits past its deadline.
    DeadlineExceeded,
    /// Nothing is under way.
    Settled,
}

impl Reason {
    /// Every reason, in the order of the document about them.
    pub const ALL: [Self; 44] = [
        Self::Valid,
        Self::InvalidSpec,
        Self::UnknownField,
        Self::Unreadable,
        Self::AccountNotFound,
        Self::SourceNotFound,
        Self::NoInstrumentRules,
        Self::CapitalExceedsAccount,
        Self::SymbolMismatch,
        Self::SymbolUnknown,
        Self::Trading,
        Self::EditFollowed,
        Self::Available,
        Self::WaitingForMarketData,
        Self::WarmingUp,
        Self::LimitReached,
        Self::ExitReached,
        Self::Starting,
        Self::Paused,
        Self::Stopped,
        Self::Stopping,
        Self::MarketDataEnded,
        Self::WorkerSilent,
        Self::GatewaySilent,
        Self::FeedSilent,
        Self::BehindFeed,
        Self::FeedUnreachable,
        Self::FeedBanned,
        Self::FeedRegion,
        Self::MarketDataStale,
        Self::SymbolHalted,
        Self::PodBlocked,
        Self::CrashLoop,
        Self::RedisUnavailable,
        Self::AccountMismatch,
        Self::StrategyCrashed,
        Self::StrategyTimeout,
        Self::BadAction,
        Self::LedgerLost,
        Self::LedgerFound,
        Self::PoisonInbox,
        Self::InUse,
        Self::DeadlineExceeded,
        Self::Settled,
    ];

    /// The reason of a source's own word, where it is one.
    pub fn of_source(word: &str) -> Self {
        let all = [Self::SymbolUnknown, Self::FeedBanned, Self::FeedRegion, Self::MarketDataStale, Self::SymbolHalted];
        // A later feed's word: that there are no prices is known all the same.
        all.into_iter().find(|reason| reason.as_str() == word).unwrap_or(Self::FeedUnreachable)
    }

    /// The word itself.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "Valid",
            Self::InvalidSpec => "InvalidSpec",
            Self::UnknownField => "UnknownField",
            Self::Unreadable => "Unreadable",
            Self::AccountNotFound => "AccountNotFound",
            Self::SourceNotFound => "SourceNotFound",
            Self::NoInstrumentRules => "NoInstrumentRules",
            Self::CapitalExceedsAccount => "CapitalExceedsAccount",
            Self::SymbolMismatch => "SymbolMismatch",
            Self::SymbolUnknown => "SymbolUnknown",
            Self::Trading => "Trading",
            Self::EditFollowed => "EditFollowed",
            Self::Available => "Available",
            Self::WaitingForMarketData => "WaitingForMarketData",
            Self::WarmingUp => "WarmingUp",
            Self::LimitReached => "LimitReached",
            Self::ExitReached => "ExitReached",
            Self::Starting => "Starting",
            Self::Paused => "Paused",
            Self::Stopped => "Stopped",
            Self::Stopping => "Stopping",
            Self::MarketDataEnded => "MarketDataEnded",
            Self::WorkerSilent => "WorkerSilent",
            Self::GatewaySilent => "GatewaySilent",
            Self::FeedSilent => "FeedSilent",
            Self::BehindFeed => "BehindFeed",
            Self::FeedUnreachable => "FeedUnreachable",
            Self::FeedBanned => "FeedBanned",
            Self::FeedRegion => "FeedRegion",
            Self::MarketDataStale => "MarketDataStale",
            Self::SymbolHalted => "SymbolHalted",
            Self::PodBlocked => "PodBlocked",
            Self::CrashLoop => "CrashLoop",
            Self::RedisUnavailable => "RedisUnavailable",
            Self::AccountMismatch => "AccountMismatch",
            Self::StrategyCrashed => "StrategyCrashed",
            Self::StrategyTimeout => "StrategyTimeout",
            Self::BadAction => "BadAction",
            Self::LedgerLost => "LedgerLost",
            Self::LedgerFound => "LedgerFound",
            Self::PoisonInbox => "PoisonInbox",
            Self::InUse => "InUse",
            Self::DeadlineExceeded => "DeadlineExceeded",
            Self::Settled => "Settled",
        }
    }
}
