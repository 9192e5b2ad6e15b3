//! Transfers and their gateway: one whose record is lost, one of the release before, and one that is not told.

use std::panic::{AssertUnwindSafe, catch_unwind};

use bus::{MessageBus, StreamId, Topic};
use engine::messages::{CommandKind, OrderCommand};
use engine::testkit::quoting::Market;

use super::super::account::at_once;
use super::super::quoting::Story;
use super::{Human, SEEDS, TICKS, booked, each_is_followed_once, edited, followed, is_decided, story};
use crate::roles::strategy::ADVANCE;

/// The tick with which an older gateway gives way to one of this release.
const UPGRADED: u64 = 90;

/// Tells of which seed a story was.
fn of_seed<T>(seed: u64, told: impl FnOnce() -> T) -> T {
    catch_unwind(AssertUnwindSafe(told)).unwrap_or_else(|_| panic!("seed {seed}"))
}

#[test]
fn whose_record_is_lost_with_transfers_on_their_way_goes_on_with_each_once() {
    let (mut booked_in_all, mut on_their_way) = (0, 0);
    for seed in 0..SEEDS {
        booked_in_all += of_seed(seed, || {
            edited(&mut story(seed), seed, |story, _| {
                if story.chance.one_in(8) {
                    on_their_way += booked(story) - followed(story);
                    story.lose_gateway();
                }
            })
        });
    }
    assert!(booked_in_all > 100 && on_their_way >= 20, "{on_their_way} of {booked_in_all}");
}

/// How many trades outsiders were told of.
fn trades(story: &Story) -> usize {
    story.account.bus.count(&story.account.topic(Topic::OrderFill))
}

/// It reads none of them and says so; its strategy trades on meanwhile, and tells the next one of all.
#[test]
fn of_the_release_before_follows_none_and_the_next_one_each_once() {
    let (mut booked_in_all, mut traded) = (0, 0);
    for seed in 0..SEEDS {
        booked_in_all += of_seed(seed, || {
            let mut story = story(seed);
            story.gateway = story.account.start_older_gateway(2);
            let mut before = None;
            let booked = edited(&mut story, seed, |story, tick| {
                if booked(story) > 0 && tick < UPGRADED {
                    let first = *before.get_or_insert_with(|| trades(story));
                    traded += usize::from(tick + 1 == UPGRADED) * (trades(story) - first);
                } else if tick == UPGRADED {
                    upgrade(story);
                }
            });
            story.until(|story| story.worker.health.readiness().0);
            booked
        });
    }
    assert!(booked_in_all > 100 && traded > 100, "{traded} trades, {booked_in_all} booked");
}

/// Both pods are replaced, as with a new release.
fn upgrade(story: &mut Story) {
    assert_eq!(story.engine().report().risk.reason, "");
    if booked(story) > 0 {
        story.until(|story| story.worker.health.readiness().1.starts_with("GatewayOlder: "));
        assert_eq!(followed(story), 0);
        let letters = story.account.bus.committed(&story.account.topic(Topic::DeadLetter));
        assert!(!letters.is_empty() && letters.iter().all(|letter| letter.to_string().contains("KindOfALaterRelease")));
    }
    let (gateway, worker) = (story.gateway.epoch + 1, story.worker.epoch + 1);
    (story.gateway, story.worker) =
        (story.account.start_paper_gateway(gateway), story.account.start_paper_worker(worker));
}

/// The numbers of the transfers that stand in the stream of commands, unread.
fn unread(story: &Story) -> Vec<u64> {
    let stream = story.account.topic(Topic::OrderCommand);
    let entries = at_once(story.account.bus.range(&stream, StreamId::ZERO, StreamId::MAX, 1_000)).unwrap();
    let kinds = entries.iter().map(|entry| serde_json::from_str::<OrderCommand>(entry.text()).unwrap().kind);
    kinds
        .filter_map(|kind| match kind {
            CommandKind::Transfer(transfer) => Some(transfer.number),
            CommandKind::Create(_)
            | CommandKind::Cancel
            | CommandKind::Replace { .. }
            | CommandKind::Advance { .. } => None,
        })
        .collect()
}

/// Its worker is killed, and the next one comes to where it waits for news.
fn restart(story: &mut Story) {
    story.worker = story.worker.successor(&story.account, story.worker.epoch + 1);
    assert!(story.worker.step().is_none());
}

/// Whether the gateway has read all commands, and has given its word on the last tick.
fn is_at_rest(story: &Story) -> bool {
    let advance = story.account.field(&story.account.strategy, ADVANCE);
    let stream = story.account.topic(Topic::OrderCommand);
    let waiting = at_once(story.account.bus.range(&stream, StreamId::ZERO, StreamId::MAX, 1)).unwrap();
    waiting.is_empty() && advance.is_none_or(|advance| advance["answered"] == true)
}

/// A human moves money until three transfers are booked; the gateway does nothing meanwhile.
fn book_three(story: &mut Story) {
    let (mut human, owner) = (Human::default(), story.account.strategy.clone());
    while booked(story) < 3 {
        human.edit(story);
        story.account.nudge(&owner);
        for _ in 0..100 {
            story.account.bus.clock().advance(50);
            assert!(story.worker.step().is_none());
        }
        assert!(is_decided(story, &human.wanted));
    }
}

/// What it has not read stands there once, however often its strategy is started anew; what is gone from there is told again.
#[test]
fn that_is_away_finds_each_once_and_is_told_again_of_what_was_lost() {
    for seed in 0..SEEDS {
        of_seed(seed, || {
            let mut story = story(seed);
            let ticks: Vec<_> = Market::of(seed, TICKS).collect();
            let (first, others) = ticks.split_at(30);
            for tick in first {
                story.account.tick(tick);
            }
            story.until(|story| story.engine_ticks() == 30 && is_at_rest(story));
            book_three(&mut story);
            let all: Vec<_> = (1..=booked(&story)).collect();
            assert_eq!(unread(&story), all);
            for _ in 0..3 {
                restart(&mut story);
                assert_eq!(unread(&story), all, "nothing is told twice to who is away");
            }
            story.account.lose_commands();
            assert_eq!(unread(&story), Vec::<u64>::new());
            restart(&mut story);
            assert_eq!(unread(&story), all, "what is lost is told again");
            let again = story.account.bus.committed(&story.account.topic(Topic::OrderCommand));
            story.until(|story| followed(story) == booked(story));
            for command in again.iter().filter(|command| command["command"] == "Transfer") {
                story.account.command(command);
            }
            for tick in others {
                story.account.tick(tick);
            }
            story.until(Story::has_ended);
            each_is_followed_once(&mut story);
        });
    }
}
