//! A program from its command line to its end, and how nothing that it says on the way is lost or waited for.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::Write as _;
use std::panic;
use std::process::ExitCode;

use clap::Parser;

use crate::talk::{flush, say, talk};

/// Runs a program: what it has said by its end, or by a panic, is written before the process ends, unless
/// stderr is stuck.
pub fn run<C: Parser>(program: impl FnOnce(C) -> ExitCode) -> ExitCode {
    // The standard hook writes to stderr itself, and would wait there for a reader.
    panic::set_hook(Box::new(|panic| {
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            say(format_args!("{panic}\n{backtrace}"));
        } else {
            say(format_args!("{panic}"));
        }
        flush();
    }));
    let code = match C::try_parse() {
        Ok(command_line) => program(command_line),
        Err(error) => answer(&error),
    };
    flush();
    code
}

/// Help and the version are data; the rest is talk.
fn answer(error: &clap::Error) -> ExitCode {
    if error.use_stderr() {
        let _ = write!(talk(), "{}", error.render());
    } else {
        // Who asked may have gone.
        let _ = error.print();
    }
    u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from)
}
