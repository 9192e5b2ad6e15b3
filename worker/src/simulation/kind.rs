//! What kinds of exchanges there are: each fact varies, and a seed draws one of each.

use engine::testkit::quoting::Chance;
use venue::{Alphabet, Answers, DeadMansSwitch, IdCodec, RequestExpiry, SelfTradePrevention, SwitchReach, VenueFacts};

use super::script::{ANSWER_MS, MARGIN_MS, RECEIVE_WINDOW_MS, VISIBILITY_MS};

/// How long the report of what was acknowledged is waited for.
pub(crate) const REPORT_MS: i64 = 700;
/// How long after it was armed a switch fires.
pub(crate) const FIRES_AFTER_MS: i64 = 6_000;

/// Its answers are final, requests have a window, and it has neither a switch nor any prevention. It takes ids of either form,
/// and answers within three seconds.
pub(crate) const PLAIN: VenueFacts = VenueFacts {
    ids: IdCodec { alphabet: Alphabet::WithHyphens, length_max: 36 },
    answers: Answers::Final,
    expiry: RequestExpiry::ReceiveWindow { window_ms: RECEIVE_WINDOW_MS },
    margin_ms: MARGIN_MS,
    visibility_ms: VISIBILITY_MS,
    answer_ms: ANSWER_MS,
    at_once: 8,
    switch: None,
    prevention: &[],
};

/// A yes is an acknowledgement.
pub(crate) const ACKNOWLEDGES: Answers = Answers::Acknowledged { report_ms: REPORT_MS };

/// A switch of this reach.
pub(crate) const fn switch(reach: SwitchReach) -> DeadMansSwitch {
    DeadMansSwitch { reach, fires_after_ms: FIRES_AFTER_MS }
}

/// One of each, drawn from `chance`.
pub(crate) fn drawn(chance: &mut Chance) -> VenueFacts {
    use SelfTradePrevention::{ExpireBoth, ExpireMaker, ExpireTaker};
    VenueFacts {
        answers: if chance.one_in(2) { ACKNOWLEDGES } else { Answers::Final },
        expiry: match chance.below(3) {
            0 => RequestExpiry::ReceiveWindow { window_ms: RECEIVE_WINDOW_MS },
            1 => RequestExpiry::Named { lives_ms: RECEIVE_WINDOW_MS },
            _ => RequestExpiry::Never,
        },
        switch: match chance.below(3) {
            0 => None,
            1 => Some(switch(SwitchReach::Symbol)),
            _ => Some(switch(SwitchReach::Tag)),
        },
        prevention: match chance.below(3) {
            0 => &[],
            1 => &[ExpireMaker, ExpireBoth, ExpireTaker],
            _ => &[ExpireBoth],
        },
        ..PLAIN
    }
}

/// The words of an exchange of this kind, for who counts them.
pub(crate) fn words(facts: &VenueFacts) -> [&'static str; 4] {
    [
        match facts.answers {
            Answers::Final => "FinalAnswers",
            Answers::Acknowledged { .. } => "Acknowledgements",
        },
        match facts.expiry {
            RequestExpiry::ReceiveWindow { .. } => "ReceiveWindow",
            RequestExpiry::Named { .. } => "NamedExpiry",
            RequestExpiry::Never => "NoExpiry",
        },
        match facts.switch.map(|switch| switch.reach) {
            None => "NoSwitch",
            Some(SwitchReach::Symbol) => "SwitchOfSymbol",
            Some(SwitchReach::Tag) => "SwitchOfTag",
        },
        match facts.prevents() {
            None => "NoPrevention",
            Some(SelfTradePrevention::ExpireTaker) => "ExpireTaker",
            Some(SelfTradePrevention::ExpireMaker) => "ExpireMaker",
            Some(SelfTradePrevention::ExpireBoth) => "ExpireBoth",
        },
    ]
}
