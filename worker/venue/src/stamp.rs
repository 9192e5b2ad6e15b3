//! The stamp of a request: when it was signed, and when it is dead, as its venue wants it.

use engine::time::Timestamp;

use crate::RequestExpiry;

/// The stamp of one request. Only what a venue is like makes one, so that a request names its expiry where the venue takes
/// one, and nowhere else.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Stamp {
    signed_at: Timestamp,
    expires_at: Option<Timestamp>,
}

impl Stamp {
    pub(crate) fn new(signed_at: Timestamp, expiry: RequestExpiry) -> Self {
        let expires_at = match expiry {
            RequestExpiry::Named { lives_ms } => Some(signed_at.plus_millis(lives_ms)),
            RequestExpiry::ReceiveWindow { .. } | RequestExpiry::Never => None,
        };
        Self { signed_at, expires_at }
    }

    /// When the request was signed; where the venue has a receive window, it begins here.
    pub const fn signed_at(&self) -> Timestamp {
        self.signed_at
    }

    /// After this time the venue refuses it; `None` where the venue takes no such time.
    pub const fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }
}
