//! The roles of the worker as separate processes on a real Redis, as pods run them: made by `worker ledger create`,
//! started from the commands it prints, watched from outside.
#![allow(clippy::panic, clippy::expect_used, clippy::missing_panics_doc, reason = "only tests call this")]

mod market;
mod process;
mod stage;
mod store;

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

pub use market::{
    ACCOUNT, Wave, accounts_of_markets, crossing, ladder, manifest, pair, process, quoter, strategy, wave,
};
pub use process::RoleProcess;
pub use stage::{Actor, Stage};
pub use store::{Entry, Store};

use crate::result::comparable;
use crate::worker_binary::worker_binary;

/// Long enough for a slow machine; nothing is expected to take so long.
pub const DEADLINE: Duration = Duration::from_mins(1);
const POLL: Duration = Duration::from_millis(5);

/// Asks until there is an answer; past the deadline the test fails and says what it waited for.
pub fn until<T>(what: &str, within: Duration, mut probe: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + within;
    loop {
        if let Some(found) = probe() {
            return found;
        }
        assert!(Instant::now() < deadline, "waited {within:?} in vain: {what}");
        thread::sleep(POLL);
    }
}

/// A directory with a manifest and its data, where processes keep their logs.
#[derive(Debug)]
pub struct Scene {
    directory: TempDir,
    manifest: PathBuf,
    /// Each as `--data` takes it: `[SYMBOL=]FILE`.
    data: Vec<(Option<String>, PathBuf)>,
    /// The program that is run; the stock worker where none is named.
    program: Option<PathBuf>,
}

/// How a role is started: a line that `worker ledger create` prints.
#[derive(Debug, Clone)]
pub struct Launch {
    role: String,
    options: Vec<(String, String)>,
}

impl Scene {
    /// A scene with this manifest, whose replay names the data file `data.csv`.
    pub fn new(manifest: &str, data: &str) -> Self {
        Self::with_file(manifest, "data.csv", data.as_bytes())
    }

    /// A scene whose replay names the data file `name`.
    pub fn with_file(manifest: &str, name: &str, data: &[u8]) -> Self {
        Self::with_data(manifest, [(None, name, data)])
    }

    /// A scene whose replay names a data file for each of these symbols.
    pub fn of_markets(manifest: &str, markets: &[(&str, &str, String)]) -> Self {
        Self::with_data(manifest, markets.iter().map(|(symbol, name, data)| (Some(*symbol), *name, data.as_bytes())))
    }

    /// A scene whose manifest needs no file: its prices are live.
    pub fn without_data(manifest: &str) -> Self {
        Self::with_data(manifest, [])
    }

    fn with_data<'a>(manifest: &str, data: impl IntoIterator<Item = (Option<&'a str>, &'a str, &'a [u8])>) -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory can be made");
        let mut scene =
            Self { manifest: directory.path().join("manifest.yaml"), data: Vec::new(), directory, program: None };
        fs::write(&scene.manifest, manifest).expect("the manifest can be written");
        for (symbol, name, bytes) in data {
            let path = scene.directory.path().join(name);
            fs::write(&path, bytes).expect("the data can be written");
            scene.data.push((symbol.map(str::to_owned), path));
        }
        scene
    }

    /// The same, run by another program than the stock worker: one with strategies of its own.
    #[must_use]
    pub fn run_by(self, program: &str) -> Self {
        Self { program: Some(program.into()), ..self }
    }

    fn program(&self) -> PathBuf {
        self.program.clone().unwrap_or_else(worker_binary)
    }

    /// The manifest's path.
    pub fn manifest(&self) -> &Path {
        &self.manifest
    }

    /// The data's path; of several, the first's.
    pub fn data(&self) -> &Path {
        &self.data[0].1
    }

    /// Another manifest beside the first.
    pub fn other_manifest(&self, name: &str, text: &str) -> PathBuf {
        let path = self.directory.path().join(name);
        fs::write(&path, text).expect("the manifest can be written");
        path
    }

    /// What `backtest` prints and `worker ledger show` too, a line for each strategy.
    pub fn backtest(&self) -> String {
        let of = |(symbol, path): &(Option<String>, PathBuf)| match symbol {
            Some(symbol) => format!("{symbol}={}", text(path)),
            None => text(path),
        };
        let data: Vec<_> = self.data.iter().map(of).collect();
        comparable(&self.backtest_whole(&data))
    }

    /// All that `backtest` prints of other data, each as `--data` takes it.
    pub fn backtest_whole(&self, data: &[String]) -> String {
        let manifest = text(&self.manifest);
        let mut arguments = vec!["backtest", &manifest, "--output", "json"];
        arguments.extend(data.iter().flat_map(|data| ["--data", data]));
        stdout_of(&self.worker(&arguments), "backtest")
    }

    /// Makes the ledgers of a manifest; the roles in the order of their start.
    pub fn create(&self, manifest: &Path, redis: &str) -> Vec<Launch> {
        self.create_with(manifest, &["--redis", redis])
    }

    /// The same with more options.
    pub fn create_with(&self, manifest: &Path, options: &[&str]) -> Vec<Launch> {
        let manifest = text(manifest);
        let arguments = [&["ledger", "create", &manifest], options].concat();
        let lines = stdout_of(&self.worker(&arguments), "ledger create");
        lines.lines().map(Launch::read).collect()
    }

    /// What `worker ledger show` prints and `backtest` too, a line for each strategy; or why it does not.
    pub fn show(&self, redis: &str) -> Result<String, String> {
        self.show_whole(redis).map(|lines| comparable(&lines))
    }

    /// All that `worker ledger show` prints.
    pub fn show_whole(&self, redis: &str) -> Result<String, String> {
        let output = self.worker(&["ledger", "show", &text(&self.manifest), "--redis", redis]);
        if !output.status.success() {
            return Err(String::from_utf8_lossy(&output.stderr).into_owned());
        }
        Ok(stdout_of(&output, "ledger show"))
    }

    /// Runs the worker to its end.
    pub fn worker(&self, arguments: &[&str]) -> Output {
        let mut command = Command::new(self.program());
        command.args(arguments).current_dir(self.directory.path()).stdin(Stdio::null());
        command.output().expect("the worker starts")
    }

    /// Starts a role. Each start of one owner writes on in the same log.
    pub fn start(&self, launch: &Launch) -> RoleProcess {
        let mut arguments = vec![launch.role.clone()];
        arguments.extend(launch.options.iter().flat_map(|(name, value)| [name.clone(), value.clone()]));
        self.spawn(&launch.owner(), &arguments)
    }

    /// Starts a role in a shell that has done `setup` first, such as `ulimit -n 64`.
    pub fn start_after(&self, setup: &str, launch: &Launch) -> RoleProcess {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{setup}; exec \"$@\""), "sh"]).arg(self.program()).arg(&launch.role);
        command.args(launch.options.iter().flat_map(|(name, value)| [name, value]));
        self.spawn_command(&launch.owner(), command)
    }

    /// All that was logged under a name.
    pub fn log_of(&self, name: &str) -> String {
        fs::read_to_string(self.directory.path().join(format!("{name}.log"))).unwrap_or_default()
    }

    /// Starts the worker with its log in a file of that name, and its stdout in another.
    pub fn spawn(&self, name: &str, arguments: &[String]) -> RoleProcess {
        let mut command = Command::new(self.program());
        command.args(arguments);
        self.spawn_command(name, command)
    }

    fn spawn_command(&self, name: &str, mut command: Command) -> RoleProcess {
        let path = |ending: &str| self.directory.path().join(format!("{name}.{ending}"));
        let open = |path: PathBuf| File::options().create(true).append(true).open(path).expect("a log can be opened");
        command.current_dir(self.directory.path()).stdin(Stdio::null());
        command.stdout(open(path("out"))).stderr(open(path("log")));
        RoleProcess::start(name, &mut command, path("log"), path("out"))
    }
}

impl Launch {
    /// Reads a printed line as a shell takes it: a shell splits it.
    fn read(line: &str) -> Self {
        let script = format!("worker() {{ printf '%s\\n' \"$@\"; }}\n{line}");
        let output = Command::new("sh").args(["-c", &script]).output().expect("sh starts");
        let words = stdout_of(&output, "a printed command");
        let mut words = words.lines().map(str::to_owned);
        let role = words.next().expect("the role comes first");
        let mut options = Vec::new();
        while let Some(name) = words.next() {
            options.push((name, words.next().expect("each option has a value")));
        }
        Self { role, options }
    }

    /// The role: strategy, gateway or feed.
    pub fn role(&self) -> &str {
        &self.role
    }

    /// The owner of its record.
    pub fn owner(&self) -> String {
        self.option("--owner")
    }

    /// Its epoch.
    pub fn epoch(&self) -> u64 {
        self.option("--epoch").parse().expect("the epoch is a number")
    }

    /// The value of an option.
    pub fn option(&self, name: &str) -> String {
        let found = self.options.iter().find(|(option, _)| option == name);
        found.unwrap_or_else(|| panic!("{name} is printed")).1.clone()
    }

    /// The same with another value of an option.
    #[must_use]
    pub fn with(&self, name: &str, value: &str) -> Self {
        let mut launch = self.clone();
        launch.options.retain(|(option, _)| option != name);
        launch.options.push((name.to_owned(), value.to_owned()));
        launch
    }

    /// The same at another epoch.
    #[must_use]
    pub fn at_epoch(&self, epoch: u64) -> Self {
        self.with("--epoch", &epoch.to_string())
    }

    /// The same with an admin address.
    #[must_use]
    pub fn with_admin(&self) -> Self {
        self.with("--admin", "127.0.0.1:0")
    }

    /// The same feed at another speed; `None`: as fast as its readers. Other roles have no speed.
    #[must_use]
    pub fn at_speed(&self, speed: Option<u64>) -> Self {
        if self.role != "feed" {
            return self.clone();
        }
        let mut spec: Value = serde_json::from_str(&self.option("--spec")).expect("the spec is JSON");
        let fields = spec.as_object_mut().expect("the spec is an object");
        match speed {
            Some(speed) => fields.insert("speed".to_owned(), speed.into()),
            None => fields.remove("speed"),
        };
        self.with("--spec", &spec.to_string())
    }
}

fn text(path: &Path) -> String {
    path.to_str().expect("temporary paths are text").to_owned()
}

fn stdout_of(output: &Output, what: &str) -> String {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{what} fails with {:?}: {errors}", output.status.code());
    String::from_utf8(output.stdout.clone()).expect("output is text")
}
