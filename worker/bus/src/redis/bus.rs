//! `MessageBus` on Redis: XREAD from a cursor, XRANGE, and one script to append.

use std::time::Duration;

use redis::{Cmd, cmd};

use super::{RedisBus, decode};
use crate::{Batch, BusError, Entry, Message, MessageBus, Published, StreamId, StreamKey, message_bus::LONGEST_BLOCK};

impl MessageBus for RedisBus {
    async fn read(
        &self,
        cursors: &[(StreamKey, StreamId)],
        count: usize,
        block: Option<Duration>,
    ) -> Result<Batch, BusError> {
        const ACTION: &str = "read";
        // To Redis a block of 0 is for ever; here it is no block at all.
        let block = block.filter(|block| !block.is_zero()).map(|block| block.min(LONGEST_BLOCK));
        if cursors.is_empty() {
            tokio::time::sleep(block.unwrap_or_default()).await;
            return Ok(Batch::new());
        }
        let subject = Streams(cursors);
        let command = xread(cursors, count, block);
        let answer = match block {
            Some(block) => self.connections().query_blocking(ACTION, &subject, &command, block).await?,
            None => self.connections().query(ACTION, &subject, &command).await?,
        };
        decode::batch(answer, cursors).map_err(|problem| BusError::decode(ACTION, &subject, problem))
    }

    async fn range(
        &self,
        stream: &StreamKey,
        from: StreamId,
        to: StreamId,
        count: usize,
    ) -> Result<Vec<Entry>, BusError> {
        const ACTION: &str = "read a range of";
        let mut command = cmd("XRANGE");
        command.arg(stream.as_str()).arg(from.to_string()).arg(to.to_string()).arg("COUNT").arg(count.max(1));
        let answer = self.connections().query(ACTION, stream, &command).await?;
        decode::entries(answer).map_err(|problem| BusError::decode(ACTION, stream, problem))
    }

    async fn last_id(&self, stream: &StreamKey) -> Result<Option<StreamId>, BusError> {
        const ACTION: &str = "find the last id of";
        let mut command = cmd("XINFO");
        command.arg("STREAM").arg(stream.as_str());
        let answer = match self.connections().query(ACTION, stream, &command).await {
            Ok(answer) => answer,
            Err(error) if is_no_such_key(&error) => return Ok(None),
            Err(error) => return Err(error),
        };
        let last = decode::Answer::of(answer).and_then(|answer| decode::named(answer, "last-generated-id"));
        last.map(Some).map_err(|problem| BusError::decode(ACTION, stream, problem))
    }

    async fn publish(&self, message: &Message) -> Result<Published, BusError> {
        const ACTION: &str = "publish to";
        let call = self.scripts().publish(message);
        let answer = self.connections().invoke(ACTION, &message.stream, &call).await?;
        decode::published(answer).map_err(|problem| BusError::decode(ACTION, &message.stream, problem))
    }

    async fn now_ms(&self) -> Result<u64, BusError> {
        const ACTION: &str = "ask for the time of";
        let server = self.connections().server();
        let answer = self.connections().query(ACTION, server, &cmd("TIME")).await?;
        decode::time_ms(answer).map_err(|problem| BusError::decode(ACTION, server, problem))
    }
}

fn xread(cursors: &[(StreamKey, StreamId)], count: usize, block: Option<Duration>) -> Cmd {
    let mut command = cmd("XREAD");
    command.arg("COUNT").arg(count.max(1));
    if let Some(block) = block {
        // Rounded up: less than a millisecond must not become the 0 that waits for ever.
        let ms = block.as_nanos().div_ceil(1_000_000);
        command.arg("BLOCK").arg(u64::try_from(ms).unwrap_or(u64::MAX));
    }
    command.arg("STREAMS");
    for (stream, _) in cursors {
        command.arg(stream.as_str());
    }
    for (_, cursor) in cursors {
        command.arg(cursor.to_string());
    }
    command
}

/// XINFO has no other way to say it: no code of its own, only this text.
fn is_no_such_key(error: &BusError) -> bool {
    match error {
        BusError::Call { source: Some(source), .. } => {
            source.code() == Some("ERR") && source.detail().is_some_and(|detail| detail.contains("no such key"))
        }
        BusError::Call { .. } | BusError::OpenUrl { .. } | BusError::Connect { .. } | BusError::Decode { .. } => false,
    }
}

/// Names the streams of a read in an error, and not more than a line can hold.
struct Streams<'a>(&'a [(StreamKey, StreamId)]);

impl std::fmt::Display for Streams<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        const SHOWN: usize = 3;
        for (place, (stream, _)) in self.0.iter().take(SHOWN).enumerate() {
            let separator = if place == 0 { "" } else { ", " };
            write!(f, "{separator}{stream}")?;
        }
        match self.0.len().saturating_sub(SHOWN) {
            0 => Ok(()),
            more => write!(f, " and {more} more"),
        }
    }
}
