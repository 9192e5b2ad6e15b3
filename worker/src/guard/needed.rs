//! What a command must be able to read: its program, the program's libraries, its script.

use std::env;
use std::ffi::{OsStr, OsString};
use std::fs::{self, File};
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::process::exit::Failure;

/// Where programs are looked for when nobody says.
const USUAL_PATH: &str = "/usr/local/bin:/usr/bin:/bin";
/// Below the folder that a program is installed in: what belongs to it.
const OF_PROGRAM: [&str; 5] = ["bin", "lib", "lib64", "pyvenv.cfg", "share"];
/// What an interpreter or a linked program reads of the system.
const OF_SYSTEM: [&str; 10] = [
    "/usr",
    "/bin",
    "/lib",
    "/lib64",
    "/etc/ld.so.cache",
    "/etc/localtime",
    "/dev/null",
    "/dev/zero",
    "/dev/random",
    "/dev/urandom",
];

/// A command, its program found.
#[derive(Debug)]
pub struct Needed {
    program: PathBuf,
    arguments: Vec<OsString>,
    path: OsString,
}

impl Needed {
    /// What this command needs; refused where there is no such program.
    pub fn of(command: &[OsString]) -> Result<Self, Failure> {
        let path = env::var_os("PATH").unwrap_or_else(|| USUAL_PATH.into());
        let [name, arguments @ ..] = command else {
            return Err(Failure::refused("the command of a strategy is empty; name a program"));
        };
        let found = if Path::new(name).components().count() > 1 {
            Some(PathBuf::from(name)).filter(|program| program.is_file())
        } else {
            let mut all = env::split_paths(&path).map(|folder| folder.join(name)).filter(|program| program.is_file());
            // A script that starts the program it stands for, as version managers have them, could not: it is one process.
            let first = all.next();
            first.iter().cloned().chain(all).find(|program| is_binary(program)).or(first)
        };
        let program = found.ok_or_else(|| {
            let (name, path) = (name.display(), path.display());
            // The remedy first: of a long line only the beginning is shown.
            Failure::refused(format!(
                "the program {name} is not there; install it, take an image that has it, or write its path; looked in {path}"
            ))
        })?;
        Ok(Self { program, arguments: arguments.to_vec(), path })
    }

    /// The arguments that are files or folders: scripts and what lies beside them.
    fn scripts(&self) -> impl Iterator<Item = PathBuf> {
        self.arguments.iter().filter_map(|argument| Path::new(argument).canonicalize().ok())
    }

    /// What may be read, with all below it.
    pub fn readable(&self) -> Vec<PathBuf> {
        let mut readable: Vec<PathBuf> = OF_SYSTEM.iter().map(PathBuf::from).collect();
        for program in [Some(self.program.clone()), self.program.canonicalize().ok()].into_iter().flatten() {
            let installed = program.parent().and_then(Path::parent);
            readable.extend(installed.into_iter().flat_map(|folder| OF_PROGRAM.map(|name| folder.join(name))));
            // A script that is run by itself has its modules beside it.
            readable.push(if is_binary(&program) { program } else { with_folder(&program) });
        }
        readable.extend(self.scripts().map(|script| with_folder(&script)));
        readable
    }

    /// Whether a user who owns nothing can read the program and the scripts.
    pub fn is_open_to_others(&self) -> bool {
        let program = self.program.canonicalize().ok();
        program
            .into_iter()
            .chain(self.scripts())
            .all(|file| is_open(&file, 0o4) && file.ancestors().skip(1).all(|folder| is_open(folder, 0o1)))
    }

    /// Refused where this process, as it is now, could not read them.
    pub fn can_be_read(&self) -> Result<(), Failure> {
        for file in [self.program.clone()].into_iter().chain(self.scripts()) {
            if file.is_file() {
                let why = |error| {
                    let remedy = "let others read it (chmod a+rX), with the folders above it";
                    Failure::refused(format!(
                        "the process of a strategy cannot read {}: {error}; {remedy}",
                        file.display()
                    ))
                };
                File::open(&file).map_err(why)?;
            }
        }
        Ok(())
    }

    /// The command, with nothing of this process's environment but where programs and languages are found.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).env_clear().env("PATH", &self.path);
        for name in ["HOME", "LANG"] {
            command.envs(env::var_os(name).map(|value| (OsStr::new(name), value)));
        }
        // Sets are read in the same order each time, and no library starts a thread for each processor.
        let same = [("PYTHONHASHSEED", "0"), ("OMP_NUM_THREADS", "1"), ("OPENBLAS_NUM_THREADS", "1")];
        command.envs(same).envs([("PYTHONUNBUFFERED", "1"), ("LC_ALL", "C.UTF-8"), ("TZ", "UTC")]);
        // The machine's own it may not read, and Node does not start without one that reads.
        command.env("OPENSSL_CONF", "/dev/null");
        command
    }
}

/// A script's folder, where its modules lie; of one that lies in the root or in a home, itself alone.
fn with_folder(script: &Path) -> PathBuf {
    let home = env::var_os("HOME").map(PathBuf::from);
    let folder = script.parent().filter(|folder| folder.parent().is_some() && home.as_deref() != Some(*folder));
    if script.is_dir() { script.to_owned() } else { folder.unwrap_or(script).to_owned() }
}

fn is_binary(program: &Path) -> bool {
    let mut head = [0; 4];
    File::open(program).and_then(|mut file| file.read_exact(&mut head)).is_ok() && head == *b"\x7fELF"
}

fn is_open(path: &Path, to_others: u32) -> bool {
    fs::metadata(path).is_ok_and(|data| data.mode() & to_others == to_others)
}
