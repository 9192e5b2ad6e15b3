//! The files of a process: what its command names and what its configMap has. Whoever changes one has another program.

use std::path::{Path, PathBuf};

use crds::roles::StrategySpec;
use crds::strategy::{SOURCE_FOLDER, source_file};
use engine::running_hash::RunningHash;

/// Of a larger file only the size counts. An interpreter has some MiB; a ConfigMap has 1 MiB at most.
const READ_MAX: u64 = 16 * 1024 * 1024;
/// Files of a folder at most that count.
const FILES_MAX: usize = 4096;
/// Folders within folders at most that count.
const DEPTH_MAX: usize = 8;
/// In the folder of a virtual environment: what it has are libraries.
const ENVIRONMENT: &str = "pyvenv.cfg";

/// Where an argument of the command lies on this machine: files of the configMap are in the folder that stands for it.
pub(super) fn placed(argument: &str, folder: Option<&Path>) -> String {
    match source_file(argument).zip(folder) {
        Some((file, folder)) => folder.join(file).display().to_string(),
        None => argument.to_owned(),
    }
}

/// Takes the names and bytes of all files of a process: those that its command names, then those of its configMap, by name. Of
/// a strategy that is none nothing.
pub(crate) fn hash_files(spec: &StrategySpec, hash: &mut RunningHash) {
    let Some(process) = &spec.spec.strategy.process else { return };
    let folder = spec.source_folder.as_deref();
    for (place, argument) in process.command.iter().enumerate() {
        // A program without a folder is looked for in PATH, not here.
        if place > 0 || argument.contains('/') {
            take(argument, Path::new(&placed(argument, folder)), hash);
        }
    }
    if process.source.is_some() {
        let root = folder.unwrap_or(Path::new(SOURCE_FOLDER));
        let mut files = Vec::new();
        list(root, DEPTH_MAX, &mut files);
        for file in files {
            take(&file.strip_prefix(root).unwrap_or(&file).to_string_lossy(), &file, hash);
        }
    }
}

/// Takes a file, where it is one that reads.
fn take(name: &str, file: &Path, hash: &mut RunningHash) {
    let Some(size) = std::fs::metadata(file).ok().filter(std::fs::Metadata::is_file).map(|known| known.len()) else {
        return;
    };
    let read = if size <= READ_MAX { std::fs::read(file).unwrap_or_default() } else { Vec::new() };
    hash.update(format!("{name}\n{size}\n").as_bytes());
    hash.update(&read);
}

/// The files of a folder and of those in it, by name; none that is hidden, as what a mounted ConfigMap has beside its files, or that an
/// interpreter keeps for itself.
fn list(folder: &Path, depth: usize, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(folder) else { return };
    let mut paths: Vec<_> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let is_left_out = name.starts_with('.') || name == "__pycache__" || path.join(ENVIRONMENT).exists();
        if is_left_out || files.len() >= FILES_MAX {
            continue;
        }
        if path.is_file() {
            files.push(path);
        } else if path.is_dir() && !path.is_symlink() && depth > 0 {
            list(&path, depth - 1, files);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn hash(command: &[&str], source: Option<&Path>) -> String {
        let source_of = source.map(|_| json!({"configMap": "mine"}));
        let account = json!({"venue": {"paper": {"balances": {}}}, "marketData": {"replay": {"file": "none.csv"}}});
        let spec = json!({"name": "p", "generation": 1, "account": {"name": "paper", "spec": account},
            "spec": {"accountRef": {"name": "paper"}, "capital": {"USDT": 1},
                "instruments": [{"symbol": "BNB/USDT", "rules": {"tickSize": "0.01", "lotSize": "0.001"}}],
                "strategy": {"process": {"command": command, "source": source_of}}}});
        let mut spec: StrategySpec = serde_json::from_value(spec).unwrap();
        spec.source_folder = source.map(Path::to_owned);
        let mut hash = RunningHash::default();
        hash_files(&spec, &mut hash);
        hash.hex()
    }

    /// What it hashes to before and after a file is written.
    fn changes(file: &Path, text: &str, command: &[&str], source: Option<&Path>) -> bool {
        let before = hash(command, source);
        assert_eq!(before, hash(command, source));
        std::fs::write(file, text).unwrap();
        before != hash(command, source)
    }

    #[test]
    fn each_file_that_is_named_or_comes_with_the_source_makes_another_program() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for inner in ["lib", ".hidden", "__pycache__", "venv"] {
            std::fs::create_dir(at(inner)).unwrap();
        }
        std::fs::write(at("main.py"), "1").unwrap();
        let main = at("main.py").display().to_string();
        assert!(changes(&at("main.py"), "2", &["python3", &main], None), "a script that is named by its place");
        assert!(!changes(&at("other.py"), "1", &["python3", &main], None), "one beside it may be anybody's");
        let (command, source) = (["python3", "/strategies/main.py"], Some(folder.path()));
        std::fs::write(at("venv/pyvenv.cfg"), "").unwrap();
        for (name, counts) in [
            ("main.py", true),
            ("helper.py", true),
            ("lib/more.py", true),
            (".hidden/more.py", false),
            ("__pycache__/main.pyc", false),
            ("venv/library.py", false),
        ] {
            assert_eq!(changes(&at(name), "3", &command, source), counts, "{name}");
        }
        std::fs::rename(at("helper.py"), at("helpers.py")).unwrap();
        assert!(changes(&at("main.py"), "4", &command, source));
    }
}
