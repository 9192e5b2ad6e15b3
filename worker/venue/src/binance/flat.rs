//! Trades and quotes in the form in which the exchange sends them, read in one pass and without a copy: flat objects, the
//! stream's name first, nothing escaped. May not refuse: what is not exactly so is left to the reader of any JSON.

use super::fields::{AggregateData, BookTickerData, TradeData};

/// A message of a known stream.
pub(super) enum Flat<'a> {
    Trade(TradeData<'a>),
    Aggregate(AggregateData<'a>),
    BookTicker(BookTickerData<'a>),
    /// Of another stream.
    Other,
}

/// How deep fields lie within each other at most that are not read.
const DEPTH_MAX: usize = 16;

/// Reads a message of this form; nothing where it has another one.
pub(super) fn read(message: &str) -> Option<Flat<'_>> {
    let mut text = Text { text: message, at: 0 };
    text.take(b'{')?;
    text.named("stream")?;
    let stream = text.string()?;
    text.take(b',')?;
    text.named("data")?;
    let flat = match stream.rsplit_once('@').map_or(stream, |(_, name)| name) {
        "trade" => Flat::Trade(trade(&mut text)?),
        "aggTrade" => Flat::Aggregate(aggregate(&mut text)?),
        "bookTicker" | "!bookTicker" => Flat::BookTicker(book_ticker(&mut text)?),
        // Rare, and read by the reader of any JSON.
        _ if stream.contains("@markPrice") && !stream.starts_with('!') => return None,
        _ => {
            text.value(DEPTH_MAX)?;
            Flat::Other
        }
    };
    text.take(b'}')?;
    text.is_at_end().then_some(flat)
}

fn trade<'a>(text: &mut Text<'a>) -> Option<TradeData<'a>> {
    let (mut symbol, mut id, mut price, mut quantity) = (None, None, None, None);
    let (mut time, mut event_time, mut buyer_is_maker, mut kind) = (None, None, None, None);
    text.object(|text, name| match name {
        b"s" => once(&mut symbol, text.string()?),
        b"t" => once(&mut id, text.integer()?),
        b"p" => once(&mut price, text.string()?),
        b"q" => once(&mut quantity, text.string()?),
        b"T" => once(&mut time, i64::try_from(text.integer()?).ok()?),
        b"E" => once(&mut event_time, i64::try_from(text.integer()?).ok()?),
        b"m" => once(&mut buyer_is_maker, text.truth()?),
        b"X" => once(&mut kind, text.string()?),
        _ => text.value(DEPTH_MAX),
    })?;
    Some(TradeData {
        s: symbol?.into(),
        t: id?,
        p: price?,
        q: quantity?,
        time: time?,
        event_time,
        m: buyer_is_maker?,
        kind: kind.map(Into::into),
    })
}

fn aggregate<'a>(text: &mut Text<'a>) -> Option<AggregateData<'a>> {
    let (mut symbol, mut id, mut price, mut quantity) = (None, None, None, None);
    let (mut first, mut last, mut time, mut event_time, mut buyer_is_maker) = (None, None, None, None, None);
    text.object(|text, name| match name {
        b"s" => once(&mut symbol, text.string()?),
        b"a" => once(&mut id, text.integer()?),
        b"p" => once(&mut price, text.string()?),
        b"q" => once(&mut quantity, text.string()?),
        b"f" => once(&mut first, text.integer()?),
        b"l" => once(&mut last, text.integer()?),
        b"T" => once(&mut time, i64::try_from(text.integer()?).ok()?),
        b"E" => once(&mut event_time, i64::try_from(text.integer()?).ok()?),
        b"m" => once(&mut buyer_is_maker, text.truth()?),
        _ => text.value(DEPTH_MAX),
    })?;
    Some(AggregateData {
        s: symbol?.into(),
        a: id?,
        p: price?,
        q: quantity?,
        f: first?,
        l: last?,
        time: time?,
        event_time,
        m: buyer_is_maker?,
    })
}

fn book_ticker<'a>(text: &mut Text<'a>) -> Option<BookTickerData<'a>> {
    let (mut symbol, mut update) = (None, None);
    let (mut bid, mut bid_size, mut ask, mut ask_size) = (None, None, None, None);
    text.object(|text, name| match name {
        b"s" => once(&mut symbol, text.string()?),
        b"u" => once(&mut update, text.integer()?),
        b"b" => once(&mut bid, text.string()?),
        b"B" => once(&mut bid_size, text.string()?),
        b"a" => once(&mut ask, text.string()?),
        b"A" => once(&mut ask_size, text.string()?),
        _ => text.value(DEPTH_MAX),
    })?;
    Some(BookTickerData { s: symbol?.into(), u: update?, b: bid?, bid_size: bid_size?, a: ask?, ask_size: ask_size? })
}

/// Keeps a field that may be there once.
fn once<T>(field: &mut Option<T>, value: T) -> Option<()> {
    field.replace(value).is_none().then_some(())
}

/// The text of a message, and how far it was read.
struct Text<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Text<'a> {
    /// The next byte that is no blank.
    fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.as_bytes().get(self.at)?;
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    fn is_at_end(&mut self) -> bool {
        self.peek().is_none()
    }

    fn take(&mut self, byte: u8) -> Option<()> {
        if self.peek()? != byte {
            return None;
        }
        self.at += 1;
        Some(())
    }

    /// The name of this field.
    fn named(&mut self, name: &str) -> Option<()> {
        if self.string()? == name { self.take(b':') } else { None }
    }

    /// Each field of an object, by its name.
    fn object(&mut self, mut field: impl FnMut(&mut Self, &[u8]) -> Option<()>) -> Option<()> {
        self.take(b'{')?;
        if self.peek()? == b'}' {
            self.at += 1;
            return Some(());
        }
        loop {
            let name = self.string()?;
            self.take(b':')?;
            field(self, name.as_bytes())?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// A string without an escape.
    fn string(&mut self) -> Option<&'a str> {
        self.take(b'"')?;
        let start = self.at;
        let rest = self.text.as_bytes().get(start..)?;
        let end = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | ..b' '))?;
        if rest.get(end) != Some(&b'"') {
            return None;
        }
        self.at = start + end + 1;
        self.text.get(start..start + end)
    }

    /// A number without sign, fraction and exponent.
    fn integer(&mut self) -> Option<u64> {
        /// So many digits always fit.
        const DIGITS_MAX: usize = 19;
        let first = self.peek()?;
        let rest = self.text.as_bytes().get(self.at..)?;
        let length = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if length == 0 || length > DIGITS_MAX || (first == b'0' && length > 1) {
            return None;
        }
        self.at += length;
        Some(
            rest.iter()
                .take(length)
                .fold(0_u64, |all, digit| all.wrapping_mul(10).wrapping_add(u64::from(digit - b'0'))),
        )
    }

    fn truth(&mut self) -> Option<bool> {
        let is_true = self.peek()? == b't';
        self.word(if is_true { b"true" } else { b"false" })?;
        Some(is_true)
    }

    fn word(&mut self, word: &[u8]) -> Option<()> {
        if !self.rest().starts_with(word) {
            return None;
        }
        self.at += word.len();
        Some(())
    }

    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    /// A value that is not read.
    fn value(&mut self, depth: usize) -> Option<()> {
        match self.peek()? {
            b'"' => self.string().map(|_| ()),
            b't' | b'f' => self.truth().map(|_| ()),
            b'n' => self.word(b"null"),
            b'-' | b'0'..=b'9' => self.number(),
            b'{' if depth > 0 => self.object(|text, _| text.value(depth - 1)),
            b'[' if depth > 0 => self.array(depth - 1),
            _ => None,
        }
    }

    fn array(&mut self, depth: usize) -> Option<()> {
        self.take(b'[')?;
        if self.peek()? == b']' {
            self.at += 1;
            return Some(());
        }
        loop {
            self.value(depth)?;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => {
                    self.at += 1;
                    return Some(());
                }
                _ => return None,
            }
        }
    }

    /// Any number of JSON.
    fn number(&mut self) -> Option<()> {
        self.at += usize::from(self.rest().starts_with(b"-"));
        match self.rest() {
            [b'0', ..] => self.at += 1,
            _ => self.digits()?,
        }
        if self.rest().starts_with(b".") {
            self.at += 1;
            self.digits()?;
        }
        if let [b'e' | b'E', behind @ ..] = self.rest() {
            self.at += 1 + usize::from(matches!(behind, [b'+' | b'-', ..]));
            self.digits()?;
        }
        Some(())
    }

    fn digits(&mut self) -> Option<()> {
        let count = self.rest().iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        (count > 0).then_some(())
    }
}
