//! Where an order stands: one transition function, for the engine and for the gateway.

use serde::{Deserialize, Serialize};

use crate::messages::OrderStatus;

/// Where an order stands.
///
/// `Committed → Sent → Accepted → (PartiallyFilled) → Filled | Canceled | Expired | Rejected | Denied`;
/// `Unknown` is a state of its own, left only by news from the venue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum OrderState {
    /// In the store, not yet seen by the gateway.
    Committed,
    /// On its way to the venue.
    Sent,
    /// The venue has it.
    Accepted,
    /// A part has traded.
    PartiallyFilled,
    /// Nobody knows yet whether the venue has it.
    Unknown,
    /// All has traded.
    Filled,
    /// Cancelled on request.
    Canceled,
    /// The venue dropped the rest.
    Expired,
    /// The venue refused it.
    Rejected,
    /// We refused it.
    Denied,
}

impl std::fmt::Display for OrderState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl OrderState {
    /// The word itself.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Committed => "Committed",
            Self::Sent => "Sent",
            Self::Accepted => "Accepted",
            Self::PartiallyFilled => "PartiallyFilled",
            Self::Unknown => "Unknown",
            Self::Filled => "Filled",
            Self::Canceled => "Canceled",
            Self::Expired => "Expired",
            Self::Rejected => "Rejected",
            Self::Denied => "Denied",
        }
    }

    /// Whether the venue does no more with it. Fills may still be on their way to us.
    pub const fn is_final(self) -> bool {
        match self {
            Self::Committed | Self::Sent | Self::Accepted | Self::PartiallyFilled | Self::Unknown => false,
            Self::Filled | Self::Canceled | Self::Expired | Self::Rejected | Self::Denied => true,
        }
    }

    /// How far along the order is: news of a lower rank is old news.
    const fn rank(self) -> u8 {
        match self {
            Self::Committed => 0,
            Self::Sent => 1,
            Self::Unknown => 2,
            Self::Accepted => 3,
            Self::PartiallyFilled => 4,
            Self::Filled | Self::Canceled | Self::Expired | Self::Rejected | Self::Denied => 5,
        }
    }

    /// The state after `status` arrives. `Err` names a pair that cannot be; the state then stays.
    ///
    /// News may overtake each other, so older news than what is known changes nothing: a late `Accepted`
    /// after `Filled` is no anomaly. Two different ends are.
    pub fn after(self, status: OrderStatus) -> Result<Self, ImpossibleTransition> {
        let next = Self::from(status);
        let impossible = ImpossibleTransition { from: self, to: next };
        match (self, next) {
            (from, to) if from == to => Ok(to),
            // A refusal after the venue had the order, or after a part traded, contradicts what was told.
            (Self::Accepted | Self::PartiallyFilled, Self::Denied) | (Self::PartiallyFilled, Self::Rejected) => {
                Err(impossible)
            }
            (from, to) if from.is_final() && to.is_final() => Err(impossible),
            (from, to) if to.rank() < from.rank() => Ok(from),
            (_, to) => Ok(to),
        }
    }
}

impl From<OrderStatus> for OrderState {
    fn from(status: OrderStatus) -> Self {
        match status {
            OrderStatus::Sent => Self::Sent,
            OrderStatus::Accepted => Self::Accepted,
            OrderStatus::PartiallyFilled => Self::PartiallyFilled,
            OrderStatus::Unknown => Self::Unknown,
            OrderStatus::Filled => Self::Filled,
            OrderStatus::Canceled => Self::Canceled,
            OrderStatus::Expired => Self::Expired,
            OrderStatus::Rejected => Self::Rejected,
            OrderStatus::Denied => Self::Denied,
        }
    }
}

/// A pair of state and news that cannot be: counted, never a panic.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an order that is {from} cannot become {to}")]
pub struct ImpossibleTransition {
    /// The known state.
    pub from: OrderState,
    /// What the news says.
    pub to: OrderState,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [OrderStatus; 9] = [
        OrderStatus::Sent,
        OrderStatus::Accepted,
        OrderStatus::PartiallyFilled,
        OrderStatus::Filled,
        OrderStatus::Canceled,
        OrderStatus::Expired,
        OrderStatus::Rejected,
        OrderStatus::Denied,
        OrderStatus::Unknown,
    ];

    #[test]
    fn a_state_is_shown_by_its_word() {
        for (state, word) in [(OrderState::Committed, "Committed"), (OrderState::PartiallyFilled, "PartiallyFilled")] {
            assert_eq!((state.to_string(), state.as_str()), (word.to_owned(), word));
        }
        let impossible = ImpossibleTransition { from: OrderState::Filled, to: OrderState::Rejected };
        assert_eq!(impossible.to_string(), "an order that is Filled cannot become Rejected");
        assert_eq!(format!("{:>8}|{:<8}|", OrderState::Sent, OrderState::Sent), "    Sent|Sent    |");
    }

    #[test]
    fn the_usual_life_passes() {
        let mut state = OrderState::Committed;
        for status in [
            OrderStatus::Sent,
            OrderStatus::Unknown,
            OrderStatus::Accepted,
            OrderStatus::PartiallyFilled,
            OrderStatus::Expired,
        ] {
            state = state.after(status).unwrap();
        }
        assert_eq!(state, OrderState::Expired);
    }

    #[test]
    fn old_news_changes_nothing_and_two_ends_are_an_anomaly() {
        assert_eq!(OrderState::Filled.after(OrderStatus::Accepted), Ok(OrderState::Filled));
        assert_eq!(OrderState::Accepted.after(OrderStatus::Unknown), Ok(OrderState::Accepted));
        assert!(OrderState::Filled.after(OrderStatus::Canceled).is_err());
        assert!(OrderState::PartiallyFilled.after(OrderStatus::Rejected).is_err());
    }

    #[test]
    fn an_end_is_never_left() {
        for end in
            [OrderState::Filled, OrderState::Canceled, OrderState::Expired, OrderState::Rejected, OrderState::Denied]
        {
            for status in ALL {
                assert_eq!(end.after(status).unwrap_or(end), end, "{end:?} after {status:?}");
            }
        }
    }
}
