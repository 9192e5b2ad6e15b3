//! Instructions that this process retires, counted by the processor where the machine lets it.

#[cfg(target_os = "linux")]
mod counter {
    //! Linux counts by `perf_event_open`.

    use perf_event::events::Hardware;
    use perf_event::{Builder, Counter};

    /// A counter of this process's own instructions.
    pub fn open() -> std::io::Result<Counter> {
        Builder::new(Hardware::INSTRUCTIONS).exclude_kernel(true).exclude_hv(true).build()
    }

    pub fn start(counter: &mut Counter) -> std::io::Result<()> {
        counter.reset()?;
        counter.enable()
    }

    pub fn stop(counter: &mut Counter) -> std::io::Result<u64> {
        counter.disable()?;
        counter.read()
    }

    pub type Open = Counter;
}

#[cfg(not(target_os = "linux"))]
mod counter {
    //! Elsewhere nothing is counted.

    use std::io::{Error, ErrorKind};

    pub fn open() -> std::io::Result<Open> {
        Err(Error::from(ErrorKind::Unsupported))
    }

    pub fn start(_: &mut Open) -> std::io::Result<()> {
        Ok(())
    }

    pub fn stop(_: &mut Open) -> std::io::Result<u64> {
        Err(Error::from(ErrorKind::Unsupported))
    }

    pub struct Open;
}

/// Counts, or knows why not.
pub(super) enum Instructions {
    Counted(counter::Open),
    Not(std::io::Error),
}

impl Instructions {
    pub fn new() -> Self {
        // A machine may take the counter and not count with it: it is tried.
        let tried = counter::open().and_then(|mut counter| {
            counter::start(&mut counter)?;
            let counted = counter::stop(&mut counter)?;
            if counted == 0 { Err(std::io::Error::other("the processor counts none")) } else { Ok(counter) }
        });
        tried.map_or_else(Self::Not, Self::Counted)
    }

    /// Why nothing is counted; `None` where it is.
    pub const fn problem(&self) -> Option<&std::io::Error> {
        match self {
            Self::Counted(_) => None,
            Self::Not(error) => Some(error),
        }
    }

    pub fn start(&mut self) {
        if let Self::Counted(counter) = self
            && let Err(error) = counter::start(counter)
        {
            *self = Self::Not(error);
        }
    }

    /// What was counted since the start.
    pub fn stop(&mut self) -> Option<u64> {
        match self {
            Self::Counted(counter) => counter::stop(counter).ok(),
            Self::Not(_) => None,
        }
    }
}
