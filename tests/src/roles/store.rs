//! What stands in Redis, read and altered from outside: by key names of the contract, without the bus's own code.

use std::{
    io::{BufReader, Write},
    net::{SocketAddr, TcpStream},
};

use serde_json::Value;

use super::{DEADLINE, until};
use crate::{
    proxy::resp::{self, Frame},
    redis_server::RedisServer,
};

/// One connection of an outsider.
#[derive(Debug)]
pub struct Store {
    address: SocketAddr,
    connection: Option<BufReader<TcpStream>>,
}

/// An entry of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    #[expect(missing_docs, reason = "the name says it")]
    pub id: String,
    /// Its document; null if it has none.
    pub data: Value,
}

impl Store {
    /// For a server; connects at the first question.
    pub const fn new(address: SocketAddr) -> Self {
        Self { address, connection: None }
    }

    /// For this server.
    pub fn of(redis: &RedisServer) -> Self {
        Self::new(redis.address())
    }

    /// Asks once; `None` if there is no answer.
    fn try_ask(&mut self, words: &[&str]) -> Option<Frame> {
        let mut connection = match self.connection.take() {
            Some(connection) => connection,
            None => BufReader::new(TcpStream::connect(self.address).ok()?),
        };
        connection.get_mut().write_all(&resp::request(words)).ok()?;
        let (answer, _) = resp::read(&mut connection).ok()??;
        self.connection = Some(connection);
        Some(answer)
    }

    /// Asks until there is an answer, and takes no refusal.
    pub fn ask(&mut self, words: &[&str]) -> Frame {
        let answer = until(&format!("an answer to {words:?}"), DEADLINE, || self.try_ask(words));
        assert!(!matches!(answer, Frame::Error(_)), "{words:?}: {answer:?}");
        answer
    }

    /// A field of a record.
    pub fn field(&mut self, record: &str, name: &str) -> Option<String> {
        self.ask(&["HGET", record, name]).text()
    }

    /// How many ticks a strategy has taken.
    pub fn ticks_taken(&mut self, record: &str) -> u64 {
        let position = self.field(record, "field:position").and_then(|text| text.parse::<u64>().ok());
        position.map_or(0, |position| position + 1)
    }

    /// Whether a strategy has said that its data has ended.
    pub fn has_ended(&mut self, record: &str) -> bool {
        self.field(record, "field:phase").is_some_and(|phase| phase.contains("MarketDataEnded"))
    }

    /// All entries of a stream.
    pub fn entries(&mut self, stream: &str) -> Vec<Entry> {
        self.range(stream, "-")
    }

    /// Its entries behind the one of this id; behind none, all.
    pub fn entries_after(&mut self, stream: &str, id: &str) -> Vec<Entry> {
        self.range(stream, &format!("({id}"))
    }

    fn range(&mut self, stream: &str, from: &str) -> Vec<Entry> {
        let found = self.ask(&["XRANGE", stream, from, "+"]);
        let entry = |frame: &Frame| {
            let id = frame.items()[0].text().unwrap_or_default();
            let fields: Vec<_> = frame.items()[1].items().iter().filter_map(Frame::text).collect();
            let data = fields.chunks(2).find(|pair| pair[0] == "data").map(|pair| pair[1].clone());
            Entry { id, data: data.and_then(|data| serde_json::from_str(&data).ok()).unwrap_or_default() }
        };
        found.items().iter().map(entry).collect()
    }

    /// How many entries were ever added to a stream, also those trimmed since.
    pub fn ever_added(&mut self, stream: &str) -> u64 {
        let info = self.ask(&["XINFO", "STREAM", stream]);
        let mut items = info.items().iter();
        while let Some(name) = items.next() {
            if name.text().as_deref() == Some("entries-added")
                && let Some(Frame::Number(added)) = items.next()
            {
                return u64::try_from(*added).unwrap_or_default();
            }
        }
        0
    }

    /// Appends a document; its id.
    pub fn add(&mut self, stream: &str, data: &str) -> String {
        self.ask(&["XADD", stream, "*", "v", "1", "data", data]).text().unwrap_or_default()
    }

    /// Writes a stream anew with one document altered; every entry keeps its id.
    pub fn alter(&mut self, stream: &str, index: usize, alter: impl FnOnce(&mut Value)) {
        let mut entries = self.entries(stream);
        alter(&mut entries[index].data);
        self.ask(&["DEL", stream]);
        for entry in entries {
            self.ask(&["XADD", stream, &entry.id, "v", "1", "data", &entry.data.to_string()]);
        }
    }
}
