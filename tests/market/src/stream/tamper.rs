//! What faults do to the frames of one connection.

use std::sync::Arc;

use fastrand::Rng;
use tokio_tungstenite::tungstenite::Utf8Bytes;

use super::hub::Prepared;
use crate::control::Fault;

/// A frame on its way.
pub struct Passing {
    /// Where from.
    pub frame: Arc<Prepared>,
    /// What is sent.
    pub text: Utf8Bytes,
}

/// What was done to a frame.
pub struct Done {
    /// The fault's kind.
    pub kind: &'static str,
    /// The frame as it came.
    pub frame: Arc<Prepared>,
}

enum Kind {
    Drop,
    Duplicate,
    Reorder(Vec<Passing>),
    Mutate(Rng),
}

/// A fault that waits for frames.
struct Waiting {
    kind: Kind,
    stream: Option<String>,
    left: u64,
}

/// The faults that wait for frames of a connection.
#[derive(Default)]
pub struct Tamper(Vec<Waiting>);

impl Tamper {
    /// Adds a fault; whether it is one of frames.
    #[expect(clippy::wildcard_enum_match_arm, reason = "all other faults are none of frames")]
    pub fn add(&mut self, fault: &Fault, stream: Option<String>) -> bool {
        let (kind, left) = match fault {
            Fault::Drop { count } => (Kind::Drop, *count),
            Fault::Duplicate { count } => (Kind::Duplicate, *count),
            Fault::Reorder { count } => (Kind::Reorder(Vec::new()), *count),
            Fault::Mutate { count, seed } => (Kind::Mutate(Rng::with_seed(*seed)), *count),
            _ => return false,
        };
        if left > 0 {
            self.0.push(Waiting { kind, stream, left });
        }
        true
    }

    /// What is sent for a frame, and what was done to it.
    pub fn pass(&mut self, passing: Passing) -> (Vec<Passing>, Vec<Done>) {
        let mut done = Vec::new();
        let stream = passing.frame.frame.stream.clone();
        let mut frames = vec![passing];
        for waiting in &mut self.0 {
            if waiting.stream.as_ref().is_none_or(|only| *only == stream) {
                frames = frames.into_iter().flat_map(|frame| waiting.meet(frame, &mut done)).collect();
            }
        }
        self.0.retain(|waiting| waiting.left > 0);
        (frames, done)
    }
}

impl Waiting {
    fn meet(&mut self, passing: Passing, done: &mut Vec<Done>) -> Vec<Passing> {
        if self.left == 0 {
            return vec![passing];
        }
        self.left -= 1;
        let mut note = |kind| done.push(Done { kind, frame: Arc::clone(&passing.frame) });
        match &mut self.kind {
            Kind::Drop => {
                note("drop");
                Vec::new()
            }
            Kind::Duplicate => {
                note("duplicate");
                let again = Passing { frame: Arc::clone(&passing.frame), text: passing.text.clone() };
                vec![passing, again]
            }
            Kind::Reorder(held) => {
                note("reorder");
                held.push(passing);
                if self.left > 0 {
                    return Vec::new();
                }
                let mut all = std::mem::take(held);
                all.reverse();
                all
            }
            Kind::Mutate(rng) => {
                note("mutate");
                vec![Passing { text: mutated(&passing.text, rng).into(), frame: passing.frame }]
            }
        }
    }
}

/// The text with one character changed, taken out or put in; never the same text.
fn mutated(text: &str, rng: &mut Rng) -> String {
    let mut characters: Vec<char> = text.chars().collect();
    let at = rng.usize(0..characters.len().max(1));
    let other = char::from(rng.u8(b' '..=b'~'));
    match (rng.u8(0..3), characters.get(at).copied()) {
        (0, Some(character)) => characters[at] = if other == character { '\u{fffd}' } else { other },
        (1, Some(_)) => drop(characters.remove(at)),
        _ => characters.insert(at.min(characters.len()), other),
    }
    characters.into_iter().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::venue::market::Frame;

    fn play(faults: &[Fault], count: u64) -> (Vec<String>, Vec<(&'static str, u64)>) {
        let mut tamper = Tamper::default();
        assert!(faults.iter().all(|fault| tamper.add(fault, Some("s@trade".to_owned()))));
        let (mut sent, mut done) = (Vec::new(), Vec::new());
        for id in 1..=count {
            let frame = Prepared::new(Frame { stream: "s@trade".to_owned(), data: id.to_string(), trade: Some(id) });
            let (frames, notes) = tamper.pass(Passing { text: frame.raw.clone(), frame });
            sent.extend(frames.into_iter().map(|frame| frame.text.to_string()));
            done.extend(notes.into_iter().map(|note| (note.kind, note.frame.frame.trade.expect("a trade"))));
        }
        (sent, done)
    }

    #[test]
    fn each_fault_meets_as_many_frames_as_it_says() {
        assert_eq!(
            play(&[Fault::Drop { count: 2 }], 4),
            (vec!["3".into(), "4".into()], vec![("drop", 1), ("drop", 2)])
        );
        let twice = play(&[Fault::Duplicate { count: 1 }], 2);
        assert_eq!(twice, (vec!["1".into(), "1".into(), "2".into()], vec![("duplicate", 1)]));
        assert_eq!(play(&[Fault::Reorder { count: 3 }], 4).0, ["3", "2", "1", "4"]);
        let (sent, done) = play(&[Fault::Mutate { count: 2, seed: 7 }], 3);
        assert_eq!((sent.len(), sent[2].as_str(), done.len()), (3, "3", 2));
        assert!(sent[0] != "1" && sent[1] != "2", "{sent:?}");
    }

    #[test]
    fn a_mutation_changes_every_text_and_is_the_same_for_the_same_seed() {
        for seed in 0..2_000 {
            let text = "{\"e\":\"trade\",\"s\":\"这是\"}";
            let first = mutated(text, &mut Rng::with_seed(seed));
            assert_eq!(first, mutated(text, &mut Rng::with_seed(seed)), "seed {seed}");
            assert_ne!(first, text, "seed {seed}");
        }
    }
}
