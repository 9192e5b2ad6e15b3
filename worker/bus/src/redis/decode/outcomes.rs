//! Reads the answers of the scripts and of the few plain commands.

use std::str::FromStr;

use redis::Value;

use super::{Answer, Problem, parse, record, text};
use crate::{
    AcquireOutcome, Acquired, BeatOutcome, Claim, CloseOutcome, CommitOutcome, CreateOutcome, Desired, DesiredOutcome,
    Lease, Owner, Published, RegisterVersion, StreamKey,
};

/// `None`: another ledger must be drawn.
pub(in crate::redis) fn created(value: Value, ledger: String) -> Result<Option<CreateOutcome>, Problem> {
    let mut answer = Answer::of(value)?;
    Ok(Some(match answer.text()?.as_str() {
        "created" => CreateOutcome::Created { ledger },
        "exists" => CreateOutcome::Exists { uid: answer.text()?, ledger: answer.text()? },
        "taken" => return Ok(None),
        other => return Err(unknown(other)),
    }))
}

pub(in crate::redis) fn acquired(value: Value, owner: &Owner) -> Result<AcquireOutcome, Problem> {
    let mut answer = Answer::of(value)?;
    Ok(match answer.text()?.as_str() {
        "acquired" => {
            let record = record(answer.list()?)?.ok_or("the record has no _ledger")?;
            AcquireOutcome::Acquired(Acquired {
                lease: Lease {
                    owner: owner.clone(),
                    ledger: record.ledger,
                    epoch: record.epoch,
                    incarnation: record.incarnation,
                },
                version: record.version,
                cursors: record.cursors,
                fields: record.fields,
                followed: record.followed,
            })
        }
        "fenced" => AcquireOutcome::Fenced { epoch: answer.parse()? },
        "missing" => AcquireOutcome::Missing,
        "other_ledger" => AcquireOutcome::OtherLedger { ledger: answer.text()? },
        "closed" => AcquireOutcome::Closed,
        other => return Err(unknown(other)),
    })
}

pub(in crate::redis) fn committed(value: Value, version: u64) -> Result<CommitOutcome, Problem> {
    let mut answer = Answer::of(value)?;
    Ok(match answer.text()?.as_str() {
        "committed" => {
            let register = register(&mut answer)?;
            CommitOutcome::Committed { version, register, ids: answer.rest()? }
        }
        "duplicate" => CommitOutcome::Duplicate { register: register(&mut answer)? },
        "fenced" => CommitOutcome::Fenced { epoch: answer.parse()?, incarnation: answer.parse()? },
        "conflict" => CommitOutcome::Conflict { version: answer.parse()? },
        "register_news" => {
            let register = register(&mut answer)?.ok_or("no register is no news")?;
            CommitOutcome::RegisterNews { register }
        }
        "busy" => CommitOutcome::Busy { stream: StreamKey::from_name(answer.text()?) },
        "missing" => CommitOutcome::Missing,
        "other_ledger" => CommitOutcome::OtherLedger { ledger: answer.text()? },
        "closed" => CommitOutcome::Closed,
        other => return Err(unknown(other)),
    })
}

pub(in crate::redis) fn beaten(value: Value, full: bool) -> Result<BeatOutcome, Problem> {
    let mut answer = Answer::of(value)?;
    Ok(match answer.text()?.as_str() {
        "beaten" => BeatOutcome::Beaten { version: answer.parse()?, register: register(&mut answer)?, full },
        "fenced" => BeatOutcome::Fenced { epoch: answer.parse()?, incarnation: answer.parse()? },
        "missing" => BeatOutcome::Missing,
        "other_ledger" => BeatOutcome::OtherLedger { ledger: answer.text()? },
        "closed" => BeatOutcome::Closed,
        other => return Err(unknown(other)),
    })
}

/// Generation and token of the register; both empty where it was never set.
fn register(answer: &mut Answer) -> Result<Option<RegisterVersion>, Problem> {
    let (generation, token) = (answer.text()?, answer.text()?);
    if generation.is_empty() {
        return Ok(None);
    }
    Ok(Some(RegisterVersion { generation: parse(&generation)?, token: parse(&token)? }))
}

pub(in crate::redis) fn closed(value: Value) -> Result<CloseOutcome, Problem> {
    let mut answer = Answer::of(value)?;
    Ok(match answer.text()?.as_str() {
        "closed" => CloseOutcome::Closed,
        "missing" => CloseOutcome::Missing,
        "other_ledger" => CloseOutcome::OtherLedger { ledger: answer.text()? },
        other => return Err(unknown(other)),
    })
}

pub(in crate::redis) fn published(value: Value) -> Result<Published, Problem> {
    let mut answer = Answer::of(value)?;
    Ok(match answer.text()?.as_str() {
        "appended" => Published::Appended(answer.parse()?),
        "busy" => Published::Busy,
        other => return Err(unknown(other)),
    })
}

/// Appended, at its bound, or to nobody: to a nudge it is all the same.
pub(in crate::redis) fn nudged(value: Value) -> Result<(), Problem> {
    match Answer::of(value)?.text()?.as_str() {
        "appended" | "busy" | "closed" => Ok(()),
        other => Err(unknown(other)),
    }
}

pub(in crate::redis) fn desired_outcome(value: Value) -> Result<DesiredOutcome, Problem> {
    let mut answer = Answer::of(value)?;
    Ok(match answer.text()?.as_str() {
        "applied" => DesiredOutcome::Applied,
        "older" => DesiredOutcome::Older { generation: answer.parse()?, token: answer.parse()? },
        other => return Err(unknown(other)),
    })
}

/// The answer of HMGET generation, token, value.
pub(in crate::redis) fn desired(value: Value) -> Result<Option<Desired>, Problem> {
    let mut answer = Answer::of(value)?;
    let generation = answer.value()?;
    if generation == Value::Nil {
        return Ok(None);
    }
    Ok(Some(Desired { generation: parse(&text(generation)?)?, token: answer.parse()?, value: answer.text()?.into() }))
}

/// The answer of SET NX GET: what stood there before.
pub(in crate::redis) fn claim(value: Value, id: &str) -> Result<Claim, Problem> {
    if value == Value::Nil {
        return Ok(Claim::Claimed);
    }
    let held = text(value)?;
    Ok(if held == id { Claim::Claimed } else { Claim::Other { id: held } })
}

/// The answer of TIME: seconds and microseconds.
pub(in crate::redis) fn time_ms(value: Value) -> Result<u64, Problem> {
    let mut answer = Answer::of(value)?;
    let (seconds, micros): (u64, u64) = (answer.parse()?, answer.parse()?);
    Ok(seconds.saturating_mul(1000).saturating_add(micros / 1000))
}

/// One value in a list of names and values.
pub(in crate::redis) fn named<T: FromStr>(mut answer: Answer, name: &str) -> Result<T, Problem> {
    while !answer.is_empty() {
        let (key, value) = (answer.text()?, answer.value()?);
        if key == name {
            return parse(&text(value)?);
        }
    }
    Err(format!("the answer has no {name}"))
}

fn unknown(word: &str) -> Problem {
    format!("the script answers {word:?}")
}
