//! A page of the documentation: its sections, tables and code; and the files of the repository.

use std::fs;
use std::path::{Path, PathBuf};

/// The pages that there are in both languages.
pub const READMES: [&str; 2] = ["README.md", "README.zh.md"];

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate lies in the repository").to_owned()
}

/// The text of a file of the repository.
pub fn read(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// All files below a folder whose name ends so, from the root, in order.
pub fn files(below: &str, end: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut folders = vec![below.to_owned()];
    while let Some(folder) = folders.pop() {
        let entries = fs::read_dir(repository().join(&folder)).unwrap_or_else(|error| panic!("{folder}: {error}"));
        for entry in entries {
            let entry = entry.expect("a folder can be listed");
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                folders.push(path);
            } else if path.ends_with(end) {
                found.push(path);
            }
        }
    }
    found.sort();
    assert!(!found.is_empty(), "{below} holds no *{end}");
    found
}

/// One fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What it is, such as `sh`; empty for a picture or a screen.
    pub language: String,
    pub lines: Vec<String>,
}

/// The fenced blocks of a page, in order.
pub fn blocks(text: &str) -> Vec<Block> {
    let mut blocks: Vec<Block> = Vec::new();
    let mut inside = false;
    for line in text.lines() {
        match (line.strip_prefix("```"), inside) {
            (Some(language), false) => blocks.push(Block { language: language.to_owned(), lines: Vec::new() }),
            (Some(_), true) => {}
            (None, true) => blocks.last_mut().expect("one is open").lines.push(line.to_owned()),
            (None, false) => continue,
        }
        inside ^= line.starts_with("```");
    }
    assert!(!inside, "a fence is not closed");
    blocks
}

/// A line of a block without the comment that a reader of another language would not understand.
pub fn without_comment(line: &str) -> &str {
    line.split_once(" # ").map_or(line, |(code, _)| code).trim_end()
}

/// A page's text outside its blocks.
pub fn prose(text: &str) -> String {
    let mut inside = false;
    let mut prose = String::new();
    for line in text.lines() {
        inside ^= line.starts_with("```");
        if !inside && !line.starts_with("```") {
            prose.push_str(line);
            prose.push('\n');
        }
    }
    prose
}

/// The words of a text that stand between backticks.
pub fn quoted(text: &str) -> Vec<String> {
    text.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// A section of a page: its heading, and the rows of its tables without their heads.
#[derive(Debug)]
pub struct Section {
    pub heading: String,
    pub rows: Vec<Vec<String>>,
}

/// The sections of a page, by its second headings.
pub fn sections(text: &str) -> Vec<Section> {
    let parts = text.split("\n## ").skip(1);
    let section = |part: &str| {
        let mut lines = part.lines();
        let heading = lines.next().unwrap_or_default().to_owned();
        let rows = lines.skip_while(|line| !line.starts_with("|---")).skip(1).take_while(|line| line.starts_with('|'));
        let cells = |row: &str| row.trim_matches('|').split(" | ").map(|cell| cell.trim().to_owned()).collect();
        Section { heading, rows: rows.map(cells).collect() }
    };
    parts.map(section).collect()
}

/// Whether a text holds a Chinese character.
pub fn is_chinese(text: &str) -> bool {
    text.chars().any(|character| ('\u{4e00}'..='\u{9fff}').contains(&character))
}
