//! YAML as a tree that knows its lines and its quotes, which no value type keeps.
//!
//! Bounded in size and depth. Anchors, aliases and tags are refused: readers treat them differently, and one
//! alias can stand for a million values.

use saphyr_parser::{Event, Parser, ScalarStyle, ScanError, Span};

use super::error::ManifestError;

/// The largest file that is read.
pub const BYTES_MAX: usize = 4 * 1024 * 1024;
/// The deepest nesting that is read; the kinds need 6.
const DEPTH_MAX: usize = 32;

/// A value with the line on which it, or the key before it, stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) line: usize,
    /// Whether the key before it has no quotes: then readers may take it for something else than text.
    pub(super) plain_key: bool,
    pub(super) content: Content,
}

/// What a value is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Content {
    /// Keys and values in the order of the file, with duplicates.
    Map(Vec<(String, Node)>),
    /// Entries.
    List(Vec<Node>),
    /// Text; `plain` if it has neither quotes nor a block style.
    Scalar { text: String, plain: bool },
}

impl Node {
    /// The value of `key`, where this is a map that has it.
    pub(super) fn field(&self, key: &str) -> Option<&Node> {
        match &self.content {
            Content::Map(fields) => fields.iter().find(|(name, _)| name == key).map(|(_, value)| value),
            Content::List(_) | Content::Scalar { .. } => None,
        }
    }

    /// The text, where this is a scalar.
    pub(super) fn text(&self) -> Option<&str> {
        match &self.content {
            Content::Scalar { text, .. } => Some(text),
            Content::Map(_) | Content::List(_) => None,
        }
    }

    /// The value at a dotted path such as `spec.instruments[0].symbol`.
    pub(super) fn at(&self, path: &str) -> Option<&Node> {
        let steps = steps(path);
        let (node, taken) = self.follow(&steps);
        (taken == steps.len()).then_some(node)
    }

    /// The line of a dotted path, or of the longest part of it that exists.
    pub(super) fn line_of(&self, path: &str) -> usize {
        self.follow(&steps(path)).0.line
    }

    fn follow(&self, steps: &[&str]) -> (&Node, usize) {
        let mut node = self;
        for (taken, step) in steps.iter().enumerate() {
            let next = match &node.content {
                Content::Map(_) => node.field(step),
                Content::List(items) => step.parse::<usize>().ok().and_then(|index| items.get(index)),
                Content::Scalar { .. } => None,
            };
            match next {
                Some(found) => node = found,
                None => return (node, taken),
            }
        }
        (node, steps.len())
    }
}

fn steps(path: &str) -> Vec<&str> {
    path.split(['.', '[', ']']).filter(|step| !step.is_empty()).collect()
}

/// The documents of a file, empty ones left out. Stops at the first fault, because what follows a fault of
/// form cannot be trusted; the documents before it can.
pub(super) fn parse(file: &str, text: &str) -> (Vec<Node>, Option<ManifestError>) {
    let mut builder = Builder::default();
    let fault = read_events(file, text, &mut builder).err();
    (builder.documents, fault)
}

fn read_events(file: &str, text: &str, builder: &mut Builder) -> Result<(), ManifestError> {
    let fail =
        |line: usize, message: String| ManifestError { file: file.to_owned(), line, path: String::new(), message };
    if text.len() > BYTES_MAX {
        return Err(fail(1, format!("larger than {BYTES_MAX} bytes; divide it into several files")));
    }
    for event in Parser::new_from_str(text) {
        let (event, span) = event.map_err(|error| fail(error.marker().line(), explain(text, &error)))?;
        builder.take(event, span).map_err(|message| fail(span.start.line(), message))?;
    }
    Ok(())
}

fn explain(text: &str, error: &ScanError) -> String {
    let line = text.lines().nth(error.marker().line().saturating_sub(1)).unwrap_or_default();
    let indentation: String = line.chars().take_while(|c| c.is_whitespace()).collect();
    if indentation.contains('\t') {
        return "a tab in the indentation; use spaces".to_owned();
    }
    // YAML 1.2 takes a tab between a key and its value for a blank; not every reader does.
    if line.contains('\t') && error.info().contains("whitespace") {
        return "a tab within the line; use a space".to_owned();
    }
    format!("not valid YAML: {}", error.info())
}

/// A map or list that is not complete yet.
struct Open {
    node: Node,
    /// In a map: the key whose value comes next.
    key: Option<Key>,
}

/// A key of a map.
struct Key {
    text: String,
    line: usize,
    plain: bool,
}

#[derive(Default)]
struct Builder {
    open: Vec<Open>,
    documents: Vec<Node>,
}

impl Builder {
    fn take(&mut self, event: Event<'_>, span: Span) -> Result<(), String> {
        let line = span.start.line();
        match event {
            Event::Scalar(text, style, anchor, tag) => {
                refuse_anchor(anchor)?;
                if tag.is_some() {
                    return Err("a tag is not read; leave it out and quote what is text".to_owned());
                }
                let plain = matches!(style, ScalarStyle::Plain);
                self.put(node(line, Content::Scalar { text: text.into_owned(), plain }))
            }
            Event::MappingStart(anchor, _) => self.start(anchor, node(line, Content::Map(Vec::new()))),
            Event::SequenceStart(anchor, _) => self.start(anchor, node(line, Content::List(Vec::new()))),
            Event::MappingEnd | Event::SequenceEnd => match self.open.pop() {
                Some(done) => self.put(done.node),
                None => Ok(()),
            },
            Event::Alias(_) => Err("an alias is not read; write the value out".to_owned()),
            Event::Nothing | Event::StreamStart | Event::StreamEnd | Event::DocumentStart(_) | Event::DocumentEnd => {
                Ok(())
            }
        }
    }

    fn start(&mut self, anchor: usize, node: Node) -> Result<(), String> {
        refuse_anchor(anchor)?;
        if self.open.len() >= DEPTH_MAX {
            return Err(format!("nested deeper than {DEPTH_MAX} levels"));
        }
        if let Some(Open { node: Node { content: Content::Map(_), .. }, key: None }) = self.open.last() {
            return Err("a map or list stands as a key; write a name".to_owned());
        }
        self.open.push(Open { node, key: None });
        Ok(())
    }

    fn put(&mut self, mut node: Node) -> Result<(), String> {
        let Some(parent) = self.open.last_mut() else {
            // Nothing between two lines of dashes, as at the end of a generated file.
            let empty = matches!(&node.content, Content::Scalar { text, plain: true } if text.is_empty());
            if !empty {
                self.documents.push(node);
            }
            return Ok(());
        };
        match (&mut parent.node.content, parent.key.take()) {
            (Content::List(items), _) => items.push(node),
            (Content::Map(fields), Some(Key { text, line, plain })) => {
                (node.line, node.plain_key) = (line, plain);
                fields.push((text, node));
            }
            (Content::Map(_), None) => match node.content {
                Content::Scalar { text, plain } => parent.key = Some(Key { text, line: node.line, plain }),
                Content::Map(_) | Content::List(_) => {
                    return Err("a map or list stands as a key; write a name".to_owned());
                }
            },
            (Content::Scalar { .. }, _) => {}
        }
        Ok(())
    }
}

const fn node(line: usize, content: Content) -> Node {
    Node { line, plain_key: false, content }
}

fn refuse_anchor(anchor: usize) -> Result<(), String> {
    // The parser counts anchors from 1; 0 is none.
    if anchor == 0 { Ok(()) } else { Err("an anchor is not read; write the value out".to_owned()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_the_line_of_its_key_and_keeps_its_quotes() {
        let text = "a:\n  b:\n    - x\n    - \"y\"\n---\n\n---\nc: 1\n";
        let (documents, fault) = parse("f", text);
        assert_eq!(fault, None);
        assert_eq!(documents.len(), 2);
        assert_eq!(documents[0].line_of("a.b"), 2);
        assert_eq!(documents[0].line_of("a.b[1]"), 4);
        assert_eq!(documents[0].line_of("a.b[7].z"), 2);
        assert_eq!(documents[0].at("a.b[0]").unwrap().content, Content::Scalar { text: "x".into(), plain: true });
        assert_eq!(documents[0].at("a.b[1]").unwrap().content, Content::Scalar { text: "y".into(), plain: false });
        assert_eq!(documents[1].line_of("c"), 8);
    }

    #[test]
    fn what_readers_treat_differently_is_refused_with_its_line() {
        for (text, line, message) in [
            ("a: 1\nb: &x 2\n", 2, "an anchor is not read; write the value out"),
            ("a: !!str 2\n", 1, "a tag is not read; leave it out and quote what is text"),
            ("a: 1\n? [b]\n: 2\n", 2, "a map or list stands as a key; write a name"),
            ("a:\n\tb: 1\n", 2, "a tab in the indentation; use spaces"),
            ("a: 1\nb: {c:\t1}\n", 2, "a tab within the line; use a space"),
        ] {
            let error = parse("f", text).1.unwrap();
            assert_eq!((error.line, error.message.as_str()), (line, message), "{text}");
        }
        let deep = format!("a: {}{}", "[".repeat(40), "]".repeat(40));
        assert_eq!(parse("f", &deep).1.unwrap().message, "nested deeper than 32 levels");
        assert!(parse("f", &" ".repeat(BYTES_MAX + 1)).1.is_some());
    }
}
