//! Every reason that the system can give has its entry in both languages, and there is no other entry.
//!
//! Reasons that are enums tell themselves. Those that are words in the sources are collected from there; so that none
//! is overlooked, each such word of the product must be a reason with an entry or stand in [`NO_REASONS`].

use std::collections::BTreeSet;

use engine::messages::AlertKind;
use engine::risk::Denial;
use operator::reason::Reason;

use crate::page::{Section, files, is_chinese, read, sections};

/// Sources whose words are looked at.
const PRODUCT: [&str; 7] = [
    "crds/src",
    "operator/src",
    "worker/bus/src",
    "worker/engine/src",
    "worker/process/src",
    "worker/src",
    "worker/venue/src",
];

/// Words in the sources that are something else: names of kinds and conditions, sides, states of Kubernetes and
/// of orders, schemas, why a connection was lost.
const NO_REASONS: [&str; 64] = [
    "Accepted",
    "AlreadyExists",
    "Always",
    "Banned",
    "Bench",
    "Buy",
    "Committed",
    "Conflict",
    "ContainerCreating",
    "Control",
    "Deleting",
    "Disconnect",
    "Done",
    "Edit",
    "Ended",
    "Equal",
    "Exists",
    "Failed",
    "FallbackToLogsOnError",
    "Feed",
    "Figure",
    "Figures",
    "Filled",
    "Gi",
    "Hold",
    "Ki",
    "List",
    "Malformed",
    "Mi",
    "NoExecute",
    "NoSchedule",
    "Paper",
    "PartiallyFilled",
    "Pending",
    "PodInitializing",
    "PreferNoSchedule",
    "Ready",
    "Reconciling",
    "RedisBus",
    "Refused",
    "Region",
    "Release",
    "ResourceAmount",
    "Restart",
    "Retired",
    "Running",
    "RuntimeDefault",
    "Sell",
    "Sent",
    "Skipped",
    "Stale",
    "Stalled",
    "Succeeded",
    "Suspend",
    "Symbol",
    "Ti",
    "TradingAccount",
    "TradingStrategy",
    "Transfer",
    "True",
    "Unknown",
    "Unreachable",
    "Volume",
    "Waiting",
];

/// Where a role says that it is not ready, by a word that stands among others; and where a strategy refuses an order.
const READINESS: [(&str, &str); 16] = [
    ("Starting", "worker/src/process/admin.rs"),
    ("StoreUnfit", "worker/src/process/admin.rs"),
    ("InboxBusy", "worker/src/roles/gateway/mod.rs"),
    ("CommandsBusy", "worker/src/roles/strategy/doubt.rs"),
    ("GatewayOlder", "worker/src/roles/strategy/doubt.rs"),
    ("RecordConflict", "worker/src/roles/session.rs"),
    ("PoisonInbox", "worker/src/roles/strategy/inbox.rs"),
    ("AccountMismatch", "worker/src/roles/strategy/doubt.rs"),
    ("RegisterUnreadable", "worker/src/roles/strategy/doubt.rs"),
    ("LedgerClosed", "worker/src/roles/strategy/mod.rs"),
    ("FeedUnreachable", "crds/src/source.rs"),
    ("FeedBanned", "crds/src/source.rs"),
    ("FeedRegion", "crds/src/source.rs"),
    ("MarketDataStale", "crds/src/source.rs"),
    ("SymbolUnknown", "crds/src/source.rs"),
    ("SymbolHalted", "crds/src/source.rs"),
];
const BUSY: (&str, &str) = ("CommandsBusy", "worker/src/roles/strategy/publish.rs");

/// What the sections of the pages tell of, in order.
fn expected() -> [BTreeSet<String>; 11] {
    let found = |(word, path): (&str, &str)| {
        assert!(words_of(path).contains(word), "{path} does not say {word} any more");
        word.to_owned()
    };
    let readiness: BTreeSet<String> = READINESS.into_iter().map(found).collect();
    let mut gateway = words_below("worker/src/roles/gateway");
    // What an adapter of a venue elsewhere gives.
    gateway.extend(words_of("worker/venue/src/facts.rs"));
    gateway.retain(|word| !readiness.contains(word));
    gateway.insert(found(BUSY));
    // Beside its own words it compares one of the API server's.
    let mut errors = words_of("operator/src/lib.rs");
    errors.remove("Conflict");
    let mut decisions = words_of("worker/engine/src/strategies/grid/mod.rs");
    decisions.extend(words_of("worker/engine/src/strategies/position_control/mod.rs"));
    decisions.extend(words_below("worker/engine/src/strategies/ladder"));
    decisions.extend(words_below("worker/engine/src/strategies/process"));
    decisions.extend(words_of("worker/engine/src/core/ticks.rs"));
    decisions.extend(words_of("worker/engine/src/core/bars.rs"));
    decisions.extend(words_of("worker/engine/src/core/orders.rs"));
    decisions.extend(words_of("worker/engine/src/report.rs"));
    decisions.extend(words_of("worker/engine/src/risk/latched.rs"));
    let mut risk = words_of("worker/engine/src/core/view.rs");
    risk.extend(AlertKind::HALTING.iter().map(|kind| kind.as_str().to_owned()));
    [
        Reason::ALL.iter().map(|reason| reason.as_str().to_owned()).collect(),
        decisions,
        Denial::ALL.iter().map(|denial| denial.as_str().to_owned()).collect(),
        risk,
        AlertKind::ALL.iter().map(|kind| kind.as_str().to_owned()).collect(),
        words_of("worker/src/outcome/warning.rs"),
        gateway,
        words_below("worker/venue/src/sim"),
        readiness,
        words_of("worker/bus/src/error.rs"),
        errors,
    ]
}

/// Literals of a source that are one word such as `PodBlocked`, tests and attributes apart.
fn words_of(path: &str) -> BTreeSet<String> {
    let text = read(path);
    let product = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
    let mut words = BTreeSet::new();
    let mut attribute = false;
    for line in product.lines().map(str::trim).filter(|line| !line.starts_with("//")) {
        attribute |= line.starts_with("#[");
        if attribute {
            attribute = !line.ends_with(']');
            continue;
        }
        let parts: Vec<&str> = line.split('"').collect();
        // What stands first or last on a line is not between quotes.
        let inner = parts.get(1..parts.len() - 1).unwrap_or_default();
        words.extend(inner.iter().filter(|part| is_word(part)).map(|part| (*part).to_owned()));
    }
    words
}

fn words_below(folder: &str) -> BTreeSet<String> {
    let is_test = |path: &String| {
        ["/tests/", "/simulation", "/testkit/"].iter().any(|part| path.contains(part)) || path.ends_with("/tests.rs")
    };
    files(folder, ".rs").iter().filter(|path| !is_test(path)).flat_map(|path| words_of(path)).collect()
}

/// One or more capitalised syllables, all letters.
fn is_word(text: &str) -> bool {
    let mut before = ' ';
    let mut syllables = 0;
    for character in text.chars() {
        if character.is_ascii_uppercase() {
            if before.is_ascii_uppercase() {
                return false;
            }
            syllables += 1;
        } else if !character.is_ascii_lowercase() {
            return false;
        }
        before = character;
    }
    syllables > 0 && before.is_ascii_lowercase() && text.starts_with(|first: char| first.is_ascii_uppercase())
}

/// The reason that a row is about.
fn reason(row: &[String]) -> String {
    let cell = row.first().map(String::as_str).unwrap_or_default();
    cell.strip_prefix('`').and_then(|cell| cell.strip_suffix('`')).unwrap_or(cell).to_owned()
}

fn reasons(section: &Section) -> Vec<String> {
    section.rows.iter().map(|row| reason(row)).collect()
}

#[test]
fn each_reason_has_its_entry_and_each_entry_its_reason() {
    for page in ["docs/reasons.md", "docs/zh/reasons.md"] {
        let sections = sections(&read(page));
        let expected = expected();
        assert_eq!(sections.len(), expected.len(), "{page}: sections");
        for (section, expected) in sections.iter().zip(&expected) {
            let told = reasons(section);
            let set: BTreeSet<String> = told.iter().cloned().collect();
            let at = format!("{page}, {}", section.heading);
            assert_eq!(set.len(), told.len(), "{at}: an entry stands twice in {told:?}");
            let missing: Vec<_> = expected.difference(&set).collect();
            let foreign: Vec<_> = set.difference(expected).collect();
            assert!(missing.is_empty() && foreign.is_empty(), "{at}: without {missing:?}, but with {foreign:?}");
        }
    }
}

#[test]
fn each_entry_says_what_it_means_and_what_to_do_in_its_language() {
    let [english, chinese] = ["docs/reasons.md", "docs/zh/reasons.md"].map(|page| sections(&read(page)));
    for (english, chinese) in english.iter().zip(&chinese) {
        assert_eq!(reasons(english), reasons(chinese), "{}: another order", chinese.heading);
        for row in &english.rows {
            let said = row.len() == 3 && row.iter().all(|cell| cell.len() > 4 && !is_chinese(cell));
            assert!(said, "docs/reasons.md: {row:?}");
        }
        for row in &chinese.rows {
            let said = row.len() == 3 && row[1..].iter().all(|cell| is_chinese(cell));
            assert!(said, "docs/zh/reasons.md: {row:?}");
        }
    }
}

#[test]
fn each_reason_of_the_operator_is_given_somewhere() {
    let sources = files("operator/src", ".rs").into_iter().filter(|path| !path.ends_with("/reason.rs"));
    let text: String = sources.map(|path| read(&path)).collect();
    let given = |reason: &Reason| text.contains(&format!("Reason::{reason:?}"));
    let never: Vec<_> = Reason::ALL.iter().filter(|reason| !given(reason)).map(|reason| reason.as_str()).collect();
    assert!(never.is_empty(), "{never:?}");
}

#[test]
fn no_word_of_the_sources_is_overlooked() {
    assert!(is_word("Paused") && is_word("PodBlocked"));
    assert!(!is_word("NAME") && !is_word("paused") && !is_word("a Pod") && !is_word(""));
    let documented: BTreeSet<String> = expected().into_iter().flatten().collect();
    let words: BTreeSet<String> = PRODUCT.iter().flat_map(|folder| words_below(folder)).collect();
    let others: Vec<&String> = words.difference(&documented).collect();
    assert_eq!(others, NO_REASONS, "a reason without an entry, or a word that is gone");
}
