//! The Python package of `examples/python-strategy`: its own tests, which need no worker.

use std::path::Path;
use std::process::Command;

/// Those that stand there today; more is fine, fewer means that they were not found.
const TESTS: usize = 51;

#[test]
fn the_python_package_passes_its_own_tests() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/python-strategy");
    let mut python = Command::new("python3");
    python.args(["-B", "-W", "error", "-m", "unittest"]).current_dir(folder).env_remove("PYTHONPATH");
    let done = python.output().expect("python3 is there (Debian, Ubuntu: apt-get install python3)");
    let said = String::from_utf8_lossy(&done.stderr);
    assert!(done.status.success(), "{said}");
    let ran = said.split_once("Ran ").and_then(|(_, rest)| rest.split_once(' ')).expect("unittest sums up").0;
    assert!(ran.parse::<usize>().expect("unittest counts") >= TESTS, "{said}");
}
