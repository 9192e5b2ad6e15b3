//! How a child is started: through `guard`, which bounds what it reaches, with nothing of this process's environment but where
//! programs are found.

use std::io;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Sender, SyncSender, channel, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crate::guard::guarded;

/// Starts a command with pipes to all three of its streams.
pub(super) fn spawn(command: &[String]) -> io::Result<Child> {
    let (program, arguments) =
        command.split_first().ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it is empty"))?;
    let mut started = if cfg!(test) {
        // The program of a unit test cannot be told to be the guard.
        let mut started = Command::new(program);
        started.args(arguments);
        started
    } else {
        guarded(command)?
    };
    // The address of the store, with its password, stands in the environment.
    let kept = |name: &std::ffi::OsStr| ["HOME", "LANG", "PATH"].iter().any(|kept| name == *kept);
    started.env_clear().envs(std::env::vars_os().filter(|(name, _)| kept(name)));
    started.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    by_lasting_thread(started)
}

/// A command to be started, and who waits for it.
type Order = (Command, SyncSender<io::Result<Child>>);

/// Starts it from a thread that lasts as long as this process: the kernel ends a child with the thread that started it.
fn by_lasting_thread(command: Command) -> io::Result<Child> {
    static STARTER: Mutex<Option<Sender<Order>>> = Mutex::new(None);
    let gone = || io::Error::other("the thread that starts processes is gone");
    let (answer, child) = sync_channel(1);
    {
        let mut starter = STARTER.lock().unwrap_or_else(PoisonError::into_inner);
        if starter.is_none() {
            let (orders, taken) = channel::<Order>();
            thread::Builder::new().name("starter".to_owned()).spawn(move || {
                for (mut command, answer) in taken {
                    // Who asked may have stopped waiting; the child then sees the end of its input.
                    let _ = answer.send(command.spawn());
                }
            })?;
            *starter = Some(orders);
        }
        let orders = starter.as_ref().ok_or_else(gone)?;
        orders.send((command, answer)).map_err(|_| gone())?;
    }
    child.recv().map_err(|_| gone())?
}
