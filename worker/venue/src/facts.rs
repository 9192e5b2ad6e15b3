//! What a venue elsewhere is like, as data: the gateway knows no venue by name.

use engine::client_order_id::ClientOrderId;
use engine::time::Timestamp;

/// What a venue is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VenueFacts {
    /// How it takes our ids.
    pub ids: IdCodec,
    /// How long after its stamp a request can still be accepted.
    pub receive_ms: i64,
    /// How far clocks may differ: a request is taken for dead only so much later.
    pub margin_ms: i64,
    /// How long after an order was accepted it may still be missing in answers.
    pub visibility_ms: i64,
    /// How long one answer is waited for. After it nobody knows what became of a request.
    pub answer_ms: i64,
    /// Requests and questions at most that may be on their way at once.
    pub at_once: usize,
}

impl VenueFacts {
    /// How long after its stamp a request can still arrive, at the latest.
    pub const fn dead_after_ms(&self) -> i64 {
        self.receive_ms.saturating_add(self.margin_ms)
    }

    /// How long after its stamp a request can still show itself: what is not there later never was.
    pub const fn shown_after_ms(&self) -> i64 {
        self.dead_after_ms().saturating_add(self.visibility_ms)
    }

    /// Whether a request with this stamp can no longer arrive.
    pub fn is_dead(&self, signed_at: Timestamp, now: Timestamp) -> bool {
        now.millis_since(signed_at) > self.dead_after_ms()
    }
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

    #[test]
    fn a_request_is_dead_after_its_window_and_the_margin() {
        let ids = IdCodec { alphabet: Alphabet::Alphanumeric, length_max: 32 };
        let facts =
            VenueFacts { ids, receive_ms: 5_000, margin_ms: 500, visibility_ms: 2_000, answer_ms: 1, at_once: 1 };
        let at = Timestamp::from_millis;
        assert!(!facts.is_dead(at(100), at(5_600)) && facts.is_dead(at(100), at(5_601)));
        assert_eq!(facts.shown_after_ms(), 7_500);
    }
}
