//! Stories of one order at an exchange that behaves badly, with their one right end.

use crate::simulation::script::{Arrival, RECEIVE_WINDOW_MS, Script, VISIBILITY_MS};

/// One story: what the exchange does with each request, when a cancel is given, how it ends.
pub(super) struct Case {
    pub name: &'static str,
    pub scripts: Vec<Script>,
    pub cancel_after_ms: Option<i64>,
    pub lives_ms: i64,
    pub silent_ms: i64,
    /// The last status and reason told of the order, and how much has traded in all.
    pub end: (&'static str, &'static str, &'static str),
    /// Requests of an undisturbed run.
    pub requests: usize,
}

impl Default for Case {
    fn default() -> Self {
        Self {
            name: "",
            scripts: Vec::new(),
            cancel_after_ms: None,
            lives_ms: 30_000,
            silent_ms: 0,
            end: ("Filled", "", "1"),
            requests: 1,
        }
    }
}

/// Every story.
pub(super) fn all() -> Vec<Case> {
    [answers(), arrivals(), reports(), understated(), cancels()].into_iter().flatten().collect()
}

/// Answers that come, are lost, or lie.
fn answers() -> Vec<Case> {
    let script = Script::default;
    vec![
        Case { name: "accepted and filled", scripts: vec![script()], ..Case::default() },
        Case {
            name: "refused",
            // Twice: a crash can swallow the answer.
            scripts: vec![Script { refusal: Some("PriceFilter"), ..script() }; 2],
            end: ("Rejected", "PriceFilter", "0"),
            ..Case::default()
        },
        Case {
            name: "accepted, answer lost, found by the look-up",
            scripts: vec![Script { answered: false, reports: vec![vec![]], ..script() }],
            ..Case::default()
        },
        Case {
            name: "accepted, answer lost, look-ups lie until it is visible",
            scripts: vec![Script { answered: false, hidden_ms: VISIBILITY_MS - 1, reports: vec![vec![]], ..script() }],
            ..Case::default()
        },
        Case {
            name: "arrives in the last moment of its window, and is hidden then",
            scripts: vec![Script {
                arrival: Arrival::Late(RECEIVE_WINDOW_MS),
                hidden_ms: VISIBILITY_MS - 1,
                reports: vec![vec![]],
                ..script()
            }],
            ..Case::default()
        },
        Case {
            name: "look-ups fail for a while",
            scripts: vec![Script { answered: false, reports: vec![vec![]], ..script() }],
            silent_ms: 12_000,
            ..Case::default()
        },
    ]
}

/// Requests that never arrive, or too late.
fn arrivals() -> Vec<Case> {
    let script = Script::default;
    vec![
        Case {
            name: "never arrives, is sent again",
            scripts: vec![Script { arrival: Arrival::Never, ..script() }, script()],
            requests: 2,
            ..Case::default()
        },
        Case {
            name: "arrives too late, is sent again",
            scripts: vec![Script { arrival: Arrival::Late(RECEIVE_WINDOW_MS + 1), ..script() }, script()],
            requests: 2,
            ..Case::default()
        },
        Case {
            name: "never arrives, and its time is over",
            scripts: vec![Script { arrival: Arrival::Never, ..script() }; 8],
            lives_ms: RECEIVE_WINDOW_MS + VISIBILITY_MS,
            end: ("Expired", "NeverArrived", "0"),
            ..Case::default()
        },
    ]
}

/// Reports that are late, doubled, mixed up or lost.
fn reports() -> Vec<Case> {
    let script = Script::default;
    vec![
        Case {
            name: "the end is told first, the trades later",
            scripts: vec![Script { trades: vec![(0, 30), (0, 70)], trade_lag_ms: 3_000, ..script() }],
            ..Case::default()
        },
        Case {
            name: "everything is told three times",
            scripts: vec![Script { trades: vec![(0, 30), (0, 70)], reports: vec![vec![0, 0, 500]], ..script() }],
            ..Case::default()
        },
        Case {
            name: "trades are told in the wrong order",
            scripts: vec![Script {
                trades: vec![(0, 30), (100, 30), (200, 40)],
                ends_after: Some(300),
                reports: vec![vec![1_500], vec![1_200], vec![900], vec![600]],
                ..script()
            }],
            ..Case::default()
        },
        Case {
            name: "no report ever comes",
            scripts: vec![Script {
                trades: vec![(2_000, 50)],
                ends_after: Some(3_000),
                reports: vec![vec![]],
                ..script()
            }],
            end: ("Expired", "NoSize", "0.5"),
            ..Case::default()
        },
    ]
}

/// Ends that tell less than has traded.
fn understated() -> Vec<Case> {
    let late = |reports| Script {
        trades: vec![(100, 30), (200, 20)],
        ends_after: Some(300),
        trade_lag_ms: 2_500,
        understates: true,
        reports,
        ..Script::default()
    };
    let case = |name, script| Case { name, scripts: vec![script], ..Case::default() };
    vec![
        Case {
            end: ("Expired", "NoSize", "0.5"),
            ..case("an end without its trades, which are told after it", late(vec![vec![0]]))
        },
        Case {
            end: ("Expired", "NoSize", "0.5"),
            ..case("an end that is only found by asking, without its trades", late(vec![vec![]]))
        },
        Case {
            cancel_after_ms: Some(1_000),
            end: ("Canceled", "", "0.4"),
            ..case(
                "a cancel's answer tells of no trade, and one comes after it",
                Script { trades: vec![(100, 40)], ends_after: None, ..late(vec![vec![0]]) },
            )
        },
    ]
}

/// Cancels.
fn cancels() -> Vec<Case> {
    let script = Script::default;
    let stays = || Script { trades: vec![(100, 40)], ends_after: None, ..script() };
    vec![
        Case {
            name: "a cancel's answer overtakes the last trade",
            scripts: vec![Script { trade_lag_ms: 3_000, ..stays() }],
            cancel_after_ms: Some(1_000),
            end: ("Canceled", "", "0.4"),
            ..Case::default()
        },
        Case {
            name: "two cancels are lost, the third has no answer",
            scripts: vec![Script { cancels_lost: 2, cancel_answered: false, reports: vec![vec![]], ..stays() }],
            cancel_after_ms: Some(1_000),
            end: ("Canceled", "", "0.4"),
            ..Case::default()
        },
        Case {
            name: "cancelled before it could arrive, and never sent again",
            scripts: vec![Script { arrival: Arrival::Never, ..script() }, script()],
            cancel_after_ms: Some(1_000),
            end: ("Canceled", "NeverArrived", "0"),
            ..Case::default()
        },
        Case {
            name: "cancelled while it is on its way",
            scripts: vec![Script { arrival: Arrival::Late(3_000), trades: vec![(0, 40)], ..stays() }],
            cancel_after_ms: Some(1_000),
            end: ("Canceled", "", "0.4"),
            ..Case::default()
        },
    ]
}
