//! Exit codes, and which failure has which.

use std::io::{ErrorKind, Write};
use std::process::ExitCode;

use crate::fleet::FleetError;
use crate::role::Stop;

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

impl From<FleetError> for Failure {
    fn from(error: FleetError) -> Self {
        let message = error.to_string();
        match error {
            FleetError::Read { source, .. } if source.kind() == ErrorKind::NotFound => Self::not_found(message),
            FleetError::Read { .. } | FleetError::Invalid(_) | FleetError::NoStrategy { .. } => Self::refused(message),
        }
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        let message = stop.to_string();
        match stop {
            Stop::Fenced { .. } => Self { code: FENCED, message },
            Stop::LedgerLost { .. }
            | Stop::LedgerFound { .. }
            | Stop::LedgerClosed { .. }
            | Stop::Record { .. }
            | Stop::Unsaved { .. }
            | Stop::Bus(_)
            | Stop::Spec(_)
            | Stop::Name(_)
            | Stop::Store(_)
            | Stop::MarketData(_) => Self::refused(message),
            Stop::NoMarketData(_) => Self::not_found(message),
            Stop::Conflict | Stop::Interrupted { .. } => Self::error(message),
        }
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
