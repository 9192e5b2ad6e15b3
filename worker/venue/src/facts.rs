//! What a venue elsewhere is like, as data: the gateway knows no venue by name.

use engine::client_order_id::ClientOrderId;
use engine::time::Timestamp;

use crate::Stamp;

/// What a venue is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueFacts {
    /// How it takes our ids.
    pub ids: IdCodec,
    /// What its yes to a request says.
    pub answers: Answers,
    /// When a request that has not arrived is dead.
    pub expiry: RequestExpiry,
    /// How far clocks may differ: a request is taken for dead only so much later.
    pub margin_ms: i64,
    /// How long after an order was accepted it may still be missing in answers.
    pub visibility_ms: i64,
    /// How long one answer is waited for. After it nobody knows what became of a request.
    pub answer_ms: i64,
    /// Requests and questions at most that may be on their way at once.
    pub at_once: usize,
    /// The switch that cancels our orders when we are not heard any more, where it has one.
    pub switch: Option<DeadMansSwitch>,
    /// The ways in which it keeps orders of one account from trading with each other; empty where it does not.
    pub prevention: &'static [SelfTradePrevention],
}

impl VenueFacts {
    /// The stamp of a request that is signed at this time.
    pub fn stamp(&self, signed_at: Timestamp) -> Stamp {
        Stamp::new(signed_at, self.expiry)
    }

    /// How long after its stamp a request can still arrive, at the latest; `None` where nothing bounds that.
    pub fn dead_after_ms(&self) -> Option<i64> {
        self.expiry.lives_ms().map(|lives| lives.saturating_add(self.margin_ms))
    }

    /// How long after its stamp a request can still show itself: what is not there later never was. Where nothing bounds when
    /// a request arrives, how long after its arrival.
    pub fn shown_after_ms(&self) -> i64 {
        self.dead_after_ms().unwrap_or(self.margin_ms).saturating_add(self.visibility_ms)
    }

    /// Whether a request with this stamp can no longer arrive: never, where nothing bounds that.
    pub fn is_dead(&self, signed_at: Timestamp, now: Timestamp) -> bool {
        self.dead_after_ms().is_some_and(|dead| now.millis_since(signed_at) > dead)
    }

    /// Whether a request with this stamp that is sent only now would be refused as too old.
    pub fn is_too_old(&self, signed_at: Timestamp, now: Timestamp) -> bool {
        self.expiry.lives_ms().is_some_and(|lives| now.millis_since(signed_at) > lives)
    }

    /// What an order says that is not to trade with another one of its account; `None` where the venue offers nothing.
    ///
    /// The first of [`SelfTradePrevention::PREFERRED`] that the venue offers.
    pub fn prevents(&self) -> Option<SelfTradePrevention> {
        SelfTradePrevention::PREFERRED.into_iter().find(|mode| self.prevention.contains(mode))
    }
}

/// What a venue's yes to a request says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answers {
    /// Where the order stands: [`Outcome::Done`](crate::Outcome::Done).
    Final,
    /// Only that the request was taken: [`Outcome::Acknowledged`](crate::Outcome::Acknowledged). A report follows, and the
    /// venue may still refuse.
    Acknowledged {
        /// How long its report is waited for, in milliseconds; then the venue is asked.
        report_ms: i64,
    },
}

impl Answers {
    /// How long after an acknowledgement its report is waited for, in milliseconds.
    pub const fn report_ms(self) -> i64 {
        match self {
            Self::Final => 0,
            Self::Acknowledged { report_ms } => report_ms,
        }
    }
}

/// When a request is dead that has not arrived by then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RequestExpiry {
    /// The venue refuses what arrives so long after its stamp.
    ReceiveWindow {
        /// In milliseconds.
        window_ms: i64,
    },
    /// A request names the time after which the venue refuses it.
    Named {
        /// How long after its stamp that is, in milliseconds.
        lives_ms: i64,
    },
    /// Neither: it can arrive at any time. An order without an answer is in doubt until the venue's lists tell of it; it is
    /// never sent again, and never taken for absent.
    Never,
}

impl RequestExpiry {
    /// How long after its stamp a request can be accepted, by the venue's clock, in milliseconds; `None` for ever.
    pub const fn lives_ms(self) -> Option<i64> {
        match self {
            Self::ReceiveWindow { window_ms } => Some(window_ms),
            Self::Named { lives_ms } => Some(lives_ms),
            Self::Never => None,
        }
    }
}

/// A dead man's switch: armed, it cancels orders when it was not armed again in time.
///
/// A gateway arms it while orders are open, and renews it after a third of its time. So a successor has at least two
/// thirds of it to take over from a gateway that is lost, and only then do orders end, Canceled for the reason
/// [`DeadMansSwitch::FIRED`]. A gateway that stops in good order disarms it: its orders stay.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadMansSwitch {
    /// Which orders it cancels.
    pub reach: SwitchReach,
    /// How long after it was armed it fires, in milliseconds: longer than a successor takes, where the venue allows that.
    pub fires_after_ms: i64,
}

impl DeadMansSwitch {
    /// The reason that a venue's report gives of an order that its switch has cancelled.
    pub const FIRED: &str = "SwitchFired";
}

/// Which orders one switch cancels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SwitchReach {
    /// Those of one market: each market has its own.
    Symbol,
    /// All of ours, which bear its tag.
    Tag,
}

/// How a venue keeps orders of one account from trading with each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SelfTradePrevention {
    /// The order that arrives expires.
    ExpireTaker,
    /// The order that rests expires.
    ExpireMaker,
    /// Both do.
    ExpireBoth,
}

impl SelfTradePrevention {
    /// What is asked for, the first that is offered: what rests keeps its place.
    pub const PREFERRED: [Self; 3] = [Self::ExpireTaker, Self::ExpireMaker, Self::ExpireBoth];
}

/// The letters that a venue takes in an id of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Alphabet {
    /// Letters and digits.
    Alphanumeric,
    /// Those, and hyphens.
    WithHyphens,
}

impl Alphabet {
    const fn has(self, byte: u8) -> bool {
        match self {
            Self::Alphanumeric => byte.is_ascii_alphanumeric(),
            Self::WithHyphens => byte.is_ascii_alphanumeric() || byte == b'-',
        }
    }
}

/// How an id of ours is written at a venue: as it is, where the venue takes its letters and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct IdCodec {
    /// The letters that it takes.
    pub alphabet: Alphabet,
    /// How many of them at most.
    pub length_max: usize,
}

impl IdCodec {
    /// The id as the venue has it; `None` if it does not take such an id.
    pub fn encode(&self, id: &ClientOrderId) -> Option<String> {
        let text = id.to_string();
        (text.len() <= self.length_max && text.bytes().all(|byte| self.alphabet.has(byte))).then_some(text)
    }

    /// Our id; `None` of an order that another program made.
    pub fn decode(&self, text: &str) -> Option<ClientOrderId> {
        text.parse().ok().filter(|id| self.encode(id).as_deref() == Some(text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 32 letters and digits, as one exchange takes them; 36 with hyphens, as another does; and one that takes too few.
    #[test]
    fn an_id_goes_where_its_letters_and_length_are_taken_and_comes_back_as_it_was() {
        let (letters, hyphens) = (Alphabet::Alphanumeric, Alphabet::WithHyphens);
        for (id, alphabet, length_max, fits) in [
            ("glmk3f9q2x7c1zd0000000000001", letters, 32, true),
            ("glmk3f9q2x7c1zd0000000000001", letters, 28, true),
            ("glmk3f9q2x7c1zd0000000000001", letters, 27, false),
            ("glmk3f9q2x7c1zd0000000000001", hyphens, 36, true),
            ("glm-abc-7", letters, 32, false),
            ("glm-abcdefghijkl-9999999999999999999", hyphens, 36, true),
            ("glm-abcdefghijkl-9999999999999999999", hyphens, 35, false),
        ] {
            let codec = IdCodec { alphabet, length_max };
            let ours: ClientOrderId = id.parse().unwrap();
            assert_eq!(codec.encode(&ours), fits.then(|| id.to_owned()), "{id} {codec:?}");
            assert_eq!(codec.decode(id).map(|read| read.to_string()), fits.then(|| id.to_owned()), "{id} {codec:?}");
        }
        let codec = IdCodec { alphabet: hyphens, length_max: 36 };
        for foreign in ["web_12345", "", "x-glm", "glm-abc-01"] {
            assert_eq!(codec.decode(foreign), None, "{foreign}");
        }
    }

    fn facts(expiry: RequestExpiry, prevention: &'static [SelfTradePrevention]) -> VenueFacts {
        VenueFacts {
            ids: IdCodec { alphabet: Alphabet::Alphanumeric, length_max: 32 },
            answers: Answers::Final,
            expiry,
            margin_ms: 500,
            visibility_ms: 2_000,
            answer_ms: 1,
            at_once: 1,
            switch: None,
            prevention,
        }
    }

    #[test]
    fn a_request_is_dead_after_its_expiry_and_the_margin_and_without_one_never() {
        let at = Timestamp::from_millis;
        for (expiry, named) in [
            (RequestExpiry::ReceiveWindow { window_ms: 5_000 }, None),
            (RequestExpiry::Named { lives_ms: 5_000 }, Some(at(5_100))),
        ] {
            let facts = facts(expiry, &[]);
            assert!(!facts.is_dead(at(100), at(5_600)) && facts.is_dead(at(100), at(5_601)), "{expiry:?}");
            assert!(!facts.is_too_old(at(100), at(5_100)) && facts.is_too_old(at(100), at(5_101)), "{expiry:?}");
            assert_eq!(facts.shown_after_ms(), 7_500);
            let stamp = facts.stamp(at(100));
            assert_eq!((stamp.signed_at(), stamp.expires_at()), (at(100), named), "{expiry:?}");
        }
        let facts = facts(RequestExpiry::Never, &[]);
        let end = at(i64::MAX);
        assert!(!facts.is_dead(at(0), end) && !facts.is_too_old(at(0), end));
        assert_eq!((facts.dead_after_ms(), facts.shown_after_ms()), (None, 2_500));
        assert_eq!(facts.stamp(at(100)).expires_at(), None);
    }

    #[test]
    fn what_rests_keeps_its_place_where_the_venue_offers_that() {
        use SelfTradePrevention::{ExpireBoth, ExpireMaker, ExpireTaker};
        let cases: [(&'static [SelfTradePrevention], _); 4] = [
            (&[ExpireBoth, ExpireMaker, ExpireTaker], Some(ExpireTaker)),
            (&[ExpireBoth, ExpireMaker], Some(ExpireMaker)),
            (&[ExpireBoth], Some(ExpireBoth)),
            (&[], None),
        ];
        for (offered, asked) in cases {
            assert_eq!(facts(RequestExpiry::Never, offered).prevents(), asked, "{offered:?}");
        }
    }
}
