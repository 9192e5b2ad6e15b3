//! What every file keeps to.

use std::fs;
use std::path::{Path, PathBuf};

/// The most lines of a source, tests apart.
const LINES_MAX: usize = 500;
/// Names under which anything could lie; a thing lies with its noun.
const NO_NOUNS: [&str; 7] = ["common", "helper", "helpers", "misc", "types", "util", "utils"];
/// Calls that end the program or were never meant to stay.
const UNFINISHED: [&str; 4] = [".unwrap()", "todo!(", "dbg!(", "unimplemented!("];

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("this crate lies in the repository").to_owned()
}

/// One file of the repository.
struct File {
    /// From the root, with slashes.
    path: String,
    bytes: Vec<u8>,
    /// Whether all of it is only for tests.
    is_test: bool,
}

impl File {
    fn name(&self) -> &str {
        self.path.rsplit('/').next().unwrap_or_default()
    }

    fn folder(&self) -> &str {
        self.path.rsplit_once('/').map_or("", |(folder, _)| folder)
    }

    fn is_source(&self) -> bool {
        Path::new(&self.path).extension().is_some_and(|end| end == "rs")
    }

    /// Where the modules lie that it declares only for tests.
    fn test_modules(&self) -> Vec<String> {
        let path = self.path.trim_end_matches(".rs");
        let inside = path.rsplit_once('/').filter(|(_, name)| ["lib", "main", "mod"].contains(name));
        let folder = inside.map_or(path, |(folder, _)| folder);
        let mut declared = Vec::new();
        for (attribute, item) in self.text().lines().zip(self.text().lines().skip(1)) {
            if attribute == "#[cfg(test)]"
                && let Some((_, name)) = item.trim_end_matches(';').rsplit_once("mod ")
            {
                declared.push(format!("{folder}/{name}"));
            }
        }
        declared
    }

    fn text(&self) -> &str {
        std::str::from_utf8(&self.bytes).unwrap_or_default()
    }
}

/// Every file but what is built and what git keeps for itself.
fn files() -> Vec<File> {
    let root = repository();
    let mut files = Vec::new();
    let mut folders = vec![root.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("a folder can be listed") {
            let path = entry.expect("a folder can be listed").path();
            let name = path.strip_prefix(&root).expect("it lies below the root").to_string_lossy().into_owned();
            if path.is_symlink() || ["target", ".git"].contains(&name.as_str()) {
                continue;
            }
            if path.is_dir() {
                folders.push(path);
            } else {
                let bytes = fs::read(&path).expect("a file can be read");
                files.push(File { path: name, bytes, is_test: false });
            }
        }
    }
    let sources = files.iter().filter(|file| file.is_source());
    let modules: Vec<String> = sources.flat_map(File::test_modules).collect();
    for file in &mut files {
        let below = |module: &String| file.path.strip_prefix(module).is_some_and(|rest| rest.starts_with(['.', '/']));
        file.is_test = file.path.split('/').any(|part| part == "tests") || modules.iter().any(below);
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

/// Runs `find` on every file and expects nothing to be found.
fn nothing(find: impl Fn(&File) -> Vec<String>) {
    let files = files();
    assert!(files.len() > 100, "the files were not found");
    let found: Vec<String> = files.iter().flat_map(find).collect();
    assert!(found.is_empty(), "\n{}", found.join("\n"));
}

fn found(condition: bool, message: String) -> Vec<String> {
    if condition { vec![message] } else { Vec::new() }
}

#[test]
fn every_source_begins_by_saying_what_it_is() {
    nothing(|file| {
        let says = file.text().lines().next().is_some_and(|line| line.starts_with("//! ") && line.len() > 10);
        found(file.is_source() && !says, format!("{}: its first line is no //!", file.path))
    });
}

#[test]
fn no_source_is_too_long() {
    nothing(|file| {
        let lines = file.text().lines().count();
        let long = file.is_source() && !file.is_test && lines > LINES_MAX;
        found(long, format!("{}: {lines} lines; divide it by its nouns, at most {LINES_MAX}", file.path))
    });
}

#[test]
fn no_module_is_named_for_nothing() {
    nothing(|file| {
        let path = file.path.trim_end_matches(".rs");
        let named = path.split('/').find(|part| NO_NOUNS.contains(part)).map(str::to_owned);
        let inner = file.text().lines().find_map(|line| {
            let name = line.trim().trim_start_matches("pub ").strip_prefix("mod ")?.trim_end_matches([';', '{', ' ']);
            NO_NOUNS.contains(&name).then(|| name.to_owned())
        });
        let name = named.or(inner).filter(|_| file.is_source());
        name.into_iter().map(|name| format!("{}: {name} says nothing; name the noun", file.path)).collect()
    });
}

/// The lines of a source that reach the product, numbered from 1: without what is only for tests and without
/// comments.
fn product_lines(text: &str) -> Vec<(usize, &str)> {
    let mut lines = text.lines().zip(1..).map(|(line, number)| (number, line));
    let mut kept = Vec::new();
    while let Some((number, line)) = lines.next() {
        if line.trim() == "#[cfg(test)]" {
            // As rustfmt lays it out, an item ends on its first line or with a brace as far in as it began.
            let end = format!("{}}}", &line[..line.len() - line.trim_start().len()]);
            let item = lines.by_ref().find(|(_, line)| !line.trim_start().starts_with("#["));
            if item.is_some_and(|(_, line)| line.ends_with('{')) {
                lines.by_ref().find(|(_, line)| *line == end);
            }
        } else if !line.trim_start().starts_with("//") {
            kept.push((number, line));
        }
    }
    kept
}

#[test]
fn nothing_unfinished_reaches_the_product() {
    let only = "a\n#[cfg(test)]\nmod tests;\nb\n#[cfg(test)]\n#[allow(x)]\nmod tests {\n    {\n    }\n}\n// c\nd\n";
    assert_eq!(product_lines(only), [(1, "a"), (4, "b"), (12, "d")]);
    nothing(|file| {
        let text = if file.is_source() && !file.is_test { file.text() } else { "" };
        let lines = product_lines(text).into_iter();
        let hits =
            lines.filter_map(|(number, line)| Some((number, UNFINISHED.iter().find(|word| line.contains(**word))?)));
        hits.map(|(number, word)| format!("{}:{number}: {word}", file.path)).collect()
    });
}

/// What messages may write by `Debug`: text, which gets its quotes by it, and words of our own enums, where the
/// variant's name is the word. All else would show how a type is called in this program.
const BY_DEBUG: [&str; 15] = [
    "account",
    "character",
    "expected",
    "found",
    "from",
    "id",
    "installation",
    "key",
    "kind",
    "name",
    "stance",
    "state",
    "text",
    "to",
    "word",
];
/// Files with `{:?}` of such a text or word that has no name of its own, or with a value's other names.
const BY_DEBUG_UNNAMED: [(&str, &[&str]); 16] = [
    ("crds/src/manifest/references.rs", &["subject.name);"]),
    ("operator/src/account/status.rs", &["Reason::Unreadable"]),
    ("operator/src/cli.rs", &["the prefix {:?}"]),
    ("operator/src/strategy/judge.rs", &["observed.spec.state"]),
    ("worker/bus/src/health.rs", &["maxmemory-policy is {:?}"]),
    ("worker/bus/src/keys.rs", &["{what} {value:?} cannot be part of a key"]),
    ("worker/bus/src/redis/decode/entries.rs", &["cut(&name)"]),
    ("worker/bus/src/redis/decode/mod.rs", &["cut("]),
    ("worker/bus/src/state_store.rs", &["{0:?} is not the version of a register"]),
    ("worker/bus/src/stream.rs", &["{0:?} is not a stream id"]),
    ("worker/src/roles/launch.rs", &["--owner {:?}", "the prefix {:?}"]),
    ("worker/src/fleet/provision.rs", &["not {uid:?}", "spec.kind"]),
    ("worker/src/commands/run/figures.rs", &["ready.status"]),
    ("worker/src/commands/run/screen.rs", &["{prefix}{:?}"]),
    ("worker/venue/src/replay/format.rs", &["crate::data::shown("]),
    ("worker/venue/src/replay/header.rs", &["crate::data::shown("]),
];

/// The expressions that a line writes by `Debug`, as in `{text:?}`; empty where it is an argument's turn.
fn by_debug(line: &str) -> Vec<&str> {
    let ends = line.match_indices(":?}").chain(line.match_indices(":#?}"));
    ends.filter_map(|(end, _)| line[..end].rsplit_once('{').map(|(_, expression)| expression)).collect()
}

#[test]
fn no_message_shows_how_a_type_is_called() {
    assert_eq!(by_debug("format!(\"{name:?} and {:?}\", x)"), ["name", ""]);
    let unnamed = |file: &File, line: &str| {
        let known = BY_DEBUG_UNNAMED.iter().find(|(path, _)| *path == file.path);
        known.is_some_and(|(_, texts)| texts.iter().any(|text| line.contains(text)))
    };
    nothing(|file| {
        let product = file.is_source() && !file.is_test && !file.path.starts_with("tests/");
        // The simulation speaks to who develops it.
        let text = if product && !file.path.contains("/simulation") { file.text() } else { "" };
        let shows = |line: &str| by_debug(line).iter().any(|expression| !BY_DEBUG.contains(expression));
        let lines = product_lines(text).into_iter().filter(|(_, line)| shows(line) && !unnamed(file, line));
        lines.map(|(number, line)| format!("{}:{number}: write it by Display:{line}", file.path)).collect()
    });
}

#[test]
fn all_data_has_its_source_beside_it() {
    let files = files();
    let is_data = |file: &&File| {
        let folder = file.folder();
        let described = ["md", "yaml"].iter().any(|end| file.name().ends_with(&format!(".{end}")));
        (folder == "examples" || folder.ends_with("/testdata")) && !described && !file.name().starts_with("LICENSE")
    };
    let data: Vec<&File> = files.iter().filter(is_data).collect();
    assert!(data.len() >= 7, "the data were not found");
    for file in data {
        let sources = format!("{}/SOURCES.md", file.folder());
        let sources = files.iter().find(|file| file.path == sources).unwrap_or_else(|| panic!("{sources} is missing"));
        // A line that tells of several files may shorten their names; the whole name must stand somewhere.
        assert!(sources.text().contains(&format!("`{}`", file.name())), "{} is not in {}", file.path, sources.path);
    }
}

#[test]
fn nothing_points_out_of_the_repository() {
    // In pieces, so that this file does not find itself.
    let machine = concat!("/wo", "rk");
    let outside = concat!("../sha", "red");
    nothing(|file| {
        let points = |line: &str| {
            let mut rest = line;
            while let Some((_, after)) = rest.split_once(machine) {
                if !after.starts_with(|next: char| next.is_ascii_alphanumeric() || next == '-' || next == '_') {
                    return true;
                }
                rest = after;
            }
            line.contains(outside)
        };
        let lines = file.text().lines().zip(1..).filter(|(line, _)| points(line));
        lines.map(|(line, number)| format!("{}:{number}: {line}", file.path)).collect()
    });
}
