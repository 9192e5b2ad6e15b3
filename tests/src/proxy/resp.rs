//! The protocol of Redis, as far as a proxy and a reader of records need it: frames, whole and as they came.

use std::io::{self, BufRead, Read};

/// One request or answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// A word, such as OK.
    Word(String),
    /// A refusal.
    Error(String),
    /// A number.
    Number(i64),
    /// Bytes; `None` is nil.
    Bytes(Option<Vec<u8>>),
    /// A list; `None` is nil.
    List(Option<Vec<Self>>),
}

impl Frame {
    /// Bytes or a word as text.
    pub fn text(&self) -> Option<String> {
        match self {
            Self::Word(text) => Some(text.clone()),
            Self::Bytes(Some(bytes)) => Some(String::from_utf8_lossy(bytes).into_owned()),
            Self::Bytes(None) | Self::Error(_) | Self::Number(_) | Self::List(_) => None,
        }
    }

    /// The items of a list; none of anything else.
    pub fn items(&self) -> &[Self] {
        match self {
            Self::List(Some(items)) => items,
            Self::List(None) | Self::Word(_) | Self::Error(_) | Self::Number(_) | Self::Bytes(_) => &[],
        }
    }
}

/// Reads one frame, and gives it with the bytes it came as. `None`: the other side has closed.
pub fn read(from: &mut impl BufRead) -> io::Result<Option<(Frame, Vec<u8>)>> {
    if from.fill_buf()?.is_empty() {
        return Ok(None);
    }
    let mut raw = Vec::new();
    Ok(Some((read_into(from, &mut raw)?, raw)))
}

fn read_into(from: &mut impl BufRead, raw: &mut Vec<u8>) -> io::Result<Frame> {
    let start = raw.len();
    from.read_until(b'\n', raw)?;
    let line = String::from_utf8_lossy(&raw[start..]).trim_end().to_owned();
    let (kind, rest) = line.split_at_checked(1).ok_or_else(|| broken(&line))?;
    let number = || rest.parse::<i64>().map_err(|_| broken(&line));
    match kind {
        "+" => Ok(Frame::Word(rest.to_owned())),
        "-" => Ok(Frame::Error(rest.to_owned())),
        ":" => Ok(Frame::Number(number()?)),
        "$" => {
            let Ok(length) = usize::try_from(number()?) else { return Ok(Frame::Bytes(None)) };
            let start = raw.len();
            let wanted = length as u64 + 2;
            if from.take(wanted).read_to_end(raw)? < length + 2 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Ok(Frame::Bytes(Some(raw[start..start + length].to_vec())))
        }
        "*" => {
            let Ok(length) = usize::try_from(number()?) else { return Ok(Frame::List(None)) };
            (0..length).map(|_| read_into(from, raw)).collect::<io::Result<_>>().map(|items| Frame::List(Some(items)))
        }
        _ => Err(broken(&line)),
    }
}

/// A request as it goes over the wire.
pub fn request(words: &[&str]) -> Vec<u8> {
    let mut raw = format!("*{}\r\n", words.len()).into_bytes();
    for word in words {
        raw.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
    raw
}

fn broken(line: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, format!("not a frame: {line:?}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_read_whole_and_kept_as_they_came() {
        let raw = b"*3\r\n$4\r\nXADD\r\n*2\r\n:7\r\n$-1\r\n-ERR no\r\n+rest";
        let (frame, kept) = read(&mut raw.as_slice()).unwrap().unwrap();
        let inner = Frame::List(Some(vec![Frame::Number(7), Frame::Bytes(None)]));
        let expected = vec![Frame::Bytes(Some(b"XADD".to_vec())), inner, Frame::Error("ERR no".to_owned())];
        assert_eq!(frame, Frame::List(Some(expected)));
        assert_eq!(kept, raw[..raw.len() - 5]);
    }

    #[test]
    fn a_closed_connection_is_an_end_and_a_cut_frame_an_error() {
        assert_eq!(read(&mut [].as_slice()).unwrap(), None);
        assert!(read(&mut b"$9\r\nshort".as_slice()).is_err());
    }

    #[test]
    fn a_request_reads_back() {
        let raw = request(&["HGET", "a b", ""]);
        let (frame, kept) = read(&mut raw.as_slice()).unwrap().unwrap();
        let words: Vec<_> = frame.items().iter().filter_map(Frame::text).collect();
        assert_eq!((words, kept), (vec!["HGET".to_owned(), "a b".to_owned(), String::new()], raw));
    }
}
