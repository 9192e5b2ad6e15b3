//! Exit codes, and which failure has which.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

/// How a command failed: said on stderr, told by the exit code.
#[derive(Debug)]
pub struct Failure {
    code: u8,
    message: String,
}

/// Something went wrong that is nobody's fault here.
const ERROR: u8 = 1;
/// What was asked for does not exist.
const NOT_FOUND: u8 = 3;
/// Refused: an invalid manifest, or a policy.
const REFUSED: u8 = 4;
/// A newer process has taken over.
const FENCED: u8 = 70;

impl Failure {
    /// A failure with exit code 1.
    pub fn error(message: impl Into<String>) -> Self {
        Self { code: ERROR, message: message.into() }
    }

    /// A failure with exit code 3.
    pub fn not_found(message: impl Into<String>) -> Self {
        Self { code: NOT_FOUND, message: message.into() }
    }

    /// A failure with exit code 4.
    pub fn refused(message: impl Into<String>) -> Self {
        Self { code: REFUSED, message: message.into() }
    }

    /// A failure with exit code 70.
    pub fn fenced(message: impl Into<String>) -> Self {
        Self { code: FENCED, message: message.into() }
    }

    /// The same failure, that was told already.
    #[must_use]
    pub fn silent(self) -> Self {
        Self { message: String::new(), ..self }
    }

    /// Says it and gives the code.
    pub fn report(&self) -> ExitCode {
        if !self.message.is_empty() {
            process::say(format_args!("{}", self.message));
        }
        ExitCode::from(self.code)
    }
}

/// Prints data to stdout, after all that was said before. A reader that has gone away is no failure: it has what it
/// wanted.
pub fn print(text: &str) -> Result<(), Failure> {
    process::flush();
    let mut stdout = std::io::stdout().lock();
    match stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(Failure::error(format!("cannot print: {error}"))),
        Ok(()) | Err(_) => Ok(()),
    }
}
